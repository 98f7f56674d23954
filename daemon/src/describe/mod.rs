//! describe: the facts of files somebody names, for people and programs. The front end of
//! `tidyd inspect`.
//!
//! In: names. Out: one text for each, or why there is none, in the order of the names, whichever of
//! them was read first. It changes nothing.
//!
//! May not know: roots, rules, the journal, the catalog.

mod names;
mod shown;

use std::fs::{File, OpenOptions};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tidy_core::category::Category;
use tidy_core::facts::{Fact, Kind, Origin};
use tidy_core::metadata::Metadata;
use tidy_core::{name, parts};

use crate::inspect::{self, CategoryTable};
use crate::readers::Readers;

pub use names::Names;

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Aligned lines.
    Text,
    /// One JSON object a line.
    Json,
}

/// What is asked of every file.
#[derive(Debug)]
pub struct Describe {
    pub kinds: CategoryTable,
    /// `None`: only what the file is.
    pub readers: Option<Readers>,
    pub form: Form,
}

/// All that was found out about one file.
struct Found<'p> {
    path: &'p Path,
    size: u64,
    kind: Fact<Kind>,
    metadata: Fact<Metadata>,
    origin: Fact<Origin>,
    bytes_read: usize,
}

impl Describe {
    /// One answer for each path, on all processors, in the order of the paths.
    pub fn all(&self, paths: &[PathBuf]) -> Vec<Result<String, String>> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(paths.len());
        let next = AtomicUsize::new(0);
        let answers: Mutex<Vec<Option<Result<String, String>>>> =
            Mutex::new(vec![None; paths.len()]);
        let work = || {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(path) = paths.get(at) else { return };
                let answer = self.one(path);
                answers.lock().unwrap_or_else(PoisonError::into_inner)[at] = Some(answer);
            }
        };
        if threads <= 1 {
            work();
        } else {
            std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
        }
        let answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
        answers.into_iter().flatten().collect()
    }

    /// The answer for one file, or the complaint about it.
    pub fn one(&self, path: &Path) -> Result<String, String> {
        let found =
            self.look(path).map_err(|why| format!("{}: {why}", name::shown(path.as_os_str())))?;
        Ok(match self.form {
            Form::Json => shown::json(&found),
            Form::Text => shown::text(&found),
        })
    }

    fn look<'p>(&self, path: &'p Path) -> Result<Found<'p>, String> {
        let (mut file, size) = open(path)?;
        let name = path.file_name().unwrap_or_default();
        let looked = if inspect::is_placeholder(file.as_fd(), name, size) {
            let why = "the content is in the cloud and is not read";
            let kind = inspect::from_name(name, Some(why), &self.kinds);
            inspect::Looked { kind, bytes_read: 0 }
        } else {
            inspect::look(&mut file, name, size, &self.kinds)
        };
        let metadata = match (&self.readers, looked.kind.value()) {
            (Some(readers), Some(kind)) => readers.metadata(&file, kind, size),
            _ => Fact::Unread,
        };
        let origin = inspect::origin(&file);
        let inspect::Looked { kind, bytes_read } = looked;
        Ok(Found { path, size, kind, metadata, origin, bytes_read })
    }
}

impl Found<'_> {
    /// The part of its category that it is, as far as it was asked what it says of itself.
    fn part(&self) -> Option<Category> {
        let name = self.path.file_name().unwrap_or_default();
        parts::part(self.kind.value()?, name, &self.metadata)
    }
}

/// Opens a regular file, by way of symlinks too: whoever names it means what it stands for.
fn open(path: &Path) -> Result<(File, u64), String> {
    // What it is, before it is opened: opening a device can do things.
    let before = std::fs::metadata(path).map_err(|e| e.to_string())?;
    if before.is_dir() {
        return Err("it is a folder; name the files in it".into());
    }
    if !before.is_file() {
        return Err("it is not a regular file".into());
    }
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC);
    let file = options.open(path).map_err(|e| e.to_string())?;
    let now = file.metadata().map_err(|e| e.to_string())?;
    if now.is_file() { Ok((file, now.len())) } else { Err("it is not a regular file".into()) }
}
