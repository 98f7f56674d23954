//! Runs of many chunks, which are carried out two at a time.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tidy_core::operation::{OpState, Operation};
use tidy_core::plan::{Place, StepKind};

use super::ground::Ran;
use super::{Ground, MODE};
use crate::catalog::OutcomeKind;
use crate::filing::{Candidate, Mode, Progress, UndoReport, Watcher};
use crate::journal::{Direction, Selector};

/// More than four chunks.
const FILES: usize = 2_100;

const RULES: &str = r#"
watch = ["@/in"]
breaker = false
duplicates = { others = { folder = "@/copies" } }
[[rule]]
name = "by kind"
when = {}
move = "@/out/{ext}/"
[default]
"#;

/// Files that get in each other's way over the bounds of chunks: of one name, and copies; and folders that are made
/// late.
fn fill(ground: &Ground) {
    for n in 0..FILES {
        let name = match n % 5 {
            0 => format!("in/{n:05}/same.txt"),
            1 => format!("in/{n:05}/{}.txt", n / 50),
            _ => format!("in/{n:05}/{n}.e{}", n / 300),
        };
        let content = if n % 11 == 3 { format!("copy {}", n % 9) } else { format!("file {n}") };
        ground.put(name, content);
    }
}

fn steps(ran: &Ran) -> Vec<(StepKind, Option<Place>, Option<Place>)> {
    let step = |op: &Operation| (op.step.kind, op.step.src.clone(), op.step.dst.clone());
    ran.operations.iter().map(step).collect()
}

#[test]
fn many_chunks_do_what_one_after_the_other_would() {
    let ground = Ground::new(RULES);
    fill(&ground);
    let candidates = ground.candidates();
    let planned = ground.run_as(candidates.clone(), Mode { dry_run: true, ..MODE });
    let real = ground.run(candidates);
    assert!(real.operations.iter().all(|op| op.state == OpState::Done));
    let planned = planned.steps.iter().map(|s| (s.kind, s.src.clone(), s.dst.clone()));
    assert_eq!(planned.collect::<Vec<_>>(), steps(&real));
    assert!(real.operations.iter().all(|op| Some(op.batch) == real.batch));
    assert_eq!(real.ended.files, FILES);
    assert!(real.left.is_empty() && real.again.is_empty());
    assert_eq!(ground.names("in"), Vec::<String>::new());
    ground.check();
}

#[test]
fn what_has_begun_when_a_run_is_stopped_is_entered() {
    let ground = Ground::new(&RULES.replace("@/out", "@/in/filed"));
    fill(&ground);
    let stop = AtomicBool::new(false);
    let progress = |p: Progress<'_>| {
        if matches!(p, Progress::Done(n) if n > FILES / 3) {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let watcher = Watcher { progress: &progress, stop: &stop };
    let candidates: Vec<Candidate> = ground.candidates();
    let report = ground.filing.run(&ground.setup, candidates, MODE, ground.now, watcher).unwrap();
    assert!(report.stopped);
    let (filed, stayed): (Vec<_>, Vec<_>) =
        ground.names("in").into_iter().partition(|name| name.starts_with("in/filed"));
    assert!(!stayed.is_empty() && stayed.len() < FILES, "{} stayed", stayed.len());
    assert_eq!(report.ended.files, FILES - stayed.len());
    for name in &filed {
        assert_eq!(ground.outcome(name), Some(OutcomeKind::Filed), "{name}");
    }
    assert_eq!(filed.len() + ground.names("copies").len(), report.ended.files);
    assert_eq!(ground.tidy().ended.files, stayed.len(), "the others have their turn later");
    ground.check();
}

#[test]
fn a_name_that_is_lost_while_two_chunks_are_under_way_is_given_up() {
    let ground = Ground::new(RULES);
    fill(&ground);
    let taken: BTreeSet<String> = (0..FILES).map(|n| format!("out/txt/same ({n}).txt")).collect();
    let once = AtomicBool::new(false);
    let ran = ground.run_watched(ground.candidates(), MODE, &|p| {
        let in_there = |op: &Operation| {
            op.step.dst.as_ref().is_some_and(|dst| dst.path().starts_with(ground.path("out/txt/")))
        };
        if matches!(p, Progress::Operation(op) if op.step.kind == StepKind::Move && in_there(op))
            && !once.swap(true, Ordering::Relaxed)
        {
            for name in taken.iter().step_by(3) {
                // Those that have been given away by now stay.
                let file = fs::File::create_new(ground.path(name));
                drop(file.map(|mut file| std::io::Write::write_all(&mut file, b"a person's")));
            }
        }
    });
    assert!(ran.left.is_empty(), "{:?}", ran.left);
    assert_eq!(ran.ended.files + ran.again.len(), FILES);
    let persons = ground.files("out/txt").into_values().filter(|c| c == "a person's").count();
    let theirs = fs::read_dir(ground.path("out/txt")).unwrap().count();
    assert!(persons > 100 && theirs > persons, "{persons} of {theirs}");
    ground.check();
}

/// Each file goes over two places, but for the last of all: so the two operations of some file are in two chunks.
const OVER_TWO_PLACES: &str = r#"
watch = ["@/in"]
breaker = false
duplicates = { others = "report" }
[[rule]]
name = "last"
when = { name = "zzz*" }
move = "@/out/"
[[rule]]
name = "first place"
when = {}
move = "@/middle/{ext}/"
then = "continue"
[[rule]]
name = "second place"
when = {}
move = "@/out/{ext}/"
[default]
"#;

/// Undoes all there is, and returns which operations were told of, and how far it said that it was.
fn undo_all(ground: &Ground, stop_at: usize) -> (UndoReport, Vec<u64>, Vec<usize>) {
    let last = ground.filing.journal().select(&Selector::Last(1), Direction::Back).unwrap();
    let (told, done) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let stop = AtomicBool::new(false);
    let progress = |p: Progress<'_>| match p {
        Progress::Operation(op) => told.lock().unwrap().push(op.id.0),
        Progress::Done(files) => {
            done.lock().unwrap().push(files);
            stop.store(files >= stop_at, Ordering::Relaxed);
        }
        _ => {}
    };
    let watcher = Watcher { progress: &progress, stop: &stop };
    let undo = ground.filing.undo(&ground.setup, &last, Direction::Back, false, watcher);
    (undo.unwrap(), told.into_inner().unwrap(), done.into_inner().unwrap())
}

#[test]
fn a_long_rollback_is_what_one_chunk_after_the_other_would_make_of_it() {
    let ground = Ground::new(OVER_TWO_PLACES);
    fill(&ground);
    ground.put("in/zzz/zzz.txt", "the last one");
    let before = ground.files("in");
    let ran = ground.tidy();
    assert_eq!(ground.names("in"), Vec::<String>::new());
    let filed = ground.files("out");
    // Some of their names are taken meanwhile.
    for n in (0..FILES).step_by(5 * 40) {
        ground.put(format!("in/{n:05}/same.txt"), "a person's");
    }
    let (undone, told, done) = undo_all(&ground, usize::MAX);
    assert_eq!(undone.restored(), FILES + 1);
    assert_eq!((undone.not_restored(), undone.not_reached, undone.stopped), (0, 0, false));
    let mut back = ground.files("in");
    for n in (0..FILES).step_by(5 * 40) {
        let at = format!("in/{n:05}/same.txt");
        let own = back.remove(&format!("in/{n:05}/same (2).txt"));
        assert_eq!(back.insert(at.clone(), own.unwrap()), Some("a person's".into()), "{at}");
    }
    assert_eq!(back, before);
    assert!(!ground.path("out/txt").exists() && !ground.path("middle/txt").exists());
    // One operation for each that was inverted, told of once.
    let told_once: BTreeSet<u64> = told.iter().copied().collect();
    assert_eq!((told.len(), told_once.len()), (ran.operations.len(), ran.operations.len()));
    assert!(done.is_sorted() && done.last() == Some(&(FILES + 1)), "{done:?}");
    ground.walk();
    ground.check();

    let again = ground.redo();
    assert_eq!((again.restored(), again.not_restored()), (FILES + 1, 0));
    assert_eq!(ground.files("out"), filed);
    ground.check();
}

#[test]
fn what_has_begun_when_a_rollback_is_stopped_is_entered() {
    let ground = Ground::new(OVER_TWO_PLACES);
    fill(&ground);
    ground.tidy();
    let (undone, _, done) = undo_all(&ground, FILES / 3);
    assert!(undone.stopped);
    assert_eq!(undone.restored() + undone.not_reached, FILES);
    assert_eq!(done.last(), Some(&undone.restored()), "what was under way is told of");
    assert_eq!(ground.names("in").len(), undone.restored());
    for name in ground.names("in") {
        assert_eq!(ground.outcome(&name), Some(OutcomeKind::Left), "{name}");
    }
    // The rest comes back the next time.
    let (rest, ..) = undo_all(&ground, usize::MAX);
    assert_eq!(rest.restored(), undone.not_reached);
    assert_eq!(ground.names("in").len(), FILES);
    ground.check();
}
