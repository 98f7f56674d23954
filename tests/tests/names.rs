//! Names that a destination's file system does not take: the file gets the nearest one that it takes, keeps its extension,
//! and goes back under its own.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use tidy_tests::{Mounts, World};

/// A world whose `~/Stick` is a disk of that kind.
struct Scene {
    // Goes before the directories that the mounts are in.
    _mounts: Mounts,
    world: Rc<World>,
}

impl Scene {
    /// `None`, having said why, where there can be no such disk.
    fn new(kind: &str, options: &[&str]) -> Option<Self> {
        let world = Rc::new(World::new());
        let mut mounts = Mounts::private()?;
        let stick = world.home().join("Stick");
        mounts.image(kind, 40, options, &stick).then_some(Self { _mounts: mounts, world })
    }

    fn names(&self, dir: &str) -> Vec<String> {
        names(&self.world.home().join(dir))
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut names: Vec<_> =
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

const RULES: &str = r#"
watch = ["~/Downloads"]
settle = "10ms"
allow-shared = ["~/Stick"]
duplicates = { others = "report" }

[[rule]]
name = "by sender"
when = { regex = '^From (?P<who>.+) - ' }
move = "~/Stick/{name.who}/"

[[rule]]
name = "to the stick"
when = { ext = ["txt", "gz"] }
move = "~/Stick/Texts: all/"
"#;

/// Files as Linux names them, and what they are called on the disk.
fn filed_and_put_back(scene: &Scene) {
    let world = &scene.world;
    let long = format!("{}.tar.gz", "日".repeat(80));
    let files = [
        "What? \"Why\": 1*2.txt",
        "What* \"Why\"| 1?2.txt",
        "aux.txt",
        "plain.txt",
        "dots and space. .txt",
        &long,
        "From ..hidden: Inc. - a.txt",
        "From COM1 - b.txt",
    ];
    for (i, name) in files.iter().enumerate() {
        world.write(format!("Downloads/{name}"), format!("{i}"));
    }
    world.configure(RULES);
    let daemon = world.start();
    world.wait();

    let there = scene.names("Stick/Texts- all");
    let mut want = vec![
        "What_ 'Why'- 1_2 (2).txt",
        "What_ 'Why'- 1_2.txt",
        "aux_.txt",
        "dots and space. .txt",
        "plain.txt",
        &long,
    ];
    want.sort();
    assert_eq!(there, want, "{}", daemon.output());
    // Nothing that a name says hides it, leaves the folder, or is a device.
    let folders = scene.names("Stick");
    assert_eq!(folders, ["COM1_", "Texts- all", "_.hidden- Inc"], "{}", daemon.output());
    assert_eq!(scene.names("Downloads"), [""; 0]);

    world.ctl(["rollback", "--last", "20", "--yes"]).ok();
    let mut want: Vec<_> = files.iter().map(|f| (*f).to_owned()).collect();
    want.sort();
    assert_eq!(scene.names("Downloads"), want);
    for (i, name) in files.iter().enumerate() {
        let path: PathBuf = world.home().join("Downloads").join(name);
        assert_eq!(fs::read_to_string(path).unwrap(), format!("{i}"), "{name}");
    }
}

#[test]
fn on_a_fat_stick() {
    let Some(scene) = Scene::new("vfat", &["-F", "32"]) else { return };
    filed_and_put_back(&scene);
}

#[test]
fn on_an_ntfs_disk() {
    let world = Rc::new(World::new());
    let Some(mut mounts) = Mounts::private() else { return };
    let Some(image) = mounts.make_image("ntfs", 8, &["-F", "-q", "-f"]) else { return };
    let stick = world.home().join("Stick");
    if mounts.fuse_on_loop("ntfs-3g", &image, &stick) {
        filed_and_put_back(&Scene { _mounts: mounts, world });
    }
}

#[test]
fn on_an_exfat_stick() {
    let Some(scene) = Scene::new("exfat", &[]) else { return };
    filed_and_put_back(&scene);
}
