//! watch: hints that something happened in a directory.
//!
//! In: directories to watch. Out: [`Hint`]s through a callback, collected by the caller in a
//! [`DirtySet`]. Hints may be doubled, late, or lost in an overflow that says so; each means "look
//! there again", never "this happened". May not know: files' facts, roots' policies, the catalog.
//!
//! - [`Tree`] keeps one watch per directory, by path and by inode, over a [`Backend`];
//! - [`SystemBackend`] is the real one: inotify itself on Linux, FSEvents through `notify` on macOS;
//! - [`DirtySet`] is the bounded memory of where to look: the file system is the queue;
//! - [`Cookies`] are barriers: "everything that happened before I asked has been hinted at";
//! - [`is_remote`] tells where no hints can be expected.
//!
//! **Invariant:** whenever a watch may have died, a [`Hint::DirGone`] for it or for a directory above
//! it follows, or [`Hint::Overflow`]. So the reader's loop — forget what is gone, take a dirty
//! directory, [`Tree::ensure`] its watch, *then* read it, mark sub-directories whose watch is fresh —
//! misses nothing.

mod cookie;
mod dirty;
#[cfg(target_os = "linux")]
mod inotify;
#[cfg(not(target_os = "linux"))]
mod notify_backend;
mod remote;
#[cfg(test)]
mod tests;
mod tree;

pub use cookie::Cookies;
pub use dirty::{DirtySet, Limits, Names};
#[cfg(target_os = "linux")]
pub use inotify::SystemBackend;
#[cfg(not(target_os = "linux"))]
pub use notify_backend::SystemBackend;
pub use remote::is_remote;
pub use tree::{Ensured, Tree};

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Something happened, perhaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// In `dir`, to the entry `name`; to any of them when there is none.
    Dirty { dir: PathBuf, name: Option<OsString> },
    /// What was at this path may have left it: a watch on it or below is not to be relied on.
    /// A [`Hint::Dirty`] for its parent comes too.
    DirGone(PathBuf),
    /// The kernel's queue was full and hints are lost: every root is to be read again
    /// ([`Tree::distrust`]).
    Overflow,
    /// All hints of what happened before this cookie, and before all with smaller numbers, was asked
    /// for have been given.
    Cookie(u64),
    /// The watcher failed in some way; reconcile.
    Error(String),
}

/// Takes hints, on the watcher's thread; must never block.
pub type Sink = Arc<dyn Fn(Hint) + Send + Sync>;

/// Why a directory is not watched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// `max_user_watches` or `max_user_instances` of inotify(7).
    #[error(
        "the system's limit of watches is reached; raise fs.inotify.max_user_watches (sysctl), \
         until then changes are found by scanning"
    )]
    LimitReached,
    /// No directory is there any more.
    #[error("the directory is gone")]
    Gone,
    #[error("cannot watch it: {0}")]
    Failed(String),
}

/// Watches single directories.
pub trait Backend: Send {
    /// Starts to watch a directory (not what is below it), or makes sure that it is watched.
    ///
    /// # Errors
    /// See [`WatchError`]; nothing is watched then.
    fn watch(&mut self, dir: &Path) -> Result<(), WatchError>;

    /// Stops watching it. Not an error when it is not watched any more.
    fn unwatch(&mut self, dir: &Path);
}
