//! What tidyd cannot reach, whoever asks it to: folders outside of the configuration (Landlock), what symlinks point at,
//! folders that others may change under its hands.
#![expect(clippy::disallowed_methods, reason = "puts its own scratch files where tidyd finds them")]

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use tidy_tests::files::Sample;
use tidy_tests::{Snapshot, World, works};

/// The sentence of `tidyctl status`; `None`, with a word on stderr, where the kernel confines nothing.
fn confinement(world: &World) -> Option<String> {
    let status = world.ctl_json(["status"]);
    let said = status["confinement"].as_str().expect("a sentence").to_owned();
    if said.contains("kernel") {
        eprintln!("skipped, because tidyd is {said}");
        return None;
    }
    Some(said)
}

fn confined_to(world: &World) -> Vec<PathBuf> {
    let status = world.ctl_json(["status"]);
    let folders = status["confined_to"].as_array().expect("a list").clone();
    folders.iter().map(|f| f.as_str().expect("UTF-8").into()).collect()
}

const FAST: &str = "settle = \"100ms\"\n";

#[test]
fn status_and_the_log_say_what_it_is_confined_to_and_filing_and_rollback_work() {
    let world = World::new();
    world.configure(&format!(
        "watch = [\"~/Downloads\"]\n{FAST}[[rule]]\nname = \"photos\"\nwhen = {{ ext = \"jpg\" }}\nmove = \"~/Pictures/\"\n\
         [[rule]]\nname = \"old\"\nwhen = {{ ext = \"bak\" }}\ntrash = true\n"
    ));
    fs::create_dir(world.home().join("Pictures")).unwrap();
    let daemon = world.start();
    let Some(said) = confinement(&world) else { return };
    assert!(said.starts_with("confined to 3 folders (Landlock ABI "), "{said}");
    assert!(daemon.output().contains(&said));
    assert!(world.ctl(["status"]).ok().contains(&said));
    let home = world.home().canonicalize().unwrap();
    let expected = [".local/share/Trash", "Downloads", "Pictures"].map(|d| home.join(d));
    assert_eq!(confined_to(&world), expected);

    let before = world.snapshot();
    world.write("Downloads/a.jpg", Sample::Jpeg.content(1));
    world.write("Downloads/b.bak", "old");
    world.write("Downloads/deep/c.pdf", Sample::Pdf.content(2));
    world.write("Downloads/d.pdf", Sample::Pdf.content(2));
    let arrived = world.snapshot();
    world.wait();
    assert!(world.home().join("Pictures/a.jpg").exists());
    assert!(world.home().join(".local/share/Trash/files/b.bak").exists());
    assert_eq!(world.log(&["--state", "failed"]), Vec::<serde_json::Value>::new());
    world.ctl(["rollback", "--since", "1h", "--yes"]).ok();
    assert_eq!(arrived.lost_by(&world.snapshot()), Vec::<PathBuf>::new());
    assert!(world.downloads().join("b.bak").exists(), "out of the trash again");
    assert!(!before.diff(&world.snapshot()).is_empty());
    assert_eq!(daemon.stop(), 0);
}

/// A rollback must reach what was filed under an earlier configuration, and nothing else may be reached.
#[test]
fn folders_of_earlier_configurations_stay_within_reach_of_a_rollback() {
    let world = World::new();
    let to = |folder: &str| {
        world.configure(&format!(
            "watch = [\"~/Downloads\"]\n{FAST}[[rule]]\nname = \"all\"\nwhen = {{}}\nmove = \"~/{folder}/\"\n"
        ));
    };
    for folder in ["One", "Two", "Other"] {
        fs::create_dir(world.home().join(folder)).unwrap();
    }
    to("One");
    let file = world.write("Downloads/a.txt", "some text");
    let daemon = world.start();
    world.wait();
    assert!(world.home().join("One/a.txt").exists());
    let Some(_) = confinement(&world) else { return };

    // What it has locked itself out of takes a restart, and the old configuration stays until then.
    to("Two");
    let run = world.ctl(["reload"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.contains("/Two") && run.stderr.contains("restart tidyd"), "{run:?}");
    world.write("Downloads/b.txt", "more text");
    world.wait();
    assert!(world.home().join("One/b.txt").exists());
    assert_eq!(daemon.stop(), 0);

    let daemon = world.start();
    let home = world.home().canonicalize().unwrap();
    let reach = confined_to(&world);
    assert!(reach.contains(&home.join("One")) && reach.contains(&home.join("Two")), "{reach:?}");
    assert!(!reach.contains(&home.join("Other")) && !reach.contains(&home), "{reach:?}");
    world.ctl(["rollback", "--since", "1h", "--yes"]).ok();
    assert!(file.exists() && world.downloads().join("b.txt").exists());
    assert_eq!(daemon.stop(), 0);
}

/// A destination that does not exist yet opens the folder it will be made in, and that stays open: a rollback takes the
/// destination away, and it may have to be made again.
#[test]
fn a_destination_that_is_still_to_be_made_is_within_reach_and_can_be_taken_away_and_made_again() {
    let world = World::new();
    world.configure(&format!(
        "watch = [\"~/Downloads\"]\n{FAST}[[rule]]\nname = \"all\"\nwhen = {{}}\nmove = \"~/New/deep/\"\n"
    ));
    let file = world.write("Downloads/a.txt", "some text");
    let daemon = world.start();
    let Some(_) = confinement(&world) else { return };
    let home = world.home().canonicalize().unwrap();
    assert_eq!(confined_to(&world), std::slice::from_ref(&home));
    let said = world.ctl(["status"]).ok();
    assert!(said.contains("can write everywhere in") && said.contains("restart tidyd"), "{said}");
    world.wait();
    assert!(world.home().join("New/deep/a.txt").exists());
    assert_eq!(daemon.stop(), 0);

    let daemon = world.start();
    assert_eq!(confined_to(&world), std::slice::from_ref(&home));
    assert!(!world.ctl(["status"]).ok().contains("can write everywhere"));
    world.ctl(["rollback", "--since", "1h", "--yes"]).ok();
    assert!(file.exists() && !world.home().join("New").exists());
    world.ctl(["redo"]).ok();
    assert!(world.home().join("New/deep/a.txt").exists());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn it_can_be_switched_off_and_says_so() {
    let world = World::new();
    let daemon = world.start_with(&["--no-confine"]);
    assert!(world.ctl(["status"]).ok().contains("not confined: --no-confine"));
    assert_eq!(daemon.stop(), 0);
    world.configure(&format!("watch = [\"~/Downloads\"]\nconfine = false\n{FAST}"));
    let daemon = world.start();
    assert!(world.ctl(["status"]).ok().contains("not confined: the configuration says"));
    assert_eq!(daemon.stop(), 0);
}

/// A kernel without Landlock, or a filter that hides it: everything works, and it says so.
#[test]
fn without_landlock_it_works_and_says_so() {
    let hidden = "inject=landlock_create_ruleset:error=ENOSYS";
    let strace = [
        "strace",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=landlock_create_ruleset",
        "-e",
        hidden,
    ];
    if !works(&[&strace[..], &["true"]].concat()) {
        return;
    }
    let world = World::new();
    let daemon = world.start_under(&strace);
    let said = world.ctl(["status"]).ok();
    assert!(said.contains("not confined: this kernel has no Landlock"), "{said}");
    world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    world.wait();
    assert!(world.downloads().join("Documents/a.pdf").exists());
    assert_eq!(daemon.stop(), 0);
}

/// A disk that is not there at the start may come: its place is within reach, the rest of the home is not.
#[test]
fn a_root_that_comes_later_is_taken_up_without_a_restart() {
    let world = World::new();
    world.configure(&format!("watch = [\"~/Downloads\", \"~/disk/Scans\"]\n{FAST}"));
    fs::create_dir(world.home().join("disk")).unwrap();
    let daemon = world.start();
    let Some(_) = confinement(&world) else { return };
    let home = world.home().canonicalize().unwrap();
    let expected = [".local/share/Trash", "Downloads", "disk"].map(|d| home.join(d));
    assert_eq!(confined_to(&world), expected);
    world.write("disk/Scans/a.pdf", Sample::Pdf.content(1));
    world.ctl(["reload"]).ok();
    world.wait();
    assert!(world.home().join("disk/Scans/Documents/a.pdf").exists());
    assert_eq!(daemon.stop(), 0);
}

/// A folder that was made again under the old name is another one, which takes a restart to be reached.
#[test]
fn a_root_that_was_made_again_is_told_of() {
    let world = World::new();
    let daemon = world.start();
    let Some(_) = confinement(&world) else { return };
    fs::rename(world.downloads(), world.home().join("Old")).unwrap();
    fs::create_dir(world.downloads()).unwrap();
    let said = world.ctl(["status"]).ok();
    assert!(
        said.contains("Downloads is not the folder") && said.contains("restart tidyd"),
        "{said}"
    );
    assert_eq!(daemon.stop(), 0);
    let daemon = world.start();
    assert!(!world.ctl(["status"]).ok().contains("restart tidyd"));
    assert_eq!(daemon.stop(), 0);
}

/// So is a destination: the file stays where it is until there is a process that can reach the new one.
#[test]
fn a_destination_that_was_made_again_is_told_of() {
    let world = World::new();
    let out = world.home().join("Out");
    fs::create_dir(&out).unwrap();
    world.configure(&format!(
        "watch = [\"~/Downloads\"]\n{FAST}[[rule]]\nname = \"all\"\nwhen = {{}}\nmove = \"~/Out/\"\n"
    ));
    let daemon = world.start();
    let Some(_) = confinement(&world) else { return };
    assert!(!world.ctl(["status"]).ok().contains("Out"));
    let said = || {
        let health = world.ctl(["health"]);
        assert_eq!(health.code, 1, "{health:?}");
        [world.ctl(["status"]).ok(), health.stdout + &health.stderr]
    };
    fs::rename(&out, world.home().join("Away")).unwrap();
    for said in said() {
        assert!(
            said.contains("Out, which files are filed into") && said.contains("has gone"),
            "{said}"
        );
    }
    fs::create_dir(&out).unwrap();
    for said in said() {
        assert!(said.contains("Out is not the folder") && said.contains("restart tidyd"), "{said}");
    }
    let file = world.write("Downloads/a.txt", "some text");
    world.wait();
    assert!(file.exists());
    assert_eq!(daemon.stop(), 0);
    let daemon = world.start();
    world.ctl(["organize"]).ok();
    assert!(out.join("a.txt").exists());
    assert!(!world.ctl(["status"]).ok().contains("restart tidyd"));
    assert_eq!(daemon.stop(), 0);
}

/// Entries of open directories that take turns with symlinks to a victim's. Directories by descriptor, since the swapper
/// must not be led astray itself.
struct Swapper<'s> {
    stop: &'s AtomicBool,
    pairs: Vec<(&'s File, String, PathBuf)>,
}

impl Swapper<'_> {
    /// Swaps until it is told to stop; each pair is in its right order in the end. Returns how often.
    fn run(&self) -> usize {
        let mut rounds = 0;
        while !self.stop.load(Ordering::Relaxed) || rounds % 2 == 1 {
            // A file may have been filed; the folders stay.
            for (dir, name, trap) in &self.pairs {
                let _ = renameat_with(dir, name, CWD, trap, RenameFlags::EXCHANGE);
                // So that now and then a step gets through from its first check to its last.
                std::thread::sleep(Duration::from_micros(200));
            }
            rounds += 1;
        }
        rounds
    }
}

/// While folders and files change into symlinks and back, nothing outside of the root changes and nothing is lost: with
/// `openat2`, and where there is none; confined and not.
fn race(wrapper: &[&str], confine: bool) {
    const FILES: u32 = 120;
    const ROUNDS: usize = 3;
    let world = World::new();
    world.configure(&format!(
        "watch = [\"~/Downloads\"]\nsettle = \"10ms\"\nconfine = {confine}\n[[rule]]\nname = \"text\"\n\
         when = {{ ext = \"txt\" }}\nmove = \"Filed/{{stem}}/\"\n"
    ));
    // The victim has files of the same names, so that whoever follows a symlink finds what to take away.
    for n in 0..FILES {
        world.write(format!("victim/{n}.txt"), format!("victim {n}"));
        world.write(format!("victim/Filed/{n}/keep"), format!("kept {n}"));
    }
    let down = world.downloads();
    for folder in ["Downloads/in", "Downloads/Filed"] {
        fs::create_dir_all(world.home().join(folder)).unwrap();
    }
    let swaps = world.home().join("Downloads.swaps");
    fs::create_dir(&swaps).unwrap();
    let trap = |name: &str, target: PathBuf| {
        symlink(target, swaps.join(name)).unwrap();
        swaps.join(name)
    };
    let victim = world.home().join("victim");
    let (root, inner) = (File::open(&down).unwrap(), File::open(down.join("in")).unwrap());
    let mut pairs = vec![
        (&root, "in".to_owned(), trap("in", victim.clone())),
        (&root, "Filed".to_owned(), trap("Filed", victim.join("Filed"))),
    ];
    for n in 0..8 {
        let name = format!("{n}.txt");
        let trap = trap(&name, victim.join(&name));
        pairs.push((&inner, name, trap));
    }
    let ours: Vec<u32> = (0..FILES).collect();
    for n in &ours {
        world.write(format!("Downloads/in/{n}.txt"), format!("mine {n}"));
    }
    let before = Snapshot::take(&victim);
    let everything = world.snapshot();

    let stop = AtomicBool::new(false);
    let rounds = std::thread::scope(|threads| {
        let swapper = Swapper { stop: &stop, pairs };
        let swapping = threads.spawn(move || swapper.run());
        let daemon = if wrapper.is_empty() { world.start() } else { world.start_under(wrapper) };
        for n in &ours {
            // Wherever that leads at the moment: our own files have names of their own.
            let late = down.join(format!("late {n}.txt"));
            fs::write(late, format!("late {n}")).unwrap();
        }
        let moved = || world.log(&["--state", "done", "--kind", "move"]).len();
        for _ in 0..ROUNDS {
            world.ctl(["organize"]);
            if moved() > FILES as usize / 2 {
                break;
            }
        }
        let moved = moved();
        world.ctl(["rollback", "--since", "1h", "--yes"]);
        eprintln!("{moved} files were moved while folders were swapped");
        stop.store(true, Ordering::Relaxed);
        let rounds = swapping.join().unwrap();
        // And with nobody in the way all of it can be done.
        world.ctl(["organize"]).ok();
        world.wait_long();
        assert_eq!(daemon.stop(), 0);
        rounds
    });
    assert!(rounds > 10, "the swapper did its work: {rounds}");
    assert!(
        before.diff(&Snapshot::take(&victim)).is_empty(),
        "{:#?}",
        before.diff(&Snapshot::take(&victim))
    );
    assert_eq!(everything.lost_by(&world.snapshot()), Vec::<PathBuf>::new());
    let filed = fs::read_dir(down.join("Filed")).unwrap().count();
    assert!(filed > 60, "something was filed at all: {filed}");
}

#[test]
fn symlinks_swapped_in_lead_nowhere() {
    race(&[], true);
    race(&[], false);
}

#[test]
fn symlinks_swapped_in_lead_nowhere_without_openat2_either() {
    let inject = "inject=openat2:error=ENOSYS";
    let strace = [
        "strace",
        "-f",
        "-qq",
        "--seccomp-bpf",
        "-o",
        "/dev/null",
        "-e",
        "trace=openat2",
        "-e",
        inject,
    ];
    if works(&[&strace[..], &["true"]].concat()) {
        race(&strace, false);
    }
}

/// What is no regular file of its own stays, and `explain` says why; also when it takes a file's place at the last moment.
#[test]
fn links_pipes_devices_and_sockets_are_left_with_a_reason() {
    let world = World::new();
    let down = world.downloads();
    let outside = world.write("outside.pdf", Sample::Pdf.content(1));
    fs::hard_link(
        world.write("Downloads/hard.pdf", Sample::Pdf.content(2)),
        world.home().join("hard"),
    )
    .unwrap();
    symlink(&outside, down.join("symlink.pdf")).unwrap();
    let pipe = down.join("pipe.pdf");
    rustix::fs::mknodat(CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(down.join("socket.pdf")).unwrap();
    let mut kinds = vec!["hard.pdf", "symlink.pdf", "pipe.pdf", "socket.pdf"];
    let null = rustix::fs::makedev(1, 3);
    let device = rustix::fs::FileType::CharacterDevice;
    if rustix::fs::mknodat(CWD, down.join("device.pdf"), device, 0o600.into(), null).is_ok() {
        kinds.push("device.pdf");
    } else {
        eprintln!("skipped for devices, because they cannot be made here");
    }
    let before = world.snapshot();
    let daemon = world.start();
    world.wait();
    assert!(before.diff(&world.snapshot()).is_empty(), "{:#?}", before.diff(&world.snapshot()));
    for name in kinds {
        let explained = world.ctl_at(&["explain"], &down.join(name)).ok();
        let reason = if name == "hard.pdf" { "hard link" } else { "not a regular file" };
        // Lines are broken where they are long.
        let words: Vec<_> = explained.split_whitespace().collect();
        assert!(words.join(" ").contains(reason), "{name}: {explained}");
    }
    drop(socket);
    assert_eq!(daemon.stop(), 0);
}

/// What others may change is refused with what to do about it, by every check; allowed, it is watched.
#[test]
fn shared_folders_are_refused_until_they_are_allowed() {
    let world = World::new();
    let mode =
        |mode| fs::set_permissions(world.downloads(), fs::Permissions::from_mode(mode)).unwrap();
    let refused = |said: &str| {
        for run in [world.tidyd(&["--check"]), world.tidyd(&[]), world.ctl(["config", "check"])] {
            assert_eq!(run.code, 78, "{run:?}");
            let told = run.stdout + &run.stderr;
            assert!(told.contains(said) && told.contains("allow-shared = ["), "{told}");
        }
    };
    mode(0o777);
    refused("everybody may change");
    mode(0o755);
    let nobody = 65534;
    if std::os::unix::fs::chown(world.downloads(), Some(nobody), None).is_ok() {
        refused("belongs to another user (uid 65534)");
    } else {
        eprintln!("skipped for other users' folders, because only root can make one");
    }
    mode(0o777);
    world
        .configure(&format!("watch = [\"~/Downloads\"]\nallow-shared = [\"~/Downloads\"]\n{FAST}"));
    world.tidyd(&["--check"]).ok();
    let daemon = world.start();
    // Taken back while it runs, a reload says so and the old configuration stays.
    world.configure(&format!("watch = [\"~/Downloads\"]\n{FAST}"));
    assert_eq!(world.ctl(["reload"]).code, 78);
    world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    world.wait();
    assert!(world.downloads().join("Documents/a.pdf").exists());
    assert_eq!(daemon.stop(), 0);

    world
        .configure(&format!("watch = [\"~/Downloads\"]\nallow-shared = [\"~/Downloads\"]\n{FAST}"));
    fs::set_permissions(world.config_file(), fs::Permissions::from_mode(0o666)).unwrap();
    let run = world.tidyd(&["--check"]);
    assert_eq!(run.code, 78, "{run:?}");
    assert!(run.stderr.contains("not to be trusted"), "{run:?}");
}
