//! Random lives: people and programs do what they do to files, tidyd files, puts back, is reloaded, paused, killed; and
//! whenever all is quiet, nothing is lost, doubled or changed, and the catalog is the disk.
//!
//! A life comes from a seed, which is printed: `TIDY_TEST_SEED=… cargo test -p tidy-tests --test life` lives it again. The
//! choices are the same then; how far tidyd has come between two of them is not, so what one seed has found may need a few
//! runs to be found again. A run that is told nothing lives the same few lives each time; `TIDYD_TEST_SOAK=10m` lives new ones
//! for so long, and is stricter.
#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "plays a user in a scratch home")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

mod life {
    pub(crate) mod checks;
    pub(crate) mod configs;
    pub(crate) mod disk;
    pub(crate) mod model;
    pub(crate) mod player;
    pub(crate) mod random;
    pub(crate) mod service;
    pub(crate) mod thing;
    pub(crate) mod user;
}

use life::player::{Counts, Life};
use tidy_tests::random;

const SEED: &str = "TIDY_TEST_SEED";
const SOAK: &str = "TIDYD_TEST_SOAK";

/// Lives lived beside each other.
const AT_ONCE: usize = 2;

/// Lives, and steps of each, of a run that is not told otherwise.
const LIVES: u64 = 4;
const STEPS: u32 = 500;

#[test]
fn whatever_happens_nothing_is_lost() {
    if let Some(seed) = random::given_seed() {
        let mut life = Life::new(seed, false);
        life.live(STEPS);
        eprintln!("{:?}", life.counts);
        return;
    }
    let soak = std::env::var(SOAK).ok().map(|text| Instant::now() + duration(&text));
    let first = if soak.is_some() { random::new_seed() } else { 1 };
    let next = AtomicU64::new(0);
    let (total, failed) = (Mutex::new(Counts::default()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        let one_after_the_other = || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let goes_on = match soak {
                    Some(end) => Instant::now() < end,
                    None => number < LIVES,
                };
                if !goes_on {
                    return;
                }
                let seed = first + number;
                eprintln!("to see this again: {SEED}={seed}");
                // One that ends badly has said so; a soak goes on to find others.
                let lived = std::panic::catch_unwind(|| {
                    let mut life = Life::new(seed, soak.is_some());
                    life.live(STEPS);
                    life.counts
                });
                let mut total = total.lock().expect("a sum is whole");
                match lived {
                    Ok(counts) => total.add(counts),
                    Err(_) => failed.lock().expect("a list is whole").push(seed),
                }
            }
        };
        for _ in 0..AT_ONCE {
            scope.spawn(one_after_the_other);
        }
    });
    eprintln!("{:?}", total.lock().expect("a sum is whole"));
    let failed = failed.into_inner().expect("a list is whole");
    assert!(failed.is_empty(), "{SEED} of lives that ended badly: {failed:?}");
}

/// `90s`, `10m`, `1h`.
fn duration(text: &str) -> Duration {
    let (number, unit) = text.split_at(text.len().saturating_sub(1));
    let number: u64 = number.parse().expect("a number and a unit");
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => panic!("{SOAK}={text}: the unit is s, m or h"),
    };
    Duration::from_secs(number * seconds)
}
