//! `info/NAME.trashinfo`: where a trashed file came from, and when.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use tidy_core::operation::Operation;
use tidy_core::plan::Place;

use super::super::check::read_full;
use super::super::crash::crash_point;
use super::super::entry::{Dir, Entry, sync_fd};
use super::super::error::ActError;
use super::super::moving::FileStep;
use super::Unsynced;

const SUFFIX: &str = ".trashinfo";

/// More than any path can take: `PATH_MAX` bytes, three characters each when escaped.
const MAX_LENGTH: usize = 3 * 4096 + 256;

/// The information file of one trashed file.
pub(in super::super) struct Info {
    dir: Dir,
    name: OsString,
}

impl Info {
    /// Writes it; it is on the disk when this returns, and nothing was replaced.
    pub(super) fn write(
        op: &Operation,
        step: &FileStep<'_>,
        unsynced: &mut Unsynced,
    ) -> Result<Self, ActError> {
        let place = place(step.dst)?;
        let dir = Dir::of_destination(&place)?;
        let info = Self { dir, name: place.file_name().to_owned() };
        crash_point("trash.before-info");
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let mode = Mode::RUSR | Mode::WUSR;
        let path = info.entry().path();
        let fd = match rustix::fs::openat(&info.dir, &*info.name, flags | OFlags::CLOEXEC, mode) {
            Ok(fd) => fd,
            Err(Errno::EXIST) => return Err(ActError::DestinationTaken { path }),
            Err(e) => return Err(ActError::io("create", path)(e)),
        };
        crash_point("trash.info-created");
        let text = text(op, step);
        let written =
            write_all(&fd, text.as_bytes()).map_err(ActError::io("write", &path)).and_then(|()| {
                sync_fd(fd.as_fd()).map_err(|e| ActError::Sync { path, source: e.into() })
            });
        // A directory of its own, because the other one goes with what is returned.
        let synced = written.and_then(|()| Dir::of_destination(&place));
        crash_point("trash.info-written");
        match synced {
            Ok(dir) => unsynced.add(dir),
            // Whatever is in it, it is ours and about nothing.
            Err(e) if info.entry().unlink().is_ok() => return Err(e),
            Err(e) => return Err(e.unsettled()),
        }
        Ok(info)
    }

    /// The information file of a file in the trash, if there is one.
    pub(super) fn find(in_trash: &Place) -> Result<Option<Self>, ActError> {
        let place = place(in_trash)?;
        let Some(dir) = Dir::find(&place)? else { return Ok(None) };
        let info = Self { dir, name: place.file_name().to_owned() };
        Ok(info.entry().stat()?.is_some().then_some(info))
    }

    /// Whether this operation wrote it, completely or in part.
    pub(super) fn is_about(&self, op: &Operation, step: &FileStep<'_>) -> Result<bool, ActError> {
        let fd = self.entry().open()?;
        let mut bytes = vec![0; MAX_LENGTH];
        let n = read_full(fd.as_fd(), &mut bytes, 0)
            .map_err(ActError::io("read", self.entry().path()))?;
        let text = text(op, step);
        // The date may come out otherwise now, in another time zone.
        let head = text.rfind("DeletionDate=").unwrap_or(text.len());
        Ok(text.as_bytes().starts_with(&bytes[..n])
            || bytes[..n].starts_with(&text.as_bytes()[..head]))
    }

    pub(super) fn remove(self, unsynced: &mut Unsynced) -> Result<(), ActError> {
        crash_point("trash.before-info-removal");
        self.entry().unlink()?;
        crash_point("trash.info-removed");
        unsynced.add(self.dir);
        Ok(())
    }

    fn entry(&self) -> Entry<'_> {
        self.dir.at(&self.name)
    }
}

/// The place of the information about a file in the trash.
fn place(in_trash: &Place) -> Result<Place, ActError> {
    let mut name = in_trash.file_name().to_owned();
    name.push(SUFFIX);
    Place::new(in_trash.base().clone(), Path::new("info").join(name))
        .ok_or(ActError::Malformed("name in the trash"))
}

/// "Path" is relative to the top directory for a trash there, and absolute for the home trash;
/// "DeletionDate" is local time.
fn text(op: &Operation, step: &FileStep<'_>) -> String {
    let path = step.src.path();
    let relative = top_of(step.dst.base()).and_then(|top| path.strip_prefix(top).ok());
    let date = op.time.timestamp().to_zoned(jiff::tz::TimeZone::system());
    format!(
        "[Trash Info]\nPath={}\nDeletionDate={}\n",
        escaped(relative.unwrap_or(&path)),
        date.strftime("%Y-%m-%dT%H:%M:%S"),
    )
}

/// The top directory that a trash directory stands in (`$top/.Trash-$uid`, `$top/.Trash/$uid`);
/// `None` for a home trash.
fn top_of(trash: &Path) -> Option<&Path> {
    let name = trash.file_name()?.as_bytes();
    let above = trash.parent()?;
    let is_number = |b: &[u8]| !b.is_empty() && b.iter().all(u8::is_ascii_digit);
    if name.strip_prefix(b".Trash-").is_some_and(is_number) {
        Some(above)
    } else if is_number(name) && above.file_name()? == ".Trash" {
        above.parent()
    } else {
        None
    }
}

/// Escaped "as in URLs", RFC 2396 section 2: all but unreserved characters and the slash.
fn escaped(path: &Path) -> String {
    let mut out = String::with_capacity(path.as_os_str().len());
    for &b in path.as_os_str().as_bytes() {
        if b.is_ascii_alphanumeric() || b"-_.!~*'()/".contains(&b) {
            out.push(char::from(b));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{b:02X}");
        }
    }
    out
}

fn write_all(fd: &OwnedFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::retry_on_intr(|| rustix::io::write(fd, bytes))? {
            0 => return Err(Errno::IO),
            n => bytes = &bytes[n..],
        }
    }
    Ok(())
}
