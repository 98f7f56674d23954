//! `completions` and `man`.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use tidy_protocol::ExitCode;

use crate::cli::Cli;
use crate::complete::VARIABLE;
use crate::error::Failure;
use crate::render::path::shown;
use crate::run::{Ended, Session};

/// The completion system loads the script as a function `_tidyctl` when it is first asked, and wants an answer then, too.
const ZSH_FIRST_TIME: &[u8] =
    b"if [[ $funcstack[1] == _tidyctl ]]; then _clap_dynamic_completer_tidyctl; fi\n";

/// Bash divides words at `:` and `=`, and takes what is offered as if it had been typed.
const BASH_WORDS: &str = include_str!("completion.bash");

/// Prints a completion script.
pub(crate) fn completions(s: &mut Session, shell: Shell) -> Ended {
    let mut script = Vec::new();
    let shells = clap_complete::env::Shells::builtins();
    // Both lists name the same shells.
    let completer = shells.completer(&shell.to_string()).ok_or(Failure::Unexpected)?;
    completer.write_registration(VARIABLE, "tidyctl", "tidyctl", "tidyctl", &mut script)?;
    match shell {
        Shell::Zsh => script.extend(ZSH_FIRST_TIME),
        Shell::Bash => script.extend(BASH_WORDS.as_bytes()),
        _ => {}
    }
    s.out.bytes(&script)?;
    Ok(ExitCode::Ok)
}

/// Prints the manual page, or writes all of them.
pub(crate) fn man(s: &mut Session, dir: Option<&Path>) -> Ended {
    let pages = tidy_manual::pages(Cli::command(), "1", &["tidyd(8)", "tidyd.toml(5)"]);
    let Some(dir) = dir else {
        // The first one is that of the program.
        let text = pages.first().map(|page| page.text.as_bytes()).unwrap_or_default();
        s.out.bytes(text)?;
        return Ok(ExitCode::Ok);
    };
    for page in pages {
        let written = File::create(dir.join(&page.file));
        written.and_then(|mut file| file.write_all(page.text.as_bytes())).map_err(|e| {
            let place = shown(dir.as_os_str());
            let message = format!("the pages cannot be written to {place}: {e}");
            Failure::new(ExitCode::Failed, message, "make the directory first")
        })?;
    }
    s.out.remark(&format!("written to {}", shown(dir.as_os_str())))?;
    Ok(ExitCode::Ok)
}
