use std::os::unix::fs::symlink;

use tidy_core::operation::OpEvent;

use super::*;

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
