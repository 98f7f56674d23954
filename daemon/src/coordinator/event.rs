//! What the coordinator hears and what it asks for.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tidy_core::UnixNanos;
use tidy_core::breaker::Trip;
use tidy_core::plan::Place;
use tidy_core::settle::{Mono, Probe};

use super::{About, RootState};
use crate::filing::{Candidate, Setup};
use crate::watch::{Hint, Names};

/// The time, passed in with every event.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    pub wall: UnixNanos,
    pub mono: Mono,
}

/// Names one waiting caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// Everything that can happen.
#[derive(Debug)]
pub enum Event {
    /// What the watcher has heard since the last time.
    Hints(Vec<Hint>),
    /// The answer to [`Effect::AskCookie`]; `None`: it could not be made.
    CookieAsked {
        ask: u64,
        cookie: Option<u64>,
    },
    /// The answer to [`Effect::Scan`].
    Scanned(Scanned),
    /// The answer to [`Effect::Walk`].
    Walked {
        scanned: Scanned,
        finished: bool,
    },
    /// The answer to [`Effect::Probe`].
    Probed(Vec<(PathBuf, Probe)>),
    /// The answer to [`Effect::File`]; `again` are files that changed under our hands, `touched` those
    /// that something was done to.
    BatchDone {
        batch: u64,
        again: Vec<PathBuf>,
        touched: HashSet<PathBuf>,
    },
    /// The other answer to [`Effect::File`]: these files were not dealt with (the journal could not be
    /// written), and are to be tried again after a while.
    BatchFailed {
        batch: u64,
        files: Vec<PathBuf>,
    },
    /// The answer to [`Effect::Weigh`]: the files that something would be done to.
    Weighed {
        weighing: u64,
        touched: HashSet<PathBuf>,
    },
    /// The moment of [`Effect::WakeAt`] has come.
    Timer,
    /// The earliest moment at which a file's age changes a decision, as the catalog knows it.
    Revisit(Option<UnixNanos>),
    /// The answer to [`Effect::CollectDue`] and [`Effect::CollectWaiting`].
    Due(Vec<PathBuf>),
    /// Something was mounted or unmounted at these places.
    MountsChanged(Vec<PathBuf>),
    /// The answer to [`Effect::LookAtPower`].
    Power {
        on_battery: bool,
    },
    /// An `organize`, `rollback` or `redo` began, or ended.
    JobStarted,
    JobEnded,
    /// A new configuration has been read and is good.
    Reloaded(Arc<Setup>),
    Command(Ticket, Command),
}

/// What people ask of it.
#[derive(Debug)]
pub enum Command {
    Status,
    /// What a file is waiting for.
    About(PathBuf),
    /// One root, or all.
    Pause(Option<PathBuf>),
    Resume(Option<PathBuf>),
    /// Directories to be walked again; none: everything.
    Rescan(Vec<PathBuf>),
    /// Answers when everything that has arrived is settled and filed.
    Wait {
        timeout: Duration,
    },
    /// Whoever waits need not wait on: what has arrived cannot be filed.
    EndWaits,
    /// Start nothing new; [`Effect::Stopped`] follows when the batches under way have ended.
    Stop,
}

/// What a ticket's holder gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Done,
    Status {
        roots: Vec<RootStatus>,
        pending: Pending,
    },
    About(Box<About>),
    /// The roots concerned.
    Roots(Vec<PathBuf>),
    /// No root has this path.
    UnknownRoot(PathBuf),
    /// Whether everything has been dealt with, or the time ran out first.
    Drained(bool),
}

/// Everything it can ask for.
#[derive(Debug)]
pub enum Effect {
    /// Watch and read these directories (or these names in them).
    Scan(Vec<(PathBuf, Names)>),
    /// Walk a bounded part of a subtree, watching every directory before it is read.
    Walk(WalkStep),
    /// Look at these files and at who has them open.
    Probe(Vec<Place>),
    File {
        batch: u64,
        candidates: Vec<Candidate>,
    },
    /// Find out which of these files a rule would act on; do nothing to them.
    Weigh {
        weighing: u64,
        candidates: Vec<Candidate>,
    },
    /// The root was stopped before too much was done to it.
    Tripped {
        root: PathBuf,
        trip: Trip,
    },
    /// These are all the roots that are stopped: the next start must know.
    Remember(BTreeMap<PathBuf, Trip>),
    /// Ask the catalog which directories hold files whose age has changed a decision.
    CollectDue(UnixNanos),
    /// Ask the catalog which directories hold files that wait for something at their destination.
    CollectWaiting,
    /// Find out whether the machine runs on its battery.
    LookAtPower,
    /// Make the watcher hear a cookie, behind everything that happened before.
    AskCookie(u64),
    /// Rely on no watch at this path or below it any more.
    Unwatch(PathBuf),
    /// Rely on no watch at all until it has been renewed …
    Distrust,
    /// … and drop those that have not been.
    Sweep,
    /// Send [`Event::Timer`] then, or not at all; replaces any earlier one.
    WakeAt(Option<Mono>),
    Answer(Ticket, Answer),
    /// Something a person should know.
    Report(Problem),
    Stopped,
}

/// One turn of a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WalkStep {
    Start(PathBuf),
    Continue,
}

/// What reading directories found.
#[derive(Debug, Default)]
pub struct Scanned {
    /// Files that are new, have changed, or were never decided.
    pub sightings: Vec<Sighting>,
    /// Directories nobody has walked yet.
    pub new_dirs: Vec<PathBuf>,
    /// Directories that were read as a whole.
    pub read: Vec<PathBuf>,
    /// Files that rules may be asked about, in the directories that were read as a whole.
    pub lying: u64,
    /// Files that are gone.
    pub vanished: Vec<PathBuf>,
    pub problems: Vec<Problem>,
    /// Set when the root itself cannot be read.
    pub root_problem: Option<RootState>,
    /// Some directories could not be watched.
    pub unwatched: bool,
    pub revisit_at: Option<UnixNanos>,
}

/// One file seen by a scan.
#[derive(Debug, Clone)]
pub struct Sighting {
    pub candidate: Candidate,
    /// An unfinished sibling that holds it back.
    pub held_by: Option<OsString>,
}

/// Something that went wrong and does not stop us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub path: PathBuf,
    pub text: String,
}

/// Counts of what is not dealt with yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pending {
    /// Directories to be read.
    pub dirty: usize,
    /// Files that are not quiet yet.
    pub settling: usize,
    /// Files held back by an unfinished download beside them.
    pub held: usize,
    /// Files that are quiet and wait for a batch.
    pub ready: usize,
    /// Files being filed, or about to be: with those that are ready.
    pub in_flight: usize,
    /// What is ready waits for mains power.
    pub for_power: bool,
}

impl Pending {
    /// Nothing is being done, nor about to be. What is held is not ours to wait for.
    pub fn is_at_rest(&self) -> bool {
        self.dirty + self.settling + self.in_flight == 0
    }
}

/// One root, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootStatus {
    pub path: PathBuf,
    pub state: RootState,
    pub pending: usize,
    /// Why it was stopped, when tidyd did it by itself.
    pub trip: Option<Trip>,
}
