//! Tags of a file: one extended attribute that is set, or removed, in one call.
//!
//! Nobody else's change is overwritten: the value must be the one that the plan was made with. Between that look and the
//! call there is a moment in which another program's change would be lost, which no system call can close; a file that had
//! no tags gets them only if it still has none.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::XattrFlags;
use rustix::io::Errno;
use tidy_core::facts::{FileType, Identity};
use tidy_core::operation::Operation;
use tidy_core::plan::{Place, Retag};
use tidy_core::tags;

use super::attributes;
use super::check;
use super::crash::crash_point;
use super::entry::{Dir, Entry};
use super::error::{ActError, is_not_supported};
use super::{Performed, Recovered, Unsynced};
use crate::beneath;

/// The fields of such a step.
struct Step<'a> {
    src: &'a Place,
    expect: Identity,
    tags: &'a Retag,
}

impl<'a> Step<'a> {
    fn of(op: &'a Operation) -> Result<Self, ActError> {
        let step = &op.step;
        Ok(Self {
            src: step.src.as_ref().ok_or(ActError::Malformed("file"))?,
            expect: step.expect.ok_or(ActError::Malformed("identity of its file"))?,
            tags: step.tags.as_ref().ok_or(ActError::Malformed("tags"))?,
        })
    }

    fn performed(&self) -> Performed {
        Performed { landed: Some(self.expect), digest: None }
    }
}

/// Changes the tags.
pub(super) fn set(op: &Operation, unsynced: &mut Unsynced) -> Result<Performed, ActError> {
    let step = Step::of(op)?;
    let dir = unsynced.source(step.src)?;
    let entry = dir.at(step.src.file_name());
    let (fd, _) = check::open_source(entry, step.expect)?;
    if !op.step.undo {
        check::nobody_writes(step.src)?;
    }
    if read(fd.as_fd(), entry)? != step.tags.before {
        return Err(ActError::TagsChanged { path: entry.path() });
    }
    crash_point("tag.before-set");
    if step.tags.before != step.tags.after {
        write(fd.as_fd(), entry, step.tags)?;
    }
    crash_point("tag.set");
    let performed = step.performed();
    unsynced.add_file(fd, entry.path());
    Ok(performed)
}

fn write(fd: BorrowedFd<'_>, entry: Entry<'_>, tags: &Retag) -> Result<(), ActError> {
    let written = match (&tags.before, &tags.after) {
        (_, None) => rustix::fs::fremovexattr(fd, tags::ATTRIBUTE),
        (None, Some(value)) => set_value(fd, value, XattrFlags::CREATE),
        (Some(_), Some(value)) => set_value(fd, value, XattrFlags::REPLACE),
    };
    // What the call says counts for less than what is there: an answer may get lost, and a file system forget.
    match read(fd, entry) {
        Ok(now) if now == tags.after => Ok(()),
        Ok(now) if now == tags.before => Err(match written {
            Err(e) => refused(e, entry),
            Ok(()) => ActError::NoTags { path: entry.path() },
        }),
        Ok(_) => Err(ActError::TagsChanged { path: entry.path() }.unsettled()),
        Err(e) => Err(e.unsettled()),
    }
}

fn set_value(fd: BorrowedFd<'_>, value: &[u8], flags: XattrFlags) -> Result<(), Errno> {
    rustix::fs::fsetxattr(fd, tags::ATTRIBUTE, value, flags)
}

fn refused(e: Errno, entry: Entry<'_>) -> ActError {
    match e {
        e if is_not_supported(e) => ActError::NoTags { path: entry.path() },
        Errno::NOSPC | Errno::DQUOT | Errno::TOOBIG | Errno::RANGE => ActError::AttributeTooLarge {
            path: entry.path(),
            attribute: tags::ATTRIBUTE.to_owned(),
            dir: entry.dir.path().to_owned(),
        },
        e => ActError::io("set the tags of", entry.path())(e),
    }
}

/// What a crash left: the tags are those of before or those of after.
pub(super) fn recover(op: &Operation, unsynced: &mut Unsynced) -> Result<Recovered, ActError> {
    let step = Step::of(op)?;
    let lost = |what: &str| Ok(Recovered::Lost(format!("{what}; nothing was touched")));
    let Some(dir) = Dir::find(step.src)? else { return lost("the file is not there any more") };
    let entry = dir.at(step.src.file_name());
    let Some((fd, id)) = open(entry, &step)? else {
        return lost("the file is not there any more");
    };
    let now = read(fd.as_fd(), entry)?;
    let end = if now == step.tags.after {
        Recovered::Done(Performed { landed: Some(id), ..step.performed() })
    } else if now == step.tags.before {
        Recovered::Aborted("it had not happened".into())
    } else {
        return lost("its tags are neither those of before nor those that were to be set");
    };
    unsynced.add_file(fd, entry.path());
    Ok(end)
}

/// The file of the operation, perhaps edited since.
fn open(entry: Entry<'_>, step: &Step<'_>) -> Result<Option<(OwnedFd, Identity)>, ActError> {
    let ours = |id: &Identity| id.same_object(&step.expect);
    match entry.stat()? {
        Some(s) if s.file_type == FileType::Regular && ours(&s.id) => {}
        _ => return Ok(None),
    }
    let fd = match entry.open() {
        Err(ActError::SourceGone { .. }) => return Ok(None),
        opened => opened?,
    };
    let stat = beneath::stat_fd(fd.as_fd()).map_err(ActError::io("look at", entry.path()))?;
    Ok(ours(&stat.id).then_some((fd, stat.id)))
}

fn read(fd: BorrowedFd<'_>, entry: Entry<'_>) -> Result<Option<Vec<u8>>, ActError> {
    #[cfg(test)]
    super::testing::disk().map_err(ActError::io("read the tags of", entry.path()))?;
    match attributes::value_if_any(fd, tags::ATTRIBUTE) {
        Err(e) if is_not_supported(e) => Err(ActError::NoTags { path: entry.path() }),
        read => read.map_err(ActError::io("read the tags of", entry.path())),
    }
}

/// The value of the attribute that holds the tags of an open file.
///
/// # Errors
/// Of reading; [`io::ErrorKind::Unsupported`] where the file system has no such attributes.
pub(super) fn of(file: &File) -> io::Result<Option<Vec<u8>>> {
    attributes::value_if_any(file.as_fd(), tags::ATTRIBUTE).map_err(|e| match e {
        e if is_not_supported(e) => io::Error::new(io::ErrorKind::Unsupported, e),
        e => e.into(),
    })
}
