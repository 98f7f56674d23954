//! What the rules said is written once for many operations: files of one sort, filed together, have the same.

use std::collections::HashMap;
use std::sync::Arc;

use tidy_core::operation::{OpId, Operation};
use tidy_core::plan::Consideration;
use tidy_core::rules::Considered;

use super::{Journal, JournalError};

/// Has all but the first of equal ones point at that.
///
/// To be asked for operations whose intents are written in one go, in this order: one that is pointed at is then in the
/// log wherever the other is, and in the same segment, which goes as a whole.
pub(super) fn share(ops: &mut [Operation]) {
    let mut first: HashMap<Arc<Considered>, OpId> = HashMap::new();
    for op in ops {
        let Some(Consideration::Here(considered)) = &op.step.considered else { continue };
        match first.get(considered) {
            Some(same) => op.step.considered = Some(Consideration::As(*same)),
            None => {
                first.insert(considered.clone(), op.id);
            }
        }
    }
}

impl Journal {
    /// What the rules said before the one behind an operation; `None`: nothing is on record.
    ///
    /// # Errors
    /// As [`Self::operation`].
    pub fn considered(&self, op: &Operation) -> Result<Option<Arc<Considered>>, JournalError> {
        let pointed_at;
        let found = match &op.step.considered {
            Some(Consideration::As(id)) => {
                pointed_at = self.operation(*id)?;
                pointed_at.as_ref().and_then(|op| op.step.considered.as_ref())
            }
            found => found.as_ref(),
        };
        Ok(match found {
            Some(Consideration::Here(considered)) => Some(considered.clone()),
            _ => None,
        })
    }
}
