//! survey: directories as they are, held against the catalog as it was.
//!
//! In: directories (or names in them) that may have changed, or a subtree to be walked. Out:
//! [`Scanned`]: files that are new, changed or undecided, directories nobody has walked, what is gone.
//! The catalog's pages are brought up to date on the way, each written once per look at its directory.
//! A directory is watched *before* it is read, so that nothing can arrive in between unseen.
//!
//! Start, overflow, reconcile, a new directory and a single hint all go through here. May not know:
//! settling, decisions, the journal.

mod look;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidy_core::UnixNanos;
use tidy_core::policy::RootPolicy;
use tidy_core::rules::LeaveReason;

use crate::catalog::{Catalog, Change, Entry, Outcome};
use crate::coordinator::{Problem, RootState, Scanned, WalkStep};
use crate::filing::{self, Setup};
use crate::habits::Habits;
use crate::scan;
use crate::unpacked::{Asked, Unpacked};
use crate::watch::{self, Backend, Names, Tree};

/// One step of a walk ends after this many directories …
const STEP_DIRS: usize = 256;

/// … or after this many files to be looked at, whichever comes first.
const STEP_FILES: usize = 4096;

/// Which files count as undecided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Those the catalog does not know as they are, or left under other rules.
    New,
    /// Those, and the ones that could not be filed, before their time: a run that somebody started.
    NewOrFailed,
    /// All of them: a person asked.
    All,
}

impl Wanted {
    /// Whether a file that was decided about, and whose decision stands, is looked at again.
    fn again(self, outcome: &Outcome) -> bool {
        match self {
            Self::New => false,
            Self::NewOrFailed => {
                matches!(outcome, Outcome::Left { reason: LeaveReason::Failed, .. })
            }
            Self::All => true,
        }
    }
}

/// The part of the tree a directory belongs to.
#[derive(Debug, Clone)]
enum Area {
    Root(Arc<RootPolicy>),
    /// Only looked at for copies.
    Scope(PathBuf),
}

impl Area {
    fn path(&self) -> &Path {
        match self {
            Self::Root(r) => &r.path,
            Self::Scope(p) => p,
        }
    }
}

/// What is above directories of one moment: each is read once. Whether a file may be filed is asked anew when its turn comes.
#[derive(Default)]
struct Above {
    units: scan::Units,
    asked: Asked,
}

/// A subtree being walked, depth first in the order of names.
#[derive(Debug)]
struct Walk {
    area: Area,
    /// Directories still to be read, relative to the area; the next one last.
    stack: Vec<PathBuf>,
    unwatched: bool,
    root_problem: Option<RootState>,
}

/// Reads directories and compares. One at a time; it owns the tree of watches.
pub struct Survey<B: Backend> {
    setup: Arc<Setup>,
    catalog: Catalog,
    /// `None`: nothing is watched (`--once`, `organize`).
    tree: Option<Tree<B>>,
    wanted: Wanted,
    walk: Option<Walk>,
    /// Areas on network file systems: what others do there comes with no hint, so they are only walked.
    remote: BTreeSet<PathBuf>,
    /// When each root was walked first by this process.
    since: HashMap<PathBuf, UnixNanos>,
    /// Not being able to watch is said once.
    unwatched_said: bool,
    /// What a person does by hand is told to.
    habits: Option<Habits>,
    /// Knows into which folders archives were unpacked.
    unpacked: Option<Unpacked>,
}

impl<B: Backend> Survey<B> {
    /// `tree` is `None` where nothing is to be watched.
    pub fn new(setup: Arc<Setup>, catalog: Catalog, tree: Option<Tree<B>>, wanted: Wanted) -> Self {
        Self {
            setup,
            catalog,
            tree,
            wanted,
            walk: None,
            remote: BTreeSet::new(),
            since: HashMap::new(),
            unwatched_said: false,
            habits: None,
            unpacked: None,
        }
    }

    /// Tells this memory what was found gone, and new.
    pub fn with_habits(self, habits: Habits) -> Self {
        Self { habits: Some(habits), ..self }
    }

    /// Asks this memory which folders archives were unpacked into, and tells it what lies beside them.
    pub fn with_unpacked(self, unpacked: Option<Unpacked>) -> Self {
        Self { unpacked, ..self }
    }

    /// Takes over a new configuration; a walk under the old one ends.
    pub fn reload(&mut self, setup: Arc<Setup>) {
        self.setup = setup;
        self.since.retain(|path, _| self.setup.root(path).is_some());
        self.walk = None;
    }

    /// Stops watching a subtree.
    pub fn unwatch(&mut self, dir: &Path) {
        if let Some(tree) = &mut self.tree {
            tree.forget_subtree(dir);
        }
    }

    /// Relies on no watch any more until it is renewed.
    pub fn distrust(&mut self) {
        if let Some(tree) = &mut self.tree {
            tree.distrust();
        }
    }

    /// Drops the watches that were not renewed since.
    pub fn sweep(&mut self) {
        if let Some(tree) = &mut self.tree {
            tree.sweep();
        }
    }

    /// The number of directories being watched.
    pub fn watched(&self) -> usize {
        self.tree.as_ref().map_or(0, Tree::len)
    }

    /// Looks at directories that something happened in.
    pub fn scan(&mut self, dirs: Vec<(PathBuf, Names)>, now: UnixNanos) -> Scanned {
        let (mut out, mut above) = (Scanned::default(), Above::default());
        for (dir, names) in dirs {
            let Some(area) = self.area_of(&dir) else { continue };
            let rel = dir.strip_prefix(area.path()).unwrap_or(Path::new("")).to_owned();
            let mut dirs = rel.ancestors().filter(|d| !d.as_os_str().is_empty());
            let entered = dirs.all(|d| may_enter(&self.setup, &area, d));
            if !entered || self.is_below_unit(&area, &rel, &mut above, now) {
                continue;
            }
            self.look(&area, &rel, &names, now, &mut out);
        }
        out
    }

    /// Walks a bounded part of a subtree; `true` when it is through.
    pub fn walk(&mut self, step: WalkStep, now: UnixNanos) -> (Scanned, bool) {
        let mut out = Scanned::default();
        if let WalkStep::Start(dir) = step {
            let Some(area) = self.area_of(&dir) else { return (out, true) };
            let rel = dir.strip_prefix(area.path()).unwrap_or(Path::new("")).to_owned();
            if rel.as_os_str().is_empty()
                && let Some(tree) = &mut self.tree
            {
                // Lifts the limit of watches, should there be room again; the walk itself visits those
                // that were not to be had.
                tree.take_unwatched();
                self.note_remote(&dir);
            }
            if rel.as_os_str().is_empty() {
                self.since.entry(dir).or_insert(now);
            }
            if self.is_below_unit(&area, &rel, &mut Above::default(), now) {
                return (out, true);
            }
            self.walk = Some(Walk { area, stack: vec![rel], unwatched: false, root_problem: None });
        }
        // A reload may have ended it.
        let Some(mut walk) = self.walk.take() else { return (out, true) };
        for _ in 0..STEP_DIRS {
            let Some(rel) = walk.stack.pop() else { break };
            let mut below = self.look(&walk.area, &rel, &Names::All, now, &mut out);
            below.reverse();
            walk.stack.append(&mut below);
            if out.sightings.len() >= STEP_FILES {
                break;
            }
        }
        walk.unwatched |= out.unwatched;
        walk.root_problem = walk.root_problem.or(out.root_problem);
        let finished = walk.stack.is_empty();
        if finished {
            out.unwatched = walk.unwatched;
            out.root_problem = walk.root_problem;
        } else {
            self.walk = Some(walk);
        }
        // A walk goes into the directories it finds itself.
        out.new_dirs.clear();
        (out, finished)
    }

    /// Whether a directory above `rel` is one thing. They are read for that, so that what a late hint
    /// says of a project's inside is not taken for a loose file.
    fn is_below_unit(&self, area: &Area, rel: &Path, above: &mut Above, now: UnixNanos) -> bool {
        let Area::Root(root) = area else { return false };
        if above.units.contain(root, rel).unwrap_or(true) {
            return true;
        }
        let Some(unpacked) = &self.unpacked else { return false };
        let may_be = |dir: &Path| filing::may_be_unpacked(&self.setup, root, dir);
        !matches!(above.asked.above(unpacked, &root.path, rel, may_be, now), Ok(None))
    }

    fn note_remote(&mut self, area: &Path) {
        match watch::is_remote(area) {
            Ok(true) => {
                self.remote.insert(area.to_owned());
            }
            Ok(false) => {
                self.remote.remove(area);
            }
            // It is reported when it is read.
            Err(_) => {}
        }
    }

    /// The innermost area that `dir` is in or is.
    fn area_of(&self, dir: &Path) -> Option<Area> {
        let path = self.setup.areas().filter(|a| dir.starts_with(a));
        let path = path.max_by_key(|a| a.as_os_str().len())?;
        let root = self.setup.root(path).cloned();
        Some(root.map_or_else(|| Area::Scope(path.to_owned()), Area::Root))
    }

    /// `known` is the page as it was when the directory was compared with it; what filing has written
    /// since is not overwritten.
    fn write(
        &self,
        dir: &Path,
        known: &HashMap<OsString, Entry>,
        changes: Vec<Change>,
        out: &mut Scanned,
    ) {
        if changes.is_empty() {
            return;
        }
        let put = filing::entries_of(&changes);
        let mut updated = self.catalog.update_if_as_seen(dir, known, changes).map(drop);
        if self.tree.is_none() {
            // Somebody else watches, and may have looked before this was written.
            updated = updated.and_then(|()| filing::drop_vanished(&self.catalog, dir, &put));
        }
        if let Err(e) = updated {
            let text = format!("the catalog could not be updated: {e}");
            out.problems.push(Problem { path: dir.to_owned(), text });
        }
    }
}

/// Whether the directory at `rel` below the area is one that is looked into. A root inside the scope
/// is walked as a root.
fn may_enter(setup: &Setup, area: &Area, rel: &Path) -> bool {
    match area {
        Area::Root(root) => root.recursive && root.ignore.enter(rel),
        Area::Scope(scope) => setup.root(&scope.join(rel)).is_none(),
    }
}
