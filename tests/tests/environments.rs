//! File systems and directories that refuse: the file stays as it was, the user is told once what to do about it, the
//! others are filed, and so is this one when the cause is gone.
#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "puts its own scratch files where tidyd finds them")]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

use tidy_tests::{Daemon, Mounts, Snapshot, World, assert_same, eventually, works};

/// A world whose mounts are its own.
struct Scene {
    // Goes before the directories that the mounts are in.
    mounts: Mounts,
    world: Rc<World>,
}

impl Scene {
    fn new() -> Option<Self> {
        let world = Rc::new(World::new());
        Some(Self { mounts: Mounts::private()?, world })
    }

    /// Another place than Downloads, to move to.
    fn other(&self) -> PathBuf {
        self.world.home().join("Other")
    }

    /// Has the programs run as an ordinary user, who owns what is in the world by now.
    fn give_to_nobody(&mut self) -> bool {
        Rc::get_mut(&mut self.world).expect("nothing runs yet").give_to(NOBODY, NOBODY)
    }

    /// Starts the daemon with one rule: files with the extension `ext` go to `to`.
    fn start(&self, ext: &str, to: &str) -> Running {
        configure(&self.world, ext, to);
        Running {
            before: self.world.snapshot(),
            daemon: self.world.start(),
            world: self.world.clone(),
        }
    }
}

fn configure(world: &World, ext: &str, to: &str) {
    world.configure(&format!(
        "watch = [\"~/Downloads\"]\nsettle = \"10ms\"\nallow-shared = [\"~/Other\"]\n[[rule]]\nname = \"away\"\nwhen = {{ ext = \"{ext}\" }}\nmove = \"{to}\"\n",
    ));
}

/// A daemon at work on files whose state before is known.
struct Running {
    daemon: Daemon,
    world: Rc<World>,
    before: Snapshot,
}

impl Running {
    /// The file stands as it was, and the user was told so once: in the log, by `explain` and by the daemon, with all of
    /// `words`.
    #[track_caller]
    fn left(&self, file: &str, words: &[&str]) {
        self.world.wait();
        let path = self.world.home().join(file);
        let now = self.world.snapshot();
        let file = Path::new(file);
        assert_eq!(self.before.entries.get(file), now.entries.get(file), "{file:?} is as it was");
        let part = |p: &&PathBuf| p.to_string_lossy().contains(".tidyd-");
        assert_eq!(now.entries.keys().find(part), None, "no left-overs");

        let log = self.world.ctl_at(&["log", "--state", "failed", "--path"], &path).ok();
        let explained = self.world.ctl_at(&["explain"], &path).ok();
        let said = self.daemon.output();
        let name = path.to_str().unwrap();
        let said: Vec<_> =
            said.lines().filter(|l| l.contains(" ERROR ") && l.contains(name)).collect();
        assert_eq!(said.len(), 1, "{said:#?}");
        for word in words {
            assert!(explained.contains(word), "{word} in {explained}");
            assert!(log.contains(word), "{word} in {log}");
            assert!(said[0].contains(word), "{word} in {said:?}");
        }
    }

    /// The file is filed there, with content, mode and time.
    #[track_caller]
    fn filed(&self, file: &str, to: &str) {
        self.world.wait();
        let now = self.world.snapshot();
        let was = &self.before.entries[Path::new(file)];
        let Some(is) = now.entries.get(Path::new(to)) else { panic!("{to} in {now:#?}") };
        assert_eq!(was.kind, is.kind, "{to}");
        assert!(!now.entries.contains_key(Path::new(file)), "{file} has gone");
    }

    /// What was at `from` is at `to` with everything but its name.
    #[track_caller]
    fn unchanged(&self, from: &str, to: &str) {
        let now = self.world.snapshot();
        assert_eq!(self.before.entries[Path::new(from)], now.entries[Path::new(to)], "{to}");
    }

    /// What the message asked for has been done: the file is filed when it is asked for.
    #[track_caller]
    fn filed_when_asked(&self, file: &str, to: &str) {
        self.world.ctl_at(&["organize"], &self.world.home().join(file)).ok();
        self.filed(file, to);
    }
}

const NOBODY: u32 = 65534;

fn set_attribute(path: &Path, name: &str, value: &[u8]) {
    rustix::fs::setxattr(path, name, value, rustix::fs::XattrFlags::empty()).unwrap();
}

fn run(line: &[&str], path: &Path) {
    let output = Command::new(line[0]).args(&line[1..]).arg(path).output().unwrap();
    assert!(output.status.success(), "{line:?}: {output:?}");
}

#[test]
fn a_full_destination() {
    let Some(mut scene) = Scene::new() else { return };
    let other = scene.other();
    if !scene.mounts.tmpfs(&other, "size=64k") {
        return;
    }
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
    let Some(mut scene) = Scene::new() else { return };
    let other = scene.other();
    if !scene.mounts.tmpfs(&other, "size=1m,nr_inodes=2") {
        return;
    }
    scene.world.write("Downloads/a.x", "a");
    scene.world.write("Downloads/b.x", "b");
    let running = scene.start("x", "~/Other/");
    running.filed("Downloads/a.x", "Other/a.x");
    running.left("Downloads/b.x", &["Other", "free some space"]);
    Mounts::remount("nr_inodes=100", &other);
    running.filed_when_asked("Downloads/b.x", "Other/b.x");
}

#[test]
fn a_read_only_destination() {
    let Some(mut scene) = Scene::new() else { return };
    let other = scene.other();
    if !scene.mounts.tmpfs(&other, "size=1m") {
        return;
    }
    Mounts::remount("ro", &other);
    scene.world.write("Downloads/a.x", "a");
    let running = scene.start("x", "~/Other/");
    running.left("Downloads/a.x", &["Other", "read-only"]);
    Mounts::remount("rw", &other);
    running.filed_when_asked("Downloads/a.x", "Other/a.x");
}

#[test]
fn a_folder_to_be_made_on_a_read_only_destination() {
    let Some(mut scene) = Scene::new() else { return };
    let other = scene.other();
    if !scene.mounts.tmpfs(&other, "size=1m") {
        return;
    }
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
    let Some(mut scene) = Scene::new() else { return };
    let other = scene.other();
    if !scene.mounts.tmpfs(&other, "size=1m,mode=777") {
        return;
    }
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
    let Some(mut scene) = Scene::new() else { return };
    let other = scene.other();
    if !scene.mounts.tmpfs(&other, "size=64k") {
        return;
    }
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

    fs::remove_file(state.join("filler")).unwrap();
    eventually("every file to be filed", || {
        // By itself it tries again within a minute.
        scene.world.ctl(["rescan"]).ok();
        names.iter().all(|name| !downloads.join(name).exists()).then_some(())
    });
    assert!(scene.world.ctl(["health"]).stdout.contains("ok   journal"));
    eventually("the warning to go", || {
        let status = scene.world.ctl(["status"]).ok();
        (!status.contains("nothing is filed until then")).then_some(())
    });
    assert_eq!(running.daemon.stop(), 0);
    let _daemon = scene.world.start();
    scene.world.ctl(["rollback", "--since", "1h", "--yes"]).ok();
    assert!(names.iter().all(|name| downloads.join(name).exists()), "the log knows of all");
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

/// On vfat by the kernel, NTFS and exFAT by FUSE: what each of them does not take or cannot do is said.
#[test]
fn names_that_vfat_does_not_take() {
    let Some(mut scene) = Scene::new() else { return };
    let other = scene.other();
    if !scene.mounts.image("vfat", 8, &[], &other) {
        return;
    }
    odd_names(&scene);
}

#[test]
fn names_that_ntfs_does_not_take() {
    let Some(mut scene) = Scene::new() else { return };
    let other = scene.other();
    let Some(image) = scene.mounts.make_image("ntfs", 8, &["-F", "-q", "-f"]) else { return };
    if !scene.mounts.fuse(&["ntfs-3g", "-o", "windows_names", &image], &other) {
        return;
    }
    odd_names(&scene);
}

fn odd_names(scene: &Scene) {
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
    // Shortened, and numbered where that makes two names one.
    running.filed(&other, &format!("Downloads/X/{}.x", "y".repeat(253)));
    running.filed(&long, &format!("Downloads/X/{} (2).x", "y".repeat(249)));
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
