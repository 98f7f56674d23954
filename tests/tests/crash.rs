//! kill -9 at random moments, while filing and while putting back: nothing is lost, nothing doubled, and everything can
//! still be put back.
//!
//! The moments come from a seed, which is printed: `TIDY_TEST_SEED=… cargo test --test crash` draws the same ones.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use tidy_tests::files::Sample;
use tidy_tests::{Kind, Random, Snapshot, World, assert_same};

/// Kills while filing, and as many again while putting back.
const ROUNDS: u32 = 10;

/// Files that arrive in each round.
const FILES: u32 = 75;

/// Lets a random time go by: what the crash comes after is the point of the test.
fn pause(random: &mut Random, most: Duration) {
    let micros = u64::try_from(most.as_micros()).expect("short");
    thread::sleep(Duration::from_micros(random.below(micros)));
}

/// The home without what the trash keeps about its files and without the trash's own directories.
fn files_of(world: &World) -> Snapshot {
    let mut tree = world.snapshot();
    tree.entries.retain(|path, entry| {
        let in_trash = path.starts_with(".local/share/Trash");
        let about_others = path.starts_with(".local/share/Trash/info");
        !(about_others || in_trash && entry.kind == Kind::Directory)
    });
    tree
}

/// The same contents, as often.
#[track_caller]
fn nothing_lost_or_doubled(before: &Snapshot, after: &Snapshot) {
    let none = Vec::<std::path::PathBuf>::new();
    assert_eq!(before.lost_by(after), none, "lost");
    assert_eq!(after.lost_by(before), none, "doubled");
}

/// New files in several directories, with equal names and copies among them.
fn arrive(world: &World, round: u32) {
    for n in 0..FILES {
        let sample = Sample::ALL[n as usize % Sample::ALL.len()];
        // Every tenth has the bytes of the one before it.
        let copy = u32::from(n % 10 == 9);
        let sample =
            if copy == 1 { Sample::ALL[(n as usize - 1) % Sample::ALL.len()] } else { sample };
        let name = format!("{:02}.{}", n % 40, sample.extension());
        let dir = format!("Downloads/r{round}/{}", n / 10);
        world.write(Path::new(&dir).join(name), sample.content(round * 1000 + n - copy));
    }
}

#[test]
fn killed_at_any_moment_nothing_is_lost_and_all_of_it_can_be_put_back() {
    let mut random = Random::new();
    let world = World::new();
    world.configure(
        "watch = [\"~/Downloads\"]\nsettle = \"50ms\"\nduplicates = { keep = \"oldest\", others = \"trash\" }\n",
    );
    for round in 0..ROUNDS {
        arrive(&world, round);
        let before = files_of(&world);
        let daemon = world.spawn();
        pause(&mut random, Duration::from_millis(900));
        daemon.kill();
        nothing_lost_or_doubled(&before, &files_of(&world));

        // Every other time the next crash finds the restart, too.
        if round % 2 == 0 {
            let daemon = world.start();
            world.wait();
            nothing_lost_or_doubled(&before, &files_of(&world));
            daemon.kill();
        }
    }
    let daemon = world.start();
    world.wait();
    assert_eq!(world.log(&["--state", "intended"]), [] as [serde_json::Value; 0]);
    assert_eq!(world.log(&["--state", "unknown"]), [] as [serde_json::Value; 0]);
    daemon.kill();

    let filed = files_of(&world);
    for _ in 0..ROUNDS {
        let daemon = world.start();
        let mut rollback = world.command(tidy_tests::binary(tidy_tests::Binary::Tidyctl));
        let rollback = rollback.args(["rollback", "--since", "1d", "--yes", "--quiet"]);
        let null = std::process::Stdio::null;
        let mut asked = rollback.stdout(null()).stderr(null()).spawn().expect("a program of ours");
        pause(&mut random, Duration::from_millis(250));
        daemon.kill();
        // Its connection is gone; how it ends is its own business.
        asked.wait().expect("our own child");
        nothing_lost_or_doubled(&filed, &files_of(&world));
    }
    let daemon = world.start();
    world.wait();
    let last = world.ctl(["rollback", "--since", "1d", "--yes"]);
    assert!(last.code == 0 || last.stderr.contains("nothing in effect"), "{last:?}");
    world.wait();
    assert_eq!(world.log(&["--state", "intended"]), [] as [serde_json::Value; 0]);
    assert_same(&original(), &downloads(&world));
    assert_eq!(daemon.stop(), 0);
}

/// What was in the Downloads folder before anybody touched it, times aside.
fn original() -> Snapshot {
    let world = World::new();
    (0..ROUNDS).for_each(|round| arrive(&world, round));
    downloads(&world)
}

fn downloads(world: &World) -> Snapshot {
    let mut tree = Snapshot::take(&world.downloads());
    tree.entries.values_mut().for_each(|e| e.modified = None);
    // In the trash there must be nothing left.
    let trash = world.home().join(".local/share/Trash");
    for part in ["files", "info"] {
        let left: Vec<_> = fs::read_dir(trash.join(part)).into_iter().flatten().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
    }
    tree
}
