//! Rollback: from journal entries to a plan like any other.
//!
//! In: operations that are done and in effect, newest first, the disk through [`World`], and
//! [`History`] for files that were moved on since. Out: a [`Plan`] whose steps invert them, and for
//! every operation what will have become of it. Redo is the same thing applied to undo operations.
//!
//! Never guesses: a file is put back only when it is the very file the journal knows (same inode,
//! same birth), wherever later operations took it.

use std::cmp::Reverse;
use std::path::PathBuf;

use crate::facts::{Digest, Identity, Stat};
use crate::operation::{OpId, Operation, Trigger};
use crate::plan::{Because, Lookup, Place, Plan, Planner, StepKind, World};

/// A file may have been moved on by this many later operations before we stop following.
const MAX_HOPS: usize = 64;

/// What becomes of one operation that is undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    /// As it was.
    Restored,
    /// Its old name was taken: restored under this one.
    RestoredAs(PathBuf),
    /// It was edited since; put back with its edits.
    KeptEdited,
    /// It is no longer where the journal knows it.
    Missing,
    /// Its old name is taken and no other could be found.
    Occupied,
    /// It was trashed, and the trash has been emptied.
    Irrecoverable,
    /// Something stands in the way.
    Error(String),
}

impl Undone {
    /// The word used in JSON and in reports.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Restored => "restored",
            Self::RestoredAs(_) => "restored-as",
            Self::KeptEdited => "kept-edited",
            Self::Missing => "missing",
            Self::Occupied => "occupied",
            Self::Irrecoverable => "irrecoverable",
            Self::Error(_) => "error",
        }
    }

    /// Whether the file is back, edited or under another name included.
    pub fn is_back(&self) -> bool {
        matches!(self, Self::Restored | Self::RestoredAs(_) | Self::KeptEdited)
    }
}

/// One operation and what the plan makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undoing {
    pub op: OpId,
    /// Where the file goes back to, or the directory that goes.
    pub path: PathBuf,
    /// Outcome if its steps succeed.
    pub outcome: Undone,
    /// Index of its step in the plan; `None` when there is nothing to do.
    pub step: Option<usize>,
    /// A directory, made or removed along with files; people count files.
    pub directory: bool,
}

/// What the journal knows of later moves.
pub trait History {
    /// The next operation after `after` that is done, in effect, and took the file away from `from`.
    fn moved_on(&self, from: &std::path::Path, after: OpId) -> Option<Operation>;
}

/// Plans the inverse of `ops` (newest first).
///
/// `trigger` is [`Trigger::Rollback`] or [`Trigger::Redo`].
pub fn plan(
    ops: &[Operation],
    world: &dyn World,
    history: &dyn History,
    trigger: Trigger,
) -> (Plan, Vec<Undoing>) {
    let mut planner = Planner::new(world, trigger);
    let mut ops: Vec<&Operation> = ops.iter().collect();
    // Stable, so that within each part the newest comes first.
    ops.sort_by_key(|op| turn(op));
    let undoings = ops.iter().map(|op| invert(op, &mut planner, history, trigger)).collect();
    (planner.finish(), undoings)
}

/// Directories that come back are made before anything moves, those that go are removed last and from
/// the deepest up. Not in the order of the log: batches run beside each other, and one may have filed
/// into a directory that another, later one had made.
fn turn(op: &Operation) -> (u8, Reverse<usize>) {
    let depth = |p: &Option<Place>| p.as_ref().map_or(0, |p| p.path().components().count());
    match op.step.kind {
        StepKind::RemoveDir => (0, Reverse(0)),
        StepKind::MakeDir => (2, Reverse(depth(&op.step.dst))),
        _ => (1, Reverse(0)),
    }
}

fn invert(
    op: &Operation,
    planner: &mut Planner<'_>,
    history: &dyn History,
    trigger: Trigger,
) -> Undoing {
    let undo = trigger == Trigger::Rollback;
    let because = Because {
        rule: op.step.rule.clone(),
        why: format!("{} of operation {}", if undo { "undo" } else { "redo" }, op.id),
        inverse_of: Some(op.id),
        undo,
    };
    let path = op.step.subject().map(Place::path).unwrap_or_default();
    let directory = op.step.kind.is_directory();
    let first = planner.begin();
    let outcome = if directory {
        invert_directory(op, planner, &because)
    } else {
        invert_file(op, planner, history, &because)
    };
    if !outcome.is_back() {
        planner.give_up(first);
    }
    // Directories that are made on the way come first; the file's own step is the last.
    let last = planner.steps().len();
    Undoing { op: op.id, path, outcome, step: (last > first).then(|| last - 1), directory }
}

fn invert_directory(op: &Operation, planner: &mut Planner<'_>, because: &Because) -> Undone {
    match (op.step.kind, &op.step.src, &op.step.dst) {
        (StepKind::MakeDir, _, Some(dir)) => {
            // Whether it is empty is found out when its turn comes; one that is not stays.
            if planner.lookup(dir) == Lookup::Directory {
                planner.remove_dir(dir, because);
            }
            Undone::Restored
        }
        (StepKind::RemoveDir, Some(dir), _) => match planner.lookup(dir) {
            Lookup::Directory => Undone::Restored,
            Lookup::Absent => {
                planner.make_dir(dir, because);
                Undone::Restored
            }
            Lookup::Unknown(why) => Undone::Error(why),
            Lookup::File(_) | Lookup::Other => Undone::Occupied,
        },
        _ => Undone::Error("the journal entry names no directory".into()),
    }
}

fn invert_file(
    op: &Operation,
    planner: &mut Planner<'_>,
    history: &dyn History,
    because: &Because,
) -> Undone {
    let (Some(src), Some(dst), Some(landed)) =
        (&op.step.src, &op.step.dst, op.landed.or(op.step.expect))
    else {
        return Undone::Error("the journal entry names no file".into());
    };
    let found = match find(op, dst, landed, planner, history) {
        Ok(found) => found,
        Err(outcome) => return outcome,
    };
    let back = match op.step.kind.inverse() {
        StepKind::Trash => {
            match planner.trash(&found.at, &found.stat, None, op.step.digest, because) {
                Ok(_) => return found.outcome(),
                Err((_, detail)) => return Undone::Error(detail.unwrap_or_default()),
            }
        }
        _ if found.in_trash => StepKind::Restore,
        _ => StepKind::Move,
    };
    put_back(&found, src, back, op.step.digest, planner, because)
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

/// Where the file of `op` is now, following later operations; or what is to be said of it instead.
fn find(
    op: &Operation,
    dst: &Place,
    landed: Identity,
    planner: &Planner<'_>,
    history: &dyn History,
) -> Result<FoundFile, Undone> {
    let (mut at, mut id, mut after) = (dst.clone(), landed, op.id);
    let mut in_trash = op.step.kind == StepKind::Trash;
    for _ in 0..MAX_HOPS {
        match planner.lookup(&at) {
            Lookup::File(stat) if stat.id.same_object(&id) => {
                return Ok(FoundFile { at, stat, in_trash, edited: stat.id != id });
            }
            Lookup::Unknown(why) => return Err(Undone::Error(why)),
            Lookup::Absent | Lookup::File(_) | Lookup::Directory | Lookup::Other => {}
        }
        let next = history.moved_on(&at.path(), after);
        let Some((next, place)) = next.and_then(|n| n.step.dst.clone().map(|p| (n, p))) else {
            return Err(if in_trash { Undone::Irrecoverable } else { Undone::Missing });
        };
        if next.step.inverse_of.is_some_and(|inverted| inverted < op.id) {
            // What took it from here undid something older: it is further back than this would bring it.
            return Err(Undone::Restored);
        }
        in_trash = next.step.kind == StepKind::Trash;
        id = next.landed.unwrap_or(id);
        after = next.id;
        at = place;
    }
    Err(Undone::Missing)
}

fn put_back(
    found: &FoundFile,
    home: &Place,
    kind: StepKind,
    digest: Option<Digest>,
    planner: &mut Planner<'_>,
    because: &Because,
) -> Undone {
    if found.at.path() == home.path() {
        // It has found its way by itself, or by another operation.
        return found.outcome();
    }
    if let Err((_, detail)) = planner.make_parents(home, because) {
        return Undone::Error(detail.unwrap_or_default());
    }
    let Ok(free) = planner.free_name(home) else { return Undone::Occupied };
    let digest = digest.filter(|_| !found.edited);
    planner.push(kind, &found.at, &free, &found.stat, None, digest, because);
    if free == *home { found.outcome() } else { Undone::RestoredAs(free.path()) }
}

#[cfg(test)]
mod tests;
