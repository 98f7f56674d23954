//! Digests and comparison of open files, in bounded memory.
//!
//! All reads are positioned, so a file may be shared between threads and read again.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use tidy_core::facts::Digest;

use super::DedupeError;
use super::ahead::{self, Wait};

/// Bytes of the head that is compared before anything else is read: one page, one disk read.
pub const HEAD_LEN: usize = 4096;
/// In files of this length and more the last [`HEAD_LEN`] bytes belong to the head too: many formats begin alike, few
/// end alike, and a second read is far less than all of it. (The kernel reads 128 KiB at once anyway.)
pub const TAIL_FROM: u64 = 128 * 1024;
/// Files up to this length are read as a whole at the first look: opening them again costs more.
pub(super) const WHOLE: usize = 16 * 1024;
/// Bytes read at once. Larger ones were no faster; this fits the second-level cache.
pub(super) const CHUNK: usize = 128 * 1024;

/// The first 16 bytes of BLAKE3 over the first [`HEAD_LEN`] bytes of a file, and the last ones if it is as long as
/// [`TAIL_FROM`]. Two files of one length with different heads differ; equal heads say only that it is worth
/// reading on.
pub type Head = [u8; 16];

/// The head of an open file of `len` bytes; and the digest too when the file is short enough to be read as a whole.
/// `None`: it is not in memory, and not to be waited for.
pub(super) fn first_look(
    file: &impl AsFd,
    len: u64,
    buf: &mut Vec<u8>,
    wait: Wait,
) -> Result<Option<(Head, Option<Digest>)>, DedupeError> {
    let whole = usize::try_from(len).ok().filter(|len| *len <= WHOLE);
    if let Some(len) = whole {
        // One byte more, to see whether the file goes on.
        buf.resize(len + 1, 0);
        return match ahead::read(file, 0, buf, wait)? {
            Some(n) if n == len => {
                let digest = blake3::hash(&buf[..len]);
                let head = match len {
                    0..=HEAD_LEN => digest,
                    _ => blake3::hash(&buf[..HEAD_LEN]),
                };
                Ok(Some((short(head), Some(Digest(*digest.as_bytes())))))
            }
            Some(n) if n > len || wait == Wait::Yes => Err(DedupeError::Changed),
            // What there is of it, so far.
            _ => Ok(None),
        };
    }
    let ends = if len >= TAIL_FROM { 2 } else { 1 };
    buf.resize(HEAD_LEN * ends, 0);
    let tail = len.saturating_sub(HEAD_LEN as u64);
    for (part, at) in buf.chunks_exact_mut(HEAD_LEN).zip([0, tail]) {
        match ahead::read(file, at, part, wait)? {
            Some(HEAD_LEN) => {}
            Some(_) if wait == Wait::Yes => return Err(DedupeError::Changed),
            _ => return Ok(None),
        }
    }
    Ok(Some((short(blake3::hash(buf)), None)))
}

fn short(hash: blake3::Hash) -> Head {
    let mut head = Head::default();
    head.copy_from_slice(&hash.as_bytes()[..16]);
    head
}

/// BLAKE3 of the whole file, which must be `len` bytes long from beginning to end of the reading:
/// else [`DedupeError::Changed`].
pub fn digest(file: &File, len: u64) -> Result<Digest, DedupeError> {
    digest_with(file, len, &mut Vec::new(), Wait::Yes)?.ok_or(DedupeError::Changed)
}

/// The same, with a buffer to be used again. `None`: it is not in memory, and not to be waited for.
pub(super) fn digest_with(
    file: &impl AsFd,
    len: u64,
    buf: &mut Vec<u8>,
    wait: Wait,
) -> Result<Option<Digest>, DedupeError> {
    let mut hasher = blake3::Hasher::new();
    buf.resize(CHUNK, 0);
    let mut at = 0u64;
    let mut wait = wait;
    // A file that grows faster than it is read must not hold us: stop at the first byte too many.
    while at <= len {
        ahead::of(file, at, len);
        let Some(n) = ahead::read(file, at, buf, wait)? else { return Ok(None) };
        if wait == Wait::No && n < buf.len() && at + (n as u64) < len {
            return Ok(None);
        }
        // The beginning is in memory, so the rest is worth waiting for.
        wait = Wait::Yes;
        hasher.update(&buf[..n]);
        at += n as u64;
        if n < buf.len() {
            break;
        }
    }
    if at == len {
        Ok(Some(Digest(*hasher.finalize().as_bytes())))
    } else {
        Err(DedupeError::Changed)
    }
}

/// The digest of `first`, and which of `others` have the very same bytes: read side by side, and compared, so that of
/// all of them only one is hashed. All must be `len` bytes long, else [`DedupeError::Changed`] for the first, and
/// "not equal" for another.
pub(super) fn digest_and_equals(
    first: &impl AsFd,
    others: &[Option<impl AsFd>],
    len: u64,
    (left, right): (&mut Vec<u8>, &mut Vec<u8>),
) -> Result<(Digest, Vec<bool>), DedupeError> {
    let mut hasher = blake3::Hasher::new();
    let mut equal: Vec<bool> = others.iter().map(Option::is_some).collect();
    left.resize(CHUNK, 0);
    right.resize(CHUNK, 0);
    let mut at = 0u64;
    while at <= len {
        ahead::of(first, at, len);
        let n = fill(first, at, left)?;
        for (other, equal) in others.iter().zip(&mut equal) {
            let Some(other) = other.as_ref().filter(|_| *equal) else { continue };
            ahead::of(other, at, len);
            // One that cannot be read is not equal; its own reading will say why.
            let m = fill(other, at, right).unwrap_or(usize::MAX);
            *equal = m == n && left[..n] == right[..n];
        }
        hasher.update(&left[..n]);
        at += n as u64;
        if n < left.len() {
            break;
        }
    }
    if at == len {
        Ok((Digest(*hasher.finalize().as_bytes()), equal))
    } else {
        Err(DedupeError::Changed)
    }
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
fn fill(file: &impl AsFd, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    ahead::read(file, offset, buf, Wait::Yes).map(Option::unwrap_or_default)
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

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i % 251) as u8).collect()
    }

    fn look(content: &[u8]) -> (Head, Option<Digest>) {
        let looked = first_look(&file(content), content.len() as u64, &mut Vec::new(), Wait::Yes);
        looked.unwrap().unwrap()
    }

    #[test]
    fn a_digest_is_that_of_the_bytes_or_none() {
        for len in [0, 1, HEAD_LEN, HEAD_LEN + 1, WHOLE, WHOLE + 1, CHUNK - 1, CHUNK, CHUNK + 1] {
            let content = bytes(len);
            let f = file(&content);
            let expected = Digest(*blake3::hash(&content).as_bytes());
            assert_eq!(digest(&f, len as u64).unwrap(), expected, "{len}");
            assert!(matches!(digest(&f, len as u64 + 1), Err(DedupeError::Changed)));
            if len > 0 {
                assert!(matches!(digest(&f, len as u64 - 1), Err(DedupeError::Changed)));
            }
            assert_eq!(look(&content).1, (len <= WHOLE).then_some(expected), "{len}");
        }
    }

    #[test]
    fn heads_differ_only_when_both_ends_do() {
        let edited = |len: usize, at: usize| {
            let mut content = bytes(len);
            content[at] ^= 1;
            look(&content).0
        };
        let long = TAIL_FROM as usize;
        // (length, place of the difference, whether the head shows it)
        for (len, at, seen) in [
            (HEAD_LEN + 9, HEAD_LEN - 1, true),
            (HEAD_LEN + 9, HEAD_LEN, false),
            (WHOLE + 9, WHOLE + 8, false),
            (long - 1, long - 2, false),
            (long, long - 1, true),
            (long, long - HEAD_LEN, true),
            (long, long - HEAD_LEN - 1, false),
        ] {
            assert_eq!(look(&bytes(len)).0 != edited(len, at), seen, "{len} {at}");
        }
    }

    #[test]
    fn a_file_of_another_length_has_changed() {
        for len in [5, WHOLE - 1, WHOLE + 1, CHUNK] {
            let f = file(&bytes(len));
            let look = |len: usize| first_look(&f, len as u64, &mut Vec::new(), Wait::Yes);
            assert!(matches!(look(len + HEAD_LEN * 40), Err(DedupeError::Changed)), "{len}");
            assert!(matches!(look(len), Ok(Some(_))));
        }
        let grown = first_look(&file(&bytes(6)), 5, &mut Vec::new(), Wait::Yes);
        assert!(matches!(grown, Err(DedupeError::Changed)));
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

    #[test]
    fn side_by_side_is_the_same_as_one_by_one() {
        let len = 2 * CHUNK + 9;
        let content = bytes(len);
        let (mut first, mut last) = (content.clone(), content.clone());
        first[0] ^= 1;
        last[len - 1] ^= 1;
        let others = [
            Some(file(&content)),
            Some(file(&first)),
            None,
            Some(file(&last)),
            Some(file(&content[1..])),
            Some(file(&[&content[..], b"more"].concat())),
            Some(file(&content)),
        ];
        let buffers = (&mut Vec::new(), &mut Vec::new());
        let (digest, equal) =
            digest_and_equals(&file(&content), &others, len as u64, buffers).unwrap();
        assert_eq!(digest.0, *blake3::hash(&content).as_bytes());
        assert_eq!(equal, [true, false, false, false, false, false, true]);
        let none: [Option<File>; 0] = [];
        let buffers = (&mut Vec::new(), &mut Vec::new());
        let longer = digest_and_equals(&file(&content), &none, len as u64 + 1, buffers);
        assert!(matches!(longer, Err(DedupeError::Changed)));
    }
}
