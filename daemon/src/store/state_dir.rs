//! The state directory: ours alone, and used by one process at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::StoreError;

/// A state directory that this process holds. The lock is given up when it is dropped, or when the process ends in
/// any way.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    _lock: File,
}

impl StateDir {
    /// Makes the directory (mode 0700, as the XDG base directory specification asks) when it is
    /// missing, checks that it is a directory of ours that others cannot write, and takes the lock.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let path = std::path::absolute(path).map_err(|e| StoreError::io(path, e))?;
        let missing: Vec<_> =
            path.ancestors().take_while(|p| matches!(p.try_exists(), Ok(false))).collect();
        match DirBuilder::new().recursive(true).mode(0o700).create(&path) {
            Ok(()) => {}
            Err(e) => return Err(not_made(&path, e)),
        }
        // What the journal makes durable in here is as durable as the names above it.
        for parent in missing.into_iter().filter_map(Path::parent) {
            let synced = File::open(parent).and_then(|dir| dir.sync_all());
            synced.map_err(|e| StoreError::io(parent, e))?;
        }
        check(&path)?;
        let lock = take_lock(&path)?;
        Ok(Self { path, _lock: lock })
    }

    /// The directory itself, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the sled database is.
    pub fn store(&self) -> PathBuf {
        self.path.join(tidy_config::STORE_DIR)
    }

    /// Where the journal's segments are.
    pub fn journal(&self) -> PathBuf {
        self.path.join(tidy_config::JOURNAL_DIR)
    }
}

fn not_made(path: &Path, error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            StoreError::NotADirectory(path.to_owned())
        }
        _ => StoreError::io(path, error),
    }
}

fn check(path: &Path) -> Result<(), StoreError> {
    let meta = fs::metadata(path).map_err(|e| StoreError::io(path, e))?;
    let us = rustix::process::geteuid().as_raw();
    if !meta.is_dir() {
        Err(StoreError::NotADirectory(path.to_owned()))
    } else if meta.uid() != us {
        Err(StoreError::NotOurs { path: path.to_owned(), owner: meta.uid(), us })
    } else if meta.mode() & 0o002 != 0 {
        Err(StoreError::Exposed(path.to_owned()))
    } else {
        Ok(())
    }
}

fn take_lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join(tidy_config::LOCK_FILE);
    let no_symlink = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(no_symlink)
        .open(&path)
        .map_err(|e| StoreError::io(&path, e))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StoreError::InUse { path: dir.to_owned(), pid: holder(&mut file) });
        }
        Err(TryLockError::Error(e)) => return Err(StoreError::io(&path, e)),
    }
    // The number only helps the person who meets a locked directory: on a full disk we go without.
    let _ = write_pid(&mut file);
    Ok(file)
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
