//! The one place that reads the time. Everything else is handed a [`Clock`], so that settling, ages and retention
//! are tested without sleeping.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tidy_core::UnixNanos;

/// The two times there are: the one people mean, and the one that only goes forward.
pub trait Clock: Send + Sync {
    /// Now, as people write it. It can jump, in both directions.
    fn wall(&self) -> UnixNanos;

    /// Time since a fixed, unspecified moment. It never goes backwards and does not count suspended time.
    fn mono(&self) -> Duration;
}

/// `CLOCK_REALTIME` and `CLOCK_MONOTONIC`.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn wall(&self) -> UnixNanos {
        let now = clock_gettime(ClockId::Realtime);
        // `clock_gettime(2)`: tv_nsec is in 0..1e9.
        UnixNanos::from_parts(now.tv_sec, u32::try_from(now.tv_nsec).unwrap_or(0))
    }

    fn mono(&self) -> Duration {
        let now = clock_gettime(ClockId::Monotonic);
        // CLOCK_MONOTONIC starts at zero at boot, so neither part is negative.
        Duration::new(
            u64::try_from(now.tv_sec).unwrap_or(0),
            u32::try_from(now.tv_nsec).unwrap_or(0),
        )
    }
}

/// A clock that a test moves by hand.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct ManualClock {
    now: std::sync::Mutex<(UnixNanos, Duration)>,
}

#[cfg(test)]
impl ManualClock {
    pub(crate) fn at(wall: UnixNanos) -> Self {
        Self { now: std::sync::Mutex::new((wall, Duration::ZERO)) }
    }

    /// Both times go forward by `d`.
    pub(crate) fn advance(&self, d: Duration) {
        let mut now = self.now.lock().unwrap();
        *now = (now.0.plus(d), now.1 + d);
    }
}

#[cfg(test)]
impl Clock for ManualClock {
    fn wall(&self) -> UnixNanos {
        self.now.lock().unwrap().0
    }

    fn mono(&self) -> Duration {
        self.now.lock().unwrap().1
    }
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    #[test]
    fn the_system_clock_is_the_systems() {
        let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let wall = SystemClock.wall();
        let after = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let wall = Duration::from_nanos(u64::try_from(wall.0).unwrap());
        assert!(before <= wall && wall <= after, "{before:?} <= {wall:?} <= {after:?}");
        assert!(SystemClock.mono() <= SystemClock.mono());
    }

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::at(UnixNanos(7));
        assert_eq!((clock.wall(), clock.mono()), (UnixNanos(7), Duration::ZERO));
        clock.advance(Duration::from_nanos(3));
        assert_eq!((clock.wall(), clock.mono()), (UnixNanos(10), Duration::from_nanos(3)));
    }
}
