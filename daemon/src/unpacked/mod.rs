//! unpacked: which folders an archive was unpacked into. They are one thing, though nothing in them says so.
//!
//! In: what each look at a directory finds in it. Out: whether a folder in it is one of these. An archive beside the folder
//! tells, by its own name or by that of the one folder in it; so does one that was filed from beside it not long ago. A folder
//! that was told once is kept by its identity, since archives go: it may be renamed and moved, and stays whole.
//!
//! May not know: rules, plans, the catalog, sockets, watchers. It changes nothing but its own tree, and losing that costs
//! what archives that have gone had told.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidy_core::facts::{Identity, Stat};
use tidy_core::operation::Operation;
use tidy_core::plan::{Lookup, Place};
use tidy_core::{UnixNanos, ignore};

use crate::beneath;
use crate::inspect;
use crate::journal::Journal;
use crate::scan;

/// Whoever unpacks an archive does so within this time after it was filed.
const LATELY: Duration = Duration::from_secs(30 * 24 * 3600);

/// Operations that are looked through for archives that were filed from one directory.
const LOOKED_BACK: usize = 512;

/// Archives of one directory that are opened to see which folder they hold; those that were filed come first.
const OPENED: usize = 16;

/// Archives whose folder is remembered. Of each some 100 bytes.
const REMEMBERED: usize = 1_024;

/// Folders that are kept. Past this those go that are nowhere any more.
const KEPT: usize = 20_000;

/// Inode and birth, which no other folder of the machine has had.
type Key = (u64, i64);

/// The memory of it. Clones share it.
#[derive(Debug, Clone)]
pub struct Unpacked(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    tree: Option<sled::Tree>,
    journal: Journal,
    /// Where each was when it was told, and of which archive.
    folders: Mutex<HashMap<Key, Told>>,
    tops: Mutex<HashMap<Identity, Option<OsString>>>,
}

/// A folder that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    path: PathBuf,
    archive: OsString,
}

/// The archives that are, or were, in one directory.
#[derive(Debug, Default)]
pub struct Beside(Vec<Archive>);

#[derive(Debug)]
struct Archive {
    name: OsString,
    /// Where it is now.
    at: Option<Place>,
}

impl Unpacked {
    /// With what was kept in the store.
    pub fn open(db: &sled::Db, journal: Journal) -> Self {
        let tree = db.open_tree("unpacked/folders");
        let tree =
            tree.inspect_err(|error| tracing::warn!(%error, "unpacked folders are not kept")).ok();
        let rows = tree.iter().flat_map(|tree| tree.iter().flatten());
        let folders = rows.filter_map(|(key, value)| Some((key_of(&key)?, told_of(&value)?)));
        let folders = Mutex::new(folders.take(KEPT).collect());
        Self(Arc::new(Shared { tree, journal, folders, tops: Mutex::default() }))
    }

    /// The archives beside what is in the directory at `rel` below `root`, which has these names in it.
    pub fn beside<'n>(
        &self,
        root: &Arc<Path>,
        rel: &Path,
        names: impl Iterator<Item = &'n OsStr>,
        now: UnixNanos,
    ) -> Beside {
        let there = names.filter(|name| ignore::is_archive(name)).map(|name| Archive {
            name: name.to_owned(),
            at: Place::new(root.clone(), rel.join(name)),
        });
        let mut all = self.taken(&path_of(root, rel), now);
        all.extend(there);
        Beside(all)
    }

    /// The archives that were filed from a directory lately, the last one first.
    fn taken(&self, dir: &Path, now: UnixNanos) -> Vec<Archive> {
        // An index that has no room is read anew for each question, with the whole log.
        if self.0.journal.wants_room() {
            return Vec::new();
        }
        let since = UnixNanos(now.0.saturating_sub(LATELY.as_nanos() as i64));
        let taken = self.0.journal.taken_from(dir, since, LOOKED_BACK);
        let taken = taken.unwrap_or_else(|error| {
            tracing::warn!(%error, "the journal could not be asked for archives");
            Vec::new()
        });
        let archive = |op: Operation| {
            let name = op.step.src.as_ref().map(|src| src.file_name().to_owned())?;
            ignore::is_archive(&name).then_some(Archive { name, at: op.step.dst })
        };
        taken.into_iter().filter_map(archive).collect()
    }

    /// Whether an archive was unpacked into the folder at `rel`, in the directory that `beside` is of; it is kept then.
    pub fn told(&self, beside: &Beside, root: &Arc<Path>, rel: &Path) -> bool {
        let Some(name) = rel.file_name() else { return false };
        if beside.0.is_empty() && self.is_empty() {
            return false;
        }
        let Ok(Some(dir)) = scan::Dir::open(root, rel) else { return false };
        if self.knows(dir.stat()) {
            return true;
        }
        let by_name = beside.0.iter().find(|a| ignore::is_unpacked_from(name, &a.name));
        let by_top = || beside.0.iter().take(OPENED).find(|a| self.top(a).as_deref() == Some(name));
        let Some(archive) = by_name.or_else(by_top) else { return false };
        self.keep(dir.stat(), Told { path: root.join(rel), archive: archive.name.clone() });
        true
    }

    /// Whether a directory is one that was told before.
    pub fn knows(&self, dir: &Stat) -> bool {
        self.archive_of(dir).is_some()
    }

    /// The name of the archive that was unpacked into a directory.
    pub fn archive_of(&self, dir: &Stat) -> Option<OsString> {
        let folders = self.0.folders.lock().unwrap_or_else(PoisonError::into_inner);
        folders.get(&key(dir)?).map(|told| told.archive.clone())
    }

    fn is_empty(&self) -> bool {
        self.0.folders.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn keep(&self, dir: &Stat, told: Told) {
        let Some(key) = key(dir) else { return };
        let mut folders = self.0.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if folders.len() >= KEPT {
            let gone = folders.extract_if(|_, told| is_gone(&told.path)).map(|(key, _)| key);
            let gone: Vec<_> = gone.collect();
            gone.iter().for_each(|key| self.write(*key, None));
        }
        if folders.len() < KEPT {
            tracing::info!(folder = %told.path.display(), "an archive was unpacked into it: it is one thing");
            self.write(key, Some(&told));
            folders.insert(key, told);
        }
    }

    fn write(&self, key: Key, told: Option<&Told>) {
        let Some(tree) = &self.0.tree else { return };
        let row = row(key);
        let written = match told {
            Some(told) => tree.insert(row, value(told)),
            None => tree.remove(row),
        };
        if let Err(error) = written {
            tracing::warn!(%error, "an unpacked folder is not kept");
        }
    }

    /// The folder that an archive holds, if all that is in it lies in one.
    fn top(&self, archive: &Archive) -> Option<OsString> {
        let at = archive.at.as_ref()?;
        let Lookup::File(stat) = beneath::lookup(at) else { return None };
        let remembered = self.0.tops.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(top) = remembered.get(&stat.id) {
            return top.clone();
        }
        drop(remembered);
        let file = inspect::open(at, stat.id).ok()?;
        let top = inspect::top_folder(&file);
        let mut remembered = self.0.tops.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED {
            remembered.clear();
        }
        remembered.insert(stat.id, top.clone());
        top
    }
}

/// What many files of one moment are held against: each directory is read once.
#[derive(Default)]
pub struct Asked(HashMap<PathBuf, bool>, HashMap<PathBuf, Beside>);

impl Asked {
    /// The outermost directory between the root and `rel` that an archive was unpacked into. `may_be`: which may be asked
    /// about.
    ///
    /// # Errors
    /// One of those on the way cannot be read.
    pub fn above(
        &mut self,
        unpacked: &Unpacked,
        root: &Arc<Path>,
        rel: &Path,
        may_be: impl Fn(&Path) -> bool,
        now: UnixNanos,
    ) -> io::Result<Option<PathBuf>> {
        let mut above: Vec<&Path> = rel.ancestors().skip(1).collect();
        above.reverse();
        for dir in above.into_iter().filter(|d| !d.as_os_str().is_empty()) {
            let path = root.join(dir);
            let is = match self.0.get(&path) {
                Some(known) => *known,
                None => {
                    let is = may_be(dir) && self.is(unpacked, root, dir, now)?;
                    self.0.insert(path, is);
                    is
                }
            };
            if is {
                return Ok(Some(dir.to_owned()));
            }
        }
        Ok(None)
    }

    fn is(
        &mut self,
        unpacked: &Unpacked,
        root: &Arc<Path>,
        dir: &Path,
        now: UnixNanos,
    ) -> io::Result<bool> {
        let parent = dir.parent().unwrap_or(Path::new(""));
        let at = root.join(parent);
        if !self.1.contains_key(&at) {
            let names = scan::names_of(root, parent)?;
            let names = names.iter().map(OsString::as_os_str);
            self.1.insert(at.clone(), unpacked.beside(root, parent, names, now));
        }
        Ok(self.1.get(&at).is_some_and(|beside| unpacked.told(beside, root, dir)))
    }
}

/// Without a slash at its end, where `rel` is the root itself.
fn path_of(root: &Path, rel: &Path) -> PathBuf {
    if rel.as_os_str().is_empty() { root.to_owned() } else { root.join(rel) }
}

fn key(dir: &Stat) -> Option<Key> {
    // Without a birth, another one may have the inode by now.
    Some((dir.id.ino, dir.id.birth?.0))
}

fn row((ino, birth): Key) -> [u8; 16] {
    let mut row = [0; 16];
    row[..8].copy_from_slice(&ino.to_be_bytes());
    row[8..].copy_from_slice(&birth.to_be_bytes());
    row
}

fn key_of(row: &[u8]) -> Option<Key> {
    let (ino, birth) = row.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*ino), i64::from_be_bytes(birth.try_into().ok()?)))
}

/// Path and name of the archive, with a byte between that neither has.
fn value(told: &Told) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt as _;
    [told.path.as_os_str().as_bytes(), b"\0", told.archive.as_bytes()].concat()
}

fn told_of(value: &[u8]) -> Option<Told> {
    use std::os::unix::ffi::OsStrExt as _;
    let at = value.iter().position(|b| *b == 0)?;
    let text = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
    Some(Told { path: text(&value[..at]).into(), archive: text(&value[at + 1..]) })
}

/// Nothing is there; a disk that is away, or what cannot be looked at, is no such thing.
fn is_gone(path: &Path) -> bool {
    let above = path.parent().is_some_and(|above| above.symlink_metadata().is_ok());
    let there = path.symlink_metadata();
    above && there.is_err_and(|e| e.kind() == io::ErrorKind::NotFound)
}
