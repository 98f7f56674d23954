//! Actions, and the other keys of a rule.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::lgetxattr;
use tidy_tests::{Snapshot, World, assert_same};

/// What a rule does with the file `f.<ext>`, whose extension is the row's number in words.
pub(crate) struct Row {
    /// The keys that it is about.
    pub(crate) keys: &'static [&'static str],
    ext: &'static str,
    /// Everything but name and condition.
    rule: &'static str,
    /// What must be there afterwards, below the home directory (`f` stands for `Downloads/f.<ext>`), and what not.
    there: &'static [&'static str],
    gone: &'static [&'static str],
}

pub(crate) const ROWS: &[Row] = &[
    Row {
        keys: &["name", "when", "move"],
        ext: "mv",
        rule: "move = \"~/Away/{stem}/\"",
        there: &["Away/f/f.mv"],
        gone: &["Downloads/f.mv"],
    },
    Row {
        keys: &["copy"],
        ext: "cp",
        rule: "copy = \"~/Away/\"",
        there: &["Away/f.cp", "Downloads/f.cp"],
        gone: &[],
    },
    // Where the file system shares no blocks the file is left.
    Row {
        keys: &["reflink"],
        ext: "rl",
        rule: "reflink = \"~/Away/\"",
        there: &["Downloads/f.rl"],
        gone: &[],
    },
    Row {
        keys: &["hardlink"],
        ext: "hl",
        rule: "hardlink = \"~/Away/\"",
        there: &["Away/f.hl", "Downloads/f.hl"],
        gone: &[],
    },
    Row {
        keys: &["symlink"],
        ext: "sl",
        rule: "symlink = \"~/Away/\"",
        there: &["Away/f.sl", "Downloads/f.sl"],
        gone: &[],
    },
    Row {
        keys: &["rename"],
        ext: "rn",
        rule: "rename = \"new {stem}.{ext}\"",
        there: &["Downloads/new f.rn"],
        gone: &["Downloads/f.rn"],
    },
    Row {
        keys: &["trash"],
        ext: "tr",
        rule: "trash = true",
        there: &[".local/share/Trash/files/f.tr"],
        gone: &["Downloads/f.tr"],
    },
    Row {
        keys: &["leave"],
        ext: "lv",
        rule: "leave = true",
        there: &["Downloads/f.lv"],
        gone: &[],
    },
    Row {
        keys: &["tag"],
        ext: "tg",
        rule: "tag = [\"marked\", \"{ext}\"]",
        there: &["Downloads/f.tg"],
        gone: &[],
    },
    Row {
        keys: &["conflict"],
        ext: "cf",
        rule: "move = \"~/Taken/\"\nconflict = \"replace-to-trash\"",
        there: &["Taken/f.cf", ".local/share/Trash/files/f.cf"],
        gone: &["Downloads/f.cf"],
    },
    Row {
        keys: &["companions"],
        ext: "cm",
        rule: "move = \"~/Away/\"\ncompanions = [\"side\"]",
        there: &["Away/f.cm", "Away/f.cm.side"],
        gone: &["Downloads/f.cm", "Downloads/f.cm.side"],
    },
    Row {
        keys: &["need"],
        ext: "nd",
        rule: "move = \"~/Away/\"\nneed = { free = \"1 kB\" }",
        there: &["Away/f.nd"],
        gone: &["Downloads/f.nd"],
    },
    Row {
        keys: &["run", "run-limit", "notify"],
        ext: "ru",
        rule: "move = \"~/Away/\"\nrun = [\"touch\", \"{dir}/ran {name}\"]\nrun-limit = \"1m\"\nnotify = \"{files} filed\"",
        there: &["Away/f.ru", "Away/ran f.ru"],
        gone: &["Downloads/f.ru"],
    },
    Row {
        keys: &["then", "test"],
        ext: "th",
        rule: "rename = \"first {name}\"\nthen = \"continue\"\n\
               [[rule.test]]\ngiven = { name = \"f.th\" }\nexpect = \"~/Away/first f.th\"\n\
               [[rule]]\nname = \"later\"\nwhen = { name = \"first *.th\" }\nmove = \"~/Away/\"",
        there: &["Away/first f.th"],
        gone: &["Downloads/f.th"],
    },
];

fn config() -> String {
    let mut text =
        "watch = [\"~/Downloads\"]\nsettle = \"100ms\"\nallow-run = true\ndefault = {}\n\
                    duplicates = { others = \"report\" }\n"
            .to_owned();
    for row in ROWS {
        let _ = write!(
            text,
            "[[rule]]\nname = \"{ext} files\"\nwhen = {{ ext = \"{ext}\" }}\n{rule}\n",
            ext = row.ext,
            rule = row.rule
        );
    }
    text
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// What nothing takes back, and the trash that was made.
fn comparable(world: &World) -> Snapshot {
    let mut tree = world.snapshot();
    tree.entries.retain(|p, _| !p.starts_with("Away") && !p.starts_with(".local/share/Trash"));
    tree
}

#[test]
fn every_action_does_what_it_says_and_comes_back() {
    let world = World::new();
    world.configure(&config());
    for row in ROWS {
        world.write(format!("Downloads/f.{}", row.ext), format!("content of {}", row.ext));
    }
    world.write("Downloads/f.cm.side", "goes along");
    world.write("Taken/f.cf", "was there before");
    let before = comparable(&world);
    assert_eq!(world.tidyd(&["--check"]).code, 0, "{:?}", world.tidyd(&["--check"]));

    let dry = world.tidyd(&["--once", "--dry-run"]).ok();
    assert_same(&before, &comparable(&world));
    world.tidyd(&["--once"]);
    let home = world.home();
    let mut wrong = Vec::new();
    for row in ROWS {
        let is_there = |path: &&&str| exists(&home.join(path));
        wrong
            .extend(row.there.iter().filter(|p| !is_there(p)).map(|p| format!("{p} is not there")));
        wrong.extend(row.gone.iter().filter(is_there).map(|p| format!("{p} is still there")));
        // What is done was planned, but for commands and what is left.
        let planned = dry.contains(&format!("f.{}", row.ext));
        if planned == ["lv"].contains(&row.ext) {
            wrong.push(format!("{}: planned is {planned}:\n{dry}", row.ext));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    let mut value = [0; 64];
    let tagged: PathBuf = home.join("Downloads/f.tg");
    // On a file system without attributes the file is left, and that is told.
    if let Ok(length) = lgetxattr(&tagged, "user.xdg.tags", &mut value[..]) {
        assert_eq!(&value[..length], b"marked,tg");
    }

    let daemon = world.start();
    world.ctl(["rollback", "--since", "1h", "--yes"]).ok();
    assert_same(&before, &comparable(&world));
    let left: Vec<_> =
        fs::read_dir(home.join("Away")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["ran f.ru"], "what a command did is not ours to take back");
    assert_eq!(daemon.stop(), 0);
}
