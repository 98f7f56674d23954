//! Dropping old segments, whole, oldest first.

use std::collections::BTreeSet;
use std::time::Duration;

use tidy_core::operation::{OpId, OpState};

use super::record::Record;
use super::segment::{self, HEADER, Segment};
use super::{Journal, JournalError, disk};

/// What may be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Segments whose operations are all older may go.
    pub max_age: Option<Duration>,
    /// Segments may go while those after them hold at least this many operations.
    pub max_operations: Option<u64>,
    /// Whatever the two above say, an operation that is in effect can be undone for this long.
    pub undo_for: Duration,
}

/// What was dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retained {
    /// Segments dropped.
    pub segments: usize,
    /// Bytes they had.
    pub bytes: u64,
}

/// What a segment holds, as far as dropping it goes.
struct Content {
    number: u64,
    bytes: u64,
    intents: Vec<(OpId, tidy_core::UnixNanos)>,
    damaged: bool,
}

impl Journal {
    /// Drops the oldest segments as far as the policy allows: never the one that is written to,
    /// never one with an operation that has not ended or that can still be undone.
    ///
    /// # Errors
    /// [`JournalError::Io`], [`JournalError::Newer`], [`JournalError::Projection`].
    pub fn retain(&self, policy: &Retention) -> Result<Retained, JournalError> {
        self.sync()?;
        let active = self.0.writer.shared.end().segment;
        let dir = &self.0.dir;
        let numbers = segment::list(dir)?;
        let mut contents = Vec::new();
        for number in numbers.into_iter().filter(|n| *n < active) {
            contents.push(content(&Segment::read(dir, number)?));
        }
        let total: u64 = contents.iter().map(|c| c.intents.len() as u64).sum();

        let mut report = Retained::default();
        let mut left = total;
        for content in &contents {
            left -= content.intents.len() as u64;
            if !self.may_drop(policy, content, left)? {
                break;
            }
            let path = segment::path(dir, content.number);
            disk::remove(&path).map_err(JournalError::io("remove", &path))?;
            report.segments += 1;
            report.bytes += content.bytes;
        }
        if report.segments > 0 {
            disk::sync_dir(dir).map_err(JournalError::io("sync", dir))?;
            self.forget(&contents[report.segments..])?;
        }
        Ok(report)
    }

    fn may_drop(
        &self,
        policy: &Retention,
        content: &Content,
        left: u64,
    ) -> Result<bool, JournalError> {
        let now = self.0.clock.now();
        let older = |age: Duration| content.intents.iter().all(|(_, t)| *t < now.minus(age));
        let wanted = policy.max_age.is_some_and(older)
            || policy.max_operations.is_some_and(|keep| left >= keep);
        // A damaged segment may hold an intent that nobody can read: for people to look at.
        if !wanted || content.damaged {
            return Ok(false);
        }
        for (id, time) in &content.intents {
            if self.0.live.get(*id).is_some() {
                return Ok(false);
            }
            if *time >= now.minus(policy.undo_for) && self.can_be_undone(*id)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn can_be_undone(&self, id: OpId) -> Result<bool, JournalError> {
        self.ask(|view| {
            let op = view.get(id)?.filter(|op| op.state == OpState::Done && !op.step.undo);
            Ok(op.is_some() && view.stored.inverted_by(id)?.is_none())
        })
    }

    /// Takes out of the projection what no segment holds any more.
    fn forget(&self, kept: &[Content]) -> Result<(), JournalError> {
        let kept: BTreeSet<OpId> =
            kept.iter().flat_map(|c| c.intents.iter().map(|(id, _)| *id)).collect();
        // Numbers grow along the log, but for workers that overtook each other.
        let active = self.0.writer.shared.end().segment;
        let in_active = content(&Segment::read(&self.0.dir, active)?);
        let first = in_active.intents.iter().map(|(id, _)| *id).chain(kept).min();
        match first {
            Some(cutoff) => Ok(self.0.projection.forget_below(cutoff)?),
            None => Ok(()),
        }
    }
}

fn content(segment: &Segment) -> Content {
    let mut intents = Vec::new();
    let scan = segment.scan(HEADER as u64, |_, record| {
        if let Record::Intent(op) = record {
            intents.push((op.id, op.time));
        }
    });
    let damaged = !scan.damage.is_empty() || scan.end < segment.len();
    Content { number: segment.number, bytes: segment.len(), intents, damaged }
}
