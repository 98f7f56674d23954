//! What the catalog knows of the files of a census, and what it learns from it.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use tidy_core::UnixNanos;
use tidy_core::facts::Identity;

use super::Spot;
use crate::catalog::{Catalog, CatalogError, Change, Entry, Outcome};
use crate::dedupe::Subject;
use crate::scan::{Forest, ForestDir, ForestFile};

/// A file whose last change is more recent is not remembered with what was read of it: it could be written again
/// without its time becoming another (the clock of file systems ticks every few milliseconds; FAT's, every two seconds).
const SAFE_AGE: Duration = Duration::from_secs(3);

/// What the catalog had to say.
pub(super) struct Recalled {
    /// Directories (by number) of which something is not as the catalog has it.
    changed: HashSet<u32>,
    /// Directories it knows, which are gone.
    gone: Vec<PathBuf>,
    /// What was known of each subject: (head, digest).
    known: Vec<(bool, bool)>,
}

/// Asks the catalog for every directory's page, and gives the subjects what it knows of them.
pub(super) fn recall(
    catalog: &Catalog,
    forest: &Forest,
    spots: &[Spot],
    subjects: &mut [Subject],
) -> Result<Recalled, CatalogError> {
    let index = Index::new(spots);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = forest.dirs.len().div_ceil(threads).max(1);
    let shares: Result<Vec<Share>, CatalogError> = std::thread::scope(|scope| {
        let index = &index;
        let part = |from: usize| {
            let dirs = from..(from + share).min(forest.dirs.len());
            scope.spawn(move || Share::of(catalog, forest, index, dirs))
        };
        let parts: Vec<_> = (0..forest.dirs.len()).step_by(share).map(part).collect();
        let joined = parts.into_iter().map(|p| p.join());
        joined.map(|p| p.unwrap_or_else(|p| std::panic::resume_unwind(p))).collect()
    });
    let mut recalled = Recalled { changed: HashSet::new(), gone: Vec::new(), known: Vec::new() };
    let mut strangers = Vec::new();
    for mut share in shares? {
        for (at, entry) in share.met {
            (subjects[at].head, subjects[at].digest) = (entry.0, entry.1);
        }
        recalled.changed.extend(share.changed);
        recalled.gone.append(&mut share.gone);
        strangers.append(&mut share.strangers);
    }
    recalled.known = subjects.iter().map(|s| (s.head.is_some(), s.digest.is_some())).collect();
    recognise(catalog, forest, spots, subjects, &strangers)?;
    Ok(recalled)
}

/// Files that the catalog does not have under their name may be ones that it has under another.
fn recognise(
    catalog: &Catalog,
    forest: &Forest,
    spots: &[Spot],
    subjects: &mut [Subject],
    strangers: &[usize],
) -> Result<(), CatalogError> {
    let mut wanted: HashMap<Identity, Vec<usize>> = HashMap::new();
    for &at in strangers {
        let id = file(forest, spots[at]).1.id;
        // Inode numbers are used again: without a time of birth it may be another file with a time that was set.
        if id.birth.is_some() {
            wanted.entry(id).or_default().push(at);
        }
    }
    let sizes = wanted.keys().map(|id| id.size).collect();
    catalog.each_of_sizes(&sizes, |_, entry| {
        let Some(found) = wanted.get(&entry.id) else { return };
        for &at in found {
            subjects[at].head = subjects[at].head.or(entry.head);
            subjects[at].digest = subjects[at].digest.or(entry.digest);
        }
    })
}

fn file(forest: &Forest, spot: Spot) -> (&ForestDir, &ForestFile) {
    let dir = &forest.dirs[spot.dir as usize];
    (dir, &dir.files[spot.file as usize])
}

/// Which subject a file is.
struct Index {
    /// Sorted.
    subjects: Vec<(u32, u32, u32)>,
}

impl Index {
    fn new(spots: &[Spot]) -> Self {
        let mut subjects: Vec<_> =
            (0..).zip(spots).map(|(at, spot)| (spot.dir, spot.file, at)).collect();
        subjects.sort_unstable();
        Self { subjects }
    }

    /// The subjects of one directory: file and place, sorted.
    fn of(&self, dir: u32) -> impl Iterator<Item = (u32, usize)> {
        let from = self.subjects.partition_point(|(d, ..)| *d < dir);
        let rest = self.subjects[from..].iter().take_while(move |(d, ..)| *d == dir);
        rest.map(|(_, file, at)| (*file, *at as usize))
    }
}

/// What an entry says of the content.
type Known = (Option<[u8; 16]>, Option<tidy_core::facts::Digest>);

/// What one thread has been told.
#[derive(Default)]
struct Share {
    met: Vec<(usize, Known)>,
    strangers: Vec<usize>,
    changed: Vec<u32>,
    gone: Vec<PathBuf>,
}

impl Share {
    fn of(
        catalog: &Catalog,
        forest: &Forest,
        index: &Index,
        dirs: std::ops::Range<usize>,
    ) -> Result<Self, CatalogError> {
        let mut share = Self::default();
        for number in dirs {
            // A forest numbers its directories with a `u32`.
            let (number, dir) = (number as u32, &forest.dirs[number]);
            let path = forest.path(number);
            let page = catalog.page(&path)?;
            let known = page.is_some();
            let page = page.unwrap_or_default();
            let mut subjects = index.of(number).peekable();
            let mut entries = page.iter().peekable();
            let (mut same, mut vanished) = (0, false);
            for (at, file) in (0..).zip(&dir.files) {
                let subject = subjects.next_if(|(of, _)| *of == at).map(|(_, subject)| subject);
                let name = dir.name_of(file);
                while entries.next_if(|e| *e.name < *name).is_some() {
                    vanished = true;
                }
                let entry = entries.next_if(|e| *e.name == *name).filter(|e| e.id == file.id);
                same += usize::from(entry.is_some());
                match (subject, entry) {
                    (Some(at), Some(entry)) => share.met.push((at, (entry.head, entry.digest))),
                    (Some(at), None) => share.strangers.push(at),
                    (None, _) => {}
                }
            }
            vanished |= entries.next().is_some();
            if same < dir.files.len() || vanished && dir.complete {
                share.changed.push(number);
            }
            if known || !dir.subdirs.is_empty() {
                let there = |name: &OsString| dir.subdirs.binary_search(name).is_ok();
                let gone = catalog.subdirs(&path)?.into_iter().filter(|name| !there(name));
                share.gone.extend(gone.map(|name| path.join(name)));
            }
        }
        Ok(share)
    }
}

/// Brings the catalog up to date, each directory's page once. Entries of files that are as they were keep what was
/// decided about them.
pub(super) fn remember(
    catalog: &Catalog,
    forest: &Forest,
    spots: &[Spot],
    subjects: &[Subject],
    mut recalled: Recalled,
    now: UnixNanos,
) -> Result<(), CatalogError> {
    for (at, subject) in subjects.iter().enumerate() {
        let now_known = (subject.head.is_some(), subject.digest.is_some());
        if recalled.known.get(at).is_some_and(|known| *known != now_known)
            && is_safe(file(forest, spots[at]).1, now)
        {
            recalled.changed.insert(spots[at].dir);
        }
    }
    for gone in &recalled.gone {
        catalog.forget(gone)?;
    }
    let index = Index::new(spots);
    let mut changed: Vec<u32> = recalled.changed.into_iter().collect();
    changed.sort_unstable();
    let wrote = !changed.is_empty() || !recalled.gone.is_empty();
    for number in changed {
        let dir = &forest.dirs[number as usize];
        let path = forest.path(number);
        let before = catalog.page(&path)?;
        let is_new = before.is_none();
        let mut before: HashMap<OsString, Entry> =
            before.unwrap_or_default().into_iter().map(|e| (e.name.clone(), e)).collect();
        let mut on = index.of(number).peekable();
        let mut changes = Vec::with_capacity(dir.files.len());
        for (at, file) in (0..).zip(&dir.files) {
            let subject = on.next_if(|(of, _)| *of == at).map(|(_, at)| &subjects[at]);
            let name = dir.name_of(file);
            let known = before.remove(name).filter(|e| e.id == file.id);
            let learnt = subject.filter(|_| is_safe(file, now));
            changes.extend(updated(name, file, known, learnt).map(Change::Put));
        }
        if dir.complete {
            changes.extend(before.into_keys().map(Change::Remove));
        }
        match is_new {
            true => catalog.put(&path, entries(changes))?,
            false => catalog.update(&path, changes)?,
        }
    }
    if wrote { catalog.flush() } else { Ok(()) }
}

fn is_safe(file: &ForestFile, now: UnixNanos) -> bool {
    file.ctime.plus(SAFE_AGE) < now
}

/// The entry of a file, if it is not as it was.
fn updated(
    name: &OsStr,
    file: &ForestFile,
    known: Option<Entry>,
    learnt: Option<&Subject>,
) -> Option<Entry> {
    let (head, digest) = learnt.map_or((None, None), |s| (s.head, s.digest));
    let Some(mut entry) = known else {
        let (name, id) = (name.to_owned(), file.id);
        let (category, outcome, revisit) = (None, Outcome::Known, None);
        return Some(Entry { name, id, category, outcome, revisit, head, digest });
    };
    let before = (entry.head, entry.digest);
    entry.head = head.or(entry.head);
    entry.digest = digest.or(entry.digest);
    ((entry.head, entry.digest) != before).then_some(entry)
}

fn entries(changes: Vec<Change>) -> Vec<Entry> {
    let entry = |change| match change {
        Change::Put(entry) => Some(entry),
        Change::Remove(_) => None,
    };
    changes.into_iter().filter_map(entry).collect()
}
