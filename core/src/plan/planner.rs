//! From decisions to steps, with names that will be free when their turn comes.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::{Lookup, Place, Plan, Step, StepKind, Twin, World};
use crate::facts::{Digest, Facts, Identity, Stat};
use crate::name;
use crate::operation::{OpId, Trigger};
use crate::policy::Conflict;
use crate::rules::{Action, Decision, LeaveReason, RuleName, Verdict};

/// Numbered names tried before giving up: past this a person has a folder of thousands of equal
/// names, and each further file would cost as many look-ups.
const MAX_NUMBER: u32 = 10_000;

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

/// Places as the steps so far will leave them, with a log to take back those of one file.
#[derive(Default)]
struct Overlay {
    places: HashMap<PathBuf, Lookup>,
    log: Vec<(PathBuf, Option<Lookup>)>,
}

impl Overlay {
    fn set(&mut self, path: PathBuf, what: Lookup) {
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
type Refusal = (LeaveReason, Option<String>);

/// Turns decisions into steps.
pub struct Planner<'w> {
    world: &'w dyn World,
    trigger: Trigger,
    steps: Vec<Step>,
    overlay: Overlay,
}

impl<'w> Planner<'w> {
    /// An empty plan over the disk as it is.
    pub fn new(world: &'w dyn World, trigger: Trigger) -> Self {
        Self { world, trigger, steps: Vec::new(), overlay: Overlay::default() }
    }

    /// The steps so far.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The plan.
    pub fn finish(self) -> Plan {
        Plan { trigger: self.trigger, steps: self.steps }
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
        conflict: Conflict,
        twin: Option<Twin>,
    ) -> Planned {
        let acts = match &decision.verdict {
            Verdict::Leave(reason, _) => return Planned::Left(*reason, None),
            Verdict::Act(acts) => acts,
        };
        let Some(start) = Place::new(facts.root.clone(), facts.relative().to_owned()) else {
            return Planned::Left(LeaveReason::BadDestination, None);
        };
        let there = self.overlay.places.get(&start.path());
        if there.is_some_and(|t| !matches!(t, Lookup::File(s) if s.id == facts.stat.id)) {
            // An earlier file of this plan takes its name, and this one goes to the trash for it.
            let why = "another file of the same run replaces it".to_owned();
            return Planned::Left(LeaveReason::Conflict, Some(why));
        }
        let first = self.begin();
        let mut facts = facts.clone();
        let mut at = start;
        for act in acts {
            let rule = act.rule.clone();
            let why = decision.why(&rule);
            let because = Because { rule, why, inverse_of: None, undo: false };
            let conflict = act.conflict.unwrap_or(conflict);
            facts.captures = act.captures.clone();
            match self.action(&facts, &at, &act.action, conflict, twin.as_ref(), &because) {
                Ok(place) => {
                    facts.path = place.path();
                    at = place;
                }
                Err((reason, detail)) => {
                    self.give_up(first);
                    return Planned::Left(reason, detail);
                }
            }
        }
        if self.steps.len() == first {
            Planned::Left(LeaveReason::InPlace, None)
        } else {
            Planned::Steps(at)
        }
    }

    /// Marks the point to which [`Self::give_up`] returns.
    pub(crate) fn begin(&mut self) -> usize {
        self.overlay.begin();
        self.steps.len()
    }

    /// Forgets the steps since [`Self::begin`].
    pub(crate) fn give_up(&mut self, first: usize) {
        self.steps.truncate(first);
        self.overlay.take_back();
    }

    /// Plans one action on the file at `at`; returns where the file will be.
    fn action(
        &mut self,
        facts: &Facts,
        at: &Place,
        action: &Action,
        conflict: Conflict,
        twin: Option<&Twin>,
        because: &Because,
    ) -> Result<Place, Refusal> {
        let digest = facts.digest.value().copied();
        let (kind, template) = match action {
            Action::Leave => return Ok(at.clone()),
            Action::Trash => {
                self.trash(at, &facts.stat, twin, digest, because)?;
                return Ok(at.clone());
            }
            Action::Move(t) | Action::Rename(t) => (StepKind::Move, t),
            Action::Copy(t) => (StepKind::Copy, t),
            Action::Reflink(t) => (StepKind::Reflink, t),
            Action::HardLink(t) => (StepKind::HardLink, t),
            Action::Symlink(t) => (StepKind::Symlink, t),
        };
        let wanted = template
            .destination(facts, matches!(action, Action::Rename(_)))
            .map_err(|e| (LeaveReason::BadDestination, Some(e.to_string())))?;
        // The directory the file is in stays confined by the base that it has there.
        let wanted = match action {
            Action::Rename(_) => at.with_file_name(wanted.file_name()),
            _ => wanted,
        };
        if wanted.path() == at.path() {
            return Ok(at.clone());
        }
        self.make_parents(&wanted, because)?;
        let dst = self.claim(&wanted, &facts.stat, conflict, because)?;
        self.push(kind, at, &dst, &facts.stat, twin, digest, because);
        Ok(if kind.keeps_source() { at.clone() } else { dst })
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

    fn step(
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
            digest: None,
            rule: because.rule.clone(),
            why: because.why.clone(),
            inverse_of: because.inverse_of,
            undo: because.undo,
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

    /// A name at the destination that is free when its turn comes.
    fn claim(
        &mut self,
        wanted: &Place,
        stat: &Stat,
        conflict: Conflict,
        because: &Because,
    ) -> Result<Place, Refusal> {
        let there = match self.lookup(wanted) {
            Lookup::Absent => return Ok(wanted.clone()),
            Lookup::Unknown(why) => return Err((LeaveReason::BadDestination, Some(why))),
            Lookup::File(there) => Some(there),
            Lookup::Directory | Lookup::Symlink(_) | Lookup::Other => None,
        };
        let taken = || Some(format!("{} is there already", name::shown(wanted.path().as_os_str())));
        let replace = match (conflict, there) {
            (Conflict::Skip, _) => return Err((LeaveReason::Conflict, taken())),
            (Conflict::Rename, _) | (_, None) => None,
            (Conflict::KeepNewer, Some(t)) => Some((t, stat.id.mtime > t.id.mtime)),
            (Conflict::KeepLarger, Some(t)) => Some((t, stat.id.size > t.id.size)),
            (Conflict::ReplaceToTrash, Some(t)) => Some((t, true)),
        };
        match replace {
            None => self.free_name(wanted),
            Some((_, false)) => Err((LeaveReason::Conflict, taken())),
            Some((there, true)) => {
                let why = format!("replaced by {}", name::shown(wanted.file_name()));
                let because = Because { why, ..because.clone() };
                self.trash(wanted, &there, None, None, &because)?;
                Ok(wanted.clone())
            }
        }
    }

    /// `wanted`, or the first numbered name beside it that nothing has.
    pub(crate) fn free_name(&self, wanted: &Place) -> Result<Place, Refusal> {
        if self.lookup(wanted) == Lookup::Absent {
            return Ok(wanted.clone());
        }
        for n in 2..=MAX_NUMBER {
            let place = wanted.with_file_name(&name::numbered(wanted.file_name(), n));
            match self.lookup(&place) {
                Lookup::Absent => return Ok(place),
                Lookup::Unknown(why) => return Err((LeaveReason::BadDestination, Some(why))),
                _ => {}
            }
        }
        let what = format!("{MAX_NUMBER} files have that name already");
        Err((LeaveReason::Conflict, Some(what)))
    }

    /// Plans the way into the trash under a name that both of its directories have free.
    pub(crate) fn trash(
        &mut self,
        src: &Place,
        stat: &Stat,
        twin: Option<&Twin>,
        digest: Option<Digest>,
        because: &Because,
    ) -> Result<Place, Refusal> {
        let refuse = |why: String| (LeaveReason::BadDestination, Some(why));
        let trash = self.world.trash_for(src, stat.dev).map_err(refuse)?;
        for n in 1..=MAX_NUMBER {
            let file = trash_name(src.file_name(), n);
            let places = [trash_file(&trash, &file), trash_info(&trash, &file)];
            let [Some(dst), Some(info)] = places else {
                return Err(refuse("the name cannot be used in the trash".into()));
            };
            if [&dst, &info].iter().all(|p| self.lookup(p) == Lookup::Absent) {
                self.push(StepKind::Trash, src, &dst, stat, twin, digest, because);
                self.overlay.set(info.path(), Lookup::File(*stat));
                return Ok(dst);
            }
        }
        Err(refuse(format!("{MAX_NUMBER} files have that name in the trash already")))
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

/// The `n`th name to try in the trash: with room for `.trashinfo` after it, so that the file and its
/// information go by one name.
fn trash_name(name: &OsStr, n: u32) -> std::ffi::OsString {
    let room = name::NAME_MAX - ".trashinfo".len();
    match n {
        1 => name::fit(name, room),
        // The number goes to the end of the stem, so it must be added after the shortening.
        n => name::numbered(&name::fit(name, room - " (10000)".len()), n),
    }
}

/// Where the trash keeps a file (freedesktop.org Trash specification 1.0).
fn trash_file(trash: &std::sync::Arc<Path>, file: &OsStr) -> Option<Place> {
    Place::new(trash.clone(), Path::new("files").join(file))
}

/// Where the trash keeps what is known of it.
fn trash_info(trash: &std::sync::Arc<Path>, file: &OsStr) -> Option<Place> {
    Place::new(trash.clone(), Path::new("info").join(name::with_suffix(file, ".trashinfo")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_the_trash_leave_room_for_their_information() {
        for name in ["a.jpg".to_owned(), "x".repeat(255), format!("{}.tar.gz", "ä".repeat(120))] {
            let names: Vec<_> =
                [1, 2, 999, MAX_NUMBER].map(|n| trash_name(OsStr::new(&name), n)).into();
            assert!(names.iter().all(|n| n.len() <= 245), "{names:?}");
            assert!(names.windows(2).all(|w| w[0] != w[1]), "{names:?}");
        }
        assert_eq!(trash_name(OsStr::new("a.jpg"), 2), OsStr::new("a (2).jpg"));
    }
}
