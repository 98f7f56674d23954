//! One file under comparison, and the readings that may be taken of it.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;

use tidy_core::duplicates::Copy;
use tidy_core::facts::{Digest, FileType, Identity};
use tidy_core::plan::Place;

use super::ahead::Wait;
use super::hash::{self, Head};
use super::{Candidate, DedupeError, Known, NewFile};
use crate::beneath::{self, Looker};
use crate::inspect::{self, InspectError};
use crate::reading::{self, Purpose};

/// Where a member comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The batch, at this place in it.
    New(usize),
    Known,
}

/// How files are opened: new ones in the directories of those before, known ones as the batch says.
pub(super) struct Files<'k> {
    pub(super) known: &'k dyn Known,
    pub(super) looker: Looker,
}

/// A file under comparison.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) origin: Origin,
    pub(super) path: PathBuf,
    place: Option<Place>,
    pub(super) id: Identity,
    /// Known for new files, and for known ones once they have been opened and found unchanged.
    dev: Option<u64>,
    pub(super) head: Option<Head>,
    pub(super) digest: Option<Digest>,
    settled_in: bool,
    /// Why it is out of consideration.
    pub(super) failed: Option<Arc<str>>,
}

impl Member {
    pub(super) fn new(index: usize, file: &NewFile) -> Self {
        Self {
            origin: Origin::New(index),
            path: file.place.path(),
            place: Some(file.place.clone()),
            id: file.stat.id,
            dev: Some(file.stat.dev),
            head: file.head,
            digest: file.digest,
            settled_in: false,
            failed: None,
        }
    }

    pub(super) fn known(candidate: Candidate) -> Self {
        Self {
            origin: Origin::Known,
            path: candidate.path,
            place: None,
            id: candidate.id,
            dev: None,
            head: candidate.head,
            digest: candidate.digest,
            settled_in: candidate.settled_in,
            failed: None,
        }
    }

    /// Device and inode, once known.
    pub(super) fn inode(&self) -> Option<(u64, u64)> {
        self.dev.map(|dev| (dev, self.id.ino))
    }

    /// What another name of the same inode learns from this one's reading.
    pub(super) fn clone_for(&self, other: &Self) -> Self {
        Self { head: self.head, digest: self.digest, failed: self.failed.clone(), ..other.clone() }
    }

    pub(super) fn copy(&self) -> Copy {
        Copy { path: self.path.clone(), mtime: self.id.mtime, settled_in: self.settled_in }
    }

    pub(super) fn needs_head(&self) -> bool {
        self.head.is_none()
    }

    /// A known file is believed only after it was seen to be there, unchanged.
    pub(super) fn needs_check(&self) -> bool {
        self.dev.is_none()
    }

    pub(super) fn needs_digest(&self) -> bool {
        self.digest.is_none()
    }

    pub(super) fn read_head(&mut self, files: &Files<'_>) -> Result<(), DedupeError> {
        let file = self.open(files)?;
        let looked = hash::first_look(&file, self.id.size, &mut Vec::new(), Wait::Yes)?;
        let (head, digest) = looked.ok_or(DedupeError::Changed)?;
        self.unchanged(&file)?;
        self.head = Some(head);
        self.digest = self.digest.or(digest);
        Ok(())
    }

    pub(super) fn check(&mut self, files: &Files<'_>) -> Result<(), DedupeError> {
        self.open(files).map(drop)
    }

    pub(super) fn read_digest(&mut self, files: &Files<'_>) -> Result<(), DedupeError> {
        let file = self.open(files)?;
        let _reading = reading::begin(&self.path, self.id.size, Purpose::Hash);
        let digest = hash::digest(&file, self.id.size)?;
        self.unchanged(&file)?;
        self.digest = Some(digest);
        Ok(())
    }

    fn open(&mut self, files: &Files<'_>) -> Result<File, DedupeError> {
        let Some(place) = &self.place else {
            let file = files.known.open(&self.path, self.id)?;
            self.dev = Some(self.unchanged(&file)?);
            return Ok(file);
        };
        inspect::open_next(&files.looker, place, self.id).map_err(|e| match e {
            InspectError::Changed => DedupeError::Changed,
            InspectError::Io(e) => DedupeError::Io(e),
            e => DedupeError::Io(std::io::Error::other(e)),
        })
    }

    /// Its device, if the open file is still the one that was seen.
    fn unchanged(&self, file: &File) -> Result<u64, DedupeError> {
        let stat = beneath::stat_fd(file.as_fd())?;
        let same = stat.id == self.id && stat.file_type == FileType::Regular;
        if same { Ok(stat.dev) } else { Err(DedupeError::Changed) }
    }
}
