//! `tidyctl resolve`: one of each group stays, the others go where they are told, and one rollback brings all back.
#![expect(clippy::disallowed_methods, reason = "puts its own scratch files where tidyd finds them")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use tidy_tests::{Daemon, Snapshot, World, assert_same};

/// Three copies of one content and two of another, all left where they are.
fn scene() -> (World, Daemon) {
    let world = World::new();
    world.configure(
        "watch = [\"~/Downloads\", \"~/Pictures\"]\nsettle = \"100ms\"\n\
         duplicates = { others = \"report\" }\n[default]\n",
    );
    fs::create_dir(world.home().join("Pictures")).unwrap();
    // One batch after the other: what is known of a file is there when the next one comes.
    let daemon = world.start();
    for (file, content, age) in [
        ("Downloads/a.bin", "the same bytes", 3),
        ("Downloads/sub/a copy.bin", "the same bytes", 2),
        ("Downloads/b.bin", "two of them", 5),
    ] {
        write(&world, file, content, age);
    }
    world.wait();
    for (file, content, age) in [
        ("Pictures/a.bin", "the same bytes", 1),
        ("Pictures/b.bin", "two of them", 6),
        ("Pictures/alone.bin", "only one of", 9),
    ] {
        write(&world, file, content, age);
    }
    world.wait();
    let groups = world.ctl_json(["duplicates"]);
    assert_eq!(groups.as_array().map(Vec::len), Some(2), "{groups:#}");
    (world, daemon)
}

fn write(world: &World, file: &str, content: &str, days_old: u64) {
    let path = world.write(file, content);
    let time = std::time::SystemTime::now() - std::time::Duration::from_secs(days_old * 86_400);
    fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

fn at(world: &World, file: &str) -> PathBuf {
    world.home().join(file)
}

#[test]
fn the_trash_takes_all_but_the_keeper_and_gives_them_back() {
    let (world, daemon) = scene();
    let before = world.snapshot();
    // Nobody is there to be asked.
    let asked = world.ctl(["resolve", "trash"]);
    assert_eq!(asked.code, 2, "{asked:?}");
    assert!(asked.stderr.contains("3 copies") && asked.stderr.contains("--yes"), "{asked:?}");
    let plan = world.ctl_json(["resolve", "trash", "--dry-run"]);
    assert_eq!(plan["steps"].as_array().map(Vec::len), Some(3), "{plan:#}");
    assert_same(&before, &world.snapshot());

    let done = world.ctl(["resolve", "trash", "--yes"]).ok();
    assert!(done.contains("3 copies resolved"), "{done}");
    let there: Vec<_> = [
        "Downloads/a.bin",
        "Downloads/sub/a copy.bin",
        "Pictures/a.bin",
        "Downloads/b.bin",
        "Pictures/b.bin",
    ]
    .map(|f| at(&world, f).exists())
    .into();
    assert_eq!(there, [true, false, false, false, true], "the oldest of each stays");
    assert_eq!(world.ctl_json(["duplicates"]).as_array().map(Vec::len), Some(0));
    world.ctl(["rollback", "--last", "--yes"]).ok();
    world.wait();
    assert_same(&before, &world.snapshot());
    assert_eq!(world.ctl_json(["duplicates"]).as_array().map(Vec::len), Some(2));
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn who_stays_can_be_chosen_and_what_is_protected_never_goes() {
    let (world, daemon) = scene();
    let pictures = at(&world, "Pictures");
    let goes = |arguments: &[&str]| {
        let mut line = vec!["resolve", "trash", "--dry-run"];
        line.extend(arguments);
        let plan = world.ctl_json(line);
        let mut names: Vec<String> = (plan["steps"].as_array().unwrap().iter())
            .map(|s| {
                let path = tidy_tests::path(&s["src"]);
                path.strip_prefix(world.home()).unwrap().to_str().unwrap().to_owned()
            })
            .collect();
        names.sort();
        names
    };
    let pictures = pictures.to_str().unwrap();
    assert_eq!(
        goes(&["--keep", "newest"]),
        ["Downloads/a.bin", "Downloads/sub/a copy.bin", "Pictures/b.bin"]
    );
    assert_eq!(
        goes(&["--keep", "root-order"]),
        ["Downloads/sub/a copy.bin", "Pictures/a.bin", "Pictures/b.bin"]
    );
    assert_eq!(
        goes(&["--prefer", pictures]),
        ["Downloads/a.bin", "Downloads/b.bin", "Downloads/sub/a copy.bin"]
    );
    assert_eq!(goes(&["--under", pictures]), ["Pictures/a.bin", "Pictures/b.bin"]);
    assert_eq!(
        goes(&["--protect", pictures]),
        ["Downloads/a.bin", "Downloads/b.bin", "Downloads/sub/a copy.bin"]
    );
    assert_eq!(
        goes(&["--protect", "**/*copy*"]),
        ["Downloads/a.bin", "Downloads/b.bin", "Pictures/a.bin"]
    );
    assert_eq!(goes(&["--min-size", "13"]), ["Downloads/sub/a copy.bin", "Pictures/a.bin"]);
    let digest = world.ctl_json(["duplicates"])[1]["digest"].as_str().unwrap().to_owned();
    assert_eq!(goes(&["--digest", &digest]), ["Downloads/b.bin"]);
    for (wrong, words) in [
        (&["trash", "--protect", "here"][..], "absolute"),
        (&["trash", "--digest", "77"], "64 hexadecimal"),
        (&["folder", "--folder", "/elsewhere"], "not below a watched folder"),
    ] {
        let mut line = vec!["resolve", "--yes"];
        line.extend(wrong);
        let run = world.ctl(line);
        assert!(run.code != 0 && run.stderr.contains(words), "{run:?}");
    }
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn what_stands_in_for_a_copy_has_its_bytes_and_gives_way_again() {
    for action in ["hardlink", "symlink", "folder"] {
        let (world, daemon) = scene();
        let before = world.snapshot();
        let mut line = vec!["resolve", action, "--yes", "--keep", "newest"];
        let folder = at(&world, "Downloads/Aside");
        if action == "folder" {
            line.extend(["--folder", folder.to_str().unwrap()]);
        }
        world.ctl(line).ok();
        world.wait();
        let (keeper, copy) = (at(&world, "Pictures/a.bin"), at(&world, "Downloads/a.bin"));
        match action {
            "hardlink" => {
                let [one, other] = [&keeper, &copy].map(|p| fs::metadata(p).unwrap().ino());
                assert_eq!(one, other);
            }
            "symlink" => assert_eq!(fs::read_link(&copy).unwrap(), keeper),
            _ => {
                assert!(!copy.exists());
                assert!(folder.join("a.bin").exists() && folder.join("a copy.bin").exists());
            }
        }
        assert_eq!(fs::read_to_string(&keeper).unwrap(), "the same bytes");
        // What stands there is no news to be filed, nor a copy to be put aside.
        world.ctl(["rescan"]).ok();
        world.wait();
        let resolved = world.snapshot();
        // A link in the place of a copy is no second file.
        let rules = world.ctl_json(["rules"]);
        let put_aside = rules.as_array().unwrap().iter().find(|r| r["rule"] == "duplicates");
        assert_eq!(put_aside.map(|r| &r["hits"]), Some(&3.into()), "{action}: {rules:#}");
        let back = world.ctl(["rollback", "--last", "--yes"]).ok();
        assert!(back.contains("3 files put back"), "{action}: {back}");
        assert_same(&before, &world.snapshot());
        let again = world.ctl(["redo", "--yes"]).ok();
        assert!(again.contains("3 files"), "{action}: {again}");
        // In the trash it is written when they went, and a symbolic link has a time of its own.
        let again = world.snapshot();
        let files =
            |snapshot: &Snapshot| -> Vec<PathBuf> { snapshot.entries.keys().cloned().collect() };
        assert_eq!(files(&resolved), files(&again));
        let kept =
            |path: &Path| action == "symlink" || path.extension().is_some_and(|e| e == "trashinfo");
        let differing =
            resolved.entries.iter().filter(|(path, e)| !kept(path) && again.entries[*path] != **e);
        assert_eq!(differing.count(), 0);
        assert_eq!(daemon.stop(), 0);
    }
}

/// What was undone is done again, and what never happened is not.
#[test]
fn a_redo_does_not_do_what_a_crash_had_cut_off() {
    let (world, daemon) = scene();
    let before = world.snapshot();
    assert_eq!(daemon.stop(), 0);
    let daemon = world.start_under(&["env", "TIDYD_CRASH_AT=link.before-hard"]);
    world.wait();
    assert_ne!(world.ctl(["resolve", "hardlink", "--yes"]).code, 0, "it was killed on the way");
    daemon.kill();

    let daemon = world.start();
    world.wait();
    let files = [
        "Downloads/a.bin",
        "Downloads/sub/a copy.bin",
        "Pictures/a.bin",
        "Downloads/b.bin",
        "Pictures/b.bin",
    ];
    let there = || {
        let stat = |f: &&str| fs::metadata(at(&world, f)).ok().map(|m| m.nlink());
        files.iter().map(stat).collect::<Vec<_>>()
    };
    // The first copy is in the trash, and nothing stands in for it.
    let cut_off = there();
    assert_eq!(cut_off.iter().filter(|links| **links == Some(1)).count(), 4, "{cut_off:?}");
    let back = world.ctl(["rollback", "--last", "--yes"]).ok();
    assert!(back.contains("1 file put back"), "{back}");
    assert_same(&before, &world.snapshot());
    world.ctl(["redo", "--yes"]).ok();
    assert_eq!(there(), cut_off);
    world.ctl(["rollback", "--last", "--yes"]).ok();
    assert_same(&before, &world.snapshot());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn where_blocks_cannot_be_shared_the_copies_come_back() {
    let (world, daemon) = scene();
    let before = world.snapshot();
    let run = world.ctl(["resolve", "reflink", "--yes", "--json"]);
    world.wait();
    if run.code == 0 {
        // This file system shares blocks.
        let there = world.snapshot();
        assert_eq!(before.entries.len(), there.entries.len());
        world.ctl(["rollback", "--last", "--yes"]).ok();
    } else {
        assert_eq!(run.code, 3, "{run:?}");
        let applied: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((&applied["filed"], &applied["failed_count"]), (&0.into(), &3.into()));
    }
    assert_same(&before, &world.snapshot());
    let files = world.ctl_json(["files"]);
    assert_eq!(world.ctl_json(["duplicates"]).as_array().map(Vec::len), Some(2), "{files:#}");
    assert_eq!(daemon.stop(), 0);
}

/// The catalog may be behind: what counts are the files as they are when their turn comes.
#[test]
fn a_copy_that_has_been_edited_stays() {
    let (world, daemon) = scene();
    world.ctl(["pause"]).ok();
    let edited = at(&world, "Downloads/b.bin");
    let time = fs::metadata(&edited).unwrap().modified().unwrap();
    fs::write(&edited, "two of then").unwrap();
    fs::File::options().write(true).open(&edited).unwrap().set_modified(time).unwrap();
    // Same size, same time of modification, other bytes.
    world.ctl(["resolve", "trash", "--yes", "--keep", "oldest"]);
    assert_eq!(fs::read_to_string(&edited).unwrap(), "two of then");
    assert_eq!(fs::read_to_string(at(&world, "Pictures/b.bin")).unwrap(), "two of them");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn what_lies_in_a_trash_or_is_hidden_or_ignored_is_no_reason_to_put_away_what_is_seen() {
    let world = World::new();
    world.configure(
        "watch = [\"~/Downloads\"]\nignore = [\"Work/**\"]\nsettle = \"100ms\"\n\
         duplicates = { scope = [\"~/Downloads\", \"~/Disk\"], others = \"trash\" }\n[default]\n",
    );
    let unseen = [
        "Downloads/.Trash-1000/files/a",
        "Downloads/.hidden/b",
        "Downloads/Work/c",
        "Downloads/d.part",
        "Disk/.Trash-1000/files/e",
        "Disk/#recycle/f",
        "Disk/.g",
    ];
    for (i, file) in unseen.iter().enumerate() {
        write(&world, file, &format!("content {i}"), 9);
    }
    write(&world, "Disk/deep/seen", "content that is seen", 9);
    let daemon = world.start();
    world.wait();
    for i in 0..unseen.len() {
        write(&world, &format!("Downloads/seen {i}"), &format!("content {i}"), 1);
    }
    write(&world, "Downloads/copy of what is seen", "content that is seen", 1);
    world.wait();
    world.ctl(["resolve", "trash", "--yes"]).ok();
    for (i, file) in unseen.iter().enumerate() {
        assert!(at(&world, &format!("Downloads/seen {i}")).exists(), "{file}");
    }
    assert!(!at(&world, "Downloads/copy of what is seen").exists());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn what_came_back_because_no_link_could_be_made_is_not_put_away_by_a_rollback() {
    let (world, daemon) = scene();
    let before = world.snapshot();
    if world.ctl(["resolve", "reflink", "--yes"]).code == 0 {
        eprintln!("skipped, because files can share blocks here");
        return;
    }
    assert_same(&before, &world.snapshot());
    for rollback in [["rollback", "--last"], ["rollback", "--since=1h"]] {
        world.ctl(rollback).ok();
        assert_same(&before, &world.snapshot());
    }
    assert_eq!(daemon.stop(), 0);
}
