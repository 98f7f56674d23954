//! State directories of other versions: an older one is brought up, and what it was is kept; a newer one is left alone.
#![expect(
    clippy::disallowed_methods,
    reason = "writes scratch state directories as other versions would"
)]

use std::fs;

use tidy_tests::files::Sample;
use tidy_tests::{Binary, Run, Snapshot, World, assert_same, binary};

/// The log of a state directory of format 0, from before there was a number: two files were filed. These bytes never change.
const FORMAT_0: &str = "\
     544944594a524e4c00000001000000000000000101020304050607080000000000000001bd9070f600000014e684aaa3a161\
     63a4616e01616f806172806165840000000000000084d2be34a1a16169a9616f0161620161670161741b17979cfe362a0001\
     616b01617382532f686f6d652f6f6c642f446f776e6c6f6164734666312e706466616482532f686f6d652f6f6c642f446f77\
     6e6c6f61647350446f63756d656e74732f66312e7064666165840b18641b17979cfe362a0000f661727064656661756c7420\
     646f63756d656e74000000841f3cb72da16169a9616f0261620161670161741b17979cfe362a0002616b01617382532f686f\
     6d652f6f6c642f446f776e6c6f6164734666322e706466616482532f686f6d652f6f6c642f446f776e6c6f61647350446f63\
     756d656e74732f66322e7064666165840c18641b17979cfe362a0000f661727064656661756c7420646f63756d656e740000\
     0025c64bf1e8a16173a4616f01616e0361741b17979cfe362a0065616c840b18641b17979cfe362a0000f6000000253db19d\
     a5a16173a4616f02616e0361741b17979cfe362a0066616c840c18641b17979cfe362a0000f6";

/// CRC-32C of the header of a segment of version 2 that says nothing.
const NEWER_CRC: &str = "2abcc8c4";

fn unhex(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().map(|c| c.to_digit(16).expect("a digit")).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}

/// A home with the state directory of format 0.
fn old() -> World {
    let world = World::new();
    let journal = world.state().join("journal");
    fs::create_dir_all(&journal).unwrap();
    fs::write(journal.join("0000000000000001.log"), unhex(FORMAT_0)).unwrap();
    world
}

#[test]
fn an_older_state_is_brought_up_and_kept_and_it_is_said() {
    let world = old();
    let daemon = world.start();
    world.wait();
    let log = world.log(&[]);
    let ids: Vec<_> = log.iter().map(|op| op["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [2, 1], "{log:#?}");
    assert_eq!(log[0]["src"], "/home/old/Downloads/f2.pdf");
    assert_eq!(log[0]["state"], "done");
    let said = world.ctl_json(["status"])["warnings"].to_string();
    assert!(said.contains("format 0") && said.contains("before-format-1"), "{said}");
    assert_eq!(daemon.stop(), 0);

    let format = fs::read_to_string(world.state().join("format")).unwrap();
    assert!(format.starts_with("tidyd state 1\n"), "{format}");
    let kept = world.state().join("backups/before-format-1");
    let segment = fs::read(kept.join("journal/0000000000000001.log")).unwrap();
    assert_eq!(segment, unhex(FORMAT_0));
    world.tidyd(&["store", "verify", kept.to_str().unwrap()]).ok();

    // Once.
    let daemon = world.start();
    let said = world.ctl_json(["status"])["warnings"].to_string();
    assert!(!said.contains("format"), "{said}");
    assert_eq!(daemon.stop(), 0);
}

/// Without its index, which any run may make anew, and the locks.
fn precious(world: &World) -> Snapshot {
    let mut tree = Snapshot::take(&world.state());
    tree.entries.retain(|path, _| !path.starts_with("store") && !path.ends_with("lock"));
    tree
}

#[test]
fn a_dry_run_leaves_an_older_state_as_it_is() {
    let world = old();
    world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    let before = (precious(&world), world.snapshot());
    let dry = world.tidyd(&["--once", "--dry-run"]).ok();
    assert!(dry.contains("Documents/a.pdf"), "{dry}");
    assert_same(&before.0, &precious(&world));
    assert_same(&before.1, &world.snapshot());
    assert_eq!(world.tidyd(&["--once"]).ok(), dry);
    assert!(world.state().join("backups/before-format-1").exists(), "now it is brought up");
}

#[test]
fn a_dry_run_settles_nothing_that_was_cut_off() {
    let world = World::new();
    world.configure(
        "watch = [\"~/Downloads\"]\n[[rule]]\nname = \"c\"\nwhen = {}\ncopy = \"Copies/\"\n",
    );
    world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    world.write("Downloads/b.pdf", Sample::Pdf.content(2));
    let mut command = world.command(binary(Binary::Tidyd));
    let crashed = Run::of(command.arg("--once").env("TIDYD_CRASH_AT", "copy.verified"));
    assert_ne!(crashed.code, 0);
    let part =
        |tree: &Snapshot| tree.entries.keys().any(|p| p.extension() == Some("part".as_ref()));
    let before = (precious(&world), world.snapshot());
    assert!(part(&before.1), "{:?}", before.1);
    let run = world.tidyd(&["--once", "--dry-run"]);
    assert!(run.code == 0 && run.stderr.contains("cut off"), "{run:?}");
    assert_same(&before.0, &precious(&world));
    assert_same(&before.1, &world.snapshot());
    world.tidyd(&["--once"]).ok();
    assert!(!part(&world.snapshot()));
}

#[test]
fn a_state_that_is_too_new_is_refused_and_left_as_it_is() {
    let world = old();
    world.tidyd(&["--once"]).ok();
    fs::write(world.state().join("format"), "tidyd state 2\nwritten by tidyd 9.0.0\n").unwrap();
    let before = Snapshot::take(&world.state());
    let cases: [&[&str]; 8] = [
        &[],
        &["--once"],
        &["--once", "--dry-run"],
        &["store", "verify"],
        &["store", "compact"],
        &["store", "rebuild"],
        &["store", "backup"],
        &["store", "export"],
    ];
    for arguments in cases {
        let run = world.tidyd(arguments);
        assert_eq!(run.code, 5, "{arguments:?}: {run:?}");
        for part in ["format 2", "tidyd 9.0.0", "hint: ", "update tidyd"] {
            assert!(run.stderr.contains(part), "{arguments:?}: {part}: {run:?}");
        }
        assert_same(&before, &Snapshot::take(&world.state()));
    }
}

/// The number of the directory may be lost; the segments have one of their own.
#[test]
fn a_segment_that_is_too_new_is_refused_too() {
    let world = old();
    let segment = world.state().join("journal/0000000000000002.log");
    let mut newer = b"TIDYJRNL\0\0\0\x02".to_vec();
    newer.extend([0; 24]);
    newer.extend(unhex(NEWER_CRC));
    fs::write(&segment, &newer).unwrap();
    let run = world.tidyd(&["--once"]);
    assert_ne!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("newer") && run.stderr.contains("update"), "{run:?}");
    assert_eq!(fs::read(&segment).unwrap(), newer);
}
