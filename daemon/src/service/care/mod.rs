//! `tidyd store …`: what tidyd keeps for itself, with and without the service; and the service's own backups.
//!
//! Backups, export and the check of the log read files that are only appended to, so they need nobody's leave. What needs the
//! index is done by whoever holds the state directory: this process, or the service that is asked.

mod backup;
mod check;
mod export;
mod mend;
mod restore;
mod schedule;

use std::io::{self, Write as _};
use std::path::Path;

use jiff::tz::TimeZone;
use serde::Serialize;
use tidy_core::{UnixNanos, name};
use tidy_protocol::ExitCode as Code;

pub(super) use check::checks;
pub(super) use schedule::Schedule;

use super::configure::{self, Places};
use super::{Fatal, open};
use crate::care::CareError;
use crate::cli::{Options, StoreOptions, StoreVerb};
use crate::store::{StateDir, StoreError, format};
use crate::telemetry::{self, LogFormat};

/// Runs it.
pub(super) fn run(options: &Options, what: &StoreOptions) -> Result<Code, Fatal> {
    let options = Options {
        state: what.state.clone(),
        config: what.config.clone(),
        socket: what.socket.clone(),
        ..options.clone()
    };
    let places = configure::places(&options)?;
    let _log = telemetry::init(LogFormat::default(), None)
        .map_err(|e| Fatal::new(Code::Usage, e.to_string(), "see `tidyd store --help`"))?;
    let out = Out { json: what.json };
    match &what.verb {
        StoreVerb::Backup { to } => backup::backup(&out, &places, to.as_deref()),
        StoreVerb::List { from } => backup::list(&out, &places, from.as_deref()),
        StoreVerb::Verify { backup: None } => check::verify(&out, &places),
        StoreVerb::Verify { backup: Some(path) } => backup::verify(&out, path),
        StoreVerb::Compact => mend::compact(&out, &places),
        StoreVerb::Rebuild => mend::rebuild(&out, &places),
        StoreVerb::Export { output, from } => {
            export::export(&places, output.as_deref(), from.as_deref())
        }
        StoreVerb::Restore { backup } => restore::restore(&out, &places, backup.as_deref()),
    }
}

/// Where answers go.
struct Out {
    json: bool,
}

impl Out {
    /// As JSON, or in words.
    fn show(&self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Fatal> {
        let mut out = io::stdout().lock();
        let written = match self.json {
            true => serde_json::to_writer(&mut out, value).map_err(io::Error::from),
            false => out.write_all(text().trim_end().as_bytes()),
        };
        match written.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()) {
            Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(unwritten(&e)),
            _ => Ok(()),
        }
    }
}

fn unwritten(error: &io::Error) -> Fatal {
    let message = format!("the answer cannot be written: {error}");
    Fatal::new(Code::Failed, message, "see where it goes")
}

/// The state directory for this process alone; it has to be there.
fn alone(places: &Places, verb: &str) -> Result<StateDir, Fatal> {
    there(places)?;
    held(places, verb)
}

/// The same, made where there is none.
fn held(places: &Places, verb: &str) -> Result<StateDir, Fatal> {
    let (state, notes) = open::state(&places.state, false).map_err(|fatal| match fatal.code {
        Code::Refused if is_in_use(places) => Fatal {
            hint: Some(format!(
                "stop it first (`systemctl --user stop tidyd`, or Ctrl-C where it runs): `{verb}` needs the state \
                 directory for itself"
            )),
            ..fatal
        },
        _ => fatal,
    })?;
    notes.iter().for_each(|note| telemetry::note(note));
    Ok(state)
}

fn is_in_use(places: &Places) -> bool {
    matches!(StateDir::open(&places.state), Err(StoreError::InUse { .. }))
}

/// There is a state directory, and not of a newer program.
fn there(places: &Places) -> Result<(), Fatal> {
    match places.state.try_exists() {
        Ok(false) => {
            let message = format!("there is no state directory {}", shown(&places.state));
            let hint = "tidyd makes it when it first runs; --state names another one";
            Err(Fatal::new(Code::Failed, message, hint))
        }
        _ => format::of(&places.state).map(drop).map_err(open::store_failed),
    }
}

/// The configured folder for backups.
fn folder(places: &Places) -> Result<&configure::Backups, Fatal> {
    places.backup.as_ref().map_err(|bad| Fatal {
        message: format!(
            "where the backups are stands in the configuration, which is not good: {}",
            bad.message
        ),
        hint: Some("mend it, or name the folder".to_owned()),
        code: bad.code,
    })
}

fn failed(error: &CareError) -> Fatal {
    let code = match error {
        CareError::Busy(_) | CareError::Newer { .. } => Code::Refused,
        _ => Code::Failed,
    };
    Fatal::new(code, error.to_string(), error.hint())
}

fn shown(path: &Path) -> String {
    name::shown(path.as_os_str())
}

/// A moment for people: local, to the second.
fn moment(at: UnixNanos) -> String {
    at.timestamp().to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn count(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
