//! A block of commands, typed one after the other in a home of its own.
#![expect(clippy::disallowed_methods, reason = "keeps what a program says in a scratch home")]

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command as Process, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tidy_tests::{Daemon, Run, World, eventually, works};

use crate::blocks::{Block, Command};
use crate::{INSTEAD, ground, not_run, said};

/// Types the commands of a block in a fresh home. What was not as the document says, with its line.
pub(crate) fn run(block: &Block) -> Result<(), String> {
    if block.commands().iter().all(|command| not_run(command).is_some()) {
        return Ok(());
    }
    in_world(block, &ground::world(), |_| {})
}

/// The same in `world`; `after` is called after each command.
pub(crate) fn in_world(
    block: &Block,
    world: &World,
    mut after: impl FnMut(&World),
) -> Result<(), String> {
    let commands = block.commands();
    let typed = |command: &Command| {
        let text = command.text.clone();
        INSTEAD.iter().fold(text, |text, (written, instead)| text.replace(written, instead))
    };
    // Who starts the service, or has none yet, is not given one.
    let first = |c: &Command| typed(c).starts_with("tidyd ") || typed(c).trim() == "tidyd";
    let own = commands.iter().any(|c| first(c) || typed(c).starts_with("tidyctl init"));
    let start = || {
        let service = world.start();
        world.wait();
        service
    };
    let mut service = (!own).then(start);
    let mut running = Vec::new();
    for command in &commands {
        let text = typed(command);
        if not_run(command).is_some() {
            // The service of a test has no manager but us.
            if text.starts_with("systemctl --user stop tidyd") {
                service.take().map(Daemon::stop);
            } else if text.starts_with("systemctl --user start tidyd") {
                service = Some(start());
            }
            continue;
        }
        let wrong = |what: String| format!("{}: `{}` {what}", command.line, command.text);
        ground::before(&text, world);
        if runs_on(&text) {
            let terminal = Terminal::open(world, &text);
            terminal.is_ready(&text, world);
            ground::meanwhile(&text, world);
            terminal.says(command.says.as_deref().unwrap_or_default(), world).map_err(wrong)?;
            running.push(terminal);
        } else {
            let run = Run::of(&mut shell(world, &text));
            if run.code != command.code {
                return Err(wrong(format!(
                    "ended with {}, not {}: {run:#?}",
                    run.code, command.code
                )));
            }
            if let Some(shown) = &command.says {
                let said = at_home(&format!("{}{}", run.stdout, run.stderr), world);
                let differs = |line| wrong(format!("did not say\n{line}\nbut\n{said}"));
                said::agrees(shown, &said).map_err(differs)?;
            }
        }
        after(world);
    }
    // Ctrl-C, in the terminal that was opened last first.
    while let Some(terminal) = running.pop() {
        terminal.close()?;
    }
    Ok(())
}

/// As it is shown on a terminal.
fn at_home(said: &str, world: &World) -> String {
    said.replace(&*world.home().to_string_lossy(), "~")
}

/// Whether it goes on until somebody ends it.
fn runs_on(text: &str) -> bool {
    let mut words = text.split_whitespace();
    match (words.next(), words.next()) {
        (Some("tidyctl"), Some("events")) => true,
        (Some("tidyd"), Some("scan" | "inspect")) => false,
        (Some("tidyd"), _) => {
            !["--once", "--check", "--help", "--version"].iter().any(|o| text.contains(o))
        }
        _ => false,
    }
}

/// A shell that finds the programs under their names.
fn shell(world: &World, text: &str) -> Process {
    let mut command = world.installed("sh");
    command.args(["-c", text]).env("TIDYD_LOG", "info");
    command
}

/// A terminal in which something runs on.
struct Terminal {
    text: String,
    child: Child,
    output: PathBuf,
}

impl Terminal {
    fn open(world: &World, text: &str) -> Self {
        let word = text.split_whitespace().next().unwrap_or_default();
        let output = world.home().join(format!(".cache/{word}.said"));
        fs::create_dir_all(output.parent().expect("below the home")).expect("own directory");
        let file = File::create(&output).expect("own file");
        // What a shell starts in the background (these tests, perhaps) does not hear Ctrl-C, and hands that on.
        let hears = if works(&["env", "--default-signal=INT", "true"]) {
            "env --default-signal=INT "
        } else {
            ""
        };
        let child = shell(world, &format!("exec {hears}{text}"))
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("duplicate a descriptor"))
            .stderr(file)
            .process_group(0)
            .spawn()
            .expect("a shell");
        Self { text: text.to_owned(), child, output }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.output).expect("own file")
    }

    /// Waits until the service answers and has done what is there, or the other program has said something.
    fn is_ready(&self, text: &str, world: &World) {
        if text.starts_with("tidyd") {
            eventually("tidyd answers", || (world.ctl(["status"]).code == 0).then_some(()));
            world.wait();
        } else {
            eventually("it says something", || (!self.said().is_empty()).then_some(()));
        }
    }

    /// Waits until it has said what is shown.
    fn says(&self, shown: &[String], world: &World) -> Result<(), String> {
        // It goes on.
        let shown: Vec<String> = shown.iter().cloned().chain(["…".to_owned()]).collect();
        let (mut missing, mut tries) = (String::new(), 0);
        eventually("it says what the document shows, or never will", || {
            tries += 1;
            let said = at_home(&self.said(), world);
            missing = said::agrees(&shown, &said).err().unwrap_or_default();
            (missing.is_empty() || tries > TRIES).then_some(())
        });
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!("did not say\n{missing}\nbut\n{}", self.said()))
    }

    fn close(mut self) -> Result<(), String> {
        kill_process(Pid::from_child(&self.child), Signal::INT).expect("our own child");
        let status = eventually("it ends", || self.child.try_wait().expect("our own child"));
        match status.code() {
            Some(0) => Ok(()),
            // A program that does nothing about Ctrl-C ends by it.
            None if self.text.starts_with("tidyctl") => Ok(()),
            _ => Err(format!(" `{}` ended with {status}:\n{}", self.text, self.said())),
        }
    }
}

/// Looks, at most 20 ms apart, before it is taken for certain that something was not said.
const TRIES: u32 = 1000;

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}
