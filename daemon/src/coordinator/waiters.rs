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
    /// Names its request for a cookie.
    ask: u64,
    /// The cookie it waits for, once that is made.
    cookie: Option<u64>,
    asked: Mono,
    heard: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    list: Vec<Waiter>,
    next_ask: u64,
    /// The last cookie heard: it may come before we are told that it was made.
    last_heard: u64,
    /// Some cookie could not be made.
    without_cookie: bool,
}

impl Waiters {
    /// Adds one; returns the name of its request for a cookie.
    pub(super) fn add(&mut self, ticket: Ticket, deadline: Mono, now: Mono) -> u64 {
        self.next_ask += 1;
        let ask = self.next_ask;
        let waiter = Waiter { ticket, deadline, ask, cookie: None, asked: now, heard: false };
        self.list.push(waiter);
        ask
    }

    /// A cookie has been made, or could not be.
    pub(super) fn asked(&mut self, ask: u64, cookie: Option<u64>) {
        self.without_cookie |= cookie.is_none();
        for waiter in self.list.iter_mut().filter(|w| w.ask == ask) {
            waiter.cookie = cookie;
        }
        self.heard(self.last_heard);
    }

    /// The watcher has heard everything up to this cookie.
    pub(super) fn heard(&mut self, n: u64) {
        self.last_heard = self.last_heard.max(n);
        for waiter in self.list.iter_mut().filter(|w| w.cookie.is_some_and(|c| c <= n)) {
            waiter.heard = true;
        }
    }

    /// Whether some cookie should have come by now.
    pub(super) fn cookies_overdue(&self, now: Mono) -> bool {
        self.without_cookie
            || self.list.iter().any(|w| !w.heard && w.asked.plus(COOKIE_PATIENCE) <= now)
    }

    /// Counts missing cookies as heard; the caller scans everything instead.
    pub(super) fn give_up_cookies(&mut self) {
        self.without_cookie = false;
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

    /// Answers everybody: nothing more will be done.
    pub(super) fn turn_away(&mut self, out: &mut Vec<Effect>) {
        let everybody = self.list.drain(..);
        out.extend(everybody.map(|w| Effect::Answer(w.ticket, Answer::Drained(false))));
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
