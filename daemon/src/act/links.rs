//! Hard and symbolic links: made beside what is there, and taken away only while their content
//! stands elsewhere.

use std::path::Path;

use rustix::fs::AtFlags;
use rustix::io::Errno;
use tidy_core::facts::{FileType, Stat};
use tidy_core::operation::Operation;
use tidy_core::plan::{Place, Twin};

use super::crash::crash_point;
use super::entry::{Dir, Entry, gone_name};
use super::error::{ActError, is_not_supported};
use super::moving::{self, FileStep};
use super::rename::{self, Removed};
use super::{Performed, Recovered, Unsynced, check};
use crate::beneath;

/// Gives the file another name.
pub(super) fn make_hard(op: &Operation, unsynced: &mut Unsynced) -> Result<Performed, ActError> {
    let step = FileStep::of(op)?;
    let ends = moving::ready(op, &step, unsynced)?;
    let from = ends.from.at(step.src.file_name());
    let to = ends.to.at(step.dst.file_name());
    let way = unsynced.way_to(&ends.to, step.dst)?;
    crash_point("link.before-hard");
    rustix::fs::linkat(from.dir, from.name, to.dir, to.name, AtFlags::empty())
        .map_err(|e| refused(e, "hard links", from, to))?;
    crash_point("link.made");
    let result = match to.stat() {
        Ok(Some(s)) if s.id == step.expect => Ok(Performed { landed: Some(s.id), digest: None }),
        // Another file had the name in that moment; it keeps its first name.
        Ok(Some(s)) => rename::remove_name(to, op.id, |t| t.id.ino == s.id.ino && t.nlink > 1)
            .map_err(ActError::unsettled)
            .and(Err(ActError::SourceChanged { path: from.path() })),
        Ok(None) => Err(ActError::io("find the link", to.path())(Errno::NOENT).unsettled()),
        Err(e) => Err(e.unsettled()),
    };
    unsynced.add_way(way);
    unsynced.add(ends.from);
    unsynced.add(ends.to);
    result
}

/// Makes a link that names the file.
pub(super) fn make_symbolic(
    op: &Operation,
    unsynced: &mut Unsynced,
) -> Result<Performed, ActError> {
    let step = FileStep::of(op)?;
    let ends = moving::ready(op, &step, unsynced)?;
    let from = ends.from.at(step.src.file_name());
    let to = ends.to.at(step.dst.file_name());
    let target = step.src.path();
    let way = unsynced.way_to(&ends.to, step.dst)?;
    crash_point("link.before-symbolic");
    rustix::fs::symlinkat(&target, to.dir, to.name)
        .map_err(|e| refused(e, "symbolic links", from, to))?;
    crash_point("link.made");
    let result = made(to, &target).map_err(ActError::unsettled);
    unsynced.add_way(way);
    unsynced.add(ends.to);
    result
}

/// The link that has just been made.
fn made(to: Entry<'_>, target: &Path) -> Result<Performed, ActError> {
    match to.stat()? {
        Some(s) if points_to(to, &s, target)? => Ok(Performed { landed: Some(s.id), digest: None }),
        // Somebody was fast to change what has the name; recovery leaves it alone.
        _ => Err(ActError::CopyChanged { path: to.path() }),
    }
}

/// Takes away a name that a link made.
pub(super) fn remove(op: &Operation, unsynced: &mut Unsynced) -> Result<Performed, ActError> {
    let unlink = Unlink::of(op)?;
    let dir = Dir::of_source(unlink.link)?;
    let entry = dir.at(unlink.link.file_name());
    let there = entry.stat()?.ok_or_else(|| ActError::SourceGone { path: entry.path() })?;
    if there.id != unlink.step_expect {
        return Err(ActError::SourceChanged { path: entry.path() });
    }
    if !unlink.is_spare(entry, &there)? {
        return Err(ActError::TwinChanged { twin: unlink.twin.path.clone() });
    }
    let is_ours = |s: &Stat| s.id == there.id && (s.file_type == FileType::Symlink || s.nlink > 1);
    let removed = rename::remove_any(entry, op.id, is_ours);
    let path = entry.path();
    unsynced.add(dir);
    match removed.map_err(ActError::unsettled)? {
        Removed::Yes => Ok(Performed { landed: None, digest: None }),
        Removed::NotOurs => Err(ActError::SourceChanged { path }),
    }
}

/// What a crash left of making a link.
pub(super) fn recover_made(
    op: &Operation,
    hard: bool,
    unsynced: &mut Unsynced,
) -> Result<Recovered, ActError> {
    let step = FileStep::of(op)?;
    let Some(dir) = Dir::find(step.dst)? else { return Ok(not_happened()) };
    let to = dir.at(step.dst.file_name());
    return_aside(op, to)?;
    let end = match to.stat()? {
        None => not_happened(),
        Some(s) => {
            let ours = if hard {
                s.file_type == FileType::Regular && s.id.same_object(&step.expect)
            } else {
                points_to(to, &s, &step.src.path())?
            };
            if ours {
                Recovered::Done(Performed { landed: Some(s.id), digest: None })
            } else {
                Recovered::Aborted("the destination is something else".into())
            }
        }
    };
    let way = unsynced.way_to(&dir, step.dst)?;
    unsynced.add_way(way);
    unsynced.add(dir);
    Ok(end)
}

/// What a crash left of taking a link away.
pub(super) fn recover_removed(
    op: &Operation,
    unsynced: &mut Unsynced,
) -> Result<Recovered, ActError> {
    let unlink = Unlink::of(op)?;
    let done = Recovered::Done(Performed { landed: None, digest: None });
    let Some(dir) = Dir::find(unlink.link)? else { return Ok(done) };
    let entry = dir.at(unlink.link.file_name());
    return_aside(op, entry)?;
    let end = match entry.stat()? {
        Some(s) if s.id.same_object(&unlink.step_expect) => not_happened(),
        // Whatever has the name now, the link does not.
        _ => done,
    };
    unsynced.add(dir);
    Ok(end)
}

/// A link that was set aside goes; anything else that was gets its name back.
fn return_aside(op: &Operation, entry: Entry<'_>) -> Result<(), ActError> {
    let name = gone_name(op.id);
    let gone = entry.sibling(&name);
    match gone.stat()? {
        Some(s) if s.file_type == FileType::Symlink || s.nlink > 1 => gone.unlink(),
        Some(_) if entry.stat()?.is_none() => rename::put_back(gone, entry),
        _ => Ok(()),
    }
}

fn not_happened() -> Recovered {
    Recovered::Aborted("it had not happened".into())
}

/// The fields of a step that takes a link away.
struct Unlink<'a> {
    link: &'a Place,
    step_expect: tidy_core::facts::Identity,
    twin: &'a Twin,
}

impl<'a> Unlink<'a> {
    fn of(op: &'a Operation) -> Result<Self, ActError> {
        let step = &op.step;
        Ok(Self {
            link: step.src.as_ref().ok_or(ActError::Malformed("source"))?,
            step_expect: step.expect.ok_or(ActError::Malformed("identity of its source"))?,
            twin: step.twin.as_ref().ok_or(ActError::Malformed("file that stays"))?,
        })
    }

    /// Whether nothing is lost with it: it points to the twin, or the twin is the same file under
    /// another name.
    fn is_spare(&self, entry: Entry<'_>, there: &Stat) -> Result<bool, ActError> {
        if there.file_type == FileType::Symlink {
            return points_to(entry, there, &self.twin.path);
        }
        let (Some(parent), Some(name)) = (self.twin.path.parent(), self.twin.path.file_name())
        else {
            return Ok(false);
        };
        let Ok(fd) = beneath::open_dir(parent, Path::new("")) else { return Ok(false) };
        let dir = Dir::new(fd, parent.to_owned());
        check::is_second_name(entry, there, dir.at(name))
    }
}

fn points_to(link: Entry<'_>, stat: &Stat, target: &Path) -> Result<bool, ActError> {
    if stat.file_type != FileType::Symlink {
        return Ok(false);
    }
    let found = rustix::fs::readlinkat(link.dir, link.name, Vec::new())
        .map_err(ActError::io("read the link", link.path()))?;
    Ok(found.as_bytes() == target.as_os_str().as_encoded_bytes())
}

fn refused(e: Errno, what: &'static str, from: Entry<'_>, to: Entry<'_>) -> ActError {
    let lacks = |why| ActError::NoSuchLink { what, path: to.dir.path().to_owned(), why };
    match e {
        Errno::EXIST => ActError::DestinationTaken { path: to.path() },
        Errno::XDEV => lacks("the file is on another file system"),
        Errno::MLINK => lacks("the file has as many names as it can have"),
        // EPERM: "the file system does not support the creation of hard links" (link(2)).
        Errno::PERM => lacks("the file system has none, or the file may not be linked"),
        e if is_not_supported(e) => lacks("the file system has none"),
        e => ActError::io("link", from.path())(e),
    }
}
