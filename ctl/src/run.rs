//! From the command line to a verb, and from what it says to an exit code.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tidy_config::{Environment, LocationError};
use tidy_protocol::{Client, ClientError, ErrorCode, ExitCode, Request, Response};

use crate::cli::{Cli, Color, Verb};
use crate::error::Failure;
use crate::output::{self, Output};
use crate::verbs::{
    config, doctor, errors, events, explain, files, init, install, manual, metrics, operations,
    organize, report, resolve, service, store, suggest, top, undo,
};

/// What a verb comes to: the exit code, or why it ended early.
pub(crate) type Ended = Result<ExitCode, Failure>;

/// What every verb works with.
pub(crate) struct Session {
    pub(crate) out: Output,
    socket: Option<PathBuf>,
}

impl Session {
    /// Where the daemon listens.
    pub(crate) fn socket(&self) -> Result<PathBuf, Failure> {
        Ok(match &self.socket {
            Some(given) => std::path::absolute(given)?,
            None => usual_socket()?,
        })
    }

    /// A new connection to the daemon. Where others have all of them, one is waited for.
    pub(crate) fn connect(&self) -> Result<Client, Failure> {
        let (socket, begin) = (self.socket()?, Instant::now());
        loop {
            let error = match Client::connect(&socket, env!("CARGO_PKG_VERSION")) {
                Ok(client) => return Ok(client),
                Err(error) => error,
            };
            let wait = match &error {
                ClientError::Daemon(e) if e.code == ErrorCode::Busy => e.retry_after_ms,
                _ => None,
            };
            let wait = wait.map(|ms| Duration::from_millis(ms.max(1)));
            match wait.filter(|wait| begin.elapsed() + *wait < PATIENCE) {
                Some(wait) => std::thread::sleep(wait),
                None => return Err(error.into()),
            }
        }
    }

    /// One question, one answer.
    pub(crate) fn ask(&self, request: &Request) -> Result<Response, Failure> {
        Ok(self.connect()?.call(request)?)
    }
}

/// How long a connection is waited for where too many have one.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the daemon listens, unless the command line says otherwise.
pub(crate) fn usual_socket() -> Result<PathBuf, LocationError> {
    let own = Environment::from_process()?.socket_path()?;
    Ok(of_system_service().filter(|_| !own.exists()).unwrap_or(own))
}

/// The socket of `tidyd@USER.service`, if that is there: whoever runs it has no other. It is known by its owner, since nothing need
/// say in a script of the system's who one is; the directory may be systemd's.
fn of_system_service() -> Option<PathBuf> {
    let us = rustix::process::geteuid().as_raw();
    let all = std::fs::read_dir("/run/tidyd").ok()?.flatten();
    let mut sockets = all.map(|dir| dir.path().join("control.sock"));
    sockets.find(|socket| socket.metadata().is_ok_and(|found| found.uid() == us))
}

/// Runs a command and says on stderr why it failed, if it did.
pub(crate) fn run(cli: Cli) -> ExitCode {
    match cli.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    // An empty variable is one that is not set.
    let socket = cli.socket.filter(|s| s != Path::new(""));
    let mut session = Session { out: Output::new(cli.json, cli.quiet), socket };
    let ended = dispatch(&mut session, cli.verb);
    let flushed = session.out.flush().map_err(Failure::from);
    match ended.and_then(|code| flushed.map(|()| code)) {
        Ok(code) => code,
        Err(failure) => {
            let code = failure.exit_code();
            if code != ExitCode::Ok {
                output::complain(&failure);
            }
            code
        }
    }
}

fn dispatch(s: &mut Session, verb: Verb) -> Ended {
    match verb {
        Verb::Init(args) => init::init(s, &args),
        Verb::Status(_) => service::status(s),
        Verb::Log(args) => operations::log(s, &args),
        Verb::Show(args) => operations::show(s, &args),
        Verb::Explain(args) => explain::explain(s, &args),
        Verb::Organize(args) => organize::organize(s, &args),
        Verb::Rollback(args) => undo::rollback(s, args),
        Verb::Redo(args) => undo::redo(s, args),
        Verb::Files(args) => files::files(s, args),
        Verb::File(args) => files::file(s, &args),
        Verb::Duplicates(args) => files::duplicates(s, &args),
        Verb::Resolve(args) => resolve::resolve(s, args),
        Verb::Categories(_) => files::categories(s),
        Verb::Rules(_) => files::rules(s),
        Verb::Suggest(_) => suggest::suggest(s),
        Verb::Report(args) => report::report(s, &args),
        Verb::Events(_) => events::events(s),
        Verb::Top(_) => top::top(s),
        Verb::Pause(args) => service::pause(s, args.root.as_deref()),
        Verb::Resume(args) => service::resume(s, args.root.as_deref()),
        Verb::Reload(_) => service::reload(s),
        Verb::Rescan(args) => service::rescan(s, &args.paths),
        Verb::Wait(args) => service::wait(s, args.timeout),
        Verb::Jobs(args) => organize::jobs(s, &args),
        Verb::Cancel(args) => organize::cancel(s, args.id),
        Verb::Health(_) => service::health(s),
        Verb::Metrics(args) => metrics::metrics(s, &args),
        Verb::Errors(args) => errors::errors(s, &args),
        Verb::Doctor(_) => doctor::doctor(s),
        Verb::Store(args) => store::store(s, &args),
        Verb::Service(args) => install::service(s, &args.verb),
        Verb::Config(args) => config::config(s, &args.verb),
        Verb::Completions(args) => manual::completions(s, args.shell),
        Verb::Man(args) => manual::man(s, args.dir.as_deref()),
    }
}
