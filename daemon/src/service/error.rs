//! Errors as clients get them.

use tidy_protocol::{Error, ErrorCode};

use crate::catalog::CatalogError;
use crate::journal::JournalError;

pub(super) fn stopping() -> Error {
    Error::new(ErrorCode::Stopping, "tidyd is stopping", "start it again")
}

pub(super) fn no_job(id: u64) -> Error {
    Error::new(ErrorCode::NotFound, format!("there is no job {id}"), "`tidyctl jobs` lists them")
}

pub(super) fn internal(what: &str) -> Error {
    Error::new(ErrorCode::Internal, what, "please report this with the log")
}

pub(super) fn failed(error: &impl Hinted) -> Error {
    Error::new(ErrorCode::Failed, error.to_string(), error.hint())
}

/// Errors that know what a person can do about them.
pub(super) trait Hinted: std::error::Error {
    fn hint(&self) -> &'static str;
}

impl Hinted for JournalError {
    fn hint(&self) -> &'static str {
        self.hint()
    }
}

impl Hinted for CatalogError {
    fn hint(&self) -> &'static str {
        match self {
            Self::Store(e) => e.hint(),
            _ => "",
        }
    }
}
