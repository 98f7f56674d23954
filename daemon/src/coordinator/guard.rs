//! The circuit breakers of all roots.
//!
//! New files go as they come; only their rate is watched. Files that lay in a root before are held until
//! all of them are known. Where they are more than may be acted on, a dry run of filing counts how many
//! of them a rule wants ([`Effect::Weigh`]), and where that is too many the root is stopped before the
//! first is touched.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tidy_core::breaker::{Breaker, Lying, Standing, Trip, Why};
use tidy_core::policy::RootPolicy;
use tidy_core::settle::Mono;

use super::{Coordinator, Effect, HIGH_WATER, Now, UnderWay};
use crate::filing::Setup;

/// One of the files lying there that does not settle holds up the others for so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Everything the breakers of all roots know.
#[derive(Debug, Default)]
pub(super) struct Guard {
    roots: HashMap<PathBuf, Root>,
    /// Also of roots that are not there now: they may come back.
    trips: BTreeMap<PathBuf, Trip>,
    weighing: Option<Weighing>,
    next: u64,
}

#[derive(Debug, Default)]
struct Root {
    breaker: Breaker,
    /// Files lying there, as the last walk of all of it has found them.
    lying: u64,
    /// The same for the walk under way.
    seen: u64,
    /// Since when files that lay there wait for others.
    since: Option<Mono>,
}

#[derive(Debug)]
struct Weighing {
    id: u64,
    root: PathBuf,
    /// Files that became ready later are not part of it.
    upto: u64,
}

impl Guard {
    pub(super) fn new(setup: &Setup, trips: BTreeMap<PathBuf, Trip>) -> Self {
        let mut me = Self { trips, ..Self::default() };
        me.reload(setup, setup);
        me
    }

    /// Takes over a new configuration; a pass was given to the rules that were.
    pub(super) fn reload(&mut self, old: &Setup, new: &Setup) {
        self.weighing = None;
        self.roots.retain(|path, _| new.root(path).is_some());
        for policy in &new.roots {
            let root = self.roots.entry(policy.path.to_path_buf()).or_default();
            root.since = None;
            let before = old.root(&policy.path).map(|o| o.rules.fingerprint);
            if before != Some(policy.rules.fingerprint) {
                root.breaker.quiet();
            }
        }
    }

    /// The roots that are stopped.
    pub(super) fn trips(&self) -> &BTreeMap<PathBuf, Trip> {
        &self.trips
    }

    /// A walk of `dir` begins.
    pub(super) fn walk_begins(&mut self, dir: &Path) {
        if let Some(root) = self.roots.get_mut(dir) {
            root.seen = 0;
        }
    }

    /// A walk of `dir` has found so many files lying there.
    pub(super) fn walked(&mut self, dir: &Path, lying: u64, finished: bool) {
        if let Some(root) = self.roots.get_mut(dir) {
            root.seen += lying;
            if finished {
                root.lying = std::mem::take(&mut root.seen);
            }
        }
    }

    pub(super) fn acted(&mut self, root: &Path, standing: Standing, now: Mono) {
        if let Some(root) = self.roots.get_mut(root) {
            root.breaker.acted(standing, now);
        }
    }

    /// How many operations each root has room for.
    pub(super) fn room(&mut self, setup: &Setup, now: Mono) -> HashMap<PathBuf, u64> {
        let rooms = self.roots.iter_mut().filter_map(|(path, root)| {
            let limits = setup.root(path)?.breaker?;
            Some((path.clone(), root.breaker.room(&limits, now)))
        });
        rooms.collect()
    }

    /// A person said to go on; whether it was stopped.
    fn resume(&mut self, policy: &RootPolicy) -> bool {
        let Some(trip) = self.trips.remove(&*policy.path) else { return false };
        if let Some(root) = self.roots.get_mut(&*policy.path) {
            // Rules that have changed since are not those that the person was told of.
            let same = trip.fingerprint == policy.rules.fingerprint;
            root.breaker.resume(same && trip.why != Why::Unknown);
        }
        true
    }

    fn with_pass(&self) -> Vec<PathBuf> {
        let passed = self.roots.iter().filter(|(_, r)| r.breaker.has_pass());
        passed.map(|(p, _)| p.clone()).collect()
    }

    /// When files that wait for others do so no longer.
    pub(super) fn next_end(&self, now: Mono) -> Option<Mono> {
        let ends = self.roots.values().filter_map(|r| r.since).map(|s| s.plus(PATIENCE));
        ends.filter(|at| *at > now).min()
    }

    fn check(
        &mut self,
        policy: &RootPolicy,
        files: Lying,
        waiting: Lying,
        now: Mono,
    ) -> Option<Why> {
        let limits = policy.breaker?;
        let root = self.roots.get_mut(&*policy.path)?;
        let lying = root.lying.max(root.seen).max(waiting.left);
        root.breaker.check(&limits, files, lying, now)
    }
}

impl Coordinator {
    /// Lets go what lay in the roots, asks how much of it would be acted on, or holds it.
    pub(super) fn weigh_what_lies(&mut self, now: Now, out: &mut Vec<Effect>) {
        let roots: Vec<PathBuf> = self.ready.lying_in().map(Path::to_owned).collect();
        for path in roots {
            let Some(policy) = self.setup.root(&path).cloned() else { continue };
            let unlimited = policy.breaker.is_none() || self.has_pass(&path);
            if !unlimited && (self.is_incomplete(&path, now.mono) || self.is_under_way(&path)) {
                continue;
            }
            let waiting = self.ready.lying(&path);
            if unlimited || self.guard.check(&policy, waiting, waiting, now.mono).is_none() {
                self.admit(&path, u64::MAX);
            } else if self.guard.weighing.is_none() {
                let (candidates, upto) = self.ready.all_lying(&path);
                self.guard.next += 1;
                let id = self.guard.next;
                self.guard.weighing = Some(Weighing { id, root: path, upto });
                out.push(Effect::Weigh { weighing: id, candidates });
            }
        }
    }

    /// The answer: these files would be acted on.
    pub(super) fn weighed(
        &mut self,
        id: u64,
        touched: &HashSet<PathBuf>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some(weighing) = self.guard.weighing.take_if(|w| w.id == id) else { return };
        let Some(policy) = self.setup.root(&weighing.root).cloned() else { return };
        let files = self.ready.lying_among(&weighing.root, touched);
        let waiting = self.ready.lying(&weighing.root);
        match self.guard.check(&policy, files, waiting, now.mono) {
            None => self.admit(&weighing.root, weighing.upto),
            Some(why) => self.trip(&policy, why, now, out),
        }
    }

    /// Stops the roots that have no room for what is ready, unless something under way may yet turn
    /// out to have needed none.
    pub(super) fn stop_the_too_fast(
        &mut self,
        refused: HashSet<PathBuf>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        for path in refused {
            let Some(policy) = self.setup.root(&path).cloned() else { continue };
            let Some(limits) = policy.breaker else { continue };
            let Some(root) = self.guard.roots.get_mut(&path) else { continue };
            if root.breaker.room(&limits, now.mono) == 0 && self.count_filing(&path) == 0 {
                let why =
                    self.guard.roots.get_mut(&path).map(|r| r.breaker.too_fast(&limits, now.mono));
                if let Some(why) = why {
                    self.trip(&policy, why, now, out);
                }
            }
        }
    }

    /// Ends the passes of roots in which all that was waiting has been dealt with.
    pub(super) fn end_passes(&mut self) {
        for path in self.guard.with_pass() {
            let quiet = self.dirty.is_empty()
                && self.later.is_empty()
                && !self.is_walking(&path)
                && self.settling.count(&path) == 0
                && self.ready.count(&path) == 0
                && self.count_filing(&path) == 0;
            if let Some(root) = self.guard.roots.get_mut(&path).filter(|_| quiet) {
                root.breaker.quiet();
            }
        }
    }

    /// Ends the stops of these roots.
    pub(super) fn end_trips(&mut self, roots: &[PathBuf], out: &mut Vec<Effect>) {
        let mut ended = false;
        for path in roots {
            if let Some(policy) = self.setup.root(path).cloned() {
                ended |= self.guard.resume(&policy);
            }
        }
        if ended {
            out.push(Effect::Remember(self.guard.trips.clone()));
        }
    }

    fn trip(&mut self, policy: &RootPolicy, why: Why, now: Now, out: &mut Vec<Effect>) {
        let trip = Trip { why, time: now.wall, fingerprint: policy.rules.fingerprint };
        let root = policy.path.to_path_buf();
        self.guard.trips.insert(root.clone(), trip);
        // Known as one of ours.
        let _ = self.roots.pause(Some(&root));
        self.stop_root(&root);
        out.push(Effect::Remember(self.guard.trips.clone()));
        out.push(Effect::Tripped { root, trip });
    }

    fn admit(&mut self, root: &Path, upto: u64) {
        self.ready.admit(root, upto);
        self.none_may_go = false;
        if let Some(root) = self.guard.roots.get_mut(root) {
            root.since = None;
        }
    }

    fn has_pass(&self, root: &Path) -> bool {
        self.guard.roots.get(root).is_some_and(|r| r.breaker.has_pass())
    }

    /// Whether more files that lie in the root are about to become ready.
    fn is_incomplete(&mut self, root: &Path, now: Mono) -> bool {
        if self.settling.len() + self.ready.len() >= HIGH_WATER {
            // The walk waits for us.
            return false;
        }
        if self.is_walking(root) {
            return true;
        }
        if !self.settling.are_lying_in(root) {
            return false;
        }
        let Some(state) = self.guard.roots.get_mut(root) else { return false };
        state.since.get_or_insert(now).plus(PATIENCE) > now
    }

    fn is_walking(&self, root: &Path) -> bool {
        self.walks.iter().chain(&self.walking).any(|w| w.starts_with(root))
    }

    /// Whether files that lay in the root have been let go and are not counted yet.
    fn is_under_way(&self, root: &Path) -> bool {
        let in_batch = |f: &UnderWay| f.standing != Standing::New && *f.root == *root;
        self.ready.is_letting_go(root)
            || self.filing.values().flat_map(HashMap::values).any(in_batch)
    }

    /// Files of the root in batches under way.
    pub(super) fn count_filing(&self, root: &Path) -> usize {
        self.filing.values().map(|files| files.values().filter(|f| *f.root == *root).count()).sum()
    }
}
