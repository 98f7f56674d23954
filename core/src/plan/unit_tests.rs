//! Directories that move as one.

use std::path::Path;
use std::sync::Arc;

use super::model::{Model, Node, stat};
use super::tests::{decision, handling, to};
use super::*;
use crate::facts::{Facts, FileType};
use crate::ignore::UnitKind;
use crate::operation::Trigger;
use crate::policy::Conflict;
use crate::rollback::{self, Undone};
use crate::rules::{Action, LeaveReason};

/// A project at `path` with two files in it.
fn project(m: &mut Model, path: &str) -> Facts {
    m.file(&format!("{path}/Cargo.toml"), 5, 1);
    m.file(&format!("{path}/src/main.rs"), 6, 1);
    let own = Stat { file_type: FileType::Directory, ..stat(10_000 + m.units.len() as u64, 60, 1) };
    m.units.insert(path.into(), own);
    let root: Arc<Path> = Path::new("/r").into();
    m.units.insert("/r".into(), Stat { id: stat(9_999, 60, 1).id, ..own });
    Facts::of_unit(path.into(), root, own, UnitKind::Project)
}

fn run(
    m: &mut Model,
    facts: &Facts,
    action: Action,
    conflict: Conflict,
) -> (Planned, Vec<crate::operation::Operation>) {
    let before = m.clone();
    let mut p = Planner::new(&before, Trigger::Once);
    let planned = p.unit(facts, &decision(&[action]), handling(conflict));
    (planned, m.apply(&p.finish()))
}

#[test]
fn a_project_moves_with_all_that_is_in_it_and_comes_back() {
    let mut m = Model::new();
    let facts = project(&mut m, "/r/a/prog");
    let before = m.nodes.clone();
    let (planned, ops) = run(&mut m, &facts, Action::Move(to("Code/")), Conflict::Rename);
    assert!(matches!(planned, Planned::Steps(_)));
    assert!(m.nodes.contains_key(Path::new("/r/Code/prog/src/main.rs")));
    assert!(!m.nodes.contains_key(Path::new("/r/a/prog")));
    let undone = rollback::tests::undo(&mut m, &ops, Trigger::Rollback);
    assert_eq!(undone, [Undone::Restored]);
    assert_eq!(m.nodes, before);
    let undos: Vec<_> = m.log[ops.len()..].iter().filter(|o| o.step.undo).cloned().collect();
    rollback::tests::undo(&mut m, &undos, Trigger::Redo);
    assert!(m.nodes.contains_key(Path::new("/r/Code/prog/src/main.rs")));
}

#[test]
fn moved_twice_it_goes_back_all_the_way_and_a_taken_name_stays() {
    let mut m = Model::new();
    let facts = project(&mut m, "/r/prog");
    let (_, mut ops) = run(&mut m, &facts, Action::Move(to("Code/")), Conflict::Rename);
    let moved = Facts { path: "/r/Code/prog".into(), ..facts };
    ops.extend(run(&mut m, &moved, Action::Move(to("Old/")), Conflict::Rename).1);
    assert!(m.nodes.contains_key(Path::new("/r/Old/prog/Cargo.toml")));
    m.nodes.insert("/r/prog".into(), Node::Dir);
    let undone = rollback::tests::undo(&mut m, &ops, Trigger::Rollback);
    assert_eq!(undone, [Undone::Restored, Undone::RestoredAs("/r/prog (2)".into())]);
    assert!(m.nodes.contains_key(Path::new("/r/prog (2)/src/main.rs")));
}

#[test]
fn nothing_is_replaced_and_no_folder_moves_into_itself_or_across() {
    let refused = |planned: &Planned| match planned {
        Planned::Left(reason, detail) => Some((*reason, detail.clone().unwrap_or_default())),
        Planned::Steps(_) => None,
    };
    for (_, conflict) in Conflict::ALL.iter().filter(|(_, c)| *c != Conflict::Rename) {
        let mut m = Model::new();
        let facts = project(&mut m, "/r/prog");
        m.file("/r/Code/prog/x", 1, 1);
        let (planned, ops) = run(&mut m, &facts, Action::Move(to("Code/")), *conflict);
        assert_eq!(refused(&planned).unwrap().0, LeaveReason::Conflict, "{conflict:?}");
        assert!(ops.is_empty());
    }
    let mut m = Model::new();
    let facts = project(&mut m, "/r/prog");
    let (planned, _) = run(&mut m, &facts, Action::Move(to("prog/inside/")), Conflict::Rename);
    assert!(refused(&planned).unwrap().1.contains("into itself"));
    let (planned, _) = run(&mut m, &facts, Action::Trash, Conflict::Rename);
    assert_eq!(refused(&planned).unwrap().0, LeaveReason::BadDestination);
    let elsewhere = Facts { stat: Stat { dev: 7, ..facts.stat }, ..facts };
    let (planned, _) = run(&mut m, &elsewhere, Action::Move(to("Code/")), Conflict::Rename);
    assert!(refused(&planned).unwrap().1.contains("another file system"));
}

#[test]
fn a_bundle_stays_one_under_its_new_name() {
    let rename = |to_name: &str| {
        let mut m = Model::new();
        let facts = project(&mut m, "/r/Thing.app");
        run(&mut m, &facts, Action::Rename(to(to_name)), Conflict::Rename).0
    };
    assert!(matches!(rename("{stem}.old"), Planned::Left(LeaveReason::BadDestination, _)));
    for kept in ["{stem} 2.app", "{stem} 2"] {
        assert!(matches!(rename(kept), Planned::Steps(_)), "{kept}");
    }
}
