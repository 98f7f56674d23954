//! What is in effect on a file, from one operation on.

use std::collections::HashMap;

use super::MAX_HOPS;
use crate::operation::{OpId, Operation};

/// Follows a file from where `op` put it along what was done later, and says whether that leaves
/// anything of `op` to be undone.
///
/// It keeps what is in effect on the file, `op` first: filing adds to it, a rollback takes away what it
/// undoes with all that came after, and a redo of that rollback brings all of it back.
#[derive(Debug, Clone)]
pub struct Trail<'a> {
    pub(super) op: &'a Operation,
    /// What `op` does (again).
    origin: OpId,
    in_effect: Vec<OpId>,
    /// By rollback what was in effect before and after it.
    rollbacks: HashMap<OpId, (Vec<OpId>, Vec<OpId>)>,
    /// By redo the rollback among those that it took back.
    redone: HashMap<OpId, OpId>,
}

impl<'a> Trail<'a> {
    /// At the place where `op` put the file. `operation` looks one up: a redo does what an earlier
    /// operation did, and stands in its place.
    pub fn of<E>(
        op: &'a Operation,
        operation: impl Fn(OpId) -> Result<Option<Operation>, E>,
    ) -> Result<Self, E> {
        let origin = if op.step.undo { op.id } else { origin(op, operation)? };
        let (rollbacks, redone) = (HashMap::new(), HashMap::new());
        Ok(Self { op, origin, in_effect: vec![op.id], rollbacks, redone })
    }

    /// `next` took the file further. `true`: whatever comes after it, `op` is settled, since its file
    /// was put back by it and filed anew.
    pub fn follow<E>(
        &mut self,
        next: &Operation,
        operation: impl Fn(OpId) -> Result<Option<Operation>, E>,
    ) -> Result<bool, E> {
        self.step(next.id, next.step.inverse_of, next.step.undo, operation)
    }

    pub(super) fn step<E>(
        &mut self,
        id: OpId,
        inverse_of: Option<OpId>,
        undo: bool,
        operation: impl Fn(OpId) -> Result<Option<Operation>, E>,
    ) -> Result<bool, E> {
        match inverse_of {
            None if self.op.step.undo && !undo => return Ok(true),
            None => self.in_effect.push(id),
            Some(undone) if undo => {
                let before = self.in_effect.clone();
                if let Some(at) = self.in_effect.iter().position(|o| *o == undone) {
                    self.in_effect.truncate(at);
                } else if let Some((_, after)) =
                    self.redone.get(&undone).and_then(|rollback| self.rollbacks.get(rollback))
                {
                    self.in_effect.clone_from(after);
                } else if self.is_before(undone, operation)? {
                    self.in_effect.clear();
                }
                self.rollbacks.insert(id, (before, self.in_effect.clone()));
            }
            Some(rollback) => match self.rollbacks.get(&rollback) {
                Some((before, _)) => {
                    self.in_effect.clone_from(before);
                    self.redone.insert(id, rollback);
                }
                // It did to the file as it was by then what had been done before.
                None => self.in_effect.push(id),
            },
        }
        Ok(false)
    }

    /// Whether `op` was done to the file as `undone` had left it.
    fn is_before<E>(
        &self,
        undone: OpId,
        operation: impl Fn(OpId) -> Result<Option<Operation>, E>,
    ) -> Result<bool, E> {
        if undone < self.origin {
            return Ok(true);
        }
        match operation(undone)? {
            Some(undone) => Ok(origin(&undone, operation)? < self.origin),
            None => Ok(false),
        }
    }

    /// Whether nothing of it is left to be undone.
    pub fn is_settled(&self) -> bool {
        !self.in_effect.contains(&self.op.id)
    }
}

/// The operation that `op` does again, if it is a redo; else itself.
fn origin<E>(
    op: &Operation,
    operation: impl Fn(OpId) -> Result<Option<Operation>, E>,
) -> Result<OpId, E> {
    let (mut origin, mut inverse_of) = (op.id, op.step.inverse_of);
    for _ in 0..MAX_HOPS {
        let Some(earlier) = inverse_of.map(&operation).transpose()?.flatten() else { break };
        (origin, inverse_of) = (earlier.id, earlier.step.inverse_of);
    }
    Ok(origin)
}
