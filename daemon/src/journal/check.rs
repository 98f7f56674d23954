//! The index held against the log.

use std::collections::BTreeMap;
use std::path::Path;

use sled::Db;
use tidy_core::operation::{OpId, OpState, Operation};

use super::projection::Projection;
use super::record::Position;
use super::{Journal, JournalError, outside};

/// Operations named when the index says something else of them.
const NAMED: usize = 20;

/// What the index says that the log does not, or the other way round.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IndexCheck {
    /// Operations of the log.
    pub operations: u64,
    /// Operations of which the index says something else than the log, or nothing.
    pub wrong: u64,
    /// The first of them.
    pub examples: Vec<OpId>,
    /// What the next start does about it, when it is not up to the log.
    pub behind: Option<String>,
    /// A page that cannot be read.
    pub unreadable: Option<String>,
}

impl IndexCheck {
    /// Nothing is wrong with it, though it may be behind.
    pub fn is_good(&self) -> bool {
        self.wrong == 0 && self.unreadable.is_none()
    }
}

impl Journal {
    /// Holds the index against the log, all of it. May run while it is written to.
    ///
    /// # Errors
    /// [`JournalError::Io`], [`JournalError::Newer`].
    pub fn check_index(&self) -> Result<IndexCheck, JournalError> {
        self.sync()?;
        compare(&self.0.dir, &self.0.projection, &|id| self.0.live.get(id).is_some())
    }
}

/// The same for a journal that nobody has open.
///
/// # Errors
/// [`JournalError::Io`], [`JournalError::Newer`], [`JournalError::Projection`] when `db` cannot be read at all.
pub fn check_index(dir: &Path, db: &Db) -> Result<IndexCheck, JournalError> {
    let log = outside::look(dir)?;
    let projection = Projection::open(db, log.log.unwrap_or_default())?;
    let end = log.segments.last().map(|(path, bytes)| Position {
        segment: path
            .file_stem()
            .and_then(|n| n.to_str())
            .and_then(|n| n.parse().ok())
            .unwrap_or(0),
        offset: *bytes,
    });
    match projection.seen(end.unwrap_or_default()) {
        Err(why) => {
            let behind = Some(format!("{why}: the next start builds it anew"));
            Ok(IndexCheck { behind, ..IndexCheck::default() })
        }
        Ok(seen) => {
            let is_behind = Some(seen.at) < end;
            let mut check = compare(dir, &projection, &|id| {
                is_behind && projection.get(id).is_ok_and(|known| known.is_none())
            })?;
            let on = "the log went on after it: the next start goes on in it";
            check.behind = is_behind.then(|| on.to_owned());
            Ok(check)
        }
    }
}

/// `is_to_come` says whether the index need not have an operation yet.
fn compare(
    dir: &Path,
    projection: &Projection,
    is_to_come: &dyn Fn(OpId) -> bool,
) -> Result<IndexCheck, JournalError> {
    let mut check = IndexCheck::default();
    let mut suspects: BTreeMap<OpId, Operation> = BTreeMap::new();
    outside::read(dir, &mut |op| {
        check.operations += 1;
        // What became of it stood in a part that is damaged, or it has not ended: the index may know better.
        let known = op.state.is_terminal() && op.state != OpState::Unknown;
        if known && !agrees(projection, &op) && !is_to_come(op.id) {
            check.wrong += 1;
            if suspects.len() < NAMED {
                suspects.insert(op.id, op);
            }
        }
    })?;
    // The end of an operation is in the log a moment before it is in the index.
    for (id, op) in suspects {
        if is_to_come(id) || agrees(projection, &op) {
            check.wrong -= 1;
        } else {
            check.examples.push(id);
        }
    }
    if check.wrong > 0
        && let Some(first) = check.examples.first()
        && let Err(error) = projection.get(*first)
    {
        check.unreadable = Some(error.to_string());
    }
    Ok(check)
}

fn agrees(projection: &Projection, op: &Operation) -> bool {
    let Ok(Some(known)) = projection.get(op.id) else { return false };
    let what = |o: &Operation| (o.batch, o.state, o.time, o.step.kind, o.step.inverse_of);
    let where_ = |o: &Operation| (o.step.src.clone(), o.step.dst.clone());
    let undone = op.step.inverse_of.filter(|_| op.state == OpState::Done);
    what(&known) == what(op)
        && where_(&known) == where_(op)
        && undone.is_none_or(|of| projection.inverted_by(of).is_ok_and(|by| by >= Some(op.id)))
}
