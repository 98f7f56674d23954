//! A whole directory from one place to another: one rename, within one file system, or nothing.

use rustix::io::Errno;
use tidy_core::facts::{FileType, Identity, Stat};
use tidy_core::operation::Operation;

use super::crash::crash_point;
use super::entry::{Dir, Entry};
use super::error::ActError;
use super::moving::FileStep;
use super::{Performed, Recovered, Unsynced, check, rename};

/// Moves the directory. While anybody has a file in it open for writing it stays, unless it is put back.
pub(super) fn relocate(op: &Operation, unsynced: &mut Unsynced) -> Result<Performed, ActError> {
    let step = FileStep::of(op)?;
    let from_dir = Dir::of_source(step.src)?;
    let from = from_dir.at(step.src.file_name());
    match directory(from)? {
        None => return Err(ActError::SourceGone { path: from.path() }),
        Some(s) if s.id != step.expect => {
            return Err(ActError::SourceChanged { path: from.path() });
        }
        Some(_) => {}
    }
    let to_dir = Dir::of_destination(step.dst)?;
    let to = to_dir.at(step.dst.file_name());
    if !op.step.undo {
        check::nobody_writes(step.src)?;
    }
    crash_point("unit.before-rename");
    let renamed = rename::no_replace(from, to).map_err(|e| refused(e, from, to));
    crash_point("unit.renamed");
    let result = renamed.and_then(|()| landed(step.expect, from, to));
    unsynced.add(from_dir);
    unsynced.add(to_dir);
    result
}

/// Makes sure that it was the right one; another is put back.
fn landed(expect: Identity, from: Entry<'_>, to: Entry<'_>) -> Result<Performed, ActError> {
    let there = directory(to).map_err(ActError::unsettled)?;
    if let Some(stat) = there.filter(|s| s.id.same_object(&expect)) {
        return Ok(Performed { landed: Some(stat.id), digest: None });
    }
    let changed = ActError::SourceChanged { path: from.path() };
    Err(match rename::no_replace(to, from) {
        Ok(()) => changed,
        Err(_) => changed.unsettled(),
    })
}

/// What a crash left: it is at one end or at the other.
pub(super) fn recover(op: &Operation, unsynced: &mut Unsynced) -> Result<Recovered, ActError> {
    let step = FileStep::of(op)?;
    let (from, to) = (Dir::find(step.src)?, Dir::find(step.dst)?);
    let at = |dir: &Option<Dir>, name| match dir {
        Some(dir) => directory(dir.at(name)),
        None => Ok(None),
    };
    let ours = |s: &Stat| s.id.same_object(&step.expect);
    let source = at(&from, step.src.file_name())?.filter(ours);
    let there = at(&to, step.dst.file_name())?.filter(ours);
    let found = match (source, there) {
        (Some(_), _) => Recovered::Aborted("it had not happened".into()),
        (None, Some(s)) => Recovered::Done(Performed { landed: Some(s.id), digest: None }),
        (None, None) => Recovered::Lost("the folder is at neither end; nothing was touched".into()),
    };
    [from, to].into_iter().flatten().for_each(|dir| unsynced.add(dir));
    Ok(found)
}

/// The directory of that name; anything else is an error.
fn directory(entry: Entry<'_>) -> Result<Option<Stat>, ActError> {
    match entry.stat()? {
        Some(s) if s.file_type != FileType::Directory => {
            Err(ActError::NotADirectory { path: entry.path() })
        }
        found => Ok(found),
    }
}

fn refused(e: Errno, from: Entry<'_>, to: Entry<'_>) -> ActError {
    match e {
        Errno::EXIST | Errno::NOTEMPTY => ActError::DestinationTaken { path: to.path() },
        Errno::XDEV => ActError::FolderAcross { path: from.path(), dir: to.dir.path().to_owned() },
        // A directory cannot be linked, so there is no other way.
        e if rename::is_unsupported(e) => ActError::NoSafeRename { path: to.dir.path().to_owned() },
        e => ActError::io("rename", from.path())(e),
    }
}
