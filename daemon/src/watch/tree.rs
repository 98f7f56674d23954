//! One watch per directory, by path and by inode.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Backend, WatchError};

/// How many directories that could not be watched are remembered one by one.
const MAX_UNWATCHED: usize = 65_536;

/// What [`Tree::ensure`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ensured {
    /// It was watched already.
    Known,
    /// It is watched from now on: whatever happened before has not been hinted at, so it must be read,
    /// and its sub-directories ensured.
    Fresh,
    /// It is not watched; read it now, and again later ([`Tree::take_unwatched`]).
    Unwatched(WatchError),
}

#[derive(Debug)]
struct Watched {
    inode: Inode,
    generation: u64,
}

/// Device and inode number: which directory it is, wherever it lies.
type Inode = (u64, u64);

/// The watched directories.
///
/// inotify watches inodes, not paths: a directory that was moved keeps its watch, and watching it
/// again under its new path returns the old descriptor. So every directory is known by its inode too,
/// and when it turns up elsewhere the old path's whole subtree is unwatched first.
#[derive(Debug)]
pub struct Tree<B> {
    backend: B,
    /// Paths sort by component, so that a subtree is one range.
    by_path: BTreeMap<Arc<Path>, Watched>,
    by_inode: HashMap<Inode, Arc<Path>>,
    /// Entries of an older one are not relied on (see [`Tree::distrust`]).
    generation: u64,
    unwatched: BTreeSet<PathBuf>,
    /// There are more than `unwatched` holds.
    unwatched_overflow: bool,
    /// No watch is to be had until one is given back, or until it is tried anew.
    at_limit: bool,
}

impl<B: Backend> Tree<B> {
    /// Watches nothing yet.
    pub fn new(backend: B) -> Self {
        Self {
            backend,
            by_path: BTreeMap::new(),
            by_inode: HashMap::new(),
            generation: 0,
            unwatched: BTreeSet::new(),
            unwatched_overflow: false,
            at_limit: false,
        }
    }

    /// How many directories are watched.
    pub fn len(&self) -> usize {
        self.by_path.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_path.is_empty()
    }

    /// Whether a watch on the directory is being relied on.
    pub fn is_watched(&self, dir: &Path) -> bool {
        self.by_path.get(dir).is_some_and(|at| at.generation == self.generation)
    }

    /// How many directories should be watched but are not; at least this many.
    pub fn unwatched(&self) -> usize {
        self.unwatched.len()
    }

    /// Makes sure that the directory at `dir`, which is inode `ino` on device `dev`, is watched. To be
    /// called *before* it is read, so that what comes after the reading is hinted at.
    pub fn ensure(&mut self, dir: &Path, dev: u64, ino: u64) -> Ensured {
        let inode = (dev, ino);
        if let Some(at) = self.by_path.get(dir)
            && at.inode == inode
            && at.generation == self.generation
        {
            return Ensured::Known;
        }
        if let Some(old) = self.by_inode.get(&inode).filter(|old| ***old != *dir).cloned() {
            self.forget_subtree(&old);
        }
        // Another directory under the same path: what is known below belongs to the one before.
        if self.by_path.get(dir).is_some_and(|at| at.inode != inode) {
            self.forget_subtree(dir);
        }
        if self.at_limit && !self.by_path.contains_key(dir) {
            self.note_unwatched(dir);
            return Ensured::Unwatched(WatchError::LimitReached);
        }
        match self.backend.watch(dir) {
            Ok(()) => {
                self.insert(dir, Watched { inode, generation: self.generation });
                Ensured::Fresh
            }
            Err(error) => {
                self.forget_subtree(dir);
                self.at_limit |= error == WatchError::LimitReached;
                if error != WatchError::Gone {
                    self.note_unwatched(dir);
                }
                Ensured::Unwatched(error)
            }
        }
    }

    /// Gives up the watches of `dir` and of everything below it, whether or not they still exist: for
    /// [`Hint::DirGone`](super::Hint::DirGone), and for directories that are no longer of interest. Costs as much as
    /// there is below it. Returns how many watches there were.
    pub fn forget_subtree(&mut self, dir: &Path) -> usize {
        let below: Vec<Arc<Path>> = self
            .by_path
            .range::<Path, _>((Bound::Included(dir), Bound::Unbounded))
            .map(|(path, _)| path)
            .take_while(|path| path.starts_with(dir))
            .cloned()
            .collect();
        for path in &below {
            self.remove(path);
        }
        let gone: Vec<PathBuf> = self
            .unwatched
            .range::<Path, _>((Bound::Included(dir), Bound::Unbounded))
            .take_while(|path| path.starts_with(dir))
            .cloned()
            .collect();
        for path in gone {
            self.unwatched.remove(&path);
        }
        below.len()
    }

    /// Relies on no watch any more (after an overflow: moves and removals may have gone unseen). The next
    /// [`ensure`](Self::ensure) of each directory renews its watch and is [`Ensured::Fresh`]. When every root has
    /// been read again, call [`sweep`](Self::sweep).
    pub fn distrust(&mut self) {
        self.generation += 1;
    }

    /// Drops the watches that have not been renewed since [`distrust`](Self::distrust).
    pub fn sweep(&mut self) {
        let old: Vec<_> = self
            .by_path
            .iter()
            .filter(|(_, at)| at.generation != self.generation)
            .map(|(path, _)| path.clone())
            .collect();
        for path in old {
            self.remove(&path);
        }
    }

    /// The directories that could not be watched, to be read and tried again; `None` when they are too
    /// many to name, so that every root must be. Call it every few minutes: it also lifts the limit that
    /// [`ensure`](Self::ensure) keeps to once it was reached.
    pub fn take_unwatched(&mut self) -> Option<Vec<PathBuf>> {
        self.at_limit = false;
        let dirs = std::mem::take(&mut self.unwatched);
        let all = std::mem::take(&mut self.unwatched_overflow);
        (!all).then(|| dirs.into_iter().collect())
    }

    fn note_unwatched(&mut self, dir: &Path) {
        if self.unwatched.len() < MAX_UNWATCHED {
            self.unwatched.insert(dir.to_owned());
        } else {
            self.unwatched_overflow = true;
        }
    }

    fn insert(&mut self, dir: &Path, at: Watched) {
        self.unwatched.remove(dir);
        let key = match self.by_path.get_key_value(dir) {
            Some((key, _)) => key.clone(),
            None => dir.into(),
        };
        self.by_inode.insert(at.inode, key.clone());
        self.by_path.insert(key, at);
    }

    fn remove(&mut self, dir: &Path) {
        if let Some(at) = self.by_path.remove(dir) {
            self.backend.unwatch(dir);
            self.at_limit = false;
            if self.by_inode.get(&at.inode).is_some_and(|p| **p == *dir) {
                self.by_inode.remove(&at.inode);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Remembers what is watched; at most `room` directories.
    #[derive(Debug)]
    struct Fake {
        room: usize,
        watched: BTreeMap<PathBuf, u32>,
        calls: usize,
    }

    impl Backend for Fake {
        fn watch(&mut self, dir: &Path) -> Result<(), WatchError> {
            self.calls += 1;
            if dir.ends_with("gone") {
                return Err(WatchError::Gone);
            }
            if self.watched.len() >= self.room && !self.watched.contains_key(dir) {
                return Err(WatchError::LimitReached);
            }
            *self.watched.entry(dir.to_owned()).or_default() += 1;
            Ok(())
        }

        fn unwatch(&mut self, dir: &Path) {
            self.watched.remove(dir);
        }
    }

    fn tree(room: usize) -> Tree<Fake> {
        Tree::new(Fake { room, watched: BTreeMap::new(), calls: 0 })
    }

    fn ensure(t: &mut Tree<Fake>, dir: &str, ino: u64) -> Ensured {
        let ensured = t.ensure(Path::new(dir), 1, ino);
        assert_eq!(t.by_path.len(), t.by_inode.len());
        assert!(t.by_path.keys().map(|p| p.to_path_buf()).eq(t.backend.watched.keys().cloned()));
        ensured
    }

    fn watched(t: &Tree<Fake>) -> Vec<&str> {
        t.backend.watched.keys().map(|p| p.to_str().unwrap()).collect()
    }

    #[test]
    fn a_directory_is_watched_once_until_it_is_forgotten() {
        let mut t = tree(9);
        assert_eq!(ensure(&mut t, "/r", 1), Ensured::Fresh);
        assert_eq!(ensure(&mut t, "/r", 1), Ensured::Known);
        assert_eq!(ensure(&mut t, "/r/a", 2), Ensured::Fresh);
        assert_eq!(ensure(&mut t, "/r/a.b", 3), Ensured::Fresh);
        assert_eq!(ensure(&mut t, "/r/a/x", 4), Ensured::Fresh);
        assert_eq!(t.forget_subtree(Path::new("/r/a")), 2);
        assert_eq!(watched(&t), ["/r", "/r/a.b"]);
        assert_eq!(ensure(&mut t, "/r/a", 2), Ensured::Fresh);
        assert_eq!(t.forget_subtree(Path::new("/none")), 0);
    }

    #[test]
    fn a_moved_directory_takes_its_watch_along_and_leaves_none_behind() {
        let mut t = tree(9);
        for (dir, ino) in [("/r", 1), ("/r/a", 2), ("/r/a/x", 3)] {
            ensure(&mut t, dir, ino);
        }
        assert_eq!(ensure(&mut t, "/r/b", 2), Ensured::Fresh);
        assert_eq!(watched(&t), ["/r", "/r/b"]);
        assert_eq!(ensure(&mut t, "/r/b/x", 3), Ensured::Fresh);
        // Another directory under a known path.
        assert_eq!(ensure(&mut t, "/r/b", 7), Ensured::Fresh);
        assert_eq!(watched(&t), ["/r", "/r/b"]);
    }

    #[test]
    fn two_directories_may_swap_their_paths() {
        let mut t = tree(9);
        ensure(&mut t, "/r/a", 1);
        ensure(&mut t, "/r/b", 2);
        assert_eq!(ensure(&mut t, "/r/a", 2), Ensured::Fresh);
        assert_eq!(ensure(&mut t, "/r/b", 1), Ensured::Fresh);
        assert_eq!(watched(&t), ["/r/a", "/r/b"]);
    }

    #[test]
    fn after_an_overflow_watches_are_renewed_and_the_rest_is_swept() {
        let mut t = tree(9);
        for (dir, ino) in [("/r", 1), ("/r/a", 2), ("/r/gone-unseen", 3)] {
            ensure(&mut t, dir, ino);
        }
        t.distrust();
        assert_eq!(ensure(&mut t, "/r", 1), Ensured::Fresh);
        assert_eq!(ensure(&mut t, "/r/a", 2), Ensured::Fresh);
        assert_eq!(t.backend.watched[Path::new("/r/a")], 2, "watched again, not only believed");
        t.sweep();
        assert_eq!(watched(&t), ["/r", "/r/a"]);
    }

    #[test]
    fn at_the_limit_it_stops_asking_until_there_is_room_or_a_retry() {
        let mut t = tree(2);
        let limit = Ensured::Unwatched(WatchError::LimitReached);
        ensure(&mut t, "/r", 1);
        ensure(&mut t, "/r/a", 2);
        assert_eq!(ensure(&mut t, "/r/b", 3), limit);
        let calls = t.backend.calls;
        assert_eq!(ensure(&mut t, "/r/c", 4), limit);
        assert_eq!(t.backend.calls, calls);
        assert_eq!(ensure(&mut t, "/r", 1), Ensured::Known);
        assert_eq!(t.unwatched(), 2);
        t.backend.room = 3;
        let retry = t.take_unwatched().unwrap();
        assert_eq!(retry, [PathBuf::from("/r/b"), "/r/c".into()]);
        assert_eq!(ensure(&mut t, "/r/b", 3), Ensured::Fresh);
        assert_eq!(ensure(&mut t, "/r/c", 4), limit);
        t.forget_subtree(Path::new("/r/a"));
        assert_eq!(ensure(&mut t, "/r/c", 4), Ensured::Fresh);
        assert_eq!(t.unwatched(), 0);
        assert_eq!(ensure(&mut t, "/r/gone", 5), Ensured::Unwatched(WatchError::Gone));
        assert_eq!(t.unwatched(), 0, "nothing to try again");
    }
}
