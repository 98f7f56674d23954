//! Questions, selectors, the projection, retention.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use tidy_core::operation::{OpEvent, OpState};

use super::*;

type Items = Vec<(Vec<u8>, Vec<u8>)>;

/// Every tree with its content.
fn dump(db: &sled::Db) -> BTreeMap<Vec<u8>, Items> {
    let mut out = BTreeMap::new();
    for name in db.tree_names().into_iter().filter(|n| n.starts_with(b"journal.")) {
        let items = db.open_tree(&name).unwrap();
        let items = items.iter().map(|i| i.map(|(k, v)| (k.to_vec(), v.to_vec())).unwrap());
        out.insert(name.to_vec(), items.collect());
    }
    out
}

/// A few batches of several rules, kinds and ends; the first was undone.
fn story(journal: &Journal) -> Vec<Operation> {
    let (mut hands, mut first) = moves(0..3);
    hands.refuse = [(2, OpEvent::Failed)].into();
    first.steps[1].rule = "music".into();
    let mut ops = journal.run_with(&hands, None, &first, &quiet).unwrap();
    let undo = plan(Trigger::Rollback, vec![inverse(&ops[1])]);
    ops.extend(journal.run_with(&hands, None, &undo, &quiet).unwrap());
    let on = plan(Trigger::Organize, vec![move_step("d/f0", "d/sub/f0", 0)]);
    ops.extend(journal.run_with(&hands, None, &on, &quiet).unwrap());
    ops
}

#[test]
fn the_log_is_filtered_and_paged() {
    let home = Home::new();
    let (journal, _) = home.open();
    let ops = story(&journal);
    let ask = |filter: LogFilter| ids(&journal.log(&filter, None, 10).unwrap());
    let at = |n: usize| ops[n].id.0;
    let path = |p: &str| LogFilter { path: Some(place(p).path()), ..LogFilter::default() };
    let none = LogFilter::default;

    assert_eq!(ask(none()), [at(4), at(3), at(2), at(1), at(0)]);
    assert_eq!(ask(LogFilter { state: Some(OpState::Failed), ..none() }), [at(2)]);
    assert_eq!(ask(LogFilter { rule: Some("music".into()), ..none() }), [at(3), at(1)]);
    assert_eq!(ask(LogFilter { trigger: Some(Trigger::Rollback), ..none() }), [at(3)]);
    assert_eq!(ask(LogFilter { since: Some(ops[3].time), ..none() }), [at(4), at(3)]);
    assert_eq!(ask(LogFilter { until: Some(ops[3].time), ..none() }), [at(2), at(1), at(0)]);
    assert_eq!(ask(path("d/sub")), [at(4)]);
    assert_eq!(ask(path("d/f0")), [at(4), at(0)]);
    assert_eq!(ask(path("d/f")), [] as [u64; 0], "a part of a name is not a directory");
    assert_eq!(ask(LogFilter { path: Some("/".into()), ..none() }).len(), 5);
    assert_eq!(ask(LogFilter { kind: Some(StepKind::Copy), ..none() }), [] as [u64; 0]);

    let mut paged = Vec::new();
    while let Some(op) = journal.log(&none(), paged.last().copied(), 1).unwrap().pop() {
        paged.push(op.id);
    }
    assert_eq!(paged.len(), 5);
    let batches = journal.batches(None, 2).unwrap();
    let rest = journal.batches(batches.last().map(|b| b.id), 9).unwrap();
    assert_eq!((batches.len(), rest.len()), (2, 1));
    assert_eq!((rest[0].done, rest[0].failed, rest[0].bytes), (2, 1, 201));
    assert_eq!(rest[0].rules, ["music".into(), "photos".into()] as [Arc<str>; 2]);
}

#[test]
fn a_path_is_followed() {
    let home = Home::new();
    let (journal, _) = home.open();
    let ops = story(&journal);
    let path = |p: &str| place(p).path();
    let last = journal.last_touching(&path("d/f0")).unwrap().unwrap();
    assert_eq!(last, ops[4]);
    assert_eq!(journal.last_touching(&path("in/f2")).unwrap(), None, "a failure touched nothing");
    assert_eq!(ids(&journal.history(&path("in/f2")).unwrap()), [ops[2].id.0]);
    assert_eq!(ids(&journal.history(&path("in/f1")).unwrap()), [ops[3].id.0, ops[1].id.0]);
    let moved_on = |after: usize, file: &Identity| {
        journal.moved_on(&path("d/f0"), ops[after].id, file).unwrap()
    };
    let file = ops[0].landed.unwrap();
    assert_eq!(moved_on(0, &file), Some(ops[4].clone()));
    assert_eq!(moved_on(4, &file), None);
    assert_eq!(moved_on(0, &identity(99)), None, "another file had the name");
}

#[test]
fn what_is_open_is_listed_but_never_selected() {
    let home = Home::new();
    let (journal, _) = home.open();
    let (mut hands, plan) = moves(0..2);
    hands.sync_fails = true;
    journal.run_with(&hands, None, &plan, &quiet).unwrap_err();
    let open = all(&journal);
    assert!(open.iter().all(|op| op.state == OpState::Intended));
    assert_eq!(journal.operation(open[0].id).unwrap(), Some(open[0].clone()));
    assert_eq!(journal.batch(open[0].batch).unwrap(), open);
    assert_eq!(journal.batches(None, 1).unwrap()[0].open, 2);
    for selector in [Selector::Last(3), Selector::Batch(open[0].batch), Selector::Path("/".into())]
    {
        assert!(journal.select(&selector, Direction::Back).unwrap().is_empty());
    }
}

#[test]
fn a_projection_that_is_lost_damaged_or_foreign_is_rebuilt_as_it_was() {
    let home = Home::new();
    let ops = story(&home.open().0);
    home.open().0.sync().unwrap();
    let before = dump(&home.db);
    let tree = |name: &str| home.db.open_tree(name).unwrap();
    let damages: [(&str, &dyn Fn()); 5] = [
        ("no position", &|| drop(tree("journal.meta").remove("position").unwrap())),
        ("an odd position", &|| drop(tree("journal.meta").insert("position", "?").unwrap())),
        ("no operations", &|| tree("journal.operations").clear().unwrap()),
        ("no paths", &|| tree("journal.paths").clear().unwrap()),
        ("nothing at all", &|| {
            for name in before.keys() {
                home.db.drop_tree(name).unwrap();
            }
        }),
    ];
    for (what, damage) in damages {
        damage();
        let (journal, report) = home.open();
        assert!(matches!(report.projection, ProjectionStart::Rebuilt(_, 5)), "{what}");
        assert_eq!(all(&journal), ops, "{what}");
        assert_eq!(dump(&home.db), before, "{what}");
    }

    // Damage that shows only when somebody asks.
    let (journal, _) = home.open();
    for name in ["journal.operations", "journal.paths"] {
        let key = tree(name).first().unwrap().unwrap().0;
        tree(name).insert(key, "?").unwrap();
    }
    assert_eq!(ids(&journal.history(&place("in/f2").path()).unwrap()), [ops[2].id.0]);
    assert_eq!(dump(&home.db), before);
    drop(journal);

    // Ahead of a log that lost its end.
    let segment = home.segment(1);
    let bytes = std::fs::read(&segment).unwrap();
    std::fs::write(&segment, &bytes[..bytes.len() - 1]).unwrap();
    let (journal, report) = home.open();
    assert!(matches!(report.projection, ProjectionStart::Rebuilt(_, 4)), "{report:?}");
    assert_eq!(journal.open_count(), 1, "its end is gone, so it is open again");
}

#[test]
fn a_log_that_has_gone_is_told_and_its_numbers_are_not_used_again() {
    let home = Home::new();
    let (journal, report) = home.open();
    assert_eq!(report.lost, None, "there was none yet");
    let (hands, plan) = moves(0..5);
    let ops = journal.run_with(&hands, None, &plan, &quiet).unwrap();
    drop(journal);
    std::fs::remove_file(home.segment(1)).unwrap();

    let (journal, report) = home.open();
    assert_eq!(report.lost, Some(ops[0].id..=ops[4].id));
    assert!(all(&journal).is_empty());
    let (hands, plan) = moves(5..6);
    let next = journal.run_with(&hands, None, &plan, &quiet).unwrap();
    assert!(next[0].id > ops[4].id);
    drop(journal);
    assert_eq!(home.open().1.lost, None, "told once");
}

#[test]
fn old_segments_go_but_nothing_that_can_be_undone_or_is_open() {
    let mut home = Home::new();
    home.options.segment_bytes = 1 << 10;
    let (journal, _) = home.open();
    let mut done = Vec::new();
    let mut run = |range| {
        let (hands, plan) = moves(range);
        done.extend(journal.run_with(&hands, None, &plan, &quiet).unwrap());
    };
    (0..10).for_each(|n| run(n * 10..n * 10 + 3));
    let (mut hands, open) = moves(500..501);
    hands.sync_fails = true;
    journal.run_with(&hands, None, &open, &quiet).unwrap_err();
    let open = all(&journal).pop().unwrap();
    (20..30).for_each(|n| run(n * 10..n * 10 + 3));

    let long = Duration::from_secs(100 * 86_400);
    let keep = Retention { max_age: long, max_bytes: 1, undo_for: long };
    assert_eq!(journal.retain(&keep).unwrap(), Retained::default(), "all can be undone");
    let none = Retention { max_age: long, max_bytes: u64::MAX, undo_for: Duration::ZERO };
    assert_eq!(journal.retain(&none).unwrap(), Retained::default(), "none is old");

    let few = Retention { max_age: long, max_bytes: 5 << 10, undo_for: Duration::ZERO };
    let dropped = journal.retain(&few).unwrap();
    assert!(dropped.segments > 0);
    let left = all(&journal);
    assert!(left.len() < 50 && left.contains(&open), "up to the one that is open");
    let counters = journal.counters();
    assert_eq!(counters.done, 60, "totals are of all time");
    drop(journal);

    let (journal, report) = home.open();
    assert_eq!((report.open, report.damage.len()), (1, 0));
    assert_eq!(all(&journal), left);
    journal.rebuild_projection().unwrap();
    assert_eq!(all(&journal), left);
    hands.sync_fails = false;
    assert_eq!(journal.recover_with(&hands).unwrap().done.len(), 1);
    assert!(journal.retain(&few).unwrap().segments > 0, "it no longer holds the others back");
    let newest = all(&journal).last().unwrap().id;
    drop(journal);
    let (journal, _) = home.open();
    let (hands, plan) = moves(900..901);
    assert!(journal.run_with(&hands, None, &plan, &quiet).unwrap()[0].id > newest);
}

fn selected(journal: &Journal, selector: &Selector, direction: Direction) -> Vec<Operation> {
    let selection = journal.select(selector, direction).unwrap();
    assert_eq!(selection.files, selection.ops.len(), "these tests make no directories");
    journal.operations(&selection.ops).unwrap()
}

#[derive(Debug, Clone)]
enum Act {
    /// A new batch of so many files.
    File(u64),
    /// Undo what the newest batches have in effect.
    Undo(usize),
    Redo(usize),
    Reopen,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (1..4u64).prop_map(Act::File),
        3 => (1..3usize).prop_map(Act::Undo),
        2 => (1..3usize).prop_map(Act::Redo),
        1 => Just(Act::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is filed, undone and redone: what can be undone is what has moved and not been put
    /// back, each file once, and selecting by the first batch leads to the same operations.
    #[test]
    fn in_effect_is_what_is_moved(acts in prop::collection::vec(act(), 1..16)) {
        let home = Home::new();
        let (mut journal, _) = home.open();
        let hands = FakeHands::default();
        let (mut next, mut filed) = (0, Vec::new());
        for act in acts {
            let (trigger, steps) = match act {
                Act::File(count) => {
                    let numbers = next..next + count;
                    next += count;
                    for n in numbers.clone() {
                        lock(&hands.files).insert(place(&format!("in/{n}")).path(), identity(n));
                    }
                    let step = |n| move_step(&format!("in/{n}"), &format!("d/{n}"), n);
                    (Trigger::Watch, numbers.map(step).collect())
                }
                Act::Undo(n) => {
                    let ops = selected(&journal, &Selector::Last(n), Direction::Back);
                    (Trigger::Rollback, ops.iter().map(inverse).collect())
                }
                Act::Redo(n) => {
                    let ops = selected(&journal, &Selector::Last(n), Direction::Again);
                    (Trigger::Redo, ops.iter().map(inverse).collect::<Vec<_>>())
                }
                Act::Reopen => {
                    drop(journal);
                    journal = home.open().0;
                    continue;
                }
            };
            let ops = journal.run_with(&hands, None, &plan(trigger, steps), &quiet).unwrap();
            prop_assert!(ops.iter().all(|op| op.state == OpState::Done), "the files were there");
            if trigger == Trigger::Watch {
                filed.extend(ops);
            }
            let moved: BTreeSet<_> = lock(&hands.files)
                .iter()
                .filter(|(path, _)| path.starts_with(place("d").path()))
                .map(|(_, id)| id.ino)
                .collect();
            let inodes = |ops: &[Operation]| -> Vec<u64> {
                ops.iter().map(|op| op.step.expect.unwrap().ino).collect()
            };
            let effective = selected(&journal, &Selector::Last(usize::MAX), Direction::Back);
            prop_assert!(effective.is_sorted_by(|a, b| a.id > b.id), "newest first");
            prop_assert_eq!(effective.len(), moved.len());
            prop_assert_eq!(inodes(&effective).into_iter().collect::<BTreeSet<_>>(), moved);
            for selector in [
                Selector::Rule("photos".into()),
                Selector::Path(place("in").path()),
                Selector::Since(UnixNanos(0)),
            ] {
                prop_assert_eq!(&selected(&journal, &selector, Direction::Back), &effective);
            }
            for op in &filed {
                let through = selected(&journal, &Selector::Operation(op.id), Direction::Back);
                let expected: Vec<_> =
                    effective.iter().filter(|e| e.step.expect == op.step.expect).collect();
                prop_assert!(through.iter().eq(expected));
            }
        }
        let shown = dump(&home.db);
        journal.rebuild_projection().unwrap();
        let mut rebuilt = dump(&home.db);
        rebuilt.insert(b"journal.meta".to_vec(), shown[&b"journal.meta"[..]].clone());
        prop_assert_eq!(rebuilt, shown, "page for page");
    }
}
