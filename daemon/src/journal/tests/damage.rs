//! Segments that are missing, doubled, foreign, or unreadable where it hurts.

use tidy_core::operation::OpState;

use super::*;
use crate::journal::Direction;

fn small_segments() -> Home {
    let mut home = Home::new();
    home.options.segment_bytes = 2 << 10;
    home
}

/// Files moved in so many batches of three.
fn history(home: &Home, batches: std::ops::Range<u64>) -> Vec<Operation> {
    let (journal, _) = home.open();
    let mut ops = Vec::new();
    for n in batches {
        let (hands, plan) = moves(n * 10..n * 10 + 3);
        ops.extend(journal.run_with(&hands, None, &plan, &quiet).unwrap());
    }
    ops
}

/// A new projection, so that everything is read.
fn forget_projection(home: &mut Home) {
    home.db = sled::Config::new().temporary(true).open().unwrap();
}

fn run(journal: &Journal, numbers: std::ops::Range<u64>) -> Vec<Operation> {
    let (hands, plan) = moves(numbers);
    journal.run_with(&hands, None, &plan, &quiet).unwrap()
}

/// What a replay takes for the numbers of the segments.
fn numbers(home: &Home) -> Vec<u64> {
    segment::list(&home.path()).unwrap()
}

fn damage_payload(home: &Home, number: u64, key: &[u8; 3], nth: usize) -> bool {
    let mut bytes = std::fs::read(home.segment(number)).unwrap();
    let mut found = (0..bytes.len() - 3).filter(|at| &bytes[*at..at + 3] == key);
    let Some(at) = found.nth(nth) else { return false };
    bytes[at + 5] ^= 0xff;
    std::fs::write(home.segment(number), bytes).unwrap();
    true
}

#[test]
fn a_lost_end_is_told_and_no_number_is_used_again_even_if_nothing_is_done_at_first() {
    let home = small_segments();
    let ops = history(&home, 0..12);
    let last = *numbers(&home).last().unwrap();
    std::fs::remove_file(home.segment(last)).unwrap();

    let (journal, report) = home.open();
    let lost = report.lost.clone().expect("the index knows of more");
    assert_eq!(*lost.end(), ops.last().unwrap().id);
    let left = all(&journal);
    assert_eq!(left.last().unwrap().id.0 + 1, lost.start().0, "{report:?}");
    drop(journal);
    let (journal, report) = home.open();
    assert_eq!(report.lost, None, "told once");
    let next = run(&journal, 900..901);
    assert!(next[0].id > ops.last().unwrap().id);
}

#[test]
fn a_number_is_not_used_again_when_the_index_has_lost_its_place_or_only_the_catalog_knows() {
    let home = small_segments();
    let ops = history(&home, 0..12);
    let newest = ops.last().unwrap().id;
    let last = *numbers(&home).last().unwrap();
    std::fs::remove_file(home.segment(last)).unwrap();
    home.db.open_tree("journal.meta").unwrap().clear().unwrap();
    let (journal, report) = home.open();
    assert_eq!(report.lost.map(|l| *l.end()), Some(newest));
    assert!(run(&journal, 900..901)[0].id > newest);
    drop(journal);

    let mut other = small_segments();
    other.options.known_elsewhere = OpId(77);
    let (journal, report) = other.open();
    assert_eq!(report.lost, Some(OpId(1)..=OpId(77)));
    assert_eq!(run(&journal, 0..1)[0].id, OpId(78));
}

#[test]
fn a_cut_tail_leaves_its_numbers_unused_even_if_nothing_is_done_at_first() {
    let mut home = Home::new();
    let ops = history(&home, 0..2);
    let mut bytes = std::fs::read(home.segment(1)).unwrap();
    let length = bytes.len();
    // The last record is as long as it should be, and wrong.
    bytes[length - 3] ^= 1;
    std::fs::write(home.segment(1), &bytes).unwrap();
    forget_projection(&mut home);
    let (journal, report) = home.open();
    assert!(report.cut.is_some_and(|cut| cut.strange), "{report:?}");
    assert_eq!(std::fs::read(home.segment(1).with_extension("damaged")).unwrap(), bytes);
    drop(journal);
    let (journal, _) = home.open();
    assert!(run(&journal, 900..901)[0].id.0 > ops.last().unwrap().id.0 + 10);
}

#[test]
fn a_segment_missing_in_the_middle_is_told_and_nothing_before_it_is_taken_for_open() {
    let mut home = small_segments();
    let ops = history(&home, 0..20);
    let numbers = numbers(&home);
    let gone = numbers[2];
    std::fs::remove_file(home.segment(gone)).unwrap();
    let (journal, report) = home.open();
    assert_eq!(report.missing, vec![gone..=gone]);
    assert_eq!(report.open, 0);
    assert_eq!(all(&journal), ops, "the index has them");
    drop(journal);

    forget_projection(&mut home);
    // So that all is read, and not only from the last checkpoint on.
    assert!(damage_payload(&home, *numbers.last().unwrap(), b"\xa1\x61c", 0));
    let (journal, report) = home.open();
    assert_eq!(report.missing, vec![gone..=gone]);
    assert_eq!(report.open, 0, "{report:?}");
    let known = all(&journal);
    assert!(known.len() < ops.len() && known.len() > ops.len() / 2);
    for op in &known {
        let then = &ops[op.id.0 as usize - 1];
        assert!(op == then || op.state == OpState::Unknown, "{op:?}");
    }
}

#[test]
fn a_number_that_was_never_given_to_a_segment_is_no_gap() {
    let home = small_segments();
    history(&home, 0..4);
    let last = *numbers(&home).last().unwrap();
    // As after an attempt to begin a segment that failed.
    let unfinished = home.segment(last + 1);
    std::fs::write(&unfinished, b"").unwrap();
    history(&home, 10..14);
    let (_, report) = home.open();
    assert!(!unfinished.exists());
    assert_eq!(report.missing, vec![]);
}

#[test]
fn a_copy_of_a_segment_and_one_of_another_log_are_left_alone() {
    let mut home = small_segments();
    let ops = history(&home, 0..12);
    let other = small_segments();
    history(&other, 0..12);
    let of_ours = numbers(&home);
    let last = *of_ours.last().unwrap();
    let strangers = [home.segment(last + 3), home.segment(last + 4), home.segment(last + 5)];
    std::fs::copy(home.segment(of_ours[1]), &strangers[0]).unwrap();
    std::fs::copy(other.segment(1), &strangers[1]).unwrap();
    std::fs::create_dir(&strangers[2]).unwrap();
    std::fs::write(home.path().join("notes.txt"), "mine").unwrap();
    // A copy of another log under a number of its own.
    std::fs::copy(other.segment(2), home.segment(last + 6)).unwrap();
    for _ in 0..2 {
        forget_projection(&mut home);
        let (journal, report) = home.open();
        assert_eq!(report.strangers.len(), 4, "{report:?}");
        assert!(report.strangers[0].1.contains("copy of"), "{report:?}");
        assert_eq!((report.damage.len(), report.open), (0, 0));
        assert_eq!(all(&journal), ops);
        assert_eq!(journal.counters().done, ops.len() as u64);
    }
    let copied = std::fs::read(&strangers[0]).unwrap();
    assert_eq!(copied, std::fs::read(home.segment(of_ours[1])).unwrap());
    let more = history(&home, 20..30);
    forget_projection(&mut home);
    assert_eq!(all(&home.open().0).len(), ops.len() + more.len());
}

#[test]
fn a_segment_of_a_newer_version_is_refused_wherever_it_is() {
    let home = small_segments();
    history(&home, 0..12);
    let first = numbers(&home)[0];
    let mut bytes = std::fs::read(home.segment(first)).unwrap();
    bytes[11] = 2;
    let crc = crc32c::crc32c(&bytes[..36]).to_be_bytes();
    bytes[36..40].copy_from_slice(&crc);
    std::fs::write(home.segment(first), bytes).unwrap();
    let error = Journal::open(&home.path(), &home.db, home.options.clone()).unwrap_err();
    assert!(matches!(error, JournalError::Newer { version: 2, .. }), "{error}");
}

#[test]
fn a_damaged_header_does_not_make_another_log_of_it() {
    let home = small_segments();
    let ops = history(&home, 0..12);
    let last = *numbers(&home).last().unwrap();
    let mut bytes = std::fs::read(home.segment(last)).unwrap();
    bytes[23] ^= 1;
    std::fs::write(home.segment(last), &bytes).unwrap();
    let (journal, report) = home.open();
    assert_eq!(report.damage.len(), 1);
    assert_eq!((&report.lost, report.strangers.len()), (&None, 0));
    assert!(matches!(report.projection, ProjectionStart::CaughtUp(_)), "{report:?}");
    let more = run(&journal, 900..901);
    drop(journal);
    let (journal, report) = home.open();
    assert_eq!(report.strangers, vec![]);
    assert_eq!(all(&journal), [ops, more].concat());
}

#[test]
fn what_is_open_and_cannot_be_read_is_told() {
    let home = small_segments();
    history(&home, 0..1);
    let (journal, _) = home.open();
    let (mut hands, plan) = moves(500..501);
    hands.sync_fails = true;
    journal.run_with(&hands, None, &plan, &quiet).unwrap_err();
    let open = all(&journal).pop().unwrap();
    drop(journal);
    history(&home, 2..12);
    assert!(damage_payload(&home, 1, b"\xa1\x61i", 3));
    let (journal, report) = home.open();
    assert_eq!(report.unreadable, vec![open.id]);
    assert_eq!((report.open, report.damage.len()), (0, 1));
    assert!(journal.select(&Selector::Operation(open.id), Direction::Back).unwrap().is_empty());
    drop(journal);
    history(&home, 20..30);
    assert_eq!(home.open().1.unreadable, vec![], "told until another segment begins without it");
}

#[test]
fn what_was_undone_had_been_done_though_its_end_cannot_be_read() {
    let mut home = Home::new();
    let (journal, _) = home.open();
    let (hands, plan_of) = moves(0..1);
    let op = journal.run_with(&hands, None, &plan_of, &quiet).unwrap().remove(0);
    let undo = plan(Trigger::Rollback, vec![inverse(&op)]);
    let undone = journal.run_with(&hands, None, &undo, &quiet).unwrap().remove(0);
    let before = all(&journal);
    drop(journal);
    assert!(damage_payload(&home, 1, b"\xa1\x61s", 0));
    forget_projection(&mut home);
    let (journal, report) = home.open();
    assert_eq!((report.open, report.damage.len()), (0, 1));
    assert_eq!(all(&journal), before);
    assert_eq!(journal.inverted_by(op.id).unwrap(), Some(undone.id));
    assert!(journal.select(&Selector::Last(9), Direction::Back).unwrap().is_empty());
}

#[test]
fn damage_that_only_the_whole_log_shows_is_told_when_the_index_is_built_anew() {
    let mut home = small_segments();
    let ops = history(&home, 0..12);
    let first = numbers(&home)[0];
    let bytes = std::fs::read(home.segment(first)).unwrap();
    assert!(damage_payload(&home, first, b"\xa1\x61i", 1));
    let (journal, report) = home.open();
    assert_eq!(report.damage.len(), 0, "it is not read");
    assert_eq!(all(&journal), ops);
    drop(journal);
    forget_projection(&mut home);
    let (journal, report) = home.open();
    assert_eq!(report.damage.len(), 1, "{report:?}");
    assert_ne!(std::fs::read(home.segment(first).with_extension("damaged")).unwrap(), bytes);
    assert_eq!(all(&journal).len(), ops.len() - 1);
    assert_eq!(journal.operation(ops[1].id).unwrap(), None);
    assert!(journal.extent().unwrap().contains(&ops[1].id));
}

#[test]
fn a_last_segment_with_nothing_readable_in_it_is_kept_aside() {
    let home = small_segments();
    history(&home, 0..12);
    let last = *numbers(&home).last().unwrap();
    let noise: Vec<u8> = (0..3_000_u32).map(|n| (n * n / 7) as u8).collect();
    std::fs::write(home.segment(last), &noise).unwrap();
    let (_, report) = home.open();
    assert!(report.lost.is_some());
    assert_eq!(std::fs::read(home.segment(last).with_extension("damaged")).unwrap(), noise);
}

/// The rollback may be what is missing, also at the next start, which does not read so far.
#[test]
fn what_may_have_been_put_back_is_still_known_at_the_next_start() {
    let here = |op: &Operation| op.step.src.as_ref().unwrap().path();
    let back = |journal: &Journal, op: &Operation| {
        let past = journal.past_of(&here(op), op.landed.unwrap()).unwrap();
        past.put.map(|(put, _)| put)
    };
    for what in ["a damaged segment", "a missing one", "the end of the log"] {
        let mut home = small_segments();
        let ops = history(&home, 0..30);
        let by_hand = Some(Put::ByHand);
        assert_eq!(back(&home.open().0, &ops[0]), by_hand, "{what}: nothing is missing");
        let all = numbers(&home);
        let middle = all[all.len() / 2];
        match what {
            "a damaged segment" => {
                assert!(damage_payload(&home, middle, b"photos"[..3].try_into().unwrap(), 0));
                forget_projection(&mut home);
            }
            "a missing one" => std::fs::remove_file(home.segment(middle)).unwrap(),
            _ => all[all.len() - 3..]
                .iter()
                .for_each(|last| std::fs::remove_file(home.segment(*last)).unwrap()),
        }
        let (journal, report) = home.open();
        assert_eq!(back(&journal, &ops[0]), Some(Put::Back), "{what}: {report:?}");
        let later = run(&journal, 1_000..1_001).remove(0);
        drop(journal);
        let (journal, _) = home.open();
        assert_eq!(back(&journal, &ops[0]), Some(Put::Back), "{what}, and a start later");
        assert_eq!(back(&journal, &later), by_hand, "{what}: of what came after, all is on record");
    }
}
