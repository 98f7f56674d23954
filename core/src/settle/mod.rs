//! Settling: when is a file no longer being written?
//!
//! In: sightings (somebody read the directory), the answers of probes (open, `fstat`, read lease),
//! and two clocks as arguments. Out: which paths to probe now, when to ask again, and a [`Verdict`]
//! per probe. May not know: the file system, watchers, what becomes of a settled file.
//!
//! The rule, measured to be right for every writer in `settle/tests.rs`; a file is settled when
//!
//! - it has been **quiet** for `settle`: its ctime is that old by the wall clock, or it has been seen
//!   unchanged for that long by the monotonic clock (so that a ctime in the future cannot block it
//!   for ever). The ctime, not the mtime: `cp -p` and `rsync -t` set the mtime back. An empty file
//!   waits five times as long, because browsers put one under the final name first;
//! - **two samples agree** (a sighting and a probe are two);
//! - **nobody has it open for writing**. Where that cannot be known (network file systems, files of
//!   others, macOS) the two samples must be five times `settle` apart instead.
//!
//! Any change starts the clock again. While somebody writes, probes back off to one a minute; a new
//! sighting brings the next probe forward.

mod siblings;
#[cfg(test)]
mod tests;

pub use siblings::Siblings;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::UnixNanos;
use crate::facts::{FileType, Identity, Stat};

/// How many files may be waiting at once; about 200 bytes each beside their paths.
pub const CAPACITY: usize = 65_536;

/// How much longer an empty file waits, and how far apart two samples must be when writers cannot
/// be known. With the usual `settle` of 2 s: 10 s.
const LONGER: u32 = 5;

/// The longest time between two probes of one file.
const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// The shortest back-off, for a `settle` of (nearly) zero.
const MIN_BACKOFF: Duration = Duration::from_millis(100);

/// Files looked at to find those that are due together.
const GATHERED: usize = 1_024;

/// Probes in a row that may fail before the file is given up until its directory is read again.
const MAX_FAILURES: u8 = 8;

/// A moment on the monotonic clock: nanoseconds since some fixed start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mono(pub u64);

impl Mono {
    /// This moment plus `d`, saturating.
    pub fn plus(self, d: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Who has the file open for writing, as the attempt to take a read lease tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Writers {
    /// The lease was granted.
    Nobody,
    /// `EAGAIN`: a descriptor or a mapping is open for writing.
    Someone,
    /// No lease can be had here: a network file system, a file of another owner, macOS.
    Unknowable,
}

/// What a probe found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// Nothing is there (`ENOENT`, and only that).
    Gone,
    Seen(Stat, Writers),
    /// It could not be looked at.
    Failed,
}

/// What follows from a probe. Only [`Verdict::Wait`] and [`Verdict::Replaced`] keep the file waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may be handled, as long as it still is as this stat says.
    Settled(Stat),
    /// Not yet; it will be due again.
    Wait,
    /// No regular file is there any more.
    Gone,
    /// Another file has taken the name; its own clock has been started.
    Replaced,
    /// It cannot be looked at, again and again; it is forgotten until it is sighted anew.
    GaveUp,
}

/// What became of a sighting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sighted {
    /// It is waiting, and due not before this moment.
    Due(Mono),
    /// There is no room: look at its directory again later.
    Full,
}

/// What must stay the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sample {
    id: Identity,
    ctime: UnixNanos,
    /// A directory that is one thing; what its name says is not taken for a file's.
    directory: bool,
}

impl Sample {
    fn of(stat: &Stat) -> Self {
        let directory = stat.file_type == FileType::Directory;
        Self { id: stat.id, ctime: stat.ctime, directory }
    }
}

#[derive(Debug)]
struct Waiting {
    settle: Duration,
    sample: Sample,
    /// When this very sample was first seen.
    since: Mono,
    backoff: Duration,
    failures: u8,
    /// Its key in the queue.
    slot: Slot,
}

/// Due time, and a ticket that keeps the order of arrival among equals.
type Slot = (Mono, u64);

impl Waiting {
    /// How long it must have been quiet.
    fn need(&self) -> Duration {
        if self.sample.id.size == 0 { longer(self.settle) } else { self.settle }
    }

    /// How long it must still be left alone; zero when it is quiet.
    fn remaining(&self, wall: UnixNanos, mono: Mono) -> Duration {
        let by_ctime = wall.since(self.sample.ctime);
        let by_watching = mono.since(self.since);
        self.need().saturating_sub(by_ctime.max(by_watching))
    }

    fn restart(&mut self, sample: Sample, mono: Mono) {
        self.sample = sample;
        self.since = mono;
    }

    /// The time until the next try, twice as long each time.
    fn back_off(&mut self) -> Duration {
        let wait = self.backoff;
        self.backoff = wait.saturating_mul(2).min(MAX_BACKOFF);
        wait
    }
}

fn longer(settle: Duration) -> Duration {
    settle.saturating_mul(LONGER)
}

fn first_backoff(settle: Duration) -> Duration {
    settle.clamp(MIN_BACKOFF, MAX_BACKOFF)
}

/// The files that are waiting to settle.
#[derive(Debug)]
pub struct Settler {
    capacity: usize,
    files: HashMap<Arc<Path>, Waiting>,
    queue: BTreeMap<Slot, Arc<Path>>,
    next_ticket: u64,
}

impl Default for Settler {
    fn default() -> Self {
        Self::new(CAPACITY)
    }
}

impl Settler {
    /// Room for `capacity` files.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, files: HashMap::new(), queue: BTreeMap::new(), next_ticket: 0 }
    }

    /// How many files are waiting.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Whether the file is waiting.
    pub fn contains(&self, path: &Path) -> bool {
        self.files.contains_key(path)
    }

    /// When the file is looked at next, if it is waiting.
    pub fn due_of(&self, path: &Path) -> Option<Mono> {
        self.files.get(path).map(|file| file.slot.0)
    }

    /// The files that are waiting, in no order.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.keys().map(AsRef::as_ref)
    }

    /// A regular file was seen under this path, as `stat` says. An old, quiet one is due at once.
    pub fn sighted(
        &mut self,
        path: &Path,
        stat: &Stat,
        settle: Duration,
        wall: UnixNanos,
        mono: Mono,
    ) -> Sighted {
        let sample = Sample::of(stat);
        let Some(file) = self.files.get_mut(path) else {
            return self.insert(path, sample, settle, wall, mono);
        };
        file.settle = settle;
        let changed = file.sample != sample;
        if changed {
            file.restart(sample, mono);
            file.backoff = first_backoff(settle);
        }
        let earliest = mono.plus(file.remaining(wall, mono));
        // Something happened to it, so a back-off for a writer may be cut short, but never lengthened.
        let due = if changed { earliest } else { earliest.min(file.slot.0) };
        self.schedule(path, due);
        Sighted::Due(due)
    }

    fn insert(
        &mut self,
        path: &Path,
        sample: Sample,
        settle: Duration,
        wall: UnixNanos,
        mono: Mono,
    ) -> Sighted {
        if self.files.len() >= self.capacity {
            return Sighted::Full;
        }
        let path: Arc<Path> = path.into();
        let mut file = Waiting {
            settle,
            sample,
            since: mono,
            backoff: first_backoff(settle),
            failures: 0,
            slot: (mono, self.next_ticket),
        };
        self.next_ticket += 1;
        let due = mono.plus(file.remaining(wall, mono));
        file.slot.0 = due;
        self.queue.insert(file.slot, path.clone());
        self.files.insert(path, file);
        Sighted::Due(due)
    }

    /// When the next file is due.
    pub fn next_due(&self) -> Option<Mono> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    /// When to probe so that files which become due shortly after one another are probed together: the
    /// due time of the last file of the first such row, in which each follows the one before within
    /// `gap`, and all come within `max` of the first. One file alone does not wait.
    pub fn next_due_together(&self, gap: Duration, max: Duration) -> Option<Mono> {
        // A long row is cut; what is left of it makes the next one.
        let mut row = self.queue.keys().take(GATHERED).map(|(at, _)| *at);
        let first = row.next()?;
        let mut last = first;
        for at in row {
            if at.since(last) > gap || at.since(first) > max {
                break;
            }
            last = at;
        }
        Some(last)
    }

    /// At most `max` files to probe now, longest due first. Each is to be answered by
    /// [`probed`](Self::probed); one that never is comes up again after a minute.
    pub fn due(&mut self, mono: Mono, max: usize) -> Vec<PathBuf> {
        let mut out = Vec::new();
        while out.len() < max
            && let Some((&(at, _), path)) = self.queue.first_key_value()
            && at <= mono
        {
            let path = path.clone();
            self.schedule(&path, mono.plus(MAX_BACKOFF));
            out.push(path.to_path_buf());
        }
        out
    }

    /// The answer of a probe. A path that is not waiting (any more) answers [`Verdict::Gone`].
    pub fn probed(&mut self, path: &Path, probe: Probe, wall: UnixNanos, mono: Mono) -> Verdict {
        let Some(file) = self.files.get_mut(path) else { return Verdict::Gone };
        let (stat, writers) = match probe {
            Probe::Seen(stat, writers)
                if stat.file_type == FileType::Regular
                    || (stat.file_type == FileType::Directory && file.sample.directory) =>
            {
                (stat, writers)
            }
            Probe::Seen(..) | Probe::Gone => return self.leave(path, Verdict::Gone),
            Probe::Failed => {
                file.failures = file.failures.saturating_add(1);
                if file.failures >= MAX_FAILURES {
                    return self.leave(path, Verdict::GaveUp);
                }
                let due = mono.plus(file.back_off());
                self.schedule(path, due);
                return Verdict::Wait;
            }
        };
        file.failures = 0;

        let sample = Sample::of(&stat);
        if file.sample != sample {
            let replaced = !file.sample.id.same_object(&sample.id);
            file.restart(sample, mono);
            // Even when its ctime is old already: this was the first sample, so a second must follow.
            let mut wait = file.remaining(wall, mono);
            if writers == Writers::Someone {
                wait = wait.max(file.back_off());
            }
            self.schedule(path, mono.plus(wait));
            return if replaced { Verdict::Replaced } else { Verdict::Wait };
        }

        let wait = match writers {
            Writers::Someone => file.back_off().max(file.remaining(wall, mono)),
            Writers::Nobody => file.remaining(wall, mono),
            Writers::Unknowable => file
                .remaining(wall, mono)
                .max(longer(file.settle).saturating_sub(mono.since(file.since))),
        };
        if writers != Writers::Someone && wait.is_zero() {
            return self.leave(path, Verdict::Settled(stat));
        }
        self.schedule(path, mono.plus(wait));
        Verdict::Wait
    }

    /// No longer of interest (its root was removed, or it has been handled otherwise).
    pub fn forget(&mut self, path: &Path) {
        if let Some(file) = self.files.remove(path) {
            self.queue.remove(&file.slot);
        }
    }

    fn leave(&mut self, path: &Path, verdict: Verdict) -> Verdict {
        self.forget(path);
        verdict
    }

    fn schedule(&mut self, path: &Path, due: Mono) {
        let Some(file) = self.files.get_mut(path) else { return };
        if let Some(key) = self.queue.remove(&file.slot) {
            file.slot = (due, self.next_ticket);
            self.next_ticket += 1;
            self.queue.insert(file.slot, key);
        }
    }
}
