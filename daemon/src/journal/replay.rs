//! Reading the log: at start from its last checkpoint, or from its first record when anything is off.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use tidy_core::operation::{OpId, OpState, Operation};

use super::JournalError;
use super::disk;
use super::record::{Checkpoint, Position, Record, StateChange};
use super::segment::{self, Damage, HEADER, Listing, Segment};
use super::state::{Effect, LogState};

/// A torn tail that was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    pub at: Position,
    pub bytes: u64,
    /// It is not what a write that was cut short leaves, so something acknowledged may be lost with
    /// it. A copy of the segment is kept as `*.damaged`.
    pub strange: bool,
}

/// What the log holds.
#[derive(Debug)]
pub(super) struct Replayed {
    pub(super) state: LogState,
    /// Every operation that has not ended.
    pub(super) open: BTreeMap<OpId, Operation>,
    pub(super) log: u64,
    pub(super) last_number: u64,
    /// The last segment and its length, when it is sound and may be appended to.
    pub(super) active: Option<(File, u64)>,
    pub(super) segments: usize,
    pub(super) records: u64,
    pub(super) cut: Option<Cut>,
    pub(super) damage: Vec<Damage>,
    pub(super) skipped: u64,
    pub(super) strangers: Vec<(PathBuf, String)>,
    /// Segments that are not there and whose records are missed.
    pub(super) missing: Vec<RangeInclusive<u64>>,
    /// Operations that had not ended and whose intent cannot be read.
    pub(super) unreadable: BTreeSet<OpId>,
    /// Numbers above every one in use that unreadable bytes may have held.
    pub(super) leap: u64,
}

/// Receives operations as they end.
pub(super) trait Visit {
    /// It ended in this stretch of the log, where its intent stands too.
    fn ended(&mut self, op: Operation);
    /// A state for an operation that is not open here.
    fn unmatched(&mut self, change: StateChange);
}

/// Folds records into a state and the open operations.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) state: LogState,
    pub(super) open: BTreeMap<OpId, Operation>,
    pub(super) records: u64,
    pub(super) damage: Vec<Damage>,
    pub(super) skipped: u64,
    /// Operations that a checkpoint calls open and whose intent was not met.
    pub(super) unreadable: BTreeSet<OpId>,
    /// Records may be missing before the next checkpoint: believe it.
    gap: bool,
}

impl Reader {
    /// A reader that begins at the start of the log, of which older segments may have been dropped.
    pub(super) fn from_start() -> Self {
        Self { gap: true, ..Self::default() }
    }

    /// Takes in a segment from an offset on. Returns where its readable part ends.
    pub(super) fn read(&mut self, segment: &Segment, from: u64, visit: &mut dyn Visit) -> u64 {
        if let Some(header) = segment.header {
            self.state.next_op = self.state.next_op.max(header.next_op);
        }
        let scan = segment.scan(from, |at, record| self.take(at, record, visit));
        self.records += scan.records;
        self.gap |= !scan.damage.is_empty();
        self.damage.extend(scan.damage);
        scan.end
    }

    fn take(&mut self, at: Position, record: Record, visit: &mut dyn Visit) {
        match record {
            Record::Intent(op) => {
                if let Some(undone) = op.step.inverse_of {
                    self.had_been_done(undone, &op, at, visit);
                }
                self.state.apply(Effect::of_intent(&op), at);
                self.open.insert(op.id, *op);
            }
            Record::State(change) => self.moved(change, at, visit),
            Record::Checkpoint(checkpoint) => self.checkpoint(&checkpoint, visit),
        }
    }

    /// Only what is done is ever undone: when the end of `undone` could not be read, this tells it.
    fn had_been_done(&mut self, undone: OpId, by: &Operation, at: Position, visit: &mut dyn Visit) {
        if self.open.contains_key(&undone) {
            let mut change = StateChange::plain(undone, OpState::Done, by.time);
            change.landed = by.step.expect;
            self.moved(change, at, visit);
        }
    }

    fn moved(&mut self, change: StateChange, at: Position, visit: &mut dyn Visit) {
        self.unreadable.remove(&change.op);
        if !self.state.apply(Effect::of_state(&change), at) {
            self.skipped += 1;
            visit.unmatched(change);
            return;
        }
        let (id, ended) = (change.op, change.state.is_terminal());
        if let Some(op) = self.open.get_mut(&id) {
            // The fold has allowed it, and has seen the same changes.
            change.replay_on(op);
        }
        if ended && let Some(op) = self.open.remove(&id) {
            visit.ended(op);
        }
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint, visit: &mut dyn Visit) {
        self.state.next_op = self.state.next_op.max(checkpoint.next_op);
        if !std::mem::take(&mut self.gap) {
            return;
        }
        // What ended in the unreadable part has ended; how is lost with it. It must not be taken
        // for open: recovery would judge by files that have long moved on.
        let still: BTreeSet<OpId> = checkpoint.open.iter().map(|o| o.op).collect();
        let lost: Vec<OpId> = self.open.keys().filter(|op| !still.contains(op)).copied().collect();
        for id in lost {
            self.state.open.remove(&id);
            if let Some(mut op) = self.open.remove(&id) {
                op.state = OpState::Unknown;
                op.error = Some("what became of it stood in a damaged part of the journal".into());
                visit.ended(op);
            }
        }
        self.unreadable = still.into_iter().filter(|op| !self.open.contains_key(op)).collect();
        self.state.adopt_counters(checkpoint);
    }
}

/// For when only the end of the log matters.
pub(super) struct Ignore;

impl Visit for Ignore {
    fn ended(&mut self, _: Operation) {}
    fn unmatched(&mut self, _: StateChange) {}
}

/// Repairs the end of the log and reads what is open.
pub(super) fn replay(dir: &Path) -> Result<Replayed, JournalError> {
    let Listing { mut numbers, log, last_number, strangers } = segment::survey(dir)?;
    let tail = repair(dir, &mut numbers)?;
    let mut reader = match tail.last.as_ref().and_then(|last| from_checkpoint(dir, last)) {
        Some(reader) => reader,
        None => from_first(dir, &numbers)?,
    };
    keep_aside(dir, &reader.damage)?;
    // Unreadable bytes may hold numbers that were in use; fewer than there are bytes.
    let leap = tail.cut.map_or(0, |c| c.bytes) + reader.damage.iter().map(|d| d.bytes).sum::<u64>();
    reader.state.next_op = reader.state.next_op.max(tail.next_op).max(1);
    let sound = reader.damage.iter().all(|d| Some(&d.at.segment) != numbers.last());
    Ok(Replayed {
        log: log.unwrap_or_else(draw_log),
        state: reader.state,
        open: reader.open,
        last_number,
        active: tail.file.filter(|_| sound && numbers.last() == Some(&last_number)),
        segments: numbers.len(),
        records: reader.records,
        cut: tail.cut,
        damage: reader.damage,
        skipped: reader.skipped,
        strangers,
        missing: missing(dir, &numbers),
        unreadable: reader.unreadable,
        leap,
    })
}

/// Keeps copies of damaged segments.
pub(super) fn keep_aside(dir: &Path, damage: &[Damage]) -> Result<(), JournalError> {
    for damage in damage {
        let path = segment::path(dir, damage.at.segment);
        disk::keep_aside(&path).map_err(JournalError::io("copy", &path))?;
    }
    Ok(())
}

/// The numbers between segments whose records are missed. A number without a segment is no proof: an
/// attempt to begin one may have failed. What it has to fit is what the segment after it says of
/// all before.
pub(super) fn missing(dir: &Path, numbers: &[u64]) -> Vec<RangeInclusive<u64>> {
    let holes = numbers.windows(2).filter(|pair| pair[0] + 1 < pair[1]);
    let told = holes.filter(|pair| {
        let before = Segment::read(dir, pair[0]).ok();
        let before = before.and_then(|s| from_checkpoint(dir, &s)).map(|r| r.state.ended);
        let after = Segment::read(dir, pair[1]).ok();
        let after = after.and_then(|s| match s.record_at(HEADER as u64)? {
            Record::Checkpoint(c) => Some(c.ended),
            _ => None,
        });
        before.is_none() || before != after
    });
    told.map(|pair| pair[0] + 1..=pair[1] - 1).collect()
}

/// The end of the log, repaired.
#[derive(Default)]
struct Tail {
    last: Option<Segment>,
    file: Option<(File, u64)>,
    cut: Option<Cut>,
    /// From the headers of segments that hold nothing else.
    next_op: u64,
}

/// Cuts the torn tail off the last segment; a segment that holds no record at all goes.
fn repair(dir: &Path, numbers: &mut Vec<u64>) -> Result<Tail, JournalError> {
    let mut tail = Tail::default();
    while let Some(&number) = numbers.last() {
        let path = segment::path(dir, number);
        let segment = Segment::read(dir, number)?;
        let scan = segment.check();
        let torn = segment.len() - scan.end;
        if torn > 0 && scan.tail_is_strange {
            // That may be a damaged disk, not a torn write.
            disk::keep_aside(&path).map_err(JournalError::io("copy", &path))?;
        }
        if scan.records == 0 {
            // Its first record is durable before anything in it is acknowledged.
            tail.next_op = tail.next_op.max(segment.header.map_or(0, |h| h.next_op));
            disk::remove(&path).map_err(JournalError::io("remove", &path))?;
            disk::sync_dir(dir).map_err(JournalError::io("sync", dir))?;
            numbers.pop();
            continue;
        }
        if torn > 0 {
            disk::cut(&path, scan.end).map_err(JournalError::io("cut", &path))?;
            let at = Position { segment: number, offset: scan.end };
            tail.cut = Some(Cut { at, bytes: torn, strange: scan.tail_is_strange });
        }
        // What was read may be in the page cache only: decisions will rest on it, so it has to last.
        let file = disk::reopen(&path).map_err(JournalError::io("open", &path))?;
        file.sync_all().map_err(JournalError::io("sync", &path))?;
        tail.file = Some((file, scan.end));
        tail.last = Some(if torn > 0 { Segment::read(dir, number)? } else { segment });
        break;
    }
    Ok(tail)
}

/// Reads the last segment only; `None` when it does not say all that is needed.
fn from_checkpoint(dir: &Path, last: &Segment) -> Option<Reader> {
    last.header?;
    let Record::Checkpoint(checkpoint) = last.record_at(HEADER as u64)? else { return None };
    let mut reader = Reader::default();
    reader.state.adopt_counters(&checkpoint);
    let mut segment: Option<Segment> = None;
    for open in &checkpoint.open {
        if segment.as_ref().is_none_or(|s| s.number != open.at.segment) {
            segment = Some(Segment::read(dir, open.at.segment).ok()?);
        }
        let Record::Intent(mut op) = segment.as_ref()?.record_at(open.at.offset)? else {
            return None;
        };
        if op.id != open.op {
            return None;
        }
        reader.state.adopt_open(open, &op);
        if open.verified {
            op.state = OpState::Verified;
        }
        reader.open.insert(op.id, *op);
    }
    reader.read(last, 0, &mut Ignore);
    reader.damage.is_empty().then_some(reader)
}

fn from_first(dir: &Path, numbers: &[u64]) -> Result<Reader, JournalError> {
    let mut reader = Reader::from_start();
    read_all(dir, numbers, Position::default(), &mut reader, &mut Ignore)?;
    Ok(reader)
}

/// Reads all segments from a position on; returns where the log ends.
pub(super) fn read_all(
    dir: &Path,
    numbers: &[u64],
    from: Position,
    reader: &mut Reader,
    visit: &mut dyn Visit,
) -> Result<Position, JournalError> {
    let mut end = from;
    let mut previous = None;
    for &number in numbers.iter().filter(|n| **n >= from.segment) {
        // A segment may be missing here.
        reader.gap |= previous.replace(number).is_some_and(|p| p + 1 != number);
        let segment = Segment::read(dir, number)?;
        let offset = if number == from.segment { from.offset } else { 0 };
        let readable = reader.read(&segment, offset, visit);
        if readable < segment.len() && Some(&number) != numbers.last() {
            let bytes = segment.len() - readable;
            let what = "nothing readable up to the end".into();
            reader.damage.push(segment.damage(readable as usize, bytes, what));
            reader.gap = true;
        }
        end = Position { segment: number, offset: readable };
    }
    Ok(end)
}

/// A number for a new log. It only has to differ from that of a log this one replaces.
fn draw_log() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (now.as_nanos() as u64) ^ (u64::from(std::process::id()) << 48)
}
