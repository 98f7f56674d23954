//! `need` of a rule: a file whose destination lacks a disk or room stays, says so, and goes when the disk is mounted or there
//! is room.

use std::fs;

use tidy_tests::{Mounts, eventually};

use super::scene::*;

const NOT_READY: &str = "destination-not-ready";

/// A rule for `*.x` with a need, and one after it that would take the same files.
fn configure(scene: &Scene, to: &str, need: &str) {
    scene.world.configure(&format!(
        "watch = [\"~/Downloads\"]\nsettle = \"10ms\"\n[[rule]]\nname = \"to the archive\"\nwhen = {{ ext = \"x\" }}\n\
         move = \"{to}\"\nneed = {need}\n[[rule]]\nname = \"anything\"\nwhen = {{ ext = \"x\" }}\nmove = \"~/Never/\"\n"
    ));
}

/// `explain` and its JSON say that the file waits, and why.
fn waits(scene: &Scene, file: &str, why: &str) {
    let path = scene.world.home().join(file);
    scene.world.wait();
    assert!(path.exists(), "{file} stays: {:#?}", scene.world.log(&[]));
    let said = scene.world.ctl_at(&["explain"], &path).ok();
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains(why), "{why} in {said}");
    let told = scene.world.ctl_json_at(&["explain"], &path);
    assert_eq!(told["would"]["left"]["reason"], NOT_READY, "{told:#}");
    assert_eq!(told["would"]["left"]["rule"], "to the archive", "{told:#}");
}

#[test]
fn a_file_waits_for_its_disk_and_goes_when_that_is_mounted() {
    let Some(mut scene) = Scene::new() else { return };
    // Outside of the home directory, as disks are.
    let archive = scene.world.scratch().join("mnt/archive");
    fs::create_dir_all(&archive).unwrap();
    let to = format!("{}/Videos/{{modified:%Y}}/", archive.display());
    configure(&scene, &to, "{ mounted = true }");
    scene.world.ctl(["config", "check"]).ok();
    scene.world.write("Downloads/a.x", "a");
    let daemon = scene.world.start();
    let away = "no disk is mounted for";
    waits(&scene, "Downloads/a.x", away);
    let status = scene.world.ctl(["status"]).ok();
    assert!(
        status.contains("1 file of rule `to the archive` waits (") && status.contains(away),
        "{status}"
    );
    let dry = scene.world.ctl(["organize", "--dry-run"]);
    assert!(dry.stdout.contains(away), "{dry:?}");
    assert_eq!(fs::read_dir(&archive).unwrap().count(), 0, "nothing is put into the mount point");

    // Nobody asks: the mount itself is heard of, and within reach though tidyd is confined.
    if !scene.mounts.tmpfs(&archive, "size=1m") {
        return;
    }
    let filed = || fs::read_dir(archive.join("Videos")).ok()?.next();
    eventually("the file to be filed when its disk is there", filed).unwrap();
    scene.world.wait();
    let status = scene.world.ctl(["status"]).ok();
    assert!(!status.contains("wait"), "{status}");

    // Again, without a restart in between.
    scene.mounts.unmount(&archive);
    scene.world.write("Downloads/b.x", "b");
    waits(&scene, "Downloads/b.x", away);
    assert!(scene.mounts.tmpfs(&archive, "size=1m"));
    eventually("the second file to be filed", filed).unwrap();
    scene.world.wait();
    assert!(!scene.world.home().join("Never").exists(), "no other rule gets it");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_disk_is_that_which_is_mounted_at_the_folder_that_is_named() {
    let Some(mut scene) = Scene::new() else { return };
    let disks = scene.world.scratch().join("disks");
    let archive = disks.join("archive");
    if !scene.mounts.tmpfs(&disks, "size=1m") {
        return;
    }
    fs::create_dir(&archive).unwrap();
    let (to, at) = (format!("{}/Videos/", archive.display()), archive.display());
    configure(&scene, &to, &format!("{{ mounted = \"{at}\" }}"));
    scene.world.write("Downloads/a.x", "a");
    let daemon = scene.world.start();
    waits(&scene, "Downloads/a.x", "nothing is mounted at");
    assert!(scene.mounts.tmpfs(&archive, "size=1m"));
    eventually("the file to be filed", || archive.join("Videos/a.x").exists().then_some(()));
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_file_waits_for_room_that_is_left_with_it_in_place() {
    let Some((scene, other)) = Scene::with_other("size=1m") else { return };
    configure(&scene, "~/Other/", "{ free = \"60%\", mounted = true }");
    for name in ["a.x", "b.x", "c.x"] {
        scene.world.write(format!("Downloads/{name}"), vec![name.as_bytes()[0]; 300_000]);
    }
    let once = scene.world.tidyd(&["--once", "--dry-run"]);
    assert_eq!(once.code, 0, "{once:?}");
    assert!(once.stderr.contains("2 files left for now: only"), "{once:?}");
    let once = scene.world.tidyd(&["--once"]);
    assert_eq!((once.code, fs::read_dir(&other).unwrap().count()), (0, 1), "{once:?}");
    let daemon = scene.world.start();
    let left = ["a.x", "b.x", "c.x"].map(|name| scene.world.downloads().join(name));
    let left: Vec<_> = left.iter().filter(|path| path.exists()).collect();
    assert_eq!(left.len(), 2);
    waits(
        &scene,
        left[0].strip_prefix(scene.world.home()).unwrap().to_str().unwrap(),
        "the rule needs 60 %",
    );
    Mounts::remount("size=10m", &other);
    scene.world.ctl(["organize"]).ok();
    assert_eq!(fs::read_dir(&other).unwrap().count(), 3);
    assert_eq!(daemon.stop(), 0);
}
