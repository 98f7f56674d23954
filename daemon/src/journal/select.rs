//! What a rollback has to undo, and what a redo has to undo of a rollback.

use std::collections::BTreeSet;
use std::path::PathBuf;

use tidy_core::UnixNanos;
use tidy_core::operation::{BatchId, OpId, Operation};

use super::query::{Answer, View, touches_beneath};
use super::{Journal, JournalError};

/// Which operations to undo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    Operation(OpId),
    Batch(BatchId),
    /// All of a rule, by its name.
    Rule(String),
    /// Source or destination is this path, or beneath it.
    Path(PathBuf),
    /// Not before this time.
    Since(UnixNanos),
    /// The newest batches that still have something in effect.
    Last(usize),
}

/// An operation can be undone and redone any number of times; each is one more link.
const MAX_LINKS: usize = 100_000;

impl Journal {
    /// The operations that a rollback of the selected ones has to undo: done, forward, in effect,
    /// newest first.
    ///
    /// An operation that was undone and redone is represented by the newest redo; one that was
    /// undone is not in effect.
    ///
    /// # Errors
    /// [`JournalError::Projection`] or [`JournalError::Io`].
    pub fn select(&self, selector: &Selector) -> Result<Vec<Operation>, JournalError> {
        self.ask(|view| match selector {
            Selector::Operation(id) => view.in_effect([id.0], |_| true),
            Selector::Batch(id) => view.in_effect(view.batch_ops(*id)?, |_| true),
            Selector::Rule(rule) => view.in_effect(view.of_rule(rule)?, |_| true),
            Selector::Path(path) => {
                view.in_effect(view.beneath(path)?, |op| touches_beneath(op, path))
            }
            Selector::Since(time) => view.in_effect(view.since(*time)?, |op| op.time >= *time),
            Selector::Last(batches) => view.newest(*batches, false),
        })
    }

    /// The operations of the newest `batches` rollbacks that have not been redone, newest first.
    ///
    /// # Errors
    /// [`JournalError::Projection`] or [`JournalError::Io`].
    pub fn undone(&self, batches: usize) -> Result<Vec<Operation>, JournalError> {
        self.ask(|view| view.newest(batches, true))
    }
}

impl View<'_> {
    /// What is in effect of the done forward operations among these that are `wanted`.
    fn in_effect(
        self,
        ids: impl IntoIterator<Item = u64>,
        wanted: impl Fn(&Operation) -> bool,
    ) -> Answer<Vec<Operation>> {
        let mut effective = BTreeSet::new();
        for op in self.done(ids.into_iter()) {
            let op = op?;
            if !op.step.undo && wanted(&op) {
                effective.extend(self.representative(op.id)?.map(|id| id.0));
            }
        }
        self.done(effective.into_iter().rev()).collect()
    }

    /// The operation through which `op` is in effect: itself, or the redo at the end of its chain.
    fn representative(self, mut op: OpId) -> Answer<Option<OpId>> {
        for _ in 0..MAX_LINKS {
            let Some(undo) = self.stored.inverted_by(op)? else { return Ok(Some(op)) };
            let Some(redo) = self.stored.inverted_by(undo)? else { return Ok(None) };
            op = redo;
        }
        Ok(None)
    }

    /// The newest batches that have done operations of one direction that nothing has inverted;
    /// those operations, newest first. A batch of which only directories are left, because somebody
    /// uses them, is passed over: it would be the newest for ever.
    fn newest(self, batches: usize, undo: bool) -> Answer<Vec<Operation>> {
        let (mut out, mut found) = (Vec::new(), 0);
        let mut ids = self.batch_ids(u64::MAX);
        while found < batches
            && let Some(batch) = ids.next().transpose()?
        {
            let mut ops = Vec::new();
            for op in self.done(self.batch_ops(batch)?.into_iter()) {
                let op = op?;
                if op.step.undo == undo && self.stored.inverted_by(op.id)?.is_none() {
                    ops.push(op);
                }
            }
            if ops.iter().any(|op| !op.step.kind.is_directory()) {
                found += 1;
                out.append(&mut ops);
            }
        }
        out.sort_by_key(|op| std::cmp::Reverse(op.id));
        Ok(out)
    }
}
