//! What a file keeps when it goes to another file system.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown};
use std::time::{Duration, UNIX_EPOCH};

use tidy_tests::{NOBODY, assert_same, works};

use crate::scene::*;

#[test]
fn across_devices_everything_about_a_file_is_kept() {
    let Some(mut scene) = Scene::new() else { return };
    let other = scene.other();
    if !scene.mounts.image("ext4", 8, &["-q", "-O", "^has_journal"], &other) {
        return;
    }
    // What the folder hands down to new files is not for files that are moved there.
    if !works(&["setfacl", "-m", "d:u:1234:rwx", other.to_str().unwrap()]) {
        return;
    }
    let plain = scene.world.write("Downloads/plain.x", "a");
    let rich = scene.world.write("Downloads/rich.x", "b");
    lchown(&rich, Some(1234), Some(4321)).unwrap();
    fs::set_permissions(&rich, fs::Permissions::from_mode(0o6750)).unwrap();
    set_attribute(&rich, "user.xdg.origin.url", b"https://example.org/");
    run(&["setfacl", "-m", "u:1235:rw"], &rich);
    for path in [&plain, &rich] {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_nanos(1_234_567_890_123_456_789)).unwrap();
    }
    let running = scene.start("x", "~/Other/");
    for name in ["plain.x", "rich.x"] {
        running.filed(&format!("Downloads/{name}"), &format!("Other/{name}"));
        running.unchanged(&format!("Downloads/{name}"), &format!("Other/{name}"));
    }
    assert!(!running.daemon.output().contains("cannot have"));
    scene.world.ctl(["rollback", "--since", "1h", "--yes"]).ok();
    assert_same(&running.before, &scene.world.snapshot());
}

/// What cannot be kept is told, and gives nobody more rights than before.
#[test]
fn across_devices_what_the_other_file_system_has_not_is_told() {
    let Some(mut scene) = Scene::new() else { return };
    let other = scene.other();
    // It has neither extended attributes nor access control lists.
    if !scene.mounts.mount(&["-t", "ramfs", "ramfs"], &other) {
        return;
    }
    let file = scene.world.write("Downloads/a.x", "a");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    set_attribute(&file, "user.comment", b"mine");
    if !works(&["setfacl", "-m", "u:1235:rw", file.to_str().unwrap()]) {
        return;
    }
    assert_eq!(
        fs::metadata(&file).unwrap().mode() & 0o777,
        0o660,
        "the list's bits, not the group's"
    );
    let running = scene.start("x", "~/Other/");
    running.filed("Downloads/a.x", "Other/a.x");
    assert_eq!(fs::metadata(other.join("a.x")).unwrap().mode() & 0o777, 0o600);
    let told = "its copy cannot have its access control list, extended attributes";
    assert_eq!(running.daemon.output().matches(told).count(), 1, "{}", running.daemon.output());
}

#[test]
fn across_devices_a_file_of_another_user_becomes_ours_without_its_privileges() {
    let Some((mut scene, other)) = Scene::with_other("size=1m,mode=777") else { return };
    let file = scene.world.write("Downloads/a.x", "a");
    if !scene.give_to_nobody() {
        return;
    }
    lchown(&file, Some(0), Some(0)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o6774)).unwrap();
    let running = scene.start("x", "~/Other/");
    running.filed("Downloads/a.x", "Other/a.x");
    let moved = fs::metadata(other.join("a.x")).unwrap();
    assert_eq!((moved.uid(), moved.gid(), moved.mode() & 0o7777), (NOBODY, NOBODY, 0o744));
    assert!(running.daemon.output().contains("its copy cannot have its group, owner"));
}

#[test]
fn across_devices_an_attribute_that_does_not_fit_keeps_the_file_where_it_is() {
    let Some(mut scene) = Scene::new() else { return };
    let (other, downloads) = (scene.other(), scene.world.downloads());
    // An attribute of ext4 has one block at most, one of xfs 64 KiB.
    if !scene.mounts.image("ext4", 8, &["-q", "-O", "^has_journal"], &other)
        || !scene.mounts.image("xfs", 300, &["-q"], &downloads)
    {
        return;
    }
    let file = scene.world.write("Downloads/a.x", "a");
    set_attribute(&file, "user.large", &[b'x'; 20_000]);
    scene.world.write("Downloads/b.x", "b");
    let running = scene.start("x", "~/Other/");
    running.filed("Downloads/b.x", "Other/b.x");
    running.left(
        "Downloads/a.x",
        &["no room for the attribute user.large", "choose another destination"],
    );
}

/// On the way to another file system a file becomes another; the rules that come after mean it all the same.
#[test]
fn across_devices_a_chain_of_rules_goes_all_the_way_and_back() {
    let chains = [
        ("move = \"~/Other/\"", "rename = \"2 {name}\"", "Other/2 "),
        ("rename = \"1 {name}\"", "move = \"~/Other/\"", "Other/1 "),
        ("move = \"~/Other/\"", "move = \"~/Sorted/{ext}/\"", "Sorted/x/"),
    ];
    for (first, then, to) in chains {
        let Some((scene, _)) = Scene::with_other("size=1m") else { return };
        let world = &scene.world;
        for name in ["a.x", "b.x"] {
            world.write(format!("Downloads/{name}"), name);
        }
        world.configure(&format!(
            "watch = [\"~/Downloads\"]\nsettle = \"10ms\"\nallow-shared = [\"~/Other\"]\n\
             [[rule]]\nname = \"one\"\nwhen = {{ ext = \"x\" }}\n{first}\nthen = \"continue\"\n\
             [[rule]]\nname = \"two\"\nwhen = {{ ext = \"x\" }}\n{then}\n"
        ));
        let before = world.snapshot();
        let daemon = world.start();
        let running = Running { daemon, world: world.clone(), before };
        let filed = || {
            for name in ["a.x", "b.x"] {
                running.filed(&format!("Downloads/{name}"), &format!("{to}{name}"));
                running.unchanged(&format!("Downloads/{name}"), &format!("{to}{name}"));
            }
        };
        filed();
        let log = world.ctl_json(["log"]);
        let states = log.as_array().unwrap().iter().map(|op| op["state"].as_str().unwrap());
        assert!(states.clone().all(|state| state == "done"), "{first}, {then}: {log:#}");
        for _ in 0..2 {
            let told = world.ctl(["rollback", "--since", "1h", "--yes"]).ok();
            assert!(!told.contains("not"), "{first}, {then}: {told}");
            assert_same(&running.before, &world.snapshot());
            world.ctl(["redo", "--yes"]).ok();
            filed();
        }
    }
}
