//! Anything in any order, then silence.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::house::{HOUR, House, setup, stays};
use crate::coordinator::{Command, Event, Pending};
use crate::watch::Hint;

/// Few places, so that much happens in each.
const PLACES: &[&str] = &[
    "/r/a",
    "/r/b",
    "/r/a.part",
    "/r/keep",
    "/r/sub/a",
    "/r/sub/b",
    "/r/sub/b.part",
    "/q/a",
    "/q/keep",
    "/q/b",
];

/// How a change is hinted at.
#[derive(Debug, Clone, Copy)]
enum Told {
    Lost,
    Once,
    Twice,
    Late,
}

#[derive(Debug, Clone)]
enum Action {
    Create(usize),
    Write(usize),
    Finish(usize),
    Rename(usize, usize),
    Delete(usize),
}

#[derive(Debug, Clone)]
enum Op {
    User(Action, Told),
    LateHint,
    DirGone(bool),
    Overflow,
    WatchError,
    Pause(u8),
    Resume(u8),
    Rescan,
    Reload(bool),
    Wait(u16),
    Status,
    Job(bool),
    Mounts,
    Revisit(u16),
    // Answers, in any order.
    Scan,
    Probe,
    Batch,
    Act,
    Report,
    Cookie,
    NoCookie,
    CookieLost,
    Due,
    Timer,
    /// The timer, unless it is that of the next walk.
    Soon,
    Advance(u16),
}

fn place() -> impl Strategy<Value = usize> {
    0..PLACES.len()
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => place().prop_map(Action::Create),
        2 => place().prop_map(Action::Write),
        3 => place().prop_map(Action::Finish),
        2 => (place(), place()).prop_map(|(a, b)| Action::Rename(a, b)),
        1 => place().prop_map(Action::Delete),
    ]
}

fn told() -> impl Strategy<Value = Told> {
    prop_oneof![Just(Told::Lost), Just(Told::Once), Just(Told::Twice), Just(Told::Late)]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => (action(), told()).prop_map(|(a, t)| Op::User(a, t)),
        2 => Just(Op::LateHint),
        1 => any::<bool>().prop_map(Op::DirGone),
        1 => Just(Op::Overflow),
        1 => Just(Op::WatchError),
        1 => (0u8..3).prop_map(Op::Pause),
        2 => (0u8..3).prop_map(Op::Resume),
        1 => Just(Op::Rescan),
        1 => any::<bool>().prop_map(Op::Reload),
        2 => (0u16..20_000).prop_map(Op::Wait),
        1 => Just(Op::Status),
        1 => any::<bool>().prop_map(Op::Job),
        1 => Just(Op::Mounts),
        1 => any::<u16>().prop_map(Op::Revisit),
        8 => Just(Op::Scan),
        6 => Just(Op::Probe),
        3 => Just(Op::Batch),
        3 => Just(Op::Act),
        3 => Just(Op::Report),
        2 => Just(Op::Cookie),
        1 => Just(Op::NoCookie),
        1 => Just(Op::CookieLost),
        1 => Just(Op::Due),
        4 => Just(Op::Timer),
        5 => (0u16..5_000).prop_map(Op::Advance),
    ]
}

/// Nothing that makes it walk, and no hint that is lost.
fn heard_op() -> impl Strategy<Value = Op> {
    let told = prop_oneof![Just(Told::Once), Just(Told::Twice), Just(Told::Late)];
    prop_oneof![
        12 => (action(), told).prop_map(|(a, t)| Op::User(a, t)),
        2 => Just(Op::LateHint),
        8 => Just(Op::Scan),
        6 => Just(Op::Probe),
        3 => Just(Op::Batch),
        3 => Just(Op::Act),
        3 => Just(Op::Report),
        4 => Just(Op::Soon),
        5 => (0u16..5_000).prop_map(Op::Advance),
    ]
}

struct Run {
    house: House,
    late: Vec<&'static str>,
    created: BTreeSet<u64>,
    deleted: BTreeSet<u64>,
    jobs: usize,
    reloaded: bool,
}

impl Run {
    fn new() -> Self {
        Self {
            house: House::new(),
            late: Vec::new(),
            created: BTreeSet::new(),
            deleted: BTreeSet::new(),
            jobs: 0,
            reloaded: false,
        }
    }

    fn user(&mut self, action: Action, told: Told) {
        let touched = match action {
            Action::Create(at) => {
                if !self.house.files.contains_key(Path::new(PLACES[at])) {
                    self.created.insert(self.house.create(PLACES[at]));
                    self.house.write(PLACES[at]);
                }
                vec![PLACES[at]]
            }
            Action::Write(at) => {
                self.house.write(PLACES[at]);
                vec![PLACES[at]]
            }
            Action::Finish(at) => {
                self.house.finish(PLACES[at]);
                vec![PLACES[at]]
            }
            Action::Rename(from, to) => {
                self.house.rename(PLACES[from], PLACES[to]);
                vec![PLACES[from], PLACES[to]]
            }
            Action::Delete(at) => {
                self.deleted.extend(self.house.delete(PLACES[at]));
                vec![PLACES[at]]
            }
        };
        for path in touched {
            match told {
                Told::Lost => {}
                Told::Once => self.house.hint(path),
                Told::Twice => {
                    self.house.hint(path);
                    self.house.hint(path);
                }
                Told::Late => self.late.push(path),
            }
        }
    }

    fn which(n: u8) -> Option<std::path::PathBuf> {
        [None, Some("/r".into()), Some("/q".into())][usize::from(n)].clone()
    }

    fn step(&mut self, op: Op) {
        let house = &mut self.house;
        match op {
            Op::User(action, told) => self.user(action, told),
            Op::LateHint => {
                if let Some(path) = self.late.pop() {
                    house.hint(path);
                }
            }
            Op::DirGone(root) => {
                let dir = if root { "/r" } else { "/r/sub" };
                house.send(Event::Hints(vec![Hint::DirGone(dir.into())]));
                house.hint(dir);
            }
            Op::Overflow => house.send(Event::Hints(vec![Hint::Overflow])),
            Op::WatchError => house.send(Event::Hints(vec![Hint::Error("it broke".into())])),
            Op::Pause(n) => drop(house.command(Command::Pause(Self::which(n)))),
            Op::Resume(n) => drop(house.command(Command::Resume(Self::which(n)))),
            Op::Rescan => drop(house.command(Command::Rescan(Vec::new()))),
            Op::Reload(both) => {
                let roots: &[&str] = if both { &["/q", "/r"] } else { &["/r"] };
                house.reload(setup(roots, &[]));
                self.reloaded = true;
            }
            Op::Wait(ms) => {
                let timeout = Duration::from_millis(ms.into());
                house.command(Command::Wait { timeout });
            }
            Op::Status => {
                house.command(Command::Status);
                let (of_roots, all) = (house.me.roots(), house.me.pending());
                let of_roots: usize = of_roots.iter().map(|root| root.pending).sum();
                let all = all.settling + all.in_flight;
                // Of a root that is watched no more some may still be under way.
                assert!(of_roots == all || of_roots < all && self.reloaded, "{of_roots} of {all}");
            }
            Op::Job(true) => {
                self.jobs += 1;
                house.send(Event::JobStarted);
            }
            Op::Job(false) if self.jobs > 0 => {
                self.jobs -= 1;
                house.send(Event::JobEnded);
            }
            Op::Job(false) => {}
            Op::Mounts => house.send(Event::MountsChanged(vec!["/".into()])),
            Op::Revisit(secs) => {
                let at = house.now.wall.plus(Duration::from_secs(u64::from(secs) % 60));
                house.send(Event::Revisit(Some(at)));
            }
            Op::Scan => house.scan(),
            Op::Probe => house.answer_probe(),
            Op::Batch => house.finish_batch(),
            Op::Act => house.act(),
            Op::Report => house.report(),
            Op::Cookie => house.make_cookie(),
            Op::NoCookie => {
                if let Some(ask) = house.cookies.pop_front() {
                    house.send(Event::CookieAsked { ask, cookie: None });
                }
            }
            Op::CookieLost => drop(house.cookies.pop_front()),
            Op::Due => house.answer_due(),
            Op::Timer => house.sleep(),
            Op::Soon => {
                let soon = house.now.mono.plus(Duration::from_secs(280));
                if house.wake.is_some_and(|at| at < soon) {
                    house.sleep();
                }
            }
            Op::Advance(ms) => house.advance(Duration::from_millis(ms.into())),
        }
    }

    /// Writers finish and downloads end, and all of it is told.
    fn end_heard(&mut self) {
        for path in PLACES.iter().filter(|p| p.ends_with(".part")) {
            self.deleted.extend(self.house.delete(path));
        }
        PLACES.iter().for_each(|path| self.house.finish(path));
        self.late.extend(PLACES.iter().filter(|p| p.ends_with(".part")));
        for path in std::mem::take(&mut self.late) {
            self.house.hint(path);
        }
        self.house.settle_down();
    }

    /// Writers finish and downloads end; then, once it is quiet by itself, pauses end and every root is
    /// walked once more.
    fn end(&mut self) -> Result<(), TestCaseError> {
        let all: Vec<String> =
            self.house.files.keys().map(|p| p.to_str().unwrap().to_owned()).collect();
        for path in all {
            self.house.finish(&path);
            if path.ends_with(".part") {
                self.deleted.extend(self.house.delete(&path));
            }
        }
        (0..self.jobs).for_each(|_| self.house.send(Event::JobEnded));
        self.house.settle_down();
        let pending = Pending { held: 0, ..self.house.me.pending() };
        prop_assert_eq!(pending, Pending::default(), "it stands still with work to do");
        self.house.reload(setup(&["/q", "/r"], &[]));
        self.house.command(Command::Resume(None));
        self.house.settle_down();
        self.house.command(Command::Rescan(Vec::new()));
        self.house.settle_down();
        Ok(())
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let house = &self.house;
        let filed: BTreeSet<u64> = house.filed.iter().copied().collect();
        prop_assert_eq!(filed.len(), house.filed.len(), "filed twice: {:?}", &house.filed);
        let left: Vec<_> = house.files.iter().filter(|(p, _)| !stays(p)).collect();
        prop_assert!(left.is_empty(), "never filed: {:?}", left);
        let kept: BTreeSet<u64> = house.files.values().map(|f| f.stat.id.ino).collect();
        let gone: BTreeSet<u64> = filed.union(&self.deleted).copied().collect();
        prop_assert_eq!(gone.union(&kept).copied().collect::<BTreeSet<_>>(), self.created.clone());
        let answered: BTreeSet<_> = house.answers.keys().copied().collect();
        prop_assert_eq!(&answered, &house.asked, "everybody is answered");
        prop_assert_eq!(house.me.pending(), Pending::default());
        prop_assert!(house.wake.is_none_or(|at| at > house.now.mono.plus(HOUR / 2)));
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever happened: every settled file has been filed exactly once, none under its writer's
    /// hands, nobody is left waiting, and the house is quiet. That at most two batches and one job of
    /// the scanner were under way is checked by the house with every effect.
    #[test]
    fn in_the_end_everything_is_filed_once(ops in prop::collection::vec(op(), 1..120)) {
        let mut run = Run::new();
        for op in ops {
            run.step(op);
        }
        run.end()?;
        run.check()?;
    }

    /// As long as every hint comes, however late, no walk is needed.
    #[test]
    fn what_is_hinted_at_is_filed_without_a_walk(
        ops in prop::collection::vec(heard_op(), 1..120)
    ) {
        let mut run = Run::new();
        for op in ops {
            run.step(op);
        }
        run.end_heard();
        prop_assert_eq!(run.house.logged("walk /r"), run.house.logged("walk /r/sub"));
        run.check()?;
    }
}
