//! The file system that a destination is on: where it is mounted, and how much is free there.

use std::io;
use std::path::{Path, PathBuf};

use tidy_core::name;
use tidy_core::plan::Place;
use tidy_core::requirement::{Space, Volume};

use crate::beneath;

/// Of the nearest directory at or above the place's own that is there; the others are made in it.
pub(super) fn of(place: &Place) -> Result<Volume, String> {
    let path = place.path();
    let dir = path.parent().unwrap_or(&path);
    let untold = |dir: &Path, e: &dyn std::fmt::Display| {
        format!("what {} is on cannot be told: {e}", name::shown(dir.as_os_str()))
    };
    let mounts = mounts_above(dir).map_err(|e| untold(dir, &e))?;
    let there = nearest(dir).map_err(|e| untold(dir, &e))?;
    let stat = beneath::stat_path(there).map_err(|e| untold(there, &e))?;
    if beneath::is_shut(there) {
        let at = mounts.first().map_or(there, PathBuf::as_path);
        return Err(format!(
            "what is mounted at {} came after tidyd had confined itself to what was there: restart tidyd",
            name::shown(at.as_os_str())
        ));
    }
    let v = rustix::fs::statvfs(there).map_err(|e| untold(there, &e))?;
    let space = Space {
        total: v.f_blocks.saturating_mul(v.f_frsize),
        free: v.f_bavail.saturating_mul(v.f_frsize),
    };
    Ok(Volume { dev: stat.dev, mounts, space })
}

/// The directories at or above `dir` at which something is mounted, the deepest first.
///
/// # Errors
/// It cannot be told of one of them. Those that are not there are passed over.
pub(super) fn mounts_above(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut mounts = Vec::new();
    let mut below: Option<(&Path, (u64, u64))> = None;
    for dir in nearest(dir)?.ancestors() {
        let own = beneath::mount_of(dir)?;
        mounts.extend(
            below.filter(|(_, mount)| is_another(*mount, own)).map(|(dir, _)| dir.to_owned()),
        );
        below = Some((dir, own));
    }
    mounts.extend(below.map(|(dir, _)| dir.to_owned()));
    Ok(mounts)
}

/// The numbers of devices differ within one mount, too (subvolumes of btrfs), so those of mounts count where there are any.
fn is_another((dev, mount): (u64, u64), (other_dev, other_mount): (u64, u64)) -> bool {
    match mount != 0 && other_mount != 0 {
        true => mount != other_mount,
        false => dev != other_dev,
    }
}

fn nearest(dir: &Path) -> io::Result<&Path> {
    for dir in dir.ancestors() {
        match beneath::stat_path(dir) {
            Ok(_) => return Ok(dir),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_yet_is_on_what_is_above_it() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        let place = Place::new(real.as_path().into(), "not/there/file".into()).unwrap();
        let volume = of(&place).unwrap();
        assert_eq!(volume.dev, beneath::stat_path(&real).unwrap().dev);
        assert!(volume.space.total >= volume.space.free && volume.space.total > 0);
        assert_eq!(volume.mounts.last().map(PathBuf::as_path), Some(Path::new("/")));
        assert!(volume.mounts.iter().all(|mount| real.starts_with(mount)), "{volume:?}");
        assert!(volume.mounts.is_sorted_by_key(|mount| std::cmp::Reverse(mount.as_os_str().len())));
    }

    #[test]
    fn mounts_are_told_apart_by_their_number_where_there_is_one() {
        assert!(is_another((1, 7), (1, 8)), "a bind mount");
        assert!(!is_another((1, 7), (2, 7)), "a subvolume");
        assert!(is_another((1, 0), (2, 0)) && !is_another((1, 0), (1, 0)));
    }
}
