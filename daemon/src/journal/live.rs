//! The operations that have not ended, and the numbers for new ones.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use tidy_core::operation::{OpId, OpState, Operation};

use super::record::Position;
use super::writer::lock;

/// An operation that has not ended.
#[derive(Debug, Clone)]
struct LiveOp {
    op: Operation,
    /// At or before the position of its intent.
    since: Position,
    /// Somebody is at it right now: not for recovery.
    in_flight: bool,
}

/// All that have not ended. Bounded by the workers: each has at most one chunk in flight.
#[derive(Debug, Default)]
pub(super) struct Live(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    ops: BTreeMap<OpId, LiveOp>,
    /// How many of them are about a file of this inode: every file that is found is asked about, and few are among them.
    inodes: HashMap<u64, usize>,
}

/// The inodes of the file that an operation is about, before and after it.
fn inodes(op: &Operation) -> impl Iterator<Item = u64> + use<> {
    [op.step.expect, op.landed].into_iter().flatten().map(|id| id.ino)
}

impl Table {
    fn add(&mut self, entry: LiveOp) {
        for ino in inodes(&entry.op) {
            *self.inodes.entry(ino).or_default() += 1;
        }
        self.ops.insert(entry.op.id, entry);
    }

    fn remove(&mut self, id: OpId) -> Option<LiveOp> {
        let entry = self.ops.remove(&id)?;
        for ino in inodes(&entry.op) {
            if let Entry::Occupied(mut count) = self.inodes.entry(ino) {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                }
            }
        }
        Some(entry)
    }
}

impl Live {
    /// Operations that a worker begins, or that an earlier run left open.
    pub(super) fn add(&self, ops: &[Operation], since: Position, in_flight: bool) {
        let mut live = lock(&self.0);
        for op in ops {
            live.remove(op.id);
            live.add(LiveOp { op: op.clone(), since, in_flight });
        }
    }

    pub(super) fn remove<'a>(&self, ops: impl IntoIterator<Item = &'a Operation>) {
        let mut live = lock(&self.0);
        for op in ops {
            live.remove(op.id);
        }
    }

    /// Its copy is complete: `op` says which file that is.
    pub(super) fn verified(&self, op: &Operation) {
        let mut live = lock(&self.0);
        if let Some(mut entry) = live.remove(op.id) {
            entry.op.state = OpState::Verified;
            (entry.op.landed, entry.op.step.digest) = (op.landed, op.step.digest);
            live.add(entry);
        }
    }

    /// Nobody is at it any more, and it has not ended.
    pub(super) fn leave_open(&self, id: OpId) {
        if let Some(entry) = lock(&self.0).ops.get_mut(&id) {
            entry.in_flight = false;
        }
    }

    /// Those that nobody is at: how they stand is not known before the next recovery.
    pub(super) fn left_open(&self) -> Vec<Operation> {
        lock(&self.0).ops.values().filter(|e| !e.in_flight).map(|e| e.op.clone()).collect()
    }

    /// Those that nobody is at, marked as being taken care of.
    pub(super) fn take_left_open(&self) -> Vec<Operation> {
        let mut live = lock(&self.0);
        let left = live.ops.values_mut().filter(|e| !e.in_flight);
        left.map(|e| {
            e.in_flight = true;
            e.op.clone()
        })
        .collect()
    }

    pub(super) fn get(&self, id: OpId) -> Option<Operation> {
        lock(&self.0).ops.get(&id).map(|e| e.op.clone())
    }

    /// Those that `wanted` accepts, ascending.
    pub(super) fn matching(&self, wanted: impl Fn(&Operation) -> bool) -> Vec<Operation> {
        lock(&self.0).ops.values().filter(|e| wanted(&e.op)).map(|e| e.op.clone()).collect()
    }

    /// The newest of those about a file of this inode that `wanted` accepts.
    pub(super) fn newest_of(
        &self,
        ino: u64,
        wanted: impl Fn(&Operation) -> bool,
    ) -> Option<Operation> {
        let live = lock(&self.0);
        live.inodes.get(&ino)?;
        live.ops.values().rev().find(|e| wanted(&e.op)).map(|e| e.op.clone())
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.0).ops.len()
    }

    /// The lowest position at which an intent may lie whose operation has not ended.
    pub(super) fn oldest(&self) -> Option<Position> {
        lock(&self.0).ops.values().map(|e| e.since).min()
    }
}

/// Numbers for operations: never used twice, also across restarts.
#[derive(Debug)]
pub(super) struct Ids(u64);

impl Ids {
    pub(super) fn starting_at(next: u64) -> Self {
        Self(next)
    }

    /// As many as are asked for, ascending.
    pub(super) fn number(&mut self, count: usize) -> Vec<OpId> {
        let first = self.0;
        self.0 += count as u64;
        (first..self.0).map(OpId).collect()
    }

    /// The next one.
    pub(super) fn next(&self) -> OpId {
        OpId(self.0)
    }
}
