//! The daemon as a service: started, stopped, told to read its configuration again, and only one of it.
#![expect(clippy::disallowed_methods, reason = "puts its own scratch files where tidyd finds them")]

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tidy_tests::files::{self, Sample};
use tidy_tests::{Binary, World, binary, eventually};

#[test]
fn the_service_manager_hears_of_the_start_and_the_end() {
    let world = World::new();
    world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    let mut daemon = world.start();
    assert!(world.socket().exists(), "ready means that it answers");
    world.wait();
    daemon.signal(Signal::TERM);
    daemon.await_told("STOPPING=1");
    let told = daemon.told();
    assert!(told.iter().any(|l| l.starts_with("STATUS=")), "{told:?}");
    assert_eq!(daemon.wait(), 0);
    assert!(!world.socket().exists(), "the socket goes with it");
}

/// What came, and in which order.
fn places(told: &[String], lines: &[&str]) -> Vec<usize> {
    let find = |line: &&str| told.iter().position(|l| l.starts_with(*line));
    lines.iter().map(|l| find(l).unwrap_or_else(|| panic!("{l} in {told:?}"))).collect()
}

#[test]
fn ready_means_recovered_and_watching_and_what_takes_time_says_so() {
    let world = World::new();
    files::make(&world.downloads(), 300);
    let daemon = world.spawn();
    let documents = world.downloads().join("Documents");
    eventually("the first files to be filed", || documents.exists().then_some(()));
    // In the middle of it: the next start has something to recover.
    daemon.kill();
    let daemon = world.start();
    let told = daemon.told();
    let order = ["STATUS=opening the journal", "EXTEND_TIMEOUT_USEC=", "READY=1"];
    assert!(places(&told, &order).is_sorted(), "{told:?}");
    let status = world.ctl_json(["status"]);
    assert_eq!(status["roots"][0]["state"], "watching", "{status}");
    // What it goes on filing by now has a number of its own.
    let said = daemon.output();
    assert!(said.rfind("have been settled") < said.rfind("listening"), "{said}");
    world.wait_long();
    assert!(world.log(&["--state", "intended"]).is_empty());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn the_service_manager_hears_of_reloads_and_that_the_coordinator_lives() {
    let world = World::new();
    let mut command = world.command(binary(Binary::Tidyd));
    command.env("WATCHDOG_USEC", "1000000");
    let mut daemon = world.start_command(command);
    daemon.await_told("WATCHDOG=1");
    assert!(!daemon.told().iter().any(|l| l == "RELOADING=1"));
    world.ctl(["reload"]).ok();
    daemon.await_told("RELOADING=1");
    let after = |told: &[String], line: &str| {
        let at = told.iter().position(|l| l == "RELOADING=1")?;
        told[at..].iter().any(|l| l.starts_with(line)).then_some(())
    };
    for line in ["MONOTONIC_USEC=", "READY=1", "WATCHDOG=1"] {
        eventually(line, || after(&daemon.told(), line));
    }
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn it_leaves_within_five_seconds_in_the_middle_of_a_big_job() {
    let world = World::new();
    let before = files::make(&world.downloads(), 4000).len();
    let daemon = world.spawn();
    let documents = world.downloads().join("Documents");
    eventually("the first files to be filed", || documents.exists().then_some(()));
    let asked = Instant::now();
    assert_eq!(daemon.stop(), 0);
    assert!(asked.elapsed() < Duration::from_secs(6), "{:?}", asked.elapsed());

    // The rest is filed by the next one, and nothing is open or lost.
    let daemon = world.start();
    world.wait_long();
    assert!(world.log(&["--state", "intended"]).is_empty());
    assert_eq!(world.log(&["--kind", "move", "--state", "done"]).len(), before);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let world = World::new();
    files::make(&world.downloads(), 3000);
    let daemon = world.spawn();
    let documents = world.downloads().join("Documents");
    eventually("the first files to be filed", || documents.exists().then_some(()));
    daemon.signal(Signal::TERM);
    daemon.signal(Signal::INT);
    let code = daemon.wait();
    assert!(matches!(code, 0 | 130 | 143), "{code}");
    let daemon = world.start();
    world.wait_long();
    assert!(world.log(&["--state", "intended"]).is_empty());
    assert_eq!(daemon.stop(), 0);
}

/// The configuration with a rule for what the built-in ones leave.
const WITH_RULE: &str = "watch = [\"~/Downloads\"]\nsettle = \"100ms\"\n[[rule]]\nname = \"odd\"\n\
                         when = { ext = \"odd\" }\nmove = \"Odd/\"\n";

#[test]
fn a_new_rule_files_what_was_left_after_sighup_or_reload() {
    for by_signal in [true, false] {
        let world = World::new();
        let left = world.write("Downloads/a.odd", b"\x00\x01\x02\xff");
        let daemon = world.start();
        world.wait();
        assert!(left.exists());
        world.configure(WITH_RULE);
        if by_signal {
            daemon.signal(Signal::HUP);
        } else {
            world.ctl(["reload"]).ok();
        }
        let odd = world.downloads().join("Odd/a.odd");
        eventually("the new rule to be in force", || odd.exists().then_some(()));
        world.wait();
        assert!(!left.exists());
        assert_eq!(daemon.stop(), 0);
    }
}

#[test]
fn a_bad_configuration_on_reload_leaves_the_old_one_in_force_and_says_so() {
    let world = World::new();
    world.configure(WITH_RULE);
    let daemon = world.start();
    world.configure("watch = [\"~/Downloads\"]\nsetle = \"1s\"\n");
    let run = world.ctl(["reload"]);
    assert_eq!(run.code, 78, "{run:?}");
    assert!(run.stderr.contains("did you mean `settle`"), "{run:?}");
    daemon.signal(Signal::HUP);
    eventually("the log to say so", || daemon.output().contains("setle").then_some(()));
    world.write("Downloads/b.odd", b"\x00\x01");
    world.wait();
    assert!(world.downloads().join("Odd/b.odd").exists(), "the old rules still hold");
    // A root that is a mistake is refused as a whole, too.
    world.configure("watch = [\"/\"]\n");
    assert_eq!(world.ctl(["reload"]).code, 78);
    assert_eq!(world.ctl_json(["status"])["roots"].as_array().map(Vec::len), Some(1));
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn there_is_only_one_of_it() {
    let world = World::new();
    let mut first = world.start();
    // The same state directory.
    let second = world.tidyd(&[]);
    assert!(matches!(second.code, 1 | 5), "{second:?}");
    assert!(second.stderr.contains("error: ") && second.stderr.contains("hint: "), "{second:?}");
    // Another one, and the same socket.
    let state = world.home().join("other state");
    let third = world.tidyd(&["--state", state.to_str().unwrap()]);
    assert!(matches!(third.code, 1 | 5), "{third:?}");
    assert!(third.stderr.contains("another daemon"), "{third:?}");
    assert!(first.is_running());
    world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    world.wait();
    assert!(world.downloads().join("Documents/a.pdf").exists());
    assert_eq!(first.stop(), 0);
}

#[test]
fn a_socket_left_by_a_crash_is_taken_over_and_anything_else_is_not() {
    let world = World::new();
    let daemon = world.start();
    daemon.kill();
    assert!(world.socket().exists());
    assert_eq!(world.ctl(["status"]).code, 4);
    let daemon = world.start();
    world.ctl(["status"]).ok();
    assert_eq!(daemon.stop(), 0);

    fs::write(world.socket(), "mine").unwrap();
    let run = world.tidyd(&[]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.contains("is not a socket"), "{run:?}");
    assert_eq!(fs::read(world.socket()).unwrap(), b"mine");
}

#[test]
fn the_socket_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    let daemon = world.start();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&world.socket()), 0o600);
    assert_eq!(mode(&world.state()), 0o700);
    assert_eq!(daemon.stop(), 0);
}
