//! `metrics`: what the rooms count, put together when somebody asks.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tidy_protocol::{Error, Health};

use super::error::internal;
use super::handler::{Service, blocking};
use super::{health, queries};
use crate::filing::UndoReport;
use crate::journal::Direction;
use crate::metrics::{self, Gathered, Process, Sizes};
use crate::{control, coordinator};

/// What is counted on behalf of `metrics` where no room has a place for it.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    pub(super) control: Arc<control::Stats>,
    pub(super) coordinator: Arc<coordinator::Tally>,
    /// Files of rollbacks and redos.
    undone: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
}

impl Tallies {
    /// A rollback or a redo has ended.
    pub(super) fn undone(&self, direction: Direction, report: &UndoReport) {
        let mut undone = self.undone.lock().unwrap_or_else(PoisonError::into_inner);
        for (outcome, files) in report.outcomes() {
            *undone.entry((direction.trigger().as_str(), outcome)).or_default() += files;
        }
    }
}

impl Service {
    /// The text that `tidyctl metrics` prints.
    pub(super) async fn metrics(self: &Arc<Self>) -> Result<String, Error> {
        let (roots, pending) = self.standing().await?;
        let status = self.status_of(roots.clone(), pending).await?;
        let me = self.clone();
        blocking(move || {
            let Health { checks, .. } = health::of(&me, &status);
            let (filing, tallies) = (me.filing(), me.tallies());
            let journal = filing.journal();
            let undone = tallies.undone.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let (log, segments) = within(journal.dir()).unzip();
            let gathered = Gathered {
                version: env!("CARGO_PKG_VERSION"),
                process: Process::here(),
                health: checks.into_iter().map(|check| (check.name, check.ok)).collect(),
                roots: roots.iter().map(|root| root.state.as_str()).collect(),
                stopped: roots.iter().filter(|root| root.trip.is_some()).count() as u64,
                pending,
                watches: status.watched_dirs,
                jobs: status.jobs_running,
                rules: queries::configured_rules(&me.setup()),
                counters: journal.counters(),
                catalog: filing.catalog().stats().ok(),
                sizes: Sizes {
                    journal: log,
                    segments,
                    store: within(&status.state_dir.as_path().join(tidy_config::STORE_DIR))
                        .map(|(bytes, _)| bytes),
                    free: health::free(status.state_dir.as_path()),
                },
                coordinator: &tallies.coordinator,
                filing: filing.tally(),
                journal: journal.tally(),
                control: &tallies.control,
                undone: undone.into_iter().map(|((which, how), n)| (which, how, n)).collect(),
                errors: me.errors().by_room().into_iter().collect(),
            };
            metrics::text(&gathered).map_err(|_| internal("a number has no place in the format"))
        })
        .await
    }

    /// What `tidyctl health` says.
    pub(super) async fn health(self: &Arc<Self>) -> Result<Health, Error> {
        let status = self.status().await?;
        let me = self.clone();
        blocking(move || Ok(health::of(&me, &status))).await
    }
}

/// Bytes and number of the files in a directory of our own, with those one level below.
fn within(dir: &Path) -> Option<(u64, u64)> {
    let (mut bytes, mut files) = (0, 0);
    let mut dirs = vec![dir.to_owned()];
    let mut below = true;
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).ok()?.flatten() {
            // One that goes meanwhile is not there any more.
            let Ok(stat) = entry.metadata() else { continue };
            if stat.is_file() {
                bytes += stat.len();
                files += 1;
            } else if stat.is_dir() && below {
                dirs.push(entry.path());
            }
        }
        below = false;
    }
    Some((bytes, files))
}
