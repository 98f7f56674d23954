//! coordinator: the one place that knows what is going on.
//!
//! A synchronous machine: [`Coordinator::handle`] takes one closed [`Event`] and the time, and answers
//! with [`Effect`]s. It reads no file, starts no thread and has no clock; the service room performs the
//! effects and feeds back what they found. So every order of events can be tested without a runtime.
//!
//! In: hints from the watcher, what scans and probes found, ends of batches, commands. Out: what to scan,
//! probe, file, answer and announce next. Hints may be lost, doubled or late; the state here says only
//! what has *not* been dealt with yet, and anything forgotten is found again by the next walk.
//!
//! May not know: the catalog, the journal, sockets, what a rule is.

mod about;
mod arriving;
mod batches;
mod event;
mod guard;
mod looking;
mod pace;
mod power;
mod ready;
mod roots;
mod settling;
mod sighted;
mod tally;
mod waiters;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tidy_core::UnixNanos;
use tidy_core::breaker::{Standing, Trip};
use tidy_core::settle::{Mono, Settler};

pub use about::{About, Stage};
pub use event::{
    Answer, Command, Effect, Event, Now, Pending, Problem, RootStatus, Scanned, Sighting, Ticket,
    WalkStep,
};
pub use roots::RootState;
pub use tally::Tally;

use crate::filing::Setup;
use crate::watch::{DirtySet, Limits};
use arriving::Arriving;
use guard::Guard;
use pace::Pace;
use power::Power;
use ready::Ready;
use roots::Roots;
use settling::Settling;
use waiters::Waiters;

/// A walk goes on only while fewer files than this wait to settle or to be filed.
const HIGH_WATER: usize = 16_384;

/// When a batch could not be journaled, its files are tried again after this.
const RETRY_FAILED: Duration = Duration::from_secs(60);

/// Between two collections of files whose time has come.
const BETWEEN_REVISITS: Duration = Duration::from_secs(1);

/// See the module's documentation.
pub struct Coordinator {
    setup: Arc<Setup>,
    roots: Roots,
    dirty: DirtySet,
    /// Subtrees to be walked, absolute; no entry lies beneath another of the same area.
    walks: VecDeque<PathBuf>,
    /// The subtree being walked.
    walking: Option<PathBuf>,
    scanner_busy: bool,
    pace: Pace,
    /// The last turn of the scanner was a step of a walk: hints go first next time.
    walked_last: bool,
    settler: Settler,
    /// Everything known of the files in the settler.
    settling: Settling,
    probing: HashSet<PathBuf>,
    /// Files held back by an unfinished sibling: directory → name → sibling.
    held: BTreeMap<PathBuf, BTreeMap<OsString, OsString>>,
    /// Settled, waiting for a batch.
    ready: Ready,
    guard: Guard,
    power: Power,
    arriving: Arriving,
    /// All that is ready waits for its directory to have arrived: not to be looked through each time.
    none_may_go: bool,
    /// Files of the batches under way.
    filing: HashMap<u64, HashMap<PathBuf, UnderWay>>,
    /// Files that a scan found changed while they were being filed: looked at again afterwards.
    seen_in_flight: HashSet<PathBuf>,
    next_batch: u64,
    /// Directories to be marked dirty at a moment (retries).
    later: BTreeMap<Mono, Vec<PathBuf>>,
    /// The next moment at which a file's age changes a decision.
    revisit_at: Option<UnixNanos>,
    /// When that was last the case.
    revisited: Option<Mono>,
    waiters: Waiters,
    jobs_running: usize,
    /// Watches were distrusted: when every area has been walked again, the dead ones go.
    sweep_after_walks: bool,
    stopping: bool,
    /// It has been said.
    stopped: bool,
    tally: Arc<Tally>,
}

/// A file that is being filed.
#[derive(Debug, Clone)]
struct UnderWay {
    /// The path of its root.
    root: Arc<Path>,
    standing: Standing,
    /// When it had come to rest.
    settled: Mono,
}

impl Coordinator {
    /// Starts with every area to be walked; `trips` are the roots that were stopped when the last run
    /// ended, and still are.
    pub fn new(setup: Arc<Setup>, trips: BTreeMap<PathBuf, Trip>, now: Now) -> (Self, Vec<Effect>) {
        let mut me = Self {
            roots: Roots::new(&setup, now.mono),
            guard: Guard::new(&setup, trips),
            setup,
            dirty: DirtySet::new(Limits::default()),
            walks: VecDeque::new(),
            walking: None,
            scanner_busy: false,
            pace: Pace::default(),
            walked_last: false,
            settler: Settler::default(),
            settling: Settling::default(),
            probing: HashSet::new(),
            held: BTreeMap::new(),
            ready: Ready::default(),
            power: Power::default(),
            arriving: Arriving::default(),
            none_may_go: false,
            filing: HashMap::new(),
            seen_in_flight: HashSet::new(),
            next_batch: 1,
            later: BTreeMap::new(),
            revisit_at: None,
            revisited: None,
            waiters: Waiters::default(),
            jobs_running: 0,
            sweep_after_walks: false,
            stopping: false,
            stopped: false,
            tally: Arc::default(),
        };
        me.dirty.set_roots(me.setup.areas().map(Arc::from));
        me.pause_the_stopped();
        me.walk_everything();
        let mut out = Vec::new();
        me.pump(now, &mut out);
        (me, out)
    }

    /// The same, counting from now on where somebody reads it.
    #[must_use]
    pub fn with_tally(self, tally: Arc<Tally>) -> Self {
        Self { tally, ..self }
    }

    /// Takes one event and says what is to be done.
    pub fn handle(&mut self, event: Event, now: Now) -> Vec<Effect> {
        let mut out = Vec::new();
        match event {
            Event::Hints(hints) => {
                hints.into_iter().for_each(|hint| self.hint(hint, &mut out));
            }
            Event::CookieAsked { ask, cookie } => self.waiters.asked(ask, cookie),
            Event::Scanned(scanned) => {
                self.scanner_busy = false;
                self.pace.end(now.mono);
                self.scanned(scanned, now, &mut out);
            }
            Event::Walked { scanned, finished } => {
                self.scanner_busy = false;
                if let Some(dir) = &self.walking {
                    self.guard.walked(dir, scanned.lying, finished);
                }
                if finished {
                    self.walk_finished(&scanned, now);
                }
                self.scanned(scanned, now, &mut out);
            }
            Event::Probed(probes) => self.probed(probes, now),
            Event::BatchDone { batch, again, touched } => {
                self.count(batch, &touched, now);
                self.batch_ended(batch);
                self.look_again(again);
            }
            Event::BatchFailed { batch, files } => {
                self.batch_ended(batch);
                let mut dirs: Vec<PathBuf> =
                    files.iter().filter_map(|f| f.parent()).map(Path::to_owned).collect();
                dirs.sort();
                dirs.dedup();
                self.later.entry(now.mono.plus(RETRY_FAILED)).or_default().append(&mut dirs);
            }
            Event::Weighed { weighing, touched } => {
                self.weighed(weighing, &touched, now, &mut out);
            }
            Event::Timer => self.timer(now, &mut out),
            Event::Revisit(at) => self.revisit_at = at,
            Event::Due(dirs) => dirs.iter().for_each(|d| self.mark_all(d)),
            Event::MountsChanged(at) => self.mounts_changed(&at, &mut out),
            Event::Power { on_battery } => self.power.seen(on_battery, now.mono),
            Event::JobStarted => self.jobs_running += 1,
            Event::JobEnded => self.jobs_running = self.jobs_running.saturating_sub(1),
            Event::Reloaded(setup) => self.reloaded(setup, now, &mut out),
            Event::Command(ticket, command) => self.command(ticket, command, now, &mut out),
        }
        self.pump(now, &mut out);
        out
    }

    /// What is known and not dealt with.
    pub fn pending(&self) -> Pending {
        Pending {
            dirty: self.dirty.len() + self.walks.len() + usize::from(self.walking.is_some()),
            settling: self.settling.len(),
            held: self.held.values().map(BTreeMap::len).sum(),
            ready: self.ready.len(),
            in_flight: self.ready.len() + self.filing.values().map(HashMap::len).sum::<usize>(),
            for_power: self.waits_for_power(),
        }
    }

    /// Whether every area has been walked once, or cannot be.
    pub fn is_ready(&self) -> bool {
        // A walk stops where too much waits, which can be long on a battery.
        self.roots.none_is_scanning() || self.waits_for_power()
    }

    /// Every root with its state.
    pub fn roots(&self) -> Vec<RootStatus> {
        self.roots.status(self.guard.trips(), |path| {
            self.settling.count(path) + self.ready.count(path) + self.count_filing(path)
        })
    }

    /// Nothing that has arrived is still waiting for us. Held files are not ours to wait for.
    fn is_idle(&self) -> bool {
        self.dirty.is_empty()
            && self.walks.is_empty()
            && self.walking.is_none()
            && !self.scanner_busy
            && self.settling.is_empty()
            && self.later.is_empty()
            && self.ready.is_empty()
            && self.filing.is_empty()
            && self.jobs_running == 0
    }

    fn timer(&mut self, now: Now, out: &mut Vec<Effect>) {
        while let Some(entry) = self.later.first_entry().filter(|e| *e.key() <= now.mono) {
            for dir in entry.remove() {
                self.mark_all(&dir);
            }
        }
        for area in self.roots.due(now.mono) {
            self.tally.reconciles.add();
            self.walk(area);
        }
        if self.next_revisit(now).is_some_and(|at| at <= now.mono) {
            (self.revisit_at, self.revisited) = (None, Some(now.mono));
            out.push(Effect::CollectDue(now.wall));
        }
    }

    fn reloaded(&mut self, setup: Arc<Setup>, now: Now, out: &mut Vec<Effect>) {
        let gone: Vec<PathBuf> = self
            .setup
            .areas()
            .filter(|old| !setup.areas().any(|new| old.starts_with(new)))
            .map(Path::to_owned)
            .collect();
        for area in gone {
            self.forget(&area);
            out.push(Effect::Unwatch(area));
        }
        self.roots.reload(&setup, now.mono);
        self.guard.reload(&self.setup, &setup);
        self.setup = setup;
        self.pause_the_stopped();
        self.dirty.set_roots(self.setup.areas().map(Arc::from));
        // Policies may have changed: what is waiting is sighted again under the new ones.
        let waiting: Vec<PathBuf> = self.settling.paths().cloned().collect();
        waiting.iter().for_each(|p| self.settler.forget(p));
        self.settling.clear();
        self.ready.clear();
        self.walk_everything();
    }

    /// Roots that the breaker stopped stay so.
    fn pause_the_stopped(&mut self) {
        let stopped: Vec<PathBuf> = self.guard.trips().keys().cloned().collect();
        for root in stopped {
            // One that is not there now has nothing to be paused.
            let _ = self.roots.pause(Some(&root));
        }
    }

    /// Nothing more is begun in a root that has just been paused.
    fn stop_root(&mut self, root: &Path) {
        self.forget(root);
        // The step under way is the last one: the next walk begins anew.
        self.walking.take_if(|w| w.starts_with(root));
    }

    /// Drops everything that is waiting below `area`.
    fn forget(&mut self, area: &Path) {
        let waiting: Vec<PathBuf> =
            self.settling.paths().filter(|p| p.starts_with(area)).cloned().collect();
        for path in waiting {
            self.settler.forget(&path);
            self.settling.remove(&path);
        }
        self.ready.forget_below(area);
        self.walks.retain(|w| !w.starts_with(area));
        self.held.retain(|d, _| !d.starts_with(area));
    }

    fn command(&mut self, ticket: Ticket, command: Command, now: Now, out: &mut Vec<Effect>) {
        let answer = match command {
            Command::Status => Answer::Status { roots: self.roots(), pending: self.pending() },
            Command::About(path) => Answer::About(Box::new(self.about(&path, now))),
            Command::Pause(which) => match self.roots.pause(which.as_deref()) {
                Ok(paused) => {
                    paused.iter().for_each(|root| self.stop_root(root));
                    Answer::Roots(paused)
                }
                Err(unknown) => Answer::UnknownRoot(unknown),
            },
            Command::Resume(which) => match self.roots.resume(which.as_deref()) {
                Ok(resumed) => {
                    self.end_trips(&resumed, out);
                    resumed.iter().for_each(|p| self.walk(p.clone()));
                    Answer::Roots(resumed)
                }
                Err(unknown) => Answer::UnknownRoot(unknown),
            },
            Command::Rescan(paths) => {
                let areas: Vec<PathBuf> = if paths.is_empty() {
                    self.setup.areas().map(Path::to_owned).collect()
                } else {
                    paths
                };
                match areas.iter().find(|p| !self.setup.is_known_area(p)) {
                    Some(stranger) => Answer::UnknownRoot(stranger.clone()),
                    None => {
                        areas.iter().for_each(|p| self.walk(p.clone()));
                        Answer::Roots(areas)
                    }
                }
            }
            Command::Wait { .. } if self.stopping => Answer::Drained(false),
            Command::Wait { timeout } => {
                // Who waits may have just plugged it in.
                self.power.forget();
                let cookie = self.waiters.add(ticket, now.mono.plus(timeout), now.mono);
                out.push(Effect::AskCookie(cookie));
                for root in self.roots.scan_only() {
                    self.walk(root);
                }
                return;
            }
            Command::EndWaits => {
                self.waiters.turn_away(out);
                Answer::Done
            }
            Command::Stop => {
                self.stopping = true;
                self.settling.clear();
                self.ready.clear();
                self.walks.clear();
                self.waiters.turn_away(out);
                Answer::Done
            }
        };
        out.push(Effect::Answer(ticket, answer));
    }

    /// Starts whatever can be started now.
    fn pump(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.stopping {
            if self.filing.is_empty() && !self.stopped {
                self.stopped = true;
                out.push(Effect::Stopped);
            }
            return;
        }
        if self.has_power(now, out) {
            self.weigh_what_lies(now, out);
            self.file_what_is_ready(now, out);
        }
        self.probe_what_is_due(now, out);
        self.scan_what_is_dirty(now, out);
        if self.sweep_after_walks && self.walks.is_empty() && self.walking.is_none() {
            self.sweep_after_walks = false;
            out.push(Effect::Sweep);
        }
        if self.waiters.cookies_overdue(now.mono) {
            // The watcher does not answer (or there is nothing to watch with): look everywhere.
            self.waiters.give_up_cookies();
            self.walk_everything();
            self.scan_what_is_dirty(now, out);
        }
        self.end_passes();
        let idle = self.is_idle();
        self.waiters.expire(now.mono, idle, out);
        out.push(Effect::WakeAt(self.next_wake(now)));
    }

    /// What stays due though it was looked at is looked at again, and not without a pause.
    fn next_revisit(&self, now: Now) -> Option<Mono> {
        let at = now.mono.plus(self.revisit_at?.since(now.wall));
        let rested = self.revisited.map(|last| last.plus(BETWEEN_REVISITS));
        Some(rested.map_or(at, |rested| at.max(rested)))
    }

    /// The next moment at which something happens by itself. `None`: nothing but an event wakes us.
    fn next_wake(&self, now: Now) -> Option<Mono> {
        let settle = self.next_probe();
        let arrived = self.arriving.next_end().filter(|_| !self.ready.is_empty());
        let later = self.later.keys().next().copied();
        [
            settle,
            arrived,
            self.guard.next_end(now.mono).filter(|_| !self.ready.is_empty()),
            later,
            self.next_revisit(now),
            self.roots.next_due(),
            self.next_look_at_power(),
            self.waiters.next_deadline(now.mono),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}
