//! What is asked of tidyd meanwhile.

use std::process::Stdio;
use std::time::Duration;

use tidy_tests::{Binary, Run, binary};

use super::checks;
use super::configs;
use super::player::Life;
use super::random::Random;

type Action = fn(&mut Life, &mut Random);

const ACTIONS: &[(usize, Action)] = &[
    (5, organize),
    (3, dry_run),
    (10, rollback),
    (5, redo),
    (4, beside),
    (2, questions),
    (4, reload),
    (3, pause),
    (3, rescan),
    (2, restart),
    (5, kill),
    (5, wait_a_little),
    (4, there_and_back),
];

pub(crate) fn act(life: &mut Life, random: &mut Random) {
    let action = random.weighted(ACTIONS);
    life.be_up();
    action(life, random);
}

impl Life {
    /// Runs the command line; it must end with one of these codes.
    #[track_caller]
    pub(crate) fn ctl(&mut self, arguments: &[&str], codes: &[i32]) -> Run {
        let run = self.world.ctl(arguments);
        if !codes.contains(&run.code) {
            self.fail(format_args!("tidyctl {arguments:?}: {run:#?}"));
        }
        run
    }

    /// Starts the daemon if it is down.
    pub(crate) fn be_up(&mut self) {
        if self.daemon.is_none() {
            self.note(format_args!("start tidyd"));
            self.daemon = Some(self.world.start());
            self.paused = false;
        }
    }

    /// A rollback or a redo puts back what it finds, whoever has hard-linked it since and whatever its folder has become;
    /// and it may take away what makes a folder a project.
    pub(crate) fn stirs(&mut self) {
        self.fixed.clear();
        self.project_ended = true;
    }

    /// Waits for what was begun beside the user's doings.
    pub(crate) fn await_asked(&mut self) {
        let Some((line, mut child)) = self.asked.take() else { return };
        let code =
            tidy_tests::eventually("tidyctl to end", || child.try_wait().expect("our child"))
                .code();
        if !matches!(code, Some(0 | 1 | 3 | 5)) {
            self.fail(format_args!("{line} ended with {code:?}"));
        }
    }
}

fn organize(life: &mut Life, _: &mut Random) {
    life.note(format_args!("organize"));
    let run = life.ctl(&["organize"], &[0, 3]);
    life.result(format_args!("{}", run.code));
}

/// Neither changes anything.
fn dry_run(life: &mut Life, random: &mut Random) {
    let line: &[&str] = match random.below(3) {
        0 => &["organize", "--dry-run"],
        1 => &["rollback", "--since", "1d", "--dry-run"],
        _ => &["redo", "--dry-run"],
    };
    life.note(format_args!("{line:?}, all being quiet"));
    life.quiet();
    let before = checks::picture(life);
    let run = life.ctl(line, &[0, 1, 3]);
    nothing_there_or(life, &run, &[0, 3]);
    if checks::picture(life) != before {
        life.fail(format_args!("{line:?} has changed something"));
    }
}

/// Code 1 says that there was nothing to do.
#[track_caller]
fn nothing_there_or(life: &Life, run: &Run, codes: &[i32]) {
    let nothing = [
        "is a rollback",
        "is part of a rollback",
        "was not done",
        "has not ended yet",
        "the journal has nothing on",
        "another rollback or redo is under way",
    ];
    let is_nothing =
        [1, 2, 5].contains(&run.code) && nothing.iter().any(|words| run.stderr.contains(words));
    if !is_nothing && !codes.contains(&run.code) {
        life.fail(format_args!("{run:#?}"));
    }
}

/// A selector of something that was done.
fn selector(life: &Life, random: &mut Random) -> Vec<String> {
    let log = life.world.ctl_json(["log", "--limit", "30"]);
    let ops: Vec<&serde_json::Value> = log.as_array().into_iter().flatten().collect();
    let op = (!ops.is_empty()).then(|| ops[random.below(ops.len())]);
    let text = |key: &str| op.and_then(|op| op[key].as_str()).map(str::to_owned);
    let number = |key: &str| op.and_then(|op| op[key].as_u64());
    let line = |a: &str, b: String| Some(vec![a.to_owned(), b]);
    let chosen = match random.below(7) {
        0 => number("id").map(|id| vec![id.to_string()]),
        1 => number("batch").and_then(|id| line("--batch", id.to_string())),
        2 => text("rule").filter(|r| !r.is_empty()).and_then(|rule| line("--rule", rule)),
        3 => text("src").filter(|p| !p.starts_with('-')).and_then(|path| line("--path", path)),
        4 => line("--since", ["1s", "5s", "1d"][random.below(3)].to_owned()),
        _ => None,
    };
    let last = || vec!["--last".to_owned(), (1 + random_small(random)).to_string()];
    chosen.unwrap_or_else(last)
}

fn random_small(random: &mut Random) -> usize {
    [0, 0, 0, 1, 4][random.below(5)]
}

fn rollback(life: &mut Life, random: &mut Random) {
    let selector = selector(life, random);
    life.note(format_args!("rollback {selector:?}"));
    life.stirs();
    let line: Vec<&str> =
        ["rollback", "--yes"].into_iter().chain(selector.iter().map(String::as_str)).collect();
    let run = life.ctl(&line, &[0, 1, 2, 3, 5]);
    nothing_there_or(life, &run, &[0, 3]);
    life.result(format_args!("{}", run.code));
}

fn redo(life: &mut Life, random: &mut Random) {
    let last = (1 + random_small(random)).to_string();
    life.note(format_args!("redo --last {last}"));
    life.stirs();
    let run = life.ctl(&["redo", "--yes", "--last", &last], &[0, 1, 2, 3, 5]);
    nothing_there_or(life, &run, &[0, 3]);
    life.result(format_args!("{}", run.code));
}

/// Begins something and goes on at once.
fn beside(life: &mut Life, random: &mut Random) {
    life.await_asked();
    let line: &[&str] = match random.below(4) {
        0 => &["organize"],
        1 => &["rollback", "--since", "1d", "--yes"],
        2 => &["rollback", "--last", "2", "--yes"],
        _ => &["redo", "--yes"],
    };
    life.note(format_args!("{line:?} beside what follows"));
    life.stirs();
    let mut command = life.world.command(binary(Binary::Tidyctl));
    command.args(line).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().expect("a program of ours");
    life.asked = Some((format!("{line:?}"), child));
}

fn questions(life: &mut Life, random: &mut Random) {
    let line: &[&str] = match random.below(6) {
        0 => &["duplicates"],
        1 => &["categories"],
        2 => &["rules"],
        3 => &["health"],
        4 => &["log", "--batches"],
        _ => &["jobs"],
    };
    life.note(format_args!("{line:?}"));
    life.ctl(line, &[0]);
    let Some(found) = random.pick(life.names()) else { return };
    let run = life.world.ctl_at(&["explain", "--json"], &found.path);
    if ![0, 1].contains(&run.code) {
        life.fail(format_args!("explain {:?}: {run:#?}", found.path));
    }
}

fn reload(life: &mut Life, random: &mut Random) {
    if random.percent(15) {
        life.note(format_args!("reload a wrong configuration"));
        life.world.configure("watch = [\"~/Downloads\"]\nsettel = \"1s\"\n");
        life.ctl(&["reload"], &[78]);
        life.configure(life.config);
        return;
    }
    let before = life.config;
    let config = &configs::ALL[random.below(configs::ALL.len())];
    life.note(format_args!("reload: {}", config.name));
    life.configure(config);
    let run = life.ctl(&["reload"], &[0, 1, 78]);
    if run.code == 78 {
        // The user has put a file where the configuration wants a folder: the old one stays in force.
        if !run.stderr.to_lowercase().contains("not a directory") {
            life.fail(format_args!("{run:#?}"));
        }
        life.configure(before);
        return;
    }
    if run.code == 1 {
        // Folders that are out of reach of the running process.
        if !run.stderr.contains("restart tidyd") {
            life.fail(format_args!("{run:#?}"));
        }
        restart(life, random);
    }
}

fn pause(life: &mut Life, _: &mut Random) {
    let verb = if life.paused { "resume" } else { "pause" };
    life.note(format_args!("{verb}"));
    life.ctl(&[verb], &[0]);
    life.paused = !life.paused;
}

fn rescan(life: &mut Life, _: &mut Random) {
    life.note(format_args!("rescan"));
    life.ctl(&["rescan"], &[0]);
}

fn restart(life: &mut Life, _: &mut Random) {
    life.note(format_args!("stop tidyd"));
    let asked = life.asked.take();
    stop(life);
    if let Some((_, mut child)) = asked {
        child.wait().expect("our own child");
    }
}

pub(crate) fn stop(life: &mut Life) {
    if let Some(daemon) = life.daemon.take() {
        let code = daemon.stop();
        if code != 0 {
            life.fail(format_args!("tidyd ended with code {code}"));
        }
    }
}

fn kill(life: &mut Life, random: &mut Random) {
    // What the crash comes after is the point.
    let delay = Duration::from_micros(random.below(250_000) as u64);
    life.note(format_args!("kill -9 after {delay:?}"));
    std::thread::sleep(delay);
    if let Some(daemon) = life.daemon.take() {
        daemon.kill();
    }
    life.kills += 1;
    if let Some((_, mut child)) = life.asked.take() {
        child.wait().expect("our own child");
    }
}

fn wait_a_little(life: &mut Life, _: &mut Random) {
    life.note(format_args!("wait a little"));
    let run = life.ctl(&["wait", "--timeout", "300ms"], &[0, 1]);
    life.result(format_args!("{}", run.code));
}

/// When nobody else does anything, what was put back and filed again is where it was.
fn there_and_back(life: &mut Life, _: &mut Random) {
    life.note(format_args!("there and back"));
    // All is looked at again below, too: what only another look files is to be filed by now.
    life.stirs();
    life.quiet();
    let before = checks::picture(life);
    let planned = life.world.ctl(["rollback", "--last", "--dry-run", "--json"]);
    let run = life.ctl(&["rollback", "--last", "--yes", "--json"], &[0, 1, 2, 3]);
    nothing_there_or(life, &run, &[0, 3]);
    life.result(format_args!("{}", run.code));
    if run.code == 1 {
        return;
    }
    life.stirs();
    let words = |run: &Run| -> Vec<(u64, String)> {
        let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap_or_default();
        let files = report["files"].as_array().into_iter().flatten();
        let mut words: Vec<_> = files
            .map(|f| (f["operation"].as_u64().unwrap_or(0), f["outcome"].to_string()))
            .collect();
        words.sort();
        words
    };
    let (promised, done) = (words(&planned), words(&run));
    if promised != done {
        life.fail(format_args!("the dry run promised {planned:#?}, but {run:#?}"));
    }
    // Where nothing was put back, a redo takes back some older rollback, and is not about this.
    let Some(rolled_back) = batch_of(&run) else { return };
    if done.iter().any(|(_, word)| word != "\"restored\"") {
        return;
    }
    life.quiet();
    life.stirs();
    let between = checks::picture(life);
    let redo = life.ctl(&["redo", "--yes", "--json"], &[0, 1, 3]);
    nothing_there_or(life, &redo, &[0, 3]);
    life.quiet();
    let after = checks::picture(life);
    if redo.code != 0 || before != after {
        let difference = checks::difference(&before, &after);
        let redone = batch_of(&redo).map(|batch| done_in(life, batch));
        life.fail(format_args!(
            "not as it was: {difference}\nafter {}\nwhich was batch {rolled_back}: {}\nand made {}\nand {}\nwhich was {redone:#?}",
            run.stdout,
            done_in(life, rolled_back),
            checks::difference(&before, &between),
            redo.stdout,
        ));
    }
}

/// The batch that a rollback or redo says it was; none if it had nothing to do.
fn batch_of(run: &Run) -> Option<u64> {
    let report: serde_json::Value = serde_json::from_str(&run.stdout).ok()?;
    report["batch"].as_u64()
}

/// Everything about a batch, for whoever has to find out what went wrong in it.
fn done_in(life: &Life, batch: u64) -> String {
    life.world.ctl(["show", &format!("batch:{batch}")]).stdout
}
