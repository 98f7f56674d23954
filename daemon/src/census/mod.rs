//! census: every file below some directories, and which of them have the same content.
//!
//! In: directories, and optionally the catalog. Out: a [`Census`]: groups of equal files, largest waste first. The
//! catalog is asked first, page by page, and told afterwards what was learnt: each page is written once, and only
//! when something in it is new. So a second census of the same tree reads no file, and a file that was renamed is
//! known by its identity, wherever it is now.
//!
//! A census decides nothing and changes no file. What the catalog knows of decisions about a file stays as it is.
//!
//! May not know: rules, plans, the journal, the configuration.

mod memory;

use std::cmp::Reverse;
use std::collections::HashSet;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use tidy_core::UnixNanos;
use tidy_core::facts::Digest;

use crate::beneath;
use crate::catalog::{Catalog, CatalogError};
use crate::dedupe::{self, DedupeError, Subject};
use crate::scan::{self, Forest};

/// How a census is taken.
#[derive(Debug, Clone)]
pub struct Options {
    /// Smaller files are not compared; 0 is the same as 1, since nothing is gained from an empty one.
    pub min_size: u64,
    /// Directories that are not entered, by device and inode.
    pub leave_out: HashSet<(u64, u64)>,
    /// Now; what was written in the last moments is compared, but not remembered.
    pub now: UnixNanos,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Census {
    /// Most wasted bytes first.
    pub groups: Vec<Group>,
    pub directories: u64,
    pub files: u64,
    /// Of all files; each name of a file with several counts.
    pub bytes: u64,
    /// Contents that had to be read.
    pub read: u64,
    /// What could not be read or looked at, and why; the rest was compared all the same.
    pub problems: Vec<(PathBuf, String)>,
    /// Why what was learnt could not be kept.
    pub forgotten: Option<CatalogError>,
}

/// Files with the same bytes: at least two, not counting further names of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub digest: Digest,
    /// Size of each in bytes.
    pub size: u64,
    /// Bytes that would be free if one stayed.
    pub wasted: u64,
    /// Every name, sorted; those of one file too.
    pub paths: Vec<PathBuf>,
}

/// A file of the forest that another one has the size of.
#[derive(Debug, Clone, Copy)]
struct Spot {
    dir: u32,
    file: u32,
}

/// Takes a census of everything below `bases`, which must be absolute, resolved, and none beneath another. `open` opens
/// the catalog, if there is to be one; it does so while the directories are read.
///
/// # Errors
/// Of `open`. Whatever fails later is in the census.
pub fn take<E: Send>(
    bases: &[PathBuf],
    options: &Options,
    open: impl FnOnce() -> Result<Option<Catalog>, E> + Send,
) -> Result<Census, E> {
    let readers = readers(bases);
    let (catalog, forest) = std::thread::scope(|scope| {
        let opening = scope.spawn(open);
        let forest = scan::walk(bases, &options.leave_out, readers);
        let catalog = opening.join().unwrap_or_else(|p| std::panic::resume_unwind(p));
        (catalog, forest)
    });
    let catalog = catalog?;
    let (spots, mut subjects) = of_equal_size(&forest, options.min_size.max(1));
    let mut census = Census {
        directories: forest.dirs.len() as u64,
        files: forest.files() as u64,
        bytes: forest.dirs.iter().flat_map(|d| &d.files).map(|f| f.id.size).sum(),
        ..Census::default()
    };
    census.problems.extend(forest.problems.iter().map(|(p, e)| (p.clone(), e.to_string())));

    let recalled = catalog.as_ref().map(|c| memory::recall(c, &forest, &spots, &mut subjects));
    let unknown = |s: &&Subject| s.head.is_none();
    let missing = subjects.iter().filter(unknown).count();
    let opener = Opener { forest: &forest, spots: &spots };
    for (at, error) in dedupe::compare(&mut subjects, &|at| opener.open(at), readers) {
        match error {
            // It has gone since, and its directory tells the next time.
            DedupeError::Io(e) if e.kind() == io::ErrorKind::NotFound => {}
            error => census.problems.push((opener.path(at), error.to_string())),
        }
    }
    census.read = missing.saturating_sub(subjects.iter().filter(unknown).count()) as u64;
    census.groups = groups(&forest, &spots, &subjects);
    if let Some((catalog, recalled)) = catalog.as_ref().zip(recalled) {
        let kept = recalled.and_then(|recalled| {
            memory::remember(catalog, &forest, &spots, &subjects, recalled, options.now)
        });
        census.forgotten = kept.err();
    }
    Ok(census)
}

/// Threads that read: more than there are processors, since they wait for the disk; one for a disk that turns.
fn readers(bases: &[PathBuf]) -> NonZeroUsize {
    const AT_LEAST: usize = 8;
    const AT_MOST: usize = 32;
    if bases.iter().any(|base| scan::turns(base)) {
        return NonZeroUsize::MIN;
    }
    let processors = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN).get();
    NonZeroUsize::new(processors.clamp(AT_LEAST, AT_MOST)).unwrap_or(NonZeroUsize::MIN)
}

/// The files of at least `min` bytes that another inode has the size of.
fn of_equal_size(forest: &Forest, min: u64) -> (Vec<Spot>, Vec<Subject>) {
    let mut all: Vec<(u64, Spot)> = Vec::with_capacity(forest.files());
    for (dir, at) in (0..).zip(&forest.dirs) {
        let files = (0..).zip(&at.files).filter(|(_, f)| f.id.size >= min);
        all.extend(files.map(|(file, f)| (f.id.size, Spot { dir, file })));
    }
    all.sort_unstable_by_key(|(size, spot)| (*size, spot.dir, spot.file));
    let (mut spots, mut subjects) = (Vec::new(), Vec::new());
    for group in all.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1) {
        let subject = |(size, spot): &(u64, Spot)| {
            let file = &forest.dirs[spot.dir as usize].files[spot.file as usize];
            Subject { size: *size, inode: (file.dev, file.id.ino), head: None, digest: None }
        };
        let first = subject(&group[0]).inode;
        if group.iter().any(|it| subject(it).inode != first) {
            spots.extend(group.iter().map(|(_, spot)| *spot));
            subjects.extend(group.iter().map(subject));
        }
    }
    (spots, subjects)
}

/// Opens files of the forest.
struct Opener<'a> {
    forest: &'a Forest,
    spots: &'a [Spot],
}

impl Opener<'_> {
    fn path(&self, at: usize) -> PathBuf {
        let spot = self.spots[at];
        let dir = &self.forest.dirs[spot.dir as usize];
        let mut path = self.forest.path(spot.dir);
        path.push(dir.name_of(&dir.files[spot.file as usize]));
        path
    }

    /// Beneath its base, following no symlink, and without waiting for anybody, should it be a pipe by now.
    fn open(&self, at: usize) -> io::Result<OwnedFd> {
        let spot = self.spots[at];
        let dir = &self.forest.dirs[spot.dir as usize];
        let name = dir.name_of(&dir.files[spot.file as usize]);
        let (base, rel) = self.forest.beneath(spot.dir);
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        beneath::open_at(base, &rel.join(name), flags)
    }
}

/// The groups of equal files.
fn groups(forest: &Forest, spots: &[Spot], subjects: &[Subject]) -> Vec<Group> {
    let opener = Opener { forest, spots };
    let mut order: Vec<(u64, Digest, usize)> =
        (subjects.iter().enumerate()).filter_map(|(at, s)| Some((s.size, s.digest?, at))).collect();
    order.sort_unstable();
    let mut groups = Vec::new();
    for equal in order.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).filter(|equal| equal.len() > 1) {
        let mut inodes: Vec<_> = equal.iter().map(|(.., at)| subjects[*at].inode).collect();
        inodes.sort_unstable();
        inodes.dedup();
        let (size, digest, _) = equal[0];
        let mut paths: Vec<PathBuf> = equal.iter().map(|(.., at)| opener.path(*at)).collect();
        paths.sort_unstable();
        if inodes.len() > 1 {
            let wasted = size.saturating_mul(inodes.len() as u64 - 1);
            groups.push(Group { digest, size, wasted, paths });
        }
    }
    groups.sort_by(|a, b| (Reverse(a.wasted), &a.paths).cmp(&(Reverse(b.wasted), &b.paths)));
    groups
}

/// Directories as a census wants them: resolved, and none beneath another.
///
/// # Errors
/// The first that cannot be resolved, or is no directory.
pub fn bases(given: &[PathBuf]) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
    let resolve = |path: &Path| {
        let real = std::fs::canonicalize(path)?;
        if real.is_dir() { Ok(real) } else { Err(io::ErrorKind::NotADirectory.into()) }
    };
    let mut bases = given
        .iter()
        .map(|path| resolve(path).map_err(|e| (path.clone(), e)))
        .collect::<Result<Vec<_>, _>>()?;
    bases.sort();
    // Sorted, so that a directory comes before those beneath it.
    bases.dedup_by(|inner, outer| inner.starts_with(outer));
    Ok(bases)
}

#[cfg(test)]
mod tests;
