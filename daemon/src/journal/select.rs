//! What a rollback has to undo, and what a redo has to undo of a rollback.
//!
//! Only numbers are kept: a hundred thousand operations are selected in a few megabytes, and are read
//! one chunk after the other while they are undone.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;

use tidy_core::UnixNanos;
use tidy_core::facts::Identity;
use tidy_core::operation::{BatchId, OpId, Operation, Trigger};
use tidy_core::plan::{Place, StepKind};
use tidy_core::rollback::{self, MAX_HOPS, Trail};

use super::query::{Answer, View, touches_beneath};
use super::{Journal, JournalError};

/// Which operations to undo, or which rollbacks to redo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    Operation(OpId),
    Batch(BatchId),
    /// All of a rule, by its name.
    Rule(String),
    /// Source or destination is this path, or beneath it.
    Path(PathBuf),
    /// Not before this time.
    Since(UnixNanos),
    /// Whatever makes it as it was at this time: what was done since is undone, and what was undone
    /// since is done again.
    To(UnixNanos),
    /// The newest batches that still have something in effect.
    Last(usize),
}

/// What is to be inverted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// What was filed.
    Back,
    /// What was put back.
    Again,
}

impl Direction {
    /// What sets off the batch that does it.
    pub fn trigger(self) -> Trigger {
        match self {
            Self::Back => Trigger::Rollback,
            Self::Again => Trigger::Redo,
        }
    }

    /// Whether it inverts this operation.
    fn inverts(self, op: &Operation) -> bool {
        op.step.undo == (self == Self::Again)
    }
}

/// Operations that are done and in effect, in the order in which their inverses are carried out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    pub ops: Vec<OpId>,
    /// How many files that takes somewhere.
    pub files: usize,
    /// Operations on a file that another one of the selection takes further, and which: a file that went from rule to rule goes
    /// back in as many steps, and is one file all the same.
    pub on_the_way: HashMap<OpId, OpId>,
    /// Commands that were run about the files, which nothing takes back.
    pub commands: usize,
}

impl Selection {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }
}

/// A file at a place, as a number: many of them are kept for a moment.
fn file_at(place: &Place, file: &Identity) -> u64 {
    let mut hash = DefaultHasher::new();
    place.path().hash(&mut hash);
    // As `Identity::same_object` tells files apart.
    match file.birth {
        Some(birth) => (file.ino, birth).hash(&mut hash),
        None => file.hash(&mut hash),
    }
    hash.finish()
}

/// The file that an operation took away, and from where.
fn taken(op: &Operation) -> Option<u64> {
    let src = op.step.src.as_ref().filter(|_| op.step.kind.relocates())?;
    Some(file_at(src, &op.step.expect?))
}

/// The file that it left, and where.
fn put(op: &Operation) -> Option<u64> {
    Some(file_at(op.step.dst.as_ref()?, &op.landed?))
}

/// An operation can be undone and redone any number of times; each is one more link.
const MAX_LINKS: usize = 100_000;

impl Journal {
    /// The operations that have to be inverted for the selected ones to be undone (or redone).
    ///
    /// An operation that was undone and redone is represented by the newest redo; one that was
    /// undone is not in effect. The directories made on the way to where the files are belong to
    /// them, whichever operation they were made for: they go when they are empty then.
    ///
    /// # Errors
    /// [`JournalError::Projection`] or [`JournalError::Io`].
    pub fn select(
        &self,
        selector: &Selector,
        direction: Direction,
    ) -> Result<Selection, JournalError> {
        self.ask(|view| {
            let ids = match selector {
                Selector::Operation(id) => {
                    let ids = view.with_companions([id.0].into())?;
                    view.in_effect(ids, direction, |_| true)?
                }
                Selector::Batch(id) => view.batch_in_effect(*id, direction)?,
                Selector::Rule(rule) => view.in_effect(view.of_rule(rule)?, direction, |op| {
                    direction.inverts(op) && *op.step.rule == **rule
                })?,
                Selector::Path(path) => {
                    let own = view.in_effect(view.beneath(path)?, direction, |op| {
                        direction.inverts(op) && touches_beneath(op, path)
                    })?;
                    view.in_effect(view.with_companions(own)?, direction, |_| true)?
                }
                Selector::Since(time) => view.in_effect(view.since(*time)?, direction, |op| {
                    direction.inverts(op) && op.time >= *time
                })?,
                Selector::To(time) => view.unlike_at(*time)?,
                Selector::Last(batches) => view.newest(*batches, direction)?,
            };
            view.in_turn(ids)
        })
    }

    /// The operations with these numbers, in this order.
    ///
    /// # Errors
    /// [`JournalError::Projection`] or [`JournalError::Io`].
    pub fn operations(&self, ids: &[OpId]) -> Result<Vec<Operation>, JournalError> {
        self.ask(|view| view.stored.load(ids.iter().map(|id| id.0)).collect())
    }
}

/// Past so many a selection is no longer about single files, and has the companions anyway or does not.
const FEW: usize = 1_000;

impl View<'_> {
    /// These, what went along with them, and the tags that the files got on their way.
    fn with_companions(self, ids: BTreeSet<u64>) -> Answer<BTreeSet<u64>> {
        if ids.len() > FEW {
            return Ok(ids);
        }
        let mut of_batch: BTreeMap<BatchId, (BTreeSet<PathBuf>, HashSet<Identity>)> =
            BTreeMap::new();
        for op in self.done(ids.iter().copied()) {
            let op = op?;
            if op.step.kind == StepKind::Tag {
                continue;
            }
            let (mains, files) = of_batch.entry(op.batch).or_default();
            files.extend(op.step.expect);
            mains.extend(op.step.dst.filter(|_| op.step.follows.is_none()).map(|dst| dst.path()));
        }
        let mut out = ids;
        for (batch, (mains, files)) in of_batch {
            for op in self.done(self.batch_ops(batch)?.into_iter()) {
                let op = op?;
                let is_mark =
                    op.step.is_along() && op.step.expect.is_some_and(|id| files.contains(&id));
                let is_command = op.step.kind == StepKind::Run
                    && op.step.src.as_ref().is_some_and(|at| mains.contains(&at.path()));
                if is_mark
                    || is_command
                    || op.step.follows.is_some_and(|main| mains.contains(&main.path))
                {
                    out.insert(op.id.0);
                }
            }
        }
        Ok(out)
    }

    /// What is in effect of the done operations among these that are `wanted`.
    fn in_effect(
        self,
        ids: impl IntoIterator<Item = u64>,
        direction: Direction,
        wanted: impl Fn(&Operation) -> bool,
    ) -> Answer<BTreeSet<u64>> {
        let mut effective = BTreeSet::new();
        for op in self.done(ids.into_iter()) {
            let op = op?;
            if !wanted(&op) {
                continue;
            }
            let (last, links) = self.last_link(op.id)?;
            let undo = op.step.undo ^ (links % 2 == 1);
            if undo == (direction == Direction::Again) {
                effective.insert(last.0);
            }
        }
        Ok(effective)
    }

    /// A rollback can be redone as a whole, whatever it did.
    fn batch_in_effect(self, id: BatchId, direction: Direction) -> Answer<BTreeSet<u64>> {
        let ids = self.batch_ops(id)?;
        let is_rollback = self.trigger(id)? == Some(Trigger::Rollback);
        match direction {
            Direction::Again if is_rollback => self.not_inverted(ids, |_| true),
            Direction::Again => self.in_effect(ids, direction, |_| true),
            Direction::Back => self.in_effect(ids, direction, |op| direction.inverts(op)),
        }
    }

    /// The end of the chain of undoing and redoing that begins with `op`, and how far it is.
    fn last_link(self, mut op: OpId) -> Answer<(OpId, usize)> {
        for links in 0..MAX_LINKS {
            let Some(next) = self.stored.inverted_by(op)? else { return Ok((op, links)) };
            op = next;
        }
        Ok((op, MAX_LINKS))
    }

    /// The ends of the chains that are in effect now and were not at that time, or the other way
    /// round: each link takes back the one before it.
    fn unlike_at(self, time: UnixNanos) -> Answer<BTreeSet<u64>> {
        let mut out = BTreeSet::new();
        for op in self.done(self.since(time)?.into_iter()) {
            let op = op?;
            if op.time >= time {
                let (last, after) = self.last_link(op.id)?;
                if (self.links_since(time, op)? + after) % 2 == 1 {
                    out.insert(last.0);
                }
            }
        }
        Ok(out)
    }

    /// How many links of a chain were added from that time on, up to and with `op`.
    fn links_since(self, time: UnixNanos, mut op: Operation) -> Answer<usize> {
        for links in 1..=MAX_LINKS {
            let Some(before) = op.step.inverse_of else { return Ok(links) };
            // What retention has dropped was long before.
            let Some(before) = self.stored.get(before)? else { return Ok(links) };
            if before.time < time {
                return Ok(links);
            }
            op = before;
        }
        Ok(MAX_LINKS)
    }

    /// The newest batches that have something to be inverted: on files, and not settled.
    fn newest(self, batches: usize, direction: Direction) -> Answer<BTreeSet<u64>> {
        let (mut out, mut found) = (BTreeSet::new(), 0);
        let mut ids = self.batch_ids(u64::MAX);
        while found < batches
            && let Some(batch) = ids.next().transpose()?
        {
            let trigger = self.trigger(batch)?;
            if (trigger == Some(Trigger::Rollback)) != (direction == Direction::Again) {
                continue;
            }
            // A rollback is inverted as a whole, and so is its redo. What any other batch took back
            // itself, since it could not go on, stays back.
            let whole = matches!(trigger, Some(Trigger::Rollback | Trigger::Redo));
            let wanted = |op: &Operation| whole || direction.inverts(op);
            let ops = self.not_inverted(self.batch_ops(batch)?, wanted)?;
            if self.has_something_left(&ops)? {
                out.extend(ops);
                found += 1;
            }
        }
        Ok(out)
    }

    fn not_inverted(
        self,
        ids: BTreeSet<u64>,
        wanted: impl Fn(&Operation) -> bool,
    ) -> Answer<BTreeSet<u64>> {
        let mut out = BTreeSet::new();
        for op in self.done(ids.into_iter()) {
            let op = op?;
            if wanted(&op) && self.stored.inverted_by(op.id)?.is_none() {
                out.insert(op.id.0);
            }
        }
        Ok(out)
    }

    fn has_something_left(self, ids: &BTreeSet<u64>) -> Answer<bool> {
        for op in self.done(ids.iter().copied()) {
            let op = op?;
            let is_file =
                (op.step.is_counted() || op.step.is_stand_in()) && op.step.kind != StepKind::Run;
            if is_file && !self.is_settled(&op)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether later operations on the file leave nothing of this one to be inverted.
    fn is_settled(self, op: &Operation) -> Answer<bool> {
        let mut trail = Trail::of(op, |id| self.get(id))?;
        if op.step.kind == StepKind::Tag {
            // Where the file has gone since makes no difference to its tags.
            return Ok(false);
        }
        let (mut at, mut after) = (op.step.dst.clone(), op.id);
        let mut file = op.landed.or(op.step.expect);
        for _ in 0..MAX_HOPS {
            let Some((place, id)) = at.as_ref().zip(file) else { break };
            let Some(next) = self.moved_on(&place.path(), after, &id)? else { break };
            if trail.follow(&next, |id| self.get(id))? {
                return Ok(true);
            }
            (at, after, file) = (next.step.dst, next.id, next.landed.or(file));
        }
        Ok(trail.is_settled() || at == op.step.src)
    }

    /// Puts them in the order of their turns, with the directories that may go along with them.
    fn in_turn(self, ids: BTreeSet<u64>) -> Answer<Selection> {
        let (mut turns, mut files, mut commands) = (Vec::with_capacity(ids.len()), 0, 0);
        let (mut left, mut on_the_way) = (HashMap::new(), HashMap::new());
        let mut dirs: BTreeSet<(Place, bool)> = BTreeSet::new();
        for op in self.done(ids.iter().copied()) {
            let op = op?;
            // What a command did is not ours to undo.
            if op.step.kind == StepKind::Run {
                commands += 1;
                continue;
            }
            turns.push((rollback::turn(&op), Reverse(op.id)));
            if op.step.is_counted() {
                let came = taken(&op).and_then(|file| left.remove(&file));
                match came {
                    Some(from) => drop(on_the_way.insert(op.id, from)),
                    None => files += 1,
                }
                left.extend(put(&op).map(|file| (file, op.id)));
            }
            let file = op.step.dst.filter(|_| !op.step.kind.is_directory());
            let mut at = file.and_then(|f| f.parent());
            while let Some(dir) = at {
                at = dir.parent();
                if !dirs.insert((dir, op.step.undo)) {
                    break;
                }
            }
        }
        for (dir, undo) in dirs {
            if let Some(made) = self.made(&dir, undo)?.filter(|op| !ids.contains(&op.id.0)) {
                turns.push((rollback::turn(&made), Reverse(made.id)));
            }
        }
        turns.sort_unstable();
        turns.dedup();
        let ops = turns.into_iter().map(|(_, Reverse(id))| id).collect();
        Ok(Selection { ops, files, on_the_way, commands })
    }

    /// The operation in effect that made a directory, when it was made in that direction.
    fn made(self, dir: &Place, undo: bool) -> Answer<Option<Operation>> {
        let path = dir.path();
        let ids = self.at_path(&path, OpId(0))?;
        let about = |op: &Operation| {
            op.step.kind.is_directory() && op.step.subject().is_some_and(|p| p.path() == path)
        };
        let mut ops = self.done(ids.into_iter().rev());
        let newest = ops.find(|op| op.as_ref().map_or(true, about)).transpose()?;
        let made = newest.filter(|op| op.step.kind == StepKind::MakeDir && op.step.undo == undo);
        match made {
            Some(op) if self.stored.inverted_by(op.id)?.is_none() => Ok(Some(op)),
            _ => Ok(None),
        }
    }
}
