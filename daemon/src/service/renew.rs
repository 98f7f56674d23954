//! A new process, once there is room for the index again.
//!
//! After a failed write sled takes nothing more until it is opened again (0.34.7). Files are filed all the same, but what
//! was done cannot be listed nor put back. So where a service manager is at hand to start it again, the service ends as
//! soon as the index fits on the disk.

use std::path::PathBuf;
use std::time::Duration;

use super::health;
use crate::journal::Journal;

/// Between two looks at the disk.
const EVERY: Duration = Duration::from_secs(10);

/// Less than this is taken for full, in bytes.
const LEAST: u64 = 4 << 20;

pub(super) struct Renew {
    store: sled::Db,
    state: PathBuf,
    /// When the disk was looked at last, on the clock that never goes back.
    looked: Duration,
    /// There was too little room when it was looked at. A quota, for one, does not show like that: then nothing tells when
    /// another process could do better.
    was_full: bool,
}

impl Renew {
    pub(super) fn new(store: sled::Db, state: PathBuf) -> Self {
        Self { store, state, looked: Duration::ZERO, was_full: false }
    }

    /// When to look again, if there is anything to look for.
    pub(super) fn interval(journal: &Journal) -> Option<Duration> {
        journal.wants_room().then_some(EVERY)
    }

    /// Whether a new process would have what this one has not.
    pub(super) fn is_due(&mut self, journal: &Journal, now: Duration) -> bool {
        if !journal.wants_room() || now.saturating_sub(self.looked) < EVERY {
            return false;
        }
        self.looked = now;
        let Some(free) = health::free(&self.state) else { return false };
        let has_room = free >= self.store.size_on_disk().unwrap_or(0).max(LEAST);
        self.was_full |= !has_room;
        has_room && self.was_full
    }
}
