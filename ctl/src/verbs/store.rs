//! `store`: done by `tidyd store`, since it is about files that only tidyd knows, and mostly while no service runs.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use tidy_protocol::{ExitCode, Request, Response};

use crate::cli::StoreArgs;
use crate::error::Failure;
use crate::run::{Ended, Session};

/// Becomes that program.
pub(crate) fn store(s: &mut Session, args: &StoreArgs) -> Ended {
    let program = tidyd();
    let mut command = Command::new(&program);
    // Options before the verb: behind it a `--` may end them.
    command.arg("store");
    if s.out.json {
        command.arg("--json");
    }
    if let Ok(socket) = s.socket() {
        command.arg("--socket").arg(socket);
    }
    // What is meant is what the service that answers keeps, wherever that is.
    if let Ok(Response::Status(status)) = s.ask(&Request::Status) {
        command.arg("--state").arg(&status.state_dir.0);
        if let Some(config) = &status.config {
            command.arg("--config").arg(&config.0);
        }
    }
    command.args(args.verb.arguments());
    s.out.flush()?;
    let error = command.exec();
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "install it beside tidyctl, or in a directory of PATH",
        _ => "see who may run it",
    };
    let message = format!("{} cannot be run: {error}", program.display());
    Err(Failure::new(ExitCode::Failed, message, hint))
}

/// The one that was installed with this program, or the one that is found first.
fn tidyd() -> PathBuf {
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name("tidyd"));
    beside.filter(|path| path.is_file()).unwrap_or_else(|| "tidyd".into())
}
