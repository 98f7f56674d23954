//! Moving within a file system; the way across devices starts here too.

use rustix::io::Errno;
use tidy_core::facts::Identity;
use tidy_core::operation::Operation;
use tidy_core::plan::Place;

use super::across::{self, Transfer};
use super::check;
use super::crash::crash_point;
use super::entry::{Dir, Entry};
use super::error::ActError;
use super::rename::{self, Refusal};
use super::{Checkpoint, Performed, Unsynced};

/// The fields that every step on a file has.
pub(super) struct FileStep<'a> {
    pub(super) src: &'a Place,
    pub(super) dst: &'a Place,
    pub(super) expect: Identity,
}

impl<'a> FileStep<'a> {
    pub(super) fn of(op: &'a Operation) -> Result<Self, ActError> {
        let step = &op.step;
        Ok(Self {
            src: step.src.as_ref().ok_or(ActError::Malformed("source"))?,
            dst: step.dst.as_ref().ok_or(ActError::Malformed("destination"))?,
            expect: step.expect.ok_or(ActError::Malformed("identity of its source"))?,
        })
    }
}

/// Both ends, open.
pub(super) struct Ends {
    pub(super) from: Dir,
    pub(super) to: Dir,
}

/// Opens both ends and checks all that the step demands of the source.
pub(super) fn ready(
    op: &Operation,
    step: &FileStep<'_>,
    unsynced: &mut Unsynced,
) -> Result<Ends, ActError> {
    let from = unsynced.source(step.src)?;
    let source = from.at(step.src.file_name());
    let stat = check::source(source, step.expect)?;
    let to = unsynced.destination(step.dst)?;
    if let Some(main) = &op.step.follows {
        check::followed(main)?;
    }
    if let Some(twin) = &op.step.twin {
        check::twin(source, step.expect, twin)?;
    }
    // A rename takes nothing from a writer, so what a person asks to have back comes back at once.
    if !op.step.undo {
        check::nobody_writes_to(source, &stat)?;
    }
    Ok(Ends { from, to })
}

/// Moves or copies between the two ends, which go into `unsynced` whatever comes of
/// it: an attempt that was taken back must be as durable as one that went through.
pub(super) fn between(
    op: &Operation,
    step: &FileStep<'_>,
    ends: Ends,
    unsynced: &mut Unsynced,
    log: &mut dyn Checkpoint,
) -> Result<Performed, ActError> {
    let from = ends.from.at(step.src.file_name());
    let to = ends.to.at(step.dst.file_name());
    let keep = op.step.kind.keeps_source();
    let way = unsynced.way_to(&ends.to, step.dst)?;
    let expect = step.expect;
    let transfer = |way| Transfer { op, from, to, expect, way };
    let result = if keep {
        across::transfer(&transfer(None), log)
    } else {
        match rename_checked(op, step.expect, from, to) {
            Err(Refusal::OtherDevice) => unsynced
                .whole_way_to(&ends.to, step.dst)
                .and_then(|way| across::transfer(&transfer(Some(way)), log)),
            Err(e) => Err(e.into_error(from, to)),
            Ok(()) => Ok(Performed { landed: Some(step.expect), digest: op.step.digest }),
        }
    };
    unsynced.add_way(way);
    unsynced.add(ends.from);
    unsynced.add(ends.to);
    result
}

/// Renames, and makes sure that it was the right file; another one is put back.
fn rename_checked(
    op: &Operation,
    expect: Identity,
    from: Entry<'_>,
    to: Entry<'_>,
) -> Result<(), Refusal> {
    crash_point("move.before-rename");
    match rename::rename_new(from, to, op.id) {
        Ok(()) => {}
        Err(Refusal::Taken) if rename::is_other_spelling(from, to).map_err(Refusal::Act)? => {
            rename::respell(from, to, op.id)?;
        }
        Err(Refusal::Errno(e)) => explain(e, expect, from, to)?,
        Err(e) => return Err(e),
    }
    crash_point("move.renamed");
    let e = match to.stat() {
        Ok(Some(landed)) if landed.id == expect => return Ok(()),
        // It was renamed, and somebody has taken it further in the same moment.
        Ok(None) => {
            let e = ActError::io("find the moved file", to.path())(Errno::NOENT);
            return Err(Refusal::Act(e.unsettled()));
        }
        Ok(Some(_)) => ActError::SourceChanged { path: from.path() },
        Err(e) => e,
    };
    crash_point("move.before-put-back");
    let e = match (rename::rename_new(to, from, op.id), e) {
        (Ok(()), e) => e,
        (Err(_), ActError::SourceChanged { path }) => ActError::Displaced { path, at: to.path() },
        (Err(_), e) => e.unsettled(),
    };
    crash_point("move.put-back");
    Err(Refusal::Act(e))
}

/// What an error of `rename` means. `Ok` when it had happened all the same: a network file system
/// may lose the answer to a call that went through.
fn explain(e: Errno, expect: Identity, from: Entry<'_>, to: Entry<'_>) -> Result<(), Refusal> {
    let (Ok(source), Ok(there)) = (from.stat(), to.stat()) else {
        return Err(Refusal::Act(ActError::io("rename", from.path())(e).unsettled()));
    };
    match (source, there) {
        (None, Some(s)) if s.id == expect => Ok(()),
        (None, _) => Err(Refusal::Act(ActError::SourceGone { path: from.path() })),
        // The source stands, so it is the destination's directory that was removed.
        (Some(_), None) if e == Errno::NOENT => {
            Err(Refusal::Act(ActError::ParentMissing { dir: to.dir.path().to_owned() }))
        }
        _ => Err(Refusal::Errno(e)),
    }
}
