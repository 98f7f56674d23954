//! The journal: operations, rollbacks, and what lies in the state directory.

use prometheus_client::registry::Unit;

use crate::metrics::gathered::Gathered;
use crate::metrics::page::{Page, Value};

pub(super) fn operations(g: &Gathered<'_>, page: &mut Page) {
    let ops = g.journal.operations();
    let rows = ops.map(|(kind, state, n)| (kind.as_str(), state.as_str(), Value::Counter(n)));
    page.counter("tidyd_operations", "Operations that have ended, by kind and how they ended.")
        .by_two(["kind", "state"], rows);
    let c = &g.counters;
    let ever =
        [("done", c.done), ("aborted", c.aborted), ("failed", c.failed), ("unknown", c.unknown)];
    page.counter(
        "tidyd_journal_operations",
        "Operations since the journal began, by how they ended.",
    )
    .by("state", ever.map(|(state, n)| (state, Value::Counter(n))));
    page.gauge("tidyd_operations_open", "Operations that have not ended.")
        .is(Value::number(c.open));
    page.histogram(
        "tidyd_operation",
        "How long one operation took, without syncs for many together.",
    )
    .is(Value::Histogram(g.journal.performed.read()));
    page.counter("tidyd_undone_files", "Files of rollbacks and redos, by what became of them.")
        .by_two(
            ["direction", "outcome"],
            g.undone.iter().map(|(direction, outcome, n)| (direction, outcome, Value::Counter(*n))),
        );
}

pub(super) fn disk(g: &Gathered<'_>, page: &mut Page) {
    page.histogram("tidyd_journal_sync", "How long it took to make the log durable.")
        .is(Value::Histogram(g.journal.synced.read()));
    let s = g.sizes;
    page.gauge("tidyd_journal_size", "Size of the journal.")
        .unit(Unit::Bytes)
        .if_known(s.journal.map(Value::number));
    page.gauge("tidyd_journal_segments", "Files of the journal.")
        .if_known(s.segments.map(Value::number));
    page.gauge("tidyd_store_size", "Size of the index.")
        .unit(Unit::Bytes)
        .if_known(s.store.map(Value::number));
    page.gauge("tidyd_state_free", "Free space on the file system of the state directory.")
        .unit(Unit::Bytes)
        .if_known(s.free.map(Value::number));
}
