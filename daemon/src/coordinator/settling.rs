//! Files that are not quiet yet, with everything known of them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidy_core::breaker::Standing;
use tidy_core::settle::Mono;

use crate::filing::Candidate;

/// By path.
#[derive(Debug, Default)]
pub(super) struct Settling {
    /// With when each was seen first.
    files: HashMap<PathBuf, (Candidate, Mono)>,
    of_root: OfRoots,
    /// Those that lay in their root before.
    lying: OfRoots,
}

/// How many files there are of each root: who asks how things stand asks often, and may be many.
#[derive(Debug, Default)]
pub(super) struct OfRoots(HashMap<Arc<Path>, usize>);

impl OfRoots {
    pub(super) fn add(&mut self, candidate: &Candidate) {
        *self.0.entry(candidate.root.path.clone()).or_default() += 1;
    }

    pub(super) fn take(&mut self, candidate: &Candidate) {
        if let Some(n) = self.0.get_mut(&candidate.root.path) {
            *n = n.saturating_sub(1);
        }
    }

    pub(super) fn count(&self, root: &Path) -> usize {
        self.0.get(root).copied().unwrap_or_default()
    }
}

impl Settling {
    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.files.keys()
    }

    pub(super) fn get(&self, path: &Path) -> Option<&Candidate> {
        self.files.get(path).map(|(candidate, _)| candidate)
    }

    pub(super) fn insert(&mut self, path: PathBuf, candidate: Candidate, now: Mono) {
        let since = self.remove(&path).map_or(now, |(_, since)| since);
        self.of_root.add(&candidate);
        if candidate.standing != Standing::New {
            self.lying.add(&candidate);
        }
        self.files.insert(path, (candidate, since));
    }

    /// What is known of it, and when it was seen first.
    pub(super) fn remove(&mut self, path: &Path) -> Option<(Candidate, Mono)> {
        let (candidate, since) = self.files.remove(path)?;
        self.of_root.take(&candidate);
        if candidate.standing != Standing::New {
            self.lying.take(&candidate);
        }
        Some((candidate, since))
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// How many of them are of the root.
    pub(super) fn count(&self, root: &Path) -> usize {
        self.of_root.count(root)
    }

    /// Whether some that lay in the root are among them.
    pub(super) fn are_lying_in(&self, root: &Path) -> bool {
        self.lying.count(root) > 0
    }
}
