//! Rollback and redo: a plan from journal entries, carried out like any other.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use tidy_core::operation::{BatchId, OpId, OpState, Operation, Trigger};
use tidy_core::plan::{Place, Plan, Step};
use tidy_core::rollback::{self, Undoing, Undone};
use tidy_core::rules::LeaveReason;

use super::batch::{Filing, Progress, Watcher};
use super::record::{self, dir_of, name_of};
use super::{Disk, Setup};
use crate::catalog::{Change, Entry, Outcome};
use crate::journal::JournalError;

/// Steps journaled and synced together.
const CHUNK: usize = 512;

/// One operation that was undone, or not.
#[derive(Debug, Clone)]
pub struct UndoneOp {
    pub op: OpId,
    /// Where the file was before, or the directory.
    pub path: PathBuf,
    pub outcome: Undone,
    pub directory: bool,
}

/// What a rollback or redo did, or would do.
#[derive(Debug, Default)]
pub struct UndoReport {
    pub batch: Option<BatchId>,
    /// The steps, in a dry run.
    pub steps: Vec<Step>,
    pub operations: Vec<Operation>,
    pub outcomes: Vec<UndoneOp>,
    /// Set when it was stopped before its end.
    pub stopped: bool,
}

impl UndoReport {
    /// Whether every file is back.
    pub fn is_complete(&self) -> bool {
        !self.stopped && self.outcomes.iter().all(|o| o.outcome.is_back())
    }
}

impl Filing {
    /// Inverts `ops` (newest first), or plans to.
    pub fn undo(
        &self,
        setup: &Setup,
        ops: &[Operation],
        trigger: Trigger,
        dry_run: bool,
        watcher: Watcher<'_>,
    ) -> Result<UndoReport, JournalError> {
        let disk = Disk::new(setup.home_trash.clone());
        let (plan, undoings) = rollback::plan(ops, &disk, &self.journal, trigger);
        (watcher.progress)(Progress::Total(plan.steps.len()));
        let mut report = UndoReport::default();
        if dry_run {
            report.outcomes = undoings.into_iter().map(|u| outcome_of(u, None)).collect();
            report.steps = plan.steps;
            return Ok(report);
        }
        let mut steps = plan.steps.into_iter().peekable();
        while steps.peek().is_some() {
            if watcher.stop.load(Ordering::Relaxed) {
                report.stopped = true;
                break;
            }
            let chunk = Plan { trigger, steps: steps.by_ref().take(CHUNK).collect() };
            let progress = |op: &Operation| (watcher.progress)(Progress::Operation(op));
            // Asked now: once the files have moved, a scan may have dropped the entries.
            let before: Vec<Option<Entry>> =
                chunk.steps.iter().map(|s| self.known_source(s)).collect();
            let done = self.journal.run_in(report.batch, &chunk, &progress)?;
            report.batch = report.batch.or(done.first().map(|o| o.batch));
            self.record_undo(setup, &done, before);
            report.operations.extend(done);
            (watcher.progress)(Progress::Done(report.operations.len()));
        }
        report.outcomes = undoings
            .into_iter()
            .map(|u| {
                let op = u.step.and_then(|i| report.operations.get(i));
                let not_reached = u.step.is_some() && op.is_none();
                let mut o = outcome_of(u, op);
                if not_reached {
                    o.outcome = Undone::Error("stopped before it was reached".into());
                }
                o
            })
            .collect();
        Ok(report)
    }

    fn known_source(&self, step: &Step) -> Option<Entry> {
        step.src.as_ref().and_then(|p| record::known(&self.catalog, &p.path()))
    }

    /// Enters what was put back as rolled back, so that the next scan does not file it again.
    fn record_undo(&self, setup: &Setup, ops: &[Operation], before: Vec<Option<Entry>>) {
        let mut changes: BTreeMap<PathBuf, Vec<Change>> = BTreeMap::new();
        let moved = ops
            .iter()
            .zip(before)
            .filter(|(o, _)| o.state == OpState::Done && !o.step.kind.is_directory());
        for (op, before) in moved {
            let left = op.step.src.as_ref().filter(|_| !op.step.kind.keeps_source());
            if let Some(src) = left.map(Place::path) {
                changes.entry(dir_of(&src)).or_default().push(Change::Remove(name_of(&src)));
            }
            let dst = op.step.dst.as_ref().map(Place::path);
            let Some((dst, id)) = dst.zip(op.landed) else { continue };
            if !setup.is_known_area(&dst) {
                continue;
            }
            let fingerprint = setup.root_of(&dst).map_or(0, |r| r.rules.fingerprint);
            let outcome = if op.step.undo {
                let rule = Some(op.step.rule.clone());
                Outcome::Left { reason: LeaveReason::RolledBack, rule, fingerprint }
            } else {
                Outcome::Filed { op: op.id.0 }
            };
            // What was known of the content still holds, unless it was edited.
            let before = before.filter(|e| Some(e.id) == op.step.expect);
            let entry = Entry {
                name: name_of(&dst),
                id,
                category: before.as_ref().and_then(|e| e.category.clone()),
                outcome,
                revisit: None,
                head: before.as_ref().and_then(|e| e.head),
                digest: op.step.digest.or_else(|| before.and_then(|e| e.digest)),
            };
            changes.entry(dir_of(&dst)).or_default().push(Change::Put(entry));
        }
        record::apply(&self.catalog, changes);
    }
}

/// The planned outcome, corrected by what the journal says happened.
fn outcome_of(u: Undoing, op: Option<&Operation>) -> UndoneOp {
    let outcome = match op {
        None => u.outcome,
        Some(op) if op.state == OpState::Done => u.outcome,
        // A directory that is not empty, or that is gone already, simply stays as it is.
        Some(op) if u.directory && op.state == OpState::Aborted => Undone::Restored,
        Some(op) => Undone::Error(op.error.clone().unwrap_or_else(|| "it was not done".into())),
    };
    UndoneOp { op: u.op, path: u.path, outcome, directory: u.directory }
}
