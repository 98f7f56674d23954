//! The backups that the service makes by itself.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tidy_core::UnixNanos;

use super::shown;
use crate::care::{self, CareError, Made, Retained, Sources};
use crate::coordinator::Pending;
use crate::kindness;
use crate::service::configure::Backups;
use crate::service::handler::Service;

/// After one that failed, or is under way.
const AGAIN: Duration = Duration::from_secs(3600);

/// When the next one is due.
pub(in crate::service) struct Schedule {
    config: Backups,
    state: PathBuf,
    /// On the clock of the wall, so that a machine that slept is not a day late.
    next: Arc<AtomicI64>,
}

impl Schedule {
    pub(in crate::service) fn new(config: Backups, state: PathBuf, now: UnixNanos) -> Self {
        let next = next(&config, now);
        Self { config, state, next: Arc::new(AtomicI64::new(next.0)) }
    }

    /// Another configuration is in force.
    pub(in crate::service) fn replace(&mut self, config: Backups, now: UnixNanos) {
        if self.config != config {
            *self = Self::new(config, std::mem::take(&mut self.state), now);
        }
    }

    /// Begins one if it is time, and nothing else is being done.
    pub(in crate::service) fn begin_if_due(
        &self,
        service: &Arc<Service>,
        now: UnixNanos,
        pending: Pending,
    ) {
        let Some(every) = self.config.every else { return };
        let next = UnixNanos(self.next.load(Ordering::Relaxed));
        // A clock that was put back must not mean years without.
        let due = now >= next || next > now.plus(every.max(AGAIN));
        if !due || pending.dirty > 0 || pending.in_flight > 0 {
            return;
        }
        self.next.store(now.plus(AGAIN).0, Ordering::Relaxed);
        let (config, state, next) = (self.config.clone(), self.state.clone(), self.next.clone());
        let service = service.clone();
        let started = std::thread::Builder::new().name("backup".into()).spawn(move || {
            kindness::unasked();
            let setup = service.setup();
            let what = Sources { state: &state, config: setup.config_path.as_deref() };
            match make(&what, &config, now) {
                Ok(()) => next.store(now.plus(every).0, Ordering::Relaxed),
                Err(error) => {
                    service.warn(format!("no backup could be made: {error}; {}", error.hint()))
                }
            }
        });
        if let Err(error) = started {
            tracing::warn!(%error, "no thread could be started for the backup; it is tried again");
        }
    }
}

/// A day after the last one, say; at once when there is none.
fn next(config: &Backups, now: UnixNanos) -> UnixNanos {
    let last = care::backups(&config.dir).ok().and_then(|all| Some(all.first()?.manifest.made()));
    match (config.every, last) {
        (Some(every), Some(last)) => last.plus(every),
        _ => now,
    }
}

fn make(what: &Sources<'_>, config: &Backups, now: UnixNanos) -> Result<(), CareError> {
    let backup = match care::make(what, &config.dir, now)? {
        Made::New { backup, copied } => {
            tracing::info!(
                path = %shown(&backup.path),
                operation = backup.manifest.last_operation,
                bytes = backup.manifest.bytes(),
                copied,
                "backed up"
            );
            backup
        }
        Made::Unchanged(backup) => backup,
        Made::Nothing => return Ok(()),
    };
    let Retained { removed, failed } =
        care::retain(&config.dir, &backup.manifest.journal, config.keep, now)?;
    if !removed.is_empty() {
        tracing::info!(backups = removed.len(), "old backups were removed");
    }
    for (path, error) in failed {
        tracing::warn!(%error, path = %shown(&path), "an old backup could not be removed");
    }
    Ok(())
}
