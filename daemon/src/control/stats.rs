//! What the control room counts.

use std::time::Duration;

use tidy_protocol::{ErrorCode, Request, Weight};

use crate::tally::{Counter, Gauge, Histogram, MOMENTS, Reading};

/// What happened since the daemon started.
#[derive(Debug, Default)]
pub struct Stats {
    /// Connections that are open and served.
    pub open: Gauge,
    /// Connections accepted, refused ones included.
    pub connections: Counter,
    /// Calls read, refused ones included.
    pub requests: Counter,
    /// Calls answered with an error.
    pub errors: Counter,
    /// The same by code.
    pub codes: Codes,
    /// Calls that wait for others, by weight.
    pub waiting: [Gauge; Weight::ALL.len()],
    /// How long answers took, by method; without those that are mostly waited for.
    pub latencies: Latencies,
    /// Handlers that panicked.
    pub panics: Counter,
    /// Connections refused because there were too many.
    pub over_cap: Counter,
    /// Connections refused because one client had too many.
    pub over_client: Counter,
    /// Connections that lost their place to somebody who had fewer.
    pub displaced: Counter,
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

impl Stats {
    /// A call was answered with an error.
    pub(super) fn failed(&self, code: ErrorCode) {
        self.errors.add();
        if let Some(at) = ErrorCode::ALL.iter().position(|(_, known)| *known == code) {
            self.codes.0[at].add();
        }
    }
}

/// Errors by code.
#[derive(Debug, Default)]
pub struct Codes([Counter; ErrorCode::ALL.len()]);

impl Codes {
    /// Every code with its number.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        ErrorCode::ALL.iter().zip(&self.0).map(|((word, _), counter)| (*word, counter.get()))
    }
}

/// One histogram for each method.
#[derive(Debug)]
pub struct Latencies(Vec<Histogram>);

impl Default for Latencies {
    fn default() -> Self {
        Self(Request::METHODS.iter().map(|_| Histogram::new(MOMENTS)).collect())
    }
}

impl Latencies {
    pub(super) fn observe(&self, method: &str, took: Duration) {
        let at = Request::METHODS.iter().position(|known| *known == method);
        if let Some(histogram) = at.and_then(|at| self.0.get(at)) {
            histogram.observe(took);
        }
    }

    /// The methods that have been asked for.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, Reading)> {
        let all = Request::METHODS.iter().zip(&self.0).map(|(method, h)| (*method, h.read()));
        all.filter(|(_, reading)| reading.count() > 0)
    }
}
