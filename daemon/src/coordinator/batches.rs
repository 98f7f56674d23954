//! Batches of filing: what goes into one, and what its end means.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use tidy_core::settle::Mono;

use super::{Coordinator, Effect, Now, UnderWay};
use crate::filing::Candidate;

/// Files handed to one batch of filing.
const BATCH: usize = 512;

/// Batches under way at once: one acts while another reads.
const BATCHES: usize = 2;

impl Coordinator {
    pub(super) fn file_what_is_ready(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.arriving.expire(now.mono) {
            self.none_may_go = false;
        }
        while self.filing.len() < BATCHES && !self.none_may_go {
            let mut room = self.room(now);
            let mut refused = HashSet::new();
            let settled = self
                .ready
                .take(BATCH, |c| !self.arriving.holds(c) && has_room(c, &mut room, &mut refused));
            self.stop_the_too_fast(refused, now, out);
            if settled.is_empty() {
                self.none_may_go = true;
                return;
            }
            let batch = self.next_batch;
            self.next_batch += 1;
            let under_way = |(c, settled): &(Candidate, Mono)| {
                let root = c.root.path.clone();
                (c.path(), UnderWay { root, standing: c.standing, settled: *settled })
            };
            let files = settled.iter().map(under_way).collect();
            let candidates = settled.into_iter().map(|(c, _)| c).collect();
            self.filing.insert(batch, files);
            out.push(Effect::File { batch, candidates });
        }
    }

    /// How many files of each root may go into a batch; a root that is not named has no limit.
    fn room(&mut self, now: Now) -> HashMap<PathBuf, u64> {
        let mut room = self.guard.room(&self.setup, now.mono);
        for (root, left) in &mut room {
            *left = left.saturating_sub(self.count_filing(root) as u64);
        }
        room
    }

    /// Counts what a batch has done to the files of each root.
    pub(super) fn count(&mut self, batch: u64, touched: &HashSet<PathBuf>, now: Now) {
        for (path, file) in self.filing.get(&batch).into_iter().flatten() {
            if touched.contains(path) {
                self.tally.filed.observe(now.mono.since(file.settled));
                self.guard.acted(&file.root, file.standing, now.mono);
            }
        }
    }

    pub(super) fn batch_ended(&mut self, batch: u64) {
        self.filing.remove(&batch);
        // What had no room may have some now.
        self.none_may_go = false;
        let seen = std::mem::take(&mut self.seen_in_flight);
        self.look_again(seen.into_iter().collect());
    }
}

/// Takes up room of the file's root; a root without is noted.
fn has_room(
    candidate: &Candidate,
    room: &mut HashMap<PathBuf, u64>,
    refused: &mut HashSet<PathBuf>,
) -> bool {
    match room.get_mut(&*candidate.root.path) {
        Some(0) => {
            refused.insert(candidate.root.path.to_path_buf());
            false
        }
        Some(left) => {
            *left -= 1;
            true
        }
        None => true,
    }
}
