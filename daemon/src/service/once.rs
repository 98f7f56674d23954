//! `tidyd --once`: organize what is there, say what was done, exit.
//!
//! With `--dry-run` the same way is gone up to the plan, and the same lines are printed.

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tidy_core::name;
use tidy_core::operation::{OpState, Trigger};
use tidy_core::plan::{Step, StepKind};
use tidy_core::rules::LeaveReason;
use tidy_core::settle::{Settler, Sighted, Verdict};
use tidy_protocol::ExitCode as Code;

use super::shell::mono;
use super::{Fatal, configure, open};
use crate::catalog::Catalog;
use crate::cli::Options;
use crate::coordinator::WalkStep;
use crate::filing::{Candidate, Filing, Left, Mode, Progress, Report, Setup, Watcher};
use crate::survey::{Survey, Wanted};
use crate::telemetry::clock::{Clock, SystemClock};
use crate::{scan, telemetry, watch};

/// A file that somebody goes on writing to is left after this many of its settle times.
const PATIENCE: u32 = 6;

/// Runs it.
pub(super) fn run(options: &Options) -> Result<Code, Fatal> {
    let _log = telemetry::init(options.log_format)
        .map_err(|e| Fatal::new(Code::Usage, e.to_string(), "see `tidyd --help`"))?;
    telemetry::signals::ignore_sigio();
    let configured = configure::load(options)?;
    for problem in &configured.problems {
        telemetry::complain(&configure::described(problem), None);
    }
    let house = open::open(&configured.state)?;
    let (setup, clock) = (configured.setup, SystemClock);
    let filing = Filing::new(house.catalog.clone(), house.journal.clone());

    let sighted = collect(&setup, &house.catalog, &clock, Wanted::New);
    let (settled, restless) = settle(sighted, &clock);
    let mode = Mode { trigger: Trigger::Once, dry_run: options.dry_run, asked: false };
    let out = Mutex::new(std::io::BufWriter::new(std::io::stdout()));
    let progress = |p: Progress<'_>| {
        let line = match p {
            Progress::Operation(op) if op.state == OpState::Done => line(&op.step),
            Progress::Planned(step) => line(step),
            _ => None,
        };
        if let (Some(line), Ok(mut out)) = (line, out.lock()) {
            // A closed pipe must not stop files from being filed half-way.
            let _ = out.write_all(&line);
        }
    };
    let watcher = Watcher { progress: &progress, stop: &AtomicBool::new(false) };
    let report = filing
        .run(&setup, settled, mode, clock.wall(), watcher)
        .map_err(|e| Fatal::new(Code::Failed, format!("nothing more was filed: {e}"), e.hint()))?;
    if let Ok(mut out) = out.lock() {
        let _ = out.flush();
    }
    let code = summarize(&report, &restless, options.dry_run);
    if let Err(error) = filing.flush() {
        tracing::warn!(%error, "the catalog was not written completely; it is checked at the next start");
    }
    Ok(code)
}

/// Walks every area and collects what is undecided. Files held back by an unfinished download beside
/// them are not among them.
pub(super) fn collect(
    setup: &std::sync::Arc<Setup>,
    catalog: &Catalog,
    clock: &dyn Clock,
    wanted: Wanted,
) -> Vec<Candidate> {
    let none: Option<watch::Tree<watch::NotifyBackend>> = None;
    let mut survey = Survey::new(setup.clone(), catalog.clone(), none, wanted);
    let mut found = Vec::new();
    for area in setup.areas() {
        collect_below(&mut survey, area.to_owned(), clock, &mut found);
    }
    found
}

/// The same for one subtree.
pub(super) fn collect_below<B: watch::Backend>(
    survey: &mut Survey<B>,
    dir: PathBuf,
    clock: &dyn Clock,
    found: &mut Vec<Candidate>,
) {
    let mut step = WalkStep::Start(dir);
    loop {
        let (scanned, finished) = survey.walk(step, clock.wall());
        for problem in scanned.problems {
            tracing::warn!(path = %problem.path.display(), "{}", problem.text);
        }
        let free = scanned.sightings.into_iter().filter(|s| s.held_by.is_none());
        found.extend(free.map(|s| s.candidate));
        if finished {
            return;
        }
        step = WalkStep::Continue;
    }
}

/// Waits for what has just been written; returns the quiet files, and those that did not come to rest.
pub(super) fn settle(
    candidates: Vec<Candidate>,
    clock: &dyn Clock,
) -> (Vec<Candidate>, Vec<PathBuf>) {
    let mut settler = Settler::new(candidates.len());
    let mut waiting: HashMap<PathBuf, Candidate> = HashMap::with_capacity(candidates.len());
    let mut patience = Duration::ZERO;
    for c in candidates {
        let path = c.path();
        let sighted = settler.sighted(&path, &c.stat, c.root.settle, clock.wall(), mono(clock));
        if let Sighted::Due(_) = sighted {
            patience = patience.max(c.root.settle.saturating_mul(PATIENCE));
            waiting.insert(path, c);
        }
    }
    let give_up = mono(clock).plus(patience);
    let mut quiet = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() && mono(clock) <= give_up {
        let due = settler.due(mono(clock), usize::MAX);
        for path in due {
            let probe = waiting.get(&path).and_then(Candidate::place).map(|p| scan::probe(&p));
            let Some(probe) = probe else { continue };
            match settler.probed(&path, probe, clock.wall(), mono(clock)) {
                Verdict::Settled(stat) => {
                    if let Some(mut c) = waiting.remove(&path) {
                        c.stat = stat;
                        quiet.push(c);
                    }
                }
                Verdict::Gone => {
                    waiting.remove(&path);
                }
                Verdict::Wait | Verdict::Replaced | Verdict::GaveUp => {}
            }
        }
        let Some(next) = settler.next_due().filter(|_| !waiting.is_empty()) else { break };
        std::thread::sleep(next.min(give_up.plus(Duration::from_millis(1))).since(mono(clock)));
    }
    let mut restless: Vec<PathBuf> = waiting.into_keys().collect();
    restless.sort();
    (quiet, restless)
}

/// One line a step that a person cares about; directories made on the way are not.
fn line(step: &Step) -> Option<Vec<u8>> {
    if matches!(step.kind, StepKind::MakeDir | StepKind::RemoveDir) {
        return None;
    }
    let shown = |p: &Option<tidy_core::plan::Place>| {
        p.as_ref().map(|p| name::shown(p.path().as_os_str())).unwrap_or_default()
    };
    let (from, to) = (shown(&step.src), shown(&step.dst));
    let text = format!(
        "{:<5} {from}\n   -> {to}\n      {}: {}\n",
        step.kind.as_str(),
        step.rule,
        step.why
    );
    Some(text.into_bytes())
}

/// The last words, on stderr: standard output is the same for a dry run.
fn summarize(report: &Report, restless: &[PathBuf], dry_run: bool) -> Code {
    let files = |s: &&Step| !matches!(s.kind, StepKind::MakeDir | StepKind::RemoveDir);
    let done = report.operations.iter().filter(|o| o.state == OpState::Done).map(|o| &o.step);
    let filed = report.steps.iter().chain(done).filter(files).count();
    let failed: Vec<&Left> =
        report.left.iter().filter(|l| l.reason == LeaveReason::Failed).collect();
    for left in &failed {
        let path = name::shown(left.path.as_os_str());
        let why = left.detail.as_deref().unwrap_or("it failed");
        telemetry::complain(&format!("{path}: {why}"), None);
    }
    for path in restless {
        let path = name::shown(path.as_os_str());
        telemetry::complain(&format!("{path}: left, because it is still being written"), None);
    }
    let verb = if dry_run { "would be filed" } else { "filed" };
    let left = report.left.len() + restless.len() + report.again.len();
    telemetry::say(&format!("{filed} {verb}, {left} left where they are"));
    if let Some(batch) = report.batch.filter(|_| !dry_run) {
        telemetry::say(&format!("put everything back with: tidyctl rollback batch:{batch}"));
    }
    if failed.is_empty() { Code::Ok } else { Code::Partly }
}
