//! Counters of the control room.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Its value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// What happened since the daemon started.
#[derive(Debug, Default)]
pub struct Stats {
    /// Connections accepted, refused ones included.
    pub connections: Counter,
    /// Calls read, refused ones included.
    pub requests: Counter,
    /// Calls answered with an error.
    pub errors: Counter,
    /// Handlers that panicked.
    pub panics: Counter,
    /// Connections refused because there were too many.
    pub over_cap: Counter,
    /// Connections refused because one client had too many.
    pub over_client: Counter,
    /// Calls that change something, refused on the socket for looking.
    pub only_looking: Counter,
    /// Connections refused because of who asked.
    pub strangers: Counter,
    /// Connections closed for their hello: none in time, or another version.
    pub bad_hellos: Counter,
    /// Connections closed for a frame that was too long, too slow, cut short or not the CBOR expected.
    pub malformed: Counter,
    /// Calls refused because too many came at once.
    pub over_rate: Counter,
    /// Calls refused because too many were in flight.
    pub over_in_flight: Counter,
    /// Connections cut off because they did not read.
    pub unread: Counter,
    /// Connections closed because nothing was asked.
    pub idle: Counter,
    /// Times a subscriber was too slow and was sent the full state again.
    pub lags: Counter,
}
