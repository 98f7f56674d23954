//! Directories that are one thing and move as one.

use std::path::Path;

use super::planner::{Because, Handling, Party, Planned, Planner, Refusal, is_there};
use super::{Lookup, Place, StepKind};
use crate::facts::{Facts, Stat};
use crate::ignore;
use crate::policy::Conflict;
use crate::rules::{Act, Action, Decision, LeaveReason, Verdict};

impl Planner<'_> {
    /// Adds the steps for one decided directory: all of them or none. It is moved or renamed, within its
    /// file system, and nothing is ever replaced by it.
    pub fn unit(&mut self, facts: &Facts, decision: &Decision, handling: Handling<'_>) -> Planned {
        let acts = match &decision.verdict {
            Verdict::Leave(reason, _) => return Planned::Left(*reason, None),
            Verdict::Act(acts) => acts,
        };
        let Some(mut at) = Place::new(facts.root.clone(), facts.relative().to_owned()) else {
            return Planned::Left(LeaveReason::BadDestination, None);
        };
        let first = self.begin();
        let mut facts = facts.clone();
        for act in acts {
            let rule = act.rule.clone();
            let why = decision.why(&rule);
            let because = Because { rule, why, inverse_of: None, undo: false };
            let conflict = act.conflict.unwrap_or(handling.conflict);
            facts.captures = act.captures.clone();
            let before = self.steps().len();
            let considered = decision.considered(&act.rule, &facts);
            match self.move_unit(&facts, &at, act, conflict, &because) {
                Ok(place) => {
                    self.consider(before, facts.stat.id, considered);
                    facts.path = place.path();
                    at = place;
                }
                Err((reason, detail)) => {
                    self.give_up(first);
                    return Planned::Left(reason, detail);
                }
            }
        }
        if self.steps().len() == first {
            Planned::Left(LeaveReason::InPlace, None)
        } else {
            Planned::Steps(at)
        }
    }

    fn move_unit(
        &mut self,
        facts: &Facts,
        at: &Place,
        act: &Act,
        conflict: Conflict,
        because: &Because,
    ) -> Result<Place, Refusal> {
        let refuse = |why: &str| (LeaveReason::BadDestination, Some(why.to_owned()));
        let (template, is_rename) = match &act.action {
            Action::Leave => return Ok(at.clone()),
            Action::Move(t) => (t, false),
            Action::Rename(t) => (t, true),
            _ => return Err(refuse("a folder can only be moved or renamed")),
        };
        let wanted = template.destination(facts, is_rename).map_err(|e| refuse(&e.to_string()))?;
        let wanted = if is_rename { at.with_file_name(wanted.file_name()) } else { wanted };
        if wanted.path() == at.path() {
            return Ok(at.clone());
        }
        if wanted.path().starts_with(at.path()) {
            return Err(refuse("a folder cannot be moved into itself"));
        }
        if ignore::is_unit_name(at.file_name()) && !ignore::is_unit_name(wanted.file_name()) {
            return Err(refuse(
                "under that name it would not be one thing any more: keep its extension",
            ));
        }
        if self.device_of(&wanted).is_some_and(|dev| dev != facts.stat.dev) {
            return Err(refuse(
                "it is on another file system, and a folder is moved as a whole only within one",
            ));
        }
        if let Some(requirement) = &act.requirement {
            // Within one file system, where it takes no room that it has not had.
            let party = Party::alone(at.clone());
            self.require(requirement, StepKind::MoveDir, &wanted, &facts.stat, &party)?;
        }
        self.make_parents(&wanted, because)?;
        let dst = match self.lookup(&wanted) {
            Lookup::Absent => wanted,
            Lookup::Unknown(why) => return Err((LeaveReason::BadDestination, Some(why))),
            _ if conflict == Conflict::Rename => self.free_name(&wanted)?,
            _ => return Err((LeaveReason::Conflict, Some(is_there(&wanted)))),
        };
        self.push_dir(at, &dst, &facts.stat, because);
        Ok(dst)
    }

    /// The device of the nearest directory above a place that is there.
    fn device_of(&self, place: &Place) -> Option<u64> {
        let above = place.rel().ancestors().skip(1);
        let base = std::iter::once(Path::new(""));
        let mut dirs = above.chain(base).filter_map(|rel| self.world.directory(place.base(), rel));
        dirs.next().map(|stat| stat.dev)
    }

    /// Plans a directory's way from one place to another.
    pub(crate) fn push_dir(&mut self, src: &Place, dst: &Place, stat: &Stat, because: &Because) {
        self.overlay.set(src.path(), Lookup::Absent);
        self.overlay.set(dst.path(), Lookup::Directory);
        let step = self.step(StepKind::MoveDir, Some(src), Some(dst), Some(stat.id), because);
        self.add(step);
    }
}
