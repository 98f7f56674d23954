//! Opening the journal: read the log's end, start the writer, bring the projection up to it.

use std::fs::{File, TryLockError};
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use sled::Db;
use tidy_core::operation::{OpId, Operation};

use super::disk::Disk;
use super::gaps::Gaps;
use super::hands::Act;
use super::live::{Ids, Live};
use super::projection::{Projection, ProjectionError, Seen, UpTo};
use super::record::{Position, StateChange};
use super::replay::{self, Cut, Reader, Replayed, Visit};
use super::segment::{self, Damage, Header};
use super::writer::{Start, Writer};
use super::{Inner, Journal, JournalError, JournalOptions, Tally, disk};

/// What opening found.
#[derive(Debug)]
pub struct OpenReport {
    /// Segment files.
    pub segments: usize,
    /// Records read. All of them only when the last checkpoint was not enough.
    pub records: u64,
    /// Operations that have not ended: [`Journal::recover`] settles them.
    pub open: usize,
    /// A torn tail, cut off. Nothing in it had been acknowledged.
    pub cut: Option<Cut>,
    /// Unreadable parts of what was read. A copy of each such segment is kept as `*.damaged`.
    pub damage: Vec<Damage>,
    /// Records that say something of an operation that is not open.
    pub skipped: u64,
    /// Segments that are not there and whose records are missed.
    pub missing: Vec<RangeInclusive<u64>>,
    /// What lies among the segments and is none of this log, and why not. It is left alone.
    pub strangers: Vec<(PathBuf, String)>,
    /// Operations that had not ended and whose intents cannot be read: nobody can settle them.
    pub unreadable: Vec<OpId>,
    /// Operations at the end of the log that others remember and that it does not hold any more.
    pub lost: Option<RangeInclusive<OpId>>,
    pub projection: ProjectionStart,
}

impl OpenReport {
    /// The segments of which something that was on record is not, as far as was read.
    fn with_gaps(&self) -> impl Iterator<Item = u64> {
        let cut = self.cut.filter(|cut| cut.strange).map(|cut| cut.at.segment);
        let damaged = self.damage.iter().map(|d| d.at.segment);
        cut.into_iter().chain(damaged).chain(self.missing.iter().map(|m| *m.end()))
    }
}

/// How the projection was brought up to the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProjectionStart {
    /// By reading on from where it stood; how many operations came in.
    CaughtUp(u64),
    /// From all segments, and why; how many operations came in.
    Rebuilt(String, u64),
}

/// What reading the whole log found.
#[derive(Debug, Default)]
pub struct Verified {
    pub segments: usize,
    pub records: u64,
    pub damage: Vec<Damage>,
    /// Records that say something of an operation that is not open.
    pub skipped: u64,
}

impl Journal {
    /// Opens the journal in `dir`, creating it if there is none, with its projection in `db`.
    ///
    /// # Errors
    /// [`JournalError::Locked`], [`JournalError::Newer`], [`JournalError::Io`], or
    /// [`JournalError::Projection`] when `db` cannot be used at all.
    pub fn open(
        dir: &Path,
        db: &Db,
        options: JournalOptions,
    ) -> Result<(Self, OpenReport), JournalError> {
        disk::create_dir(dir).map_err(JournalError::io("create", dir))?;
        let lock = lock_dir(dir)?;
        let mut replayed = replay::replay(dir)?;
        let projection = Projection::open(db, replayed.log).map_err(JournalError::from)?;
        let mut report = report(&replayed);
        let known = projection.newest_known().max(options.known_elsewhere);
        let next = OpId(replayed.state.next_op);
        report.lost = (known >= next).then_some(next..=known);
        if report.lost.is_some() || replayed.leap > 0 {
            // Others remember operations by their numbers (the catalog, people): none is used again.
            let above = next.0.saturating_add(replayed.leap).max(known.0.saturating_add(1));
            replayed.state.next_op = above;
            if report.lost.is_some() {
                // It has seen more than there is, and that must not be forgotten once the log goes on.
                projection.distrust();
                db.flush().map_err(|e| JournalError::Projection(e.to_string()))?;
            }
            begin_segment(dir, &*options.disk, &mut replayed);
        }
        let live = Live::default();
        for op in replayed.open.values() {
            let at = replayed.state.open.get(&op.id).map(|o| o.at).unwrap_or_default();
            live.add(std::slice::from_ref(op), at, false);
        }
        let next = OpId(replayed.state.next_op);
        let ids = Ids::starting_at(next.0);
        let tally = Arc::<Tally>::default();
        let writer = Writer::start(Start {
            tally: tally.clone(),
            dir: dir.to_owned(),
            disk: options.disk,
            clock: options.clock.clone(),
            // A segment has to hold its checkpoint and then some.
            segment_bytes: options.segment_bytes.clamp(1 << 10, segment::MAX_BYTES / 4),
            log: replayed.log,
            state: replayed.state,
            last_number: replayed.last_number,
            active: replayed.active,
        })
        .map_err(JournalError::io("start a thread for", dir))?;
        let journal = Self(Arc::new(Inner {
            dir: dir.to_owned(),
            clock: options.clock,
            writer,
            act: Act::default(),
            live,
            ids: Mutex::new(ids),
            projection,
            last_put: Mutex::new(None),
            gaps: Gaps::load(dir, next),
            tally,
            _lock: lock,
        }));
        journal.note_gaps(report.with_gaps())?;
        if report.lost.is_some() {
            journal.0.gaps.note(dir, next);
        }
        let (projection, damage) = journal.catch_up()?;
        report.projection = projection;
        let new = |d: &Damage| report.damage.iter().all(|known| known.at != d.at);
        let damage: Vec<Damage> = damage.into_iter().filter(new).collect();
        report.damage.extend(damage);
        Ok((journal, report))
    }

    /// Reads the whole log. May run while it is written to.
    ///
    /// # Errors
    /// [`JournalError::Io`], [`JournalError::Newer`].
    pub fn verify(&self) -> Result<Verified, JournalError> {
        self.sync()?;
        let dir = &self.0.dir;
        let numbers = segment::survey(dir)?.numbers;
        let mut reader = Reader::from_start();
        replay::read_all(dir, &numbers, Position::default(), &mut reader, &mut replay::Ignore)?;
        Ok(Verified {
            segments: numbers.len(),
            records: reader.records,
            damage: reader.damage,
            skipped: reader.skipped,
        })
    }

    fn catch_up(&self) -> Result<(ProjectionStart, Vec<Damage>), JournalError> {
        let why = match self.0.projection.seen(self.0.writer.shared.end()) {
            Ok(seen) if !self.has_been_at(seen.end)? => "it has seen what the log has lost".into(),
            Ok(seen) => match self.read_on(seen) {
                Ok((count, damage)) => return Ok((ProjectionStart::CaughtUp(count), damage)),
                Err(e) => e.to_string(),
            },
            Err(why) => why,
        };
        let (count, damage) = self.read_anew()?;
        Ok((ProjectionStart::Rebuilt(why, count), damage))
    }

    /// Whether the log has been as long as that. A segment that is missing does not count: the
    /// projection may be all that still knows of it.
    fn has_been_at(&self, end: Position) -> Result<bool, JournalError> {
        let numbers = segment::survey(&self.0.dir)?.numbers;
        Ok(numbers.binary_search(&end.segment).is_err()
            || disk::len(&segment::path(&self.0.dir, end.segment))? >= end.offset)
    }

    fn read_on(&self, Seen { at: from, .. }: Seen) -> Result<(u64, Vec<Damage>), JournalError> {
        let end = self.0.writer.shared.end();
        let projection = &self.0.projection;
        let mut put = |ops: Vec<Operation>| projection.apply(&ops, || UpTo { at: from, end });
        let (count, damage) = self.collect(Reader::default(), from, &mut put)?;
        projection.apply(&[], || self.seen_up_to())?;
        Ok((count, damage))
    }

    /// Builds the projection again from all segments; returns how many operations it holds.
    ///
    /// # Errors
    /// [`JournalError::Io`], or [`JournalError::Projection`] when it cannot be written.
    pub fn rebuild_projection(&self) -> Result<u64, JournalError> {
        let (count, damage) = self.read_anew()?;
        for Damage { at, bytes, what } in &damage {
            tracing::warn!(
                segment = at.segment,
                at.offset,
                bytes,
                "the journal is damaged: {what}"
            );
        }
        Ok(count)
    }

    fn read_anew(&self) -> Result<(u64, Vec<Damage>), JournalError> {
        let mut found = (0, Vec::new());
        self.0.projection.rebuild::<JournalError>(|put| {
            // What has been sent before is read; what is sent from now on, its sender puts in,
            // once this has ended.
            self.0.writer.barrier()?;
            let position = self.seen_up_to();
            found = self.collect(Reader::from_start(), Position::default(), put)?;
            Ok(position)
        })?;
        Ok(found)
    }

    /// Reads the log from a position on and puts in what ended; returns how many operations, and what
    /// could not be read.
    fn collect(
        &self,
        mut reader: Reader,
        from: Position,
        put: Put<'_>,
    ) -> Result<(u64, Vec<Damage>), JournalError> {
        let dir = &self.0.dir;
        let mut collect = Collect::new(&self.0.projection, put);
        let numbers = segment::survey(dir)?.numbers;
        replay::read_all(dir, &numbers, from, &mut reader, &mut collect)?;
        replay::keep_aside(dir, &reader.damage)?;
        self.note_gaps(reader.damage.iter().map(|d| d.at.segment))?;
        Ok((collect.finish()?, reader.damage))
    }
}

/// Begins a segment, so that the numbers in use are on disk: those that others remember, or that
/// were cut off, are met nowhere else. When it fails, the first write of this run begins one.
pub(super) fn begin_segment(dir: &Path, disk: &dyn Disk, replayed: &mut Replayed) {
    replayed.active = None;
    replayed.last_number += 1;
    let number = replayed.last_number;
    let header = Header { number, log: replayed.log, next_op: replayed.state.next_op };
    let path = segment::path(dir, number);
    let made = segment::opening(header, &replayed.state.checkpoint())
        .map_err(|e| io::Error::other(e.to_string()))
        .and_then(|bytes| {
            let file = disk.create(&path)?;
            disk.append(&file, &bytes)?;
            disk.sync(&file)?;
            disk::sync_dir(dir)?;
            Ok((file, bytes.len() as u64))
        });
    match made {
        Ok(active) => replayed.active = Some(active),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "the journal cannot be written");
            // Left behind, it is an unfinished segment that the next start removes.
            let _ = disk::remove(&path);
        }
    }
}

pub(super) fn lock_dir(dir: &Path) -> Result<File, JournalError> {
    let path = dir.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(JournalError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::Locked(dir.to_owned())),
        Err(TryLockError::Error(e)) => Err(JournalError::io("lock", &path)(e)),
    }
}

fn report(replayed: &Replayed) -> OpenReport {
    OpenReport {
        segments: replayed.segments,
        records: replayed.records,
        open: replayed.open.len(),
        cut: replayed.cut,
        damage: replayed.damage.clone(),
        skipped: replayed.skipped,
        missing: replayed.missing.clone(),
        strangers: replayed.strangers.clone(),
        unreadable: replayed.unreadable.iter().copied().collect(),
        lost: None,
        projection: ProjectionStart::CaughtUp(0),
    }
}

impl From<ProjectionError> for JournalError {
    fn from(e: ProjectionError) -> Self {
        match e {
            e if e.is_no_space() => Self::ProjectionFull,
            e => Self::Projection(e.to_string()),
        }
    }
}

/// Where operations go, some thousands at a time.
type Put<'a> = &'a mut dyn FnMut(Vec<Operation>) -> Result<(), ProjectionError>;

/// Operations put in at once: enough that their pages and index entries are written once.
const PUT: usize = 4_096;

/// Puts operations into the projection as the log tells of their ends.
struct Collect<'a> {
    projection: &'a Projection,
    put: Put<'a>,
    pending: Vec<Operation>,
    count: u64,
    failed: Option<ProjectionError>,
}

impl<'a> Collect<'a> {
    fn new(projection: &'a Projection, put: Put<'a>) -> Self {
        Self { projection, put, pending: Vec::new(), count: 0, failed: None }
    }

    fn flush(&mut self) {
        let ops = std::mem::take(&mut self.pending);
        self.count += ops.len() as u64;
        if self.failed.is_none() {
            self.failed = (self.put)(ops).err();
        }
    }

    fn finish(mut self) -> Result<u64, ProjectionError> {
        self.flush();
        self.failed.map_or(Ok(self.count), Err)
    }
}

impl Visit for Collect<'_> {
    fn ended(&mut self, op: Operation) {
        self.pending.push(op);
        if self.pending.len() >= PUT {
            self.flush();
        }
    }

    /// Its intent is before the stretch that is read, so it is in the projection, perhaps with an
    /// end that the log then lost and found again.
    fn unmatched(&mut self, change: StateChange) {
        if !change.state.is_terminal() {
            return;
        }
        match self.projection.get(change.op) {
            Ok(Some(mut op)) => {
                change.replay_on(&mut op);
                self.ended(op);
            }
            Ok(None) => {}
            Err(e) => self.failed = self.failed.take().or(Some(e)),
        }
    }
}
