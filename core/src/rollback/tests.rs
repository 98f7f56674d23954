use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::plan::model::{Model, Node};
use crate::plan::tests::{decision, facts, to};
use crate::plan::{Planned, Planner};
use crate::policy::Conflict;
use crate::rules::Action;

fn file(m: &mut Model, path: &str, action: &Action, conflict: Conflict) -> Vec<Operation> {
    let before = m.clone();
    let mut p = Planner::new(&before, Trigger::Watch);
    p.file(&facts(&before, path), &decision(std::slice::from_ref(action)), conflict, None);
    m.apply(&p.finish())
}

/// Undoes `ops` (given oldest first); returns the outcome of every file.
fn undo(m: &mut Model, ops: &[Operation], trigger: Trigger) -> Vec<Undone> {
    let before = m.clone();
    let newest_first: Vec<Operation> = ops.iter().rev().cloned().collect();
    let (plan, undoings) = plan(&newest_first, &before, &before, trigger);
    m.apply(&plan);
    undoings.into_iter().filter(|u| !u.directory).map(|u| u.outcome).collect()
}

fn moved() -> (Model, Vec<Operation>) {
    let mut m = Model::new();
    m.file("/r/x", 7, 7);
    let ops = file(&mut m, "/r/x", &Action::Move(to("d/e/")), Conflict::Rename);
    (m, ops)
}

#[test]
fn a_move_and_the_directories_made_for_it_are_taken_back() {
    let (mut m, ops) = moved();
    assert_eq!(undo(&mut m, &ops, Trigger::Rollback), [Undone::Restored]);
    assert!(m.nodes.contains_key(Path::new("/r/x")));
    assert!(!m.nodes.contains_key(Path::new("/r/d")));
}

#[test]
fn a_directory_goes_although_an_earlier_operation_used_it() {
    // Two batches run beside each other: the one with the higher numbers made the directory first.
    let mut m = Model::new();
    m.file("/r/x", 1, 1);
    m.file("/r/y", 1, 1);
    let mut ops = file(&mut m, "/r/x", &Action::Move(to("d/e/")), Conflict::Rename);
    ops.extend(file(&mut m, "/r/y", &Action::Move(to("d/e/")), Conflict::Rename));
    ops.rotate_right(1);
    assert_eq!(undo(&mut m, &ops, Trigger::Rollback), [Undone::Restored, Undone::Restored]);
    assert!(!m.nodes.contains_key(Path::new("/r/d")));
}

#[test]
fn a_directory_that_is_used_by_now_stays() {
    let (mut m, ops) = moved();
    m.file("/r/d/mine", 1, 1);
    undo(&mut m, &ops, Trigger::Rollback);
    assert!(m.nodes.contains_key(Path::new("/r/d/mine")));
    assert!(!m.nodes.contains_key(Path::new("/r/d/e")));
}

#[test]
fn outcomes() {
    // An occupied name is not touched.
    let (mut m, ops) = moved();
    m.file("/r/x", 1, 1);
    assert_eq!(undo(&mut m, &ops, Trigger::Rollback), [Undone::RestoredAs("/r/x (2)".into())]);

    // Edited: same file, other content.
    let (mut m, ops) = moved();
    let Some(Node::File(stat)) = m.nodes.get_mut(Path::new("/r/d/e/x")) else { panic!() };
    stat.id.size = 99;
    assert_eq!(undo(&mut m, &ops, Trigger::Rollback), [Undone::KeptEdited]);
    assert_eq!(m.files()[Path::new("/r/x")].id.size, 99);

    // Deleted, or replaced by another file of the same name.
    for put_another in [false, true] {
        let (mut m, ops) = moved();
        m.nodes.remove(Path::new("/r/d/e/x"));
        if put_another {
            m.file("/r/d/e/x", 7, 7);
        }
        let before = m.files();
        assert_eq!(undo(&mut m, &ops, Trigger::Rollback), [Undone::Missing]);
        assert_eq!(m.files(), before);
    }

    // Trashed, and the trash emptied.
    let mut m = Model::new();
    m.file("/r/x", 1, 1);
    let ops = file(&mut m, "/r/x", &Action::Trash, Conflict::Rename);
    m.nodes.remove(Path::new("/trash/files/x"));
    assert_eq!(undo(&mut m, &ops, Trigger::Rollback), [Undone::Irrecoverable]);

    // The way back leads through something that is no directory.
    let mut m = Model::new();
    m.file("/r/sub/x", 1, 1);
    let ops = file(&mut m, "/r/sub/x", &Action::Move(to("d/")), Conflict::Rename);
    m.nodes.insert("/r/sub".into(), Node::Link);
    assert!(matches!(undo(&mut m, &ops, Trigger::Rollback)[..], [Undone::Error(_)]));
}

#[test]
fn a_file_that_was_moved_on_is_followed() {
    let (mut m, first) = moved();
    let on = file(&mut m, "/r/d/e/x", &Action::Move(to("far/")), Conflict::Rename);
    let last = file(&mut m, "/r/far/x", &Action::Trash, Conflict::Rename);
    assert_eq!((on.len(), last.len()), (2, 1));
    assert_eq!(undo(&mut m, &first, Trigger::Rollback), [Undone::Restored]);
    assert_eq!(m.files().keys().collect::<Vec<_>>(), [Path::new("/r/x")]);
}

#[test]
fn a_file_that_is_further_back_already_stays_there() {
    let (mut m, first) = moved();
    let on = file(&mut m, "/r/d/e/x", &Action::Move(to("far/")), Conflict::Rename);
    // Only the older operation is undone, from where the newer one took the file.
    assert_eq!(undo(&mut m, &first, Trigger::Rollback), [Undone::Restored]);
    assert_eq!(undo(&mut m, &on, Trigger::Rollback), [Undone::Restored]);
    assert_eq!(m.files().keys().collect::<Vec<_>>(), [Path::new("/r/x")]);
}

#[test]
fn a_file_that_is_back_by_another_way_stays_under_its_name() {
    let (mut m, first) = moved();
    // The person had it moved back by another operation before undoing the first.
    let back = file(&mut m, "/r/d/e/x", &Action::Move(to("{stem}")), Conflict::Rename);
    assert_eq!(back.last().unwrap().step.dst.as_ref().unwrap().path(), Path::new("/r/x"));
    assert_eq!(undo(&mut m, &first, Trigger::Rollback), [Undone::Restored]);
    assert!(m.nodes.contains_key(Path::new("/r/x")));
    assert_eq!(m.files().len(), 1);
}

#[test]
fn parents_that_are_gone_are_made_again() {
    let mut m = Model::new();
    m.file("/r/sub/deep/x", 1, 1);
    let ops = file(&mut m, "/r/sub/deep/x", &Action::Move(to("d/")), Conflict::Rename);
    m.nodes.remove(Path::new("/r/sub/deep"));
    m.nodes.remove(Path::new("/r/sub"));
    assert_eq!(undo(&mut m, &ops, Trigger::Rollback), [Undone::Restored]);
    assert!(m.nodes.contains_key(Path::new("/r/sub/deep/x")));
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => prop::sample::select(vec!["d/", "e/f/", "{parent|'top'}/", "{stem}-{size}"])
            .prop_map(|t| Action::Move(to(t))),
        1 => Just(Action::Copy(to("copies/"))),
        1 => Just(Action::Trash),
    ]
}

fn conflict() -> impl Strategy<Value = Conflict> {
    prop::sample::select(Conflict::ALL.iter().map(|c| c.1).collect::<Vec<_>>())
}

proptest! {
    /// Whatever was filed in however many batches: undoing everything gives the tree back, redoing
    /// gives the filed tree again, and on the way no step meets a taken name or another file (the
    /// model panics then). Nothing is ever lost.
    #[test]
    fn undo_restores_and_redo_repeats(
        files in prop::collection::btree_map("(a|b|d|e/f)/[xy]{1,2}|[xyz]", (0u64..3, 0i64..3), 1..10),
        batches in prop::collection::vec((prop::collection::vec((any::<prop::sample::Index>(), action()), 1..6), conflict()), 1..4),
    ) {
        let mut m = Model::new();
        for (path, (size, mtime)) in &files {
            m.file(&format!("/r/{path}"), *size, *mtime);
        }
        let before = m.nodes.clone();
        let contents = |m: &Model| m.files().len();
        let n = contents(&m);
        let mut ops = Vec::new();
        for (batch, conflict) in batches {
            let world = m.clone();
            let mut planner = Planner::new(&world, Trigger::Watch);
            let mut taken = std::collections::BTreeSet::new();
            let candidates: Vec<_> = world.files().into_keys().filter(|p| p.starts_with("/r")).collect();
            for (which, action) in batch {
                if candidates.is_empty() {
                    continue;
                }
                let path = which.get(&candidates);
                // One decision a file and batch, as the pipeline does it.
                if !taken.insert(path.clone()) {
                    continue;
                }
                let planned = planner.file(
                    &facts(&world, path.to_str().unwrap()), &decision(&[action]), conflict, None);
                let _: Planned = planned;
            }
            ops.extend(m.apply(&planner.finish()));
        }
        let copies = ops.iter().filter(|o| o.step.kind == StepKind::Copy).count();
        prop_assert_eq!(contents(&m), n + copies, "files were lost or invented");
        let filed = m.nodes.clone();

        let undone = undo(&mut m, &ops, Trigger::Rollback);
        prop_assert!(undone.iter().all(|u| *u == Undone::Restored), "{:?}", undone);
        let back: std::collections::BTreeMap<_, _> = m.nodes.iter()
            .filter(|(p, _)| !p.starts_with("/trash")).map(|(p, n)| (p.clone(), n.clone())).collect();
        let expected: std::collections::BTreeMap<_, _> = before.into_iter()
            .filter(|(p, _)| !p.starts_with("/trash")).collect();
        prop_assert_eq!(back, expected);

        let undos: Vec<Operation> = m.log[ops.len()..].iter()
            .filter(|o| o.state == crate::operation::OpState::Done).cloned().collect();
        let redone = undo(&mut m, &undos, Trigger::Redo);
        prop_assert!(redone.iter().all(Undone::is_back), "{:?}", redone);
        let shape = |nodes: &std::collections::BTreeMap<PathBuf, Node>| -> Vec<PathBuf> {
            nodes.iter().filter(|(p, _)| !p.starts_with("/trash")).map(|(p, _)| p.clone()).collect()
        };
        prop_assert_eq!(shape(&m.nodes), shape(&filed));
    }
}
