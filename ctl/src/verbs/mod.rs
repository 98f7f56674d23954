//! The verbs: each asks the daemon (or the configuration) and shows the answer.
//!
//! In: the parsed options and a [`Session`](crate::run::Session). Out: text or JSON on its output and an exit code. May
//! not know: the daemon's insides; what is true of the files comes over the socket, what is right in the configuration
//! from its crate.

pub(crate) mod config;
pub(crate) mod doctor;
pub(crate) mod errors;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod files;
pub(crate) mod init;
pub(crate) mod install;
pub(crate) mod job;
pub(crate) mod manual;
pub(crate) mod metrics;
pub(crate) mod operations;
pub(crate) mod organize;
pub(crate) mod pages;
pub(crate) mod report;
pub(crate) mod resolve;
pub(crate) mod service;
pub(crate) mod store;
pub(crate) mod suggest;
pub(crate) mod top;
pub(crate) mod undo;
mod writers;

use std::path::PathBuf;

use tidy_protocol::WirePath;

use crate::error::Failure;
use crate::given;

/// `Some` of an answer when it is of this kind, else [`Failure::Unexpected`].
macro_rules! expect_answer {
    ($answer:expr, $kind:ident) => {
        match $answer {
            tidy_protocol::Response::$kind(data) => data,
            _ => return Err(crate::error::Failure::Unexpected),
        }
    };
}
pub(crate) use expect_answer;

/// Directories of the command line, as the daemon names them.
fn directories(given: &[PathBuf]) -> Result<Vec<WirePath>, Failure> {
    given.iter().map(|p| given::directory(p).map_err(Failure::from_cwd)).collect()
}
