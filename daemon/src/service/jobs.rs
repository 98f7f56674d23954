//! Long work that clients start, follow, leave and cancel.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tidy_core::UnixNanos;
use tidy_core::operation::BatchId;
use tidy_protocol::{JobInfo, JobState, Outcome};
use tokio::sync::watch;

/// Jobs that have ended and are still listed.
const KEPT: usize = 100;

/// Whoever waits for an answer that is worked on. What is dropped with the call they hung up on is told so.
#[derive(Debug, Default)]
pub(super) struct Asker(Arc<AtomicBool>);

impl Asker {
    /// Set once nobody waits any more.
    pub(super) fn gone(&self) -> Arc<AtomicBool> {
        self.0.clone()
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One job.
pub(super) struct Job {
    /// Checked between operations.
    pub(super) stop: AtomicBool,
    info: watch::Sender<JobInfo>,
}

impl Job {
    /// As it stands.
    pub(super) fn info(&self) -> JobInfo {
        self.info.borrow().clone()
    }

    /// Changes on their way to whoever follows.
    pub(super) fn follow(&self) -> watch::Receiver<JobInfo> {
        self.info.subscribe()
    }

    /// So many are to be dealt with.
    pub(super) fn total(&self, n: usize) {
        self.info.send_modify(|i| i.total = n as u64);
    }

    /// So many have been.
    pub(super) fn done(&self, n: usize) {
        self.info.send_modify(|i| i.done = n as u64);
    }

    /// The batch it writes.
    pub(super) fn batch(&self, batch: BatchId) {
        self.info.send_if_modified(|i| {
            let news = i.batch.is_none();
            i.batch = Some(batch.0);
            news
        });
    }

    /// The end.
    pub(super) fn end(&self, now: UnixNanos, result: Result<(Outcome, bool), String>) {
        self.info.send_modify(|i| {
            i.ended_ns = Some(now.0);
            match result {
                Ok((outcome, stopped)) => {
                    i.state = if stopped { JobState::Cancelled } else { JobState::Done };
                    i.outcome = Some(outcome);
                }
                Err(why) => {
                    i.state = JobState::Failed;
                    i.error = Some(why);
                }
            }
        });
    }
}

/// All jobs since the start, the oldest ended ones forgotten.
#[derive(Default)]
pub(super) struct Jobs(Mutex<BTreeMap<u64, Arc<Job>>>);

impl Jobs {
    /// A new job, running.
    pub(super) fn start(&self, kind: &str, now: UnixNanos) -> Arc<Job> {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = jobs.last_key_value().map_or(1, |(last, _)| last + 1);
        let info = JobInfo {
            id,
            kind: kind.to_owned(),
            state: JobState::Running,
            started_ns: now.0,
            ended_ns: None,
            done: 0,
            total: 0,
            batch: None,
            outcome: None,
            error: None,
        };
        let job = Arc::new(Job { stop: AtomicBool::new(false), info: watch::channel(info).0 });
        jobs.insert(id, job.clone());
        while jobs.len() > KEPT {
            let ended = jobs.iter().find(|(_, j)| j.info.borrow().state != JobState::Running);
            let Some(oldest) = ended.map(|(id, _)| *id) else { break };
            jobs.remove(&oldest);
        }
        job
    }

    /// One of them.
    pub(super) fn get(&self, id: u64) -> Option<Arc<Job>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// All of them, newest first, without their reports.
    pub(super) fn list(&self) -> Vec<JobInfo> {
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.values().rev().map(|j| JobInfo { outcome: None, ..j.info() }).collect()
    }

    /// How many are running.
    pub(super) fn running(&self) -> u64 {
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.values().filter(|j| j.info.borrow().state == JobState::Running).count() as u64
    }

    /// Asks all of them to stop after the operation under way.
    pub(super) fn stop_all(&self) {
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.values().for_each(|j| j.stop.store(true, Ordering::Relaxed));
    }
}
