//! Settled files that wait for a batch, in the order in which they settled.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use tidy_core::facts::Stat;

use crate::filing::Candidate;

/// Each path once: a file in two batches at a time would be copied twice by a rule that copies.
#[derive(Debug, Default)]
pub(super) struct Ready {
    queue: BTreeMap<u64, Candidate>,
    by_path: HashMap<PathBuf, u64>,
    next: u64,
}

impl Ready {
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Adds one; it takes the place of an earlier one of the same path.
    pub(super) fn push(&mut self, candidate: Candidate) {
        self.next += 1;
        if let Some(earlier) = self.by_path.insert(candidate.path(), self.next) {
            self.queue.remove(&earlier);
        }
        self.queue.insert(self.next, candidate);
    }

    /// What was known of the file when it settled.
    pub(super) fn stat(&self, path: &Path) -> Option<&Stat> {
        let at = self.by_path.get(path)?;
        self.queue.get(at).map(|c| &c.stat)
    }

    pub(super) fn remove(&mut self, path: &Path) {
        if let Some(at) = self.by_path.remove(path) {
            self.queue.remove(&at);
        }
    }

    /// At most `max` of those that may go, the ones that settled first.
    pub(super) fn take(
        &mut self,
        max: usize,
        may_go: impl Fn(&Candidate) -> bool,
    ) -> Vec<Candidate> {
        let go = self.queue.iter().filter(|(_, c)| may_go(c)).take(max);
        let places: Vec<u64> = go.map(|(at, _)| *at).collect();
        let taken: Vec<Candidate> = places.iter().filter_map(|at| self.queue.remove(at)).collect();
        for c in &taken {
            self.by_path.remove(&c.path());
        }
        taken
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.by_path.clear();
    }

    pub(super) fn forget_below(&mut self, dir: &Path) {
        self.queue.retain(|_, c| !c.path().starts_with(dir));
        self.by_path.retain(|p, _| !p.starts_with(dir));
    }

    pub(super) fn count_below(&self, dir: &Path) -> usize {
        self.by_path.keys().filter(|p| p.starts_with(dir)).count()
    }
}
