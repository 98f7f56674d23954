use std::os::unix::fs::symlink;

use tidy_core::operation::OpEvent;

use super::*;
use crate::act::Ways;
use crate::act::testing::{at_points, lacking};

#[test]
fn a_directory_is_made_once() {
    let g = Ground::one();
    let dir = g.dst("new");
    let op = step(StepKind::MakeDir, None, Some(&dir));
    assert_eq!(perform(&op).unwrap().landed, None);
    assert!(dir.path().is_dir());
    let e = perform(&op).unwrap_err();
    assert_eq!((e.code(), e.event()), ("exists", Some(OpEvent::Aborted)));
}

#[test]
fn a_directory_is_not_made_over_or_through_anything() {
    let g = Ground::one();
    let dir = g.dst("new");
    symlink(&*g.from, dir.path()).unwrap();
    let make = |rel: &str| perform(&step(StepKind::MakeDir, None, Some(&g.dst(rel)))).unwrap_err();
    assert_eq!(make("new").code(), "destination-taken");
    assert_eq!(make("new/inner").code(), "not-a-directory");
    assert_eq!(make("missing/inner").code(), "parent-missing");
    assert_eq!(fs::read_dir(&*g.from).unwrap().count(), 0);
}

#[test]
fn only_an_empty_directory_is_removed() {
    let g = Ground::one();
    let dir = g.src("d");
    put(&g.src("d/f"), "x");
    let op = step(StepKind::RemoveDir, Some(&dir), None);
    let e = refused(&g, &op, "directory-not-empty");
    assert_eq!(e.event(), Some(OpEvent::Aborted));
    fs::remove_file(g.src("d/f").path()).unwrap();
    perform(&op).unwrap();
    assert!(!exists(&dir));
    assert_eq!(perform(&op).unwrap_err().code(), "source-gone");
    symlink(&*g.to, dir.path()).unwrap();
    assert_eq!(perform(&op).unwrap_err().code(), "not-a-directory");
    assert!(g.to.is_dir());
}

#[test]
fn recovery_tells_from_the_disk_whether_a_directory_step_happened() {
    let g = Ground::one();
    let dir = g.dst("d");
    let make = step(StepKind::MakeDir, None, Some(&dir));
    let remove = step(StepKind::RemoveDir, Some(&dir), None);
    let done = |r: Recovered| matches!(r, Recovered::Done(_));
    assert!(!done(recover(&make).unwrap()));
    assert!(done(recover(&remove).unwrap()));
    fs::create_dir(dir.path()).unwrap();
    assert!(done(recover(&make).unwrap()));
    assert!(!done(recover(&remove).unwrap()));
    assert!(dir.path().is_dir());
}

/// Another batch, or a person, may have made it and not synced it: its name is durable with the file.
#[test]
fn a_directory_whose_name_may_not_last_is_made_to_last_by_whoever_files_into_it() {
    let g = Ground::one();
    let ways = Ways::default();
    let mut making = Unsynced::new(&ways);
    for dir in ["a", "a/b"] {
        let make = step(StepKind::MakeDir, None, Some(&g.dst(dir)));
        crate::act::perform(&make, &mut making, &mut Log::default()).unwrap();
    }
    let filed = |name: &str| {
        let (src, dst) = (g.src(name), g.dst(format!("a/b/{name}")));
        put(&src, name);
        let mut unsynced = Unsynced::new(&ways);
        let mut then = unsynced_after(&moving(&src, &dst), &mut unsynced);
        unsynced.sync().unwrap();
        then.sort();
        then
    };
    assert_eq!(filed("first"), ["a", "b", "in", "out"], "with the way to it");
    assert_eq!(filed("second"), ["b", "in"], "known to last");
    fs::rename(g.dst("a").path(), g.dst("c").path()).unwrap();
    fs::create_dir_all(g.dst("a/b").path()).unwrap();
    assert_eq!(filed("third"), ["a", "b", "in", "out"], "others under the same names");
    making.sync().unwrap();
}

/// The directories that wait for a sync after an operation.
fn unsynced_after(op: &Operation, unsynced: &mut Unsynced) -> Vec<String> {
    crate::act::perform(op, unsynced, &mut Log::default()).unwrap();
    let name = |p: &Path| p.file_name().unwrap().to_string_lossy().into_owned();
    unsynced.waiting().map(name).collect()
}

#[test]
fn the_way_to_a_copy_lasts_before_its_source_goes() {
    let g = Ground::one();
    let (src, dst) = (g.src("f"), g.dst("a/b/f"));
    put(&src, "f");
    // Made by nobody known.
    fs::create_dir_all(dst.path().parent().unwrap()).unwrap();
    let points = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let seen = points.clone();
    let lacks = Lacks { common_device: true, ..Lacks::default() };
    at_points(
        move |point| seen.borrow_mut().push(point),
        || lacking(lacks, || perform(&moving(&src, &dst))).unwrap(),
    );
    let points = points.borrow();
    let at = |name| points.iter().position(|p| *p == name).unwrap();
    let syncs = points[at("copy.renamed")..at("aside.before-rename")].iter();
    assert_eq!(syncs.filter(|p| **p == "sync.after").count(), 3, "b, a and out: {points:?}");
}
