//! File systems and directories that refuse: the file stays as it was, the user is told once what to do about it, the
//! others are filed, and so is this one when the cause is gone.
#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "puts its own scratch files where tidyd finds them")]

mod across;
mod need;
mod scene;
mod state;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown};
use std::time::{Duration, UNIX_EPOCH};

use scene::*;
use tidy_tests::{Mounts, eventually};

#[test]
fn a_full_destination() {
    let Some((scene, other)) = Scene::with_other("size=64k") else { return };
    scene.world.write("Downloads/big.x", vec![7; 300_000]);
    scene.world.write("Downloads/small.x", "small");
    let running = scene.start("x", "~/Other/");
    running.left("Downloads/big.x", &["cannot write", "Other", "free some space"]);
    running.filed("Downloads/small.x", "Other/small.x");
    Mounts::remount("size=1m", &other);
    running.filed_when_asked("Downloads/big.x", "Other/big.x");
}

#[test]
fn a_destination_without_room_for_more_names() {
    let Some((scene, other)) = Scene::with_other("size=1m,nr_inodes=2") else { return };
    scene.world.write("Downloads/a.x", "a");
    scene.world.write("Downloads/b.x", "b");
    let running = scene.start("x", "~/Other/");
    running.filed("Downloads/a.x", "Other/a.x");
    running.left("Downloads/b.x", &["Other", "free some space"]);
    Mounts::remount("nr_inodes=100", &other);
    running.filed_when_asked("Downloads/b.x", "Other/b.x");
}

#[test]
fn a_destination_whose_disk_is_away() {
    let Some((mut scene, other)) = Scene::with_other("size=1m") else { return };
    for name in ["a.x", "b.x", "c.x"] {
        scene.world.write(format!("Downloads/.{name}"), name);
    }
    let mut running = scene.start("x", "~/Other/");
    let come = |name: &str| {
        let downloads = scene.world.downloads();
        fs::rename(downloads.join(format!(".{name}")), downloads.join(name)).unwrap();
    };
    come("a.x");
    running.before = scene.world.snapshot();
    running.filed("Downloads/a.x", "Other/a.x");
    scene.mounts.unmount(&other);
    come("b.x");
    let left = |file: &str| {
        let path = scene.world.home().join(file);
        running.world.wait();
        let explained = running.world.ctl_at(&["explain"], &path).ok();
        let said = explained.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("the disk that was mounted at") && path.exists(), "{said}");
        assert_eq!(fs::read_dir(&other).unwrap().count(), 0);
    };
    left("Downloads/b.x");
    // Nor is what was filed there looked for on another disk, or after a restart.
    let undone = running.world.ctl(["rollback", "--last", "--yes"]);
    assert_eq!(undone.code, 3, "{undone:?}");
    assert!(undone.stdout.contains("the disk that was mounted at"), "{undone:?}");
    assert_eq!(running.daemon.stop(), 0);
    running.daemon = scene.world.start();
    left("Downloads/b.x");
    assert!(scene.mounts.tmpfs(&other, "size=1m"));
    // What is mounted after the start is out of its reach until the next one.
    let restart = |running: Running| {
        assert_eq!(running.daemon.stop(), 0);
        let before = scene.world.snapshot();
        Running { daemon: scene.world.start(), before, ..running }
    };
    running = restart(running);
    running.world.wait();
    running.world.ctl(["organize"]).ok();
    running.filed("Downloads/b.x", "Other/b.x");
    // An ordinary folder, by now.
    scene.mounts.unmount(&other);
    fs::write(other.join("of mine"), "").unwrap();
    come("c.x");
    running = restart(running);
    running.filed("Downloads/c.x", "Other/c.x");
}

#[test]
fn a_read_only_destination() {
    let Some((scene, other)) = Scene::with_other("size=1m") else { return };
    Mounts::remount("ro", &other);
    scene.world.write("Downloads/a.x", "a");
    let running = scene.start("x", "~/Other/");
    running.left("Downloads/a.x", &["Other", "read-only"]);
    Mounts::remount("rw", &other);
    running.filed_when_asked("Downloads/a.x", "Other/a.x");
}

#[test]
fn a_folder_to_be_made_on_a_read_only_destination() {
    let Some((scene, other)) = Scene::with_other("size=1m") else { return };
    Mounts::remount("ro", &other);
    scene.world.write("Downloads/a.x", "a");
    let running = scene.start("x", "~/Other/one/two/");
    running.left("Downloads/a.x", &["Other", "read-only"]);
    Mounts::remount("rw", &other);
    running.filed_when_asked("Downloads/a.x", "Other/one/two/a.x");
}

#[test]
fn a_root_that_becomes_read_only() {
    let Some(mut scene) = Scene::new() else { return };
    let downloads = scene.world.downloads();
    if !scene.mounts.bind(&downloads, &downloads) {
        return;
    }
    scene.world.write("Downloads/a.x", "a");
    scene.world.write("Downloads/b.x.part", "");
    scene.world.write("Downloads/b.x", "b");
    let mut running = scene.start("x", "~/Other/");
    running.filed("Downloads/a.x", "Other/a.x");
    fs::remove_file(downloads.join("b.x.part")).unwrap();
    running.before = scene.world.snapshot();
    Mounts::remount("bind,ro", &downloads);
    running.left("Downloads/b.x", &["Downloads", "read-only"]);
    Mounts::remount("bind,rw", &downloads);
    running.filed_when_asked("Downloads/b.x", "Other/b.x");
}

#[test]
fn a_read_only_root_is_refused_at_the_start() {
    let Some(mut scene) = Scene::new() else { return };
    let downloads = scene.world.downloads();
    scene.world.write("Downloads/a.x", "a");
    if !scene.mounts.read_only(&downloads) {
        return;
    }
    for arguments in [&[][..], &["--once"], &["--check"]] {
        let run = scene.world.tidyd(arguments);
        assert_eq!(run.code, 78, "{run:?}");
        assert!(run.stderr.contains("~/Downloads: its file system is read-only"), "{run:?}");
        assert!(run.stderr.contains("hint: "), "{run:?}");
    }
}

#[test]
fn a_destination_through_fuse() {
    let Some(mut scene) = Scene::new() else { return };
    let (other, behind) = (scene.other(), scene.world.home().join("behind"));
    fs::create_dir_all(&behind).unwrap();
    if !scene.mounts.fuse(&["bindfs", behind.to_str().unwrap()], &other) {
        return;
    }
    scene.world.write("Downloads/a.x", "a");
    let running = scene.start("x", "~/Other/");
    running.filed("Downloads/a.x", "Other/a.x");
}

#[test]
fn a_root_through_fuse() {
    let Some(mut scene) = Scene::new() else { return };
    let (downloads, behind) = (scene.world.downloads(), scene.world.home().join("behind"));
    fs::create_dir_all(&behind).unwrap();
    if !scene.mounts.fuse(&["bindfs", behind.to_str().unwrap()], &downloads) {
        return;
    }
    scene.world.write("Downloads/a.x", "a");
    let running = scene.start("x", "X/");
    running.filed("Downloads/a.x", "Downloads/X/a.x");
}

#[test]
fn a_root_whose_files_are_in_a_lower_layer() {
    let Some(mut scene) = Scene::new() else { return };
    let (home, downloads) = (scene.world.home(), scene.world.downloads());
    let layers = home.join("layers");
    if !scene.mounts.tmpfs(&layers, "size=4m")
        || !scene.mounts.tmpfs(&layers.join("lower"), "size=1m")
    {
        return;
    }
    scene.world.write("layers/lower/a.x", "a");
    scene.world.write("layers/lower/X/there", "there");
    for dir in ["upper", "work"] {
        fs::create_dir(layers.join(dir)).unwrap();
    }
    let [lower, upper, work] =
        ["lower", "upper", "work"].map(|d| layers.join(d).display().to_string());
    let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
    if !scene.mounts.mount(&["-t", "overlay", "-o", &options, "overlay"], &downloads) {
        return;
    }
    let running = scene.start("x", "X/");
    running.filed("Downloads/a.x", "Downloads/X/a.x");
}

#[test]
fn immutable_and_append_only_files_and_folders() {
    let Some(mut scene) = Scene::new() else { return };
    let downloads = scene.world.downloads();
    if !scene.mounts.image("ext4", 8, &["-q", "-O", "^has_journal"], &downloads) {
        return;
    }
    let a = scene.world.write("Downloads/immutable.x", "a");
    let b = scene.world.write("Downloads/append.x", "b");
    scene.world.write("Downloads/plain.x", "c");
    let d = scene.world.write("Downloads/sub/in.x", "d").parent().unwrap().to_owned();
    run(&["chattr", "+i"], &a);
    run(&["chattr", "+a"], &b);
    run(&["chattr", "+i"], &d);
    let running = scene.start("x", "X/");
    running.filed("Downloads/plain.x", "Downloads/X/plain.x");
    running.left("Downloads/immutable.x", &["cannot rename", "immutable.x", "lsattr"]);
    running.left("Downloads/append.x", &["cannot rename", "append.x", "lsattr"]);
    running.left("Downloads/sub/in.x", &["sub/in.x", "lsattr"]);
    run(&["chattr", "-i"], &a);
    run(&["chattr", "-a"], &b);
    run(&["chattr", "-i"], &d);
    running.filed_when_asked("Downloads/immutable.x", "Downloads/X/immutable.x");
    running.filed_when_asked("Downloads/append.x", "Downloads/X/append.x");
    running.filed_when_asked("Downloads/sub/in.x", "Downloads/X/in.x");
}

/// As an ordinary user among files and folders of root's.
#[test]
fn files_and_folders_of_others() {
    let Some(mut scene) = Scene::new() else { return };
    let (downloads, other) = (scene.world.downloads(), scene.other());
    if !scene.mounts.tmpfs(&other, "size=1m,mode=777") {
        return;
    }
    scene.world.write("Downloads/own.x", "own");
    scene.world.write("Downloads/locked/a.x", "in a folder that is not ours");
    scene.world.write("Downloads/shared/b.x", "in a folder like /tmp");
    scene.world.write("Downloads/secret.x", "not for us to read");
    if !scene.give_to_nobody() {
        return;
    }
    for (path, mode) in
        [("locked", 0o755), ("shared", 0o1777), ("shared/b.x", 0o644), ("secret.x", 0o000)]
    {
        let path = downloads.join(path);
        lchown(&path, Some(0), Some(0)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let running = scene.start("x", "~/Other/");
    running.filed("Downloads/own.x", "Other/own.x");
    running.left("Downloads/locked/a.x", &["locked", "check the permissions"]);
    running.left("Downloads/shared/b.x", &["shared/b.x", "belong to somebody else"]);
    running.left("Downloads/secret.x", &["cannot open", "secret.x", "Permission denied"]);
}

/// A rename needs no right to read.
#[test]
fn an_unreadable_file_is_filed_within_its_file_system() {
    let Some(mut scene) = Scene::new() else { return };
    let secret = scene.world.write("Downloads/secret.x", "not for us to read");
    if !scene.give_to_nobody() {
        return;
    }
    lchown(&secret, Some(0), Some(0)).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    let running = scene.start("x", "X/");
    running.filed("Downloads/secret.x", "Downloads/X/secret.x");
    running.unchanged("Downloads/secret.x", "Downloads/X/secret.x");
}

/// As removable disks are mounted: in a folder of root's, which has the mount point only while there is a disk.
#[test]
fn a_destination_on_a_disk_that_goes_and_comes_back() {
    let Some(mut scene) = Scene::new() else { return };
    let disk = scene.world.home().join("media/disk");
    if !scene.mounts.tmpfs(&disk, "size=1m,mode=777") {
        return;
    }
    scene.world.write("Downloads/a.x", "a");
    scene.world.write("Downloads/sub/b.x", "b");
    if !scene.give_to_nobody() {
        return;
    }
    let media = disk.parent().unwrap();
    lchown(media, Some(0), Some(0)).unwrap();
    scene.mounts.unmount(&disk);
    fs::remove_dir(&disk).unwrap();
    let running = scene.start("x", "~/media/disk/");
    running.left(
        "Downloads/a.x",
        &["cannot make the directory", "media/disk", "check the permissions"],
    );
    running.left("Downloads/sub/b.x", &["cannot make the directory", "media/disk"]);
    assert!(scene.mounts.tmpfs(&disk, "size=1m,mode=777"));
    running.filed_when_asked("Downloads/a.x", "media/disk/a.x");
    running.filed_when_asked("Downloads/sub/b.x", "media/disk/b.x");
}

/// Times are as fine as the file system there has them. That makes no other file of it.
#[test]
fn a_destination_with_times_in_seconds() {
    let Some(mut scene) = Scene::new() else { return };
    let other = scene.other();
    if !scene.mounts.image("ext4", 8, &["-q", "-O", "^has_journal", "-I", "128"], &other) {
        return;
    }
    let file = scene.world.write("Downloads/a.x", "a");
    let time = UNIX_EPOCH + Duration::from_nanos(1_234_567_890_123_456_789);
    fs::File::options().write(true).open(file).unwrap().set_modified(time).unwrap();
    let running = scene.start("x", "~/Other/");
    running.filed("Downloads/a.x", "Other/a.x");
    assert_eq!(fs::metadata(other.join("a.x")).unwrap().mtime(), 1_234_567_890);
    let report = scene.world.ctl_json(["rollback", "--since", "1h", "--yes"]);
    assert_eq!(report["files"][0]["outcome"], "restored", "not as one that was edited: {report:#}");
    let back = fs::metadata(scene.world.downloads().join("a.x")).unwrap();
    assert_eq!((back.mtime(), back.mtime_nsec()), (1_234_567_890, 0));
}

/// `tidyd --once` says it on its last lines, one for each file.
#[test]
fn a_full_destination_once() {
    let Some((scene, other)) = Scene::with_other("size=64k") else { return };
    scene.world.write("Downloads/big.x", vec![7; 300_000]);
    scene.world.write("Downloads/small.x", "small");
    configure(&scene.world, "x", "~/Other/");
    let run = scene.world.tidyd(&["--once"]);
    assert_eq!(run.code, 3, "{run:?}");
    let said: Vec<_> = run.stderr.lines().filter(|l| l.contains("big.x")).collect();
    assert_eq!(said.len(), 1, "{run:?}");
    assert!(said[0].contains("cannot write") && said[0].contains("free some space"), "{run:?}");
    assert!(run.stderr.contains("1 filed, 1 left where they are"), "{run:?}");
    Mounts::remount("size=1m", &other);
    assert!(scene.world.tidyd(&["--once"]).ok().contains("big.x"), "the next run tries again");
    assert!(other.join("big.x").exists());
}

#[test]
fn a_root_on_a_disk_that_goes_and_comes_back() {
    let Some(mut scene) = Scene::new() else { return };
    let (downloads, disk) = (scene.world.downloads(), scene.world.home().join("disk"));
    if !scene.mounts.tmpfs(&disk, "size=4m") || !scene.mounts.bind(&disk, &downloads) {
        return;
    }
    scene.world.write("Downloads/a.x", "a");
    let running = scene.start("x", "X/");
    running.filed("Downloads/a.x", "Downloads/X/a.x");
    scene.mounts.unmount(&downloads);
    scene.world.wait();
    scene.world.write("disk/b.x", "b");
    assert!(scene.mounts.bind(&disk, &downloads));
    eventually("the file to be filed", || downloads.join("X/b.x").exists().then_some(()));
    // And it is watched as it was.
    scene.world.write("Downloads/sub/c.x", "c");
    eventually("the file to be filed", || downloads.join("X/c.x").exists().then_some(()));
    scene.world.wait();
    assert_eq!(running.daemon.output().matches("filed=1").count(), 3, "none of them twice");
}

/// NTFS by FUSE without a disk of its own: nothing tells that it is one, so what it does not take is said. What is known to
/// be FAT or NTFS gets names that it takes (`names.rs`).
#[test]
fn names_that_a_file_system_does_not_take() {
    let Some(mut scene) = Scene::new() else { return };
    let other = scene.other();
    let Some(image) = scene.mounts.make_image("ntfs", 8, &["-F", "-q", "-f"]) else { return };
    if !scene.mounts.fuse(&["ntfs-3g", "-o", "windows_names", &image], &other) {
        return;
    }
    scene.world.write("Downloads/a:b?.x", "a");
    scene.world.write("Downloads/plain.x", "b");
    let running = scene.start("x", "~/Other/");
    running.filed("Downloads/plain.x", "Other/plain.x");
    running.left("Downloads/a:b?.x", &["does not take the name a:b?.x", "use one without"]);
}

#[test]
fn a_file_system_that_can_neither_rename_without_replacing_nor_link() {
    let Some(mut scene) = Scene::new() else { return };
    let other = scene.other();
    let Some(image) = scene.mounts.make_image("exfat", 8, &[]) else { return };
    if !scene.mounts.fuse_on_loop("mount.exfat-fuse", &image, &other) {
        return;
    }
    scene.world.write("Downloads/plain.x", "b");
    let running = scene.start("x", "~/Other/");
    running.left("Downloads/plain.x", &["can neither rename without replacing nor link"]);
    assert_eq!(fs::read_dir(&other).unwrap().count(), 0);
}

#[test]
fn names_that_become_too_long() {
    let Some(scene) = Scene::new() else { return };
    let long = format!("Downloads/{}.x", "y".repeat(253));
    let other = format!("Downloads/sub/{}.x", "y".repeat(253));
    scene.world.write(&long, "a");
    scene.world.write(&other, "c");
    scene.world.write("Downloads/plain.x", "b");
    let running = scene.start("x", "X/{stem} and more.{ext}");
    running.filed("Downloads/plain.x", "Downloads/X/plain and more.x");
    // Shortened, and numbered where that makes two names one; which of them comes first is nobody's concern.
    let names = ["y".repeat(253), format!("{} (2)", "y".repeat(249))];
    let mut filed = names.map(|stem| {
        let path = scene.world.home().join(format!("Downloads/X/{stem}.x"));
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"))
    });
    filed.sort();
    assert_eq!(filed, ["a", "c"]);
    assert!([&long, &other].iter().all(|f| !scene.world.home().join(f).exists()));
}
