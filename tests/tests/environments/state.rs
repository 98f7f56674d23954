//! A state directory without room: nothing is lost, it is said, and all goes on when there is room again.

use std::fs;
use std::path::PathBuf;

use tidy_tests::{Snapshot, assert_same, eventually};

use super::scene::*;

#[test]
fn a_state_directory_without_room() {
    let Some(mut scene) = Scene::new() else { return };
    let (state, downloads) = (scene.world.state(), scene.world.downloads());
    if !scene.mounts.tmpfs(&state, "size=8m,mode=700") {
        return;
    }
    scene.world.write("Downloads/a.x", "a");
    let mut running = scene.start("x", "~/Other/");
    running.filed("Downloads/a.x", "Other/a.x");
    // What is left of the last page takes some more records.
    assert!(fs::write(state.join("filler"), vec![1; 9 << 20]).is_err(), "it is full");
    let names: Vec<_> = (0..200).map(|n| format!("{n}.x")).collect();
    for name in &names {
        scene.world.write(format!("Downloads/{name}"), name);
    }
    running.before = scene.world.snapshot();
    eventually("the journal to be out of order", || {
        running.daemon.output().contains("no space is left for the journal").then_some(())
    });
    let health = scene.world.ctl(["health"]);
    assert!(health.stdout.contains("BAD  journal"), "{health:?}");
    assert_eq!(health.code, 1);
    assert!(health.stdout.contains("nothing is filed until"), "{health:?}");
    let status = scene.world.ctl(["status"]).ok();
    assert!(status.contains("no space is left for the journal: free some space"), "{status}");
    assert_eq!(running.before.lost_by(&scene.world.snapshot()), Vec::<PathBuf>::new());
    // sled takes nothing more until it is opened again.
    let log = scene.world.ctl(["log"]);
    assert!(log.code == 0 || log.stderr.contains("hint: free some space"), "{log:?}");
    let said = running.daemon.output();
    let troubles = said.lines().filter(|l| l.contains(" ERROR ") || l.contains(" WARN ")).count();
    assert!(troubles < 30, "not one for each file: {said}");

    // Where the index was hit, too, it takes nothing more from this process, which ends for its service manager to start
    // another one.
    fs::remove_file(state.join("filler")).unwrap();
    let all_filed = || {
        // By itself it tries again within a minute.
        scene.world.ctl(["rescan"]);
        names.iter().all(|name| !downloads.join(name).exists())
    };
    eventually("every file to be filed, or tidyd to end", || {
        (!running.daemon.is_running() || all_filed()).then_some(())
    });
    let code =
        if running.daemon.is_running() { running.daemon.stop() } else { running.daemon.wait() };
    assert!([0, 1].contains(&code), "{code}");
    let _daemon = scene.world.start();
    eventually("every file to be filed", || all_filed().then_some(()));
    assert!(scene.world.ctl(["health"]).stdout.contains("ok   journal"));
    let status = scene.world.ctl(["status"]).ok();
    assert!(!status.contains("nothing is filed until then"), "{status}");
    scene.world.ctl(["rollback", "--since", "1h", "--yes"]).ok();
    assert!(names.iter().all(|name| downloads.join(name).exists()), "the log knows of all");
}

#[test]
fn a_state_directory_that_is_full_at_the_start() {
    let Some(mut scene) = Scene::new() else { return };
    let state = scene.world.state();
    if !scene.mounts.tmpfs(&state, "size=8m,mode=700") {
        return;
    }
    assert!(fs::write(state.join("filler"), vec![1; 9 << 20]).is_err(), "it is full");
    scene.world.write("Downloads/a.x", "a");
    configure(&scene.world, "x", "~/Other/");
    let before = scene.world.snapshot();
    for arguments in [&[][..], &["--once"], &["--once"]] {
        let run = scene.world.tidyd(arguments);
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.stderr.contains("error: no space left for"), "{run:?}");
        assert!(run.stderr.contains("hint: free some space"), "{run:?}");
        assert_same(&before, &scene.world.snapshot());
    }
    fs::remove_file(state.join("filler")).unwrap();
    assert!(scene.world.tidyd(&["--once"]).ok().contains("a.x"), "what was begun is no obstacle");
}

#[test]
fn an_index_that_was_hit_is_opened_anew_as_soon_as_there_is_room() {
    let Some(mut scene) = Scene::new() else { return };
    let state = scene.world.state();
    if !scene.mounts.tmpfs(&state, "size=64m,mode=700") {
        return;
    }
    scene.world.write("Downloads/first.x", "first");
    let mut running = scene.start("x", "~/Other/");
    running.filed("Downloads/first.x", "Other/first.x");
    let before = running.daemon.told().iter().filter(|line| *line == "READY=1").count();
    assert_eq!(before, 1);
    // Afterwards there is room for however many files come in the meantime.
    assert!(fs::write(state.join("filler"), vec![1; 65 << 20]).is_err(), "it is full");
    // What is new is entered in the index, which is written when enough has come together.
    let mut names = Vec::new();
    eventually("the index to be hit", || {
        let more = names.len()..names.len() + 300;
        for n in more {
            let name = format!("{n}-{}.x", "long".repeat(50));
            scene.world.write(format!("Downloads/{name}"), &name);
            names.push(name);
        }
        scene.world.ctl(["rescan"]);
        let said = running.daemon.output();
        said.contains("the catalog could not be updated").then_some(())
    });
    assert!(running.daemon.is_running(), "nothing is gained by another process yet");
    fs::remove_file(state.join("filler")).unwrap();
    // With the next file that is filed it is clear that nothing can be entered any more.
    eventually("tidyd to end by itself", || {
        let name = format!("{}.x", names.len());
        scene.world.write(format!("Downloads/{name}"), &name);
        names.push(name);
        scene.world.ctl(["rescan"]);
        (!running.daemon.is_running()).then_some(())
    });
    let said = running.daemon.output();
    assert!(said.contains("there is room again for the journal's index"), "{said}");
    assert!(running.daemon.told().iter().any(|line| line == "STOPPING=1"));
    assert_eq!(running.daemon.wait(), 1, "so that a service manager starts it again");

    let _daemon = scene.world.start();
    let all_filed = || names.iter().all(|n| !scene.world.downloads().join(n).exists());
    eventually("every file to be filed", || {
        scene.world.ctl(["rescan"]);
        all_filed().then_some(())
    });
    scene.world.wait_long();
    assert!(scene.world.ctl(["health"]).stdout.contains("ok   journal"));
    scene.world.ctl(["rollback", "--since", "1h", "--yes"]).ok();
    assert!(scene.world.downloads().join("first.x").exists(), "all that was done is on record");
}

#[test]
fn what_cannot_be_mended_for_want_of_room_stays_as_it_was() {
    let Some(mut scene) = Scene::new() else { return };
    let state = scene.world.state();
    if !scene.mounts.tmpfs(&state, "size=16m,mode=700") {
        return;
    }
    configure(&scene.world, "x", "~/Other/");
    for n in 0..300 {
        scene.world.write(format!("Downloads/{n}-{}.x", "long".repeat(50)), "x");
    }
    scene.world.tidyd(&["--once"]).ok();
    let elsewhere = scene.world.home().join("backups");
    let store = |verb: &[&str]| scene.world.tidyd(&[&["store"], verb].concat());
    store(&["backup", "--to", elsewhere.to_str().unwrap()]).ok();
    let backup = fs::read_dir(&elsewhere).unwrap().next().unwrap().unwrap().path();
    let exported = store(&["export"]).ok();
    assert!(fs::write(state.join("filler"), vec![1; 17 << 20]).is_err(), "it is full");
    let names = || Snapshot::take(&state).entries.into_keys().filter(|p| p.iter().count() == 1);
    let before: Vec<_> = names().collect();
    for verb in
        [&["backup"][..], &["restore", backup.to_str().unwrap()], &["compact"], &["rebuild"]]
    {
        let run = store(verb);
        assert!(run.code == 1 && run.stderr.contains("hint: free some space"), "{verb:?}: {run:?}");
        let after: Vec<_> = names().filter(|name| name != "backups").collect();
        assert_eq!(after, before, "{verb:?}");
        assert_eq!(store(&["export"]).ok(), exported, "{verb:?}");
    }
    fs::remove_file(state.join("filler")).unwrap();
    store(&["verify"]).ok();
    store(&["rebuild"]).ok();
    store(&["restore", backup.to_str().unwrap()]).ok();
    assert_eq!(store(&["export"]).ok(), exported);
}
