//! Errors as they travel: a code for programs, a message and a hint for people.

use serde::{Deserialize, Serialize};

use crate::ExitCode;

/// What kind of error it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// The frame or its content is not what the protocol says.
    Malformed,
    /// The two ends do not speak the same version.
    Version,
    UnknownMethod,
    /// The request makes no sense; the message says which part.
    BadRequest,
    /// What the request names does not exist.
    NotFound,
    /// The configuration is wrong; the old one stays in force.
    BadConfig,
    /// A limit was reached; try again after `retry_after_ms`.
    Busy,
    /// Not allowed for this caller.
    Refused,
    /// The daemon is stopping.
    Stopping,
    /// It did not work; the message says why.
    Failed,
    /// A defect of the daemon.
    Internal,
    /// A code this version does not know.
    #[serde(other)]
    Unknown,
}

impl ErrorCode {
    /// Every code that is sent, with its word.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("malformed", Self::Malformed),
        ("version", Self::Version),
        ("unknown-method", Self::UnknownMethod),
        ("bad-request", Self::BadRequest),
        ("not-found", Self::NotFound),
        ("bad-config", Self::BadConfig),
        ("busy", Self::Busy),
        ("refused", Self::Refused),
        ("stopping", Self::Stopping),
        ("failed", Self::Failed),
        ("internal", Self::Internal),
    ];
}

/// Longest message, in bytes.
const MESSAGE: usize = 2_048;

/// An error in answer to a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub code: ErrorCode,
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// When to try again, in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl Error {
    /// An error with a hint. Of a very long message, which has what was asked in it, the end is left out.
    pub fn new(code: ErrorCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let hint = Some(hint.into()).filter(|h| !h.is_empty());
        let mut message = message.into();
        if message.len() > MESSAGE {
            message.truncate(message.floor_char_boundary(MESSAGE));
            message.push('…');
        }
        Self { code, message, hint, retry_after_ms: None }
    }

    /// The exit code of a command that ends with it.
    pub fn exit_code(&self) -> ExitCode {
        match self.code {
            ErrorCode::Busy | ErrorCode::Refused => ExitCode::Refused,
            ErrorCode::BadConfig => ExitCode::BadConfig,
            ErrorCode::BadRequest => ExitCode::Usage,
            ErrorCode::Stopping => ExitCode::NotRunning,
            _ => ExitCode::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_is_not_told_back_without_an_end() {
        let error = Error::new(ErrorCode::NotFound, "ü".repeat(500_000), "h");
        assert!(error.message.len() < 3_000 && error.message.ends_with("ü…"), "{error}");
    }

    #[test]
    fn codes_have_the_words_that_are_sent() {
        for (word, code) in ErrorCode::ALL {
            let sent = ciborium::Value::serialized(code).unwrap();
            assert_eq!(sent.as_text(), Some(*word));
        }
    }
}
