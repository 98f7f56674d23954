//! The trash: which directory a file goes to, and what is written down beside it.
//!
//! After the freedesktop.org Trash specification 1.0
//! (<https://specifications.freedesktop.org/trash-spec/1.0/>): `files/NAME` holds the file,
//! `info/NAME.trashinfo` its old path and the time. macOS has `~/.Trash` and keeps no such files.

mod info;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{Access, AtFlags};
use tidy_core::facts::{FileType, Stat};
use tidy_core::operation::Operation;
use tidy_core::plan::Place;

use super::crash::crash_point;
use super::entry::Dir;
use super::error::{ActError, errno};
use super::moving::{self, FileStep};
use super::{Checkpoint, Performed, Unsynced, check};
use crate::beneath;

pub(super) use info::Info;

/// The sticky bit: in such a directory only the owner may remove an entry.
const STICKY: u32 = 0o1000;

/// The trash directory for a file on device `dev`: on the same file system, so that trashing is a
/// rename. It need not exist; nothing is made before a file goes there.
///
/// `home_trash` is `$XDG_DATA_HOME/Trash`, on macOS `~/.Trash`.
///
/// # Errors
/// [`ActError::NoTrash`] says why there is none; [`ActError::Io`] when it could not be told.
pub fn directory_for(src: &Place, dev: u64, home_trash: &Path) -> Result<PathBuf, ActError> {
    let (existing, missing) = nearest(home_trash)?;
    if beneath::stat_path(&existing).map_err(ActError::io("look at", &existing))?.dev == dev {
        return Ok(if missing.as_os_str().is_empty() { existing } else { existing.join(missing) });
    }
    let top = top_directory(src, dev)?;
    let uid = rustix::process::getuid().as_raw();
    if cfg!(target_os = "macos") {
        return Ok(top.join(".Trashes").join(uid.to_string()));
    }
    let shared = top.join(".Trash");
    if lstat(&shared)?.as_ref().is_some_and(is_shared_trash) {
        return Ok(shared.join(uid.to_string()));
    }
    let own = top.join(format!(".Trash-{uid}"));
    match lstat(&own)? {
        Some(s) if s.file_type == FileType::Directory && s.uid == uid => Ok(own),
        Some(_) => Err(no_trash(src, format!("{} is not a directory of yours", own.display()))),
        None => {
            rustix::fs::accessat(
                rustix::fs::CWD,
                &top,
                Access::WRITE_OK | Access::EXEC_OK,
                AtFlags::EACCESS,
            )
            .map_err(|e| no_trash(src, format!("{} cannot be made ({e})", own.display())))?;
            Ok(own)
        }
    }
}

fn no_trash(src: &Place, why: String) -> ActError {
    ActError::NoTrash { path: src.path(), why }
}

/// "The implementation … MUST check that it is a real directory with the sticky bit set, and not a
/// symbolic link" (section "Trash directories").
fn is_shared_trash(s: &Stat) -> bool {
    s.file_type == FileType::Directory && s.mode & STICKY != 0
}

fn lstat(path: &Path) -> Result<Option<Stat>, ActError> {
    match beneath::lstat_path(path) {
        Ok(s) => Ok(Some(s)),
        Err(e) if errno(&e) == Some(rustix::io::Errno::NOENT) => Ok(None),
        Err(e) => Err(ActError::io("look at", path)(e)),
    }
}

/// The nearest ancestor that exists, resolved, and what is missing below it.
fn nearest(path: &Path) -> Result<(PathBuf, PathBuf), ActError> {
    for at in path.ancestors() {
        match at.canonicalize() {
            Ok(found) => {
                let missing = path.strip_prefix(at).unwrap_or(Path::new(""));
                return Ok((found, missing.to_owned()));
            }
            Err(e) if errno(&e) == Some(rustix::io::Errno::NOENT) => {}
            Err(e) => return Err(ActError::io("look at", at)(e)),
        }
    }
    Err(ActError::io("look at", path)(rustix::io::Errno::NOENT))
}

/// The uppermost directory above the file that is on the same device.
fn top_directory(src: &Place, dev: u64) -> Result<PathBuf, ActError> {
    let path = src.path();
    let mut top = None;
    for dir in path.ancestors().skip(1) {
        let stat = beneath::stat_path(dir).map_err(ActError::io("look at", dir))?;
        if stat.dev != dev {
            break;
        }
        top = Some(dir.to_owned());
    }
    top.ok_or_else(|| no_trash(src, "its directory is on another device".into()))
}

/// Whether the place is one that has an information file.
fn has_info(in_trash: &Place) -> bool {
    !cfg!(target_os = "macos") && in_trash.rel().parent() == Some(Path::new("files"))
}

/// Makes a trash directory that is not there, with what belongs into it, for nobody else's eyes, and
/// durable. For a process that is about to give up the right to do so later.
///
/// # Errors
/// Why it cannot be made; nothing is lost by that.
pub fn prepare(trash: &Path) -> Result<(), ActError> {
    let mut unsynced = Unsynced::default();
    for dir in parts(trash, !cfg!(target_os = "macos")) {
        make_missing(&dir)?.into_iter().for_each(|parent| unsynced.add(parent));
    }
    unsynced.sync()
}

/// The directories of a trash, its own first.
fn parts(trash: &Path, with_info: bool) -> Vec<PathBuf> {
    let mut parts = vec![trash.to_path_buf()];
    if with_info {
        parts.extend(["files", "info"].map(|part| trash.join(part)));
    }
    parts
}

/// Makes a directory with those above it. Returns the directories in which one was made.
fn make_missing(dir: &Path) -> Result<Vec<Dir>, ActError> {
    let mut missing = Vec::new();
    for above in dir.ancestors() {
        match lstat(above)? {
            Some(_) => break,
            None => missing.push(above),
        }
    }
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(ActError::io("make the directory", dir))?;
    let open = |parent: &Path| {
        let fd = beneath::open_dir(parent, Path::new("")).map_err(ActError::io("open", parent))?;
        Ok(Dir::new(fd, parent.to_owned()))
    };
    missing.into_iter().filter_map(Path::parent).map(open).collect()
}

/// Puts a file into the trash, its information first.
pub(super) fn put(
    op: &Operation,
    unsynced: &mut Unsynced,
    log: &mut dyn Checkpoint,
) -> Result<Performed, ActError> {
    let step = FileStep::of(op)?;
    // Before the trash is made: for a file that is gone none is needed.
    let from = unsynced.source(step.src)?;
    check::source(from.at(step.src.file_name()), step.expect)?;
    make_directories(step.dst, unsynced)?;
    let ends = moving::ready(op, &step, unsynced)?;
    let written = has_info(step.dst).then(|| Info::write(op, &step, unsynced)).transpose()?;
    match (moving::between(op, &step, ends, unsynced, log), written) {
        // The file did not get there, so the information would be about nothing.
        (Err(e), Some(info)) if e.event().is_some() => match info.remove(unsynced) {
            Ok(()) => Err(e),
            Err(left) => {
                tracing::warn!(op = %op.id, error = %left, "information about nothing was left");
                Err(e.unsettled())
            }
        },
        (result, _) => result,
    }
}

/// Takes a file out of the trash, its information last.
pub(super) fn take_out(
    op: &Operation,
    unsynced: &mut Unsynced,
    log: &mut dyn Checkpoint,
) -> Result<Performed, ActError> {
    let step = FileStep::of(op)?;
    let ends = moving::ready(op, &step, unsynced)?;
    let done = moving::between(op, &step, ends, unsynced, log)?;
    forget(step.src, unsynced).map_err(ActError::unsettled)?;
    Ok(done)
}

/// Removes the information about a file that is no longer in the trash.
pub(super) fn forget(in_trash: &Place, unsynced: &mut Unsynced) -> Result<(), ActError> {
    if !has_info(in_trash) {
        return Ok(());
    }
    match Info::find(in_trash)? {
        Some(info) => info.remove(unsynced),
        None => Ok(()),
    }
}

/// Removes the information that this very operation wrote, when its file never arrived.
pub(super) fn forget_orphan(op: &Operation, unsynced: &mut Unsynced) -> Result<(), ActError> {
    let step = FileStep::of(op)?;
    if !has_info(step.dst) {
        return Ok(());
    }
    match Info::find(step.dst)? {
        Some(info) if info.is_about(op, &step)? => info.remove(unsynced),
        _ => Ok(()),
    }
}

/// Writes the information again if a power cut took it while the file arrived.
pub(super) fn remember(op: &Operation, unsynced: &mut Unsynced) -> Result<(), ActError> {
    let step = FileStep::of(op)?;
    if !has_info(step.dst) {
        return Ok(());
    }
    match Info::write(op, &step, unsynced) {
        Ok(_) | Err(ActError::DestinationTaken { .. }) => Ok(()),
        Err(e) => Err(e),
    }
}

/// Makes the trash directory with the directories it needs above and below, for nobody else's eyes.
fn make_directories(in_trash: &Place, unsynced: &mut Unsynced) -> Result<(), ActError> {
    let base = in_trash.base();
    crash_point("trash.before-directories");
    let shared = base.parent().filter(|p| p.file_name() == Some(".Trash".as_ref()));
    if let Some(shared) = shared
        && !lstat(shared)?.as_ref().is_some_and(is_shared_trash)
    {
        let why = format!("{} is not a directory with the sticky bit", shared.display());
        return Err(ActError::NoTrash { path: in_trash.path(), why });
    }
    // Once in a lifetime. Whoever comes beside us waits, and finds a trash that lasts.
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    for dir in parts(base, has_info(in_trash)) {
        for parent in make_missing(&dir)? {
            parent.sync()?;
            unsynced.add(parent);
        }
    }
    crash_point("trash.directories");
    Ok(())
}
