//! What is kept in memory of one page: enough to know whether a question concerns it.

use std::ops::RangeInclusive;

use tidy_core::UnixNanos;
use tidy_core::facts::Digest;

use super::codec::{Stored, StoredOutcome};
use super::column::Column;
use super::entry::OutcomeKind;
use super::kinds::Kinds;
use super::letters::letters;

/// One page of a directory. The pages of a directory are kept in the order of their names.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Number in the key; says nothing about the order.
    pub(super) id: u16,
    /// Entries in it, at most [`PAGE_MAX`](super::codec::PAGE_MAX).
    pub(super) len: u16,
    /// Names from here up to the next page's fence belong into this page. Empty for the first.
    pub(super) fence: Box<[u8]>,
    /// The names, folded ([`fold`]), separated by `/`, which no name holds: what a search reads.
    pub(super) names: Box<str>,
    /// Bytes of the shortest of them.
    pub(super) shortest: u16,
    /// Of every name its [`letters`].
    pub(super) letters: Box<[u64]>,
    /// The earliest time at which an entry must be looked at again.
    pub(super) revisit: Option<UnixNanos>,
    pub(super) kinds: Kinds,
    /// Of every entry, in the order of their names.
    pub(super) sizes: Column,
    /// Of every entry, as [`of_time`] has them.
    pub(super) modified: Column,
    /// The first bytes of the digests of whole contents there are, sorted.
    digests: Box<[u16]>,
}

impl Chunk {
    pub(super) fn new(id: u16, fence: Box<[u8]>, entries: &[Stored]) -> Self {
        let mut names = String::with_capacity(entries.iter().map(|e| e.name.len() + 1).sum());
        let mut digests: Vec<u16> = entries.iter().filter_map(|e| Some(begin(e.digest?))).collect();
        digests.sort_unstable();
        digests.dedup();
        for entry in entries {
            fold(&entry.name, &mut names);
            names.push('/');
        }
        Self {
            id,
            len: entries.len() as u16, // at most PAGE_MAX
            fence,
            letters: each_name(&names).map(letters).collect(),
            shortest: each_name(&names)
                .map(|name| u16::try_from(name.len()).unwrap_or(u16::MAX))
                .min()
                .unwrap_or(u16::MAX),
            names: names.into(),
            revisit: entries.iter().filter_map(|e| e.revisit).min(),
            kinds: Kinds::new(entries),
            sizes: Column::new(entries.iter().map(|e| e.id.size)),
            modified: Column::new(entries.iter().map(|e| of_time(e.id.mtime))),
            digests: digests.into(),
        }
    }

    /// Whether an entry has a digest of its whole content.
    pub(super) fn has_digests(&self) -> bool {
        !self.digests.is_empty()
    }

    /// Whether an entry may have this digest.
    pub(super) fn may_have_digest(&self, digest: Digest) -> bool {
        self.digests.binary_search(&begin(digest)).is_ok()
    }

    /// Whether an entry may have a size in the range.
    pub(super) fn may_have_size(&self, wanted: &RangeInclusive<u64>) -> bool {
        self.sizes.meets(wanted)
    }
}

/// Times as numbers of the same order.
pub(super) fn of_time(time: UnixNanos) -> u64 {
    time.0.cast_unsigned() ^ 1 << 63
}

/// What an outcome is, without its details.
pub(super) fn kind(outcome: StoredOutcome) -> OutcomeKind {
    match outcome {
        StoredOutcome::Known => OutcomeKind::Known,
        StoredOutcome::Left { .. } => OutcomeKind::Left,
        StoredOutcome::Filed { .. } => OutcomeKind::Filed,
    }
}

fn begin(digest: Digest) -> u16 {
    let [a, b, ..] = digest.0;
    u16::from_be_bytes([a, b])
}

/// Index of the page that a name belongs into. There must be a page.
pub(super) fn home(chunks: &[Chunk], name: &[u8]) -> usize {
    chunks.partition_point(|c| *c.fence <= *name).saturating_sub(1)
}

/// The names of a page, in their order.
pub(super) fn each_name(names: &str) -> impl Iterator<Item = &str> {
    let mut from = 0;
    memchr::memchr_iter(b'/', names.as_bytes()).map(move |end| {
        let name = &names[from..end];
        from = end + 1;
        name
    })
}

/// Appends a name as searches compare it: lower case, bytes that are no UTF-8 as U+FFFD.
pub(super) fn fold(name: &[u8], out: &mut String) {
    for piece in name.utf8_chunks() {
        let text = piece.valid();
        if text.is_ascii() {
            let from = out.len();
            out.push_str(text);
            out[from..].make_ascii_lowercase();
        } else {
            out.extend(text.chars().flat_map(char::to_lowercase));
        }
        if !piece.invalid().is_empty() {
            out.push(char::REPLACEMENT_CHARACTER);
        }
    }
}
