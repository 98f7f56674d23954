//! How often a directory may be read as a whole.
//!
//! One of very many files in which something happens all the time (a long rollback, an unpacking) would be
//! read without end, each time in vain but for the last. So a directory whose reading took long rests for
//! some time after it; single names in it are looked at all the same.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tidy_core::settle::Mono;

/// What takes less costs nobody anything: some ten thousand files.
const SHORT: Duration = Duration::from_millis(50);

/// A directory rests this many times as long as its reading took, so that the scanner has most of its time
/// for others, …
const REST: u32 = 3;

/// … but not longer than this.
const MAX_REST: Duration = Duration::from_secs(5);

/// Directories that may rest at a time. One too many is read at once.
const MAX_RESTING: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Being read as a whole, and since when.
    reading: Option<(Mono, Vec<PathBuf>)>,
    /// Until when they rest.
    resting: HashMap<PathBuf, Mono>,
}

impl Pace {
    /// Until when a directory is not to be read as a whole, if that is still to come.
    pub(super) fn rests_until(&self, dir: &Path, now: Mono) -> Option<Mono> {
        self.resting.get(dir).copied().filter(|until| *until > now)
    }

    /// A scan begins in which these directories are read as a whole.
    pub(super) fn begin(&mut self, dirs: Vec<PathBuf>, now: Mono) {
        self.reading = (!dirs.is_empty()).then_some((now, dirs));
    }

    /// It has ended.
    pub(super) fn end(&mut self, now: Mono) {
        let Some((begun, dirs)) = self.reading.take() else { return };
        let took = now.since(begun);
        self.resting.retain(|_, until| *until > now);
        if took >= SHORT && self.resting.len() + dirs.len() <= MAX_RESTING {
            let until = now.plus((took * REST).min(MAX_REST));
            self.resting.extend(dirs.into_iter().map(|dir| (dir, until)));
        }
    }
}
