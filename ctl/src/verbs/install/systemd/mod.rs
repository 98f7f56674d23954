//! systemd's manager of a person's own services (`systemctl --user`).

mod show;
mod unit;

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};
use serde_json::Value;
use tidy_protocol::ExitCode;

use super::manager::{Found, Job, LogLine, Manager, NoManager, Unwritable};
use crate::error::Failure;
use crate::program::{self, Said};
use crate::render::path::one_line;

const UNIT: &str = "tidyd.service";
const SOCKET: &str = "tidyd.socket";

/// How long it may take for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a stop may take: a little more than the unit allows (`TimeoutStopSec=`).
const STOP_PATIENCE: Duration = Duration::from_secs(45);

/// Asked through the programs that people use.
pub(super) struct Systemd {
    /// Where one's own units are, in order: as this process would have it, and by default.
    pub(super) places: [PathBuf; 2],
}

impl Systemd {
    fn ask(&self, arguments: &[&str], patience: Duration) -> Result<Said, NoManager> {
        let mut command = Command::new("systemctl");
        // Its own words are shown to people as they are, and parsed: in one language.
        command.arg("--user").args(arguments).env("LC_ALL", "C.UTF-8");
        let said = program::run(&mut command, patience).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => none("there is no systemd here (no systemctl)".to_owned()),
            io::ErrorKind::TimedOut => none("systemctl --user does not answer".to_owned()),
            _ => none(format!("systemctl cannot be run: {e}")),
        })?;
        let complaint = said.complaint();
        // Whatever the question was: there is nobody to ask.
        if !said.ok && (complaint.contains("connect to bus") || complaint.contains("been booted")) {
            let why = one_line(complaint);
            return Err(none(format!("systemd runs no services for you here: {why}")));
        }
        Ok(said)
    }

    fn tell(&self, arguments: &[&str], patience: Duration) -> Result<(), Failure> {
        let said = self.ask(arguments, patience)?;
        if said.ok {
            return Ok(());
        }
        let (verb, why) = (arguments.join(" "), one_line(said.complaint()));
        let message = format!("systemctl --user {verb}: {why}");
        Err(Failure::new(ExitCode::Failed, message, "tidyctl service status; tidyctl service logs"))
    }

    fn show(&self, of: Option<&str>, property: &str) -> Result<String, NoManager> {
        let mut arguments = vec!["show", property];
        arguments.extend(of);
        let said = self.ask(&arguments, PATIENCE)?;
        match said.ok {
            true => Ok(said.stdout),
            false => Err(none(format!("systemctl --user show: {}", one_line(said.complaint())))),
        }
    }
}

impl Manager for Systemd {
    fn name(&self) -> &'static str {
        "systemd"
    }

    fn kind(&self) -> &'static str {
        "unit"
    }

    fn own_file(&self) -> Result<PathBuf, NoManager> {
        let paths = self.show(None, "--property=UnitPath")?;
        let dir = searched(&paths, &self.places).ok_or_else(|| NoManager {
            why: format!("systemd does not look for units in {}", self.places[0].display()),
            hint: "it was started with another XDG_CONFIG_HOME: set it to the same, or unset it"
                .to_owned(),
        })?;
        Ok(dir.join(UNIT))
    }

    fn text(&self, job: &Job) -> Result<String, Unwritable> {
        unit::unit(job)
    }

    fn look(&self) -> Result<Option<Found>, NoManager> {
        let text = self.show(Some(UNIT), show::PROPERTIES)?;
        let ns = |t: Timespec| t.tv_sec.saturating_mul(1_000_000_000).saturating_add(t.tv_nsec);
        let clocks = show::Clocks {
            wall_ns: ns(clock_gettime(ClockId::Realtime)),
            since_boot_ns: ns(clock_gettime(ClockId::Monotonic)),
        };
        Ok(show::found(&text, clocks))
    }

    fn enable(&self, _changed: bool) -> Result<(), Failure> {
        self.tell(&["daemon-reload"], PATIENCE)?;
        self.tell(&["enable", UNIT], PATIENCE)?;
        // systemctl does that itself, but for where it takes the system for one that was not booted with systemd.
        self.tell(&["daemon-reload"], PATIENCE)
    }

    fn start(&self, changed: bool) -> Result<(), Failure> {
        // After too many failures it would not be started again; nothing is to be reset where there was none.
        let _ = self.ask(&["reset-failed", UNIT], PATIENCE)?;
        let verb = if changed { "restart" } else { "start" };
        // The first look at a large folder takes its time.
        self.tell(&[verb, "--no-block", UNIT], STOP_PATIENCE)
    }

    fn stop(&self) -> Result<(), Failure> {
        // A socket that is listened on would start it again.
        let socket = self.show(Some(SOCKET), "--property=LoadState")?;
        if socket.contains("LoadState=loaded") {
            self.tell(&["disable", "--now", SOCKET], PATIENCE)?;
        }
        self.tell(&["disable", "--now", UNIT], STOP_PATIENCE)?;
        self.tell(&["daemon-reload"], PATIENCE)
    }

    fn forget(&self) -> Result<(), Failure> {
        self.tell(&["daemon-reload"], PATIENCE)?;
        // What failed is still listed otherwise.
        let _ = self.ask(&["reset-failed", UNIT], PATIENCE)?;
        Ok(())
    }

    fn logs(&self, lines: u32, follow: bool, json: bool) -> Result<Command, Failure> {
        let mut command = Command::new("journalctl");
        // Not `--user --unit`: that leaves out what lies in the system's journal, where there is no other.
        command.arg("--user-unit").arg(UNIT).arg(format!("--lines={lines}"));
        command.args(follow.then_some("--follow"));
        if json {
            command.args(["--output=json", "--output-fields=MESSAGE,PRIORITY", "--no-pager"]);
        }
        Ok(command)
    }

    fn log_line(&self, line: &str) -> LogLine {
        log_line(line)
    }

    fn log_remains(&self) -> String {
        "in the journal of systemd, which forgets it in time".to_owned()
    }

    fn started_by(&self) -> Option<String> {
        let socket = self.show(Some(SOCKET), "--property=ActiveState").ok()?;
        socket.contains("ActiveState=active").then(|| SOCKET.to_owned())
    }
}

/// The first of `places` in which systemd looks. `UnitPath=` has the directories with blanks between them.
fn searched<'p>(paths: &str, places: &'p [PathBuf; 2]) -> Option<&'p Path> {
    let paths = paths.trim().strip_prefix("UnitPath=")?;
    let found = |place: &&PathBuf| {
        let Some(place) = place.to_str() else { return false };
        // A blank in a name is a blank like any other.
        let (before, after) = (format!("{place} "), format!(" {place}"));
        paths == place
            || paths.starts_with(&before)
            || paths.ends_with(&after)
            || paths.contains(&format!(" {place} "))
    };
    places.iter().find(found).map(PathBuf::as_path)
}

/// What to do where there is none.
fn none(why: String) -> NoManager {
    let uid = rustix::process::getuid().as_raw();
    let run = format!("/run/user/{uid}");
    let unset = std::env::var_os("XDG_RUNTIME_DIR").is_none_or(|v| v.is_empty());
    let hint = if unset && Path::new(&run).join("systemd/private").exists() {
        format!("there is one in another session of yours: export XDG_RUNTIME_DIR={run}")
    } else if Path::new("/run/systemd/system").exists() {
        "`loginctl enable-linger` has systemd run your services without a login, then log in anew; or start `tidyd` \
         yourself, from your session's autostart"
            .to_owned()
    } else {
        "start `tidyd` with what starts programs here: it runs in the foreground and ends on SIGTERM".to_owned()
    };
    NoManager { why, hint }
}

/// An object of `journalctl --output=json`: numbers are text, a message that is not UTF-8 is a list of bytes.
fn log_line(line: &str) -> LogLine {
    let Ok(object) = serde_json::from_str::<Value>(line) else {
        return LogLine { message: line.to_owned(), ..LogLine::default() };
    };
    let number = |name: &str| object[name].as_str()?.parse::<u64>().ok();
    let message = match &object["MESSAGE"] {
        Value::String(text) => text.clone(),
        Value::Array(bytes) => {
            let byte = |b: &Value| b.as_u64().and_then(|b| u8::try_from(b).ok());
            let bytes: Vec<u8> = bytes.iter().filter_map(byte).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        _ => String::new(),
    };
    let us = number("__REALTIME_TIMESTAMP").and_then(|us| i64::try_from(us).ok());
    LogLine {
        time_ns: us.and_then(|us| us.checked_mul(1_000)),
        priority: number("PRIORITY"),
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_go_where_systemd_looks_for_them() {
        let places =
            ["/home/a b/x/systemd/user", "/home/a b/.config/systemd/user"].map(PathBuf::from);
        let of = |paths: &str| searched(paths, &places).map(|p| p.display().to_string());
        let own = "/home/a b/x/systemd/user";
        for paths in [
            format!("UnitPath={own}\n"),
            format!("UnitPath={own} /etc/systemd/user\n"),
            format!("UnitPath=/run/x {own} {}\n", places[1].display()),
        ] {
            assert_eq!(of(&paths).as_deref(), Some(own), "{paths}");
        }
        let default = "UnitPath=/run/x /home/a b/.config/systemd/user";
        assert_eq!(of(default), Some("/home/a b/.config/systemd/user".into()));
        assert_eq!(of(&format!("UnitPath=/run{own} /etc\n")), None);
        assert_eq!(of(""), None);
    }

    #[test]
    fn a_line_of_the_journal_is_a_moment_a_priority_and_a_message() {
        let line = log_line(
            r#"{"__REALTIME_TIMESTAMP":"1764000000000001","PRIORITY":"4","MESSAGE":"a\nb","_PID":"7"}"#,
        );
        let want = LogLine {
            time_ns: Some(1_764_000_000_000_001_000),
            priority: Some(4),
            message: "a\nb".into(),
        };
        assert_eq!(line, want);
        assert_eq!(log_line(r#"{"MESSAGE":[99,97,102,233]}"#).message, "caf\u{fffd}");
        assert_eq!(log_line("-- No entries --").message, "-- No entries --");
    }
}
