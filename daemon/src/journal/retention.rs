//! Dropping old segments, whole, oldest first.

use std::time::Duration;

use tidy_core::UnixNanos;
use tidy_core::operation::{OpId, OpState};

use super::record::Record;
use super::segment::{self, HEADER, Segment};
use super::{Journal, JournalError, disk};

/// What may be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Segments whose operations are all older may go.
    pub max_age: Duration,
    /// The oldest segments may go while all together have more bytes.
    pub max_bytes: u64,
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

/// Segments looked at for the lowest number that is kept. Numbers grow along the log, but for
/// workers that overtook each other, by a group of records or two.
const OVERTAKING: usize = 4;

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
        let numbers = segment::survey(dir)?.numbers;
        let mut bytes = 0;
        for number in &numbers {
            bytes += disk::len(&segment::path(dir, *number))?;
        }
        let mut report = Retained::default();
        let old = numbers.iter().take_while(|n| **n < active);
        for number in old {
            let segment = Segment::read(dir, *number)?;
            let (intents, damaged) = content(&segment);
            if !self.may_drop(policy, &intents, bytes)? {
                break;
            }
            let path = segment::path(dir, *number);
            if damaged {
                // It may hold what nobody can read, for people to look at.
                disk::keep_aside(&path).map_err(JournalError::io("copy", &path))?;
            }
            disk::remove(&path).map_err(JournalError::io("remove", &path))?;
            report.segments += 1;
            report.bytes += segment.len();
            bytes = bytes.saturating_sub(segment.len());
        }
        if report.segments > 0 {
            disk::sync_dir(dir).map_err(JournalError::io("sync", dir))?;
            self.forget(&numbers[report.segments..])?;
        }
        Ok(report)
    }

    fn may_drop(
        &self,
        policy: &Retention,
        intents: &[(OpId, UnixNanos)],
        bytes: u64,
    ) -> Result<bool, JournalError> {
        let now = self.0.clock.now();
        let is_old = intents.iter().all(|(_, time)| *time < now.minus(policy.max_age));
        if !is_old && bytes <= policy.max_bytes {
            return Ok(false);
        }
        for (id, time) in intents {
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
    fn forget(&self, kept: &[u64]) -> Result<(), JournalError> {
        let mut first = None;
        for number in kept.iter().take(OVERTAKING) {
            let (intents, _) = content(&Segment::read(&self.0.dir, *number)?);
            first = intents.iter().map(|(id, _)| *id).chain(first).min();
        }
        match first {
            Some(cutoff) => Ok(self.0.projection.forget_below(cutoff)?),
            None => Ok(()),
        }
    }
}

/// The operations that begin in a segment, and whether something in it cannot be read.
fn content(segment: &Segment) -> (Vec<(OpId, UnixNanos)>, bool) {
    let mut intents = Vec::new();
    let scan = segment.scan(HEADER as u64, |_, record| {
        if let Record::Intent(op) = record {
            intents.push((op.id, op.time));
        }
    });
    let damaged = !scan.damage.is_empty() || scan.end < segment.len();
    (intents, damaged)
}
