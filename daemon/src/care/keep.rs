//! The backups in a folder, and which of them go.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tidy_core::UnixNanos;
use tidy_core::ignore::is_backup;

use super::files;
use super::manifest::{Backup, unfinished};
use super::{CareError, Result};

/// What went, and what should have.
#[derive(Debug, Default)]
pub struct Retained {
    pub removed: Vec<PathBuf>,
    /// They are old, and could not be removed.
    pub failed: Vec<(PathBuf, CareError)>,
}

/// The backups in a folder, newest first; no folder has none. What is none is passed over.
///
/// # Errors
/// [`CareError::Io`] when the folder cannot be read.
pub fn backups(dir: &Path) -> Result<Vec<Backup>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(CareError::io("list", dir)(e)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(CareError::io("list", dir))?;
        // Unfinished ones have a dot in front.
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            found.extend(Backup::open(&entry.path()));
        }
    }
    found.sort_by(|a, b| (b.manifest.made_ns, &b.path).cmp(&(a.manifest.made_ns, &a.path)));
    Ok(found)
}

/// The newest backup of a log in a folder.
///
/// # Errors
/// As [`backups`].
pub fn latest(dir: &Path, log: &str) -> Result<Option<Backup>> {
    Ok(backups(dir)?.into_iter().find(|b| b.manifest.journal == log))
}

/// Removes the backups of a log that are older than `keep`, as far as tidyd has given them their names; never the newest one
/// that is good, nor any newer than that.
///
/// # Errors
/// As [`backups`].
pub fn retain(dir: &Path, log: &str, keep: Duration, now: UnixNanos) -> Result<Retained> {
    let all = backups(dir)?.into_iter().filter(|b| b.manifest.journal == log);
    let all: Vec<Backup> = all.collect();
    let mut out = Retained::default();
    let is_old = |b: &Backup| b.manifest.made() < now.minus(keep);
    if !all.iter().any(|b| is_old(b) && is_scheduled(&b.path)) {
        return Ok(out);
    }
    let Some(good) = all.iter().position(|b| b.check().is_ok()) else { return Ok(out) };
    for backup in all.into_iter().skip(good + 1).filter(|b| is_old(b) && is_scheduled(&b.path)) {
        match remove(&backup.path, log) {
            Ok(()) => out.removed.push(backup.path),
            Err(e) => out.failed.push((backup.path, e)),
        }
    }
    Ok(out)
}

/// From the moment at which it begins to go it has no backup's name any more.
fn remove(path: &Path, log: &str) -> Result<()> {
    let going = unfinished(path, log);
    files::rename(path, &going)?;
    files::remove_backup(&going)
}

/// Under a name that tidyd gives. What a person has called otherwise stays.
fn is_scheduled(path: &Path) -> bool {
    path.file_name().is_some_and(|name| is_backup(name.as_encoded_bytes()))
}
