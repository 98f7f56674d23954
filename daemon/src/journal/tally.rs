//! What the journal counts beside what its records say.

use tidy_core::operation::{OpState, Operation};
use tidy_core::plan::StepKind;

use crate::tally::{Counter, Histogram, MOMENTS};

/// The states in which an operation ends.
const ENDS: [OpState; 4] = [OpState::Done, OpState::Aborted, OpState::Failed, OpState::Unknown];

/// Since the start of the process.
#[derive(Debug)]
pub struct Tally {
    /// By kind, and for each kind by state.
    ended: Vec<Counter>,
    /// How long it took to carry out one operation, without what is synced for many together.
    pub performed: Histogram,
    /// How long it took to make the log durable.
    pub synced: Histogram,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            ended: StepKind::ALL.iter().flat_map(|_| ENDS).map(|_| Counter::default()).collect(),
            performed: Histogram::new(MOMENTS),
            synced: Histogram::new(MOMENTS),
        }
    }
}

impl Tally {
    /// These operations have ended.
    pub(super) fn ended(&self, ops: &[Operation]) {
        for op in ops {
            let kind = StepKind::ALL.iter().position(|kind| *kind == op.step.kind);
            let state = ENDS.iter().position(|state| *state == op.state);
            let at = kind.zip(state).map(|(kind, state)| kind * ENDS.len() + state);
            if let Some(counter) = at.and_then(|at| self.ended.get(at)) {
                counter.add();
            }
        }
    }

    /// How many have ended how, of the kinds that there were any of; and all states of those.
    pub fn operations(&self) -> impl Iterator<Item = (StepKind, OpState, u64)> {
        let kinds = StepKind::ALL.iter().zip(self.ended.chunks(ENDS.len()));
        let some = kinds.filter(|(_, counters)| counters.iter().any(|c| c.get() > 0));
        some.flat_map(|(kind, counters)| {
            ENDS.iter().zip(counters).map(|(state, counter)| (*kind, *state, counter.get()))
        })
    }
}
