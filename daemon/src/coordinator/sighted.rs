//! From what a scan has found to what is settled: files are held, wait, are probed, and are ready.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tidy_core::breaker::Standing;
use tidy_core::facts::Stat;
use tidy_core::settle::{Mono, Probe, Sighted, Verdict};

use super::{Coordinator, Effect, Now, Scanned, Sighting};

/// Files probed by one effect.
const PROBES: usize = 1024;

/// Files that come due within this time of each other are probed, filed and undone together: what
/// one `cp` brought should be one batch. A file that comes alone does not wait.
const GATHER: Duration = Duration::from_millis(100);

/// The longest that a file waits for those after it.
const GATHER_MAX: Duration = Duration::from_secs(1);

/// When the settler is full, the directory is looked at again after this.
const RETRY: Duration = Duration::from_secs(2);

impl Coordinator {
    pub(super) fn scanned(&mut self, scanned: Scanned, now: Now, out: &mut Vec<Effect>) {
        if scanned.unwatched {
            scanned.read.iter().for_each(|dir| self.roots.unwatched(dir, now.mono));
        }
        for problem in scanned.problems {
            out.push(Effect::Report(problem));
        }
        for dir in scanned.new_dirs {
            self.walk(dir);
        }
        for dir in &scanned.read {
            self.held.remove(dir);
        }
        for s in scanned.sightings {
            self.sighted(s, now);
        }
        for path in scanned.vanished {
            self.let_go(&path);
            self.settler.forget(&path);
            self.settling.remove(&path);
            self.ready.remove(&path);
        }
        if let Some(at) = scanned.revisit_at {
            self.revisit_at = Some(self.revisit_at.map_or(at, |r| r.min(at)));
        }
    }

    pub(super) fn sighted(&mut self, sighting: Sighting, now: Now) {
        let Sighting { mut candidate, held_by } = sighting;
        let path = candidate.path();
        // The scan may have begun under an earlier configuration.
        match self.setup.root(&candidate.root.path) {
            Some(root) => candidate.root = root.clone(),
            None => return,
        }
        if self.stopping || self.roots.is_paused(&path) {
            return;
        }
        if self.filing.values().any(|f| f.contains_key(&path)) {
            self.seen_in_flight.insert(path);
            return;
        }
        self.let_go(&path);
        // A doubled hint changes nothing; a file that has changed, or is held now, settles again.
        let settled = self.ready.get(&path);
        if held_by.is_none() && settled.is_some_and(|c| is_unchanged(&c.stat, &candidate.stat)) {
            return;
        }
        // What has arrived stays new, however often it is found.
        if settled.or(self.settling.get(&path)).is_some_and(|c| c.standing == Standing::New) {
            candidate.standing = Standing::New;
        }
        self.ready.remove(&path);
        if let Some(sibling) = held_by {
            self.settler.forget(&path);
            self.settling.remove(&path);
            if let (Some(dir), Some(name)) = (path.parent(), path.file_name()) {
                self.held.entry(dir.to_owned()).or_default().insert(name.to_owned(), sibling);
            }
            return;
        }
        let settle = candidate.root.settle;
        match self.settler.sighted(&path, &candidate.stat, settle, now.wall, now.mono) {
            Sighted::Due(_) => {
                self.arriving.sighted(&candidate, &candidate.root.all_companions(), now);
                self.settling.insert(path, candidate, now.mono);
            }
            Sighted::Full => {
                let dir = path.parent().unwrap_or(&path).to_owned();
                let dirs = self.later.entry(now.mono.plus(RETRY)).or_default();
                if dirs.last() != Some(&dir) {
                    dirs.push(dir);
                }
            }
        }
    }

    /// The file is not held, as far as is known.
    fn let_go(&mut self, path: &Path) {
        let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else { return };
        if let Some(held) = self.held.get_mut(dir) {
            held.remove(name);
            if held.is_empty() {
                self.held.remove(dir);
            }
        }
    }

    pub(super) fn probed(&mut self, probes: Vec<(PathBuf, Probe)>, now: Now) {
        for (path, probe) in probes {
            self.probing.remove(&path);
            match self.settler.probed(&path, probe, now.wall, now.mono) {
                Verdict::Settled(stat) => {
                    if let Some((mut candidate, since)) = self.settling.remove(&path) {
                        self.tally.settled.observe(now.mono.since(since));
                        candidate.stat = stat;
                        self.ready.push(candidate, now.mono);
                        self.none_may_go = false;
                    }
                }
                Verdict::Wait | Verdict::Replaced => {}
                Verdict::Gone => {
                    self.settling.remove(&path);
                    self.look_again(vec![path]);
                }
                // It is found again by the next walk.
                Verdict::GaveUp => {
                    self.settling.remove(&path);
                }
            }
        }
    }

    pub(super) fn probe_what_is_due(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.next_probe().is_none_or(|at| at > now.mono) {
            return;
        }
        let mut due = self.settler.due(now.mono, PROBES);
        due.retain(|p| self.settling.get(p).is_some());
        if !due.is_empty() {
            self.probing.extend(due.iter().cloned());
            let places = due.iter().filter_map(|p| self.settling.get(p)?.place()).collect();
            out.push(Effect::Probe(places));
        }
    }

    /// When to probe next; not before the probes under way have been answered.
    pub(super) fn next_probe(&self) -> Option<Mono> {
        if self.probing.is_empty() {
            self.settler.next_due_together(GATHER, GATHER_MAX)
        } else {
            None
        }
    }
}

/// Whether nothing has happened to the file between two looks.
fn is_unchanged(before: &Stat, now: &Stat) -> bool {
    before.id == now.id && before.ctime == now.ctime
}
