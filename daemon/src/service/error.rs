//! Errors as clients get them.

use tidy_protocol::{Error, ErrorCode};

pub(super) fn stopping() -> Error {
    Error::new(ErrorCode::Stopping, "tidyd is stopping", "start it again")
}

pub(super) fn no_job(id: u64) -> Error {
    Error::new(ErrorCode::NotFound, format!("there is no job {id}"), "`tidyctl jobs` lists them")
}

pub(super) fn internal(what: &str) -> Error {
    Error::new(ErrorCode::Internal, what, "please report this with the log")
}

pub(super) fn failed(error: &dyn std::error::Error) -> Error {
    Error::new(ErrorCode::Failed, error.to_string(), "")
}
