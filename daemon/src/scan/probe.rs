//! One look at one file for settling: what it is now, and who writes to it.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::OFlags;
use tidy_core::facts::{FileType, Stat};
use tidy_core::plan::Place;
use tidy_core::settle::{Probe, Writers};

use super::{is_no_directory, lease::Lease};
use crate::beneath::{self, Looker};

/// Opens the file, takes and releases a read lease, and stats it under the lease (6 µs). Nothing is read,
/// so its atime stays; what is not a regular file is not opened. Of a directory all that is in it is looked at.
///
/// Call [`ignore_sigio`](super::ignore_sigio) once before.
pub fn probe(place: &Place) -> Probe {
    seen(beneath::open_parent(place).and_then(|(dir, _)| look(dir.as_fd(), place)))
}

/// Probes many places in a row.
#[derive(Debug, Default)]
pub struct Prober(Looker);

impl Prober {
    /// As [`probe`].
    pub fn probe(&self, place: &Place) -> Probe {
        seen(self.0.parent_of(place).and_then(|dir| look(dir.as_fd(), place)))
    }
}

/// Whether anybody has a regular file open for writing, by its name in an open directory. `stat` is what it was a moment
/// ago; nothing else of it is looked at.
pub fn is_written(dir: BorrowedFd<'_>, name: &OsStr, stat: &Stat) -> bool {
    if stat.file_type != FileType::Regular {
        return false;
    }
    let file = beneath::open_at(dir, name.as_ref(), LOOKING);
    file.is_ok_and(|file| matches!(Lease::take(&file), Err(Writers::Someone)))
}

/// Not through a symlink, nor waiting for anybody at a FIFO.
const LOOKING: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOFOLLOW).union(OFlags::NOCTTY);

fn seen(look: io::Result<(Stat, Writers)>) -> Probe {
    match look {
        Ok((stat, writers)) => Probe::Seen(stat, writers),
        // Also when a directory on the way has become something else.
        Err(e) if is_no_directory(&e) => Probe::Gone,
        Err(_) => Probe::Failed,
    }
}

fn look(dir: BorrowedFd<'_>, place: &Place) -> io::Result<(Stat, Writers)> {
    let stat = beneath::stat_at(dir, place.file_name())?;
    match stat.file_type {
        FileType::Directory => super::tree::look(place, stat),
        _ => writers(dir, place.file_name(), stat),
    }
}

fn writers(dir: BorrowedFd<'_>, name: &OsStr, stat: Stat) -> io::Result<(Stat, Writers)> {
    if stat.file_type != FileType::Regular {
        return Ok((stat, Writers::Unknowable));
    }
    match beneath::open_at(dir, name.as_ref(), LOOKING) {
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
