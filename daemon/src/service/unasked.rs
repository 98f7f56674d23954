//! Work that nobody has asked for, on threads of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use crate::coordinator::Event;
use crate::kindness;

/// Work, and what it answers when it panics; taken by whoever begins it.
type Task = Arc<Mutex<Option<(Event, Box<dyn FnOnce() -> Event + Send>)>>>;

/// Runs blocking work on a thread that comes after what others want of the machine, and ends with it: its priority could not be
/// raised again. Its answer goes to `events`, or `otherwise` when it panics.
pub(super) fn begin(
    events: &mpsc::Sender<Event>,
    otherwise: Event,
    work: impl FnOnce() -> Event + Send + 'static,
) {
    let task: Task = Arc::new(Mutex::new(Some((otherwise, Box::new(work)))));
    let (spare, to) = (task.clone(), events.clone());
    let started = std::thread::Builder::new().name("filing".into()).spawn(move || {
        kindness::unasked();
        carry_out(&task, &to);
    });
    if started.is_err() {
        // Too many threads, on the whole machine: one that is there already has to do.
        let to = events.clone();
        tokio::task::spawn_blocking(move || carry_out(&spare, &to));
    }
}

fn carry_out(task: &Task, events: &mpsc::Sender<Event>) {
    let taken = task.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some((otherwise, work)) = taken else { return };
    let event = catch_unwind(AssertUnwindSafe(work)).unwrap_or(otherwise);
    // It only fails when the loop has ended.
    let _ = events.blocking_send(event);
}
