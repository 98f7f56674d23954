//! Giving a file another name, or taking its name away, without ever harming another file.

use std::ffi::OsStr;

use rustix::fs::{AtFlags, RenameFlags};
use rustix::io::Errno;
use tidy_core::facts::{FileType, Stat};
use tidy_core::operation::OpId;

use super::crash::crash_point;
use super::entry::{Entry, gone_name};
use super::error::{ActError, is_not_supported};

/// Why a rename did not happen.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The new name is taken.
    Taken,
    /// The two names are on different file systems (or on two mounts of one).
    OtherDevice,
    /// The file system can neither rename without replacing nor link.
    Unsupported,
    Errno(Errno),
    /// Taking the old name away, after a link, failed.
    Act(ActError),
}

impl Refusal {
    pub(super) fn into_error(self, from: Entry<'_>, to: Entry<'_>) -> ActError {
        match self {
            Self::Taken => ActError::DestinationTaken { path: to.path() },
            Self::Unsupported => {
                let dir = to.dir.path().to_owned();
                if is_for_unix_only(to.name) {
                    // Such a name is refused with the error number of a call that is missing.
                    return ActError::NameRefused { dir, name: to.name.to_owned() };
                }
                ActError::NoSafeRename { path: dir }
            }
            Self::OtherDevice => ActError::io("rename", from.path())(Errno::XDEV),
            Self::Errno(e) => ActError::io("rename", from.path())(e),
            Self::Act(e) => e,
        }
    }
}

/// Renames in one step; whatever has the new name stays.
///
/// `renameat2(RENAME_NOREPLACE)`, on macOS `renameatx_np(RENAME_EXCL)`; where the file system has no
/// such thing (NFS, FUSE), a link is made and the old name taken away.
pub(super) fn rename_new(from: Entry<'_>, to: Entry<'_>, op: OpId) -> Result<(), Refusal> {
    match no_replace(from, to) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => Err(Refusal::Taken),
        Err(Errno::XDEV) => Err(Refusal::OtherDevice),
        Err(e) if is_unsupported(e) => link_new(from, to, op),
        Err(e) => Err(Refusal::Errno(e)),
    }
}

/// `EINVAL` is what most file systems answer to a flag they do not know.
pub(super) fn is_unsupported(e: Errno) -> bool {
    e == Errno::INVAL || is_not_supported(e)
}

/// Whether FAT, exFAT and NTFS do not take the name ("Naming Files, Paths, and Namespaces", Microsoft).
fn is_for_unix_only(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    let refused = |b: &u8| *b < b' ' || b"\\:*?\"<>|".contains(b);
    name.iter().any(refused) || name.ends_with(b".") || name.ends_with(b" ")
}

pub(super) fn no_replace(from: Entry<'_>, to: Entry<'_>) -> Result<(), Errno> {
    #[cfg(test)]
    super::testing::refuse_rename(from, to)?;
    rustix::fs::renameat_with(from.dir, from.name, to.dir, to.name, RenameFlags::NOREPLACE)
}

fn link_new(from: Entry<'_>, to: Entry<'_>, op: OpId) -> Result<(), Refusal> {
    crash_point("rename.before-link");
    #[cfg(test)]
    super::testing::refuse_link().map_err(|_| Refusal::Unsupported)?;
    match rustix::fs::linkat(from.dir, from.name, to.dir, to.name, AtFlags::empty()) {
        Ok(()) => {}
        Err(Errno::EXIST) => return Err(Refusal::Taken),
        Err(Errno::XDEV) => return Err(Refusal::OtherDevice),
        // EPERM: "the file system does not support the creation of hard links" (link(2)).
        Err(Errno::PERM | Errno::MLINK) => return Err(Refusal::Unsupported),
        Err(e) if is_unsupported(e) => return Err(Refusal::Unsupported),
        Err(e) => return Err(Refusal::Errno(e)),
    }
    crash_point("rename.linked");
    let linked = to.stat().and_then(|s| s.ok_or_else(|| ActError::SourceGone { path: to.path() }));
    let linked = linked.map_err(|e| Refusal::Act(e.unsettled()))?;
    let ino = linked.id.ino;
    // The old name may have been given to another file since: only the one just linked loses it, and
    // nothing else does.
    let removed = match linked.file_type {
        FileType::Regular => remove_name(from, op, |s| s.id.ino == ino),
        _ => Err(ActError::NotRegular { path: from.path() }),
    };
    let Err(e) = removed else { return Ok(()) };
    // While the old name stands, the new one is only a second name for the same file.
    let stands = from.stat().is_ok_and(|s| s.is_some_and(|s| s.id.ino == ino));
    let taken_back = stands && to.unlink().is_ok();
    Err(Refusal::Act(if taken_back { e } else { e.unsettled() }))
}

/// What [`remove_name`] did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Removed {
    Yes,
    /// The name stands for another file by now, or for none: left as it is.
    NotOurs,
}

/// Takes a file's name away, for good if it was its only one.
///
/// Between a look and an `unlink` another file may get the name. So it is renamed to a name nobody
/// else uses, looked at there, and only then unlinked; another file is put back.
pub(super) fn remove_name(
    entry: Entry<'_>,
    op: OpId,
    is_ours: impl Fn(&Stat) -> bool,
) -> Result<Removed, ActError> {
    remove_any(entry, op, |s| s.file_type == FileType::Regular && is_ours(s))
}

/// The same for anything that has a name, a symbolic link included.
pub(super) fn remove_any(
    entry: Entry<'_>,
    op: OpId,
    is_ours: impl Fn(&Stat) -> bool,
) -> Result<Removed, ActError> {
    let name = gone_name(op);
    let gone = entry.sibling(&name);
    crash_point("aside.before-rename");
    match to_private_name(entry, gone) {
        Ok(()) => {}
        Err(Errno::NOENT) => return Ok(Removed::NotOurs),
        Err(e) => return Err(ActError::io("set aside", entry.path())(e)),
    }
    crash_point("aside.renamed");
    let ours = gone.stat().map(|s| s.as_ref().is_some_and(is_ours));
    let removed = match ours {
        Ok(true) => gone.unlink().map(|()| Removed::Yes),
        Ok(false) => Ok(Removed::NotOurs),
        Err(e) => Err(e),
    };
    match removed {
        Ok(Removed::Yes) => crash_point("aside.unlinked"),
        _ => put_back(gone, entry)?,
    }
    removed
}

/// Gives a file that was set aside its name back, unless the name is taken.
pub(super) fn put_back(gone: Entry<'_>, entry: Entry<'_>) -> Result<(), ActError> {
    crash_point("aside.before-put-back");
    let displaced = || ActError::Displaced { path: entry.path(), at: gone.path() };
    match no_replace(gone, entry) {
        Ok(()) => {}
        Err(e) if is_unsupported(e) => {
            rustix::fs::linkat(gone.dir, gone.name, entry.dir, entry.name, AtFlags::empty())
                .map_err(|_| displaced())?;
            gone.unlink().map_err(ActError::unsettled)?;
        }
        Err(_) => return Err(displaced()),
    }
    crash_point("aside.put-back");
    Ok(())
}

/// Renames to a name that only this operation uses. Where the file system cannot rename without
/// replacing, a look before has to do: nobody else makes such names.
fn to_private_name(from: Entry<'_>, private: Entry<'_>) -> Result<(), Errno> {
    match no_replace(from, private) {
        Err(e) if is_unsupported(e) => match private.stat() {
            Ok(None) => rustix::fs::renameat(from.dir, from.name, private.dir, private.name),
            Ok(Some(_)) => Err(Errno::EXIST),
            Err(_) => Err(Errno::IO),
        },
        other => other,
    }
}

/// Whether `to` is only another spelling of `from` (`photo.JPG`, `photo.jpg`) on a file system that
/// takes them for the same entry.
pub(super) fn is_other_spelling(from: Entry<'_>, to: Entry<'_>) -> Result<bool, ActError> {
    if from.name == to.name || !same_directory(from, to)? {
        return Ok(false);
    }
    let (Some(a), Some(b)) = (from.stat()?, to.stat()?) else { return Ok(false) };
    // Two hard links are two entries, and both are listed.
    Ok(a.id.ino == b.id.ino && a.dev == b.dev && !from.dir.lists(to.name)?)
}

pub(super) fn same_directory(a: Entry<'_>, b: Entry<'_>) -> Result<bool, ActError> {
    Ok(a.dir.key()? == b.dir.key()?)
}

/// A case-only rename: two hops, because the new name "exists".
pub(super) fn respell(from: Entry<'_>, to: Entry<'_>, op: OpId) -> Result<(), Refusal> {
    let name = gone_name(op);
    let hop = from.sibling(OsStr::new(&name));
    to_private_name(from, hop).map_err(Refusal::Errno)?;
    crash_point("rename.case-aside");
    match no_replace(hop, to) {
        Ok(()) => Ok(()),
        Err(e) => {
            put_back(hop, from).map_err(Refusal::Act)?;
            Err(if e == Errno::EXIST { Refusal::Taken } else { Refusal::Errno(e) })
        }
    }
}
