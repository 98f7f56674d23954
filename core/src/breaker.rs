//! The circuit breaker: how much may be done to a root's files in a minute before a person is asked.
//!
//! In: how many files are to be acted on, of which standing, and the time. Out: whether that is too
//! much, and why. It knows neither paths nor rules; whoever owns the files stops, and goes on when told.
//!
//! Three situations have a limit each, because what is normal in one is a disaster in another:
//!
//! - files that were **left** before and are wanted now (rules or clocks have changed): a share of what
//!   lies in the root;
//! - files that lay there, **unseen**, before tidyd first looked: a number;
//! - **everything**, new arrivals included: operations, far more than a person's copying or unpacking.
//!
//! **Invariant:** in any 60 seconds no more is let through than the limits say, unless a person gave a
//! pass.

use std::collections::VecDeque;
use std::time::Duration;

use crate::UnixNanos;
use crate::settle::Mono;

/// The time that is looked at.
pub const MINUTE: Duration = Duration::from_secs(60);

/// What happens within this time of each other is counted as one entry.
const GRAIN: Duration = Duration::from_secs(1);

/// What may be done in a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Per cent of the files lying in the root.
    pub share: u8,
    /// So many files may be moved whatever their share is.
    pub at_least: u64,
    /// Files that lay there before tidyd first looked.
    pub first: u64,
    /// Files of any standing.
    pub operations: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { share: 50, at_least: 200, first: 5_000, operations: 100_000 }
    }
}

impl Limits {
    /// Files of [`Standing::Left`] out of `lying`.
    pub fn left(&self, lying: u64) -> u64 {
        // In u128 nothing overflows, and the share of a u64 is one.
        let share = u128::from(lying) * u128::from(self.share.min(100)) / 100;
        u64::try_from(share).unwrap_or(u64::MAX).max(self.at_least)
    }
}

/// What a file was to tidyd before it became a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Standing {
    /// It has arrived, or was written to, since tidyd looks after its directory.
    #[default]
    New,
    /// It was decided before, and left.
    Left,
    /// It lay there before tidyd first looked.
    Unseen,
}

/// Files to be acted on, by standing; new ones do not matter one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lying {
    pub left: u64,
    pub unseen: u64,
}

impl Lying {
    /// Counts one file.
    pub fn add(&mut self, standing: Standing) {
        match standing {
            Standing::New => {}
            Standing::Left => self.left += 1,
            Standing::Unseen => self.unseen += 1,
        }
    }

    /// Takes one file off that was counted.
    pub fn take(&mut self, standing: Standing) {
        match standing {
            Standing::New => {}
            Standing::Left => self.left = self.left.saturating_sub(1),
            Standing::Unseen => self.unseen = self.unseen.saturating_sub(1),
        }
    }
}

/// Why a root was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// So many of the files lying there would be acted on.
    Share { files: u64, lying: u64, limit: u64 },
    /// So many files that lay there before tidyd first looked would be.
    First { files: u64, limit: u64 },
    /// So many operations in a minute, and more to come.
    Rate { operations: u64, limit: u64 },
    /// It is not known whether it had been stopped: the note of that could not be read.
    Unknown,
}

/// A root that was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trip {
    pub why: Why,
    pub time: UnixNanos,
    /// Of the rules that were in force.
    pub fingerprint: u64,
}

/// What one root has had done to it lately.
#[derive(Debug, Clone, Default)]
pub struct Breaker {
    left: Window,
    unseen: Window,
    all: Window,
    pass: bool,
}

impl Breaker {
    /// Whether acting on `files` as well would be too much; `lying` is how many files lie in the root.
    pub fn check(&mut self, limits: &Limits, files: Lying, lying: u64, now: Mono) -> Option<Why> {
        if self.pass {
            return None;
        }
        let limit = limits.left(lying);
        let left = self.left.count(now).saturating_add(files.left);
        if files.left > 0 && left > limit {
            return Some(Why::Share { files: left, lying, limit });
        }
        let unseen = self.unseen.count(now).saturating_add(files.unseen);
        (files.unseen > 0 && unseen > limits.first)
            .then_some(Why::First { files: unseen, limit: limits.first })
    }

    /// How many operations more may be done now.
    pub fn room(&mut self, limits: &Limits, now: Mono) -> u64 {
        if self.pass {
            return u64::MAX;
        }
        limits.operations.saturating_sub(self.all.count(now))
    }

    /// Why there is no room.
    pub fn too_fast(&mut self, limits: &Limits, now: Mono) -> Why {
        Why::Rate { operations: self.all.count(now), limit: limits.operations }
    }

    /// One file was acted on. Under a pass nothing is counted.
    pub fn acted(&mut self, standing: Standing, now: Mono) {
        if self.pass {
            return;
        }
        self.all.add(now);
        match standing {
            Standing::New => {}
            Standing::Left => self.left.add(now),
            Standing::Unseen => self.unseen.add(now),
        }
    }

    /// A person said to go on: what went before is forgotten. With a pass, nothing is too much until
    /// [`Breaker::quiet`].
    pub fn resume(&mut self, pass: bool) {
        *self = Self { pass, ..Self::default() };
    }

    /// Whether nothing is too much now.
    pub fn has_pass(&self) -> bool {
        self.pass
    }

    /// All that was waiting has been dealt with: a pass ends.
    pub fn quiet(&mut self) {
        self.pass = false;
    }
}

/// A count over the last minute, in at most 62 entries.
#[derive(Debug, Clone, Default)]
struct Window {
    /// When an entry began, when it was last added to, and how much it holds.
    entries: VecDeque<(Mono, Mono, u64)>,
    sum: u64,
}

impl Window {
    fn add(&mut self, now: Mono) {
        self.expire(now);
        self.sum += 1;
        match self.entries.back_mut() {
            Some((began, last, n)) if now.since(*began) < GRAIN => {
                *last = now.max(*last);
                *n += 1;
            }
            _ => self.entries.push_back((now, now, 1)),
        }
    }

    fn count(&mut self, now: Mono) -> u64 {
        self.expire(now);
        self.sum
    }

    fn expire(&mut self, now: Mono) {
        while let Some((_, _, n)) =
            self.entries.pop_front_if(|(_, last, _)| now.since(*last) >= MINUTE)
        {
            self.sum -= n;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits { share: 50, at_least: 10, first: 20, operations: 30 };

    fn at(ms: u64) -> Mono {
        Mono(ms * 1_000_000)
    }

    fn left(left: u64) -> Lying {
        Lying { left, unseen: 0 }
    }

    #[test]
    fn a_share_counts_from_a_number_on() {
        for (lying, limit) in [(0, 10), (19, 10), (20, 10), (22, 11), (1_000, 500)] {
            assert_eq!(LIMITS.left(lying), limit, "{lying}");
            let mut b = Breaker::default();
            assert_eq!(b.check(&LIMITS, left(limit), lying, at(0)), None);
            let why = Why::Share { files: limit + 1, lying, limit };
            assert_eq!(b.check(&LIMITS, left(limit + 1), lying, at(0)), Some(why));
        }
        assert_eq!(Limits { share: 200, ..LIMITS }.left(u64::MAX), u64::MAX);
    }

    #[test]
    fn each_standing_has_its_own_limit_and_new_files_only_that_of_all() {
        let mut b = Breaker::default();
        let unseen = |unseen| Lying { left: 0, unseen };
        assert_eq!(b.check(&LIMITS, unseen(20), 0, at(0)), None);
        let why = Why::First { files: 21, limit: 20 };
        assert_eq!(b.check(&LIMITS, unseen(21), 0, at(0)), Some(why));
        (0..25).for_each(|_| b.acted(Standing::New, at(1)));
        assert_eq!(b.check(&LIMITS, Lying { left: 10, unseen: 20 }, 0, at(2)), None);
        assert_eq!(b.room(&LIMITS, at(2)), 5);
        (0..5).for_each(|_| b.acted(Standing::Left, at(3)));
        assert_eq!(b.room(&LIMITS, at(3)), 0);
        assert_eq!(b.too_fast(&LIMITS, at(3)), Why::Rate { operations: 30, limit: 30 });
        // A minute after the last of each, they do not count any more.
        assert_eq!(b.room(&LIMITS, at(60_002)), 0);
        assert_eq!(b.room(&LIMITS, at(60_003)), 30);
    }

    #[test]
    fn what_was_done_before_counts_and_nothing_more_is_no_reason() {
        let mut b = Breaker::default();
        (0..8).for_each(|_| b.acted(Standing::Left, at(0)));
        assert_eq!(b.check(&LIMITS, left(2), 0, at(1)), None);
        assert!(b.check(&LIMITS, left(3), 0, at(1)).is_some());
        (0..8).for_each(|_| b.acted(Standing::Left, at(0)));
        assert_eq!(b.check(&LIMITS, left(0), 0, at(1)), None);
    }

    #[test]
    fn a_pass_lets_everything_through_until_it_is_quiet() {
        let mut b = Breaker::default();
        (0..30).for_each(|_| b.acted(Standing::New, at(0)));
        b.resume(true);
        assert!(b.has_pass());
        assert_eq!(b.check(&LIMITS, Lying { left: 999, unseen: 999 }, 1_000, at(1)), None);
        (0..999).for_each(|_| b.acted(Standing::Left, at(1)));
        assert_eq!(b.room(&LIMITS, at(1)), u64::MAX);
        b.quiet();
        assert_eq!(b.room(&LIMITS, at(2)), 30);
        assert_eq!(b.check(&LIMITS, left(10), 0, at(2)), None);
        assert!(b.check(&LIMITS, left(11), 0, at(2)).is_some());
        // Going on without a pass only forgets.
        b.acted(Standing::Left, at(3));
        b.resume(false);
        assert!(!b.has_pass() && b.check(&LIMITS, left(10), 0, at(3)).is_none());
    }

    proptest! {
        /// Whoever asks first and stops at a no never does more than the limits in any 60 seconds.
        #[test]
        fn no_minute_holds_more_than_the_limits(
            asks in prop::collection::vec((0u64..5_000, 1u64..15, 0u8..3), 1..200),
            lying in 0u64..60,
        ) {
            let mut b = Breaker::default();
            let mut now = 0;
            let mut done: Vec<(u64, Standing)> = Vec::new();
            for (pause, files, standing) in asks {
                now += pause;
                let standing =
                    [Standing::New, Standing::Left, Standing::Unseen][usize::from(standing)];
                let mut wanted = Lying::default();
                (0..files).for_each(|_| wanted.add(standing));
                if b.check(&LIMITS, wanted, lying, at(now)).is_some() {
                    continue;
                }
                for _ in 0..files.min(b.room(&LIMITS, at(now))) {
                    b.acted(standing, at(now));
                    done.push((now, standing));
                }
                let last: Vec<_> = done.iter().filter(|(t, _)| now - t < 60_000).collect();
                let of = |s| last.iter().filter(|(_, x)| *x == s).count() as u64;
                prop_assert!(last.len() as u64 <= LIMITS.operations);
                prop_assert!(of(Standing::Left) <= LIMITS.left(lying));
                prop_assert!(of(Standing::Unseen) <= LIMITS.first);
                prop_assert!(b.all.entries.len() <= 62);
            }
        }

        /// What was done is forgotten a minute later, give or take the grain.
        #[test]
        fn a_minute_later_there_is_room_again(times in prop::collection::vec(0u64..90_000, 1..60)) {
            let mut times = times;
            times.sort_unstable();
            let mut w = Window::default();
            for (i, t) in times.iter().enumerate() {
                w.add(at(*t));
                let within = |ms| times[..=i].iter().filter(|x| t - **x < ms).count() as u64;
                prop_assert!(w.count(at(*t)) >= within(60_000));
                prop_assert!(w.count(at(*t)) <= within(61_000));
            }
            let end = times.last().copied().unwrap_or(0);
            prop_assert_eq!(w.count(at(end + 60_000)), 0);
        }
    }
}
