//! Opening a file to look into it, and knowing which files must not be.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;
use tidy_core::facts::{FileType, Identity};
use tidy_core::plan::Place;

use crate::beneath::{self, Looker};

/// Why a file could not be opened to be read.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// It is not the file that was seen before: edited, replaced or renamed. Look again.
    #[error("the file has changed since it was seen")]
    Changed,
    /// A directory, symlink, FIFO, socket or device.
    #[error("not a regular file")]
    NotRegular,
    /// Its content is not on this machine; reading it would download it.
    #[error("the content is in the cloud and is not read")]
    Placeholder,
    #[error("cannot open it: {0}")]
    Io(#[from] io::Error),
}

/// Opens the file at `place` for reading, if it is still the one that `expect` names.
///
/// No symlink is followed, a FIFO does not block, and the access time stays where we may keep it
/// (`O_NOATIME` is for owners only, open(2)).
pub fn open(place: &Place, expect: Identity) -> Result<File, InspectError> {
    let (dir, name) = beneath::open_parent(place)?;
    open_in(dir.as_fd(), name, expect)
}

/// The same for one of many places in a row.
pub fn open_next(looker: &Looker, place: &Place, expect: Identity) -> Result<File, InspectError> {
    open_in(looker.parent_of(place)?.as_fd(), place.file_name(), expect)
}

fn open_in(dir: BorrowedFd<'_>, name: &OsStr, expect: Identity) -> Result<File, InspectError> {
    let open = |flags| beneath::open_at(dir, Path::new(name), flags);
    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    // What it is, before it is opened: opening a device can do things.
    let before = beneath::stat_at(dir, name)?;
    if before.file_type != FileType::Regular {
        return Err(InspectError::NotRegular);
    }
    if before.id != expect {
        return Err(InspectError::Changed);
    }
    #[cfg(target_os = "linux")]
    let opened = open(flags | OFlags::NOATIME).or_else(|e| match e.raw_os_error() {
        Some(code) if code == Errno::PERM.raw_os_error() => open(flags),
        _ => Err(e),
    });
    #[cfg(not(target_os = "linux"))]
    let opened = open(flags);
    let fd = match opened {
        Err(e) if e.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
            return Err(InspectError::NotRegular);
        }
        opened => opened?,
    };
    let stat = beneath::stat_fd(fd.as_fd())?;
    if stat.file_type != FileType::Regular {
        return Err(InspectError::NotRegular);
    }
    if stat.id != expect {
        return Err(InspectError::Changed);
    }
    if is_placeholder(fd.as_fd(), name, stat.id.size) {
        return Err(InspectError::Placeholder);
    }
    Ok(File::from(fd))
}

/// Endings of the one-byte files that stand for content on a server: `virtual files` of the desktop
/// clients of Nextcloud, ownCloud, OpenCloud and kDrive (`APPLICATION_VIRTUALFILE_SUFFIX` of each).
const STAND_INS: &[&[u8]] = &[b".nextcloud", b".owncloud", b".opencloud", b".kdrive"];

/// Attributes of such files where the client keeps the names as they are (its `xattrwrapper`).
#[cfg(target_os = "linux")]
const HYDRATED_BY: &[&str] = &["user.nextcloud.hydrate_exec", "user.openvfs.hydrate_exec"];

/// Whether a file stands for content that lies elsewhere:
/// - `.name.icloud` (iCloud before macOS 14),
/// - a file of one byte whose name ends in a sync client's own ending, or that has its attribute,
/// - one that macOS marks as having no data here (iCloud, Dropbox, Google Drive, OneDrive and all
///   others that are File Providers),
/// - a size without blocks on a FUSE or network file system. A sparse file on a local disk is none.
pub fn is_placeholder(fd: std::os::fd::BorrowedFd<'_>, name: &OsStr, size: u64) -> bool {
    let name = name.as_bytes();
    if name.starts_with(b".") && name.ends_with(b".icloud") {
        return true;
    }
    if size <= 1 && (STAND_INS.iter().any(|e| name.ends_with(e)) || is_hydrated_on_demand(fd)) {
        return true;
    }
    let Ok(stat) = rustix::fs::fstat(fd) else { return false };
    is_dataless(&stat) || (size > 0 && stat.st_blocks == 0 && is_remote(fd))
}

#[cfg(target_os = "linux")]
fn is_hydrated_on_demand(fd: std::os::fd::BorrowedFd<'_>) -> bool {
    HYDRATED_BY.iter().any(|name| rustix::fs::fgetxattr(fd, *name, &mut [0u8; 0][..]).is_ok())
}

#[cfg(not(target_os = "linux"))]
fn is_hydrated_on_demand(_: std::os::fd::BorrowedFd<'_>) -> bool {
    false
}

/// `SF_DATALESS` (sys/stat.h): reading would fetch the content.
#[cfg(target_os = "macos")]
fn is_dataless(stat: &rustix::fs::Stat) -> bool {
    const SF_DATALESS: u32 = 0x4000_0000;
    stat.st_flags & SF_DATALESS != 0
}

#[cfg(not(target_os = "macos"))]
fn is_dataless(_: &rustix::fs::Stat) -> bool {
    false
}

/// File systems whose files can be elsewhere, by `statfs(2)` magic.
#[cfg(target_os = "linux")]
fn is_remote(fd: std::os::fd::BorrowedFd<'_>) -> bool {
    const FUSE: u64 = 0x6573_5546;
    const NFS: u64 = 0x6969;
    const CIFS: u64 = 0xff53_4d42;
    const SMB2: u64 = 0xfe53_4d42;
    const V9FS: u64 = 0x0102_1997;
    // The field's width and sign differ between architectures; the magics are 32 bits.
    let magic = rustix::fs::fstatfs(fd).map(|s| s.f_type as u64 & 0xffff_ffff);
    magic.is_ok_and(|m| [FUSE, NFS, CIFS, SMB2, V9FS].contains(&m))
}

/// `st_blocks` of 0 with a size is a dataless file on APFS, whatever the mount.
#[cfg(not(target_os = "linux"))]
fn is_remote(_: std::os::fd::BorrowedFd<'_>) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::Arc;

    struct Tree(tempfile::TempDir);

    impl Tree {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn place(&self, rel: &str) -> Place {
            let base = self.0.path().canonicalize().unwrap();
            Place::new(Arc::from(base.as_path()), rel.into()).unwrap()
        }

        fn id(&self, rel: &str) -> Identity {
            let place = self.place(rel);
            let (dir, name) = beneath::open_parent(&place).unwrap();
            beneath::stat_at(dir.as_fd(), name).unwrap().id
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test makes its own files")]
    fn only_the_very_file_is_opened() {
        let t = Tree::new();
        let path = t.0.path().join("a");
        fs::write(&path, "one").unwrap();
        let id = t.id("a");
        assert!(open(&t.place("a"), id).is_ok());
        fs::write(&path, "longer").unwrap();
        assert!(matches!(open(&t.place("a"), id), Err(InspectError::Changed)));
        fs::write(t.0.path().join(".a.icloud"), "x").unwrap();
        let cloud = t.id(".a.icloud");
        assert!(matches!(open(&t.place(".a.icloud"), cloud), Err(InspectError::Placeholder)));
        assert!(matches!(open(&t.place("none"), id), Err(InspectError::Io(_))));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test makes its own files")]
    fn what_is_no_regular_file_is_not_opened() {
        let t = Tree::new();
        fs::write(t.0.path().join("a"), "x").unwrap();
        fs::create_dir(t.0.path().join("dir")).unwrap();
        std::os::unix::fs::symlink("a", t.0.path().join("link")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            t.0.path().join("fifo"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        for name in ["dir", "link", "fifo"] {
            let opened = open(&t.place(name), t.id(name));
            assert!(matches!(opened, Err(InspectError::NotRegular)), "{name}: {opened:?}");
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test makes its own files")]
    fn virtual_files_of_sync_clients_are_not_opened() {
        let t = Tree::new();
        let is_placeholder = |name: &str| {
            let opened = open(&t.place(name), t.id(name));
            matches!(opened, Err(InspectError::Placeholder))
        };
        for (name, content, expected) in [
            ("a.jpg.nextcloud", " ", true),
            ("a.jpg.owncloud", " ", true),
            ("about.nextcloud", "a text of its own", false),
            ("b.txt", " ", false),
        ] {
            fs::write(t.0.path().join(name), content).unwrap();
            assert_eq!(is_placeholder(name), expected, "{name}");
        }
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{XattrFlags, setxattr};
            let path = t.0.path().join("b.txt");
            if setxattr(&path, HYDRATED_BY[0], b"nextcloud", XattrFlags::empty()).is_ok() {
                assert!(is_placeholder("b.txt"));
            }
        }
    }

    #[test]
    fn a_sparse_file_on_a_local_disk_is_no_placeholder() {
        let t = Tree::new();
        let file = File::create(t.0.path().join("sparse")).unwrap();
        file.set_len(1 << 20).unwrap();
        assert!(open(&t.place("sparse"), t.id("sparse")).is_ok());
    }
}
