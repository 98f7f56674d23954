//! Running a program to its end, with a limit, and waiting for a state.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// After this long a program or a state is taken to be stuck. Only a failing test ever waits for it.
pub(crate) const STUCK: Duration = Duration::from_secs(60);

/// What a program said, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Exit code; 128 + signal when it was killed, as a shell says it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// Runs `command` to its end, with no input.
    ///
    /// # Panics
    /// It cannot be started, or is stuck.
    pub fn of(command: &mut Command) -> Self {
        // Files, not pipes: a program may say more than a pipe holds before anybody reads.
        let (mut stdout, mut stderr) = (scratch(), scratch());
        let mut child = command
            .stdin(Stdio::null())
            .stdout(stdout.try_clone().expect("duplicate a descriptor"))
            .stderr(stderr.try_clone().expect("duplicate a descriptor"))
            .spawn()
            .unwrap_or_else(|e| panic!("cannot run {command:?}: {e}"));
        let status = wait(&mut child, STUCK);
        if status.is_none() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let (stdout, stderr) = (content(&mut stdout), content(&mut stderr));
        let Some(status) = status else {
            panic!("{command:?} is stuck; it said\n{stdout}{stderr}");
        };
        Self { code: code(status), stdout, stderr }
    }

    /// The output of a run that must have succeeded.
    ///
    /// # Panics
    /// It did not.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self.stdout
    }
}

/// Whether `line` runs here, for tests that need a program which may be missing or forbidden (strace in a container).
/// Says that the test is skipped, and why, when it does not.
pub fn works(line: &[&str]) -> bool {
    let (program, arguments) = line.split_first().expect("a program");
    let reason = match Command::new(program).args(arguments).stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    eprintln!("skipped, because `{}` does not work here: {reason}", line.join(" "));
    false
}

pub(crate) fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|s| 128 + s)).unwrap_or(-1)
}

/// Waits for `child` at most `limit`; `None` when it is still running then.
pub(crate) fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    poll(limit, || child.try_wait().expect("our own child"))
}

/// Waits until `state` answers, asking often at first and at least every 20 ms.
///
/// # Panics
/// It has not answered within a minute; `what` is what was waited for.
#[track_caller]
pub fn eventually<T>(what: &str, state: impl FnMut() -> Option<T>) -> T {
    match poll(STUCK, state) {
        Some(answer) => answer,
        None => panic!("waited in vain for: {what}"),
    }
}

/// Asks until there is an answer, or the time is up.
pub(crate) fn poll<T>(limit: Duration, mut state: impl FnMut() -> Option<T>) -> Option<T> {
    const FIRST: Duration = Duration::from_millis(1);
    const LONGEST: Duration = Duration::from_millis(20);
    let deadline = Instant::now() + limit;
    let mut pause = FIRST;
    loop {
        if let Some(answer) = state() {
            return Some(answer);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST);
    }
}

fn scratch() -> File {
    tempfile::tempfile().expect("a scratch file")
}

fn content(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("own scratch file");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Run {
        Run::of(Command::new("sh").args(["-c", script]))
    }

    #[test]
    fn both_outputs_and_the_code_come_back() {
        let run = shell("echo out; echo err >&2; exit 3");
        assert_eq!((run.code, &*run.stdout, &*run.stderr), (3, "out\n", "err\n"));
        assert_eq!(shell("kill -9 $$").code, 137);
        assert_eq!(shell("head -c 300000 /dev/zero").stdout.len(), 300_000);
    }

    #[test]
    #[should_panic(expected = "the reason")]
    fn a_failed_run_shows_what_it_said() {
        shell("echo the reason >&2; exit 1").ok();
    }

    #[test]
    fn a_missing_program_is_told_from_one_that_works() {
        assert!(works(&["sh", "-c", "exit 0"]));
        assert!(!works(&["sh", "-c", "echo forbidden >&2; exit 1"]));
        assert!(!works(&["/no/such/program"]));
    }

    #[test]
    fn a_state_is_waited_for() {
        let mut asked = 0;
        let answer = eventually("the third time", || {
            asked += 1;
            (asked == 3).then_some("yes")
        });
        assert_eq!((answer, asked), ("yes", 3));
        assert_eq!(poll(Duration::ZERO, || None::<()>), None);
    }
}
