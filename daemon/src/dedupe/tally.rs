//! What the search for copies counts.

use crate::tally::{Counter, Gauge};

/// Since the start of the process.
#[derive(Debug, Default)]
pub struct Tally {
    /// Files that were compared by what was remembered of their content.
    pub remembered: Counter,
    /// Files whose content had to be read; one whose beginning was equal is read again as a whole.
    pub read: Counter,
    /// Files that are being read, or wait for it.
    pub reading: Gauge,
}
