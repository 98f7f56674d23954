//! Packed values of the projection. sled's cost is per item, not per byte, so 16 operations share a
//! page and 256 share a place in each index; all keys are derived from operation numbers, so that
//! applying an operation twice, or in another order, gives the same pages.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidy_core::UnixNanos;
use tidy_core::operation::{OpState, Operation};

/// Operations per page: at about 250 bytes each, 4 KiB.
pub(super) const PAGE_BITS: u32 = 4;

/// Which page of operations holds it.
pub(super) fn page_key(op: u64) -> [u8; 8] {
    (op >> PAGE_BITS).to_be_bytes()
}

/// Which bucket of an index holds it, and its place there.
pub(super) fn bucket(op: u64) -> (u64, u8) {
    (op >> 8, (op & 0xff) as u8)
}

/// The operation at a place of a bucket.
pub(super) fn op_of(bucket: u64, place: u8) -> u64 {
    bucket << 8 | u64::from(place)
}

/// The bucket number at the end of an index key.
pub(super) fn bucket_of_key(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>().map(|b| u64::from_be_bytes(*b))
}

/// What is indexed and the bucket, of a key of an index.
pub(super) fn split_index_key(key: &[u8]) -> Option<(&[u8], u64)> {
    let (rest, bucket) = key.split_last_chunk::<8>()?;
    Some((rest.split_last()?.1, u64::from_be_bytes(*bucket)))
}

/// Key in an index: what is indexed, a byte that cannot be part of it, the bucket.
pub(super) fn index_key(what: &[u8], end: u8, bucket: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(what.len() + 9);
    key.extend_from_slice(what);
    key.push(end);
    key.extend_from_slice(&bucket.to_be_bytes());
    key
}

/// Ends a directory in a key: no path has a NUL.
pub(super) const PATH_END: u8 = 0;

/// Ends a rule's name in a key: no UTF-8 has this byte.
pub(super) const RULE_END: u8 = 0xff;

/// Ends a state's code in a key.
pub(super) const STATE_END: u8 = 0;

/// Key of the index by time: the minute, so that it sorts, and the bucket.
pub(super) fn time_key(time: UnixNanos, bucket: u64) -> [u8; 16] {
    let minute = time.secs().div_euclid(60);
    let mut key = [0; 16];
    // Flipping the sign bit sorts negative minutes first.
    key[..8].copy_from_slice(&((minute as u64) ^ (1 << 63)).to_be_bytes());
    key[8..].copy_from_slice(&bucket.to_be_bytes());
    key
}

/// Some operations of one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct IdSet([u64; 4]);

impl IdSet {
    pub(super) fn insert(&mut self, place: u8) {
        self.0[usize::from(place >> 6)] |= 1 << (place & 63);
    }

    pub(super) fn contains(&self, place: u8) -> bool {
        self.0[usize::from(place >> 6)] & (1 << (place & 63)) != 0
    }

    pub(super) fn union(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine |= theirs;
        }
    }

    /// Ascending.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = u8> + '_ {
        (0..=u8::MAX).filter(|p| self.contains(*p))
    }

    pub(super) fn to_bytes(self) -> [u8; 32] {
        let mut out = [0; 32];
        for (chunk, word) in out.chunks_exact_mut(8).zip(self.0) {
            chunk.copy_from_slice(&word.to_be_bytes());
        }
        out
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 32] = bytes.try_into().ok()?;
        let mut set = Self::default();
        for (chunk, word) in bytes.chunks_exact(8).zip(&mut set.0) {
            *word = chunk.iter().fold(0, |n, b| n << 8 | u64::from(*b));
        }
        Some(set)
    }
}

/// One end of an operation in a directory: its place in the bucket and the hash of the file name.
pub(super) type NameAt = (u8, u32);

/// Tells names in one directory apart well enough; the operation itself decides.
pub(super) fn name_hash(name: &OsStr) -> u32 {
    crc32c::crc32c(name.as_bytes())
}

/// A path as directory and hash of the name; `None` for `/`.
pub(super) fn split(path: &Path) -> Option<(&[u8], u32)> {
    Some((path.parent()?.as_os_str().as_bytes(), name_hash(path.file_name()?)))
}

pub(super) fn encode_names(names: &[NameAt]) -> Vec<u8> {
    names
        .iter()
        .flat_map(|(place, hash)| {
            let h = hash.to_be_bytes();
            [*place, h[0], h[1], h[2], h[3]]
        })
        .collect()
}

pub(super) fn decode_names(bytes: &[u8]) -> Option<Vec<NameAt>> {
    let (items, rest) = bytes.as_chunks::<5>();
    rest.is_empty().then(|| {
        items.iter().map(|i| (i[0], u32::from_be_bytes([i[1], i[2], i[3], i[4]]))).collect()
    })
}

/// Which operation undid or redid which.
pub(super) type InvertedBy = (u8, u64);

pub(super) fn encode_inverted(list: &[InvertedBy]) -> Vec<u8> {
    let mut out = Vec::with_capacity(list.len() * 9);
    for (place, by) in list {
        out.push(*place);
        out.extend_from_slice(&by.to_be_bytes());
    }
    out
}

pub(super) fn decode_inverted(bytes: &[u8]) -> Option<Vec<InvertedBy>> {
    let (items, rest) = bytes.as_chunks::<9>();
    rest.is_empty().then(|| {
        let by = |i: &[u8; 9]| i[1..].iter().fold(0, |n, b| n << 8 | u64::from(*b));
        items.iter().map(|i| (i[0], by(i))).collect()
    })
}

/// Rules that a page of a batch names; further ones are left out of summaries.
const MAX_RULES: usize = 32;

/// What the operations of one batch in one bucket amount to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BatchPage {
    pub(super) ops: IdSet,
    /// Of the first operation.
    pub(super) time: i64,
    /// Files by what became of their operations: done, aborted, failed, unknown.
    pub(super) ended: [u64; 4],
    /// Size of the files that were acted on.
    pub(super) bytes: u64,
    pub(super) rules: Vec<Arc<str>>,
}

impl BatchPage {
    /// From all operations of the batch in the bucket, ascending.
    pub(super) fn of<'a>(ops: impl Iterator<Item = &'a Operation>) -> Self {
        let mut page = Self {
            ops: IdSet::default(),
            time: i64::MAX,
            ended: [0; 4],
            bytes: 0,
            rules: Vec::new(),
        };
        for op in ops {
            page.ops.insert(bucket(op.id.0).1);
            page.time = page.time.min(op.time.0);
            let slot = match op.state {
                OpState::Done => 0,
                OpState::Aborted => 1,
                OpState::Failed => 2,
                _ => 3,
            };
            page.ended[slot] += u64::from(op.step.is_file());
            if op.state == OpState::Done && op.step.is_file() {
                let size = op.step.expect.map_or(0, |id| id.size);
                page.bytes = page.bytes.saturating_add(size);
            }
            if page.rules.len() < MAX_RULES && !page.rules.contains(&op.step.rule) {
                page.rules.push(op.step.rule.clone());
            }
        }
        page.rules.sort();
        page
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // Writing to a Vec cannot fail, and the type holds nothing that CBOR cannot say.
        ciborium::into_writer(self, &mut out).expect("plain data is always CBOR");
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        ciborium::from_reader(bytes).ok()
    }
}
