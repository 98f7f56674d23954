//! Forgetting what is older than the configuration keeps: after the start, and once a day.
//!
//! A clock that is years ahead would have all of it forgotten, and nothing could be put back any more. Many a machine starts with a
//! wrong clock and sets it as soon as there is a network; so a start that finds itself long after everything on record believes
//! that only when it has run for a day.

use std::time::Duration;

use tidy_config::JournalConfig;
use tidy_core::UnixNanos;

use crate::coordinator::Pending;
use crate::journal::{Journal, Retention};
use crate::telemetry::clock::Clock;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What is in effect can be put back for so long, whatever the configuration says.
const UNDO_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// Longer than this after the last operation a start does not take the clock at its word.
const BELIEVED: Duration = Duration::from_secs(7 * 24 * 3600);

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
    /// Nothing is forgotten before, whatever the configuration becomes.
    not_before: Duration,
}

impl Retain {
    /// Before anything is done that would be newer than all that is on record.
    pub(super) fn at_start(config: JournalConfig, journal: &Journal, clock: &dyn Clock) -> Self {
        // Without an index nothing is forgotten anyway.
        let newest =
            journal.batches(None, 1).ok().and_then(|batches| batches.first().map(|b| b.time));
        Self::starting(config, newest, clock.wall(), clock.mono())
    }

    /// `newest` is the time of the newest operation on record, `wall` and `mono` are now.
    fn starting(
        config: JournalConfig,
        newest: Option<UnixNanos>,
        wall: UnixNanos,
        mono: Duration,
    ) -> Self {
        let leapt = newest.is_some_and(|newest| wall.minus(BELIEVED) > newest);
        if leapt {
            tracing::info!(
                "the clock is more than a week ahead of everything on record; the journal is not shortened before tomorrow, in case the clock is wrong"
            );
        }
        let not_before = if leapt { mono + DAY } else { Duration::ZERO };
        Self { config, next: not_before, not_before }
    }

    /// Another configuration is in force: it applies at once.
    pub(super) fn replace(&mut self, config: JournalConfig) {
        if self.config != config {
            *self = Self { config, next: self.not_before, ..*self };
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

#[cfg(test)]
mod tests {
    use super::*;

    const STARTED: Duration = Duration::from_secs(100);

    fn days(n: u64) -> Duration {
        DAY * u32::try_from(n).unwrap()
    }

    fn config(keep: u64) -> JournalConfig {
        JournalConfig { keep: days(keep), ..JournalConfig::default() }
    }

    /// Started so many days after the newest operation.
    fn started(after: u64) -> Retain {
        let newest = UnixNanos(1_700_000_000_000_000_000);
        Retain::starting(config(365), Some(newest), newest.plus(days(after)), STARTED)
    }

    fn busy() -> Pending {
        Pending { in_flight: 1, ..Pending::default() }
    }

    #[test]
    fn it_is_due_at_the_start_when_all_is_quiet_and_then_once_a_day() {
        let empty = Retain::starting(config(365), None, UnixNanos(i64::MAX), STARTED);
        for mut retain in [started(0), started(6), empty] {
            assert!(!retain.is_due(STARTED, busy()));
            assert!(retain.is_due(STARTED, Pending::default()));
            assert!(!retain.is_due(STARTED + DAY / 2, Pending::default()));
            assert!(retain.is_due(STARTED + DAY, Pending::default()));
        }
    }

    #[test]
    fn a_clock_that_has_leapt_is_not_believed_for_a_day() {
        let mut retain = started(800);
        assert!(!retain.is_due(STARTED, Pending::default()));
        retain.replace(config(90));
        assert!(!retain.is_due(STARTED + DAY / 2, Pending::default()), "not by a reload either");
        assert!(retain.is_due(STARTED + DAY, Pending::default()));
    }

    #[test]
    fn another_configuration_applies_at_once() {
        let mut retain = started(1);
        assert!(retain.is_due(STARTED, Pending::default()));
        retain.replace(config(365));
        assert!(!retain.is_due(STARTED, Pending::default()), "it is the same");
        retain.replace(config(90));
        assert!(retain.is_due(STARTED, Pending::default()));
    }
}
