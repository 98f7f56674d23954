//! Limits, and the bucket that enforces the rate.

use std::sync::Arc;
use std::time::Duration;

use tidy_protocol::Weight;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::lanes::Places;
use super::pool::{Place, Pool};

/// What a client may do. The defaults are part of `docs/protocol.md`.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at a time ([`super::seats`]).
    pub connections: usize,
    /// Connections of one client (a process).
    pub client_connections: usize,
    /// How long the only connection of a client keeps its place whoever comes.
    pub fresh: Duration,
    /// The same once it has its answers and asks nothing more.
    pub answered: Duration,
    /// Connections over that number that are told so before they are closed, at a time; and those that lose their place.
    pub farewells: usize,
    /// Calls in flight on one connection.
    pub in_flight: usize,
    /// Calls in flight of one client, on all of its connections.
    pub client_in_flight: usize,
    /// Calls in flight that a client may have whatever others have.
    pub few_in_flight: usize,
    /// Calls that are being worked on, by weight; the others in flight wait ([`super::lanes`]).
    pub at_work: [Places; Weight::ALL.len()],
    /// How long work that nobody waits for any more keeps its place.
    pub abandoned: Duration,
    /// Calls in flight on all of them together. A call takes up to about 4 MB (its frame, and its parameters as
    /// a tree), and its answer, which counts until it is being written, up to 16 MiB.
    pub in_flight_overall: usize,
    /// Frames of more than 64 KiB that are being read, or belong to calls in flight: KiB of all of them together.
    pub frames_kib: usize,
    /// Answers of more than 64 KiB on their way to one client: KiB of all of them together.
    pub client_answers_kib: usize,
    /// Frames waiting to be written to one connection.
    pub queued: usize,
    /// Calls a second on one connection, in the long run.
    pub rate: u32,
    /// Calls that may come at once.
    pub burst: u32,
    /// Calls of one client in any second, on all of its connections.
    pub client_rate: u32,
    /// Calls of all clients in any second.
    pub overall_rate: u32,
    /// Calls of one client in any second that are let through whatever others ask.
    pub few_a_second: u32,
    /// How long a connection is not read at most when it asked too often: telling a flood that it is one costs, too.
    pub penalty: Duration,
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
        // What goes through everything takes a processor, or two.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let heavy = Places { overall: cores.max(4), each: (cores / 2).max(2) };
        Self {
            connections: 320,
            client_connections: 224,
            fresh: Duration::from_secs(1),
            answered: Duration::from_millis(100),
            farewells: 64,
            in_flight: 16,
            client_in_flight: 256,
            few_in_flight: 4,
            at_work: [Places { overall: 16, each: 4 }, heavy, heavy],
            abandoned: Duration::from_secs(30),
            in_flight_overall: 512,
            frames_kib: 32 << 10,
            client_answers_kib: 32 << 10,
            queued: 64,
            rate: 2_000,
            burst: 4_000,
            client_rate: 10_000,
            overall_rate: 20_000,
            few_a_second: 50,
            penalty: Duration::from_millis(50),
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
    _here: Place,
    _client: Place,
    /// `None`: one of the few of its client, for which there is always a place.
    _overall: Option<Place>,
    /// The place of its frame, where that was large.
    _frame: Option<OwnedSemaphorePermit>,
}

impl Slot {
    /// A place on the connection, of the client and overall, or which of them is missing, and for how long. Whoever has few in
    /// flight is served, however much others have: that is a few calls more for each client, of which there are no more than
    /// connections.
    pub(super) fn take(
        limits: &Limits,
        here: &Arc<Pool>,
        client: &Arc<Pool>,
        overall: &Arc<Pool>,
        frame: Option<OwnedSemaphorePermit>,
    ) -> Result<Self, (&'static str, Duration)> {
        let from = |these: &Arc<Pool>, what| these.take().ok_or_else(|| (what, these.next()));
        // Last, the places of others: what is refused took none of them.
        let here = from(here, "too many calls in flight")?;
        let own = match from(client, "too many calls of this program in flight") {
            Ok(own) => own,
            Err(full) => {
                here.unused();
                return Err(full);
            }
        };
        let shared = match from(overall, "too many calls in flight on all connections") {
            Ok(place) => Some(place),
            Err(_) if client.taken() <= limits.few_in_flight => None,
            Err(full) => {
                here.unused();
                own.unused();
                return Err(full);
            }
        };
        Ok(Self { _here: here, _client: own, _overall: shared, _frame: frame })
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

/// At most so many calls in any second: the calls of the second at hand, and of the one before as far as it still lies
/// within a second from now, taken as spread evenly. Two numbers, whatever the rate.
#[derive(Debug)]
pub(super) struct Window {
    limit: f64,
    /// When the second at hand began.
    since: Instant,
    before: f64,
    now: f64,
}

const SECOND: Duration = Duration::from_secs(1);

impl Window {
    /// Nobody has called yet.
    pub(super) fn new(limit: u32, now: Instant) -> Self {
        Self { limit: f64::from(limit.max(1)), since: now, before: 0.0, now: 0.0 }
    }

    /// About how many calls there were in the second until now.
    pub(super) fn count(&self, at: Instant) -> f64 {
        let passed = at.saturating_duration_since(self.since).as_secs_f64();
        let before = if passed < 1.0 { self.before } else { 0.0 };
        if passed < 2.0 { self.now + before * (1.0 - passed).max(0.0) } else { 0.0 }
    }

    /// Counts one call, or says how long until there is room for one.
    pub(super) fn take(&mut self, at: Instant) -> Result<(), Duration> {
        let passed = at.saturating_duration_since(self.since);
        if passed >= SECOND {
            self.before = if passed < 2 * SECOND { self.now } else { 0.0 };
            self.now = 0.0;
            self.since += Duration::from_secs(passed.as_secs());
        }
        let into = at.saturating_duration_since(self.since).as_secs_f64();
        if self.before * (1.0 - into) + self.now + 1.0 > self.limit {
            let room = self.limit - 1.0 - self.now;
            // When so much of the second before has gone; where that is not enough, when this one has.
            let free =
                if room >= 0.0 && self.before > 0.0 { 1.0 - room / self.before } else { 1.0 };
            return Err(Duration::from_secs_f64((free - into).clamp(0.001, 1.0)));
        }
        self.now += 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_few_in_flight_is_served() {
        let limits = Limits { client_in_flight: 4, few_in_flight: 1, ..Limits::default() };
        let (overall, here) = (Pool::new(2), Pool::new(9));
        let take = |client: &Arc<Pool>| Slot::take(&limits, &here, client, &overall, None);
        let (busy, other) = (Pool::new(4), Pool::new(4));
        let first: Vec<Slot> = (0..2).map(|_| take(&busy).unwrap()).collect();
        assert_eq!(take(&busy).unwrap_err().0, "too many calls in flight on all connections");
        let only = take(&other).unwrap();
        assert!(take(&other).is_err(), "a second one is in flight beside another");
        drop(only);
        assert!(take(&other).is_ok());
        drop(first);
        let all: Vec<Slot> = (0..2).map(|_| take(&other).unwrap()).collect();
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn a_window_slides() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut window = Window::new(100, start);
        let mut taken = |ms, n: usize| (0..n).filter(|_| window.take(at(ms)).is_ok()).count();
        assert_eq!(taken(0, 150), 100);
        assert_eq!(taken(999, 10), 0, "the second is not over");
        // Half of the second before has gone.
        assert!((49..=50).contains(&taken(1_500, 150)));
        assert_eq!(taken(1_501, 10), 0);
        assert_eq!(taken(10_000, 150), 100, "silence saves nothing up");
        let wait = window.take(at(10_250)).unwrap_err();
        assert!((700..=750).contains(&wait.as_millis()), "{wait:?}");
        window.take(at(11_250)).unwrap();
        assert!(window.take(start).is_err(), "a clock that goes back gives nothing");
    }

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
