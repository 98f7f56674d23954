//! Files that a person has put where they are: they stay, unless a rule asks for that very place.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidy_core::facts::Identity;
use tidy_core::policy::RootPolicy;
use tidy_core::rules::{Act, LeaveReason, Verdict};

use super::Filing;
use super::party::Party;

/// Tells from where a person has moved this very file to where it is.
pub type Placed = Arc<dyn Fn(&Path, Identity) -> Option<PathBuf> + Send + Sync>;

impl Filing {
    /// The same, with what is known of what a person does by hand.
    pub fn with_placed(mut self, placed: Placed) -> Self {
        self.placed = Some(placed);
        self
    }

    /// Takes out of the decisions what would take a file away from where a person has put it, inside its root.
    pub(super) fn without_placed(&self, parties: &mut [Party]) {
        let Some(placed) = &self.placed else { return };
        for party in parties.iter_mut().filter(|p| p.after.is_none()) {
            let (candidate, decision) = (&party.candidate, &mut party.decided.decision);
            let Verdict::Act(acts) = &decision.verdict else { continue };
            let root = &candidate.root;
            if acts.iter().any(|act| asks_for_place(root, act)) {
                continue;
            }
            let from = placed(&candidate.path(), candidate.stat.id);
            if from.is_some_and(|from| from.starts_with(&root.path)) {
                decision.verdict = Verdict::Leave(LeaveReason::PlacedByHand, None);
            }
        }
    }
}

fn asks_for_place(root: &RootPolicy, act: &Act) -> bool {
    let rule = root.rules.rules.iter().find(|rule| rule.name == act.rule);
    rule.is_some_and(|rule| rule.when.asks_for_place())
}
