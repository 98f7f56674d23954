//! Callers of `tidyctl wait`.
//!
//! A waiter may only be answered once everything that happened *before* it asked has been heard. So it
//! asks the watcher for a cookie, an event that comes back through the same queue; an empty house
//! before the cookie proves nothing.

use std::time::Duration;

use tidy_core::settle::Mono;

use super::event::{Answer, Effect, Ticket};

/// A cookie that takes longer than this will not come: nothing can be watched, or the queue overflowed.
const COOKIE_PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug)]
struct Waiter {
    ticket: Ticket,
    deadline: Mono,
    cookie: u64,
    asked: Mono,
    heard: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    list: Vec<Waiter>,
    next_cookie: u64,
}

impl Waiters {
    /// Adds one; returns the cookie to be asked for.
    pub(super) fn add(&mut self, ticket: Ticket, deadline: Mono, now: Mono) -> u64 {
        self.next_cookie += 1;
        let cookie = self.next_cookie;
        self.list.push(Waiter { ticket, deadline, cookie, asked: now, heard: false });
        cookie
    }

    /// The watcher has heard everything up to this cookie.
    pub(super) fn cookie(&mut self, n: u64) {
        self.list.iter_mut().filter(|w| w.cookie <= n).for_each(|w| w.heard = true);
    }

    /// Whether some cookie should have come by now.
    pub(super) fn cookies_overdue(&self, now: Mono) -> bool {
        self.list.iter().any(|w| !w.heard && w.asked.plus(COOKIE_PATIENCE) <= now)
    }

    /// Counts missing cookies as heard; the caller scans everything instead.
    pub(super) fn give_up_cookies(&mut self) {
        self.list.iter_mut().for_each(|w| w.heard = true);
    }

    /// Answers those who may go: everything is done, or their time is up.
    pub(super) fn expire(&mut self, now: Mono, idle: bool, out: &mut Vec<Effect>) {
        self.list.retain(|w| {
            let drained = w.heard && idle;
            let go = drained || w.deadline <= now;
            if go {
                out.push(Effect::Answer(w.ticket, Answer::Drained(drained)));
            }
            !go
        });
    }

    /// When the next one runs out of time, or of patience with its cookie.
    pub(super) fn next_deadline(&self, now: Mono) -> Option<Mono> {
        let patience = |w: &Waiter| w.asked.plus(COOKIE_PATIENCE);
        self.list
            .iter()
            .map(|w| if w.heard { w.deadline } else { w.deadline.min(patience(w)) })
            .min()
            .map(|at| at.max(now))
    }
}
