//! Opening the journal: read the log's end, start the writer, bring the projection up to it.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::{Arc, Mutex};

use sled::Db;
use tidy_core::operation::{OpId, Operation};

use super::error;
use super::live::{Ids, Live};
use super::projection::{Projection, ProjectionError, Seen, UpTo};
use super::record::{Position, StateChange};
use super::replay::{self, Cut, Reader, Replayed, Visit};
use super::segment::{self, Damage};
use super::writer::{Start, Writer};
use super::{Inner, Journal, JournalError, JournalOptions, disk};

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
    /// The newest operation there was, when the segments that told of it have gone.
    pub lost: Option<OpId>,
    pub projection: ProjectionStart,
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
        let known = projection.newest_of_another_log();
        report.lost = known.filter(|newest| newest.0 >= replayed.state.next_op);
        if let Some(newest) = report.lost {
            // Others remember operations by their numbers (the catalog, people): none is used again.
            replayed.state.next_op = newest.0.saturating_add(1);
        }
        let live = Live::default();
        for op in replayed.open.values() {
            let at = replayed.state.open.get(&op.id).map(|o| o.at).unwrap_or_default();
            live.add(std::slice::from_ref(op), at, false);
        }
        let ids = Ids::starting_at(replayed.state.next_op);
        let writer = Writer::start(Start {
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
            live,
            ids: Mutex::new(ids),
            projection,
            _lock: lock,
        }));
        report.projection = journal.catch_up()?;
        Ok((journal, report))
    }

    /// Reads the whole log. May run while it is written to.
    ///
    /// # Errors
    /// [`JournalError::Io`], [`JournalError::Newer`].
    pub fn verify(&self) -> Result<Verified, JournalError> {
        self.sync()?;
        let numbers = segment::list(&self.0.dir)?;
        let mut reader = Reader::from_start();
        let dir = &self.0.dir;
        replay::read_all(dir, &numbers, Position::default(), &mut reader, &mut replay::Ignore)?;
        Ok(Verified {
            segments: numbers.len(),
            records: reader.records,
            damage: reader.damage,
            skipped: reader.skipped,
        })
    }

    fn catch_up(&self) -> Result<ProjectionStart, JournalError> {
        match self.0.projection.seen(self.0.writer.shared.end()) {
            Ok(seen) => match self.read_on(seen) {
                Ok(count) => Ok(ProjectionStart::CaughtUp(count)),
                Err(e) => {
                    let why = e.to_string();
                    self.rebuild_projection().map(|n| ProjectionStart::Rebuilt(why, n))
                }
            },
            Err(why) => self.rebuild_projection().map(|n| ProjectionStart::Rebuilt(why, n)),
        }
    }

    fn read_on(&self, Seen { at: from, .. }: Seen) -> Result<u64, JournalError> {
        let end = self.0.writer.shared.end();
        let projection = &self.0.projection;
        let mut put = |ops| projection.apply(ops, || UpTo { at: from, end });
        let mut collect = Collect::new(projection, &mut put);
        let numbers = segment::list(&self.0.dir)?;
        replay::read_all(&self.0.dir, &numbers, from, &mut Reader::default(), &mut collect)?;
        let count = collect.finish()?;
        projection.apply(Vec::new(), || self.seen_up_to())?;
        Ok(count)
    }

    /// Builds the projection again from all segments; returns how many operations it holds.
    ///
    /// # Errors
    /// [`JournalError::Io`], or [`JournalError::Projection`] when it cannot be written.
    pub fn rebuild_projection(&self) -> Result<u64, JournalError> {
        let projection = &self.0.projection;
        let mut count = 0;
        projection.rebuild::<JournalError>(|put| {
            // What has been sent before is read; what is sent from now on, its sender puts in,
            // once this has ended.
            self.0.writer.barrier()?;
            let numbers = segment::list(&self.0.dir)?;
            let position = self.seen_up_to();
            let mut collect = Collect::new(projection, put);
            let mut reader = Reader::from_start();
            replay::read_all(
                &self.0.dir,
                &numbers,
                Position::default(),
                &mut reader,
                &mut collect,
            )?;
            count = collect.finish()?;
            Ok(position)
        })?;
        Ok(count)
    }
}

fn lock_dir(dir: &Path) -> Result<File, JournalError> {
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
        lost: None,
        projection: ProjectionStart::CaughtUp(0),
    }
}

impl From<ProjectionError> for JournalError {
    fn from(e: ProjectionError) -> Self {
        match e {
            ProjectionError::Sled(e) if is_no_space(&e) => Self::ProjectionFull,
            e => Self::Projection(e.to_string()),
        }
    }
}

/// sled repeats the first failed write as an error of the same kind.
fn is_no_space(e: &sled::Error) -> bool {
    matches!(e, sled::Error::Io(e) if error::is_no_space(e))
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
