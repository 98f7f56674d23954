//! The journal thread: one writer, one `fdatasync(2)` for everybody who waits.
//!
//! Requests come through a bounded channel. The thread takes what has queued up while the last sync
//! ran, writes it in one go, syncs once and answers all (group commit). Records that need not be
//! waited for (`done`) ride along with the next sync.
//!
//! **Invariant:** after a failed write or sync nothing is ever appended to that file again: what the
//! kernel still holds of it is not known (`fsync(2)` reports an error once and may then forget it).
//! The callers of that group get the error, and the next group goes to a new segment, which begins
//! with what the failed one may have lost: states that nobody waited for, and an `aborted` for each
//! intent that was refused, because its bytes may be on disk all the same. Until such a segment is
//! durable, every request is refused.

use std::fs::File;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use tidy_core::operation::{OpId, OpState, Operation};

use super::Clock;
use super::disk::{self, Disk};
use super::error::NotWritten;
use super::frame::{self, TooLong};
use super::record::{Position, StateChange};
use super::record_v1;
use super::segment::{self, Header};
use super::state::{Effect, LogState};
use super::tally::Tally;

/// Requests that may wait for the thread. A caller that waits for an answer has one at a time, so
/// this bounds the `done` records that nobody waits for: the sender blocks, nothing is dropped.
const QUEUE: usize = 64;

/// A group ends when it has this many bytes.
const GROUP_BYTES: usize = 1 << 20;

/// Bytes that may be written without a sync, nobody waiting; then one is made all the same.
const UNSYNCED_BYTES: usize = 256 << 10;

/// Encoded records with what each changes.
#[derive(Debug, Default)]
pub(super) struct Frames {
    bytes: Vec<u8>,
    effects: Vec<(Effect, usize)>,
}

impl Frames {
    pub(super) fn intent(&mut self, op: &Operation) -> Result<(), TooLong> {
        self.push(Effect::of_intent(op), |out| record_v1::encode_intent(op, out))
    }

    pub(super) fn state(&mut self, change: &StateChange) -> Result<(), TooLong> {
        self.push(Effect::of_state(change), |out| record_v1::encode_state(change, out))
    }

    fn push(&mut self, effect: Effect, fill: impl FnOnce(&mut Vec<u8>)) -> Result<(), TooLong> {
        let before = self.bytes.len();
        frame::push(&mut self.bytes, fill)?;
        self.effects.push((effect, self.bytes.len() - before));
        Ok(())
    }

    fn extend(&mut self, other: &Self) {
        self.bytes.extend_from_slice(&other.bytes);
        self.effects.extend_from_slice(&other.effects);
    }

    fn intents(&self) -> impl Iterator<Item = OpId> {
        self.effects.iter().filter_map(|(e, _)| match e {
            Effect::Opened(op, _) => Some(*op),
            Effect::Moved { .. } => None,
        })
    }
}

type Answer = SyncSender<Result<(), NotWritten>>;

struct Request {
    frames: Frames,
    /// Whether the answer has to wait for a sync.
    durable: bool,
    /// `None`: nobody waits, and the frames are states that must not get lost.
    answer: Option<Answer>,
}

/// What the thread shares with the rest of the room.
#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<LogState>,
    end: Mutex<Position>,
    trouble: Mutex<Option<NotWritten>>,
}

impl Shared {
    /// The fold over everything written so far.
    pub(super) fn state(&self) -> MutexGuard<'_, LogState> {
        lock(&self.state)
    }

    /// A position that all records sent from now on will be at or after.
    pub(super) fn end(&self) -> Position {
        *lock(&self.end)
    }

    /// The last failure, until a write succeeds.
    pub(super) fn trouble(&self) -> Option<NotWritten> {
        lock(&self.trouble).clone()
    }
}

/// A panic while one of these locks is held leaves a consistent value: each is replaced or folded
/// record by record. So a poisoned lock is entered.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the log stands when the writer starts.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) dir: PathBuf,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) clock: Clock,
    /// Roll when a segment has this many bytes.
    pub(super) segment_bytes: u64,
    pub(super) log: u64,
    pub(super) state: LogState,
    /// The highest segment number in use.
    pub(super) last_number: u64,
    /// The last segment and its length, when it may be appended to.
    pub(super) active: Option<(File, u64)>,
    pub(super) tally: Arc<Tally>,
}

/// The handle to the journal thread. Dropping it syncs what is pending and ends the thread.
#[derive(Debug)]
pub(super) struct Writer {
    requests: Option<SyncSender<Request>>,
    thread: Option<JoinHandle<()>>,
    pub(super) shared: Arc<Shared>,
}

impl Writer {
    pub(super) fn start(start: Start) -> std::io::Result<Self> {
        let len = start.active.as_ref().map_or(0, |(_, len)| *len);
        let shared = Arc::new(Shared {
            state: Mutex::new(start.state),
            end: Mutex::new(Position { segment: start.last_number, offset: len }),
            trouble: Mutex::new(None),
        });
        let (requests, queue) = sync_channel(QUEUE);
        let active = start.active.map(|(file, len)| Active {
            path: segment::path(&start.dir, start.last_number),
            file,
            number: start.last_number,
            len,
        });
        let mut thread = Thread {
            dir: start.dir,
            disk: start.disk,
            clock: start.clock,
            segment_bytes: start.segment_bytes,
            log: start.log,
            last_number: start.last_number,
            active,
            unsynced: Frames::default(),
            carry: Frames::default(),
            shared: shared.clone(),
            tally: start.tally,
        };
        let thread =
            std::thread::Builder::new().name("journal".into()).spawn(move || thread.run(&queue))?;
        Ok(Self { requests: Some(requests), thread: Some(thread), shared })
    }

    /// Appends records; returns once they are durable.
    pub(super) fn append(&self, frames: Frames) -> Result<(), NotWritten> {
        self.ask(frames, true)
    }

    /// Appends states; they become durable with the next sync, and survive a failed one.
    pub(super) fn append_lazy(&self, frames: Frames) -> Result<(), NotWritten> {
        self.send(Request { frames, durable: false, answer: None })
    }

    /// Returns once all that was appended before is durable.
    pub(super) fn sync(&self) -> Result<(), NotWritten> {
        self.ask(Frames::default(), true)
    }

    /// Returns once all that was appended before is folded into [`Shared::state`].
    pub(super) fn barrier(&self) -> Result<(), NotWritten> {
        self.ask(Frames::default(), false)
    }

    fn ask(&self, frames: Frames, durable: bool) -> Result<(), NotWritten> {
        let (answer, wait) = sync_channel(1);
        self.send(Request { frames, durable, answer: Some(answer) })?;
        wait.recv().unwrap_or_else(|_| Err(gone()))
    }

    fn send(&self, request: Request) -> Result<(), NotWritten> {
        let requests = self.requests.as_ref().ok_or_else(gone)?;
        requests.send(request).map_err(|_| gone())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by its own hook; there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

fn gone() -> NotWritten {
    NotWritten::because("the journal thread has ended")
}

#[derive(Debug)]
struct Active {
    path: PathBuf,
    file: File,
    number: u64,
    len: u64,
}

struct Thread {
    dir: PathBuf,
    disk: Arc<dyn Disk>,
    clock: Clock,
    segment_bytes: u64,
    log: u64,
    last_number: u64,
    active: Option<Active>,
    /// States that nobody waits for and that no sync of the active file has covered yet.
    unsynced: Frames,
    /// What the next segment begins with. Bounded: while there is any, no intent is accepted, so
    /// only the operations already in flight can add to it.
    carry: Frames,
    shared: Arc<Shared>,
    tally: Arc<Tally>,
}

impl Thread {
    fn run(&mut self, queue: &Receiver<Request>) {
        while let Ok(first) = queue.recv() {
            let mut bytes = first.frames.bytes.len();
            let mut group = vec![first];
            while bytes < GROUP_BYTES {
                let Ok(next) = queue.try_recv() else { break };
                bytes += next.frames.bytes.len();
                group.push(next);
            }
            self.commit(group);
        }
        // When the first try fails, the second goes to a new segment.
        for _ in 0..2 {
            self.commit(vec![Request { frames: Frames::default(), durable: true, answer: None }]);
        }
    }

    fn commit(&mut self, group: Vec<Request>) {
        let result = self.write(&group);
        match &result {
            Ok(()) => *lock(&self.shared.trouble) = None,
            Err(e) => {
                if lock(&self.shared.trouble).replace(e.clone()).is_none() {
                    tracing::error!(error = %e, "the journal cannot be written");
                }
            }
        }
        for answer in group.into_iter().filter_map(|r| r.answer) {
            // A caller that no longer waits does not need to know.
            let _ = answer.send(result.clone());
        }
    }

    fn write(&mut self, group: &[Request]) -> Result<(), NotWritten> {
        let nothing = group.iter().all(|r| r.frames.bytes.is_empty());
        if nothing && self.carry.bytes.is_empty() && self.unsynced.bytes.is_empty() {
            return Ok(());
        }
        if let Err(e) = self.make_ready() {
            self.keep_states(group);
            return Err(e);
        }
        let written = self.append(group).and_then(|()| {
            let wanted = group.iter().any(|r| r.durable);
            if wanted || self.unsynced.bytes.len() > UNSYNCED_BYTES { self.sync() } else { Ok(()) }
        });
        if written.is_err() {
            self.abandon();
            self.abort_intents(group);
        }
        written
    }

    /// Sees to it that there is a segment to append to.
    fn make_ready(&mut self) -> Result<(), NotWritten> {
        if let Some(active) = self.active.as_ref().filter(|a| self.disk.is_removed(&a.file)) {
            tracing::error!(
                segment = %active.path.display(),
                "the journal's file was removed while it is in use: what it told cannot be put back after a restart"
            );
            self.abandon();
        }
        if self.active.as_ref().is_some_and(|a| a.len >= self.segment_bytes) {
            if let Err(e) = self.sync() {
                self.abandon();
                return Err(e);
            }
            self.new_segment()
        } else if self.active.is_none() {
            self.new_segment()
        } else {
            Ok(())
        }
    }

    /// Begins a segment: header, checkpoint, and what the last one may have lost.
    fn new_segment(&mut self) -> Result<(), NotWritten> {
        // Also when it fails: a file that could not be removed must not block the next try.
        self.last_number += 1;
        let number = self.last_number;
        let path = segment::path(&self.dir, number);
        let (mut bytes, checkpoint_end) = self.opening(number)?;
        bytes.extend_from_slice(&self.carry.bytes);
        let fail = |action, e| NotWritten::new(action, &path, &e);
        let file = self.disk.create(&path).map_err(|e| fail("create", e))?;
        let made = (self.disk.append(&file, &bytes).map_err(|e| fail("write", e)))
            .and_then(|()| self.disk.sync(&file).map_err(|e| fail("sync", e)))
            .and_then(|()| disk::sync_dir(&self.dir).map_err(|e| fail("sync the directory of", e)));
        if let Err(e) = made {
            // Best effort: left behind, it is an unfinished segment that the next start cuts.
            let _ = disk::remove(&path);
            return Err(e);
        }
        let carry = std::mem::take(&mut self.carry);
        self.fold(carry.effects, Position { segment: number, offset: checkpoint_end });
        self.active = Some(Active { path, file, number, len: bytes.len() as u64 });
        self.publish_end();
        Ok(())
    }

    /// Header and checkpoint, and where they end.
    fn opening(&self, number: u64) -> Result<(Vec<u8>, u64), NotWritten> {
        let state = self.shared.state();
        let header = Header { number, log: self.log, next_op: state.next_op };
        let bytes = segment::opening(header, &state.checkpoint())
            .map_err(|e| NotWritten::because(&e.to_string()))?;
        let end = bytes.len() as u64;
        Ok((bytes, end))
    }

    fn append(&mut self, group: &[Request]) -> Result<(), NotWritten> {
        let Some(active) = &mut self.active else { return Err(gone()) };
        let mut bytes = Vec::with_capacity(group.iter().map(|r| r.frames.bytes.len()).sum());
        for request in group {
            bytes.extend_from_slice(&request.frames.bytes);
            if request.answer.is_none() {
                self.unsynced.extend(&request.frames);
            }
        }
        let at = Position { segment: active.number, offset: active.len };
        if let Err(e) = self.disk.append(&active.file, &bytes) {
            // A part of it may be there. Nobody was told that it is, so it can go, and the log
            // stays readable; where even this fails, the next start reports a bad frame.
            let _ = disk::cut(&active.path, active.len);
            return Err(NotWritten::new("write", &active.path, &e));
        }
        active.len += bytes.len() as u64;
        self.fold(group.iter().flat_map(|r| r.frames.effects.iter().cloned()), at);
        self.publish_end();
        Ok(())
    }

    fn sync(&mut self) -> Result<(), NotWritten> {
        let Some(active) = &self.active else { return Err(gone()) };
        let begun = Instant::now();
        self.disk.sync(&active.file).map_err(|e| NotWritten::new("sync", &active.path, &e))?;
        if self.disk.is_removed(&active.file) {
            let gone = std::io::ErrorKind::NotFound.into();
            return Err(NotWritten::new("find", &active.path, &gone));
        }
        self.tally.synced.observe(begun.elapsed());
        self.unsynced = Frames::default();
        Ok(())
    }

    /// Never touches the active file again.
    fn abandon(&mut self) {
        self.active = None;
        let unsynced = std::mem::take(&mut self.unsynced);
        self.carry.extend(&unsynced);
    }

    /// Saves the states that nobody waits for, when there is no file to write them to.
    fn keep_states(&mut self, group: &[Request]) {
        for request in group.iter().filter(|r| r.answer.is_none()) {
            self.carry.extend(&request.frames);
        }
    }

    /// The callers were told that nothing is journaled; the log has to say so too.
    fn abort_intents(&mut self, group: &[Request]) {
        let now = self.clock.now();
        for op in group.iter().flat_map(|r| r.frames.intents()) {
            let mut change = StateChange::plain(op, OpState::Aborted, now);
            change.error = Some("the journal could not be written".into());
            // Far shorter than a frame may be.
            let _ = self.carry.state(&change);
        }
    }

    fn fold(&self, effects: impl IntoIterator<Item = (Effect, usize)>, mut at: Position) {
        let mut state = self.shared.state();
        for (effect, len) in effects {
            state.apply(effect, at);
            at.offset += len as u64;
        }
    }

    fn publish_end(&self) {
        if let Some(a) = &self.active {
            *lock(&self.shared.end) = Position { segment: a.number, offset: a.len };
        }
    }
}
