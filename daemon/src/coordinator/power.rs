//! Work that waits for mains power, where the configuration says so.
//!
//! Whoever runs on a battery is found out only while something waits to be filed, so that nothing wakes up to look.

use std::time::Duration;

use tidy_core::settle::Mono;

use super::{Coordinator, Effect, Now};

/// What was found out is relied on for so long, and looked at again after it where files wait.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// What is known of the machine's power.
#[derive(Debug, Default)]
pub(super) struct Power {
    /// An answer is on its way.
    asked: bool,
    /// That answer may be out of date when it comes.
    late: bool,
    /// It was on its battery when somebody looked last …
    low: bool,
    /// … which was then.
    seen: Option<Mono>,
}

impl Power {
    pub(super) fn seen(&mut self, on_battery: bool, now: Mono) {
        let seen = (!self.late).then_some(now);
        *self = Self { low: on_battery, seen, ..Self::default() };
    }

    /// It is to be looked at anew before it is relied on.
    pub(super) fn forget(&mut self) {
        (self.seen, self.late) = (None, self.asked);
    }

    fn is_fresh(&self, now: Mono) -> bool {
        self.seen.is_some_and(|at| now < at.plus(LOOK_AGAIN))
    }
}

impl Coordinator {
    /// Whether what is ready may be filed now; asks where that is not known.
    pub(super) fn has_power(&mut self, now: Now, out: &mut Vec<Effect>) -> bool {
        if !self.setup.pauses_on_battery() || self.ready.is_empty() {
            return true;
        }
        if self.power.is_fresh(now.mono) {
            return !self.power.low;
        }
        if !self.power.asked {
            self.power.asked = true;
            out.push(Effect::LookAtPower);
        }
        false
    }

    /// Whether files wait for mains power.
    pub fn waits_for_power(&self) -> bool {
        self.setup.pauses_on_battery() && self.power.low && !self.ready.is_empty()
    }

    /// When to look again.
    pub(super) fn next_look_at_power(&self) -> Option<Mono> {
        let waits = self.waits_for_power() && !self.power.asked;
        self.power.seen.filter(|_| waits).map(|at| at.plus(LOOK_AGAIN))
    }
}
