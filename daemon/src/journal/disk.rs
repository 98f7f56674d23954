//! The few calls with which the journal changes the disk, behind a trait so that tests can fail them.

#![expect(clippy::disallowed_methods, reason = "the journal's own segment files")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::JournalError;

/// What the journal does to its own directory.
pub(super) trait Disk: Send + Sync + std::fmt::Debug {
    /// Creates a file that must not exist yet; mode 0600, opened for appending.
    fn create(&self, path: &Path) -> io::Result<File>;
    /// Appends all of `bytes`.
    fn append(&self, file: &File, bytes: &[u8]) -> io::Result<()>;
    /// `fdatasync(2)`.
    fn sync(&self, file: &File) -> io::Result<()>;
    /// Whether the file has no name any more: what is written to it goes away with the process, however well it is synced.
    fn is_removed(&self, file: &File) -> bool {
        use std::os::unix::fs::MetadataExt;
        file.metadata().is_ok_and(|stat| stat.nlink() == 0)
    }
}

/// The real one.
#[derive(Debug)]
pub(super) struct RealDisk;

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<File> {
        use std::os::unix::fs::OpenOptionsExt;
        OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)
    }

    fn append(&self, mut file: &File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }
}

/// Creates the journal's directory, for its owner only.
pub(super) fn create_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_dir(parent),
        _ => Ok(()),
    }
}

/// Makes names in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Opens a segment for appending.
pub(super) fn reopen(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).open(path)
}

/// Cuts a segment's tail off and makes that durable.
pub(super) fn cut(path: &Path, len: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(len)?;
    file.sync_all()
}

/// Bytes in a segment.
pub(super) fn len(path: &Path) -> Result<u64, JournalError> {
    fs::metadata(path).map(|m| m.len()).map_err(JournalError::io("look at", path))
}

/// Removes a segment.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

/// Keeps a copy of a damaged segment beside it, once.
pub(super) fn keep_aside(path: &Path) -> io::Result<()> {
    let copy = path.with_extension("damaged");
    if fs::symlink_metadata(&copy).is_ok() {
        return Ok(());
    }
    fs::copy(path, &copy)?;
    File::open(&copy)?.sync_all()
}
