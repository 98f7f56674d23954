//! A crash at every point, in every kind of step, with a second crash in the recovery.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use super::*;
use crate::act::CRASH_POINTS;
use crate::act::testing::{at_points, lacking, set_broken};

/// What a crash unwinds with: nothing in `act` cleans up while unwinding, so it is like a kill.
struct Crash;

/// Runs `body`; at the `n`-th time (from 1) that `point` is reached everything ends. `None`: crashed.
fn crashing<T>(
    point: &'static str,
    n: usize,
    reached: &Rc<RefCell<BTreeSet<&'static str>>>,
    body: impl FnOnce() -> T,
) -> Option<T> {
    let mut left = n;
    let reached = reached.clone();
    let hook = move |at| {
        reached.borrow_mut().insert(at);
        if at == point {
            left -= 1;
            if left == 0 {
                resume_unwind(Box::new(Crash));
            }
        }
    };
    match catch_unwind(AssertUnwindSafe(|| at_points(hook, body))) {
        Ok(value) => Some(value),
        Err(payload) if payload.is::<Crash>() => None,
        Err(payload) => resume_unwind(payload),
    }
}

/// A point, and what somebody else does there.
type Trouble = (&'static str, fn(&Ground));

struct Scenario {
    name: &'static str,
    kind: StepKind,
    lacks: Lacks,
    /// Something that makes the step fail half-way, done at a point.
    trouble: Option<Trouble>,
}

fn scenarios() -> Vec<Scenario> {
    let lacks = |no_replace, common_device| Lacks { no_replace, links: false, common_device };
    let mut all = Vec::new();
    for (kind, name) in [
        (StepKind::Move, "move"),
        (StepKind::Copy, "copy"),
        (StepKind::Trash, "trash"),
        (StepKind::Restore, "restore"),
    ] {
        for no_replace in [false, true] {
            for common_device in [false, true] {
                let lacks = lacks(no_replace, common_device);
                all.push(Scenario { name, kind, lacks, trouble: None });
            }
        }
    }
    let taken: fn(&Ground) = |g| fs::write(g.dst("f").path(), "theirs").unwrap();
    let replaced: fn(&Ground) = |g| {
        fs::write(g.src("new").path(), "replaced").unwrap();
        fs::rename(g.src("new").path(), g.src("f").path()).unwrap();
    };
    let trouble = [
        ("taken", "move.before-rename", false, false, taken),
        ("taken across", "copy.before-rename", false, true, taken),
        ("replaced", "move.before-rename", false, false, replaced),
        ("replaced, linking", "move.before-rename", true, false, replaced),
        ("replaced across", "copy.directory-synced", false, true, replaced),
        ("replaced across, linking", "copy.directory-synced", true, true, replaced),
    ];
    for (name, at, no_replace, common_device, what) in trouble {
        all.push(Scenario {
            name,
            kind: StepKind::Move,
            lacks: lacks(no_replace, common_device),
            trouble: Some((at, what)),
        });
    }
    all
}

impl Scenario {
    /// Ready to be performed.
    fn set_up(&self) -> (Ground, Operation) {
        let g = Ground::quick();
        let trash = Arc::from(g.to.join("Trash"));
        let there = Place::new(trash, "files/f".into()).unwrap();
        put(&g.src("f"), "hello");
        put(&g.src("bystander"), "bystander");
        put(&g.dst("bystander"), "bystander");
        let op = match self.kind {
            StepKind::Trash => step(self.kind, Some(&g.src("f")), Some(&there)),
            StepKind::Restore => {
                perform(&step(StepKind::Trash, Some(&g.src("f")), Some(&there))).unwrap();
                step(self.kind, Some(&there), Some(&g.src("f")))
            }
            kind => step(kind, Some(&g.src("f")), Some(&g.dst("f"))),
        };
        (g, op)
    }

    /// Performs until the crash. Returns the operation as the journal would know it afterwards.
    fn crash(
        &self,
        g: &Ground,
        op: &Operation,
        point: &'static str,
        n: usize,
        reached: &Rc<RefCell<BTreeSet<&'static str>>>,
        told: bool,
    ) -> Option<Operation> {
        let mut log = Log::default();
        let mut trouble = self.trouble;
        let perform = || {
            let mut unsynced = Unsynced::default();
            let result = crate::act::perform(op, &mut unsynced, &mut log);
            unsynced.sync().unwrap();
            result
        };
        // The trouble comes first where both are at one point.
        let crashed = {
            let mut left = n;
            let reached = reached.clone();
            let from = (g.from.clone(), g.to.clone());
            let hook = move |at| {
                if let Some((when, what)) = trouble
                    && when == at
                {
                    trouble = None;
                    what(&Ground { _dirs: Vec::new(), from: from.0.clone(), to: from.1.clone() });
                }
                reached.borrow_mut().insert(at);
                if at == point {
                    left -= 1;
                    if left == 0 {
                        resume_unwind(Box::new(Crash));
                    }
                }
            };
            lacking(self.lacks, || catch_unwind(AssertUnwindSafe(|| at_points(hook, perform))))
        };
        match crashed {
            Ok(_) => return None,
            Err(payload) if payload.is::<Crash>() => {}
            Err(payload) => resume_unwind(payload),
        }
        let mut op = op.clone();
        if let Some(verified) = log.verified {
            op.state = OpState::Verified;
            op.landed = verified.landed.filter(|_| told);
        }
        Some(op)
    }

    /// Everything that must hold when recovery has come to an end.
    #[track_caller]
    fn check(&self, g: &Ground, op: &Operation, end: &Recovered, context: &str) {
        let src = op.step.src.as_ref().unwrap();
        let dst = op.step.dst.as_ref().unwrap();
        let content = |p: &Place| fs::read(p.path()).ok();
        let ours = |p: &Place| content(p).as_deref() == Some(b"hello");
        let files = g.files();
        let kept = files.values().any(|c| c == b"hello");
        let replaced = self.trouble.is_some_and(|_| self.name.starts_with("replaced"));
        assert!(kept || replaced, "{context}: the content is lost");
        // A file that took the source's place just before a rename is put back at once, unless the
        // crash is faster: then nothing tells recovery whose it is, and it stays where it is.
        let lost = matches!(end, Recovered::Lost(_));
        if files.values().any(|c| c == b"replaced") && !lost {
            assert_eq!(content(src).as_deref(), Some(&b"replaced"[..]), "{context}");
        }
        if files.values().any(|c| c == b"theirs") {
            assert_eq!(content(dst).as_deref(), Some(&b"theirs"[..]), "{context}");
        }
        let bystanders = files.values().filter(|c| *c == b"bystander").count();
        assert_eq!(bystanders, 2, "{context}");
        match end {
            Recovered::Done(done) => {
                assert!(ours(dst), "{context}: done, and not there");
                assert_eq!(done.landed, Some(id(dst)), "{context}");
                assert_eq!(ours(src), self.kind == StepKind::Copy, "{context}: {files:?}");
            }
            Recovered::Aborted(_) => {
                assert!(ours(src) || replaced, "{context}: aborted, and gone");
                assert!(!ours(dst) || replaced, "{context}: aborted, and there");
            }
            // Only where the source was taken over by another file can that be the answer.
            Recovered::Lost(why) => assert!(replaced, "{context}: {why}"),
        }
        if !matches!(end, Recovered::Lost(_)) {
            assert_eq!(g.leftovers(), Vec::<PathBuf>::new(), "{context}");
            let info = files.keys().any(|p| p.extension() == Some("trashinfo".as_ref()));
            let in_trash = files.keys().any(|p| p.ends_with("Trash/files/f"));
            assert_eq!(info, in_trash, "{context}: information and file");
        }
    }
}

impl Scenario {
    /// Its column in the table of crash points; none for what somebody else disturbs.
    fn column(&self) -> Option<&'static str> {
        if self.trouble.is_some() {
            return None;
        }
        let Lacks { no_replace, common_device, .. } = self.lacks;
        Some(match (self.kind, common_device, no_replace) {
            (StepKind::Copy, ..) => "copy",
            (_, true, _) => "to another device",
            (_, false, true) => "by linking",
            (StepKind::Trash, false, false) => "to the trash",
            (StepKind::Restore, false, false) => "out of the trash",
            _ => "move",
        })
    }
}

const COLUMNS: [&str; 6] =
    ["move", "by linking", "to another device", "copy", "to the trash", "out of the trash"];

/// By point and column: how the next start ends it.
type Ends = BTreeMap<&'static str, BTreeMap<&'static str, BTreeSet<&'static str>>>;

/// The table as it is in the documentation.
fn table(ends: &Ends) -> String {
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let heads = ["stopped at"].into_iter().chain(COLUMNS);
    let mut out = row(heads.map(str::to_owned).collect());
    out += &row(vec!["---".to_owned(); COLUMNS.len() + 1]);
    for (point, columns) in ends {
        let cell = |column| {
            let ends = columns.get(column).map(|e| e.iter().copied().collect::<Vec<_>>());
            ends.map_or("·".to_owned(), |e| e.join(" or "))
        };
        out += &row([format!("`{point}`")].into_iter().chain(COLUMNS.map(cell)).collect());
    }
    out
}

#[test]
fn whatever_the_crash_recovery_loses_nothing_and_comes_to_the_same_end_again() {
    let reached = Rc::new(RefCell::new(BTreeSet::new()));
    let mut ends = Ends::new();
    let mut crashes = 0;
    for scenario in scenarios() {
        for &point in CRASH_POINTS {
            for (n, told) in [(1, true), (1, false), (2, true), (2, false)] {
                let (g, op) = scenario.set_up();
                let Some(op) = scenario.crash(&g, &op, point, n, &reached, told) else { break };
                crashes += 1;
                let at =
                    format!("{} {:?} at {point}:{n} told={told}", scenario.name, scenario.lacks);
                let end = lacking(scenario.lacks, || recover(&op)).expect(&at);
                scenario.check(&g, &op, &end, &at);
                if let Some(column) = scenario.column() {
                    let word = match end {
                        Recovered::Done(_) => "done",
                        Recovered::Aborted(_) => "aborted",
                        Recovered::Lost(_) => "unknown",
                    };
                    ends.entry(point).or_default().entry(column).or_default().insert(word);
                }
                let before = g.files();
                assert_eq!(lacking(scenario.lacks, || recover(&op)).expect(&at), end, "{at}");
                assert_eq!(g.files(), before, "{at}: again");
            }
        }
    }
    assert!(crashes > 300, "only {crashes} crashes");
    // The sweep is only as good as the table: all but what needs a step on a directory or a link, tags, or
    // a file system that folds case, must have been reached.
    let others = ["dir.", "link.", "tag.", "unit.", "rename.case-aside"];
    let elsewhere = |p: &str| others.iter().any(|o| p.starts_with(o));
    let reached = reached.borrow();
    let never: Vec<_> =
        CRASH_POINTS.iter().filter(|p| !reached.contains(*p) && !elsewhere(p)).collect();
    assert!(never.is_empty(), "never reached: {never:?}");
    let table = table(&ends);
    let documented = include_str!("../../../../docs/crash-points.md");
    assert!(documented.ends_with(&table), "docs/crash-points.md should end with\n{table}");
}

#[test]
fn a_crash_in_the_recovery_is_recovered_from() {
    let mut crashes = 0;
    for scenario in scenarios() {
        for &point in CRASH_POINTS {
            // The points that this recovery passes, and then a crash at each of them.
            let passed = Rc::new(RefCell::new(BTreeSet::new()));
            let unused = Rc::default();
            let (g, op) = scenario.set_up();
            let Some(op) = scenario.crash(&g, &op, point, 1, &unused, false) else { continue };
            lacking(scenario.lacks, || crashing("none", 1, &passed, || recover(&op)));
            for &second in passed.borrow().iter() {
                let (g, op) = scenario.set_up();
                let op = scenario.crash(&g, &op, point, 1, &unused, false).unwrap();
                let first =
                    lacking(scenario.lacks, || crashing(second, 1, &unused, || recover(&op)));
                crashes += usize::from(first.is_none());
                let at = format!("{} {:?} at {point}, {second}", scenario.name, scenario.lacks);
                let end = lacking(scenario.lacks, || recover(&op)).expect(&at);
                scenario.check(&g, &op, &end, &at);
            }
        }
    }
    assert!(crashes > 100, "only {crashes} crashes");
}

#[test]
fn what_a_disk_that_fails_from_some_point_on_cuts_off_is_taken_back_or_settled_later() {
    let (mut taken_back, mut settled) = (0, 0);
    for scenario in scenarios().into_iter().filter(|s| s.trouble.is_none()) {
        for &point in CRASH_POINTS {
            let (g, mut op) = scenario.set_up();
            let (mut unsynced, mut log) = (Unsynced::default(), Log::default());
            let fail = move |at| set_broken(at == point || crate::act::testing::disk().is_err());
            let perform = || crate::act::perform(&op, &mut unsynced, &mut log);
            let result = lacking(scenario.lacks, || at_points(fail, perform));
            set_broken(false);
            // That it fails is told elsewhere, and changes nothing about where files are.
            let _ = unsynced.sync();
            let at = format!("{} {:?}, broken at {point}", scenario.name, scenario.lacks);
            let end = match result {
                Ok(done) => Recovered::Done(done),
                Err(e) if e.event().is_some() => {
                    taken_back += 1;
                    Recovered::Aborted(e.to_string())
                }
                Err(e) => {
                    settled += 1;
                    if let Some(verified) = log.verified {
                        (op.state, op.landed) = (OpState::Verified, verified.landed);
                    }
                    let end = lacking(scenario.lacks, || recover(&op));
                    end.unwrap_or_else(|again| panic!("{at}: {e}, then {again}"))
                }
            };
            scenario.check(&g, &op, &end, &at);
        }
    }
    assert!(taken_back > 0 && settled > 100, "{taken_back} taken back, {settled} settled");
}
