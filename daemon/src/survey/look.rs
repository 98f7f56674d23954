//! One look at one directory.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tidy_core::UnixNanos;
use tidy_core::breaker::Standing;
use tidy_core::facts::{FileType, Stat};
use tidy_core::policy::RootPolicy;
use tidy_core::rules::LeaveReason;
use tidy_core::settle::Siblings;
use tidy_core::{ignore, policy};

use super::{Area, Survey, may_enter};
use crate::catalog::{Change, Entry, Outcome};
use crate::coordinator::{Problem, RootState, Scanned, Sighting};
use crate::filing::{self, Candidate};
use crate::scan::{self, Found, Listing};
use crate::watch::{Backend, Ensured, Names, WatchError};

/// A file that came longer ago was not moved just now.
const LATELY: Duration = Duration::from_secs(3600);

impl<B: Backend> Survey<B> {
    /// Watches and reads one directory (or some names in it) and compares it with its page.
    /// Returns the directories below it that are to be walked, by name.
    pub(super) fn look(
        &mut self,
        area: &Area,
        rel: &Path,
        names: &Names,
        now: UnixNanos,
        out: &mut Scanned,
    ) -> Vec<PathBuf> {
        let dir = area.path().join(rel);
        // Before the directory: what is filed into it from now on is either read there, or known to be
        // newer than this page.
        let known = self.known(&dir, out);
        let met = known.is_some();
        let known = known.unwrap_or_default();
        let mut own = None;
        let seen = match scan::Dir::open(area.path(), rel) {
            Ok(Some(open)) => {
                own = Some(*open.stat());
                // Watch first, then read: what arrives in between is seen twice rather than never. A
                // watch that is fresh has heard nothing of what was there before.
                let fresh = self.watch(&dir, open.stat(), out);
                read(area, rel, open, if fresh { &Names::All } else { names })
            }
            Ok(None) => {
                self.gone(area, rel, &dir, out);
                return Vec::new();
            }
            Err(e) => Err(e),
        };
        let seen = match seen {
            Ok(seen) => seen,
            Err(e) => {
                self.unreadable(area, rel, &dir, &e, out);
                return Vec::new();
            }
        };
        let whole = seen.asked.is_none() && seen.listing.is_complete();
        let unpacked = own.is_some_and(|own| self.is_unpacked(area, rel, &own));
        if unpacked || self.is_unit(area, rel, &seen) {
            if let (Area::Root(root), Some(stat)) = (area, own) {
                self.sight_unit(root, rel, (stat, unpacked), now, out);
            }
            self.forget_dir(&dir, out);
            return Vec::new();
        }
        let mut changes = Vec::new();
        self.compare_files(area, rel, &seen, (&known, met), now, &mut changes, out);
        for (name, error) in &seen.listing.unreadable {
            let text = format!("cannot be looked at: {error}");
            out.problems.push(Problem { path: dir.join(name), text });
        }
        self.note_vanished(&dir, &seen, &known, &mut changes, out);
        self.tell_habits(&dir, &seen, &known, &changes, now);
        self.write(&dir, &known, changes, out);
        if whole {
            out.read.push(dir.clone());
            self.forget_vanished_dirs(&dir, &seen.listing, out);
        }
        self.look_for_archives(area, rel, &seen, now);
        self.below(area, rel, &dir, &seen.listing, now, out)
    }

    /// Whether the directory was not watched before.
    fn watch(&mut self, dir: &Path, stat: &Stat, out: &mut Scanned) -> bool {
        let Some(tree) = &mut self.tree else { return false };
        if self.remote.iter().any(|r| dir.starts_with(r)) {
            out.unwatched = true;
            return false;
        }
        match tree.ensure(dir, stat.dev, stat.id.ino) {
            Ensured::Fresh => return true,
            Ensured::Known | Ensured::Unwatched(WatchError::Gone) => {}
            Ensured::Unwatched(error) => {
                if !self.unwatched_said {
                    self.unwatched_said = true;
                    out.problems.push(Problem { path: dir.to_owned(), text: error.to_string() });
                }
                out.unwatched = true;
            }
        }
        false
    }

    /// No directory is there (any more).
    fn gone(&mut self, area: &Area, rel: &Path, dir: &Path, out: &mut Scanned) {
        if !rel.as_os_str().is_empty() {
            self.forget_dir(dir, out);
            return;
        }
        out.root_problem = Some(RootState::Missing);
        self.unwatch(dir);
        self.watch_nearest_parent(area.path());
        out.problems.push(Problem { path: dir.to_owned(), text: "is not there".into() });
    }

    fn unreadable(
        &mut self,
        area: &Area,
        rel: &Path,
        dir: &Path,
        error: &io::Error,
        out: &mut Scanned,
    ) {
        if rel.as_os_str().is_empty() {
            out.root_problem = Some(RootState::Unreadable);
            self.watch_nearest_parent(area.path());
        }
        let text = format!("cannot be read: {error}");
        out.problems.push(Problem { path: dir.to_owned(), text });
    }

    /// A root that is not there announces its return where it will be made.
    fn watch_nearest_parent(&mut self, root: &Path) {
        let Some(tree) = &mut self.tree else { return };
        for parent in root.ancestors().skip(1) {
            if let Ok(Some(dir)) = scan::Dir::open(parent, Path::new("")) {
                // Where that cannot be watched, the slower retry finds it.
                let _ = tree.ensure(parent, dir.stat().dev, dir.stat().id.ino);
                return;
            }
        }
    }

    /// A directory whose name says that it is one thing; nobody looks into it.
    fn sight_bundle(
        &self,
        root: &std::sync::Arc<RootPolicy>,
        rel: &Path,
        now: UnixNanos,
        out: &mut Scanned,
    ) {
        let is_one = root.recursive && root.ignore.dir(rel) == Some(LeaveReason::InUnit);
        if !is_one || !root.rules.asks_for_units() {
            return;
        }
        if let Ok(Some(dir)) = scan::Dir::open(&root.path, rel) {
            self.sight_unit(root, rel, (*dir.stat(), false), now, out);
        }
    }

    /// A directory that is one thing, where rules may move it as one.
    fn sight_unit(
        &self,
        root: &std::sync::Arc<RootPolicy>,
        rel: &Path,
        (stat, unpacked): (Stat, bool),
        now: UnixNanos,
        out: &mut Scanned,
    ) {
        if !root.rules.asks_for_units()
            || filing::gate(&self.setup, root, rel, &stat, false).is_some()
        {
            return;
        }
        let since = self.since.get(&*root.path).copied().unwrap_or(now);
        let standing = match stat.ctime >= since {
            true => Standing::New,
            false => Standing::Unseen,
        };
        out.lying += 1;
        let (root, rel) = (root.clone(), rel.to_owned());
        let candidate = Candidate { root, rel, stat, in_unit: false, unpacked, standing };
        out.sightings.push(Sighting { candidate, held_by: None });
    }

    fn is_unit(&self, area: &Area, rel: &Path, seen: &Seen) -> bool {
        matches!(area, Area::Root(_)) && !rel.as_os_str().is_empty() && {
            ignore::unit_marker(seen.names()).is_some()
        }
    }

    /// Whether an archive was unpacked into the directory, as was told when the one above it was looked at.
    fn is_unpacked(&self, area: &Area, rel: &Path, own: &Stat) -> bool {
        let (Area::Root(root), Some(unpacked)) = (area, &self.unpacked) else { return false };
        !rel.as_os_str().is_empty()
            && unpacked.knows(own)
            && filing::may_be_unpacked(&self.setup, root, rel)
    }

    /// Tells which of the directories in this one archives beside them were unpacked into.
    fn look_for_archives(&self, area: &Area, rel: &Path, seen: &Seen, now: UnixNanos) {
        let (Area::Root(root), Some(unpacked)) = (area, &self.unpacked) else { return };
        let below = seen.listing.subdirs.iter().map(|name| rel.join(name));
        let mut below = below
            .filter(|rel| root.recursive && root.ignore.enter(rel))
            .filter(|rel| filing::may_be_unpacked(&self.setup, root, rel))
            .peekable();
        if below.peek().is_some() {
            let beside = unpacked.beside(&root.path, rel, seen.names(), now);
            below.for_each(|rel| {
                unpacked.told(&beside, &root.path, &rel);
            });
        }
    }

    /// What the catalog has of the directory; `None`: it does not know it.
    fn known(&self, dir: &Path, out: &mut Scanned) -> Option<HashMap<OsString, Entry>> {
        match self.catalog.page(dir) {
            Ok(page) => page.map(|p| p.into_iter().map(|e| (e.name.clone(), e)).collect()),
            Err(e) => {
                let text = format!("the catalog could not be read: {e}");
                out.problems.push(Problem { path: dir.to_owned(), text });
                None
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one look's state, passed down once")]
    fn compare_files(
        &self,
        area: &Area,
        rel: &Path,
        seen: &Seen,
        (known, met): (&HashMap<OsString, Entry>, bool),
        now: UnixNanos,
        changes: &mut Vec<Change>,
        out: &mut Scanned,
    ) {
        let root = match area {
            Area::Root(root) => root,
            Area::Scope(_) => {
                let new = seen.listing.files.iter();
                changes.extend(new.filter_map(|f| scope_change(f, known.get(&f.name))));
                return;
            }
        };
        let siblings = Siblings::new(seen.names());
        for found in &seen.listing.files {
            let before = known.get(&found.name);
            let held_by = siblings.blocker(&found.name).map(ToOwned::to_owned);
            let whole = seen.asked.is_none();
            let new = self.compare(root, rel, found, before, whole, now, changes, out);
            let new = new.map(|mut candidate| {
                let since = self.since.get(&*root.path).copied().unwrap_or(now);
                candidate.standing = standing(&candidate, before, met, since);
                Sighting { candidate, held_by }
            });
            out.sightings.extend(new);
        }
    }

    /// The file as a candidate, unless the catalog knows what became of it.
    #[expect(clippy::too_many_arguments, reason = "one look's state, passed down once")]
    fn compare(
        &self,
        root: &std::sync::Arc<RootPolicy>,
        rel: &Path,
        found: &Found,
        before: Option<&Entry>,
        whole: bool,
        now: UnixNanos,
        changes: &mut Vec<Change>,
        out: &mut Scanned,
    ) -> Option<Candidate> {
        let file = rel.join(&found.name);
        let same = before.filter(|e| e.id == found.stat.id);
        if let Some(reason) = filing::gate(&self.setup, root, &file, &found.stat, false) {
            let settled = same.is_some_and(|e| is_settled(e, root, now, reason));
            if filing::is_kept(reason) && !settled {
                let entry = filing::gate_entry(root, &found.name, found.stat.id, reason);
                changes.push(Change::Put(keep_what_is_known(entry, same)));
            }
            return None;
        }
        if whole && !same.is_some_and(|e| matches!(e.outcome, Outcome::Filed { .. })) {
            out.lying += 1;
        }
        let decided = same.filter(|e| match &e.outcome {
            // Seen, and not decided yet.
            Outcome::Known => false,
            Outcome::Filed { .. } => true,
            Outcome::Left { reason, fingerprint, .. } => {
                let due = e.revisit.is_some_and(|at| at <= now);
                // What its destination lacked may have come: the whole directory is looked at then.
                let waits = whole && *reason == LeaveReason::DestinationNotReady;
                *fingerprint == root.rules.fingerprint && !due && !waits
            }
        });
        if let Some(entry) = decided.filter(|e| !self.wanted.again(&e.outcome)) {
            if let Some(at) = entry.revisit {
                out.revisit_at = Some(out.revisit_at.map_or(at, |r| r.min(at)));
            }
            return None;
        }
        if same.is_none() {
            changes.push(Change::Put(new_entry(found, Outcome::Known)));
        }
        Some(Candidate {
            root: root.clone(),
            rel: file,
            stat: found.stat,
            in_unit: false,
            unpacked: false,
            standing: Standing::New,
        })
    }

    fn note_vanished(
        &mut self,
        dir: &Path,
        seen: &Seen,
        known: &HashMap<OsString, Entry>,
        changes: &mut Vec<Change>,
        out: &mut Scanned,
    ) {
        let listing = &seen.listing;
        let unreadable = listing.unreadable.iter().map(|(name, _)| name.as_os_str());
        let there: HashSet<&OsStr> =
            listing.files.iter().map(|f| f.name.as_os_str()).chain(unreadable).collect();
        let no_file = |name: &OsStr| !there.contains(name);
        let Some(asked) = &seen.asked else {
            // What is not listed is gone, if everything is listed.
            let known = known.keys().filter(|n| listing.is_complete() && no_file(n));
            for name in known {
                changes.push(Change::Remove(name.clone()));
                out.vanished.push(dir.join(name));
            }
            return;
        };
        for name in asked {
            let was_file = known.contains_key(name);
            if no_file(name) {
                // Also when a directory or a link has its name now.
                if was_file {
                    changes.push(Change::Remove(name.clone()));
                }
                out.vanished.push(dir.join(name));
            }
            if !was_file && !listing.subdirs.contains(name) {
                // It may have been a directory: what was below it is elsewhere, or nowhere.
                self.forget_dir(&dir.join(name), out);
            }
        }
    }

    /// Tells what has gone and what has come lately: who moves a file changes its ctime.
    fn tell_habits(
        &self,
        dir: &Path,
        seen: &Seen,
        known: &HashMap<OsString, Entry>,
        changes: &[Change],
        now: UnixNanos,
    ) {
        let Some(habits) = &self.habits else { return };
        let gone = changes.iter().filter_map(|change| match change {
            Change::Remove(name) => known.get(name),
            Change::Put(_) => None,
        });
        let is_known = |f: &&Found| known.get(&f.name).is_some_and(|e| e.id == f.stat.id);
        let lately = |f: &&Found| now.since(f.stat.ctime) < LATELY;
        let new = seen.listing.files.iter().filter(|f| !is_known(f)).filter(lately);
        let new: Vec<_> = new.map(|f| (dir.join(&f.name), f.stat.id)).collect();
        let mut gone = gone.peekable();
        if gone.peek().is_some() || !new.is_empty() {
            habits.looked(dir, gone, new.into_iter(), now);
        }
    }

    /// The directories below to be walked.
    fn below(
        &mut self,
        area: &Area,
        rel: &Path,
        dir: &Path,
        listing: &Listing,
        now: UnixNanos,
        out: &mut Scanned,
    ) -> Vec<PathBuf> {
        let mut walk = Vec::new();
        for name in &listing.subdirs {
            let below = rel.join(name);
            if !may_enter(&self.setup, area, &below) {
                if let Area::Root(root) = area {
                    self.sight_bundle(root, &below, now, out);
                }
                continue;
            }
            let path = dir.join(name);
            if self.tree.as_ref().is_some_and(|t| !t.is_watched(&path)) {
                out.new_dirs.push(path);
            }
            walk.push(below);
        }
        walk
    }

    fn forget_vanished_dirs(&mut self, dir: &Path, listing: &Listing, out: &mut Scanned) {
        let known = match self.catalog.subdirs(dir) {
            Ok(known) => known,
            Err(e) => {
                let text = format!("the catalog could not be read: {e}");
                out.problems.push(Problem { path: dir.to_owned(), text });
                return;
            }
        };
        for name in known.into_iter().filter(|n| !listing.subdirs.contains(n)) {
            self.forget_dir(&dir.join(name), out);
        }
    }

    fn forget_dir(&mut self, gone: &Path, out: &mut Scanned) {
        self.unwatch(gone);
        if let Err(e) = self.catalog.forget(gone) {
            let text = format!("the catalog could not be updated: {e}");
            out.problems.push(Problem { path: gone.to_owned(), text });
        }
    }
}

/// What one look saw.
struct Seen {
    listing: Listing,
    /// `None`: the listing is the whole directory. Else all that was asked for.
    asked: Option<Vec<OsString>>,
    /// Then every name there is: a few say nothing of markers and siblings.
    beside: Vec<OsString>,
}

impl Seen {
    /// Every name in the directory.
    fn names(&self) -> impl Iterator<Item = &OsStr> {
        let listed = self.listing.names().filter(|_| self.asked.is_none());
        listed.chain(self.beside.iter().map(OsString::as_os_str))
    }
}

fn read(area: &Area, rel: &Path, dir: scan::Dir, names: &Names) -> io::Result<Seen> {
    let Names::Some(list) = names else {
        return Ok(Seen { listing: dir.read()?, asked: None, beside: Vec::new() });
    };
    let listing = dir.look(list.iter().cloned()).seen;
    let beside = match area {
        Area::Root(root) => scan::names_of(&root.path, rel)?,
        Area::Scope(_) => Vec::new(),
    };
    Ok(Seen { listing, asked: Some(list.clone()), beside })
}

/// Whether a file left at the gate is already recorded so.
fn is_settled(entry: &Entry, root: &policy::RootPolicy, now: UnixNanos, why: LeaveReason) -> bool {
    match &entry.outcome {
        // It was filed here by us: better known than "in a folder that rules file things into".
        Outcome::Filed { .. } => true,
        Outcome::Left { reason, fingerprint, .. } => {
            *reason == why
                && *fingerprint == root.rules.fingerprint
                && entry.revisit.is_none_or(|at| at > now)
        }
        Outcome::Known => false,
    }
}

/// A new outcome takes nothing away from what is known of the same content.
fn keep_what_is_known(mut entry: Entry, same: Option<&Entry>) -> Entry {
    if let Some(old) = same {
        entry.category = old.category.clone();
        entry.head = old.head;
        entry.digest = old.digest;
    }
    entry
}

/// What the file was to us before; `before` is its entry, `met` whether its directory had been looked
/// into, `since` the time from which on we have watched.
fn standing(
    candidate: &Candidate,
    before: Option<&Entry>,
    met: bool,
    since: UnixNanos,
) -> Standing {
    let rules = candidate.root.rules.fingerprint;
    match before.filter(|e| e.id == candidate.stat.id).map(|e| &e.outcome) {
        // A full disk was in its way, say: it has arrived, and its time has come only now.
        Some(Outcome::Left { reason, fingerprint, .. })
            if *fingerprint == rules && filing::is_retried(*reason) =>
        {
            Standing::New
        }
        Some(Outcome::Left { .. }) => Standing::Left,
        _ if candidate.stat.ctime >= since => Standing::New,
        Some(Outcome::Known) => Standing::Unseen,
        Some(Outcome::Filed { .. }) => Standing::New,
        None if before.is_some() || met => Standing::New,
        None => Standing::Unseen,
    }
}

fn scope_change(found: &Found, before: Option<&Entry>) -> Option<Change> {
    let regular = found.stat.file_type == FileType::Regular;
    let same = before.is_some_and(|e| e.id == found.stat.id);
    (regular && !same).then(|| Change::Put(new_entry(found, Outcome::Known)))
}

fn new_entry(found: &Found, outcome: Outcome) -> Entry {
    Entry {
        name: found.name.clone(),
        id: found.stat.id,
        category: None,
        outcome,
        revisit: None,
        head: None,
        digest: None,
    }
}
