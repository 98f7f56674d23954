//! The machine's clock is set while tidyd runs, and between two starts.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![expect(clippy::disallowed_methods, reason = "plays a user in a scratch home")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tidy_tests::{Binary, Daemon, Run, World, assert_same, binary};

const DAY: i64 = 24 * 3600;

/// The calendar time of the programs of one world, as far from the machine's as one likes.
struct Clock<'w> {
    world: &'w World,
    library: PathBuf,
    shift: PathBuf,
}

impl<'w> Clock<'w> {
    /// `None`, having said why, where it cannot be done.
    fn of(world: &'w World) -> Option<Self> {
        let place = world.home().join(".cache/clock");
        fs::create_dir_all(&place).unwrap();
        let (library, shift) = (place.join("shift.so"), place.join("shift"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clock/shift.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).args([&library, &source]);
        if !compiler.output().is_ok_and(|output| output.status.success()) {
            eprintln!("skipped, because there is no compiler for C here");
            return None;
        }
        let clock = Self { world, library, shift };
        clock.set(0);
        let run = Run::of(&mut clock.on(world.command("date")));
        if run.code != 0 {
            eprintln!("skipped, because programs cannot be given another time here: {run:?}");
            return None;
        }
        Some(clock)
    }

    /// Sets it, for programs that run as well: so many seconds from the machine's.
    fn set(&self, seconds: i64) {
        // In place: it is mapped into the programs.
        fs::write(&self.shift, seconds.to_ne_bytes()).unwrap();
    }

    fn on(&self, mut command: Command) -> Command {
        command.env("LD_PRELOAD", &self.library).env("TIDY_TEST_SHIFT", &self.shift);
        command
    }

    fn start(&self) -> Daemon {
        self.world.start_command(self.on(self.world.command(binary(Binary::Tidyd))))
    }

    fn ctl(&self, arguments: &[&str]) -> Run {
        Run::of(self.on(self.world.command(binary(Binary::Tidyctl))).args(arguments))
    }
}

/// It changed a day in the future, as what arrives just before the clock is set.
#[test]
fn what_arrives_after_the_clock_was_set_back_is_filed_and_put_back() {
    let world = World::new();
    let Some(clock) = Clock::of(&world) else { return };
    let daemon = clock.start();
    world.write("Downloads/before.pdf", "%PDF-1.4\n1");
    world.wait();
    clock.set(-DAY);
    world.write("Downloads/after.pdf", "%PDF-1.4\n2");
    world.wait();
    let documents = world.downloads().join("Documents");
    assert!(documents.join("before.pdf").exists() && documents.join("after.pdf").exists());
    let log = world.log(&[]);
    assert!(
        log[0]["time_ns"].as_i64() < log[1]["time_ns"].as_i64(),
        "the newest comes first: {log:#?}"
    );
    assert!(clock.ctl(&["doctor"]).stdout.contains("it was set back"));

    // What was done in what is the future now is not older than an hour.
    clock.ctl(&["rollback", "--since", "1h"]).ok();
    assert!(world.downloads().join("before.pdf").exists() && !documents.exists());
    assert_eq!(daemon.stop(), 0);
    let put_back = world.snapshot();
    let daemon = clock.start();
    world.wait();
    assert_same(&put_back, &world.snapshot());
    clock.ctl(&["redo"]).ok();
    assert!(documents.join("before.pdf").exists() && documents.join("after.pdf").exists());
    assert_eq!(daemon.stop(), 0);
}

/// Many a machine has a wrong clock until it finds a network.
#[test]
fn a_start_with_a_clock_that_is_years_ahead_forgets_nothing() {
    /// A batch is in one segment.
    const BATCHES: usize = 6;
    const FILES: usize = 25;
    let world = World::new();
    let Some(clock) = Clock::of(&world) else { return };
    world.configure(
        "watch = [\"~/Downloads\"]\nsettle = \"200ms\"\njournal = { keep = \"365d\", at_most = \"64 kB\" }\n",
    );
    let daemon = clock.start();
    for batch in 0..BATCHES {
        for n in 0..FILES {
            world.write(format!("Downloads/{batch}-{n}.pdf"), format!("%PDF-1.4\n{batch} {n}"));
        }
        world.wait();
    }
    assert_eq!(daemon.stop(), 0);
    let journal = world.state().join("journal");
    let segments = || fs::read_dir(&journal).unwrap().count();
    let kept = segments();
    assert!(kept > 4, "what is forgotten is whole segments, but the last one");

    clock.set(2 * 365 * DAY);
    let daemon = clock.start();
    world.wait();
    // Whatever is done once all is quiet, is done before what comes next.
    world.write("Downloads/then.pdf", "%PDF-1.4\nthen");
    world.wait();
    assert_eq!(daemon.stop(), 0);
    assert!(segments() >= kept, "{}", world.said());

    clock.set(0);
    let daemon = clock.start();
    world.wait();
    assert_eq!(world.log(&["--kind", "move"]).len(), BATCHES * FILES + 1);
    clock.ctl(&["rollback", "--since", "1h", "--yes"]).ok();
    assert_eq!(fs::read_dir(world.downloads()).unwrap().count(), BATCHES * FILES + 1);
    assert_eq!(daemon.stop(), 0);
}
