//! Where to look next: hints, directories to be looked at again, subtrees to be walked, and the scanner's turns.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{Coordinator, Effect, HIGH_WATER, Now, Scanned, WalkStep};
use crate::watch::{Hint, Names};

/// Directories handed to one scan.
const DIRS: usize = 256;

impl Coordinator {
    pub(super) fn hint(&mut self, hint: Hint, out: &mut Vec<Effect>) {
        match hint {
            Hint::Dirty { dir, name } => {
                self.mark(&dir, name);
                // A missing root is waited for in its nearest existing parent.
                for root in self.roots.missing_below(&dir) {
                    self.walk(root);
                }
            }
            Hint::DirGone(dir) => {
                if self.setup.areas().any(|a| a == dir) {
                    self.walk(dir.clone());
                }
                out.push(Effect::Unwatch(dir));
            }
            Hint::Overflow => {
                self.tally.overflows.add();
                self.sweep_after_walks = true;
                out.push(Effect::Distrust);
                self.walk_everything();
            }
            Hint::Error(why) => {
                self.tally.watch_errors.add();
                tracing::warn!(%why, "watching failed; everything is scanned again");
                self.walk_everything();
            }
            Hint::Cookie(n) => self.waiters.heard(n),
        }
    }

    pub(super) fn mark(&mut self, dir: &Path, name: Option<OsString>) {
        if self.roots.is_paused(dir) {
            return;
        }
        // A change beside a held file may be the end of what held it.
        if let Some(held) = self.held.get(dir) {
            for name in held.keys() {
                self.dirty.mark(dir, Some(name));
            }
        }
        self.dirty.mark(dir, name.as_deref());
    }

    pub(super) fn mark_all(&mut self, dir: &Path) {
        self.mark(dir, None);
    }

    pub(super) fn look_again(&mut self, paths: Vec<PathBuf>) {
        for path in paths {
            if let Some(dir) = path.parent() {
                self.mark(dir, path.file_name().map(ToOwned::to_owned));
            }
        }
    }

    pub(super) fn walk_everything(&mut self) {
        let areas: Vec<PathBuf> = self.setup.areas().map(Path::to_owned).collect();
        areas.into_iter().for_each(|a| self.walk(a));
    }

    /// Roots that were not there may be there now, and what is in another file system than before is another directory
    /// under the same name: no watch tells of that. Files may wait for a disk elsewhere. Other mounts concern nobody.
    pub(super) fn mounts_changed(&mut self, at: &[PathBuf], out: &mut Vec<Effect>) {
        self.walk_problem_roots();
        if self.setup.awaits_any(at) {
            out.push(Effect::CollectWaiting);
        }
        let mut other = Vec::new();
        for area in self.setup.areas() {
            other.extend(at.iter().filter_map(|at| {
                let at = at.as_path();
                if area.starts_with(at) { Some(area) } else { at.starts_with(area).then_some(at) }
            }));
        }
        let other: BTreeSet<PathBuf> = other.into_iter().map(Path::to_owned).collect();
        other.iter().for_each(|dir| self.mark_all(dir));
    }

    fn walk_problem_roots(&mut self) {
        for root in self.roots.with_problems() {
            self.walk(root);
        }
    }

    /// Queues a subtree, unless one above it is queued; swallows those beneath it. A root that lies in
    /// the duplicates' scope is an area of its own: the walk of the scope does not look for its files.
    pub(super) fn walk(&mut self, dir: PathBuf) {
        if self.roots.is_paused(&dir) {
            return;
        }
        let area = self.roots.area_of(&dir).map(Path::to_owned);
        let together = |other: &Path| self.roots.area_of(other) == area.as_deref();
        if self.walks.iter().any(|w| dir.starts_with(w) && together(w)) {
            return;
        }
        self.walks.retain(|w| !(w.starts_with(&dir) && together(w)));
        self.walks.push_back(dir);
    }

    pub(super) fn walk_finished(&mut self, scanned: &Scanned, now: Now) {
        if let Some(dir) = self.walking.take() {
            self.tally.walks.add();
            self.roots.walked(&dir, scanned.root_problem, scanned.unwatched, now.mono);
        }
    }

    /// Gives the scanner its next job: hints and walks take turns, so that neither waits for the other.
    pub(super) fn scan_what_is_dirty(&mut self, now: Now, out: &mut Vec<Effect>) {
        // Again until something is under way: what was taken may all be paused, or become a walk.
        while !self.scanner_busy {
            let room = self.settling.len() + self.ready.len() < HIGH_WATER;
            let may_walk = room && (self.walking.is_some() || !self.walks.is_empty());
            let walks_turn = self.dirty.is_empty() || !self.walked_last;
            if may_walk && walks_turn {
                self.walked_last = true;
                self.walk_on(out);
            } else if !self.dirty.is_empty() {
                self.walked_last = false;
                self.scan_some(now, out);
            } else {
                return;
            }
        }
    }

    fn scan_some(&mut self, now: Now, out: &mut Vec<Effect>) {
        let (mut dirs, mut whole) = (Vec::new(), Vec::new());
        for (dir, names) in self.dirty.take(DIRS) {
            match names {
                Names::Tree => self.walk(dir),
                _ if self.roots.is_paused(&dir) => {}
                Names::All => match self.pace.rests_until(&dir, now.mono) {
                    Some(until) => {
                        let later = self.later.entry(until).or_default();
                        if !later.contains(&dir) {
                            later.push(dir);
                        }
                    }
                    None => {
                        whole.push(dir.clone());
                        dirs.push((dir, Names::All));
                    }
                },
                names => dirs.push((dir, names)),
            }
        }
        if !dirs.is_empty() {
            self.pace.begin(whole, now.mono);
            self.scanner_busy = true;
            out.push(Effect::Scan(dirs));
        }
    }

    fn walk_on(&mut self, out: &mut Vec<Effect>) {
        self.scanner_busy = true;
        let step = match &self.walking {
            Some(_) => WalkStep::Continue,
            None => {
                let dir = self.walks.pop_front().unwrap_or_default();
                self.guard.walk_begins(&dir);
                self.walking = Some(dir.clone());
                WalkStep::Start(dir)
            }
        };
        out.push(Effect::Walk(step));
    }
}
