//! The near side of the log: a layer that copies each event into a bounded queue and goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::record::{Record, Recorded};
use crate::telemetry::clock::{Clock, SystemClock};

/// Events that may wait for the writer. At about 0.5 KiB each this is 1 MiB, and several seconds of a busy service:
/// longer than a healthy reader ever pauses.
const CAPACITY: usize = 2_048;

pub(super) enum Message {
    Record(Box<Record>),
    /// Answered once everything queued before it has been written.
    Flush(SyncSender<()>),
}

/// The sending end. Sending never waits: what does not fit is counted and dropped.
#[derive(Clone)]
pub(super) struct Queue {
    sender: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

/// The receiving end, for the writer.
pub(super) struct Drain {
    pub(super) messages: Receiver<Message>,
    dropped: Arc<AtomicU64>,
}

pub(super) fn queue() -> (Queue, Drain) {
    let (sender, messages) = sync_channel(CAPACITY);
    let dropped = Arc::new(AtomicU64::new(0));
    (Queue { sender, dropped: dropped.clone() }, Drain { messages, dropped })
}

impl Queue {
    fn push(&self, record: Record) {
        if self.sender.try_send(Message::Record(Box::new(record))).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until what is queued has been written, at most `limit`. Returns whether it was.
    pub(super) fn flush(&self, limit: Duration) -> bool {
        const RETRY: Duration = Duration::from_millis(5);
        let deadline = Instant::now() + limit;
        let (ack, done) = sync_channel(1);
        let mut message = Message::Flush(ack);
        loop {
            match self.sender.try_send(message) {
                Ok(()) => break,
                Err(TrySendError::Full(back)) if Instant::now() < deadline => {
                    message = back;
                    std::thread::sleep(RETRY);
                }
                Err(_) => return false,
            }
        }
        done.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok()
    }
}

impl Drain {
    /// How many events were dropped since the last call.
    pub(super) fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }
}

impl<S> Layer<S> for Queue
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Recorded::of_span(attributes));
        }
    }

    fn on_record(&self, id: &Id, values: &tracing::span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(recorded) = span.extensions_mut().get_mut::<Recorded>()
        {
            values.record(recorded);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let spans = context
            .event_scope(event)
            .into_iter()
            .flat_map(|scope| scope.from_root())
            .filter_map(|span| span.extensions().get::<Recorded>().cloned())
            .collect();
        self.push(Record { at: SystemClock.wall(), spans, event: Recorded::of_event(event) });
    }
}
