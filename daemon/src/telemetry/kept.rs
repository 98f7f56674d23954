//! The last errors in a file of the state directory, so that what ended the service can be read after its end.
//!
//! One JSON object a line, oldest first, replaced as a whole by a thread of its own: whoever reports an error never
//! waits for the disk. Not synced: after a power cut the log has what is missing here.
#![expect(
    clippy::disallowed_methods,
    reason = "replaces its own file in the state directory, and nothing else"
)]

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tidy_core::UnixNanos;

use super::errors::{KEPT, RecentError};

/// More than [`KEPT`] errors of the largest size take.
const MAX: u64 = 4 << 20;

/// The shortest time between two writes, however fast errors come.
const PAUSE: Duration = Duration::from_secs(1);

/// Messages that may wait for the thread. One is enough to have everything written; some more for those who flush.
const WAITING: usize = 8;

/// A line of the file, version 1. **Frozen**: these names are on people's disks, and `tidyctl` reads them as
/// `tidy_protocol::ProblemInfo`.
#[derive(Debug, Serialize, Deserialize)]
struct LineV1 {
    time_ns: i64,
    source: String,
    message: String,
    context: Vec<ContextV1>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ContextV1 {
    name: String,
    value: String,
}

impl LineV1 {
    fn of(error: RecentError) -> Self {
        let context =
            error.context.into_iter().map(|(name, value)| ContextV1 { name, value }).collect();
        let RecentError { at, source, message, .. } = error;
        Self { time_ns: at.0, source, message, context }
    }

    fn error(self) -> RecentError {
        let context = self.context.into_iter().map(|c| (c.name, c.value)).collect();
        let Self { time_ns, source, message, .. } = self;
        RecentError { at: UnixNanos(time_ns), source, message, context }
    }
}

/// What was kept, oldest first. Lines that make no sense are left out: this is for people who look for a reason.
pub(super) fn load(file: &Path) -> Vec<RecentError> {
    let Ok(opened) = File::open(file) else { return Vec::new() };
    let lines = BufReader::new(opened.take(MAX)).lines().map_while(Result::ok);
    let mut errors: Vec<RecentError> =
        lines.filter_map(|l| serde_json::from_str::<LineV1>(&l).ok()).map(LineV1::error).collect();
    errors.drain(..errors.len().saturating_sub(KEPT));
    errors
}

fn store(file: &Path, errors: Vec<RecentError>) -> io::Result<()> {
    let new = file.with_extension("new");
    let opened = File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    let mut out = BufWriter::new(opened);
    for error in errors {
        serde_json::to_writer(&mut out, &LineV1::of(error))?;
        out.write_all(b"\n")?;
    }
    out.into_inner().map_err(io::IntoInnerError::into_error)?;
    fs::rename(&new, file)
}

enum Message {
    Changed,
    /// Answered once everything before it is in the file.
    Flush(SyncSender<()>),
}

/// Asks the thread that writes.
#[derive(Clone)]
pub(super) struct Keeper(SyncSender<Message>);

impl Keeper {
    /// Starts the thread. `errors` are those to be kept; `None` ends it.
    pub(super) fn start(
        file: PathBuf,
        errors: impl Fn() -> Option<Vec<RecentError>> + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, messages) = sync_channel(WAITING);
        std::thread::Builder::new()
            .name("tidyd-errors".to_owned())
            .spawn(move || run(&messages, &file, &errors))?;
        Ok(Self(sender))
    }

    /// There is one more. Never waits: when the queue is full, what is in it makes the thread write this one, too.
    pub(super) fn changed(&self) {
        let _ = self.0.try_send(Message::Changed);
    }

    /// Waits until all are in the file, at most `limit`.
    pub(super) fn flush(&self, limit: Duration) {
        const RETRY: Duration = Duration::from_millis(5);
        let deadline = Instant::now() + limit;
        let (ack, done) = sync_channel(1);
        let mut message = Message::Flush(ack);
        loop {
            match self.0.try_send(message) {
                Ok(()) => break,
                Err(TrySendError::Full(back)) if Instant::now() < deadline => {
                    message = back;
                    std::thread::sleep(RETRY);
                }
                Err(_) => return,
            }
        }
        let _ = done.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

fn run(messages: &Receiver<Message>, file: &Path, errors: &dyn Fn() -> Option<Vec<RecentError>>) {
    let mut written: Option<Instant> = None;
    // Set when something is not in the file yet, and it is too early to write again.
    let mut due: Option<Instant> = None;
    loop {
        let message = match due {
            None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => messages.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        match message {
            Ok(Message::Changed) => {
                if let Some(last) = written.filter(|w| w.elapsed() < PAUSE) {
                    due.get_or_insert(last + PAUSE);
                    continue;
                }
            }
            Ok(Message::Flush(_)) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let Some(all) = errors() else { return };
        // A full disk is told by those who meet it where it matters; telling it here would never end.
        let _ = store(file, all);
        (written, due) = (Some(Instant::now()), None);
        if let Ok(Message::Flush(ack)) = message {
            let _ = ack.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::errors::ErrorLog;
    use super::*;

    /// Longer than any machine takes.
    const LONG: Duration = Duration::from_secs(30);

    fn messages(errors: &[RecentError]) -> Vec<&str> {
        errors.iter().map(|e| e.message.as_str()).collect()
    }

    #[test]
    fn what_is_noted_is_there_at_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("errors");
        let first = ErrorLog::default();
        first.note("a", "before it was kept");
        first.keep(file.clone()).unwrap();
        (0..3).for_each(|n| first.note("a", &format!("number {n}\n")));
        first.flush(LONG);
        let want = ["before it was kept", "number 0\\n", "number 1\\n", "number 2\\n"];
        assert_eq!(messages(&load(&file)), want);

        let second = ErrorLog::default();
        second.keep(file.clone()).unwrap();
        second.note("b", "later");
        assert_eq!(messages(&second.recent_errors())[3..], ["number 2\\n", "later"]);
        assert_eq!(second.total(), 1, "counted from the start");
        (0..KEPT + 5).for_each(|n| second.note("b", &n.to_string()));
        second.flush(LONG);
        let kept = load(&file);
        assert_eq!((kept.len(), &*kept[0].message), (KEPT, "5"));
    }

    /// Bytes as version 1 wrote them.
    #[test]
    fn version_1_stays_readable_and_damage_costs_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("errors");
        let line = "{\"time_ns\":5,\"source\":\"tidyd::act\",\"message\":\"cannot\",\
                    \"context\":[{\"name\":\"op\",\"value\":\"7\"}]}\n";
        fs::write(&file, format!("not JSON\n{line}{{\"time_ns\":")).unwrap();
        let want = RecentError {
            at: UnixNanos(5),
            source: "tidyd::act".into(),
            message: "cannot".into(),
            context: vec![("op".into(), "7".into())],
        };
        assert_eq!(load(&file), [want]);
        store(&file, load(&file)).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), line);
        assert!(load(&dir.path().join("none")).is_empty());
    }
}
