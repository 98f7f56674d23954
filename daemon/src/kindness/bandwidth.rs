//! A limit on what is read in a second, shared by all threads that work unasked.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What may be read at once after a pause: as much as in this time. A file of usual size is read without a stop.
const BURST: Duration = Duration::from_millis(250);

/// The limit in force, and how far it is used up.
static LIMIT: Mutex<Option<(Bandwidth, Instant)>> = Mutex::new(None);

/// Sets the limit for the process, in bytes a second; `None`: there is none.
pub fn limit(rate: Option<u64>) {
    let mut limit = LIMIT.lock().unwrap_or_else(PoisonError::into_inner);
    if limit.as_ref().map(|(bandwidth, _)| bandwidth.rate) != rate {
        *limit = rate.map(|rate| (Bandwidth::new(rate), Instant::now()));
    }
}

/// Waits until so many bytes might have been read.
pub(super) fn wait_for(bytes: usize) {
    let wait = {
        let mut limit = LIMIT.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((bandwidth, since)) = &mut *limit else { return };
        bandwidth.take(bytes as u64, since.elapsed())
    };
    if !wait.is_zero() {
        std::thread::sleep(wait);
    }
}

/// Bytes a second. Who takes more than there is gets it, and waits until it would have been there, so that the rate holds
/// whatever the sizes are, and threads wait in the order in which they came.
#[derive(Debug, Clone)]
struct Bandwidth {
    rate: u64,
    /// When all that was taken so far has been earned, from the beginning.
    paid: Duration,
}

impl Bandwidth {
    /// Nothing taken yet. A rate of 0 counts as 1.
    fn new(rate: u64) -> Self {
        Self { rate, paid: Duration::ZERO }
    }

    /// Takes so many bytes at `now`, a time since the beginning; returns how long to wait before they are read.
    fn take(&mut self, bytes: u64, now: Duration) -> Duration {
        let cost = bytes as f64 / self.rate.max(1) as f64;
        let start = self.paid.max(now.saturating_sub(BURST));
        // A day is as good as for ever, and a `Duration` has an end.
        self.paid = start + Duration::from_secs_f64(cost.min(86_400.0));
        self.paid.saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn what_is_read_in_the_long_run_is_what_may_be() {
        for piece in [1, 1_000, 128 << 10, 3 << 20] {
            let mut bandwidth = Bandwidth::new(1 << 20);
            let (mut now, mut read) = (Duration::ZERO, 0);
            while now < 60_000 * MS {
                now += bandwidth.take(piece, now);
                read += piece;
                // The reading itself takes no time here, which is the hardest case.
                now += Duration::from_micros(1);
            }
            let rate = read as f64 / now.as_secs_f64() / f64::from(1 << 20);
            assert!((0.9..1.02).contains(&rate), "{piece}: {rate}");
        }
    }

    #[test]
    fn after_a_pause_a_little_comes_at_once_and_no_more() {
        let mut bandwidth = Bandwidth::new(1_000);
        bandwidth.take(1_000, Duration::ZERO);
        let later = 3_600_000 * MS;
        assert_eq!(bandwidth.take(250, later), Duration::ZERO);
        assert_eq!(bandwidth.take(100, later), 100 * MS);
        assert_eq!(bandwidth.take(100, later + 100 * MS), 100 * MS);
    }
}
