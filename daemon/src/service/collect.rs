//! Collecting files for runs that a person asked for (`--once`, `organize`): walk, and wait until they are quiet.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tidy_core::settle::{Mono, Probe, Settler, Sighted, Verdict};

use super::time::mono;
use crate::coordinator::WalkStep;
use crate::filing::{Candidate, Filing, Setup};
use crate::survey::{Survey, Wanted};
use crate::telemetry::clock::Clock;
use crate::{scan, watch};

/// A file that somebody goes on writing to is left after this many of its settle times.
const PATIENCE: u32 = 6;

/// But not sooner than this: a file must be seen twice, however short its settle time.
const LEAST_PATIENCE: Duration = Duration::from_millis(500);

/// Files that are waited for at a time: of a million, most are quiet and need not be remembered for that.
const AT_ONCE: usize = if cfg!(test) { 4 } else { 65_536 };

/// Files that are looked at by a thread of their own at least.
const WORTH_A_THREAD: usize = 256;

/// Walks every area and collects what is undecided, and whether everything could be looked at: what
/// could not has been logged. Files held back by an unfinished download beside them are not among them.
pub(super) fn collect(
    setup: &Arc<Setup>,
    filing: &Filing,
    clock: &dyn Clock,
    wanted: Wanted,
) -> (Vec<Candidate>, bool) {
    let none: Option<watch::Tree<watch::SystemBackend>> = None;
    let mut survey = Survey::new(setup.clone(), filing.catalog().clone(), none, wanted)
        .with_unpacked(filing.unpacked());
    let (mut found, mut complete) = (Vec::new(), true);
    for area in setup.areas() {
        complete &= collect_below(&mut survey, area.to_owned(), clock, &mut found);
    }
    (found, complete)
}

/// The same for one subtree.
pub(super) fn collect_below<B: watch::Backend>(
    survey: &mut Survey<B>,
    dir: PathBuf,
    clock: &dyn Clock,
    found: &mut Vec<Candidate>,
) -> bool {
    let (mut step, mut complete) = (WalkStep::Start(dir), true);
    loop {
        let (scanned, finished) = survey.walk(step, clock.wall());
        complete &= scanned.problems.is_empty();
        for problem in scanned.problems {
            tracing::warn!(path = %problem.path.display(), "{}", problem.text);
        }
        let free = scanned.sightings.into_iter().filter(|s| s.held_by.is_none());
        found.extend(free.map(|s| s.candidate));
        if finished {
            return complete;
        }
        step = WalkStep::Continue;
    }
}

/// The same for some paths, each once however often it is named; of a file its folder is walked.
pub(super) fn collect_each<B: watch::Backend>(
    survey: &mut Survey<B>,
    paths: &[PathBuf],
    clock: &dyn Clock,
    stop: &AtomicBool,
) -> Vec<Candidate> {
    // `None`: all that is below.
    let mut wanted: BTreeMap<&Path, Option<HashSet<&Path>>> = BTreeMap::new();
    for path in paths {
        if path.is_dir() {
            wanted.insert(path, None);
        } else if let Some(files) =
            wanted.entry(path.parent().unwrap_or(path)).or_insert_with(|| Some(HashSet::new()))
        {
            files.insert(path);
        }
    }
    let (mut all, mut seen) = (Vec::new(), HashSet::new());
    for (dir, only) in wanted {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let mut found = Vec::new();
        collect_below(survey, dir.to_owned(), clock, &mut found);
        found.retain(|c| {
            let path = c.path();
            only.as_ref().is_none_or(|only| only.contains(path.as_path())) && seen.insert(path)
        });
        all.append(&mut found);
    }
    all
}

/// Waits for what has just been written; returns the quiet files, and those that did not come to rest.
pub(super) fn settle(
    candidates: Vec<Candidate>,
    clock: &dyn Clock,
) -> (Vec<Candidate>, Vec<PathBuf>) {
    let mut settler = Settler::new(AT_ONCE);
    let (mut quiet, mut restless) = (Vec::with_capacity(candidates.len()), Vec::new());
    let mut coming = candidates.into_iter();
    // With until when each is waited for.
    let mut waiting: HashMap<PathBuf, (Candidate, Mono)> = HashMap::new();
    loop {
        for c in coming.by_ref().take(AT_ONCE - waiting.len()) {
            let (path, now) = (c.path(), mono(clock));
            match settler.sighted(&path, &c.stat, c.root.settle, clock.wall(), now) {
                Sighted::Due(_) => {
                    let patience = c.root.settle.saturating_mul(PATIENCE).max(LEAST_PATIENCE);
                    waiting.insert(path, (c, now.plus(patience)));
                }
                Sighted::Full => restless.push(path),
            }
        }
        let due = settler.due(mono(clock), usize::MAX);
        for (path, probe) in probe_all(&due, &waiting) {
            match settler.probed(path, probe, clock.wall(), mono(clock)) {
                Verdict::Settled(stat) => {
                    if let Some((c, _)) = waiting.remove(path) {
                        quiet.push(Candidate { stat, ..c });
                    }
                }
                Verdict::Gone => {
                    waiting.remove(path);
                }
                Verdict::GaveUp => {
                    waiting.remove(path);
                    restless.push(path.clone());
                }
                Verdict::Wait | Verdict::Replaced => {}
            }
        }
        let now = mono(clock);
        if settler.next_due().is_some_and(|next| next <= now) {
            continue;
        }
        for (path, _) in waiting.extract_if(|_, (_, until)| *until < now) {
            settler.forget(&path);
            restless.push(path);
        }
        let has_room = waiting.len() < AT_ONCE && coming.len() > 0;
        let ends = waiting.values().map(|(_, until)| until.plus(Duration::from_millis(1)));
        match settler.next_due().into_iter().chain(ends).min() {
            _ if has_room => {}
            Some(next) if !waiting.is_empty() => std::thread::sleep(next.since(mono(clock))),
            _ => break,
        }
    }
    restless.sort();
    (quiet, restless)
}

/// Looks at files, on all processors.
fn probe_all<'p>(
    paths: &'p [PathBuf],
    files: &HashMap<PathBuf, (Candidate, Mono)>,
) -> Vec<(&'p PathBuf, Probe)> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = paths.len().div_ceil(threads).max(WORTH_A_THREAD);
    let probe = |paths: &'p [PathBuf]| {
        let prober = scan::Prober::default();
        let place = |path: &PathBuf| files.get(path).and_then(|(c, _)| c.place());
        let probed = paths.iter().filter_map(|path| Some((path, prober.probe(&place(path)?))));
        probed.collect::<Vec<_>>()
    };
    if paths.len() <= share {
        return probe(paths);
    }
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            paths.chunks(share).map(|part| scope.spawn(move || probe(part))).collect();
        let joined = threads.into_iter().map(|t| t.join());
        joined.flat_map(|t| t.unwrap_or_else(|p| std::panic::resume_unwind(p))).collect()
    })
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::filing::tests::Ground;
    use crate::telemetry::clock::SystemClock;

    #[test]
    fn files_beyond_those_that_are_waited_for_at_a_time_have_their_turn() {
        let ground = Ground::new("watch = [\"@/in\"]\nsettle = \"1ms\"\n");
        let names: Vec<String> = (0..3 * AT_ONCE).map(|n| format!("in/{n}.pdf")).collect();
        let mut paths: Vec<PathBuf> = names.iter().map(|name| ground.put(name, name)).collect();
        // Others come after these two, and while they are waited for.
        let written = [paths.remove(5), paths.remove(0)];
        let writers = written.each_ref().map(|path| File::options().append(true).open(path));
        let (quiet, restless) = settle(ground.candidates(), &SystemClock);
        drop(writers);
        let mut quiet: Vec<PathBuf> = quiet.iter().map(Candidate::path).collect();
        quiet.sort();
        paths.sort();
        let mut written = written.to_vec();
        written.sort();
        assert_eq!((quiet, restless), (paths, written));
    }
}
