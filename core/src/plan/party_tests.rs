//! Files with companions, and files whose bytes are at their destination already.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::model::Model;
use super::tests::{decision, facts, handling, to};
use super::*;
use crate::companions::{Companions, Pairs};
use crate::operation::Trigger;
use crate::policy::{Conflict, Others};
use crate::rollback::{self, Undone};
use crate::rules::{Action, LeaveReason};

/// Plans `actions` for the file and what belongs to it in its directory.
fn plan(
    before: &Model,
    p: &mut Planner<'_>,
    main: &str,
    actions: &[Action],
    h: Handling<'_>,
) -> Planned {
    let all = before.files();
    let dir = Path::new(main).parent();
    let names: Vec<_> =
        all.keys().filter(|f| f.parent() == dir).filter_map(|f| f.file_name()).collect();
    let pairs = Pairs::new(&Companions::default(), names.iter().copied());
    let path = |name: &OsStr| dir.unwrap().join(name).display().to_string();
    let name = Path::new(main).file_name().unwrap();
    let others: Vec<_> = pairs.of(name).map(|(n, t)| (facts(before, &path(n)), t)).collect();
    let members: Vec<_> = others.iter().map(|(facts, tail)| Member { facts, tail }).collect();
    p.group(&facts(before, main), &decision(actions), h, None, &members)
}

fn run(m: &mut Model, main: &str, actions: &[Action], h: Handling<'_>) -> Planned {
    let before = m.clone();
    let mut p = Planner::new(&before, Trigger::Once);
    let planned = plan(&before, &mut p, main, actions, h);
    m.apply(&p.finish());
    planned
}

fn paths(m: &Model) -> Vec<String> {
    m.files().keys().map(|p| p.display().to_string()).collect()
}

fn world(files: &[&str]) -> Model {
    let mut m = Model::new();
    // Sizes differ, so that no two are the same by chance.
    for (size, path) in (10..).zip(files) {
        m.file(path, size, 1);
    }
    m
}

#[test]
fn companions_take_the_same_numbered_stem() {
    let mut m = world(&[
        "/r/a.cr2",
        "/r/a.xmp",
        "/r/a.cr2.pp3",
        "/r/d/a.xmp",
        "/r/d/a (2).cr2",
        "/r/b.xmp",
    ]);
    run(&mut m, "/r/a.cr2", &[Action::Move(to("d/"))], handling(Conflict::Rename));
    let there = [
        "/r/b.xmp",
        "/r/d/a (2).cr2",
        "/r/d/a (3).cr2",
        "/r/d/a (3).cr2.pp3",
        "/r/d/a (3).xmp",
        "/r/d/a.xmp",
    ];
    assert_eq!(paths(&m), there);
}

#[test]
fn policies_decide_about_the_whole_party() {
    let files = ["/r/a.mkv", "/r/a.en.srt", "/r/d/a.mkv", "/r/d/a.en.srt"];
    let moved = [Action::Move(to("d/"))];
    let mut m = world(&files);
    let planned = run(&mut m, "/r/a.mkv", &moved, handling(Conflict::Skip));
    assert!(matches!(planned, Planned::Left(LeaveReason::Conflict, Some(_))));
    assert_eq!(m.files(), world(&files).files());

    let mut m = world(&files);
    run(&mut m, "/r/a.mkv", &moved, handling(Conflict::ReplaceToTrash));
    let there = ["/r/d/a.en.srt", "/r/d/a.mkv", "/trash/files/a.en.srt", "/trash/files/a.mkv"];
    assert_eq!(paths(&m), there);
    assert_eq!(m.files()[Path::new("/r/d/a.mkv")].id.size, 10);

    // The film's name is free, and the subtitles' is not.
    let mut m = world(&["/r/a.mkv", "/r/a.en.srt", "/r/d/a.en.srt"]);
    let planned = run(&mut m, "/r/a.mkv", &moved, handling(Conflict::Skip));
    assert!(matches!(planned, Planned::Left(LeaveReason::Conflict, Some(_))));
    run(&mut m, "/r/a.mkv", &moved, handling(Conflict::KeepNewer));
    assert_eq!(paths(&m), ["/r/d/a (2).en.srt", "/r/d/a (2).mkv", "/r/d/a.en.srt"]);
}

#[test]
fn companions_go_through_every_action() {
    let name = crate::template::Template::parse_name("new-{stem}.{ext}", &jiff::tz::TimeZone::UTC);
    let chain = [Action::Rename(name.unwrap()), Action::Copy(to("c/")), Action::Move(to("d/"))];
    let mut m = world(&["/r/a.jpg", "/r/a.jpg.xmp"]);
    run(&mut m, "/r/a.jpg", &chain, handling(Conflict::Rename));
    let there = ["/r/c/new-a.jpg", "/r/c/new-a.jpg.xmp", "/r/d/new-a.jpg", "/r/d/new-a.jpg.xmp"];
    assert_eq!(paths(&m), there);

    let mut m = world(&["/r/a.jpg", "/r/a.jpg.xmp"]);
    run(&mut m, "/r/a.jpg", &[Action::Trash], handling(Conflict::Rename));
    assert_eq!(paths(&m), ["/trash/files/a.jpg", "/trash/files/a.jpg.xmp"]);
}

#[test]
fn what_is_at_its_destination_already_is_a_duplicate_under_every_policy() {
    let folder = Others::Folder("Copies".into());
    let same = |m: &mut Model, others: &Others, conflict| {
        let (there, new) = (m.file("/r/d/a.pdf", 7, 3), m.file("/r/a.pdf", 7, 3));
        m.same.push((new.id.ino, there.id.ino));
        run(m, "/r/a.pdf", &[Action::Move(to("d/"))], Handling { conflict, others })
    };
    for (_, conflict) in Conflict::ALL {
        let mut m = Model::new();
        same(&mut m, &folder, *conflict);
        assert_eq!(paths(&m), ["/r/Copies/a.pdf", "/r/d/a.pdf"], "{conflict:?}");
        let last = &m.log.last().unwrap().step;
        assert_eq!(&*last.rule, crate::duplicates::RULE);
        assert_eq!(last.twin.as_ref().map(|t| &*t.path), Some(Path::new("/r/d/a.pdf")));
        assert_eq!(last.why, "same bytes as /r/d/a.pdf, where rule test puts it");

        let mut m = Model::new();
        same(&mut m, &Others::Trash, *conflict);
        assert_eq!(paths(&m), ["/r/d/a.pdf", "/trash/files/a.pdf"], "{conflict:?}");

        let mut m = Model::new();
        let planned = same(&mut m, &Others::Report, *conflict);
        assert!(matches!(planned, Planned::Left(LeaveReason::Identical, Some(_))), "{conflict:?}");
        assert_eq!(paths(&m), ["/r/a.pdf", "/r/d/a.pdf"]);
    }
}

#[test]
fn a_copy_that_is_there_is_not_made_again_and_empty_files_are_not_the_same() {
    let mut m = Model::new();
    let (new, there) = (m.file("/r/a.pdf", 7, 3), m.file("/r/d/a.pdf", 7, 3));
    m.same.push((new.id.ino, there.id.ino));
    let planned = run(&mut m, "/r/a.pdf", &[Action::Copy(to("d/"))], handling(Conflict::Rename));
    assert_eq!(planned, Planned::Left(LeaveReason::InPlace, None));
    let (new, there) = (m.file("/r/e", 0, 3), m.file("/r/d/e", 0, 3));
    m.same.push((new.id.ino, there.id.ino));
    run(&mut m, "/r/e", &[Action::Move(to("d/"))], handling(Conflict::Rename));
    assert!(paths(&m).contains(&"/r/d/e (2)".to_owned()));
}

proptest! {
    /// Whatever lies around: a party stays together under one stem, nothing is lost, and a rollback puts
    /// everything back.
    #[test]
    fn parties_stay_together(
        here in prop::collection::btree_set("(a|b)\\.(jpg|jpg\\.xmp|xmp|cr2|mkv|en\\.srt|mov|heic)", 1..9),
        there in prop::collection::btree_set("(a|b|a \\(2\\))\\.(jpg|jpg\\.xmp|xmp|cr2|mkv|en\\.srt|mov)", 0..7),
        conflict in prop::sample::select(Conflict::ALL.iter().map(|c| c.1).collect::<Vec<_>>()),
        trash in any::<bool>(),
    ) {
        let mut m = Model::new();
        for (size, name) in (10..).zip(&here) {
            m.file(&format!("/r/{name}"), size, 5);
        }
        for (size, name) in (30..).zip(&there) {
            m.file(&format!("/r/d/{name}"), size % 33, 5);
        }
        let before = m.clone();
        let pairs = Pairs::new(&Companions::default(), here.iter().map(OsStr::new));
        let mut p = Planner::new(&before, Trigger::Once);
        let action = if trash { Action::Trash } else { Action::Move(to("d/")) };
        for main in here.iter().filter(|n| pairs.main_of(OsStr::new(n)).is_none()) {
            plan(&before, &mut p, &format!("/r/{main}"), std::slice::from_ref(&action), handling(conflict));
        }
        let ops = m.apply(&p.finish());
        prop_assert_eq!(m.files().len(), before.files().len());
        let now = |ino: u64| -> PathBuf {
            m.files().into_iter().find(|(_, s)| s.id.ino == ino).unwrap().0
        };
        for name in here.iter().map(OsStr::new) {
            let Some(pair) = pairs.main_of(name) else { continue };
            let ino = |n: &OsStr| before.files()[&Path::new("/r").join(n)].id.ino;
            let (own, main) = (now(ino(name)), now(ino(&pair.main)));
            prop_assert_eq!(own.parent(), main.parent());
            if !trash {
                prop_assert_eq!(own.file_name().unwrap(), pair.tail.of(main.file_name().unwrap()));
            }
        }
        let undone = rollback::tests::undo(&mut m, &ops, Trigger::Rollback);
        prop_assert!(undone.iter().all(|u| *u == Undone::Restored), "{:?}", undone);
        prop_assert_eq!(m.files(), before.files());
    }
}
