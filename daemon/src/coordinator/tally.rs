//! What the coordinator counts.

use crate::tally::{Counter, Histogram, WAITS};

/// Since the start of the process.
#[derive(Debug)]
pub struct Tally {
    /// From the first look at a file until it was at rest.
    pub settled: Histogram,
    /// From then until it was filed.
    pub filed: Histogram,
    /// Times the watcher heard more than could be remembered: everything was read again.
    pub overflows: Counter,
    /// Times watching failed: the same.
    pub watch_errors: Counter,
    /// Folders that were walked to the end, for whatever reason.
    pub walks: Counter,
    /// Folders that were due to be walked again, though nothing had been heard of them.
    pub reconciles: Counter,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            settled: Histogram::new(WAITS),
            filed: Histogram::new(WAITS_FOR_FILING),
            overflows: Counter::default(),
            watch_errors: Counter::default(),
            walks: Counter::default(),
            reconciles: Counter::default(),
        }
    }
}

/// Mostly a moment; long where much comes at once. In seconds.
const WAITS_FOR_FILING: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
