//! The stored form of one page: up to [`PAGE_MAX`] entries of one directory, sorted by name.
//!
//! Version 1. `v` is an unsigned LEB128 number, `z` a zigzag one; fixed numbers are little-endian.
//!
//! ```text
//! 01  v count  entry*  crc32c(u32, over the key and everything before)
//! entry = v bytes shared with the name before  v further bytes, bytes
//!         v inode  v size  i64 mtime  u8 flags
//!         [z birth - mtime]  [v category]  [outcome]  [i64 revisit]  [16 bytes head]  [32 bytes digest]
//! flags = 1 birth | 2 category | 4 revisit | 8 head | 16 digest | outcome << 5
//! outcome 0 known
//!         1 left    u8 reason  v rule (0: none)  u64 fingerprint
//!         2 left    u8 reason  v rule, fingerprint as in the last one of this page
//!         3 filed   v operation
//! ```
//! Categories and rules are numbers in `words`. The checksum covers the key, so that a page under a wrong key
//! is as damaged as one with a flipped bit.

use tidy_core::UnixNanos;
use tidy_core::facts::{Digest, Identity};
use tidy_core::rules::LeaveReason;

use super::dirs::DirId;

/// Entries in one page, at most. Values stay within a few KiB, far from the 128 KiB above which sled
/// keeps a file per value.
pub(super) const PAGE_MAX: usize = 64;

const VERSION: u8 = 1;
const CRC_LEN: usize = 4;

const BIRTH: u8 = 1;
const CATEGORY: u8 = 2;
const REVISIT: u8 = 4;
const HEAD: u8 = 8;
const DIGEST: u8 = 16;
const OUTCOME_SHIFT: u32 = 5;

/// A number in `words`; 0 stands for none.
pub(super) type WordId = u32;

/// One entry as it is stored: names of categories and rules as numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) name: Box<[u8]>,
    pub(super) id: Identity,
    pub(super) category: WordId,
    pub(super) outcome: StoredOutcome,
    pub(super) revisit: Option<UnixNanos>,
    pub(super) head: Option<[u8; 16]>,
    pub(super) digest: Option<Digest>,
}

/// [`Outcome`](super::Outcome) as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoredOutcome {
    Known,
    Left { reason: LeaveReason, rule: WordId, fingerprint: u64 },
    Filed { op: u64 },
}

/// The bytes are not a page written under this key by this or an earlier version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Damaged;

/// Key of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PageKey {
    pub(super) dir: DirId,
    pub(super) chunk: u16,
}

impl PageKey {
    pub(super) fn to_bytes(self) -> [u8; 10] {
        let mut key = [0; 10];
        key[..8].copy_from_slice(&self.dir.to_bytes());
        key[8..].copy_from_slice(&self.chunk.to_be_bytes());
        key
    }

    pub(super) fn from_bytes(key: &[u8]) -> Option<Self> {
        let (dir, chunk) = key.split_at_checked(8)?;
        let chunk = u16::from_be_bytes(chunk.try_into().ok()?);
        Some(Self { dir: DirId::from_bytes(dir)?, chunk })
    }
}

/// `entries` must be sorted by name, without doubles.
pub(super) fn encode(key: PageKey, entries: &[Stored]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + entries.len() * 64);
    out.push(VERSION);
    put_number(&mut out, entries.len() as u64);
    let mut before: &[u8] = &[];
    let mut fingerprint = None;
    for entry in entries {
        put_name(&mut out, before, &entry.name);
        put_entry(&mut out, entry, &mut fingerprint);
        before = &entry.name;
    }
    let crc = checksum(key, &out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

pub(super) fn decode(key: PageKey, bytes: &[u8]) -> Result<Vec<Stored>, Damaged> {
    decode_some(key, bytes, &|_, _, _| true)
}

/// The entries that are wanted, by their place, name and size; the whole page is checked all the same.
pub(super) fn decode_some(
    key: PageKey,
    bytes: &[u8],
    wanted: Wanted<'_>,
) -> Result<Vec<Stored>, Damaged> {
    let body_len = bytes.len().checked_sub(CRC_LEN).ok_or(Damaged)?;
    let (body, crc) = bytes.split_at(body_len);
    if checksum(key, body).to_le_bytes() != crc {
        return Err(Damaged);
    }
    // What the checksum lets through was written by us; the rest of the checks guard against our own mistakes.
    read_page(body, wanted).ok_or(Damaged)
}

/// Whether the entry at this place, of this name and size, is wanted.
pub(super) type Wanted<'a> = &'a dyn Fn(usize, &[u8], u64) -> bool;

fn checksum(key: PageKey, body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&key.to_bytes()), body)
}

fn put_number(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80); // the low seven bits
        n >>= 7;
    }
    out.push(n as u8); // below 0x80
}

fn put_name(out: &mut Vec<u8>, before: &[u8], name: &[u8]) {
    let shared = before.iter().zip(name).take_while(|(a, b)| a == b).count();
    put_number(out, shared as u64);
    put_number(out, (name.len() - shared) as u64);
    out.extend_from_slice(&name[shared..]);
}

fn put_entry(out: &mut Vec<u8>, entry: &Stored, last_fingerprint: &mut Option<u64>) {
    let outcome = match entry.outcome {
        StoredOutcome::Known => 0,
        StoredOutcome::Left { fingerprint, .. } if *last_fingerprint != Some(fingerprint) => 1,
        StoredOutcome::Left { .. } => 2,
        StoredOutcome::Filed { .. } => 3,
    };
    let flag = |bit: u8, set: bool| if set { bit } else { 0 };
    put_number(out, entry.id.ino);
    put_number(out, entry.id.size);
    out.extend_from_slice(&entry.id.mtime.0.to_le_bytes());
    out.push(
        flag(BIRTH, entry.id.birth.is_some())
            | flag(CATEGORY, entry.category != 0)
            | flag(REVISIT, entry.revisit.is_some())
            | flag(HEAD, entry.head.is_some())
            | flag(DIGEST, entry.digest.is_some())
            | outcome << OUTCOME_SHIFT,
    );
    if let Some(birth) = entry.id.birth {
        put_number(out, zigzag(birth.0.wrapping_sub(entry.id.mtime.0)));
    }
    if entry.category != 0 {
        put_number(out, entry.category.into());
    }
    match entry.outcome {
        StoredOutcome::Known => {}
        StoredOutcome::Left { reason, rule, fingerprint } => {
            out.push(reason as u8);
            put_number(out, rule.into());
            if outcome == 1 {
                out.extend_from_slice(&fingerprint.to_le_bytes());
                *last_fingerprint = Some(fingerprint);
            }
        }
        StoredOutcome::Filed { op } => put_number(out, op),
    }
    if let Some(at) = entry.revisit {
        out.extend_from_slice(&at.0.to_le_bytes());
    }
    if let Some(head) = &entry.head {
        out.extend_from_slice(head);
    }
    if let Some(digest) = &entry.digest {
        out.extend_from_slice(&digest.0);
    }
}

fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)).cast_unsigned()
}

fn unzigzag(n: u64) -> i64 {
    (n >> 1).cast_signed() ^ -(n & 1).cast_signed()
}

fn read_page(body: &[u8], wanted: Wanted<'_>) -> Option<Vec<Stored>> {
    let mut input = Input(body);
    if input.byte()? != VERSION {
        return None;
    }
    let count = usize::try_from(input.number()?).ok()?;
    if count > PAGE_MAX {
        return None;
    }
    let mut entries: Vec<Stored> = Vec::with_capacity(count);
    let (mut before, mut name) = (Vec::new(), Vec::new());
    let mut fingerprint = None;
    for at in 0..count {
        read_name(&mut input, &before, &mut name)?;
        if at > 0 && before >= name {
            return None;
        }
        let mut entry = read_entry(&mut input, &mut fingerprint)?;
        if wanted(at, &name, entry.id.size) {
            entry.name = name.as_slice().into();
            entries.push(entry);
        }
        std::mem::swap(&mut before, &mut name);
    }
    input.0.is_empty().then_some(entries)
}

fn read_name(input: &mut Input<'_>, before: &[u8], name: &mut Vec<u8>) -> Option<()> {
    let shared = before.get(..usize::try_from(input.number()?).ok()?)?;
    let len = usize::try_from(input.number()?).ok()?;
    name.clear();
    name.extend_from_slice(shared);
    name.extend_from_slice(input.take(len)?);
    Some(())
}

/// Without its name.
fn read_entry(input: &mut Input<'_>, last_fingerprint: &mut Option<u64>) -> Option<Stored> {
    let (ino, size) = (input.number()?, input.number()?);
    let mtime = input.fixed()?;
    let flags = input.byte()?;
    let has = |bit: u8| flags & bit != 0;
    let birth = match has(BIRTH) {
        true => Some(UnixNanos(mtime.wrapping_add(unzigzag(input.number()?)))),
        false => None,
    };
    let category = if has(CATEGORY) { input.word()? } else { 0 };
    let outcome = match flags >> OUTCOME_SHIFT {
        0 => StoredOutcome::Known,
        kind @ (1 | 2) => {
            let reason = LeaveReason::from_code(input.byte()?)?;
            let rule = input.word()?;
            if kind == 1 {
                *last_fingerprint = Some(input.fixed()?.cast_unsigned());
            }
            StoredOutcome::Left { reason, rule, fingerprint: (*last_fingerprint)? }
        }
        3 => StoredOutcome::Filed { op: input.number()? },
        _ => return None,
    };
    Some(Stored {
        name: Box::default(),
        id: Identity { ino, size, mtime: UnixNanos(mtime), birth },
        category,
        outcome,
        revisit: if has(REVISIT) { Some(UnixNanos(input.fixed()?)) } else { None },
        head: if has(HEAD) { Some(input.array()?) } else { None },
        digest: if has(DIGEST) { Some(Digest(input.array()?)) } else { None },
    })
}

/// What is left to read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[b]| b)
    }

    fn fixed(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    fn number(&mut self) -> Option<u64> {
        let mut n = 0_u64;
        for shift in (0..64).step_by(7) {
            let b = self.byte()?;
            let bits = u64::from(b & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            n |= bits << shift;
            if b & 0x80 == 0 {
                return Some(n);
            }
        }
        None
    }

    fn word(&mut self) -> Option<WordId> {
        self.number()?.try_into().ok()
    }
}

#[cfg(test)]
mod tests;
