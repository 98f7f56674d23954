//! Why a command ended: what to print, what to do about it, and the exit code.

use std::io;

use tidy_config::{ConfigErrors, LocationError};
use tidy_protocol::{ClientError, ExitCode};

use crate::render::path::printable;

/// Everything that ends a command early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{}", printable(&.0.to_string()))]
    Client(#[from] ClientError),
    #[error("{0}")]
    Config(#[from] ConfigErrors),
    #[error("{0}")]
    Location(#[from] LocationError),
    /// The output cannot be written. A closed pipe is no error: the reader has seen enough.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
    /// The daemon answered with something that does not belong to the request.
    #[error("tidyd sent an answer that does not belong to the question")]
    Unexpected,
    #[error("{message}")]
    Said { code: ExitCode, message: String, hint: Option<String> },
}

impl Failure {
    /// With words of our own. An empty hint is none.
    pub(crate) fn new(code: ExitCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let hint = Some(hint.into()).filter(|h| !h.is_empty());
        Self::Said { code, message: message.into(), hint }
    }

    /// The command line makes no sense, in a way that clap cannot see.
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(ExitCode::Usage, message, hint)
    }

    /// A relative path cannot be made absolute.
    pub(crate) fn from_cwd(error: io::Error) -> Self {
        Self::usage(format!("the path cannot be made absolute: {error}"), "give an absolute path")
    }

    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Client(e) => e.hint().map(|hint| printable(&hint)),
            Self::Said { hint, .. } => hint.clone(),
            Self::Config(_) => Some("`tidyctl config check` checks it again".into()),
            Self::Unexpected => Some("tidyctl and tidyd may be of different versions".into()),
            Self::Location(_) | Self::Output(_) => None,
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Client(e) => e.exit_code(),
            Self::Config(_) | Self::Location(_) => ExitCode::BadConfig,
            Self::Output(e) if e.kind() == io::ErrorKind::BrokenPipe => ExitCode::Ok,
            Self::Output(_) | Self::Unexpected => ExitCode::Failed,
            Self::Said { code, .. } => *code,
        }
    }
}
