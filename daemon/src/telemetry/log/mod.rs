//! Logging that never waits for its reader.
//!
//! ```text
//! event ─▶ filter ─▶ queue (bounded, drops and counts) ─▶ writer thread (folds, redacts) ─▶ text | json | journald
//!            └────▶ recent errors (ring)
//! ```
//!
//! tracing-journald writes with a blocking `send`, and a write to a full stderr pipe blocks too. Both happen on the
//! writer's thread alone.

mod queue;
mod record;
mod redact;
mod repeats;
mod writer;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::IsTerminal as _;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{EnvFilter, registry};

pub use self::redact::Redactor;

use self::queue::Queue;
use self::writer::Form;
use super::about;
use super::errors::ErrorLog;

/// Environment variable with the filter, in the syntax of `tracing_subscriber::EnvFilter`:
/// `debug`, or `info,tidyd::watch=trace`.
pub const FILTER_VARIABLE: &str = "TIDYD_LOG";

/// What is logged when nothing else is said. sled and notify tell at INFO what only their authors need, and notify
/// warns of every watched directory that somebody deletes.
const DEFAULT_FILTER: &str = "info,sled=warn,notify=error";

/// How long leaving waits for the reader of the log.
const FLUSH_LIMIT: Duration = Duration::from_millis(500);

/// How the log is written: the values of `--log-format`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// journald when stderr is connected to it, else text.
    #[default]
    Auto,
    /// One line an event on stderr, coloured on a terminal unless `NO_COLOR` is set.
    Text,
    /// One JSON object a line on stderr.
    Json,
    /// journald's own protocol, with every field; text on stderr if it cannot be reached.
    Journald,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error(
        "{FILTER_VARIABLE} is not a log filter: use a level like `debug`, or `info,tidyd::watch=trace`"
    )]
    Filter(#[source] tracing_subscriber::filter::ParseError),
    #[error("{FILTER_VARIABLE} is not UTF-8")]
    FilterNotText,
    #[error("logging was set up twice in this process")]
    Twice(#[source] TryInitError),
    #[error("cannot start the log writer")]
    Writer(#[source] std::io::Error),
}

/// Keeps the log alive; dropping it writes what is still queued, waiting at most half a second.
#[must_use = "dropping it ends the log"]
pub struct Guard {
    queue: Queue,
    errors: ErrorLog,
}

impl Guard {
    /// The recent errors, for `tidyctl errors` and `health`.
    pub fn errors(&self) -> ErrorLog {
        self.errors.clone()
    }

    /// A sentence as it may stand where the log goes: on a terminal in full, since whoever looks is at the keyboard.
    pub fn told(&self, text: &str) -> String {
        match std::io::stderr().is_terminal() {
            true => text.to_owned(),
            false => self.errors.told(text),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.queue.flush(FLUSH_LIMIT);
        self.errors.flush(FLUSH_LIMIT);
    }
}

/// Sets up logging for the process, with the filter in [`FILTER_VARIABLE`], and without names of files if there is a redactor.
/// Panics are logged as errors from here on.
///
/// # Errors
/// A filter that does not parse, a second call, or no thread for the writer. An absent journald is none: the log falls
/// back to stderr and says so.
pub fn init(format: LogFormat, redactor: Option<Redactor>) -> Result<Guard, LogError> {
    let stderr = std::io::stderr();
    let form = match format {
        LogFormat::Auto if stderr_is_journald() => Form::Journald,
        LogFormat::Auto | LogFormat::Text => Form::Text { colours: colours_wanted() },
        LogFormat::Json => Form::Json,
        LogFormat::Journald => Form::Journald,
    };
    let stderr = stderr.as_fd().try_clone_to_owned().map_err(LogError::Writer)?;
    let (subscriber, guard) = assemble(form, stderr, &filter_from_environment()?, redactor)?;
    subscriber.try_init().map_err(LogError::Twice)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(guard)
}

fn filter_from_environment() -> Result<String, LogError> {
    match std::env::var(FILTER_VARIABLE) {
        Ok(filter) if !filter.trim().is_empty() => Ok(filter),
        Ok(_) | Err(std::env::VarError::NotPresent) => Ok(DEFAULT_FILTER.to_owned()),
        Err(std::env::VarError::NotUnicode(_)) => Err(LogError::FilterNotText),
    }
}

fn assemble(
    form: Form,
    stderr: OwnedFd,
    filter: &str,
    redactor: Option<Redactor>,
) -> Result<(impl Subscriber + Send + Sync + 'static, Guard), LogError> {
    let filter = EnvFilter::builder().parse(filter).map_err(LogError::Filter)?;
    let level = filter.max_level_hint().unwrap_or(LevelFilter::TRACE);
    let (queue, drain) = queue::queue();
    let errors = ErrorLog::redacted(redactor.clone());
    // Never joined: it may be waiting for a reader that is gone for good.
    std::thread::Builder::new()
        .name("tidyd-log".to_owned())
        .spawn(move || writer::run(&drain, form, stderr, level, redactor.as_ref()))
        .map_err(LogError::Writer)?;
    let subscriber = registry()
        .with(queue.clone().with_filter(filter))
        .with(errors.clone().with_filter(errors_and_spans()));
    Ok((subscriber, Guard { queue, errors }))
}

/// What the ring of recent errors needs to see, whatever [`FILTER_VARIABLE`] says: errors, and the spans around them.
fn errors_and_spans<S>() -> impl tracing_subscriber::layer::Filter<S> {
    let wanted = |metadata: &Metadata<'_>| {
        *metadata.level() == tracing::Level::ERROR
            || (metadata.is_span() && *metadata.level() <= tracing::Level::INFO)
    };
    filter_fn(wanted).with_max_level_hint(LevelFilter::INFO)
}

fn log_panic(info: &std::panic::PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("(no message)");
    let thread = std::thread::current();
    tracing::error!(
        target: "tidyd::panic",
        thread = thread.name().unwrap_or("unnamed"),
        at = info.location().map(tracing::field::display),
        path = about::at(),
        "a task panicked: {message}"
    );
}

/// Whether stderr is the stream that the service manager connected to journald: `JOURNAL_STREAM` holds its device and
/// inode as `dev:ino`, in decimal (systemd.exec(5)). Without the comparison a redirected stderr would be bypassed.
fn stderr_is_journald() -> bool {
    let Ok(value) = std::env::var("JOURNAL_STREAM") else { return false };
    std::io::stderr()
        .as_fd()
        .try_clone_to_owned()
        .and_then(|stderr| File::from(stderr).metadata())
        .is_ok_and(|stderr| same_stream(&value, stderr.dev(), stderr.ino()))
}

fn same_stream(journal_stream: &str, dev: u64, ino: u64) -> bool {
    let Some((d, i)) = journal_stream.split_once(':') else { return false };
    d.parse() == Ok(dev) && i.parse() == Ok(ino)
}

fn colours_wanted() -> bool {
    // https://no-color.org: set and not empty.
    let refused = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
        || std::env::var_os("TERM").is_some_and(|v| v == "dumb");
    !refused && std::io::stderr().is_terminal()
}
