//! Carrying out a plan: number, write the intents, act, sync, write what became of each.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use tidy_core::name;
use tidy_core::operation::{BatchId, OpEvent, OpState, Operation, Trigger};
use tidy_core::plan::{Place, Plan, Step, StepKind};
use tracing::Span;

use super::chains::{self, Landed};
use super::considered;
use super::hands::{Hands, Refused};
use super::projection::UpTo;
use super::query::caught;
use super::record::StateChange;
use super::writer::{Frames, lock};
use super::{Journal, JournalError};
use crate::act::{Performed, Recovered};

/// Steps whose intents share one sync, and whose directories do. Past this the gain is gone: 8 to
/// 16 thousand a second at 1,000 against 3 to 8 at 100 (measured on ext4).
const CHUNK: usize = 1_000;

/// What is at hand, for all that is told while an operation is carried out or recovered.
pub(super) fn span(op: &Operation) -> Span {
    let shown = |path: &Path| name::shown(path.as_os_str());
    let place = op.step.src.as_ref().or(op.step.dst.as_ref());
    tracing::info_span!(
        "operation",
        op = op.id.0,
        rule = &*op.step.rule,
        root = place.map(|p| shown(p.base())),
        path = place.map(|p| shown(&p.path())),
    )
}

impl Journal {
    /// Carries out a plan as a batch of its own. See [`Self::run_in`].
    ///
    /// # Errors
    /// As [`Self::run_in`].
    pub fn run(
        &self,
        plan: &Plan,
        progress: &dyn Fn(&Operation),
    ) -> Result<Vec<Operation>, JournalError> {
        self.run_in(None, plan, progress)
    }

    /// Carries out a plan, as part of a batch if one is given. Returns the operations in the plan's
    /// order, each with what became of it: a step that fails does not stop those after it. One that
    /// could not be settled has not ended and says why; [`Self::recover`] tries again. `progress` is
    /// told of each one that has ended.
    ///
    /// # Errors
    /// [`JournalError::NotWritten`]: the intents are not durable, so nothing was touched.
    /// [`JournalError::Unsynced`]: files were moved, but that may not survive a power cut; those
    /// operations stay open until [`Self::recover`]. Either is wrapped in [`JournalError::Interrupted`]
    /// when some operations have ended.
    pub fn run_in(
        &self,
        batch: Option<BatchId>,
        plan: &Plan,
        progress: &dyn Fn(&Operation),
    ) -> Result<Vec<Operation>, JournalError> {
        self.run_with(&self.0.act, batch, plan, progress)
    }

    pub(super) fn run_with<H: Hands>(
        &self,
        hands: &H,
        mut batch: Option<BatchId>,
        plan: &Plan,
        progress: &dyn Fn(&Operation),
    ) -> Result<Vec<Operation>, JournalError> {
        let mut finished = Vec::with_capacity(plan.steps.len());
        let (mut rest, mut landed) = (&*plan.steps, Landed::default());
        while !rest.is_empty() {
            let next = rest.get(..CHUNK).unwrap_or(rest);
            let steps;
            (steps, rest) = rest.split_at(chains::together(next, |step| hands.crosses(step)));
            let ops = self.number(batch, plan.trigger, steps.iter().map(|s| landed.known(s)));
            batch = ops.first().map(|op| op.batch);
            let before = finished.len();
            let result = self.run_chunk(hands, ops, &mut finished);
            finished[before..].iter().filter(|op| op.state.is_terminal()).for_each(progress);
            match result {
                Ok(()) if rest.is_empty() => {}
                Ok(()) => landed.note(steps, &finished[before..]),
                Err(e) if finished.is_empty() => return Err(e),
                Err(e) => return Err(JournalError::Interrupted { finished, source: Box::new(e) }),
            }
        }
        Ok(finished)
    }

    fn number(
        &self,
        batch: Option<BatchId>,
        trigger: Trigger,
        steps: impl ExactSizeIterator<Item = Step>,
    ) -> Vec<Operation> {
        let ids = lock(&self.0.ids).number(steps.len());
        let batch = batch.unwrap_or(BatchId(ids.first().map_or(0, |id| id.0)));
        let time = self.0.clock.now();
        let operation = |(id, step)| Operation {
            id,
            batch,
            trigger,
            time,
            step,
            state: OpState::Intended,
            landed: None,
            error: None,
        };
        ids.into_iter().zip(steps).map(operation).collect()
    }

    /// Those that have ended are appended to `finished`, also when it fails.
    fn run_chunk<H: Hands>(
        &self,
        hands: &H,
        mut ops: Vec<Operation>,
        finished: &mut Vec<Operation>,
    ) -> Result<(), JournalError> {
        considered::share(&mut ops);
        self.intend(&ops)?;
        let mut unsynced = hands.unsynced();
        let mut outcomes = Vec::with_capacity(ops.len());
        let (mut unmade, mut unclear) = (Unmade::default(), Unclear::of(&self.0.live.left_open()));
        for op in &mut ops {
            let outcome = match unclear.holds_up(op) {
                Some(refused) => Err(refused),
                None => span(op)
                    .in_scope(|| self.perform(hands, op, &mut unsynced))
                    .map_err(|refused| unmade.explain(op, refused)),
            };
            unclear.note(op, &outcome);
            outcomes.push(outcome);
        }
        let synced = hands.sync(&mut unsynced);

        let (before, mut left_open, mut unsettled) = (finished.len(), 0, Vec::new());
        let mut changes = Vec::with_capacity(ops.len());
        for (mut op, outcome) in ops.into_iter().zip(outcomes) {
            if synced.is_err() && outcome.is_ok() {
                self.0.live.leave_open(op.id);
                left_open += 1;
                continue;
            }
            if let Err(Refused { event: None, message }) = outcome {
                span(&op).in_scope(|| {
                    tracing::error!(error = message, "an operation could not be settled")
                });
                self.0.live.leave_open(op.id);
                op.error = Some(shorten(message));
                unsettled.push((finished.len() + unsettled.len(), op));
                continue;
            }
            let change = self.change(&op, outcome);
            change.apply_to(&mut op)?;
            changes.push(change);
            finished.push(op);
        }
        self.finish(&changes, &finished[before..], false)?;
        unsettled.into_iter().for_each(|(at, op)| finished.insert(at, op));
        match synced {
            Err(message) if left_open > 0 => {
                Err(JournalError::Unsynced { open: left_open, message })
            }
            _ => Ok(()),
        }
    }

    /// Writes the intents; returns once they are durable.
    fn intend(&self, ops: &[Operation]) -> Result<(), JournalError> {
        let mut frames = Frames::default();
        for op in ops {
            frames.intent(op).map_err(|e| JournalError::TooLong(e.0))?;
        }
        // Before they are sent, so that the projection's position cannot overtake them.
        self.0.live.add(ops, self.0.writer.shared.end(), true);
        self.0.writer.append(frames).map_err(|e| {
            self.0.live.remove(ops);
            e.into()
        })
    }

    fn perform<H: Hands>(
        &self,
        hands: &H,
        op: &mut Operation,
        unsynced: &mut H::Unsynced,
    ) -> Result<Performed, Refused> {
        let mut verified = None;
        let begun = Instant::now();
        let result = hands.perform(op, unsynced, &mut |copied| {
            let written = self.write_verified(copied).map_err(|e| e.to_string());
            written.inspect(|()| verified = Some(copied.clone()))
        });
        self.0.tally.performed.observe(begun.elapsed());
        if let Some(copied) = verified {
            op.state = OpState::Verified;
            (op.landed, op.step.digest) = (copied.landed, copied.step.digest);
        }
        match result {
            Err(Refused { event: None, message }) => self.settle(hands, op, unsynced, message),
            ended => ended,
        }
    }

    /// What was changed and could not be taken back is settled at once, as after a crash.
    fn settle<H: Hands>(
        &self,
        hands: &H,
        op: &mut Operation,
        unsynced: &mut H::Unsynced,
        why: String,
    ) -> Result<Performed, Refused> {
        Err(match hands.recover(op, unsynced) {
            Ok(Recovered::Done(performed)) => return Ok(performed),
            // Now nothing is changed any more, and it was an error that it ended with.
            Ok(Recovered::Aborted(_)) => Refused { event: Some(OpEvent::Failed), message: why },
            Ok(Recovered::Lost(what)) => {
                Refused { event: Some(OpEvent::Lost), message: format!("{why}; {what}") }
            }
            Err(e) => Refused {
                event: None,
                message: format!("{why}; how it stands is looked at again at the next start: {e}"),
            },
        })
    }

    /// Makes `verified` durable.
    pub(super) fn write_verified(&self, op: &Operation) -> Result<(), JournalError> {
        let state = op.state.next(OpEvent::Verified)?;
        let mut frames = Frames::default();
        let mut change = StateChange::plain(op.id, state, self.0.clock.now());
        // So that recovery knows the copy from any other file, however the crash left it.
        change.landed = op.landed;
        change.digest = op.step.digest;
        frames.state(&change).map_err(|e| JournalError::TooLong(e.0))?;
        self.0.writer.append(frames)?;
        self.0.live.verified(op);
        Ok(())
    }

    fn change(&self, op: &Operation, outcome: Result<Performed, Refused>) -> StateChange {
        let mut change = StateChange::plain(op.id, OpState::Done, self.0.clock.now());
        match outcome {
            Ok(performed) => {
                change.landed = performed.landed;
                change.digest = performed.digest;
            }
            Err(refused) => {
                change.state = match refused.event {
                    Some(OpEvent::Aborted) => OpState::Aborted,
                    Some(OpEvent::Lost) => OpState::Unknown,
                    // An error is never success.
                    _ => OpState::Failed,
                };
                change.error = Some(shorten(refused.message));
            }
        }
        change
    }

    /// Writes the ends of operations (`changes`, and `ended` with them applied) and shows them.
    pub(super) fn finish(
        &self,
        changes: &[StateChange],
        ended: &[Operation],
        durable: bool,
    ) -> Result<(), JournalError> {
        let mut frames = Frames::default();
        for change in changes {
            frames.state(change).map_err(|e| JournalError::TooLong(e.0))?;
        }
        let writer = &self.0.writer;
        if durable { writer.append(frames) } else { writer.append_lazy(frames) }?;
        self.0.tally.ended(ended);
        self.show(ended);
        self.0.live.remove(ended);
        Ok(())
    }

    /// Puts operations that have ended into the projection. The files are where they are and the log
    /// says so: when the projection fails, it is rebuilt the next time somebody asks.
    fn show(&self, ended: &[Operation]) {
        if let Some(last_put) = &mut *lock(&self.0.last_put) {
            ended.iter().for_each(|op| last_put.note(op));
        }
        let position = || {
            self.0.live.remove(ended);
            self.seen_up_to()
        };
        if let Err(e) = caught(|| self.0.projection.apply(ended, position)) {
            tracing::warn!(error = %e, "the journal's index cannot be written and will be rebuilt");
            self.0.projection.give_up(&e);
        }
    }
}

/// Directories that could not be made, with why: what was to go into one of them failed for that reason.
#[derive(Default)]
struct Unmade(HashMap<PathBuf, String>);

impl Unmade {
    fn explain(&mut self, op: &Operation, mut refused: Refused) -> Refused {
        let Some(dst) = op.step.dst.as_ref().filter(|_| refused.event == Some(OpEvent::Failed))
        else {
            return refused;
        };
        let path = dst.path();
        if let Some(why) = path.parent().and_then(|dir| self.0.get(dir)) {
            refused.message.clone_from(why);
        }
        if op.step.kind == StepKind::MakeDir {
            self.0.insert(path, refused.message.clone());
        }
        refused
    }
}

impl Journal {
    /// Up to where the log is in the projection, when all that has ended is.
    pub(super) fn seen_up_to(&self) -> UpTo {
        // In this order: whoever begins in between is after `end`.
        let end = self.0.writer.shared.end();
        let at = self.0.live.oldest().map_or(end, |oldest| oldest.min(end));
        UpTo { at, end }
    }
}

/// Both ends of operations that could not be settled: their files may be at either.
#[derive(Default)]
struct Unclear {
    /// Of earlier chunks, and of other batches.
    before: HashSet<PathBuf>,
    now: HashSet<PathBuf>,
}

impl Unclear {
    fn of(left_open: &[Operation]) -> Self {
        Self { before: left_open.iter().flat_map(ends).collect(), ..Self::default() }
    }

    /// Why `op` must not begin: taking such a file further would keep recovery from finding it, and changing it would
    /// change what recovery throws away.
    fn holds_up(&self, op: &Operation) -> Option<Refused> {
        let held = |by: &HashSet<_>| !by.is_empty() && ends(op).any(|end| by.contains(&end));
        if held(&self.now) {
            let message = "the step before it could not be settled".into();
            return Some(Refused { event: Some(OpEvent::Aborted), message });
        }
        held(&self.before).then(|| Refused {
            event: Some(OpEvent::Failed),
            message: "an earlier operation on it could not be settled, which the next start of tidyd tries again: \
                      check the disk, then restart tidyd"
                .into(),
        })
    }

    fn note(&mut self, op: &Operation, outcome: &Result<Performed, Refused>) {
        if let Err(Refused { event: None, .. }) = outcome {
            self.now.extend(ends(op));
        }
    }
}

fn ends(op: &Operation) -> impl Iterator<Item = PathBuf> {
    [&op.step.src, &op.step.dst].into_iter().flatten().map(Place::path)
}

/// The longest error text that is kept, in bytes.
const MAX_ERROR: usize = 4_096;

pub(super) fn shorten(mut message: String) -> String {
    if message.len() > MAX_ERROR {
        let end = (0..=MAX_ERROR).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
        message.truncate(end);
    }
    message
}
