//! scan: reads directories, and looks at single files, without changing anything.
//!
//! In: a root and a path below it. Out: [`Listing`]s, and [`probe`]s for settling. Everything is opened beneath its root,
//! following no symlink ([`crate::beneath`]); other file systems mounted below a root are entered.
//! A directory that has vanished, or is something else by now, is a normal result (`None`).
//!
//! May not know: rules, the catalog's format, watchers, what happens to what it finds.

mod device;
mod lease;
mod probe;
mod tree;
mod unit;
mod walk;

pub use device::turns;
pub use lease::ignore_sigio;
pub use probe::{Prober, is_written, probe};
pub use unit::{Units, is_in_unit, names_of};
pub use walk::{Forest, ForestDir, ForestFile, walk};

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::io::Errno;
use tidy_core::facts::{FileType, Stat};

use crate::beneath;

/// The most regular files that one listing holds, about 200 MB of them; the rest are only counted.
pub const MAX_FILES: usize = 1_000_000;

/// A regular file in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub name: OsString,
    pub stat: Stat,
}

/// What a directory held while it was read.
#[derive(Debug)]
pub struct Listing {
    /// Of the directory itself, taken before reading: an mtime that is still the same later says that
    /// no name has come or gone since.
    pub dir: Stat,
    /// Regular files, sorted by the bytes of their names.
    pub files: Vec<Found>,
    /// Directories, sorted likewise.
    pub subdirs: Vec<OsString>,
    /// How many symlinks, FIFOs, sockets and devices there were.
    pub others: u64,
    /// Names whose stat failed otherwise than with `ENOENT`: they are there, more is not known.
    pub unreadable: Vec<(OsString, io::Error)>,
    /// Files beyond [`MAX_FILES`], which `files` does not hold.
    pub beyond: u64,
}

impl Listing {
    /// Whether `files` is all there is, so that what is missing in it is gone.
    pub fn is_complete(&self) -> bool {
        self.beyond == 0
    }

    /// Every name in it, for markers and siblings.
    pub fn names(&self) -> impl Iterator<Item = &OsStr> {
        let files = self.files.iter().map(|f| f.name.as_os_str());
        files.chain(self.subdirs.iter().map(OsString::as_os_str))
    }
}

/// An open directory: who it is can be known (and a watch set) before it is read.
#[derive(Debug)]
pub struct Dir {
    fd: OwnedFd,
    stat: Stat,
}

impl Dir {
    /// Opens the directory at `rel` below `root` (empty: the root itself). `None` when there is
    /// nothing, or no directory.
    ///
    /// # Errors
    /// `EACCES`, `EIO`, `EMFILE` and the like: nothing may be concluded from them.
    pub fn open(root: &Path, rel: &Path) -> io::Result<Option<Self>> {
        let fd = match beneath::open_dir(root, rel) {
            Ok(fd) => fd,
            Err(e) if is_no_directory(&e) => return Ok(None),
            Err(e) => return Err(e),
        };
        let stat = beneath::stat_fd(fd.as_fd())?;
        Ok(Some(Self { fd, stat }))
    }

    /// Of the directory itself, taken when it was opened.
    pub fn stat(&self) -> &Stat {
        &self.stat
    }

    /// Reads it: one `statx` for each regular file, in inode order, none for what `getdents` already
    /// says is something else.
    ///
    /// # Errors
    /// Of reading the directory; a file that vanishes meanwhile is just not listed.
    pub fn read(self) -> io::Result<Listing> {
        self.list()
    }

    fn list(&self) -> io::Result<Listing> {
        let mut out = Listing::empty(self.stat);
        let mut to_stat: Vec<(u64, OsString)> = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            match entry.file_type() {
                rustix::fs::FileType::Directory => out.subdirs.push(name.to_owned()),
                rustix::fs::FileType::RegularFile | rustix::fs::FileType::Unknown => {
                    if to_stat.len() < MAX_FILES {
                        to_stat.push((entry.ino(), name.to_owned()));
                    } else {
                        out.beyond += 1;
                    }
                }
                _ => out.others += 1,
            }
        }
        // On a disk that turns, and on a cold cache, this is the order in which inodes lie.
        to_stat.sort_unstable_by_key(|(ino, _)| *ino);
        out.files.reserve_exact(to_stat.len());
        for (_, name) in to_stat {
            out.add(&self.fd, name);
        }
        out.sort();
        Ok(out)
    }

    /// Looks at these names only.
    pub fn look(self, names: impl IntoIterator<Item = OsString>) -> NamesSeen {
        let mut seen = Listing::empty(self.stat);
        let mut gone = Vec::new();
        for name in names {
            // A name is one component; anything else did not come from a directory.
            if name.as_bytes().contains(&b'/') || name.is_empty() || name == "." || name == ".." {
                continue;
            }
            if let Some(name) = seen.add(&self.fd, name) {
                gone.push(name);
            }
        }
        seen.sort();
        NamesSeen { seen, gone }
    }
}

/// Some names of a directory.
#[derive(Debug)]
pub struct NamesSeen {
    /// What was there, as a listing would say it.
    pub seen: Listing,
    /// Names that are not there (`ENOENT`, and only that).
    pub gone: Vec<OsString>,
}

impl Listing {
    fn empty(dir: Stat) -> Self {
        Self {
            dir,
            files: Vec::new(),
            subdirs: Vec::new(),
            others: 0,
            unreadable: Vec::new(),
            beyond: 0,
        }
    }

    /// Adds what the name stands for; gives the name back when it stands for nothing.
    fn add(&mut self, dir: &OwnedFd, name: OsString) -> Option<OsString> {
        match beneath::stat_at(dir.as_fd(), &name) {
            Ok(stat) => match stat.file_type {
                FileType::Regular => self.files.push(Found { name, stat }),
                FileType::Directory => self.subdirs.push(name),
                FileType::Symlink | FileType::Other => self.others += 1,
            },
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Some(name),
            Err(e) => self.unreadable.push((name, e)),
        }
        None
    }

    fn sort(&mut self) {
        self.files.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        self.subdirs.sort_unstable();
    }
}

/// Reads the directory at `rel` below `root`; `None` when there is none.
///
/// # Errors
/// As [`Dir::open`] and [`Dir::read`].
pub fn read_dir(root: &Path, rel: &Path) -> io::Result<Option<Listing>> {
    Dir::open(root, rel)?.map(Dir::read).transpose()
}

/// Nothing there, or a component that is a symlink or a file: as a directory it is gone.
fn is_no_directory(e: &io::Error) -> bool {
    let errno = e.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP))
}

#[cfg(test)]
mod tests;
