//! Records as the rest of the room sees them, whatever version they are stored in.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidy_core::UnixNanos;
use tidy_core::facts::{Digest, Identity};
use tidy_core::operation::{Illegal, OpEvent, OpId, OpState, Operation};

/// A place in the log. Ordered as the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// Number of the segment file.
    pub segment: u64,
    /// Bytes from its start.
    pub offset: u64,
}

/// One record of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    /// An operation, before it is touched.
    Intent(Box<Operation>),
    /// What became of one.
    State(StateChange),
    /// The first record of each segment: what must be known to start reading there.
    Checkpoint(Checkpoint),
}

/// An operation's new state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StateChange {
    pub(super) op: OpId,
    pub(super) state: OpState,
    /// When it came to be.
    pub(super) time: UnixNanos,
    pub(super) landed: Option<Identity>,
    /// A digest taken while acting.
    pub(super) digest: Option<Digest>,
    pub(super) error: Option<String>,
}

impl StateChange {
    /// The state that `op` is in, as a change from nothing. Its time is that of the intent.
    pub(super) fn of(op: &Operation) -> Self {
        Self {
            op: op.id,
            state: op.state,
            time: op.time,
            landed: op.landed,
            digest: None,
            error: op.error.clone(),
        }
    }

    /// A change to `state` with nothing else to say.
    pub(super) fn plain(op: OpId, state: OpState, time: UnixNanos) -> Self {
        Self { op, state, time, landed: None, digest: None, error: None }
    }

    /// Moves the operation on, if its state allows it.
    pub(super) fn apply_to(&self, op: &mut Operation) -> Result<(), Illegal> {
        op.state = step(op.state, self.state)?;
        self.fill(op);
        Ok(())
    }

    /// Takes the state over from a store that keeps only the last one.
    pub(super) fn replay_on(self, op: &mut Operation) {
        op.state = self.state;
        self.fill(op);
    }

    fn fill(&self, op: &mut Operation) {
        op.landed = self.landed.or(op.landed);
        op.step.digest = op.step.digest.or(self.digest);
        if self.error.is_some() {
            op.error.clone_from(&self.error);
        }
    }
}

/// From one state to another, through [`OpState::next`].
pub(super) fn step(from: OpState, to: OpState) -> Result<OpState, Illegal> {
    let event = match to {
        OpState::Verified => OpEvent::Verified,
        OpState::Done => OpEvent::Done,
        OpState::Aborted => OpEvent::Aborted,
        OpState::Failed => OpEvent::Failed,
        OpState::Unknown => OpEvent::Lost,
        // No event leads back; `Verified` is refused by every state that is past the intent.
        OpState::Intended => return Err(Illegal { state: from, event: OpEvent::Verified }),
    };
    from.next(event)
}

/// What the log amounts to at one position.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Checkpoint {
    pub(super) next_op: u64,
    pub(super) open: Vec<OpenAt>,
    pub(super) rules: BTreeMap<Arc<str>, RuleCounter>,
    /// Operations that ended done, aborted, failed, unknown.
    pub(super) ended: [u64; 4],
    /// Hits of files that another rule was credited for as well.
    pub(super) further: u64,
}

/// An open operation and where its intent lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OpenAt {
    pub(super) op: OpId,
    pub(super) at: Position,
    pub(super) verified: bool,
}

/// What one rule has done, ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RuleCounter {
    /// Files it filed (redone ones are not counted again).
    pub hits: u64,
    /// Their size in bytes.
    pub bytes: u64,
    pub last_hit: UnixNanos,
}
