use std::os::unix::fs::{MetadataExt, symlink};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::*;
use crate::act::CRASH_POINTS;
use crate::act::testing::{at_points, lacking};

const KINDS: [StepKind; 4] =
    [StepKind::HardLink, StepKind::Symlink, StepKind::Unlink, StepKind::Unlink];

fn links(g: &Ground) -> u64 {
    fs::metadata(g.src("f").path()).unwrap().nlink()
}

/// A step that takes away the link at `dst`.
fn unlinking(g: &Ground) -> Operation {
    let mut op = step(StepKind::Unlink, Some(&g.dst("f")), None);
    op.step.twin = Some(Twin { path: g.src("f").path(), id: id(&g.src("f")) });
    op
}

fn make(g: &Ground, kind: StepKind) -> Performed {
    perform(&step(kind, Some(&g.src("f")), Some(&g.dst("f")))).unwrap()
}

fn ground() -> Ground {
    let g = Ground::quick();
    put(&g.src("f"), "hello");
    g
}

#[test]
fn a_hard_link_is_another_name_of_the_file_and_goes_again() {
    let g = ground();
    let done = make(&g, StepKind::HardLink);
    assert_eq!(done.landed, Some(id(&g.src("f"))));
    assert_eq!((id(&g.dst("f")), links(&g)), (id(&g.src("f")), 2));
    perform(&unlinking(&g)).unwrap();
    assert_eq!((exists(&g.dst("f")), links(&g), text(&g.src("f")).as_str()), (false, 1, "hello"));
}

#[test]
fn a_symbolic_link_names_the_file_and_goes_again() {
    let g = ground();
    let done = make(&g, StepKind::Symlink);
    assert_eq!(done.landed, Some(id(&g.dst("f"))));
    assert_eq!(fs::read_link(g.dst("f").path()).unwrap(), g.src("f").path());
    perform(&unlinking(&g)).unwrap();
    assert_eq!((exists(&g.dst("f")), text(&g.src("f")).as_str()), (false, "hello"));
}

#[test]
fn no_link_replaces_anything() {
    for kind in [StepKind::HardLink, StepKind::Symlink, StepKind::Reflink] {
        let g = ground();
        put(&g.dst("f"), "theirs");
        refused(&g, &step(kind, Some(&g.src("f")), Some(&g.dst("f"))), "destination-taken");
        assert_eq!(links(&g), 1);
    }
}

#[test]
fn a_hard_link_stays_when_its_content_would_go_with_it() {
    let g = ground();
    make(&g, StepKind::HardLink);
    let op = unlinking(&g);
    // The first name is gone, or stands for another file.
    fs::remove_file(g.src("f").path()).unwrap();
    refused(&g, &op, "twin-changed");
    put(&g.src("f"), "hello");
    refused(&g, &op, "twin-changed");
    assert_eq!(text(&g.dst("f")), "hello");

    // The link is its own twin.
    let mut own = step(StepKind::Unlink, Some(&g.dst("f")), None);
    own.step.twin = Some(Twin { path: g.dst("f").path(), id: id(&g.dst("f")) });
    refused(&g, &own, "twin-changed");
}

#[test]
fn a_symbolic_link_of_somebody_else_stays() {
    let g = ground();
    make(&g, StepKind::Symlink);
    let op = unlinking(&g);
    fs::remove_file(g.dst("f").path()).unwrap();
    symlink("/elsewhere", g.dst("f").path()).unwrap();
    refused(&g, &op, "source-changed");
    refused(&g, &unlinking(&g), "twin-changed");
}

#[test]
fn a_hard_link_to_another_device_is_refused_with_the_reason() {
    let Some(g) = Ground::two() else { return };
    put(&g.src("f"), "hello");
    for kind in [StepKind::HardLink, StepKind::Reflink] {
        let e = refused(&g, &step(kind, Some(&g.src("f")), Some(&g.dst("f"))), "no-such-link");
        assert!(e.to_string().contains("file system"), "{e}");
    }
}

struct Crash;

/// The points that `f` passes, until the `n`-th is `stop` and ends it.
pub(super) fn run_to(stop: Option<&'static str>, f: impl FnOnce()) -> (bool, Vec<&'static str>) {
    let passed = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let seen = passed.clone();
    let hook = move |at| {
        seen.borrow_mut().push(at);
        if stop == Some(at) {
            resume_unwind(Box::new(Crash));
        }
    };
    let crashed = match catch_unwind(AssertUnwindSafe(|| at_points(hook, f))) {
        Ok(()) => false,
        Err(payload) if payload.is::<Crash>() => true,
        Err(payload) => resume_unwind(payload),
    };
    let passed = passed.borrow().clone();
    (crashed, passed)
}

fn set_up(kind: StepKind, symbolic: bool) -> (Ground, Operation) {
    let g = ground();
    let op = if kind == StepKind::Unlink {
        make(&g, if symbolic { StepKind::Symlink } else { StepKind::HardLink });
        unlinking(&g)
    } else {
        step(kind, Some(&g.src("f")), Some(&g.dst("f")))
    };
    (g, op)
}

#[test]
fn a_crash_at_any_point_leaves_the_file_and_a_link_that_is_there_or_not() {
    let (mut crashes, mut reached) = (0, std::collections::BTreeSet::new());
    for lacks in [Lacks::default(), Lacks { no_replace: true, ..Lacks::default() }] {
        for (i, kind) in KINDS.into_iter().enumerate() {
            for &point in CRASH_POINTS {
                let (g, op) = set_up(kind, i == 3);
                let (crashed, passed) = run_to(Some(point), || {
                    lacking(lacks, || perform(&op)).unwrap();
                });
                reached.extend(passed);
                if !crashed {
                    continue;
                }
                crashes += 1;
                let at = format!("{kind:?} {i} at {point}");
                let end = lacking(lacks, || recover(&op)).expect(&at);
                assert_eq!(lacking(lacks, || recover(&op)).expect(&at), end, "{at}: again");
                assert_eq!(text(&g.src("f")), "hello", "{at}");
                let done = matches!(end, Recovered::Done(_));
                assert!(done || matches!(end, Recovered::Aborted(_)), "{at}: {end:?}");
                assert_eq!(
                    exists(&g.dst("f")),
                    done == (kind != StepKind::Unlink),
                    "{at}: {end:?}"
                );
                assert_eq!(g.leftovers(), Vec::<PathBuf>::new(), "{at}");
            }
        }
    }
    assert!(crashes > 20, "only {crashes}");
    let of_links: Vec<_> = CRASH_POINTS.iter().filter(|p| p.starts_with("link.")).collect();
    assert!(of_links.iter().all(|p| reached.contains(*p)), "{reached:?}");
}
