//! Files that are moved again and again: by rules that send them to each other, helped by a program that
//! writes to them wherever they are (what has not changed since we put it there is never filed again).
//!
//! The journal tells, so it needs no memory and survives a restart.

use std::path::Path;

use tidy_core::breaker::MINUTE;
use tidy_core::facts::Identity;
use tidy_core::operation::{OpId, OpState, Operation, Trigger};
use tidy_core::plan::Place;

use super::Filing;
use crate::journal::JournalError;

/// A file that was moved this often within a minute is left where it is.
const MOVES: usize = 5;

/// One filing has seldom more steps than a few; what comes before so many is not looked for.
const STEPS: usize = 32;

impl Filing {
    /// Whether the last times that this file was filed unasked were all within a minute; `last` is the last
    /// operation at `path`.
    pub(super) fn is_restless(&self, path: &Path, id: &Identity, last: Option<Operation>) -> bool {
        let Some(last) = last.filter(|op| brought(op, path, id)) else { return false };
        self.was_moved_often(last).unwrap_or_else(|error| {
            tracing::warn!(%error, "the journal could not be asked");
            false
        })
    }

    fn was_moved_often(&self, last: Operation) -> Result<bool, JournalError> {
        let (newest, mut batch, mut moves) = (last.time, last.batch, 1);
        let mut op = last;
        for _ in 0..STEPS {
            let (Some(from), Some(id)) = (op.step.src.as_ref().map(Place::path), op.step.expect)
            else {
                return Ok(false);
            };
            let Some(before) = self.brought_before(&from, &id, op.id)? else { return Ok(false) };
            if newest.since(before.time) > MINUTE {
                return Ok(false);
            }
            if before.batch != batch {
                (batch, moves) = (before.batch, moves + 1);
            }
            if moves >= MOVES {
                return Ok(true);
            }
            op = before;
        }
        Ok(false)
    }

    /// The operation before `next` that brought this file to `path`.
    fn brought_before(
        &self,
        path: &Path,
        id: &Identity,
        next: OpId,
    ) -> Result<Option<Operation>, JournalError> {
        let mut earlier = self.journal.history(path)?.into_iter().filter(|op| op.id < next);
        Ok(earlier.find(|op| brought(op, path, id)))
    }
}

/// Whether the operation brought this file there, unasked.
fn brought(op: &Operation, path: &Path, id: &Identity) -> bool {
    op.trigger == Trigger::Watch
        && op.state == OpState::Done
        && op.step.kind.relocates()
        && op.landed.is_some_and(|landed| landed.same_object(id))
        && op.step.dst.as_ref().is_some_and(|d| d.path() == path)
}
