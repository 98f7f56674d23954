//! Forgetting what is older than the configuration keeps: after the start, and once a day.

use std::time::Duration;

use tidy_config::JournalConfig;

use crate::coordinator::Pending;
use crate::journal::{Journal, Retention};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What is in effect can be put back for so long, whatever the configuration says.
const UNDO_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// A segment of the journal, as a part of all that is kept, and how large and small it may be: only
/// whole segments are dropped, and a start reads one.
const SEGMENTS: u64 = 16;
const SEGMENT_BYTES: std::ops::RangeInclusive<u64> = 4 << 10..=4 << 20;

/// How large a segment is that goes with a configuration.
pub(super) fn segment_bytes(config: JournalConfig) -> u64 {
    (config.at_most / SEGMENTS).clamp(*SEGMENT_BYTES.start(), *SEGMENT_BYTES.end())
}

/// When the journal was last shortened, and how far.
pub(super) struct Retain {
    config: JournalConfig,
    /// On the clock that never goes back.
    next: Duration,
}

impl Retain {
    pub(super) fn new(config: JournalConfig) -> Self {
        Self { config, next: Duration::ZERO }
    }

    /// Another configuration is in force: it applies at once.
    pub(super) fn replace(&mut self, config: JournalConfig) {
        if self.config != config {
            *self = Self::new(config);
        }
    }

    /// Whether it is time, and nothing else is being done.
    pub(super) fn is_due(&mut self, now: Duration, pending: Pending) -> bool {
        let due = now >= self.next && pending.dirty == 0 && pending.in_flight == 0;
        if due {
            self.next = now + DAY;
        }
        due
    }

    pub(super) fn config(&self) -> JournalConfig {
        self.config
    }
}

/// Shortens the journal. What fails is told in the log and tried again the next time.
pub(super) fn shorten(journal: &Journal, config: JournalConfig) {
    let JournalConfig { keep, at_most } = config;
    let policy = Retention { max_age: keep, max_bytes: at_most, undo_for: UNDO_FOR };
    match journal.retain(&policy) {
        Ok(dropped) if dropped.segments == 0 => {}
        Ok(dropped) => tracing::info!(
            files = dropped.segments,
            bytes = dropped.bytes,
            "the journal was shortened by what is older than the configuration keeps"
        ),
        Err(error) => tracing::warn!(%error, "the journal could not be shortened"),
    }
}
