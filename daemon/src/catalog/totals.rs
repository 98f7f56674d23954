//! Counters over all files, kept with every change.

use tidy_core::category::Category;
use tidy_core::rules::LeaveReason;

use super::codec::{Stored, StoredOutcome, WordId};
use super::words::Words;

/// How many files, and their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    pub count: u64,
    /// Sum of the sizes.
    pub bytes: u64,
}

impl Tally {
    fn add(&mut self, size: u64) {
        self.count += 1;
        self.bytes = self.bytes.wrapping_add(size);
    }

    fn subtract(&mut self, size: u64) {
        self.count = self.count.wrapping_sub(1);
        self.bytes = self.bytes.wrapping_sub(size);
    }
}

/// What the catalog holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    pub files: Tally,
    /// Known directories, those on the way to them included.
    pub directories: u64,
    /// By category, the largest first; `None`: files nobody has looked into.
    pub categories: Vec<(Option<Category>, Tally)>,
    pub known: Tally,
    pub left: Tally,
    pub filed: Tally,
    /// The left ones by reason, the most frequent first.
    pub reasons: Vec<(LeaveReason, Tally)>,
}

/// The counters themselves. Sums wrap, so that a hostile file size cannot stop us and every subtraction undoes
/// its addition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Totals {
    categories: Vec<Tally>,
    known: Tally,
    filed: Tally,
    reasons: [Tally; LeaveReason::ALL.len()],
}

impl Totals {
    pub(super) fn add(&mut self, entry: &Stored) {
        self.category(entry.category).add(entry.id.size);
        self.outcome(entry.outcome).add(entry.id.size);
    }

    pub(super) fn subtract(&mut self, entry: &Stored) {
        self.category(entry.category).subtract(entry.id.size);
        self.outcome(entry.outcome).subtract(entry.id.size);
    }

    fn category(&mut self, word: WordId) -> &mut Tally {
        // Only numbers that `Words` has given reach this, so the vector is as long as that list.
        let index = word as usize;
        if index >= self.categories.len() {
            self.categories.resize(index + 1, Tally::default());
        }
        &mut self.categories[index]
    }

    fn outcome(&mut self, outcome: StoredOutcome) -> &mut Tally {
        match outcome {
            StoredOutcome::Known => &mut self.known,
            StoredOutcome::Filed { .. } => &mut self.filed,
            // `LeaveReason::ALL` lists them in the order of their numbers, from 1 (tested below).
            StoredOutcome::Left { reason, .. } => &mut self.reasons[reason as usize - 1],
        }
    }

    /// Equal whatever order things were added in: trailing empty counters do not matter.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        let used = |t: &Self| {
            let all = t.categories.iter().copied().enumerate();
            all.filter(|(_, t)| *t != Tally::default()).collect::<Vec<_>>()
        };
        used(self) == used(other)
            && (self.known, self.filed, self.reasons) == (other.known, other.filed, other.reasons)
    }

    pub(super) fn stats(&self, words: &Words, directories: usize) -> Stats {
        let named = |(id, tally): (usize, &Tally)| {
            let word = WordId::try_from(id).ok()?;
            (tally.count > 0).then(|| (words.category(word).cloned(), *tally))
        };
        let mut categories: Vec<_> = self.categories.iter().enumerate().filter_map(named).collect();
        categories.sort_by(|a, b| b.1.bytes.cmp(&a.1.bytes).then_with(|| a.0.cmp(&b.0)));
        let mut reasons: Vec<_> = LeaveReason::ALL
            .iter()
            .copied()
            .zip(self.reasons)
            .filter(|(_, t)| t.count > 0)
            .collect();
        reasons.sort_by_key(|(_, t)| std::cmp::Reverse(t.count));
        let left = sum(self.reasons.iter());
        Stats {
            files: sum([self.known, self.filed, left].iter()),
            directories: directories as u64,
            categories,
            known: self.known,
            left,
            filed: self.filed,
            reasons,
        }
    }
}

fn sum<'a>(tallies: impl Iterator<Item = &'a Tally>) -> Tally {
    tallies.fold(Tally::default(), |a, t| Tally {
        count: a.count.wrapping_add(t.count),
        bytes: a.bytes.wrapping_add(t.bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_numbered_from_one_without_gaps() {
        for (i, reason) in LeaveReason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, i + 1);
        }
    }
}
