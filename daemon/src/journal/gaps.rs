//! Up to which operation the log has gaps: records that are missing or cannot be read.
//!
//! A file that we took away from a path, and that is there again, was brought back by somebody. Where a
//! gap may have held the rollback, it counts as put back by us: what a person asked for is not undone.
//! What began after the gap has its whole past on record, so the number of the first such operation is
//! all there is to know. It is kept in a file of its own, since a start reads only the end of the log.

#![expect(clippy::disallowed_methods, reason = "a file of the journal's own")]

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use tidy_core::operation::OpId;

use super::past::Put;
use super::{Journal, JournalError, disk, segment};

/// The first operation after the newest gap; 0 when there is none.
#[derive(Debug, Default)]
pub(super) struct Gaps(AtomicU64);

impl Gaps {
    /// What earlier starts have found; `next` is the next number to be given out.
    pub(super) fn load(dir: &Path, next: OpId) -> Self {
        let below = match fs::read_to_string(path(dir)) {
            Ok(text) => text.trim().parse().unwrap_or(next.0),
            Err(e) if e.kind() == io::ErrorKind::NotFound => 0,
            // Rather a file too many is left where it is.
            Err(_) => next.0,
        };
        Self(AtomicU64::new(below))
    }

    /// Whether something that came after this operation may be missing.
    pub(super) fn come_after(&self, op: OpId) -> bool {
        op.0 < self.0.load(Ordering::Relaxed)
    }

    /// Who has put a file back that this operation had taken away.
    pub(super) fn who_put_back(&self, op: OpId) -> Put {
        if self.come_after(op) { Put::Back } else { Put::ByHand }
    }

    /// Before `next` something is missing.
    pub(super) fn note(&self, dir: &Path, next: OpId) {
        if self.0.fetch_max(next.0, Ordering::Relaxed) < next.0
            && let Err(error) = store(dir, next)
        {
            // It is known until the next start, as far as the damage is not met again then.
            tracing::warn!(%error, "where the journal has gaps could not be written down");
        }
    }
}

impl Journal {
    /// Something of these segments is missing or unreadable.
    pub(super) fn note_gaps(
        &self,
        segments: impl IntoIterator<Item = u64>,
    ) -> Result<(), JournalError> {
        for number in segments {
            let after = segment::next_op_after(&self.0.dir, number)?;
            self.0.gaps.note(&self.0.dir, after.unwrap_or_else(|| self.next_number()));
        }
        Ok(())
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join("gaps")
}

fn store(dir: &Path, next: OpId) -> io::Result<()> {
    let (path, new) = (path(dir), dir.join("gaps.new"));
    let mut file = File::create(&new)?;
    writeln!(file, "{next}")?;
    file.sync_all()?;
    fs::rename(&new, &path)?;
    disk::sync_dir(dir)
}
