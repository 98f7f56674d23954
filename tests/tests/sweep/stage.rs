//! One run: a scenario is filed, rolled back or done again, and something happens at one system call of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tidy_tests::{Binary, Daemon, Run, binary, eventually};

use crate::ground::Ground;
use crate::inject::{self, Injection, Scope};

/// What is under way when something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// `tidyd --once`, or what a scenario asks for.
    File,
    /// `tidyctl rollback`, of all of it.
    Rollback,
    /// `tidyctl redo`, of that.
    Redo,
    /// The start after a kill: what was cut off is settled.
    Recover,
}

impl Stage {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Rollback => "rollback",
            Self::Redo => "redo",
            Self::Recover => "recover",
        }
    }
}

/// How a run under strace ended.
pub(crate) struct Ended {
    /// The program that was asked: `tidyd --once`, or `tidyctl`.
    pub(crate) run: Run,
    pub(crate) trace: String,
    /// What tidyd said.
    pub(crate) said: String,
    /// Whether it is still there, or has come to an end by itself.
    pub(crate) alive: bool,
}

impl Ended {
    /// Whether all was done that can be: folders are not moved where names would have to be linked.
    pub(crate) fn went_well(&self, scope: Scope) -> bool {
        self.run.code == 0 || (self.run.code == 3 && scope == Scope::Linking)
    }
}

impl Ground {
    /// Runs a stage from where the one before it ended.
    pub(crate) fn carry_out(
        &self,
        stage: Stage,
        scope: Scope,
        calls: &str,
        what: Option<Injection<'_>>,
    ) -> Ended {
        let trace = self.world.home().with_file_name("trace");
        let arguments = scope.arguments(&self.world.state(), &trace, calls, what);
        let (run, said, alive) = match stage {
            Stage::File => match self.asked {
                Some(request) => self.ask(request, &arguments),
                None => self.alone(&["--once"], &arguments),
            },
            // Opening the house is what settles things; nothing more is wanted here.
            Stage::Recover => self.alone(&["--once", "--dry-run"], &arguments),
            Stage::Rollback => self.ask(&["rollback", "--since", "1d", "--yes"], &arguments),
            Stage::Redo => self.ask(&["redo", "--yes"], &arguments),
        };
        let trace = fs::read(&trace).unwrap_or_default();
        Ended { run, trace: String::from_utf8_lossy(&trace).into_owned(), said, alive }
    }

    /// What has to be done before a stage.
    pub(crate) fn prepare(&self, stage: Stage) {
        let later = matches!(stage, Stage::Rollback | Stage::Redo);
        if later || self.asked.is_some() {
            // Who is asked about files has seen them before.
            self.world.tidyd(&["--once"]).ok();
        }
        let first = self.asked.filter(|_| later);
        let then = (stage == Stage::Redo).then_some(&["rollback", "--since", "1d", "--yes"][..]);
        if first.is_none() && then.is_none() {
            return;
        }
        let daemon = self.world.start();
        for request in first.into_iter().chain(then) {
            self.world.ctl(request).ok();
        }
        assert_eq!(daemon.stop(), 0);
    }

    /// Whether a stage is a run of tidyd by itself, and nobody is asked.
    pub(crate) fn is_alone(&self, stage: Stage) -> bool {
        match stage {
            Stage::File => self.asked.is_none(),
            Stage::Recover => true,
            Stage::Rollback | Stage::Redo => false,
        }
    }

    fn alone(&self, arguments: &[&str], strace: &[String]) -> (Run, String, bool) {
        let mut command = self.world.command("strace");
        // Calls that are not looked at cost nothing then, but signals do not get through.
        if !strace.iter().any(|a| a.contains("signal=")) {
            command.arg("--seccomp-bpf");
        }
        let run = Run::of(command.args(strace).arg(binary(Binary::Tidyd)).args(arguments));
        let (said, alive) = (run.stderr.clone(), run.code < 128);
        (run, said, alive)
    }

    /// Asks a daemon for something while strace looks at it.
    fn ask(&self, request: &[&str], arguments: &[String]) -> (Run, String, bool) {
        let mut daemon = self.world.start();
        let strace = self.attach(&daemon, arguments);
        let run = self.world.ctl(request);
        if run.code != 0 && run.code != 3 {
            // Killed or not: the connection is closed a moment before the process has ended.
            let mut asked = 0;
            eventually("the daemon to end, or not", || {
                asked += 1;
                (asked > 10 || !daemon.is_running()).then_some(())
            });
        }
        let_go(strace);
        let said = daemon.output();
        if !daemon.is_running() {
            return (run, said, false);
        }
        let code = daemon.stop();
        // A kill at what it does after its answer comes in between.
        let killed = code == 137 && arguments.iter().any(|a| a.contains("signal=KILL"));
        assert!(code == 0 || killed, "it does not leave as it should, but with {code}");
        (run, said, !killed)
    }

    fn attach(&self, daemon: &Daemon, arguments: &[String]) -> Child {
        let pid = daemon.pid().as_raw_nonzero().to_string();
        let mut command = self.world.command("strace");
        command.args(arguments).args(["-p", &pid]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("strace works");
        eventually("strace to look at every thread", || {
            let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
            let watched = |task: fs::DirEntry| {
                fs::read_to_string(task.path().join("status"))
                    .is_ok_and(|s| !s.contains("TracerPid:\t0\n"))
            };
            tasks.flatten().all(watched).then_some(())
        });
        child
    }

    /// Starts again with nothing in the way: all comes to rest and is as the journal says.
    pub(crate) fn check_recovered(&self) -> Daemon {
        let daemon = self.world.start();
        self.world.wait();
        self.check_at_rest();
        daemon
    }

    /// The same; then all is at `places`, if those are given, and can be put back.
    pub(crate) fn check_afterwards(&self, places: Option<&[PathBuf]>, suffixes: bool) {
        let daemon = self.check_recovered();
        if let Some(expected) = places {
            let found = self.places();
            let missing = |p: &&PathBuf| !found.contains(p) && !depends_on_order(p);
            let missing: Vec<_> = expected.iter().filter(missing).collect();
            let surplus = |p: &&PathBuf| !expected.contains(p) && !depends_on_order(p);
            let surplus: Vec<_> = found.iter().filter(surplus).collect();
            assert!(
                missing.is_empty() && surplus.is_empty(),
                "in the end these are not where they belong: {missing:?}, and these are: {surplus:?}"
            );
        }
        self.check_rollback(suffixes);
        assert_eq!(daemon.stop(), 0);
    }

    /// Every path there is.
    pub(crate) fn places(&self) -> Vec<PathBuf> {
        self.picture().entries.into_keys().collect()
    }

    /// Files that a stage did not bring to where they are in `places`.
    pub(crate) fn not_brought_to(&self, places: &[PathBuf]) -> Vec<PathBuf> {
        let missing = |p: &&PathBuf| !places.contains(p);
        let here = self.picture();
        let files = here.entries.iter().filter(|(_, e)| e.modified.is_some()).map(|(p, _)| p);
        let mut left: Vec<_> = files.filter(missing).map(|p| told_as(p).to_owned()).collect();
        left.dedup();
        left
    }
}

/// What is cut off between two steps of one file, or of two copies, is not gone on with but looked at anew: where such
/// files end depends on what had happened by then.
fn depends_on_order(path: &Path) -> bool {
    let name = path.as_os_str().to_string_lossy();
    ["twin", "Twins", "chain", "Chain"].iter().any(|part| name.contains(part))
}

/// A file, or the folder that moves as one with it.
pub(crate) fn told_as(path: &Path) -> &Path {
    path.ancestors().find(|p| p.extension().is_some_and(|e| e == "unit")).unwrap_or(path)
}

/// The part of a name that is the same when it is escaped.
pub(crate) fn plain_part(path: &Path) -> String {
    let name = path.file_name().expect("a file").to_string_lossy();
    name.chars().take_while(|c| c.is_ascii() && !c.is_ascii_control()).collect()
}

impl Ground {
    /// How often a run that does nothing makes each call.
    pub(crate) fn idle(&self, calls: &str) -> BTreeMap<String, usize> {
        let trace = self.world.home().with_file_name("trace");
        let arguments = Scope::All.arguments(&self.world.state(), &trace, calls, None);
        self.alone(&["--version"], &arguments).0.ok();
        inject::counts(&String::from_utf8_lossy(&fs::read(&trace).unwrap_or_default()))
    }

    /// Runs a stage that ends itself at a crash point of `act`; whether it came there.
    pub(crate) fn crash(&self, stage: Stage, at: &str) -> bool {
        let armed = format!("TIDYD_CRASH_AT={at}");
        if stage == Stage::File {
            let mut command = self.world.command("env");
            let run = Run::of(command.arg(&armed).arg(binary(Binary::Tidyd)).arg("--once"));
            return run.code == 134;
        }
        let mut daemon = self.world.start_under(&["env", &armed]);
        let request = if stage == Stage::Redo { ["redo", "--yes"] } else { ["rollback", "--yes"] };
        let more = if stage == Stage::Redo { &[][..] } else { &["--since", "1d"] };
        let run = self.world.ctl([&request[..], more].concat());
        if run.code == 0 {
            daemon.kill();
            return false;
        }
        eventually("the daemon to end", || (!daemon.is_running()).then_some(()));
        true
    }
}

/// Ends strace. One whose process was killed under it may wait for that process for ever.
fn let_go(mut strace: Child) {
    const PATIENCE: Duration = Duration::from_secs(5);
    // It may have ended by itself.
    let _ = kill_process(Pid::from_child(&strace), Signal::TERM);
    let asked = Instant::now();
    while strace.try_wait().expect("our own child").is_none() {
        if asked.elapsed() > PATIENCE {
            strace.kill().expect("our own child");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
