//! act: the only room that touches users' files.
//!
//! In: one [`Operation`] whose intent is durable. Out: what happened, and which directories must be
//! synced before it may be called done. It holds to the preconditions in the step and replaces
//! nothing. May not know: rules, the catalog, the journal's files (it reports the one state that
//! must be durable half-way through [`Checkpoint`]). From `scan` it asks one thing: whether anybody
//! has a file open for writing.
//!
//! ```text
//! perform ─┬─ moving ──── rename (no replacing; link + unlink where that is missing)
//!          ├─ trash ───── information file, then moving
//!          ├─ across ──── contents, attributes; the source goes last
//!          ├─ links ───── hard and symbolic; taken away only while the content stands elsewhere
//!          ├─ unit ────── a whole directory: renamed, or not at all
//!          ├─ tag ─────── an extended attribute, set in one call
//!          ├─ hook ────── a command of a rule, run by a helper process
//!          └─ directory
//! recover ─── looks at both ends and at names of ours, then finishes or takes back
//! ```
//!
//! **Invariants.** No call here can replace or unlink a file other than the one the operation is
//! about: renames refuse a taken name, and a name is taken away only after the file was set aside and
//! recognised ([`rename::remove_name`]). Only `ENOENT` means absent. Names of ours are
//! `.tidyd-<op>.part` (an incomplete copy) and `.tidyd-<op>.gone` (a file just set aside).

mod across;
mod attributes;
mod check;
mod contents;
mod crash;
mod directory;
mod entry;
mod error;
pub mod hook;
mod links;
mod moving;
mod recover;
mod rename;
mod tag;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod trash;
mod unit;
mod unsynced;

use tidy_core::facts::{Digest, Identity};
use tidy_core::operation::Operation;
use tidy_core::plan::StepKind;

pub use across::crosses;
pub use crash::{CRASH_POINTS, CRASH_VARIABLE, crash_point};
pub use error::ActError;
pub use unsynced::{Unsynced, Ways};

/// How `act` tells the journal that an operation has passed a point that must be durable.
pub trait Checkpoint {
    /// The copy at the temporary name is complete and compared; returns once that is durable.
    ///
    /// `op` carries the identity that the copy will have (`landed`) and, where one was taken, its
    /// digest. Recovery is exact when it is given them again, and compares bytes when it is not.
    ///
    /// # Errors
    /// [`ActError::Journal`]: the copy is discarded and the source stays.
    fn verified(&mut self, op: &Operation) -> Result<(), ActError>;
}

/// An operation that went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Performed {
    /// Identity at the destination; `None` for directories.
    pub landed: Option<Identity>,
    /// Digest of the content: taken on the way (copies across devices), or known before.
    pub digest: Option<Digest>,
}

/// What recovery found for an operation that a crash left open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovered {
    /// It had happened, or has now been finished.
    Done(Performed),
    /// It had not happened; left-overs are gone.
    Aborted(String),
    /// Neither end answers to the record.
    Lost(String),
}

/// Carries out one operation. It may be called done once `unsynced` has been synced after it.
///
/// # Errors
/// [`ActError::event`] says how it ends in the journal: nothing of the user's was changed. Where it says
/// nothing, something was, and [`recover`] has to settle it.
pub fn perform(
    op: &Operation,
    unsynced: &mut Unsynced,
    log: &mut dyn Checkpoint,
) -> Result<Performed, ActError> {
    match op.step.kind {
        StepKind::Move | StepKind::Copy | StepKind::Reflink => {
            let step = moving::FileStep::of(op)?;
            let ends = moving::ready(op, &step, unsynced)?;
            moving::between(op, &step, ends, unsynced, log)
        }
        StepKind::MoveDir => unit::relocate(op, unsynced),
        StepKind::Tag => tag::set(op, unsynced),
        StepKind::Run => hook::run(op),
        StepKind::HardLink => links::make_hard(op, unsynced),
        StepKind::Symlink => links::make_symbolic(op, unsynced),
        StepKind::Unlink => links::remove(op, unsynced),
        StepKind::Trash => trash::put(op, unsynced, log),
        StepKind::Restore => trash::take_out(op, unsynced, log),
        StepKind::MakeDir => {
            let dir = op.step.dst.as_ref().ok_or(ActError::Malformed("destination"))?;
            directory::make(dir, unsynced)
        }
        StepKind::RemoveDir => {
            let dir = op.step.src.as_ref().ok_or(ActError::Malformed("source"))?;
            directory::remove(dir, unsynced)
        }
    }
}

/// Compares two open files byte for byte, for a plan; a step that relies on it compares again.
///
/// # Errors
/// Of reading.
pub fn same_bytes(a: &std::fs::File, b: &std::fs::File) -> std::io::Result<bool> {
    use std::os::fd::AsFd;
    Ok(check::compare(a.as_fd(), b.as_fd()).map_err(|(_, e)| e)?)
}

/// The value of the attribute that holds the tags of an open file; `None`: it has none.
///
/// # Errors
/// Of reading; [`std::io::ErrorKind::Unsupported`] where the file system has no such attributes.
pub fn tags_of(file: &std::fs::File) -> std::io::Result<Option<Vec<u8>>> {
    tag::of(file)
}

/// Finishes or takes back what a crash interrupted. Calling it again changes nothing more, and a
/// crash inside it leaves something it can handle.
///
/// # Errors
/// It could not be told, or not be finished: the operation stays as it is, to be tried again.
pub fn recover(op: &Operation, unsynced: &mut Unsynced) -> Result<Recovered, ActError> {
    recover::recover(op, unsynced)
}
