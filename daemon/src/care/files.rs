//! The few calls with which backups are made, put back and removed.
//!
//! `TIDYD_CRASH_CARE=<n>` aborts the process before the `n`-th of them, from 1: a test sees what the next one makes of it.

#![expect(
    clippy::disallowed_methods,
    reason = "backups, and the daemon's own files in its state directory"
)]

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::manifest::{MANIFEST, is_of_a_backup};
use super::{CareError, Result};

/// Something is going to change. Ends the process here if a test asked for it.
fn change() {
    static ARMED: OnceLock<Option<AtomicU32>> = OnceLock::new();
    let armed = ARMED.get_or_init(|| {
        let n = std::env::var("TIDYD_CRASH_CARE").ok()?;
        n.parse().ok().map(AtomicU32::new)
    });
    if armed.as_ref().is_some_and(|left| left.fetch_sub(1, Ordering::Relaxed) == 1) {
        std::process::abort();
    }
}

/// Makes a directory for its owner only; one that is there is as good.
pub(super) fn make_dir(path: &Path) -> Result<()> {
    change();
    match DirBuilder::new().mode(0o700).create(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other.map_err(CareError::io("make", path)),
    }
}

/// Copies the first `len` bytes into a new file, and syncs it. Where the file system can share the blocks of both, it
/// does (`copy_file_range`, inside of `io::copy`).
pub(super) fn copy(from: &Path, to: &Path, len: u64) -> Result<()> {
    let source = open(from, rustix::fs::OFlags::NOFOLLOW);
    let mut source = source.map_err(CareError::io("read", from))?.take(len);
    let mut target = create(to)?;
    change();
    let copied = io::copy(&mut source, &mut target).map_err(CareError::io("write", to))?;
    if copied < len {
        let short = io::Error::from(io::ErrorKind::UnexpectedEof);
        return Err(CareError::io("read", from)(short));
    }
    target.sync_all().map_err(CareError::io("sync", to))
}

/// Writes a new file, and syncs it.
pub(super) fn write(to: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = create(to)?;
    change();
    file.write_all(bytes).map_err(CareError::io("write", to))?;
    file.sync_all().map_err(CareError::io("sync", to))
}

fn create(to: &Path) -> Result<File> {
    change();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(to).map_err(CareError::io("make", to))
}

/// A second name for a file of an earlier backup. `false`: that cannot be had.
pub(super) fn link(from: &Path, to: &Path) -> bool {
    change();
    fs::hard_link(from, to).is_ok()
}

/// A regular file, for reading. In a folder that others write to, something else may have its name: a FIFO would be waited for.
fn open(path: &Path, flags: rustix::fs::OFlags) -> io::Result<File> {
    let flags = (flags | rustix::fs::OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is not a file")),
    }
}

/// Length and BLAKE3 digest of the first `most` bytes of a regular file; no symlink is followed.
pub(super) fn digest(path: &Path, most: u64) -> Result<(u64, String)> {
    let read = || -> io::Result<(u64, String)> {
        let file = open(path, rustix::fs::OFlags::NOFOLLOW)?;
        let mut hasher = blake3::Hasher::new();
        let len = io::copy(&mut file.take(most), &mut hasher)?;
        Ok((len, hasher.finalize().to_hex().to_string()))
    };
    read().map_err(CareError::io("read", path))
}

/// All of a small file; `None` when there is none.
pub(super) fn small(path: &Path, most: u64) -> Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    // The configuration may be a link.
    let read = open(path, rustix::fs::OFlags::empty());
    let read = read.and_then(|file| file.take(most + 1).read_to_end(&mut bytes));
    match read {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Ok(n) if n as u64 > most => {
            Err(CareError::io("read", path)(io::ErrorKind::FileTooLarge.into()))
        }
        other => other.map(|_| Some(bytes)).map_err(CareError::io("read", path)),
    }
}

/// Makes names in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> Result<()> {
    change();
    File::open(dir).and_then(|d| d.sync_all()).map_err(CareError::io("sync", dir))
}

/// Renames to a name that is not taken: nobody else gives such names here.
pub(super) fn rename(from: &Path, to: &Path) -> Result<()> {
    change();
    if to.symlink_metadata().is_ok() {
        return Err(CareError::io("rename to", to)(io::ErrorKind::AlreadyExists.into()));
    }
    fs::rename(from, to).map_err(CareError::io("rename to", to))
}

/// Removes one file of ours.
pub(super) fn remove_file(path: &Path) -> Result<()> {
    change();
    fs::remove_file(path).map_err(CareError::io("remove", path))
}

/// Removes a backup, or what there is of one: the files that one consists of, and directories that are empty then. What
/// somebody else has put there stays, with the directory that it is in.
pub(super) fn remove_backup(dir: &Path) -> Result<()> {
    // The manifest first: what is left is no backup then.
    let manifest = dir.join(MANIFEST);
    if manifest.symlink_metadata().is_ok() {
        remove_file(&manifest)?;
    }
    for below in ["journal", "state", ""] {
        let inner = if below.is_empty() { dir.to_owned() } else { dir.join(below) };
        let entries = match fs::read_dir(&inner) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(CareError::io("list", &inner)(e)),
        };
        for entry in entries {
            let entry = entry.map_err(CareError::io("list", &inner))?;
            let path = Path::new(below).join(entry.file_name());
            if path.to_str().is_some_and(is_of_a_backup) {
                remove_file(&entry.path())?;
            }
        }
        change();
        match fs::remove_dir(&inner) {
            Err(e) if e.kind() != io::ErrorKind::DirectoryNotEmpty => {
                return Err(CareError::io("remove", &inner)(e));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Removes what was made ready for a restore; none is as good.
pub(super) fn remove_staged(dir: &Path) -> Result<()> {
    for name in ["stopped", "folders"] {
        let path = dir.join(name);
        if path.symlink_metadata().is_ok() {
            remove_file(&path)?;
        }
    }
    // Its log and the directory itself, as those of a backup; a plan that is still there last of all.
    remove_backup(dir)?;
    let plan = dir.join("plan.json");
    if plan.symlink_metadata().is_ok() {
        remove_file(&plan)?;
        fs::remove_dir(dir).map_err(CareError::io("remove", dir))?;
    }
    Ok(())
}
