//! A running `tidyd`.

use std::fs::File;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::run::{STUCK, code, eventually, wait};

/// A running daemon, with all that it said. Killed when it goes out of scope.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    /// Whether `child` is a program that runs the daemon for us (strace).
    wrapped: bool,
    output: PathBuf,
}

impl Daemon {
    /// Starts `command` and waits until it says `READY=1` to the service manager that we play for it. What it says goes to
    /// the end of the file `output`; `scratch` is a directory with a short path.
    ///
    /// # Panics
    /// It ends before it is ready, or is never ready.
    #[track_caller]
    pub(crate) fn start(
        mut command: Command,
        wrapped: bool,
        output: &Path,
        scratch: &Path,
    ) -> Self {
        let address = scratch.join("notify");
        // Left by a daemon before this one.
        let _ = std::fs::remove_file(&address);
        let manager = UnixDatagram::bind(&address).expect("a socket in the scratch directory");
        manager.set_nonblocking(true).expect("own socket");

        let log = File::options().create(true).append(true).open(output).expect("own file");
        let child = command
            .env("NOTIFY_SOCKET", &address)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("duplicate a descriptor"))
            .stderr(log)
            // A group of its own, so that a wrapper and the daemon under it are killed together.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|e| panic!("cannot run {command:?}: {e}"));
        let mut daemon = Self { child, wrapped, output: output.to_owned() };
        let mut message = [0; 4096];
        eventually("tidyd to be ready", || {
            if let Some(status) = daemon.child.try_wait().expect("our own child") {
                panic!("tidyd ended with code {} before it was ready", code(status));
            }
            let length = manager.recv(&mut message).ok()?;
            message[..length].split(|b| *b == b'\n').any(|line| line == b"READY=1").then_some(())
        });
        daemon
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
    #[should_panic(expected = "tidyd ended with code 3 before it was ready")]
    fn an_early_end_is_told_from_a_late_start() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "exit 3"]);
        Daemon::start(command, false, &dir.path().join("output"), dir.path());
    }
}
