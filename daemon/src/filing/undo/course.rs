//! The chunks of a rollback on their way: planned one after the other, carried out two at a time.

use std::collections::HashMap;
use std::path::PathBuf;
use std::thread::Scope;

use tidy_core::operation::{OpState, Operation};
use tidy_core::plan::{Place, Plan, World};
use tidy_core::rollback::{History, Inverter, Undoing, Undone};

use super::super::abreast::{Touched, Watched, WatchedPast};
use super::super::batch::{Filing, Progress, Watcher};
use super::super::end::Carried;
use super::super::under_way::UnderWay;
use super::super::{Setup, record};
use super::UndoReport;
use crate::catalog::Entry;
use crate::journal::{Direction, JournalError};

/// Between plan and act a name may be taken, a file be written to; how often we plan again.
const REPLANS: usize = 3;

/// What is the same for all chunks of a rollback.
#[derive(Clone, Copy)]
pub(super) struct Run<'e> {
    pub(super) filing: &'e Filing,
    pub(super) setup: &'e Setup,
    pub(super) direction: Direction,
    pub(super) watcher: Watcher<'e>,
}

/// The chunks under way, oldest first.
pub(super) struct Course<'s, 'e> {
    run: Run<'e>,
    under_way: UnderWay<'s, 'e, Chunk>,
}

/// Operations that are being inverted.
struct Chunk {
    ops: Vec<Operation>,
    undoings: Vec<Undoing>,
    /// What the catalog had of the files.
    before: HashMap<PathBuf, Entry>,
    /// Files up to the end of this chunk.
    files: usize,
}

/// A plan for a chunk, and what it makes of each operation.
struct Draft {
    plan: Plan,
    undoings: Vec<Undoing>,
    touched: Touched,
}

impl<'s, 'e> Course<'s, 'e> {
    /// Nothing is under way.
    pub(super) fn new(run: Run<'e>, scope: &'s Scope<'s, 'e>) -> Self {
        Self { run, under_way: UnderWay::new(run.filing, scope) }
    }

    /// Plans the inverses of operations and carries them out: beside those before, if they have nothing to do with each
    /// other. `files` counts up to their end.
    ///
    /// # Errors
    /// Of this chunk or one before it. All that is under way has ended then.
    pub(super) fn take(
        &mut self,
        ops: Vec<Operation>,
        files: usize,
        report: &mut UndoReport,
    ) -> Result<(), JournalError> {
        let draft = match self.draft_beside(&ops, report) {
            Some(draft) => draft,
            None => {
                self.finish(report)?;
                self.draft_alone(&ops, report)
            }
        };
        while self.under_way.is_full() {
            self.finish_first(report)?;
        }
        let before = self.known_before(&draft.plan);
        let Draft { plan, undoings, touched } = draft;
        let chunk = Chunk { ops, undoings, before, files };
        match report.batch {
            Some(batch) => {
                self.under_way.begin(batch, plan, touched, chunk);
                Ok(())
            }
            // The first one of all, which the others belong to.
            None => {
                let carried = self.carry_out(&plan, report);
                self.end(chunk, carried, report)
            }
        }
    }

    /// Waits for all that is under way.
    ///
    /// # Errors
    /// The first one of a chunk.
    pub(super) fn finish(&mut self, report: &mut UndoReport) -> Result<(), JournalError> {
        while !self.under_way.is_empty() {
            self.finish_first(report)?;
        }
        Ok(())
    }

    /// Waits for the oldest one; after an error, for all.
    fn finish_first(&mut self, report: &mut UndoReport) -> Result<(), JournalError> {
        let Some((chunk, carried)) = self.under_way.first() else { return Ok(()) };
        let ended = carried.ops.iter().flatten().filter(|op| op.state.is_terminal());
        ended.for_each(|op| (self.run.watcher.progress)(Progress::Operation(op)));
        let ended = self.end(chunk, carried, report);
        if ended.is_err() {
            // They have begun, so what became of them is entered all the same; the first error says why.
            let _ = self.finish(report);
        }
        ended
    }

    /// Enters how the steps of a chunk ended, and plans again what was planned for something else than what was there.
    fn end(
        &mut self,
        chunk: Chunk,
        carried: Carried,
        report: &mut UndoReport,
    ) -> Result<(), JournalError> {
        let Chunk { mut ops, mut undoings, mut before, files } = chunk;
        let mut carried = carried;
        for attempt in 0..=REPLANS {
            let Carried { ops: done, batch, error } = carried;
            report.batch = report.batch.or(batch);
            let folder = |op: &&Operation| op.step.kind.is_directory() && op.state == OpState::Done;
            report.folders += done.iter().flatten().filter(folder).count();
            self.run.filing.record_undo(self.run.setup, done.iter().flatten(), &before);
            let again = attempt < REPLANS && error.is_none();
            ops = enter(ops, undoings, &done, again, report);
            if let Some(error) = error {
                return Err(error);
            }
            if ops.is_empty() {
                break;
            }
            // Nobody watches any more what is asked of the disk.
            self.under_way.come_to_rest();
            let draft = self.draft_alone(&ops, report);
            before = self.known_before(&draft.plan);
            carried = self.carry_out(&draft.plan, report);
            undoings = draft.undoings;
        }
        (self.run.watcher.progress)(Progress::Done(files));
        Ok(())
    }

    fn carry_out(&self, plan: &Plan, report: &UndoReport) -> Carried {
        let Run { filing, watcher, .. } = self.run;
        let tell = |op: &Operation| (watcher.progress)(Progress::Operation(op));
        filing.carried_out(report.batch, plan, &tell)
    }

    /// `None`: it would depend on what is under way.
    fn draft_beside(&self, ops: &[Operation], report: &UndoReport) -> Option<Draft> {
        let Run { filing, setup, .. } = self.run;
        let over = |world: &Watched<'_>| {
            let past = WatchedPast::new(&filing.journal, world);
            self.draft(ops, (world, &past), report, || world.was_asked())
        };
        self.under_way.beside(&filing.disk(setup), over, |draft| &draft.touched)
    }

    /// Over the disk as it is, where nothing is under way.
    fn draft_alone(&self, ops: &[Operation], report: &UndoReport) -> Draft {
        let Run { filing, setup, .. } = self.run;
        self.draft(ops, (&filing.disk(setup), &filing.journal), report, || false)
    }

    fn draft(
        &self,
        ops: &[Operation],
        (world, past): (&dyn World, &dyn History),
        report: &UndoReport,
        give_up: impl Fn() -> bool,
    ) -> Draft {
        let mut inverter = Inverter::new(world, past, self.run.direction.trigger());
        let mut undoings = Vec::with_capacity(ops.len());
        for op in ops {
            undoings.push(inverter.invert(op));
            if give_up() {
                break;
            }
        }
        let mut plan = inverter.take();
        for step in &mut plan.steps {
            // Of a file that comes back over several places, one is counted.
            let of = step.inverse_of.filter(|_| step.is_counted());
            step.further = of.is_some_and(|op| report.on_the_way.contains_key(&op));
        }
        Draft { touched: Touched::of(&plan), plan, undoings }
    }

    /// Asked before the files move: afterwards a scan may have dropped the entries.
    fn known_before(&self, plan: &Plan) -> HashMap<PathBuf, Entry> {
        let sources = plan.steps.iter().filter_map(|s| s.src.as_ref()).map(Place::path);
        record::known_of(&self.run.filing.catalog, sources)
    }
}

/// Enters what became of operations; returns those that are to be planned again, if that is to be.
fn enter(
    ops: Vec<Operation>,
    undoings: Vec<Undoing>,
    done: &[Option<Operation>],
    again: bool,
    report: &mut UndoReport,
) -> Vec<Operation> {
    let mut todo = Vec::new();
    for (op, undoing) in ops.into_iter().zip(undoings) {
        let steps = &done[undoing.steps.clone()];
        match end_of(&undoing, steps) {
            End::NotReached => {
                let goes_on = report.on_the_way.contains_key(&op.id);
                let is_file = !undoing.directory && !undoing.aside && !goes_on;
                report.not_reached += usize::from(is_file);
            }
            End::Aborted(_) if again => todo.push(op),
            End::Aborted(why) => report.enter(undoing, Undone::Error(why)),
            End::Was(outcome) => report.enter(undoing, outcome),
        }
    }
    todo
}

/// How the steps of one operation's inverse ended.
enum End {
    Was(Undone),
    /// What was planned for does not hold any more; how.
    Aborted(String),
    /// The journal failed before.
    NotReached,
}

fn end_of(undoing: &Undoing, steps: &[Option<Operation>]) -> End {
    let Some(own) = steps.last() else { return End::Was(undoing.outcome.clone()) };
    let why = |op: &Operation| op.error.clone().unwrap_or_else(|| "it was not done".into());
    // A directory on the way that could not be made says more than the file that had none.
    // What is still open may have happened: it must not be tried again.
    let failed = |op: &&Operation| !matches!(op.state, OpState::Done | OpState::Aborted);
    match (own, steps.iter().flatten().find(failed)) {
        (None, _) => End::NotReached,
        (Some(op), _) if op.state == OpState::Done => End::Was(undoing.outcome.clone()),
        (_, Some(failed)) => End::Was(Undone::Error(why(failed))),
        // A directory that is used by now, or that is gone already, simply stays as it is.
        (Some(_), None) if undoing.directory => End::Was(Undone::Restored),
        (Some(op), None) => End::Aborted(why(op)),
    }
}
