//! Rules: conditions and one action each; the first that matches decides.
//!
//! In: [`Facts`](crate::facts::Facts), the time. Out: a [`Decision`] with the reason for every rule that was looked at, or
//! [`Outcome::Needs`]: which fact must be read before the answer is known. So a file is opened only
//! when a rule asks, and the caller (the daemon's `inspect` room) does the reading.
//!
//! May not know: where facts come from, what else is on disk, what a step will be.

mod condition;
mod considered;
mod decide;
mod notice;
mod run;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use condition::{Condition, Need, Range, Test, TimeOf, Truth};
pub use considered::{About, Considered, ConsideredRule, ConsideredTest, Seen};
pub use decide::{Act, Checked, Decision, LeaveReason, Outcome, RuleTrace, Verdict, decide};

pub use notice::{Notice, NoticeError, Told};
pub use run::{Run, RunError};

use crate::category::Category;
use crate::companions::Companions;
use crate::policy::Conflict;
use crate::requirement::Requirement;
use crate::tags::Tags;
use crate::template::Template;

/// The name of a rule as it stands in the configuration; shared, because every operation carries it.
pub type RuleName = Arc<str>;

/// What a rule does with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Move to the destination.
    Move(Template),
    /// Copy to the destination; the file stays.
    Copy(Template),
    /// The same, by sharing blocks, or not at all.
    Reflink(Template),
    /// Another name at the destination; the file stays.
    HardLink(Template),
    /// A symbolic link at the destination; the file stays.
    Symlink(Template),
    /// A new name in the same directory.
    Rename(Template),
    /// To the trash.
    Trash,
    /// Leave it where it is.
    Leave,
    /// It stays, with the tags that the rule sets.
    Stay,
}

impl Action {
    /// Where to, of an action that names a place.
    pub fn template(&self) -> Option<&Template> {
        match self {
            Self::Move(t)
            | Self::Copy(t)
            | Self::Reflink(t)
            | Self::HardLink(t)
            | Self::Symlink(t)
            | Self::Rename(t) => Some(t),
            Self::Trash | Self::Leave | Self::Stay => None,
        }
    }

    /// Whether it makes something of the file, which stays.
    pub fn keeps_file(&self) -> bool {
        matches!(self, Self::Copy(_) | Self::Reflink(_) | Self::HardLink(_) | Self::Symlink(_))
    }

    /// Whether the file has another place or name afterwards, within reach of later rules.
    pub fn relocates(&self) -> bool {
        matches!(self, Self::Move(_) | Self::Rename(_))
    }
}

/// Conditions and one action.
#[derive(Debug, Clone)]
pub struct Rule {
    pub name: RuleName,
    pub when: Condition,
    pub action: Action,
    /// Overrides the root's policy.
    pub conflict: Option<Conflict>,
    /// Overrides the root's: which files travel along.
    pub companions: Option<Companions>,
    /// What must hold of its destination, or the file stays for now.
    pub requirement: Option<Requirement>,
    /// What it is marked with.
    pub tags: Option<Tags>,
    /// What is run after a file was filed by it.
    pub run: Option<run::Run>,
    /// What is told on the desktop of files that it filed; `None`: nothing.
    pub notice: Option<Notice>,
    /// Later rules see the file as this one would leave it.
    pub go_on: bool,
}

/// The rules of one root, in order, and what happens to files that none of them took.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    pub rules: Vec<Rule>,
    /// `[default]`: destination by category.
    pub default: Vec<(Category, Template)>,
    /// Changes whenever a rule or default changes: files left under another fingerprint are
    /// looked at again.
    pub fingerprint: u64,
}

impl RuleSet {
    /// Whether any rule is about directories that are one thing.
    pub fn asks_for_units(&self) -> bool {
        self.rules.iter().any(|r| r.when.asks_for_units())
    }
}
