//! The disk as the planner sees it.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidy_core::facts::{Identity, Stat};
use tidy_core::naming::Naming;
use tidy_core::operation::{OpId, Operation};
use tidy_core::plan::{Lookup, Place, Untold, World};
use tidy_core::requirement::Volume;
use tidy_core::rollback::History;

use super::mounted::{Looked, Mounted};
use crate::act;
use crate::beneath::{self, Looker};
use crate::inspect::{self, InspectError};
use crate::journal::Journal;

/// The real disk, read only. What is planned over it is looked at again when it is done.
#[derive(Debug)]
pub struct Disk {
    home_trash: PathBuf,
    looker: Looker,
    mounts: Looked,
}

impl Disk {
    /// `home_trash` is the user's own trash directory.
    pub fn new(home_trash: PathBuf) -> Self {
        Self::remembering(home_trash, Mounted::default())
    }

    /// The same, where disks that were there before may be away.
    pub(super) fn remembering(home_trash: PathBuf, mounted: Mounted) -> Self {
        Self { home_trash, looker: Looker::default(), mounts: Looked::new(mounted) }
    }
}

impl World for Disk {
    fn lookup(&self, place: &Place) -> Lookup {
        match self.mounts.problem(place.base()) {
            Some(problem) => Lookup::Unknown(problem),
            None => self.looker.lookup(place),
        }
    }

    fn directory(&self, base: &Arc<Path>, rel: &Path) -> Option<Stat> {
        let dir = beneath::open_dir(base, rel).ok()?;
        beneath::stat_fd(std::os::fd::AsFd::as_fd(&dir)).ok()
    }

    fn volume(&self, place: &Place) -> Result<Volume, String> {
        super::volume::of(place)
    }

    fn trash_for(&self, src: &Place, dev: u64) -> Result<Arc<Path>, String> {
        act::trash::directory_for(src, dev, &self.home_trash)
            .map(Arc::from)
            .map_err(|e| e.to_string())
    }

    fn same_bytes(&self, a: (&Place, &Stat), b: (&Place, &Stat)) -> bool {
        let open = |(place, stat): (&Place, &Stat)| inspect::open(place, stat.id).ok();
        let (Some(a), Some(b)) = (open(a), open(b)) else { return false };
        act::same_bytes(&a, &b).unwrap_or(false)
    }

    fn tags(&self, place: &Place, id: Identity) -> Result<Option<Vec<u8>>, Untold> {
        let file = match inspect::open(place, id) {
            Err(InspectError::Io(e)) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e @ InspectError::Placeholder) => return Err(Untold::Never(e.to_string())),
            opened => opened.map_err(|e| Untold::Now(format!("its tags: {e}")))?,
        };
        act::tags_of(&file).map_err(|e| match e.kind() {
            io::ErrorKind::Unsupported => Untold::Never(NO_TAGS.into()),
            _ => Untold::Now(format!("its tags cannot be read: {e}")),
        })
    }

    fn takes_tags(&self, place: &Place) -> Result<(), String> {
        for dir in place.rel().ancestors().skip(1) {
            match beneath::open_dir(place.base(), dir).map(std::fs::File::from) {
                Ok(dir) => {
                    let none = |e: io::Error| e.kind() == io::ErrorKind::Unsupported;
                    let lacks = act::tags_of(&dir).is_err_and(none);
                    return if lacks { Err(NO_TAGS.into()) } else { Ok(()) };
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                // It cannot be told, so it is tried.
                Err(_) => break,
            }
        }
        Ok(())
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

/// Why a file can have no tags.
const NO_TAGS: &str = "the file system there keeps no extended attributes";

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
