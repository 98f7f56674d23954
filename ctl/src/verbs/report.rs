//! `report`.

use std::io;
use std::path::Path;

use tidy_protocol::{ExitCode, Request};

use super::expect_answer;
use crate::cli::ReportArgs;
use crate::error::Failure;
use crate::output;
use crate::render::path::shown;
use crate::render::report;
use crate::run::{Ended, Session};

/// What was done, and how things stand.
pub(crate) fn report(s: &mut Session, args: &ReportArgs) -> Ended {
    if args.since.zip(args.until).is_some_and(|(since, until)| since > until) {
        let hint = "with `--since 2h --until 1h` it is the hour before the last one";
        return Err(Failure::usage("--since is later than --until", hint));
    }
    let request = Request::Report { since_ns: args.since, until_ns: args.until };
    let answer = expect_answer!(s.ask(&request)?, Report);
    let look = &s.out.look;
    let bytes = if args.html {
        report::html(look, &answer).into_bytes()
    } else if args.csv {
        report::csv(look, &answer).map_err(io::Error::from)?
    } else if s.out.json {
        let mut line = serde_json::to_vec(&*answer).map_err(io::Error::from)?;
        line.push(b'\n');
        line
    } else {
        let text = report::text(look, &answer);
        if args.output.is_none() {
            s.out.long(&text)?;
            return Ok(ExitCode::Ok);
        }
        anstream::adapter::strip_str(&text).to_string().into_bytes()
    };
    match &args.output {
        None => s.out.bytes(&bytes)?,
        Some(path) => {
            output::write_new(path, &bytes).map_err(|e| refused(path, &e))?;
            s.out.remark(&format!("{} is written", shown(path.as_os_str())))?;
        }
    }
    Ok(ExitCode::Ok)
}

fn refused(path: &Path, error: &io::Error) -> Failure {
    let place = shown(path.as_os_str());
    let (message, hint) = match error.kind() {
        io::ErrorKind::AlreadyExists => (
            format!("{place} is there already"),
            "nothing is ever overwritten: choose another name, or take it away first",
        ),
        _ => (format!("{place} cannot be written: {error}"), "choose another place"),
    };
    Failure::new(ExitCode::Failed, message, hint)
}
