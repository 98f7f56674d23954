//! Rollback: from journal entries to a plan like any other.
//!
//! In: operations that are done and in effect, the disk through [`World`], and [`History`] for files
//! that were moved on since. Out: a [`Plan`] whose steps invert them, and for every operation what
//! will have become of it. Redo is the same thing applied to undo operations.
//!
//! Never guesses: a file is put back only when it is the very file the journal knows (same inode,
//! same birth), wherever later operations took it. What a program saved anew under the old name is
//! another file, and stays where it is.

mod links;
mod tagging;
mod trail;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::ops::Range;
use std::path::{Path, PathBuf};

pub use trail::Trail;

use crate::facts::{Digest, Identity, Stat};
use crate::name;
use crate::operation::{OpId, Operation, Trigger};
use crate::plan::{Because, Lookup, Place, Plan, Planner, StepKind, World};
use crate::rules::LeaveReason;

/// A file may have been moved on by this many later operations before we stop following.
pub const MAX_HOPS: usize = 64;

/// What becomes of one operation that is undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    /// As it was.
    Restored,
    /// Its old name was taken: restored under this one.
    RestoredAs(PathBuf),
    /// It was edited since; put back with its edits.
    KeptEdited,
    /// It is no longer where the journal knows it; what is there instead.
    Missing(String),
    /// Its old name is taken and no other could be found; by what.
    Occupied(String),
    /// Its tags are not those that were set: somebody has changed them, and they stay; what they are.
    TagsChanged(String),
    /// It was trashed, and the trash has been emptied.
    Irrecoverable,
    /// Something stands in the way.
    Error(String),
    /// Later operations have settled it: a rollback of what was before it, or a new filing of what
    /// was put back. Nothing of it is left to undo, and nobody is told.
    Settled,
}

impl Undone {
    /// The word used in JSON and in reports.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Restored => "restored",
            Self::RestoredAs(_) => "restored-as",
            Self::KeptEdited => "kept-edited",
            Self::Missing(_) => "missing",
            Self::Occupied(_) => "occupied",
            Self::TagsChanged(_) => "tags-changed",
            Self::Irrecoverable => "irrecoverable",
            Self::Error(_) => "error",
            Self::Settled => "settled",
        }
    }

    /// Whether the file is back, edited or under another name included.
    pub fn is_back(&self) -> bool {
        matches!(self, Self::Restored | Self::RestoredAs(_) | Self::KeptEdited)
    }

    /// Why the file is not back, in words.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Missing(why)
            | Self::Occupied(why)
            | Self::TagsChanged(why)
            | Self::Error(why) => Some(why),
            Self::Irrecoverable => Some("it was in the trash, and is not there any more"),
            Self::Restored | Self::RestoredAs(_) | Self::KeptEdited | Self::Settled => None,
        }
    }
}

/// One operation and what the plan makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undoing {
    pub op: OpId,
    /// Where the file goes back to, the copy that goes, or the directory.
    pub path: PathBuf,
    /// Outcome if its steps succeed.
    pub outcome: Undone,
    /// Its steps in the plan, none when there is nothing to do: directories that are made on the way,
    /// and its own as the last.
    pub steps: Range<usize>,
    /// A directory, made or removed along with files; people count files.
    pub directory: bool,
    /// Tags of a file, or a link in the place of one, that is put back by itself: only what went wrong is told.
    pub aside: bool,
}

/// Stands for the number that a step of the plan will have.
const PLANNED: OpId = OpId(u64::MAX);

/// What the journal knows of later moves.
pub trait History {
    /// The next operation after `after` that is done and took this file away from `from`: this one
    /// ([`Identity::same_object`]), not another that had the name later.
    fn moved_on(&self, from: &Path, after: OpId, file: &Identity) -> Option<Operation>;

    /// The operation of that number.
    fn operation(&self, id: OpId) -> Option<Operation>;
}

/// When the inverse of `op` has its turn among others; equals go newest first.
///
/// Directories that come back are made before anything moves, those that go are removed last and from
/// the deepest up. Not in the order of the log: batches run beside each other, and one may have filed
/// into a directory that another, later one had made.
pub fn turn(op: &Operation) -> (u8, Reverse<usize>) {
    let depth = |p: &Option<Place>| p.as_ref().map_or(0, |p| p.path().components().count());
    match op.step.kind {
        StepKind::RemoveDir => (0, Reverse(0)),
        StepKind::MakeDir => (2, Reverse(depth(&op.step.dst))),
        _ => (1, Reverse(0)),
    }
}

/// A file that the plan takes somewhere.
struct Moved {
    /// Its step.
    number: usize,
    to: Place,
    into_trash: bool,
    inverse_of: Option<OpId>,
}

/// Plans the inverses of operations, one after the other.
pub struct Inverter<'w> {
    planner: Planner<'w>,
    world: &'w dyn World,
    history: &'w dyn History,
    /// Where the plan so far takes files from.
    moved: HashMap<PathBuf, Vec<Moved>>,
    /// Steps of the plan that have been handed out.
    taken: usize,
    /// What it puts into which directories.
    entered: HashMap<PathBuf, Vec<OsString>>,
    /// Directories that it takes somewhere, by where they are then.
    units: HashMap<PathBuf, Stat>,
    /// Where files are now that it takes somewhere, by where they are then.
    origins: HashMap<PathBuf, Place>,
    /// Tags that it changes, by where the files are now.
    tags: HashMap<PathBuf, Option<Vec<u8>>>,
}

impl<'w> Inverter<'w> {
    /// Nothing planned yet. `trigger` is [`Trigger::Rollback`] or [`Trigger::Redo`].
    pub fn new(world: &'w dyn World, history: &'w dyn History, trigger: Trigger) -> Self {
        let planner = Planner::new(world, trigger);
        Self {
            planner,
            world,
            history,
            moved: HashMap::new(),
            taken: 0,
            entered: HashMap::new(),
            units: HashMap::new(),
            origins: HashMap::new(),
            tags: HashMap::new(),
        }
    }

    /// The steps so far; the next ones are planned over what these will have done.
    pub fn take(&mut self) -> Plan {
        let plan = self.planner.take();
        self.taken += plan.steps.len();
        plan
    }

    /// Adds the inverse of `op`. They must come in the order of their [`turn`]s, newest first.
    pub fn invert(&mut self, op: &Operation) -> Undoing {
        let undo = !op.step.undo;
        let because = Because {
            rule: op.step.rule.clone(),
            why: format!("{} of operation {}", if undo { "undo" } else { "redo" }, op.id),
            inverse_of: Some(op.id),
            undo,
        };
        let directory = op.step.kind.is_directory();
        let first = self.planner.begin();
        let outcome =
            if directory { self.directory(op, &because) } else { self.file(op, &because) };
        if !outcome.is_back() {
            self.planner.give_up(first);
        }
        let planned = self.planner.steps().get(first..).unwrap_or_default();
        let steps = first..first + planned.len();
        for (number, step) in (self.taken + first..).zip(planned) {
            if let (true, Some(src), Some(dst)) = (step.kind.relocates(), &step.src, &step.dst) {
                let (to, inverse_of) = (dst.clone(), step.inverse_of);
                let into_trash = step.kind == StepKind::Trash;
                let origin = self.origins.remove(&src.path()).unwrap_or_else(|| src.clone());
                self.origins.insert(dst.path(), origin);
                let moved = Moved { number, to, into_trash, inverse_of };
                self.moved.entry(src.path()).or_default().push(moved);
            }
            if let Some(dst) = &step.dst
                && let Some(dir) = dst.parent()
            {
                self.entered.entry(dir.path()).or_default().push(dst.file_name().to_owned());
            }
        }
        // A link that nobody made again leaves the place of its copy empty, which is to be told.
        let lacks = op.step.is_stand_in() && op.step.undo && !outcome.is_back();
        let aside = !directory && !op.step.is_counted() && !lacks;
        Undoing { op: op.id, path: concerned(op), outcome, steps, directory, aside }
    }

    fn directory(&mut self, op: &Operation, because: &Because) -> Undone {
        match (op.step.kind, &op.step.src, &op.step.dst) {
            (StepKind::MakeDir, _, Some(dir)) => {
                // One that is used stays; what comes in until its turn is found out then.
                if self.planner.lookup(dir) == Lookup::Directory && self.will_be_empty(dir) {
                    self.planner.remove_dir(dir, because);
                }
                Undone::Restored
            }
            (StepKind::RemoveDir, Some(dir), _) => match self.planner.lookup(dir) {
                Lookup::Directory => Undone::Restored,
                Lookup::Absent => match self.planner.make_parents(dir, because) {
                    Ok(()) => {
                        self.planner.make_dir(dir, because);
                        Undone::Restored
                    }
                    Err((_, detail)) => Undone::Error(detail.unwrap_or_default()),
                },
                Lookup::Unknown(why) => Undone::Error(why),
                Lookup::File(_) | Lookup::Symlink(_) | Lookup::Other => {
                    Undone::Occupied(format!("{} is no folder", shown(dir)))
                }
            },
            _ => Undone::Error("the journal entry names no directory".into()),
        }
    }

    /// Whether nothing is in the directory when the steps so far have been taken.
    fn will_be_empty(&self, dir: &Place) -> bool {
        let goes = |name: &OsStr| {
            let place = Place::new(dir.base().clone(), dir.rel().join(name));
            place.is_some_and(|p| self.planner.lookup(&p) == Lookup::Absent)
        };
        let entered = self.entered.get(&dir.path()).into_iter().flatten();
        entered.map(OsString::as_os_str).all(goes) && self.world.all_entries(dir, &goes)
    }

    fn file(&mut self, op: &Operation, because: &Because) -> Undone {
        if op.step.kind == StepKind::Run {
            // What a command did is its own; nobody is told of it again.
            return Undone::Settled;
        }
        if op.step.kind == StepKind::Tag {
            return self.retag(op, because).unwrap_or_else(|outcome| outcome);
        }
        if op.step.kind == StepKind::Unlink {
            return links::make_again(op, &mut self.planner, self.history, because);
        }
        let (Some(src), Some(dst), Some(landed)) =
            (&op.step.src, &op.step.dst, op.landed.or(op.step.expect))
        else {
            return Undone::Error("the journal entry names no file".into());
        };
        if op.step.kind == StepKind::MoveDir {
            return self.unit(op, src, dst, landed, because);
        }
        if op.step.kind == StepKind::Symlink {
            return links::remove_symlink(src, dst, landed, &mut self.planner, because);
        }
        let found = match self.find(op, dst, landed) {
            Ok(found) => found,
            Err(outcome) => return outcome,
        };
        if op.step.kind == StepKind::HardLink
            && !found.in_trash
            && let Some(outcome) = links::remove_name(src, &found, &mut self.planner, because)
        {
            return outcome;
        }
        if goes_to_the_trash(op) {
            if found.in_trash {
                return found.outcome();
            }
            let digest = op.step.digest.filter(|_| !found.edited);
            return match self.planner.trash(&found.at, &found.stat, None, digest, because) {
                Ok(_) => found.outcome(),
                Err((_, detail)) => Undone::Error(detail.unwrap_or_default()),
            };
        }
        let back = if found.in_trash { StepKind::Restore } else { StepKind::Move };
        self.put_back(&found, src, back, op.step.digest, because)
    }

    /// Where the file of `op` is now, following later operations and those of this plan.
    fn find(&self, op: &Operation, dst: &Place, landed: Identity) -> Result<FoundFile, Undone> {
        let (mut at, mut id, mut after) = (dst.clone(), landed, op.id);
        let mut in_trash = op.step.kind == StepKind::Trash;
        let mut trail = self.trail(op);
        for _ in 0..MAX_HOPS {
            let there = self.planner.lookup(&at);
            match &there {
                Lookup::File(_) if trail.is_settled() => return Err(Undone::Settled),
                Lookup::File(stat) if stat.id.same_object(&id) => {
                    if self.came_back(&at, id, after, &trail) {
                        return Err(Undone::Settled);
                    }
                    let edited = stat.id != id;
                    return Ok(FoundFile { at, stat: *stat, in_trash, edited });
                }
                Lookup::Unknown(why) => return Err(Undone::Error(why.clone())),
                _ => {}
            }
            if let Some(next) = self.history.moved_on(&at.path(), after, &id)
                && let Some(place) = &next.step.dst
            {
                if self.follow(&mut trail, &next) {
                    return Err(Undone::Settled);
                }
                in_trash = next.step.kind == StepKind::Trash;
                id = next.landed.unwrap_or(id);
                after = next.id;
                at = place.clone();
            } else if there == Lookup::Absent
                && let Some(Moved { to: place, into_trash, inverse_of, .. }) =
                    self.moved.get(&at.path()).and_then(|moved| moved.last())
            {
                let known = |id| self.known(id);
                let Ok(over) = trail.step(PLANNED, *inverse_of, !op.step.undo, known);
                if over {
                    return Err(Undone::Settled);
                }
                in_trash = *into_trash;
                at = place.clone();
            } else if trail.is_settled() {
                return Err(Undone::Settled);
            } else if in_trash {
                return Err(Undone::Irrecoverable);
            } else {
                return Err(Undone::Missing(instead(&at, &there)));
            }
        }
        Err(Undone::Missing("it was moved on too often to be followed".into()))
    }

    fn known(&self, id: OpId) -> Result<Option<Operation>, Infallible> {
        Ok(self.history.operation(id))
    }

    fn trail<'o>(&self, op: &'o Operation) -> Trail<'o> {
        let Ok(trail) = Trail::of(op, |id| self.known(id));
        trail
    }

    fn follow(&self, trail: &mut Trail<'_>, next: &Operation) -> bool {
        let Ok(over) = trail.follow(next, |id| self.known(id));
        over
    }

    /// Whether the file was taken away from where it is, and came back there by a rollback that leaves
    /// nothing of the operation to be undone.
    fn came_back(&self, at: &Place, id: Identity, after: OpId, trail: &Trail<'_>) -> bool {
        // What is filed anew after a rollback, and put back again, can be redone like any other.
        if trail.op.step.undo {
            return false;
        }
        let (mut place, mut id, mut after, mut trail) = (at.clone(), id, after, trail.clone());
        for _ in 0..MAX_HOPS {
            let next = self.history.moved_on(&place.path(), after, &id);
            let Some((next, dst)) = next.and_then(|n| n.step.dst.clone().map(|d| (n, d))) else {
                break;
            };
            if self.follow(&mut trail, &next) {
                return true;
            }
            (place, id, after) = (dst, next.landed.unwrap_or(id), next.id);
        }
        // And on with the steps that are planned by now.
        let mut from = 0;
        while let Some(moved) = self.moved.get(&place.path())
            && let Some(moved) = moved.iter().find(|m| m.number >= from)
        {
            let Ok(over) = trail.step(PLANNED, moved.inverse_of, true, |id| self.known(id));
            if over {
                return true;
            }
            (place, from) = (moved.to.clone(), moved.number + 1);
        }
        trail.is_settled() && place.path() == at.path()
    }

    /// A directory that was moved as one goes back as one.
    fn unit(
        &mut self,
        op: &Operation,
        home: &Place,
        dst: &Place,
        landed: Identity,
        because: &Because,
    ) -> Undone {
        let (mut at, mut id, mut after) = (dst.clone(), landed, op.id);
        let mut trail = self.trail(op);
        for _ in 0..MAX_HOPS {
            let there = self.planner.lookup(&at);
            if let Lookup::Unknown(why) = there {
                return Undone::Error(why);
            }
            if there == Lookup::Directory
                && let Some(stat) = self.directory_at(&at).filter(|s| s.id.same_object(&id))
            {
                return match trail.is_settled() || self.came_back(&at, id, after, &trail) {
                    true => Undone::Settled,
                    false => self.unit_back(&at, home, stat, because),
                };
            }
            let Some(next) = self.history.moved_on(&at.path(), after, &id) else {
                return match trail.is_settled() {
                    true => Undone::Settled,
                    false => Undone::Missing(instead(&at, &there)),
                };
            };
            let Some(place) = next.step.dst.clone() else { break };
            if self.follow(&mut trail, &next) {
                return Undone::Settled;
            }
            (at, id, after) = (place, next.landed.unwrap_or(id), next.id);
        }
        Undone::Missing("it was moved on too often to be followed".into())
    }

    /// The directory that will be there.
    fn directory_at(&self, at: &Place) -> Option<Stat> {
        let planned = self.units.get(&at.path()).copied();
        planned.or_else(|| self.world.directory(at.base(), at.rel()))
    }

    /// `home`, with the directories above it, or the nearest name that is free.
    fn free_home(&mut self, home: &Place, because: &Because) -> Result<Place, Undone> {
        let parents = self.planner.make_parents(home, because);
        parents.and_then(|()| self.planner.free_name(home)).map_err(|(reason, detail)| {
            let detail = detail.unwrap_or_default();
            match reason {
                LeaveReason::Conflict => Undone::Occupied(detail),
                _ => Undone::Error(detail),
            }
        })
    }

    fn unit_back(&mut self, at: &Place, home: &Place, stat: Stat, because: &Because) -> Undone {
        if at.path() == home.path() {
            return Undone::Restored;
        }
        let free = match self.free_home(home, because) {
            Ok(free) => free,
            Err(outcome) => return outcome,
        };
        self.planner.push_dir(at, &free, &stat, because);
        self.units.insert(free.path(), stat);
        if free == *home { Undone::Restored } else { Undone::RestoredAs(free.path()) }
    }

    fn put_back(
        &mut self,
        found: &FoundFile,
        home: &Place,
        kind: StepKind,
        digest: Option<Digest>,
        because: &Because,
    ) -> Undone {
        if found.at.path() == home.path() {
            // It has found its way by itself, or by another operation.
            return found.outcome();
        }
        let free = match self.free_home(home, because) {
            Ok(free) => free,
            Err(outcome) => return outcome,
        };
        let digest = digest.filter(|_| !found.edited);
        self.planner.push(kind, &found.at, &free, &found.stat, None, digest, because);
        if free == *home { found.outcome() } else { Undone::RestoredAs(free.path()) }
    }
}

/// The path a person would name: where the file goes back to, the copy that goes to the trash, the
/// directory.
fn concerned(op: &Operation) -> PathBuf {
    let place = if goes_to_the_trash(op) { op.step.dst.as_ref() } else { op.step.subject() };
    place.map(Place::path).unwrap_or_default()
}

/// Whether undoing it puts something into the trash: what was made, or taken out of there. Nothing is
/// ever deleted for good.
fn goes_to_the_trash(op: &Operation) -> bool {
    op.step.kind.keeps_source() || op.step.kind == StepKind::Restore
}

/// What is at a place where a file should be.
fn instead(at: &Place, there: &Lookup) -> String {
    let at = shown(at);
    match there {
        Lookup::File(_) => format!(
            "another file stands there now: {at}; it may be the same one, saved anew by a program, so it stays"
        ),
        Lookup::Directory => format!("a folder stands there now: {at}"),
        Lookup::Symlink(_) | Lookup::Other => format!("something else stands there now: {at}"),
        Lookup::Absent | Lookup::Unknown(_) => format!("{at} is not there any more"),
    }
}

fn shown(place: &Place) -> String {
    name::shown(place.path().as_os_str())
}

/// A file that the journal knows, where it is now.
struct FoundFile {
    at: Place,
    stat: Stat,
    in_trash: bool,
    edited: bool,
}

impl FoundFile {
    fn outcome(&self) -> Undone {
        if self.edited { Undone::KeptEdited } else { Undone::Restored }
    }
}

#[cfg(test)]
pub(crate) mod tests;
