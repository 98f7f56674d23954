//! Settled files that wait for a batch, in the order in which they settled.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use tidy_core::breaker::{Lying, Standing};
use tidy_core::settle::Mono;

use super::settling::OfRoots;
use crate::filing::Candidate;

/// Each path once: a file in two batches at a time would be copied twice by a rule that copies.
#[derive(Debug, Default)]
pub(super) struct Ready {
    /// May go into a batch.
    go: Queue,
    /// Lay in their root before, and wait until it is known how many such files there are; by root,
    /// none empty.
    lying: BTreeMap<PathBuf, Queue>,
    next: u64,
}

impl Ready {
    pub(super) fn len(&self) -> usize {
        self.queues().map(|q| q.files.len()).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.go.files.is_empty() && self.lying.is_empty()
    }

    /// Adds one that has settled now; it takes the place of an earlier one of the same path.
    pub(super) fn push(&mut self, candidate: Candidate, now: Mono) {
        self.remove(&candidate.path());
        self.next += 1;
        let queue = match candidate.standing {
            Standing::New => &mut self.go,
            Standing::Left | Standing::Unseen => {
                self.lying.entry(candidate.root.path.to_path_buf()).or_default()
            }
        };
        queue.insert(self.next, candidate, now);
    }

    /// What was known of the file when it settled.
    pub(super) fn get(&self, path: &Path) -> Option<&Candidate> {
        self.queues().find_map(|q| q.get(path))
    }

    pub(super) fn remove(&mut self, path: &Path) {
        self.go.remove(path);
        self.lying.values_mut().for_each(|q| q.remove(path));
        self.lying.retain(|_, q| !q.files.is_empty());
    }

    /// At most `max` of those that may go, the ones that settled first, and when they did.
    pub(super) fn take(
        &mut self,
        max: usize,
        mut may_go: impl FnMut(&Candidate) -> bool,
    ) -> Vec<(Candidate, Mono)> {
        let go = self.go.files.iter().filter(|(_, (c, _))| may_go(c)).take(max);
        let places: Vec<u64> = go.map(|(at, _)| *at).collect();
        places.into_iter().filter_map(|at| self.go.take(at)).collect()
    }

    /// The roots with files that lay in them and wait.
    pub(super) fn lying_in(&self) -> impl Iterator<Item = &Path> {
        self.lying.keys().map(PathBuf::as_path)
    }

    /// How many lay in the root and wait.
    pub(super) fn lying(&self, root: &Path) -> Lying {
        self.lying.get(root).map(|q| q.lying).unwrap_or_default()
    }

    /// All of them, and the number of the last.
    pub(super) fn all_lying(&self, root: &Path) -> (Vec<Candidate>, u64) {
        let files = self.lying.get(root);
        let files = files.map(|q| q.files.values().map(|(c, _)| c.clone()).collect());
        (files.unwrap_or_default(), self.next)
    }

    /// How many of `paths` lay in the root and wait.
    pub(super) fn lying_among(&self, root: &Path, paths: &HashSet<PathBuf>) -> Lying {
        let mut lying = Lying::default();
        if let Some(queue) = self.lying.get(root) {
            let among = paths.iter().filter_map(|p| queue.get(p));
            among.for_each(|c| lying.add(c.standing));
        }
        lying
    }

    /// Lets those that lay in the root go, up to that number.
    pub(super) fn admit(&mut self, root: &Path, upto: u64) {
        let Some(mut waiting) = self.lying.remove(root) else { return };
        let go: Vec<u64> = waiting.files.range(..=upto).map(|(at, _)| *at).collect();
        for at in go {
            if let Some((candidate, settled)) = waiting.take(at) {
                self.go.insert(at, candidate, settled);
            }
        }
        if !waiting.files.is_empty() {
            self.lying.insert(root.to_owned(), waiting);
        }
    }

    /// Whether files that lay in the root were let go and have not gone yet.
    pub(super) fn is_letting_go(&self, root: &Path) -> bool {
        self.go.lying != Lying::default()
            && self
                .go
                .files
                .values()
                .any(|(c, _)| c.standing != Standing::New && *c.root.path == *root)
    }

    pub(super) fn clear(&mut self) {
        self.go = Queue::default();
        self.lying.clear();
    }

    pub(super) fn forget_below(&mut self, dir: &Path) {
        self.go.forget_below(dir);
        self.lying.values_mut().for_each(|q| q.forget_below(dir));
        self.lying.retain(|_, q| !q.files.is_empty());
    }

    /// How many of them are of the root.
    pub(super) fn count(&self, root: &Path) -> usize {
        self.queues().map(|q| q.of_root.count(root)).sum()
    }

    fn queues(&self) -> impl Iterator<Item = &Queue> {
        std::iter::once(&self.go).chain(self.lying.values())
    }
}

#[derive(Debug, Default)]
struct Queue {
    /// With when each had settled.
    files: BTreeMap<u64, (Candidate, Mono)>,
    by_path: HashMap<PathBuf, u64>,
    of_root: OfRoots,
    lying: Lying,
}

impl Queue {
    fn insert(&mut self, at: u64, candidate: Candidate, settled: Mono) {
        self.lying.add(candidate.standing);
        self.of_root.add(&candidate);
        self.by_path.insert(candidate.path(), at);
        self.files.insert(at, (candidate, settled));
    }

    fn get(&self, path: &Path) -> Option<&Candidate> {
        self.files.get(self.by_path.get(path)?).map(|(candidate, _)| candidate)
    }

    fn remove(&mut self, path: &Path) {
        if let Some(at) = self.by_path.get(path).copied() {
            self.take(at);
        }
    }

    fn take(&mut self, at: u64) -> Option<(Candidate, Mono)> {
        let (candidate, settled) = self.files.remove(&at)?;
        self.by_path.remove(&candidate.path());
        self.lying.take(candidate.standing);
        self.of_root.take(&candidate);
        Some((candidate, settled))
    }

    fn forget_below(&mut self, dir: &Path) {
        let below = self.files.iter().filter(|(_, (c, _))| c.path().starts_with(dir));
        let below: Vec<u64> = below.map(|(at, _)| *at).collect();
        below.into_iter().for_each(|at| drop(self.take(at)));
    }
}
