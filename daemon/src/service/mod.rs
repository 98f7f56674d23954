//! service: the daemon as a process: start, run, stop.
//!
//! The async shell around the coordinator: it performs effects on threads and feeds back what they
//! found, answers the control socket, listens to signals and to the service manager. Everything is
//! opened in a stated order (state directory, store, journal, recovery, catalog, socket, watches) and
//! closed in the reverse one.

mod ask;
mod asked;
mod care;
mod census;
mod collect;
mod commands;
mod configure;
mod convert;
mod error;
mod explanation;
mod exporter;
mod handed;
mod handle;
mod handler;
mod health;
mod hints;
mod inspect;
mod jobs;
mod listen;
mod metrics;
mod mounts;
mod notes;
mod notify;
mod once;
mod open;
mod power;
mod publish;
mod queries;
mod reach;
mod renew;
mod report;
mod resolve;
mod restart;
mod retain;
mod scanner;
mod search;
mod shell;
mod status;
mod stops;
mod thrift;
mod time;
mod unasked;
mod undo;
mod upgrade;

use std::os::fd::OwnedFd;
use std::process::ExitCode;

use tidy_protocol::ExitCode as Code;

use crate::cli::{Command, Options};
use crate::telemetry;

use crate::confine::Confinement;
use crate::readers::Readers;
use crate::store::StateDir;

/// A process that has read its configuration and given up what it does not need.
struct Begun {
    configured: configure::Configured,
    state: StateDir,
    confinement: Confinement,
    readers: Readers,
    /// What a person should know about that.
    notes: Vec<String>,
    /// A control socket that was handed over.
    handed: Option<OwnedFd>,
}

/// What comes before everything else, in this order: what was handed over, the configuration, the state directory, the
/// process that reads metadata (which nobody could start later), what the system tells of this one, the confinement, and only then the first
/// thread, which is that of the log. The log is to be held to the end.
fn begin(options: &Options) -> Result<(Begun, telemetry::LogGuard), Fatal> {
    let handed = if options.once { None } else { handed::socket()? };
    let configured = configure::load(options)?;
    let (state, brought_up) = open::state(&configured.state, options.dry_run)?;
    let readers = Readers::start();
    crate::metrics::Process::here();
    let runs = configured.setup.runs_commands() || configured.setup.notifies();
    if runs && !options.dry_run {
        // Before the confinement, which commands are not meant to share.
        crate::act::hook::start().map_err(|e| {
            let message = format!("the process that runs commands cannot be started: {e}");
            Fatal::new(
                Code::Failed,
                message,
                "take `run` and `notify` out of the configuration, or look at the limits",
            )
        })?;
    }
    let redactor = redactor(&configured, &state)?;
    let (confinement, mut notes) = reach::confine(&configured, &state, options.dry_run);
    notes.extend(brought_up);
    notes.extend(readers.trouble().map(str::to_owned));
    let log = telemetry::init(options.log_format, redactor)
        .map_err(|e| Fatal::new(Code::Usage, e.to_string(), "see `tidyd --help`"))?;
    if !options.dry_run
        && let Err(error) = log.errors().keep(state.path().join(tidy_config::ERRORS_FILE))
    {
        tracing::warn!(%error, "errors are not kept for the next start");
    }
    tracing::info!("{confinement}");
    for note in &notes {
        tracing::warn!("{note}");
    }
    Ok((Begun { configured, state, confinement, readers, notes, handed }, log))
}

/// What hides the names of files in the log, if that is wanted. Rather no service than a log that names them.
fn redactor(
    configured: &configure::Configured,
    state: &StateDir,
) -> Result<Option<telemetry::Redactor>, Fatal> {
    if !configured.log.redact {
        return Ok(None);
    }
    telemetry::Redactor::open(state.path()).map(Some).map_err(|e| {
        let message =
            format!("the key for a redacted log cannot be kept in the state directory: {e}");
        Fatal::new(Code::Failed, message, "see who may write there, or take `redact` out of `log`")
    })
}

/// A failure that ends the process: what happened, what to do, and the exit code.
#[derive(Debug)]
pub struct Fatal {
    pub message: String,
    pub hint: Option<String>,
    pub code: Code,
}

impl Fatal {
    fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: Some(hint.into()), code }
    }
}

impl std::fmt::Display for Fatal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.hint {
            Some(hint) => write!(f, "{}; {hint}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Runs the service, or `--once`, `--check`, or a subcommand; returns one of the protocol's exit codes.
pub fn run(options: Options) -> ExitCode {
    let result = if let Some(Command::Scan(options)) = &options.command {
        census::run(options)
    } else if let Some(Command::Inspect(what)) = &options.command {
        inspect::run(&options, what)
    } else if let Some(Command::Store(what)) = &options.command {
        care::run(&options, what)
    } else if matches!(options.command, Some(Command::ReadMetadata)) {
        return crate::readers::run_host();
    } else if options.check {
        configure::check(&options)
    } else if options.once {
        once::run(&options)
    } else {
        shell::run(&options)
    };
    match result {
        Ok(code) => ExitCode::from(code as u8),
        Err(fatal) => {
            telemetry::complain(&fatal.message, fatal.hint.as_deref());
            ExitCode::from(fatal.code as u8)
        }
    }
}
