//! Commands of rules: an argument list with placeholders, never a line for a shell.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::time::Duration;

use crate::plan::Command;

/// A program and its arguments as the configuration has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    argv: Vec<String>,
    limit: Duration,
}

/// Why an argument list is refused at load.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    #[error("there is no program to run")]
    Empty,
    #[error("an argument cannot contain NUL")]
    Nul,
    #[error("the program itself cannot come from a file's name")]
    Program,
    #[error("the program is a name to be found in PATH, or an absolute path")]
    Relative,
    #[error("unknown placeholder `{{{0}}}`; known: {{path}}, {{from}}, {{dir}}, {{name}}")]
    Unknown(String),
}

const KNOWN: [&str; 4] = ["path", "from", "dir", "name"];

impl Run {
    /// Checks the list.
    ///
    /// # Errors
    /// It is empty, names a placeholder that does not exist, or a program by a relative path.
    pub fn new(argv: Vec<String>, limit: Duration) -> Result<Self, RunError> {
        let program = argv.first().filter(|p| !p.trim().is_empty()).ok_or(RunError::Empty)?;
        if argv.iter().any(|a| a.contains('\0')) {
            return Err(RunError::Nul);
        }
        if placeholders(program).next().is_some() {
            return Err(RunError::Program);
        }
        // It would be looked for in the file's folder, where anybody's downloads lie.
        if program.contains('/') && !program.starts_with('/') {
            return Err(RunError::Relative);
        }
        for argument in &argv {
            if let Some(unknown) = placeholders(argument).find(|name| !KNOWN.contains(name)) {
                return Err(RunError::Unknown(unknown.to_owned()));
            }
        }
        Ok(Self { argv, limit })
    }

    /// For a file that is at `path` now and was at `from`. Each argument stays one argument, whatever
    /// the names hold.
    pub fn command(&self, path: &Path, from: &Path) -> Command {
        let value = |word: &str| match word {
            "from" => from.as_os_str(),
            "dir" => path.parent().unwrap_or(path).as_os_str(),
            "name" => path.file_name().unwrap_or_default(),
            _ => path.as_os_str(),
        };
        let fill = |argument: &String| {
            OsString::from_vec(fill(argument, |word| value(word).as_bytes().to_vec()))
        };
        Command { argv: self.argv.iter().map(fill).collect(), limit: self.limit }
    }
}

/// The text with values for its placeholders; what is in a value stands for itself.
pub(super) fn fill(text: &str, value: impl Fn(&str) -> Vec<u8>) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), text);
    while let Some(word) = placeholders(rest).next() {
        let at = rest.find(&format!("{{{word}}}")).unwrap_or(0);
        out.extend_from_slice(&rest.as_bytes()[..at]);
        out.extend_from_slice(&value(word));
        rest = &rest[at + word.len() + 2..];
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

/// Words of lower-case letters in braces; braces around anything else mean themselves.
pub(super) fn placeholders(argument: &str) -> impl Iterator<Item = &str> {
    argument.split('{').skip(1).filter_map(|part| {
        let (word, _) = part.split_once('}')?;
        let is_word = !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        is_word.then_some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(argv: &[&str]) -> Result<Run, RunError> {
        Run::new(argv.iter().map(|a| (*a).to_owned()).collect(), Duration::from_secs(1))
    }

    #[test]
    fn each_argument_stays_one_whatever_the_names_hold() {
        let run =
            run(&["tool", "--in={path}", "{from}", "{dir}/{name}.txt", "{}", "{ x }", "{{path}"]);
        let path = Path::new("/a/$(touch x) {from};\n'.pdf");
        let command = run.unwrap().command(path, Path::new("/in/b c"));
        let expected = [
            "tool",
            "--in=/a/$(touch x) {from};\n'.pdf",
            "/in/b c",
            "/a/$(touch x) {from};\n'.pdf.txt",
            "{}",
            "{ x }",
            "{/a/$(touch x) {from};\n'.pdf",
        ];
        assert_eq!(command.argv, expected);
    }

    #[test]
    fn what_cannot_be_run_is_refused_at_load() {
        assert_eq!(run(&[]), Err(RunError::Empty));
        assert_eq!(run(&[" "]), Err(RunError::Empty));
        assert_eq!(run(&["{path}"]), Err(RunError::Program));
        for relative in ["./ocr", "bin/ocr", "../ocr", "~/bin/ocr"] {
            assert_eq!(run(&[relative, "{path}"]), Err(RunError::Relative), "{relative}");
        }
        assert!(run(&["/usr/bin/ocr", "a/b"]).is_ok());
        assert_eq!(run(&["a", "{pth}"]), Err(RunError::Unknown("pth".into())));
        assert_eq!(run(&["a", "b\0"]), Err(RunError::Nul));
    }
}
