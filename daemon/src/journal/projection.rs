//! The projection: the journal's ended operations in sled, packed for the questions people ask.
//!
//! Nothing here is the truth: every tree can be rebuilt from the segments, and is, when it is
//! missing, damaged, of another log or ahead of this one.
//!
//! | tree | key | value |
//! |---|---|---|
//! | `journal.operations` | op / 16 | 16 operations, CBOR |
//! | `journal.paths` | directory, NUL, op / 256 | (op, hash of the name) of each end in it |
//! | `journal.rules` | rule, 0xff, op / 256 | set of operations |
//! | `journal.states` | state, NUL, op / 256 | set of operations that did not end done |
//! | `journal.times` | minute, op / 256 | set of operations |
//! | `journal.batches` | batch, op / 256 | what the batch's operations there amount to |
//! | `journal.inverted_by` | op / 256 | (op, the operation that undid or redid it) |
//! | `journal.meta` | `position` | version, log, position up to which everything ended is in |

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sled::{Db, Tree};
use tidy_core::operation::{OpId, OpState, Operation};

use super::ends::Ends;
use super::error;
use super::pages::{self, BatchPage, IdSet, InvertedBy, NameAt, bucket};
use super::recent::{Page, Recent};
use super::record::Position;
use super::record_v1;
use super::writer::lock;

/// Raised whenever the meaning of a tree changes: an older projection is rebuilt.
const VERSION: u8 = 1;

const META_KEY: &[u8] = b"position";

/// Why the projection could not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProjectionError {
    #[error(transparent)]
    Sled(#[from] sled::Error),
    #[error("a page of {0} is damaged")]
    Damaged(&'static str),
}

impl ProjectionError {
    /// sled repeats the first failed write as an error of the same kind.
    pub(super) fn is_no_space(&self) -> bool {
        matches!(self, Self::Sled(sled::Error::Io(e)) if error::is_no_space(e))
    }
}

type Result<T, E = ProjectionError> = std::result::Result<T, E>;

/// Up to where the projection has seen the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) log: u64,
    /// Everything that ended before it is in; some of what ended after it may be.
    pub(super) at: Position,
    /// Nothing that is in began after it.
    pub(super) end: Position,
    /// The highest operation that has been put in; 0 when none.
    pub(super) newest: u64,
}

/// The two positions of [`Seen`].
#[derive(Debug, Clone, Copy)]
pub(super) struct UpTo {
    pub(super) at: Position,
    pub(super) end: Position,
}

#[derive(Debug)]
pub(super) struct Projection {
    pub(super) operations: Tree,
    pub(super) paths: Tree,
    pub(super) rules: Tree,
    pub(super) states: Tree,
    pub(super) times: Tree,
    pub(super) batches: Tree,
    pub(super) inverted: Tree,
    meta: Tree,
    /// What of `paths` has been asked about.
    ends: Ends,
    /// What of `operations` has been asked for.
    recent: Recent,
    log: u64,
    newest: AtomicU64,
    /// Something could not be written: what is there may miss operations.
    broken: AtomicBool,
    /// There was no space left for what was to be written.
    full: AtomicBool,
    /// Pages are read, changed and written back.
    writing: Mutex<()>,
}

impl Projection {
    pub(super) fn open(db: &Db, log: u64) -> Result<Self> {
        Ok(Self {
            operations: db.open_tree("journal.operations")?,
            paths: db.open_tree("journal.paths")?,
            rules: db.open_tree("journal.rules")?,
            states: db.open_tree("journal.states")?,
            times: db.open_tree("journal.times")?,
            batches: db.open_tree("journal.batches")?,
            inverted: db.open_tree("journal.inverted_by")?,
            meta: db.open_tree("journal.meta")?,
            ends: Ends::default(),
            recent: Recent::default(),
            log,
            newest: AtomicU64::new(0),
            broken: AtomicBool::new(false),
            full: AtomicBool::new(false),
            writing: Mutex::new(()),
        })
    }

    /// The newest operation it knows of, whatever log it was made from; 0 when none.
    pub(super) fn newest_known(&self) -> OpId {
        // Errors are met again, and answered, when it is brought up to date.
        let seen = self.meta.get(META_KEY).ok().flatten().as_deref().and_then(decode_seen);
        // Its position goes when it is to be rebuilt.
        let page = self.operations.last().ok().flatten().map(|(_, page)| decode_operations(&page));
        let stored = page.and_then(Result::ok).and_then(|ops| ops.last().map(|op| op.id));
        OpId(seen.map_or(0, |s| s.newest)).max(stored.unwrap_or(OpId(0)))
    }

    /// Up to where it has seen the log; why it must be rebuilt, when that cannot be relied on.
    pub(super) fn seen(&self, end: Position) -> Result<Seen, String> {
        let stored = self.meta.get(META_KEY).map_err(|e| e.to_string())?;
        let stored = stored.ok_or("there is none yet")?;
        let seen = decode_seen(&stored).ok_or("its position is damaged, or of another version")?;
        if seen.log != self.log {
            return Err("it belongs to another log".into());
        }
        if seen.end > end {
            return Err("it is ahead of the log".into());
        }
        if seen.newest > 0 {
            let page = self.read_page(pages::page_key(seen.newest)).map_err(|e| e.to_string())?;
            let newest = page.iter().find(|op| op.id.0 == seen.newest);
            newest.ok_or("its newest operation is missing")?;
            for (name, tree) in self.indexes() {
                if tree.is_empty() {
                    return Err(format!("{name} is empty"));
                }
            }
        }
        self.newest.store(seen.newest, Ordering::Relaxed);
        Ok(seen)
    }

    /// The trees that have an entry for every operation.
    fn indexes(&self) -> [(&'static str, &Tree); 4] {
        [
            ("journal.paths", &self.paths),
            ("journal.rules", &self.rules),
            ("journal.times", &self.times),
            ("journal.batches", &self.batches),
        ]
    }

    /// Whether answers can be relied on.
    pub(super) fn is_sound(&self) -> bool {
        !self.broken.load(Ordering::Acquire)
    }

    /// Whether it could not be written for want of space, and not been built anew since.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }

    /// Marks it for rebuilding, after it could not be written.
    pub(super) fn give_up(&self, error: &ProjectionError) {
        if error.is_no_space() {
            self.full.store(true, Ordering::Release);
        }
        self.distrust();
    }

    /// Marks it for rebuilding.
    pub(super) fn distrust(&self) {
        self.broken.store(true, Ordering::Release);
        // If even this fails, the position is still an old one, and a start catches up from there.
        let _ = self.meta.remove(META_KEY);
    }

    /// Empties it and has `fill` put everything in again.
    pub(super) fn rebuild<E: From<ProjectionError>>(
        &self,
        fill: impl FnOnce(&mut dyn FnMut(Vec<Operation>) -> Result<()>) -> Result<UpTo, E>,
    ) -> Result<(), E> {
        let _writing = lock(&self.writing);
        self.meta.remove(META_KEY).map_err(ProjectionError::from)?;
        let rest = [&self.operations, &self.states, &self.inverted];
        for tree in self.indexes().map(|(_, tree)| tree).into_iter().chain(rest) {
            tree.clear().map_err(ProjectionError::from)?;
        }
        self.ends.clear();
        self.recent.clear();
        self.newest.store(0, Ordering::Relaxed);
        let at = fill(&mut |ops| self.put(&ops))?;
        self.set_position(at)?;
        self.broken.store(false, Ordering::Release);
        self.full.store(false, Ordering::Release);
        Ok(())
    }

    /// Takes in operations that have ended. `position` is read afterwards.
    pub(super) fn apply(&self, ops: &[Operation], position: impl FnOnce() -> UpTo) -> Result<()> {
        let _writing = lock(&self.writing);
        self.put(ops)?;
        if self.is_sound() { self.set_position(position()) } else { Ok(()) }
    }

    fn set_position(&self, UpTo { at, end }: UpTo) -> Result<()> {
        let newest = self.newest.load(Ordering::Relaxed);
        let seen = encode_seen(Seen { log: self.log, at, end, newest });
        self.meta.insert(META_KEY, seen.as_slice())?;
        // Without this, sled holds on to what was overwritten (measured: gigabytes).
        crossbeam_epoch::pin().flush();
        Ok(())
    }

    fn put(&self, ops: &[Operation]) -> Result<()> {
        let mut ops: Vec<&Operation> = ops.iter().collect();
        ops.sort_by_key(|op| op.id);
        let Some(last) = ops.last().map(|op| op.id.0) else { return Ok(()) };
        self.put_pages(&ops)?;
        self.put_sets(&ops)?;
        self.put_paths(&ops)?;
        self.put_inverted(&ops)?;
        self.put_batches(&ops)?;
        self.newest.fetch_max(last, Ordering::Relaxed);
        Ok(())
    }

    fn put_pages(&self, ops: &[&Operation]) -> Result<()> {
        for group in ops.chunk_by(|a, b| pages::page_key(a.id.0) == pages::page_key(b.id.0)) {
            let key = pages::page_key(group[0].id.0);
            let mut value = Vec::new();
            if group.len() == 1 << pages::PAGE_BITS {
                record_v1::encode_page(group.iter().copied(), &mut value);
            } else {
                let there = self.page(key)?;
                let mut page: BTreeMap<OpId, &Operation> =
                    there.iter().map(|o| (o.id, o)).collect();
                page.extend(group.iter().map(|o| (o.id, *o)));
                record_v1::encode_page(page.into_values(), &mut value);
            }
            self.operations.insert(key, value)?;
            self.recent.changed(key);
        }
        Ok(())
    }

    fn put_sets(&self, ops: &[&Operation]) -> Result<()> {
        let mut rules: BTreeMap<Vec<u8>, IdSet> = BTreeMap::new();
        let mut states: BTreeMap<Vec<u8>, IdSet> = BTreeMap::new();
        let mut times: BTreeMap<[u8; 16], IdSet> = BTreeMap::new();
        for op in ops {
            let (bucket, place) = bucket(op.id.0);
            let rule = pages::index_key(op.step.rule.as_bytes(), pages::RULE_END, bucket);
            rules.entry(rule).or_default().insert(place);
            times.entry(pages::time_key(op.time, bucket)).or_default().insert(place);
            if op.state != OpState::Done {
                let code = [record_v1::state_code(op.state)];
                let state = pages::index_key(&code, pages::STATE_END, bucket);
                states.entry(state).or_default().insert(place);
            }
        }
        merge_sets(&self.rules, "journal.rules", rules)?;
        merge_sets(&self.states, "journal.states", states)?;
        merge_sets(&self.times, "journal.times", times)
    }

    fn put_paths(&self, ops: &[&Operation]) -> Result<()> {
        let mut dirs: BTreeMap<Vec<u8>, BTreeSet<NameAt>> = BTreeMap::new();
        for op in ops {
            let (bucket, at) = bucket(op.id.0);
            for place in [&op.step.src, &op.step.dst].into_iter().flatten() {
                if let Some((dir, hash)) = pages::split(&place.path()) {
                    let key = pages::index_key(dir, pages::PATH_END, bucket);
                    dirs.entry(key).or_default().insert((at, hash));
                }
            }
        }
        for (key, mut names) in dirs {
            let new: Vec<NameAt> = names.iter().copied().collect();
            if let Some(there) = self.paths.get(&key)? {
                names.extend(decode(&there, "journal.paths", pages::decode_names)?);
            }
            let names: Vec<_> = names.into_iter().collect();
            self.paths.insert(&key, pages::encode_names(&names))?;
            if let Some((dir, bucket)) = pages::split_index_key(&key) {
                let end = |(place, hash)| (hash, pages::op_of(bucket, place));
                self.ends.add(dir, new.into_iter().map(end));
            }
        }
        Ok(())
    }

    /// Operations from number `first` on with an end that may be exactly this path, ascending.
    pub(super) fn at_path(&self, path: &Path, first: u64) -> Result<Vec<u64>> {
        let Some((dir, hash)) = pages::split(path) else { return Ok(Vec::new()) };
        self.ends.find(dir, hash, first, || {
            let mut prefix = dir.to_vec();
            prefix.push(pages::PATH_END);
            let mut ends = Vec::new();
            for item in self.paths.scan_prefix(prefix) {
                let (key, value) = item?;
                let bucket = pages::bucket_of_key(&key);
                let bucket = bucket.ok_or(ProjectionError::Damaged("journal.paths"))?;
                let names = decode(&value, "journal.paths", pages::decode_names)?;
                let end = |(place, hash): (u8, u32)| (hash, pages::op_of(bucket, place));
                ends.extend(names.into_iter().map(end));
            }
            Ok(ends)
        })
    }

    fn put_inverted(&self, ops: &[&Operation]) -> Result<()> {
        let mut changes: BTreeMap<u64, Vec<(u8, &Operation)>> = BTreeMap::new();
        for op in ops {
            if let Some(of) = op.step.inverse_of {
                let (bucket, place) = bucket(of.0);
                changes.entry(bucket).or_default().push((place, op));
            }
        }
        for (bucket, changes) in changes {
            let mut list: BTreeMap<u8, u64> = self.inverted_page(bucket)?.into_iter().collect();
            for (place, op) in changes {
                if op.state == OpState::Done {
                    let by = list.entry(place).or_default();
                    *by = op.id.0.max(*by);
                } else if list.get(&place) == Some(&op.id.0) {
                    list.remove(&place);
                }
            }
            let list: Vec<_> = list.into_iter().collect();
            self.inverted.insert(bucket.to_be_bytes(), pages::encode_inverted(&list))?;
        }
        Ok(())
    }

    fn put_batches(&self, ops: &[&Operation]) -> Result<()> {
        let mut groups: BTreeMap<(u64, u64), BTreeMap<OpId, Cow<'_, Operation>>> = BTreeMap::new();
        for op in ops {
            let group = groups.entry((op.batch.0, bucket(op.id.0).0)).or_default();
            group.insert(op.id, Cow::Borrowed(*op));
        }
        for ((batch, bucket), mut group) in groups {
            let key = batch_key(batch, bucket);
            if let Some(there) = self.batches.get(key)? {
                let page = decode(&there, "journal.batches", BatchPage::decode)?;
                let missing: Vec<u64> = (page.ops.iter().map(|p| pages::op_of(bucket, p)))
                    .filter(|id| !group.contains_key(&OpId(*id)))
                    .collect();
                for op in self.load(missing) {
                    let op = op?;
                    group.insert(op.id, Cow::Owned(op));
                }
            }
            self.batches.insert(key, BatchPage::of(group.values().map(|op| &**op)).encode())?;
        }
        Ok(())
    }

    /// One operation.
    pub(super) fn get(&self, id: OpId) -> Result<Option<Operation>> {
        Ok(self.page(pages::page_key(id.0))?.iter().find(|op| op.id == id).cloned())
    }

    fn page(&self, key: [u8; 8]) -> Result<Page> {
        self.recent.page(key, || self.read_page(key))
    }

    fn read_page(&self, key: [u8; 8]) -> Result<Vec<Operation>> {
        match self.operations.get(key)? {
            Some(bytes) => decode_operations(&bytes),
            None => Ok(Vec::new()),
        }
    }

    /// The operations with these numbers, in their order; those that are not here are passed over.
    /// Neighbours are read with one look at their page.
    pub(super) fn load(
        &self,
        ids: impl IntoIterator<Item = u64>,
    ) -> impl Iterator<Item = Result<Operation>> {
        let mut at = None;
        let mut page: Page = Page::from([]);
        ids.into_iter().filter_map(move |id| {
            let key = pages::page_key(id);
            if at != Some(key) {
                match self.page(key) {
                    Ok(p) => (at, page) = (Some(key), p),
                    Err(e) => return Some(Err(e)),
                }
            }
            page.iter().find(|op| op.id.0 == id).cloned().map(Ok)
        })
    }

    /// All operations below a number, newest first.
    pub(super) fn below(&self, before: OpId) -> impl Iterator<Item = Result<Operation>> {
        // The page of `before` itself may hold smaller ones.
        let end = (before.0 >> pages::PAGE_BITS).to_be_bytes();
        self.operations.range(..=end).values().rev().flat_map(move |value| {
            let page = value.map_err(ProjectionError::from).and_then(|v| decode_operations(&v));
            let (ops, err) = match page {
                Ok(ops) => (ops, None),
                Err(e) => (Vec::new(), Some(Err(e))),
            };
            err.into_iter().chain(ops.into_iter().rev().filter(move |o| o.id < before).map(Ok))
        })
    }

    /// The lowest number.
    pub(super) fn first(&self) -> Result<Option<OpId>> {
        let Some((_, page)) = self.operations.first()? else { return Ok(None) };
        Ok(decode_operations(&page)?.first().map(|op| op.id))
    }

    /// The operation that undid or redid this one.
    pub(super) fn inverted_by(&self, op: OpId) -> Result<Option<OpId>> {
        let (bucket, place) = bucket(op.0);
        let page = self.inverted_page(bucket)?;
        Ok(page.iter().find(|(p, _)| *p == place).map(|(_, by)| OpId(*by)))
    }

    fn inverted_page(&self, bucket: u64) -> Result<Vec<InvertedBy>> {
        match self.inverted.get(bucket.to_be_bytes())? {
            Some(bytes) => decode(&bytes, "journal.inverted_by", pages::decode_inverted),
            None => Ok(Vec::new()),
        }
    }

    /// Forgets operations below a number, of which the log has none any more.
    pub(super) fn forget_below(&self, cutoff: OpId) -> Result<()> {
        let _writing = lock(&self.writing);
        let page = pages::page_key(cutoff.0);
        remove_keys(&self.operations, self.operations.range(..page).keys())?;
        let boundary = self.page(page)?;
        if boundary.first().is_some_and(|op| op.id < cutoff) {
            let mut value = Vec::new();
            record_v1::encode_page(boundary.iter().filter(|op| op.id >= cutoff), &mut value);
            self.operations.insert(page, value)?;
        }
        self.recent.clear();
        let bucket = bucket(cutoff.0).0;
        let bucketed = [&self.paths, &self.rules, &self.states, &self.times, &self.batches];
        for tree in bucketed.into_iter().chain([&self.inverted]) {
            let old = tree.iter().keys().filter(|key| {
                let Ok(key) = key else { return true };
                pages::bucket_of_key(key).is_some_and(|b| b < bucket)
            });
            remove_keys(tree, old)?;
        }
        self.ends.clear();
        crossbeam_epoch::pin().flush();
        Ok(())
    }
}

fn remove_keys(tree: &Tree, keys: impl Iterator<Item = sled::Result<sled::IVec>>) -> Result<()> {
    for key in keys {
        tree.remove(key?)?;
    }
    Ok(())
}

fn merge_sets<K: AsRef<[u8]>>(
    tree: &Tree,
    name: &'static str,
    sets: BTreeMap<K, IdSet>,
) -> Result<()> {
    for (key, mut set) in sets {
        if let Some(there) = tree.get(&key)? {
            set.union(&decode(&there, name, IdSet::from_bytes)?);
        }
        tree.insert(key, &set.to_bytes())?;
    }
    Ok(())
}

pub(super) fn batch_key(batch: u64, bucket: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&batch.to_be_bytes());
    key[8..].copy_from_slice(&bucket.to_be_bytes());
    key
}

/// Decodes a value, or names the tree it is damaged in.
pub(super) fn decode<T>(
    bytes: &[u8],
    tree: &'static str,
    with: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<T> {
    with(bytes).ok_or(ProjectionError::Damaged(tree))
}

fn decode_operations(bytes: &[u8]) -> Result<Vec<Operation>> {
    record_v1::decode_page(bytes).map_err(|_| ProjectionError::Damaged("journal.operations"))
}

fn encode_seen(seen: Seen) -> Vec<u8> {
    let mut out = vec![VERSION];
    let (at, end) = (seen.at, seen.end);
    for n in [seen.log, at.segment, at.offset, end.segment, end.offset, seen.newest] {
        out.extend_from_slice(&n.to_be_bytes());
    }
    out.extend_from_slice(&crc32c::crc32c(&out).to_be_bytes());
    out
}

fn decode_seen(bytes: &[u8]) -> Option<Seen> {
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    let (version, fields) = body.split_first()?;
    if *version != VERSION || crc32c::crc32c(body) != u32::from_be_bytes(*crc) {
        return None;
    }
    let ([log, segment, offset, end_segment, end_offset, newest], []) = fields.as_chunks::<8>()
    else {
        return None;
    };
    let int = |b: &[u8; 8]| u64::from_be_bytes(*b);
    Some(Seen {
        log: int(log),
        at: Position { segment: int(segment), offset: int(offset) },
        end: Position { segment: int(end_segment), offset: int(end_offset) },
        newest: int(newest),
    })
}
