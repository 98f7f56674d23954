//! Undoing what links made, and making it again.
//!
//! A link that goes takes nothing along: a hard link is removed only while the file's other name
//! stands, and a symbolic link only if it is the very one that was made.

use super::{FoundFile, History, Undone, instead};
use crate::facts::Identity;
use crate::operation::Operation;
use crate::plan::{Because, Lookup, Place, Planner, StepKind, Twin};

/// Plans that a hard link goes, if the file keeps its first name; `None` when it does not, and the link is
/// all there is of it. Where that cannot be told the link stays.
pub(super) fn remove_name(
    src: &Place,
    found: &FoundFile,
    planner: &mut Planner<'_>,
    because: &Because,
) -> Option<Undone> {
    let stays = match planner.lookup(src) {
        Lookup::File(stays) => stays,
        Lookup::Unknown(why) => return Some(Undone::Error(why)),
        _ => return None,
    };
    if stays.id != found.stat.id || stays.dev != found.stat.dev || found.at == *src {
        return None;
    }
    let twin = Twin { path: src.path(), id: stays.id };
    planner.unlink(&found.at, &found.stat, twin, because);
    Some(Undone::Restored)
}

/// Plans that a symbolic link goes.
pub(super) fn remove_symlink(
    src: &Place,
    dst: &Place,
    made: Identity,
    planner: &mut Planner<'_>,
    because: &Because,
) -> Undone {
    match planner.lookup(dst) {
        Lookup::Symlink(stat) if stat.id == made => {
            planner.unlink(dst, &stat, Twin { path: src.path(), id: made }, because);
            Undone::Restored
        }
        Lookup::Unknown(why) => Undone::Error(why),
        there => Undone::Missing(instead(dst, &there)),
    }
}

/// Plans a link again, after it was undone.
pub(super) fn make_again(
    undo: &Operation,
    planner: &mut Planner<'_>,
    history: &dyn History,
    because: &Because,
) -> Undone {
    let made = undo.step.inverse_of.and_then(|id| history.operation(id));
    let Some((kind, src, dst)) = made
        .as_ref()
        .and_then(|op| Some((op.step.kind, op.step.src.as_ref()?, op.step.dst.as_ref()?)))
    else {
        return Undone::Error("the journal no longer has the operation that made the link".into());
    };
    let stat = match planner.lookup(src) {
        Lookup::File(stat) => stat,
        Lookup::Unknown(why) => return Undone::Error(why),
        there => return Undone::Missing(instead(src, &there)),
    };
    // A symbolic link points to a name, whatever has it; a hard link is a name of one file.
    let expected = made.as_ref().and_then(|op| op.step.expect);
    if kind == StepKind::HardLink && !expected.is_some_and(|id| stat.id.same_object(&id)) {
        return Undone::Missing(instead(src, &Lookup::File(stat)));
    }
    if let Err((_, detail)) = planner.make_parents(dst, because) {
        return Undone::Error(detail.unwrap_or_default());
    }
    let free = match planner.free_name(dst) {
        Ok(free) => free,
        Err((_, detail)) => return Undone::Occupied(detail.unwrap_or_default()),
    };
    planner.push(kind, src, &free, &stat, None, None, because);
    if free == *dst { Undone::Restored } else { Undone::RestoredAs(free.path()) }
}
