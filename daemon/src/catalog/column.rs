//! One number of every entry of a page, in four bytes each: enough to know which entries a question concerns without
//! reading the page.

use std::ops::RangeInclusive;

/// Numbers, each as far above the least of them; those that are far apart are kept without their last bits.
#[derive(Debug, Default)]
pub(super) struct Column {
    least: u64,
    greatest: u64,
    /// Bits that are not kept.
    shift: u32,
    above: Box<[u32]>,
}

impl Column {
    pub(super) fn new(numbers: impl Iterator<Item = u64> + Clone) -> Self {
        let least = numbers.clone().min().unwrap_or_default();
        let greatest = numbers.clone().max().unwrap_or_default();
        let shift = (u64::BITS - (greatest - least).leading_zeros()).saturating_sub(u32::BITS);
        // What is left of the span fits by the choice of the shift.
        let above = numbers.map(|n| ((n - least) >> shift) as u32).collect();
        Self { least, greatest, shift, above }
    }

    /// The least and the greatest; `None`: there are none.
    pub(super) fn bounds(&self) -> Option<(u64, u64)> {
        (!self.above.is_empty()).then_some((self.least, self.greatest))
    }

    /// Of each number, in order, the least and the greatest that it may be.
    pub(super) fn each(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let slack = (1 << self.shift) - 1;
        self.above.iter().map(move |above| {
            let low = self.least + (u64::from(*above) << self.shift);
            (low, low.saturating_add(slack).min(self.greatest))
        })
    }

    /// Whether one of them may be in the range.
    pub(super) fn meets(&self, range: &RangeInclusive<u64>) -> bool {
        self.bounds()
            .is_some_and(|(least, greatest)| least <= *range.end() && greatest >= *range.start())
    }

    /// Those that may be in the range: bit by bit, the first one the lowest.
    pub(super) fn within(&self, range: &RangeInclusive<u64>) -> u64 {
        match self.bounds() {
            None => 0,
            Some((least, greatest)) if *range.start() <= least && greatest <= *range.end() => {
                first(self.above.len())
            }
            Some(_) if !self.meets(range) => 0,
            Some(_) => {
                bits(self.each().map(|(low, high)| low <= *range.end() && high >= *range.start()))
            }
        }
    }

    /// Those that are in the range whatever has not been kept of them, in the same way.
    pub(super) fn surely_within(&self, range: &RangeInclusive<u64>) -> u64 {
        match self.bounds() {
            Some((least, greatest)) if *range.start() <= least && greatest <= *range.end() => {
                first(self.above.len())
            }
            _ => bits(self.each().map(|(low, high)| low >= *range.start() && high <= *range.end())),
        }
    }
}

/// The lowest so many bits: all entries of a page of that length.
pub(super) fn first(len: usize) -> u64 {
    if len >= 64 { u64::MAX } else { (1 << len) - 1 }
}

/// What is true of each, bit by bit, the first one the lowest. At most 64.
pub(super) fn bits(each: impl Iterator<Item = bool>) -> u64 {
    each.take(64).enumerate().fold(0, |bits, (at, is)| bits | u64::from(is) << at)
}

/// Whether the bit of an entry is set.
pub(super) fn has(bits: u64, at: usize) -> bool {
    at < 64 && bits >> at & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(numbers: &[u64]) -> Column {
        Column::new(numbers.iter().copied())
    }

    #[test]
    fn near_numbers_are_exact_and_far_ones_nearly() {
        let near = column(&[7, 7 + u64::from(u32::MAX), 9]);
        assert_eq!(near.each().map(|(low, high)| high - low).max(), Some(0));
        for numbers in [&[0, u64::MAX, 5, 1 << 40][..], &[u64::MAX], &[u64::MAX, 0], &[3, 3]] {
            let column = column(numbers);
            assert!(
                column.each().zip(numbers).all(|((low, high), n)| (low..=high).contains(n)),
                "{numbers:?}"
            );
            let widest = column.each().map(|(low, high)| high - low).max();
            assert!(widest < Some(1 << 32), "{numbers:?}");
            assert_eq!(
                column.bounds(),
                Some((*numbers.iter().min().unwrap(), *numbers.iter().max().unwrap()))
            );
        }
    }

    #[test]
    fn whatever_is_in_a_range_is_found() {
        let numbers = [0, 1 << 20, 1 << 33, (1 << 33) + 1, 1 << 50];
        let all = column(&numbers);
        for from in numbers {
            for to in numbers {
                let found = all.within(&(from..=to));
                let surely = all.surely_within(&(from..=to));
                for (at, n) in numbers.iter().enumerate() {
                    let is_in = (from..=to).contains(n);
                    assert!(has(found, at) || !is_in, "{n} in {from}..={to}");
                    assert!(!has(surely, at) || is_in, "{n} in {from}..={to}");
                }
                assert!(from > to || (found != 0 && all.meets(&(from..=to))), "{from}..={to}");
            }
        }
        assert_eq!(column(&[4, 5, 6]).within(&(5..=5)), 0b010);
        assert_eq!(column(&[4, 5, 6]).surely_within(&(5..=9)), 0b110);
        assert_eq!(column(&[4, 5, 6]).within(&(0..=9)), 0b111);
        assert_eq!(column(&[]).within(&(0..=9)), 0);
        assert!(column(&[]).bounds().is_none());
        assert_eq!(first(64), u64::MAX);
    }
}
