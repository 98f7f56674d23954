//! From the domain's types to the wire's. Explicit, so that changing one never silently changes the other.

use std::path::Path;

use tidy_core::operation::Operation;
use tidy_core::plan::{Place, Retag, Step};
use tidy_core::rollback::Undone;
use tidy_core::rules::{self, About, LeaveReason, RuleTrace, Truth};
use tidy_core::{count, were};
use tidy_protocol::{
    Applied, BatchInfo, Check, Considered, FileInfo, LeftFile, OperationInfo, Plan, PlannedStep,
    ProblemContext, ProblemInfo, ReadingInfo, RollbackReport, RuleCheck, Stored, TagChange,
    UndoneFile, WaitingFiles, WirePath,
};

use crate::catalog::{Entry, Outcome};
use crate::confine::Confinement;
use crate::filing::{Left, Report, UndoReport, UndoneOp, Waits};
use crate::habits::{Case, Subject, Suggestion};
use crate::journal::BatchSummary;
use crate::reading::Reading;
use crate::telemetry::errors::RecentError;

/// Failed files listed with a job; the count is always complete.
const FAILURES: usize = 1_000;

fn wire(place: Option<&Place>) -> Option<WirePath> {
    place.map(|p| WirePath(p.path()))
}

pub(super) fn problem(error: &RecentError) -> ProblemInfo {
    let context = error.context.iter();
    ProblemInfo {
        time_ns: error.at.0,
        source: error.source.clone(),
        message: error.message.clone(),
        context: context
            .map(|(name, value)| ProblemContext { name: name.clone(), value: value.clone() })
            .collect(),
    }
}

pub(super) fn operation(op: &Operation, undone_by: Option<u64>) -> OperationInfo {
    OperationInfo {
        id: op.id.0,
        batch: op.batch.0,
        trigger: op.trigger.as_str().into(),
        kind: op.step.kind.as_str().into(),
        state: op.state.as_str().into(),
        time_ns: op.time.0,
        rule: op.step.rule.to_string(),
        why: op.step.why.clone(),
        src: wire(op.step.src.as_ref()),
        dst: wire(op.step.dst.as_ref()),
        size: op.step.expect.map(|id| id.size),
        digest: op.step.digest.map(|d| d.to_string()),
        tags: op.step.tags.as_ref().map(tags),
        inverse_of: op.step.inverse_of.map(|o| o.0),
        undo: op.step.undo,
        undone_by,
        error: op.error.clone(),
        considered: None,
    }
}

/// What the rules said that were asked for an operation.
pub(super) fn considered(op: &Operation, considered: &rules::Considered) -> Considered {
    let name = op.step.src.as_ref().map(Place::file_name).unwrap_or_default();
    let about = About { name, size: op.step.expect.map_or(0, |id| id.size) };
    let rules = considered.traces(about);
    Considered { rules: rules.iter().map(rule_check).collect(), more: considered.more }
}

/// One rule, as it was held against a file.
pub(super) fn rule_check(trace: &RuleTrace) -> RuleCheck {
    let check = |c: &rules::Checked| Check {
        test: c.test.clone(),
        truth: truth(c.truth),
        seen: c.seen.clone(),
    };
    RuleCheck {
        rule: trace.rule.to_string(),
        matched: truth(trace.matched),
        checks: trace.checked.iter().map(check).collect(),
    }
}

fn truth(t: Truth) -> String {
    match t {
        Truth::True => "true",
        Truth::False => "false",
        Truth::Unknown | Truth::Needs(_) => "unknown",
    }
    .into()
}

pub(super) fn batch(summary: &BatchSummary) -> BatchInfo {
    BatchInfo {
        id: summary.id.0,
        trigger: summary.trigger.as_str().into(),
        time_ns: summary.time.0,
        done: summary.done,
        failed: summary.failed + summary.unknown,
        bytes: summary.bytes,
        rules: summary.rules.iter().map(ToString::to_string).collect(),
    }
}

pub(super) fn step(step: &Step) -> PlannedStep {
    PlannedStep {
        kind: step.kind.as_str().into(),
        src: wire(step.src.as_ref()),
        dst: wire(step.dst.as_ref()),
        rule: step.rule.to_string(),
        why: step.why.clone(),
        size: step.expect.map(|id| id.size),
        tags: step.tags.as_ref().map(tags),
    }
}

fn tags(of: &Retag) -> TagChange {
    let list = |value: &Option<Vec<u8>>| {
        let tags = tidy_core::tags::in_value(value.as_deref().unwrap_or_default());
        tags.map(|tag| String::from_utf8_lossy(tag).into_owned()).collect()
    };
    TagChange { before: list(&of.before), after: list(&of.after) }
}

pub(super) fn left(left: &Left) -> LeftFile {
    left_file(&left.path, left.reason, left.rule.as_deref(), left.detail.clone())
}

pub(super) fn left_file(
    path: &Path,
    reason: LeaveReason,
    rule: Option<&str>,
    detail: Option<String>,
) -> LeftFile {
    LeftFile {
        path: path.into(),
        reason: reason.code().into(),
        text: reason.text().into(),
        rule: rule.map(ToOwned::to_owned),
        detail,
    }
}

pub(super) fn waiting(waits: &Waits) -> WaitingFiles {
    WaitingFiles {
        rule: waits.rule.to_string(),
        files: waits.files,
        bytes: waits.bytes,
        text: waits.text(),
        path: waits.file.as_deref().map(WirePath::from),
    }
}

pub(super) fn plan(report: &Report) -> Plan {
    Plan {
        steps: report.steps.iter().map(step).collect(),
        left: report.left.iter().map(left).collect(),
    }
}

pub(super) fn applied(report: &Report) -> Applied {
    let failed = || report.left.iter().filter(|l| l.reason == LeaveReason::Failed);
    Applied {
        batch: report.batch.map(|b| b.0),
        filed: report.ended.files as u64,
        left: (report.left.len() - failed().count()) as u64,
        failed: failed().take(FAILURES).map(left).collect(),
        failed_count: failed().count() as u64,
    }
}

/// Of copies that were resolved: each counts once, whatever stands in for it, unless it came back.
pub(super) fn resolved(report: &Report) -> Applied {
    let (moved, back) = (report.ended.moved, report.ended.put_back);
    // Each that was put back was moved twice.
    Applied { filed: moved.saturating_sub(2 * back) as u64, ..applied(report) }
}

pub(super) fn undo(report: &UndoReport) -> RollbackReport {
    let file = |o: &UndoneOp| UndoneFile {
        operation: o.op.0,
        path: o.path.as_path().into(),
        outcome: o.outcome.as_str().into(),
        restored_as: match &o.outcome {
            Undone::RestoredAs(path) => Some(path.as_path().into()),
            _ => None,
        },
        detail: o.outcome.why().map(ToOwned::to_owned),
    };
    RollbackReport {
        batch: report.batch.map(|b| b.0),
        files: report.files().map(file).collect(),
        restored: report.restored() as u64,
        not_restored: report.not_restored() as u64,
        not_reached: report.not_reached as u64,
        folders: report.folders as u64,
        commands: report.commands as u64,
        stopped: report.stopped,
    }
}

pub(super) fn stored(entry: &Entry) -> Stored {
    let mut stored = Stored {
        outcome: entry.outcome.kind().as_str().into(),
        reason: None,
        text: None,
        rule: None,
        operation: None,
    };
    match &entry.outcome {
        Outcome::Known => {}
        Outcome::Filed { op } => stored.operation = Some(*op),
        Outcome::Left { reason, rule, .. } => {
            stored.reason = Some(reason.code().into());
            stored.text = Some(reason.text().into());
            stored.rule = rule.as_ref().map(ToString::to_string);
        }
    }
    stored
}

pub(super) fn file(path: &Path, entry: &Entry, history: Vec<OperationInfo>) -> FileInfo {
    FileInfo {
        path: path.into(),
        size: entry.id.size,
        modified_ns: entry.id.mtime.0,
        category: entry.category.as_ref().map(ToString::to_string),
        digest: entry.digest.map(|d| d.to_string()),
        stored: stored(entry),
        history,
    }
}

/// Files that are listed with a suggestion; the count is always complete.
const CASES: usize = 20;

pub(super) fn suggestion(s: &Suggestion, confinement: &Confinement) -> tidy_protocol::Suggestion {
    let times = s.cases.len();
    let shown = |path: &Path| tidy_core::name::shown(path.as_os_str());
    let (kind, text, rule, to, of) = match &s.subject {
        Subject::Moved(to) => {
            let text = format!("{} moved by hand into {}", were(times as u64, "file"), shown(to));
            ("rule", text, None, Some(to.as_path().into()), None)
        }
        Subject::Wrong { rule, of } => {
            let text = format!(
                "rule {rule} was wrong {} of {of}: undone, or moved on by hand",
                count(times as u64, "time")
            );
            ("wrong-rule", text, Some(rule.clone()), None, Some(*of as u64))
        }
    };
    let case = |case: &Case| tidy_protocol::HandMoved {
        from: case.from.as_path().into(),
        to: case.to.as_deref().map(WirePath::from),
        time_ns: case.time.0,
    };
    let times_of = || s.cases.iter().map(|c| c.time.0);
    tidy_protocol::Suggestion {
        kind: kind.into(),
        text,
        toml: s.toml.clone(),
        rule,
        restart: matches!(&s.subject, Subject::Moved(to) if !confinement.may_write(to)),
        to,
        times: times as u64,
        of,
        since_ns: times_of().min().unwrap_or_default(),
        last_ns: times_of().max().unwrap_or_default(),
        files: s.cases.iter().take(CASES).map(case).collect(),
    }
}

/// A file that is being read.
pub(super) fn reading(reading: Reading) -> ReadingInfo {
    ReadingInfo {
        path: WirePath(reading.path),
        purpose: reading.purpose.as_str().into(),
        done: reading.done,
        size: reading.size,
    }
}
