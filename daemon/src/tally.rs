//! tally: numbers that the rooms keep of what they do: counters, gauges and histograms. No room but a measuring stick: it
//! knows nobody, and whoever counts does not know who reads.
//!
//! Any thread may change and read them, without waiting. Each is right by itself; two that are read one after the other
//! may have changed in between.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number that only grows, from zero at the start of the process.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Its value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// One more.
    pub fn add(&self) {
        self.add_many(1);
    }

    /// So many more.
    pub fn add_many(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }
}

/// How many there are now.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Its value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// `n` more, until each has been let go, or what is returned is dropped.
    pub fn hold(&self, n: u64) -> Held<'_> {
        self.0.fetch_add(n, Ordering::Relaxed);
        Held { gauge: self, left: AtomicU64::new(n) }
    }
}

/// What is counted by a [`Gauge`]. However its owner ends, it is not counted any more then.
#[derive(Debug)]
pub struct Held<'g> {
    gauge: &'g Gauge,
    left: AtomicU64,
}

impl Held<'_> {
    /// One fewer, if there is one left.
    pub fn let_one_go(&self) {
        let one =
            self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        if one.is_ok() {
            self.gauge.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.gauge.0.fetch_sub(self.left.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// Bounds for what is done in a moment: answers, operations, syncs. In seconds.
pub const MOMENTS: &[f64] =
    &[0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// Bounds for what is waited for: files that come to rest. In seconds.
pub const WAITS: &[f64] =
    &[0.25, 0.5, 1.0, 2.0, 2.5, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 7_200.0];

/// How often something took how long.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    /// One for each bound, and one for what is above all of them.
    counts: Box<[AtomicU64]>,
    nanos: AtomicU64,
}

impl Histogram {
    /// Nothing was measured yet. `bounds` are seconds, ascending; what equals one lies below it.
    pub fn new(bounds: &'static [f64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, nanos: AtomicU64::new(0) }
    }

    /// It took so long once more.
    pub fn observe(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let at = self.bounds.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.counts.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// What it has come to.
    pub fn read(&self) -> Reading {
        let counts = self.counts.iter().map(|c| c.load(Ordering::Relaxed)).collect();
        let sum = Duration::from_nanos(self.nanos.load(Ordering::Relaxed)).as_secs_f64();
        Reading { bounds: self.bounds, counts, sum }
    }
}

/// A histogram at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    pub bounds: &'static [f64],
    /// How many lie between each bound and the one before it, and last how many above all of them.
    pub counts: Vec<u64>,
    /// Of all durations, in seconds.
    pub sum: f64,
}

impl Reading {
    /// How many were measured.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_lies_below_the_first_bound_that_it_does_not_exceed() {
        let histogram = Histogram::new(&[0.5, 1.0]);
        for millis in [0, 500, 501, 1_000, 1_001, 60_000] {
            histogram.observe(Duration::from_millis(millis));
        }
        let reading = histogram.read();
        assert_eq!((&*reading.counts, reading.count()), (&[2, 2, 2][..], 6));
        assert!((reading.sum - 63.002).abs() < 1e-9, "{reading:?}");
    }

    #[test]
    fn what_is_held_is_let_go_once_however_its_owner_ends() {
        let gauge = Gauge::default();
        let held = gauge.hold(3);
        let _other = gauge.hold(10);
        held.let_one_go();
        assert_eq!(gauge.get(), 12);
        let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            held.let_one_go();
            let _held = held;
            std::panic::resume_unwind(Box::new("its owner fails"));
        }));
        assert!(dropped.is_err());
        assert_eq!(gauge.get(), 10);
        let few = gauge.hold(1);
        (0..3).for_each(|_| few.let_one_go());
        assert_eq!(gauge.get(), 10);
    }
}
