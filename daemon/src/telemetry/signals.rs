//! Signals as a stream of what they ask for.
//!
//! The handlers write one byte to a socket pair each (signal-hook's self-pipe); everything else happens in
//! ordinary code.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGIO, SIGPIPE, SIGTERM};
use signal_hook::{flag, low_level};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

/// What a signal asks of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceSignal {
    /// SIGTERM or SIGINT: finish the operation under way and leave. A second one ends the process at once.
    Terminate,
    /// SIGHUP: read the configuration again.
    Reload,
}

/// The signals of this process. Make one, at start.
#[derive(Debug)]
pub struct ServiceSignals {
    terminate: UnixStream,
    reload: UnixStream,
}

impl ServiceSignals {
    /// Takes over SIGTERM, SIGINT and SIGHUP, and makes SIGIO and SIGPIPE harmless. Needs a tokio runtime with I/O.
    ///
    /// # Errors
    /// No descriptors left, or the handlers cannot be installed.
    pub fn install() -> io::Result<Self> {
        end_at_the_second(SIGTERM, SIGINT)?;
        do_nothing_on(SIGIO)?;
        // A client that hangs up; std ignores it already, unless whoever started us said otherwise.
        do_nothing_on(SIGPIPE)?;
        Ok(Self { terminate: wake_on(&[SIGTERM, SIGINT])?, reload: wake_on(&[SIGHUP])? })
    }

    /// Waits for the next signal. Several of one kind that came together count once; leaving comes before reloading.
    /// Cancel safe: a signal is never lost when the future is dropped. `None` only when the sockets have failed, which
    /// nothing is known to cause: no signal will come any more.
    pub async fn next(&mut self) -> Option<ServiceSignal> {
        tokio::select! {
            biased;
            open = drain(&mut self.terminate) => open.then_some(ServiceSignal::Terminate),
            open = drain(&mut self.reload) => open.then_some(ServiceSignal::Reload),
        }
    }
}

/// Makes SIGIO harmless, for programs that take leases and no other signal (`--once`). Its default is to kill the process,
/// and it comes when someone breaks a read lease that `settle` holds. A handler that does nothing, unlike "ignore", is
/// not inherited by children. [`ServiceSignals::install`] does it too.
pub fn ignore_sigio() {
    if let Err(error) = do_nothing_on(SIGIO) {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "SIGIO still ends the process: a writer that opens a file at the wrong moment can stop it"
        );
    }
}

/// Arms "the second one ends at once": exit code 128 + signal, as a shell reports it. Killing tidyd is always safe
/// (the journal sees to that), so nothing more is done.
///
/// The actions of a signal run in the order of registration: the first signal finds the flag down and raises it.
fn end_at_the_second(term: i32, int: i32) -> io::Result<()> {
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [term, int] {
        flag::register_conditional_shutdown(signal, 128 + signal, asked.clone())?;
    }
    for signal in [term, int] {
        flag::register(signal, asked.clone())?;
    }
    Ok(())
}

fn do_nothing_on(signal: i32) -> io::Result<()> {
    flag::register(signal, Arc::new(AtomicBool::new(false))).map(drop)
}

fn wake_on(signals: &[i32]) -> io::Result<UnixStream> {
    let (reader, writer) = std::os::unix::net::UnixStream::pair()?;
    reader.set_nonblocking(true)?;
    for signal in signals {
        low_level::pipe::register(*signal, writer.try_clone()?)?;
    }
    UnixStream::from_std(reader)
}

/// Waits for at least one byte and takes all there are; whether the socket is still good.
async fn drain(stream: &mut UnixStream) -> bool {
    let mut bytes = [0; 64];
    matches!(stream.read(&mut bytes).await, Ok(1..))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

    use rustix::process::{Pid, Signal, kill_process};

    use super::*;

    const CHILD: &str = "TIDYD_TEST_SIGNALS_CHILD";

    /// The test program again, running [`child_reports_signals`] alone: signals must not hit the other tests.
    struct Service {
        process: Child,
        lines: std::io::Lines<BufReader<ChildStdout>>,
    }

    impl Service {
        fn start() -> Self {
            let mut process = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "telemetry::signals::tests::child_reports_signals"])
                .args(["--nocapture", "--test-threads=1"])
                .env(CHILD, "1")
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let lines = BufReader::new(process.stdout.take().unwrap()).lines();
            let mut service = Self { process, lines };
            service.expect("installed");
            service
        }

        fn send(&self, signal: Signal) {
            kill_process(Pid::from_child(&self.process), signal).unwrap();
        }

        fn expect(&mut self, line: &str) {
            let found = self.lines.by_ref().map(Result::unwrap).find(|l| l.ends_with(line));
            assert!(found.is_some(), "the child ended before it said `{line}`");
        }

        fn wait(mut self) -> ExitStatus {
            self.process.wait().unwrap()
        }
    }

    /// Does nothing in the ordinary run; see [`Service`].
    #[test]
    fn child_reports_signals() {
        if std::env::var_os(CHILD).is_none() {
            return;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async {
            let mut signals = ServiceSignals::install().unwrap();
            say("installed");
            loop {
                match signals.next().await.expect("the sockets are good") {
                    ServiceSignal::Reload => say("reload"),
                    // Stays, as a service would that hangs on its way out.
                    ServiceSignal::Terminate => say("terminate"),
                }
            }
        });
    }

    fn say(line: &str) {
        use std::io::Write;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}").unwrap();
        out.flush().unwrap();
    }

    #[test]
    fn the_first_asks_and_the_second_ends() {
        for (second, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
            let mut service = Service::start();
            service.send(Signal::TERM);
            service.expect("terminate");
            service.send(second);
            let status = service.wait();
            assert_eq!((status.code(), status.signal()), (Some(code), None));
        }
    }

    #[test]
    fn reload_comes_through_and_io_and_pipe_do_not_kill() {
        let mut service = Service::start();
        service.send(Signal::IO);
        service.send(Signal::PIPE);
        service.send(Signal::HUP);
        service.expect("reload");
        service.send(Signal::HUP);
        service.expect("reload");
        service.send(Signal::INT);
        service.expect("terminate");
        service.send(Signal::INT);
        assert_eq!(service.wait().code(), Some(130));
    }
}
