//! Choices from a seed. Every step of a life draws from a source of its own, so that what one step finds on the disk does
//! not change what the next one chooses.

/// xorshift64* (Vigna, 2016): enough for choices.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // The state must not be 0, and near seeds must not begin alike: splitmix64's finalizer.
        let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self((z ^ (z >> 31)) | 1)
    }

    /// The source of one step.
    pub(crate) fn of_step(seed: u64, step: u32) -> Self {
        Self::new(seed ^ u64::from(step).wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        drawn as usize % end.max(1)
    }

    pub(crate) fn percent(&mut self, of_hundred: usize) -> bool {
        self.below(100) < of_hundred
    }

    pub(crate) fn one_of<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }

    /// One of them, if there are any.
    pub(crate) fn pick<T>(&mut self, mut list: Vec<T>) -> Option<T> {
        let index = self.below(list.len());
        (!list.is_empty()).then(|| list.swap_remove(index))
    }

    /// A row of a table, as often as its weight says.
    pub(crate) fn weighted<T: Copy>(&mut self, table: &[(usize, T)]) -> T {
        let mut left = self.below(table.iter().map(|(weight, _)| weight).sum());
        for (weight, row) in table {
            match left.checked_sub(*weight) {
                Some(rest) => left = rest,
                None => return *row,
            }
        }
        unreachable!("less than the sum of the weights")
    }
}
