//! Files that are not quiet yet, with everything known of them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use tidy_core::breaker::Standing;
use tidy_core::settle::Mono;

use crate::filing::Candidate;

/// By path.
#[derive(Debug, Default)]
pub(super) struct Settling {
    /// With when each was seen first.
    files: HashMap<PathBuf, (Candidate, Mono)>,
    /// How many of them lay in their root before, by root.
    lying: HashMap<PathBuf, usize>,
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
        if candidate.standing != Standing::New {
            *self.lying.entry(candidate.root.path.to_path_buf()).or_default() += 1;
        }
        self.files.insert(path, (candidate, since));
    }

    /// What is known of it, and when it was seen first.
    pub(super) fn remove(&mut self, path: &Path) -> Option<(Candidate, Mono)> {
        let (candidate, since) = self.files.remove(path)?;
        if candidate.standing != Standing::New
            && let Some(n) = self.lying.get_mut(&*candidate.root.path)
        {
            *n = n.saturating_sub(1);
        }
        Some((candidate, since))
    }

    pub(super) fn clear(&mut self) {
        self.files.clear();
        self.lying.clear();
    }

    /// Whether some that lay in the root are among them.
    pub(super) fn are_lying_in(&self, root: &Path) -> bool {
        self.lying.get(root).is_some_and(|n| *n > 0)
    }
}
