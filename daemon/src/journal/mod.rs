//! journal: the precious part. It orders every change of users' files and can tell all of them.
//!
//! In: a [`Plan`](tidy_core::plan::Plan). Out: its operations, each with what became of it; answers
//! about the past; the operations a rollback has to undo. An intent is durable before `act` touches
//! a file, `done` is written after the directories are.
//!
//! The truth is a log of segment files in one directory; see [`segment`], [`frame`] and [`record_v1`]
//! for the bytes, [`writer`] for how they get there, [`replay`] for how they are read again. What
//! people ask is answered from a projection of it in sled ([`projection`]), which is rebuilt when in doubt.
//!
//! May not know: rules (what they said is data to it), facts, the catalog, the control socket, how `act` does its work.
//! **Invariant:** nothing here or elsewhere ever rewrites a record; what is undone is undone by
//! another operation. Recovery never looks at the projection.

mod batch;
mod chains;
mod check;
mod considered;
mod considered_v1;
mod disk;
mod ends;
mod error;
mod frame;
mod gaps;
mod hands;
mod last_put;
mod live;
mod lookup;
mod outside;
mod pages;
mod past;
mod projection;
mod query;
mod recent;
mod record;
mod record_v1;
mod recover;
mod replay;
mod retention;
mod run;
mod segment;
mod select;
mod start;
mod state;
mod tally;
mod writer;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::work;

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tidy_core::UnixNanos;
use tidy_core::operation::OpId;

pub use check::{IndexCheck, check_index};
pub use error::{JournalError, NotWritten};
pub use outside::{Outside, go_on_above, look, read};
pub use past::{Past, Put};
pub use query::{BatchSummary, Counters, LogFilter};
pub use record::{Position, RuleCounter};
pub use recover::RecoveryReport;
pub use replay::Cut;
pub use retention::{Retained, Retention};
pub use segment::Damage;
pub use select::{Direction, Selection, Selector};
pub use start::{OpenReport, ProjectionStart, Verified};
pub use tally::Tally;

use disk::Disk;
use gaps::Gaps;
use hands::Act;
use last_put::LastPut;
use live::{Ids, Live};
use projection::Projection;
use writer::Writer;

/// What time it is.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> UnixNanos + Send + Sync>);

impl Clock {
    /// Any function that tells the time.
    pub fn new(now: impl Fn() -> UnixNanos + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The system's clock.
    pub fn system() -> Self {
        Self::new(|| {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            // A clock before 1970 is not set at all.
            UnixNanos::default().plus(since.unwrap_or_default())
        })
    }

    fn now(&self) -> UnixNanos {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// How the journal is kept.
#[derive(Debug, Clone)]
pub struct JournalOptions {
    /// A segment that has this many bytes is followed by a new one. Retention drops whole segments,
    /// and a start reads the last one: 4 MiB are about 30,000 records.
    pub segment_bytes: u64,
    pub clock: Clock,
    /// The newest operation that others remember: no number up to it is given out again, whatever
    /// became of the log.
    pub known_elsewhere: OpId,
    disk: Arc<dyn Disk>,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 4 << 20,
            clock: Clock::system(),
            known_elsewhere: OpId(0),
            disk: Arc::new(disk::RealDisk),
        }
    }
}

impl JournalOptions {
    /// As usual, but for the size of new segments, and above numbers that others remember.
    pub fn new(segment_bytes: u64, known_elsewhere: OpId) -> Self {
        Self { segment_bytes, known_elsewhere, ..Self::default() }
    }
}

/// The journal. Cheap to clone; every method may be called from any thread, and most block on the
/// disk: not for an async task. Dropping the last handle makes durable what nobody waited for.
#[derive(Debug, Clone)]
pub struct Journal(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    clock: Clock,
    writer: Writer,
    act: Act,
    live: Live,
    ids: Mutex<Ids>,
    projection: Projection,
    /// Stands in for the projection while it cannot be asked where files were put; built when needed.
    last_put: Mutex<Option<LastPut>>,
    /// Where something of the log is missing or unreadable.
    gaps: Gaps,
    tally: Arc<Tally>,
    /// Held while the journal is open: two writers would break it.
    _lock: File,
}

impl Journal {
    /// Returns once everything appended so far is durable, also what nobody waited for.
    ///
    /// # Errors
    /// [`JournalError::NotWritten`].
    pub fn sync(&self) -> Result<(), JournalError> {
        Ok(self.0.writer.sync()?)
    }

    /// What was counted since the start of the process.
    pub fn tally(&self) -> &Tally {
        &self.0.tally
    }

    /// The directory of the log.
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// Why the last attempt to write failed; `None` again once one has succeeded.
    pub fn trouble(&self) -> Option<NotWritten> {
        self.0.writer.shared.trouble()
    }
}
