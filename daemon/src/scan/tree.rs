//! A whole directory for settling: what was changed last in it, and who writes there.

use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;

use rustix::fs::OFlags;
use tidy_core::facts::{FileType, Stat};
use tidy_core::plan::Place;
use tidy_core::settle::Writers;

use super::probe::under_lease;
use crate::beneath;

/// Names in one tree that are looked at. What has more is not moved as one: nobody could tell in
/// reasonable time whether it is at rest.
const MAX_NAMES: usize = 300_000;

/// The directory's own stat with the latest change time of all that is in it. Somebody writes as soon as
/// one file is open for writing; nothing is read, no symlink is followed, no other file system entered.
pub(super) fn look(place: &Place, own: Stat) -> io::Result<(Stat, Writers)> {
    let mut stat = own;
    let mut writers = Writers::Nobody;
    let mut names = 0;
    let mut pending = vec![PathBuf::from(place.rel())];
    while let Some(rel) = pending.pop() {
        let dir = beneath::open_dir(place.base(), &rel)?;
        for name in super::names_of(place.base(), &rel)? {
            names += 1;
            if names > MAX_NAMES {
                return Err(io::Error::other("there is too much in it"));
            }
            let found = match beneath::stat_at(dir.as_fd(), &name) {
                Ok(found) => found,
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => return Err(e),
            };
            stat.ctime = stat.ctime.max(found.ctime);
            match found.file_type {
                FileType::Directory if found.dev == own.dev => pending.push(rel.join(&name)),
                FileType::Regular => {
                    let flags =
                        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY;
                    // One that cannot be opened is somebody else's: what is known of it is its time.
                    if let Ok(file) = beneath::open_at(dir.as_fd(), name.as_ref(), flags) {
                        match under_lease(file.as_fd())?.1 {
                            Writers::Someone => return Ok((stat, Writers::Someone)),
                            Writers::Unknowable => writers = Writers::Unknowable,
                            Writers::Nobody => {}
                        }
                    }
                }
                _ => {}
            }
        }
    }
    Ok((stat, writers))
}
