//! One look at one file for settling: what it is now, and who writes to it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::OFlags;
use tidy_core::facts::{FileType, Stat};
use tidy_core::plan::Place;
use tidy_core::settle::{Probe, Writers};

use super::{is_no_directory, lease::Lease};
use crate::beneath;

/// Opens the file, takes and releases a read lease, and stats it under the lease (6 µs). Nothing is read,
/// so its atime stays; what is not a regular file is not opened.
///
/// Call [`ignore_sigio`](super::ignore_sigio) once before.
pub fn probe(place: &Place) -> Probe {
    match look(place) {
        Ok((stat, writers)) => Probe::Seen(stat, writers),
        // Also when a directory on the way has become something else.
        Err(e) if is_no_directory(&e) => Probe::Gone,
        Err(_) => Probe::Failed,
    }
}

fn look(place: &Place) -> io::Result<(Stat, Writers)> {
    let (dir, name) = beneath::open_parent(place)?;
    let stat = beneath::stat_at(dir.as_fd(), name)?;
    if stat.file_type == FileType::Directory {
        return super::tree::look(place, stat);
    }
    if stat.file_type != FileType::Regular {
        return Ok((stat, Writers::Unknowable));
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY;
    match beneath::open_at(dir.as_fd(), name.as_ref(), flags) {
        Ok(file) => under_lease(file.as_fd()),
        // Readable by others only: it can still be moved, but not opened.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok((stat, Writers::Unknowable)),
        Err(e) => Err(e),
    }
}

pub(super) fn under_lease(file: BorrowedFd<'_>) -> io::Result<(Stat, Writers)> {
    let lease = Lease::take(&file);
    // Under the lease, so that nothing can be written between the two answers.
    let stat = beneath::stat_fd(file)?;
    let writers = lease.as_ref().map_or_else(|w| *w, |_| Writers::Nobody);
    Ok((stat, writers))
}
