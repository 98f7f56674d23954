//! `metrics`.

use std::path::Path;

use serde_json::json;
use tidy_protocol::textfile::{self, TextfileError};
use tidy_protocol::{ExitCode, Request};

use super::expect_answer;
use crate::cli::MetricsArgs;
use crate::error::Failure;
use crate::render::path::shown;
use crate::run::{Ended, Session};

/// What was counted and measured.
pub(crate) fn metrics(s: &mut Session, args: &MetricsArgs) -> Ended {
    let metrics = expect_answer!(s.ask(&Request::Metrics)?, Metrics);
    match &args.textfile {
        None => s.out.show(&metrics, |_, metrics| metrics.text.clone())?,
        Some(file) => {
            let file = std::path::absolute(file).map_err(Failure::from_cwd)?;
            textfile::write(&file, &metrics.text).map_err(|e| refused(&file, &e))?;
            if s.out.json {
                s.out.json(&json!({ "done": true }))?;
            }
            s.out.remark(&format!("{} is written", shown(file.as_os_str())))?;
        }
    }
    Ok(ExitCode::Ok)
}

fn refused(file: &Path, error: &TextfileError) -> Failure {
    let place = shown(file.as_os_str());
    let (message, hint) = match error {
        TextfileError::NotOurs => {
            (format!("{place}: {error}"), "choose another name, or take it away first")
        }
        TextfileError::Io(error) => (
            format!("{place} cannot be written: {error}"),
            "name a file in a folder that is there and that you may write to",
        ),
    };
    Failure::new(ExitCode::Failed, message, hint)
}
