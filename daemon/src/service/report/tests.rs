use tidy_core::category::Category;
use tidy_core::facts::Identity;
use tidy_core::operation::BatchId;
use tidy_core::plan::{Place, Step};

use super::*;
use crate::catalog::Outcome;

const HOUR: i64 = 3_600_000_000_000;
const DAY: i64 = 24 * HOUR;
/// 2026-11-21, noon in UTC.
const NOON: i64 = 1_795_262_400_000_000_000;

fn identity(size: u64, modified: i64) -> Identity {
    Identity { ino: 1, size, mtime: UnixNanos(modified), birth: None }
}

fn place(path: &str) -> Place {
    Place::new(Path::new("/").into(), path.trim_start_matches('/').into()).unwrap()
}

fn operation(id: u64, time: i64, rule: &str, dst: &str, size: u64) -> Operation {
    Operation {
        id: OpId(id),
        batch: BatchId(id),
        trigger: Trigger::Watch,
        time: UnixNanos(time),
        step: Step {
            kind: StepKind::Move,
            src: Some(place("/in/x")),
            dst: Some(place(dst)),
            expect: Some(identity(size, 0)),
            twin: None,
            digest: None,
            rule: rule.into(),
            why: String::new(),
            follows: None,
            command: None,
            tags: None,
            considered: None,
            inverse_of: None,
            undo: false,
            further: false,
        },
        state: OpState::Done,
        landed: None,
        error: None,
    }
}

fn undo(id: u64, time: i64, of: u64, trigger: Trigger) -> Operation {
    let mut op = operation(id, time, "r", "/in/x", 10);
    op.trigger = trigger;
    op.step.undo = trigger == Trigger::Rollback;
    op.step.inverse_of = Some(OpId(of));
    op
}

fn entry(category: Option<&str>, size: u64, modified: i64) -> Entry {
    Entry {
        name: "x".into(),
        id: identity(size, modified),
        category: category.map(Category::new),
        outcome: Outcome::Known,
        revisit: None,
        head: None,
        digest: None,
    }
}

fn sums(since: Option<i64>, until: i64, tz: TimeZone) -> Sums {
    let period = Period { since: since.map(UnixNanos), until: UnixNanos(until), tz };
    Sums::new(period, UnixNanos(NOON))
}

fn finish(sums: Sums) -> ReportInfo {
    sums.finish(ReportDuplicates::default(), |path| !path.starts_with("/far"))
}

fn sum(files: u64, bytes: u64) -> ReportSum {
    ReportSum { files, bytes }
}

#[test]
fn each_deed_is_counted_as_what_a_person_calls_it() {
    let mut s = sums(None, NOON, TimeZone::UTC);
    let mut trashed = operation(9, NOON, "old", "/trash/a", 1);
    trashed.step.kind = StepKind::Trash;
    let mut folder = operation(8, NOON, "r", "/out", 0);
    folder.step.kind = StepKind::MakeDir;
    let mut failed = operation(7, NOON, "r", "/out/f", 1);
    (failed.state, failed.error) = (OpState::Failed, Some("no space".into()));
    let mut aborted = operation(6, NOON, "r", "/out/g", 1);
    aborted.state = OpState::Aborted;
    let all = [
        undo(12, NOON, 11, Trigger::Redo),
        undo(11, NOON, 4, Trigger::Rollback),
        undo(10, NOON, 3, Trigger::Rollback),
        trashed,
        folder,
        failed,
        aborted,
        operation(5, NOON, duplicates::RULE, "/dup/a", 100),
        operation(4, NOON, "r", "/out/b", 20),
        operation(3, NOON, "r", "/out/a", 10),
    ];
    all.iter().for_each(|op| s.operation(op));
    let report = finish(s);
    let expected = ReportDone {
        filed: sum(2, 30),
        put_aside: sum(1, 100),
        trashed: sum(1, 1),
        put_back: sum(2, 20),
        redone: sum(1, 10),
        failed: 1,
    };
    assert_eq!(report.done, expected);
    assert_eq!(report.days.len(), 1);
    assert_eq!(report.days[0].done, expected);
    // 3 is back where it was; 4 was, and is filed again.
    let rules: Vec<_> =
        report.rules.iter().map(|r| (r.rule.as_str(), r.files, r.put_back)).collect();
    assert_eq!(rules, [("r", 2, 1), (duplicates::RULE, 1, 0), ("old", 1, 0)]);
    assert_eq!(report.errors.len(), 1);
    assert_eq!((report.errors[0].operation, report.errors[0].error.as_str()), (7, "no space"));
}

#[test]
fn a_file_of_two_rules_is_one_and_lies_where_the_last_one_put_it() {
    let mut s = sums(None, NOON, TimeZone::UTC);
    let way = |id, batch, rule, src, dst, further| {
        let mut op = operation(id, NOON, rule, dst, 5);
        (op.batch, op.step.src, op.step.further) = (BatchId(batch), Some(place(src)), further);
        op
    };
    let mut back = way(7, 7, "late", "/out/c2", "/in/b2", true);
    (back.trigger, back.step.inverse_of) = (Trigger::Rollback, Some(OpId(6)));
    let mut wholly = way(8, 7, "early", "/in/b2", "/in/a2", false);
    (wholly.trigger, wholly.step.inverse_of) = (Trigger::Rollback, Some(OpId(5)));
    let all = [
        wholly,
        back,
        way(6, 5, "late", "/in/b2", "/out/c2", true),
        way(5, 5, "early", "/in/a2", "/in/b2", false),
        // Another one of that name, in another batch.
        way(3, 3, "early", "/in/x", "/in/b", false),
        way(2, 1, "late", "/in/b", "/out/c", true),
        way(1, 1, "early", "/in/a", "/in/b", false),
    ];
    all.iter().for_each(|op| s.operation(op));
    s.file(Path::new("/out/c"), &entry(Some("image"), 5, NOON));
    s.file(Path::new("/in/a2"), &entry(Some("audio"), 5, NOON));
    let report = finish(s);
    assert_eq!((report.done.filed, report.done.put_back), (sum(3, 15), sum(1, 5)));
    let rules: Vec<_> = report.rules.iter().map(|r| (r.rule.as_str(), r.files)).collect();
    assert_eq!(rules, [("early", 3), ("late", 2)], "each rule had them");
    let mut categories: Vec<_> =
        report.days[0].categories.iter().map(|c| (c.category.as_str(), c.files)).collect();
    categories.sort_unstable();
    assert_eq!(categories, [("audio", 1), (GONE, 1), ("image", 1)]);
}

#[test]
fn a_day_is_one_of_the_time_zone() {
    let late = NOON + 11 * HOUR + HOUR / 2;
    let days = |tz| {
        let mut s = sums(None, late, tz);
        s.operation(&operation(1, late, "r", "/out/a", 1));
        finish(s).days.into_iter().map(|d| d.day).collect::<Vec<_>>()
    };
    assert_eq!(days(TimeZone::UTC), ["2026-11-21"]);
    assert_eq!(days(TimeZone::fixed(jiff::tz::offset(1))), ["2026-11-22"]);
}

#[test]
fn what_was_done_after_the_period_is_not_in_it_but_undoing_it_is_known() {
    let mut s = sums(Some(NOON - DAY), NOON, TimeZone::UTC);
    s.operation(&undo(2, NOON + HOUR, 1, Trigger::Rollback));
    s.operation(&operation(1, NOON - HOUR, "r", "/out/a", 5));
    let report = finish(s);
    assert_eq!(report.done.put_back, sum(0, 0));
    assert_eq!(report.done.filed, sum(1, 5));
    assert_eq!(report.rules[0].put_back, 1);
}

#[test]
fn what_was_filed_has_the_category_of_the_file_that_lies_there() {
    let mut s = sums(None, NOON, TimeZone::UTC);
    s.operation(&undo(4, NOON, 3, Trigger::Rollback));
    let mut back = operation(3, NOON - 2 * DAY, "r", "/out/b", 3);
    back.step.src = Some(place("/in/b"));
    s.operation(&back);
    s.operation(&operation(5, NOON - 3 * DAY, "r", "/far/away", 9));
    s.operation(&operation(2, NOON, "r", "/out/gone", 7));
    s.operation(&operation(1, NOON - DAY, "r", "/out/a", 5));
    s.file(Path::new("/out/a"), &entry(Some("image"), 5, NOON));
    s.file(Path::new("/in/b"), &entry(Some("audio"), 3, NOON));
    let report = finish(s);
    let filed: Vec<_> = (report.days.iter())
        .map(|d| (d.day.as_str(), d.categories[0].category.as_str(), d.categories[0].bytes))
        .collect();
    assert_eq!(
        filed,
        [
            ("2026-11-18", ELSEWHERE, 9),
            ("2026-11-19", "audio", 3),
            ("2026-11-20", "image", 5),
            ("2026-11-21", GONE, 7)
        ]
    );
}

#[test]
fn files_are_counted_by_category_and_age_and_the_lists_are_the_right_ones() {
    let mut s = sums(None, NOON, TimeZone::UTC);
    for n in 0..100_u64 {
        let modified = NOON - (n as i64) * 20 * DAY;
        let path = format!("/f/{n:03}");
        s.file(Path::new(&path), &entry((n % 2 == 0).then_some("image"), n, modified));
    }
    // The clock of a camera was wrong.
    s.file(Path::new("/f/future"), &entry(Some("image"), 0, NOON + 999 * DAY));
    let report = finish(s);
    assert_eq!(report.files, sum(101, 4950));
    let categories: Vec<_> =
        report.categories.iter().map(|c| (c.category.as_str(), c.files)).collect();
    assert_eq!(categories, [(UNSEEN, 50), ("image", 51)]);
    for row in &report.categories {
        assert_eq!(row.ages.iter().map(|a| a.files).sum::<u64>(), row.files);
        assert_eq!(row.ages.iter().map(|a| a.bytes).sum::<u64>(), row.bytes);
    }
    let ages: Vec<_> = report.categories[1].ages.iter().map(|a| (a.below_days, a.files)).collect();
    // 0 and the future; 40 and 80 days; 120, … 360; 400, … 1080; 1120, … 1960.
    let expected = [(Some(30), 2), (Some(90), 2), (Some(365), 7), (Some(1095), 18), (None, 22)];
    assert_eq!(ages, expected);
    let sizes: Vec<_> = report.biggest.iter().map(|f| f.bytes).collect();
    assert_eq!(sizes, (80..100).rev().collect::<Vec<_>>());
    let oldest: Vec<_> = report.oldest.iter().map(|f| f.path.as_path().to_owned()).collect();
    let expected: Vec<_> = (80..100).rev().map(|n| PathBuf::from(format!("/f/{n:03}"))).collect();
    assert_eq!(oldest, expected);
}

#[test]
fn long_lists_are_cut_and_sums_are_not() {
    let mut s = sums(None, NOON, TimeZone::UTC);
    for n in 0..1000_i64 {
        let mut op = operation(2000 - n as u64, NOON - n * DAY, "r", "/out/a", 1);
        s.operation(&op);
        op.id = OpId(5000);
        op.state = OpState::Failed;
        s.operation(&op);
    }
    let report = finish(s);
    assert_eq!((report.days.len(), report.errors.len()), (DAYS, ERRORS));
    assert_eq!(report.days.last().map(|d| d.day.as_str()), Some("2026-11-21"));
    assert_eq!((report.done.filed.files, report.done.failed), (1000, 1000));
}
