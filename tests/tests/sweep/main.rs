//! Every system call at which tidyd can be killed, or can be told of an error: nothing is lost, nothing is doubled, all is
//! where the journal says, and all of it can be put back.
//!
//! A short sweep runs with every `cargo test`: some points, always the same. The whole one takes an hour or more and
//! prints a table:
//!
//! ```text
//! TIDYD_TEST_SWEEP=all cargo test -p tidy-tests --test sweep -- --nocapture
//! ```
//!
//! `TIDYD_TEST_SWEEP=3/8` runs the third of eight parts of it, `TIDYD_TEST_SWEEP=17` begins the short sweep at another
//! point, and `TIDYD_TEST_SWEEP=files/file/all/renameat2` runs all points whose name contains that. Where strace does not work, the crash points of `act` take its place
//! (`TIDYD_CRASH_AT`), and the part with the errors is skipped.
#![expect(clippy::disallowed_methods, reason = "puts its own scratch files where tidyd finds them")]

mod ground;
mod inject;
mod points;
mod scenario;
mod stage;
mod tally;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use ground::Ground;
use inject::{Scope, happened, injected};
use points::{ERRORS, First, KILLS, Point};
use scenario::SCENARIOS;
use stage::{Stage, plain_part};
use tally::Tally;
use tidy_tests::image::{FileSystem, Mounted, in_private};

/// Points in a short sweep, of each part.
const SHORT: usize = 16;

/// Points under way at a time: most of their time they wait.
const AT_ONCE: usize = 4;

/// What is to be swept.
enum Extent {
    All,
    /// Every so many points, from this one on.
    Some(usize),
    /// The points of one part, and of how many.
    Part(usize, usize),
    /// Points with this in their names.
    Named(String),
}

impl Extent {
    fn asked_for() -> Self {
        match std::env::var("TIDYD_TEST_SWEEP") {
            Err(_) => Self::Some(0),
            Ok(all) if all == "all" => Self::All,
            Ok(asked) => Self::read(&asked).unwrap_or(Self::Named(asked)),
        }
    }

    fn read(asked: &str) -> Option<Self> {
        if let Some((part, of)) = asked.split_once('/') {
            return Some(Self::Part(part.parse().ok()?, of.parse().ok()?));
        }
        asked.parse().ok().map(Self::Some)
    }

    fn choose(&self, mut points: Vec<Point>) -> Vec<Point> {
        match self {
            Self::All => {}
            Self::Some(from) => points = every(points.len().div_ceil(SHORT), *from, points),
            Self::Part(part, of) => points = every(*of, *part, points),
            Self::Named(part) => points.retain(|p| p.name().contains(part.as_str())),
        }
        points
    }
}

/// Every so many points, from this one on.
fn every(step: usize, from: usize, points: Vec<Point>) -> Vec<Point> {
    let step = step.max(1);
    points.into_iter().skip(from % step).step_by(step).collect()
}

fn strace_works() -> bool {
    let fault = "--inject=fsync:error=EIO";
    tidy_tests::works(&["strace", "-f", "-qq", "-o", "/dev/null", "--trace=fsync", fault, "true"])
}

/// Runs all points, some at a time; every failure is told, and then all of them.
fn sweep(points: &[Point], run: impl Fn(&Point) -> Option<&'static str> + Sync) -> Tally {
    eprintln!("{} points", points.len());
    let next = AtomicUsize::new(0);
    let tally = Mutex::new(Tally::default());
    let work = || {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let Some(point) = points.get(n) else { return };
            let outcome = catch_unwind(AssertUnwindSafe(|| run(point)));
            if n % 500 == 499 {
                eprintln!("{} of {}", n + 1, points.len());
            }
            tally.lock().expect("nothing panics in it").enter(point, outcome);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(work);
        }
    });
    tally.into_inner().expect("nothing panics in it")
}

/// Where everything is after each stage when nothing goes wrong, by scenario.
struct Places {
    original: Vec<PathBuf>,
    filed: Vec<PathBuf>,
}

impl Places {
    fn all() -> BTreeMap<usize, Self> {
        ground::at_hand().map(|(n, scenario)| (n, Self::of(scenario))).collect()
    }

    /// Files, rolls back and does again, with nothing in the way.
    fn of(scenario: &scenario::Scenario) -> Self {
        let ground = Ground::new(scenario);
        if !ground.has_devices() {
            eprintln!("moves across devices are skipped, because there is only one here");
        }
        let original = ground.places();
        ground.prepare(Stage::Rollback);
        let filed = ground.places();
        let daemon = ground.world.start();
        ground.world.wait();
        ground.check_at_rest();
        let on_files = |op: &&serde_json::Value| op["state"] == "done" && op["kind"] != "mkdir";
        let steps = ground.log().iter().filter(on_files).count();
        let expected = scenario.cases.iter().map(|c| c.steps).sum::<usize>();
        assert_eq!(steps, expected, "{}: {:#?}", scenario.name, ground.log());
        ground.world.ctl(["rollback", "--since", "1d", "--yes"]).ok();
        ground.check_at_rest();
        ground.world.ctl(["redo"]).ok();
        ground.check_at_rest();
        ground.check_rollback(false);
        assert_eq!(daemon.stop(), 0);
        Self { original, filed }
    }
}

/// Kills at a point, perhaps again while that is recovered from. `None`: the point was not reached.
fn kill(places: &BTreeMap<usize, Places>, point: &Point) -> Option<&'static str> {
    let ground = Ground::new(&SCENARIOS[point.scenario]);
    let mut reached = false;
    let stage = point.after.as_ref().map_or(point.stage, |first| first.stage);
    ground.prepare(stage);
    for (stage, scope, call, n) in point.strokes() {
        let calls =
            if scope == Scope::Linking { format!("{call},renameat2") } else { call.to_owned() };
        let ended = ground.carry_out(stage, scope, &calls, Some((call, "signal=KILL", n)));
        reached = !ended.alive;
        if ended.alive {
            assert!(ended.went_well(scope), "{:?}", ended.run);
        } else {
            assert!(ended.run.code == 137 || !ground.is_alone(stage), "{:?}", ended.run);
        }
    }
    // What was begun is not gone on with when somebody asked for it; what arrived is filed.
    let in_the_end = ground.is_alone(stage).then_some(&*places[&point.scenario].filed);
    ground.check_afterwards(in_the_end, false);
    reached.then_some("recovered")
}

/// Lets a call fail. `None`: it was not made.
fn fail(places: &BTreeMap<usize, Places>, point: &Point) -> Option<&'static str> {
    let ground = Ground::new(&SCENARIOS[point.scenario]);
    ground.prepare(point.stage);
    let error = format!("error={}", point.happens);
    let ended = ground.carry_out(
        point.stage,
        point.scope,
        &point.call,
        Some((&point.call, &error, point.n)),
    );
    let run = &ended.run;
    assert!(ended.alive && run.code != 101, "it ended with {run:?}\n{}", ended.said);
    assert!(!ended.said.contains("panicked at"), "{}", ended.said);
    ground.has_orphans.set(ended.said.contains("information about a restored file was left"));
    let places = &places[&point.scenario];
    let there = if point.stage == Stage::Rollback { &places.original } else { &places.filed };
    let in_trash = |p: &PathBuf| p.starts_with(".local/share/Trash");
    let mut left = ground.not_brought_to(there);
    // Names in the trash are nobody's: one of which it cannot be told whether it is free is passed over. What should have
    // come out of it is left there.
    let should_be_out = |p: &PathBuf| point.stage == Stage::Rollback && places.filed.contains(p);
    left.retain(|p| !p.starts_with(".local/share/Trash/info"));
    left.retain(|p| !in_trash(p) || should_be_out(p));
    let all_said = format!("{}{}", ended.said, run.stderr) + &run.stdout;
    let is_told = |path: &Path| all_said.contains(&plain_part(path));
    // A companion stays with its file, and that is told.
    let main_is_told = |path: &Path| {
        let main = path.file_stem().map(Path::new).filter(|main| main.extension().is_some());
        main.is_some_and(is_told)
    };
    // A rollback names the place a file should go back to: its extension is the same.
    let told_by_client = |path: &Path| {
        let extension = path.extension().expect("every file has one").to_string_lossy();
        run.stdout.contains(&format!(".{extension}"))
    };
    let outcome = match run.code {
        0 | 3 => {
            for path in &left {
                assert!(
                    is_told(path)
                        || main_is_told(path)
                        || told_by_client(path)
                        || all_said.contains("cannot be read:"),
                    "nobody is told of {path:?}: {run:?}\n{}",
                    ended.said
                );
            }
            // A folder that cannot be listed is told as one, with all that is in it.
            let folder = all_said.contains("cannot be read:");
            assert!(
                left.len() <= 3 || folder || point.happens.ends_with('+'),
                "one error, and these are left: {left:#?} {run:?}\n{}",
                ended.said
            );
            if left.is_empty() { "all done" } else { "one left, and told" }
        }
        _ => {
            assert!(all_said.contains("error: "), "{run:?}\n{}", ended.said);
            "ended, and told"
        }
    };
    if point.happens == "EXDEV" && injected(&ended.trace).is_some_and(|l| l.contains("chain")) {
        // A chain of which a part crossed devices comes back in several rollbacks, not in one.
        ground.check_recovered();
    } else {
        // What a half-finished rollback could not put under its own name has another one by now.
        ground.check_afterwards(None, point.stage != Stage::File);
    }
    happened(&ended.trace, &point.call).then_some(outcome)
}

#[test]
fn killed_at_any_call_nothing_is_lost_and_all_of_it_can_be_put_back() {
    if strace_works() {
        return kills(&Extent::asked_for());
    }
    let places = Places::all();
    let points = Extent::asked_for().choose(points::crash_points());
    sweep(&points, |point| crash(&places, point)).done("crashes");
}

fn kills(extent: &Extent) {
    let places = Places::all();
    let mut all = Vec::new();
    for stage in [Stage::File, Stage::Rollback, Stage::Redo] {
        for scope in [Scope::All, Scope::Journal, Scope::Store, Scope::Linking] {
            let kills = KILLS.iter().map(|call| (*call, &["KILL"][..])).collect::<Vec<_>>();
            all.extend(points::of(stage, scope, &kills));
        }
    }
    sweep(&extent.choose(all), |point| kill(&places, point)).done("kills");
}

#[test]
fn killed_again_while_recovering_the_next_start_recovers() {
    if strace_works() {
        kills_again(&Extent::asked_for());
    }
}

fn kills_again(extent: &Extent) {
    let places = Places::all();
    let mut firsts = Vec::new();
    for (stage, scope) in [
        (Stage::File, Scope::All),
        (Stage::File, Scope::Journal),
        (Stage::File, Scope::Linking),
        (Stage::Rollback, Scope::All),
    ] {
        let kills: Vec<_> = points::SETTLED.iter().map(|c| (*c, &["KILL"][..])).collect();
        firsts.extend(points::of(stage, scope, &kills));
    }
    if matches!(extent, Extent::Some(_) | Extent::Part(..)) {
        firsts = extent.choose(firsts);
    }
    firsts.sort_by_key(Point::name);
    // Many stops leave the same behind: starts that do the same are looked at once.
    let all: Mutex<BTreeMap<points::Recovery, Vec<Point>>> = Mutex::default();
    sweep(&firsts, |first| {
        let (recovery, found) = points::in_recovery(&First::of(first));
        all.lock().expect("nothing panics in it").insert(recovery, found);
        Some("looked at")
    })
    .quietly();
    let all = all.into_inner().expect("nothing panics in it");
    eprintln!("{} kills, after which {} starts differ", firsts.len(), all.len());
    let mut all: Vec<_> = all.into_values().flatten().collect();
    all.sort_by_key(Point::name);
    // A part of the first kills has all of the second ones.
    let all = if matches!(extent, Extent::Part(..)) { all } else { extent.choose(all) };
    sweep(&all, |point| kill(&places, point)).done("kills while recovering");
}

#[test]
fn no_failing_call_loses_a_file_or_stops_the_others() {
    if strace_works() {
        errors(&Extent::asked_for());
    }
}

fn errors(extent: &Extent) {
    let places = Places::all();
    let mut all = Vec::new();
    for stage in [Stage::File, Stage::Rollback, Stage::Redo] {
        for scope in [Scope::All, Scope::Journal, Scope::Store] {
            all.extend(points::of(stage, scope, &ERRORS));
        }
    }
    sweep(&extent.choose(all), |point| fail(&places, point)).done("errors");
}

#[test]
fn the_same_holds_where_files_share_blocks() {
    let system = FileSystem::Btrfs;
    let usable = || strace_works() && system.is_usable();
    if !in_private("the_same_holds_where_files_share_blocks") || !usable() {
        return;
    }
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let (image, at) = (scratch.path().join("image"), scratch.path().join("at"));
    assert!(system.make(&image));
    std::fs::create_dir(&at).expect("own directory");
    let mounted = Mounted::new(&image, &at).expect("it could be mounted before");
    ground::BLOCKS_SHARED.set(at).expect("set once");
    let extent = Extent::asked_for();
    kills(&extent);
    kills_again(&extent);
    errors(&extent);
    drop(mounted);
}

/// The same with a crash point of `act`.
fn crash(places: &BTreeMap<usize, Places>, point: &Point) -> Option<&'static str> {
    let ground = Ground::new(&SCENARIOS[point.scenario]);
    ground.prepare(point.stage);
    let at = format!("{}:{}", point.call, point.n);
    let reached = ground.crash(point.stage, &at);
    let in_the_end = (point.stage == Stage::File).then_some(&*places[&point.scenario].filed);
    ground.check_afterwards(in_the_end, false);
    reached.then_some("recovered")
}
