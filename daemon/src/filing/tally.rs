//! What the filing room counts.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tidy_core::category::Category;
use tidy_core::duplicates;
use tidy_core::operation::Operation;
use tidy_core::plan::StepKind;

use super::Filing;
use crate::dedupe;
use crate::readers::Readers;
use crate::tally::Counter;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Became {
    Filed,
    /// It is a copy, and went where copies go.
    PutAside,
    Trashed,
    Left,
    Failed,
}

impl Became {
    /// The word used in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Filed => "filed",
            Self::PutAside => "put-aside",
            Self::Trashed => "trashed",
            Self::Left => "left",
            Self::Failed => "failed",
        }
    }

    /// What a done operation, the last one of its file, has made of it.
    pub(super) fn by(op: &Operation) -> Self {
        if *op.step.rule == *duplicates::RULE {
            Self::PutAside
        } else if op.step.kind == StepKind::Trash {
            Self::Trashed
        } else {
            Self::Filed
        }
    }
}

/// Since the start of the process; dry runs are not counted, nor is what was rolled back.
#[derive(Debug, Default)]
pub struct Tally {
    /// By what became of them, and by category: there are as many as the configuration knows.
    files: Mutex<BTreeMap<(Became, Option<Category>), u64>>,
    /// Files that were found to be copies, and their bytes.
    pub duplicates: Counter,
    pub duplicate_bytes: Counter,
    /// The search for copies.
    pub search: dedupe::Tally,
}

impl Tally {
    /// So many files more. `None`: nobody has looked what they are.
    pub(super) fn became(&self, what: Became, category: Option<&Category>, files: usize) {
        if files > 0 {
            let mut all = self.files.lock().unwrap_or_else(PoisonError::into_inner);
            *all.entry((what, category.cloned())).or_default() += files as u64;
        }
    }

    /// Files of these sizes are copies.
    pub(super) fn copies(&self, sizes: impl Iterator<Item = u64>) {
        for size in sizes {
            self.duplicates.add();
            self.duplicate_bytes.add_many(size);
        }
    }

    /// How many there are of each.
    pub fn files(&self) -> BTreeMap<(Became, Option<Category>), u64> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Filing {
    /// What was counted since the start of the process.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// What takes files apart.
    pub fn readers(&self) -> &Readers {
        &self.readers
    }
}
