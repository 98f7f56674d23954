//! What the log amounts to: the fold over its records that the writer keeps and a replay repeats.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidy_core::UnixNanos;
use tidy_core::operation::{OpId, OpState, Operation};

use super::record::{Checkpoint, OpenAt, Position, RuleCounter, StateChange, step};

/// Rules remembered in the counters. A configuration has tens; when names come and go for years,
/// the one that was hit longest ago is forgotten first.
const MAX_RULES: usize = 1_024;

/// What a record changes in the fold.
#[derive(Debug, Clone)]
pub(super) enum Effect {
    Opened(OpId, Option<Hit>),
    Moved { op: OpId, state: OpState, time: UnixNanos },
}

/// What a rule gets credited when the operation is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hit {
    rule: Arc<str>,
    bytes: u64,
    further: bool,
}

impl Effect {
    pub(super) fn of_intent(op: &Operation) -> Self {
        Self::Opened(op.id, Hit::of(op))
    }

    pub(super) fn of_state(change: &StateChange) -> Self {
        Self::Moved { op: change.op, state: change.state, time: change.time }
    }
}

impl Hit {
    /// Files filed forward count; directories, rollbacks and redos do not.
    fn of(op: &Operation) -> Option<Self> {
        let forward = !op.step.undo && op.step.inverse_of.is_none() && op.step.is_counted();
        let id = op.step.expect.filter(|_| forward)?;
        Some(Self { rule: op.step.rule.clone(), bytes: id.size, further: op.step.further })
    }
}

/// An operation that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) at: Position,
    pub(super) state: OpState,
    hit: Option<Hit>,
}

/// The fold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LogState {
    /// Above every number that a record has.
    pub(super) next_op: u64,
    pub(super) open: BTreeMap<OpId, Open>,
    pub(super) rules: BTreeMap<Arc<str>, RuleCounter>,
    /// Operations that ended done, aborted, failed, unknown.
    pub(super) ended: [u64; 4],
    /// Hits of files that another rule was credited for as well.
    pub(super) further: u64,
}

impl LogState {
    /// Takes in the record at `at`. `false` when it says something of an operation that is not open
    /// or that its state does not allow: such a record changes nothing.
    pub(super) fn apply(&mut self, effect: Effect, at: Position) -> bool {
        match effect {
            Effect::Opened(op, hit) => {
                self.next_op = self.next_op.max(op.0.saturating_add(1));
                self.open.insert(op, Open { at, state: OpState::Intended, hit });
                true
            }
            Effect::Moved { op, state, time } => self.moved(op, state, time),
        }
    }

    fn moved(&mut self, op: OpId, to: OpState, time: UnixNanos) -> bool {
        // Its intent may be lost in damage; its number is taken all the same.
        self.next_op = self.next_op.max(op.0.saturating_add(1));
        let Some(open) = self.open.get_mut(&op) else { return false };
        let Ok(state) = step(open.state, to) else { return false };
        open.state = state;
        if state.is_terminal() {
            let hit = self.open.remove(&op).and_then(|o| o.hit);
            if let Some(slot) = ended_slot(state) {
                self.ended[slot] += 1;
            }
            if let Some(hit) = hit.filter(|_| state == OpState::Done) {
                self.credit(hit, time);
            }
        }
        true
    }

    fn credit(&mut self, hit: Hit, time: UnixNanos) {
        self.further += u64::from(hit.further);
        if self.rules.len() >= MAX_RULES && !self.rules.contains_key(&hit.rule) {
            let oldest = self.rules.iter().min_by_key(|(_, c)| c.last_hit).map(|(r, _)| r.clone());
            if let Some(oldest) = oldest {
                self.rules.remove(&oldest);
            }
        }
        let counter = self.rules.entry(hit.rule).or_default();
        counter.hits += 1;
        counter.bytes = counter.bytes.saturating_add(hit.bytes);
        counter.last_hit = counter.last_hit.max(time);
    }

    /// For the start of a segment.
    pub(super) fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            next_op: self.next_op,
            open: self
                .open
                .iter()
                .map(|(op, o)| OpenAt { op: *op, at: o.at, verified: o.state == OpState::Verified })
                .collect(),
            rules: self.rules.clone(),
            ended: self.ended,
            further: self.further,
        }
    }

    /// Takes counters over from a checkpoint, because records before it are missing.
    pub(super) fn adopt_counters(&mut self, c: &Checkpoint) {
        self.next_op = self.next_op.max(c.next_op);
        self.rules.clone_from(&c.rules);
        self.ended = c.ended;
        self.further = c.further;
    }

    /// Takes an operation over from a checkpoint: `op` as its intent was, found at `open.at`.
    pub(super) fn adopt_open(&mut self, open: &OpenAt, op: &Operation) {
        let state = if open.verified { OpState::Verified } else { OpState::Intended };
        self.open.insert(open.op, Open { at: open.at, state, hit: Hit::of(op) });
    }
}

fn ended_slot(state: OpState) -> Option<usize> {
    match state {
        OpState::Done => Some(0),
        OpState::Aborted => Some(1),
        OpState::Failed => Some(2),
        OpState::Unknown => Some(3),
        OpState::Intended | OpState::Verified => None,
    }
}
