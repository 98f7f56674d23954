//! Settling what a crash, or a failed sync, left open.

use std::collections::HashMap;
use std::path::PathBuf;

use tidy_core::facts::Identity;
use tidy_core::operation::{OpState, Operation};
use tidy_core::plan::{Place, StepKind};

use super::hands::Hands;
use super::record::StateChange;
use super::run::{shorten, span};
use super::{Journal, JournalError};
use crate::act::{Performed, Recovered};

/// Operations settled with one sync of their directories.
const CHUNK: usize = 1_000;

/// What recovery did.
#[derive(Debug, Default)]
pub struct RecoveryReport {
    /// They had happened, or have been finished now.
    pub done: Vec<Operation>,
    /// They had not happened.
    pub aborted: Vec<Operation>,
    /// Neither end answers to the record. Nothing was touched: for a person to look at.
    pub unknown: Vec<Operation>,
    /// It could not be told, and why. They stay open; a later recovery may settle them.
    pub still_open: Vec<(Operation, String)>,
}

/// Where operations that turned out to be done took their files from, which, and where to.
#[derive(Default)]
struct TakenOn(HashMap<PathBuf, (Identity, Option<(Place, Identity)>)>);

impl TakenOn {
    /// An operation whose file is at neither end is done after all, when a later one of the same chain
    /// took that very file further.
    fn explain(&mut self, op: &Operation, found: Recovered) -> Recovered {
        let put = op.step.dst.as_ref().map(Place::path);
        let id = op.landed.or(op.step.expect);
        let found = match found {
            Recovered::Lost(_)
                if put.as_ref().zip(id).is_some_and(|(p, id)| {
                    self.0.get(p).is_some_and(|(taken, _)| *taken == id)
                }) =>
            {
                Recovered::Done(Performed { landed: id, digest: op.step.digest })
            }
            other => other,
        };
        if let (Recovered::Done(done), Some(src), Some(id)) = (&found, &op.step.src, op.step.expect)
            && op.step.kind != StepKind::Tag
        {
            let to = op.step.dst.clone().filter(|_| op.step.kind.relocates());
            self.0.insert(src.path(), (id, to.zip(done.landed)));
        }
        found
    }

    /// An operation that leaves its file in place, as it has to be looked at where a later one took that file.
    fn followed(&self, op: &Operation) -> Option<Operation> {
        let src = op.step.src.as_ref().filter(|_| op.step.kind == StepKind::Tag)?;
        let (mut at, mut id) = (src.clone(), op.step.expect?);
        // Each operation took it further once.
        for _ in 0..=self.0.len() {
            match self.0.get(&at.path()) {
                Some((taken, Some((place, landed)))) if *taken == id => {
                    (at, id) = (place.clone(), *landed);
                }
                _ => break,
            }
        }
        let mut there = op.clone();
        (there.step.src, there.step.expect) = (Some(at), Some(id));
        Some(there)
    }
}

/// Where files never came, which, and why: the operation that was to put them there turned out not to have happened, or
/// has put a copy there, from another device.
#[derive(Default)]
struct NeverCame(HashMap<PathBuf, (Identity, &'static str)>);

impl NeverCame {
    /// An operation whose file is at neither end has not happened either, when the one before it in the
    /// same chain has not.
    fn explain(&mut self, op: &Operation, found: Recovered) -> Recovered {
        let taken = op.step.src.as_ref().map(Place::path);
        let never_came = taken
            .zip(op.step.expect)
            .and_then(|(p, id)| self.0.get(&p).filter(|(never, _)| *never == id))
            .map(|(_, why)| *why);
        let found = match (found, never_came) {
            (Recovered::Lost(_), Some(why)) => Recovered::Aborted(why.into()),
            (other, _) => other,
        };
        let why = match &found {
            Recovered::Aborted(_) => Some("the step before it had not happened"),
            Recovered::Done(done) if done.landed.is_some() && done.landed != op.step.expect => {
                Some("the step before it has made another file of it")
            }
            _ => None,
        };
        let put = op.step.dst.as_ref().map(Place::path);
        if let Some(((put, id), why)) = put.zip(op.step.expect).zip(why) {
            self.0.insert(put, (id, why));
        }
        found
    }
}

impl Journal {
    /// How many operations [`Self::recover`] would settle.
    pub fn left_open(&self) -> usize {
        self.0.live.left_open().len()
    }

    /// Settles every operation that has not ended and that nobody is at, in order. To be called
    /// before anything else is done after [`Self::open`], and again when it left something open.
    /// It may be interrupted at any point and repeated.
    ///
    /// # Errors
    /// [`JournalError::NotWritten`], when what it found could not be journaled.
    pub fn recover(&self) -> Result<RecoveryReport, JournalError> {
        self.recover_with(&self.0.act)
    }

    pub(super) fn recover_with<H: Hands>(&self, hands: &H) -> Result<RecoveryReport, JournalError> {
        let mut report = RecoveryReport::default();
        let open = self.0.live.take_left_open();
        // Newest first: a file that a later operation took further is not where this one put it.
        let mut taken_on = TakenOn::default();
        let mut chunks = open.rchunks(CHUNK);
        let result =
            chunks.try_for_each(|ops| self.recover_chunk(hands, ops, &mut taken_on, &mut report));
        // Those that have ended are no longer there.
        open.iter().for_each(|op| self.0.live.leave_open(op.id));
        result.map(|()| report)
    }

    fn recover_chunk<H: Hands>(
        &self,
        hands: &H,
        ops: &[Operation],
        taken_on: &mut TakenOn,
        report: &mut RecoveryReport,
    ) -> Result<(), JournalError> {
        let mut unsynced = hands.unsynced();
        let mut found = Vec::with_capacity(ops.len());
        for op in ops.iter().rev() {
            let there = taken_on.followed(op);
            let found_of = there.as_ref().unwrap_or(op);
            let outcome = span(op).in_scope(|| hands.recover(found_of, &mut unsynced));
            let outcome = outcome.map(|o| taken_on.explain(op, o));
            let outcome = outcome.map(|found| match found {
                // A copy on another device is what the later operation has made; this one left the file that it had.
                Recovered::Done(done) if found_of.step.src != op.step.src => {
                    Recovered::Done(Performed { landed: op.step.expect, ..done })
                }
                found => found,
            });
            found.push((op.clone(), outcome));
        }
        // Oldest first: what an earlier operation left where it was, no later one can have had.
        let mut never_came = NeverCame::default();
        let mut explain = |op: &Operation, o| never_came.explain(op, o);
        let found: Vec<_> =
            found.into_iter().rev().map(|(op, o)| (o.map(|o| explain(&op, o)), op)).collect();
        let synced = hands.sync(&mut unsynced);

        let (mut changes, mut ended) = (Vec::new(), Vec::new());
        for (outcome, mut op) in found {
            let outcome = outcome.and_then(|o| match (&o, &synced) {
                // Also what is left as it was may have been put back: no end is durable now.
                (Recovered::Done(_) | Recovered::Aborted(_), Err(why)) => Err(why.clone()),
                _ => Ok(o),
            });
            match outcome {
                Ok(recovered) => {
                    let change = self.recovered(&op, recovered);
                    change.apply_to(&mut op)?;
                    changes.push(change);
                    ended.push(op);
                }
                Err(why) => report.still_open.push((op, why)),
            }
        }
        self.finish(&changes, &ended, true)?;
        for op in ended {
            match op.state {
                OpState::Done => report.done.push(op),
                OpState::Aborted => report.aborted.push(op),
                _ => report.unknown.push(op),
            }
        }
        Ok(())
    }

    fn recovered(&self, op: &Operation, recovered: Recovered) -> StateChange {
        let mut change = StateChange::plain(op.id, OpState::Done, self.0.clock.now());
        match recovered {
            Recovered::Done(performed) => {
                change.landed = performed.landed;
                change.digest = performed.digest;
            }
            Recovered::Aborted(why) => {
                change.state = OpState::Aborted;
                change.error = Some(shorten(why));
            }
            Recovered::Lost(why) => {
                change.state = OpState::Unknown;
                change.error = Some(shorten(why));
            }
        }
        change
    }
}
