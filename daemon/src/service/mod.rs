//! service: the daemon as a process: start, run, stop.
//!
//! The async shell around the coordinator: it performs effects on threads and feeds back what they
//! found, answers the control socket, listens to signals and to the service manager. Everything is
//! opened in a stated order (state directory, store, journal, recovery, catalog, socket, watches) and
//! closed in the reverse one.

mod ask;
mod collect;
mod configure;
mod convert;
mod error;
mod handler;
mod hints;
mod jobs;
mod mounts;
mod notes;
mod once;
mod open;
mod publish;
mod queries;
mod scanner;
mod shell;
mod time;
mod undo;

use std::process::ExitCode;

use tidy_protocol::ExitCode as Code;

use crate::cli::Options;
use crate::telemetry;

/// A failure that ends the process: what happened, what to do, and the exit code.
#[derive(Debug)]
pub struct Fatal {
    pub message: String,
    pub hint: Option<String>,
    pub code: Code,
}

impl Fatal {
    fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: Some(hint.into()), code }
    }
}

/// Runs the service, or `--once`, or `--check`; returns the exit code of DESIGN section 10.
pub fn run(options: Options) -> ExitCode {
    let result = if options.check {
        configure::check(&options)
    } else if options.once {
        once::run(&options)
    } else {
        shell::run(&options)
    };
    match result {
        Ok(code) => ExitCode::from(code as u8),
        Err(fatal) => {
            telemetry::complain(&fatal.message, fatal.hint.as_deref());
            ExitCode::from(fatal.code as u8)
        }
    }
}
