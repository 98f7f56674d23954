//! The helper's side: starts what it is asked to start, and sees to its end.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_bytes::ByteBuf;

use super::protocol::{Ended, Request, read_frame, write_frame};
use super::said::Said;

/// How often an unfinished command is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// The groups of commands under way, to be ended with us.
type Groups = Arc<Mutex<BTreeSet<u32>>>;

/// Serves requests from standard input until it ends; then whatever still runs is ended.
pub fn serve() {
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // Who asks us decides when we go. A handler, unlike ignoring, is not inherited by commands.
        let seen = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let _ = signal_hook::flag::register(signal, seen);
    }
    let groups = Groups::default();
    let stdout = Arc::new(Mutex::new(io::stdout()));
    while let Ok(Some(request)) = read_frame::<Request>(&mut io::stdin()) {
        let (groups, stdout) = (groups.clone(), stdout.clone());
        let id = request.id;
        let out = stdout.clone();
        let started = std::thread::Builder::new().spawn(move || {
            let ended = run(request, &groups);
            // Nobody is there to hear of it when this fails.
            let _ = write_frame(&mut *lock(&stdout), &ended);
        });
        if let Err(error) = started {
            let failure = Some(format!("it could not be started: {error}"));
            let _ = write_frame(&mut *lock(&out), &Ended { id, failure, output: ByteBuf::new() });
        }
    }
    lock(&groups).iter().for_each(|group| end(*group));
}

fn run(request: Request, groups: &Groups) -> Ended {
    let id = request.id;
    let ended =
        |failure: Option<String>, output: Vec<u8>| Ended { id, failure, output: output.into() };
    let mut child = match start(&request) {
        Ok(child) => child,
        Err(error) => return ended(Some(format!("it could not be started: {error}")), Vec::new()),
    };
    let group = child.id();
    lock(groups).insert(group);
    let mut said = Said::by(&mut child);
    let limit = Duration::from_millis(request.limit_ms);
    let status = wait(&mut child, limit, &mut said);
    // Whatever it has left behind ends with it, unless that has made itself a session of its own.
    end(group);
    if status.is_none() {
        // It has just been killed.
        let _ = child.wait();
    }
    lock(groups).remove(&group);
    said.listen(Duration::ZERO);
    let output = said.end();
    let failure = match status {
        Some(Ok(status)) if status.success() => None,
        Some(Ok(status)) => Some(described(status)),
        Some(Err(error)) => Some(format!("how it ended cannot be told: {error}")),
        None => Some(format!("it took longer than {limit:?} and was ended")),
    };
    ended(failure, output)
}

fn start(request: &Request) -> io::Result<Child> {
    let os = |bytes: &ByteBuf| OsString::from_vec(bytes.to_vec());
    let (program, arguments) =
        request.argv.split_first().ok_or_else(|| io::Error::other("there is no program"))?;
    let mut command = Command::new(os(program));
    command
        .args(arguments.iter().map(os))
        .env_clear()
        .envs(request.env.iter().map(|(k, v)| (k, os(v))))
        .current_dir(os(&request.dir))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    command.spawn()
}

/// Until it ends or its time is over (`None`).
fn wait(child: &mut Child, limit: Duration, said: &mut Said) -> Option<io::Result<ExitStatus>> {
    let begin = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(Ok(status)),
            Ok(None) if begin.elapsed() >= limit => return None,
            Ok(None) => said.listen(LOOK),
            Err(error) => return Some(Err(error)),
        }
    }
}

fn end(group: u32) {
    let pid = i32::try_from(group).ok().and_then(Pid::from_raw);
    // It may have ended already.
    let _ = pid.map(|pid| kill_process_group(pid, Signal::KILL));
}

fn described(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it left with exit status {code}"),
        (None, Some(signal)) => format!("it was ended by signal {signal}"),
        (None, None) => "it failed".to_owned(),
    }
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
