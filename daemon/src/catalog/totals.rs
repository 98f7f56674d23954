//! Counters over all files, kept with every change.

use std::collections::BTreeMap;

use tidy_core::category::Category;
use tidy_core::rules::{LeaveReason, RuleName};

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
    /// Those of them that wait for what a rule needs at their destination, by that rule.
    pub waiting: Vec<(RuleName, Tally)>,
}

/// The counters themselves. Sums wrap, so that a hostile file size cannot stop us and every subtraction undoes
/// its addition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Totals {
    categories: Vec<Tally>,
    known: Tally,
    filed: Tally,
    reasons: [Tally; LeaveReason::ALL.len()],
    /// By rule. As many as there are rules that need something, so they are looked up one by one.
    waiting: BTreeMap<WordId, Tally>,
}

impl Totals {
    pub(super) fn add(&mut self, entry: &Stored) {
        self.each(entry, |tally| tally.add(entry.id.size));
    }

    pub(super) fn subtract(&mut self, entry: &Stored) {
        self.each(entry, |tally| tally.subtract(entry.id.size));
    }

    /// The counters that an entry is part of.
    fn each(&mut self, entry: &Stored, change: impl Fn(&mut Tally)) {
        change(self.category(entry.category));
        change(self.outcome(entry.outcome));
        if let StoredOutcome::Left { reason: LeaveReason::DestinationNotReady, rule, .. } =
            entry.outcome
        {
            change(self.waiting.entry(rule).or_default());
        }
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
        let is_used = |t: &Tally| *t != Tally::default();
        let used = |t: &Self| {
            let all = t.categories.iter().copied().enumerate();
            let categories: Vec<_> = all.filter(|(_, t)| is_used(t)).collect();
            let waiting = t.waiting.iter().map(|(rule, t)| (*rule, *t));
            (categories, waiting.filter(|(_, t)| is_used(t)).collect::<Vec<_>>())
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
        let waiting = self.waiting.iter().filter(|(_, t)| t.count > 0);
        Stats {
            files: sum([self.known, self.filed, left].iter()),
            directories: directories as u64,
            categories,
            known: self.known,
            left,
            filed: self.filed,
            reasons,
            waiting: waiting
                .filter_map(|(rule, t)| Some((words.rule(*rule)?.clone(), *t)))
                .collect(),
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
