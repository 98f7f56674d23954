//! How fast files are filed: the last minute, second by second.

/// Seconds that are remembered.
const MEMORY: usize = 60;

/// Seconds over which the current rate is taken.
const OVER: usize = 10;

/// Files and bytes of each of the last seconds.
#[derive(Debug, Clone)]
pub(super) struct Rate {
    /// In a ring, by second.
    seconds: [(u64, u64); MEMORY],
    /// The newest second.
    now: i64,
}

impl Rate {
    pub(super) fn new(now: i64) -> Self {
        Self { seconds: [(0, 0); MEMORY], now }
    }

    /// It is this second now. A clock that goes back forgets nothing and starts nothing.
    pub(super) fn tick(&mut self, now: i64) {
        let passed = usize::try_from(now.saturating_sub(self.now)).unwrap_or(0);
        for step in 1..=passed.min(MEMORY) {
            let second = self.now.saturating_add(step as i64);
            self.seconds[slot(second)] = (0, 0);
        }
        self.now = self.now.max(now);
    }

    /// One file of this size was filed in this second.
    pub(super) fn add(&mut self, bytes: u64) {
        let (files, all) = &mut self.seconds[slot(self.now)];
        *files += 1;
        *all = all.saturating_add(bytes);
    }

    /// Files and bytes a second, over the last ten.
    pub(super) fn now(&self) -> (f64, u64) {
        let recent = self.newest().take(OVER);
        let (files, bytes) =
            recent.fold((0_u64, 0_u64), |(f, b), (n, m)| (f + n, b.saturating_add(m)));
        (files as f64 / OVER as f64, bytes / OVER as u64)
    }

    /// Files of each second, oldest first.
    pub(super) fn files(&self) -> Vec<u64> {
        let mut all: Vec<u64> = self.newest().map(|(files, _)| files).collect();
        all.reverse();
        all
    }

    fn newest(&self) -> impl Iterator<Item = (u64, u64)> {
        (0..MEMORY as i64).map(|ago| self.seconds[slot(self.now.saturating_sub(ago))])
    }
}

fn slot(second: i64) -> usize {
    usize::try_from(second.rem_euclid(MEMORY as i64)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_ten_seconds() {
        let mut rate = Rate::new(100);
        (0..20).for_each(|_| rate.add(1_000));
        assert_eq!(rate.now(), (2.0, 2_000));
        rate.tick(109);
        assert_eq!(rate.now(), (2.0, 2_000));
        rate.tick(110);
        assert_eq!(rate.now(), (0.0, 0));
        rate.add(5);
        let files = rate.files();
        assert_eq!((files.len(), files[59], files[49]), (60, 1, 20));
        rate.tick(100_000);
        assert!(rate.files().iter().all(|n| *n == 0), "a minute later nothing is left");
        rate.tick(5);
        rate.tick(i64::MIN);
        assert_eq!(rate.now(), (0.0, 0), "a clock that goes back does no harm");
    }
}
