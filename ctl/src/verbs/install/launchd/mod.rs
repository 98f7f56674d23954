//! launchd's agents of a person who is logged in (`launchctl … gui/UID`).

mod agent;
mod print;

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tidy_protocol::ExitCode;

use super::manager::{Found, Job, LogLine, Manager, NoManager, Unwritable};
use crate::error::Failure;
use crate::program::{self, Said};
use crate::render::path::one_line;

/// The agent's name, which is its file's, too.
pub(super) const LABEL: &str = "dev.tidyd.agent";

/// How long it may take for an answer: a stop waits for the agent's end (`ExitTimeOut`).
const PATIENCE: Duration = Duration::from_secs(45);

/// Asked through `launchctl`.
pub(super) struct Launchd {
    /// `launchctl`, or what stands in for it.
    pub(super) launchctl: PathBuf,
    pub(super) home: PathBuf,
    pub(super) uid: u32,
}

impl Launchd {
    fn domain(&self) -> String {
        format!("gui/{}", self.uid)
    }

    fn target(&self) -> String {
        format!("{}/{LABEL}", self.domain())
    }

    fn file(&self) -> PathBuf {
        self.home.join("Library/LaunchAgents").join(format!("{LABEL}.plist"))
    }

    fn ask(&self, arguments: &[&str]) -> Result<Said, NoManager> {
        let said = program::run(Command::new(&self.launchctl).args(arguments), PATIENCE);
        said.map_err(|e| {
            let why = match e.kind() {
                io::ErrorKind::NotFound => "there is no launchd here (no launchctl)".to_owned(),
                _ => format!("launchctl cannot be run: {e}"),
            };
            let hint = "start `tidyd` yourself: it runs in the foreground and ends on SIGTERM";
            NoManager { why, hint: hint.to_owned() }
        })
    }

    fn tell(&self, arguments: &[&str]) -> Result<(), Failure> {
        let said = self.ask(arguments)?;
        if said.ok {
            return Ok(());
        }
        let (verb, why) = (arguments.join(" "), one_line(said.complaint()));
        let hint = "agents belong to a login on the screen: run it there, not over ssh";
        Err(Failure::new(ExitCode::Failed, format!("launchctl {verb}: {why}"), hint))
    }

    fn is_loaded(&self) -> Result<bool, NoManager> {
        Ok(self.ask(&["print", &self.target()])?.ok)
    }

    /// Takes it out, and waits until it is: a `bootstrap` before that fails.
    fn unload(&self) -> Result<(), Failure> {
        if !self.is_loaded()? {
            return Ok(());
        }
        self.tell(&["bootout", &self.target()])?;
        let deadline = Instant::now() + PATIENCE;
        while self.is_loaded()? {
            if Instant::now() > deadline {
                let message = "launchd does not let the agent go";
                let hint = "log out and in again, then run this once more";
                return Err(Failure::new(ExitCode::Failed, message, hint));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Manager for Launchd {
    fn name(&self) -> &'static str {
        "launchd"
    }

    fn kind(&self) -> &'static str {
        "agent"
    }

    fn own_file(&self) -> Result<PathBuf, NoManager> {
        Ok(self.file())
    }

    fn text(&self, job: &Job) -> Result<String, Unwritable> {
        agent::agent(job)
    }

    fn look(&self) -> Result<Option<Found>, NoManager> {
        let said = self.ask(&["print", &self.target()])?;
        if said.ok {
            return Ok(Some(print::found(&said.stdout)));
        }
        // Not loaded: it may lie there all the same, for the next login.
        let file = Some(self.file()).filter(|file| file.exists());
        Ok(file.map(|file| Found {
            file: Some(file),
            enabled: true,
            active: "inactive".to_owned(),
            ..Found::default()
        }))
    }

    fn enable(&self, changed: bool) -> Result<(), Failure> {
        if changed {
            self.unload()?;
        }
        // A person may have switched it off once; that outlives its file.
        self.tell(&["enable", &self.target()])
    }

    fn start(&self, _changed: bool) -> Result<(), Failure> {
        if self.is_loaded()? {
            return self.tell(&["kickstart", &self.target()]);
        }
        let file = self.file();
        let file = file.to_str().ok_or(Failure::Unexpected)?;
        self.tell(&["bootstrap", &self.domain(), file])
    }

    fn stop(&self) -> Result<(), Failure> {
        self.unload()
    }

    fn forget(&self) -> Result<(), Failure> {
        Ok(())
    }

    fn logs(&self, lines: u32, follow: bool, _json: bool) -> Result<Command, Failure> {
        let file = agent::log_file(&self.home);
        if !file.exists() {
            let message = format!("there is no log yet: {}", one_line(&file.to_string_lossy()));
            let hint = "tidyctl service status says whether it runs";
            return Err(Failure::new(ExitCode::Failed, message, hint));
        }
        let mut command = Command::new("tail");
        command.arg("-n").arg(lines.to_string());
        // By name: the file may be exchanged (newsyslog).
        command.args(follow.then_some("-F")).arg(file);
        Ok(command)
    }

    fn log_line(&self, line: &str) -> LogLine {
        LogLine { message: line.to_owned(), ..LogLine::default() }
    }

    fn log_remains(&self) -> String {
        one_line(&agent::log_file(Path::new(&self.home)).to_string_lossy())
    }
}
