//! The operations of one batch, page by page: there may be a million of them.

use std::collections::BTreeMap;

use tidy_core::operation::{BatchId, OpId, Operation};

use super::lookup::bucket_of;
use super::pages::{self, BatchPage};
use super::projection;
use super::query::{Answer, View};
use super::{Journal, JournalError};

impl Journal {
    /// The operations of a batch, in their order, after one of them, at most `limit`; and after which one to go on, unless
    /// that was all.
    ///
    /// # Errors
    /// As [`Self::operation`].
    pub fn batch_page(
        &self,
        id: BatchId,
        after: Option<OpId>,
        limit: usize,
    ) -> Result<(Vec<Operation>, Option<OpId>), JournalError> {
        self.ask(|view| view.batch_page(id, after, limit))
    }

    /// All of them.
    #[cfg(test)]
    pub(super) fn batch(&self, id: BatchId) -> Result<Vec<Operation>, JournalError> {
        Ok(self.batch_page(id, None, usize::MAX)?.0)
    }
}

impl View<'_> {
    fn batch_page(
        &self,
        id: BatchId,
        after: Option<OpId>,
        limit: usize,
    ) -> Answer<(Vec<Operation>, Option<OpId>)> {
        let first = after.map_or(0, |op| op.0.saturating_add(1));
        let open = self.live.matching(|op| op.batch == id && op.id.0 >= first);
        let mut ids: BTreeMap<u64, Option<Operation>> = BTreeMap::new();
        let from = projection::batch_key(id.0, pages::bucket(first).0);
        for item in self.stored.batches.range(from..) {
            let (key, value) = item?;
            if !key.starts_with(&id.0.to_be_bytes()) || ids.len() > limit {
                break;
            }
            let page = projection::decode(&value, "journal.batches", BatchPage::decode)?;
            let bucket = bucket_of(&key, "journal.batches")?;
            let numbers = page.ops.iter().map(|place| pages::op_of(bucket, place));
            ids.extend(numbers.filter(|op| *op >= first).map(|op| (op, None)));
        }
        ids.extend(open.into_iter().map(|op| (op.id.0, Some(op))));
        let next = (ids.len() > limit)
            .then(|| limit.checked_sub(1).and_then(|last| ids.keys().nth(last)).copied().map(OpId))
            .flatten();
        let ended = ids.iter().take(limit).filter(|(_, op)| op.is_none()).map(|(id, _)| *id);
        let ended: Vec<Operation> = self.stored.load(ended).collect::<Answer<_>>()?;
        let mut ops: Vec<Operation> =
            ids.into_values().take(limit).flatten().chain(ended).collect();
        ops.sort_by_key(|op| op.id);
        Ok((ops, next))
    }
}
