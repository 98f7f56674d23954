//! act: the only room that touches users' files.
//!
//! In: one [`Operation`] whose intent is durable. Out: what happened, and which directories must be
//! synced before it may be called done. It holds to the preconditions in the step and replaces
//! nothing. May not know: rules, the catalog, the journal's files (it reports the one state that
//! must be durable half-way through [`Checkpoint`]).

use std::path::PathBuf;

use tidy_core::facts::Identity;
use tidy_core::operation::Operation;

/// How `act` tells the journal that an operation has passed a point that must be durable.
pub trait Checkpoint {
    /// The copy at the temporary name is complete and compared; returns once that is durable.
    fn verified(&mut self, op: &Operation) -> Result<(), ActError>;
}

/// An operation that went through.
#[derive(Debug)]
pub struct Performed {
    /// Identity at the destination; `None` for directories.
    pub landed: Option<Identity>,
    /// A digest taken on the way (copies across devices).
    pub digest: Option<tidy_core::facts::Digest>,
}

/// Why an operation was not carried out. Nothing of the user's was changed.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    #[error("stub {0}")]
    Stub(PathBuf),
    #[error("the checkpoint could not be journaled: {0}")]
    Journal(String),
}

impl ActError {
    /// What this means for the operation.
    pub fn event(&self) -> tidy_core::operation::OpEvent {
        tidy_core::operation::OpEvent::Failed
    }
}

/// What recovery found for an operation that a crash left open.
#[derive(Debug)]
pub enum Recovered {
    /// It had happened, or has now been finished.
    Done(Performed),
    /// It had not happened; left-overs are gone.
    Aborted(String),
    /// Neither end answers to the record.
    Lost(String),
}

/// Directories whose entries have changed and are not durable yet.
#[derive(Debug, Default)]
pub struct Unsynced {
    // directories by path, open
}

impl Unsynced {
    /// Syncs every directory once. An error names the directory; the operations in it are not durable.
    pub fn sync(&mut self) -> Result<(), ActError> {
        Ok(())
    }
}

/// Carries out one operation.
pub fn perform(
    _op: &Operation,
    _unsynced: &mut Unsynced,
    _log: &mut dyn Checkpoint,
) -> Result<Performed, ActError> {
    Err(ActError::Stub(PathBuf::new()))
}

/// Finishes or takes back what a crash interrupted.
pub fn recover(
    _op: &Operation,
    _unsynced: &mut Unsynced,
    _log: &mut dyn Checkpoint,
) -> Result<Recovered, ActError> {
    Err(ActError::Stub(PathBuf::new()))
}
