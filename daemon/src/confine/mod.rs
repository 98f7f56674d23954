//! confine: the process gives up what it will not need, before it starts its first thread.
//!
//! In: the directories it may write, and those it may only read ([`Reach`]). Out: a [`Confinement`]
//! that says what came of it. On Linux this is Landlock (landlock(7)): the kernel refuses everything
//! else to this process and its children for good, so that a defect, or a file made to trigger one,
//! reaches no other file. There is no way back: folders that are added later need a new process.
//!
//! May not know: the configuration, rules, the journal.

#[cfg(target_os = "linux")]
mod landlock;

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::beneath;

/// What the process needs from now on. Paths that are not there are left out.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// Directories in which files are filed, with all that is below them.
    pub folders: Vec<PathBuf>,
    /// Our own directories: written as freely, and not counted as folders.
    pub own: Vec<PathBuf>,
    /// The directories of the sockets: sockets are made and removed there, nothing else.
    pub socket_dirs: Vec<PathBuf>,
    /// Directories and files that are only read.
    pub read: Vec<PathBuf>,
    /// Directories in which a file of our own is made and takes the place of the one before.
    pub replaced: Vec<PathBuf>,
    /// The TCP port that is listened on; without one there is no network.
    pub listen: Option<u16>,
}

/// What the process is confined to.
#[derive(Debug, Clone)]
pub enum Confinement {
    Landlock {
        /// The version of the kernel's interface.
        abi: i32,
        /// None of them beneath another.
        folders: Vec<PathBuf>,
        keys: Keys,
    },
    /// Why it is not.
    Off(String),
}

/// The directories by device and inode, which is how the kernel knows them: one that is removed and
/// made again under the same name is another.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    write: HashSet<(u64, u64)>,
    read: HashSet<(u64, u64)>,
}

/// Confines the calling thread, and with it every thread and process that it starts from now on.
#[cfg(target_os = "linux")]
pub fn confine(reach: &Reach) -> Confinement {
    match landlock::restrict(reach) {
        Ok(abi) => {
            Confinement::Landlock { abi, folders: outermost(&reach.folders), keys: Keys::of(reach) }
        }
        Err(why) => Confinement::Off(why),
    }
}

/// There is nothing of the kind on this system.
#[cfg(not(target_os = "linux"))]
pub fn confine(_reach: &Reach) -> Confinement {
    Confinement::Off("this system has no Landlock".to_owned())
}

impl Confinement {
    /// Whether files can be filed in this directory, as far as the confinement goes.
    pub fn may_write(&self, dir: &Path) -> bool {
        match self {
            Self::Off(_) => true,
            Self::Landlock { keys, .. } => holds(&keys.write, dir) && !beneath::is_shut(dir),
        }
    }

    /// Whether this directory, or file, can be read, as far as the confinement goes.
    pub fn may_read(&self, path: &Path) -> bool {
        match self {
            Self::Off(_) => true,
            Self::Landlock { keys, .. } => holds(&keys.write, path) || holds(&keys.read, path),
        }
    }

    /// The folders it is confined to; empty when it is not.
    pub fn folders(&self) -> &[PathBuf] {
        match self {
            Self::Off(_) => &[],
            Self::Landlock { folders, .. } => folders,
        }
    }
}

impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off(why) => write!(f, "not confined: {why}"),
            Self::Landlock { abi, folders, .. } => {
                let n = folders.len();
                let s = if n == 1 { "" } else { "s" };
                write!(f, "confined to {n} folder{s} (Landlock ABI {abi})")
            }
        }
    }
}

impl Keys {
    #[cfg(target_os = "linux")]
    fn of(reach: &Reach) -> Self {
        let all =
            |paths: &mut dyn Iterator<Item = &PathBuf>| paths.filter_map(|p| key(p)).collect();
        Self {
            write: all(&mut reach.folders.iter().chain(&reach.own)),
            read: all(&mut reach.read.iter()),
        }
    }
}

fn key(path: &Path) -> Option<(u64, u64)> {
    beneath::stat_path(path).ok().map(|s| (s.dev, s.id.ino))
}

/// Whether `path`, or a directory above it, is among the keys. What is not there yet is judged by
/// the directories above it.
fn holds(keys: &HashSet<(u64, u64)>, path: &Path) -> bool {
    path.ancestors().filter_map(key).any(|k| keys.contains(&k))
}

/// The directories that lie beneath none of the others.
#[cfg(target_os = "linux")]
fn outermost(dirs: &[PathBuf]) -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = dirs.iter().filter(|d| key(d).is_some()).cloned().collect();
    // Sorted, so that a directory comes before those beneath it.
    dirs.sort();
    dirs.dedup_by(|inner, outer| inner.starts_with(outer));
    dirs
}

#[cfg(test)]
mod tests;
