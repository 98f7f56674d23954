//! The clock, as the coordinator counts.

use tidy_core::settle::Mono;

use crate::telemetry::clock::Clock;

/// The monotonic time.
pub(super) fn mono(clock: &dyn Clock) -> Mono {
    Mono(u64::try_from(clock.mono().as_nanos()).unwrap_or(u64::MAX))
}
