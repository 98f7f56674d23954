//! The disk as the planner sees it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidy_core::facts::{Identity, Stat};
use tidy_core::naming::Naming;
use tidy_core::operation::{OpId, Operation};
use tidy_core::plan::{Lookup, Place, World};
use tidy_core::rollback::History;

use crate::act;
use crate::beneath::{self, Looker};
use crate::journal::Journal;

/// The real disk, read only. What is planned over it is looked at again when it is done.
#[derive(Debug)]
pub struct Disk {
    home_trash: PathBuf,
    looker: Looker,
}

impl Disk {
    /// `home_trash` is the user's own trash directory.
    pub fn new(home_trash: PathBuf) -> Self {
        Self { home_trash, looker: Looker::default() }
    }
}

impl World for Disk {
    fn lookup(&self, place: &Place) -> Lookup {
        self.looker.lookup(place)
    }

    fn directory(&self, base: &Arc<Path>, rel: &Path) -> Option<Stat> {
        let dir = beneath::open_dir(base, rel).ok()?;
        beneath::stat_fd(std::os::fd::AsFd::as_fd(&dir)).ok()
    }

    fn trash_for(&self, src: &Place, dev: u64) -> Result<Arc<Path>, String> {
        act::trash::directory_for(src, dev, &self.home_trash)
            .map(Arc::from)
            .map_err(|e| e.to_string())
    }

    fn same_bytes(&self, a: (&Place, &Stat), b: (&Place, &Stat)) -> bool {
        let open = |(place, stat): (&Place, &Stat)| crate::inspect::open(place, stat.id).ok();
        let (Some(a), Some(b)) = (open(a), open(b)) else { return false };
        act::same_bytes(&a, &b).unwrap_or(false)
    }

    fn naming(&self, place: &Place) -> Naming {
        super::naming::of(place)
    }

    fn all_entries(&self, dir: &Place, test: &dyn Fn(&OsStr) -> bool) -> bool {
        let Ok(open) = beneath::open_dir(dir.base(), dir.rel()) else { return false };
        let Ok(mut entries) = rustix::fs::Dir::read_from(open) else { return false };
        entries.all(|entry| {
            entry.is_ok_and(|entry| {
                let name = entry.file_name().to_bytes();
                matches!(name, b"." | b"..") || test(OsStr::from_bytes(name))
            })
        })
    }
}

impl History for Journal {
    fn moved_on(&self, from: &Path, after: OpId, file: &Identity) -> Option<Operation> {
        Journal::moved_on(self, from, after, file).unwrap_or_else(|error| {
            // The file counts as missing then: nothing is guessed.
            tracing::warn!(path = %from.display(), %error, "the journal could not be asked");
            None
        })
    }

    fn operation(&self, id: OpId) -> Option<Operation> {
        Journal::operation(self, id).unwrap_or_else(|error| {
            tracing::warn!(op = %id, %error, "the journal could not be asked");
            None
        })
    }
}
