//! kindness: what is done so that nobody notices tidyd at work.
//!
//! In: a thread that says it works unasked ([`unasked`]), and the configured limit. Out: that thread, and those it starts, get the processor and the disk after everybody else's, and read no faster than they may. What a
//! person asks for is not slowed down: `organize` and `rollback` run as they are.
//!
//! May not know: files, rules, plans, the configuration's format.

mod bandwidth;
mod memory;
mod priority;

use std::cell::Cell;

pub use bandwidth::limit;
pub use memory::{be_thrifty, give_back};

thread_local! {
    static UNASKED: Cell<bool> = const { Cell::new(false) };
}

/// From now on the calling thread works unasked. There is no way back (raising a priority takes a privilege), so it is for
/// threads that do nothing else and end.
pub fn unasked() {
    priority::lower();
    UNASKED.set(true);
}

/// Whether the thread works unasked, to be handed on to those that it starts: their priority is inherited, this is not.
#[derive(Debug, Clone, Copy)]
pub struct Kind(bool);

impl Kind {
    /// That of the calling thread.
    pub fn here() -> Self {
        Self(UNASKED.get())
    }

    /// Makes it that of the calling thread, which was started by the other one.
    pub fn enter(self) {
        UNASKED.set(self.0);
    }
}

/// To be called when so many bytes of a file's content have been read: waits, where a thread that works unasked would read
/// on faster than it may.
pub fn have_read(bytes: usize) {
    if UNASKED.get() {
        bandwidth::wait_for(bytes);
    }
}
