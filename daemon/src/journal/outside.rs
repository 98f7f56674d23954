//! A journal's files, for somebody who has not opened it: to copy them or to tell what is in them, beside a service that
//! goes on writing, and where there is none.
//!
//! The log is only ever appended to, so what can be read of it at any moment is the log as it was then. What is
//! not whole at its end is being written.

use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use tidy_core::UnixNanos;
use tidy_core::operation::{OpId, Operation};

use super::disk::RealDisk;
use super::gaps::Gaps;
use super::record::{Position, StateChange};
use super::replay::{self, Ignore, Reader, Visit};
use super::segment::{self, Damage, HEADER};
use super::start::{begin_segment, lock_dir};
use super::{JournalError, disk};

/// How often the log is read again when its oldest segment was dropped meanwhile.
const TRIES: usize = 5;

/// What a log holds, as far as it can be read.
#[derive(Debug, Default)]
pub struct Outside {
    /// The number of the log; `None` when there is none.
    pub log: Option<u64>,
    /// The files of its segments in order, each with how many bytes of it are the log.
    pub segments: Vec<(PathBuf, u64)>,
    pub records: u64,
    /// The operation with the highest number on record, and when it was begun.
    pub last: Option<(OpId, UnixNanos)>,
    /// Above every number that was ever given out, as far as the log tells.
    pub next: Option<OpId>,
    /// Operations that have not ended.
    pub open: usize,
    pub damage: Vec<Damage>,
    /// Segments that are not there and whose records are missed.
    pub missing: Vec<RangeInclusive<u64>>,
    /// What lies among the segments and is none of this log, and why not.
    pub strangers: Vec<(PathBuf, String)>,
}

impl Outside {
    /// Nothing of what was on record is missing or unreadable, as far as the log tells.
    pub fn is_whole(&self) -> bool {
        self.log.is_some() && self.damage.is_empty() && self.missing.is_empty()
    }
}

/// What the log in `dir` holds. No directory holds none. Changes nothing.
///
/// # Errors
/// [`JournalError::Io`], [`JournalError::Newer`].
pub fn look(dir: &Path) -> Result<Outside, JournalError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match read_through(dir, &mut Ignore) {
            Err(JournalError::Io { source, .. })
                if source.kind() == io::ErrorKind::NotFound && tries < TRIES => {}
            other => return other,
        }
    }
}

/// Calls `each` for every operation of the log in `dir`: in the order in which they ended, those that have not at last.
/// Changes nothing. When the oldest segment is dropped while it is read, that is an error: what was told is a part.
///
/// # Errors
/// [`JournalError::Io`], [`JournalError::Newer`].
pub fn read(dir: &Path, each: &mut dyn FnMut(Operation)) -> Result<Outside, JournalError> {
    let mut each = Each(each);
    read_through(dir, &mut each)
}

struct Each<'a>(&'a mut dyn FnMut(Operation));

impl Visit for Each<'_> {
    fn ended(&mut self, op: Operation) {
        (self.0)(op);
    }

    fn unmatched(&mut self, _: StateChange) {}
}

/// Passes operations on and remembers the highest.
struct Highest<'a> {
    last: Option<(OpId, UnixNanos)>,
    to: &'a mut dyn Visit,
}

impl Visit for Highest<'_> {
    fn ended(&mut self, op: Operation) {
        self.last = self.last.max(Some((op.id, op.time)));
        self.to.ended(op);
    }

    fn unmatched(&mut self, change: StateChange) {
        self.to.unmatched(change);
    }
}

fn read_through(dir: &Path, visit: &mut dyn Visit) -> Result<Outside, JournalError> {
    match dir.try_exists() {
        Ok(true) => {}
        Ok(false) => return Ok(Outside::default()),
        Err(e) => return Err(JournalError::io("look at", dir)(e)),
    }
    let listing = segment::survey(dir)?;
    let mut numbers = listing.numbers;
    let mut reader = Reader::from_start();
    let mut highest = Highest { last: None, to: visit };
    let end = replay::read_all(dir, &numbers, Position::default(), &mut reader, &mut highest)?;
    let last = numbers.last().copied();
    if last == Some(end.segment) && end.offset <= HEADER as u64 {
        // One that has only been begun says nothing yet.
        numbers.pop();
    }
    let mut segments = Vec::with_capacity(numbers.len());
    for number in &numbers {
        let path = segment::path(dir, *number);
        let bytes = if last == Some(*number) { end.offset } else { disk::len(&path)? };
        segments.push((path, bytes));
    }
    let open = reader.open.len();
    for op in std::mem::take(&mut reader.open).into_values() {
        highest.ended(op);
    }
    Ok(Outside {
        log: listing.log.filter(|_| !segments.is_empty()),
        segments,
        records: reader.records,
        last: highest.last,
        next: (reader.state.next_op > 0).then_some(OpId(reader.state.next_op)),
        open,
        damage: reader.damage,
        missing: replay::missing(dir, &numbers),
        strangers: listing.strangers,
    })
}

/// Has the log in `dir`, which nobody has open, go on above the number `known`: later operations are missing in it, and
/// their numbers are not used again, nor is a file filed anew that one of them may have put back.
///
/// # Errors
/// [`JournalError::Locked`], [`JournalError::Io`], [`JournalError::Newer`].
pub fn go_on_above(dir: &Path, known: OpId) -> Result<(), JournalError> {
    let _lock = lock_dir(dir)?;
    let mut replayed = replay::replay(dir)?;
    let above = replayed.state.next_op.max(known.0.saturating_add(1));
    replayed.state.next_op = above;
    begin_segment(dir, &RealDisk, &mut replayed);
    if replayed.active.is_none() {
        let failed = io::Error::other("no segment could be begun");
        return Err(JournalError::io("write", dir)(failed));
    }
    Gaps::load(dir, OpId(above)).note(dir, OpId(above));
    Ok(())
}
