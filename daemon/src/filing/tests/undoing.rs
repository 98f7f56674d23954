//! Putting it back.

use std::fs;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use proptest::prelude::*;
use tidy_core::operation::Trigger;
use tidy_core::plan::StepKind;
use tidy_core::rollback::Undone;
use tidy_core::rules::LeaveReason;

use super::{Ground, MODE, PLAIN};
use crate::catalog::{Change, Entry, Outcome, OutcomeKind};
use crate::filing::{Mode, Progress, UndoReport, Watcher};
use crate::journal::Direction;
use crate::journal::Selector;

fn is_rolled_back(ground: &Ground, rel: &str) -> bool {
    let outcome = ground.entry(rel).map(|e| e.outcome);
    matches!(outcome, Some(Outcome::Left { reason: LeaveReason::RolledBack, .. }))
}

fn is_complete(report: &UndoReport) -> bool {
    !report.stopped && report.not_restored() == 0
}

fn fill(ground: &Ground) {
    ground.put("in/a.pdf", "%PDF-1.4 a");
    ground.put("in/sub/a.pdf", "%PDF-1.4 other a");
    ground.put("in/same.pdf", "%PDF-1.4 a");
    ground.put("in/b.mp3", "ID3\x03\0\0\0\0\0\0b");
    ground.put("in/c.xyzzy", "\0\x01c");
}

#[test]
fn undo_restores_everything_and_redo_files_it_again() {
    let ground = Ground::new(PLAIN);
    fill(&ground);
    let before = ground.files("in");
    ground.tidy();
    let filed = ground.files("in");
    ground.check();
    let undone = ground.undo(&Selector::Last(1));
    assert!(is_complete(&undone), "{:#?}", undone);
    assert_eq!(ground.files("in"), before);
    assert!(!ground.path("in/Documents").exists(), "directories made for it go too");
    ground.check();

    let redone = ground.redo();
    assert!(is_complete(&redone), "{:#?}", redone);
    assert_eq!(ground.files("in"), filed);
    ground.check();
    assert!(ground.tidy().operations.is_empty());
    ground.undo(&Selector::Last(1));
    assert_eq!(ground.files("in"), before);
    ground.check();
}

/// A directory that somebody uses by now stays, and stands in the log as made: the next `--last` is the
/// batch before all the same.
#[test]
fn a_batch_of_which_only_a_directory_is_left_is_not_the_last() {
    let ground = Ground::new(PLAIN);
    ground.put("in/b.mp3", "ID3\x03\0\0\0\0\0\0b");
    ground.tidy();
    ground.put("in/a.pdf", "%PDF-1.4 a");
    ground.tidy();
    ground.put("in/Documents/own.txt", "somebody's own");
    for back in ["in/a.pdf", "in/b.mp3"] {
        let undone = ground.undo(&Selector::Last(1));
        assert!(ground.path(back).exists(), "{undone:#?}");
    }
    for filed in ["in/Music/b.mp3", "in/Documents/a.pdf"] {
        let redone = ground.redo();
        assert!(ground.path(filed).exists(), "{redone:#?}");
    }
}

/// `organize` may file a file again while the rest is still being put back.
#[test]
fn what_is_filed_again_during_a_rollback_stays_in_the_catalog() {
    let ground = Ground::new(PLAIN);
    ground.put("in/a.pdf", "%PDF-1.4 a");
    ground.tidy();
    let ops = ground.filing.journal().select(&Selector::Last(1), Direction::Back).unwrap();
    let again = |progress: Progress<'_>| {
        if matches!(progress, Progress::Operation(op) if op.step.kind == StepKind::Move) {
            let mut all = crate::coordinator::Scanned::default();
            let mut survey = ground.survey_of(crate::survey::Wanted::All);
            super::walk_through(&mut survey, ground.path("in"), ground.now, &mut all);
            let candidates = all.sightings.into_iter().map(|s| s.candidate).collect();
            ground.run_as(candidates, Mode { trigger: Trigger::Organize, asked: true, ..MODE });
        }
    };
    let watcher = Watcher { progress: &again, stop: &AtomicBool::new(false) };
    ground.filing.undo(&ground.setup, &ops, Direction::Back, false, watcher).unwrap();
    assert_eq!(ground.names("in"), ["in/Documents/a.pdf"]);
    ground.check();
}

#[test]
fn a_copy_is_not_made_again_when_the_catalog_is_lost() {
    let config = "watch = [\"@/in\"]\n[[rule]]\nname = \"twice\"\nwhen = { ext = \"mp3\" }\n\
        copy = \"@/out/\"\n";
    let ground = Ground::with_dirs(config, &["out"]);
    ground.put("in/b.mp3", "ID3\x03\0\0\0\0\0\0b");
    ground.tidy();
    assert_eq!(ground.files("out").len(), 1);
    ground.catalog().forget(&ground.path("in")).unwrap();
    assert!(ground.tidy().operations.is_empty());
    assert!(ground.candidates().is_empty(), "it has had its turn");
    // Nor after it was put back.
    ground.undo(&Selector::Last(1));
    ground.catalog().forget(&ground.path("in")).unwrap();
    assert!(ground.tidy().operations.is_empty());
    assert_eq!(ground.files("out").len(), 0);
    // Another content is another file.
    ground.put("in/b.mp3", "ID3\x03\0\0\0\0\0\0changed");
    ground.tidy();
    assert_eq!(ground.files("out").len(), 1);
}

#[test]
fn what_was_rolled_back_and_then_failed_when_asked_for_is_looked_at_once_more() {
    let mut ground = Ground::new(PLAIN);
    fill(&ground);
    ground.tidy();
    ground.undo(&Selector::Last(1));
    // As an attempt leaves it that a person asked for and that failed.
    let entry = ground.entry("in/b.mp3").unwrap();
    let Outcome::Left { rule, fingerprint, .. } = entry.outcome.clone() else {
        panic!("{entry:?}")
    };
    let outcome = Outcome::Left { reason: LeaveReason::BadDestination, rule, fingerprint };
    let failed =
        Entry { outcome, revisit: Some(ground.now.plus(Duration::from_secs(900))), ..entry };
    ground.catalog().update(&ground.path("in"), vec![Change::Put(failed)]).unwrap();
    assert!(ground.candidates().is_empty());
    ground.later(Duration::from_secs(1000));
    assert_eq!(ground.candidates().len(), 1, "its time has come");
    assert!(ground.tidy().operations.is_empty());
    assert!(is_rolled_back(&ground, "in/b.mp3"));
    assert_eq!(ground.catalog().earliest_revisit().unwrap(), None);
    assert!(ground.candidates().is_empty());
}

#[test]
fn what_was_rolled_back_is_left_until_asked_or_changed() {
    let mut ground = Ground::new(PLAIN);
    fill(&ground);
    let before = ground.files("in");
    ground.tidy();
    ground.undo(&Selector::Last(1));
    assert!(is_rolled_back(&ground, "in/b.mp3"));
    assert!(ground.tidy().operations.is_empty());
    // Other rules look at it again, and leave it all the same.
    ground.configure("watch = [\"@/in\"]\n[default]\naudio = \"Sounds/\"\ndocument = \"Docs/\"");
    assert!(!ground.candidates().is_empty());
    assert!(ground.tidy().operations.is_empty());
    assert!(is_rolled_back(&ground, "in/b.mp3"));
    assert_eq!(ground.files("in"), before);
    ground.check();
    // A catalog that was lost does not forget it: the journal knows.
    ground.catalog().forget(&ground.path("in")).unwrap();
    assert!(ground.tidy().operations.is_empty());
    ground.check();

    ground.put("in/b.mp3", "ID3\x03\0\0\0\0\0\0changed");
    ground.tidy();
    assert!(ground.path("in/Sounds/b.mp3").exists());
    ground.check();
    // A person asks for the rest.
    let mut all = crate::coordinator::Scanned::default();
    let mut survey = ground.survey_of(crate::survey::Wanted::All);
    super::walk_through(&mut survey, ground.path("in"), ground.now, &mut all);
    let asked = Mode { trigger: Trigger::Organize, asked: true, ..MODE };
    ground.run_as(all.sightings.into_iter().map(|s| s.candidate).collect(), asked);
    assert!(ground.path("in/Docs/a.pdf").exists());
    ground.check();
}

#[test]
fn edited_and_missing_files_and_taken_names_are_told_apart() {
    let ground = Ground::new(PLAIN);
    for name in ["edited.mp3", "missing.mp3", "taken.mp3", "plain.mp3"] {
        ground.put(format!("in/{name}"), format!("ID3\x03\0\0\0\0\0\0{name}"));
    }
    ground.tidy();
    ground.put("in/Music/edited.mp3", "ID3\x03\0\0\0\0\0\0edited since");
    ground.remove("in/Music/missing.mp3");
    ground.put("in/taken.mp3", "ID3\x03\0\0\0\0\0\0another");
    let undone = ground.undo(&Selector::Last(1));
    assert!(!is_complete(&undone));
    let outcome = |name: &str| {
        let found = undone.files().find(|o| o.path.ends_with(name));
        found.map(|o| o.outcome.clone()).unwrap()
    };
    assert_eq!(outcome("edited.mp3"), Undone::KeptEdited);
    assert!(matches!(outcome("missing.mp3"), Undone::Missing(_)));
    assert_eq!(outcome("plain.mp3"), Undone::Restored);
    let other = ground.path("in/taken (2).mp3");
    assert_eq!(outcome("taken.mp3"), Undone::RestoredAs(other.clone()));
    assert_eq!(fs::read(other).unwrap(), b"ID3\x03\0\0\0\0\0\0taken.mp3");
    assert_eq!(fs::read(ground.path("in/taken.mp3")).unwrap(), b"ID3\x03\0\0\0\0\0\0another");
    ground.walk();
    ground.check();
}

#[test]
fn a_single_operation_is_undone_alone() {
    let ground = Ground::new(PLAIN);
    fill(&ground);
    let report = ground.tidy();
    let of_b = |o: &&tidy_core::operation::Operation| {
        o.step.src.as_ref().is_some_and(|s| s.path() == ground.path("in/b.mp3"))
    };
    let op = report.operations.iter().find(of_b).unwrap().id;
    assert!(is_complete(&ground.undo(&Selector::Operation(op))));
    assert!(ground.path("in/b.mp3").exists() && ground.path("in/Documents/a.pdf").exists());
    assert!(is_rolled_back(&ground, "in/b.mp3"));
    assert_eq!(ground.outcome("in/Documents/a.pdf"), Some(OutcomeKind::Filed));
    ground.check();
}

#[derive(Debug, Clone)]
enum Op {
    Put(u8, u8),
    Remove(u8),
    Tidy,
    TidyStale,
    Undo,
    Redo,
}

const FILES: [&str; 6] = ["a.pdf", "sub/a.pdf", "b.mp3", "c.xyzzy", "sub/d.zip", "Documents/a.pdf"];

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        5 => (0..6_u8, 0..3_u8).prop_map(|(f, c)| Op::Put(f, c)),
        1 => (0..6_u8).prop_map(Op::Remove),
        3 => Just(Op::Tidy),
        1 => Just(Op::TidyStale),
        2 => Just(Op::Undo),
        1 => Just(Op::Redo),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever people and we do in turn: after the next walk the catalog is the disk, no content is
    /// ever lost, and filing comes to an end.
    #[test]
    fn the_catalog_is_the_disk(ops in prop::collection::vec(op(), 1..14)) {
        let ground = Ground::new(PLAIN);
        let mut stale = Vec::new();
        for op in ops {
            let before = contents(&ground);
            match op {
                Op::Put(file, content) => {
                    let path = format!("in/{}", FILES[usize::from(file)]);
                    ground.put(path, format!("%PDF-1.4 {content}"));
                }
                Op::Remove(file) => {
                    let path = ground.path(format!("in/{}", FILES[usize::from(file)]));
                    drop(fs::remove_file(path));
                }
                Op::Tidy => {
                    stale = ground.candidates();
                    ground.run(stale.clone());
                    prop_assert_eq!(contents(&ground), before);
                    ground.check();
                }
                Op::TidyStale => {
                    ground.run(stale.clone());
                    prop_assert_eq!(contents(&ground), before);
                }
                Op::Undo => {
                    ground.undo(&Selector::Last(1));
                    prop_assert_eq!(contents(&ground), before);
                }
                Op::Redo => {
                    ground.redo();
                    prop_assert_eq!(contents(&ground), before);
                }
            }
            ground.walk();
            ground.check();
        }
        ground.tidy();
        ground.check();
        let last = ground.tidy();
        prop_assert!(last.operations.is_empty() && last.again.is_empty(), "{:#?}", last);
    }
}

/// All contents there are, sorted: what moves, stays.
fn contents(ground: &Ground) -> Vec<String> {
    let mut all: Vec<String> = ground.files("in").into_values().collect();
    all.sort();
    all
}

#[test]
fn trashed_and_copied_files_come_back_and_go() {
    let ground = Ground::new(
        r#"watch = ["@/in"]
           duplicates = { others = "trash" }
           [[rule]]
           name = "second place"
           when = { name = "*.txt" }
           copy = "{stem}/"
           [[rule]]
           name = "away"
           when = { name = "*.log" }
           trash = true"#,
    );
    ground.put("in/a.txt", "words");
    ground.put("in/b.log", "log");
    ground.put("in/c.pdf", "%PDF-1.4 c");
    ground.put("in/d.pdf", "%PDF-1.4 c");
    let before = ground.files("in");
    ground.tidy();
    assert_eq!(ground.names("in").len(), 3);
    ground.check();
    let undone = ground.undo(&Selector::Last(1));
    assert!(is_complete(&undone), "{:#?}", undone);
    assert_eq!(ground.files("in"), before);
    ground.check();
    assert!(ground.tidy().operations.is_empty());
    assert!(is_complete(&ground.redo()));
    assert_eq!(ground.names("in").len(), 3);
    ground.check();
}
