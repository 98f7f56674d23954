//! What is kept in memory of one page: enough to know whether a question concerns it.

use std::ops::RangeInclusive;

use tidy_core::UnixNanos;

use super::codec::Stored;

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
    /// The earliest time at which an entry must be looked at again.
    pub(super) revisit: Option<UnixNanos>,
    /// Bit `category % 64` of every entry.
    pub(super) categories: u64,
    /// An entry has a digest of its whole content.
    pub(super) has_digests: bool,
    sizes: (u64, u64),
    modified: (UnixNanos, UnixNanos),
}

impl Chunk {
    pub(super) fn new(id: u16, fence: Box<[u8]>, entries: &[Stored]) -> Self {
        let mut names = String::with_capacity(entries.iter().map(|e| e.name.len() + 1).sum());
        let mut chunk = Self {
            id,
            len: entries.len() as u16, // at most PAGE_MAX
            fence,
            names: Box::default(),
            revisit: entries.iter().filter_map(|e| e.revisit).min(),
            categories: 0,
            has_digests: entries.iter().any(|e| e.digest.is_some()),
            sizes: (u64::MAX, 0),
            modified: (UnixNanos(i64::MAX), UnixNanos(i64::MIN)),
        };
        for entry in entries {
            fold(&entry.name, &mut names);
            names.push('/');
            chunk.categories |= 1 << (entry.category % 64);
            let (size, mtime) = (entry.id.size, entry.id.mtime);
            chunk.sizes = (chunk.sizes.0.min(size), chunk.sizes.1.max(size));
            chunk.modified = (chunk.modified.0.min(mtime), chunk.modified.1.max(mtime));
        }
        chunk.names = names.into();
        chunk
    }

    /// Smallest and largest size, first and last modification.
    pub(super) fn bounds(&self) -> ((u64, u64), (UnixNanos, UnixNanos)) {
        (self.sizes, self.modified)
    }

    /// Whether an entry may have a size in the range.
    pub(super) fn may_have_size(&self, wanted: &RangeInclusive<u64>) -> bool {
        self.sizes.0 <= *wanted.end() && self.sizes.1 >= *wanted.start()
    }

    /// Whether an entry may have been modified in the range.
    pub(super) fn may_have_mtime(&self, wanted: &RangeInclusive<UnixNanos>) -> bool {
        self.modified.0 <= *wanted.end() && self.modified.1 >= *wanted.start()
    }
}

/// Index of the page that a name belongs into. There must be a page.
pub(super) fn home(chunks: &[Chunk], name: &[u8]) -> usize {
    chunks.partition_point(|c| *c.fence <= *name).saturating_sub(1)
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
