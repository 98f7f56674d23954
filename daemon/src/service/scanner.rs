//! The thread that reads directories and owns the watches.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;

use tokio::sync::oneshot;

use crate::coordinator::{Event, WalkStep};
use crate::filing::Setup;
use crate::kindness;
use crate::survey::Survey;
use crate::telemetry::clock::Clock;
use crate::watch::{Backend, Names};

/// What the thread is asked to do.
pub(super) enum Job {
    Scan(Vec<(PathBuf, Names)>),
    Walk(WalkStep),
    Reload(Arc<Setup>),
    Unwatch(PathBuf),
    Distrust,
    Sweep,
}

/// A handle on the thread; it ends when the handle is dropped.
pub(super) struct Scanner {
    // Not bounded, and it need not be: the coordinator has at most one scan or walk under way.
    jobs: mpsc::Sender<Job>,
}

impl Scanner {
    /// Starts the thread. `events` gets the answers; the receiver resolves when the thread has ended.
    pub(super) fn start<B: Backend + 'static>(
        mut survey: Survey<B>,
        clock: Arc<dyn Clock>,
        watched: Arc<std::sync::atomic::AtomicUsize>,
        events: tokio::sync::mpsc::Sender<Event>,
    ) -> std::io::Result<(Self, oneshot::Receiver<()>)> {
        let (jobs, inbox) = mpsc::channel();
        let (alive, died) = oneshot::channel();
        std::thread::Builder::new().name("scanner".into()).spawn(move || {
            // What it walks nobody has asked for.
            kindness::unasked();
            // Dropped when the thread ends, however it ends.
            let _alive: oneshot::Sender<()> = alive;
            while let Ok(job) = inbox.recv() {
                let event = match job {
                    Job::Scan(dirs) => Some(Event::Scanned(survey.scan(dirs, clock.wall()))),
                    Job::Walk(step) => {
                        let (scanned, finished) = survey.walk(step, clock.wall());
                        Some(Event::Walked { scanned, finished })
                    }
                    Job::Reload(setup) => {
                        survey.reload(setup);
                        None
                    }
                    Job::Unwatch(dir) => {
                        survey.unwatch(&dir);
                        None
                    }
                    Job::Distrust => {
                        survey.distrust();
                        None
                    }
                    Job::Sweep => {
                        survey.sweep();
                        None
                    }
                };
                watched.store(survey.watched(), std::sync::atomic::Ordering::Relaxed);
                if event.is_some_and(|e| events.blocking_send(e).is_err()) {
                    return;
                }
            }
        })?;
        Ok((Self { jobs }, died))
    }

    /// Hands it a job.
    pub(super) fn send(&self, job: Job) {
        // It only fails when the thread has panicked, which ends the service.
        let _ = self.jobs.send(job);
    }
}
