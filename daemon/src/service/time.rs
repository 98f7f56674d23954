//! The clock, as the coordinator counts, and waiting for it.

use std::time::Duration;

use tidy_core::settle::Mono;

use crate::telemetry::clock::Clock;

/// The monotonic time.
pub(super) fn mono(clock: &dyn Clock) -> Mono {
    Mono(u64::try_from(clock.mono().as_nanos()).unwrap_or(u64::MAX))
}

/// Never returns when there is nothing to wait for.
pub(super) async fn wait_until(at: Option<Mono>, clock: &dyn Clock) {
    match at {
        Some(at) => tokio::time::sleep(at.since(mono(clock))).await,
        None => std::future::pending().await,
    }
}

pub(super) async fn sleep_some(d: Option<Duration>) {
    match d {
        Some(d) => tokio::time::sleep(d).await,
        None => std::future::pending().await,
    }
}

pub(super) async fn sleep_to(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
