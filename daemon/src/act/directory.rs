//! Making and removing single directories.

use rustix::fs::{AtFlags, Mode};
use rustix::io::Errno;
use tidy_core::facts::FileType;
use tidy_core::plan::Place;

use super::crash::crash_point;
use super::entry::Dir;
use super::error::ActError;
use super::{Performed, Unsynced};

const NOTHING: Performed = Performed { landed: None, digest: None };

/// Makes a directory with the permissions that the umask leaves, as people expect of new ones.
pub(super) fn make(place: &Place, unsynced: &mut Unsynced) -> Result<Performed, ActError> {
    let dir = Dir::of_destination(place)?;
    let entry = dir.at(place.file_name());
    crash_point("dir.before-make");
    match rustix::fs::mkdirat(&dir, entry.name, Mode::from_raw_mode(0o777)) {
        Ok(()) => {}
        Err(Errno::EXIST) => {
            let is_directory = entry.stat()?.is_some_and(|s| s.file_type == FileType::Directory);
            let path = entry.path();
            return Err(if is_directory {
                ActError::Exists { path }
            } else {
                ActError::DestinationTaken { path }
            });
        }
        Err(Errno::NOENT) => {
            return Err(ActError::ParentMissing { dir: dir.path().to_owned() });
        }
        Err(e) => return Err(ActError::io("make the directory", entry.path())(e)),
    }
    crash_point("dir.made");
    unsynced.add(dir);
    Ok(NOTHING)
}

/// Removes an empty directory.
pub(super) fn remove(place: &Place, unsynced: &mut Unsynced) -> Result<Performed, ActError> {
    let dir = Dir::of_source(place)?;
    let entry = dir.at(place.file_name());
    crash_point("dir.before-remove");
    match rustix::fs::unlinkat(&dir, entry.name, AtFlags::REMOVEDIR) {
        Ok(()) => {}
        Err(e) => {
            let path = entry.path();
            return Err(match e {
                Errno::NOENT => ActError::SourceGone { path },
                // POSIX allows either.
                Errno::NOTEMPTY | Errno::EXIST => ActError::DirectoryNotEmpty { path },
                Errno::NOTDIR => ActError::NotADirectory { path },
                e => ActError::io("remove the directory", path)(e),
            });
        }
    }
    crash_point("dir.removed");
    unsynced.add(dir);
    Ok(NOTHING)
}
