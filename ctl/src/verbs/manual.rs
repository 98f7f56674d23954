//! `completions` and `man`.

use std::io;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;
use tidy_protocol::ExitCode;

use crate::cli::Cli;
use crate::complete::VARIABLE;
use crate::error::Failure;
use crate::render::path::shown;
use crate::run::{Ended, Session};

/// Prints a completion script.
pub(crate) fn completions(s: &mut Session, shell: Shell) -> Ended {
    let mut script = Vec::new();
    let shells = clap_complete::env::Shells::builtins();
    // Both lists name the same shells.
    let completer = shells.completer(&shell.to_string()).ok_or(Failure::Unexpected)?;
    completer.write_registration(VARIABLE, "tidyctl", "tidyctl", "tidyctl", &mut script)?;
    s.out.bytes(&script)?;
    Ok(ExitCode::Ok)
}

/// Prints the manual page, or writes all of them.
pub(crate) fn man(s: &mut Session, dir: Option<&Path>) -> Ended {
    let Some(dir) = dir else {
        let mut page = Vec::new();
        Man::new(Cli::command()).render(&mut page)?;
        s.out.bytes(&page)?;
        return Ok(ExitCode::Ok);
    };
    clap_mangen::generate_to(Cli::command(), dir).map_err(|e: io::Error| {
        let message = format!("the pages cannot be written to {}: {e}", shown(dir.as_os_str()));
        Failure::new(ExitCode::Failed, message, "make the directory first")
    })?;
    s.out.remark(&format!("written to {}", shown(dir.as_os_str())))?;
    Ok(ExitCode::Ok)
}
