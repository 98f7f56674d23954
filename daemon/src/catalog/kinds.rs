//! Category and outcome of every entry of a page, in a byte each.

use super::codec::{Stored, WordId};
use super::column::bits;
use super::entry::OutcomeKind;
use super::{chunk, column};

/// What an entry is.
pub(super) type Kind = (WordId, OutcomeKind);

/// Of every entry, in the order of their names: which of the kinds that there are in the page.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    all: Box<[Kind]>,
    /// Empty where all are of one kind.
    each: Box<[u8]>,
    len: usize,
}

impl Kinds {
    pub(super) fn new(entries: &[Stored]) -> Self {
        let mut all: Vec<Kind> = Vec::new();
        let mut each = Vec::with_capacity(entries.len());
        for entry in entries {
            let kind = (entry.category, chunk::kind(entry.outcome));
            let at = all.iter().position(|one| *one == kind).unwrap_or_else(|| {
                all.push(kind);
                all.len() - 1
            });
            each.push(at as u8); // a page has no more entries than PAGE_MAX
        }
        if all.len() < 2 {
            each.clear();
        }
        Self { all: all.into(), each: each.into(), len: entries.len() }
    }

    /// Those whose kind is wanted: bit by bit, the first one the lowest.
    pub(super) fn of(&self, wanted: impl Fn(Kind) -> bool) -> u64 {
        let kinds = bits(self.all.iter().map(|kind| wanted(*kind)));
        match kinds.count_ones() as usize {
            0 => 0,
            n if n == self.all.len() => column::first(self.len),
            _ => bits(self.each.iter().map(|at| column::has(kinds, usize::from(*at)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use tidy_core::UnixNanos;
    use tidy_core::facts::Identity;

    use super::*;
    use crate::catalog::codec::StoredOutcome;

    fn kinds(all: &[(WordId, StoredOutcome)]) -> Kinds {
        let entry = |(category, outcome): &(WordId, StoredOutcome)| Stored {
            name: Box::default(),
            id: Identity { ino: 1, size: 1, mtime: UnixNanos(0), birth: None },
            category: *category,
            outcome: *outcome,
            revisit: None,
            head: None,
            digest: None,
        };
        Kinds::new(&all.iter().map(entry).collect::<Vec<_>>())
    }

    #[test]
    fn each_entry_is_found_by_its_kind() {
        let (known, filed) = (StoredOutcome::Known, StoredOutcome::Filed { op: 7 });
        let mixed = kinds(&[(1, known), (2, filed), (1, filed), (1, known)]);
        assert_eq!(mixed.of(|(category, _)| category == 1), 0b1101);
        assert_eq!(mixed.of(|(_, outcome)| outcome == OutcomeKind::Filed), 0b0110);
        assert_eq!(mixed.of(|kind| kind == (2, OutcomeKind::Known)), 0);
        assert_eq!(mixed.of(|_| true), 0b1111);
        let alike = kinds(&[(3, known); 3]);
        assert!(alike.each.is_empty());
        assert_eq!(alike.of(|(category, _)| category == 3), 0b111);
        assert_eq!(alike.of(|(category, _)| category == 1), 0);
        assert_eq!(kinds(&[]).of(|_| true), 0);
        let full: Vec<_> = (0..64).map(|n| (n as WordId, known)).collect();
        assert_eq!(kinds(&full).of(|(category, _)| category == 63), 1 << 63);
    }
}
