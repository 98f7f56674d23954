//! Duplicates that a person wants resolved: groups of the catalog in, steps out, carried out like any
//! other. Nothing is believed of the catalog but where to look: identities are asked of the disk here, and
//! the bytes are compared when a copy's turn comes.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use tidy_core::facts::{Digest, Identity};
use tidy_core::globset::GlobMatcher;
use tidy_core::operation::{OpState, Operation, Trigger};
use tidy_core::plan::{Lookup, Place, Planned, Planner, StepKind};
use tidy_core::policy::Others;
use tidy_core::resolve::{Choice, Copy, Group, Replace};
use tidy_core::rollback::Inverter;
use tidy_core::rules::LeaveReason;

use super::batch::{Filing, Left, Progress, Report, Watcher};
use super::record::{self, dir_of, name_of};
use super::{Disk, Setup, gate};
use crate::beneath;
use crate::catalog::{CatalogError, Change, Entry, Outcome};
use crate::journal::JournalError;

/// Copies planned, journaled and acted on together.
const CHUNK: usize = 256;

/// Groups resolved by one request; the next one goes on with those that are left.
const GROUPS: usize = 100_000;

/// What is to be resolved, and how.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// This content only.
    pub digest: Option<Digest>,
    /// Smallest size, in bytes.
    pub min_size: u64,
    /// Only copies below this directory go; what stays may be anywhere.
    pub under: Option<PathBuf>,
    /// Copies that never go.
    pub protect: Vec<GlobMatcher>,
    pub choice: Choice,
    pub replace: Replace,
}

/// Groups as they are on disk.
#[derive(Debug, Default)]
pub struct Found {
    pub groups: Vec<Group>,
    /// Copies that would go, but must not be touched.
    pub left: Vec<Left>,
}

impl Filing {
    /// The groups that are wanted, as they are on disk now.
    ///
    /// # Errors
    /// The catalog could not be read.
    pub fn find_groups(&self, setup: &Setup, wanted: &Wanted) -> Result<Found, CatalogError> {
        let page = self.catalog.duplicates(wanted.min_size.max(1), None, GROUPS)?;
        let mut found = Found::default();
        for group in page.groups {
            if wanted.digest.is_some_and(|d| d != group.digest) {
                continue;
            }
            let mut copies = Vec::new();
            for path in group.paths {
                copies.extend(self.copy(setup, wanted, path, &mut found.left)?);
            }
            if copies.len() > 1 && copies.iter().any(|c| !c.protected) {
                found.groups.push(Group { digest: group.digest, copies });
            }
        }
        Ok(found)
    }

    /// `None`: it is not there any more, or not what the catalog knows, or nobody sees it: then it does not count.
    fn copy(
        &self,
        setup: &Setup,
        wanted: &Wanted,
        path: PathBuf,
        left: &mut Vec<Left>,
    ) -> Result<Option<Copy>, CatalogError> {
        let Some(entry) = self.catalog.entry(&path)?.filter(|_| setup.is_in_sight(&path)) else {
            return Ok(None);
        };
        let Some(root) = setup.root_of(&path) else {
            // Its bytes count; nothing may be done to it.
            let base = setup.areas().find(|a| path.starts_with(a));
            let place = base.and_then(|b| place(b.into(), &path));
            return Ok(place.and_then(|p| on_disk(p, &entry, usize::MAX, true)));
        };
        let Some(place) = place(root.path.clone(), &path) else { return Ok(None) };
        let index = setup.roots.iter().position(|r| r.path == root.path).unwrap_or(usize::MAX);
        let Some(mut copy) = on_disk(place, &entry, index, false) else { return Ok(None) };
        if let Others::Folder(folder) = &root.duplicates.others {
            copy.aside = path.starts_with(root.path.join(folder));
        }
        let asked = wanted.under.as_ref().is_none_or(|under| path.starts_with(under))
            && !wanted.protect.iter().any(|p| p.is_match(&path));
        let gate = gate(setup, root, copy.place.rel(), &copy.stat, false);
        let reason = gate.filter(|r| *r != LeaveReason::InDestination);
        copy.protected = !asked || reason.is_some();
        if let (true, Some(reason)) = (asked, reason) {
            left.push(Left { path, reason, rule: None, detail: None });
        }
        Ok(Some(copy))
    }

    /// Resolves the groups, or plans to.
    ///
    /// # Errors
    /// The journal could not be written. What had been done by then stays done, and can be undone.
    pub fn resolve(
        &self,
        setup: &Setup,
        wanted: &Wanted,
        found: Found,
        dry_run: bool,
        watcher: Watcher<'_>,
    ) -> Result<Report, JournalError> {
        let mut report = Report { left: found.left, ..Report::default() };
        let todo: Vec<Going<'_>> =
            found.groups.iter().flat_map(|g| Going::of(g, &wanted.choice)).collect();
        (watcher.progress)(Progress::Total(todo.len()));
        let disk = self.disk(setup);
        let mut dry = Planner::new(&disk, Trigger::Organize);
        for (i, chunk) in todo.chunks(CHUNK).enumerate() {
            if watcher.stop.load(Ordering::Relaxed) {
                report.stopped = true;
                break;
            }
            if dry_run {
                for going in chunk {
                    going.plan(&mut dry, &wanted.replace, &mut report, watcher);
                }
                report.steps.extend(dry.take().steps);
            } else {
                self.resolve_chunk(setup, wanted, chunk, &disk, &mut report, watcher)?;
            }
            (watcher.progress)(Progress::Done((i * CHUNK + chunk.len()).min(todo.len())));
        }
        Ok(report)
    }

    fn resolve_chunk(
        &self,
        setup: &Setup,
        wanted: &Wanted,
        chunk: &[Going<'_>],
        disk: &Disk,
        report: &mut Report,
        watcher: Watcher<'_>,
    ) -> Result<(), JournalError> {
        let mut planner = Planner::new(disk, Trigger::Organize);
        let mut planned = Vec::new();
        for going in chunk {
            let first = planner.steps().len();
            if going.plan(&mut planner, &wanted.replace, report, watcher) {
                planned.push((going, first..planner.steps().len()));
            }
        }
        let plan = planner.finish();
        if plan.steps.is_empty() {
            return Ok(());
        }
        // Asked now: once the files have moved, a scan may have dropped the entries.
        let known = |(going, _): &(&Going<'_>, _)| {
            let path = going.copy.place.path();
            record::known(&self.catalog, &path).map(|entry| (path, entry))
        };
        let known: HashMap<PathBuf, Entry> = planned.iter().filter_map(known).collect();
        let progress = |op: &Operation| (watcher.progress)(Progress::Operation(op));
        let ops = self.journal.run_in(report.batch, &plan, &progress)?;
        report.batch = report.batch.or(ops.first().map(|o| o.batch));
        let mut changes: BTreeMap<PathBuf, Vec<Change>> = BTreeMap::new();
        let mut alone = Vec::new();
        for (going, steps) in planned {
            let own = &ops[steps];
            let failed = own.iter().find(|o| o.state != OpState::Done);
            if let Some(failed) = failed {
                let detail = failed.error.clone();
                let path = going.copy.place.path();
                // Aborted: it, or what stays, is not what was found; a look will tell.
                if failed.state == OpState::Aborted {
                    report.again.push(path.clone());
                }
                let left = Left { path, reason: LeaveReason::Failed, rule: None, detail };
                (watcher.progress)(Progress::Left(&left));
                report.left.push(left);
                // It is in the trash, and nothing has its name: it comes back.
                let gone = own.iter().find(|o| o.step.kind == StepKind::Trash);
                alone.extend(gone.filter(|o| o.state == OpState::Done));
                continue;
            }
            let known = known.get(&going.copy.place.path());
            resolved(setup, going, known, own, &mut changes);
        }
        record::apply(&self.catalog, changes);
        let mut came_back = Vec::new();
        if !alone.is_empty() {
            let mut inverter = Inverter::new(disk, &self.journal, Trigger::Organize);
            let mut before = HashMap::new();
            for op in &alone {
                inverter.invert(op);
                let [from, to] = [&op.step.src, &op.step.dst].map(|p| p.as_ref().map(Place::path));
                before.extend(to.zip(from.and_then(|from| known.get(&from).cloned())));
            }
            let back = self.journal.run_in(report.batch, &inverter.take(), &progress)?;
            self.record_undo(setup, back.iter(), &before);
            came_back = back;
        }
        report.ended.add(came_back.into_iter().chain(ops));
        Ok(())
    }
}

/// A copy that goes, and the one that stays.
struct Going<'g> {
    copy: &'g Copy,
    keeper: &'g Copy,
    digest: Digest,
}

impl<'g> Going<'g> {
    fn of(group: &'g Group, choice: &Choice) -> Vec<Self> {
        let Some(stays) = choice.stays(&group.copies) else { return Vec::new() };
        let keeper = &group.copies[stays];
        let goes = |(i, c): &(usize, &Copy)| {
            // Two names of one file are not two copies.
            let one = c.stat.dev == keeper.stat.dev && c.stat.id.ino == keeper.stat.id.ino;
            *i != stays && !c.protected && !one
        };
        (group.copies.iter().enumerate().filter(goes))
            .map(|(_, copy)| Self { copy, keeper, digest: group.digest })
            .collect()
    }

    /// Whether it got steps; says why it is left.
    fn plan(
        &self,
        planner: &mut Planner<'_>,
        replace: &Replace,
        report: &mut Report,
        watcher: Watcher<'_>,
    ) -> bool {
        match planner.resolve(self.copy, self.keeper, self.digest, replace) {
            Planned::Steps(_) => true,
            Planned::Left(reason, detail) => {
                let left = Left { path: self.copy.place.path(), reason, rule: None, detail };
                (watcher.progress)(Progress::Left(&left));
                report.left.push(left);
                false
            }
        }
    }
}

/// Enters what has become of a copy. What stands in for it has its place: it is not put aside as a copy of
/// the one that stays.
fn resolved(
    setup: &Setup,
    going: &Going<'_>,
    known: Option<&Entry>,
    ops: &[Operation],
    changes: &mut BTreeMap<PathBuf, Vec<Change>>,
) {
    let from = going.copy.place.path();
    changes.entry(dir_of(&from)).or_default().push(Change::Remove(name_of(&from)));
    let Some(op) = ops.last() else { return };
    let at = op.step.dst.as_ref().map(Place::path).filter(|p| setup.is_known_area(p));
    let is_file = !matches!(op.step.kind, StepKind::Trash | StepKind::Symlink);
    if let (true, Some(at), Some(id)) = (is_file, at, op.landed) {
        let entry = Entry {
            name: name_of(&at),
            id,
            category: known.and_then(|k| k.category.clone()),
            outcome: Outcome::Filed { op: op.id.0 },
            revisit: None,
            head: known.and_then(|k| k.head),
            digest: Some(going.digest),
        };
        changes.entry(dir_of(&at)).or_default().push(Change::Put(entry));
    }
}

fn place(base: std::sync::Arc<std::path::Path>, path: &std::path::Path) -> Option<Place> {
    let rel = path.strip_prefix(&base).ok()?.to_owned();
    Place::new(base, rel)
}

/// The copy, if it is still the file that the catalog knows.
fn on_disk(place: Place, entry: &Entry, root: usize, protected: bool) -> Option<Copy> {
    let same = |id: &Identity| *id == entry.id;
    match beneath::lookup(&place) {
        Lookup::File(stat) if same(&stat.id) => {
            Some(Copy { place, stat, root, protected, aside: false })
        }
        _ => None,
    }
}
