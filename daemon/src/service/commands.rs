//! Commands of rules, after the files have been filed: queued, journaled and run one by one, beside the
//! filing and never in its way.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use tidy_core::operation::OpState;
use tidy_core::plan::{Plan, Step};

use crate::filing::Due;
use crate::journal::Journal;

/// Commands that run at the same time.
const AT_ONCE: usize = 2;

/// Commands that wait; what comes when so many wait is not run, and that is said.
const WAITING: usize = 4_096;

/// The queue, and those who serve it.
#[derive(Clone)]
pub(super) struct Commands(SyncSender<Due>);

impl Commands {
    /// Threads that take them in turn, until every handle is gone.
    pub(super) fn new(journal: &Journal) -> Self {
        let (give, take) = sync_channel(WAITING);
        let take = Arc::new(Mutex::new(take));
        for _ in 0..AT_ONCE {
            let (take, journal) = (take.clone(), journal.clone());
            let served = move || {
                while let Some(due) = next(&take) {
                    run(&journal, due);
                }
            };
            if let Err(error) = std::thread::Builder::new().name("command".into()).spawn(served) {
                tracing::error!(%error, "commands cannot be run");
            }
        }
        Self(give)
    }

    /// Takes what is due; never waits.
    pub(super) fn enqueue(&self, due: impl IntoIterator<Item = Due>) {
        for due in due {
            if let Err(TrySendError::Full(due) | TrySendError::Disconnected(due)) =
                self.0.try_send(due)
            {
                let (rule, why) = (&*due.step.rule, &due.step.why);
                tracing::error!(rule, command = why, "too many commands wait; this one is not run");
            }
        }
    }
}

fn next(from: &Mutex<Receiver<Due>>) -> Option<Due> {
    from.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// Journals and runs one.
pub(super) fn run(journal: &Journal, due: Due) {
    let step: &Step = &due.step;
    let (rule, why) = (step.rule.clone(), step.why.clone());
    let plan = Plan { trigger: due.trigger, steps: vec![due.step] };
    match journal.run_in(Some(due.batch), &plan, &|_| {}) {
        Ok(ops) => {
            for op in ops {
                match op.state {
                    OpState::Done => tracing::info!(
                        op = op.id.0,
                        rule = &*rule,
                        command = why,
                        "a command was run"
                    ),
                    _ => {
                        let said = op.error.unwrap_or_default();
                        let op = op.id.0;
                        tracing::warn!(op, rule = &*rule, command = why, said, "a command failed");
                    }
                }
            }
        }
        Err(error) => {
            tracing::error!(%error, rule = &*rule, command = why, "a command was not run")
        }
    }
}
