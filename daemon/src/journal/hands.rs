//! The `act` room as the journal uses it, behind a trait so that tests can fail it at any point.

use tidy_core::operation::{OpEvent, Operation};

use crate::act::{self, ActError, Checkpoint, Performed, Recovered, Unsynced};

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
    type Unsynced: Default;

    fn perform(
        &self,
        op: &Operation,
        unsynced: &mut Self::Unsynced,
        verify: Verify<'_>,
    ) -> Result<Performed, Refused>;

    /// `Err`: it could not be told; the operation stays as it is.
    fn recover(
        &self,
        op: &Operation,
        unsynced: &mut Self::Unsynced,
        verify: Verify<'_>,
    ) -> Result<Recovered, String>;

    fn sync(&self, unsynced: &mut Self::Unsynced) -> Result<(), String>;
}

/// The real ones.
pub(super) struct Act;

impl Hands for Act {
    type Unsynced = Unsynced;

    fn perform(
        &self,
        op: &Operation,
        unsynced: &mut Unsynced,
        verify: Verify<'_>,
    ) -> Result<Performed, Refused> {
        act::perform(op, unsynced, &mut Gate(verify))
            .map_err(|e| Refused { event: e.event(), message: e.to_string() })
    }

    fn recover(
        &self,
        op: &Operation,
        unsynced: &mut Unsynced,
        verify: Verify<'_>,
    ) -> Result<Recovered, String> {
        act::recover(op, unsynced, &mut Gate(verify)).map_err(|e| e.to_string())
    }

    fn sync(&self, unsynced: &mut Unsynced) -> Result<(), String> {
        unsynced.sync().map_err(|e| e.to_string())
    }
}

struct Gate<'a>(Verify<'a>);

impl Checkpoint for Gate<'_> {
    fn verified(&mut self, op: &Operation) -> Result<(), ActError> {
        (self.0)(op).map_err(ActError::Journal)
    }
}
