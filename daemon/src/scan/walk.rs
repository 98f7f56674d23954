//! Whole trees, read by several threads: every directory once, `statx` once for every regular file.
//!
//! Directories are opened by descriptor from the one above, so the cost does not grow with the depth, and nothing
//! that is renamed meanwhile leads out of the tree. The threads take the newest directory first: a few
//! descriptors are open at a time, not one for every directory in wait.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rustix::fs::OFlags;
use tidy_core::UnixNanos;
use tidy_core::facts::Identity;

use super::{Dir, Listing, is_no_directory};
use crate::beneath;

/// Open directories from which others are to be opened, at most (1,024 is the usual limit of a process). Past this those
/// are opened from the top.
const HELD_MAX: usize = 256;

const READ: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);

/// Every directory below some others, and the regular files in them.
#[derive(Debug, Default)]
pub struct Forest {
    /// A directory comes after the one it lies in.
    pub dirs: Vec<ForestDir>,
    /// What could not be read or looked at, and why.
    pub problems: Vec<(PathBuf, io::Error)>,
    /// The open directories that were asked for, by their places in `dirs`.
    bases: Vec<(u32, OwnedFd)>,
}

/// A directory of a [`Forest`].
#[derive(Debug)]
pub struct ForestDir {
    /// Its place in [`Forest::dirs`]; `None`: one of those that were asked for.
    parent: Option<u32>,
    /// Its name in the one above; the whole path where there is none above.
    name: Box<OsStr>,
    /// All that is in it is listed: a name that is missing is gone.
    pub complete: bool,
    /// The names of its files, one after the other.
    names: Box<[u8]>,
    /// Its regular files, sorted by name.
    pub files: Vec<ForestFile>,
    /// Its directories, sorted; those not entered too.
    pub subdirs: Vec<OsString>,
}

/// A regular file in a directory of a [`Forest`].
#[derive(Debug, Clone, Copy)]
pub struct ForestFile {
    pub id: Identity,
    pub dev: u64,
    pub ctime: UnixNanos,
    /// It has other names, here or elsewhere.
    pub linked: bool,
    name_at: u32,
    name_len: u16,
}

impl ForestDir {
    /// The name of one of its files.
    pub fn name_of(&self, file: &ForestFile) -> &OsStr {
        let at = file.name_at as usize;
        OsStr::from_bytes(self.names.get(at..at + usize::from(file.name_len)).unwrap_or_default())
    }

    fn new(parent: Option<u32>, name: &OsStr) -> Self {
        Self {
            parent,
            name: name.into(),
            complete: false,
            names: Box::default(),
            files: Vec::new(),
            subdirs: Vec::new(),
        }
    }

    fn fill(&mut self, listing: Listing) {
        self.complete = listing.is_complete();
        let mut names = Vec::with_capacity(listing.files.iter().map(|f| f.name.len()).sum());
        self.files = Vec::with_capacity(listing.files.len());
        for found in &listing.files {
            let stat = &found.stat;
            // A listing is bounded (`MAX_FILES`), so are the names in it.
            self.files.push(ForestFile {
                id: stat.id,
                dev: stat.dev,
                ctime: stat.ctime,
                linked: stat.nlink > 1,
                name_at: names.len() as u32,
                name_len: found.name.len() as u16,
            });
            names.extend_from_slice(found.name.as_bytes());
        }
        self.names = names.into();
        self.subdirs = listing.subdirs;
    }
}

impl Forest {
    /// The path of a directory.
    pub fn path(&self, dir: u32) -> PathBuf {
        let mut names = Vec::new();
        let mut at = Some(dir);
        while let Some(node) = at.and_then(|at| self.dirs.get(at as usize)) {
            names.push(&*node.name);
            at = node.parent;
        }
        names.into_iter().rev().collect()
    }

    /// The open directory that a directory is beneath, or is, and the way from there.
    ///
    /// # Panics
    /// There is no such directory in this forest.
    pub fn beneath(&self, dir: u32) -> (BorrowedFd<'_>, PathBuf) {
        let mut names = Vec::new();
        let mut at = dir;
        while let Some(parent) = self.dirs[at as usize].parent {
            names.push(&*self.dirs[at as usize].name);
            at = parent;
        }
        let base = self.bases.binary_search_by_key(&at, |(number, _)| *number);
        let (_, base) = &self.bases[base.unwrap_or_else(|_| unreachable!("each tree has a base"))];
        (base.as_fd(), names.into_iter().rev().collect())
    }

    /// The number of regular files.
    pub fn files(&self) -> usize {
        self.dirs.iter().map(|d| d.files.len()).sum()
    }
}

/// Reads everything below `bases`, which must be absolute, resolved, and none beneath another. Directories with a
/// device and inode in `leave_out` are not entered, nor are symlinks followed.
pub fn walk(bases: &[PathBuf], leave_out: &HashSet<(u64, u64)>, threads: NonZeroUsize) -> Forest {
    let waiting: Vec<Job> = (bases.iter().rev())
        .map(|base| Job {
            parent: None,
            from: None,
            base: base.as_path().into(),
            rel: PathBuf::new(),
        })
        .collect();
    let queue = Queue {
        state: Mutex::new(State { waiting, busy: 0 }),
        changed: Condvar::new(),
        next: AtomicUsize::new(0),
        held: AtomicUsize::new(0),
        leave_out,
    };
    let mut done: Vec<Part> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.get()).map(|_| scope.spawn(|| queue.work())).collect();
        let mut done = vec![queue.work()];
        for other in others {
            done.push(other.join().unwrap_or_else(|p| std::panic::resume_unwind(p)));
        }
        done
    });
    let mut forest = Forest::default();
    let mut dirs: Vec<(u32, ForestDir)> = Vec::with_capacity(queue.next.into_inner());
    for part in &mut done {
        dirs.append(&mut part.dirs);
        forest.problems.append(&mut part.problems);
        forest.bases.append(&mut part.bases);
    }
    dirs.sort_unstable_by_key(|(at, _)| *at);
    forest.dirs = dirs.into_iter().map(|(_, dir)| dir).collect();
    forest.bases.sort_unstable_by_key(|(at, _)| *at);
    forest.problems.sort_by(|a, b| a.0.cmp(&b.0));
    forest
}

/// A directory to be read.
struct Job {
    parent: Option<u32>,
    /// The open directory it lies in, unless too many are open.
    from: Option<Arc<Held>>,
    base: Arc<Path>,
    rel: PathBuf,
}

/// An open directory that others are opened from.
struct Held(OwnedFd);

struct State {
    waiting: Vec<Job>,
    /// Threads that may add to it.
    busy: usize,
}

struct Queue<'a> {
    state: Mutex<State>,
    changed: Condvar,
    /// Number of the next directory.
    next: AtomicUsize,
    held: AtomicUsize,
    leave_out: &'a HashSet<(u64, u64)>,
}

/// What one thread has read.
#[derive(Default)]
struct Part {
    dirs: Vec<(u32, ForestDir)>,
    problems: Vec<(PathBuf, io::Error)>,
    bases: Vec<(u32, OwnedFd)>,
}

impl Queue<'_> {
    /// The jobs are replaced as a whole, so a panic of another thread leaves them sound.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) -> Part {
        let mut part = Part::default();
        while let Some(job) = self.take() {
            let found = self.read(job, &mut part);
            self.give(found);
        }
        part
    }

    /// The next directory; `None` when there will be none.
    fn take(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.waiting.pop() {
                state.busy += 1;
                return Some(job);
            }
            if state.busy == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn give(&self, mut found: Vec<Job>) {
        let mut state = self.lock();
        let more = found.len() > 1;
        state.waiting.append(&mut found);
        state.busy -= 1;
        let finished = state.busy == 0 && state.waiting.is_empty();
        drop(state);
        if more || finished {
            self.changed.notify_all();
        }
    }

    /// Reads one directory; what is in it that is to be read too.
    fn read(&self, job: Job, part: &mut Part) -> Vec<Job> {
        let Job { parent, from, base, rel } = job;
        let path = |rel: &Path| {
            if rel.as_os_str().is_empty() { base.to_path_buf() } else { base.join(rel) }
        };
        let opened = self.open(from.as_deref(), &base, &rel);
        self.let_go(from);
        let dir = match opened {
            Ok(Some(dir)) => dir,
            Ok(None) if parent.is_some() => return Vec::new(),
            Ok(None) => {
                let none = io::Error::from(io::ErrorKind::NotFound);
                part.problems.push((path(&rel), none));
                return Vec::new();
            }
            Err(e) => {
                part.problems.push((path(&rel), e));
                return Vec::new();
            }
        };
        if self.leave_out.contains(&(dir.stat.dev, dir.stat.id.ino)) {
            return Vec::new();
        }
        let mut listing = match dir.list() {
            Ok(listing) => listing,
            Err(e) => {
                part.problems.push((path(&rel), e));
                return Vec::new();
            }
        };
        for (name, e) in std::mem::take(&mut listing.unreadable) {
            part.problems.push((path(&rel).join(name), e));
        }
        // As many as a `u32` can number: a directory costs more memory than this machine has.
        let number = self.next.fetch_add(1, Ordering::Relaxed) as u32;
        let name = if parent.is_some() { rel.file_name() } else { Some(base.as_os_str()) };
        let mut read = ForestDir::new(parent, name.unwrap_or_default());
        if parent.is_none() {
            match dir.fd.try_clone() {
                Ok(fd) => part.bases.push((number, fd)),
                Err(e) => part.problems.push((path(&rel), e)),
            }
        }
        let held = self.hold(dir.fd, !listing.subdirs.is_empty());
        let jobs = listing.subdirs.iter().rev().map(|name| Job {
            parent: Some(number),
            from: held.clone(),
            base: base.clone(),
            rel: rel.join(name),
        });
        let jobs = jobs.collect();
        read.fill(listing);
        part.dirs.push((number, read));
        jobs
    }

    fn open(&self, from: Option<&Held>, base: &Path, rel: &Path) -> io::Result<Option<Dir>> {
        let Some((held, name)) = from.zip(rel.file_name()) else { return Dir::open(base, rel) };
        match beneath::open_at(held.0.as_fd(), Path::new(name), READ) {
            Ok(fd) => {
                let stat = beneath::stat_fd(fd.as_fd())?;
                Ok(Some(Dir { fd, stat }))
            }
            Err(e) if is_no_directory(&e) => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn hold(&self, fd: OwnedFd, wanted: bool) -> Option<Arc<Held>> {
        if !wanted || self.held.load(Ordering::Relaxed) >= HELD_MAX {
            return None;
        }
        self.held.fetch_add(1, Ordering::Relaxed);
        Some(Arc::new(Held(fd)))
    }

    fn let_go(&self, held: Option<Arc<Held>>) {
        if held.is_some_and(|h| Arc::into_inner(h).is_some()) {
            self.held.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
