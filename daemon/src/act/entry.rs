//! Names in open directories: everything `act` changes is reached through these.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustix::fs::{AtFlags, OFlags};
use rustix::io::Errno;
use tidy_core::UnixNanos;
use tidy_core::facts::Stat;
use tidy_core::operation::OpId;
use tidy_core::plan::Place;

use super::error::{ActError, errno, is_not_supported};
use crate::beneath;

/// Which directory it is, also after its number has been used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct DirId {
    dev: u64,
    ino: u64,
    pub(super) birth: Option<UnixNanos>,
}

impl DirId {
    fn of(s: &Stat) -> Self {
        Self { dev: s.dev, ino: s.id.ino, birth: s.id.birth }
    }
}

/// An open directory; a clone is the same one.
#[derive(Debug, Clone)]
pub(super) struct Dir(Arc<Open>);

/// `path` is for messages, and to see whether it still leads here.
#[derive(Debug)]
struct Open {
    fd: OwnedFd,
    path: PathBuf,
    /// Which one it is does not change while it is open.
    id: OnceLock<DirId>,
}

impl Dir {
    pub(super) fn new(fd: OwnedFd, path: PathBuf) -> Self {
        Self(Arc::new(Open { fd, path, id: OnceLock::new() }))
    }

    /// The directory that holds a source. One that is missing means that the source is gone.
    pub(super) fn of_source(place: &Place) -> Result<Self, ActError> {
        Self::of(place, |place, _| ActError::SourceGone { path: place.path() })
    }

    /// The directory that holds a destination. An earlier step of the plan has made it.
    pub(super) fn of_destination(place: &Place) -> Result<Self, ActError> {
        Self::of(place, |_, dir| ActError::ParentMissing { dir })
    }

    /// `None` when it does not exist (`ENOENT`, and only that).
    pub(super) fn find(place: &Place) -> Result<Option<Self>, ActError> {
        let dir = parent(place);
        match beneath::open_parent(place) {
            Ok((fd, _)) => Ok(Some(Self::new(fd, dir))),
            Err(e) if errno(&e) == Some(Errno::NOENT) => Ok(None),
            Err(e) => Err(ActError::io("open", dir)(e)),
        }
    }

    fn of(place: &Place, missing: fn(&Place, PathBuf) -> ActError) -> Result<Self, ActError> {
        let dir = parent(place);
        match beneath::open_parent(place) {
            Ok((fd, _)) => Ok(Self::new(fd, dir)),
            Err(e) => Err(match errno(&e) {
                Some(Errno::NOENT) => missing(place, dir),
                Some(Errno::LOOP | Errno::NOTDIR) => ActError::NotADirectory { path: dir },
                _ => ActError::io("open", dir)(e),
            }),
        }
    }

    pub(super) fn at<'a>(&'a self, name: &'a OsStr) -> Entry<'a> {
        Entry { dir: self, name }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0.path
    }

    /// Whether its path still leads to it, and not to another one, or nowhere.
    pub(super) fn is_in_place(&self) -> bool {
        let there = beneath::lstat_path(&self.0.path);
        self.id().is_ok_and(|id| there.is_ok_and(|s| DirId::of(&s) == id))
    }

    /// Device and inode: which directory this is, under whatever path.
    pub(super) fn key(&self) -> Result<(u64, u64), ActError> {
        self.id().map(|id| (id.dev, id.ino))
    }

    /// The same, told from one that had its number before, where the file system tells births.
    pub(super) fn id(&self) -> Result<DirId, ActError> {
        if let Some(id) = self.0.id.get() {
            return Ok(*id);
        }
        let s = beneath::stat_fd(self.as_fd()).map_err(ActError::io("look at", self.path()))?;
        Ok(*self.0.id.get_or_init(|| DirId::of(&s)))
    }

    /// Whether it lists exactly this name. Differs from a look-up where the file system folds case
    /// or normalizes names.
    pub(super) fn lists(&self, name: &OsStr) -> Result<bool, ActError> {
        let failed = || ActError::io::<Errno>("list", self.path());
        let entries = rustix::fs::Dir::read_from(&self.0.fd).map_err(failed())?;
        for entry in entries {
            if entry.map_err(failed())?.file_name().to_bytes() == name.as_encoded_bytes() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Makes a place's whole way beneath its base durable: the directory it lies in, and those above.
    /// `fsync` of a directory need not keep the directory's own name.
    pub(super) fn sync_way_to(place: &Place) -> Result<(), ActError> {
        let mut at = Some(place.clone());
        while let Some(place) = at {
            Self::of_destination(&place)?.sync()?;
            at = place.parent();
        }
        Ok(())
    }

    /// Makes the changes of its entries durable.
    pub(super) fn sync(&self) -> Result<(), ActError> {
        super::crash::crash_point("sync.before");
        match sync_fd(self.as_fd()) {
            // Some network and FUSE file systems have no such call for directories; they are as
            // durable as they will be.
            Ok(()) | Err(Errno::INVAL) => {}
            Err(e) if is_not_supported(e) => {}
            // FUSE by name (ntfs-3g) says so of a directory that was removed since: what has to last is in the one above,
            // which is synced, too.
            Err(Errno::NOENT) => {}
            Err(e) => {
                return Err(ActError::Sync { path: self.path().to_owned(), source: e.into() });
            }
        }
        super::crash::crash_point("sync.after");
        Ok(())
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.fd.as_fd()
    }
}

fn parent(place: &Place) -> PathBuf {
    place.parent().map_or_else(|| place.base().to_path_buf(), |p| p.path())
}

/// `fsync(2)`; macOS needs `F_FULLFSYNC` to reach the disk itself.
pub(super) fn sync_fd(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    #[cfg(test)]
    super::testing::disk()?;
    #[cfg(target_os = "macos")]
    if rustix::fs::fcntl_fullfsync(fd).is_ok() {
        return Ok(());
    }
    rustix::io::retry_on_intr(|| rustix::fs::fsync(fd))
}

/// One name in an open directory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) dir: &'a Dir,
    pub(super) name: &'a OsStr,
}

impl<'a> Entry<'a> {
    pub(super) fn path(self) -> PathBuf {
        self.dir.path().join(self.name)
    }

    /// Another name in the same directory.
    pub(super) fn sibling(self, name: &'a OsStr) -> Entry<'a> {
        Entry { dir: self.dir, name }
    }

    /// `lstat`. `None` means `ENOENT`, and only that.
    pub(super) fn stat(self) -> Result<Option<Stat>, ActError> {
        #[cfg(test)]
        super::testing::disk().map_err(ActError::io("look at", self.path()))?;
        match beneath::stat_at(self.dir.as_fd(), self.name) {
            Ok(s) => Ok(Some(s)),
            Err(e) if errno(&e) == Some(Errno::NOENT) => Ok(None),
            Err(e) => Err(ActError::io("look at", self.path())(e)),
        }
    }

    /// Opens for reading. A symlink is not followed; a FIFO does not block.
    pub(super) fn open(self) -> Result<OwnedFd, ActError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        beneath::open_at(self.dir.as_fd(), Path::new(self.name), flags).map_err(|e| {
            match errno(&e) {
                Some(Errno::NOENT) => ActError::SourceGone { path: self.path() },
                Some(Errno::LOOP) => ActError::NotRegular { path: self.path() },
                _ => ActError::io("open", self.path())(e),
            }
        })
    }

    /// Removes the name. `ENOENT` is fine.
    pub(super) fn unlink(self) -> Result<(), ActError> {
        #[cfg(test)]
        super::testing::disk().map_err(ActError::io("remove", self.path()))?;
        match rustix::fs::unlinkat(self.dir, self.name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(e) => Err(ActError::io("remove", self.path())(e)),
        }
    }
}

/// The name of a copy that is not complete, in the destination's directory.
pub(super) fn part_name(op: OpId) -> OsString {
    format!(".tidyd-{op}.part").into()
}

/// The name of a file that is set aside just before its name goes, in its own directory.
pub(super) fn gone_name(op: OpId) -> OsString {
    format!(".tidyd-{op}.gone").into()
}
