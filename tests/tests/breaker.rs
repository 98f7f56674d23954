//! The circuit breaker: a rule gone wild is stopped before it has done much, and says so.
#![expect(clippy::disallowed_methods, reason = "puts its own scratch files where tidyd finds them")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tidy_tests::files::{self, Sample};
use tidy_tests::{Daemon, World, assert_same, eventually};

/// A rule that takes everything.
const WILD: &str = "[[rule]]\nname = \"wild\"\nwhen = {}\nmove = \"Everything/\"\n";

const NOTHING: &str = "[default]\n";

fn configure(world: &World, top: &str, rest: &str) {
    world.configure(&format!("watch = [\"~/Downloads\"]\nsettle = \"100ms\"\n{top}\n{rest}"));
}

/// `n` files that the rules leave, known as such.
fn left(world: &World, n: u32) -> Vec<PathBuf> {
    configure(world, "", NOTHING);
    let made = files::make(&world.downloads(), n);
    let daemon = world.start();
    world.wait_long();
    assert_eq!(daemon.stop(), 0);
    assert!(made.iter().all(|p| p.exists()));
    made
}

fn root(world: &World) -> Value {
    world.ctl_json(["status"])["roots"][0].clone()
}

/// Waits, and finds that it is stopped.
#[track_caller]
fn wait_until_stopped(world: &World) -> Value {
    let run = world.ctl(["wait", "--json"]);
    assert_eq!(run.code, 3, "{run:?}");
    let waited: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(waited["drained"], false, "{waited}");
    assert_eq!(waited["stopped"].as_array().map(Vec::len), Some(1), "{waited}");
    let root = root(world);
    assert_eq!(root["state"], "paused", "{root}");
    root["stopped"].clone()
}

/// How many files were moved. A move that was aborted, because the file's twin was on its way as well, is
/// none; it is tried again.
fn moves(world: &World) -> usize {
    let log = world.log(&["--kind", "move", "--all"]);
    log.iter().filter(|op| op["state"] == "done").count()
}

#[test]
fn a_wild_rule_over_old_files_is_stopped_before_the_first_and_goes_on_when_told() {
    let world = World::new();
    let made = left(&world, 1000);
    let before = world.snapshot();
    configure(&world, "", WILD);
    let daemon = world.start();
    let stopped = wait_until_stopped(&world);
    assert_same(&before, &world.snapshot());
    assert_eq!(
        (&stopped["reason"], &stopped["files"], &stopped["limit"]),
        (&"share".into(), &1000.into(), &500.into()),
        "{stopped}"
    );

    // Everybody is told, with the way out.
    let status = world.ctl(["status"]).ok();
    for words in ["was stopped", "1000 of the 1000 files", "tidyctl resume /", "--dry-run /"] {
        assert!(status.contains(words), "{words} is not in\n{status}");
    }
    let waited = world.ctl(["wait"]);
    assert_eq!(waited.code, 3);
    assert!(waited.stdout.contains("stopped") && !waited.stdout.contains("everything is filed"));
    assert_eq!(world.ctl(["health"]).code, 1);
    assert!(daemon.output().contains("is stopped, because"), "{}", daemon.output());
    eventually("the service manager to be told", || {
        world.ctl(["status"]).ok();
        daemon
            .told()
            .iter()
            .any(|l| l.starts_with("STATUS=") && l.contains("stopped"))
            .then_some(())
    });

    // Neither news, nor a rescan, nor a reload, nor a restart is a reason to go on.
    world.write("Downloads/new.pdf", Sample::Pdf.content(9_999));
    world.ctl(["rescan"]).ok();
    world.ctl(["reload"]).ok();
    assert_eq!(daemon.stop(), 0);
    let daemon = world.start();
    assert_eq!(wait_until_stopped(&world), stopped);
    daemon.kill();
    let daemon = world.start();
    assert_eq!(wait_until_stopped(&world), stopped);
    assert_eq!(moves(&world), 0);

    world.ctl(["resume"]).ok();
    world.wait_long();
    assert!(made.iter().all(|p| !p.exists()));
    assert_eq!(moves(&world), 1001);
    assert_eq!(root(&world)["stopped"], Value::Null);
    assert_eq!(world.ctl(["health"]).code, 0);
    assert_eq!(daemon.stop(), 0);
    // The next start has nothing to say of it.
    let daemon = world.start();
    world.wait();
    assert_eq!(root(&world)["state"], "watching");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn what_a_person_asks_for_is_not_limited_and_rules_put_right_are_held_to_the_limits_anew() {
    let world = World::new();
    left(&world, 300);
    let before = world.snapshot();
    configure(&world, "", WILD);
    let daemon = world.start();
    wait_until_stopped(&world);
    world.ctl(["organize"]).ok();
    assert_eq!(moves(&world), 300);
    world.ctl(["rollback", "--last", "--yes"]).ok();
    assert_same(&before, &world.snapshot());
    assert!(root(&world)["stopped"].is_object(), "it was not asked about");

    configure(&world, "", &WILD.replace("{}", "{ ext = \"pdf\" }"));
    world.ctl(["reload"]).ok();
    assert_eq!(wait_until_stopped(&world)["rules_changed"], true);
    world.ctl(["resume"]).ok();
    world.wait_long();
    assert_same(&before, &world.snapshot());
    assert_eq!(daemon.stop(), 0);

    // Nor is a run of its own.
    let world = World::new();
    left(&world, 300);
    configure(&world, "", WILD);
    world.tidyd(&["--once"]).ok();
    assert!(world.downloads().join("Everything").read_dir().unwrap().count() == 300);
}

#[test]
fn a_first_look_at_far_too_many_files_asks_and_at_some_does_not() {
    let world = World::new();
    files::make(&world.downloads(), 300);
    let before = world.snapshot();
    configure(&world, "breaker = { first = 299 }", "");
    let daemon = world.start();
    assert_eq!(wait_until_stopped(&world)["reason"], "first");
    assert_same(&before, &world.snapshot());
    configure(&world, "breaker = { first = 300 }", "");
    world.ctl(["reload"]).ok();
    assert_eq!(root(&world)["state"], "paused");
    world.ctl(["resume"]).ok();
    world.wait_long();
    assert_eq!(moves(&world), 300);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn new_files_are_no_share_of_the_old_ones_however_many_come() {
    let world = World::new();
    left(&world, 10);
    configure(&world, "breaker = { share = \"0%\", at-least = 1, first = 1 }", "");
    // Those ten are filed now, which is more than one.
    let daemon = world.start();
    wait_until_stopped(&world);
    world.ctl(["resume"]).ok();
    world.wait_long();
    files::make(&world.downloads().join("trip/deep"), 600);
    files::make(&world.downloads(), 600);
    world.wait_long();
    assert_eq!(root(&world)["stopped"], Value::Null);
    assert_eq!(moves(&world), 1210);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn too_many_operations_in_a_minute_stop_at_the_limit() {
    let world = World::new();
    configure(&world, "breaker = { operations = 100 }", "");
    let daemon = world.start();
    files::make(&world.downloads(), 150);
    let stopped = wait_until_stopped(&world);
    assert_eq!((&stopped["reason"], &stopped["files"]), (&"rate".into(), &100.into()));
    assert_eq!(moves(&world), 100);
    let status = world.ctl(["status"]).ok();
    assert!(status.contains("tidyctl rollback --since"), "{status}");
    world.ctl(["resume"]).ok();
    world.wait_long();
    assert_eq!(moves(&world), 150);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn one_root_is_stopped_and_the_other_goes_on() {
    let world = World::new();
    left(&world, 300);
    fs::create_dir(world.home().join("Scans")).unwrap();
    world.configure(&format!("watch = [\"~/Downloads\", \"~/Scans\"]\nsettle = \"100ms\"\n{WILD}"));
    let daemon = world.start();
    wait_until_stopped(&world);
    world.write("Scans/a.pdf", Sample::Pdf.content(1));
    let filed = world.home().join("Scans/Everything/a.pdf");
    eventually("the other root to be filed", || filed.exists().then_some(()));
    // It is entered as done a moment after it is there.
    eventually("its entry", || (moves(&world) == 1).then_some(()));
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn when_it_cannot_be_known_which_folders_were_stopped_all_are() {
    let world = World::new();
    world.write(".local/state/tidyd/stopped", "not what tidyd writes");
    fs::set_permissions(world.state(), std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .unwrap();
    let file = world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    let daemon = world.start();
    assert_eq!(wait_until_stopped(&world)["reason"], "unknown");
    assert!(file.exists());
    world.ctl(["resume"]).ok();
    world.wait_long();
    assert!(!file.exists());
    assert_eq!(daemon.stop(), 0);
    let daemon = world.start();
    world.wait();
    assert_eq!(daemon.stop(), 0);
}

/// Two roots whose rules send everything to each other.
fn crossing(world: &World) -> (PathBuf, PathBuf, Daemon) {
    let (one, other) = (world.home().join("One"), world.home().join("Other"));
    fs::create_dir(&one).unwrap();
    fs::create_dir(&other).unwrap();
    world.configure(
        "watch = [\"~/One\", \"~/Other\"]\nsettle = \"10ms\"\n\
         [[watch-override]]\npath = \"~/One\"\nonly = [\"there\"]\n\
         [[watch-override]]\npath = \"~/Other\"\nonly = [\"back\"]\n\
         [[rule]]\nname = \"there\"\nwhen = {}\nmove = \"~/Other/\"\n\
         [[rule]]\nname = \"back\"\nwhen = {}\nmove = \"~/One/\"\n",
    );
    (one, other, world.start())
}

#[test]
fn rules_that_send_to_each_other_move_a_file_once() {
    let world = World::new();
    let (one, other, daemon) = crossing(&world);
    fs::write(one.join("a"), "x").unwrap();
    world.wait();
    world.ctl(["rescan"]).ok();
    world.wait();
    assert!(other.join("a").exists());
    assert_eq!(moves(&world), 1);
    assert_eq!(daemon.stop(), 0);
}

/// A program that writes to the file wherever it is makes it new to the other root each time.
#[test]
fn a_file_that_goes_back_and_forth_is_left_alone_at_last() {
    let world = World::new();
    let (one, other, daemon) = crossing(&world);
    let path = |dir: &Path| dir.join("a");
    fs::write(path(&one), "x").unwrap();
    let mut at = path(&one);
    for round in 0..5 {
        world.wait();
        let next = if round % 2 == 0 { path(&other) } else { path(&one) };
        assert!(next.exists() && !at.exists(), "round {round}");
        at = next;
        fs::OpenOptions::new()
            .append(true)
            .open(&at)
            .and_then(|mut f| {
                use std::io::Write as _;
                f.write_all(b"more")
            })
            .unwrap();
    }
    world.wait();
    assert!(at.exists(), "it goes on for ever");
    assert_eq!(moves(&world), 5);
    let why = world.ctl_json_at(&["explain"], &at);
    assert_eq!(why["stored"]["reason"], "restless", "{why:#}");
    assert_eq!(why["would"]["left"]["reason"], "restless", "{why:#}");
    // Asked for, it goes.
    world.ctl(["organize"]).ok();
    assert!(!at.exists());
    assert_eq!(daemon.stop(), 0);
}
