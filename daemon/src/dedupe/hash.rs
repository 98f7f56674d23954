//! Digests and comparison of open files, in bounded memory.
//!
//! All reads are positioned, so a file may be shared between threads and read again.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use tidy_core::facts::Digest;

use super::DedupeError;

/// Bytes of the head that is compared before anything else is read: one page, one disk read.
pub const HEAD_LEN: usize = 4096;
/// Bytes read at once. Larger ones were no faster; this fits the second-level cache.
const CHUNK: usize = 128 * 1024;

/// The first 16 bytes of BLAKE3 over the first [`HEAD_LEN`] bytes of a file. Two files with
/// different heads differ; equal heads say only that it is worth reading on.
pub type Head = [u8; 16];

/// The head of an open file.
pub fn head(file: &File) -> io::Result<Head> {
    head_and_digest(file).map(|(head, _)| head)
}

/// The head; and the digest too when the file is no longer than that.
pub(super) fn head_and_digest(file: &File) -> io::Result<(Head, Option<Digest>)> {
    // One byte more, to see whether the file goes on.
    let mut buf = [0; HEAD_LEN + 1];
    let n = fill(file, 0, &mut buf)?;
    let hash = *blake3::hash(&buf[..n.min(HEAD_LEN)]).as_bytes();
    let mut head = Head::default();
    head.copy_from_slice(&hash[..16]);
    Ok((head, (n <= HEAD_LEN).then_some(Digest(hash))))
}

/// BLAKE3 of the whole file, which must be `len` bytes long from beginning to end of the reading:
/// else [`DedupeError::Changed`].
pub fn digest(file: &File, len: u64) -> Result<Digest, DedupeError> {
    let mut hasher = blake3::Hasher::new();
    let mut buf = vec![0; CHUNK];
    let mut at = 0u64;
    // A file that grows faster than it is read must not hold us: stop at the first byte too many.
    while at <= len {
        let n = fill(file, at, &mut buf)?;
        hasher.update(&buf[..n]);
        at += n as u64;
        if n < buf.len() {
            break;
        }
    }
    if at == len { Ok(Digest(*hasher.finalize().as_bytes())) } else { Err(DedupeError::Changed) }
}

/// Whether two open files have the same bytes now, compared one by one. The caller checks the
/// identities before and after.
pub fn equal(a: &File, b: &File) -> io::Result<bool> {
    let (mut left, mut right) = (vec![0; CHUNK], vec![0; CHUNK]);
    let mut at = 0u64;
    loop {
        let n = fill(a, at, &mut left)?;
        let m = fill(b, at, &mut right)?;
        if left[..n] != right[..m] {
            return Ok(false);
        }
        if n < left.len() {
            return Ok(true);
        }
        at += n as u64;
    }
}

/// Fills the buffer; fewer bytes only at the end of the file.
fn fill(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buf.len() {
        match file.read_at(&mut buf[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file
    }

    #[test]
    fn a_digest_is_that_of_the_bytes_or_none() {
        for len in [0, 1, HEAD_LEN, HEAD_LEN + 1, CHUNK - 1, CHUNK, CHUNK + 1] {
            let content: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            let f = file(&content);
            let expected = Digest(*blake3::hash(&content).as_bytes());
            assert_eq!(digest(&f, len as u64).unwrap(), expected, "{len}");
            assert!(matches!(digest(&f, len as u64 + 1), Err(DedupeError::Changed)));
            if len > 0 {
                assert!(matches!(digest(&f, len as u64 - 1), Err(DedupeError::Changed)));
            }
            let (_, short) = head_and_digest(&f).unwrap();
            assert_eq!(short, (len <= HEAD_LEN).then_some(expected), "{len}");
        }
    }

    #[test]
    fn heads_differ_only_when_the_heads_do() {
        let long = vec![7; HEAD_LEN + 9];
        let mut tail = long.clone();
        tail[HEAD_LEN] = 8;
        let mut front = long.clone();
        front[HEAD_LEN - 1] = 8;
        assert_eq!(head(&file(&long)).unwrap(), head(&file(&tail)).unwrap());
        assert_ne!(head(&file(&long)).unwrap(), head(&file(&front)).unwrap());
    }

    #[test]
    fn equal_means_every_byte_and_the_length() {
        let long = vec![7; CHUNK + 9];
        let mut other = long.clone();
        other[CHUNK + 8] = 8;
        assert!(equal(&file(&long), &file(&long)).unwrap());
        assert!(!equal(&file(&long), &file(&other)).unwrap());
        assert!(!equal(&file(&long), &file(&long[..CHUNK])).unwrap());
        assert!(equal(&file(b""), &file(b"")).unwrap());
    }
}
