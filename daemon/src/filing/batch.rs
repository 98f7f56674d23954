//! One run of the way: candidates in, everything filed or left with a reason out.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tidy_core::breaker::Standing;
use tidy_core::companions::Companions;
use tidy_core::facts::{Identity, Stat};
use tidy_core::operation::{BatchId, OpState, Operation, Trigger};
use tidy_core::plan::{Member, Place, Planned, Planner, Step};
use tidy_core::policy::RootPolicy;
use tidy_core::rules::{LeaveReason, RuleName, Verdict};
use tidy_core::{UnixNanos, name};

use super::course::{Course, Run, plan_one};
use super::due::Due;
use super::ended::Ended;
use super::gather::{self, Decided};
use super::in_flight::InFlight;
use super::mounted::Mounted;
use super::party::{self, Group, Nearby, Party, Sorted};
use super::tally::Became;
use super::waiting::{Waiting, Waits};
use super::{Disk, Setup, Tally, ahead, record};
use crate::catalog::{Catalog, CatalogError, Stats};
use crate::journal::{Journal, JournalError};
use crate::readers::Readers;
use crate::telemetry;
use crate::unpacked::Unpacked;

/// Files planned, journaled and acted on together: large enough that one sync of the journal and of
/// each directory is shared by many, small enough that a stop is answered within a second or two.
const CHUNK: usize = 512;

/// A file that may be filed.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub root: Arc<RootPolicy>,
    /// Path below the root.
    pub rel: PathBuf,
    pub stat: Stat,
    /// A directory above it is a project or another thing that belongs together.
    pub in_unit: bool,
    /// It is a directory that an archive was unpacked into.
    pub unpacked: bool,
    /// What it was to us before.
    pub standing: Standing,
}

/// What a run is for.
#[derive(Debug, Clone, Copy)]
pub struct Mode {
    pub trigger: Trigger,
    /// Stop after the plan.
    pub dry_run: bool,
    /// A person asked for these files: what was rolled back may be filed again.
    pub asked: bool,
}

/// A file that stays where it is.
#[derive(Debug, Clone)]
pub struct Left {
    pub path: PathBuf,
    pub reason: LeaveReason,
    pub rule: Option<RuleName>,
    pub detail: Option<String>,
}

/// What a run did, or would do.
#[derive(Debug, Default)]
pub struct Report {
    pub batch: Option<BatchId>,
    /// The steps of a dry run.
    pub steps: Vec<Step>,
    /// What the operations of a real run have done.
    pub ended: Ended,
    pub left: Vec<Left>,
    /// Files that changed under our hands, or whose turn comes after another's: to be looked at again.
    pub again: Vec<PathBuf>,
    /// Commands of the rules, to be run now.
    pub due: Vec<Due>,
    /// Set when the run was stopped before its end.
    pub stopped: bool,
}

impl Report {
    /// The files that something was done to without being asked for, or would be done to, by where they were.
    pub fn touched(&mut self) -> HashSet<PathBuf> {
        let steps = self.steps.iter().filter(|s| !s.kind.is_directory());
        let mut touched = std::mem::take(&mut self.ended.touched);
        touched.extend(steps.filter_map(|s| s.src.as_ref()).map(Place::path));
        touched
    }
}

/// How a run is watched and stopped.
#[derive(Clone, Copy)]
pub struct Watcher<'a> {
    /// Called after every operation and for every file left.
    pub progress: &'a (dyn Fn(Progress<'_>) + Sync),
    pub stop: &'a AtomicBool,
}

/// One thing that happened in a run.
pub enum Progress<'a> {
    /// So many files will be looked at.
    Total(usize),
    Operation(&'a Operation),
    Planned(&'a Step),
    Left(&'a Left),
    /// So many files have been dealt with so far.
    Done(usize),
}

/// The room's own handle on its neighbours. Cheap to clone.
#[derive(Clone)]
pub struct Filing {
    pub(super) catalog: Catalog,
    pub(super) journal: Journal,
    pub(super) nearby: Arc<Nearby>,
    in_flight: InFlight,
    pub(super) readers: Readers,
    mounted: Mounted,
    pub(super) waiting: Waiting,
    pub(super) placed: Option<super::Placed>,
    pub(super) unpacked: Option<Unpacked>,
    pub(super) tally: Arc<Tally>,
}

impl Filing {
    /// A handle.
    pub fn new(catalog: Catalog, journal: Journal, readers: Readers) -> Self {
        let (nearby, in_flight) = (Arc::default(), InFlight::default());
        let (mounted, waiting) = (Mounted::default(), Waiting::default());
        let tally = Arc::default();
        let (placed, unpacked) = (None, None);
        Self {
            catalog,
            journal,
            nearby,
            in_flight,
            readers,
            mounted,
            waiting,
            placed,
            unpacked,
            tally,
        }
    }

    /// The same, with what is known of the disks that folders were on.
    pub fn with_mounted(self, mounted: Mounted) -> Self {
        Self { mounted, ..self }
    }

    /// The same, with what is known of folders that archives were unpacked into.
    pub fn with_unpacked(self, unpacked: Unpacked) -> Self {
        Self { unpacked: Some(unpacked), ..self }
    }

    /// What is known of folders that archives were unpacked into.
    pub fn unpacked(&self) -> Option<Unpacked> {
        self.unpacked.clone()
    }

    /// Files that wait for what a rule needs at their destination, by rule; `stats` are those of the index.
    pub fn waiting_for(&self, setup: &Setup, stats: &Stats) -> Vec<Waits> {
        self.waiting.told(setup, &stats.waiting)
    }

    /// The disk as one batch sees it.
    pub(super) fn disk(&self, setup: &Setup) -> Disk {
        Disk::remembering(setup.home_trash.clone(), self.mounted.clone())
    }

    /// The index of known files.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The log of operations.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Writes what is still in memory; for the end of the process.
    pub fn flush(&self) -> Result<(), CatalogError> {
        if let Err(error) = self.journal.sync() {
            // Only ends that nobody waits for can be affected; the next start settles those.
            tracing::warn!(%error, "the journal's last records were not written");
        }
        self.catalog.flush()
    }

    /// Files all candidates, or plans to.
    ///
    /// The result does not depend on the order in which the candidates come.
    pub fn run(
        &self,
        setup: &Setup,
        mut candidates: Vec<Candidate>,
        mode: Mode,
        now: UnixNanos,
        watcher: Watcher<'_>,
    ) -> Result<Report, JournalError> {
        let root = candidates.first().map(|c| name::shown(c.root.path.as_os_str()));
        let (trigger, files) = (mode.trigger.as_str(), candidates.len());
        let _span = tracing::info_span!("batch", trigger, files, root).entered();
        let mut report = Report::default();
        candidates.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
        (watcher.progress)(Progress::Total(candidates.len()));
        let total = candidates.len();
        let candidates = self.let_through(setup, candidates, (mode, now), &mut report, watcher)?;
        let mut done = total - candidates.len();
        let Sorted { mut groups, staying } = self.together(setup, candidates, now);
        done += staying.len();
        self.leave_with_their_files(staying, mode, now, &mut report, watcher);
        // Companions are no copies of each other, whatever their bytes: they go with their files.
        let mains = groups.iter().filter(|g| g.is_of_interest()).map(|g| g.main.path());
        let unasked = mode.trigger == Trigger::Watch && !mode.dry_run;
        let turn = unasked.then(|| self.in_flight.enter(mains));
        self.find_copies(setup, &mut groups);
        // A copy whose keeper is on the move would be compared with nothing.
        let waits = |g: &mut Group| {
            let both = g.twin().zip(turn.as_ref());
            both.is_some_and(|(twin, turn)| turn.is_of_another(&twin.path))
        };
        for waiting in groups.extract_if(.., waits) {
            done += waiting.len();
            report.again.extend(waiting.paths());
        }
        (watcher.progress)(Progress::Done(done));
        // Copies are put aside first, while their keepers still are where they were compared.
        let aside: Vec<_> = groups.extract_if(.., |g| g.twin().is_some()).collect();
        if !mode.dry_run {
            self.tally.copies(aside.iter().map(|g| g.main.stat.id.size));
        }

        let chunks = chunks(aside).chain(chunks(groups));
        let decide = |chunk| match watcher.stop.load(Ordering::Relaxed) {
            true => Vec::new(),
            false => decide_all(setup, &self.readers, chunk, now),
        };
        if mode.dry_run {
            let disk = self.disk(setup);
            let mut planner = Planner::new(&disk, mode.trigger);
            ahead::run(chunks, decide, drop::<()>, |chunk, _| {
                report.stopped |= watcher.stop.load(Ordering::Relaxed);
                let Some(parties) = chunk.filter(|_| !report.stopped) else { return Ok(false) };
                let parties = self.not_done_before(parties, mode);
                done += parties.iter().map(Party::len).sum::<usize>();
                self.plan_only(parties, &mut planner, &mut report, watcher);
                (watcher.progress)(Progress::Done(done));
                Ok::<_, JournalError>(true)
            })?;
            return Ok(report);
        }
        let catalog = &self.catalog;
        // While chunks are carried out, the next is decided about and the catalog is told of those before.
        std::thread::scope(|scope| {
            let run = Run { filing: self, setup, mode, now, watcher };
            let mut course = Course::new(run, scope, done);
            ahead::run(
                chunks,
                decide,
                |changes| record::apply(catalog, changes),
                |chunk, told| {
                    report.stopped |= watcher.stop.load(Ordering::Relaxed) && chunk.is_some();
                    match chunk.filter(|_| !report.stopped) {
                        Some(parties) => {
                            let parties = self.not_done_before(parties, mode);
                            course.take(parties, &mut report, told).map(|()| true)
                        }
                        None => course.finish(&mut report, told).map(|()| false),
                    }
                },
            )
        })?;
        Ok(report)
    }

    /// Takes out of the decisions what has been done before, by a rule or by a person.
    fn not_done_before(&self, mut parties: Vec<Party>, mode: Mode) -> Vec<Party> {
        if !mode.asked {
            self.without_copies_made(&mut parties);
            self.without_placed(&mut parties);
        }
        parties
    }

    /// How often in a row the last operations on this very file failed.
    pub(super) fn failures(&self, path: &Path, id: Identity) -> usize {
        let failed = |op: &Operation| op.state == OpState::Failed && op.step.expect == Some(id);
        self.history(path).into_iter().take_while(failed).count()
    }

    /// Companions of files that are not at hand wait for them.
    fn leave_with_their_files(
        &self,
        staying: Vec<(Candidate, OsString)>,
        mode: Mode,
        now: UnixNanos,
        report: &mut Report,
        watcher: Watcher<'_>,
    ) {
        for (candidate, main) in &staying {
            let left = stays_with(candidate, main);
            (watcher.progress)(Progress::Left(&left));
            report.left.push(left);
        }
        if !mode.dry_run {
            self.tally.became(Became::Left, None, staying.len());
            record::left_as_companions(&self.catalog, &staying, now);
        }
    }

    fn plan_only(
        &self,
        parties: Vec<Party>,
        planner: &mut Planner<'_>,
        report: &mut Report,
        watcher: Watcher<'_>,
    ) {
        for party in parties {
            if let Some(left) = plan_one(planner, &party) {
                let members = party.members.iter();
                let members = members.map(|(c, _, _)| stays_with(c, party.candidate.file_name()));
                for left in std::iter::once(left).chain(members) {
                    (watcher.progress)(Progress::Left(&left));
                    report.left.push(left);
                }
            }
        }
        let plan = planner.take();
        plan.steps.iter().for_each(|s| (watcher.progress)(Progress::Planned(s)));
        // What the rules said is told by `explain`; of very many files it would be very much.
        report.steps.extend(plan.steps.into_iter().map(|s| Step { considered: None, ..s }));
    }
}

/// Decides about a chunk; what turns out not to go along is decided about by itself.
pub(super) fn decide_all(
    setup: &Setup,
    readers: &Readers,
    chunk: Vec<Group>,
    now: UnixNanos,
) -> Vec<Party> {
    let mut parties = Vec::with_capacity(chunk.len());
    let mut groups = chunk;
    let mut wide: HashMap<PathBuf, Companions> = HashMap::new();
    while !groups.is_empty() {
        let mut own = Vec::new();
        for (group, decided) in decide_each((setup, readers), groups, now) {
            if group.members.is_empty() {
                let Group { main: candidate, after, .. } = group;
                parties.push(Party { candidate, decided, members: Vec::new(), after });
                continue;
            }
            let root = &group.main.root;
            let wide = wide.entry(root.path.to_path_buf()).or_insert_with(|| root.all_companions());
            let (party, others) = party::accompany(group, decided, wide);
            parties.push(party);
            own.extend(others.into_iter().map(Group::alone));
        }
        groups = own;
    }
    parties
}

/// On all processors; the order is kept.
fn decide_each(
    (setup, readers): (&Setup, &Readers),
    groups: Vec<Group>,
    now: UnixNanos,
) -> Vec<(Group, Decided)> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = groups.len().div_ceil(threads).max(16);
    let decide = |g: &Group| {
        let _about = telemetry::about(g.main.path());
        match &g.after {
            Some(after) => gather::after(&g.main, after),
            None => gather::decide(setup, readers, &g.main, g.copy.as_deref(), now),
        }
    };
    let decided: Vec<Decided> = std::thread::scope(|scope| {
        let workers: Vec<_> = groups
            .chunks(share)
            .map(|part| {
                let span = tracing::Span::current();
                scope.spawn(move || span.in_scope(|| part.iter().map(decide).collect::<Vec<_>>()))
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|w| w.join().unwrap_or_else(|p| std::panic::resume_unwind(p)))
            .collect()
    });
    let with_copy = |(mut group, decided): (Group, Decided)| {
        let copy = group.copy.take();
        (group, Decided { copy, ..decided })
    };
    groups.into_iter().zip(decided).map(with_copy).collect()
}

/// Adds the steps of one file and its companions to the plan.
pub(super) fn plan_party(planner: &mut Planner<'_>, party: &Party) -> Planned {
    let (candidate, d) = (&party.candidate, &party.decided);
    if let Some(after) = &party.after {
        let main = after.main.clone();
        return planner.companion(&d.facts, &after.dst, main, &after.rule, after.why());
    }
    if candidate.is_directory() {
        return planner.unit(&d.facts, &d.decision, candidate.root.handling());
    }
    let members = party.members.iter();
    let members: Vec<_> = members.map(|(_, d, tail)| Member { facts: &d.facts, tail }).collect();
    let handling = candidate.root.handling();
    planner.group(&d.facts, &d.decision, handling, d.twin.clone(), &members)
}

/// A companion that stays with its file.
pub(super) fn stays_with(candidate: &Candidate, main: &OsStr) -> Left {
    Left {
        path: candidate.path(),
        reason: LeaveReason::Companion,
        rule: None,
        detail: Some(tidy_core::name::shown(main)),
    }
}

pub(super) fn tell_left(left: Left, report: &mut Report, watcher: Watcher<'_>) {
    (watcher.progress)(Progress::Left(&left));
    report.left.push(left);
}

/// The rule behind a decision.
pub(super) fn winner(d: &Decided) -> Option<RuleName> {
    match &d.decision.verdict {
        Verdict::Act(acts) => acts.first().map(|a| a.rule.clone()),
        Verdict::Leave(_, rule) => rule.clone(),
    }
}

fn chunks(of: Vec<Group>) -> impl Iterator<Item = Vec<Group>> {
    let mut of = of.into_iter();
    std::iter::from_fn(move || {
        let chunk: Vec<_> = of.by_ref().take(CHUNK).collect();
        (!chunk.is_empty()).then_some(chunk)
    })
}
