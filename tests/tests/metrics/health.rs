//! `tidyctl health`: what it notices, and its exit codes.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::{Pid, Signal, kill_process};
use tidy_tests::{Daemon, NOBODY, Run, World, eventually};

use super::{configured, metrics};

/// A process that the daemon has started, by a word of its command line.
#[track_caller]
fn helper(daemon: &Daemon, word: &str) -> Pid {
    let own = daemon.pid().as_raw_nonzero();
    eventually("the helper to be there", || {
        let tasks = fs::read_dir(format!("/proc/{own}/task")).ok()?.flatten();
        let children = tasks.filter_map(|t| fs::read_to_string(t.path().join("children")).ok());
        let children = children.collect::<String>();
        let is_it = |pid: &&str| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|b| *b == 0).any(|argument| argument == word.as_bytes())
        };
        Pid::from_raw(children.split_whitespace().find(is_it)?.parse().ok()?)
    })
}

/// Waits until health is bad for the reason.
#[track_caller]
fn degraded(world: &World, check: &str, detail: &str) -> Run {
    let run = eventually("health to be bad", || {
        let run = world.ctl(["health"]);
        (run.code != 0).then_some(run)
    });
    assert_eq!(run.code, 1, "{run:?}");
    let line = run.stdout.lines().find(|l| l.starts_with(&format!("BAD  {check}: ")));
    assert!(line.is_some_and(|l| l.contains(detail)), "{run:?}");
    assert!(run.stdout.contains("hint: "), "{run:?}");
    assert_eq!(metrics(world).value("tidyd_health_ok", &[("check", check)]), 0.0);
    run
}

#[test]
fn the_exit_code_says_whether_it_is_well_ill_or_not_there() {
    let world = World::new();
    assert_eq!(world.ctl(["health"]).code, 4);
    let daemon = world.start();
    world.wait();
    assert_eq!(world.ctl(["health"]).code, 0);
    world.ctl(["pause"]).ok();
    assert_eq!(world.ctl(["health"]).code, 0, "a person wanted it so");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn the_process_that_runs_commands_is_missed_when_it_dies() {
    let world = configured(
        "allow-run = true\n[[rule]]\nname = \"r\"\nwhen = { ext = \"odd\" }\nmove = \"Odd/\"\nrun = [\"true\"]",
    );
    let daemon = world.start();
    world.wait();
    let well = world.ctl(["health"]);
    assert!(well.code == 0 && well.stdout.contains("ok   commands: "), "{well:?}");
    // Before any command was run, when nobody listens to it yet.
    kill_process(helper(&daemon, "--serve-commands"), Signal::KILL).unwrap();
    degraded(&world, "commands", "has ended");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn commands_that_were_not_wanted_at_the_start_are_missed() {
    let world = configured("");
    let daemon = world.start();
    world.wait();
    assert!(!world.ctl(["health"]).ok().contains("commands"), "nobody asked for them");
    world.configure("watch = [\"~/Downloads\"]\nsettle = \"200ms\"\nnotify = true\n");
    world.ctl(["reload"]).ok();
    degraded(&world, "commands", "started without");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn the_process_that_reads_metadata_is_missed_when_it_dies() {
    let world = World::new();
    let daemon = world.start();
    world.wait();
    kill_process(helper(&daemon, "read-metadata"), Signal::KILL).unwrap();
    degraded(&world, "readers", "has ended");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_folder_with_another_one_in_its_place_is_told() {
    let world = World::new();
    let daemon = world.start();
    world.wait();
    let status = world.ctl_json(["status"]);
    if status["confined_to"].as_array().is_none_or(Vec::is_empty) {
        eprintln!("skipped, because it is not confined here: {}", status["confinement"]);
        return;
    }
    fs::rename(world.downloads(), world.home().join("Moved away")).unwrap();
    fs::create_dir(world.downloads()).unwrap();
    let run = eventually("the other folder to be found out", || {
        let run = world.ctl(["health"]);
        run.stdout.contains("is not the folder that was there").then_some(run)
    });
    assert!(run.stdout.contains("restart tidyd"), "{run:?}");
    degraded(&world, "root", "is not the folder that was there");
    assert_eq!(daemon.stop(), 0);
    let daemon = world.start();
    world.wait();
    assert_eq!(world.ctl(["health"]).code, 0);
    assert_eq!(daemon.stop(), 0);
}

/// No event tells of it, and the next walk may be an hour away.
#[test]
fn a_folder_that_has_become_unreadable_is_told_at_once() {
    let mut world = World::new();
    if rustix::process::getuid().is_root() && !world.give_to(NOBODY, NOBODY) {
        return;
    }
    let daemon = world.start();
    world.wait();
    fs::set_permissions(world.downloads(), Permissions::from_mode(0o000)).unwrap();
    let run = world.ctl(["health"]);
    assert!(run.code == 1 && run.stdout.contains("cannot be read"), "{run:?}");
    degraded(&world, "root", "Permission denied");
    fs::set_permissions(world.downloads(), Permissions::from_mode(0o755)).unwrap();
    assert_eq!(world.ctl(["health"]).code, 0);
    assert_eq!(daemon.stop(), 0);
}
