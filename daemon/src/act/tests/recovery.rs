//! Half-done situations, made by hand.

use std::os::unix::fs::symlink;

use proptest::prelude::*;

use super::*;

fn done(r: &Recovered) -> bool {
    matches!(r, Recovered::Done(_))
}

fn aborted(r: &Recovered) -> bool {
    matches!(r, Recovered::Aborted(_))
}

fn lost(r: &Recovered) -> bool {
    matches!(r, Recovered::Lost(_))
}

/// A move of `hello` that has not begun.
fn intended() -> (Ground, Place, Place, Operation) {
    let g = Ground::one();
    let (src, dst) = (g.src("f"), g.dst("f"));
    put(&src, "hello");
    let op = moving(&src, &dst);
    (g, src, dst, op)
}

#[test]
fn before_and_after_the_rename() {
    let (g, src, dst, op) = intended();
    fs::write(g.dst(".tidyd-7.part").path(), "half").unwrap();
    assert!(aborted(&recover(&op).unwrap()));
    assert_eq!(g.leftovers(), Vec::<PathBuf>::new());
    fs::rename(src.path(), dst.path()).unwrap();
    let Recovered::Done(found) = recover(&op).unwrap() else { panic!() };
    assert_eq!(found.landed, Some(id(&dst)));
}

#[test]
fn renamed_and_then_edited_is_done_with_the_identity_it_has_now() {
    let (_g, src, dst, op) = intended();
    if op.step.expect.unwrap().birth.is_none() {
        eprintln!("skipped, because the file system keeps no birth times");
        return;
    }
    fs::rename(src.path(), dst.path()).unwrap();
    fs::write(dst.path(), "edited at its new place").unwrap();
    let Recovered::Done(found) = recover(&op).unwrap() else { panic!() };
    assert_eq!(found.landed, Some(id(&dst)));
}

#[test]
fn linked_and_not_yet_unlinked_is_finished() {
    let (_g, src, dst, op) = intended();
    fs::hard_link(src.path(), dst.path()).unwrap();
    assert!(done(&recover(&op).unwrap()));
    assert!(!exists(&src));
    assert_eq!(text(&dst), "hello");
}

#[test]
fn a_moved_file_counts_though_its_old_name_is_taken_again() {
    let (_g, src, dst, op) = intended();
    fs::rename(src.path(), dst.path()).unwrap();
    put(&src, "new");
    assert!(done(&recover(&op).unwrap()));
    assert_eq!(text(&src), "new");
}

#[test]
fn a_verified_copy_lets_the_source_go_only_if_they_are_equal() {
    for (copy, known, same) in
        [("hello", false, true), ("hello", true, true), ("hellO", false, false)]
    {
        let (_g, src, dst, mut op) = intended();
        put(&dst, copy);
        // Until it is verified, whatever is at the destination is not ours.
        assert!(aborted(&recover(&op).unwrap()));
        op.state = OpState::Verified;
        op.landed = known.then(|| id(&dst));
        assert_eq!(done(&recover(&op).unwrap()), same);
        assert_eq!(exists(&src), !same);
        assert_eq!(text(&dst), copy);
    }
}

#[test]
fn a_file_equal_to_the_copy_but_known_to_be_another_leaves_the_source() {
    let (g, src, dst, mut op) = intended();
    put(&dst, "hello");
    op.state = OpState::Verified;
    put(&g.dst("copy"), "hello");
    op.landed = Some(id(&g.dst("copy")));
    assert!(aborted(&recover(&op).unwrap()));
    assert!(exists(&src) && exists(&dst));
}

#[test]
fn a_copy_still_under_its_temporary_name_goes() {
    let (g, src, _, mut op) = intended();
    op.state = OpState::Verified;
    put(&g.dst(".tidyd-7.part"), "hello");
    assert!(aborted(&recover(&op).unwrap()));
    assert_eq!(text(&src), "hello");
    assert_eq!(g.leftovers(), Vec::<PathBuf>::new());
}

#[test]
fn a_source_set_aside_goes_or_comes_back() {
    let (g, src, dst, mut op) = intended();
    let gone = g.src(".tidyd-7.gone");
    op.state = OpState::Verified;
    fs::rename(src.path(), gone.path()).unwrap();
    put(&dst, "other");
    assert!(aborted(&recover(&op).unwrap()));
    assert_eq!((text(&src).as_str(), exists(&gone)), ("hello", false));

    fs::rename(src.path(), gone.path()).unwrap();
    put(&dst, "hello");
    assert!(done(&recover(&op).unwrap()));
    assert!(!exists(&src) && !exists(&gone));
}

#[test]
fn a_source_set_aside_whose_name_is_taken_is_left_and_named() {
    let (g, src, _, op) = intended();
    let gone = g.src(".tidyd-7.gone");
    fs::rename(src.path(), gone.path()).unwrap();
    put(&src, "new");
    let before = g.files();
    let Recovered::Lost(why) = recover(&op).unwrap() else { panic!() };
    assert!(why.contains(".tidyd-7.gone"), "{why}");
    assert_eq!(g.files(), before);
}

#[test]
fn with_neither_end_nothing_is_touched() {
    let (g, src, dst, mut op) = intended();
    fs::remove_file(src.path()).unwrap();
    put(&g.dst(".tidyd-7.part"), "hello");
    for state in [OpState::Intended, OpState::Verified] {
        op.state = state;
        let before = g.files();
        assert!(lost(&recover(&op).unwrap()));
        assert_eq!(g.files(), before);
        put(&dst, "other");
    }
    // Nor is a directory that is gone an error.
    fs::remove_dir_all(&*g.from).unwrap();
    assert!(lost(&recover(&op).unwrap()));
}

#[test]
fn only_enoent_means_absent() {
    // A symlink in the way could hide anything: the operation must stay as it is.
    let g = Ground::one();
    let (src, dst) = (g.src("sub/f"), g.dst("f"));
    put(&src, "hello");
    let op = moving(&src, &dst);
    fs::rename(g.from.join("sub"), g.from.join("real")).unwrap();
    symlink(g.from.join("real"), g.from.join("sub")).unwrap();
    assert_eq!(recover(&op).unwrap_err().code(), "io-error");
    fs::remove_file(g.from.join("sub")).unwrap();
    fs::write(g.from.join("sub"), "a file").unwrap();
    assert_eq!(recover(&op).unwrap_err().code(), "io-error");
}

#[test]
fn a_copy_is_done_only_when_it_is_verified_and_equal() {
    let g = Ground::one();
    let (src, dst) = (g.src("f"), g.dst("f"));
    put(&src, "hello");
    let mut op = step(StepKind::Copy, Some(&src), Some(&dst));
    assert!(aborted(&recover(&op).unwrap()));
    put(&dst, "hello");
    assert!(aborted(&recover(&op).unwrap()));
    op.state = OpState::Verified;
    assert!(done(&recover(&op).unwrap()));
    put(&dst, "other");
    assert!(aborted(&recover(&op).unwrap()));
    assert_eq!((text(&src).as_str(), text(&dst).as_str()), ("hello", "other"));
}

#[test]
fn after_the_source_has_gone_the_digest_decides() {
    let (_g, src, dst, mut op) = intended();
    op.state = OpState::Verified;
    fs::remove_file(src.path()).unwrap();
    put(&dst, "HELLO");
    assert!(done(&recover(&op).unwrap()), "size and time are the copy's");
    op.step.digest = Some(digest_of("hello"));
    assert!(lost(&recover(&op).unwrap()));
    put(&dst, "hello");
    assert!(done(&recover(&op).unwrap()));
}

/// What may be under one of the names an operation knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum There {
    Nothing,
    /// The operation's file itself: renamed or linked there.
    Ours,
    Copy,
    Other,
    Half,
}

fn there() -> impl Strategy<Value = There> {
    prop_oneof![
        3 => Just(There::Nothing),
        3 => Just(There::Ours),
        2 => Just(There::Copy),
        2 => Just(There::Other),
        1 => Just(There::Half),
    ]
}

fn kind() -> impl Strategy<Value = StepKind> {
    prop_oneof![
        Just(StepKind::Move),
        Just(StepKind::Copy),
        Just(StepKind::Trash),
        Just(StepKind::Restore),
    ]
}

fn set(place: &Place, original: &Place, what: There) {
    match what {
        There::Nothing => {}
        There::Ours => fs::hard_link(original.path(), place.path()).unwrap(),
        There::Copy => put(place, "hello"),
        There::Other => put(place, &format!("other at {}", place.rel().display())),
        There::Half => put(place, "hel"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Whatever is found: no content disappears that is not a copy of what stays, a user's other
    /// files are not touched, and a second recovery finds nothing left to do.
    #[test]
    fn recovery_never_loses_content_and_is_idempotent(
        kind in kind(),
        at_src in there(),
        at_dst in there(),
        at_part in there(),
        at_gone in there(),
        gone_at_dst in any::<bool>(),
        verified in any::<bool>(),
        told in any::<bool>(),
        digest in any::<bool>(),
    ) {
        let g = Ground::quick();
        let original = g.src("original");
        put(&original, "hello");
        let (src, dst) = (g.src("f"), g.dst("files/f"));
        fs::create_dir(g.to.join("files")).unwrap();
        fs::create_dir(g.to.join("info")).unwrap();
        let mut op = step(kind, Some(&original), Some(&dst));
        op.step.src = Some(src.clone());
        set(&src, &original, at_src);
        set(&dst, &original, at_dst);
        set(&g.dst("files/.tidyd-7.part"), &original, at_part);
        let gone = if gone_at_dst { g.dst("files/.tidyd-7.gone") } else { g.src(".tidyd-7.gone") };
        set(&gone, &original, at_gone);
        fs::remove_file(original.path()).unwrap();
        if verified {
            op.state = OpState::Verified;
            op.landed = (told && exists(&dst)).then(|| id(&dst));
        }
        op.step.digest = digest.then(|| digest_of("hello"));

        let before = g.files();
        let first = recover(&op).unwrap();
        let after = g.files();
        let again = recover(&op).unwrap();
        // A verified copy whose identity was not recorded is told from a file of the user's by its
        // temporary name alone, which the first run may have removed. Nothing is lost by that.
        let guessed = verified && op.landed.is_none() && at_part != There::Nothing;
        if !guessed {
            prop_assert_eq!(&again, &first);
            prop_assert_eq!(&g.files(), &after);
        }
        let after = g.files();

        let holds = |files: &BTreeMap<PathBuf, Vec<u8>>, c: &[u8]| files.values().any(|v| v == c);
        // A temporary copy is expendable while the source stands, which is what an abort means.
        for (path, content) in &before {
            let part = path.ends_with(".tidyd-7.part");
            let told_ours = op.landed.is_some() && path.ends_with(".tidyd-7.gone");
            if !part && !told_ours {
                prop_assert!(holds(&after, content), "{path:?} is lost: {first:?}");
            }
        }
        if holds(&before, b"hello") {
            prop_assert!(holds(&after, b"hello"), "{first:?}");
        }
        match &first {
            Recovered::Done(p) => prop_assert_eq!(p.landed, Some(id(&dst))),
            Recovered::Aborted(_) => {
                prop_assert!(exists(&src) || kind == StepKind::Copy || guessed);
            }
            Recovered::Lost(_) => {}
        }
    }
}
