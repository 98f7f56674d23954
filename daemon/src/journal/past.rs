//! What became of one file where it is: who has put it there.

use std::path::Path;

use tidy_core::facts::Identity;
use tidy_core::operation::{OpId, Operation};

use super::last_put::LastPut;
use super::query::{is_at, left_at};
use super::record::Position;
use super::replay::{self, Reader};
use super::segment;
use super::writer::lock;
use super::{Journal, JournalError};

/// Operations at one path that are looked through for the one about a file. A name that comes again and again is taken by
/// others each time.
const LOOKED_BACK: usize = 256;

/// Why a file is where it is, as far as the journal knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// A rule, or a redo.
    Filed,
    /// A rollback.
    Back,
    /// It was taken away from there, and is there again: somebody else has put it back.
    ByHand,
}

impl Put {
    /// What `op` does.
    pub fn of(op: &Operation) -> Self {
        if op.step.undo { Self::Back } else { Self::Filed }
    }
}

/// What is on record of a file where it is.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// Why this very file is there, and by which operation; for [`Put::ByHand`], the one that took it away.
    pub put: Option<(Put, OpId)>,
    /// The newest done operation one of whose ends is there, where the index can be asked.
    pub last: Option<Operation>,
}

impl Journal {
    /// What is on record of this very file at a path.
    ///
    /// A file that was taken away from there, and is there again, was put back: by hand, or where the log has gaps, by a
    /// rollback that is missing. What came to the place after it was taken away says nothing of it.
    ///
    /// # Errors
    /// As [`Self::operation`].
    pub fn past_of(&self, path: &Path, id: Identity) -> Result<Past, JournalError> {
        // First, since what ends meanwhile is on record by then. It may be on disk before it has ended.
        let puts =
            |op: &Operation| op.landed.or(op.step.expect) == Some(id) && is_at(left_at(op), path);
        if let Some(op) = self.0.live.newest_of(id.ino, puts) {
            return Ok(Past { put: Some((Put::of(&op), op.id)), last: None });
        }
        if !self.0.projection.is_sound()
            && let Some(last) = &*lock(&self.0.last_put)
        {
            return Ok(Past { put: last.of(path, id, &self.0.gaps), last: None });
        }
        let last = match self.last_touching(path) {
            // Neither the index nor the store below it can be used before the next start.
            Err(error @ (JournalError::Projection(_) | JournalError::ProjectionFull)) => {
                tracing::warn!(%error, "the log is read instead");
                let put = self.read_last_put(|last| last.of(path, id, &self.0.gaps))?;
                return Ok(Past { put, last: None });
            }
            last => last?,
        };
        let put = match &last {
            Some(op) if op.landed == Some(id) && is_at(left_at(op), path) => {
                Some((Put::of(op), op.id))
            }
            Some(_) => self.taken_away(path, id)?.map(|op| (self.0.gaps.who_put_back(op), op)),
            None => None,
        };
        Ok(Past { put, last })
    }

    /// The operation that took this very file away from there, if that was the last one about it.
    fn taken_away(&self, path: &Path, id: Identity) -> Result<Option<OpId>, JournalError> {
        let about = |op: &Operation| op.landed == Some(id) || op.step.expect == Some(id);
        let last = self.ask(|view| {
            let ids = view.at_path(path, OpId(0))?;
            let mut ops = view.done(ids.into_iter().rev()).take(LOOKED_BACK);
            ops.find(|op| op.as_ref().map_or(true, about)).transpose()
        })?;
        let took = |op: &Operation| {
            op.step.kind.relocates()
                && !op.step.undo
                && op.step.expect == Some(id)
                && is_at(op.step.src.as_ref(), path)
        };
        Ok(last.filter(took).map(|op| op.id))
    }

    /// Reads from the whole log who put what where; kept up from now on.
    fn read_last_put<T>(&self, ask: impl FnOnce(&LastPut) -> T) -> Result<T, JournalError> {
        // Held while it is read: what ends meanwhile waits, and is entered after.
        let mut last_put = lock(&self.0.last_put);
        let known = match &mut *last_put {
            Some(known) => known,
            unread => {
                self.0.writer.barrier()?;
                let mut found = LastPut::default();
                let (dir, mut reader) = (&self.0.dir, Reader::from_start());
                let numbers = segment::survey(dir)?.numbers;
                replay::read_all(dir, &numbers, Position::default(), &mut reader, &mut found)?;
                self.note_gaps(reader.damage.iter().map(|d| d.at.segment))?;
                unread.insert(found)
            }
        };
        Ok(ask(known))
    }
}
