//! Whether the disk that a folder was on is still there.
//!
//! The mount point of a disk that is away looks like an empty folder. What is filed into it lands on another disk,
//! and vanishes from sight when the right one comes back. So where folders were mounted is remembered, and an empty
//! folder where something was mounted is nothing to file into. One that is not empty has become an ordinary folder.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::volume;

const TREE: &str = "filing/mounted";

/// The root directory is always there, and not written down.
const ROOT: &str = "/";

/// The mount points of folders that were filed into. Without a store nothing is remembered.
#[derive(Debug, Clone, Default)]
pub struct Mounted(Option<sled::Tree>);

impl Mounted {
    /// With what was remembered.
    pub fn open(db: &sled::Db) -> Self {
        let tree = db.open_tree(TREE).inspect_err(|error| {
            tracing::warn!(%error, "where disks are mounted is not remembered");
        });
        Self(tree.ok())
    }

    /// The mount point of the disk that `folder` was on, if that is not there.
    fn away(&self, folder: &Path) -> Option<PathBuf> {
        let tree = self.0.as_ref()?;
        // Errors: nothing is known, and what is filed says what goes wrong.
        let at = mount_point(folder)?;
        let key = folder.as_os_str().as_bytes();
        let known = tree.get(key).ok()?;
        let known = known.as_deref().map_or(Path::new(ROOT), |m| Path::new(OsStr::from_bytes(m)));
        if known == at {
            return None;
        }
        if known.starts_with(&at) && is_empty(known) {
            return Some(known.to_owned());
        }
        let remembered = match *at == *Path::new(ROOT) {
            true => tree.remove(key),
            false => tree.insert(key, at.as_os_str().as_bytes()),
        };
        if let Err(error) = remembered {
            tracing::debug!(%error, "where a disk is mounted was not remembered");
        }
        None
    }
}

/// The directory at or above `folder` at which its file system is mounted.
pub(crate) fn mount_point(folder: &Path) -> Option<PathBuf> {
    volume::mounts_above(folder).ok()?.into_iter().next()
}

/// Whether nothing is in a directory. Also when it is not there, and when it cannot be read: what we were let into is
/// another one then.
fn is_empty(dir: &Path) -> bool {
    std::fs::read_dir(dir).map_or(true, |mut entries| entries.next().is_none())
}

/// What was found of folders, for as long as one batch takes.
#[derive(Debug)]
pub(super) struct Looked {
    mounted: Mounted,
    folders: Mutex<HashMap<Arc<Path>, Option<String>>>,
}

impl Looked {
    pub(super) fn new(mounted: Mounted) -> Self {
        Self { mounted, folders: Mutex::default() }
    }

    /// Why nothing can be filed into a folder.
    pub(super) fn problem(&self, folder: &Arc<Path>) -> Option<String> {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        let known = folders.entry(folder.clone()).or_insert_with(|| {
            let at = self.mounted.away(folder)?;
            Some(format!(
                "the disk that was mounted at {} is not there: mount it, or put something into that folder if it \
                 is an ordinary one now",
                tidy_core::name::shown(at.as_os_str())
            ))
        });
        known.clone()
    }
}
