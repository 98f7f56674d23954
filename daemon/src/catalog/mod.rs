//! catalog: what is known of every file, as directory pages in sled. Rebuildable from the disk.
//!
//! In: the entries of a directory after a scan of it, and single changes after an operation. Out: the same
//! again (so that a scan inspects only what changed), which files have a given size (candidates for
//! copies), searches, counters, groups of equal digests, and which directories must be looked at again when.
//!
//! Pages hold up to 64 entries each, sorted by name; there is no record per file. In memory are kept: the names of
//! directories, and per page its first name, its names in lower case and a few bounds; per file 8 bytes
//! of the size index, and 17 that tell its size, time, kind and letters well enough for searches. So searches by name, counters and candidates are answered without reading sled, or with
//! the few pages concerned.
//!
//! May not know: rules, plans, operations beyond their number, the watched roots, or the disk itself. An entry
//! speaks of one [`Identity`]; whether the file still has it is the caller's to check.
//!
//! **Durability:** relaxed. A crash loses the last second or two; a page lost or damaged costs a rescan of its
//! directory, never a file.

mod chunk;
mod codec;
mod column;
mod compared;
mod dirs;
mod duplicates;
mod entry;
mod fuzzy;
mod glob;
mod kinds;
mod letters;
mod load;
mod parts;
mod pattern;
mod query;
mod ranked;
mod rewrite;
mod sizes;
mod state;
mod totals;
mod trees;
mod verify;
mod words;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use tidy_core::UnixNanos;
use tidy_core::facts::{Digest, Identity};
use tidy_core::rules::LeaveReason;

pub use duplicates::{DuplicateCursor, DuplicateGroup, DuplicatePage};
pub use entry::{Change, Entry, Learnt, Outcome, OutcomeKind};
pub use fuzzy::{Fuzzy, FuzzyError};
pub use pattern::NamePattern;
pub use query::{Cursor, FilePage, Filter, Found, List};
pub use ranked::{Order, SortBy};
pub use totals::{Stats, Tally};
pub use verify::VerifyReport;

use crate::store::{Store, StoreError, StoreReport};
use dirs::{DirId, is_name};
use rewrite::{Edit, Edits};
use state::{Fault, State};
use trees::Trees;

/// How often a question is asked again after damaged pages have been dropped.
const HEAL_TRIES: usize = 3;

/// Why the catalog could not answer.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Not absolute, or with `..` in it.
    #[error("{} is not an absolute path without ..", .0.display())]
    BadPath(PathBuf),
    /// No file can have this name.
    #[error("{name:?} cannot be the name of a file in {}", dir.display())]
    BadName { dir: PathBuf, name: OsString },
    /// More pages than one directory can have (65,536, of at least 2 million files).
    #[error("{} holds more files than the catalog can list", .0.display())]
    TooManyFiles(PathBuf),
    /// All numbers have been given out.
    #[error("the catalog cannot number any more {0}: set the store aside, and it is built anew")]
    Exhausted(&'static str),
    /// Pages turn out damaged again and again.
    #[error("the catalog's pages cannot be read: the disk or the store is failing")]
    Unreadable,
}

/// What was found when the catalog was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CatalogReport {
    /// Known directories, those on the way to them included.
    pub directories: u64,
    pub files: u64,
    /// Directories of which a page was damaged and has been dropped: they must be scanned.
    pub damaged: Vec<PathBuf>,
    /// The highest number of an operation that filed one of them; 0 when none.
    pub newest_operation: u64,
    /// Rows and pages dropped because they belonged to no directory (what a crash leaves).
    pub orphans: u64,
    /// The catalog was of another format and has been emptied: everything must be scanned.
    pub reset: bool,
}

/// An open catalog and the store it is in.
#[derive(Debug)]
pub struct Opened {
    pub store: Store,
    pub catalog: Catalog,
    pub report: CatalogReport,
    /// The store was damaged and has been set aside: how, and why.
    pub replaced: Option<StoreReport>,
}

/// The catalog. Clones share it; every method may be called from any thread.
#[derive(Debug, Clone)]
pub struct Catalog {
    shared: Arc<Shared>,
}

struct Shared {
    state: RwLock<State>,
    on_damaged: OnceLock<OnDamaged>,
}

/// Told of directories that must be scanned.
type OnDamaged = Box<dyn Fn(PathBuf) + Send + Sync>;

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Catalog {
    /// Opens the catalog in a store and reads all of it once (about 0.7 s for a million files).
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when sled itself cannot read its trees: [`Store::replace`] it and open again.
    pub fn open(store: &Store) -> Result<(Self, CatalogReport), CatalogError> {
        let (trees, reset) = Trees::open(store)?;
        let (state, mut report) = State::load(trees)?;
        report.reset = reset;
        let shared = Shared { state: RwLock::new(state), on_damaged: OnceLock::new() };
        Ok((Self { shared: Arc::new(shared) }, report))
    }

    /// Opens the catalog, and when sled cannot read its trees sets the store aside and starts with an empty
    /// one. The report on the store is `Some` when that happened: whatever else was opened in the old store must be
    /// opened again in the one returned.
    pub fn open_or_replace(store: Store) -> Result<Opened, CatalogError> {
        let (store, replaced) = match Self::open(&store) {
            Ok((catalog, report)) => {
                return Ok(Opened { store, catalog, report, replaced: None });
            }
            Err(CatalogError::Store(e)) if e.is_damage() => store.replace(e.to_string())?,
            Err(e) => {
                // Not closed: sled syncs once more then, and panics when that fails.
                std::mem::forget(store);
                return Err(e);
            }
        };
        let (catalog, report) = Self::open(&store)?;
        Ok(Opened { store, catalog, report, replaced: Some(replaced) })
    }

    /// The entries of a directory, sorted by name; `None` when it has never been seen (or its only page was
    /// damaged): it must be scanned.
    pub fn page(&self, dir: &Path) -> Result<Option<Vec<Entry>>, CatalogError> {
        self.ask(|s| s.dirs.find(dir).map_or(Ok(None), |id| s.read_dir(id)))
    }

    /// Sets all entries of a directory. Only pages that differ are written. Of two entries of the same name
    /// the later one counts.
    pub fn put(&self, dir: &Path, entries: Vec<Entry>) -> Result<(), CatalogError> {
        check_names(dir, entries.iter().map(|e| e.name.as_os_str()))?;
        self.change(dir, entries.into_iter().map(Change::Put).collect(), |changes| {
            Edits::Replace(changes.into_iter().filter_map(|(_, put)| put).collect())
        })
    }

    /// Changes some entries of a directory in one read-modify-write. Of two changes of the same name the later one
    /// counts. A directory that was never seen is known afterwards.
    pub fn update(&self, dir: &Path, changes: Vec<Change>) -> Result<(), CatalogError> {
        check_names(dir, changes.iter().map(Change::name))?;
        self.change(dir, changes, Edits::Each)
    }

    /// As [`update`](Self::update), but leaves out every name whose entry no longer says what `seen` has: whoever changed it
    /// since the caller looked knows better. What was read of the content meanwhile is no such change. For scans, which run
    /// beside filing. Returns the entries that went, as they were in the end.
    pub fn update_if_as_seen(
        &self,
        dir: &Path,
        seen: &HashMap<OsString, Entry>,
        changes: Vec<Change>,
    ) -> Result<Vec<Entry>, CatalogError> {
        check_names(dir, changes.iter().map(Change::name))?;
        let names: Vec<&OsStr> = changes.iter().map(Change::name).collect();
        self.alter(|s| {
            let mut now = find(s, dir, &names)?;
            let as_seen = |c: &&Change| match (now.get(c.name()), seen.get(c.name())) {
                (Some(now), Some(seen)) => now.says_the_same(seen),
                (now, seen) => now.is_none() && seen.is_none(),
            };
            let changes: Vec<Change> = changes.iter().filter(as_seen).cloned().collect();
            apply(s, dir, &changes, Edits::Each)?;
            let gone = changes.iter().filter(|c| matches!(c, Change::Remove(_)));
            Ok(gone.filter_map(|c| now.remove(c.name())).collect())
        })
    }

    fn change(
        &self,
        dir: &Path,
        changes: Vec<Change>,
        edits: impl Fn(Vec<Edit>) -> Edits,
    ) -> Result<(), CatalogError> {
        self.alter(|s| apply(s, dir, &changes, &edits))
    }

    /// Forgets a directory and everything below it. `false`: it was not known.
    pub fn forget(&self, dir: &Path) -> Result<bool, CatalogError> {
        self.alter(|s| match s.dirs.find(dir) {
            Some(id) => s.forget(id).map(|()| true),
            None => Ok(false),
        })
    }

    /// What is known of one file.
    pub fn entry(&self, path: &Path) -> Result<Option<Entry>, CatalogError> {
        self.ask(|s| Ok(s.find(path)?.map(|e| s.entry(e))))
    }

    /// What is known of files of one directory, by name. Each page is read once.
    pub fn entries(
        &self,
        dir: &Path,
        names: &[&OsStr],
    ) -> Result<HashMap<OsString, Entry>, CatalogError> {
        self.ask(|s| find(s, dir, names))
    }

    /// Calls `each` for every known file of one of these sizes. A page is read once, however many of its files are wanted:
    /// ask for all sizes at once. Changes made meanwhile may or may not be seen.
    pub fn each_of_sizes(
        &self,
        sizes: &HashSet<u64>,
        mut each: impl FnMut(PathBuf, Entry),
    ) -> Result<(), CatalogError> {
        let mut keys = self.ask(|s| {
            let pages = sizes.iter().flat_map(|size| s.sizes.pages(*size));
            Ok(pages.collect::<Vec<_>>())
        })?;
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let found: Vec<(PathBuf, Entry)> = self.ask(|s| {
                // It may have gone since.
                let page = if s.has(key) { s.read_sized(key, sizes)? } else { Vec::new() };
                let found = page.into_iter();
                Ok(found.filter_map(|e| Some((s.path(key.dir, &e.name)?, s.entry(e)))).collect())
            })?;
            found.into_iter().for_each(|(path, entry)| each(path, entry));
        }
        Ok(())
    }

    /// Adds digests (those that are `Some`) to an entry, if it still speaks of the same file. `false`: it does not.
    pub fn set_digest(
        &self,
        path: &Path,
        id: Identity,
        head: Option<[u8; 16]>,
        digest: Option<Digest>,
    ) -> Result<bool, CatalogError> {
        let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else { return Ok(false) };
        let learnt = Learnt { name: name.to_owned(), id, head, digest };
        Ok(self.learn(dir, std::slice::from_ref(&learnt))?.is_empty())
    }

    /// The same for many files of one directory; each page is written once. Returns those that are not there as they were.
    pub fn learn<'l>(
        &self,
        dir: &Path,
        learnt: &'l [Learnt],
    ) -> Result<Vec<&'l Learnt>, CatalogError> {
        let names: Vec<&OsStr> = learnt.iter().map(|l| l.name.as_os_str()).collect();
        self.alter(|s| {
            let now = find(s, dir, &names)?;
            let (mut changes, mut elsewhere) = (Vec::new(), Vec::new());
            for one in learnt {
                match now.get(&one.name).filter(|entry| entry.id == one.id) {
                    None => elsewhere.push(one),
                    Some(entry) => changes.push(Change::Put(Entry {
                        head: one.head.or(entry.head),
                        digest: one.digest.or(entry.digest),
                        ..entry.clone()
                    })),
                }
            }
            if !changes.is_empty() {
                apply(s, dir, &changes, Edits::Each)?;
            }
            Ok(elsewhere)
        })
    }

    /// The known directories in a directory, sorted: so a scan can tell which have gone.
    pub fn subdirs(&self, dir: &Path) -> Result<Vec<OsString>, CatalogError> {
        self.ask(|s| Ok(s.dirs.find(dir).map(|id| s.dirs.children(id)).unwrap_or_default()))
    }

    /// Counters over all files. Costs the same whatever their number.
    pub fn stats(&self) -> Result<Stats, CatalogError> {
        self.ask(|s| Ok(s.totals.stats(&s.words, s.dirs.len())))
    }

    /// The earliest time at which some entry must be looked at again, and the directory it is in.
    pub fn earliest_revisit(&self) -> Result<Option<(UnixNanos, PathBuf)>, CatalogError> {
        self.ask(|s| {
            let first = s.revisits.first();
            Ok(first.and_then(|(at, key)| Some((*at, s.dirs.path(key.dir)?))))
        })
    }

    /// The directories with entries that must be looked at again at `now`, each once.
    pub fn due(&self, now: UnixNanos) -> Result<Vec<PathBuf>, CatalogError> {
        self.ask(|s| {
            let mut ids: Vec<DirId> =
                s.revisits.iter().take_while(|(at, _)| *at <= now).map(|(_, k)| k.dir).collect();
            ids.sort_unstable();
            ids.dedup();
            Ok(ids.into_iter().filter_map(|id| s.dirs.path(id)).collect())
        })
    }

    /// The directories with files that wait for something at their destination, each once.
    pub fn waiting(&self) -> Result<Vec<PathBuf>, CatalogError> {
        let all = self.ask(|s| Ok(s.revisits.iter().map(|(_, key)| *key).collect::<Vec<_>>()))?;
        let mut dirs = BTreeSet::new();
        // One page at a time, since others want to know something, too.
        for key in all {
            let waits = |e: &codec::Stored| {
                let reason = LeaveReason::DestinationNotReady;
                matches!(e.outcome, codec::StoredOutcome::Left { reason: r, .. } if r == reason)
            };
            let dir = self.ask(|s| {
                let is_one = s.has(key) && s.read(key)?.iter().any(waits);
                Ok(is_one.then(|| s.dirs.path(key.dir)).flatten())
            })?;
            dirs.extend(dir);
        }
        Ok(dirs.into_iter().collect())
    }

    /// Has `tell` called with every directory of which a damaged page is dropped from now on: it must be
    /// scanned. To be called once; `tell` must neither block nor ask the catalog.
    pub fn on_damaged(&self, tell: impl Fn(PathBuf) + Send + Sync + 'static) {
        // A second listener would be a defect, and the first goes on being told.
        let _ = self.shared.on_damaged.set(Box::new(tell));
    }

    /// Makes everything survive a power cut ([`Store::barrier`]).
    pub fn flush(&self) -> Result<(), CatalogError> {
        let store = self.ask(|s| Ok(s.trees.store.clone()))?;
        Ok(store.barrier()?)
    }

    /// Asks a question under the read lock.
    fn ask<T>(&self, question: impl FnMut(&State) -> Result<T, Fault>) -> Result<T, CatalogError> {
        let mut question = question;
        self.heal(|| {
            let state = self.shared.state.read().unwrap_or_else(PoisonError::into_inner);
            question(&state)
        })
    }

    /// Changes something under the write lock. May be called again from the start when a page was damaged.
    fn alter<T>(
        &self,
        change: impl FnMut(&mut State) -> Result<T, Fault>,
    ) -> Result<T, CatalogError> {
        let mut change = change;
        self.heal(|| {
            let mut state = self.shared.state.write().unwrap_or_else(PoisonError::into_inner);
            change(&mut state)
        })
    }

    /// Tries again after dropping damaged pages. They are dropped by reading everything anew, because their part
    /// in the counters can no longer be told.
    fn heal<T>(&self, mut work: impl FnMut() -> Result<T, Fault>) -> Result<T, CatalogError> {
        for _ in 0..HEAL_TRIES {
            match work() {
                Ok(answer) => return Ok(answer),
                Err(Fault::Error(e)) => return Err(e),
                Err(Fault::Damaged) => self.reload()?,
            }
        }
        Err(CatalogError::Unreadable)
    }

    fn reload(&self) -> Result<(), CatalogError> {
        let mut state = self.shared.state.write().unwrap_or_else(PoisonError::into_inner);
        let (fresh, report) = State::load(state.trees.clone())?;
        *state = fresh;
        tracing::warn!(directories = report.damaged.len(), "damaged catalog pages were dropped");
        if let Some(tell) = self.shared.on_damaged.get() {
            report.damaged.into_iter().for_each(tell);
        }
        Ok(())
    }
}

fn check_names<'a>(
    dir: &Path,
    mut names: impl Iterator<Item = &'a OsStr>,
) -> Result<(), CatalogError> {
    match names.find(|n| !is_name(n) || n.as_bytes().len() > NAME_BYTES_MAX) {
        Some(name) => Err(CatalogError::BadName { dir: dir.to_owned(), name: name.to_owned() }),
        None => Ok(()),
    }
}

/// Longest name taken, in bytes: 255 UTF-16 units (APFS, NTFS) are at most 765 bytes.
const NAME_BYTES_MAX: usize = 765;

/// The entries of these names in a directory.
fn find(s: &State, dir: &Path, names: &[&OsStr]) -> Result<HashMap<OsString, Entry>, Fault> {
    let Some(dir) = s.dirs.find(dir) else { return Ok(HashMap::new()) };
    let mut names: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
    names.sort_unstable();
    let found = s.find_each(dir, &names)?.into_iter();
    Ok(found.map(|stored| s.entry(stored)).map(|e| (e.name.clone(), e)).collect())
}

/// Writes changes to a directory's pages.
fn apply(
    s: &mut State,
    dir: &Path,
    changes: &[Change],
    edits: impl Fn(Vec<Edit>) -> Edits,
) -> Result<(), Fault> {
    let id = s.make_dir(dir)?;
    let mut stored = Vec::with_capacity(changes.len());
    for change in changes.iter().rev().cloned() {
        stored.push(match change {
            Change::Put(entry) => {
                let entry = s.stored(entry)?;
                (entry.name.clone(), Some(entry))
            }
            Change::Remove(name) => (name.into_vec().into(), None),
        });
    }
    // A stable sort of the reversed list: the first of equal names is the last that was given.
    stored.sort_by(|a, b| a.0.cmp(&b.0));
    stored.dedup_by(|later, kept| later.0 == kept.0);
    s.rewrite(id, edits(stored))
}

#[cfg(test)]
mod tests;
