use std::path::Path;

use super::model::Model;
use super::tests::{decision, facts, handling, to};
use super::*;
use crate::companions::Companions;
use crate::facts::Facts;
use crate::policy::Conflict;
use crate::requirement::{Free, Mounted, Requirement, Space};
use crate::rules::{Action, Decision, LeaveReason, Verdict};

const OTHER: u64 = 7;

/// Files of 10 bytes, and another file system of 100 bytes at `/r/big`, of which so many are free.
fn disk(free: u64) -> Model {
    let mut m = Model::new();
    for path in ["/r/a", "/r/b", "/r/c.jpg", "/r/c.xmp", "/r/big/there"] {
        m.file(path, 10, 1);
    }
    let volume = |dev, mounts: &[&str], free| Volume {
        dev,
        mounts: mounts.iter().map(PathBuf::from).collect(),
        space: Space { total: 100, free },
    };
    m.volumes.insert("/".into(), volume(1, &["/"], 0));
    m.volumes.insert("/r/big".into(), volume(OTHER, &["/r/big", "/"], free));
    m
}

fn room(bytes: u64) -> Requirement {
    Requirement { free: Some(Free::Bytes(bytes)), mounted: None }
}

fn needing(requirement: &Requirement, actions: &[Action]) -> Decision {
    let mut decision = decision(actions);
    if let Verdict::Act(acts) = &mut decision.verdict {
        acts[0].requirement = Some(requirement.clone());
    }
    decision
}

fn why(planned: &Planned) -> Option<&str> {
    match planned {
        Planned::Left(LeaveReason::DestinationNotReady, why) => why.as_deref(),
        Planned::Left(reason, _) => panic!("{reason:?}"),
        Planned::Steps(_) => None,
    }
}

#[test]
fn what_earlier_files_of_the_plan_take_is_not_free_any_more() {
    let m = disk(35);
    let mut planner = Planner::new(&m, Trigger::Once);
    let moved = needing(&room(10), &[Action::Move(to("big/"))]);
    let mut plan =
        |path: &str| planner.file(&facts(&m, path), &moved, handling(Conflict::Rename), None);
    assert_eq!([plan("/r/a"), plan("/r/b")].each_ref().map(why), [None, None]);
    // 35 - 3 × 10 < 10, also when it was asked before and the file stayed.
    for _ in 0..2 {
        let c = plan("/r/c.jpg");
        assert!(
            why(&c).unwrap().starts_with("only 5 B (5 %) would be left free at /r/big"),
            "{c:?}"
        );
    }
    let counted = planner.finish().steps.iter().filter(|s| s.is_counted()).count();
    assert_eq!(counted, 2, "what stays has no steps");
}

#[test]
fn what_gives_up_later_takes_no_room() {
    let m = disk(30);
    let mut planner = Planner::new(&m, Trigger::Once);
    let nowhere = [Action::Move(to("big/")), Action::Move(to("a/x/"))];
    let mut blocked = needing(&room(10), &nowhere);
    if let Verdict::Act(acts) = &mut blocked.verdict {
        acts[1].requirement = Some(room(u64::MAX));
    }
    for _ in 0..5 {
        let b = planner.file(&facts(&m, "/r/b"), &blocked, handling(Conflict::Rename), None);
        assert!(why(&b).is_some(), "{b:?}");
    }
    let moved = needing(&room(10), &[Action::Move(to("big/"))]);
    let c = planner.file(&facts(&m, "/r/c.jpg"), &moved, handling(Conflict::Rename), None);
    assert_eq!(why(&c), None);
}

#[test]
fn companions_count_and_links_and_ways_within_the_disk_do_not() {
    let (m, companions) = (disk(25), Companions::default());
    let tail = companions.tail("c.jpg".as_ref(), "c.xmp".as_ref()).unwrap();
    let along = facts(&m, "/r/c.xmp");
    let plan = |action: Action, f: &Facts, needed, with: bool| {
        let decision = needing(&room(needed), &[action]);
        let member = Member { facts: &along, tail: &tail };
        let members = if with { vec![member] } else { Vec::new() };
        let mut planner = Planner::new(&m, Trigger::Once);
        let planned = planner.group(f, &decision, handling(Conflict::Rename), None, &members);
        why(&planned).is_none()
    };
    let big = || to("big/new/");
    let c = facts(&m, "/r/c.jpg");
    assert!(plan(Action::Move(big()), &c, 15, false) && !plan(Action::Move(big()), &c, 16, false));
    assert!(plan(Action::Copy(big()), &c, 15, false) && !plan(Action::Copy(big()), &c, 16, false));
    assert!(plan(Action::Move(big()), &c, 5, true) && !plan(Action::Move(big()), &c, 6, true));
    for links in [Action::Symlink(big()), Action::HardLink(big()), Action::Reflink(big())] {
        assert!(plan(links.clone(), &c, 25, false) && !plan(links, &c, 26, false));
    }
    let there = facts(&m, "/r/big/there");
    let there = Facts { stat: Stat { dev: OTHER, ..there.stat }, ..there };
    assert!(plan(Action::Move(big()), &there, 25, false));
    assert!(!plan(Action::Copy(big()), &there, 25, false));
}

#[test]
fn a_file_waits_for_its_disk_and_stays_in_place_without() {
    let m = disk(100);
    let requirement =
        |at: &str| Requirement { free: None, mounted: Some(Mounted::At(Path::new(at).into())) };
    let plan = |at: &str, folder: &str, path: &str| {
        let decision = needing(&requirement(at), &[Action::Move(to(folder))]);
        let mut planner = Planner::new(&m, Trigger::Once);
        planner.file(&facts(&m, path), &decision, handling(Conflict::Rename), None)
    };
    assert!(matches!(plan("/r/big", "big/x/", "/r/a"), Planned::Steps(_)));
    assert_eq!(why(&plan("/r/small", "small/x/", "/r/a")), Some("nothing is mounted at /r/small"));
    // Of a file that is where it belongs nothing is asked.
    let in_place = plan("/r/small", "big/", "/r/big/there");
    assert_eq!(in_place, Planned::Left(LeaveReason::InPlace, None));
}

#[test]
fn what_cannot_be_told_is_not_so() {
    let mut m = disk(100);
    m.volumes.clear();
    let decision = needing(&room(0), &[Action::Move(to("big/"))]);
    let mut planner = Planner::new(&m, Trigger::Once);
    let planned = planner.file(&facts(&m, "/r/a"), &decision, handling(Conflict::Rename), None);
    assert_eq!(why(&planned), Some("nobody knows"));
}
