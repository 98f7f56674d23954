//! habits: what a person does with files by hand, as far as tidyd sees it anyway.
//!
//! In: what each look at a directory found gone and new. Out: moves (a file with the same inode, size and time that went
//! here and came there, and that we did not move), and what follows from them ([`suggest`]). Nothing is looked for: a file
//! that goes where nobody looks is not known to have gone there.
//!
//! The last [`MOVES`] are kept in the store. Losing them costs a suggestion, so no error here is anybody's but the log's.
//!
//! May not know: sockets, watchers, plans. It changes nothing but its own tree.

mod evidence;
mod suggest;
mod toml;

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidy_core::UnixNanos;
use tidy_core::category::Category;
use tidy_core::facts::Identity;
use tidy_core::operation::{OpId, OpState, Operation};
use tidy_core::plan::Place;

use crate::catalog::{Entry, Outcome};
use crate::journal::{Journal, Put};

pub use suggest::{Case, Subject, Suggestion};

/// Moves that are kept: about 200 bytes each.
const MOVES: usize = 2_000;

/// Files that are remembered as gone, and as new, until the other half is seen.
const REMEMBERED: usize = 4_096;

/// What an operation did and took back has been seen by then.
const A_MOMENT: Duration = Duration::from_secs(60);

/// One file that a person moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) time: UnixNanos,
    pub(crate) from: PathBuf,
    pub(crate) to: PathBuf,
    pub(crate) id: Identity,
    /// As far as it was known.
    pub(crate) category: Option<Category>,
    /// The operation that had put it where it was taken from.
    pub(crate) filed: Option<OpId>,
    /// It had not had its turn yet: most likely a program has finished it.
    pub(crate) undecided: bool,
}

/// The memory of it. Clones share it.
#[derive(Debug, Clone)]
pub struct Habits(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    recent: Mutex<Recent>,
    kept: Mutex<evidence::Kept>,
    journal: Journal,
}

#[derive(Debug, Default)]
struct Recent {
    gone: Ring<Gone>,
    new: Ring<(PathBuf, Identity)>,
}

#[derive(Debug)]
struct Gone {
    path: PathBuf,
    id: Identity,
    category: Option<Category>,
    filed: Option<OpId>,
    undecided: bool,
}

/// The last few, by inode.
#[derive(Debug)]
struct Ring<T> {
    by_inode: HashMap<u64, T>,
    order: VecDeque<u64>,
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Self { by_inode: HashMap::new(), order: VecDeque::new() }
    }
}

impl<T> Ring<T> {
    fn put(&mut self, inode: u64, what: T) {
        if self.by_inode.insert(inode, what).is_none() {
            self.order.push_back(inode);
        }
        while self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.by_inode.remove(&oldest);
            }
        }
    }

    fn take_if(&mut self, inode: u64, test: impl FnOnce(&T) -> bool) -> Option<T> {
        if !self.by_inode.get(&inode).is_some_and(test) {
            return None;
        }
        self.order.retain(|known| *known != inode);
        self.by_inode.remove(&inode)
    }
}

impl Habits {
    /// With what was kept in the store.
    pub fn open(db: &sled::Db, journal: Journal) -> Self {
        let kept = Mutex::new(evidence::Kept::open(db));
        Self(Arc::new(Shared { recent: Mutex::default(), kept, journal }))
    }

    /// A look at `dir` found these entries gone, and these files new.
    pub fn looked<'a>(
        &self,
        dir: &Path,
        gone: impl Iterator<Item = &'a Entry>,
        new: impl Iterator<Item = (PathBuf, Identity)>,
        now: UnixNanos,
    ) {
        let mut found = Vec::new();
        let mut recent = self.0.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let Recent { gone: was, new: is } = &mut *recent;
        for entry in gone {
            let filed = match entry.outcome {
                Outcome::Filed { op } => Some(OpId(op)),
                _ => None,
            };
            let (path, id) = (dir.join(&entry.name), entry.id);
            let undecided = entry.outcome == Outcome::Known;
            let gone = Gone { path, id, category: entry.category.clone(), filed, undecided };
            // What was new under this very name, or where we have taken it from since, is not where it went.
            match is.take_if(id.ino, |(_, there)| *there == id) {
                Some((to, _)) if to != gone.path && !self.taken_from(&to, &gone) => {
                    found.push((gone, to));
                }
                _ => was.put(id.ino, gone),
            }
        }
        for (path, id) in new {
            match was.take_if(id.ino, |gone| gone.id == id) {
                Some(gone) => found.push((self.taken_on(gone), path)),
                None => is.put(id.ino, (path, id)),
            }
        }
        drop(recent);
        found.into_iter().for_each(|(gone, to)| self.moved(gone, to, now));
    }

    /// Whether it was us who brought it from there to where it has gone from now.
    fn taken_from(&self, there: &Path, gone: &Gone) -> bool {
        let journal = &self.0.journal;
        let put = journal.past_of(&gone.path, gone.id).ok().and_then(|past| past.put);
        let op = put.and_then(|(_, op)| journal.operation(op).ok().flatten());
        op.and_then(|op| op.step.src).is_some_and(|src| src.path() == there)
    }

    /// What went without having had its turn may have gone because we took it: then it was last where we put it. Nobody
    /// says so if the look at that place came after the run had entered it.
    fn taken_on(&self, gone: Gone) -> Gone {
        if !gone.undecided {
            return gone;
        }
        let ops = self.0.journal.history(&gone.path).unwrap_or_default();
        let last = ops.into_iter().find(|op| op.state == OpState::Done);
        let is_here =
            |op: &Operation| op.step.src.as_ref().is_some_and(|src| src.path() == gone.path);
        let is_it = |op: &Operation| op.landed.is_some_and(|id| id.same_object(&gone.id));
        let taken = last.filter(|op| op.step.kind.relocates() && is_here(op) && is_it(op));
        match taken.and_then(|op| Some((op.id, op.step.undo, op.step.dst?.path()))) {
            Some((op, undo, path)) => {
                Gone { path, filed: (!undo).then_some(op), undecided: false, ..gone }
            }
            None => gone,
        }
    }

    /// Whether it was at `from` only while an operation of ours was tried that did not hold: on an overlay a file becomes
    /// another one by its first rename, say. No identity tells that it is the same.
    fn was_taken_back(&self, from: &Path, to: &Path, now: UnixNanos) -> bool {
        let is = |place: &Option<Place>, path| place.as_ref().is_some_and(|p| p.path() == path);
        let tried = |op: &Operation| {
            op.state != OpState::Done
                && op.time.plus(A_MOMENT) > now
                && is(&op.step.src, to)
                && is(&op.step.dst, from)
        };
        self.0.journal.history(to).map_or(true, |ops| ops.iter().any(tried))
    }

    fn moved(&self, gone: Gone, to: PathBuf, now: UnixNanos) {
        let Gone { path: from, id, category, filed, undecided } = gone;
        // A new name in the same folder says nothing of where files belong; and we move files, too.
        let ours = || {
            let past = self.0.journal.past_of(&to, id);
            past.map_or(true, |p| matches!(p.put, Some((Put::Filed | Put::Back, _))))
        };
        if from.parent() == to.parent() || ours() || self.was_taken_back(&from, &to, now) {
            return;
        }
        tracing::debug!(from = %from.display(), to = %to.display(), "moved by hand");
        let moved = Move { time: now, from, to, id, category, filed, undecided };
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner).add(&moved);
    }

    /// From where a person has moved this very file to where it is, if nobody has moved it since.
    pub fn placed(&self, path: &Path, id: Identity) -> Option<PathBuf> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner).placed(path, id)
    }

    /// All that is known, oldest first.
    fn moves(&self) -> Vec<Move> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner).all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_forgets_the_oldest_and_gives_each_once() {
        let mut ring = Ring::default();
        for inode in 0..REMEMBERED as u64 + 2 {
            ring.put(inode, inode);
        }
        assert_eq!(ring.take_if(0, |_| true), None);
        assert_eq!(ring.take_if(5, |_| false), None);
        assert_eq!(ring.take_if(5, |n| *n == 5), Some(5));
        assert_eq!(ring.take_if(5, |_| true), None);
        assert_eq!(ring.by_inode.len(), ring.order.len());
    }
}
