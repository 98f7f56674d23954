//! Limits, and the bucket that enforces the rate.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// What a client may do. The defaults are part of `docs/protocol.md`.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// Connections over that number that are told so before they are closed, at a time.
    pub farewells: usize,
    /// Calls in flight on one connection.
    pub in_flight: usize,
    /// Calls in flight on all of them together. A call takes up to about 4 MB (its frame, and its parameters as
    /// a tree), and its answer, which counts until it is being written, up to 16 MiB.
    pub in_flight_overall: usize,
    /// Frames waiting to be written to one connection.
    pub queued: usize,
    /// Calls a second on one connection, in the long run.
    pub rate: u32,
    /// Calls that may come at once.
    pub burst: u32,
    /// How long a client may take to say hello.
    pub hello: Duration,
    /// How long a frame may take from its first byte to its last.
    pub frame: Duration,
    /// How long one frame may take to be written.
    pub write: Duration,
    /// How long a connection may stay open with nothing in flight.
    pub idle: Duration,
    /// The shortest time between two progress events of one followed job.
    pub progress: Duration,
    /// How long calls in flight may go on once the daemon is stopping.
    pub grace: Duration,
    /// How long the rest of what a refused client sends is read and thrown away, so that it can finish
    /// writing and see why it was refused.
    pub linger: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            farewells: 64,
            in_flight: 16,
            in_flight_overall: 512,
            queued: 64,
            rate: 2_000,
            burst: 4_000,
            hello: Duration::from_secs(5),
            frame: Duration::from_secs(30),
            write: Duration::from_secs(10),
            idle: Duration::from_secs(600),
            progress: Duration::from_millis(50),
            grace: Duration::from_millis(250),
            linger: Duration::from_secs(1),
        }
    }
}

/// The place of a call among those in flight; given back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    _here: OwnedSemaphorePermit,
    _overall: OwnedSemaphorePermit,
}

impl Slot {
    /// A place on the connection and overall, or which of the two is missing.
    pub(super) fn take(
        here: &Arc<Semaphore>,
        overall: &Arc<Semaphore>,
    ) -> Result<Self, &'static str> {
        let from = |these: &Arc<Semaphore>| these.clone().try_acquire_owned();
        Ok(Self {
            _here: from(here).map_err(|_| "too many calls in flight")?,
            _overall: from(overall).map_err(|_| "too many calls in flight on all connections")?,
        })
    }
}

/// A token bucket: `burst` calls at once, `rate` a second in the long run.
#[derive(Debug)]
pub(super) struct Bucket {
    tokens: f64,
    burst: f64,
    rate: f64,
    filled: Instant,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(limits: &Limits, now: Instant) -> Self {
        let burst = f64::from(limits.burst.max(1));
        Self { tokens: burst, burst, rate: f64::from(limits.rate.max(1)), filled: now }
    }

    /// Takes one token, or says how long until there is one.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = now;
        self.tokens = (self.tokens + passed * self.rate).min(self.burst);
        if self.tokens < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - self.tokens) / self.rate));
        }
        self.tokens -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_lets_a_burst_through_and_then_the_rate() {
        let limits = Limits { rate: 10, burst: 3, ..Limits::default() };
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut bucket = Bucket::new(&limits, start);
        for _ in 0..3 {
            bucket.take(at(0)).unwrap();
        }
        assert_eq!(bucket.take(at(0)).unwrap_err().as_millis(), 100);
        assert!(bucket.take(at(90)).is_err());
        bucket.take(at(101)).unwrap();
        assert!(bucket.take(at(101)).is_err());
        // An hour of silence saves up no more than the burst.
        let passed = (0..10).filter(|_| bucket.take(at(3_600_000)).is_ok()).count();
        assert_eq!(passed, 3);
        // A clock that stands still or goes back gives nothing.
        assert!(bucket.take(at(5)).is_err());
    }
}
