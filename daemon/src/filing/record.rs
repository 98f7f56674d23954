//! What a run leaves behind in the catalog. Grouped by directory, so that a page is written once.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tidy_core::UnixNanos;
use tidy_core::category::Category;
use tidy_core::facts::Identity;
use tidy_core::operation::{OpId, OpState, Operation};
use tidy_core::plan::{Place, StepKind};
use tidy_core::policy::RootPolicy;
use tidy_core::rules::LeaveReason;

use super::batch::{Candidate, Left};
use super::end::on_itself;
use super::gather::Decided;
use super::tally::Became;
use super::waiting::Waiting;
use super::{Setup, Tally};
use crate::catalog::{Catalog, CatalogError, Change, Entry, Outcome};

/// What failed for a reason outside the file (a full or missing disk) is tried again after this, and after twice
/// as long each time it fails again …
const RETRY: Duration = Duration::from_secs(15 * 60);

/// … until it is twice as long no more: every 16 hours.
const RETRY_DOUBLINGS: u32 = 6;

/// A companion that stays with its file is looked at again after this: the file may have gone.
const WITH_ITS_FILE: Duration = Duration::from_secs(60 * 60);

/// When to try again what has failed `times` times in a row.
fn retry_at(now: UnixNanos, times: usize) -> UnixNanos {
    let doublings = u32::try_from(times.saturating_sub(1)).unwrap_or(u32::MAX).min(RETRY_DOUBLINGS);
    now.plus(RETRY * 2_u32.pow(doublings))
}

/// Changes to the catalog, by directory.
pub(super) type Changes = BTreeMap<PathBuf, Vec<Change>>;

/// Changes to the catalog, collected while a chunk is carried out.
pub(super) struct Book<'a> {
    setup: &'a Setup,
    tally: &'a Tally,
    waiting: &'a Waiting,
    now: UnixNanos,
    changes: Changes,
}

impl<'a> Book<'a> {
    pub(super) fn new(
        setup: &'a Setup,
        (tally, waiting): (&'a Tally, &'a Waiting),
        now: UnixNanos,
    ) -> Self {
        Self { setup, tally, waiting, now, changes: BTreeMap::new() }
    }

    /// The file was filed by `op` and is now at `at` (`None`: in the trash).
    pub(super) fn filed(
        &mut self,
        candidate: &Candidate,
        d: &Decided,
        op: &Operation,
        at: Option<&Path>,
    ) {
        if candidate.is_directory() {
            // What is in it has no entries, wherever it is.
            return;
        }
        let from = candidate.path();
        self.count(Became::by(op), d);
        self.waiting.filed(&op.step.rule);
        if at != Some(&*from) {
            self.remove(&from);
        }
        if let Some(at) = at.filter(|p| self.setup.is_known_area(p)) {
            let id =
                if at == from { candidate.stat.id } else { op.landed.unwrap_or(candidate.stat.id) };
            let entry = Self::entry(d, at, id, Outcome::Filed { op: op.id.0 });
            self.put(at, entry);
        }
    }

    /// Copies and names that were made of it have their place too: they are neither filed nor, as
    /// duplicates of their original, put aside. A symbolic link is no file and has no entry.
    pub(super) fn copied<'o>(
        &mut self,
        candidate: &Candidate,
        d: &Decided,
        ops: impl Iterator<Item = &'o Operation>,
    ) {
        let is_file = |kind: StepKind| kind.keeps_source() && kind != StepKind::Symlink;
        let made = on_itself(candidate, ops).filter(|o| is_file(o.step.kind));
        for op in made.filter(|o| o.state == OpState::Done) {
            let at = op.step.dst.as_ref().map(Place::path);
            let at = at.filter(|p| self.setup.is_known_area(p));
            if let Some((at, id)) = at.zip(op.landed) {
                let outcome = Outcome::Filed { op: op.id.0 };
                let entry = Self::entry(d, &at, id, outcome);
                self.put(&at, entry);
            }
        }
    }

    /// The file stays where it is, because filing it failed, so many times in a row now.
    pub(super) fn failed(&mut self, candidate: &Candidate, d: &Decided, left: &Left, times: usize) {
        self.count(Became::Failed, d);
        self.leave(candidate, d, left, Some(retry_at(self.now, times)));
    }

    /// The file stays where it is.
    pub(super) fn left(&mut self, candidate: &Candidate, d: &Decided, left: &Left) {
        self.count(Became::Left, d);
        if let (LeaveReason::DestinationNotReady, Some(rule)) = (left.reason, &left.rule) {
            self.waiting.left(rule, left.detail.as_deref().unwrap_or_default(), &left.path);
        }
        let revisit = if is_retried(left.reason) {
            Some(retry_at(self.now, 1))
        } else if left.reason == LeaveReason::Companion {
            Some(self.now.plus(WITH_ITS_FILE))
        } else {
            d.decision.revisit_at
        };
        self.leave(candidate, d, left, revisit);
    }

    fn leave(
        &mut self,
        candidate: &Candidate,
        d: &Decided,
        left: &Left,
        revisit: Option<UnixNanos>,
    ) {
        if candidate.is_directory() {
            return;
        }
        let path = &left.path;
        if *path != candidate.path() {
            self.gone(candidate);
        }
        let outcome = Outcome::Left {
            reason: left.reason,
            rule: left.rule.clone(),
            fingerprint: candidate.root.rules.fingerprint,
        };
        let mut entry = Self::entry(d, path, candidate.stat.id, outcome);
        entry.revisit = revisit;
        self.put(path, entry);
    }

    /// The file is not there any more.
    pub(super) fn gone(&mut self, candidate: &Candidate) {
        self.remove(&candidate.path());
    }

    /// What the catalog is to be told, by directory.
    pub(super) fn changes(self) -> Changes {
        self.changes
    }

    fn entry(d: &Decided, at: &Path, id: Identity, outcome: Outcome) -> Entry {
        let copy = d.copy.as_ref();
        Entry {
            name: name_of(at),
            id,
            category: category(d).cloned(),
            outcome,
            revisit: None,
            head: copy.and_then(|c| c.head),
            digest: copy.and_then(|c| c.digest),
        }
    }

    fn count(&self, what: Became, d: &Decided) {
        self.tally.became(what, category(d), 1);
    }

    fn put(&mut self, path: &Path, entry: Entry) {
        self.changes.entry(dir_of(path)).or_default().push(Change::Put(entry));
    }

    fn remove(&mut self, path: &Path) {
        self.changes.entry(dir_of(path)).or_default().push(Change::Remove(name_of(path)));
    }
}

/// What kind of file it is, as far as anybody has looked.
fn category(d: &Decided) -> Option<&Category> {
    let known = d.facts.kind.value().map(|k| &k.category);
    known.or_else(|| d.copy.as_ref()?.category.as_ref())
}

/// Whether time alone may make another attempt succeed.
pub(crate) fn is_retried(reason: LeaveReason) -> bool {
    use LeaveReason::{BadDestination, DestinationNotReady, StillWritten, Unreadable};
    matches!(reason, BadDestination | DestinationNotReady | StillWritten | Unreadable)
}

/// Records files that were left before any rule was asked.
pub(super) fn left_at_the_gate(catalog: &Catalog, left: &[(Candidate, LeaveReason)]) {
    let mut changes: BTreeMap<PathBuf, Vec<Change>> = BTreeMap::new();
    for (c, reason) in left.iter().filter(|(c, r)| is_kept(*r) && !c.is_directory()) {
        let path = c.path();
        let mut entry = gate_entry(&c.root, &name_of(&path), c.stat.id, *reason);
        if *reason == LeaveReason::RolledBack {
            // Whoever put it back has entered it, perhaps after it was seen by the scan that this is of. It may have been asked
            // for since, and failed: its time has come, and must not come again at once.
            let known = known(catalog, &path).filter(|known| known.id == entry.id);
            entry = known.map_or(entry.clone(), |k| Entry {
                outcome: entry.outcome,
                revisit: None,
                ..k
            });
        }
        changes.entry(dir_of(&path)).or_default().push(Change::Put(entry));
    }
    apply(catalog, changes);
}

/// Records companions that stay with their files.
pub(super) fn left_as_companions(
    catalog: &Catalog,
    staying: &[(Candidate, OsString)],
    now: UnixNanos,
) {
    let mut changes: BTreeMap<PathBuf, Vec<Change>> = BTreeMap::new();
    for (c, _) in staying {
        let path = c.path();
        let mut entry = gate_entry(&c.root, &name_of(&path), c.stat.id, LeaveReason::Companion);
        entry.revisit = Some(now.plus(WITH_ITS_FILE));
        changes.entry(dir_of(&path)).or_default().push(Change::Put(entry));
    }
    apply(catalog, changes);
}

/// Records files that an operation before has brought to where they are.
pub(super) fn filed_before<'f>(
    catalog: &Catalog,
    filed: impl Iterator<Item = &'f (Candidate, OpId)>,
    category: impl Fn(&Candidate) -> Option<Category>,
) {
    let mut changes: BTreeMap<PathBuf, Vec<Change>> = BTreeMap::new();
    for (c, op) in filed {
        let path = c.path();
        let before = known(catalog, &path).filter(|e| e.id == c.stat.id);
        let entry = Entry {
            name: name_of(&path),
            id: c.stat.id,
            category: category(c),
            outcome: Outcome::Filed { op: op.0 },
            revisit: None,
            head: before.as_ref().and_then(|e| e.head),
            digest: before.as_ref().and_then(|e| e.digest),
        };
        changes.entry(dir_of(&path)).or_default().push(Change::Put(entry));
    }
    apply(catalog, changes);
}

/// Whether a file left for this reason gets an entry. Unfinished files do not: a growing download
/// would rewrite its page with every look at it; symlinks and devices have no content to know; and
/// what is in a project is not looked at.
pub(crate) fn is_kept(reason: LeaveReason) -> bool {
    use LeaveReason::{InUnit, NotRegular, Unfinished};
    !matches!(reason, InUnit | NotRegular | Unfinished)
}

/// The entry of a file that was left before any rule was asked.
pub(crate) fn gate_entry(
    root: &RootPolicy,
    name: &OsStr,
    id: Identity,
    reason: LeaveReason,
) -> Entry {
    Entry {
        name: name.to_owned(),
        id,
        category: None::<Category>,
        outcome: Outcome::Left { reason, rule: None, fingerprint: root.rules.fingerprint },
        revisit: None,
        head: None,
        digest: None,
    }
}

/// Applies changes directory by directory. The catalog can be rebuilt, so an error here costs a
/// rescan and is reported, never returned: what happened to the files stands in the journal.
pub(super) fn apply(catalog: &Catalog, changes: Changes) {
    let mut put: HashMap<PathBuf, HashMap<OsString, Entry>> = HashMap::new();
    let mut vanished = HashMap::new();
    for (dir, changes) in changes {
        let entries = entries_of(&changes);
        let taken = changes.iter().map(Change::name).filter(|name| !entries.contains_key(*name));
        let taken: Vec<OsString> = taken.map(ToOwned::to_owned).collect();
        tell(&dir, entered(catalog, &dir, &entries));
        vanished.insert(dir.clone(), taken);
        put.insert(dir, entries);
    }
    // Entries go when those of the new places are there, so that a file has one at any time. Of those that go another
    // batch may have read the content in the meantime, and that is true of the file where it is now.
    let mut learnt = HashMap::new();
    for (dir, names) in &vanished {
        match taken_out(catalog, dir, names) {
            Ok(gone) => learnt.extend(gone.into_iter().map(|e| (e.id, (e.head, e.digest)))),
            Err(error) => tell(dir, Err(error)),
        }
    }
    for (dir, entries) in &put {
        for entry in entries.values() {
            let more = learnt.get(&entry.id).filter(|(head, digest)| {
                entry.head.is_none() && head.is_some() || entry.digest.is_none() && digest.is_some()
            });
            if let Some((head, digest)) = more {
                let path = dir.join(&entry.name);
                tell(dir, catalog.set_digest(&path, entry.id, *head, *digest).map(drop));
            }
        }
        tell(dir, drop_vanished(catalog, dir, entries));
    }
}

fn tell(dir: &Path, updated: Result<(), CatalogError>) {
    if let Err(error) = updated {
        tracing::warn!(dir = %dir.display(), %error, "the catalog could not be updated");
    }
}

fn entered(
    catalog: &Catalog,
    dir: &Path,
    put: &HashMap<OsString, Entry>,
) -> Result<(), CatalogError> {
    if put.is_empty() {
        return Ok(());
    }
    catalog.update(dir, put.values().cloned().map(Change::Put).collect())
}

/// What a run has to say may be late: a name that it leaves may have been taken again, by another run
/// that has told the catalog already. Returns the entries of names that are gone indeed, which go.
fn taken_out(
    catalog: &Catalog,
    dir: &Path,
    names: &[OsString],
) -> Result<Vec<Entry>, CatalogError> {
    let names: Vec<&OsStr> = names.iter().map(OsString::as_os_str).collect();
    // The entries before the disk: one that is written in between is not the one that goes.
    let mut seen = catalog.entries(dir, &names)?;
    seen.retain(|name, _| is_gone(&dir.join(name)));
    if seen.is_empty() {
        return Ok(Vec::new());
    }
    let gone = seen.keys().cloned().map(Change::Remove).collect();
    catalog.update_if_as_seen(dir, &seen, gone)
}

/// The entries that are put, by name.
pub(crate) fn entries_of(changes: &[Change]) -> HashMap<OsString, Entry> {
    let put = changes.iter().filter_map(|change| match change {
        Change::Put(entry) => Some((entry.name.clone(), entry.clone())),
        Change::Remove(_) => None,
    });
    put.collect()
}

/// Takes back entries, just written, of names that are gone. Whoever watches has looked there when the
/// name went, and where that was before the entry was written, nobody will look again.
pub(crate) fn drop_vanished(
    catalog: &Catalog,
    dir: &Path,
    put: &HashMap<OsString, Entry>,
) -> Result<(), CatalogError> {
    let gone = put.keys().filter(|name| is_gone(&dir.join(name)));
    let gone: Vec<Change> = gone.cloned().map(Change::Remove).collect();
    if gone.is_empty() { Ok(()) } else { catalog.update_if_as_seen(dir, put, gone).map(drop) }
}

fn is_gone(path: &Path) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    match path.symlink_metadata() {
        // Something else may have its name by now.
        Ok(stat) => !stat.is_file(),
        Err(e) => matches!(e.kind(), NotFound | NotADirectory),
    }
}

/// What the catalog keeps of a path.
pub(super) fn known(catalog: &Catalog, path: &Path) -> Option<Entry> {
    catalog.entry(path).unwrap_or_else(|error| {
        tracing::warn!(path = %path.display(), %error, "the catalog could not be read");
        None
    })
}

/// The same of many paths; of those it has nothing of there is nothing.
pub(super) fn known_of(
    catalog: &Catalog,
    paths: impl Iterator<Item = PathBuf>,
) -> HashMap<PathBuf, Entry> {
    let mut by_dir: BTreeMap<PathBuf, Vec<OsString>> = BTreeMap::new();
    for path in paths {
        by_dir.entry(dir_of(&path)).or_default().push(name_of(&path));
    }
    let mut known = HashMap::new();
    for (dir, names) in by_dir {
        let names: Vec<&OsStr> = names.iter().map(OsString::as_os_str).collect();
        match catalog.entries(&dir, &names) {
            Ok(entries) => known.extend(entries.into_iter().map(|(name, e)| (dir.join(name), e))),
            Err(error) => {
                tracing::warn!(dir = %dir.display(), %error, "the catalog could not be read");
            }
        }
    }
    known
}

pub(super) fn dir_of(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("/")).to_owned()
}

pub(super) fn name_of(path: &Path) -> OsString {
    path.file_name().unwrap_or_default().to_owned()
}
