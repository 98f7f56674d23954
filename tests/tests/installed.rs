//! `tidyctl service` with a real systemd, where one can be booted; and without one.
#![cfg(target_os = "linux")]
#![expect(
    clippy::disallowed_methods,
    reason = "puts its own scratch files where tidyd and systemd find them"
)]

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tidy_tests::files::Sample;
use tidy_tests::{
    Binary, Run, Snapshot, Terminal, UserManager, World, assert_same, binary, eventually, path,
};

fn unit(world: &World) -> PathBuf {
    world.home().join(".config/systemd/user/tidyd.service")
}

/// What `service status` says, whatever its exit code.
fn status(world: &World) -> Value {
    let run = world.ctl(["service", "status", "--json"]);
    serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {run:?}"))
}

/// The process that runs, once it is another one than `before`.
#[track_caller]
fn started_anew(world: &World, before: u64) -> u64 {
    eventually("the service to be started anew", || {
        let now = status(world);
        now["answers"].as_u64().filter(|pid| now["active"] == "active" && *pid != before)
    })
}

fn signal(pid: u64, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process");
    kill_process(pid, signal).expect("it runs");
}

#[test]
fn a_service_is_installed_reloaded_killed_upgraded_and_removed() {
    let world = World::new();
    let Some(manager) = UserManager::boot(&world) else { return };
    // An empty home but for this.
    world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    assert_eq!(status(&world)["installed"], false);
    assert_eq!(world.ctl(["service", "status"]).code, 4);

    let text = world.ctl(["service", "install"]).ok();
    assert!(text.contains("and runs now"), "{text}");
    let now = status(&world);
    for (name, want) in [("installed", true), ("enabled", true)] {
        assert_eq!(now[name], want, "{name}: {now}");
    }
    assert_eq!((&now["active"], &now["whose"]), (&"active".into(), &"tidyctl".into()), "{now}");
    assert_eq!(path(&now["unit"]), unit(&world));
    assert_eq!(path(&now["program"]), binary(Binary::Tidyd));
    let pid = now["answers"].as_u64().expect("it answers");
    assert_eq!(now["pid"], pid);
    let since = now["since_ns"].as_i64().unwrap();
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let ago = i64::try_from(clock.as_nanos()).unwrap() - since;
    assert!((0..3_600_000_000_000).contains(&ago), "{ago} ns ago");
    world.wait();
    assert!(world.downloads().join("Documents/a.pdf").exists());

    // Again: nothing changes.
    let again = world.ctl_json(["service", "install"]);
    assert_eq!((&again["written"], &again["active"]), (&false.into(), &"active".into()));
    assert_eq!(status(&world)["answers"], pid);

    // A reload returns when it has taken effect; one that is refused fails, and the service goes on.
    let rule = "[[rule]]\nname = \"odd\"\nwhen = { ext = \"odd\" }\nmove = \"Odd/\"\n";
    let good = format!("watch = [\"~/Downloads\"]\nsettle = \"100ms\"\n{rule}");
    world.configure(&good);
    manager.ctl(&world, &["reload", "tidyd"]).ok();
    world.write("Downloads/b.odd", b"\x00\x01");
    world.wait();
    assert!(world.downloads().join("Odd/b.odd").exists());
    world.configure("watch = 7\n");
    assert_ne!(manager.ctl(&world, &["reload", "tidyd"]).code, 0);
    world.configure(&good);
    assert_eq!(status(&world)["answers"], pid);

    // A crash.
    signal(pid, Signal::KILL);
    let second = started_anew(&world, pid);
    let now = status(&world);
    assert_eq!(now["restarts"], 1, "{now}");

    // One that hangs is found by its watchdog.
    let dropin = unit(&world).with_file_name("tidyd.service.d").join("test.conf");
    fs::create_dir_all(dropin.parent().unwrap()).unwrap();
    fs::write(&dropin, "[Service]\nWatchdogSec=5s\n").unwrap();
    manager.ctl(&world, &["daemon-reload"]).ok();
    manager.ctl(&world, &["restart", "tidyd"]).ok();
    let third = started_anew(&world, second);
    signal(third, Signal::STOP);
    let fourth = started_anew(&world, third);

    // An upgrade: the programs are elsewhere. The unit is replaced, and what was done is still known.
    let moved = world.home().join("new version 100%/tidyd");
    fs::create_dir_all(moved.parent().unwrap()).unwrap();
    fs::copy(binary(Binary::Tidyd), &moved).unwrap();
    let moved_text = moved.to_str().unwrap();
    let upgraded = world.ctl_json(["service", "install", "--program", moved_text]);
    assert_eq!(upgraded["written"], true, "{upgraded}");
    started_anew(&world, fourth);
    assert_eq!(path(&status(&world)["program"]), moved);
    assert_eq!(world.log(&["--kind", "move"]).len(), 2);

    // Removed, and only what was installed.
    let before = world.snapshot();
    let run = world.ctl(["service", "uninstall", "--json"]);
    let removed: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.code, &removed["stopped"]), (0, &true.into()), "{run:?}");
    assert_eq!(path(&removed["removed"][0]), unit(&world));
    assert!(!unit(&world).exists() && dropin.exists());
    let wants = unit(&world).with_file_name("default.target.wants/tidyd.service");
    assert!(fs::symlink_metadata(wants).is_err());
    assert_eq!(status(&world)["installed"], false);
    assert_eq!(world.ctl(["status"]).code, 4);
    assert!(world.config_file().exists() && world.state().join("journal").exists());
    assert!(world.ctl(["service", "uninstall"]).ok().contains("nothing to remove"));

    // All of it, and only that.
    let run = world.ctl(["service", "uninstall", "--purge"]);
    assert_eq!(run.code, 2, "nobody can be asked: {run:?}");
    assert!(world.state().exists());
    world.ctl(["service", "uninstall", "--purge", "--yes"]).ok();
    assert!(!world.state().exists() && !world.config_file().exists());
    assert_same(&before, &world.snapshot());
}

#[test]
fn what_a_person_made_of_the_unit_is_theirs() {
    let world = World::new();
    let Some(manager) = UserManager::boot(&world) else { return };
    world.ctl(["service", "install", "--no-start"]).ok();
    assert_eq!(status(&world)["active"], "inactive");
    let mine = fs::read_to_string(unit(&world)).unwrap() + "Nice=5\n";
    fs::write(unit(&world), &mine).unwrap();
    manager.ctl(&world, &["daemon-reload"]).ok();
    let run = world.ctl(["service", "install"]);
    assert!(run.code == 1 && run.stderr.contains("changed by hand"), "{run:?}");
    let run = world.ctl(["service", "uninstall"]);
    assert!(run.code == 3 && run.stdout.contains("--force removes it"), "{run:?}");
    assert_eq!(fs::read_to_string(unit(&world)).unwrap(), mine);
    assert_eq!(status(&world)["enabled"], false);

    let done = world.ctl_json(["service", "install", "--force"]);
    assert_eq!(fs::read_to_string(path(&done["aside"])).unwrap(), mine);
    assert_eq!(status(&world)["active"], "active");
    world.ctl(["service", "uninstall"]).ok();
}

#[test]
fn what_does_not_start_says_why() {
    let world = World::new();
    let Some(_manager) = UserManager::boot(&world) else { return };
    let refused = |code: i32, error: &str, hint: &str| {
        let run = world.ctl(["service", "install"]);
        assert_eq!(run.code, code, "{run:?}");
        assert!(run.stderr.contains(error) && run.stderr.contains(hint), "{run:?}");
    };
    // One that was started by hand has the state directory.
    let by_hand = world.start();
    refused(1, "started by hand", "kill ");
    assert_eq!(by_hand.stop(), 0);
    let good = fs::read_to_string(world.config_file()).unwrap();
    fs::remove_file(world.config_file()).unwrap();
    refused(78, "no configuration", "tidyctl init");
    world.configure("watch = [\"~/Downloads\"]\nsetle = \"1s\"\n");
    refused(78, "setle", "");
    assert!(!unit(&world).exists(), "nothing was changed");

    // It is right on its own, and no folder of it can be used.
    world.configure("watch = [\"/\"]\n");
    refused(1, "exit code 78", "config check");
    let now = status(&world);
    assert_eq!((&now["active"], &now["last_end"]["exit"]), (&"failed".into(), &78.into()), "{now}");
    let doctor = world.ctl(["doctor"]);
    assert!(doctor.stdout.contains("the service is failed"), "{doctor:?}");
    world.configure(&good);
    world.ctl(["service", "install"]).ok();
    assert_eq!(status(&world)["active"], "active");
}

#[test]
fn what_is_left_of_a_long_use_goes_without_a_trace() {
    let world = World::new();
    let watch = "watch = [\"~/Downloads\"]\nsettle = \"50ms\"\nlog = { redact = true }\n";
    world.configure(watch);
    world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    let daemon = world.start();
    world.wait();
    eventually("a backup", || world.state().join("backups").exists().then_some(()));
    world.ctl(["store", "backup"]).ok();
    assert_eq!(world.ctl(["service", "uninstall", "--purge", "--yes"]).code, 5, "it runs");
    daemon.kill();
    world.write("Downloads/b.pdf", Sample::Pdf.content(2));
    world.tidyd(&["--once"]).ok();
    let list = world.ctl_json(["store", "list"]);
    let backup = path(&list[0]["path"]);
    world.ctl_at(&["store", "restore"], &backup).ok();
    world.tidyd(&["--once"]).ok();
    // Of a disk that failed and of a start that was cut off.
    fs::write(world.state().join("store/db"), "damage").unwrap();
    fs::write(world.state().join("journal/0000000000000001.damaged"), "damage").unwrap();
    fs::write(world.state().join("format.new"), "tid").unwrap();
    let daemon = world.start();
    world.ctl(["rollback", "--since", "1d", "--yes"]).ok();
    assert_eq!(daemon.stop(), 0);
    world.ctl(["store", "rebuild"]).ok();
    world.ctl(["store", "compact"]).ok();
    world.tidyd(&["scan", world.downloads().to_str().unwrap()]);

    let run = world.ctl(["service", "uninstall", "--purge", "--yes"]);
    assert!(
        !world.state().exists(),
        "{run:?}: {:?}",
        Snapshot::take(&world.state()).entries.keys()
    );
    assert!(!world.config_file().exists() && !world.home().join(".cache/tidyd").exists());
    let left = Snapshot::take(&world.home());
    let pdf = left.entries.keys().filter(|path| path.extension().is_some_and(|e| e == "pdf"));
    assert_eq!(pdf.count(), 2, "{left:#?}");
}

#[test]
fn a_folder_that_was_never_tidyds_loses_nothing() {
    let world = World::new();
    for name in [
        "errors",
        "folders",
        "stopped",
        "format",
        "cookies/recipe.txt",
        "store/db",
        "journal/diary.log",
    ] {
        world.write(Path::new("Documents").join(name), "mine");
    }
    let before = world.snapshot();
    let mut command = world.command(binary(Binary::Tidyctl));
    command.args(["service", "uninstall", "--purge", "--yes"]);
    command.env("TIDYD_STATE", world.home().join("Documents"));
    let run = Run::of(&mut command);
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.stdout.contains("never run with it"), "{run:?}");
    assert!(!run.stdout.contains("--purge"), "it would remove no more: {run:?}");
    assert_same(&before, &world.snapshot());
}

#[test]
fn without_a_service_manager_nothing_is_changed_and_it_says_what_to_do() {
    let world = World::new();
    let before = tidy_tests::Snapshot::take(&world.home());
    for verb in [&["service", "install"][..], &["service", "uninstall"]] {
        let run = world.ctl(verb.iter().copied());
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.stderr.contains("hint: ") && run.stderr.contains("tidyd"), "{run:?}");
    }
    assert_same(&before, &tidy_tests::Snapshot::take(&world.home()));
    let run = world.ctl(["service", "status"]);
    assert_eq!((run.code, status(&world)["manager"].is_null()), (4, true), "{run:?}");

    // Configuration and state can be removed all the same, but not under a tidyd that runs.
    let daemon = world.start();
    let run = world.ctl(["service", "uninstall", "--purge", "--yes"]);
    assert!(run.code == 5 && run.stderr.contains("in use"), "{run:?}");
    assert!(world.config_file().exists());
    assert_eq!(daemon.stop(), 0);
    world.ctl(["service", "uninstall", "--purge", "--yes"]).ok();
    assert!(!Path::new(&world.state()).exists() && !world.config_file().exists());
}

#[test]
fn init_offers_to_start_it_and_starts_nothing_unasked() {
    let world = World::new();
    let Some(_manager) = UserManager::boot(&world) else { return };
    let Some(terminal) = Terminal::open(&world, 120, 50) else { return };
    world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    let offered = |answer: &[&str]| {
        fs::remove_file(world.config_file()).unwrap();
        terminal.run(&format!(
            "clear; {} init; echo ended-$((40 + 2))",
            binary(Binary::Tidyctl).display()
        ));
        terminal.shows("1 file would be filed");
        terminal.shows("at every login? It goes on with what was shown. [y/N]");
        answer.iter().for_each(|key| terminal.press(key));
        terminal.shows("ended-42")
    };
    for no in [&["C-d"][..], &["Enter"], &["n", "Enter"]] {
        let screen = offered(no);
        assert!(screen.contains("tidyctl service install"), "{screen}");
        assert_eq!(status(&world)["installed"], false);
    }
    let screen = offered(&["y", "Enter"]);
    assert!(screen.contains("and runs now"), "{screen}");
    assert_eq!(status(&world)["active"], "active");
    world.wait();
    assert!(world.downloads().join("Documents/a.pdf").exists());
}
