//! Whole directories, and companions of files that went before.

use tidy_core::plan::Twin;

use super::links::run_to;
use super::*;
use crate::act::CRASH_POINTS;

fn ground() -> (Ground, Operation) {
    let g = Ground::quick();
    put(&g.src("unit/a"), "hello");
    put(&g.src("unit/deep/b"), "there");
    let op = step(StepKind::MoveDir, Some(&g.src("unit")), Some(&g.dst("unit")));
    (g, op)
}

#[test]
fn a_directory_goes_with_all_that_is_in_it() {
    let (g, op) = ground();
    let done = perform(&op).unwrap();
    assert_eq!(done.landed, Some(id(&g.dst("unit"))));
    assert_eq!(
        (text(&g.dst("unit/a")), text(&g.dst("unit/deep/b"))),
        ("hello".into(), "there".into())
    );
    assert!(!exists(&g.src("unit")));
}

#[test]
fn nothing_is_replaced_and_nothing_in_use_is_moved() {
    let (g, op) = ground();
    fs::create_dir(g.dst("unit").path()).unwrap();
    refused(&g, &op, "destination-taken");
    fs::remove_dir(g.dst("unit").path()).unwrap();

    let writing = fs::File::options().append(true).open(g.src("unit/deep/b").path()).unwrap();
    refused(&g, &op, "still-written");
    // What a person asks to have back comes back at once.
    let mut undo = op.clone();
    undo.step.undo = true;
    perform(&undo).unwrap();
    drop(writing);

    let (g, op) = ground();
    write(&g.src("unit/new"), "more");
    refused(&g, &op, "source-changed");
    let (g, op) = ground();
    fs::remove_dir_all(g.src("unit").path()).unwrap();
    put(&g.src("unit"), "a file");
    refused(&g, &op, "not-a-directory");
}

#[test]
fn a_crash_leaves_it_whole_at_one_end() {
    let points = CRASH_POINTS.iter().filter(|p| p.starts_with("unit."));
    for &point in points {
        let (g, op) = ground();
        let (crashed, _) = run_to(Some(point), || drop(perform(&op)));
        assert!(crashed, "{point}");
        let end = recover(&op).unwrap();
        assert_eq!(recover(&op).unwrap(), end, "{point}: again");
        let done = matches!(end, Recovered::Done(_));
        assert_eq!(done, point == "unit.renamed", "{point}: {end:?}");
        let at = if done { g.dst("unit/deep/b") } else { g.src("unit/deep/b") };
        assert_eq!(text(&at), "there", "{point}");
        assert_ne!(exists(&g.src("unit")), exists(&g.dst("unit")), "{point}");
    }
    let (g, op) = ground();
    fs::rename(g.src("unit").path(), g.src("elsewhere").path()).unwrap();
    assert!(matches!(recover(&op).unwrap(), Recovered::Lost(_)));
}

#[test]
fn a_companion_goes_only_after_its_file() {
    let g = Ground::quick();
    put(&g.src("a.jpg"), "picture");
    put(&g.src("a.xmp"), "edits");
    let mut op = step(StepKind::Move, Some(&g.src("a.xmp")), Some(&g.dst("a.xmp")));
    op.step.follows = Some(Twin { path: g.dst("a.jpg").path(), id: id(&g.src("a.jpg")) });
    refused(&g, &op, "not-followed");
    put(&g.dst("a.jpg"), "another picture");
    refused(&g, &op, "not-followed");
    fs::remove_file(g.dst("a.jpg").path()).unwrap();
    perform(&moving(&g.src("a.jpg"), &g.dst("a.jpg"))).unwrap();
    perform(&op).unwrap();
    assert_eq!(text(&g.dst("a.xmp")), "edits");
}
