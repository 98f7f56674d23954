//! Undoing what set tags: the value before comes back exactly, unless somebody has changed it since.

use super::{Inverter, Undone};
use crate::operation::Operation;
use crate::plan::{Because, Retag, Untold};
use crate::tags;

impl Inverter<'_> {
    /// Plans the tags of before, wherever the file is by then.
    pub(super) fn retag(&mut self, op: &Operation, because: &Because) -> Result<Undone, Undone> {
        let malformed = || Undone::Error("the journal entry names no tags".into());
        let set = op.step.tags.as_ref().ok_or_else(malformed)?;
        let at = op.step.src.as_ref().ok_or_else(malformed)?;
        let id = op.landed.or(op.step.expect).ok_or_else(malformed)?;
        let found = self.find(op, at, id)?;
        // What the plan takes somewhere has its tags where it is now.
        let path = found.at.path();
        let origin = self.origins.get(&path).cloned().unwrap_or_else(|| found.at.clone());
        let now = match self.tags.get(&origin.path()) {
            Some(planned) => planned.clone(),
            None => self.world.tags(&origin, found.stat.id).map_err(|untold| match untold {
                Untold::Never(why) | Untold::Now(why) => Undone::Error(why),
            })?,
        };
        // Where somebody has done it by hand nothing changes, but the journal has to say that it is undone.
        if now != set.after && now != set.before {
            let tags = tags::shown(now.as_deref());
            return Err(Undone::TagsChanged(format!(
                "its tags were changed since, and stay as they are: {tags}"
            )));
        }
        let retag = Retag { before: now, after: set.before.clone(), ..set.clone() };
        self.tags.insert(origin.path(), retag.after.clone());
        self.planner.retag(&found.at, found.stat.id, retag, because);
        Ok(Undone::Restored)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jiff::tz::TimeZone;

    use super::super::Undone;
    use super::super::tests::undo;
    use crate::operation::{Operation, Trigger};
    use crate::plan::model::{Model, TRASH};
    use crate::plan::tests::{decision, facts, handling, to};
    use crate::plan::{Planned, Planner, StepKind};
    use crate::policy::Conflict;
    use crate::rules::{Action, LeaveReason, Verdict};
    use crate::tags::Tags;
    use crate::template::Template;

    /// Carries out actions, each with tags; by rules of their own, where `rules` says so.
    fn file(
        m: &mut Model,
        actions: &[(Action, &[&str])],
        rules: bool,
    ) -> (Planned, Vec<Operation>) {
        let before = m.clone();
        let mut p = Planner::new(&before, Trigger::Watch);
        let plain: Vec<_> = actions.iter().map(|(action, _)| action.clone()).collect();
        let mut decision = decision(&plain);
        if let Verdict::Act(acts) = &mut decision.verdict {
            for (n, (act, (_, tags))) in acts.iter_mut().zip(actions).enumerate() {
                let tags = tags.iter().map(|t| Template::parse_text(t, &TimeZone::UTC).unwrap());
                act.tags = Some(Tags::new(tags.collect()));
                if rules {
                    act.rule = format!("rule {n}").into();
                }
            }
        }
        let facts = facts(&before, "/r/x.pdf");
        let planned = p.file(&facts, &decision, handling(Conflict::Rename), None);
        (planned, m.apply(&p.finish()))
    }

    fn model() -> (Model, u64) {
        let mut m = Model::new();
        let ino = m.file("/r/x.pdf", 7, 7).id.ino;
        (m, ino)
    }

    fn tags(m: &Model, ino: u64) -> Option<&str> {
        m.tags.get(&ino).map(|v| std::str::from_utf8(v).unwrap())
    }

    #[test]
    fn tags_are_set_before_the_file_goes_and_come_back_as_they_were() {
        for before in [None, Some("mine")] {
            let (mut m, ino) = model();
            m.tags.extend(before.map(|v| (ino, v.as_bytes().to_vec())));
            let actions = [(Action::Move(to("d/")), &["invoice", "{ext}", "{artist}"][..])];
            let (_, ops) = file(&mut m, &actions, false);
            let after = before.map_or("invoice,pdf".into(), |b| format!("{b},invoice,pdf"));
            assert_eq!(tags(&m, ino), Some(&*after));
            assert!(m.nodes.contains_key(Path::new("/r/d/x.pdf")));
            let counted: Vec<_> = ops.iter().filter(|op| op.step.is_counted()).collect();
            assert_eq!(counted.len(), 1, "people count one file: {ops:?}");

            assert_eq!(undo(&mut m, &ops, Trigger::Rollback), [Undone::Restored, Undone::Restored]);
            assert_eq!(tags(&m, ino), before);
            assert!(m.nodes.contains_key(Path::new("/r/x.pdf")));
            let undone: Vec<_> = m.log.iter().filter(|o| o.step.undo).cloned().collect();
            undo(&mut m, &undone, Trigger::Redo);
            assert_eq!(tags(&m, ino), Some(&*after));
            assert!(m.nodes.contains_key(Path::new("/r/d/x.pdf")));
        }
    }

    #[test]
    fn a_file_that_is_only_marked_stays_and_is_marked_once() {
        let (mut m, ino) = model();
        let (planned, ops) = file(&mut m, &[(Action::Stay, &["a", "b"])], false);
        assert!(matches!(planned, Planned::Steps(at) if at.path() == Path::new("/r/x.pdf")));
        assert_eq!(tags(&m, ino), Some("a,b"));
        let tags_of = ops[0].step.tags.as_ref().unwrap();
        assert_eq!((tags_of.along, tags_of.counted), (false, true));
        let (planned, again) = file(&mut m, &[(Action::Stay, &["b"])], false);
        assert_eq!((planned, again), (Planned::Left(LeaveReason::InPlace, None), vec![]));
    }

    #[test]
    fn several_rules_mark_a_file_and_all_of_it_is_undone() {
        let (mut m, ino) = model();
        let actions =
            [(Action::Stay, &["a"][..]), (Action::Move(to("d/")), &["b"]), (Action::Stay, &["c"])];
        let (_, ops) = file(&mut m, &actions, true);
        assert_eq!(tags(&m, ino), Some("a,b,c"));
        let marks: Vec<_> = ops.iter().filter_map(|op| op.step.tags.as_ref()).collect();
        let flags: Vec<_> = marks.iter().map(|t| (t.along, t.counted)).collect();
        assert_eq!(flags, [(true, true), (true, false), (false, true)]);
        undo(&mut m, &ops, Trigger::Rollback);
        assert_eq!(tags(&m, ino), None);
        assert!(m.nodes.contains_key(Path::new("/r/x.pdf")));
    }

    #[test]
    fn tags_that_were_changed_since_stay_and_that_is_told() {
        let (mut m, ino) = model();
        let (_, ops) = file(&mut m, &[(Action::Move(to("d/")), &["a"])], false);
        m.tags.insert(ino, b"a,mine".to_vec());
        let outcomes = undo(&mut m, &ops, Trigger::Rollback);
        assert_eq!(outcomes[0], Undone::Restored, "the file itself comes back");
        assert!(matches!(&outcomes[1], Undone::TagsChanged(why) if why.contains("a, mine")));
        assert_eq!(tags(&m, ino), Some("a,mine"));

        // What somebody has put back by hand is undone, and the log says so.
        let (mut m, ino) = model();
        let (_, ops) = file(&mut m, &[(Action::Stay, &["a"])], false);
        m.tags.remove(&ino);
        assert_eq!(undo(&mut m, &ops, Trigger::Rollback), [Undone::Restored]);
        assert_eq!(m.log.last().unwrap().step.inverse_of, Some(ops[0].id));
    }

    #[test]
    fn tags_are_undone_wherever_the_file_has_gone() {
        let (mut m, ino) = model();
        let (_, marked) = file(&mut m, &[(Action::Stay, &["a"])], false);
        file(&mut m, &[(Action::Trash, &[])], false);
        assert!(m.nodes.contains_key(&Path::new(TRASH).join("files/x.pdf")));
        assert_eq!(undo(&mut m, &marked, Trigger::Rollback), [Undone::Restored]);
        assert_eq!(tags(&m, ino), None);
    }

    #[test]
    fn a_file_that_can_have_no_tags_is_filed_without_and_says_so() {
        for dir in ["/r", "/r/d"] {
            let (mut m, ino) = model();
            m.untagged.push(dir.into());
            let (_, ops) = file(&mut m, &[(Action::Move(to("d/")), &["a"])], false);
            assert!(m.nodes.contains_key(Path::new("/r/d/x.pdf")));
            assert_eq!(tags(&m, ino), None);
            let moved = ops.iter().find(|op| op.step.kind == StepKind::Move).unwrap();
            assert!(moved.step.why.ends_with("it gets no tags: no tags there"), "{moved:?}");
        }
        let (mut m, _) = model();
        m.untagged.push("/r".into());
        let (planned, ops) = file(&mut m, &[(Action::Stay, &["a"])], false);
        assert_eq!(planned, Planned::Left(LeaveReason::NoTags, Some("no tags there".into())));
        assert_eq!(ops, []);
    }

    #[test]
    fn a_copy_of_what_is_at_the_destination_is_put_aside_unmarked() {
        let (mut m, ino) = model();
        let there = m.file("/r/d/x.pdf", 7, 7).id.ino;
        m.same.push((ino, there));
        let before = m.clone();
        let mut p = Planner::new(&before, Trigger::Watch);
        let mut decision = decision(&[Action::Move(to("d/"))]);
        if let Verdict::Act(acts) = &mut decision.verdict {
            let tag = Template::parse_text("a", &TimeZone::UTC).unwrap();
            acts[0].tags = Some(Tags::new(vec![tag]));
        }
        let others = crate::policy::Others::Trash;
        let handling = crate::plan::Handling { conflict: Conflict::Rename, others: &others };
        p.file(&facts(&before, "/r/x.pdf"), &decision, handling, None);
        let kinds: Vec<_> = p.steps().iter().map(|s| s.kind).collect();
        assert_eq!(kinds, [StepKind::Trash]);
    }
}
