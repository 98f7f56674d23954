//! Which operations an index names: supersets that the operations themselves narrow down.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use tidy_core::UnixNanos;
use tidy_core::facts::Identity;
use tidy_core::operation::{OpId, OpState, Operation};

use super::pages::{self, IdSet};
use super::projection::{self, ProjectionError};
use super::query::{Answer, LogFilter, View, is_at};
use super::record_v1;

impl View<'_> {
    /// A superset of the ended operations that a filter accepts, from the index that is likely to
    /// be the narrowest; `None`: all.
    pub(super) fn candidates(&self, filter: &LogFilter) -> Answer<Option<BTreeSet<u64>>> {
        Ok(Some(if let Some(path) = &filter.path {
            self.beneath(path)?
        } else if let Some(state) = filter.state.filter(|s| *s != OpState::Done) {
            self.in_state(state)?
        } else if let Some(rule) = &filter.rule {
            self.of_rule(rule)?
        } else if let Some(since) = filter.since {
            self.since(since)?
        } else {
            return Ok(None);
        }))
    }

    fn in_state(&self, state: OpState) -> Answer<BTreeSet<u64>> {
        let prefix = [record_v1::state_code(state), pages::STATE_END];
        sets(self.stored.states.scan_prefix(prefix), "journal.states")
    }

    pub(super) fn of_rule(&self, rule: &str) -> Answer<BTreeSet<u64>> {
        let mut prefix = rule.as_bytes().to_vec();
        prefix.push(pages::RULE_END);
        sets(self.stored.rules.scan_prefix(prefix), "journal.rules")
    }

    /// From the minute of `time` on.
    pub(super) fn since(&self, time: UnixNanos) -> Answer<BTreeSet<u64>> {
        sets(self.stored.times.range(pages::time_key(time, 0)..), "journal.times")
    }

    /// Operations from number `first` on with an end that may be exactly this path.
    pub(super) fn at_path(&self, path: &Path, first: OpId) -> Answer<BTreeSet<u64>> {
        Ok(self.stored.at_path(path, first.0)?.into_iter().collect())
    }

    /// The first done operation after `after` that took this file away from exactly this path.
    pub(super) fn moved_on(
        &self,
        from: &Path,
        after: OpId,
        file: &Identity,
    ) -> Answer<Option<Operation>> {
        let next = after.0.saturating_add(1);
        let ids = self.at_path(from, OpId(next))?;
        let left = |op: &Operation| {
            op.step.kind.relocates()
                && is_at(op.step.src.as_ref(), from)
                && op.step.expect.is_some_and(|id| id.same_object(file))
        };
        let mut later = self.done(ids.range(next..).copied());
        later.find(|op| op.as_ref().map_or(true, left)).transpose()
    }

    /// Operations with an end directly in a directory, newest first, so many at most.
    pub(super) fn newest_in(&self, dir: &Path, limit: usize) -> Answer<Vec<u64>> {
        let mut prefix = dir.as_os_str().as_bytes().to_vec();
        prefix.push(pages::PATH_END);
        let mut out = Vec::new();
        for item in self.stored.paths.scan_prefix(&prefix).rev() {
            out.extend(names(std::iter::once(item))?.into_iter().rev());
            if out.len() >= limit {
                break;
            }
        }
        out.truncate(limit);
        Ok(out)
    }

    /// Operations with an end that may be this path or is beneath it.
    pub(super) fn beneath(&self, path: &Path) -> Answer<BTreeSet<u64>> {
        let mut out = self.at_path(path, OpId(0))?;
        let dir = path.as_os_str().as_bytes();
        let mut prefix = dir.to_vec();
        prefix.push(pages::PATH_END);
        out.append(&mut names(self.stored.paths.scan_prefix(&prefix))?);
        prefix.pop();
        if dir != b"/" {
            prefix.push(b'/');
        }
        out.append(&mut names(self.stored.paths.scan_prefix(&prefix))?);
        Ok(out)
    }
}

pub(super) fn bucket_of(key: &[u8], tree: &'static str) -> Answer<u64> {
    pages::bucket_of_key(key).ok_or(ProjectionError::Damaged(tree))
}

fn sets(items: sled::Iter, tree: &'static str) -> Answer<BTreeSet<u64>> {
    let mut out = BTreeSet::new();
    for item in items {
        let (key, value) = item?;
        let bucket = bucket_of(&key, tree)?;
        let set = projection::decode(&value, tree, IdSet::from_bytes)?;
        out.extend(set.iter().map(|place| pages::op_of(bucket, place)));
    }
    Ok(out)
}

fn names(
    items: impl Iterator<Item = sled::Result<(sled::IVec, sled::IVec)>>,
) -> Answer<BTreeSet<u64>> {
    let mut out = BTreeSet::new();
    for item in items {
        let (key, value) = item?;
        let bucket = bucket_of(&key, "journal.paths")?;
        let names = projection::decode(&value, "journal.paths", pages::decode_names)?;
        out.extend(names.iter().map(|(place, _)| pages::op_of(bucket, *place)));
    }
    Ok(out)
}
