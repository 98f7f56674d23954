//! Copying and comparing what is in a file.

use std::os::fd::BorrowedFd;

use rustix::io::{Errno, retry_on_intr};
use tidy_core::facts::Digest;

use super::check::{BUFFER, read_full};
use super::entry::Entry;
use super::error::ActError;
#[cfg(target_os = "linux")]
use super::error::is_not_supported;

/// Holes are made in multiples of this; smaller ones hardly pay, and most file systems use it.
const BLOCK: usize = 4096;

/// Copies `size` bytes into the empty file `to`. Returns the digest of what was read, or `None`
/// where the file system shares the blocks of both files (`FICLONE`), which copies nothing.
///
/// `SEEK_HOLE` and `copy_file_range` are not used: the source will be deleted, and both have been
/// seen to tell of holes where there was data.
pub(super) fn copy(
    from: BorrowedFd<'_>,
    from_entry: Entry<'_>,
    to: BorrowedFd<'_>,
    to_entry: Entry<'_>,
    size: u64,
) -> Result<Option<Digest>, ActError> {
    #[cfg(target_os = "linux")]
    if rustix::fs::ioctl_ficlone(to, from).is_ok() {
        return Ok(None);
    }
    let sparse = is_sparse(from, size).map_err(ActError::io("look at", from_entry.path()))?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; BUFFER];
    let mut offset = 0;
    loop {
        let n = read_full(from, &mut buffer, offset)
            .map_err(ActError::io("read", from_entry.path()))?;
        let chunk = &buffer[..n];
        if n as u64 > size - offset {
            return Err(ActError::SourceChanged { path: from_entry.path() });
        }
        hasher.update(chunk);
        let written =
            if sparse { write_sparse(to, chunk, offset) } else { write(to, chunk, offset) };
        written.map_err(ActError::io("write", to_entry.path()))?;
        offset += n as u64;
        if n < BUFFER {
            break;
        }
    }
    if offset != size {
        return Err(ActError::SourceChanged { path: from_entry.path() });
    }
    if sparse {
        // A hole at the end was never written.
        rustix::fs::ftruncate(to, size).map_err(ActError::io("write", to_entry.path()))?;
    }
    Ok(Some(Digest(hasher.finalize().into())))
}

/// Makes the empty file `to` share the blocks of `from`.
pub(super) fn share(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    to_entry: Entry<'_>,
) -> Result<(), ActError> {
    let lacks = |why| {
        let path = to_entry.dir.path().to_owned();
        ActError::NoSuchLink { what: "reflinks", path, why }
    };
    #[cfg(target_os = "linux")]
    match rustix::fs::ioctl_ficlone(to, from) {
        Ok(()) => Ok(()),
        Err(Errno::XDEV) => Err(lacks("the file is on another file system")),
        Err(e) if e == Errno::INVAL || e == Errno::NOTTY || is_not_supported(e) => {
            Err(lacks("the file system cannot share blocks between files"))
        }
        Err(e) => Err(ActError::io("share the blocks of the file with", to_entry.path())(e)),
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (from, to);
        Err(lacks("tidyd can do that on Linux only"))
    }
}

/// The digest of what is on the disk, as far as the system lets us ask it rather than its cache.
pub(super) fn read_back(fd: BorrowedFd<'_>, entry: Entry<'_>) -> Result<Digest, ActError> {
    forget_cached(fd);
    digest(fd).map_err(ActError::io("read back", entry.path()))
}

/// BLAKE3 of an open file.
pub(super) fn digest(fd: BorrowedFd<'_>) -> Result<Digest, Errno> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; BUFFER];
    let mut offset = 0;
    loop {
        let n = read_full(fd, &mut buffer, offset)?;
        hasher.update(&buffer[..n]);
        offset += n as u64;
        if n < BUFFER {
            return Ok(Digest(hasher.finalize().into()));
        }
    }
}

/// Only advice: failing changes nothing but the strength of the check.
fn forget_cached(fd: BorrowedFd<'_>) {
    #[cfg(target_os = "linux")]
    let _ = rustix::fs::fadvise(fd, 0, None, rustix::fs::Advice::DontNeed);
    #[cfg(target_os = "macos")]
    let _ = rustix::fs::fcntl_nocache(fd, true);
    #[cfg(not(any(target_os = "linux", target_os = "macos")))]
    let _ = fd;
}

/// Whether fewer blocks are allocated than its size needs: only then zeros may become holes, so
/// that a file whose space was reserved keeps it.
fn is_sparse(fd: BorrowedFd<'_>, size: u64) -> Result<bool, Errno> {
    let s = rustix::fs::fstat(fd)?;
    // `st_blocks` counts 512 bytes whatever the file system's block is (stat(3type)).
    Ok(u64::try_from(s.st_blocks).unwrap_or(u64::MAX).saturating_mul(512) < size)
}

fn write(fd: BorrowedFd<'_>, mut data: &[u8], mut offset: u64) -> Result<(), Errno> {
    while !data.is_empty() {
        let n = retry_on_intr(|| rustix::io::pwrite(fd, data, offset))?;
        if n == 0 {
            return Err(Errno::IO);
        }
        data = &data[n..];
        offset += n as u64;
    }
    Ok(())
}

/// Writes what is not zero, in runs of blocks.
fn write_sparse(fd: BorrowedFd<'_>, chunk: &[u8], offset: u64) -> Result<(), Errno> {
    let is_hole = |block: &[u8]| block.len() == BLOCK && block == [0; BLOCK];
    let mut run = 0;
    let mut at = 0;
    for block in chunk.chunks(BLOCK) {
        if is_hole(block) {
            write(fd, &chunk[run..at], offset + run as u64)?;
            run = at + block.len();
        }
        at += block.len();
    }
    write(fd, &chunk[run..], offset + run as u64)
}
