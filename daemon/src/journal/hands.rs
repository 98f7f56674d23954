//! The `act` room as the journal uses it, behind a trait so that tests can fail it at any point.

use tidy_core::operation::{OpEvent, Operation};
use tidy_core::plan::Step;

use crate::act::{self, ActError, Checkpoint, Performed, Recovered, Unsynced, Ways};

/// An operation that was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    /// `None`: something was changed and not taken back, for [`Hands::recover`] to settle.
    pub(super) event: Option<OpEvent>,
    pub(super) message: String,
}

/// Makes `verified` durable, with what is known of the copy by then; an error says why it is not.
pub(super) type Verify<'a> = &'a mut dyn FnMut(&Operation) -> Result<(), String>;

/// What carries operations out.
pub(super) trait Hands {
    /// Directories that are to be synced.
    type Unsynced;

    /// None yet.
    fn unsynced(&self) -> Self::Unsynced;

    fn perform(
        &self,
        op: &Operation,
        unsynced: &mut Self::Unsynced,
        verify: Verify<'_>,
    ) -> Result<Performed, Refused>;

    /// `Err`: it could not be told; the operation stays as it is.
    fn recover(&self, op: &Operation, unsynced: &mut Self::Unsynced) -> Result<Recovered, String>;

    fn sync(&self, unsynced: &mut Self::Unsynced) -> Result<(), String>;

    /// Whether a step takes a file to another file system, where it will be another.
    fn crosses(&self, _: &Step) -> bool {
        false
    }
}

/// The real ones, with what all batches know of directories.
#[derive(Debug, Default)]
pub(super) struct Act(Ways);

impl Hands for Act {
    type Unsynced = Unsynced;

    fn unsynced(&self) -> Unsynced {
        Unsynced::new(&self.0)
    }

    fn perform(
        &self,
        op: &Operation,
        unsynced: &mut Unsynced,
        verify: Verify<'_>,
    ) -> Result<Performed, Refused> {
        act::perform(op, unsynced, &mut Gate(verify))
            .map_err(|e| Refused { event: e.event(), message: e.to_string() })
    }

    fn recover(&self, op: &Operation, unsynced: &mut Unsynced) -> Result<Recovered, String> {
        act::recover(op, unsynced).map_err(|e| e.to_string())
    }

    fn sync(&self, unsynced: &mut Unsynced) -> Result<(), String> {
        unsynced.sync().map_err(|e| e.to_string())
    }

    fn crosses(&self, step: &Step) -> bool {
        step.src.as_ref().zip(step.dst.as_ref()).is_some_and(|(src, dst)| act::crosses(src, dst))
    }
}

struct Gate<'a>(Verify<'a>);

impl Checkpoint for Gate<'_> {
    fn verified(&mut self, op: &Operation) -> Result<(), ActError> {
        (self.0)(op).map_err(ActError::Journal)
    }
}
