//! `service logs`.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use tidy_protocol::ExitCode;

use super::manager::Manager;
use crate::cli::LogsArgs;
use crate::error::Failure;
use crate::render::path::shown;
use crate::run::{Ended, Session};

/// Becomes the program that shows the log; as JSON its lines are put into our own words.
pub(super) fn logs(s: &mut Session, manager: &dyn Manager, args: &LogsArgs) -> Ended {
    let mut command = manager.logs(args.lines, args.follow, s.out.json)?;
    s.out.flush()?;
    if !s.out.json {
        // Only returns when it cannot be run.
        let error = command.exec();
        return Err(not_run(&command, &error));
    }
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = child.map_err(|e| not_run(&command, &e))?;
    let Some(output) = child.stdout.take() else { return Err(Failure::Unexpected) };
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        s.out.json(&manager.log_line(&String::from_utf8_lossy(&line)))?;
        if args.follow {
            s.out.flush()?;
        }
    }
    Ok(if child.wait()?.success() { ExitCode::Ok } else { ExitCode::Failed })
}

fn not_run(command: &Command, error: &std::io::Error) -> Failure {
    let message = format!("{} cannot be run: {error}", shown(command.get_program()));
    let hint = "tidyctl errors has the last errors; a tidyd that was started by hand says the rest where it was started";
    Failure::new(ExitCode::Failed, message, hint)
}
