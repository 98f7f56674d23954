//! Opening sled 0.34.7 whatever state its files are in.
//!
//! What was found by killing it and by reading its source: a kill while it writes a snapshot leaves
//! `snap.*.generating`, which the next open takes for a corrupt snapshot; a damaged snapshot makes open
//! fail although the log would do without; damaged data can make it panic. So, in this order: remove left-overs,
//! open, open without snapshots, set aside and start empty.

use std::fs::{self, File};
use std::io;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::{Store, StoreError, StoreOptions, guard};

/// How many stores that were set aside are kept; older ones go, or a failing disk would fill itself.
const KEPT_ASIDE: usize = 3;

/// What a store is called that could not be opened.
const DAMAGED: &str = "corrupt";

/// How long to wait for sled's own lock on its file: threads of a database that was just dropped in this
/// process hold it for a moment longer.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// How the store came to be open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// There was none; it is new and empty.
    Created,
    /// As it was.
    Existing,
    /// Its snapshots were bad and have been removed; the log alone was enough.
    Cleaned {
        /// sled's message.
        why: String,
    },
    /// It could not be opened. It now lies in `aside`, and the open store is new and empty.
    SetAside {
        aside: PathBuf,
        /// sled's messages.
        why: String,
    },
}

/// What had to be done to open the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreReport {
    pub opened: Opened,
    /// Files that an interrupted start had left and that were removed first.
    pub leftovers: Vec<PathBuf>,
}

impl StoreReport {
    /// Whether the store holds nothing: every root must be scanned and the journal projected anew.
    pub fn is_empty(&self) -> bool {
        matches!(self.opened, Opened::Created | Opened::SetAside { .. })
    }
}

pub(super) fn open(dir: &Path, options: StoreOptions) -> Result<(Store, StoreReport), StoreError> {
    let existed = dir.join("db").try_exists().unwrap_or(true);
    let leftovers = remove_matching(dir, |name| name.ends_with(".generating"))?;
    let first = match attempt(dir, options) {
        Ok(store) => {
            let opened = if existed { Opened::Existing } else { Opened::Created };
            return Ok((store, StoreReport { opened, leftovers }));
        }
        Err(StoreError::Damaged { detail, .. }) => detail,
        Err(e) => return Err(e),
    };
    if !remove_matching(dir, |name| name.starts_with("snap."))?.is_empty() {
        match attempt(dir, options) {
            Ok(store) => {
                let opened = Opened::Cleaned { why: first };
                return Ok((store, StoreReport { opened, leftovers }));
            }
            Err(StoreError::Damaged { detail, .. }) => {
                let why = format!("{first}; without its snapshots: {detail}");
                return replace(dir, options, why).map(|r| with_leftovers(r, leftovers));
            }
            Err(e) => return Err(e),
        }
    }
    replace(dir, options, first).map(|r| with_leftovers(r, leftovers))
}

fn with_leftovers(
    (store, mut report): (Store, StoreReport),
    leftovers: Vec<PathBuf>,
) -> (Store, StoreReport) {
    report.leftovers = leftovers;
    (store, report)
}

/// Renames what is in the way and opens an empty store.
pub(super) fn replace(
    dir: &Path,
    options: StoreOptions,
    why: String,
) -> Result<(Store, StoreReport), StoreError> {
    let aside = set_aside(dir, DAMAGED)?;
    let store = attempt(dir, options)?;
    drop_oldest_aside(dir, DAMAGED);
    let opened = Opened::SetAside { aside, why };
    Ok((store, StoreReport { opened, leftovers: Vec::new() }))
}

pub(super) fn attempt(dir: &Path, options: StoreOptions) -> Result<Store, StoreError> {
    let deadline = Instant::now() + LOCK_PATIENCE;
    let db = loop {
        match guard::catch(|| open_and_look(dir, options)) {
            Ok(Ok(db)) => break db,
            Ok(Err(e)) if is_locked(&e) => {
                if Instant::now() >= deadline {
                    return Err(StoreError::InUse { path: dir.to_owned(), pid: None });
                }
                thread::sleep(Duration::from_millis(20));
            }
            Ok(Err(e)) => return Err(classify(dir, e)),
            Err(panic) => return Err(classify_panic(dir, panic)),
        }
    };
    let file = File::open(dir.join("db")).map_err(|e| StoreError::io(dir, e));
    match file.and_then(|file| sync_names(dir).map(|()| file)) {
        Ok(file) => Ok(Store { db, file: Arc::new(file), dir: dir.to_owned(), options }),
        Err(e) => {
            // sled syncs once more when its last handle goes, and panics when that fails.
            let _ = guard::catch(AssertUnwindSafe(|| drop(db)));
            Err(e)
        }
    }
}

fn open_and_look(dir: &Path, options: StoreOptions) -> sled::Result<sled::Db> {
    let flush_ms = u64::try_from(options.flush_every.as_millis()).unwrap_or(u64::MAX).max(1);
    let db = sled::Config::new()
        .path(dir)
        .cache_capacity(options.cache_bytes)
        .flush_every_ms(Some(flush_ms))
        .use_compression(false)
        .open()?;
    // The first page of every tree must be readable; the rest is read by whoever owns the tree.
    for name in db.tree_names() {
        db.open_tree(name)?.first()?;
    }
    Ok(db)
}

/// The names `store`, `store/db` and `store/conf` must survive a power cut too.
fn sync_names(dir: &Path) -> Result<(), StoreError> {
    for d in [Some(dir), dir.parent()].into_iter().flatten() {
        File::open(d).and_then(|f| f.sync_all()).map_err(|e| StoreError::io(d, e))?;
    }
    Ok(())
}

/// sled reports its lock only in words (`config.rs`, `try_lock`).
fn is_locked(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(e) if e.to_string().contains("could not acquire lock"))
}

/// What the environment must cure is told from what a new store cures.
pub(super) fn classify(dir: &Path, error: sled::Error) -> StoreError {
    let sled::Error::Io(e) = error else {
        return StoreError::Damaged { path: dir.to_owned(), detail: error.to_string() };
    };
    if is_environment(&e) {
        return StoreError::io(dir, e);
    }
    // sled passes errors on as text once it has stored them (`result.rs`, `Clone`).
    classify_panic(dir, e.to_string())
}

pub(super) fn classify_panic(dir: &Path, detail: String) -> StoreError {
    let path = dir.to_owned();
    let says = |words: &[&str]| words.iter().any(|w| detail.contains(w));
    if says(&["StorageFull", "QuotaExceeded", "No space left", "Disk quota exceeded"]) {
        StoreError::Full { path, detail }
    } else if says(&["PermissionDenied", "ReadOnlyFilesystem"]) {
        StoreError::NotWritable { path, source: io::Error::other(detail) }
    } else if says(&["Too many open files", "OutOfMemory", "Resource temporarily unavailable"]) {
        StoreError::Io { path, source: io::Error::other(detail) }
    } else {
        StoreError::Damaged { path, detail }
    }
}

fn is_environment(e: &io::Error) -> bool {
    use io::ErrorKind as K;
    use rustix::io::Errno;
    let errno = e.raw_os_error().map(Errno::from_raw_os_error);
    matches!(
        e.kind(),
        K::StorageFull
            | K::QuotaExceeded
            | K::PermissionDenied
            | K::ReadOnlyFilesystem
            | K::OutOfMemory
    ) || matches!(errno, Some(Errno::MFILE | Errno::NFILE))
}

/// Removes the files in `dir` whose name answers. A missing directory holds none.
pub(super) fn remove_matching(
    dir: &Path,
    is: impl Fn(&str) -> bool,
) -> Result<Vec<PathBuf>, StoreError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        // Not a directory: opening it will fail, and it will be set aside.
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        // A symlink that leads to itself.
        Err(e) if e.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return Ok(Vec::new());
        }
        Err(e) => return Err(StoreError::io(dir, e)),
    };
    let mut removed = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| StoreError::io(dir, e))?;
        if entry.file_name().to_str().is_some_and(&is) {
            fs::remove_file(entry.path()).map_err(|e| StoreError::io(&entry.path(), e))?;
            removed.push(entry.path());
        }
    }
    Ok(removed)
}

fn aside_prefix(dir: &Path, word: &str) -> Option<String> {
    Some(format!("{}.{word}-", dir.file_name()?.to_str()?))
}

/// Renames it to `<dir>.<word>-<time>`.
pub(super) fn set_aside(dir: &Path, word: &str) -> Result<PathBuf, StoreError> {
    let prefix =
        aside_prefix(dir, word).ok_or_else(|| StoreError::NotADirectory(dir.to_owned()))?;
    // To the microsecond, so that names sort by age however fast they follow each other.
    let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%.6fZ");
    for n in 0..1000 {
        let suffix = if n == 0 { String::new() } else { format!("-{n:03}") };
        let aside = dir.with_file_name(format!("{prefix}{time}{suffix}"));
        // The lock on the state directory is ours, so nobody takes the name in between.
        if aside.symlink_metadata().is_ok() {
            continue;
        }
        fs::rename(dir, &aside).map_err(|e| StoreError::io(dir, e))?;
        return Ok(aside);
    }
    Err(StoreError::io(dir, io::ErrorKind::AlreadyExists.into()))
}

pub(super) fn put_back(aside: &Path, dir: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(StoreError::io(dir, e)),
        _ => {}
    }
    fs::rename(aside, dir).map_err(|e| StoreError::io(aside, e))
}

/// Best effort: a store that cannot be removed only takes space.
fn drop_oldest_aside(dir: &Path, word: &str) {
    let (Some(prefix), Some(parent)) = (aside_prefix(dir, word), dir.parent()) else { return };
    let Ok(entries) = fs::read_dir(parent) else { return };
    let mut aside: Vec<PathBuf> = entries
        .flatten()
        .filter(|e| e.file_name().to_str().is_some_and(|n| n.starts_with(&prefix)))
        .map(|e| e.path())
        .collect();
    aside.sort();
    let surplus = aside.len().saturating_sub(KEPT_ASIDE);
    for old in &aside[..surplus] {
        let removed = if old.is_dir() { fs::remove_dir_all(old) } else { fs::remove_file(old) };
        if let Err(e) = removed {
            tracing::warn!(path = %old.display(), "an old damaged store could not be removed: {e}");
        }
    }
}
