//! `tidyctl store`: checked, compacted, built anew, exported, with the service and without.
#![expect(clippy::disallowed_methods, reason = "damages scratch copies of tidyd's own files")]

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tidy_tests::files::Sample;
use tidy_tests::{World, assert_same, path};

/// A home in which something was filed and put back, and the service has ended.
fn home() -> (World, Vec<Value>) {
    let world = World::new();
    world.configure("watch = [\"~/Downloads\"]\nsettle = \"50ms\"\nbackup = false\n");
    let daemon = world.start();
    for round in 0..3 {
        for n in 0..4 {
            let name = format!("Downloads/r{round}-{n}.pdf");
            world.write(name, Sample::Pdf.content(round * 10 + n));
        }
        world.wait();
        if round == 1 {
            world.ctl(["rollback", "--last", "--yes"]).ok();
            world.wait();
        }
    }
    let log = world.log(&["--all"]);
    assert_eq!(daemon.stop(), 0);
    (world, log)
}

fn verify(world: &World) -> (i32, Value) {
    let run = world.ctl(["store", "verify", "--json"]);
    let value = serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {run:?}"));
    (run.code, value)
}

fn finding<'a>(verified: &'a Value, name: &str) -> &'a Value {
    let all = verified["findings"].as_array().unwrap();
    all.iter().find(|f| f["name"] == name).unwrap_or_else(|| panic!("{verified:#}"))
}

fn answers_as_before(world: &World, log: &[Value]) {
    let files = world.snapshot();
    let daemon = world.start();
    world.wait();
    assert_eq!(world.log(&["--all"]), log);
    assert_same(&files, &world.snapshot());
    let (code, said) = verify(world);
    assert_eq!(code, 0, "{said:#}");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn what_is_well_is_said_to_be_well_with_the_service_and_without() {
    let (world, log) = home();
    let before = tidy_tests::Snapshot::take(&world.state().join("journal"));
    let (code, said) = verify(&world);
    assert_eq!((code, &said["ok"]), (0, &true.into()), "{said:#}");
    assert_same(&before, &tidy_tests::Snapshot::take(&world.state().join("journal")));
    for name in ["state", "journal", "index", "catalog"] {
        assert_eq!(finding(&said, name)["level"], "ok", "{said:#}");
    }
    assert_eq!(finding(&said, "backup")["level"], "warning", "there is none: {said:#}");
    answers_as_before(&world, &log);
}

#[test]
fn damage_is_found_and_told_with_what_to_do() {
    let (world, _) = home();
    let segment = world.state().join("journal/0000000000000001.log");
    let whole = fs::read(&segment).unwrap();
    let mut bytes = whole.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&segment, &bytes).unwrap();
    let (code, said) = verify(&world);
    assert_eq!((code, &said["ok"]), (1, &false.into()), "{said:#}");
    let journal = finding(&said, "journal");
    assert_eq!(journal["level"], "bad");
    assert!(journal["fix"].as_str().unwrap().contains("restore"), "{journal:#}");
    assert_eq!(fs::read(&segment).unwrap(), bytes, "and nothing was changed");
    assert_eq!(world.ctl(["store", "export"]).code, 3, "a part of it");

    fs::write(&segment, &whole).unwrap();
    fs::remove_file(world.state().join("store/db")).unwrap();
    fs::create_dir(world.state().join("store/db")).unwrap();
    let (code, said) = verify(&world);
    assert_eq!(code, 1, "{said:#}");
    let index = finding(&said, "index");
    assert!(index["fix"].as_str().unwrap().contains("rebuild"), "{index:#}");

    let rebuilt = world.ctl_json(["store", "rebuild"]);
    assert!(path(&rebuilt["aside"]).join("db").exists(), "{rebuilt:#}");
    assert_eq!(verify(&world).0, 0);
}

#[test]
fn nothing_changes_by_compacting_or_building_anew() {
    let (world, log) = home();
    let done = world.ctl_json(["store", "compact"]);
    assert!(done["items"].as_u64().unwrap() > 10, "{done:#}");
    assert!(done["after"].as_u64() <= done["before"].as_u64(), "{done:#}");
    answers_as_before(&world, &log);

    let rebuilt = world.ctl_json(["store", "rebuild"]);
    assert_eq!(rebuilt["operations"], log.len() as u64, "{rebuilt:#}");
    answers_as_before(&world, &log);
    let left: Vec<PathBuf> =
        fs::read_dir(world.state()).unwrap().map(|e| e.unwrap().path()).collect();
    let aside = left.iter().filter(|p| p.to_str().unwrap().contains("store.aside-"));
    assert_eq!(aside.count(), 1, "{left:?}");
}

#[test]
fn an_export_is_the_log() {
    let (world, log) = home();
    let sorted = |mut all: Vec<Value>| {
        all.sort_by_key(|o| o["id"].as_u64());
        all
    };
    let lines = |text: &str| -> Vec<Value> {
        sorted(text.lines().map(|l| serde_json::from_str(l).unwrap()).collect())
    };
    let log = sorted(log);
    assert_eq!(lines(&world.ctl(["store", "export"]).ok()), log);
    let daemon = world.start();
    world.wait();
    assert_eq!(lines(&world.ctl(["store", "export"]).ok()), log, "also while it runs");
    let file = world.home().join(".cache/export.jsonl");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    world.ctl_at(&["store", "export", "--output"], &file).ok();
    assert_eq!(lines(&fs::read_to_string(&file).unwrap()), log);
    let again = world.ctl_at(&["store", "export", "--output"], &file);
    assert_eq!(again.code, 1, "a file that is there stays: {again:?}");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn where_there_is_no_state_it_is_said() {
    let world = World::new();
    for verb in ["verify", "compact", "rebuild", "backup", "export"] {
        let run = world.ctl(["store", verb]);
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.stderr.contains("there is no"), "{run:?}");
    }
    assert!(!world.state().exists(), "and none is made");
}
