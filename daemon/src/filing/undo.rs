//! Rollback and redo: plans from journal entries, carried out like any other.
//!
//! One chunk of operations after the other is read, planned over the disk as it is then, and carried
//! out, so that memory does not grow with the length of a rollback and a stop is answered soon. While chunks
//! are carried out the next one is planned, and waits for them if it would depend on them. A dry
//! run plans the same over the disk as the steps before would leave it.

mod course;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use tidy_core::facts::Identity;
use tidy_core::name;
use tidy_core::operation::{BatchId, OpId, OpState, Operation};
use tidy_core::plan::{Place, StepKind};
use tidy_core::rollback::{Inverter, Undoing, Undone};
use tidy_core::rules::LeaveReason;

use self::course::{Course, Run};
use super::Setup;
use super::batch::{Filing, Progress, Watcher};
use super::record::{self, dir_of, name_of};
use crate::beneath;
use crate::catalog::{Change, Entry, Filter, Outcome};
use crate::journal::{Direction, JournalError, Selection};

/// Operations read, planned and synced together.
const CHUNK: usize = 512;

/// Files that are listed one by one, and the bytes their paths and reasons may take: the report is
/// one frame. The counts are always complete.
const LISTED: usize = 10_000;
const LISTED_BYTES: usize = 4 << 20;

/// Missing files that are looked for in the catalog, and how many of its entries at a time.
const POINTED_OUT: usize = 100;
const PAGE: usize = 1_000;

/// One operation that was undone, or not.
#[derive(Debug, Clone)]
pub struct UndoneOp {
    pub op: OpId,
    /// Where the file was before, or the copy that went.
    pub path: PathBuf,
    pub outcome: Undone,
}

/// What a rollback or redo did, or would do.
#[derive(Debug, Default)]
pub struct UndoReport {
    pub batch: Option<BatchId>,
    not_back: Listed,
    back: Listed,
    /// Directories that went or were made.
    pub folders: usize,
    /// Commands that were run about the files, and that nothing takes back.
    pub commands: usize,
    /// Files that were not looked at before it was stopped.
    pub not_reached: usize,
    /// Set when it was stopped before its end.
    pub stopped: bool,
    /// Nothing but tags of files that stay where they are by now was asked for.
    marks_only: bool,
    /// How many ended how.
    outcomes: BTreeMap<&'static str, u64>,
    /// As the selection has it.
    on_the_way: HashMap<OpId, OpId>,
    /// What became of files so far that another operation takes further, by that one.
    so_far: HashMap<OpId, (Undoing, Undone)>,
}

/// How many, and the first of them.
#[derive(Debug, Default)]
struct Listed {
    count: usize,
    first: Vec<UndoneOp>,
    bytes: usize,
}

impl Listed {
    fn push(&mut self, op: UndoneOp) {
        let other = match &op.outcome {
            Undone::RestoredAs(path) => path.as_os_str().len(),
            outcome => outcome.why().map_or(0, str::len),
        };
        let bytes = self.bytes + op.path.as_os_str().len() + other;
        self.count += 1;
        if self.first.len() < LISTED && bytes <= LISTED_BYTES {
            self.bytes = bytes;
            self.first.push(op);
        }
    }
}

impl UndoReport {
    /// Files that are back, edited ones and those under another name included.
    pub fn restored(&self) -> usize {
        self.back.count
    }

    /// Files that could not be put back.
    pub fn not_restored(&self) -> usize {
        self.not_back.count
    }

    /// How many files ended how.
    pub fn outcomes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.outcomes.iter().map(|(outcome, files)| (*outcome, *files))
    }

    /// The files, those that are not back first; of very many not all.
    pub fn files(&self) -> impl Iterator<Item = &UndoneOp> {
        self.not_back.first.iter().chain(&self.back.first).take(LISTED)
    }

    /// Enters what became of one operation. A file that another one takes further is told of once, when it has got there.
    fn enter(&mut self, u: Undoing, outcome: Undone) {
        let next = self.on_the_way.get(&u.op).copied();
        let so_far = self.so_far.remove(&u.op).filter(|_| outcome == Undone::Settled);
        let (u, outcome) = so_far.unwrap_or((u, outcome));
        match next {
            Some(next) => drop(self.so_far.insert(next, (u, outcome))),
            None => self.count(u, outcome),
        }
    }

    fn count(&mut self, u: Undoing, outcome: Undone) {
        let told = matches!(outcome, Undone::TagsChanged(_) | Undone::Error(_));
        if u.directory || outcome == Undone::Settled || (u.aside && !told && !self.marks_only) {
            return;
        }
        *self.outcomes.entry(outcome.as_str()).or_default() += 1;
        let list = if outcome.is_back() { &mut self.back } else { &mut self.not_back };
        list.push(UndoneOp { op: u.op, path: u.path, outcome });
    }
}

impl Filing {
    /// Inverts what is selected, or plans to.
    ///
    /// # Errors
    /// The journal could not be read or written. What had been done by then stays done, is in the
    /// catalog, and can be undone or gone on with.
    pub fn undo(
        &self,
        setup: &Setup,
        selection: &Selection,
        direction: Direction,
        dry_run: bool,
        watcher: Watcher<'_>,
    ) -> Result<UndoReport, JournalError> {
        let _span = tracing::info_span!(
            "batch",
            trigger = direction.trigger().as_str(),
            files = selection.files
        )
        .entered();
        (watcher.progress)(Progress::Total(selection.files));
        let mut report = UndoReport {
            marks_only: selection.files == 0,
            commands: selection.commands,
            on_the_way: selection.on_the_way.clone(),
            ..UndoReport::default()
        };
        if dry_run {
            let disk = self.disk(setup);
            let mut dry = Inverter::new(&disk, &self.journal, direction.trigger());
            self.each_chunk(selection, watcher, &mut report, |ops, files, report| {
                for op in &ops {
                    let undoing = dry.invert(op);
                    let outcome = undoing.outcome.clone();
                    report.enter(undoing, outcome);
                }
                let steps = dry.take().steps;
                report.folders += steps.iter().filter(|s| s.kind.is_directory()).count();
                (watcher.progress)(Progress::Done(files));
                Ok(())
            })?;
        } else {
            std::thread::scope(|scope| {
                let run = Run { filing: self, setup, direction, watcher };
                let mut course = Course::new(run, scope);
                let take = |ops, files, report: &mut _| course.take(ops, files, report);
                let taken = self.each_chunk(selection, watcher, &mut report, take);
                // What has begun is entered, whatever became of reading the next.
                let finished = course.finish(&mut report);
                taken.and(finished)
            })?;
        }
        self.point_out(&mut report)?;
        Ok(report)
    }

    /// Reads the selected operations, chunk by chunk, with how many of the files there have been by then; ends early when
    /// it is to stop.
    fn each_chunk(
        &self,
        selection: &Selection,
        watcher: Watcher<'_>,
        report: &mut UndoReport,
        mut take: impl FnMut(Vec<Operation>, usize, &mut UndoReport) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let mut files = 0;
        for ids in selection.ops.chunks(CHUNK) {
            if watcher.stop.load(Ordering::Relaxed) {
                report.stopped = true;
                report.not_reached = selection.files.saturating_sub(files);
                break;
            }
            let ops = self.journal.operations(ids)?;
            let is_file = |op: &&Operation| {
                op.step.is_counted() && !selection.on_the_way.contains_key(&op.id)
            };
            files += ops.iter().filter(is_file).count();
            take(ops, files, report)?;
        }
        Ok(())
    }

    /// Says of missing files where the very same ones are now, when the catalog has seen them: moved
    /// by hand, and not to be moved by us.
    fn point_out(&self, report: &mut UndoReport) -> Result<(), JournalError> {
        let files = report.not_back.first.iter_mut();
        let missing = files.filter(|f| matches!(f.outcome, Undone::Missing(_)));
        let mut missing: BTreeMap<OpId, &mut UndoneOp> =
            missing.take(POINTED_OUT).map(|f| (f.op, f)).collect();
        let ids: Vec<OpId> = missing.keys().copied().collect();
        let ops = self.journal.operations(&ids)?;
        let wanted: HashMap<Identity, OpId> =
            ops.iter().filter_map(|op| Some((op.landed?, op.id))).collect();
        let sizes = || wanted.keys().map(|id| id.size);
        let filter =
            Filter { min_size: sizes().min(), max_size: sizes().max(), ..Filter::default() };
        let mut after = None;
        while !wanted.is_empty() {
            let page = match self.catalog.files(&filter, after, PAGE) {
                Ok(page) => page,
                Err(error) => {
                    tracing::warn!(%error, "missing files were not looked for");
                    break;
                }
            };
            for (path, entry) in &page.files {
                let still = || beneath::lstat_path(path).is_ok_and(|stat| stat.id == entry.id);
                if let Some(file) = wanted.get(&entry.id).and_then(|op| missing.get_mut(op))
                    && let Undone::Missing(why) = &mut file.outcome
                    && still()
                {
                    why.push_str("; it is now ");
                    why.push_str(&name::shown(path.as_os_str()));
                }
            }
            let Some(next) = page.next else { break };
            after = Some(next);
        }
        Ok(())
    }

    /// Enters what was put back as rolled back, so that the next scan does not file it again.
    pub(super) fn record_undo<'o>(
        &self,
        setup: &Setup,
        ops: impl Iterator<Item = &'o Operation>,
        before: &HashMap<PathBuf, Entry>,
    ) {
        let mut changes: BTreeMap<PathBuf, Vec<Change>> = BTreeMap::new();
        let is_file = |kind: StepKind| !kind.is_directory() && kind != StepKind::MoveDir;
        let moved = ops.filter(|o| o.state == OpState::Done && is_file(o.step.kind));
        for op in moved.filter(|op| !op.step.is_along()) {
            let src = op.step.src.as_ref().map(Place::path);
            let stays = op.step.kind.keeps_source() || op.step.kind == StepKind::Tag;
            if let Some(src) = src.as_ref().filter(|_| !stays) {
                changes.entry(dir_of(src)).or_default().push(Change::Remove(name_of(src)));
            }
            let marked = src.clone().filter(|_| op.step.kind == StepKind::Tag);
            let dst = op.step.dst.as_ref().map(Place::path).or(marked);
            let Some((dst, id)) = dst.zip(op.landed) else { continue };
            // What is in the trash is nobody's file any more, wherever that is.
            if !setup.is_known_area(&dst) || op.step.kind == StepKind::Trash {
                continue;
            }
            let fingerprint = setup.root_of(&dst).map_or(0, |r| r.rules.fingerprint);
            let outcome = if op.step.undo {
                let rule = Some(op.step.rule.clone());
                Outcome::Left { reason: LeaveReason::RolledBack, rule, fingerprint }
            } else {
                Outcome::Filed { op: op.id.0 }
            };
            // What was known of the content still holds, unless it was edited.
            let before = src.and_then(|src| before.get(&src));
            let before = before.filter(|e| Some(e.id) == op.step.expect);
            let entry = Entry {
                name: name_of(&dst),
                id,
                category: before.and_then(|e| e.category.clone()),
                outcome,
                revisit: None,
                head: before.and_then(|e| e.head),
                digest: op.step.digest.or_else(|| before.and_then(|e| e.digest)),
            };
            changes.entry(dir_of(&dst)).or_default().push(Change::Put(entry));
        }
        record::apply(&self.catalog, changes);
    }
}
