//! The names of files: as they were given, and from standard input where one of them is `-`.

use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, Read};
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::vec::IntoIter;

/// Files that are looked at together: enough for every processor, few enough to wait for the slowest.
const BATCH: usize = 256;

/// Bytes of names read at once.
const BUFFER: usize = 64 * 1024;

/// Longest name taken from standard input, in bytes: 16 times what a path can have (`PATH_MAX`).
const NAME_MAX: u64 = 64 * 1024;

/// Names in batches.
#[derive(Debug)]
pub struct Names<R> {
    given: IntoIter<PathBuf>,
    input: BufReader<R>,
    /// What ends a name on standard input.
    end: u8,
    reading: bool,
}

/// Nobody ends a name.
#[derive(Debug, thiserror::Error)]
#[error("a name in it is longer than {NAME_MAX} bytes")]
struct TooLong;

impl<R: Read> Names<R> {
    /// `null`: names on standard input end in a NUL byte.
    pub fn new(given: Vec<PathBuf>, null: bool, input: R) -> Self {
        let end = if null { 0 } else { b'\n' };
        Self {
            given: given.into_iter(),
            input: BufReader::with_capacity(BUFFER, input),
            end,
            reading: false,
        }
    }

    /// The next names; none at the end. Whoever writes names one by one gets answers one by one.
    ///
    /// # Errors
    /// Standard input cannot be read.
    pub fn batch(&mut self) -> io::Result<Vec<PathBuf>> {
        let mut batch = Vec::new();
        while batch.len() < BATCH {
            if self.reading {
                // A name that has not come yet may be long in coming.
                if !batch.is_empty() && !self.input.buffer().contains(&self.end) {
                    break;
                }
                match self.read()? {
                    Some(name) => batch.extend((!name.as_os_str().is_empty()).then_some(name)),
                    None => self.reading = false,
                }
                continue;
            }
            match self.given.next() {
                Some(name) if name.as_os_str() == "-" => self.reading = true,
                Some(name) => batch.push(name),
                None => break,
            }
        }
        Ok(batch)
    }

    fn read(&mut self) -> io::Result<Option<PathBuf>> {
        let mut name = Vec::new();
        let read = self.input.by_ref().take(NAME_MAX).read_until(self.end, &mut name)?;
        if read == 0 {
            return Ok(None);
        }
        if name.last() == Some(&self.end) {
            name.pop();
        } else if name.len() as u64 == NAME_MAX {
            // What follows would be taken for names, and there may be no end to it.
            return Err(io::Error::new(io::ErrorKind::InvalidData, TooLong));
        }
        Ok(Some(OsString::from_vec(name).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Input that comes in pieces.
    struct Pieces(Vec<&'static [u8]>);

    impl Read for Pieces {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let piece = self.0.remove(0);
            buf[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        }
    }

    fn batches(given: &[&str], null: bool, pieces: &[&'static [u8]]) -> Vec<Vec<String>> {
        let given = given.iter().map(PathBuf::from).collect();
        let mut names = Names::new(given, null, Pieces(pieces.to_vec()));
        let batches = std::iter::from_fn(|| Some(names.batch().unwrap()).filter(|b| !b.is_empty()));
        batches.map(|b| b.iter().map(|n| n.display().to_string()).collect()).collect()
    }

    #[test]
    fn names_come_in_order_and_those_of_standard_input_where_the_dash_stands() {
        assert_eq!(
            batches(&["a", "-", "d"], false, &[b"b\n\nc\n"]),
            [vec!["a"], vec!["b", "c"], vec!["d"]]
        );
        assert_eq!(batches(&["-"], true, &[b"a\nb\0c"]), [["a\nb"], ["c"]]);
        assert_eq!(batches(&["-"], false, &[]), Vec::<Vec<String>>::new());
    }

    #[test]
    fn a_name_that_does_not_end_is_an_error_and_not_several_names() {
        let max = NAME_MAX as usize;
        let input = |len: usize| [vec![b'x'; len], b"\nb\n".to_vec()].concat();
        let read = |len: usize| Names::new(vec!["-".into()], false, &input(len)[..]).batch();
        assert_eq!(read(max - 1).unwrap().len(), 1);
        for len in [max, max + 1, 5 * max] {
            assert!(read(len).unwrap_err().to_string().contains("longer than"), "{len}");
        }
    }

    #[test]
    fn who_writes_one_by_one_is_answered_one_by_one() {
        assert_eq!(batches(&["-"], false, &[b"a\n", b"b", b"c\n"]), [["a"], ["bc"]]);
    }
}
