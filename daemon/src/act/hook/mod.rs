//! Commands that rules run: argv only, in a helper process, with an end.
//!
//! The helper is this program again, started before the process is confined: what it starts is not confined to the
//! folders, and is nobody's child that has files or sockets of ours open. It is asked for one command
//! at a time by each caller, answers how it ended, and goes when we go.

mod helper;
mod protocol;
mod said;

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde_bytes::ByteBuf;
use tidy_core::name;
use tidy_core::operation::Operation;
use tidy_core::plan;

use super::error::ActError;
use super::{Performed, Recovered};
pub use helper::serve;
use protocol::{Ended, Request, read_frame, write_frame};

/// What the helper is told to be: the only argument it gets.
pub const HELPER: &str = "--serve-commands";

/// The helper answers this much after a command's own time limit at the latest.
const GRACE: Duration = Duration::from_secs(10);

/// The process that runs commands; there is one, and it is started once.
static RUNNER: OnceLock<Runner> = OnceLock::new();

struct Runner {
    stdin: Mutex<ChildStdin>,
    /// Until the first command is run: a thread that were started before the confinement would not be confined.
    stdout: Mutex<Option<ChildStdout>>,
    waiting: Mutex<Waiting>,
    /// Kept, so that it is not taken for one that was forgotten, and can be asked whether it has ended.
    child: Mutex<Child>,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    by_id: HashMap<u64, Sender<Ended>>,
    gone: bool,
}

/// Starts the helper, if there is none. To be called before anything is given up.
///
/// # Errors
/// It cannot be started; commands will fail then, and say so.
pub fn start() -> io::Result<()> {
    if RUNNER.get().is_some() {
        return Ok(());
    }
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(HELPER).stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
    let mut child = command.spawn()?;
    let pipes = child.stdin.take().zip(child.stdout.take());
    let (stdin, stdout) = pipes.ok_or_else(|| io::Error::other("it has no pipes"))?;
    let runner = Runner {
        stdin: Mutex::new(stdin),
        stdout: Mutex::new(Some(stdout)),
        waiting: Mutex::default(),
        child: Mutex::new(child),
    };
    // Nobody else starts one meanwhile.
    let _ = RUNNER.set(runner);
    Ok(())
}

/// Whether commands can be run in this process.
pub fn is_started() -> bool {
    RUNNER.get().is_some()
}

/// Why no command can be run, where the helper was started and has ended since.
pub fn trouble() -> Option<String> {
    let runner = RUNNER.get()?;
    let end = match lock(&runner.child).try_wait() {
        Ok(None) if lock(&runner.waiting).gone => "does not answer any more".to_owned(),
        Ok(None) => return None,
        Ok(Some(status)) => format!("has ended ({status})"),
        Err(error) => format!("cannot be asked after: {error}"),
    };
    Some(format!("the process that runs commands {end}"))
}

impl Runner {
    /// Hands on what the helper answers, from the first command on.
    fn listen(&'static self) {
        let Some(mut stdout) = lock(&self.stdout).take() else { return };
        let listening = std::thread::Builder::new().name("commands".into()).spawn(move || {
            while let Ok(Some(ended)) = read_frame::<Ended>(&mut stdout) {
                if let Some(caller) = lock(&self.waiting).by_id.remove(&ended.id) {
                    // Whoever asked may have given up.
                    let _ = caller.send(ended);
                }
            }
            self.end();
        });
        if let Err(error) = listening {
            tracing::error!(%error, "no command can be run: nobody would hear how it ends");
            self.end();
        }
    }

    fn end(&self) {
        let waiting = &mut *lock(&self.waiting);
        waiting.gone = true;
        // Dropping the senders tells everybody.
        waiting.by_id.clear();
    }
}

/// Runs the command of an operation and waits for its end.
pub(super) fn run(op: &Operation) -> Result<Performed, ActError> {
    let command = op.step.command.as_ref().ok_or(ActError::Malformed("command"))?;
    let src = op.step.src.as_ref().ok_or(ActError::Malformed("file"))?;
    let failed = |why: String| ActError::Command { why };
    let path = src.path();
    let facts = [
        ("TIDYD_PATH", path.clone().into_os_string()),
        ("TIDYD_RULE", OsString::from(&*op.step.rule)),
        ("TIDYD_OPERATION", op.id.to_string().into()),
        ("TIDYD_BATCH", op.batch.to_string().into()),
    ];
    let dir = path.parent().unwrap_or(&path);
    ask(command, dir, own(&["HOME", "LANG"]).chain(facts)).map_err(failed)?;
    Ok(Performed { landed: None, digest: None })
}

/// Runs a program of the desktop's, which is not about any file and is in no journal.
///
/// # Errors
/// Why it did not end well.
pub fn tell(argv: Vec<OsString>, limit: Duration) -> Result<(), String> {
    let env = own(&["HOME", "LANG", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"]);
    ask(&plan::Command { argv, limit }, Path::new("/"), env)
}

/// What of our own environment is handed on.
fn own<'n>(names: &'n [&'static str]) -> impl Iterator<Item = (&'static str, OsString)> + 'n {
    let named = names.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
    named.chain(search_path().map(|path| ("PATH", path)))
}

/// Has the helper run a command, and waits for its end.
fn ask(
    command: &plan::Command,
    dir: &Path,
    env: impl Iterator<Item = (&'static str, OsString)>,
) -> Result<(), String> {
    let runner = RUNNER.get().ok_or("tidyd was started without commands; restart it")?;
    let bytes = |s: &std::ffi::OsStr| ByteBuf::from(s.as_bytes());
    let mut request = Request {
        id: 0,
        argv: command.argv.iter().map(|a| bytes(a)).collect(),
        dir: bytes(dir.as_os_str()),
        env: env.map(|(k, v)| (k.to_owned(), bytes(&v))).collect(),
        limit_ms: u64::try_from(command.limit.as_millis()).unwrap_or(u64::MAX),
    };
    runner.listen();
    let answer = enter(runner, &mut request)?;
    let sent = write_frame(&mut *lock(&runner.stdin), &request);
    sent.map_err(|e| format!("the process that runs commands is gone: {e}; restart tidyd"))?;
    match answer.recv_timeout(command.limit.saturating_add(GRACE)) {
        Ok(ended) => outcome(&ended),
        Err(_) => {
            lock(&runner.waiting).by_id.remove(&request.id);
            Err("the process that runs commands does not answer".into())
        }
    }
}

/// `PATH` without what is relative: that would be looked up in the file's folder, where anybody's downloads lie.
fn search_path() -> Option<OsString> {
    let all = std::env::var_os("PATH")?;
    std::env::join_paths(std::env::split_paths(&all).filter(|dir| dir.is_absolute())).ok()
}

fn enter(runner: &Runner, request: &mut Request) -> Result<Receiver<Ended>, String> {
    let waiting = &mut *lock(&runner.waiting);
    if waiting.gone {
        return Err("the process that runs commands has ended; restart tidyd".into());
    }
    waiting.next += 1;
    request.id = waiting.next;
    let (tell, answer) = channel();
    waiting.by_id.insert(request.id, tell);
    Ok(answer)
}

fn outcome(ended: &Ended) -> Result<(), String> {
    let said = String::from_utf8_lossy(&ended.output);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = name::shown(said.as_ref());
    tracing::debug!(said, "a command has ended");
    match &ended.failure {
        None => Ok(()),
        Some(why) if said.is_empty() => Err(why.clone()),
        Some(why) => Err(format!("{why}: {said}")),
    }
}

/// After a crash nobody knows how far it came, and it is not run again.
pub(super) fn recover() -> Recovered {
    Recovered::Lost("whether the command ran to its end is not known; it is not run again".into())
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
