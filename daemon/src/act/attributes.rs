//! Everything about a file that is not its content: extended attributes (ACLs among them), owner,
//! mode and times.

use std::ffi::CString;
use std::os::fd::BorrowedFd;

use rustix::fs::{Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use super::entry::Entry;
use super::error::{ActError, is_not_supported};

/// The longest value copied. Linux allows 64 KiB (`XATTR_SIZE_MAX`); resource forks of macOS can be
/// larger. A file with a longer one is not moved rather than moved without it.
const MAX_VALUE: usize = 16 << 20;

/// Carries everything over that the destination can hold.
///
/// # Errors
/// What cannot be read, and user attributes and ACLs that do not fit on a file system that has
/// them. A file system without them, or one without owners, is no error: noted in the log.
pub(super) fn copy(
    from: BorrowedFd<'_>,
    from_entry: Entry<'_>,
    to: BorrowedFd<'_>,
    to_entry: Entry<'_>,
) -> Result<(), ActError> {
    let stat = rustix::fs::fstat(from).map_err(ActError::io("look at", from_entry.path()))?;
    let same_owner = owner(&stat, to);
    // After the owner: changing it clears set-id bits and capabilities. Before mode and times:
    // writing an ACL changes the mode.
    extended(from, from_entry, to, to_entry)?;
    let mut mode = Mode::from_raw_mode(stat.st_mode);
    if !same_owner {
        // They would give its new owner's rights away.
        mode.remove(Mode::SUID | Mode::SGID);
    }
    carried("mode", to_entry, rustix::fs::fchmod(to, mode))?;
    let times = Timestamps {
        last_access: Timespec { tv_sec: stat.st_atime as _, tv_nsec: stat.st_atime_nsec as _ },
        last_modification: Timespec {
            tv_sec: stat.st_mtime as _,
            tv_nsec: stat.st_mtime_nsec as _,
        },
    };
    carried("times", to_entry, rustix::fs::futimens(to, &times))
}

/// A file system that has no such thing (vfat answers `EPERM` to modes it cannot keep) is no error;
/// anything else is, before the copy gets its name: the file stays where it is.
fn carried(what: &'static str, to: Entry<'_>, result: Result<(), Errno>) -> Result<(), ActError> {
    match result {
        Ok(()) => Ok(()),
        Err(e) if is_not_supported(e) || e == Errno::PERM => {
            note(what, to, e);
            Ok(())
        }
        Err(e) => Err(ActError::io("set mode and times of", to.path())(e)),
    }
}

/// Whether user and group are those of the source.
fn owner(stat: &rustix::fs::Stat, to: BorrowedFd<'_>) -> bool {
    if rustix::fs::fstat(to).is_ok_and(|t| (t.st_uid, t.st_gid) == (stat.st_uid, stat.st_gid)) {
        return true;
    }
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    if rustix::fs::fchown(to, Some(uid), Some(gid)).is_ok() {
        return true;
    }
    // Only root may give files away; one's own groups may be set.
    let _ = rustix::fs::fchown(to, None, Some(gid));
    false
}

fn extended(
    from: BorrowedFd<'_>,
    from_entry: Entry<'_>,
    to: BorrowedFd<'_>,
    to_entry: Entry<'_>,
) -> Result<(), ActError> {
    for name in names(from).map_err(ActError::io("list the attributes of", from_entry.path()))? {
        let value = match value(from, &name) {
            Ok(value) => value,
            // Removed since it was listed, or not for us to see.
            Err(Errno::NODATA) => continue,
            Err(_) if is_system(&name) => continue,
            Err(e) => return Err(ActError::io("read an attribute of", from_entry.path())(e)),
        };
        match rustix::fs::fsetxattr(to, &*name, &value, XattrFlags::empty()) {
            Ok(()) => {}
            Err(e) if is_not_supported(e) => note("attribute", to_entry, e),
            Err(e) if is_system(&name) => note("system attribute", to_entry, e),
            Err(e) => return Err(ActError::io("write an attribute of", to_entry.path())(e)),
        }
    }
    Ok(())
}

/// Labels and capabilities, which belong to the system and not to the user.
fn is_system(name: &CString) -> bool {
    [&b"security."[..], b"trusted."].iter().any(|p| name.as_bytes().starts_with(p))
}

fn names(fd: BorrowedFd<'_>) -> Result<Vec<CString>, Errno> {
    let list =
        match grown(|| rustix::fs::flistxattr_query(fd), |buf| rustix::fs::flistxattr(fd, buf)) {
            Err(e) if is_not_supported(e) => return Ok(Vec::new()),
            other => other?,
        };
    let names = list.split(|b| *b == 0).filter(|n| !n.is_empty());
    // Split at NUL, so there is none inside.
    Ok(names.filter_map(|n| CString::new(n).ok()).collect())
}

fn value(fd: BorrowedFd<'_>, name: &CString) -> Result<Vec<u8>, Errno> {
    grown(
        || rustix::fs::fgetxattr_query(fd, &**name),
        |buf| rustix::fs::fgetxattr(fd, &**name, buf),
    )
}

/// Asks for the size, then for the value; again if it grew in between.
fn grown(
    size: impl Fn() -> Result<usize, Errno>,
    read: impl Fn(&mut [u8]) -> Result<usize, Errno>,
) -> Result<Vec<u8>, Errno> {
    for _ in 0..8 {
        let n = size()?;
        if n > MAX_VALUE {
            return Err(Errno::TOOBIG);
        }
        let mut buffer = vec![0; n];
        match read(&mut buffer) {
            Ok(n) => {
                buffer.truncate(n);
                return Ok(buffer);
            }
            Err(Errno::RANGE) => {}
            Err(e) => return Err(e),
        }
    }
    Err(Errno::AGAIN)
}

fn note(what: &'static str, entry: Entry<'_>, e: Errno) {
    tracing::debug!(what, path = %entry.path().display(), error = %e, "not carried over");
}
