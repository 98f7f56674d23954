//! The service: how it is, what it has to do, what it takes.

use prometheus_client::registry::Unit;

use crate::coordinator::RootState;
use crate::metrics::gathered::Gathered;
use crate::metrics::page::{Page, Value};

pub(super) fn state(g: &Gathered<'_>, page: &mut Page) {
    page.gauge("tidyd_build_info", "The version that runs, always 1.")
        .by("version", [(g.version, Value::Gauge(1.0))]);

    let mut checks: Vec<(&str, bool)> = Vec::new();
    for (name, ok) in &g.health {
        match checks.iter_mut().find(|(known, _)| known == name) {
            Some((_, all)) => *all &= ok,
            None => checks.push((name, *ok)),
        }
    }
    page.gauge("tidyd_health_ok", "Whether a check of tidyctl health is well (1) or not (0).")
        .by("check", checks.into_iter().map(|(name, ok)| (name, Value::number(u64::from(ok)))));

    let in_state = |state: RootState| {
        let word = state.as_str();
        let roots = g.roots.iter().filter(|root| **root == word).count();
        (word, Value::number(roots as u64))
    };
    page.gauge("tidyd_roots", "Watched folders by state.")
        .by("state", RootState::ALL.iter().map(|state| in_state(*state)));
    page.gauge("tidyd_roots_stopped", "Watched folders that the circuit breaker has stopped.")
        .is(Value::number(g.stopped));

    page.counter(
        "tidyd_errors",
        "Errors in the log by the room that reported them; panics have their own.",
    )
    .by("room", g.errors.iter().map(|(room, n)| (room, Value::Counter(*n))));
}

pub(super) fn work(g: &Gathered<'_>, page: &mut Page) {
    page.gauge("tidyd_watches", "Directories that are watched.").is(Value::number(g.watches));
    let seen = g.process.look();
    page.gauge(
        "tidyd_watches_max",
        "Directories that all programs of one user may watch together.",
    )
    .if_known(seen.max_watches.map(Value::number));
    let t = g.coordinator;
    page.counter(
        "tidyd_watch_overflows",
        "Times more happened than could be remembered, so that everything was read again.",
    )
    .is(Value::Counter(t.overflows.get()));
    page.counter("tidyd_watch_errors", "Times watching failed, so that everything was read again.")
        .is(Value::Counter(t.watch_errors.get()));
    page.counter("tidyd_walks", "Folders that were read to the end with all that is in them.")
        .is(Value::Counter(t.walks.get()));
    page.counter("tidyd_reconciles", "Folders that were read again only because it was time.")
        .is(Value::Counter(t.reconciles.get()));

    let p = g.pending;
    page.gauge("tidyd_pending_directories", "Directories that are to be read.")
        .is(Value::number(p.dirty as u64));
    let stages = [
        ("settling", p.settling),
        ("held", p.held),
        ("ready", p.ready),
        ("filing", p.in_flight.saturating_sub(p.ready)),
    ];
    page.gauge(
        "tidyd_pending_files",
        "Files on their way: not quiet yet, held back by an unfinished download, quiet, being filed.",
    )
    .by("stage", stages.map(|(stage, n)| (stage, Value::number(n as u64))));
    page.gauge("tidyd_hashing_files", "Files that are compared with others, or wait for it.")
        .is(Value::number(g.filing.search.reading.get()));
    page.histogram("tidyd_settle", "From the first look at a file until it had come to rest.")
        .is(Value::Histogram(t.settled.read()));
    page.histogram("tidyd_filing", "From the rest of a file until it was filed.")
        .is(Value::Histogram(t.filed.read()));
    page.gauge("tidyd_jobs_running", "Jobs that somebody has asked for and that run.")
        .is(Value::number(g.jobs));
}

/// The names that all programs have (Prometheus, "Process metrics").
pub(super) fn process(g: &Gathered<'_>, page: &mut Page) {
    let seen = g.process.look();
    page.counter("process_cpu", "Time that the process has spent on processors.")
        .unit(Unit::Seconds)
        .is(Value::Seconds(seen.cpu));
    page.gauge("process_open_fds", "Files and sockets that are open.")
        .if_known(seen.open_fds.map(Value::number));
    page.gauge("process_max_fds", "How many of them there may be.")
        .if_known(seen.max_fds.map(Value::number));
    page.gauge("process_virtual_memory", "Memory that the process has reserved.")
        .unit(Unit::Bytes)
        .if_known(seen.virtual_memory.map(Value::number));
    page.gauge("process_resident_memory", "Memory that the process takes.")
        .unit(Unit::Bytes)
        .if_known(seen.resident_memory.map(Value::number));
    page.gauge("process_start_time", "When the process was started, since 1970.")
        .unit(Unit::Seconds)
        .is(Value::Gauge(seen.started));
}
