//! When memory that a burst has left behind goes back to the system.

use crate::coordinator::{Event, Pending};
use crate::kindness;

/// Files after which it is worth a look: a few at a time leave nothing.
const WORTH: usize = 2_000;

/// How much has been looked at since it was given back.
#[derive(Debug)]
pub(super) struct Thrift(usize);

impl Default for Thrift {
    /// The first look at everything leaves something, whatever it finds.
    fn default() -> Self {
        Self(WORTH)
    }
}

impl Thrift {
    /// What is about to be dealt with.
    pub(super) fn see(&mut self, event: &Event) {
        if let Event::Scanned(scanned) | Event::Walked { scanned, .. } = event {
            self.0 += scanned.sightings.len();
        }
    }

    /// Begins to give it back, if nothing else is to be done. Inside a runtime.
    pub(super) fn give_back(&mut self, ready: bool, pending: Pending) {
        if ready && self.0 >= WORTH && pending.is_at_rest() {
            self.0 = 0;
            tokio::task::spawn_blocking(kindness::give_back);
        }
    }
}
