//! Across devices: copy, verify, and only then let the source go.
//!
//! At every moment either the source stands under its name, or the complete copy is durable under
//! the destination's name and the source is at a name of ours (`.tidyd-<op>.gone`).

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Access, AtFlags, Mode, OFlags};
use rustix::io::Errno;
use tidy_core::facts::{Digest, FileType, Identity, Stat};
use tidy_core::operation::{OpId, Operation};
use tidy_core::plan::{Place, StepKind};

use super::attributes;
use super::check;
use super::contents;
use super::crash::crash_point;
use super::entry::{Dir, Entry, part_name, sync_fd};
use super::error::ActError;
use super::rename::{self, Removed};
use super::unsynced::Way;
use super::{Checkpoint, Performed};
use crate::beneath;
use crate::reading::{self, Purpose};

/// One file on its way to another file system, or to a copy.
pub(super) struct Transfer<'a> {
    pub(super) op: &'a Operation,
    pub(super) from: Entry<'a>,
    pub(super) to: Entry<'a>,
    pub(super) expect: Identity,
    /// What is above the destination and may not be durable yet, when the source goes.
    pub(super) way: Option<Way>,
}

/// Whether a file would go from one mounted file system to another, as far as that can be seen before. What is mounted
/// twice (a bind mount) counts as two: no rename leads from one to the other.
pub fn crosses(src: &Place, dst: &Place) -> bool {
    let mount = |place: &Place| {
        place.path().ancestors().skip(1).find_map(|dir| beneath::mount_of(dir).ok())
    };
    mount(src) != mount(dst)
}

pub(super) fn transfer(t: &Transfer<'_>, log: &mut dyn Checkpoint) -> Result<Performed, ActError> {
    let (source, before) = check::open_source(t.from, t.expect)?;
    if t.to.stat()?.is_some() {
        return Err(ActError::DestinationTaken { path: t.to.path() });
    }
    if before.nlink > 1 && !t.op.step.kind.keeps_source() {
        // Its other names would stay behind with a file of their own.
        return Err(ActError::HasOtherNames { path: t.from.path() });
    }
    check::nobody_writes_to(t.from, &before)?;
    if !t.op.step.kind.keeps_source() {
        // Better known before gigabytes are copied than when the source has to go.
        let access = Access::WRITE_OK | Access::EXEC_OK;
        rustix::fs::accessat(t.from.dir, c".", access, AtFlags::EACCESS)
            .map_err(ActError::io("remove files from", t.from.dir.path()))?;
    }
    let part = Part::create(t.to.dir, t.op.id)?;
    let copied = fill(t, source.as_fd(), &before, &part)
        .and_then(|(landed, digest)| {
            verified(t, log, landed, digest)?;
            publish(t, &part, landed)?;
            Ok((landed, digest))
        })
        .map_err(|e| part.discard_after(e));
    let (landed, digest) = copied?;
    finish(t, landed)?;
    Ok(Performed { landed: Some(landed), digest })
}

/// Everything until the copy is complete, durable and compared, under its temporary name.
fn fill(
    t: &Transfer<'_>,
    source: BorrowedFd<'_>,
    before: &Stat,
    part: &Part<'_>,
) -> Result<(Identity, Option<Digest>), ActError> {
    let copy = if t.op.step.kind == StepKind::Reflink {
        contents::share(source, part.fd.as_fd(), part.entry())?;
        None
    } else {
        let _reading = reading::begin(&t.from.path(), before.id.size, Purpose::Copy);
        contents::copy(source, t.from, part.fd.as_fd(), part.entry(), before.id.size)?
    };
    crash_point("copy.written");
    attributes::copy(source, t.from, part.fd.as_fd(), part.entry())?;
    crash_point("copy.attributed");
    // A failed fsync is never tried again on the same file: what it lost may be lost silently.
    sync_fd(part.fd.as_fd())
        .map_err(|e| ActError::Sync { path: part.entry().path(), source: e.into() })?;
    crash_point("copy.synced");
    if let Some(digest) = copy {
        let _reading = reading::begin(&t.from.path(), before.id.size, Purpose::Verify);
        if contents::read_back(part.fd.as_fd(), part.entry())? != digest {
            return Err(ActError::CopyDiffers { path: t.from.path() });
        }
        if t.op.step.digest.is_some_and(|known| known != digest) {
            return Err(ActError::SourceChanged { path: t.from.path() });
        }
    }
    check::unchanged(source, t.from, before)?;
    let landed =
        beneath::stat_fd(part.fd.as_fd()).map_err(ActError::io("look at", part.entry().path()))?.id;
    Ok((landed, copy.or(t.op.step.digest)))
}

fn verified(
    t: &Transfer<'_>,
    log: &mut dyn Checkpoint,
    landed: Identity,
    digest: Option<Digest>,
) -> Result<(), ActError> {
    crash_point("copy.before-verified");
    let mut op = t.op.clone();
    op.landed = Some(landed);
    op.step.digest = digest;
    log.verified(&op)?;
    crash_point("copy.verified");
    Ok(())
}

/// Gives the complete copy its name.
fn publish(t: &Transfer<'_>, part: &Part<'_>, landed: Identity) -> Result<(), ActError> {
    crash_point("copy.before-rename");
    rename::rename_new(part.entry(), t.to, t.op.id)
        .map_err(|e| e.into_error(part.entry(), t.to))?;
    crash_point("copy.renamed");
    match t.to.stat() {
        Ok(Some(s)) if s.id == landed => {}
        Ok(_) => return Err(ActError::CopyChanged { path: t.to.path() }),
        Err(e) => return Err(take_back(t, landed, e)),
    }
    // Before the source may go.
    let way = || t.way.as_ref().map_or(Ok(()), Way::sync);
    t.to.dir.sync().and_then(|()| way()).map_err(|e| take_back(t, landed, e))?;
    crash_point("copy.directory-synced");
    Ok(())
}

/// Lets the source go, unless it is a copy that was wanted.
fn finish(t: &Transfer<'_>, landed: Identity) -> Result<(), ActError> {
    if t.op.step.kind.keeps_source() {
        return Ok(());
    }
    // What a writer with an open descriptor wrote from now on would go with the source.
    if let Ok(stat) = beneath::stat_at(t.from.dir.as_fd(), t.from.name) {
        check::nobody_writes_to(t.from, &stat).map_err(|e| take_back(t, landed, e))?;
    }
    match rename::remove_name(t.from, t.op.id, |s| s.id == t.expect) {
        Ok(Removed::Yes) => Ok(()),
        Ok(Removed::NotOurs) => {
            let changed = ActError::SourceChanged { path: t.from.path() };
            Err(take_back(t, landed, changed))
        }
        // It stands at another name now, which the error tells; the copy is a second one.
        Err(e @ ActError::Displaced { .. }) => Err(e),
        Err(e) => Err(take_back(t, landed, e)),
    }
}

/// Removes our own copy from the destination again, after the source turned out to stay because of `e`.
fn take_back(t: &Transfer<'_>, landed: Identity, e: ActError) -> ActError {
    match rename::remove_name(t.to, t.op.id, |s| s.id == landed) {
        Ok(_) => e,
        Err(left) => {
            tracing::warn!(op = %t.op.id, error = %left, "a copy that is not needed was left");
            e.unsettled()
        }
    }
}

/// The temporary file.
struct Part<'a> {
    dir: &'a Dir,
    name: OsString,
    fd: OwnedFd,
}

impl<'a> Part<'a> {
    fn create(dir: &'a Dir, op: OpId) -> Result<Self, ActError> {
        let name = part_name(op);
        let entry = dir.at(&name);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let create = || {
            crash_point("copy.before-create");
            let mode = Mode::RUSR | Mode::WUSR;
            rustix::fs::openat(dir, Path::new(&name), flags | OFlags::CLOEXEC, mode)
        };
        let fd = match create() {
            Err(Errno::EXIST) if is_stale_part(entry)? => {
                entry.unlink()?;
                create()
            }
            other => other,
        };
        let fd = fd.map_err(ActError::io("create", entry.path()))?;
        crash_point("copy.created");
        Ok(Self { dir, name, fd })
    }

    fn entry(&self) -> Entry<'_> {
        self.dir.at(&self.name)
    }

    /// Removes it again, because of `e`.
    fn discard_after(&self, e: ActError) -> ActError {
        crash_point("copy.before-discard");
        let removed = self.entry().unlink();
        crash_point("copy.discarded");
        match removed {
            Ok(()) => e,
            Err(left) => {
                tracing::warn!(error = %left, "an incomplete copy was left");
                e.unsettled()
            }
        }
    }
}

/// Left by an earlier attempt at the same operation: a plain file of ours.
pub(super) fn is_stale_part(entry: Entry<'_>) -> Result<bool, ActError> {
    let me = rustix::process::geteuid().as_raw();
    let stale = |s: &Stat| s.file_type == FileType::Regular && (s.uid == me || me == 0);
    Ok(entry.stat()?.as_ref().is_some_and(stale))
}
