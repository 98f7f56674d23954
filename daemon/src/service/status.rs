//! `status`: how everything stands.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tidy_core::breaker::Trip;
use tidy_core::policy::RootPolicy;
use tidy_protocol::{Error, Pending, RootInfo, Status, StopInfo, Totals, WirePath};

use super::error::{failed, internal};
use super::handler::{Service, blocking};
use super::{convert, reach, stops};
use crate::coordinator::{self, Answer, Command, RootState, RootStatus};
use crate::reading;

/// Files being read that `status` names.
const READING: usize = 16;

impl Service {
    /// What the coordinator knows of every root, and of what is to be done.
    pub(super) async fn standing(&self) -> Result<(Vec<RootStatus>, coordinator::Pending), Error> {
        match self.command(Command::Status).await? {
            Answer::Status { roots, pending } => Ok((roots, pending)),
            _ => Err(internal("the coordinator answered something else")),
        }
    }

    pub(super) async fn status(&self) -> Result<Status, Error> {
        let (roots, pending) = self.standing().await?;
        self.status_of(roots, pending).await
    }

    pub(super) async fn status_of(
        &self,
        roots: Vec<RootStatus>,
        pending: coordinator::Pending,
    ) -> Result<Status, Error> {
        let filing = self.filing.clone();
        let setup = self.setup();
        let (of, confinement) = (setup.clone(), self.confinement.clone());
        let (counters, stats, batches, waiting, lost) = blocking(move || {
            let journal = filing.journal();
            let stats = filing.catalog().stats().map_err(|e| failed(&e))?;
            // All the rest can be told without the index, and whoever asks wants to know most then.
            let waiting = filing.waiting_for(&of, &stats);
            let lost = reach::lost(&of, &confinement);
            Ok((journal.counters(), stats, journal.batches(None, 1), waiting, lost))
        })
        .await?;
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let batches = batches.unwrap_or_else(|e| {
            warnings.push(format!("{e}; {}", e.hint()));
            Vec::new()
        });
        warnings.extend(lost.iter().map(|l| format!("{}, and {}", l.text(), l.hint())));
        let waiting: Vec<_> = waiting.iter().map(convert::waiting).collect();
        warnings.extend(waiting.iter().map(|w| w.text.clone()));
        if pending.for_power {
            let files = tidy_core::count(pending.in_flight as u64, "file");
            warnings.push(format!(
                "on battery: {files} to be filed when the machine is plugged in again (`pause-on-battery`)"
            ));
        }
        let paused = !roots.is_empty() && roots.iter().all(|r| r.state == RootState::Paused);
        let roots = roots.into_iter().map(|r| RootInfo {
            stopped: r.trip.map(|t| stopped(&t, setup.root(&r.path).map(|p| &**p))),
            given: setup.root(&r.path).map_or_else(|| r.path.clone(), |p| p.given.clone()).into(),
            path: r.path.into(),
            state: r.state.as_str().into(),
            pending: r.pending as u64,
        });
        let hits = |name: &str| counters.rules.get(name).map_or(0, |c| c.hits);
        let hits_of_all: u64 = counters.rules.values().map(|c| c.hits).sum();
        let filed = hits_of_all.saturating_sub(counters.further);
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            uptime_ms: millis(self.clock.mono().saturating_sub(self.started)),
            state: if paused { "paused" } else { "running" }.into(),
            config: setup.config_path.as_deref().map(WirePath::from),
            state_dir: self.state_dir.as_path().into(),
            roots: roots.collect(),
            pending: Pending {
                dirty: pending.dirty as u64,
                settling: pending.settling as u64,
                held: pending.held as u64,
                in_flight: pending.in_flight as u64,
            },
            totals: Totals {
                filed,
                duplicates: hits(tidy_core::duplicates::RULE),
                failed: counters.failed + counters.unknown,
                left: stats.left.count,
            },
            last_batch: batches.first().map(convert::batch),
            watched_dirs: self.watched.load(Ordering::Relaxed) as u64,
            files_known: stats.files.count,
            open_operations: counters.open,
            jobs_running: self.jobs.running(),
            waiting,
            confinement: self.confinement.to_string(),
            reading: reading::now(READING).into_iter().map(convert::reading).collect(),
            read_bytes: reading::total(),
            confined_to: self.confinement.folders().iter().map(|f| f.as_path().into()).collect(),
            warnings,
        })
    }
}

fn stopped(trip: &Trip, policy: Option<&RootPolicy>) -> StopInfo {
    let (files, limit) = stops::numbers(trip.why);
    StopInfo {
        reason: stops::word(trip.why).into(),
        text: stops::text(trip.why),
        time_ns: trip.time.0,
        files,
        limit,
        rules_changed: policy.is_some_and(|p| p.rules.fingerprint != trip.fingerprint),
    }
}

fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}
