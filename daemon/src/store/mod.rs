//! store: the state directory and the one sled database in it.
//!
//! In: the path of the state directory. Out: [`StateDir`], which proves that nobody else uses it, and
//! [`Store`], an open database, with a [`StoreReport`] that says what had to be done to open it. What is
//! kept in the database is the business of the rooms that open trees in it (`catalog/`, the
//! journal's projection); all of it can be rebuilt, so a store that cannot be opened is set aside
//! and replaced, never repaired.
//!
//! May not know: files, rules, operations, or what any tree means.
//!
//! **Invariant:** nothing outside the state directory is changed here.
#![expect(
    clippy::disallowed_methods,
    reason = "the store makes, renames and removes its own files in the state directory, and nothing else"
)]

mod compact;
pub mod format;
mod guard;
mod open;
mod state_dir;

use std::fs::File;
use std::io;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use compact::Compacted;
pub use open::{Opened, StoreReport};
pub use state_dir::StateDir;

/// Why the state directory or the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process holds the lock.
    #[error("{} is in use by another tidyd{}", path.display(), .pid.map(|p| format!(" (process {p})")).unwrap_or_default())]
    InUse { path: PathBuf, pid: Option<u32> },
    /// The path exists and is something else.
    #[error("{} is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// The directory belongs to another user.
    #[error("{} belongs to user {owner}, not to us (user {us})", path.display())]
    NotOurs { path: PathBuf, owner: u32, us: u32 },
    /// A newer program has written it.
    #[error("{} is of format {found}, {by}; this is tidyd {}, which knows formats up to {}", path.display(), env!("CARGO_PKG_VERSION"), format::FORMAT)]
    Newer { path: PathBuf, found: u32, by: String },
    /// Every user may write to the directory.
    #[error("{} can be written by every user", .0.display())]
    Exposed(PathBuf),
    /// No permission, or a read-only file system.
    #[error("{} cannot be written: {source}", path.display())]
    NotWritable { path: PathBuf, source: io::Error },
    /// The disk or the quota is full. Nothing that was flushed is lost.
    #[error("no space left for {}: {detail}", path.display())]
    Full { path: PathBuf, detail: String },
    /// The database answered with something impossible: it must be set aside and built anew
    /// ([`Store::replace`]).
    #[error("the store {} is damaged: {detail}", path.display())]
    Damaged { path: PathBuf, detail: String },
    /// Any other error of the file system.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl StoreError {
    /// What a person can do about it, in one sentence.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::InUse { .. } => {
                "stop the other tidyd first, or give this one another directory with --state"
            }
            Self::NotADirectory(_) => "move it away, or choose another directory with --state",
            Self::NotOurs { .. } => {
                "run tidyd as the owner, or choose another directory with --state"
            }
            Self::Newer { .. } => {
                "nothing was changed; update tidyd, or choose another directory with --state"
            }
            Self::Exposed(_) => "take the permission away: chmod o-w",
            Self::NotWritable { .. } => {
                "give us permission to write there, or choose another directory with --state"
            }
            // sled 0.34.7 refuses every write after one has failed, until it is opened again.
            Self::Full { .. } => "free some space, then restart tidyd; nothing is lost",
            Self::Damaged { .. } => "restart tidyd: the store is set aside and built anew",
            Self::Io { .. } => "check the disk, then restart tidyd",
        }
    }

    /// Whether setting the store aside and building a new one is the cure.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. })
    }

    fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::Full { path, detail: source.to_string() }
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::NotWritable { path, source }
            }
            _ => Self::Io { path, source },
        }
    }
}

/// How the database is run.
#[derive(Debug, Clone, Copy)]
pub struct StoreOptions {
    /// Page cache, in bytes.
    pub cache_bytes: u64,
    /// How often sled writes out what it holds and reclaims space. Never off: without it sled's
    /// files grow without bound.
    pub flush_every: Duration,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { cache_bytes: 32 << 20, flush_every: Duration::from_millis(1_500) }
    }
}

/// The open database. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    db: sled::Db,
    /// sled's data file, for the `fdatasync` that sled's flush leaves out.
    file: Arc<File>,
    dir: PathBuf,
    options: StoreOptions,
}

impl Store {
    /// Opens the database in `dir` (usually [`StateDir::store`]), making it when it is missing.
    ///
    /// A store that sled refuses, or panics over, is opened again without its snapshots and then, if that fails
    /// too, renamed to `<dir>.corrupt-<time>`; the report says so and keeps sled's message.
    ///
    /// # Errors
    /// Only what building a new store would not cure: no permission, no space, no descriptors, in use.
    pub fn open(dir: &Path, options: StoreOptions) -> Result<(Self, StoreReport), StoreError> {
        open::open(dir, options)
    }

    /// Sets the store in `dir`, which nobody has open, aside as `store.aside-<time>`. The next one to open it finds none.
    ///
    /// # Errors
    /// [`StoreError::Io`] and the like; it is where it was.
    pub fn set_aside(dir: &Path) -> Result<PathBuf, StoreError> {
        open::set_aside(dir, "aside")
    }

    /// The store that was set aside is in its place again, and what was begun instead, in `dir`, is gone.
    ///
    /// # Errors
    /// [`StoreError::Io`]: it is still where it was set aside to.
    pub fn put_back(aside: &Path, dir: &Path) -> Result<(), StoreError> {
        open::put_back(aside, dir)
    }

    /// Sets this store aside, because `why`, and opens a new, empty one in its place.
    /// Clones of the old one go on working on the files that were set aside.
    pub fn replace(self, why: String) -> Result<(Self, StoreReport), StoreError> {
        let (dir, options) = (self.dir.clone(), self.options);
        drop(self);
        open::replace(&dir, options, why)
    }

    /// The database, for opening trees.
    pub fn db(&self) -> &sled::Db {
        &self.db
    }

    /// The directory it is in.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Bytes on disk.
    pub fn size_on_disk(&self) -> Result<u64, StoreError> {
        self.run(|db| db.size_on_disk())
    }

    /// Makes everything written so far survive a power cut: sled's flush, then `fdatasync` of its
    /// file. sled 0.34.7 itself only asks the kernel to start writing (`sync_file_range`).
    pub fn barrier(&self) -> Result<(), StoreError> {
        self.run(|db| db.flush().map(drop))?;
        self.file.sync_data().map_err(|e| StoreError::io(&self.dir, e))
    }

    /// Runs something on the database; a panic inside sled over damaged data becomes
    /// [`StoreError::Damaged`] instead of ending the thread. For walks over whole trees at start: what has
    /// been read once in full can be read again. One thread at a time, as the panic hook belongs to
    /// the process.
    pub fn run<T>(&self, work: impl FnOnce(&sled::Db) -> sled::Result<T>) -> Result<T, StoreError> {
        // On a panic the database is only set aside, so no broken state of its can be observed.
        match guard::catch(AssertUnwindSafe(|| work(&self.db))) {
            Ok(result) => result.map_err(|e| self.error(e)),
            Err(detail) => Err(open::classify_panic(&self.dir, detail)),
        }
    }

    /// One of sled's errors as ours.
    pub fn error(&self, error: sled::Error) -> StoreError {
        open::classify(&self.dir, error)
    }
}

#[cfg(test)]
mod tests;
