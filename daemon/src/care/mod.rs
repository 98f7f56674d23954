//! care: copies of what tidyd keeps for itself, and putting one back.
//!
//! In: the state directory, the configuration file, a folder for the copies. Out: a [`Backup`], which is one directory
//! with the log's segments, the small files beside them, the configuration, and a [`Manifest`] with the digest of each; or
//! a state directory in which such a copy is in place again.
//!
//! A backup is made under a name that is none of a backup's, read back, synced, and only then renamed: under its final name
//! it is whole. Segments that an earlier backup in the same folder has already are linked to those; never to the
//! segments in use, since what damages the one would damage the other.
//!
//! Putting one back is made ready beside what is there and begins to count with one rename; from then on every start goes on
//! with it ([`restore::finish`]). What was there before is kept.
//!
//! May not know: users' files, rules, plans, sockets, what stands in the log's records.
//!
//! **Invariant:** only files that a backup consists of are ever removed, and only where a manifest or a name of ours says so.

mod files;
mod keep;
mod manifest;
mod restore;
mod snapshot;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

pub use keep::{Retained, backups, latest, retain};
pub use manifest::{Backup, Manifest, Part, TIME_FORMAT};
pub use restore::{Forgotten, Restored, finish, is_unfinished, restore};
pub use snapshot::{Made, Sources, make, make_as};

use crate::journal::JournalError;

/// Why a backup was not made, checked or put back.
#[derive(Debug, thiserror::Error)]
pub enum CareError {
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Somebody else makes one there.
    #[error("another tidyd is making a backup in {}", .0.display())]
    Busy(PathBuf),
    /// No manifest, or none that makes sense.
    #[error("{} is no backup of tidyd: {why}", path.display())]
    NotABackup { path: PathBuf, why: String },
    /// The manifest is of a format that this program does not know.
    #[error("{} was made by tidyd {made_by}, which is newer (format {format})", path.display())]
    Newer { path: PathBuf, made_by: String, format: u32 },
    /// What is there is not what the manifest says.
    #[error("the backup {} is damaged: {why}", path.display())]
    Damaged { path: PathBuf, why: String },
    /// A file changed each time while it was copied.
    #[error("{} changes while it is copied", .0.display())]
    Restless(PathBuf),
}

impl CareError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "free some space there; a backup may also go elsewhere (--to)"
                }
                io::ErrorKind::NotFound => "make the folder, or mount its disk",
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    "see who may write there, or name another folder; a confined tidyd reaches a new one after a restart"
                }
                _ => "check the disk",
            },
            Self::Journal(e) => e.hint(),
            Self::Busy(_) => "try again when it is done",
            Self::NotABackup { .. } => "`tidyctl store list` shows those there are",
            Self::Newer { .. } => "update tidyd",
            Self::Damaged { .. } => "take another one: `tidyctl store list` shows those there are",
            Self::Restless(_) => "try again",
        }
    }
}

type Result<T, E = CareError> = std::result::Result<T, E>;
