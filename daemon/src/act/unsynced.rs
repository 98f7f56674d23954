//! Directories that still have to be synced, and the ways to them.

use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Errno;
use tidy_core::plan::Place;

use super::entry::{Dir, DirId};
use super::error::ActError;
use crate::beneath::Kept;

/// Directories held open at most; more than this are synced early. Well below the usual limit of
/// 1,024 open files, and many more than a batch of 1,000 files usually touches.
const MAX_OPEN: usize = 256;

/// Directories that are remembered, of some 50 bytes each. Past it all are forgotten, which costs a
/// sync of each when something comes into it again.
const MAX_KNOWN: usize = 1 << 16;

/// Directories whose own names are known to be durable: the directory that has the name has been
/// synced since.
///
/// `fsync` of a directory need not keep the directory's own name, so a file is durable in it only when
/// its whole way is. Whoever made the directory, a batch beside this one or a person a moment ago, may
/// not have synced it: what is not known here is synced by whoever files into it first. Shared by all
/// batches; a clone is the same memory.
#[derive(Debug, Default, Clone)]
pub struct Ways(Arc<Mutex<HashSet<DirId>>>);

impl Ways {
    pub(super) fn has(&self, dir: DirId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&dir)
    }

    fn learn(&self, dirs: impl IntoIterator<Item = DirId>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Without a birth time a number that is used again cannot be told from the one before.
        for dir in dirs.into_iter().filter(|d| d.birth.is_some()) {
            if known.len() >= MAX_KNOWN {
                known.clear();
            }
            known.insert(dir);
        }
    }
}

/// Directories above a destination that have to be synced for the way to it to last, each with the one in it
/// whose name that is.
#[derive(Debug, Default)]
pub(super) struct Way(Vec<(DirId, Dir)>);

impl Way {
    /// The way to `dir`, the directory that `place` is in, up from there as far as it is not known.
    fn of(dir: &Dir, place: &Place, is_known: impl Fn(DirId) -> bool) -> Result<Self, ActError> {
        let mut way = Self::default();
        let mut id = dir.id()?;
        // The base of a place was there when a person named it.
        let mut at = place.parent();
        while let Some(place) = at.filter(|_| !is_known(id)) {
            let above = match Dir::of_destination(&place) {
                Ok(above) => above,
                // Who may go through a directory and not read it cannot sync it either.
                Err(e) if e.errno() == Some(Errno::ACCESS) => break,
                Err(e) => return Err(e),
            };
            let next = above.id()?;
            way.0.push((id, above));
            (id, at) = (next, place.parent());
        }
        Ok(way)
    }

    /// Syncs all of it now.
    pub(super) fn sync(&self) -> Result<(), ActError> {
        self.0.iter().try_for_each(|(_, above)| above.sync())
    }
}

/// Directories whose entries have changed, and files whose attributes have, that are not durable yet; and directories that
/// are at hand for the next steps.
#[derive(Debug, Default)]
pub struct Unsynced {
    /// By device and inode: one directory is synced once, under whatever path it was reached.
    open: HashMap<(u64, u64), Dir>,
    ways: Ways,
    at_hand: Kept<Dir>,
    /// Directories whose names are durable once those in `open` are.
    to_learn: HashSet<DirId>,
    /// The first failure of an early sync; it belongs to the next [`Unsynced::sync`].
    failed: Option<ActError>,
}

impl Unsynced {
    /// Nothing yet, with what others know of ways.
    pub fn new(ways: &Ways) -> Self {
        Self { ways: ways.clone(), ..Self::default() }
    }

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

    /// As [`Dir::of_source`], with the directory of the step before if the path still leads there.
    pub(super) fn source(&mut self, place: &Place) -> Result<Dir, ActError> {
        self.at_hand.parent_of(place, Dir::is_in_place, || Dir::of_source(place))
    }

    /// The same as [`Dir::of_destination`].
    pub(super) fn destination(&mut self, place: &Place) -> Result<Dir, ActError> {
        self.at_hand.parent_of(place, Dir::is_in_place, || Dir::of_destination(place))
    }

    /// How many directories are waiting.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> impl Iterator<Item = &std::path::Path> {
        self.open.values().map(Dir::path)
    }

    /// What has to be added so that the way to what comes into `dir`, the directory of `place`, lasts.
    /// Asked before it comes: an error is told while nothing has been touched.
    pub(super) fn way_to(&self, dir: &Dir, place: &Place) -> Result<Way, ActError> {
        Way::of(dir, place, |id| self.to_learn.contains(&id) || self.ways.has(id))
    }

    /// The same with what has been added and is not synced yet.
    pub(super) fn whole_way_to(&self, dir: &Dir, place: &Place) -> Result<Way, ActError> {
        Way::of(dir, place, |id| self.ways.has(id))
    }

    /// Adds a way.
    pub(super) fn add_way(&mut self, way: Way) {
        for (id, above) in way.0 {
            self.add(above);
            self.to_learn.insert(id);
        }
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

    /// Adds a file whose attributes have changed.
    pub(super) fn add_file(&mut self, file: OwnedFd, path: PathBuf) {
        // What is kept of either is a descriptor to sync, and a path for messages.
        self.add(Dir::new(file, path));
    }

    fn flush(&mut self) {
        let mut all = true;
        for (_, dir) in std::mem::take(&mut self.open) {
            let synced = dir.sync();
            all &= synced.is_ok();
            self.note(synced);
        }
        let learnt = std::mem::take(&mut self.to_learn);
        if all {
            self.ways.learn(learnt);
        }
    }

    fn note(&mut self, result: Result<(), ActError>) {
        if let Err(e) = result {
            tracing::error!(error = %e, "a directory could not be synced");
            self.failed.get_or_insert(e);
        }
    }
}
