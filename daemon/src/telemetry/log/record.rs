//! An event in owned form: taken apart where it happens, put together again on the writer's thread.
//!
//! `tracing` events borrow from the stack of the caller. To write one elsewhere it is copied, field by field, and
//! replayed there to an ordinary subscriber, so that the text, JSON and journald layers keep every field, the
//! spans and the source position.

use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use tidy_core::UnixNanos;
use tracing::field::{DebugValue, Field, Value, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Dispatch, Event, Level, Metadata};

use super::redact::Redactor;
use super::repeats::Key;
use crate::telemetry::sanitize::Bounded;

/// Longest value kept of one field, in bytes. Twice `PATH_MAX`, for a path with every second byte escaped.
const VALUE_LIMIT: usize = 8 * 1024;

/// Text that its `Debug` prints as it is: it has been formatted already.
#[derive(Clone)]
struct Formatted(String);

impl fmt::Debug for Formatted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone)]
enum Owned {
    Bool(bool),
    Float(f64),
    Signed(i64),
    Unsigned(u64),
    /// A string, which the layers quote or escape themselves.
    Text(String),
    /// Anything else, formatted and escaped.
    Debug(DebugValue<Formatted>),
}

impl Owned {
    /// `None` of what is no text.
    fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Debug(value) => Some(format!("{value:?}")),
            Self::Bool(_) | Self::Float(_) | Self::Signed(_) | Self::Unsigned(_) => None,
        }
    }

    fn as_value(&self) -> &dyn Value {
        match self {
            Self::Bool(v) => v,
            Self::Float(v) => v,
            Self::Signed(v) => v,
            Self::Unsigned(v) => v,
            Self::Text(v) => v,
            Self::Debug(v) => v,
        }
    }
}

/// The fields of one event or span, in the order of its call site.
#[derive(Clone)]
pub(super) struct Recorded {
    metadata: &'static Metadata<'static>,
    values: Vec<Option<Owned>>,
}

impl Recorded {
    pub(super) fn of_span(attributes: &Attributes<'_>) -> Self {
        let mut recorded = Self::empty(attributes.metadata());
        attributes.record(&mut recorded);
        recorded
    }

    pub(super) fn of_event(event: &Event<'_>) -> Self {
        let mut recorded = Self::empty(event.metadata());
        event.record(&mut recorded);
        recorded
    }

    fn empty(metadata: &'static Metadata<'static>) -> Self {
        Self { metadata, values: vec![None; metadata.fields().len()] }
    }

    fn set(&mut self, field: &Field, value: Owned) {
        if let Some(slot) = self.values.get_mut(field.index()) {
            *slot = Some(value);
        }
    }

    fn format(&mut self, field: &Field, write: impl FnOnce(&mut Bounded) -> fmt::Result) {
        let mut text = Bounded::new(VALUE_LIMIT);
        // The only error is "the limit is reached", which `finish` marks.
        let _ = write(&mut text);
        self.set(field, Owned::Debug(tracing::field::debug(Formatted(text.finish()))));
    }

    /// What it says, without its fields.
    fn message(&self) -> String {
        let message = self.metadata.fields().field("message");
        let value = message.and_then(|f| self.values.get(f.index())?.as_ref());
        value.and_then(Owned::text).unwrap_or_default()
    }

    fn redact(&mut self, redactor: &Redactor) {
        for (field, slot) in self.metadata.fields().iter().zip(&mut self.values) {
            let Some(text) = slot.as_ref().and_then(Owned::text) else { continue };
            let told = match field.name() {
                "message" => redactor.text(&text),
                name => redactor.field(name, &text),
            };
            let value = match slot {
                Some(Owned::Text(_)) => Owned::Text(told),
                _ => Owned::Debug(tracing::field::debug(Formatted(told))),
            };
            *slot = Some(value);
        }
    }

    fn values(&self) -> Vec<Option<&dyn Value>> {
        self.values.iter().map(|v| v.as_ref().map(Owned::as_value)).collect()
    }
}

impl Visit for Recorded {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, Owned::Bool(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, Owned::Float(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, Owned::Signed(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, Owned::Unsigned(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let end = value.floor_char_boundary(VALUE_LIMIT);
        self.set(field, Owned::Text(value[..end].to_owned()));
    }

    /// The error and everything it was caused by, on one line.
    fn record_error(&mut self, field: &Field, error: &(dyn std::error::Error + 'static)) {
        self.format(field, |text| {
            write!(text, "{error}")?;
            let mut source = error.source();
            while let Some(cause) = source {
                write!(text, ": {cause}")?;
                source = cause.source();
            }
            Ok(())
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.format(field, |text| write!(text, "{value:?}"));
    }
}

/// One event with the spans it happened in, outermost first.
pub(super) struct Record {
    pub(super) at: UnixNanos,
    pub(super) spans: Vec<Recorded>,
    pub(super) event: Recorded,
}

impl Record {
    /// What it says, how loud, and what makes it the same as another.
    pub(super) fn identity(&self) -> (Level, Key, String) {
        let metadata = self.event.metadata;
        let message = self.event.message();
        let mut hasher = DefaultHasher::new();
        message.hash(&mut hasher);
        (*metadata.level(), (Some(metadata.callsite()), hasher.finish()), message)
    }

    /// Hides the names of files in it, and in the spans around it.
    pub(super) fn redact(&mut self, redactor: &Redactor) {
        self.spans.iter_mut().chain([&mut self.event]).for_each(|r| r.redact(redactor));
    }

    /// Repeats the event to `to`, inside copies of its spans.
    ///
    /// `to` must be the thread's default dispatcher: the registry looks there for the parents of the spans it closes.
    pub(super) fn replay(&self, to: &Dispatch) {
        let entered: Vec<Id> = self.spans.iter().map(|span| enter(span, to)).collect();
        let values = self.event.values();
        // `value_set_all` is what the macros of `tracing` expand to: hidden from its documentation, and the only way to
        // name values of a call site that is known at run time alone.
        let values = self.event.metadata.fields().value_set_all(&values);
        to.event(&Event::new(self.event.metadata, &values));
        for id in entered.into_iter().rev() {
            to.exit(&id);
            to.try_close(id);
        }
    }
}

fn enter(span: &Recorded, to: &Dispatch) -> Id {
    let values = span.values();
    let values = span.metadata.fields().value_set_all(&values);
    let id = to.new_span(&Attributes::new(span.metadata, &values));
    to.enter(&id);
    id
}
