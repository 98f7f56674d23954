//! The last errors, for `tidyctl errors`: in memory, and from one start to the next in a file ([`super::kept`]).

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use tidy_core::UnixNanos;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::clock::{Clock, SystemClock};
use super::kept::{self, Keeper};
use super::log::Redactor;
use super::sanitize::one_line;

/// Errors kept; older ones are forgotten (the log has them).
pub(super) const KEPT: usize = 100;
/// Fields kept of one error with its spans.
const FIELDS: usize = 16;
/// Longest text of one field or message, in bytes. With the two numbers above: at most 1.7 MB.
const TEXT_LIMIT: usize = 1_024;

/// An event of level ERROR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentError {
    pub at: UnixNanos,
    /// The module that reported it.
    pub source: String,
    pub message: String,
    /// Fields of the spans around it, outermost first, then its own. Control characters are escaped.
    pub context: Vec<(String, String)>,
}

/// A handle to the ring of recent errors. Also the layer that fills it.
#[derive(Clone, Default)]
pub struct ErrorLog {
    ring: Arc<Mutex<Ring>>,
    /// Hides the names of files in what is kept.
    redactor: Option<Arc<Redactor>>,
}

#[derive(Default)]
struct Ring {
    errors: VecDeque<RecentError>,
    total: u64,
    /// The same by room. Their names are in the program, so there are not many.
    by_room: BTreeMap<String, u64>,
    /// Writes them down.
    keeper: Option<Keeper>,
}

impl ErrorLog {
    /// One that keeps no name of a file, if there is a redactor.
    pub(super) fn redacted(redactor: Option<Redactor>) -> Self {
        Self { ring: Arc::default(), redactor: redactor.map(Arc::new) }
    }

    /// The last 100 errors, oldest first.
    pub fn recent_errors(&self) -> Vec<RecentError> {
        self.ring().errors.iter().cloned().collect()
    }

    /// Errors since the service started, the forgotten ones included.
    pub fn total(&self) -> u64 {
        self.ring().total
    }

    /// The same by the room that reported them; `panic` for panics, and the names of other programs' parts.
    pub fn by_room(&self) -> BTreeMap<String, u64> {
        self.ring().by_room.clone()
    }

    /// Something that ends the service, and so is not in its log.
    pub fn note(&self, source: &str, message: &str) {
        self.push(RecentError {
            at: SystemClock.wall(),
            source: source.to_owned(),
            message: one_line(message, TEXT_LIMIT),
            context: Vec::new(),
        });
    }

    /// Keeps them in `file` from now on, after those that are there already.
    ///
    /// # Errors
    /// There is no thread for it. A file that cannot be read or written is none: the log has all of it.
    pub fn keep(&self, file: PathBuf) -> io::Result<()> {
        let mut before = kept::load(&file);
        // Some may be of a time when names were kept.
        before.iter_mut().for_each(|error| self.redact(error));
        let log = Arc::downgrade(&self.ring);
        let keeper = Keeper::start(file, move || {
            let ring = log.upgrade()?;
            let ring = ring.lock().unwrap_or_else(PoisonError::into_inner);
            Some(ring.errors.iter().cloned().collect())
        })?;
        let mut ring = self.ring();
        let room = KEPT.saturating_sub(ring.errors.len());
        before.into_iter().rev().take(room).for_each(|error| ring.errors.push_front(error));
        keeper.changed();
        ring.keeper = Some(keeper);
        Ok(())
    }

    /// Waits until they are written down, at most `limit`.
    pub(super) fn flush(&self, limit: Duration) {
        let keeper = self.ring().keeper.clone();
        keeper.inspect(|k| k.flush(limit));
    }

    /// Without the names of files, if they are not to be kept.
    pub(super) fn told(&self, text: &str) -> String {
        self.redactor.as_ref().map_or_else(|| text.to_owned(), |redactor| redactor.text(text))
    }

    fn redact(&self, error: &mut RecentError) {
        error.message = self.told(&error.message);
        let Some(redactor) = &self.redactor else { return };
        for (name, value) in &mut error.context {
            *value = redactor.field(name, value);
        }
    }

    fn push(&self, mut error: RecentError) {
        self.redact(&mut error);
        let mut ring = self.ring();
        if ring.errors.len() == KEPT {
            ring.errors.pop_front();
        }
        *ring.by_room.entry(room(&error.source).to_owned()).or_default() += 1;
        ring.errors.push_back(error);
        ring.total += 1;
        ring.keeper.as_ref().inspect(|k| k.changed());
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // Nothing under the lock can leave the ring half changed.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The room that a module is in: `journal` for `tidyd::journal::writer`.
fn room(source: &str) -> &str {
    let mut parts = source.split("::");
    let first = parts.next().unwrap_or_default();
    if first == "tidyd" { parts.next().unwrap_or(first) } else { first }
}

/// Fields as text.
#[derive(Default)]
struct Fields {
    message: String,
    rest: Vec<(String, String)>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: impl fmt::Display) {
        let text = one_line(value, TEXT_LIMIT);
        match field.name() {
            "message" => self.message = text,
            // tracing-log's copies of the metadata
            name if name.starts_with("log.") => {}
            name if self.rest.len() < FIELDS => self.rest.push((name.to_owned(), text)),
            _ => {}
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_error(&mut self, field: &Field, error: &(dyn std::error::Error + 'static)) {
        let causes = std::iter::successors(Some(error), |e| e.source());
        let chain: Vec<String> = causes.take(FIELDS).map(ToString::to_string).collect();
        self.add(field, chain.join(": "));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format_args!("{value:?}"));
    }
}

/// What stands further inside is more exact than what has the same name outside.
fn add(fields: &mut Vec<(String, String)>, inner: impl Iterator<Item = (String, String)>) {
    for (name, value) in inner {
        fields.retain(|(outer, _)| *outer != name);
        fields.push((name, value));
    }
}

/// The fields of a span, kept with it until an error happens inside.
struct SpanFields(Fields);

impl<S> Layer<S> for ErrorLog
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(SpanFields(fields));
        }
    }

    fn on_record(&self, id: &Id, values: &tracing::span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(SpanFields(fields)) = span.extensions_mut().get_mut()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if *event.metadata().level() != Level::ERROR {
            return;
        }
        let mut own = Fields::default();
        event.record(&mut own);
        let mut fields: Vec<(String, String)> = Vec::new();
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(SpanFields(inner)) = span.extensions().get() {
                add(&mut fields, inner.rest.iter().cloned());
            }
        }
        fields.truncate(FIELDS);
        add(&mut fields, own.rest.drain(..));
        self.push(RecentError {
            at: SystemClock.wall(),
            source: event.metadata().target().to_owned(),
            message: own.message,
            context: fields,
        });
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    fn collect(emit: impl FnOnce()) -> ErrorLog {
        let log = ErrorLog::default();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(log.clone()), emit);
        log
    }

    #[test]
    fn an_error_is_kept_with_its_spans_and_causes() {
        let log = collect(|| {
            let span = tracing::info_span!("batch", batch = 7, root = tracing::field::Empty);
            span.record("root", "/home/a");
            let _inside = span.enter();
            tracing::warn!("not an error");
            let error = io::Error::other(io::Error::new(io::ErrorKind::NotFound, "no\nsuch"));
            tracing::error!(error = &error as &dyn std::error::Error, "cannot {}", "file it");
        });
        let errors = log.recent_errors();
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].message, "cannot file it");
        assert_eq!(errors[0].source, module_path!());
        let context: Vec<_> =
            errors[0].context.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(context[..2], [("batch", "7"), ("root", "/home/a")]);
        assert_eq!(context[2].0, "error");
        assert!(context[2].1.contains(r"no\nsuch"), "{context:?}");
    }

    #[test]
    fn what_is_further_inside_counts() {
        let log = collect(|| {
            let _batch = tracing::info_span!("batch", root = "/a", files = 2).entered();
            let _op = tracing::info_span!("operation", op = 9, root = "/b").entered();
            tracing::error!(op = 10, "no");
        });
        let context = &log.recent_errors()[0].context;
        let want = [("files", "2"), ("root", "/b"), ("op", "10")];
        assert!(context.iter().map(|(n, v)| (&**n, &**v)).eq(want), "{context:?}");
    }

    #[test]
    fn nothing_is_kept_that_a_redacted_log_would_hide() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("errors");
        let open = |redact: bool| {
            let redactor = redact.then(|| Redactor::open(dir.path()).unwrap());
            let log = ErrorLog::redacted(redactor);
            log.keep(file.clone()).unwrap();
            log
        };
        let note = |log: &ErrorLog| {
            let subscriber = tracing_subscriber::registry().with(log.clone());
            tracing::subscriber::with_default(subscriber, || {
                let path = "/home/ada/Secret plan.pdf";
                let _span = tracing::info_span!("operation", path, rule = "papers").entered();
                tracing::error!("cannot open {path}: Permission denied (os error 13)");
            });
            log.flush(Duration::from_secs(30));
        };
        let log = open(false);
        note(&log);
        drop(log);
        assert!(format!("{:?}", kept::load(&file)).contains("Secret"), "the test tests something");

        let log = open(true);
        note(&log);
        let now = log.recent_errors();
        assert_eq!((now.len(), now[0].message == now[1].message), (2, true), "{now:?}");
        assert!(now[0].message.contains(".pdf>: Permission denied"), "{now:?}");
        assert!(now[0].context.contains(&("rule".into(), "papers".into())), "{now:?}");
        for told in [format!("{now:?}"), format!("{:?}", kept::load(&file))] {
            assert!(!told.contains("Secret") && !told.contains("ada"), "{told}");
        }
        drop(log);
        assert_eq!(open(true).recent_errors(), now, "the same names, once more");
    }

    #[test]
    fn only_the_last_are_kept_and_all_are_counted() {
        let log = collect(|| (0..250).for_each(|n| tracing::error!(n, "again")));
        let errors = log.recent_errors();
        assert_eq!((errors.len(), log.total()), (KEPT, 250));
        assert_eq!(errors[0].context, [("n".to_owned(), "150".to_owned())]);
        assert_eq!(errors[KEPT - 1].context, [("n".to_owned(), "249".to_owned())]);
        assert_eq!(log.by_room(), BTreeMap::from([("telemetry".to_owned(), 250)]));
        let rooms = ["tidyd", "tidyd::act", "tidyd::journal::writer", "sled::pagecache"].map(room);
        assert_eq!(rooms, ["tidyd", "act", "journal", "sled"]);
    }
}
