//! What is told to the service manager and to subscribers.

use tidy_core::operation::{OpState, Operation};
use tidy_protocol::Event;

use super::convert;
use crate::coordinator::{Pending, Problem, RootState, RootStatus};

/// One line for `systemctl status`.
pub(super) fn status_line(roots: &[RootStatus], pending: Pending) -> String {
    let count = |state| roots.iter().filter(|r| r.state == state).count();
    let mut parts = Vec::new();
    for (state, word) in [
        (RootState::Watching, "watching"),
        (RootState::Scanning, "scanning"),
        (RootState::ScanOnly, "scanning regularly"),
        (RootState::Paused, "paused:"),
        (RootState::Missing, "missing:"),
        (RootState::Unreadable, "unreadable:"),
    ] {
        match count(state) {
            0 => {}
            1 => parts.push(format!("{word} 1 folder")),
            n => parts.push(format!("{word} {n} folders")),
        }
    }
    match pending.settling + pending.in_flight {
        0 if pending.dirty == 0 => parts.push("nothing to do".into()),
        0 => parts.push("looking".into()),
        n => parts.push(format!("{n} files on their way")),
    }
    parts.join(", ")
}

/// An operation that ended, as subscribers hear it; directories made on the way are not told.
pub(super) fn operation(op: &Operation) -> Option<Event> {
    let told = op.state != OpState::Intended && !op.step.kind.is_directory();
    told.then(|| Event::Operation(Box::new(convert::operation(op, None))))
}

/// Something a person should know.
pub(super) fn warning(problem: &Problem) -> Event {
    Event::Warning { path: Some(problem.path.as_path().into()), text: problem.text.clone() }
}
