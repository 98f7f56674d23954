//! Making a backup.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tidy_core::UnixNanos;

use super::files;
use super::keep::latest;
use super::manifest::{
    Backup, CONFIG, Manifest, Part, SMALL, TIME_FORMAT, UNFINISHED, unfinished, unfinished_prefix,
};
use super::{CareError, Result};
use crate::journal::{self, JournalError};

/// Larger than any small file or configuration.
const SMALL_MOST: u64 = 16 << 20;

/// How long to wait for another backup in the same folder: the service makes one, say.
const PATIENCE: Duration = Duration::from_secs(60);

/// The log is shortened once a day, in a moment.
const ATTEMPTS: usize = 5;

/// What is copied.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The state directory, in use or not.
    pub state: &'a Path,
    pub config: Option<&'a Path>,
}

/// What came of it.
#[derive(Debug)]
pub enum Made {
    New {
        backup: Backup,
        /// Bytes that no earlier backup had.
        copied: u64,
    },
    /// The newest backup there says all there is to say.
    Unchanged(Backup),
    /// There is nothing yet.
    Nothing,
}

/// One file to be copied.
struct Wanted {
    part: Part,
    content: Content,
}

enum Content {
    /// The first bytes of a segment, as many as the part has.
    Segment(PathBuf),
    Bytes(Vec<u8>),
}

/// Makes a backup in the folder `into`, which is made if the one that it is in exists.
///
/// # Errors
/// What was there before is there still, and nothing that looks like a backup beside it.
pub fn make(what: &Sources<'_>, into: &Path, now: UnixNanos) -> Result<Made> {
    let base = format!("tidyd-{}", now.timestamp().strftime(TIME_FORMAT));
    make_as(what, into, now, &base)
}

/// The same under a name of the caller's choice, or that with a number.
///
/// # Errors
/// As [`make`].
pub fn make_as(what: &Sources<'_>, into: &Path, now: UnixNanos, name: &str) -> Result<Made> {
    files::make_dir(into)?;
    let _lock = lock(into)?;
    retried(&what.state.join(tidy_config::JOURNAL_DIR), || make_once(what, into, now, name))
}

/// The log is shortened by whole segments, whoever is reading them; so what is gone while it is copied is no error but means that
/// there is less to copy.
pub(super) fn retried<T>(journal: &Path, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    for _ in 1..ATTEMPTS {
        match attempt() {
            Err(CareError::Io { path, source, .. })
                if source.kind() == ErrorKind::NotFound && path.parent() == Some(journal) => {}
            Err(CareError::Journal(JournalError::Io { path, source, .. }))
                if source.kind() == ErrorKind::NotFound && path.parent() == Some(journal) => {}
            other => return other,
        }
    }
    attempt()
}

fn make_once(what: &Sources<'_>, into: &Path, now: UnixNanos, name: &str) -> Result<Made> {
    let (mut manifest, wanted) = survey(what, now)?;
    if wanted.is_empty() {
        return Ok(Made::Nothing);
    }
    remove_left_overs(into, &manifest)?;
    let before = latest(into, &manifest.journal)?;
    manifest.files = wanted.iter().map(|w| w.part.clone()).collect();
    manifest.files.sort();
    if let Some(before) = &before
        && before.manifest.files == manifest.files
        && before.check().is_ok()
    {
        return Ok(Made::Unchanged(before.clone()));
    }
    let part = unfinished(&into.join(name), &manifest.journal);
    let made = fill(&part, &manifest, &wanted, before.as_ref());
    let finished = made.and_then(|copied| {
        let path = free_name(into, name);
        files::rename(&part, &path)?;
        files::sync_dir(into)?;
        Ok(Made::New { backup: Backup { path, manifest }, copied })
    });
    if finished.is_err() {
        // It may be a full disk, of which this is what there is to free; the next one tries again.
        let _ = files::remove_backup(&part);
    }
    finished
}

/// One at a time in a folder. Given up when it is dropped, or the process ends.
fn lock(into: &Path) -> Result<File> {
    let dir = File::open(into).map_err(CareError::io("open", into))?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match dir.try_lock() {
            Ok(()) => return Ok(dir),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(TryLockError::WouldBlock) => return Err(CareError::Busy(into.to_owned())),
            // Network file systems without locks: the names differ by the log, and one state has one service.
            Err(TryLockError::Error(_)) => return Ok(dir),
        }
    }
}

/// What there is to copy, with its digests.
fn survey(what: &Sources<'_>, now: UnixNanos) -> Result<(Manifest, Vec<Wanted>)> {
    let dir = what.state.join(tidy_config::JOURNAL_DIR);
    let log = journal::look(&dir)?;
    let mut manifest = Manifest::new(now, log.log);
    (manifest.last_operation, manifest.last_ns) =
        log.last.map_or((0, 0), |(id, time)| (id.0, time.0));
    let mut wanted = Vec::new();
    for (path, bytes) in log.segments {
        let (found, blake3) = files::digest(&path, bytes)?;
        let name = path.file_name().and_then(|n| n.to_str());
        let Some(name) = name.filter(|_| found == bytes) else {
            return Err(CareError::Restless(path));
        };
        let part = Part { path: format!("journal/{name}"), bytes, blake3 };
        wanted.push(Wanted { part, content: Content::Segment(path) });
    }
    let mut add = |name: String, path: &Path| -> Result<bool> {
        let bytes = files::small(path, SMALL_MOST)?;
        let found = bytes.is_some();
        wanted.extend(bytes.map(|bytes| Wanted::small(name, bytes)));
        Ok(found)
    };
    add("journal/gaps".to_owned(), &dir.join("gaps"))?;
    for name in SMALL {
        add(format!("state/{name}"), &what.state.join(name))?;
    }
    if let Some(config) = what.config
        && add(CONFIG.to_owned(), config)?
    {
        manifest.config = Some(tidy_core::name::shown(config.as_os_str()));
    }
    Ok((manifest, wanted))
}

impl Wanted {
    fn small(path: String, bytes: Vec<u8>) -> Self {
        let blake3 = blake3::hash(&bytes).to_hex().to_string();
        Self {
            part: Part { path, bytes: bytes.len() as u64, blake3 },
            content: Content::Bytes(bytes),
        }
    }

    /// Puts it below `dir`. Returns whether it had to be copied.
    fn put(&self, dir: &Path, before: Option<&Backup>) -> Result<bool> {
        let to = dir.join(&self.part.path);
        let earlier = before.filter(|b| b.manifest.files.contains(&self.part));
        if let Some(earlier) = earlier
            && files::link(&earlier.path.join(&self.part.path), &to)
        {
            if self.is_at(&to) {
                return Ok(false);
            }
            // The earlier one is damaged.
            files::remove_file(&to)?;
        }
        match &self.content {
            Content::Segment(from) => files::copy(from, &to, self.part.bytes)?,
            Content::Bytes(bytes) => files::write(&to, bytes)?,
        }
        match self.is_at(&to) {
            true => Ok(true),
            false => Err(CareError::Damaged {
                path: to,
                why: "what was read back is not what was written".to_owned(),
            }),
        }
    }

    fn is_at(&self, path: &Path) -> bool {
        let want = (self.part.bytes, self.part.blake3.clone());
        files::digest(path, u64::MAX).is_ok_and(|found| found == want)
    }
}

/// Copies everything into a new directory, reads it back, and makes it durable; the manifest last. Returns how many bytes
/// were copied.
fn fill(
    part: &Path,
    manifest: &Manifest,
    wanted: &[Wanted],
    before: Option<&Backup>,
) -> Result<u64> {
    let below = [part.join("journal"), part.join("state"), part.to_owned()];
    for dir in below.iter().rev() {
        files::make_dir(dir)?;
    }
    let mut copied = 0;
    for one in wanted {
        if one.put(part, before)? {
            copied += one.part.bytes;
        }
    }
    manifest.write(part)?;
    below.iter().try_for_each(|dir| files::sync_dir(dir))?;
    Ok(copied)
}

/// What a backup of this log that was cut off has left, or the going of one.
fn remove_left_overs(into: &Path, manifest: &Manifest) -> Result<()> {
    let prefix = unfinished_prefix(&manifest.journal);
    for entry in std::fs::read_dir(into).map_err(CareError::io("list", into))? {
        let entry = entry.map_err(CareError::io("list", into))?;
        let name = entry.file_name();
        if name.to_str().is_some_and(|n| n.starts_with(&prefix) && n.ends_with(UNFINISHED)) {
            files::remove_backup(&entry.path())?;
        }
    }
    Ok(())
}

/// The name, or with a number behind it the first that is free.
fn free_name(into: &Path, name: &str) -> PathBuf {
    let numbered = (2..).map(|n| into.join(format!("{name}-{n}")));
    let mut names = std::iter::once(into.join(name)).chain(numbered);
    names.find(|path| path.symlink_metadata().is_err()).unwrap_or_else(|| into.join(name))
}
