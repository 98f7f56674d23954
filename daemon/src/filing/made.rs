//! Copies and links that a rule has made already, and tags that it has set.
//!
//! A file that was copied, linked or only marked stays where it is, and only the catalog says that it has had its turn. A catalog may lose its
//! last seconds in a crash; the journal does not.

use std::path::Path;

use tidy_core::facts::Identity;
use tidy_core::operation::{OpState, Operation};
use tidy_core::plan::{Place, StepKind};
use tidy_core::rules::{Action, LeaveReason, RuleName, Verdict};

use super::Filing;
use super::party::Party;

impl Filing {
    /// Takes out of the decisions what was copied by the same rule as it is now; copies that were put
    /// back since are not made again either, nor tags that were taken away.
    pub(super) fn without_copies_made(&self, parties: &mut [Party]) {
        for party in parties {
            let (candidate, d) = (&party.candidate, &mut party.decided);
            let Verdict::Act(acts) = &mut d.decision.verdict else { continue };
            if !acts.iter().any(|act| leaves_file(&act.action)) {
                continue;
            }
            let path = candidate.path();
            let past = match self.journal.history(&path) {
                Ok(past) => past,
                Err(error) => {
                    tracing::warn!(%error, "the journal could not be asked");
                    d.decision.verdict = Verdict::Leave(LeaveReason::Unreadable, None);
                    continue;
                }
            };
            let id = candidate.stat.id;
            acts.retain(|act| {
                let made = |op: &Operation| is_made_of(op, &act.rule, &path, id);
                !(leaves_file(&act.action) && past.iter().any(made))
            });
        }
    }
}

/// Whether the file is where it was afterwards, so that only what is on record tells that it has had its turn.
fn leaves_file(action: &Action) -> bool {
    action.keeps_file() || *action == Action::Stay
}

fn is_made_of(op: &Operation, rule: &RuleName, path: &Path, id: Identity) -> bool {
    let step = &op.step;
    matches!(op.state, OpState::Done | OpState::Intended | OpState::Verified)
        && (step.kind.keeps_source() || step.kind == StepKind::Tag)
        && step.rule == *rule
        && step.expect == Some(id)
        && step.src.as_ref().map(Place::path).as_deref() == Some(path)
}
