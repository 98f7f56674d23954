use std::collections::BTreeSet;
use std::os::fd::AsFd;

use rustix::fs::XattrFlags;
use tidy_core::plan::Retag;
use tidy_core::tags::ATTRIBUTE;

use super::links::run_to;
use super::*;
use crate::act::testing::{at_points, set_broken};
use crate::act::{CRASH_POINTS, testing};

/// Values before and after; with the first one the file has no attribute.
const CHANGES: [(Option<&str>, Option<&str>); 4] = [
    (None, Some("invoice")),
    (Some("a"), Some("a,invoice")),
    (Some("a,invoice"), Some("a")),
    (Some("invoice"), None),
];

fn value(text: Option<&str>) -> Option<Vec<u8>> {
    text.map(|t| t.as_bytes().to_vec())
}

pub(super) fn tags(place: &Place) -> Option<Vec<u8>> {
    crate::act::tags_of(&fs::File::open(place.path()).unwrap()).unwrap()
}

/// As another program would.
fn tag_by_hand(place: &Place, text: Option<&str>) {
    let file = fs::File::open(place.path()).unwrap();
    match text {
        Some(text) => {
            rustix::fs::fsetxattr(file.as_fd(), ATTRIBUTE, text.as_bytes(), XattrFlags::empty())
                .unwrap();
        }
        // It may have none.
        None => drop(rustix::fs::fremovexattr(file.as_fd(), ATTRIBUTE)),
    }
}

/// A file with these tags; `None` where there can be none.
pub(super) fn ground(before: Option<&str>) -> Option<Ground> {
    let g = Ground::quick();
    put(&g.src("f"), "hello");
    let file = fs::File::open(g.src("f").path()).unwrap();
    if let Err(e) = rustix::fs::fsetxattr(file.as_fd(), ATTRIBUTE, b"x", XattrFlags::empty()) {
        eprintln!("skipped, because this file system has no user attributes: {e}");
        return None;
    }
    tag_by_hand(&g.src("f"), before);
    Some(g)
}

pub(super) fn tagging(place: &Place, before: Option<&str>, after: Option<&str>) -> Operation {
    let mut op = step(StepKind::Tag, Some(place), None);
    let (before, after) = (value(before), value(after));
    op.step.tags = Some(Retag { before, after, along: false, counted: true });
    op
}

#[test]
fn tags_are_set_and_the_file_is_what_it_was() {
    for (before, after) in CHANGES {
        let Some(g) = ground(before) else { return };
        let known = id(&g.src("f"));
        let done = perform(&tagging(&g.src("f"), before, after)).unwrap();
        assert_eq!((done.landed, id(&g.src("f"))), (Some(known), known));
        assert_eq!((tags(&g.src("f")), text(&g.src("f")).as_str()), (value(after), "hello"));
        perform(&tagging(&g.src("f"), after, before)).unwrap();
        assert_eq!(tags(&g.src("f")), value(before));
    }
}

#[test]
fn tags_that_somebody_has_changed_stay_as_they_are() {
    for (before, after) in CHANGES {
        let Some(g) = ground(before) else { return };
        tag_by_hand(&g.src("f"), Some("theirs"));
        refused(&g, &tagging(&g.src("f"), before, after), "tags-changed");
        assert_eq!(tags(&g.src("f")).as_deref(), Some(&b"theirs"[..]));
    }
}

#[test]
fn another_file_gets_no_tags() {
    let Some(g) = ground(None) else { return };
    let op = tagging(&g.src("f"), None, Some("a"));
    put(&g.src("f"), "edited");
    refused(&g, &op, "source-changed");
    fs::remove_file(g.src("f").path()).unwrap();
    refused(&g, &op, "source-gone");
    fs::create_dir(g.src("f").path()).unwrap();
    refused(&g, &op, "not-regular");
}

#[test]
fn a_file_that_is_being_written_gets_no_tags_but_loses_them_in_an_undo() {
    let Some(g) = ground(None) else { return };
    let mut op = tagging(&g.src("f"), None, Some("a"));
    let _writing = writing();
    let writer = fs::File::options().append(true).open(g.src("f").path()).unwrap();
    refused(&g, &op, "still-written");
    op.step.undo = true;
    perform(&op).unwrap();
    drop(writer);
    assert_eq!(tags(&g.src("f")).as_deref(), Some(&b"a"[..]));
}

#[test]
fn too_many_tags_for_the_file_system_are_refused_with_the_reason() {
    let Some(g) = ground(None) else { return };
    // More than Linux allows anywhere.
    let long = "x".repeat(70_000);
    let e = refused(&g, &tagging(&g.src("f"), None, Some(&long)), "no-space");
    assert!(e.to_string().contains(ATTRIBUTE), "{e}");
    assert_eq!(tags(&g.src("f")), None);
}

#[test]
fn a_crash_at_any_point_leaves_the_tags_of_before_or_of_after() {
    let mut reached = BTreeSet::new();
    for (before, after) in CHANGES {
        for &point in CRASH_POINTS {
            let Some(g) = ground(before) else { return };
            let op = tagging(&g.src("f"), before, after);
            let (crashed, passed) = run_to(Some(point), || {
                perform(&op).unwrap();
            });
            reached.extend(passed);
            if !crashed {
                continue;
            }
            let at = format!("{before:?} to {after:?} at {point}");
            let end = recover(&op).expect(&at);
            let expected = match &end {
                Recovered::Done(done) => {
                    assert_eq!(done.landed, Some(id(&g.src("f"))), "{at}");
                    after
                }
                Recovered::Aborted(_) => before,
                Recovered::Lost(why) => panic!("{at}: {why}"),
            };
            assert_eq!(tags(&g.src("f")), value(expected), "{at}");
            assert_eq!(recover(&op).expect(&at), end, "{at}: again");
        }
    }
    assert!(["tag.before-set", "tag.set"].iter().all(|p| reached.contains(p)), "{reached:?}");
}

#[test]
fn recovery_guesses_nothing() {
    let Some(g) = ground(None) else { return };
    let op = tagging(&g.src("f"), None, Some("a"));
    tag_by_hand(&g.src("f"), Some("theirs"));
    assert!(matches!(recover(&op).unwrap(), Recovered::Lost(_)));
    // An edited file is still the one.
    tag_by_hand(&g.src("f"), Some("a"));
    write(&g.src("f"), "edited, and longer");
    assert!(matches!(recover(&op).unwrap(), Recovered::Done(_)));
    fs::remove_file(g.src("f").path()).unwrap();
    assert!(matches!(recover(&op).unwrap(), Recovered::Lost(_)));
    assert!(!exists(&g.src("f")));
}

#[test]
fn a_disk_that_fails_on_the_way_is_told_and_settled_later() {
    for &point in CRASH_POINTS.iter().filter(|p| p.starts_with("tag.")) {
        let Some(g) = ground(None) else { return };
        let op = tagging(&g.src("f"), None, Some("a"));
        let mut unsynced = Unsynced::default();
        let fail = move |at| set_broken(at == point || testing::disk().is_err());
        let result =
            at_points(fail, || crate::act::perform(&op, &mut unsynced, &mut Log::default()));
        set_broken(false);
        let _ = unsynced.sync();
        let end = match result {
            Ok(_) => Recovered::Done(Performed { landed: None, digest: None }),
            Err(e) if e.event().is_some() => Recovered::Aborted(e.to_string()),
            Err(_) => recover(&op).unwrap(),
        };
        let set = tags(&g.src("f")) == value(Some("a"));
        assert_eq!(matches!(end, Recovered::Done(_)), set, "{point}: {end:?}");
    }
}

#[test]
fn tags_travel_to_another_device() {
    let Some(g) = Ground::two() else { return };
    let Some(_) = ground(None) else { return };
    put(&g.src("f"), "hello");
    let file = fs::File::open(g.src("f").path()).unwrap();
    if rustix::fs::fsetxattr(file.as_fd(), ATTRIBUTE, b"a,b", XattrFlags::empty()).is_err() {
        eprintln!("skipped, because this file system has no user attributes");
        return;
    }
    perform(&moving(&g.src("f"), &g.dst("f"))).unwrap();
    assert_eq!(tags(&g.dst("f")).as_deref(), Some(&b"a,b"[..]));
}
