//! The far side of the log: one thread that writes, and is the only one that may have to wait for a reader.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tidy_core::UnixNanos;
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Level};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{MakeWriter, layer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry;

use super::queue::{Drain, Message};
use super::redact::Redactor;
use super::repeats::{Folded, Repeats};

/// How often the number of dropped lines is told while the queue never runs empty.
const REPORT_DROPPED: Duration = Duration::from_secs(1);

/// Where lines go, and in which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text { colours: bool },
    Json,
    Journald,
}

thread_local! {
    /// When the event that is being replayed on this thread happened.
    static REPLAYING: Cell<Option<UnixNanos>> = const { Cell::new(None) };
}

/// Writes until every sender is gone. `level` is the most verbose level that can arrive; saying so keeps this second
/// subscriber from switching on call sites that the service's own filter has switched off.
pub(super) fn run(
    drain: &Drain,
    form: Form,
    stderr: OwnedFd,
    level: LevelFilter,
    redactor: Option<&Redactor>,
) {
    let (dispatch, trouble) = subscriber(form, stderr, level);
    let _default = tracing::dispatcher::set_default(&dispatch);
    if let Some(error) = trouble {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "journald cannot be reached; logging to stderr instead"
        );
    }
    let mut repeats = Repeats::default();
    let mut reported = Instant::now();
    loop {
        let message = match drain.messages.try_recv() {
            Ok(message) => message,
            Err(TryRecvError::Empty) => {
                report_dropped(drain);
                match wait(drain, repeats.next_end()) {
                    Ok(message) => message,
                    Err(RecvTimeoutError::Timeout) => {
                        report_folded(repeats.ended(Instant::now()), redactor);
                        continue;
                    }
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            Err(TryRecvError::Disconnected) => break,
        };
        match message {
            Message::Record(mut record) => {
                let now = Instant::now();
                report_folded(repeats.ended(now), redactor);
                let (level, key, text) = record.identity();
                if repeats.admits(level, key, &text, now) {
                    if let Some(redactor) = redactor {
                        record.redact(redactor);
                    }
                    REPLAYING.set(Some(record.at));
                    record.replay(&dispatch);
                    REPLAYING.set(None);
                }
            }
            Message::Flush(ack) => {
                report_folded(repeats.all(), redactor);
                report_dropped(drain);
                // Whoever asked may have stopped waiting.
                let _ = ack.try_send(());
            }
        }
        if reported.elapsed() >= REPORT_DROPPED {
            report_dropped(drain);
            reported = Instant::now();
        }
    }
    report_folded(repeats.all(), redactor);
    report_dropped(drain);
}

/// The next message, for as long as there is nothing to tell without one.
fn wait(drain: &Drain, until: Option<Instant>) -> Result<Message, RecvTimeoutError> {
    match until {
        None => drain.messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
        Some(at) => drain.messages.recv_timeout(at.saturating_duration_since(Instant::now())),
    }
}

/// At the level of what was folded: a search for warnings is to find how many there were.
fn report_folded(folded: Vec<Folded>, redactor: Option<&Redactor>) {
    for Folded { level, text, more } in folded {
        let text = redactor.map_or(text.clone(), |redactor| redactor.text(&text));
        match level {
            Level::ERROR => tracing::error!(more, "{text} … and {more} more like it"),
            Level::WARN => tracing::warn!(more, "{text} … and {more} more like it"),
            _ => tracing::info!(more, "{text} … and {more} more like it"),
        }
    }
}

fn report_dropped(drain: &Drain) {
    let lines = drain.take_dropped();
    if lines > 0 {
        tracing::warn!(lines, "log lines were dropped: whoever reads the log is too slow");
    }
}

/// The subscriber that formats and writes, and why it is not the one asked for. Connecting to journald is done here,
/// on the writer's thread, because that alone can block when journald is stalled.
fn subscriber(form: Form, stderr: OwnedFd, level: LevelFilter) -> (Dispatch, Option<io::Error>) {
    match form {
        Form::Text { colours } => (text(colours, stderr, level), None),
        Form::Json => {
            let json = layer().json().flatten_event(true).with_timer(RecordedTime);
            let json = json.with_writer(Raw::new(stderr)).log_internal_errors(false);
            (Dispatch::new(registry().with(json).with(level)), None)
        }
        Form::Journald => match tracing_journald::layer() {
            Ok(journald) => {
                let journald = journald
                    .with_syslog_identifier("tidyd".to_owned())
                    .with_field_prefix(Some("TIDYD".to_owned()))
                    .with_priority_mappings(priorities());
                (Dispatch::new(registry().with(journald).with(level)), None)
            }
            Err(error) => (text(false, stderr, level), Some(error)),
        },
    }
}

fn text(colours: bool, stderr: OwnedFd, level: LevelFilter) -> Dispatch {
    let text = layer()
        .with_ansi(colours)
        .with_timer(RecordedTime)
        .with_writer(Raw::new(stderr))
        .log_internal_errors(false);
    Dispatch::new(registry().with(text).with(level))
}

/// The meaning of the words in syslog(3): INFO is "informational", not "normal but significant".
fn priorities() -> PriorityMappings {
    PriorityMappings {
        error: Priority::Error,
        warn: Priority::Warning,
        info: Priority::Informational,
        debug: Priority::Debug,
        trace: Priority::Debug,
    }
}

/// The time of the event, not of its writing: UTC with milliseconds, RFC 3339.
struct RecordedTime;

impl FormatTime for RecordedTime {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        use crate::telemetry::clock::{Clock, SystemClock};
        let at = REPLAYING.get().unwrap_or_else(|| SystemClock.wall());
        write!(w, "{:.3}", at.timestamp())
    }
}

/// Writes to a descriptor without the lock of `std::io::Stderr`: a writer that waits for a full pipe must not make
/// everybody wait who prints to stderr.
#[derive(Clone)]
struct Raw(Arc<OwnedFd>);

impl Raw {
    fn new(fd: OwnedFd) -> Self {
        Self(Arc::new(fd))
    }
}

impl MakeWriter<'_> for Raw {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl io::Write for Raw {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::io::write(&*self.0, line) {
                // Whoever shares the terminal or pipe may have made it non-blocking.
                Err(Errno::AGAIN) => wait_writable(self.0.as_fd())?,
                other => return Ok(other?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn wait_writable(fd: BorrowedFd<'_>) -> io::Result<()> {
    match poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::OUT)], None) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
