//! Bounded reading: the only way this room looks at content.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Something with bytes at offsets.
pub trait Bytes {
    /// Reads up to `buf.len()` bytes at `offset`; 0 at and past the end.
    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;
}

impl Bytes for File {
    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        FileExt::read_at(self, buf, offset)
    }
}

impl Bytes for &File {
    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        FileExt::read_at(*self, buf, offset)
    }
}

impl Bytes for &[u8] {
    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|o| self.get(o..)).unwrap_or(&[]);
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }
}

/// Bytes read first, and all that is looked at of a text.
pub const HEAD: usize = 4096;
/// Bytes read of one file at most, the head included.
pub const MAX_READ: usize = 192 * 1024;
/// Calls of `read` for one file at most.
const MAX_CALLS: usize = 64;

/// A file's head, and a budget for looking further in.
pub(super) struct Window<'a> {
    source: &'a mut dyn Bytes,
    head: Vec<u8>,
    len: u64,
    read: usize,
    calls: usize,
}

impl<'a> Window<'a> {
    /// Reads the head. `len` is the file's size as far as known.
    pub(super) fn open(source: &'a mut dyn Bytes, len: u64) -> io::Result<Self> {
        let mut w = Self { source, head: Vec::new(), len, read: 0, calls: 0 };
        w.head = w.fetch(0, HEAD)?;
        Ok(w)
    }

    /// The first bytes: [`HEAD`] of them, or the whole of a shorter file.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Whether the head is the whole file.
    pub(super) fn is_whole(&self) -> bool {
        self.head.len() < HEAD || self.len <= HEAD as u64
    }

    /// The file's size.
    pub(super) fn len(&self) -> u64 {
        self.len.max(self.head.len() as u64)
    }

    /// Bytes read so far.
    pub(super) fn bytes_read(&self) -> usize {
        self.read
    }

    /// Up to `n` bytes at `offset`: fewer at the end of the file, none when they cannot be read or
    /// the budget is spent. What lies further in only refines, so an error there is no answer.
    pub(super) fn at(&mut self, offset: u64, n: usize) -> Vec<u8> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        if let Some(bytes) = start.checked_add(n).and_then(|end| self.head.get(start..end)) {
            return bytes.to_vec();
        }
        self.fetch(offset, n).unwrap_or_default()
    }

    fn fetch(&mut self, offset: u64, n: usize) -> io::Result<Vec<u8>> {
        let mut buf = vec![0; n.min(MAX_READ - self.read)];
        let mut filled = 0;
        while filled < buf.len() && self.calls < MAX_CALLS {
            match self.source.read_at(offset.saturating_add(filled as u64), &mut buf[filled..]) {
                Ok(0) => break,
                Ok(n) => {
                    self.calls += 1;
                    filled += n.min(buf.len() - filled);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => self.calls += 1,
                Err(e) => return Err(e),
            }
            // A whole file shorter than asked for needs no second call to learn of its end.
            if offset.saturating_add(filled as u64) >= self.len.max(1) {
                break;
            }
        }
        self.read += filled;
        buf.truncate(filled);
        Ok(buf)
    }
}

/// Little-endian number at `at`, if it is there.
pub(super) fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Little-endian number at `at`, if it is there.
pub(super) fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Big-endian number at `at`, if it is there.
pub(super) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Whether `needle` occurs in `hay`.
pub(super) fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len().max(1)).any(|w| w == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_budget_is_read() {
        struct Endless(usize);
        impl Bytes for Endless {
            fn read_at(&mut self, _: u64, buf: &mut [u8]) -> io::Result<usize> {
                self.0 += buf.len();
                Ok(buf.len())
            }
        }
        let mut endless = Endless(0);
        let mut w = Window::open(&mut endless, u64::MAX).unwrap();
        for i in 1..100 {
            w.at(i * 1_000_000, 60_000);
        }
        assert_eq!(w.bytes_read(), MAX_READ);
        assert_eq!(endless.0, MAX_READ);
    }

    #[test]
    fn a_window_ends_where_the_file_ends() {
        let mut source: &[u8] = b"abcdef";
        let mut w = Window::open(&mut source, 6).unwrap();
        assert_eq!(w.at(4, 10), b"ef");
        assert_eq!(w.at(6, 10), b"");
        assert_eq!(w.at(u64::MAX, 10), b"");
        assert_eq!(w.bytes_read(), 6 + 2);
    }
}
