//! Carrying out a plan, and how the steps of each file ended.

use std::path::PathBuf;

use tidy_core::operation::{BatchId, OpState, Operation};
use tidy_core::plan::{Lookup, Place, Plan, Step, StepKind};

use super::batch::{Candidate, Filing};
use crate::beneath;
use crate::journal::JournalError;

/// What became of a plan.
pub(super) struct Carried {
    /// Of each step; `None` of those that did not end because of the error.
    pub(super) ops: Vec<Option<Operation>>,
    /// The batch that they are part of.
    pub(super) batch: Option<BatchId>,
    pub(super) error: Option<JournalError>,
}

impl Filing {
    /// Carries out a plan, as part of `batch` or as the beginning of one.
    pub(super) fn carried_out(
        &self,
        batch: Option<BatchId>,
        plan: &Plan,
        progress: &dyn Fn(&Operation),
    ) -> Carried {
        if plan.steps.is_empty() {
            return Carried { ops: Vec::new(), batch, error: None };
        }
        let (ended, error) = match self.journal.run_in(batch, plan, progress) {
            Ok(ended) => (ended, None),
            Err(JournalError::Interrupted { finished, source }) => (finished, Some(*source)),
            Err(error) => (Vec::new(), Some(error)),
        };
        let batch = batch.or(ended.first().map(|op| op.batch));
        let is_of = |op: &Operation, step: &Step| {
            (op.step.kind, &op.step.src, &op.step.dst) == (step.kind, &step.src, &step.dst)
        };
        let mut ended = ended.into_iter().peekable();
        let ops = plan.steps.iter().map(|step| ended.next_if(|op| is_of(op, step))).collect();
        Carried { ops, batch, error }
    }
}

/// The operations on a file itself, of those that were planned for it. Once it has been copied to another device it is
/// another file to those that follow.
pub(super) fn on_itself<'a>(
    candidate: &Candidate,
    ops: impl Iterator<Item = &'a Operation>,
) -> impl Iterator<Item = &'a Operation> {
    let mut id = candidate.stat.id;
    ops.filter(move |op| {
        let own = op.step.expect == Some(id);
        if own && op.state == OpState::Done && op.step.kind.relocates() {
            id = op.landed.unwrap_or(id);
        }
        own
    })
}

/// How one file's steps ended.
pub(super) enum End<'a> {
    /// All went through; the last operation, and where the file is now (`None`: in the trash).
    Filed(&'a Operation, Option<PathBuf>),
    /// The journal failed before all of them had ended.
    Open,
    /// Somebody took the name between plan and act.
    NameTaken,
    /// The file is no longer what was decided about.
    Changed,
    /// The file is not there any more.
    Gone,
    /// Why, and where the file is now (an earlier step of a chain may have moved it).
    Failed(String, PathBuf),
}

impl<'a> End<'a> {
    pub(super) fn of(candidate: &Candidate, ops: &'a [Option<Operation>]) -> Self {
        if ops.iter().any(Option::is_none) {
            return Self::Open;
        }
        // Only the file's own steps say how it ended: what it was to replace may have gone or changed
        // without harm, and a directory may have been made by somebody else.
        let own = |o: &&Operation| !o.step.kind.is_directory() && !o.step.is_along();
        let own: Vec<_> = on_itself(candidate, ops.iter().flatten()).filter(own).collect();
        let Some(&op) = own.iter().find(|o| o.state != OpState::Done) else {
            let Some(&last) = own.last() else { return Self::Changed };
            let at = match last.step.kind {
                StepKind::Trash => None,
                // Tags that could not be set on a file that goes on are in the log, and no reason for it to stay.
                kind if kind.keeps_source() || kind == StepKind::Tag => last.step.src.as_ref(),
                _ => last.step.dst.as_ref(),
            };
            return Self::Filed(last, at.map(Place::path));
        };
        if op.state != OpState::Aborted {
            let at = op.step.src.as_ref().map_or_else(|| candidate.path(), Place::path);
            return Self::Failed(op.error.clone().unwrap_or_default(), at);
        }
        // A precondition did not hold; the disk says which.
        let there = |p: &Place| beneath::lookup(p);
        match op.step.src.as_ref().map(there) {
            Some(Lookup::Absent) => Self::Gone,
            Some(Lookup::Directory) if candidate.is_directory() => {
                match op.step.dst.as_ref().map(there) {
                    Some(Lookup::Absent) => Self::Changed,
                    _ => Self::NameTaken,
                }
            }
            Some(Lookup::File(stat)) if Some(stat.id) == op.step.expect => {
                match op.step.dst.as_ref().map(there) {
                    Some(Lookup::Absent) => Self::Changed,
                    _ => Self::NameTaken,
                }
            }
            _ => Self::Changed,
        }
    }
}
