//! Directories that still have to be synced.

use std::collections::HashMap;

use super::entry::Dir;
use super::error::ActError;

/// Directories held open at most; more than this are synced early. Well below the usual limit of
/// 1,024 open files, and many more than a batch of 1,000 files usually touches.
const MAX_OPEN: usize = 256;

/// Directories whose entries have changed and are not durable yet.
#[derive(Debug, Default)]
pub struct Unsynced {
    /// By device and inode: one directory is synced once, under whatever path it was reached.
    open: HashMap<(u64, u64), Dir>,
    /// Whether a directory has been made in one of them.
    made: bool,
    /// The first failure of an early sync; it belongs to the next [`Unsynced::sync`].
    failed: Option<ActError>,
}

impl Unsynced {
    /// Syncs every directory once.
    ///
    /// # Errors
    /// Names the first directory that could not be synced; the operations in it are not durable. All others are
    /// synced nevertheless, and none is tried again: a second `fsync` may succeed without having
    /// written what the first one lost.
    pub fn sync(&mut self) -> Result<(), ActError> {
        self.flush();
        self.failed.take().map_or(Ok(()), Err)
    }

    /// How many directories are waiting.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether nothing is waiting.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty() && self.failed.is_none()
    }

    /// Whether the way to a file may lead through a directory whose own name is not durable.
    pub(super) fn has_made_directories(&self) -> bool {
        self.made
    }

    /// Adds a directory in which another one has been made.
    pub(super) fn add_made_in(&mut self, dir: Dir) {
        self.add(dir);
        self.made = true;
    }

    /// Adds a directory. What cannot be done at once is told by the next [`Self::sync`].
    pub(super) fn add(&mut self, dir: Dir) {
        match dir.key() {
            Ok(key) => {
                if self.open.len() >= MAX_OPEN && !self.open.contains_key(&key) {
                    self.flush();
                }
                self.open.entry(key).or_insert(dir);
            }
            // Which one it is cannot be told: it is synced on its own.
            Err(_) => self.note(dir.sync()),
        }
    }

    fn flush(&mut self) {
        for (_, dir) in std::mem::take(&mut self.open) {
            self.note(dir.sync());
        }
        self.made = false;
    }

    fn note(&mut self, result: Result<(), ActError>) {
        if let Err(e) = result {
            tracing::error!(error = %e, "a directory could not be synced");
            self.failed.get_or_insert(e);
        }
    }
}
