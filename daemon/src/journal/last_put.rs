//! Who put what where, straight from the log: for the time in which the index cannot be asked.
//!
//! Built when it is first needed, from every segment, and kept up from then on. A path is its hash
//! here; whoever asks compares the file's identity, so that two paths of one hash do no harm.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use tidy_core::facts::Identity;
use tidy_core::operation::{OpId, OpState, Operation};
use tidy_core::plan::{Place, StepKind};

use super::gaps::Gaps;
use super::past::Put;
use super::record::StateChange;
use super::replay::Visit;

/// The last done operation that put something at each path, or took it away.
#[derive(Debug, Default)]
pub(super) struct LastPut(HashMap<u64, Last>);

#[derive(Debug, Clone, Copy)]
struct Last {
    op: OpId,
    /// The file it put there; `None` when it took one away.
    put: Option<(Identity, Put)>,
    /// The file it took away, unless that was an undo.
    taken: Option<Identity>,
}

impl LastPut {
    /// Enters an operation that has ended. An older one than what is known changes nothing.
    pub(super) fn note(&mut self, op: &Operation) {
        if op.state != OpState::Done {
            return;
        }
        let taken = op.step.expect.filter(|_| op.step.kind.relocates() && !op.step.undo);
        // A mark on a file that goes on says nothing of why it is there.
        if op.step.is_along() {
            return;
        }
        let put = op.landed.map(|id| (id, Put::of(op)));
        if op.step.kind == StepKind::Tag {
            self.enter(op.step.src.as_ref(), Last { op: op.id, put, taken: None });
            return;
        }
        if op.step.kind.takes_away() {
            self.enter(op.step.src.as_ref(), Last { op: op.id, put: None, taken });
        }
        self.enter(op.step.dst.as_ref(), Last { op: op.id, put, taken: None });
    }

    fn enter(&mut self, at: Option<&Place>, last: Last) {
        let Some(at) = at else { return };
        let known = self.0.entry(key(&at.path())).or_insert(last);
        if known.op <= last.op {
            *known = last;
        }
    }

    /// What [`Journal::past_of`](super::Journal::past_of) says of it.
    pub(super) fn of(&self, path: &Path, id: Identity, gaps: &Gaps) -> Option<(Put, OpId)> {
        let last = self.0.get(&key(path))?;
        match last.put {
            Some((there, put)) if there == id => Some((put, last.op)),
            _ => (last.taken == Some(id)).then(|| (gaps.who_put_back(last.op), last.op)),
        }
    }
}

impl Visit for LastPut {
    fn ended(&mut self, op: Operation) {
        self.note(&op);
    }

    /// Read from its beginning the log has the intent of every end, but for those that were dropped.
    fn unmatched(&mut self, _: StateChange) {}
}

fn key(path: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.as_os_str().hash(&mut hasher);
    hasher.finish()
}
