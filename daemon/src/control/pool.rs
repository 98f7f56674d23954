//! Places of one kind, and when the next one may come free.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// So many places.
#[derive(Debug)]
pub(super) struct Pool {
    size: usize,
    places: Arc<Semaphore>,
    pace: Mutex<Pace>,
}

/// A place that is taken; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    pool: Arc<Pool>,
    used: bool,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(size: usize) -> Arc<Self> {
        let pace = Mutex::new(Pace::new(Instant::now()));
        Arc::new(Self { size, places: Arc::new(Semaphore::new(size)), pace })
    }

    pub(super) fn take(self: &Arc<Self>) -> Option<Place> {
        let permit = self.places.clone().try_acquire_owned().ok()?;
        if self.is_full() {
            self.pace().filled(Instant::now());
        }
        Some(Place { pool: self.clone(), used: true, _permit: permit })
    }

    /// Places that are taken.
    pub(super) fn taken(&self) -> usize {
        self.size.saturating_sub(self.places.available_permits())
    }

    /// How long until the next one comes free, going by how long that takes.
    pub(super) fn next(&self) -> Duration {
        self.pace().next(Instant::now())
    }

    fn is_full(&self) -> bool {
        self.places.available_permits() == 0
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        // Nothing under it can panic half-way.
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Gives it back without its having been of use: that tells nothing of the next one.
    pub(super) fn unused(mut self) {
        self.used = false;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.used && self.pool.is_full() {
            self.pool.pace().freed(Instant::now());
        }
    }
}

/// How long it takes until something comes free where all is taken: the mean of the last few times.
#[derive(Debug)]
pub(super) struct Pace {
    full_since: Instant,
    mean: Option<Duration>,
}

/// What is told at least, and at most: a guess is no reason to stay away for long.
const LEAST: Duration = Duration::from_millis(1);
const MOST: Duration = Duration::from_secs(10);

/// Where nothing is known yet.
const UNKNOWN: Duration = Duration::from_millis(100);

/// The weight of all times before, to one of the last.
const BEFORE: u32 = 7;

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { full_since: now, mean: None }
    }

    /// The last place was taken.
    pub(super) fn filled(&mut self, now: Instant) {
        self.full_since = now;
    }

    /// One of them came free.
    pub(super) fn freed(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.full_since).min(MOST);
        self.mean = Some(self.mean.map_or(passed, |mean| (mean * BEFORE + passed) / (BEFORE + 1)));
    }

    /// How long until the next: what is left of the usual time. When that is over, as long again as has passed.
    pub(super) fn next(&self, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.full_since);
        let usual = self.mean.unwrap_or(UNKNOWN);
        let wait = if passed < usual { usual - passed } else { passed };
        wait.clamp(LEAST, MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_follows_how_long_it_takes_until_places_come_free() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut pace = Pace::new(start);
        pace.filled(start);
        assert_eq!(pace.next(start), UNKNOWN);
        assert_eq!(pace.next(at(3_000)).as_millis(), 3_000, "nothing has come free so far");
        // An hour apart, and each time one came free after 40 ms.
        for n in 0..50 {
            pace.filled(at(n * 3_600_000));
            pace.freed(at(n * 3_600_000 + 40));
        }
        let now = 50 * 3_600_000;
        pace.filled(at(now));
        assert_eq!(pace.next(at(now)).as_millis(), 40);
        assert_eq!(pace.next(at(now + 30)).as_millis(), 10);
        assert_eq!(pace.next(at(now + 500)).as_millis(), 500, "it is overdue");
        assert_eq!(pace.next(at(now + 3_600_000)), MOST);
        // A flood of short ones.
        for _ in 0..200 {
            pace.freed(at(now));
        }
        assert_eq!(pace.next(at(now)), LEAST);
        // A clock that goes back is no reason to stay away longer.
        assert_eq!(pace.next(start), LEAST);
    }

    #[test]
    fn a_place_is_given_back_and_counted() {
        let pool = Pool::new(2);
        let (one, other) = (pool.take().unwrap(), pool.take().unwrap());
        assert!(pool.take().is_none());
        assert_eq!(pool.taken(), 2);
        one.unused();
        assert_eq!(pool.taken(), 1);
        assert_eq!(pool.pace().mean, None, "it was not used");
        drop((pool.take().unwrap(), other));
        assert_eq!(pool.taken(), 0);
        assert!(pool.pace().mean.is_some());
    }
}
