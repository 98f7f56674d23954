//! Questions about the past.
//!
//! Operations that have not ended are answered from memory, all others from the projection. When a
//! page of it turns out damaged, it is rebuilt and the question asked again, once.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use tidy_core::UnixNanos;
use tidy_core::facts::Identity;
use tidy_core::operation::{BatchId, OpId, OpState, Operation, Trigger};
use tidy_core::plan::{Place, StepKind};
use tidy_core::rules::RuleName;

use super::lookup::bucket_of;
use super::pages::{self, BatchPage};
use super::projection::{self, Projection, ProjectionError};
use super::record::RuleCounter;
use super::writer::lock;
use super::{Journal, JournalError};

/// Which operations to list. Every field that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    pub state: Option<OpState>,
    pub rule: Option<String>,
    /// Source or destination is this path, or beneath it.
    pub path: Option<PathBuf>,
    pub kind: Option<StepKind>,
    pub trigger: Option<Trigger>,
    /// Not before.
    pub since: Option<UnixNanos>,
    /// Before.
    pub until: Option<UnixNanos>,
}

impl LogFilter {
    /// Whether an operation is listed.
    pub fn accepts(&self, op: &Operation) -> bool {
        self.state.is_none_or(|s| s == op.state)
            && self.rule.as_deref().is_none_or(|r| r == &*op.step.rule)
            && self.kind.is_none_or(|k| k == op.step.kind)
            && self.trigger.is_none_or(|t| t == op.trigger)
            && self.since.is_none_or(|t| op.time >= t)
            && self.until.is_none_or(|t| op.time < t)
            && self.path.as_deref().is_none_or(|p| touches_beneath(op, p))
    }
}

/// One batch in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchSummary {
    pub id: BatchId,
    pub trigger: Trigger,
    /// Of its first operation.
    pub time: UnixNanos,
    /// Operations on files by what became of them.
    pub done: u64,
    pub aborted: u64,
    pub failed: u64,
    pub unknown: u64,
    /// Not ended yet.
    pub open: u64,
    /// Size in bytes of the files that done operations acted on.
    pub bytes: u64,
    /// Sorted; in a large batch with very many rules not all of them.
    pub rules: Vec<RuleName>,
}

/// Totals since the journal began, also of what retention has dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    pub rules: BTreeMap<RuleName, RuleCounter>,
    /// Hits of files that another rule was credited for as well.
    pub further: u64,
    pub done: u64,
    pub aborted: u64,
    pub failed: u64,
    pub unknown: u64,
    pub open: u64,
}

pub(super) type Answer<T> = Result<T, ProjectionError>;

/// Memory and projection together.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) live: &'a super::Live,
    pub(super) stored: &'a Projection,
}

impl Journal {
    /// One operation.
    ///
    /// # Errors
    /// Here and below: [`JournalError::Projection`] or [`JournalError::Io`], when the projection
    /// could neither be read nor rebuilt.
    pub fn operation(&self, id: OpId) -> Result<Option<Operation>, JournalError> {
        self.ask(|view| view.get(id))
    }

    /// The numbers from the lowest on record up to the next one to be given out.
    ///
    /// # Errors
    /// As [`Self::operation`].
    pub fn extent(&self) -> Result<Range<OpId>, JournalError> {
        let end = self.next_number();
        let open = self.0.live.matching(|_| true).first().map(|op| op.id);
        let stored = self.ask(|view| view.stored.first())?;
        let start = stored.into_iter().chain(open).min().unwrap_or(end);
        Ok(start..end)
    }

    /// What set off a batch; `None` when there is no such batch.
    pub fn batch_trigger(&self, id: BatchId) -> Result<Option<Trigger>, JournalError> {
        self.ask(|view| view.trigger(id))
    }

    /// Operations that the filter accepts, newest first, at most `limit`. The next page begins
    /// `before` the last one of this.
    pub fn log(
        &self,
        filter: &LogFilter,
        before: Option<OpId>,
        limit: usize,
    ) -> Result<Vec<Operation>, JournalError> {
        self.ask(|view| view.log(filter, before.unwrap_or(OpId(u64::MAX)), limit))
    }

    /// Batches, newest first, at most `limit`.
    pub fn batches(
        &self,
        before: Option<BatchId>,
        limit: usize,
    ) -> Result<Vec<BatchSummary>, JournalError> {
        self.ask(|view| {
            let mut ids = view.batch_ids(before.map_or(u64::MAX, |b| b.0));
            let mut out = Vec::new();
            while out.len() < limit
                && let Some(id) = ids.next().transpose()?
            {
                out.extend(view.summary(id)?);
            }
            Ok(out)
        })
    }

    /// The newest done operation that put something at exactly this path, or took it away. One that left it there
    /// (a copy of it was made, a command was run, it was marked on its way) says nothing of how it came there.
    pub fn last_touching(&self, path: &Path) -> Result<Option<Operation>, JournalError> {
        let changed = |op: &Operation| {
            is_at(left_at(op), path)
                || (op.step.kind.takes_away() && is_at(op.step.src.as_ref(), path))
        };
        self.ask(|view| {
            let ids = view.at_path(path, OpId(0))?;
            let mut ops = view.done(ids.into_iter().rev());
            ops.find(|op| op.as_ref().map_or(true, changed)).transpose()
        })
    }

    /// Every operation one of whose ends is exactly this path, newest first.
    pub fn history(&self, path: &Path) -> Result<Vec<Operation>, JournalError> {
        self.ask(|view| {
            let mut ops = view.live.matching(|op| touches(op, path));
            ops.reverse();
            let ids = view.at_path(path, OpId(0))?;
            for op in view.stored.load(ids.into_iter().rev()) {
                let op = op?;
                if touches(&op, path) && ops.iter().all(|o| o.id != op.id) {
                    ops.push(op);
                }
            }
            ops.sort_by_key(|op| std::cmp::Reverse(op.id));
            Ok(ops)
        })
    }

    /// The first done operation after `after` that took this file away from exactly this path.
    pub fn moved_on(
        &self,
        from: &Path,
        after: OpId,
        file: &Identity,
    ) -> Result<Option<Operation>, JournalError> {
        self.ask(|view| view.moved_on(from, after, file))
    }

    /// Done operations since a time that took something away from directly in a directory, newest first; at
    /// most `limit` operations are looked at.
    ///
    /// # Errors
    /// As [`Self::operation`].
    pub fn taken_from(
        &self,
        dir: &Path,
        since: UnixNanos,
        limit: usize,
    ) -> Result<Vec<Operation>, JournalError> {
        self.ask(|view| {
            let ids = view.newest_in(dir, limit)?;
            let mut out = Vec::new();
            for op in view.done(ids.into_iter()) {
                let op = op?;
                if op.time < since {
                    break;
                }
                let src = op.step.src.as_ref().map(Place::path);
                let is_in = src.is_some_and(|p| p.parent() == Some(dir));
                out.extend((is_in && op.step.kind.relocates()).then_some(op));
            }
            Ok(out)
        })
    }

    /// The operation that undid this one, or redid it; `None` while it is in effect.
    pub fn inverted_by(&self, id: OpId) -> Result<Option<OpId>, JournalError> {
        self.ask(|view| view.stored.inverted_by(id))
    }

    /// Totals.
    pub fn counters(&self) -> Counters {
        // When the thread has ended, what it had counted last is still right.
        let _ = self.0.writer.barrier();
        let state = self.0.writer.shared.state();
        let [done, aborted, failed, unknown] = state.ended;
        let (open, further) = (self.open_count() as u64, state.further);
        Counters { rules: state.rules.clone(), further, done, aborted, failed, unknown, open }
    }

    pub(super) fn next_number(&self) -> OpId {
        lock(&self.0.ids).next()
    }

    /// Operations that have not ended.
    pub fn open_count(&self) -> usize {
        self.0.live.len()
    }

    /// Whether the index can be written only by another process, once there is room for it.
    pub fn wants_room(&self) -> bool {
        self.0.projection.is_full()
    }

    /// Asks the projection; rebuilds it first when it is known to be bad, or once when it proves so.
    pub(super) fn ask<T>(
        &self,
        question: impl Fn(View<'_>) -> Answer<T>,
    ) -> Result<T, JournalError> {
        let view = View { live: &self.0.live, stored: &self.0.projection };
        if self.0.projection.is_sound() {
            match caught(|| question(view)) {
                Ok(answer) => return Ok(answer),
                Err(e) => tracing::warn!(error = %e, "the journal's index is rebuilt"),
            }
        }
        self.0.projection.distrust();
        caught(|| Ok(self.rebuild_projection()))??;
        Ok(caught(|| question(view))?)
    }
}

/// sled 0.34.7 panics over some damaged pages: that is damage, and no defect of whoever asks. What it
/// has printed then stands in the log.
pub(super) fn caught<T>(question: impl FnOnce() -> Answer<T>) -> Answer<T> {
    catch_unwind(AssertUnwindSafe(question))
        .unwrap_or(Err(ProjectionError::Damaged("the journal's trees")))
}

impl View<'_> {
    pub(super) fn get(&self, id: OpId) -> Answer<Option<Operation>> {
        match self.live.get(id) {
            Some(op) => Ok(Some(op)),
            None => self.stored.get(id),
        }
    }

    /// Those of the numbered operations that are done.
    pub(super) fn done(
        self,
        ids: impl Iterator<Item = u64>,
    ) -> impl Iterator<Item = Answer<Operation>> {
        let ids = ids.filter(move |id| self.live.get(OpId(*id)).is_none());
        let done = |op: &Answer<Operation>| op.as_ref().map_or(true, |o| o.state == OpState::Done);
        self.stored.load(ids).filter(done)
    }

    /// What set off a batch.
    pub(super) fn trigger(self, id: BatchId) -> Answer<Option<Trigger>> {
        let ids = self.batch_ops(id)?;
        let ended = self.stored.load(ids.into_iter().take(1)).next().transpose()?;
        let open = || self.live.matching(|op| op.batch == id).into_iter().next();
        Ok(ended.or_else(open).map(|op| op.trigger))
    }

    /// The ended operations of a batch.
    pub(super) fn batch_ops(&self, id: BatchId) -> Answer<BTreeSet<u64>> {
        let mut out = BTreeSet::new();
        for (bucket, page) in self.batch_pages(id)? {
            out.extend(page.ops.iter().map(|place| pages::op_of(bucket, place)));
        }
        Ok(out)
    }

    fn batch_pages(&self, id: BatchId) -> Answer<Vec<(u64, BatchPage)>> {
        let items = self.stored.batches.scan_prefix(id.0.to_be_bytes());
        items
            .map(|item| {
                let (key, value) = item?;
                let page = projection::decode(&value, "journal.batches", BatchPage::decode)?;
                Ok((bucket_of(&key, "journal.batches")?, page))
            })
            .collect()
    }

    /// The batches below a number, newest first.
    pub(super) fn batch_ids(&self, before: u64) -> impl Iterator<Item = Answer<BatchId>> {
        let live = self.live.matching(|op| op.batch.0 < before);
        let mut live: BTreeSet<BatchId> = live.iter().map(|op| op.batch).collect();
        let mut before = before;
        let stored = self.stored;
        std::iter::from_fn(move || {
            let end = projection::batch_key(before, 0);
            let next = match stored.batches.range(..end).keys().next_back().transpose() {
                Ok(key) => key.and_then(|k| k.first_chunk::<8>().map(|b| u64::from_be_bytes(*b))),
                Err(e) => return Some(Err(e.into())),
            };
            let id = next.map(BatchId).max(live.last().copied())?;
            live.remove(&id);
            before = id.0;
            Some(Ok(id))
        })
    }

    fn summary(&self, id: BatchId) -> Answer<Option<BatchSummary>> {
        let open = self.live.matching(|op| op.batch == id);
        let pages = self.batch_pages(id)?;
        let ids = pages
            .iter()
            .flat_map(|(bucket, page)| page.ops.iter().map(|place| pages::op_of(*bucket, place)));
        let first = self.stored.load(ids).next().transpose()?;
        let Some(trigger) = first.as_ref().or(open.first()).map(|op| op.trigger) else {
            return Ok(None);
        };
        let times = pages.iter().map(|(_, p)| p.time).chain(open.iter().map(|op| op.time.0));
        let sum = |slot: usize| pages.iter().map(|(_, p)| p.ended[slot]).sum();
        let rules: BTreeSet<RuleName> = pages
            .iter()
            .flat_map(|(_, p)| p.rules.iter().cloned())
            .chain(open.iter().map(|op| op.step.rule.clone()))
            .collect();
        Ok(Some(BatchSummary {
            id,
            trigger,
            time: UnixNanos(times.min().unwrap_or_default()),
            done: sum(0),
            aborted: sum(1),
            failed: sum(2),
            unknown: sum(3),
            open: open.len() as u64,
            bytes: pages.iter().map(|(_, p)| p.bytes).sum(),
            rules: rules.into_iter().collect(),
        }))
    }

    fn log(&self, filter: &LogFilter, before: OpId, limit: usize) -> Answer<Vec<Operation>> {
        let mut live = self.live.matching(|op| op.id < before && filter.accepts(op));
        let candidates = self.candidates(filter)?;
        let stored: Box<dyn Iterator<Item = Answer<Operation>>> = match &candidates {
            Some(ids) => Box::new(self.stored.load(ids.range(..before.0).rev().copied())),
            None => Box::new(self.stored.below(before)),
        };
        let mut out = Vec::new();
        for op in stored {
            let op = op?;
            while out.len() < limit && live.last().is_some_and(|l| l.id >= op.id) {
                out.extend(live.pop());
            }
            if out.len() >= limit {
                break;
            }
            let open_now = out.last().is_some_and(|last: &Operation| last.id == op.id);
            if !open_now && filter.accepts(&op) {
                out.push(op);
            }
        }
        while out.len() < limit
            && let Some(op) = live.pop()
        {
            out.push(op);
        }
        Ok(out)
    }
}

/// Where an operation leaves a file that it has something to say about.
pub(super) fn left_at(op: &Operation) -> Option<&Place> {
    match op.step.kind {
        StepKind::Tag if op.step.is_along() => None,
        StepKind::Tag => op.step.src.as_ref(),
        _ => op.step.dst.as_ref(),
    }
}

pub(super) fn is_at(place: Option<&Place>, path: &Path) -> bool {
    place.is_some_and(|p| p.path() == path)
}

fn touches(op: &Operation, path: &Path) -> bool {
    is_at(op.step.src.as_ref(), path) || is_at(op.step.dst.as_ref(), path)
}

/// Whether an end of the operation is this path or beneath it.
pub(super) fn touches_beneath(op: &Operation, path: &Path) -> bool {
    [&op.step.src, &op.step.dst].into_iter().flatten().any(|p| p.path().starts_with(path))
}
