//! What a file is apart from its name and place: what filing must not change.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags, fgetxattr, flistxattr, open};

/// A file without its name. Two are equal when nobody could tell one from the other but by where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Thing {
    pub(crate) digest: blake3::Hash,
    pub(crate) size: u64,
    pub(crate) mode: u32,
    /// Nanoseconds since the epoch.
    pub(crate) modified: i128,
    /// Of all extended attributes of the user's.
    attributes: blake3::Hash,
}

impl Thing {
    /// Through a descriptor: what is read belongs to one inode, whatever happens to names meanwhile.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        let stat = file.metadata()?;
        let mut hasher = blake3::Hasher::new();
        // A description of its own: the position of the caller's is not ours to move.
        let mut own = File::open(by_descriptor(file))?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match own.read(&mut buffer)? {
                0 => break,
                read => drop(hasher.update(&buffer[..read])),
            }
        }
        Ok(Self {
            digest: hasher.finalize(),
            size: stat.len(),
            mode: stat.mode() & 0o7777,
            modified: i128::from(stat.mtime()) * 1_000_000_000 + i128::from(stat.mtime_nsec()),
            attributes: attributes(&own),
        })
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { digest, size, mode, modified, .. } = self;
        write!(
            f,
            "{}… of {size} bytes, mode {mode:04o}, modified {modified}",
            &digest.to_hex()[..8]
        )
    }
}

fn by_descriptor(file: &File) -> String {
    use std::os::fd::AsRawFd as _;
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// Where a descriptor's file is now, as the kernel has it.
pub(crate) fn place_of(file: &File) -> io::Result<std::path::PathBuf> {
    fs::read_link(by_descriptor(file))
}

/// Opens a name without following it and without waiting for anybody: a handle on what has this name now.
pub(crate) fn hold(path: &Path) -> io::Result<File> {
    let handle = open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    Ok(File::from(handle))
}

/// Opens a regular file for reading. A symlink, a fifo or a directory is an error.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(open(path, flags, Mode::empty())?);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// The digest of names and values in `user.`; of nothing where the file system has none.
fn attributes(file: impl AsFd) -> blake3::Hash {
    let mut names = vec![0; 64 * 1024];
    let length = flistxattr(&file, &mut names[..]).unwrap_or(0);
    let mut names: Vec<&[u8]> =
        names[..length].split(|b| *b == 0).filter(|n| n.starts_with(b"user.")).collect();
    names.sort_unstable();
    let mut hasher = blake3::Hasher::new();
    for name in names {
        let mut value = vec![0; 4096];
        let length = fgetxattr(&file, name, &mut value[..]).unwrap_or(0);
        hasher.update(name).update(b"=").update(&value[..length]).update(b"\0");
    }
    hasher.finalize()
}
