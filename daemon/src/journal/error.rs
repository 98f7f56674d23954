//! What can go wrong in the journal.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidy_core::count;
use tidy_core::operation::{Illegal, Operation};

/// Why the journal did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A file of the journal could not be read or changed.
    #[error("cannot {action} {path}: {source}")]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    /// Another process has it open.
    #[error("another tidyd uses the journal in {0}")]
    Locked(PathBuf),
    /// A segment has a version that this program does not know.
    #[error("{path} was written by a newer tidyd (format {version}): update this one")]
    Newer { path: PathBuf, version: u32 },
    /// Records could not be made durable. When they are intents, nothing was touched.
    #[error("the journal could not be written: {0}")]
    NotWritten(#[from] NotWritten),
    /// A plan has a step whose record would be longer than a frame may be.
    #[error("nothing was touched, because a step is too long for the journal: {0} bytes")]
    TooLong(usize),
    /// Files were moved but their directories could not be synced. Those operations stay open; the
    /// next recovery settles them.
    #[error("not durable yet, and still open: {}: {message}", count(*open as u64, "operation"))]
    Unsynced { open: usize, message: String },
    /// A long plan stopped half-way.
    #[error("stopped after {}: {source}", count(finished.len() as u64, "operation"))]
    Interrupted {
        /// Those that have ended, in order.
        finished: Vec<Operation>,
        source: Box<JournalError>,
    },
    /// The projection could not be read, nor rebuilt.
    #[error("the journal's index could not be read: {0}")]
    Projection(String),
    /// The projection cannot be written until the store is opened again (sled 0.34.7).
    #[error("the journal's index could not be written: there was no space left for it")]
    ProjectionFull,
    #[error(transparent)]
    Illegal(#[from] Illegal),
}

impl JournalError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            _ if self.is_no_space() => {
                "free some space where the state directory is; nothing is filed until then"
            }
            Self::ProjectionFull => {
                "free some space where the state directory is, then restart tidyd: the log has everything, and its \
                 index is built anew"
            }
            Self::Locked(_) => "stop the other tidyd, or choose another directory with --state",
            Self::Newer { .. } => "update tidyd, or choose another directory with --state",
            Self::Interrupted { source, .. } => source.hint(),
            Self::Projection(_) => "restart tidyd: the index is built anew from the log",
            Self::Illegal(_) | Self::TooLong(_) => "please report this with the log",
            Self::Io { .. } | Self::NotWritten(_) | Self::Unsynced { .. } => {
                "check the disk, then restart tidyd: what was cut off is settled at the start"
            }
        }
    }

    /// Whether freeing space on the journal's file system would help.
    pub fn is_no_space(&self) -> bool {
        match self {
            Self::Io { source, .. } => is_no_space(source),
            Self::NotWritten(e) => e.no_space,
            Self::Interrupted { source, .. } => source.is_no_space(),
            _ => false,
        }
    }
}

/// Records were not made durable. One for all callers of a group commit.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct NotWritten {
    message: Arc<str>,
    /// The file system is full, or a quota is used up.
    pub no_space: bool,
}

impl NotWritten {
    pub(super) fn new(action: &str, path: &Path, source: &io::Error) -> Self {
        let message = format!("cannot {action} {}: {source}", path.display());
        Self { message: message.into(), no_space: is_no_space(source) }
    }

    pub(super) fn because(message: &str) -> Self {
        Self { message: message.into(), no_space: false }
    }
}

pub(super) fn is_no_space(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
