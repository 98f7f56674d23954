//! Everything about a file that is not its content: extended attributes (ACLs among them), owner,
//! mode and times.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString, OsStr};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use tidy_core::name;

use super::entry::Entry;
use super::error::{ActError, is_not_supported};

/// The longest value copied. Linux allows 64 KiB (`XATTR_SIZE_MAX`); resource forks of macOS can be
/// larger. A file with a longer one is not moved rather than moved without it.
const MAX_VALUE: usize = 16 << 20;

/// An access control list, as Linux hands it out (`acl(5)`, `xattr(7)`).
const ACL: &CStr = c"system.posix_acl_access";

/// Carries everything over that the destination can hold, and takes away what the new file inherited from its directory.
/// What cannot be kept (owner, group, lists and attributes on a file system without them) never gives anybody more rights
/// than before, and is told in one line of the log.
///
/// # Errors
/// What cannot be read, and user attributes and ACLs that do not fit on a file system that has them.
pub(super) fn copy(
    from: BorrowedFd<'_>,
    from_entry: Entry<'_>,
    to: BorrowedFd<'_>,
    to_entry: Entry<'_>,
) -> Result<(), ActError> {
    let stat = rustix::fs::fstat(from).map_err(ActError::io("look at", from_entry.path()))?;
    let mut lost = Lost::default();
    owner(&stat, to, &mut lost);
    // After the owner: changing it clears set-id bits and capabilities. Before mode and times:
    // writing an ACL changes the mode.
    disinherit(to, to_entry)?;
    extended(from, from_entry, to, to_entry, &mut lost)?;
    let mode = lost.restrict(Mode::from_raw_mode(stat.st_mode));
    carried("mode", to_entry, rustix::fs::fchmod(to, mode), &mut lost)?;
    let times = Timestamps {
        last_access: Timespec { tv_sec: stat.st_atime as _, tv_nsec: stat.st_atime_nsec as _ },
        last_modification: Timespec {
            tv_sec: stat.st_mtime as _,
            tv_nsec: stat.st_mtime_nsec as _,
        },
    };
    carried("times", to_entry, rustix::fs::futimens(to, &times), &mut lost)?;
    lost.tell(from_entry);
    Ok(())
}

/// What a copy cannot have.
#[derive(Default)]
struct Lost(BTreeSet<&'static str>);

impl Lost {
    fn has(&self, what: &str) -> bool {
        self.0.contains(what)
    }

    /// The mode, without what it would give to others than before.
    fn restrict(&self, mut mode: Mode) -> Mode {
        if self.has("owner") || self.has("group") {
            mode.remove(Mode::SUID | Mode::SGID);
        }
        // With a list, the bits of the group are what the list gives at most; without it, and for another group, they
        // would let people in. So the group gets what everybody has.
        if self.has("group") || self.has("access control list") {
            let others = mode.as_raw_mode() & Mode::RWXO.as_raw_mode();
            mode.remove(Mode::RWXG);
            mode.insert(Mode::from_raw_mode(others << 3));
        }
        mode
    }

    fn tell(&self, from: Entry<'_>) {
        if !self.0.is_empty() {
            let lost: Vec<_> = self.0.iter().copied().collect();
            let path = name::shown(from.path().as_os_str());
            tracing::info!(path, "its copy cannot have its {}", lost.join(", "));
        }
    }
}

/// A file system that has no such thing (vfat answers `EPERM` to modes it cannot keep) is no error;
/// anything else is, before the copy gets its name: the file stays where it is.
fn carried(
    what: &'static str,
    to: Entry<'_>,
    result: Result<(), Errno>,
    lost: &mut Lost,
) -> Result<(), ActError> {
    match result {
        Ok(()) => Ok(()),
        Err(e) if is_not_supported(e) || e == Errno::PERM => {
            lost.0.insert(what);
            Ok(())
        }
        Err(e) => Err(ActError::io("set mode and times of", to.path())(e)),
    }
}

/// Gives the copy the user and group of the source.
fn owner(stat: &rustix::fs::Stat, to: BorrowedFd<'_>, lost: &mut Lost) {
    if rustix::fs::fstat(to).is_ok_and(|t| (t.st_uid, t.st_gid) == (stat.st_uid, stat.st_gid)) {
        return;
    }
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    if rustix::fs::fchown(to, Some(uid), Some(gid)).is_ok() {
        return;
    }
    // Only root may give files away; one's own groups may be set.
    let _ = rustix::fs::fchown(to, None, Some(gid));
    let now = rustix::fs::fstat(to);
    if now.as_ref().map_or(true, |now| now.st_uid != stat.st_uid) {
        lost.0.insert("owner");
    }
    if now.map_or(true, |now| now.st_gid != stat.st_gid) {
        lost.0.insert("group");
    }
}

/// A new file has the list that its directory hands down to new files; a file that is moved has not.
#[cfg(target_os = "linux")]
fn disinherit(to: BorrowedFd<'_>, to_entry: Entry<'_>) -> Result<(), ActError> {
    match rustix::fs::fremovexattr(to, ACL) {
        Ok(()) | Err(Errno::NODATA) => Ok(()),
        Err(e) if is_not_supported(e) => Ok(()),
        Err(e) => Err(ActError::io("take away what was inherited by", to_entry.path())(e)),
    }
}

#[cfg(not(target_os = "linux"))]
fn disinherit(_: BorrowedFd<'_>, _: Entry<'_>) -> Result<(), ActError> {
    Ok(())
}

fn extended(
    from: BorrowedFd<'_>,
    from_entry: Entry<'_>,
    to: BorrowedFd<'_>,
    to_entry: Entry<'_>,
    lost: &mut Lost,
) -> Result<(), ActError> {
    for attribute in
        names(from).map_err(ActError::io("list the attributes of", from_entry.path()))?
    {
        let value = match value(from, &attribute) {
            Ok(value) => value,
            // Removed since it was listed, or not for us to see.
            Err(Errno::NODATA) => continue,
            Err(_) if is_system(&attribute) => continue,
            Err(e) => return Err(ActError::io("read an attribute of", from_entry.path())(e)),
        };
        match rustix::fs::fsetxattr(to, &*attribute, &value, XattrFlags::empty()) {
            Ok(()) => {}
            Err(_) if is_system(&attribute) => drop(lost.0.insert("labels of the system")),
            Err(e) if is_not_supported(e) && *attribute == *ACL => {
                lost.0.insert("access control list");
            }
            Err(e) if is_not_supported(e) => drop(lost.0.insert("extended attributes")),
            Err(Errno::NOSPC | Errno::DQUOT | Errno::TOOBIG | Errno::RANGE) => {
                return Err(ActError::AttributeTooLarge {
                    path: from_entry.path(),
                    attribute: name::shown(OsStr::from_bytes(attribute.as_bytes())),
                    dir: to_entry.dir.path().to_owned(),
                });
            }
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

/// The value of an attribute; `None`: there is none of that name.
pub(super) fn value_if_any(fd: BorrowedFd<'_>, name: &str) -> Result<Option<Vec<u8>>, Errno> {
    #[cfg(target_os = "linux")]
    const NONE: Errno = Errno::NODATA;
    #[cfg(not(target_os = "linux"))]
    const NONE: Errno = Errno::NOATTR;
    let Ok(name) = CString::new(name) else { return Ok(None) };
    match value(fd, &name) {
        Ok(value) => Ok(Some(value)),
        Err(NONE) => Ok(None),
        Err(e) => Err(e),
    }
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
