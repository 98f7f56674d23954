//! Random choices that can be made again.

use std::time::{SystemTime, UNIX_EPOCH};

/// Environment variable with the seed of a run to see again, or `new` for one that nobody has seen.
const SEED: &str = "TIDY_TEST_SEED";

/// The seed of a run that is told nothing: what must pass before a change lands is the same each time.
const USUAL: u64 = 1;

/// xorshift64 (Marsaglia, 2003): enough for moments and choices.
#[derive(Debug, Clone)]
pub struct Random(u64);

/// The seed that `TIDY_TEST_SEED` gives: a number, or `new` for the time of the clock. `None`: it is not set.
///
/// # Panics
/// It is neither.
pub fn given_seed() -> Option<u64> {
    let given = std::env::var(SEED).ok()?;
    let seed = if given == "new" { new_seed() } else { given.parse().expect("a number, or `new`") };
    Some(seed)
}

/// A seed from the clock.
///
/// # Panics
/// Outside the years 1970 to 500000.
pub fn new_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    u64::try_from(now.as_micros()).expect("before the year 500000")
}

impl Random {
    /// From the seed that is given, or the usual one; says which on stderr.
    ///
    /// # Panics
    /// See [`given_seed`].
    #[expect(clippy::new_without_default, reason = "it prints")]
    pub fn new() -> Self {
        let seed = given_seed().unwrap_or(USUAL);
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
