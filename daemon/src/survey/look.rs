//! One look at one directory.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use tidy_core::UnixNanos;
use tidy_core::facts::FileType;
use tidy_core::policy::RootPolicy;
use tidy_core::rules::LeaveReason;
use tidy_core::settle::Siblings;
use tidy_core::{ignore, policy};

use super::{Area, Survey, Wanted, may_enter};
use crate::catalog::{Change, Entry, Outcome};
use crate::coordinator::{Problem, RootState, Scanned, Sighting};
use crate::filing::{self, Candidate};
use crate::scan::{self, Found, Listing};
use crate::watch::{Backend, Names};

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
        // Watch first, then read: what arrives in between is seen twice rather than never.
        self.watch(area, rel, &dir, out);
        let listing = match names {
            Names::All => scan::read_dir(area.path(), rel),
            Names::Some(list) => scan::stat_names(area.path(), rel, list),
        };
        let listing = match listing {
            Ok(listing) => listing,
            Err(e) => {
                self.unreadable(area, rel, &dir, &e, out);
                return Vec::new();
            }
        };
        let whole = matches!(names, Names::All);
        if self.is_unit(area, rel, &listing) {
            self.unwatch(&dir);
            return Vec::new();
        }
        let known = self.known(&dir, out);
        let mut changes = Vec::new();
        self.compare_files(area, rel, &listing, &known, names, now, &mut changes, out);
        self.note_vanished(&dir, &listing, &known, names, &mut changes, out);
        self.write(&dir, changes, out);
        if whole {
            out.read.push(dir.clone());
        }
        self.below(area, rel, &dir, &listing, whole, out)
    }

    fn watch(&mut self, area: &Area, rel: &Path, dir: &Path, out: &mut Scanned) {
        let Some(tree) = &mut self.tree else { return };
        // A directory that cannot be looked at is reported when it is read.
        let Ok(stat) = scan::stat_dir(area.path(), rel) else { return };
        match tree.ensure(dir, stat.dev, stat.id.ino) {
            Ok(()) => {}
            Err(e) => {
                if e.is_news() {
                    out.problems.push(Problem { path: dir.to_owned(), text: e.to_string() });
                }
                out.unwatched = true;
            }
        }
    }

    fn unreadable(
        &mut self,
        area: &Area,
        rel: &Path,
        dir: &Path,
        error: &io::Error,
        out: &mut Scanned,
    ) {
        let is_root = rel.as_os_str().is_empty();
        let gone = error.kind() == io::ErrorKind::NotFound;
        if is_root {
            out.root_problem = Some(if gone { RootState::Missing } else { RootState::Unreadable });
            self.watch_nearest_parent(area.path());
        } else if gone {
            self.forget_dir(dir, out);
            return;
        }
        let text = format!("cannot be read: {error}");
        out.problems.push(Problem { path: dir.to_owned(), text });
    }

    /// A missing root announces its return where it will be made.
    fn watch_nearest_parent(&mut self, root: &Path) {
        let Some(tree) = &mut self.tree else { return };
        for parent in root.ancestors().skip(1) {
            if let Ok(stat) = scan::stat_dir(parent, Path::new("")) {
                // Not being able to watch it leaves the slower retry.
                let _ = tree.ensure(parent, stat.dev, stat.id.ino);
                return;
            }
        }
    }

    fn is_unit(&self, area: &Area, rel: &Path, listing: &Listing) -> bool {
        matches!(area, Area::Root(_)) && !rel.as_os_str().is_empty() && {
            ignore::unit_marker(names_of(listing)).is_some()
        }
    }

    fn known(&self, dir: &Path, out: &mut Scanned) -> HashMap<OsString, Entry> {
        match self.catalog.page(dir) {
            Ok(page) => page.into_iter().flatten().map(|e| (e.name.clone(), e)).collect(),
            Err(e) => {
                let text = format!("the catalog could not be read: {e}");
                out.problems.push(Problem { path: dir.to_owned(), text });
                HashMap::new()
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one look's state, passed down once")]
    fn compare_files(
        &self,
        area: &Area,
        rel: &Path,
        listing: &Listing,
        known: &HashMap<OsString, Entry>,
        names: &Names,
        now: UnixNanos,
        changes: &mut Vec<Change>,
        out: &mut Scanned,
    ) {
        let siblings = match (area, names) {
            (Area::Scope(_), _) => Siblings::default(),
            (_, Names::All) => Siblings::new(names_of(listing)),
            // A few names say nothing of what else is there.
            (_, Names::Some(_)) => match scan::read_names(area.path(), rel) {
                Ok(all) => Siblings::new(all.iter().map(|n| &**n)),
                Err(_) => Siblings::default(),
            },
        };
        for found in &listing.entries {
            let before = known.get(&found.name);
            match area {
                Area::Scope(_) => changes.extend(scope_change(found, before)),
                Area::Root(root) => {
                    let held_by = siblings.blocker(&found.name).map(ToOwned::to_owned);
                    let new = self.compare(root, rel, found, before, now, changes, out);
                    out.sightings.extend(new.map(|candidate| Sighting { candidate, held_by }));
                }
            }
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
        let decided = same.filter(|e| match &e.outcome {
            Outcome::Known | Outcome::Pending => false,
            Outcome::Filed { .. } => true,
            Outcome::Left { fingerprint, .. } => {
                let due = e.revisit.is_some_and(|at| at <= now);
                *fingerprint == root.rules.fingerprint && !due
            }
        });
        if let Some(entry) = decided.filter(|_| self.wanted == Wanted::New) {
            if let Some(at) = entry.revisit {
                out.revisit_at = Some(out.revisit_at.map_or(at, |r| r.min(at)));
            }
            return None;
        }
        if same.is_none() {
            changes.push(Change::Put(new_entry(found, Outcome::Pending)));
        }
        Some(Candidate { root: root.clone(), rel: file, stat: found.stat, in_unit: false })
    }

    fn note_vanished(
        &mut self,
        dir: &Path,
        listing: &Listing,
        known: &HashMap<OsString, Entry>,
        names: &Names,
        changes: &mut Vec<Change>,
        out: &mut Scanned,
    ) {
        let there: std::collections::HashSet<&OsStr> =
            listing.entries.iter().map(|f| &*f.name).collect();
        let asked: Box<dyn Iterator<Item = &OsString>> = match names {
            Names::All => Box::new(known.keys()),
            Names::Some(list) => Box::new(list.iter()),
        };
        for name in asked.filter(|n| !there.contains(n.as_os_str())) {
            let path = dir.join(name);
            if known.contains_key(name) {
                changes.push(Change::Remove(name.clone()));
            } else if !listing.subdirs.contains(name) {
                // It may have been a directory: what was below it is somewhere else now, or nowhere.
                self.forget_dir(&path, out);
            }
            out.vanished.push(path);
        }
    }

    /// The directories below to be walked, and those the catalog or the watcher may forget.
    fn below(
        &mut self,
        area: &Area,
        rel: &Path,
        dir: &Path,
        listing: &Listing,
        whole: bool,
        out: &mut Scanned,
    ) -> Vec<PathBuf> {
        let mut walk = Vec::new();
        for name in &listing.subdirs {
            let below = rel.join(name);
            if !may_enter(area, &below) {
                continue;
            }
            let path = dir.join(name);
            if !self.tree.as_ref().is_some_and(|t| t.is_watched(&path)) {
                out.new_dirs.push(path);
            }
            walk.push(below);
        }
        if whole {
            self.forget_vanished_dirs(dir, listing, out);
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

/// Every name of a directory.
fn names_of(listing: &Listing) -> impl Iterator<Item = &OsStr> {
    let files = listing.entries.iter().map(|f| f.name.as_os_str());
    files.chain(listing.subdirs.iter().map(OsString::as_os_str))
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
        Outcome::Known | Outcome::Pending => false,
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
