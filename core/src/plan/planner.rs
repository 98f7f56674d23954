//! From decisions to steps, with names that will be free when their turn comes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::claim::Claim;
use super::requiring::Arriving;
use super::{Consideration, Lookup, Place, Plan, Step, StepKind, Twin, World, mark_further};
use crate::companions::Tail;
use crate::duplicates;
use crate::facts::{Digest, Facts, Identity, Stat};
use crate::name;
use crate::operation::{OpId, Trigger};
use crate::policy::{Conflict, Others};
use crate::rules::{Act, Action, Considered, Decision, LeaveReason, RuleName, Verdict};

/// What the root says of names that are taken.
#[derive(Debug, Clone, Copy)]
pub struct Handling<'a> {
    pub conflict: Conflict,
    /// What becomes of a file whose bytes are at its destination already.
    pub others: &'a Others,
}

/// A file that goes where another one goes.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    pub facts: &'a Facts,
    pub tail: &'a Tail,
}

/// What became of one file in the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Planned {
    /// Steps were added; the file will be here.
    Steps(Place),
    /// It stays; the reason, and a detail where there is one.
    Left(LeaveReason, Option<String>),
}

/// What every step of one file shares.
#[derive(Clone)]
pub(crate) struct Because {
    pub(crate) rule: RuleName,
    pub(crate) why: String,
    pub(crate) inverse_of: Option<OpId>,
    pub(crate) undo: bool,
}

impl Because {
    /// For the companions.
    fn along(&self, party: &Party<'_>) -> Self {
        let why = format!("goes with {}", name::shown(party.at.file_name()));
        Self { why, ..self.clone() }
    }
}

/// Places as the steps so far will leave them, with a log to take back those of one file.
#[derive(Default)]
pub(super) struct Overlay {
    pub(super) places: HashMap<PathBuf, Lookup>,
    log: Vec<(PathBuf, Option<Lookup>)>,
}

impl Overlay {
    pub(super) fn set(&mut self, path: PathBuf, what: Lookup) {
        let before = self.places.insert(path.clone(), what);
        self.log.push((path, before));
    }

    fn begin(&mut self) {
        self.log.clear();
    }

    fn take_back(&mut self) {
        while let Some((path, before)) = self.log.pop() {
            match before {
                Some(what) => self.places.insert(path, what),
                None => self.places.remove(&path),
            };
        }
    }
}

/// Why a file cannot be given steps.
pub(super) type Refusal = (LeaveReason, Option<String>);

/// A file and its companions on their way through the actions.
pub(super) struct Party<'a> {
    /// Where the file is on disk, and by then.
    pub(super) start: Place,
    pub(super) at: Place,
    pub(super) members: Vec<(Member<'a>, Place)>,
    /// Of the file, as the steps so far will leave them, once somebody has looked.
    pub(super) tags: Option<Option<Vec<u8>>>,
}

impl Party<'_> {
    /// A file on its own.
    pub(super) fn alone(at: Place) -> Self {
        Self { start: at.clone(), at, members: Vec::new(), tags: None }
    }
}

impl Party<'_> {
    /// Where the companions are to be when the file is at `main`.
    pub(super) fn beside<'p>(&'p self, main: &Place) -> impl Iterator<Item = (&'p Place, Place)> {
        let dir = main.clone();
        self.members
            .iter()
            .map(move |(m, at)| (at, dir.with_file_name(&m.tail.of(dir.file_name()))))
    }
}

/// Turns decisions into steps.
pub struct Planner<'w> {
    pub(super) world: &'w dyn World,
    trigger: Trigger,
    pub(super) steps: Vec<Step>,
    pub(super) overlay: Overlay,
    /// How many files get no tags though a rule says so, and why the first one does not.
    untagged: Option<(usize, String)>,
    pub(super) arriving: Arriving,
}

impl<'w> Planner<'w> {
    /// An empty plan over the disk as it is.
    pub fn new(world: &'w dyn World, trigger: Trigger) -> Self {
        let (steps, overlay, arriving) = (Vec::new(), Overlay::default(), Arriving::default());
        Self { world, trigger, steps, overlay, untagged: None, arriving }
    }

    /// The steps so far.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The plan.
    pub fn finish(self) -> Plan {
        Plan { trigger: self.trigger, steps: self.steps }
    }

    /// How many files so far get no tags though a rule says so, and why the first one does not.
    pub fn untagged(&self) -> Option<&(usize, String)> {
        self.untagged.as_ref()
    }

    /// Takes the steps so far and goes on; what they will have done is remembered.
    pub fn take(&mut self) -> Plan {
        Plan { trigger: self.trigger, steps: std::mem::take(&mut self.steps) }
    }

    /// Adds the steps for one decided file: all of them or none.
    ///
    /// `twin` is the keeper when the decision puts a duplicate aside.
    pub fn file(
        &mut self,
        facts: &Facts,
        decision: &Decision,
        handling: Handling<'_>,
        twin: Option<Twin>,
    ) -> Planned {
        self.group(facts, decision, handling, twin, &[])
    }

    /// The same for a file with its companions, which take the same (perhaps numbered) stem. They
    /// go after it, and only if it went.
    pub fn group(
        &mut self,
        facts: &Facts,
        decision: &Decision,
        handling: Handling<'_>,
        twin: Option<Twin>,
        members: &[Member<'_>],
    ) -> Planned {
        let acts = match &decision.verdict {
            Verdict::Leave(reason, _) => return Planned::Left(*reason, None),
            Verdict::Act(acts) => acts,
        };
        let Some(at) = place_of(facts) else {
            return Planned::Left(LeaveReason::BadDestination, None);
        };
        if self.is_taken_away(&at, &facts.stat) {
            // An earlier file of this plan takes its name, and this one goes to the trash for it.
            let why = "another file of the same run replaces it".to_owned();
            return Planned::Left(LeaveReason::Conflict, Some(why));
        }
        let mut party = Party::alone(at);
        for member in members {
            let two = party.members.iter().any(|(m, _)| m.tail == member.tail);
            let there =
                place_of(member.facts).filter(|p| !self.is_taken_away(p, &member.facts.stat));
            // Of two that would get one name the first goes along.
            party.members.extend(there.filter(|_| !two).map(|at| (*member, at)));
        }
        let first = self.begin();
        let mut facts = facts.clone();
        let mut untagged = None;
        for act in acts {
            let rule = act.rule.clone();
            let why = decision.why(&rule);
            let mut because = Because { rule, why, inverse_of: None, undo: false };
            let conflict = act.conflict.unwrap_or(handling.conflict);
            let handling = Handling { conflict, ..handling };
            facts.captures = act.captures.clone();
            let before = self.steps.len();
            let considered = decision.considered(&act.rule, &facts);
            let tagged = self.tag(&facts, &mut party, act, &because);
            if let Ok(Some(why)) = &tagged {
                because.why = format!("{}; it gets no tags: {why}", because.why);
                untagged = Some(why.clone());
            }
            let done = tagged.and_then(|_| {
                self.action(&facts, &mut party, act, handling, twin.as_ref(), &because)
            });
            self.consider(before, facts.stat.id, considered);
            match done {
                Ok(goes_on) => {
                    facts.path = party.at.path();
                    if !goes_on {
                        // As a duplicate of what is there it is not what the rule is about.
                        self.untag_since(before);
                        break;
                    }
                }
                Err((reason, detail)) => {
                    self.give_up(first);
                    return Planned::Left(reason, detail);
                }
            }
        }
        self.mark_along(first, facts.stat.id);
        mark_further(&mut self.steps[first..]);
        if let Some(why) = &untagged {
            self.untagged.get_or_insert_with(|| (0, why.clone())).0 += 1;
        }
        match (self.steps.len() == first, untagged) {
            (false, _) => Planned::Steps(party.at),
            (true, None) => Planned::Left(LeaveReason::InPlace, None),
            (true, Some(why)) => Planned::Left(LeaveReason::NoTags, Some(why)),
        }
    }

    /// Keeps what the rules said with what is done to that file since step `first`; not with what is done for its sake.
    pub(super) fn consider(
        &mut self,
        first: usize,
        id: Identity,
        considered: Option<Arc<Considered>>,
    ) {
        let Some(considered) = considered else { return };
        let own = |step: &&mut Step| step.expect == Some(id) && step.is_counted();
        for step in self.steps.iter_mut().skip(first).filter(own) {
            step.considered = Some(Consideration::Here(considered.clone()));
        }
    }

    /// Adds the step for a companion whose file was filed before: to `dst`, where that is.
    pub fn companion(
        &mut self,
        facts: &Facts,
        dst: &Place,
        main: Twin,
        rule: &RuleName,
        why: String,
    ) -> Planned {
        let Some(at) = place_of(facts) else {
            return Planned::Left(LeaveReason::BadDestination, None);
        };
        match self.lookup(dst) {
            Lookup::Absent => {}
            Lookup::Unknown(why) => return Planned::Left(LeaveReason::BadDestination, Some(why)),
            _ => return Planned::Left(LeaveReason::Conflict, Some(is_there(dst))),
        }
        let because = Because { rule: rule.clone(), why, inverse_of: None, undo: false };
        let digest = facts.digest.value().copied();
        self.push(StepKind::Move, &at, dst, &facts.stat, None, digest, &because);
        self.follow(main);
        Planned::Steps(dst.clone())
    }

    /// Whether an earlier step leaves something else where the file was.
    fn is_taken_away(&self, at: &Place, stat: &Stat) -> bool {
        let there = self.overlay.places.get(&at.path());
        there.is_some_and(|t| !matches!(t, Lookup::File(s) if s.id == stat.id))
    }

    /// Marks the point to which [`Self::give_up`] returns.
    pub(crate) fn begin(&mut self) -> usize {
        self.overlay.begin();
        self.arriving.begin();
        self.steps.len()
    }

    /// Forgets the steps since [`Self::begin`].
    pub(crate) fn give_up(&mut self, first: usize) {
        self.steps.truncate(first);
        self.overlay.take_back();
        self.arriving.take_back();
    }

    /// Plans one action on a file and its companions; returns whether others may follow.
    fn action(
        &mut self,
        facts: &Facts,
        party: &mut Party<'_>,
        act: &Act,
        handling: Handling<'_>,
        twin: Option<&Twin>,
        because: &Because,
    ) -> Result<bool, Refusal> {
        let (kind, template) = match &act.action {
            Action::Leave | Action::Stay => return Ok(true),
            Action::Trash => {
                self.trash_all(facts, party, twin, because)?;
                return Ok(true);
            }
            Action::Move(t) | Action::Rename(t) => (StepKind::Move, t),
            Action::Copy(t) => (StepKind::Copy, t),
            Action::Reflink(t) => (StepKind::Reflink, t),
            Action::HardLink(t) => (StepKind::HardLink, t),
            Action::Symlink(t) => (StepKind::Symlink, t),
        };
        let is_rename = matches!(act.action, Action::Rename(_));
        let wanted = template
            .destination(facts, is_rename)
            .map_err(|e| (LeaveReason::BadDestination, Some(e.to_string())))?;
        // The directory the file is in stays confined by the base that it has there.
        let wanted = if is_rename { party.at.with_file_name(wanted.file_name()) } else { wanted };
        let (wanted, _) = self.as_taken(wanted);
        if wanted.path() == party.at.path() {
            return Ok(true);
        }
        if wanted.path().starts_with(party.at.path()) {
            let what = format!(
                "the file itself has the name of the folder {}: give it another name",
                name::shown(party.at.path().as_os_str())
            );
            return Err((LeaveReason::BadDestination, Some(what)));
        }
        if let Some(requirement) = &act.requirement {
            self.require(requirement, kind, &wanted, &facts.stat, party)?;
        }
        self.make_parents(&wanted, because)?;
        // What is put aside as a copy may meet others of its kind there.
        let copies = !matches!(kind, StepKind::HardLink | StepKind::Symlink) && twin.is_none();
        match self.claim(&wanted, facts, party, handling, copies, because)? {
            Claim::Free(dst) => {
                self.push_all(kind, facts, party, &dst, twin, because);
                Ok(true)
            }
            // Made before.
            Claim::Same(..) if kind.keeps_source() => Ok(true),
            Claim::Same(at, there) => {
                self.put_aside(facts, party, &at, &there, handling.others, because)?;
                Ok(false)
            }
        }
    }

    /// Plans the way of a file whose bytes are at its destination already, as a duplicate's.
    fn put_aside(
        &mut self,
        facts: &Facts,
        party: &mut Party<'_>,
        same: &Place,
        there: &Stat,
        others: &Others,
        because: &Because,
    ) -> Result<(), Refusal> {
        let shown = name::shown(same.path().as_os_str());
        let twin = Twin { path: same.path(), id: there.id };
        let rule = &because.rule;
        let why = format!("same bytes as {shown}, where rule {rule} puts it");
        let because = Because { rule: duplicates::RULE.into(), why, ..because.clone() };
        match others {
            Others::Report => Err((LeaveReason::Identical, Some(shown))),
            Others::Trash => self.trash_all(facts, party, Some(&twin), &because),
            Others::Folder(dir) => {
                let wanted = duplicates::folder(dir)
                    .destination(facts, false)
                    .map_err(|e| (LeaveReason::BadDestination, Some(e.to_string())))?;
                self.make_parents(&wanted, &because)?;
                let dst = self.free_names(&wanted, party)?;
                self.push_all(StepKind::Move, facts, party, &dst, Some(&twin), &because);
                Ok(())
            }
        }
    }

    /// Plans the way of a file and its companions.
    fn push_all(
        &mut self,
        kind: StepKind,
        facts: &Facts,
        party: &mut Party<'_>,
        dst: &Place,
        twin: Option<&Twin>,
        because: &Because,
    ) {
        let digest = facts.digest.value().copied();
        self.push(kind, &party.at, dst, &facts.stat, twin, digest, because);
        let along = because.along(party);
        let ways: Vec<Place> = party.beside(dst).map(|(_, to)| to).collect();
        for ((member, at), to) in party.members.iter_mut().zip(ways) {
            if to == *at {
                continue;
            }
            let digest = member.facts.digest.value().copied();
            self.push(kind, at, &to, &member.facts.stat, None, digest, &along);
            if kind.relocates() {
                self.follow(Twin { path: dst.path(), id: facts.stat.id });
                *at = to;
            }
        }
        if kind.relocates() {
            party.at = dst.clone();
        }
    }

    /// Plans the way of a file and its companions into the trash.
    fn trash_all(
        &mut self,
        facts: &Facts,
        party: &Party<'_>,
        twin: Option<&Twin>,
        because: &Because,
    ) -> Result<(), Refusal> {
        let digest = facts.digest.value().copied();
        let dst = self.trash(&party.at, &facts.stat, twin, digest, because)?;
        let along = because.along(party);
        for (member, at) in &party.members {
            let digest = member.facts.digest.value().copied();
            self.trash(at, &member.facts.stat, None, digest, &along)?;
            self.follow(Twin { path: dst.path(), id: facts.stat.id });
        }
        Ok(())
    }

    /// The last step is a companion's: it is taken only when its file is there.
    fn follow(&mut self, main: Twin) {
        if let Some(step) = self.steps.last_mut() {
            step.follows = Some(main);
        }
    }

    /// Plans a file's way from one place to another (rollback uses it with kinds of its own).
    #[expect(clippy::too_many_arguments, reason = "the fields of one step, all of them needed")]
    pub(crate) fn push(
        &mut self,
        kind: StepKind,
        src: &Place,
        dst: &Place,
        stat: &Stat,
        twin: Option<&Twin>,
        digest: Option<Digest>,
        because: &Because,
    ) {
        if kind.relocates() {
            self.overlay.set(src.path(), Lookup::Absent);
        }
        let there = match kind {
            // Taken, but by something that does not exist yet and whose identity nobody can expect.
            StepKind::Copy | StepKind::Reflink | StepKind::Symlink => Lookup::Other,
            _ => Lookup::File(*stat),
        };
        self.overlay.set(dst.path(), there);
        self.steps.push(Step {
            twin: twin.cloned(),
            digest,
            ..self.step(kind, Some(src), Some(dst), Some(stat.id), because)
        });
    }

    /// Adds a step whose effect the overlay knows.
    pub(super) fn add(&mut self, step: Step) {
        self.steps.push(step);
    }

    pub(super) fn step(
        &self,
        kind: StepKind,
        src: Option<&Place>,
        dst: Option<&Place>,
        expect: Option<Identity>,
        because: &Because,
    ) -> Step {
        Step {
            kind,
            src: src.cloned(),
            dst: dst.cloned(),
            expect,
            twin: None,
            follows: None,
            tags: None,
            command: None,
            digest: None,
            rule: because.rule.clone(),
            why: because.why.clone(),
            considered: None,
            inverse_of: because.inverse_of,
            undo: because.undo,
            further: false,
        }
    }

    /// Plans the directories that `place` needs and that do not exist.
    pub(crate) fn make_parents(&mut self, place: &Place, because: &Because) -> Result<(), Refusal> {
        let mut missing = Vec::new();
        let mut at = place.parent();
        while let Some(dir) = at {
            match self.lookup(&dir) {
                Lookup::Directory => break,
                Lookup::Absent => missing.push(dir.clone()),
                Lookup::File(_) | Lookup::Symlink(_) | Lookup::Other => {
                    let what =
                        format!("{} is not a directory", name::shown(dir.path().as_os_str()));
                    return Err((LeaveReason::BadDestination, Some(what)));
                }
                Lookup::Unknown(why) => return Err((LeaveReason::BadDestination, Some(why))),
            }
            at = dir.parent();
        }
        while let Some(dir) = missing.pop() {
            // A directory is made for the file, but undone on its own: it goes when it is empty.
            let step = self.step(StepKind::MakeDir, None, Some(&dir), None, because);
            self.overlay.set(dir.path(), Lookup::Directory);
            self.steps.push(Step { inverse_of: None, ..step });
        }
        Ok(())
    }

    /// What will be at the place when the steps so far have been taken.
    pub(crate) fn lookup(&self, place: &Place) -> Lookup {
        match self.overlay.places.get(&place.path()) {
            Some(what) => what.clone(),
            None => self.world.lookup(place),
        }
    }

    /// Plans a directory's removal (it goes only if it is empty then).
    pub(crate) fn remove_dir(&mut self, dir: &Place, because: &Because) {
        let step = self.step(StepKind::RemoveDir, Some(dir), None, None, because);
        self.overlay.set(dir.path(), Lookup::Absent);
        self.steps.push(step);
    }

    /// Plans that a name which a link made goes; its content stays at the twin.
    pub(crate) fn unlink(&mut self, link: &Place, stat: &Stat, twin: Twin, because: &Because) {
        let step = self.step(StepKind::Unlink, Some(link), None, Some(stat.id), because);
        self.overlay.set(link.path(), Lookup::Absent);
        self.steps.push(Step { twin: Some(twin), ..step });
    }

    /// Plans one directory, as the inverse of its removal.
    pub(crate) fn make_dir(&mut self, dir: &Place, because: &Because) {
        let step = self.step(StepKind::MakeDir, None, Some(dir), None, because);
        self.overlay.set(dir.path(), Lookup::Directory);
        self.steps.push(step);
    }
}

/// Where the file is, beneath its root.
fn place_of(facts: &Facts) -> Option<Place> {
    Place::new(facts.root.clone(), facts.relative().to_owned())
}

pub(super) fn is_there(place: &Place) -> String {
    format!("{} is there already", name::shown(place.path().as_os_str()))
}
