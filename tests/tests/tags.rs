//! Tags: set by rules, asked about by rules, and put back as they were.
#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "changes scratch files of its own")]

use std::fs;
use std::path::Path;

use rustix::fs::{XattrFlags, lgetxattr, removexattr, setxattr};
use tidy_tests::{Mounts, World, assert_same, path};

const ATTRIBUTE: &str = "user.xdg.tags";

const CONFIG: &str = r#"
watch = ["~/Downloads"]
settle = "100ms"
default = {}

[[rule]]
name = "paid"
when = { tag = "paid*" }
move = "~/Paid/"

[[rule]]
name = "draft"
when = { xattr = { name = "user.comment", value = "*draft*" } }
leave = true

[[rule]]
name = "invoices"
when = { regex = '^invoice (?P<year>\d{4})' }
move = "~/Invoices/"
tag = ["invoice", "{name.year}", "{artist}"]

[[rule]]
name = "marked"
when = { name = "mark*" }
tag = "to read"
"#;

fn tags(file: &Path) -> Option<String> {
    let mut value = [0; 256];
    let length = lgetxattr(file, ATTRIBUTE, &mut value[..]).ok()?;
    Some(String::from_utf8(value[..length].to_vec()).unwrap())
}

fn set(file: &Path, name: &str, value: &str) {
    setxattr(file, name, value.as_bytes(), XattrFlags::empty()).unwrap();
}

/// `None` where files can have no tags.
fn world() -> Option<World> {
    let world = World::new();
    world.configure(CONFIG);
    let probe = world.write("probe", "");
    let set = setxattr(&probe, ATTRIBUTE, b"x", XattrFlags::empty());
    fs::remove_file(probe).unwrap();
    if let Err(e) = set {
        eprintln!("skipped, because this file system has no user attributes: {e}");
        return None;
    }
    Some(world)
}

#[test]
fn tags_are_set_on_the_way_and_come_back_as_they_were() {
    let Some(world) = world() else { return };
    let plain = world.write("Downloads/invoice 2024.txt", "a");
    let mine = world.write("Downloads/invoice 2023.txt", "b");
    set(&mine, ATTRIBUTE, "mine,invoice");
    let stays = world.write("Downloads/mark.txt", "c");
    let before = world.snapshot();

    let dry = world.tidyd(&["--once", "--dry-run"]).ok();
    assert!(dry.contains("tags invoice, 2024"), "{dry}");
    assert_same(&before, &world.snapshot());

    let daemon = world.start();
    world.wait();
    let there = |name: &str| world.home().join("Invoices").join(name);
    assert_eq!(tags(&there("invoice 2024.txt")).as_deref(), Some("invoice,2024"));
    assert_eq!(tags(&there("invoice 2023.txt")).as_deref(), Some("mine,invoice,2023"));
    assert_eq!(tags(&stays).as_deref(), Some("to read"));

    // Three files were filed, whatever was done to each.
    let batches = world.ctl_json(["log", "--batches"]);
    let done: u64 = batches.as_array().unwrap().iter().map(|b| b["done"].as_u64().unwrap()).sum();
    assert_eq!(done, 3, "{batches:#}");
    let marks = world.log(&["--kind", "tag"]);
    assert_eq!(marks.len(), 3);
    let of_mine = marks.iter().find(|o| path(&o["src"]) == mine).unwrap();
    assert_eq!(of_mine["tags"]["before"], serde_json::json!(["mine", "invoice"]));
    assert_eq!(of_mine["tags"]["after"], serde_json::json!(["mine", "invoice", "2023"]));
    let explained = world.ctl_at(&["explain"], &stays).ok();
    assert!(explained.contains("was left where it is, with the tags to read"), "{explained}");

    let report = world.ctl_json(["rollback", "--since", "1h", "--yes"]);
    assert_eq!(
        (&report["restored"], &report["not_restored"]),
        (&3.into(), &0.into()),
        "{report:#}"
    );
    assert_same(&before, &world.snapshot());
    // It is not done again by itself, but when it is asked for.
    world.ctl(["rescan"]).ok();
    world.wait();
    assert_same(&before, &world.snapshot());
    world.ctl(["redo", "--yes"]).ok();
    assert_eq!(tags(&there("invoice 2024.txt")).as_deref(), Some("invoice,2024"));
    assert_eq!(tags(&stays).as_deref(), Some("to read"));
    // One file by its path: what it was marked with goes along.
    world.ctl_at(&["rollback", "--path"], &there("invoice 2024.txt")).ok();
    assert_eq!((plain.exists(), tags(&plain)), (true, None));
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn tags_that_somebody_has_changed_stay_and_that_is_told() {
    let Some(world) = world() else { return };
    let stays = world.write("Downloads/mark.txt", "a");
    world.write("Downloads/invoice 2024.txt", "b");
    let daemon = world.start();
    world.wait();
    let filed = world.home().join("Invoices/invoice 2024.txt");
    set(&filed, ATTRIBUTE, "invoice,2024,mine");
    removexattr(&stays, ATTRIBUTE).unwrap();
    let run = world.ctl(["rollback", "--since", "1h", "--yes", "--json"]);
    assert_eq!(run.code, 3, "{run:?}");
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let changed: Vec<_> = report["files"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| f["outcome"] == "tags-changed")
        .map(|f| f["detail"].as_str().unwrap())
        .collect();
    assert_eq!(changed.len(), 1, "{report:#}");
    assert!(changed[0].contains("invoice, 2024, mine"), "{changed:?}");
    // The file itself is back, with the tags that somebody gave it.
    let back = world.downloads().join("invoice 2024.txt");
    assert_eq!(tags(&back).as_deref(), Some("invoice,2024,mine"));
    assert_eq!(tags(&stays), None);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn rules_ask_for_tags_and_other_attributes() {
    let Some(world) = world() else { return };
    let paid = world.write("Downloads/a.txt", "a");
    set(&paid, ATTRIBUTE, "other,Paid by card");
    let draft = world.write("Downloads/invoice 2020.txt", "b");
    set(&draft, "user.comment", "a Draft of it");
    world.write("Downloads/invoice 2021.txt", "c");
    let daemon = world.start();
    world.wait();
    assert!(world.home().join("Paid/a.txt").exists());
    assert!(draft.exists());
    assert!(world.home().join("Invoices/invoice 2021.txt").exists());
    let explained = world.ctl_at(&["explain"], &draft).ok();
    assert!(explained.contains("a Draft of it"), "{explained}");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn what_was_marked_is_not_marked_again_though_the_catalog_is_lost() {
    let Some(world) = world() else { return };
    let file = world.write("Downloads/mark.txt", "a");
    let daemon = world.start();
    world.wait();
    assert_eq!(tags(&file).as_deref(), Some("to read"));
    // A person does not want it.
    removexattr(&file, ATTRIBUTE).unwrap();
    assert_eq!(daemon.stop(), 0);
    fs::remove_dir_all(world.state().join("store")).unwrap();
    let daemon = world.start();
    world.wait();
    assert_eq!(tags(&file), None);
    world.ctl_at(&["organize"], &file).ok();
    assert_eq!(tags(&file).as_deref(), Some("to read"));
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_file_system_without_attributes_is_told_and_the_file_filed() {
    let Some(mut mounts) = Mounts::private() else { return };
    let Some(world) = world() else { return };
    if !mounts.mount(&["-t", "ramfs", "ramfs"], &world.downloads()) {
        return;
    }
    world.write("Downloads/invoice 2024.txt", "a");
    let stays = world.write("Downloads/mark.txt", "b");
    let daemon = world.start();
    world.wait();
    let filed = world.home().join("Invoices/invoice 2024.txt");
    assert_eq!((filed.exists(), tags(&filed)), (true, None));
    let why = "the file system there keeps no extended attributes";
    for file in [&filed, &stays] {
        let explained = world.ctl_at(&["explain"], file).ok();
        let explained = explained.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(explained.contains(why), "{explained}");
    }
    assert_eq!(world.log(&["--state", "failed"]), Vec::<serde_json::Value>::new());
    let said = daemon.output();
    assert_eq!(said.matches("tags are not set").count(), 1, "{said}");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_configuration_says_what_is_wrong_with_its_tags() {
    let world = World::new();
    let rule = |rest: &str| {
        world.configure(&format!("watch = [\"~/Downloads\"]\n[[rule]]\nname = \"a\"\n{rest}\n"));
        world.tidyd(&["--check"])
    };
    for (rest, expected) in [
        ("when = {}\ntag = \"a,b\"", "without a comma"),
        ("when = {}\ntag = []", "empty"),
        ("when = {}\ntag = \"{yaer}\"", "did you mean `year`"),
        ("when = {}\ntag = \"{name.no}\"", "nothing in this rule captures `name.no`"),
        ("when = {}\ntag = \"a\"\ntrash = true", "goes with `move` or `rename`"),
        ("when = {}\ntag = \"a\"\nleave = true", "leave out `leave`"),
        ("when = {}\ntag = \"a\"\ncopy = \"b/\"", "make two rules of it"),
        ("when = { unit = \"any\" }\ntag = \"a\"\nmove = \"b/\"", "gets no tags"),
        ("when = { xattr = { name = \"security.x\" } }\ntrash = true", "begin with `user.`"),
        ("when = { xattr = \"user.x\" }\ntrash = true", "a table such as"),
        ("when = {}", "does nothing"),
    ] {
        let run = rule(rest);
        assert_eq!(run.code, 78, "{rest}: {run:?}");
        assert!(run.stderr.contains(expected), "{expected}: {}", run.stderr);
    }
    let test = "when = { tag = \"in\" }\ntag = [\"out\", \"{stem}\"]\n\
                [[rule.test]]\ngiven = { name = \"a b.pdf\", tag = [\"in\"] }\nexpect = \"leave\"\n";
    assert_eq!(rule(&format!("{test}tags = [\"in\", \"out\", \"a b\"]")).code, 0);
    let run = rule(&format!("{test}tags = [\"in\", \"out\"]"));
    assert_eq!(run.code, 78);
    assert!(run.stderr.contains("got the tags [in, out, a b]"), "{}", run.stderr);
}
