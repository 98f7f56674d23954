//! Plans, failures of `act`, recovery, batches.

use tidy_core::operation::{BatchId, OpEvent, OpState, Trigger};
use tidy_core::plan::Consideration;
use tidy_core::rules::Considered;

use super::*;

#[test]
fn a_plan_comes_back_as_operations_with_what_became_of_each() {
    let home = Home::new();
    let (journal, report) = home.open();
    assert_eq!((report.open, report.records), (0, 0));
    let (mut hands, plan) = moves(0..4);
    hands.refuse = [(1, OpEvent::Aborted), (2, OpEvent::Failed)].into();
    let told = Mutex::new(Vec::new());
    let tell = |op: &Operation| lock(&told).push((op.id, op.state));
    let ops = journal.run_with(&hands, None, &plan, &tell).unwrap();

    let states: Vec<_> = ops.iter().map(|op| op.state).collect();
    assert_eq!(states, [OpState::Done, OpState::Aborted, OpState::Failed, OpState::Done]);
    assert!(ops.iter().all(|op| op.batch == BatchId(ops[0].id.0)));
    assert_eq!(ops[0].landed, Some(identity(0)));
    assert_eq!(ops[1].error.as_deref(), Some("as told"));
    assert_eq!(lock(&told).len(), 4);
    assert_eq!(all(&journal), ops);
    assert_eq!(journal.open_count(), 0);

    drop(journal);
    let (journal, report) = home.open();
    assert_eq!((report.open, report.damage.len(), report.cut), (0, 0, None));
    assert_eq!(all(&journal), ops, "also after a restart");
    let (hands, plan) = moves(9..10);
    let next = journal.run_with(&hands, None, &plan, &quiet).unwrap();
    assert!(next[0].id > ops[3].id, "numbers go on after a restart");
}

#[test]
fn a_long_plan_is_one_batch_and_so_are_several_plans_when_asked_for() {
    let home = Home::new();
    let (journal, _) = home.open();
    let (hands, plan) = moves(0..2_100);
    let ops = journal.run_with(&hands, None, &plan, &quiet).unwrap();
    assert_eq!(ops.len(), 2_100);
    assert!(ops.iter().all(|op| op.batch.0 == ops[0].id.0 && op.state == OpState::Done));
    assert_eq!(journal.batch(ops[0].batch).unwrap(), ops);
    for limit in [1_000, 700, 2_099] {
        let (mut paged, mut after) = (Vec::new(), None);
        loop {
            let (page, next) = journal.batch_page(ops[0].batch, after, limit).unwrap();
            assert!(page.len() <= limit);
            paged.extend(page);
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(paged, ops, "{limit}");
    }

    let (mut both, mut batch) = (Vec::new(), None);
    for range in [3_000..3_002, 3_002..3_004] {
        let (hands, plan) = moves(range);
        both.extend(journal.run_with(&hands, batch, &plan, &quiet).unwrap());
        batch = Some(both[0].batch);
    }
    let batch = both[0].batch;
    assert_eq!(both[0].id.0, batch.0, "a batch has the number of its first operation");
    assert_eq!(journal.batch(batch).unwrap(), both);
    let batches = journal.batches(None, 10).unwrap();
    let lines: Vec<_> = batches.iter().map(|b| (b.id, b.done, b.open)).collect();
    assert_eq!(lines, [(batch, 4, 0), (ops[0].batch, 2_100, 0)]);
}

#[test]
fn when_the_directories_cannot_be_synced_nothing_is_called_done() {
    let home = Home::new();
    let (journal, _) = home.open();
    let (mut hands, plan) = moves(0..3);
    hands.sync_fails = true;
    hands.refuse = [(1, OpEvent::Failed)].into();
    let error = journal.run_with(&hands, None, &plan, &quiet).unwrap_err();
    let JournalError::Interrupted { finished, source } = error else { panic!("{error}") };
    assert!(matches!(*source, JournalError::Unsynced { open: 2, .. }));
    assert_eq!(finished.len(), 1, "the one that failed changed nothing, and has ended");
    assert_eq!(journal.open_count(), 2);
    assert!(journal.select(&Selector::Last(1), Direction::Back).unwrap().is_empty());

    let report = journal.recover_with(&hands).unwrap();
    assert_eq!((report.still_open.len(), journal.open_count()), (2, 2), "still no sync");
    hands.sync_fails = false;
    hands.recovery_fails = true;
    let report = journal.recover_with(&hands).unwrap();
    assert_eq!((report.still_open.len(), journal.open_count()), (2, 2), "cannot be told");
    hands.recovery_fails = false;
    let report = journal.recover_with(&hands).unwrap();
    assert_eq!((report.done.len(), journal.open_count()), (2, 0));
    assert!(journal.recover_with(&hands).unwrap().done.is_empty(), "nothing is settled twice");
}

#[test]
fn a_checkpoint_of_act_is_durable_and_survives_a_restart() {
    struct StopsAfterVerified(FakeHands);
    impl Hands for StopsAfterVerified {
        type Unsynced = ();
        fn perform(
            &self,
            op: &Operation,
            (): &mut (),
            verify: Verify<'_>,
        ) -> Result<Performed, Refused> {
            verify(op).unwrap();
            Ok(Performed { landed: None, digest: None })
        }
        fn unsynced(&self) {}
        fn recover(&self, op: &Operation, u: &mut ()) -> Result<Recovered, String> {
            assert_eq!(op.state, OpState::Verified, "recovery knows how far it had come");
            self.0.recover(op, u)
        }
        fn sync(&self, (): &mut ()) -> Result<(), String> {
            Err("power cut".into())
        }
    }
    let home = Home::new();
    let (hands, plan) = moves(0..2);
    let hands = StopsAfterVerified(hands);
    home.open().0.run_with(&hands, None, &plan, &quiet).unwrap_err();

    let (journal, report) = home.open();
    assert_eq!(report.open, 2);
    let report = journal.recover_with(&StopsAfterVerified(hands.0)).unwrap();
    assert_eq!(report.still_open.len(), 2, "its sync fails too");
    let FakeHands { files, .. } = &FakeHands::with_files([("d/f0".into(), 0)]);
    let here = FakeHands { files: Mutex::new(lock(files).clone()), ..FakeHands::default() };
    let report = journal.recover_with(&here).unwrap();
    assert_eq!((report.done.len(), report.unknown.len()), (1, 1));
    assert_eq!(report.done[0].trigger, Trigger::Watch);
}

/// A file that a rollback has renamed is visible before the rollback's chunk has ended.
#[test]
fn what_is_being_put_back_can_be_told_from_the_rename_on() {
    struct Looks<'a>(FakeHands, &'a Journal);
    impl Hands for Looks<'_> {
        type Unsynced = ();
        fn perform(&self, op: &Operation, u: &mut (), v: Verify<'_>) -> Result<Performed, Refused> {
            self.0.perform(op, u, v)
        }
        fn unsynced(&self) {}
        fn recover(&self, op: &Operation, u: &mut ()) -> Result<Recovered, String> {
            self.0.recover(op, u)
        }
        fn sync(&self, (): &mut ()) -> Result<(), String> {
            let here = place("in/f0").path();
            assert!(lock(&self.0.files).contains_key(&here), "it is back …");
            let last = self.1.last_touching(&here).unwrap().unwrap();
            assert!(!last.step.undo, "… before the log says so");
            let put = |id| self.1.past_of(&here, id).unwrap().put.map(|(put, _)| put);
            assert_eq!(put(identity(0)), Some(Put::Back));
            assert_eq!(put(identity(9)), None, "another file that has the name");
            Ok(())
        }
    }
    let home = Home::new();
    let (journal, _) = home.open();
    let (hands, filing) = moves(0..1);
    let filed = journal.run_with(&hands, None, &filing, &quiet).unwrap();
    let undo = plan(Trigger::Rollback, vec![inverse(&filed[0])]);
    journal.run_with(&Looks(hands, &journal), None, &undo, &quiet).unwrap();
    let back = journal.last_touching(&place("in/f0").path()).unwrap().unwrap();
    assert!(back.step.undo);
}

#[test]
fn what_goes_wrong_is_told_with_operation_rule_root_and_path() {
    use tracing_subscriber::layer::SubscriberExt as _;
    let errors = crate::telemetry::errors::ErrorLog::default();
    let subscriber = tracing_subscriber::registry().with(errors.clone());
    // As long as there is but one, a span that a thread without it meets first is switched off for all.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let home = Home::new();
    let (journal, _) = home.open();
    let (mut hands, plan) = moves(0..1);
    hands.half_way.insert(0, Half::First);
    hands.recovery_fails = true;
    let run = || journal.run_with(&hands, None, &plan, &quiet).unwrap();
    let ops = tracing::subscriber::with_default(subscriber, run);
    let told = errors.recent_errors();
    let from = ops[0].step.src.as_ref().unwrap();
    for (name, want) in [
        ("op", ops[0].id.0.to_string()),
        ("rule", ops[0].step.rule.to_string()),
        ("root", from.base().display().to_string()),
        ("path", from.path().display().to_string()),
    ] {
        assert!(told[0].context.contains(&(name.to_owned(), want)), "{name}: {told:?}");
    }
}

/// A copy is another file, whose identity nobody could plan with.
#[test]
fn a_chain_over_another_disk_goes_all_the_way_and_back() {
    let home = Home::new();
    let (journal, _) = home.open();
    let hands = FakeHands::with_files([("a".into(), 1), ("x".into(), 2)]);
    let there = || lock(&hands.files).clone();
    let before = there();
    let steps = vec![
        move_step("a", "b", 1),
        move_step("b", "disk/b", 1),
        move_step("x", "disk/x", 2),
        move_step("disk/b", "disk/c", 1),
        move_step("disk/c", "out", 1),
    ];
    let filed = journal.run_with(&hands, None, &plan(Trigger::Watch, steps), &quiet).unwrap();
    assert!(filed.iter().all(|op| op.state == OpState::Done), "{filed:#?}");
    assert!(filed.iter().all(|op| op.batch == filed[0].batch));
    let (out, disk) = (place("out").path(), place("disk/x").path());
    assert_eq!(there(), [(out, identity(201)), (disk, identity(102))].into());
    assert_eq!(journal.operation(filed[4].id).unwrap().unwrap().step.expect, Some(identity(101)));

    // Taken back, too, the plan speaks of the file as it is before its first step.
    let now =
        |op: &Operation| identity(if op.step.expect == Some(identity(2)) { 102 } else { 201 });
    let back = filed.iter().rev().map(|op| Step { expect: Some(now(op)), ..inverse(op) });
    let back = plan(Trigger::Rollback, back.collect());
    let undone = journal.run_with(&hands, None, &back, &quiet).unwrap();
    assert!(undone.iter().all(|op| op.state == OpState::Done), "{undone:#?}");
    assert!(there().keys().eq(before.keys()));
}

/// Recovery may still throw away one of the two ends.
#[test]
fn nobody_touches_a_file_of_which_it_is_not_known_where_it_is() {
    let home = Home::new();
    let (journal, _) = home.open();
    let mut hands = FakeHands::with_files([("a".into(), 1), ("b".into(), 2)]);
    hands.half_way = [(1, Half::Second)].into();
    hands.recovery_fails = true;
    let moves = |from: &str, to: &str| plan(Trigger::Watch, vec![move_step(from, to, 1)]);
    let run = |hands: &FakeHands, plan: &Plan| {
        journal.run_with(hands, None, plan, &quiet).unwrap().remove(0)
    };
    assert_eq!(run(&hands, &moves("a", "there/a")).state, OpState::Intended);

    hands.half_way.clear();
    let refused = run(&hands, &moves("there/a", "further"));
    assert_eq!(refused.state, OpState::Failed);
    assert!(refused.error.unwrap().contains("restart tidyd"));
    let other = plan(Trigger::Watch, vec![move_step("b", "there/b", 2)]);
    assert_eq!(run(&hands, &other).state, OpState::Done);

    hands.recovery_fails = false;
    assert_eq!(journal.recover_with(&hands).unwrap().done.len(), 1);
    assert_eq!(run(&hands, &moves("there/a", "further")).state, OpState::Done);
}

#[test]
fn only_one_may_have_it_open() {
    let home = Home::new();
    let (journal, _) = home.open();
    let second = Journal::open(&home.path(), &home.db, home.options.clone());
    assert!(matches!(second, Err(JournalError::Locked(_))));
    drop(journal);
    home.open();
}

#[test]
fn a_chain_cut_off_at_its_end_is_done_from_its_beginning() {
    let home = Home::new();
    let mut hands = FakeHands::with_files([("a".into(), 1), ("x".into(), 2)]);
    hands.sync_fails = true;
    let steps = vec![
        move_step("a", "b", 1),
        move_step("b", "c/d", 1),
        move_step("c/d", "e", 1),
        move_step("x", "b", 2),
    ];
    let (journal, _) = home.open();
    journal.run_with(&hands, None, &plan(Trigger::Watch, steps), &quiet).unwrap_err();
    drop(journal);

    hands.sync_fails = false;
    let (journal, report) = home.open();
    assert_eq!(report.open, 4);
    let report = journal.recover_with(&hands).unwrap();
    assert_eq!((report.done.len(), report.unknown.len()), (4, 0), "{report:?}");
}

#[test]
fn a_chain_that_has_not_begun_has_not_happened_at_all() {
    let home = Home::new();
    let mut hands = FakeHands::with_files([("a".into(), 1)]);
    hands.sync_fails = true;
    let chain = || vec![move_step("a", "b", 1), move_step("b", "c/d", 1), move_step("c/d", "e", 1)];
    let (journal, _) = home.open();
    journal.run_with(&hands, None, &plan(Trigger::Watch, chain()), &quiet).unwrap_err();
    drop(journal);

    // As after a kill before the first step.
    *lock(&hands.files) = FakeHands::with_files([("a".into(), 1)]).files.into_inner().unwrap();
    hands.sync_fails = false;
    let (journal, _) = home.open();
    let report = journal.recover_with(&hands).unwrap();
    assert_eq!((report.aborted.len(), report.unknown.len()), (3, 0), "{report:?}");
}

#[test]
fn a_later_step_without_its_file_is_unknown_when_the_one_before_it_was_another_files() {
    let home = Home::new();
    let mut hands = FakeHands::with_files([("a".into(), 1), ("b".into(), 2)]);
    hands.sync_fails = true;
    let steps = vec![move_step("b", "c", 2), move_step("a", "b", 1)];
    let (journal, _) = home.open();
    journal.run_with(&hands, None, &plan(Trigger::Watch, steps), &quiet).unwrap_err();
    *lock(&hands.files) = FakeHands::with_files([("b".into(), 2)]).files.into_inner().unwrap();
    hands.sync_fails = false;
    let report = journal.recover_with(&hands).unwrap();
    assert_eq!((report.aborted.len(), report.unknown.len()), (1, 1), "{report:?}");
}

#[test]
fn what_ends_half_way_is_settled_before_the_next_step() {
    let home = Home::new();
    let (journal, _) = home.open();
    let mut hands = FakeHands::with_files((1..5).map(|n| (format!("f{n}"), n)));
    hands.half_way = [(1, Half::Second), (2, Half::First), (3, Half::Gone)].into();
    let mut steps: Vec<_> =
        (1..5).map(|n| move_step(&format!("f{n}"), &format!("d{n}"), n)).collect();
    steps.push(move_step("d1", "e1", 1));
    let ops = journal.run_with(&hands, None, &plan(Trigger::Watch, steps), &quiet).unwrap();
    let states: Vec<_> = ops.iter().map(|op| op.state).collect();
    use OpState::{Done, Failed, Unknown};
    assert_eq!(states, [Done, Failed, Unknown, Done, Done], "{ops:#?}");
    assert_eq!(ops[1].error.as_deref(), Some("half-way"));
    assert_eq!(ops[2].error.as_deref(), Some("half-way; neither end"));
    assert_eq!((all(&journal), journal.open_count()), (ops, 0));
}

#[test]
fn what_cannot_be_settled_stays_open_and_holds_up_only_what_comes_after_it() {
    let home = Home::new();
    let (journal, _) = home.open();
    let mut hands = FakeHands::with_files((1..4).map(|n| (format!("f{n}"), n)));
    hands.half_way = [(2, Half::Second)].into();
    hands.recovery_fails = true;
    let mut steps: Vec<_> =
        (1..4).map(|n| move_step(&format!("f{n}"), &format!("d{n}"), n)).collect();
    steps.push(move_step("d2", "e2", 2));
    let told = Mutex::new(0);
    let tell = |_: &Operation| *lock(&told) += 1;
    let ops = journal.run_with(&hands, None, &plan(Trigger::Watch, steps), &tell).unwrap();
    let states: Vec<_> = ops.iter().map(|op| op.state).collect();
    use OpState::{Aborted, Done, Intended};
    assert_eq!(states, [Done, Intended, Done, Aborted], "{ops:#?}");
    assert!(ops[1].error.as_deref().is_some_and(|e| e.starts_with("half-way; ")), "{ops:#?}");
    assert_eq!((*lock(&told), journal.open_count()), (3, 1), "it has not ended");

    hands.recovery_fails = false;
    drop(journal);
    let (journal, report) = home.open();
    assert_eq!(report.open, 1);
    let report = journal.recover_with(&hands).unwrap();
    assert_eq!((ids(&report.done), journal.open_count()), (vec![ops[1].id.0], 0));
}

#[test]
fn what_the_rules_said_is_told_of_each_that_it_was_written_once_for() {
    let home = Home::new();
    let (journal, _) = home.open();
    // More than are written in one go.
    let (hands, mut plan) = moves(0..2_100);
    let said = |more| Consideration::Here(Arc::new(Considered { rules: Vec::new(), more }));
    for (i, step) in plan.steps.iter_mut().enumerate() {
        step.considered = (i % 3 > 0).then(|| said((i % 3) as u64));
    }
    let ops = journal.run_with(&hands, None, &plan, &quiet).unwrap();
    let here = |op: &&Operation| matches!(op.step.considered, Some(Consideration::Here(_)));
    assert_eq!(ops.iter().filter(here).count(), 2 * 3, "two of them in each of three writes");
    let told = |journal: &Journal| {
        let more = |op| journal.considered(op).unwrap().map_or(0, |c| c.more as usize);
        all(journal).iter().map(more).collect::<Vec<_>>()
    };
    let want: Vec<_> = (0..2_100).map(|i| i % 3).collect();
    assert_eq!(told(&journal), want);
    drop(journal);
    assert_eq!(told(&home.open().0), want, "also after a restart");
}
