//! What is told to the service manager and to subscribers.

use std::path::Path;

use tidy_core::breaker::Trip;
use tidy_core::name;
use tidy_core::operation::{OpState, Operation};
use tidy_protocol::Event;

use super::{convert, stops};
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
            n => parts.push(format!("{word} {}", tidy_core::count(n as u64, "folder"))),
        }
    }
    let stopped = roots.iter().filter(|r| r.trip.is_some()).count();
    if stopped > 0 {
        parts.push(format!("{stopped} of them stopped: tidyctl status says why"));
    }
    match pending.settling + pending.in_flight {
        0 if pending.dirty == 0 => parts.push("nothing to do".into()),
        0 => parts.push("looking".into()),
        n if pending.for_power => {
            parts.push(format!("on battery, waiting: {}", tidy_core::count(n as u64, "file")));
        }
        n => parts.push(format!("on the way: {}", tidy_core::count(n as u64, "file"))),
    }
    parts.join(", ")
}

/// Says in the log that a root is stopped, why, and how to go on.
pub(super) fn say_stopped(root: &Path, trip: &Trip) {
    tracing::error!(
        root = %name::shown(root.as_os_str()),
        "{}; look with `tidyctl status`, go on with `tidyctl resume`",
        stopped(root, trip)
    );
}

/// The same in one sentence.
pub(super) fn stopped(root: &Path, trip: &Trip) -> String {
    format!("{} is stopped, because {}", name::shown(root.as_os_str()), stops::text(trip.why))
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
