//! The chunks of one run on their way: planned one after the other, carried out two at a time.

use std::ops::Range;
use std::thread::Scope;

use tidy_core::UnixNanos;
use tidy_core::operation::{OpState, Operation};
use tidy_core::plan::{Plan, Planned, Planner, World};
use tidy_core::rules::LeaveReason;

use super::abreast::{Touched, Watched};
use super::batch::{Filing, Left, Mode, Progress, Report, Watcher};
use super::batch::{plan_party, stays_with, tell_left, winner};
use super::end::{Carried, End};
use super::party::Party;
use super::under_way::UnderWay;
use super::{Setup, due, record};
use crate::journal::JournalError;

/// A name that was free in the plan may be taken when its turn comes; how often we plan again.
const REPLANS: usize = 4;

/// What is the same for all chunks of a run.
#[derive(Clone, Copy)]
pub(super) struct Run<'e> {
    pub(super) filing: &'e Filing,
    pub(super) setup: &'e Setup,
    pub(super) mode: Mode,
    pub(super) now: UnixNanos,
    pub(super) watcher: Watcher<'e>,
}

/// Where changes to the catalog go.
pub(super) type Told<'t> = &'t mut dyn FnMut(record::Changes);

/// The chunks under way, oldest first.
pub(super) struct Course<'s, 'e> {
    run: Run<'e>,
    under_way: UnderWay<'s, 'e, Chunk<'e>>,
    /// Files that have been dealt with.
    done: usize,
}

struct Chunk<'e> {
    planned: Vec<(Party, Range<usize>)>,
    files: usize,
    book: record::Book<'e>,
}

/// A plan for a chunk, with the steps of each party, or why it stays.
struct Draft {
    plan: Plan,
    touched: Touched,
    parties: Vec<Result<Range<usize>, Left>>,
    /// How many files get no tags, and why the first one does not.
    untagged: Option<(usize, String)>,
}

impl Draft {
    /// `None`: it would depend on what is under way.
    fn of(
        run: Run<'_>,
        parties: &[Party],
        under_way: &UnderWay<'_, '_, Chunk<'_>>,
    ) -> Option<Self> {
        let over = |world: &Watched<'_>| Self::over(world, run.mode, parties, || world.was_asked());
        under_way.beside(&run.filing.disk(run.setup), over, |draft| &draft.touched)
    }

    fn over(world: &dyn World, mode: Mode, parties: &[Party], give_up: impl Fn() -> bool) -> Self {
        let mut planner = Planner::new(world, mode.trigger);
        let mut outcomes = Vec::with_capacity(parties.len());
        for party in parties {
            let first = planner.steps().len();
            outcomes.push(match plan_one(&mut planner, party) {
                Some(left) => Err(left),
                None => Ok(first..planner.steps().len()),
            });
            if give_up() {
                break;
            }
        }
        let untagged = planner.untagged().cloned();
        let plan = planner.finish();
        Self { touched: Touched::of(&plan), plan, parties: outcomes, untagged }
    }
}

impl<'s, 'e> Course<'s, 'e> {
    /// Nothing is under way; `done` files have been dealt with before.
    pub(super) fn new(run: Run<'e>, scope: &'s Scope<'s, 'e>, done: usize) -> Self {
        Self { run, under_way: UnderWay::new(run.filing, scope), done }
    }

    /// Plans a chunk and carries it out: beside the one before, if the two have nothing to do with each other.
    ///
    /// # Errors
    /// Of this chunk or one before it. All that is under way has ended then.
    pub(super) fn take(
        &mut self,
        parties: Vec<Party>,
        report: &mut Report,
        told: Told<'_>,
    ) -> Result<(), JournalError> {
        let draft = match Draft::of(self.run, &parties, &self.under_way) {
            Some(draft) => draft,
            None => {
                self.finish(report, told)?;
                let disk = self.run.filing.disk(self.run.setup);
                Draft::over(&disk, self.run.mode, &parties, || false)
            }
        };
        while self.under_way.is_full() {
            self.finish_first(report, told)?;
        }
        let Run { filing, setup, now, watcher, .. } = self.run;
        let house = (&*filing.tally, &filing.waiting);
        let mut book = record::Book::new(setup, house, now);
        let files = parties.iter().map(Party::len).sum();
        let (plan, touched, planned) = draft.accept(parties, &mut book, report, watcher);
        let Some(batch) = report.batch else {
            // The first one of all, which the others belong to.
            let carried = filing.carried_out(report.batch, &plan, &tell(watcher));
            let ended = self.end(planned, carried, &mut book, report);
            self.close(files, book, told);
            return ended;
        };
        self.under_way.begin(batch, plan, touched, Chunk { planned, files, book });
        Ok(())
    }

    /// Waits for all that is under way.
    ///
    /// # Errors
    /// The first one of a chunk.
    pub(super) fn finish(
        &mut self,
        report: &mut Report,
        told: Told<'_>,
    ) -> Result<(), JournalError> {
        while !self.under_way.is_empty() {
            self.finish_first(report, told)?;
        }
        Ok(())
    }

    /// Waits for the oldest one; after an error, for all.
    fn finish_first(&mut self, report: &mut Report, told: Told<'_>) -> Result<(), JournalError> {
        let Some((chunk, carried)) = self.under_way.first() else { return Ok(()) };
        let Chunk { planned, files, mut book } = chunk;
        let ended = carried.ops.iter().flatten().filter(|op| op.state.is_terminal());
        ended.for_each(tell(self.run.watcher));
        let ended = self.end(planned, carried, &mut book, report);
        self.close(files, book, told);
        if ended.is_err() {
            // They have begun, so what became of them is entered all the same; the first error says why.
            let _ = self.finish(report, told);
        }
        ended
    }

    /// What has happened is entered, whatever came then.
    fn close(&mut self, files: usize, book: record::Book<'_>, told: Told<'_>) {
        told(book.changes());
        self.done += files;
        (self.run.watcher.progress)(Progress::Done(self.done));
    }

    /// Enters how the steps of a chunk ended, and plans again what lost its name to somebody else.
    fn end(
        &self,
        planned: Vec<(Party, Range<usize>)>,
        carried: Carried,
        book: &mut record::Book<'_>,
        report: &mut Report,
    ) -> Result<(), JournalError> {
        let Run { filing, setup, mode, watcher, .. } = self.run;
        let (mut planned, mut carried) = (planned, carried);
        for attempt in 0..=REPLANS {
            report.batch = report.batch.or(carried.batch);
            let todo = self.enter(planned, &carried.ops, attempt < REPLANS, book, report);
            report.ended.add(carried.ops.into_iter().flatten());
            if let Some(error) = carried.error {
                return Err(error);
            }
            if todo.is_empty() {
                break;
            }
            let disk = filing.disk(setup);
            let draft = Draft::over(&disk, mode, &todo, || false);
            let plan;
            (plan, _, planned) = draft.accept(todo, book, report, watcher);
            carried = filing.carried_out(report.batch, &plan, &tell(watcher));
        }
        Ok(())
    }

    /// Returns those that are to be planned again, if that is to be.
    fn enter(
        &self,
        planned: Vec<(Party, Range<usize>)>,
        ops: &[Option<Operation>],
        again: bool,
        book: &mut record::Book<'_>,
        report: &mut Report,
    ) -> Vec<Party> {
        let mut todo = Vec::new();
        for (party, steps) in planned {
            let ops = &ops[steps];
            let (candidate, d) = (&party.candidate, &party.decided);
            match End::of(candidate, ops) {
                End::NameTaken if again => {
                    todo.push(party);
                    continue;
                }
                End::Filed(op, at) => {
                    tell_untagged(ops);
                    book.filed(candidate, d, op, at.as_deref());
                    book.copied(candidate, d, ops.iter().flatten());
                    report.due.extend(due::due(candidate, ops.iter().flatten(), at.as_deref()));
                }
                // What is known of it stands until it is looked at again.
                End::Open => {}
                End::NameTaken | End::Changed => report.again.push(candidate.path()),
                End::Gone => book.gone(candidate),
                End::Failed(why, at) => {
                    let left = Left {
                        path: at,
                        reason: LeaveReason::Failed,
                        rule: winner(d),
                        detail: Some(why),
                    };
                    let times = self.run.filing.failures(&left.path, candidate.stat.id);
                    book.failed(candidate, d, &left, times);
                    tell_left(left, report, self.run.watcher);
                }
            }
            members_ended(&party, ops, book, report);
        }
        todo
    }
}

impl Draft {
    /// Enters what stays; the plan, and the parties that have steps in it.
    fn accept(
        self,
        parties: Vec<Party>,
        book: &mut record::Book<'_>,
        report: &mut Report,
        watcher: Watcher<'_>,
    ) -> (Plan, Touched, Vec<(Party, Range<usize>)>) {
        let mut planned = Vec::with_capacity(parties.len());
        for (party, outcome) in parties.into_iter().zip(self.parties) {
            match outcome {
                Ok(steps) => planned.push((party, steps)),
                Err(left) => {
                    book.left(&party.candidate, &party.decided, &left);
                    tell_left(left, report, watcher);
                    members_stay(&party, book, report, watcher);
                }
            }
        }
        if let Some((files, why)) = self.untagged {
            tracing::warn!(files, "tags are not set: {why}");
        }
        (self.plan, self.touched, planned)
    }
}

fn tell<'w>(watcher: Watcher<'w>) -> impl Fn(&Operation) + 'w {
    move |op| (watcher.progress)(Progress::Operation(op))
}

/// Plans one party; says why it is left.
pub(super) fn plan_one(planner: &mut Planner<'_>, party: &Party) -> Option<Left> {
    match plan_party(planner, party) {
        Planned::Steps(_) => None,
        Planned::Left(reason, detail) => {
            let path = party.candidate.path();
            Some(Left { path, reason, rule: winner(&party.decided), detail })
        }
    }
}

fn members_stay(
    party: &Party,
    book: &mut record::Book<'_>,
    report: &mut Report,
    watcher: Watcher<'_>,
) {
    for (candidate, d, _) in &party.members {
        let left = stays_with(candidate, party.candidate.file_name());
        book.left(candidate, d, &left);
        tell_left(left, report, watcher);
    }
}

/// What became of the companions of a file whose turn has come.
fn members_ended(
    party: &Party,
    ops: &[Option<Operation>],
    book: &mut record::Book<'_>,
    report: &mut Report,
) {
    for (candidate, d, _) in &party.members {
        match End::of(candidate, ops) {
            End::Filed(op, at) => {
                book.filed(candidate, d, op, at.as_deref());
                book.copied(candidate, d, ops.iter().flatten());
            }
            End::Open => {}
            End::Gone => book.gone(candidate),
            // It is found again beside its file, or after it.
            End::NameTaken | End::Changed | End::Failed(..) => {
                report.again.push(candidate.path());
            }
        }
    }
}

/// A file that goes on is filed though its tags could not be set.
fn tell_untagged(ops: &[Option<Operation>]) {
    let failed = |op: &&Operation| op.step.is_along() && op.state != OpState::Done;
    for op in ops.iter().flatten().filter(failed) {
        let error = op.error.as_deref().unwrap_or_default();
        tracing::error!(op = op.id.0, "the file was filed without its tags: {error}");
    }
}
