use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::model::{Model, link};
use super::*;
use crate::facts::{Captures, Facts};
use crate::operation::Trigger;
use crate::policy::{Conflict, Others};
use crate::rules::{Act, Action, Decision, LeaveReason, RuleName, RuleTrace, Truth, Verdict};
use crate::template::{Base, Template};

pub(crate) fn to(text: &str) -> Template {
    Template::parse(text, Base::Root, &TimeZone::UTC).unwrap()
}

pub(crate) fn decision(actions: &[Action]) -> Decision {
    let rule: RuleName = "test".into();
    let act = |action: &Action| Act {
        rule: rule.clone(),
        action: action.clone(),
        tags: None,
        conflict: None,
        captures: Captures::new(),
        companions: None,
        requirement: None,
    };
    let acts = actions.iter().map(act).collect();
    let trace = RuleTrace { rule, matched: Truth::True, checked: Vec::new() };
    Decision { verdict: Verdict::Act(acts), trace: vec![trace], revisit_at: None }
}

pub(crate) fn handling(conflict: Conflict) -> Handling<'static> {
    Handling { conflict, others: &Others::Report }
}

pub(crate) fn facts(model: &Model, path: &str) -> Facts {
    let stat = model.files()[Path::new(path)];
    Facts::new(path.into(), Arc::from(Path::new("/r")), stat)
}

/// Plans `actions` for each file in turn; returns the outcomes and the model afterwards.
fn run(
    mut model: Model,
    files: &[&str],
    actions: &[Action],
    conflict: Conflict,
) -> (Vec<Planned>, Model) {
    let before = model.clone();
    let mut planner = Planner::new(&before, Trigger::Once);
    let planned = files
        .iter()
        .map(|f| planner.file(&facts(&before, f), &decision(actions), handling(conflict), None))
        .collect();
    model.apply(&planner.finish());
    (planned, model)
}

fn paths(model: &Model) -> Vec<String> {
    model.files().keys().map(|p| p.display().to_string()).collect()
}

fn left(planned: &Planned) -> Option<LeaveReason> {
    match planned {
        Planned::Left(reason, _) => Some(*reason),
        Planned::Steps(_) => None,
    }
}

#[test]
fn equal_names_get_numbers_in_the_plan_already() {
    let mut m = Model::new();
    for f in ["/r/a/x.jpg", "/r/b/x.jpg", "/r/Pictures/x.jpg"] {
        m.file(f, 1, 1);
    }
    let (_, m) =
        run(m, &["/r/a/x.jpg", "/r/b/x.jpg"], &[Action::Move(to("Pictures/"))], Conflict::Rename);
    let there = ["/r/Pictures/x (2).jpg", "/r/Pictures/x (3).jpg", "/r/Pictures/x.jpg"];
    assert_eq!(paths(&m), there);
}

#[test]
fn names_are_those_that_the_file_system_takes() {
    let mut m = Model::new();
    for f in ["/r/a/What? 1:2.jpg", "/r/b/What* 1|2.jpg", "/r/c/aux.jpg", "/r/d/plain.jpg"] {
        m.file(f, 1, 1);
    }
    // It is there, so that file system has taken its name.
    m.nodes.insert("/r/Re: all".into(), super::model::Node::Dir);
    m.naming = crate::naming::Naming::WINDOWS;
    let files = ["/r/a/What? 1:2.jpg", "/r/b/What* 1|2.jpg", "/r/c/aux.jpg", "/r/d/plain.jpg"];
    let (_, m) = run(m, &files, &[Action::Move(to("Re: all/To: me/"))], Conflict::Rename);
    let there = [
        "/r/Re: all/To- me/What_ 1-2 (2).jpg",
        "/r/Re: all/To- me/What_ 1-2.jpg",
        "/r/Re: all/To- me/aux_.jpg",
        "/r/Re: all/To- me/plain.jpg",
    ];
    assert_eq!(paths(&m), there);
}

#[test]
fn long_names_and_their_numbers_fit_where_less_has_room() {
    let mut m = Model::new();
    let long = format!("{}.tar.gz", "ä".repeat(100));
    let files = [format!("/r/a/{long}"), format!("/r/b/{long}")];
    for f in &files {
        m.file(f, 1, 1);
    }
    m.naming = crate::naming::Naming::default().at_most(143);
    let files = files.each_ref().map(String::as_str);
    let (_, m) = run(m, &files, &[Action::Move(to("d/"))], Conflict::Rename);
    let names: Vec<_> = paths(&m).iter().map(|p| p["/r/d/".len()..].to_owned()).collect();
    assert!(names.iter().all(|n| n.len() <= 143 && n.ends_with(".tar.gz")), "{names:?}");
    assert!(names[0].ends_with("ä (2).tar.gz") && names[1].ends_with("ä.tar.gz"), "{names:?}");
}

#[test]
fn a_name_that_an_earlier_step_frees_can_be_taken() {
    let mut m = Model::new();
    m.file("/r/x", 1, 1);
    m.file("/r/d/x", 2, 1);
    let before = m.clone();
    let mut p = Planner::new(&before, Trigger::Once);
    let file = |p: &mut Planner<'_>, path, to_dir| {
        p.file(
            &facts(&before, path),
            &decision(&[Action::Move(to(to_dir))]),
            handling(Conflict::Skip),
            None,
        )
    };
    assert!(matches!(file(&mut p, "/r/d/x", "e/"), Planned::Steps(_)));
    assert!(matches!(file(&mut p, "/r/x", "d/"), Planned::Steps(_)));
    m.apply(&p.finish());
    assert_eq!(paths(&m), ["/r/d/x", "/r/e/x"]);
}

#[test]
fn conflicts_are_decided_by_the_policy() {
    let table = [
        // policy, new (size, mtime), there (size, mtime), what is at the name then, is it left?
        (Conflict::Skip, (1, 9), (1, 1), None),
        (Conflict::KeepNewer, (1, 9), (1, 1), Some(9)),
        (Conflict::KeepNewer, (1, 1), (1, 9), None),
        (Conflict::KeepNewer, (1, 1), (1, 1), None),
        (Conflict::KeepLarger, (5, 1), (1, 9), Some(1)),
        (Conflict::KeepLarger, (1, 9), (5, 1), None),
        (Conflict::ReplaceToTrash, (1, 1), (5, 9), Some(1)),
    ];
    for (policy, new, there, wins) in table {
        let mut m = Model::new();
        m.file("/r/x", new.0, new.1);
        m.file("/r/d/x", there.0, there.1);
        let (planned, m) = run(m, &["/r/x"], &[Action::Move(to("d/"))], policy);
        match wins {
            Some(mtime) => {
                assert_eq!(m.files()[Path::new("/r/d/x")].id.mtime.0, mtime, "{policy:?}");
                assert_eq!(paths(&m), ["/r/d/x", "/trash/files/x"], "{policy:?}");
            }
            None => {
                assert_eq!(left(&planned[0]), Some(LeaveReason::Conflict), "{policy:?}");
                assert_eq!(paths(&m), ["/r/d/x", "/r/x"], "{policy:?}");
            }
        }
    }
}

#[test]
fn nothing_is_planned_through_what_is_not_a_directory() {
    let mut m = Model::new();
    m.file("/r/x", 1, 1);
    m.file("/r/file", 1, 1);
    m.nodes.insert("/r/link".into(), link("/elsewhere"));
    for destination in ["file/", "link/", "link/deep/", "file/deep/"] {
        let actions = [Action::Move(to(destination))];
        let (planned, after) = run(m.clone(), &["/r/x"], &actions, Conflict::Rename);
        assert_eq!(left(&planned[0]), Some(LeaveReason::BadDestination), "{destination}");
        assert_eq!(after.nodes, m.nodes);
    }
}

#[test]
fn a_refused_file_leaves_no_trace_in_the_plan() {
    let mut m = Model::new();
    m.file("/r/x", 1, 1);
    m.file("/r/y", 1, 1);
    m.file("/r/new/deep/x", 1, 1);
    m.nodes.retain(|p, _| !p.starts_with("/r/new/deep"));
    m.nodes.insert("/r/bad".into(), link("/elsewhere"));
    let before = m.clone();
    let mut p = Planner::new(&before, Trigger::Once);
    let chain = [Action::Move(to("fresh/")), Action::Move(to("bad/"))];
    let refused = p.file(&facts(&m, "/r/x"), &decision(&chain), handling(Conflict::Rename), None);
    assert_eq!(left(&refused), Some(LeaveReason::BadDestination));
    assert!(p.steps().is_empty());
    // The directory that the first half would have made must be planned again for the next file.
    p.file(
        &facts(&m, "/r/y"),
        &decision(&[Action::Move(to("fresh/"))]),
        handling(Conflict::Rename),
        None,
    );
    let kinds: Vec<_> = p.steps().iter().map(|s| s.kind).collect();
    assert_eq!(kinds, [StepKind::MakeDir, StepKind::Move]);
}

#[test]
fn a_file_where_its_rule_wants_it_is_in_place() {
    let mut m = Model::new();
    m.file("/r/d/x", 1, 1);
    let (planned, _) = run(m, &["/r/d/x"], &[Action::Move(to("d/"))], Conflict::Rename);
    assert_eq!(left(&planned[0]), Some(LeaveReason::InPlace));
}

#[test]
fn a_chain_of_rules_is_a_chain_of_steps() {
    let mut m = Model::new();
    m.file("/r/x.txt", 1, 1);
    let name = Template::parse_name("{stem}-new.{ext}", &TimeZone::UTC).unwrap();
    let chain = [Action::Rename(name), Action::Copy(to("copies/")), Action::Move(to("d/"))];
    let (_, m) = run(m, &["/r/x.txt"], &chain, Conflict::Rename);
    assert_eq!(paths(&m), ["/r/copies/x-new.txt", "/r/d/x-new.txt"]);
}

#[test]
fn trash_names_leave_room_for_the_information_file_and_never_meet() {
    let mut m = Model::new();
    let long = format!("/r/{}", "n".repeat(255));
    m.file(&long, 1, 1);
    m.file("/r/a/x", 1, 1);
    m.file("/r/b/x", 1, 1);
    m.file("/trash/info/x.trashinfo", 1, 1);
    let files = [long.as_str(), "/r/a/x", "/r/b/x"];
    let (_, m) = run(m, &files, &[Action::Trash], Conflict::Rename);
    let trashed: Vec<String> =
        paths(&m).into_iter().filter(|p| p.starts_with("/trash/files/")).collect();
    assert_eq!(trashed.len(), 3);
    assert!(trashed.contains(&"/trash/files/x (2)".to_owned()));
    let name = |p: &String| p.len() - "/trash/files/".len();
    assert!(trashed.iter().map(name).all(|n| n + ".trashinfo".len() <= 255));
}

#[test]
fn places_hold_plain_names_only() {
    let base: Arc<Path> = Path::new("/r").into();
    for bad in ["", "/x", "../x", "a/../x", "./x", "a/.."] {
        assert_eq!(Place::new(base.clone(), bad.into()), None, "{bad}");
    }
    let place = Place::new(base, "a/b".into()).unwrap();
    assert_eq!(place.parent().unwrap().path(), Path::new("/r/a"));
    assert_eq!(place.parent().unwrap().parent(), None);
}
