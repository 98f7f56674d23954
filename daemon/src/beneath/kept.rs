//! Directories that are kept open for a moment, since many files in a row lie in them.
//!
//! A directory is opened beneath its base, following no symlink, and then used again for the next files. What is
//! done in it a moment later is what would have been done in it then: had somebody moved it away in between, the files would
//! have gone with it. It is opened anew after [`FRESH`] at the latest, and whoever changes something through it makes
//! sure before each use that its path still leads to it.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use tidy_core::facts::Stat;
use tidy_core::plan::{Lookup, Place};

use super::{PASSING, looked_up, open_at, stat_at};

/// How long a directory is used without being opened again.
const FRESH: Duration = Duration::from_millis(100);

/// Directories that are kept, well below the usual limit of 1,024 open files; past it all are let go.
const MANY: usize = 32;

/// Directories by the base they are beneath, and their path there. A base that is given as such may be led to by symlinks that
/// are not followed beneath another one, so the same path beneath two bases is kept twice.
#[derive(Debug)]
pub struct Kept<D> {
    dirs: HashMap<Arc<Path>, HashMap<PathBuf, (D, Instant)>>,
    count: usize,
}

impl<D> Default for Kept<D> {
    fn default() -> Self {
        Self { dirs: HashMap::new(), count: 0 }
    }
}

impl<D: Clone> Kept<D> {
    /// The directory that `place` lies in: the one that is kept, if it is `still` good, or else as `open` opens it.
    ///
    /// # Errors
    /// Of `open`.
    pub fn parent_of<E>(
        &mut self,
        place: &Place,
        still: impl FnOnce(&D) -> bool,
        open: impl FnOnce() -> Result<D, E>,
    ) -> Result<D, E> {
        let rel = parent(place);
        let known = self.dirs.get_mut(place.base());
        let kept = known.and_then(|of| of.get(rel).filter(|(_, at)| at.elapsed() < FRESH));
        if let Some((dir, _)) = kept.filter(|(dir, _)| still(dir)) {
            return Ok(dir.clone());
        }
        let dir = open()?;
        if self.count >= MANY {
            (self.dirs, self.count) = (HashMap::new(), 0);
        }
        let of = self.dirs.entry(place.base().clone()).or_default();
        if of.insert(rel.to_owned(), (dir.clone(), Instant::now())).is_none() {
            self.count += 1;
        }
        Ok(dir)
    }
}

fn parent(place: &Place) -> &Path {
    place.rel().parent().unwrap_or(Path::new(""))
}

/// Looks at many places in a row.
#[derive(Debug, Default)]
pub struct Looker(Mutex<Kept<Arc<OwnedFd>>>);

impl Looker {
    /// What is at a place, as [`lookup`](super::lookup) says it, perhaps a moment late.
    pub fn lookup(&self, place: &Place) -> Lookup {
        looked_up(place, self.stat(place))
    }

    fn stat(&self, place: &Place) -> std::io::Result<Stat> {
        let dir = self.parent_of(place)?;
        stat_at(dir.as_fd(), place.file_name())
    }

    /// The directory that a place lies in, open to look at names in it.
    ///
    /// # Errors
    /// Of opening it.
    pub fn parent_of(&self, place: &Place) -> std::io::Result<Arc<OwnedFd>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.parent_of(place, |_| true, || passing(place).map(Arc::new))
    }
}

/// The directory of a place, which need only be passed through, not read.
pub(super) fn passing(place: &Place) -> std::io::Result<OwnedFd> {
    let flags = PASSING | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let base = rustix::fs::open(&**place.base(), flags, Mode::empty())?;
    match parent(place) {
        above if above.as_os_str().is_empty() => Ok(base),
        above => open_at(base.as_fd(), above, PASSING),
    }
}
