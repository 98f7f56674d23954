//! A moment, as every stored and compared time in tidyd is written.

use std::time::Duration;

/// Nanoseconds since the Unix epoch, UTC. Negative before 1970. Range: years 1677 to 2262.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixNanos(pub i64);

impl UnixNanos {
    /// From a `timespec` as `statx(2)` gives it; saturates outside the representable range.
    pub fn from_parts(secs: i64, nanos: u32) -> Self {
        Self(secs.saturating_mul(1_000_000_000).saturating_add(i64::from(nanos)))
    }

    /// Whole seconds since the epoch, rounded down.
    pub fn secs(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }

    /// Nanoseconds within the second, 0 to 999,999,999.
    pub fn subsec_nanos(self) -> u32 {
        // `rem_euclid` of 1e9 is in 0..1e9, which fits.
        self.0.rem_euclid(1_000_000_000) as u32
    }

    /// This moment plus `d`, saturating.
    pub fn plus(self, d: Duration) -> Self {
        Self(self.0.saturating_add(nanos(d)))
    }

    /// This moment minus `d`, saturating.
    pub fn minus(self, d: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(d)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// As a jiff timestamp, for formatting with a time zone.
    pub fn timestamp(self) -> jiff::Timestamp {
        jiff::Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

fn nanos(d: Duration) -> i64 {
    i64::try_from(d.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_differences() {
        let t = UnixNanos::from_parts(-1, 500_000_000);
        assert_eq!(t.0, -500_000_000);
        assert_eq!((t.secs(), t.subsec_nanos()), (-1, 500_000_000));
        assert_eq!(UnixNanos(5).since(UnixNanos(9)), Duration::ZERO);
        assert_eq!(UnixNanos(9).since(UnixNanos(5)), Duration::from_nanos(4));
        assert_eq!(UnixNanos::from_parts(i64::MAX, 0).0, i64::MAX);
    }
}
