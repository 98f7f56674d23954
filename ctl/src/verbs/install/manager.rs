//! What a service manager is asked for, whichever it is, and what it knows.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Failure;

/// What is to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) tidyd: PathBuf,
    pub(crate) tidyctl: PathBuf,
    /// Variables that say where things are, as far as the person has set them.
    pub(crate) environment: Vec<(&'static str, PathBuf)>,
    pub(crate) home: PathBuf,
}

/// A path that cannot stand in a unit or an agent.
#[derive(Debug)]
pub(crate) struct Unwritable(pub(crate) PathBuf);

/// A service as its manager knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Found {
    /// The unit or the agent.
    pub(crate) file: Option<PathBuf>,
    pub(crate) program: Option<PathBuf>,
    /// It starts at login.
    pub(crate) enabled: bool,
    /// `active`, `activating`, `inactive`, `failed`, `restarting` (it waits to be started anew), or why it cannot start:
    /// `masked`, `bad-setting`, …
    pub(crate) active: String,
    /// Since when it has been active, in nanoseconds since the epoch.
    pub(crate) since_ns: Option<i64>,
    pub(crate) pid: Option<u32>,
    /// How often the manager has started it anew by itself.
    pub(crate) restarts: u64,
    pub(crate) last_end: Option<End>,
}

impl Found {
    /// It runs, or is about to.
    pub(crate) fn is_up(&self) -> bool {
        matches!(self.active.as_str(), "active" | "activating" | "reloading" | "restarting")
    }
}

/// How it ended last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct End {
    /// The manager's own word: `exit-code`, `watchdog`, `oom-kill`, `start-limit-hit`, … Empty where it has none.
    pub(crate) why: String,
    pub(crate) exit: Option<i32>,
    pub(crate) signal: Option<i32>,
}

/// Why nothing can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoManager {
    pub(crate) why: String,
    pub(crate) hint: String,
}

impl From<NoManager> for Failure {
    fn from(none: NoManager) -> Self {
        Self::new(tidy_protocol::ExitCode::Failed, none.why, none.hint)
    }
}

/// systemd or launchd, for one person.
pub(crate) trait Manager {
    /// Its name.
    fn name(&self) -> &'static str;

    /// What its kind of file is called.
    fn kind(&self) -> &'static str;

    /// Where `install` writes.
    fn own_file(&self) -> Result<PathBuf, NoManager>;

    /// What `install` writes.
    fn text(&self, job: &Job) -> Result<String, Unwritable>;

    /// What it knows; `None`: no such service.
    fn look(&self) -> Result<Option<Found>, NoManager>;

    /// Has it started at login from now on. `changed`: its file is new or another one.
    fn enable(&self, changed: bool) -> Result<(), Failure>;

    /// Starts it, anew if `changed`, and does not wait for it.
    fn start(&self, changed: bool) -> Result<(), Failure>;

    /// Stops it, waits for that, and does not have it started at login any more.
    fn stop(&self) -> Result<(), Failure>;

    /// Its file is gone.
    fn forget(&self) -> Result<(), Failure>;

    /// The program that shows its log; `json`: one object a line where there is such a thing.
    fn logs(&self, lines: u32, follow: bool, json: bool) -> Result<Command, Failure>;

    /// A line of that as JSON.
    fn log_line(&self, line: &str) -> LogLine;

    /// What a person should know of what stays when it is removed, of its log.
    fn log_remains(&self) -> String;

    /// What else starts it when it is asked for something, such as a socket.
    fn started_by(&self) -> Option<String> {
        None
    }

    /// A file of a package or an administrator, as opposed to one's own.
    fn is_foreign(&self, file: &Path) -> bool {
        self.own_file().is_ok_and(|own| own != file)
    }
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub(crate) struct LogLine {
    pub(crate) time_ns: Option<i64>,
    /// As syslog counts: 3 is an error, 4 a warning, 6 information.
    pub(crate) priority: Option<u64>,
    pub(crate) message: String,
}
