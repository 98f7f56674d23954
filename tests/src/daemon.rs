//! A running `tidyd`.

use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::run::{STUCK, code, eventually, poll, wait};

/// A running daemon, with all that it said. Killed when it goes out of scope.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    /// Whether `child` is a program that runs the daemon for us (strace).
    wrapped: bool,
    output: PathBuf,
    /// What it has told the service manager that we play for it, one assignment a line.
    told: Arc<Mutex<Vec<String>>>,
}

impl Daemon {
    /// Starts `command` and waits until it says `READY=1`.
    ///
    /// # Panics
    /// It ends before it is ready, or is never ready.
    #[track_caller]
    pub(crate) fn start(command: Command, wrapped: bool, output: &Path, scratch: &Path) -> Self {
        let mut daemon = Self::spawn(command, wrapped, output, scratch);
        daemon.await_told("READY=1");
        daemon
    }

    /// Starts `command`, ready or not. What it says goes to the end of the file `output`; `scratch` is a directory with a
    /// short path.
    pub(crate) fn spawn(
        mut command: Command,
        wrapped: bool,
        output: &Path,
        scratch: &Path,
    ) -> Self {
        let address = scratch.join("notify");
        // Left by a daemon before this one.
        let _ = std::fs::remove_file(&address);
        let manager = UnixDatagram::bind(&address).expect("a socket in the scratch directory");
        // The daemon may run as another user.
        let everybody = std::fs::Permissions::from_mode(0o666);
        std::fs::set_permissions(&address, everybody).expect("own socket");
        let told = listen(manager);

        let log = File::options().create(true).append(true).open(output).expect("own file");
        let child = command
            .env("NOTIFY_SOCKET", &address)
            .stdout(log.try_clone().expect("duplicate a descriptor"))
            .stderr(log)
            // A group of its own, so that a wrapper and the daemon under it are killed together.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|e| panic!("cannot run {command:?}: {e}"));
        Self { child, wrapped, output: output.to_owned(), told }
    }

    /// Waits until it has told the service manager so: `READY=1`, `STOPPING=1`.
    ///
    /// # Panics
    /// It ends before it has, or never does.
    #[track_caller]
    pub fn await_told(&mut self, line: &str) {
        let what = format!("tidyd to say {line}");
        eventually(&what, || {
            let ended = self.child.try_wait().expect("our own child");
            let told = || self.told().iter().any(|l| l == line).then_some(());
            match ended {
                None => told(),
                // What it said at last may still have to be read.
                Some(status) => poll(Duration::from_secs(1), told).or_else(|| {
                    panic!("tidyd ended with code {} before it said {line}", code(status))
                }),
            }
        });
    }

    /// Everything it has told the service manager so far, one assignment a line.
    pub fn told(&self) -> Vec<String> {
        self.told.lock().expect("a vector is whole between two lines").clone()
    }

    /// The process of tidyd itself.
    ///
    /// # Panics
    /// It runs under a wrapper and has ended.
    pub fn pid(&self) -> Pid {
        let own = Pid::from_child(&self.child);
        if !self.wrapped {
            return own;
        }
        let own = own.as_raw_nonzero();
        let children = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children"))
            .expect("a wrapper needs Linux and a running process");
        let first = children.split_whitespace().next().and_then(|pid| pid.parse().ok());
        first.and_then(Pid::from_raw).expect("the wrapper runs the daemon")
    }

    /// Sends a signal to tidyd.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("our own child");
    }

    /// Whether it is still running.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("our own child").is_none()
    }

    /// Asks it to leave (SIGTERM) and returns its exit code.
    ///
    /// # Panics
    /// It does not leave.
    #[track_caller]
    pub fn stop(self) -> i32 {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Waits until it has left by itself and returns its exit code.
    ///
    /// # Panics
    /// It does not leave.
    #[track_caller]
    pub fn wait(mut self) -> i32 {
        match wait(&mut self.child, STUCK) {
            Some(status) => code(status),
            None => panic!("tidyd does not leave"),
        }
    }

    /// Kills it as a crash would, and returns when it is gone.
    pub fn kill(mut self) {
        self.end();
    }

    /// All that every daemon of this world has said so far.
    pub fn output(&self) -> String {
        let bytes = std::fs::read(&self.output).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn end(&mut self) {
        if self.is_running() {
            // It may end between the question and the answer.
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// Reads what comes, as a service manager does: a full queue would hold up whoever writes to it. Ends with the list.
fn listen(manager: UnixDatagram) -> Arc<Mutex<Vec<String>>> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::downgrade(&told);
    // How often it looks whether anybody is still interested.
    manager.set_read_timeout(Some(Duration::from_millis(100))).expect("own socket");
    std::thread::spawn(move || {
        let mut message = [0; 4096];
        while let Some(list) = list.upgrade() {
            let Ok(length) = manager.recv(&mut message) else { continue };
            let text = String::from_utf8_lossy(&message[..length]);
            let mut list = list.lock().expect("a vector is whole between two lines");
            list.extend(text.lines().map(str::to_owned));
        }
    });
    told
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            eprintln!("---- tidyd said ----\n{}---- end ----", self.output());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::works;

    /// A stand-in for the daemon, run by `wrapper` if there is one.
    fn start(wrapper: &[&str]) -> (tempfile::TempDir, Daemon) {
        let dir = tempfile::tempdir().unwrap();
        let line = [wrapper, &["python3", "-c", READY]].concat();
        let mut command = Command::new(line[0]);
        command.args(&line[1..]);
        let wrapped = !wrapper.is_empty();
        let daemon = Daemon::start(command, wrapped, &dir.path().join("output"), dir.path());
        (dir, daemon)
    }

    const READY: &str = "\
import os, signal, socket, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print('hello', flush=True)
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.sendto(b'STATUS=starting\\nREADY=1\\n', os.environ['NOTIFY_SOCKET'])
while True: signal.pause()";

    const PYTHON: [&str; 2] = ["python3", "--version"];

    #[test]
    fn it_is_ready_when_it_says_so_and_leaves_when_told() {
        if !works(&PYTHON) {
            return;
        }
        let (_dir, mut daemon) = start(&[]);
        assert!(daemon.is_running());
        assert_eq!(daemon.output(), "hello\n");
        assert_eq!(daemon.stop(), 7);
    }

    #[test]
    fn it_does_not_outlive_its_scope() {
        if !works(&PYTHON) {
            return;
        }
        let (_dir, daemon) = start(&[]);
        let pid = daemon.pid();
        drop(daemon);
        assert_eq!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH));
    }

    #[test]
    fn under_a_wrapper_signals_reach_the_daemon_and_a_kill_reaches_both() {
        let strace = ["strace", "-f", "-qq", "-o", "/dev/null"];
        if !works(&PYTHON) || !works(&[&strace[..], &["true"]].concat()) {
            return;
        }
        let (_dir, daemon) = start(&strace);
        assert_eq!(daemon.stop(), 7);

        let (_dir, daemon) = start(&strace);
        let pid = daemon.pid();
        daemon.kill();
        // Its parent is gone, so somebody else collects it, in a moment.
        eventually("the daemon to be gone", || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
            stat.map_or(true, |stat| stat.contains(") Z ")).then_some(())
        });
    }

    #[test]
    #[should_panic(expected = "tidyd ended with code 3 before it said READY=1")]
    fn an_early_end_is_told_from_a_late_start() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "exit 3"]);
        Daemon::start(command, false, &dir.path().join("output"), dir.path());
    }
}
