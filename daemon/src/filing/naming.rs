//! How the file system that a file goes to names things.

use std::io;
use std::path::Path;

use tidy_core::naming::Naming;
use tidy_core::plan::Place;

/// Of the nearest directory above the place that exists. Where that cannot be told, nothing is forbidden: the move then
/// fails and says so.
pub(super) fn of(place: &Place) -> Naming {
    let above = place.rel().ancestors().skip(1);
    for dir in above {
        match at(place.base(), dir) {
            Ok(naming) => return naming,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::debug!(place = %place.path().display(), %error, "its file system cannot be told");
                break;
            }
        }
    }
    Naming::default()
}

/// Magic numbers of `statfs(2)` (`linux/magic.h`, `fs/ntfs3/super.c`, `fs/smb/client/cifsfs.c`): FAT, exFAT, NTFS in its two
/// kernel drivers, and the three of SMB, behind which there may be a Windows server and mostly are Windows clients.
#[cfg(target_os = "linux")]
const LIKE_WINDOWS: &[u32] =
    &[0x4d44, 0x2011_bab0, 0x5346_544e, 0x7366_746e, 0x517b, 0xff53_4d42, 0xfe53_4d42];

#[cfg(target_os = "linux")]
fn at(base: &Path, rel: &Path) -> io::Result<Naming> {
    use std::os::fd::AsFd;

    use rustix::fs::{Mode, OFlags};

    use crate::beneath;

    /// `FUSE_SUPER_MAGIC`.
    const FUSE: u32 = 0x6573_5546;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let base = rustix::fs::open(base, flags | OFlags::NOFOLLOW, Mode::empty())?;
    let dir =
        if rel.as_os_str().is_empty() { base } else { beneath::open_at(base.as_fd(), rel, flags)? };
    let stat = rustix::fs::fstatfs(&dir)?;
    #[expect(clippy::cast_possible_truncation, reason = "magic numbers are 32 bits")]
    let magic = stat.f_type as u32;
    // A FUSE mount of a block device has that device's number: ntfs-3g and exfat-fuse.
    let fuse_disk = || rustix::fs::fstat(&dir).is_ok_and(|s| rustix::fs::major(s.st_dev) != 0);
    let windows = LIKE_WINDOWS.contains(&magic) || (magic == FUSE && fuse_disk());
    let naming = if windows { Naming::WINDOWS } else { Naming::default() };
    // Some file systems in user space do not say.
    let longest = usize::try_from(stat.f_namelen).unwrap_or(0);
    Ok(if longest == 0 { naming } else { naming.at_most(longest) })
}

/// APFS and HFS+ take what Linux file systems take; that a volume is FAT or NTFS is not told apart here.
#[cfg(not(target_os = "linux"))]
fn at(_base: &Path, _rel: &Path) -> io::Result<Naming> {
    Ok(Naming::default())
}
