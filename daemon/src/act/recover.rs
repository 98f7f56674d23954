//! After a crash: look at both ends and at names of ours, then finish or take back.
//!
//! Every rule starts from what the disk shows now, so a second run, or a run after a crash in the
//! first, comes to the same end. A file that cannot be recognised is not touched.

use std::os::fd::AsFd;
use std::path::Path;

use tidy_core::facts::{FileType, Identity, Stat};
use tidy_core::name;
use tidy_core::operation::{OpState, Operation};
use tidy_core::plan::StepKind;

use super::across::is_stale_part;
use super::check;
use super::contents;
use super::crash::crash_point;
use super::entry::{Dir, Entry, gone_name, part_name};
use super::error::ActError;
use super::moving::FileStep;
use super::rename::{self, Removed};
use super::{Performed, Recovered, Unsynced, hook, links, tag, trash, unit};

/// FAT keeps modification times in steps of two seconds.
const COARSEST_TIME: u64 = 2_000_000_000;

pub(super) fn recover(op: &Operation, unsynced: &mut Unsynced) -> Result<Recovered, ActError> {
    match op.step.kind {
        StepKind::MakeDir | StepKind::RemoveDir => directory(op, unsynced),
        StepKind::MoveDir => unit::recover(op, unsynced),
        StepKind::Tag => tag::recover(op, unsynced),
        StepKind::Run => Ok(hook::recover()),
        StepKind::HardLink => links::recover_made(op, true, unsynced),
        StepKind::Symlink => links::recover_made(op, false, unsynced),
        StepKind::Unlink => links::recover_removed(op, unsynced),
        StepKind::Move
        | StepKind::Copy
        | StepKind::Reflink
        | StepKind::Trash
        | StepKind::Restore => {
            let step = FileStep::of(op)?;
            let scene = Scene { op, from: Dir::find(step.src)?, to: Dir::find(step.dst)?, step };
            let found = scene.settle()?;
            scene.information(&found, unsynced)?;
            unsynced_all(scene, unsynced)?;
            Ok(found)
        }
    }
}

/// Even what is as it was may have been put back by an earlier attempt.
fn unsynced_all(scene: Scene<'_>, unsynced: &mut Unsynced) -> Result<(), ActError> {
    if let Some(to) = &scene.to {
        let way = unsynced.way_to(to, scene.step.dst)?;
        unsynced.add_way(way);
    }
    [scene.from, scene.to].into_iter().flatten().for_each(|dir| unsynced.add(dir));
    Ok(())
}

fn directory(op: &Operation, unsynced: &mut Unsynced) -> Result<Recovered, ActError> {
    let make = op.step.kind == StepKind::MakeDir;
    let place = if make { &op.step.dst } else { &op.step.src };
    let place = place.as_ref().ok_or(ActError::Malformed("directory"))?;
    let Some(dir) = Dir::find(place)? else { return Ok(directory_end(make, None)) };
    let found = directory_end(make, dir.at(place.file_name()).stat()?);
    unsynced.add(dir);
    Ok(found)
}

fn directory_end(make: bool, there: Option<Stat>) -> Recovered {
    let done = Recovered::Done(Performed { landed: None, digest: None });
    match (make, there.map(|s| s.file_type)) {
        (true, Some(FileType::Directory)) | (false, None) => done,
        (true, None) => Recovered::Aborted("the directory had not been made".into()),
        (true, Some(_)) => Recovered::Aborted("something else has the directory's name".into()),
        (false, Some(_)) => Recovered::Aborted("the directory had not been removed".into()),
    }
}

/// What is left of one operation on a file.
struct Scene<'a> {
    op: &'a Operation,
    step: FileStep<'a>,
    /// The directories of both ends; `None` when they do not exist.
    from: Option<Dir>,
    to: Option<Dir>,
}

impl Scene<'_> {
    fn settle(&self) -> Result<Recovered, ActError> {
        self.merge_links()?;
        if self.op.step.kind.keeps_source() {
            return self.settle_copy();
        }
        if let Some(end) = self.settle_gone()? {
            return Ok(end);
        }
        match (self.source()?, self.destination()?) {
            (Some(src), dst) if self.is_ours(&src) => self.source_stands(&src, dst),
            (_, Some(dst)) if self.same_device()? && self.is_ours(&dst) => Ok(self.done(&dst)),
            (_, Some(dst)) if self.is_copy_without_source(&dst)? => Ok(self.done(&dst)),
            _ => Ok(Recovered::Lost(format!(
                "neither {} nor {} is the file of this operation; nothing was touched",
                shown(&self.step.src.path()),
                shown(&self.step.dst.path()),
            ))),
        }
    }

    /// The source is where it was (perhaps edited since).
    fn source_stands(&self, src: &Stat, dst: Option<Stat>) -> Result<Recovered, ActError> {
        let Some(dst) = dst else { return self.aborted("it had not happened") };
        let (Some(from), Some(to)) = (self.from(), self.to()) else {
            return self.aborted("it had not happened");
        };
        if src.dev == dst.dev && src.id.ino == dst.id.ino {
            return self.two_names(from, to, src, &dst);
        }
        if !self.may_be_our_copy(&dst)? || !self.same_content(from, src, to, &dst)? {
            return self.aborted("the destination is another file");
        }
        // The copy was renamed, and the source had still to go: not while somebody writes to it.
        check::nobody_writes(self.step.src)?;
        Dir::sync_way_to(self.step.dst)?;
        match rename::remove_name(from, self.op.id, |s| s.id == src.id)? {
            Removed::Yes => Ok(self.done(&dst)),
            Removed::NotOurs => self.aborted("the source has changed; its copy was left"),
        }
    }

    /// Source and destination are one file: linked and not yet unlinked, or two spellings of one
    /// entry on a file system that folds case. Unlinking an only entry would lose the file.
    fn two_names(
        &self,
        from: Entry<'_>,
        to: Entry<'_>,
        src: &Stat,
        dst: &Stat,
    ) -> Result<Recovered, ActError> {
        if rename::same_directory(from, to)? {
            let listed = (from.dir.lists(from.name)?, to.dir.lists(to.name)?);
            match listed {
                (true, true) if from.name != to.name => {}
                (false, true) => return Ok(self.done(dst)),
                _ => return self.aborted("it had not happened"),
            }
        }
        if src.nlink < 2 {
            return self.aborted("both names are one entry");
        }
        match rename::remove_name(from, self.op.id, |s| s.id.ino == dst.id.ino)? {
            Removed::Yes | Removed::NotOurs => Ok(self.done(dst)),
        }
    }

    /// A file that was set aside in the source's directory: finish, or put it back.
    fn settle_gone(&self) -> Result<Option<Recovered>, ActError> {
        let Some(from) = self.from() else { return Ok(None) };
        let name = gone_name(self.op.id);
        let gone = from.sibling(&name);
        let Some(aside) = gone.stat()? else { return Ok(None) };
        if let (true, Some(to), Some(dst)) = (self.is_ours(&aside), self.to(), self.destination()?)
        {
            let linked = aside.dev == dst.dev && aside.id.ino == dst.id.ino && aside.nlink > 1;
            if linked
                || (self.may_be_our_copy(&dst)? && self.same_content(gone, &aside, to, &dst)?)
            {
                if !linked {
                    check::nobody_writes(&self.step.src.with_file_name(&name))?;
                }
                Dir::sync_way_to(self.step.dst)?;
                gone.unlink()?;
                crash_point("aside.unlinked");
                // It may have been linked back to its old name in the meantime.
                let back = self.source()?.is_some_and(|s| self.is_ours(&s));
                return Ok(if back { None } else { Some(self.done(&dst)) });
            }
        }
        self.return_from_aside(gone, from)
    }

    /// Gives a file that was set aside its name back.
    fn return_from_aside(
        &self,
        gone: Entry<'_>,
        entry: Entry<'_>,
    ) -> Result<Option<Recovered>, ActError> {
        match (gone.stat()?, entry.stat()?) {
            (Some(_), None) => rename::put_back(gone, entry)?,
            // Linked back and not yet unlinked.
            (Some(g), Some(e)) if g.dev == e.dev && g.id.ino == e.id.ino && g.nlink > 1 => {
                gone.unlink()?;
            }
            (Some(_), Some(_)) => {
                return Ok(Some(Recovered::Lost(format!(
                    "{} was set aside as {}, and another file has its name now; move it by hand",
                    shown(&entry.path()),
                    shown(&gone.path()),
                ))));
            }
            (None, _) => {}
        }
        Ok(None)
    }

    fn settle_copy(&self) -> Result<Recovered, ActError> {
        let end = self.settle_copy_of(self.destination()?)?;
        if matches!(end, Recovered::Done(_)) {
            return Ok(end);
        }
        // A source that somebody removed or replaced may live on in the temporary copy alone.
        let stands = self.source()?.is_some_and(|s| self.is_ours(&s));
        if !stands && self.part()?.is_some() {
            return Ok(Recovered::Lost(format!(
                "{} is not there any more; a copy of it, perhaps incomplete, is {} beside {}",
                shown(&self.step.src.path()),
                shown(Path::new(&part_name(self.op.id))),
                shown(&self.step.dst.path()),
            )));
        }
        match end {
            Recovered::Aborted(why) => self.aborted(&why),
            end => Ok(end),
        }
    }

    fn settle_copy_of(&self, dst: Option<Stat>) -> Result<Recovered, ActError> {
        let other = || Ok(Recovered::Aborted("the destination is another file".into()));
        let Some(dst) = dst else {
            return Ok(Recovered::Aborted("it had not happened".into()));
        };
        if !self.may_be_our_copy(&dst)? {
            return other();
        }
        if self.op.landed == Some(dst.id) {
            return Ok(self.done(&dst));
        }
        match (self.from(), self.to(), self.source()?) {
            (Some(from), Some(to), Some(src)) if self.is_ours(&src) => {
                if self.same_content(from, &src, to, &dst)? { Ok(self.done(&dst)) } else { other() }
            }
            _ if self.looks_like_copy(&dst)? => Ok(self.done(&dst)),
            _ => other(),
        }
    }

    /// Second names that a link left where a file system cannot rename without replacing, and what
    /// was set aside in the destination's directory.
    fn merge_links(&self) -> Result<(), ActError> {
        let Some(to) = self.to() else { return Ok(()) };
        let (part, gone) = (part_name(self.op.id), gone_name(self.op.id));
        let (part, gone) = (to.sibling(&part), to.sibling(&gone));
        let apart = match self.from() {
            Some(from) => !rename::same_directory(from, to)?,
            None => true,
        };
        // In the source's directory it is the source that is set aside, see `settle_gone`.
        let of_destination = apart || self.op.step.kind.keeps_source();
        if of_destination && to.stat()?.is_none() {
            self.return_from_aside(gone, to)?;
        }
        let Some(dst) = to.stat()? else { return Ok(()) };
        let second = |s: &Stat| s.dev == dst.dev && s.id.ino == dst.id.ino && s.nlink > 1;
        let our_copy = |s: &Stat| second(s) || self.op.landed == Some(s.id);
        if part.stat()?.as_ref().is_some_and(second) {
            part.unlink()?;
        }
        if of_destination && gone.stat()?.as_ref().is_some_and(our_copy) {
            gone.unlink()?;
        }
        Ok(())
    }

    /// Whether the destination can be the copy of this operation: verified, and the very file that
    /// was verified or, where that was not recorded, no longer under its temporary name.
    fn may_be_our_copy(&self, dst: &Stat) -> Result<bool, ActError> {
        if self.op.state != OpState::Verified || dst.file_type != FileType::Regular {
            return Ok(false);
        }
        match self.op.landed {
            Some(id) => Ok(id == dst.id),
            None => Ok(self.part()?.is_none()),
        }
    }

    /// Whether the destination is our copy though the source is no longer there. A new file under
    /// the source's name changes nothing about that.
    fn is_copy_without_source(&self, dst: &Stat) -> Result<bool, ActError> {
        Ok(self.may_be_our_copy(dst)? && (self.op.landed.is_some() || self.looks_like_copy(dst)?))
    }

    /// Without the source to compare with: the digest decides, or else size and time.
    fn looks_like_copy(&self, dst: &Stat) -> Result<bool, ActError> {
        let expect = self.step.expect;
        if dst.id.size != expect.size {
            return Ok(false);
        }
        match (self.op.step.digest, self.to()) {
            (Some(known), Some(to)) => {
                let fd = to.open()?;
                let found = contents::digest(fd.as_fd());
                Ok(found.map_err(ActError::io("read", to.path()))? == known)
            }
            _ => Ok(dst.id.mtime.0.abs_diff(expect.mtime.0) < COARSEST_TIME),
        }
    }

    /// Byte for byte, both still what they were when the last byte has been compared.
    fn same_content(
        &self,
        a: Entry<'_>,
        a_stat: &Stat,
        b: Entry<'_>,
        b_stat: &Stat,
    ) -> Result<bool, ActError> {
        if a_stat.id.size != b_stat.id.size {
            return Ok(false);
        }
        let (a_fd, a_before) = check::open_source(a, a_stat.id)?;
        let (b_fd, b_before) = check::open_source(b, b_stat.id)?;
        let same = check::same_bytes(a_fd.as_fd(), a, b_fd.as_fd(), b)?;
        check::unchanged(a_fd.as_fd(), a, &a_before)?;
        check::unchanged(b_fd.as_fd(), b, &b_before)?;
        Ok(same)
    }

    /// The file of the operation, perhaps edited since. Without a birth time a reused inode number
    /// cannot be told from an edit, so then nothing may have changed.
    fn is_ours(&self, s: &Stat) -> bool {
        let expect: &Identity = &self.step.expect;
        s.file_type == FileType::Regular
            && (s.id == *expect || expect.birth.is_some() && s.id.same_object(expect))
    }

    fn same_device(&self) -> Result<bool, ActError> {
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => Ok(from.key()?.0 == to.key()?.0),
            _ => Ok(true),
        }
    }

    fn from(&self) -> Option<Entry<'_>> {
        self.from.as_ref().map(|d| d.at(self.step.src.file_name()))
    }

    fn to(&self) -> Option<Entry<'_>> {
        self.to.as_ref().map(|d| d.at(self.step.dst.file_name()))
    }

    fn source(&self) -> Result<Option<Stat>, ActError> {
        self.from().map_or(Ok(None), Entry::stat)
    }

    fn destination(&self) -> Result<Option<Stat>, ActError> {
        self.to().map_or(Ok(None), Entry::stat)
    }

    fn part(&self) -> Result<Option<Stat>, ActError> {
        self.to().map_or(Ok(None), |to| to.sibling(&part_name(self.op.id)).stat())
    }

    fn done(&self, dst: &Stat) -> Recovered {
        Recovered::Done(Performed { landed: Some(dst.id), digest: self.op.step.digest })
    }

    /// Nothing has happened: an incomplete copy goes.
    fn aborted(&self, why: &str) -> Result<Recovered, ActError> {
        if let Some(to) = self.to() {
            let name = part_name(self.op.id);
            let part = to.sibling(&name);
            if is_stale_part(part)? {
                crash_point("copy.before-discard");
                part.unlink()?;
                crash_point("copy.discarded");
            }
        }
        Ok(Recovered::Aborted(why.to_owned()))
    }

    /// Makes the trash's information agree with where the file is.
    fn information(&self, found: &Recovered, unsynced: &mut Unsynced) -> Result<(), ActError> {
        match (self.op.step.kind, found) {
            (StepKind::Trash, Recovered::Done(_)) => trash::remember(self.op, unsynced),
            (StepKind::Trash, Recovered::Aborted(_)) if self.destination()?.is_none() => {
                trash::forget_orphan(self.op, unsynced)
            }
            (StepKind::Restore, Recovered::Done(_)) => {
                // The file is back: what is left of it in the trash is no reason to say otherwise.
                trash::forget(self.step.src, unsynced).unwrap_or_else(|e| {
                    let op = self.op.id;
                    tracing::warn!(%op, error = %e, "information about a restored file was left");
                });
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn shown(path: &Path) -> String {
    name::shown(path.as_os_str())
}
