use std::ffi::OsStr;
use std::os::unix::fs::symlink;

use tidy_core::operation::OpEvent;

use super::*;
use crate::act::testing::lacking;

const WITHOUT_NOREPLACE: Lacks = Lacks { no_replace: true, links: false, common_device: false };
const WITHOUT_LINKS: Lacks = Lacks { no_replace: true, links: true, common_device: false };

#[test]
fn a_move_keeps_the_file_and_waits_for_both_directories() {
    for lacks in [Lacks::default(), WITHOUT_NOREPLACE] {
        let g = Ground::one();
        let (src, dst) = (g.src("a/f"), g.dst("f"));
        put(&src, "hello");
        let before = id(&src);
        let mut unsynced = Unsynced::default();
        let op = moving(&src, &dst);
        let done = lacking(lacks, || {
            crate::act::perform(&op, &mut unsynced, &mut Log::default()).unwrap()
        });
        assert_eq!(done.landed, Some(before));
        assert_eq!(unsynced.len(), 2);
        unsynced.sync().unwrap();
        assert_eq!(unsynced.len(), 0);
        assert!(!exists(&src));
        assert_eq!((text(&dst).as_str(), id(&dst)), ("hello", before));
        assert_eq!(g.leftovers(), Vec::<PathBuf>::new());
    }
}

#[test]
fn one_directory_is_synced_once_and_the_number_held_open_is_bounded() {
    let g = Ground::one();
    let mut unsynced = Unsynced::default();
    for i in 0..600 {
        let (src, dst) = (g.src(format!("f{i}")), g.dst(format!("d{i}/f")));
        put(&src, "x");
        fs::create_dir(dst.path().parent().unwrap()).unwrap();
        let op = moving(&src, &dst);
        crate::act::perform(&op, &mut unsynced, &mut Log::default()).unwrap();
        assert!(unsynced.len() <= 256);
    }
    unsynced.sync().unwrap();
    assert_eq!(unsynced.len(), 0);
}

/// The directories of one step are at hand for the next one, as long as their paths lead to them.
#[test]
fn a_directory_that_was_swapped_between_two_steps_is_another_one() {
    let g = Ground::one();
    let mut unsynced = Unsynced::default();
    let mut go = |name: &str| {
        let op = moving(&g.src(format!("from/{name}")), &g.dst(format!("to/{name}")));
        crate::act::perform(&op, &mut unsynced, &mut Log::default())
    };
    for name in ["a", "b", "c", "d"] {
        put(&g.src(format!("from/{name}")), name);
    }
    fs::create_dir(g.to.join("to")).unwrap();
    go("a").unwrap();
    // Another directory has the destination's name now: it is that one which is meant.
    fs::rename(g.to.join("to"), g.to.join("before")).unwrap();
    fs::create_dir(g.to.join("to")).unwrap();
    go("b").unwrap();
    assert!(exists(&g.dst("to/b")) && exists(&g.dst("before/a")) && !exists(&g.dst("before/b")));
    // A symlink has it, though it leads to the very directory.
    fs::rename(g.to.join("to"), g.to.join("real")).unwrap();
    symlink("real", g.to.join("to")).unwrap();
    assert_eq!(go("c").unwrap_err().code(), "not-a-directory");
    fs::remove_file(g.to.join("to")).unwrap();
    assert_eq!(go("c").unwrap_err().code(), "parent-missing");
    fs::rename(g.to.join("real"), g.to.join("to")).unwrap();
    go("c").unwrap();
    // The same of the source.
    let op = moving(&g.src("from/d"), &g.dst("to/d"));
    fs::rename(g.from.join("from"), g.from.join("elsewhere")).unwrap();
    let gone = crate::act::perform(&op, &mut unsynced, &mut Log::default());
    assert_eq!(gone.unwrap_err().code(), "source-gone");
    assert!(exists(&g.src("elsewhere/d")));
    unsynced.sync().unwrap();
}

#[test]
fn names_are_bytes() {
    let long = "x".repeat(255);
    let names: [&[u8]; 5] =
        [b"caf\xe9\xff", long.as_bytes(), b"two\nlines \x1b[31m", b"-rf", b"..."];
    for lacks in [Lacks::default(), Lacks { common_device: true, ..Lacks::default() }] {
        for name in names {
            let g = Ground::one();
            let (src, dst) = (g.src(OsStr::from_bytes(name)), g.dst(OsStr::from_bytes(name)));
            put(&src, "content");
            lacking(lacks, || perform(&moving(&src, &dst))).unwrap();
            assert_eq!(text(&dst), "content");
            assert!(!exists(&src));
        }
    }
}

#[test]
fn what_is_at_the_destination_is_never_replaced() {
    let all = [
        Lacks::default(),
        WITHOUT_NOREPLACE,
        Lacks { common_device: true, ..Lacks::default() },
        Lacks { common_device: true, ..WITHOUT_NOREPLACE },
    ];
    for lacks in all {
        let g = Ground::one();
        let (src, dst) = (g.src("f"), g.dst("f"));
        put(&src, "mine");
        put(&dst, "theirs");
        let e = lacking(lacks, || refused(&g, &moving(&src, &dst), "destination-taken"));
        assert!(matches!(&e, ActError::DestinationTaken { path } if *path == dst.path()));
        assert_eq!(e.event(), Some(OpEvent::Aborted));

        // Not even a symlink that leads nowhere, a directory, or the file itself.
        fs::remove_file(dst.path()).unwrap();
        symlink("/nowhere", dst.path()).unwrap();
        lacking(lacks, || refused(&g, &moving(&src, &dst), "destination-taken"));
        fs::remove_file(dst.path()).unwrap();
        fs::create_dir(dst.path()).unwrap();
        lacking(lacks, || refused(&g, &moving(&src, &dst), "destination-taken"));
        lacking(lacks, || refused(&g, &moving(&src, &src), "destination-taken"));
        assert_eq!(text(&src), "mine");
    }
}

#[test]
fn another_hard_link_at_the_destination_is_a_taken_name_not_another_spelling() {
    let g = Ground::one();
    let (src, dst) = (g.src("photo.JPG"), g.src("photo.jpg"));
    put(&src, "x");
    fs::hard_link(src.path(), dst.path()).unwrap();
    refused(&g, &moving(&src, &dst), "destination-taken");
    assert!(exists(&src) && exists(&dst));
}

#[test]
fn a_file_system_without_any_safe_rename_is_refused() {
    let g = Ground::one();
    let (src, dst) = (g.src("f"), g.dst("f"));
    put(&src, "x");
    let e = lacking(WITHOUT_LINKS, || refused(&g, &moving(&src, &dst), "no-safe-rename"));
    assert_eq!(e.event(), Some(OpEvent::Failed));
}

#[test]
fn the_source_must_be_what_the_plan_saw() {
    type Change = fn(&Place);
    let changes: [(&str, Change); 7] = [
        ("source-gone", |p| fs::remove_file(p.path()).unwrap()),
        ("source-gone", |p| fs::remove_dir_all(p.path().parent().unwrap()).unwrap()),
        ("source-changed", |p| write(p, "edited")),
        ("source-changed", |p| {
            // Replaced by another file with the same content, size and time.
            fs::write(p.path().with_extension("new"), "hello").unwrap();
            fs::rename(p.path().with_extension("new"), p.path()).unwrap();
            age(p);
        }),
        ("not-regular", |p| {
            fs::rename(p.path(), p.path().with_extension("real")).unwrap();
            symlink(p.path().with_extension("real"), p.path()).unwrap();
        }),
        ("not-regular", |p| {
            fs::remove_file(p.path()).unwrap();
            rustix::fs::mkfifoat(rustix::fs::CWD, p.path(), rustix::fs::Mode::RUSR).unwrap();
        }),
        ("not-a-directory", |p| {
            let dir = p.path().parent().unwrap().to_owned();
            fs::rename(&dir, dir.with_extension("real")).unwrap();
            symlink(dir.with_extension("real"), &dir).unwrap();
        }),
    ];
    for lacks in [Lacks::default(), Lacks { common_device: true, ..Lacks::default() }] {
        for (code, change) in changes {
            let g = Ground::one();
            let (src, dst) = (g.src("sub/f"), g.dst("f"));
            put(&src, "hello");
            let op = moving(&src, &dst);
            change(&src);
            let e = lacking(lacks, || refused(&g, &op, code));
            assert_eq!(e.event(), Some(OpEvent::Aborted), "{code}");
        }
    }
}

#[test]
fn the_destination_directory_must_be_there_and_be_real() {
    let g = Ground::one();
    let (src, dst) = (g.src("f"), g.dst("sub/f"));
    put(&src, "x");
    let op = moving(&src, &dst);
    let e = refused(&g, &op, "parent-missing");
    assert!(matches!(e, ActError::ParentMissing { dir } if dir == dst.path().parent().unwrap()));

    fs::create_dir(g.from.join("elsewhere")).unwrap();
    symlink(g.from.join("elsewhere"), g.to.join("sub")).unwrap();
    refused(&g, &op, "not-a-directory");
    fs::remove_file(g.to.join("sub")).unwrap();
    fs::write(g.to.join("sub"), "a file").unwrap();
    refused(&g, &op, "not-a-directory");
}

#[test]
fn a_directory_that_may_not_be_written_is_an_error_with_advice() {
    if rustix::process::geteuid().is_root() {
        eprintln!("skipped, because root may write everywhere");
        return;
    }
    use std::os::unix::fs::PermissionsExt;
    let g = Ground::one();
    let (src, dst) = (g.src("f"), g.dst("f"));
    put(&src, "x");
    fs::set_permissions(&*g.to, fs::Permissions::from_mode(0o500)).unwrap();
    let e = refused(&g, &moving(&src, &dst), "permission-denied");
    assert_eq!(e.event(), Some(OpEvent::Failed));
    assert!(e.to_string().contains("check who may write there"), "{e}");
    fs::set_permissions(&*g.to, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_message_cannot_carry_control_characters() {
    let g = Ground::one();
    let (src, dst) = (g.src("a\nb\x1b[2J"), g.dst("f"));
    put(&src, "x");
    let op = moving(&src, &dst);
    fs::remove_file(src.path()).unwrap();
    let message = perform(&op).unwrap_err().to_string();
    assert!(!message.chars().any(char::is_control), "{message:?}");
}

#[test]
fn a_duplicate_goes_only_while_its_keeper_has_the_same_bytes() {
    let twin = |p: &Place| Some(Twin { path: p.path(), id: id(p) });
    let g = Ground::one();
    let (src, keeper, dst) = (g.src("copy"), g.src("keeper"), g.dst("copy"));
    let content = "y".repeat(600_000);
    put(&src, &content);
    put(&keeper, &content);
    let mut op = moving(&src, &dst);
    op.step.twin = twin(&keeper);

    // One byte, past the first buffer; size and time are the same.
    let mut other = content.clone().into_bytes();
    other[500_000] = b'z';
    fs::write(keeper.path(), &other).unwrap();
    age(&keeper);
    op.step.twin = twin(&keeper);
    let e = refused(&g, &op, "twin-differs");
    assert_eq!(e.event(), Some(OpEvent::Aborted));

    write(&keeper, &content);
    refused(&g, &op, "twin-changed");
    op.step.twin = twin(&keeper);
    fs::rename(keeper.path(), keeper.path().with_extension("away")).unwrap();
    refused(&g, &op, "twin-changed");
    fs::rename(keeper.path().with_extension("away"), keeper.path()).unwrap();

    // The keeper's name is a symlink to the very file that is to go.
    fs::rename(keeper.path(), keeper.path().with_extension("away")).unwrap();
    symlink(src.path(), keeper.path()).unwrap();
    refused(&g, &op, "twin-changed");
    fs::remove_file(keeper.path()).unwrap();
    fs::rename(keeper.path().with_extension("away"), keeper.path()).unwrap();

    // The file as its own keeper.
    op.step.twin = twin(&src);
    refused(&g, &op, "twin-differs");

    op.step.twin = twin(&keeper);
    perform(&op).unwrap();
    assert!(exists(&dst) && exists(&keeper) && !exists(&src));
}

#[test]
fn a_hard_link_is_a_duplicate_that_may_go() {
    let g = Ground::one();
    let (src, keeper, dst) = (g.src("a"), g.src("b"), g.dst("a"));
    put(&src, "x");
    fs::hard_link(src.path(), keeper.path()).unwrap();
    let mut op = moving(&src, &dst);
    op.step.twin = Some(Twin { path: keeper.path(), id: id(&keeper) });
    perform(&op).unwrap();
    assert!(exists(&keeper) && exists(&dst) && !exists(&src));
}

#[test]
fn another_spelling_takes_two_hops_and_replaces_nothing() {
    // No file system here folds case, so only the hops are tested, not when they are taken.
    use crate::act::entry::Dir;
    use crate::act::rename::{Refusal, is_other_spelling, respell};
    let g = Ground::one();
    let (src, dst) = (g.src("photo.JPG"), g.src("photo.jpg"));
    put(&src, "x");
    let before = id(&src);
    let dir = Dir::of_source(&src).unwrap();
    let (from, to) = (dir.at(src.file_name()), dir.at(dst.file_name()));
    assert!(!is_other_spelling(from, to).unwrap());
    put(&dst, "theirs");
    assert!(matches!(respell(from, to, OpId(7)), Err(Refusal::Taken)));
    assert_eq!((id(&src), text(&dst).as_str()), (before, "theirs"));
    fs::remove_file(dst.path()).unwrap();
    respell(from, to, OpId(7)).unwrap();
    assert_eq!(id(&dst), before);
    assert_eq!(g.leftovers(), Vec::<PathBuf>::new());

    // A crash between the hops.
    let op = moving(&dst, &src);
    let hop = g.src(".tidyd-7.gone");
    fs::rename(dst.path(), hop.path()).unwrap();
    assert!(matches!(recover(&op).unwrap(), Recovered::Aborted(_)));
    assert_eq!(id(&dst), before);
}
