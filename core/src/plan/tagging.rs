//! Tags of a file, set where it is before it goes anywhere: they travel with it then.

use super::planner::{Because, Party, Planner, Refusal};
use super::{Place, Retag, Step, StepKind, Untold};
use crate::facts::{Facts, Identity};
use crate::rules::{Act, Action, LeaveReason};
use crate::tags;

impl Planner<'_> {
    /// Plans the tags that an action comes with, if the file lacks any; returns why it can have none.
    pub(super) fn tag(
        &mut self,
        facts: &Facts,
        party: &mut Party<'_>,
        act: &Act,
        because: &Because,
    ) -> Result<Option<String>, Refusal> {
        let Some(wanted) = act.tags.as_ref().map(|t| t.of(facts)).filter(|t| !t.is_empty()) else {
            return Ok(None);
        };
        let id = facts.stat.id;
        let before = match &party.tags {
            Some(known) => known.clone(),
            // A file that is not there has none.
            None if facts.imagined => None,
            None => match self.world.tags(&party.start, id) {
                Ok(before) => before,
                Err(Untold::Never(why)) => return Ok(Some(why)),
                Err(Untold::Now(why)) => return Err((LeaveReason::Unreadable, Some(why))),
            },
        };
        // A copy on a file system without tags would lose them again.
        if let Action::Move(to) = &act.action
            && let Ok(place) = to.destination(facts, false)
            && let Err(why) = self.world.takes_tags(&place)
        {
            return Ok(Some(why));
        }
        let after = tags::added(before.as_deref(), &wanted);
        if [&before, &after].into_iter().flatten().any(|v| v.len() > tags::VALUE_MAX) {
            return Ok(Some(format!("they would be longer than {} bytes", tags::VALUE_MAX)));
        }
        party.tags = Some(after.clone());
        if before != after {
            let at = party.at.clone();
            self.retag(&at, id, Retag { before, after, along: false, counted: true }, because);
        }
        Ok(None)
    }

    /// Plans that a file's tags change.
    pub(crate) fn retag(&mut self, at: &Place, id: Identity, tags: Retag, because: &Because) {
        let step = self.step(StepKind::Tag, Some(at), None, Some(id), because);
        self.add(Step { tags: Some(tags), ..step });
    }

    /// Takes the tags back that were planned from this step on.
    pub(super) fn untag_since(&mut self, first: usize) {
        let mut number = 0;
        self.steps.retain(|step| {
            number += 1;
            number <= first || step.kind != StepKind::Tag
        });
    }

    /// Marks the tags, from this step on, of a file that later steps take further.
    pub(super) fn mark_along(&mut self, first: usize, id: Identity) {
        let (mut goes_on, mut rules) = (false, Vec::new());
        for step in self.steps.iter_mut().skip(first).rev().filter(|s| s.expect == Some(id)) {
            goes_on |= step.kind.relocates();
            match &mut step.tags {
                Some(tags) => (tags.along, tags.counted) = (goes_on, !rules.contains(&step.rule)),
                None => rules.push(step.rule.clone()),
            }
        }
    }
}
