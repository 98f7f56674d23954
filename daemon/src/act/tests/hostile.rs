//! Others act between our look and our step.

use std::sync::Mutex;

use tidy_core::operation::OpEvent;

use super::*;
use crate::act::testing::{at_points, lacking};

const LINKING: Lacks = Lacks { no_replace: true, links: false, common_device: false };
const ACROSS: Lacks = Lacks { no_replace: false, links: false, common_device: true };

/// Performs while `mischief` is done, once, at the point `at`.
fn disturbed(
    op: &Operation,
    lacks: Lacks,
    at: &'static str,
    mischief: impl FnOnce() + 'static,
) -> Result<Performed, ActError> {
    let mut mischief = Some(mischief);
    let done = Arc::new(Mutex::new(false));
    let seen = done.clone();
    let hook = move |point| {
        if point == at
            && let Some(mischief) = mischief.take()
        {
            *seen.lock().unwrap() = true;
            mischief();
        }
    };
    let result = lacking(lacks, || at_points(hook, || perform(op)));
    assert!(*done.lock().unwrap(), "{at} was not reached");
    result
}

/// Another program replaces the file by a new one, as editors do when they save.
fn replace(place: &Place) -> impl FnOnce() + 'static {
    let place = place.clone();
    move || {
        let new = place.path().with_extension("new");
        fs::write(&new, "replaced").unwrap();
        fs::rename(new, place.path()).unwrap();
    }
}

fn overwrite(place: &Place, content: &'static str) -> impl FnOnce() + 'static {
    let place = place.clone();
    move || write(&place, content)
}

#[test]
fn a_file_that_takes_the_sources_place_is_put_back() {
    for lacks in [Lacks::default(), LINKING] {
        let g = Ground::one();
        let (src, dst) = (g.src("f"), g.dst("f"));
        put(&src, "hello");
        let e = disturbed(&moving(&src, &dst), lacks, "move.before-rename", replace(&src));
        assert_eq!(e.unwrap_err().code(), "source-changed");
        assert_eq!(text(&src), "replaced");
        assert!(!exists(&dst));
        assert_eq!(g.leftovers(), Vec::<PathBuf>::new());
    }
}

#[test]
fn what_is_no_file_and_takes_the_sources_place_is_put_back_unopened() {
    use std::os::unix::fs::FileTypeExt;
    for kind in ["symlink", "pipe"] {
        for lacks in [Lacks::default(), LINKING, ACROSS] {
            let g = Ground::one();
            let (src, dst, victim) = (g.src("f"), g.dst("f"), g.src("victim"));
            put(&src, "hello");
            put(&victim, "secret");
            let (path, target) = (src.path(), victim.path());
            let swap = move || {
                fs::rename(&path, path.with_extension("old")).unwrap();
                match kind {
                    "symlink" => std::os::unix::fs::symlink(target, &path).unwrap(),
                    _ => rustix::fs::mknodat(
                        rustix::fs::CWD,
                        &path,
                        rustix::fs::FileType::Fifo,
                        0o600.into(),
                        0,
                    )
                    .unwrap(),
                }
            };
            let at = if lacks.common_device { "copy.before-rename" } else { "move.before-rename" };
            let e = disturbed(&moving(&src, &dst), lacks, at, swap).unwrap_err();
            assert!(matches!(e.code(), "source-changed" | "not-regular"), "{kind}: {e}");
            let now = fs::symlink_metadata(src.path()).unwrap().file_type();
            assert!(now.is_symlink() || now.is_fifo(), "{kind}: it is where it was put");
            assert!(!exists(&dst) && text(&victim) == "secret", "{kind}");
            assert_eq!(g.leftovers(), Vec::<PathBuf>::new());
        }
    }
}

#[test]
fn a_file_that_cannot_be_put_back_is_named() {
    let g = Ground::one();
    let (src, dst) = (g.src("f"), g.dst("f"));
    put(&src, "hello");
    let again = src.clone();
    let mut first = Some(replace(&src));
    let hook = move |point| match point {
        "move.before-rename" => first.take().unwrap()(),
        "move.before-put-back" => fs::write(again.path(), "third").unwrap(),
        _ => {}
    };
    let e = at_points(hook, || perform(&moving(&src, &dst))).unwrap_err();
    assert!(matches!(&e, ActError::Displaced { at, .. } if *at == dst.path()), "{e}");
    assert_eq!((text(&src).as_str(), text(&dst).as_str()), ("third", "replaced"));
}

#[test]
fn a_destination_that_appears_at_the_last_moment_stays() {
    for (lacks, at) in [
        (Lacks::default(), "move.before-rename"),
        (LINKING, "rename.before-link"),
        (ACROSS, "copy.written"),
        (ACROSS, "copy.before-rename"),
        (Lacks { no_replace: true, ..ACROSS }, "rename.before-link"),
    ] {
        let g = Ground::one();
        let (src, dst) = (g.src("f"), g.dst("f"));
        put(&src, "mine");
        let e = disturbed(&moving(&src, &dst), lacks, at, overwrite(&dst, "theirs"));
        assert_eq!(e.unwrap_err().code(), "destination-taken", "{at}");
        assert_eq!((text(&src).as_str(), text(&dst).as_str()), ("mine", "theirs"));
        assert_eq!(g.leftovers(), Vec::<PathBuf>::new());
    }
}

#[test]
fn a_source_that_is_edited_or_replaced_during_a_copy_stays_and_the_copy_goes() {
    let points = [
        "copy.created",
        "copy.written",
        "copy.synced",
        "copy.before-verified",
        "copy.before-rename",
        "copy.renamed",
        "copy.directory-synced",
        "aside.before-rename",
    ];
    for at in points {
        for edit in [false, true] {
            let g = Ground::one();
            let (src, dst) = (g.src("f"), g.dst("f"));
            put(&src, "hello");
            let op = moving(&src, &dst);
            let (result, now) = if edit {
                (disturbed(&op, ACROSS, at, overwrite(&src, "edited")), "edited")
            } else {
                (disturbed(&op, ACROSS, at, replace(&src)), "replaced")
            };
            assert_eq!(result.unwrap_err().code(), "source-changed", "{at}");
            assert_eq!(text(&src), now, "{at}");
            assert!(!exists(&dst), "{at}");
            assert_eq!(g.leftovers(), Vec::<PathBuf>::new());
        }
    }
}

#[test]
fn an_edit_that_sets_the_time_back_is_seen_by_the_change_time() {
    let g = Ground::one();
    let (src, dst) = (g.src("f"), g.dst("f"));
    put(&src, "hello");
    let place = src.clone();
    let sly = move || {
        fs::write(place.path(), "HELLO").unwrap();
        age(&place);
    };
    let e = disturbed(&moving(&src, &dst), ACROSS, "copy.written", sly);
    assert_eq!(e.unwrap_err().code(), "source-changed");
    assert_eq!(text(&src), "HELLO");
}

#[test]
fn a_copy_that_somebody_changes_is_not_taken_for_ours() {
    let g = Ground::one();
    let (src, dst) = (g.src("f"), g.dst("f"));
    put(&src, "hello");
    let e = disturbed(&moving(&src, &dst), ACROSS, "copy.renamed", overwrite(&dst, "theirs"));
    assert_eq!(e.unwrap_err().code(), "copy-changed");
    assert_eq!((text(&src).as_str(), text(&dst).as_str()), ("hello", "theirs"));
}

#[test]
fn a_new_file_under_the_sources_name_survives_the_unlink() {
    // Where a link and an unlink stand for the rename, the name can change hands between the two.
    let g = Ground::one();
    let (src, dst) = (g.src("f"), g.dst("f"));
    put(&src, "hello");
    let done = disturbed(&moving(&src, &dst), LINKING, "rename.linked", replace(&src)).unwrap();
    assert_eq!(done.landed, Some(id(&dst)));
    assert_eq!((text(&src).as_str(), text(&dst).as_str()), ("replaced", "hello"));
    assert_eq!(g.leftovers(), Vec::<PathBuf>::new());
}

#[test]
fn directories_swapped_for_symlinks_in_mid_step_lead_nowhere() {
    for (lacks, at) in [(Lacks::default(), "move.before-rename"), (ACROSS, "copy.created")] {
        let g = Ground::one();
        let (src, dst) = (g.src("f"), g.dst("sub/f"));
        put(&src, "hello");
        let (dir, trap) = (g.to.join("sub"), g.to.join("trap"));
        fs::create_dir(&dir).unwrap();
        fs::create_dir(&trap).unwrap();
        let (real, into) = (g.to.join("real"), trap.clone());
        let swap = move || {
            fs::rename(&dir, &real).unwrap();
            std::os::unix::fs::symlink(&into, &dir).unwrap();
        };
        disturbed(&moving(&src, &dst), lacks, at, swap).unwrap();
        assert_eq!(fs::read_dir(trap).unwrap().count(), 0);
        assert_eq!(fs::read_to_string(g.to.join("real/f")).unwrap(), "hello");
    }
}

#[test]
fn a_file_that_is_open_for_writing_stays() {
    use tidy_core::settle::{Probe, Writers};
    let g = Ground::one();
    let (src, dst) = (g.src("f"), g.dst("f"));
    put(&src, "hello");
    crate::scan::ignore_sigio().unwrap();
    if !matches!(crate::scan::probe(&src), Probe::Seen(_, Writers::Nobody)) {
        eprintln!("skipped, because the file system here has no leases");
        return;
    }
    let mut op = moving(&src, &dst);
    let writer = fs::File::options().append(true).open(src.path()).unwrap();
    refused(&g, &op, "still-written");
    lacking(ACROSS, || refused(&g, &op, "still-written"));
    // A rollback by rename takes nothing from the writer; one across devices would.
    op.step.undo = true;
    lacking(ACROSS, || refused(&g, &op, "still-written"));
    drop(writer);

    // Somebody opens it when the copy is complete, and writes only later.
    let kept = std::rc::Rc::new(std::cell::Cell::new(None));
    let (open, place) = (kept.clone(), src.clone());
    let late = move || open.set(fs::File::options().append(true).open(place.path()).ok());
    let e = disturbed(&op, ACROSS, "copy.directory-synced", late).unwrap_err();
    assert_eq!((e.code(), e.event()), ("still-written", Some(OpEvent::Aborted)));
    assert!(exists(&src) && !exists(&dst));
    drop(kept);
    perform(&op).unwrap();
}
