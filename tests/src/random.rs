//! Random choices that can be made again.

use std::time::{SystemTime, UNIX_EPOCH};

/// Environment variable with the seed of a run to see again.
const SEED: &str = "TIDY_TEST_SEED";

/// xorshift64 (Marsaglia, 2003): enough for moments and choices.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// From the seed in `TIDY_TEST_SEED`, or from the clock; says which on stderr.
    ///
    /// # Panics
    /// The seed given is not a number.
    #[expect(clippy::new_without_default, reason = "it prints")]
    pub fn new() -> Self {
        let seed = match std::env::var(SEED) {
            Ok(given) => given.parse().expect("a number"),
            Err(_) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
                u64::try_from(now.as_micros()).expect("before the year 500000") | 1
            }
        };
        eprintln!("to see this again: {SEED}={seed}");
        Self::from_seed(seed)
    }

    /// From a seed; zero is taken for one, since xorshift never leaves it.
    pub fn from_seed(seed: u64) -> Self {
        Self(seed.max(1))
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`, which is not zero.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }
}
