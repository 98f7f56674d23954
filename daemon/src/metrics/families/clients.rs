//! The control socket.

use tidy_protocol::Weight;

use crate::metrics::gathered::Gathered;
use crate::metrics::page::{Page, Value};

pub(super) fn socket(g: &Gathered<'_>, page: &mut Page) {
    let t = g.control;
    page.gauge("tidyd_clients", "Connections of programs to the control socket.")
        .is(Value::number(t.open.get()));
    page.counter("tidyd_connections", "Connections that were accepted, refused ones included.")
        .is(Value::Counter(t.connections.get()));
    let refused = [
        ("full", &t.over_cap),
        ("client", &t.over_client),
        ("displaced", &t.displaced),
        ("user", &t.strangers),
        ("hello", &t.bad_hellos),
        ("malformed", &t.malformed),
        ("unread", &t.unread),
        ("idle", &t.idle),
    ];
    page.counter(
        "tidyd_connections_closed",
        "Connections that were refused or closed by tidyd, by reason.",
    )
    .by("reason", refused.map(|(reason, n)| (reason, Value::Counter(n.get()))));
    page.counter("tidyd_requests", "Requests that were read, refused ones included.")
        .is(Value::Counter(t.requests.get()));
    let refused =
        [("rate", &t.over_rate), ("busy", &t.over_in_flight), ("read-only", &t.only_looking)];
    page.counter("tidyd_requests_refused", "Requests that were refused, by reason.")
        .by("reason", refused.map(|(reason, n)| (reason, Value::Counter(n.get()))));
    page.counter("tidyd_request_errors", "Requests that were answered with an error, by its code.")
        .by("code", t.codes.each().map(|(code, n)| (code, Value::Counter(n))));
    page.counter("tidyd_request_panics", "Requests that met a defect of tidyd.")
        .is(Value::Counter(t.panics.get()));
    let waiting = Weight::ALL.into_iter().zip(&t.waiting);
    page.gauge("tidyd_requests_waiting", "Requests that wait for others, by what they cost.")
        .by("weight", waiting.map(|(w, n)| (w.as_str(), Value::number(n.get()))));
    page.histogram(
        "tidyd_request",
        "How long answers took, by method; waiting for others included.",
    )
    .by("method", t.latencies.each().map(|(method, r)| (method, Value::Histogram(r))));
    page.counter(
        "tidyd_subscriber_lags",
        "Times a subscriber was too slow and was sent everything again.",
    )
    .is(Value::Counter(t.lags.get()));
}
