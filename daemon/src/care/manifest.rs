//! What a backup says of itself: `manifest.json`, the last file that is written into it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tidy_core::UnixNanos;

use super::files;
use super::{CareError, Result};
use crate::journal;

/// Its file.
pub(super) const MANIFEST: &str = "manifest.json";

/// The format that this program writes, and the highest that it reads.
const FORMAT: u32 = 1;

/// Larger than any list of segments.
const MAX: u64 = 16 << 20;

/// How the name of a backup tells when it was made: UTC, so that names sort by time.
pub const TIME_FORMAT: &str = "%Y%m%dT%H%M%SZ";

/// The configuration in a backup.
pub(super) const CONFIG: &str = "config.toml";

/// The small files of the state directory that belong to a backup: which folders are stopped, and which were ever filed into.
pub(super) const SMALL: [&str; 2] = ["stopped", "folders"];

/// The manifest, format 1. **Frozen**: these names are bytes on people's disks; fields may be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    /// The version that made it.
    pub tidyd: String,
    /// Nanoseconds since 1970, UTC.
    pub made_ns: i64,
    /// The number of the log, in hexadecimal; empty when there was none.
    pub journal: String,
    /// The operation with the highest number on record, and when it was begun; 0 when none.
    pub last_operation: u64,
    pub last_ns: i64,
    /// Where the configuration was, escaped for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    pub files: Vec<Part>,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Part {
    /// Below the backup.
    pub path: String,
    pub bytes: u64,
    /// BLAKE3, in hexadecimal.
    pub blake3: String,
}

/// A backup under its final name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    pub path: PathBuf,
    pub manifest: Manifest,
}

impl Manifest {
    pub(super) fn new(made: UnixNanos, log: Option<u64>) -> Self {
        Self {
            format: FORMAT,
            tidyd: env!("CARGO_PKG_VERSION").to_owned(),
            made_ns: made.0,
            journal: log.map(log_name).unwrap_or_default(),
            last_operation: 0,
            last_ns: 0,
            config: None,
            files: Vec::new(),
        }
    }

    /// Bytes of all its files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|f| f.bytes).sum()
    }

    /// When it was made.
    pub fn made(&self) -> UnixNanos {
        UnixNanos(self.made_ns)
    }

    pub(super) fn write(&self, dir: &Path) -> Result<()> {
        let path = dir.join(MANIFEST);
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|e| CareError::io("write", &path)(std::io::Error::other(e)))?;
        text.push(b'\n');
        files::write(&path, &text)
    }
}

/// How names end under which a backup is made, or goes. No backup has such a name.
pub(super) const UNFINISHED: &str = ".part";

/// How they begin: one's own left-overs are removed, and nobody else's.
pub(super) fn unfinished_prefix(log: &str) -> String {
    let log = if log.is_empty() { "none" } else { log };
    format!(".tidyd-{log}-")
}

/// Such a name for the backup that is to have, or had, the name `path`.
pub(super) fn unfinished(path: &Path, log: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{}{name}{UNFINISHED}", unfinished_prefix(log)))
}

/// The number of a log as it stands in names and manifests.
pub(super) fn log_name(log: u64) -> String {
    format!("{log:016x}")
}

impl Backup {
    /// Reads the manifest of the backup `path`, and nothing else of it.
    ///
    /// # Errors
    /// [`CareError::NotABackup`], [`CareError::Newer`], [`CareError::Io`].
    pub fn open(path: &Path) -> Result<Self> {
        let not = |why: &str| CareError::NotABackup { path: path.to_owned(), why: why.to_owned() };
        let text = files::small(&path.join(MANIFEST), MAX)?;
        let text = text.ok_or_else(|| not("there is no manifest.json in it"))?;
        /// All that is sure of a format to come.
        #[derive(Deserialize)]
        struct Any {
            format: u32,
            tidyd: String,
        }
        let any: Any = serde_json::from_slice(&text).map_err(|_| not("its manifest is damaged"))?;
        if any.format > FORMAT {
            let path = path.to_owned();
            return Err(CareError::Newer { path, made_by: any.tidyd, format: any.format });
        }
        let manifest: Manifest =
            serde_json::from_slice(&text).map_err(|_| not("its manifest is damaged"))?;
        if manifest.files.iter().any(|f| !is_of_a_backup(&f.path)) {
            return Err(not("its manifest names files that belong to no backup"));
        }
        Ok(Self { path: path.to_owned(), manifest })
    }

    /// Reads all of it, and holds it against the manifest and the log against itself.
    ///
    /// # Errors
    /// [`CareError::Damaged`] with what is wrong, [`CareError::Io`].
    pub fn check(&self) -> Result<()> {
        let damaged = |why: String| CareError::Damaged { path: self.path.clone(), why };
        for part in &self.manifest.files {
            let found = files::digest(&self.path.join(&part.path), u64::MAX);
            let (bytes, digest) = found.map_err(|e| damaged(e.to_string()))?;
            if bytes != part.bytes || digest != part.blake3 {
                return Err(damaged(format!("{} is not what it was", part.path)));
            }
        }
        let log = journal::look(&self.path.join("journal"))?;
        let last = log.last.map_or(0, |(id, _)| id.0);
        if last != self.manifest.last_operation {
            let want = self.manifest.last_operation;
            return Err(damaged(format!("its log ends with operation {last}, not {want}")));
        }
        Ok(())
    }

    /// The configuration in it.
    pub fn config(&self) -> Option<PathBuf> {
        let part = self.manifest.files.iter().find(|f| f.path == CONFIG)?;
        Some(self.path.join(&part.path))
    }
}

/// Whether a backup can have a file of this name: nothing else is ever copied out of one, or removed with one.
pub(super) fn is_of_a_backup(path: &str) -> bool {
    match path.split_once('/') {
        None => matches!(path, MANIFEST | CONFIG),
        Some(("state", name)) => SMALL.contains(&name),
        Some(("journal", "gaps" | "lock")) => true,
        Some(("journal", name)) => name
            .strip_suffix(".log")
            .is_some_and(|n| n.len() == 16 && n.bytes().all(|b| b.is_ascii_digit())),
        Some(_) => false,
    }
}
