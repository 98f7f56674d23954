//! Rules that copy and link, and what becomes of it when it is put back, and done again.
#![expect(clippy::disallowed_methods, reason = "takes away scratch files of its own")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use tidy_tests::{World, assert_same};

const CONFIG: &str = r#"
watch = ["~/Downloads"]
settle = "100ms"
default = {}

[[rule]]
name = "copied"
when = { name = "c*" }
copy = "~/Away/"

[[rule]]
name = "named twice"
when = { name = "h*" }
hardlink = "~/Away/"

[[rule]]
name = "pointed to"
when = { name = "s*" }
symlink = "~/Away/"

[[rule]]
name = "shared"
when = { name = "r*" }
reflink = "~/Away/"
"#;

fn away(world: &World) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(world.home().join("Away"))
        .into_iter()
        .flatten()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn filled() -> World {
    let world = World::new();
    world.configure(CONFIG);
    for name in ["c.txt", "h.txt", "s.txt"] {
        world.write(Path::new("Downloads").join(name), name);
    }
    world
}

fn without_trash(world: &World) -> tidy_tests::Snapshot {
    let mut tree = world.snapshot();
    tree.entries.retain(|p, _| !p.starts_with(".local/share/Trash"));
    tree
}

#[test]
fn the_file_stays_and_what_was_made_of_it_goes_and_comes_again() {
    let world = filled();
    let before = without_trash(&world);
    let daemon = world.start();
    world.wait();
    let made = ["c.txt", "h.txt", "s.txt"];
    assert_eq!(away(&world), made);
    let inode = |p: PathBuf| fs::symlink_metadata(p).unwrap().ino();
    let ends = |name: &str| (world.downloads().join(name), world.home().join("Away").join(name));
    let (first, second) = ends("h.txt");
    assert_eq!(inode(first), inode(second));
    let (target, link) = ends("s.txt");
    assert_eq!(fs::read_link(link).unwrap(), target.canonicalize().unwrap());
    let (original, copy) = ends("c.txt");
    assert_ne!(inode(original), inode(copy.clone()));
    assert_eq!(fs::read(copy).unwrap(), b"c.txt");

    world.ctl(["rollback", "--last"]).ok();
    assert_same(&before, &without_trash(&world));
    world.ctl(["redo"]).ok();
    assert_eq!(away(&world), made);
    world.ctl(["rollback", "--last"]).ok();
    assert_same(&before, &without_trash(&world));
    // What was put back is left.
    world.ctl(["rescan"]).ok();
    world.wait();
    assert_same(&before, &without_trash(&world));
    daemon.kill();
}

#[test]
fn nothing_is_copied_or_linked_twice_though_the_catalog_is_lost() {
    let world = filled();
    let daemon = world.start();
    world.wait();
    let before = world.snapshot();
    assert_eq!(daemon.stop(), 0);
    fs::remove_dir_all(world.state().join("store")).unwrap();
    let daemon = world.start();
    world.wait();
    assert_same(&before, &world.snapshot());
    daemon.kill();
}

#[test]
fn a_reflink_shares_blocks_or_the_file_is_left_with_the_reason() {
    let world = World::new();
    world.configure(CONFIG);
    let file = world.write("Downloads/r.txt", "x".repeat(10_000));
    let daemon = world.start();
    world.wait();
    match away(&world).as_slice() {
        [made] => assert_eq!(made, "r.txt"),
        [] => {
            let explained = world.ctl_at(&["explain"], &file).ok();
            assert!(explained.contains("cannot share blocks"), "{explained}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read(&file).unwrap().len(), 10_000);
    daemon.kill();
}
