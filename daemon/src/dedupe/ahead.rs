//! Positioned reads, and telling the kernel what will be wanted next.

use std::io;
use std::num::NonZeroU64;
use std::os::fd::AsFd;

use rustix::io::Errno;

use super::hash::CHUNK;
use crate::{kindness, reading};

/// What is asked for ahead of a long reading. The kernel reads at most about this much for one request anyway.
pub(super) const WINDOW: u64 = 1 << 20;

/// Whether a reading waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    Yes,
    /// Only what is in memory (`RWF_NOWAIT`, preadv2(2)); where that cannot be told it waits all the same.
    No,
}

/// Fills the buffer; fewer bytes only at the end of the file, or where what follows is not in memory. `None`: nothing of
/// it is.
pub(super) fn read(
    file: &impl AsFd,
    offset: u64,
    buf: &mut [u8],
    wait: Wait,
) -> io::Result<Option<usize>> {
    if wait == Wait::No {
        match read_now(file, offset, buf) {
            Ok(n) => {
                reading::have_read(n);
                kindness::have_read(n);
                return Ok(Some(n));
            }
            Err(Errno::AGAIN) => return Ok(None),
            // A file system that cannot tell (tmpfs, FUSE).
            Err(Errno::OPNOTSUPP | Errno::INTR | Errno::NOSYS) => {}
            Err(e) => return Err(e.into()),
        }
    }
    let mut filled = 0;
    while filled < buf.len() {
        match rustix::io::pread(file, &mut buf[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    reading::have_read(filled);
    kindness::have_read(filled);
    Ok(Some(filled))
}

#[cfg(target_os = "linux")]
fn read_now(file: &impl AsFd, offset: u64, buf: &mut [u8]) -> Result<usize, Errno> {
    use rustix::io::{IoSliceMut, ReadWriteFlags, preadv2};
    preadv2(file, &mut [IoSliceMut::new(buf)], offset, ReadWriteFlags::NOWAIT)
}

#[cfg(not(target_os = "linux"))]
fn read_now(_: &impl AsFd, _: u64, _: &mut [u8]) -> Result<usize, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Has the kernel begin to read a part of the file. Only advice: an error is of no interest.
pub(super) fn announce(file: &impl AsFd, offset: u64, len: u64) {
    #[cfg(target_os = "linux")]
    let _ = rustix::fs::fadvise(file, offset, NonZeroU64::new(len), rustix::fs::Advice::WillNeed);
    #[cfg(not(target_os = "linux"))]
    let _ = (file, offset, NonZeroU64::new(len));
}

/// For a reading of `len` bytes in pieces of [`CHUNK`] that has come to `at`: asks for what comes after, a window at a
/// time, so that the disk works while we hash.
pub(super) fn of(file: &impl AsFd, at: u64, len: u64) {
    let next = at + WINDOW;
    if len > WINDOW && at.is_multiple_of(WINDOW) && next < len {
        announce(file, next, WINDOW);
    }
}

const _: () = assert!(WINDOW.is_multiple_of(CHUNK as u64));
