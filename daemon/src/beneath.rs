//! Opening and looking at things beneath a directory, following no symlink on the way.
//!
//! Every room that touches a path of the user's goes through here: `scan` and `inspect` to read,
//! `act` to change. Linux resolves the whole path in one `openat2(2)`; where that call is missing
//! (macOS, or a seccomp filter that answers `ENOSYS`) each component is opened in turn with
//! `O_NOFOLLOW`, which gives the same guarantee.

mod kept;

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{AtFlags, Mode, OFlags};
use tidy_core::UnixNanos;
use tidy_core::facts::{FileType, Identity, Stat};
use tidy_core::plan::{Lookup, Place};

pub use kept::{Kept, Looker};

/// `openat2` may answer `EAGAIN` while something is renamed on the way; the caller should retry.
/// Bounded, so that a hostile renamer cannot hold us.
#[cfg(target_os = "linux")]
const RETRIES: usize = 64;

/// Opens a directory for reading and for `*at` calls. `rel` may be empty: the base itself.
pub fn open_dir(base: &Path, rel: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    // The base is trusted as configured and already resolved; it must still be a real directory.
    let open = |flags| rustix::fs::open(base, flags | OFlags::NOFOLLOW, Mode::empty());
    if rel.as_os_str().is_empty() {
        return Ok(open(flags)?);
    }
    open_at(open(PASSING | OFlags::CLOEXEC)?.as_fd(), rel, flags)
}

/// A directory that is only passed through need not be readable, nor open to a confined process.
#[cfg(target_os = "linux")]
const PASSING: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);
#[cfg(not(target_os = "linux"))]
const PASSING: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);

/// Opens something beneath an open directory, following no symlink in `rel`, not even at its end.
pub fn open_at(dir: BorrowedFd<'_>, rel: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::ResolveFlags;
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..RETRIES {
            match rustix::fs::openat2(dir, rel, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
                Ok(fd) => return Ok(fd),
                Err(rustix::io::Errno::AGAIN) => {}
                Err(rustix::io::Errno::NOSYS) => return walk(dir, rel, flags),
                Err(e) => return Err(e.into()),
            }
        }
        Err(rustix::io::Errno::AGAIN.into())
    }
    #[cfg(not(target_os = "linux"))]
    walk(dir, rel, flags)
}

/// Component by component, for systems without `openat2`.
fn walk(dir: BorrowedFd<'_>, rel: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let mut at: Option<OwnedFd> = None;
    let mut parts = rel.components().peekable();
    while let Some(part) = parts.next() {
        let Component::Normal(name) = part else {
            return Err(rustix::io::Errno::XDEV.into());
        };
        let last = parts.peek().is_none();
        let flags = if last { flags } else { PASSING };
        let from = at.as_ref().map_or(dir, AsFd::as_fd);
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        at = Some(rustix::fs::openat(from, name, flags, Mode::empty())?);
    }
    at.ok_or_else(|| rustix::io::Errno::INVAL.into())
}

/// Opens the directory that holds `place`, and gives the name in it.
pub fn open_parent(place: &Place) -> io::Result<(OwnedFd, &OsStr)> {
    let rel = place.rel().parent().unwrap_or(Path::new(""));
    Ok((open_dir(place.base(), rel)?, place.file_name()))
}

/// `lstat` of one name in an open directory.
pub fn stat_at(dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<Stat> {
    statx(dir, Path::new(name), AtFlags::SYMLINK_NOFOLLOW)
}

/// `fstat` of an open file.
pub fn stat_fd(fd: BorrowedFd<'_>) -> io::Result<Stat> {
    // Where there is no such flag the empty path alone says it.
    #[cfg(target_os = "linux")]
    let flags = AtFlags::EMPTY_PATH;
    #[cfg(not(target_os = "linux"))]
    let flags = AtFlags::empty();
    statx(fd, Path::new(""), flags)
}

/// `stat` of a whole path, following symlinks: for paths the configuration or the environment names.
pub fn stat_path(path: &Path) -> io::Result<Stat> {
    statx(rustix::fs::CWD, path, AtFlags::empty())
}

/// `lstat` of a whole path: only its last component is not followed.
pub fn lstat_path(path: &Path) -> io::Result<Stat> {
    statx(rustix::fs::CWD, path, AtFlags::SYMLINK_NOFOLLOW)
}

#[cfg(target_os = "linux")]
fn statx(dir: BorrowedFd<'_>, path: &Path, flags: AtFlags) -> io::Result<Stat> {
    use rustix::fs::StatxFlags;
    let s = rustix::fs::statx(dir, path, flags, StatxFlags::BASIC_STATS | StatxFlags::BTIME)?;
    let time = |t: rustix::fs::StatxTimestamp| UnixNanos::from_parts(t.tv_sec, t.tv_nsec);
    let has_birth = StatxFlags::from_bits_retain(s.stx_mask).contains(StatxFlags::BTIME);
    Ok(Stat {
        id: Identity {
            ino: s.stx_ino,
            size: s.stx_size,
            mtime: time(s.stx_mtime),
            birth: has_birth.then(|| time(s.stx_btime)),
        },
        file_type: file_type(u32::from(s.stx_mode)),
        dev: rustix::fs::makedev(s.stx_dev_major, s.stx_dev_minor),
        ctime: time(s.stx_ctime),
        atime: time(s.stx_atime),
        mode: u32::from(s.stx_mode) & 0o7777,
        nlink: s.stx_nlink,
        uid: s.stx_uid,
    })
}

#[cfg(not(target_os = "linux"))]
fn statx(dir: BorrowedFd<'_>, path: &Path, flags: AtFlags) -> io::Result<Stat> {
    let s = if path.as_os_str().is_empty() {
        rustix::fs::fstat(dir)?
    } else {
        rustix::fs::statat(dir, path, flags)?
    };
    Ok(Stat {
        id: Identity {
            ino: s.st_ino as u64,
            size: s.st_size as u64,
            mtime: UnixNanos::from_parts(s.st_mtime as i64, s.st_mtime_nsec as u32),
            birth: Some(UnixNanos::from_parts(s.st_birthtime as i64, s.st_birthtime_nsec as u32)),
        },
        file_type: file_type(u32::from(s.st_mode)),
        dev: s.st_dev as u64,
        ctime: UnixNanos::from_parts(s.st_ctime as i64, s.st_ctime_nsec as u32),
        atime: UnixNanos::from_parts(s.st_atime as i64, s.st_atime_nsec as u32),
        mode: u32::from(s.st_mode) & 0o7777,
        nlink: s.st_nlink as u32,
        uid: s.st_uid,
    })
}

/// The file system that a directory is on, and which mount of it, where the kernel says so (Linux 5.8).
pub fn mount_of(dir: &Path) -> io::Result<(u64, u64)> {
    let dev = stat_path(dir)?.dev;
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::StatxFlags;
        let s = rustix::fs::statx(rustix::fs::CWD, dir, AtFlags::empty(), StatxFlags::MNT_ID)?;
        let is_told = StatxFlags::from_bits_retain(s.stx_mask).contains(StatxFlags::MNT_ID);
        Ok((dev, if is_told { s.stx_mnt_id } else { 0 }))
    }
    #[cfg(not(target_os = "linux"))]
    Ok((dev, 0))
}

/// Whether the kernel refuses what modes and owner allow, as it does where this process has confined itself: a disk that is
/// mounted anew is out of reach then, though its numbers may be those of before.
pub fn is_shut(path: &Path) -> bool {
    use rustix::fs::Access;
    use rustix::io::Errno;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).is_err_and(|e| e == Errno::ACCESS)
        && rustix::fs::access(path, Access::READ_OK).is_ok()
}

fn file_type(mode: u32) -> FileType {
    // As wide as the system has it: 16 bits on macOS.
    match rustix::fs::FileType::from_raw_mode(mode as rustix::fs::RawMode) {
        rustix::fs::FileType::RegularFile => FileType::Regular,
        rustix::fs::FileType::Directory => FileType::Directory,
        rustix::fs::FileType::Symlink => FileType::Symlink,
        _ => FileType::Other,
    }
}

/// What is at a place. Only `ENOENT` means absent; any other error is [`Lookup::Unknown`].
pub fn lookup(place: &Place) -> Lookup {
    let stat = kept::passing(place).and_then(|dir| stat_at(dir.as_fd(), place.file_name()));
    looked_up(place, stat)
}

fn looked_up(place: &Place, stat: io::Result<Stat>) -> Lookup {
    match stat {
        Ok(s) if s.file_type == FileType::Regular => Lookup::File(s),
        Ok(s) if s.file_type == FileType::Directory => Lookup::Directory,
        Ok(s) if s.file_type == FileType::Symlink => Lookup::Symlink(s),
        Ok(_) => Lookup::Other,
        Err(e) => match e.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
            Some(rustix::io::Errno::NOENT) => Lookup::Absent,
            // A component is a symlink or not a directory.
            Some(rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR) => Lookup::Other,
            _ => Lookup::Unknown(format!("{}: {e}", place.path().display())),
        },
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests set up files")]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::Arc;

    #[test]
    fn no_symlink_is_followed_below_the_base_by_either_way_of_walking() {
        let t = tempfile::tempdir().unwrap();
        let base = t.path().canonicalize().unwrap();
        fs::create_dir_all(base.join("a/b")).unwrap();
        fs::write(base.join("a/b/f"), "x").unwrap();
        std::os::unix::fs::symlink(base.join("a/b"), base.join("link")).unwrap();
        let dir = open_dir(&base, Path::new("")).unwrap();
        for open in [open_at, walk] {
            let flags = OFlags::RDONLY;
            assert!(open(dir.as_fd(), Path::new("a/b/f"), flags).is_ok());
            for bad in ["link/f", "link", "../x", "a/../a/b/f/.."] {
                assert!(open(dir.as_fd(), Path::new(bad), flags).is_err(), "{bad}");
            }
        }
        let place = |rel: &str| Place::new(Arc::from(base.as_path()), rel.into()).unwrap();
        assert!(matches!(lookup(&place("a/b/f")), Lookup::File(_)));
        assert_eq!(lookup(&place("a/b")), Lookup::Directory);
        assert!(matches!(lookup(&place("link")), Lookup::Symlink(_)));
        assert_eq!(lookup(&place("link/f")), Lookup::Other);
        assert_eq!(lookup(&place("a/none/f")), Lookup::Absent);
    }
}
