//! What a rule needs of its destination: room, and a disk that is there.
//!
//! In: the requirement as the configuration has it, the [`Volume`] that the destination is on, and how much is about to come.
//! Out: nothing, or why the file stays for now. It is no condition of the rule: the rule matches all the same, no later one
//! gets the file, and it is asked again when the answer may be another one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::count::bytes;
use crate::name;

/// What must hold of a destination before a file goes there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    pub free: Option<Free>,
    pub mounted: Option<Mounted>,
}

/// What has to be free on the destination's file system when the file is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Free {
    /// Of the whole file system.
    Percent(u8),
    Bytes(u64),
}

/// Which file system the destination has to be on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mounted {
    /// One that is mounted somewhere on the way to the destination, and neither at `/` nor above this directory, the person's
    /// home: those are there whether the disk is or not.
    Apart(Arc<Path>),
    /// One that is mounted at this very directory.
    At(Arc<Path>),
}

/// The file system that a place is on, or will be once its directories are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    pub dev: u64,
    /// The directories at or above the place at which something is mounted, the deepest first; the last one is `/`.
    pub mounts: Vec<PathBuf>,
    pub space: Space,
}

/// How much there is, in bytes. A file system that does not tell has a total of 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    pub total: u64,
    /// What a person may still use.
    pub free: u64,
}

impl Requirement {
    /// Why a file cannot go to the directory `to` now, where `more` bytes would come with it; `None`: it can.
    pub fn unmet(&self, to: &Path, volume: &Volume, more: u64) -> Option<String> {
        let mounted = self.mounted.as_ref().and_then(|mounted| mounted.unmet(to, volume));
        mounted.or_else(|| self.free.and_then(|free| free.unmet(to, volume.space, more)))
    }
}

impl Mounted {
    fn unmet(&self, to: &Path, volume: &Volume) -> Option<String> {
        match self {
            Self::At(at) if volume.mounts.iter().any(|mount| **mount == **at) => None,
            Self::At(at) => Some(format!("nothing is mounted at {}", shown(at))),
            Self::Apart(home) => {
                let mount = volume.mounts.first().map_or(Path::new("/"), PathBuf::as_path);
                let is_of_system = home.starts_with(mount);
                is_of_system.then(|| {
                    format!(
                        "no disk is mounted for {}: it would be on the one that is mounted at {}",
                        shown(to),
                        shown(mount)
                    )
                })
            }
        }
    }
}

impl Free {
    fn unmet(self, to: &Path, space: Space, more: u64) -> Option<String> {
        let Space { total, free } = space;
        if total == 0 {
            return Some(format!("how much is free at {} cannot be told", shown(to)));
        }
        let (wanted, needed) = match self {
            Self::Bytes(wanted) => (wanted, bytes(wanted)),
            Self::Percent(percent) => {
                // Rounded up: what is missing to the whole percent is missing.
                let wanted = (u128::from(total) * u128::from(percent)).div_ceil(100);
                (u64::try_from(wanted).unwrap_or(u64::MAX), format!("{percent} %"))
            }
        };
        let left = free.checked_sub(more);
        if left.is_some_and(|left| left >= wanted) {
            return None;
        }
        let share = |n: u64| u128::from(n) * 100 / u128::from(total);
        let at = shown(to);
        Some(match left {
            Some(left) => format!(
                "only {} ({} %) would be left free at {at}, and the rule needs {needed}",
                bytes(left),
                share(left)
            ),
            None => format!(
                "only {} are free at {at}, and {} are needed for it",
                bytes(free),
                bytes(more)
            ),
        })
    }
}

fn shown(path: &Path) -> String {
    name::shown(path.as_os_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    fn volume(mounts: &[&str], total: u64, free: u64) -> Volume {
        let mounts = mounts.iter().map(PathBuf::from).collect();
        Volume { dev: 2, mounts, space: Space { total, free } }
    }

    #[test]
    fn what_is_left_free_counts_the_file_itself() {
        let ask = |free, (total, now), more| {
            let requirement = Requirement { free: Some(free), mounted: None };
            requirement.unmet(Path::new("/d"), &volume(&["/"], total, now), more)
        };
        for (free, space, more, unmet) in [
            (Free::Percent(10), (100 * GB, 10 * GB), 0, None),
            (
                Free::Percent(10),
                (100 * GB, 10 * GB),
                1,
                Some("only 10.0 GB (9 %) would be left free at /d, and the rule needs 10 %"),
            ),
            (Free::Bytes(5 * GB), (100 * GB, 7 * GB), 2 * GB, None),
            (
                Free::Bytes(5 * GB),
                (100 * GB, 7 * GB),
                3 * GB,
                Some("only 4.0 GB (4 %) would be left free at /d, and the rule needs 5.0 GB"),
            ),
            (
                Free::Bytes(0),
                (100 * GB, GB),
                2 * GB,
                Some("only 1.0 GB are free at /d, and 2.0 GB are needed for it"),
            ),
            // Of 101 bytes one percent is more than one.
            (
                Free::Percent(1),
                (101, 1),
                0,
                Some("only 1 B (0 %) would be left free at /d, and the rule needs 1 %"),
            ),
            (Free::Percent(99), (u64::MAX, u64::MAX), 0, None),
            (Free::Percent(1), (0, 0), 0, Some("how much is free at /d cannot be told")),
        ] {
            assert_eq!(ask(free, space, more).as_deref(), unmet, "{free:?} {space:?} {more}");
        }
    }

    #[test]
    fn a_disk_of_its_own_is_neither_that_of_the_system_nor_that_of_the_home_directory() {
        let apart = || Mounted::Apart(Path::new("/home/ada").into());
        let at = |path: &str| Mounted::At(Path::new(path).into());
        let to = Path::new("/mnt/archive/Videos");
        for (mounted, mounts, met) in [
            (apart(), &["/mnt/archive", "/"][..], true),
            (apart(), &["/"], false),
            // Another disk than the system's is not enough where it is the home directory's.
            (apart(), &["/home", "/"], false),
            (apart(), &["/home/ada", "/"], false),
            (apart(), &["/home/ada/Archive", "/home", "/"], true),
            (apart(), &["/home/adam", "/"], true),
            (at("/mnt/archive"), &["/mnt/archive", "/"], true),
            (at("/mnt/archive"), &["/mnt/archive/Videos", "/mnt/archive", "/"], true),
            (at("/mnt/archive"), &["/mnt", "/"], false),
            (at("/mnt/archive"), &["/"], false),
        ] {
            let volume = volume(mounts, 100, 100);
            let asked = Requirement { free: None, mounted: Some(mounted) };
            assert_eq!(asked.unmet(to, &volume, 0).is_none(), met, "{asked:?} {mounts:?}");
        }
        let said = |mounted| {
            let asked = Requirement { free: Some(Free::Percent(50)), mounted: Some(mounted) };
            asked.unmet(to, &volume(&["/"], 100, 0), 0).unwrap()
        };
        // What is free elsewhere does not matter.
        assert_eq!(said(at("/mnt/archive")), "nothing is mounted at /mnt/archive");
        assert_eq!(
            said(apart()),
            "no disk is mounted for /mnt/archive/Videos: it would be on the one that is mounted at /"
        );
    }
}
