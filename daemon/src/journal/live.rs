//! The operations that have not ended, and the numbers for new ones.

use std::collections::BTreeMap;
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
pub(super) struct Live(Mutex<BTreeMap<OpId, LiveOp>>);

impl Live {
    /// Operations that a worker begins, or that an earlier run left open.
    pub(super) fn add(&self, ops: &[Operation], since: Position, in_flight: bool) {
        let entry = |op: &Operation| (op.id, LiveOp { op: op.clone(), since, in_flight });
        lock(&self.0).extend(ops.iter().map(entry));
    }

    pub(super) fn remove<'a>(&self, ops: impl IntoIterator<Item = &'a Operation>) {
        let mut live = lock(&self.0);
        for op in ops {
            live.remove(&op.id);
        }
    }

    /// Its copy is complete: `op` says which file that is.
    pub(super) fn verified(&self, op: &Operation) {
        if let Some(entry) = lock(&self.0).get_mut(&op.id) {
            entry.op.state = OpState::Verified;
            (entry.op.landed, entry.op.step.digest) = (op.landed, op.step.digest);
        }
    }

    /// Nobody is at it any more, and it has not ended.
    pub(super) fn leave_open(&self, id: OpId) {
        if let Some(entry) = lock(&self.0).get_mut(&id) {
            entry.in_flight = false;
        }
    }

    /// Those that nobody is at: how they stand is not known before the next recovery.
    pub(super) fn left_open(&self) -> Vec<Operation> {
        lock(&self.0).values().filter(|e| !e.in_flight).map(|e| e.op.clone()).collect()
    }

    /// Those that nobody is at, marked as being taken care of.
    pub(super) fn take_left_open(&self) -> Vec<Operation> {
        let mut live = lock(&self.0);
        let left = live.values_mut().filter(|e| !e.in_flight);
        left.map(|e| {
            e.in_flight = true;
            e.op.clone()
        })
        .collect()
    }

    pub(super) fn get(&self, id: OpId) -> Option<Operation> {
        lock(&self.0).get(&id).map(|e| e.op.clone())
    }

    /// Those that `wanted` accepts, ascending.
    pub(super) fn matching(&self, wanted: impl Fn(&Operation) -> bool) -> Vec<Operation> {
        lock(&self.0).values().filter(|e| wanted(&e.op)).map(|e| e.op.clone()).collect()
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.0).len()
    }

    /// The lowest position at which an intent may lie whose operation has not ended.
    pub(super) fn oldest(&self) -> Option<Position> {
        lock(&self.0).values().map(|e| e.since).min()
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
