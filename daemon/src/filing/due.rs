//! Commands that are due after files were filed.

use std::path::Path;

use tidy_core::name;
use tidy_core::operation::{BatchId, OpState, Operation, Trigger};
use tidy_core::plan::{Place, Step, StepKind};
use tidy_core::rules::RuleName;

use super::batch::Candidate;
use super::end::on_itself;

/// One command, ready to be journaled and run.
#[derive(Debug, Clone)]
pub struct Due {
    pub batch: BatchId,
    pub trigger: Trigger,
    pub step: Step,
}

/// What the rules of a file say is to be run, now that these operations on it have ended; `at` is where the
/// file is.
pub(super) fn due<'a>(
    candidate: &Candidate,
    ops: impl Iterator<Item = &'a Operation>,
    at: Option<&Path>,
) -> Vec<Due> {
    let rule_of = |op: &Operation| {
        candidate.root.rules.rules.iter().find(|r| r.name == op.step.rule)?.run.as_ref()
    };
    let from = candidate.path();
    let mut out = Vec::new();
    let ops: Vec<_> = on_itself(candidate, ops).filter(|o| o.state == OpState::Done).collect();
    // What a rule does with a file besides marking it comes with the command.
    let is_mark = |op: &Operation| op.step.kind == StepKind::Tag;
    let done_by = |rule: &RuleName| ops.iter().any(|o| o.step.rule == *rule && !is_mark(o));
    for op in ops.iter().filter(|op| !is_mark(op) || !done_by(&op.step.rule)) {
        let Some(run) = rule_of(op) else { continue };
        // What was made of the file is meant, where something was.
        let made = op.step.dst.as_ref().filter(|_| op.step.kind.keeps_source()).map(Place::path);
        let trashed = op.step.dst.as_ref().filter(|_| op.step.kind == StepKind::Trash);
        let path = made.or_else(|| at.map(Path::to_owned)).or_else(|| trashed.map(Place::path));
        let Some(path) = path else { continue };
        let parts = path.parent().zip(path.file_name());
        let place = parts.and_then(|(dir, name)| Place::new(dir.into(), name.into()));
        let command = run.command(&path, &from);
        let shown: Vec<_> = command.argv.iter().map(|a| name::shown(a)).collect();
        let step = Step {
            kind: StepKind::Run,
            src: place,
            dst: None,
            expect: None,
            twin: None,
            follows: None,
            digest: None,
            considered: None,
            inverse_of: None,
            undo: false,
            further: false,
            rule: op.step.rule.clone(),
            why: shown.join(" "),
            command: Some(command),
            tags: None,
        };
        out.push(Due { batch: op.batch, trigger: op.trigger, step });
    }
    out
}
