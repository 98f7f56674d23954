//! A file with a budget.

use std::ffi::c_void;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Bytes that one reader may read of one file. Pictures' headers and tags are far below; some
/// formats keep them at the end, and seeking is free.
const BYTES: u64 = 16 * 1024 * 1024;

/// Time that one reader may take, reading included.
const TIME: Duration = Duration::from_secs(2);

/// Size of a file that is mapped as a whole at most: the process of the readers has an address space of
/// a few times that.
const WHOLE: u64 = 256 * 1024 * 1024;

/// A file in memory, to be read.
#[derive(Debug)]
pub struct Mapped {
    at: *mut c_void,
    len: usize,
}

impl Mapped {
    fn new(file: &File, len: u64) -> io::Result<Self> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        if len == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
        let at = unsafe {
            mmap(std::ptr::null_mut(), len, ProtFlags::READ, MapFlags::PRIVATE, file, 0)?
        };
        Ok(Self { at, len })
    }
}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the mapping is `len` bytes long, readable, and lives as long as `self`. Files are read
        // when they are at rest, and are checked again before anything is done with them; whoever
        // shortens one meanwhile ends the process of the readers (SIGBUS), which is what it is for.
        unsafe { std::slice::from_raw_parts(self.at.cast(), self.len) }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: it was mapped by `new` with that length, and no slice of it outlives `self`.
        let unmapped = unsafe { munmap(self.at, self.len) };
        debug_assert!(unmapped.is_ok());
    }
}

// SAFETY: it is never written to, so any thread may read it.
unsafe impl Send for Mapped {}
// SAFETY: likewise.
unsafe impl Sync for Mapped {}

/// A file that ends in an error when too much is asked of it. Its position is its own.
#[derive(Debug)]
pub struct Limited<'f> {
    file: &'f File,
    len: u64,
    at: u64,
    left: u64,
    until: Instant,
}

impl<'f> Limited<'f> {
    /// The whole budget; `len` is the size of the file in bytes.
    pub fn new(file: &'f File, len: u64) -> Self {
        Self { file, len, at: 0, left: BYTES, until: Instant::now() + TIME }
    }

    /// The size of the file in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// All of it at once, for readers that jump about in it: mapped, so that only what they look at is
    /// read.
    ///
    /// # Errors
    /// It is too large, or cannot be mapped.
    pub fn whole(&self) -> Result<Arc<Mapped>, String> {
        if self.len > WHOLE {
            return Err(format!("it is too large to be read: {} bytes", self.len));
        }
        Mapped::new(self.file, self.len).map(Arc::new).map_err(|e| e.to_string())
    }

    /// Whether the file is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Read for Limited<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() || self.at >= self.len {
            return Ok(0);
        }
        if self.left == 0 || Instant::now() >= self.until {
            return Err(io::Error::other("reading what it says of itself takes too long"));
        }
        let most = usize::try_from(self.left.min(self.len - self.at)).unwrap_or(buf.len());
        let most = most.min(buf.len());
        let n = self.file.read_at(&mut buf[..most], self.at)?;
        self.at += n as u64;
        self.left -= n as u64;
        Ok(n)
    }
}

impl Seek for Limited<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_and_seeks_like_a_file_until_the_budget_is_used_up() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(b"0123456789", 0).unwrap();
        let mut limited = Limited { left: 8, ..Limited::new(&file, 10) };
        let mut buf = [0; 4];
        limited.seek(SeekFrom::End(-4)).unwrap();
        limited.read_exact(&mut buf).unwrap();
        assert_eq!(&buf, b"6789");
        assert_eq!(limited.read(&mut buf).unwrap(), 0);
        limited.seek(SeekFrom::Start(2)).unwrap();
        limited.read_exact(&mut buf).unwrap();
        assert_eq!(&buf, b"2345");
        assert!(limited.read(&mut buf).is_err(), "the budget is used up");
        assert!(limited.seek(SeekFrom::Current(-100)).is_err());
    }

    #[test]
    fn a_whole_file_is_mapped_unless_it_is_too_large() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(b"0123456789", 0).unwrap();
        let whole = Limited::new(&file, 10).whole().unwrap();
        assert_eq!((*whole).as_ref(), b"0123456789");
        assert!(Limited::new(&file, 0).whole().is_err());
        assert!(Limited::new(&file, WHOLE + 1).whole().is_err());
    }

    #[test]
    fn no_reader_goes_on_for_ever() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(b"0123456789", 0).unwrap();
        let mut late = Limited { until: Instant::now(), ..Limited::new(&file, 10) };
        assert!(late.read(&mut [0; 4]).is_err());
    }
}
