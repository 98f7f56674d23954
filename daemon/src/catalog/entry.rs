//! What is known of one file, and what can change about it.

use std::ffi::{OsStr, OsString};

use tidy_core::UnixNanos;
use tidy_core::category::Category;
use tidy_core::facts::{Digest, Identity};
use tidy_core::rules::{LeaveReason, RuleName};

/// One file in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name in the directory.
    pub name: OsString,
    /// Which file it was when this was written. An entry speaks of that file only.
    pub id: Identity,
    /// What it is, when somebody looked.
    pub category: Option<Category>,
    pub outcome: Outcome,
    /// When a rule's answer may change by the passing of time alone.
    pub revisit: Option<UnixNanos>,
    /// Digest of its first bytes (and last, as `dedupe/` defines it): tells most files of equal size apart.
    pub head: Option<[u8; 16]>,
    /// Digest of the whole content.
    pub digest: Option<Digest>,
}

impl Entry {
    /// Whether another entry says the same of the same file, whatever of its content has been read.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.name == other.name
            && self.id == other.id
            && self.revisit == other.revisit
            && self.category == other.category
            && self.outcome == other.outcome
    }
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Seen; nothing is to be decided about it (an area whose files only count as copies), or not yet.
    Known,
    /// Decided: it stays where it is.
    Left {
        reason: LeaveReason,
        /// The rule that said so, when one did.
        rule: Option<RuleName>,
        /// [`RuleSet::fingerprint`](tidy_core::rules::RuleSet::fingerprint) of the rules that were asked.
        fingerprint: u64,
    },
    /// Put here by us.
    Filed {
        /// The journal's number of the operation.
        op: u64,
    },
}

impl Outcome {
    /// The kind alone.
    pub fn kind(&self) -> OutcomeKind {
        match self {
            Self::Known => OutcomeKind::Known,
            Self::Left { .. } => OutcomeKind::Left,
            Self::Filed { .. } => OutcomeKind::Filed,
        }
    }
}

/// An [`Outcome`] without its particulars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutcomeKind {
    Known,
    Left,
    Filed,
}

impl OutcomeKind {
    /// The word used in JSON and in queries.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Left => "left",
            Self::Filed => "filed",
        }
    }
}

/// What was read of a file's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learnt {
    /// Its name in the directory.
    pub name: OsString,
    /// Which file it was.
    pub id: Identity,
    pub head: Option<[u8; 16]>,
    pub digest: Option<Digest>,
}

/// One change to a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The file is there, and this is known of it; replaces what was known under that name.
    Put(Entry),
    /// The name is gone. No error when it was not known.
    Remove(OsString),
}

impl Change {
    /// The name that it is about.
    pub fn name(&self) -> &OsStr {
        match self {
            Self::Put(entry) => &entry.name,
            Self::Remove(name) => name,
        }
    }
}
