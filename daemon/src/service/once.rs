//! `tidyd --once`: organize what is there, say what was done, exit.
//!
//! With `--dry-run` the same way is gone up to the plan, and the same lines are printed.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use tidy_core::name;
use tidy_core::operation::{OpState, Trigger};
use tidy_core::plan::{self, Step};
use tidy_core::rules::LeaveReason;
use tidy_protocol::ExitCode as Code;

use super::collect::{collect, settle};
use super::{Begun, Fatal, begin, commands, configure, convert, open, retain};
use crate::cli::Options;
use crate::filing::{Left, Mode, Progress, Report, Watcher};
use crate::survey::Wanted;
use crate::telemetry;
use crate::telemetry::clock::{Clock, SystemClock};

/// Runs it.
pub(super) fn run(options: &Options) -> Result<Code, Fatal> {
    let (Begun { configured, state, readers, .. }, _log) = begin(options)?;
    telemetry::signals::ignore_sigio();
    for problem in &configured.problems {
        telemetry::complain(&configure::described(problem), None);
    }
    let house = open::open(state, configured.journal, options.dry_run)?;
    let (setup, clock) = (configured.setup, SystemClock);
    let filing = house.filing(readers);

    let (sighted, complete) = collect(&setup, &filing, &clock, Wanted::NewOrFailed);
    let (settled, restless) = settle(sighted, &clock);
    let mode = Mode { trigger: Trigger::Once, dry_run: options.dry_run, asked: false };
    let out = Mutex::new(std::io::BufWriter::new(std::io::stdout()));
    let progress = |p: Progress<'_>| {
        let line = match p {
            _ if options.json => None,
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
        if options.json {
            let written = serde_json::to_writer(&mut *out, &convert::plan(&report));
            let _ = written.map(|()| out.write_all(b"\n"));
        }
        let _ = out.flush();
    }
    for due in report.due.iter().cloned() {
        commands::run(&house.journal, due);
    }
    if !options.dry_run {
        retain::shorten(&house.journal, configured.journal);
    }
    let code = match summarize(&report, &restless, options.dry_run) {
        Code::Ok if !complete => Code::Partly,
        code => code,
    };
    if let Err(error) = filing.flush() {
        tracing::warn!(%error, "the catalog was not written completely; it is checked at the next start");
    }
    Ok(code)
}

/// One line a step that a person cares about; directories made on the way are not.
fn line(step: &Step) -> Option<Vec<u8>> {
    if step.kind.is_directory() {
        return None;
    }
    let shown = |p: &Option<tidy_core::plan::Place>| {
        p.as_ref().map(|p| name::shown(p.path().as_os_str())).unwrap_or_default()
    };
    let (from, to) = (shown(&step.src), shown(&step.dst));
    let to = match &step.tags {
        Some(tags) => format!("tags {}", tidy_core::tags::shown(tags.after.as_deref())),
        None => to,
    };
    let text = format!(
        "{:<5} {from}\n   -> {to}\n      {}: {}\n",
        step.kind.as_str(),
        step.rule,
        step.why
    );
    Some(text.into_bytes())
}

/// Whether a file was left for a reason that is neither its own nor a rule's.
fn is_failure(reason: LeaveReason) -> bool {
    matches!(reason, LeaveReason::Failed | LeaveReason::Unreadable | LeaveReason::BadDestination)
}

/// What files wait for that are left because of it, and how many.
fn waiting(report: &Report) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for left in report.left.iter().filter(|l| l.reason == LeaveReason::DestinationNotReady) {
        let why = left.detail.as_deref().unwrap_or_else(|| left.reason.text());
        let rule = left.rule.as_deref().unwrap_or_default();
        *all.entry(format!("{why} (rule {rule})")).or_default() += 1;
    }
    all
}

/// The last words, on stderr: standard output is the same for a dry run.
fn summarize(report: &Report, restless: &[PathBuf], dry_run: bool) -> Code {
    let filed = plan::files(&report.steps) + report.ended.files;
    let failed: Vec<&Left> = report.left.iter().filter(|l| is_failure(l.reason)).collect();
    for left in &failed {
        let path = name::shown(left.path.as_os_str());
        let why = left.detail.as_deref().unwrap_or_else(|| left.reason.text());
        telemetry::complain(&format!("{path}: {why}"), None);
    }
    for (why, files) in waiting(report) {
        telemetry::note(&format!("{} left for now: {why}", tidy_core::count(files, "file")));
    }
    for path in restless {
        let path = name::shown(path.as_os_str());
        let why = "left, because it is still being written or cannot be looked at";
        telemetry::complain(&format!("{path}: {why}"), None);
    }
    for path in &report.again {
        let path = name::shown(path.as_os_str());
        telemetry::complain(&format!("{path}: left, because it changed meanwhile"), None);
    }
    let verb = if dry_run { "would be filed" } else { "filed" };
    let left = report.left.len() + restless.len() + report.again.len();
    telemetry::note(&format!("{filed} {verb}, {left} left where they are"));
    if let Some(batch) = report.batch.filter(|_| !dry_run) {
        telemetry::note(&format!(
            "to put everything back: start tidyd, then tidyctl rollback batch:{batch}"
        ));
    }
    if failed.is_empty() { Code::Ok } else { Code::Partly }
}
