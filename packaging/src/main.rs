//! `tidy-pages DIR`: writes the pages into a directory.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(dir) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return failed("usage: tidy-pages DIR");
    };
    for page in tidy_packaging::pages() {
        let path = dir.join(&page.file);
        let written =
            std::fs::File::create(&path).and_then(|mut f| f.write_all(page.text.as_bytes()));
        if let Err(error) = written {
            return failed(&format!("{}: {error}", path.display()));
        }
    }
    ExitCode::SUCCESS
}

fn failed(message: &str) -> ExitCode {
    eprintln!("error: {message}");
    ExitCode::FAILURE
}
