//! A shell for the coordinator: a tree of files in memory, a survey, a watcher and hands that answer
//! its effects when the test says so. It checks after every event what must always hold.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tidy_core::UnixNanos;
use tidy_core::breaker::{Limits, Standing, Trip};
use tidy_core::facts::{FileType, Identity, Stat};
use tidy_core::ignore::Ignore;
use tidy_core::plan::Place;
use tidy_core::policy::{Conflict, Duplicates, Keep, Others, RootPolicy};
use tidy_core::rules::RuleSet;
use tidy_core::settle::{Mono, Probe, Siblings, Writers};

use crate::coordinator::{
    Answer, Command, Coordinator, Effect, Event, Now, Problem, RootState, Scanned, Sighting,
    Ticket, WalkStep,
};
use crate::filing::{Candidate, Setup};
use crate::inspect::CategoryTable;
use crate::watch::{Hint, Names};

pub(super) const SETTLE: Duration = Duration::from_secs(2);
pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// A machine that is not quiet after so many answers goes round in circles.
const TURNS: usize = 20_000;

/// What a file's writer is doing, beside its stat.
#[derive(Debug, Clone, Copy)]
pub(super) struct File {
    pub(super) stat: Stat,
    pub(super) open: bool,
}

/// What the catalog would say of a file.
#[derive(Debug, Clone, Copy)]
struct Known {
    id: Identity,
    decided: bool,
    standing: Standing,
}

/// What the scanner's thread was asked for last.
#[derive(Debug)]
pub(super) enum Job {
    Scan(Vec<(PathBuf, Names)>),
    Walk(WalkStep),
}

pub(super) struct House {
    pub(super) me: Coordinator,
    pub(super) setup: Arc<Setup>,
    pub(super) now: Now,
    pub(super) files: BTreeMap<PathBuf, File>,
    pub(super) dirs: BTreeSet<PathBuf>,
    known: BTreeMap<PathBuf, Known>,
    watched: BTreeSet<PathBuf>,
    /// No directory can be watched.
    pub(super) unwatchable: bool,
    pub(super) job: Option<Job>,
    stack: Option<Vec<PathBuf>>,
    /// The root that the walk began in; in the scope it looks for no candidates.
    walk_root: Option<Arc<RootPolicy>>,
    /// The configuration was replaced behind the job under way.
    reloaded: bool,
    pub(super) probe: Option<Vec<Place>>,
    pub(super) batches: BTreeMap<u64, Vec<Candidate>>,
    /// Batches that have been carried out, with the files they give back.
    acted: BTreeMap<u64, (Vec<PathBuf>, HashSet<PathBuf>)>,
    /// Files to be weighed.
    pub(super) weighing: Option<(u64, Vec<Candidate>)>,
    /// The roots that are to be remembered as stopped.
    pub(super) remembered: BTreeMap<PathBuf, Trip>,
    pub(super) trips: Vec<(PathBuf, Trip)>,
    pub(super) cookies: VecDeque<u64>,
    pub(super) due: Option<UnixNanos>,
    /// Somebody is to look how the machine is powered.
    pub(super) power_asked: bool,
    pub(super) on_battery: bool,
    pub(super) wake: Option<Mono>,
    pub(super) asked: BTreeSet<Ticket>,
    pub(super) answers: BTreeMap<Ticket, Answer>,
    /// Inode numbers that were filed, in order.
    pub(super) filed: Vec<u64>,
    /// Everything that was asked for, in a word or two each.
    pub(super) log: Vec<String>,
    pub(super) stopped: usize,
    next_ino: u64,
    next_ticket: u64,
    last_cookie: u64,
}

pub(super) fn root(path: &str) -> RootPolicy {
    RootPolicy {
        path: Path::new(path).into(),
        given: path.into(),
        recursive: true,
        whole_unpacked: true,
        settle: SETTLE,
        conflict: Conflict::Rename,
        rules: Arc::new(RuleSet::default()),
        ignore: Arc::new(Ignore::default()),
        duplicates: Arc::new(Duplicates {
            scope: Vec::new(),
            keep: Keep::Oldest,
            others: Others::Report,
        }),
        companions: Default::default(),
        breaker: Some(Limits::default()),
    }
}

pub(super) fn setup(roots: &[&str], scope: &[&str]) -> Arc<Setup> {
    let roots = roots.iter().map(|r| Arc::new(root(r))).collect();
    let scope = scope.iter().map(PathBuf::from).collect();
    Arc::new(Setup::new(None, roots, scope, CategoryTable::new([]), "/trash".into()))
}

impl House {
    /// With the roots `/q` and `/r`, empty, walked and quiet.
    pub(super) fn new() -> Self {
        let mut me = Self::before_start(setup(&["/q", "/r"], &[]));
        me.start();
        me.settle_down();
        me.log.clear();
        me
    }

    /// Nothing has been asked for yet.
    pub(super) fn before_start(setup: Arc<Setup>) -> Self {
        let now = Now { wall: UnixNanos::from_parts(1_700_000_000, 0), mono: Mono(1) };
        let (me, _) = Coordinator::new(setup.clone(), BTreeMap::new(), now);
        Self {
            me,
            now,
            dirs: setup.areas().map(Path::to_owned).collect(),
            setup,
            files: BTreeMap::new(),
            known: BTreeMap::new(),
            watched: BTreeSet::new(),
            unwatchable: false,
            job: None,
            stack: None,
            walk_root: None,
            reloaded: false,
            probe: None,
            batches: BTreeMap::new(),
            acted: BTreeMap::new(),
            weighing: None,
            remembered: BTreeMap::new(),
            trips: Vec::new(),
            cookies: VecDeque::new(),
            due: None,
            power_asked: false,
            on_battery: false,
            wake: None,
            asked: BTreeSet::new(),
            answers: BTreeMap::new(),
            filed: Vec::new(),
            log: Vec::new(),
            stopped: 0,
            next_ino: 1,
            next_ticket: 1,
            last_cookie: 0,
        }
    }

    pub(super) fn start(&mut self) {
        let (me, effects) = Coordinator::new(self.setup.clone(), self.remembered.clone(), self.now);
        self.me = me;
        self.perform(effects);
    }

    pub(super) fn send(&mut self, event: Event) {
        let effects = self.me.handle(event, self.now);
        self.perform(effects);
    }

    pub(super) fn hint(&mut self, path: &str) {
        let path = Path::new(path);
        let dir = path.parent().unwrap().to_owned();
        let name = path.file_name().map(OsStr::to_owned);
        self.send(Event::Hints(vec![Hint::Dirty { dir, name }]));
    }

    pub(super) fn command(&mut self, command: Command) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.asked.insert(ticket);
        self.send(Event::Command(ticket, command));
        ticket
    }

    pub(super) fn wait(&mut self) -> Ticket {
        self.command(Command::Wait { timeout: HOUR })
    }

    pub(super) fn drained(&self, ticket: Ticket) -> Option<bool> {
        match self.answers.get(&ticket)? {
            Answer::Drained(all) => Some(*all),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn reload(&mut self, setup: Arc<Setup>) {
        self.setup = setup.clone();
        self.reloaded = true;
        if self.job.is_none() {
            self.end_old_walk();
        }
        self.send(Event::Reloaded(setup));
    }

    fn end_old_walk(&mut self) {
        if std::mem::take(&mut self.reloaded) {
            self.stack = None;
        }
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Scan(dirs) => {
                    let shown: Vec<_> = dirs.iter().map(|d| d.0.display().to_string()).collect();
                    self.log.push(format!("scan {}", shown.join(" ")));
                    assert!(self.job.replace(Job::Scan(dirs)).is_none(), "two scanner jobs");
                }
                Effect::Walk(step) => {
                    self.log.push(match &step {
                        WalkStep::Start(dir) => format!("walk {}", dir.display()),
                        WalkStep::Continue => "walk on".into(),
                    });
                    assert!(self.job.replace(Job::Walk(step)).is_none(), "two scanner jobs");
                }
                Effect::Probe(places) => {
                    self.log.push("probe".into());
                    assert!(self.probe.replace(places).is_none(), "two probes at a time");
                }
                Effect::File { batch, candidates } => {
                    self.log.push(format!("file {}", candidates.len()));
                    assert!(!candidates.is_empty());
                    for c in &candidates {
                        let twice = self.batches.values().flatten().any(|o| o.path() == c.path());
                        assert!(!twice, "{:?} is in two batches", c.path());
                    }
                    assert!(self.batches.insert(batch, candidates).is_none());
                    assert!(self.batches.len() <= 2, "too many batches");
                }
                Effect::Weigh { weighing, candidates } => {
                    self.log.push(format!("weigh {}", candidates.len()));
                    assert!(candidates.iter().all(|c| c.standing != Standing::New));
                    // After a reload the answer to the one before is not waited for.
                    self.weighing = Some((weighing, candidates));
                }
                Effect::Remember(trips) => self.remembered = trips,
                Effect::Tripped { root, trip } => {
                    assert_eq!(self.remembered.get(&root), Some(&trip), "told before it is kept");
                    self.log.push(format!("stopped {}", root.display()));
                    self.trips.push((root, trip));
                }
                Effect::CollectDue(at) => self.due = Some(at),
                Effect::CollectWaiting => self.log.push("what waits".into()),
                Effect::AskCookie(ask) => self.cookies.push_back(ask),
                Effect::LookAtPower => {
                    self.log.push("power".into());
                    assert!(!std::mem::replace(&mut self.power_asked, true), "asked twice");
                }
                Effect::Unwatch(dir) => {
                    self.log.push(format!("unwatch {}", dir.display()));
                    self.watched.retain(|d| !d.starts_with(&dir));
                }
                Effect::Distrust => {
                    self.log.push("distrust".into());
                    self.watched.clear();
                }
                Effect::Sweep => self.log.push("sweep".into()),
                Effect::WakeAt(at) => self.wake = at,
                Effect::Answer(ticket, answer) => {
                    assert!(self.asked.contains(&ticket), "nobody asked");
                    assert!(self.answers.insert(ticket, answer).is_none(), "answered twice");
                }
                Effect::Report(Problem { path, text }) => {
                    self.log.push(format!("problem {} {text}", path.display()));
                }
                Effect::Stopped => self.stopped += 1,
            }
        }
    }

    // --- the world

    pub(super) fn advance(&mut self, d: Duration) {
        self.now.mono = self.now.mono.plus(d);
        self.now.wall = self.now.wall.plus(d);
    }

    /// A new file, closed.
    pub(super) fn create(&mut self, path: &str) -> u64 {
        let ino = self.next_ino;
        self.next_ino += 1;
        let path = PathBuf::from(path);
        self.dirs.extend(path.parent().map(Path::to_owned));
        let mtime = self.now.wall;
        let id = Identity { ino, size: 1, mtime, birth: Some(mtime) };
        let stat = Stat {
            id,
            file_type: FileType::Regular,
            dev: 1,
            ctime: mtime,
            atime: mtime,
            mode: 0o644,
            nlink: 1,
            uid: 0,
        };
        self.files.insert(path, File { stat, open: false });
        ino
    }

    /// Somebody opens a file and appends to it.
    pub(super) fn write(&mut self, path: &str) {
        let wall = self.now.wall;
        if let Some(file) = self.files.get_mut(Path::new(path)) {
            file.open = true;
            file.stat.id.size += 1;
            file.stat.id.mtime = wall;
            file.stat.ctime = wall;
        }
    }

    pub(super) fn finish(&mut self, path: &str) {
        if let Some(file) = self.files.get_mut(Path::new(path)) {
            file.open = false;
        }
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) {
        if self.files.contains_key(Path::new(to)) {
            return;
        }
        if let Some(mut file) = self.files.remove(Path::new(from)) {
            file.stat.ctime = self.now.wall;
            self.dirs.extend(Path::new(to).parent().map(Path::to_owned));
            self.files.insert(to.into(), file);
        }
    }

    pub(super) fn delete(&mut self, path: &str) -> Option<u64> {
        self.files.remove(Path::new(path)).map(|f| f.stat.id.ino)
    }

    // --- the other rooms

    /// Answers the scanner's job.
    pub(super) fn scan(&mut self) {
        let Some(job) = self.job.take() else { return };
        let event = match job {
            Job::Scan(dirs) => {
                let mut out = Scanned::default();
                for (dir, names) in dirs {
                    let root = self.root_of(&dir);
                    self.look(&dir, &names, root, &mut out);
                }
                Event::Scanned(out)
            }
            Job::Walk(step) => {
                let mut out = Scanned::default();
                if let WalkStep::Start(dir) = step {
                    self.walk_root = self.root_of(&dir);
                    self.stack = Some(vec![dir]);
                }
                // One directory each, so that much can happen in between.
                let stack = self.stack.as_mut();
                if let Some(dir) = stack.and_then(Vec::pop) {
                    let below = self.dirs.iter().filter(|d| d.parent() == Some(&dir)).cloned();
                    let below: Vec<_> = below.collect();
                    self.stack.iter_mut().for_each(|s| s.extend(below.clone()));
                    self.look(&dir, &Names::All, self.walk_root.clone(), &mut out);
                }
                out.new_dirs.clear();
                let finished = self.stack.as_ref().is_none_or(Vec::is_empty);
                if finished {
                    self.stack = None;
                }
                Event::Walked { scanned: out, finished }
            }
        };
        self.end_old_walk();
        self.send(event);
    }

    fn root_of(&self, dir: &Path) -> Option<Arc<RootPolicy>> {
        self.setup.roots.iter().find(|r| dir.starts_with(&r.path)).cloned()
    }

    fn look(
        &mut self,
        dir: &Path,
        names: &Names,
        root: Option<Arc<RootPolicy>>,
        out: &mut Scanned,
    ) {
        if !self.dirs.contains(dir) {
            if self.setup.areas().any(|a| a == dir) {
                out.root_problem = Some(RootState::Missing);
            }
            return;
        }
        let fresh = !self.unwatchable && self.watched.insert(dir.to_owned());
        out.unwatched |= !self.watched.contains(dir);
        let here: Vec<(PathBuf, File)> = self
            .files
            .iter()
            .filter(|(p, _)| p.parent() == Some(dir))
            .map(|(p, f)| (p.clone(), *f))
            .collect();
        let siblings = Siblings::new(here.iter().filter_map(|(p, _)| p.file_name()));
        let asked = |p: &Path| match names {
            Names::Some(list) if !fresh => list.iter().any(|n| Some(&**n) == p.file_name()),
            _ => true,
        };
        if asked(dir) {
            out.read.push(dir.to_owned());
        }
        for below in self.dirs.iter().filter(|d| d.parent() == Some(dir)) {
            if asked(below) && !self.watched.contains(below) {
                out.new_dirs.push(below.clone());
            }
        }
        let gone = |p: &&PathBuf| {
            p.parent() == Some(dir) && asked(p) && !self.files.contains_key(p.as_path())
        };
        let gone: Vec<PathBuf> = self.known.keys().filter(gone).cloned().collect();
        for path in gone {
            self.known.remove(&path);
            out.vanished.push(path);
        }
        let Some(root) = root else { return };
        for (path, file) in here.into_iter().filter(|(p, _)| asked(p)) {
            let name = path.file_name().unwrap_or_default();
            if root.ignore.file(Path::new(name)).is_some() {
                continue;
            }
            if asked(dir) {
                out.lying += 1;
            }
            let same = self.known.get(&path).filter(|k| k.id == file.stat.id);
            if same.is_some_and(|k| k.decided) {
                continue;
            }
            // Files in folders count as having lain there, so that both ways into a batch are gone.
            let new = if dir == root.path.as_ref() { Standing::New } else { Standing::Unseen };
            let standing = self.known.get(&path).map_or(new, |k| k.standing);
            self.known.insert(path.clone(), Known { id: file.stat.id, decided: false, standing });
            let rel = path.strip_prefix(&root.path).unwrap().to_owned();
            let held_by = siblings.blocker(name).map(OsStr::to_owned);
            let root = root.clone();
            let candidate =
                Candidate { root, rel, stat: file.stat, in_unit: false, unpacked: false, standing };
            out.sightings.push(Sighting { candidate, held_by });
        }
    }

    pub(super) fn answer_probe(&mut self) {
        let Some(places) = self.probe.take() else { return };
        let probes = places.iter().map(|p| {
            let path = p.path();
            let probe = match self.files.get(&path) {
                None => Probe::Gone,
                Some(f) if f.open => Probe::Seen(f.stat, Writers::Someone),
                Some(f) => Probe::Seen(f.stat, Writers::Nobody),
            };
            (path, probe)
        });
        let probes = probes.collect();
        self.send(Event::Probed(probes));
    }

    /// Carries the first batch out, and says so.
    pub(super) fn finish_batch(&mut self) {
        self.act();
        self.report();
    }

    /// Carries out the first batch that has not been: files named `keep…` are left, the others filed.
    /// Much can happen before the coordinator hears of it.
    pub(super) fn act(&mut self) {
        let next = self.batches.iter().find(|(batch, _)| !self.acted.contains_key(batch));
        let Some((batch, candidates)) = next.map(|(b, c)| (*b, c.clone())) else { return };
        let mut again = Vec::new();
        let mut touched = HashSet::new();
        for c in candidates {
            let path = c.path();
            match self.files.get(&path) {
                None => {
                    self.known.remove(&path);
                }
                // As act does: only the very file that was decided about.
                Some(f) if f.stat.id != c.stat.id => again.push(path),
                Some(f) if stays(&path) => {
                    let standing = Standing::Left;
                    self.known.insert(path, Known { id: f.stat.id, decided: true, standing });
                }
                Some(f) => {
                    assert!(!f.open, "{path:?} is filed while it is written");
                    self.filed.push(f.stat.id.ino);
                    self.files.remove(&path);
                    self.known.remove(&path);
                    touched.insert(path);
                }
            }
        }
        self.acted.insert(batch, (again, touched));
    }

    /// Says that a batch has been carried out.
    pub(super) fn report(&mut self) {
        let Some((batch, (again, touched))) = self.acted.pop_first() else { return };
        self.batches.remove(&batch);
        self.send(Event::BatchDone { batch, again, touched });
    }

    /// Says which of the files to be weighed would be filed.
    pub(super) fn weigh(&mut self) {
        let Some((weighing, candidates)) = self.weighing.take() else { return };
        let paths = candidates.iter().map(Candidate::path);
        let touched = paths.filter(|p| !stays(p)).collect();
        self.send(Event::Weighed { weighing, touched });
    }

    /// The files below `dir` are taken for ones that lay there before.
    pub(super) fn lies(&mut self, dir: &str, standing: Standing) {
        for (path, file) in self.files.iter().filter(|(p, _)| p.starts_with(dir)) {
            let known = Known { id: file.stat.id, decided: false, standing };
            self.known.insert(path.clone(), known);
        }
    }

    pub(super) fn make_cookie(&mut self) {
        let Some(ask) = self.cookies.pop_front() else { return };
        self.last_cookie += 1;
        let cookie = self.last_cookie;
        self.send(Event::CookieAsked { ask, cookie: Some(cookie) });
        self.send(Event::Hints(vec![Hint::Cookie(cookie)]));
    }

    pub(super) fn answer_due(&mut self) {
        if self.due.take().is_some() {
            self.send(Event::Due(Vec::new()));
        }
    }

    pub(super) fn answer_power(&mut self) {
        self.power_asked = false;
        self.send(Event::Power { on_battery: self.on_battery });
    }

    /// Sleeps until it is to be woken.
    pub(super) fn sleep(&mut self) {
        let Some(at) = self.wake else { return };
        self.advance(at.since(self.now.mono));
        self.wake = None;
        self.send(Event::Timer);
    }

    /// Answers everything under way, but lets no time pass.
    pub(super) fn work(&mut self) {
        for _ in 0..TURNS {
            match () {
                () if self.job.is_some() => self.scan(),
                () if self.probe.is_some() => self.answer_probe(),
                () if !self.batches.is_empty() => self.finish_batch(),
                () if self.weighing.is_some() => self.weigh(),
                () if !self.cookies.is_empty() => self.make_cookie(),
                () if self.due.is_some() => self.answer_due(),
                () if self.power_asked => self.answer_power(),
                () => return,
            }
        }
        panic!("it goes round in circles: {:?}", &self.log[self.log.len() - 12..]);
    }

    /// The same, and sleeps, until nothing is to happen for nearly five minutes.
    pub(super) fn settle_down(&mut self) {
        for _ in 0..TURNS {
            self.work();
            let soon = self.now.mono.plus(Duration::from_secs(280));
            match self.wake {
                Some(at) if at < soon => self.sleep(),
                _ => return,
            }
        }
        panic!("it is never quiet: {:?}", &self.log[self.log.len() - 12..]);
    }

    pub(super) fn state(&self, path: &str) -> RootState {
        let roots = self.me.roots();
        roots.into_iter().find(|r| r.path == Path::new(path)).map(|r| r.state).unwrap()
    }

    pub(super) fn logged(&self, what: &str) -> usize {
        self.log.iter().filter(|l| l.starts_with(what)).count()
    }
}

/// Whether the rules of this house leave the file where it is.
pub(super) fn stays(path: &Path) -> bool {
    path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("keep"))
}
