//! Segment files: their names, their header, and reading one.
//!
//! ```text
//! "TIDYJRNL" │ u32 version │ u64 number │ u64 log │ u64 next op │ u32 CRC32C of the 36 bytes before │ frames…
//! ```
//! All integers big-endian. `log` is drawn when the first segment is made and the same in all that
//! follow, so that an index of another log is recognised. The first frame is a checkpoint.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use tidy_core::operation::OpId;

use super::JournalError;
use super::frame::{self, TooLong};
use super::record::{Checkpoint, Position, Record};
use super::record_v1;

/// Bytes before the first frame.
pub(super) const HEADER: usize = 40;

const MAGIC: &[u8; 8] = b"TIDYJRNL";
const VERSION: u32 = 1;

/// A segment is read whole. It is rolled long before this: a larger file is not ours.
pub(super) const MAX_BYTES: u64 = 256 << 20;

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) number: u64,
    pub(super) log: u64,
    /// Above every operation number in the segments before. Keeps numbers from being used again
    /// even when all of those are gone.
    pub(super) next_op: u64,
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        out[..8].copy_from_slice(MAGIC);
        out[8..12].copy_from_slice(&VERSION.to_be_bytes());
        out[12..20].copy_from_slice(&self.number.to_be_bytes());
        out[20..28].copy_from_slice(&self.log.to_be_bytes());
        out[28..36].copy_from_slice(&self.next_op.to_be_bytes());
        let crc = crc32c::crc32c(&out[..36]);
        out[36..].copy_from_slice(&crc.to_be_bytes());
        out
    }

    /// `Ok(None)` when it is damaged; `Err` has the version when that is one we do not know.
    fn decode(bytes: &[u8]) -> Result<Option<Self>, u32> {
        let Some((body, crc)) = bytes.first_chunk::<HEADER>().map(|h| h.split_at(36)) else {
            return Ok(None);
        };
        if &body[..8] != MAGIC || crc32c::crc32c(body).to_be_bytes() != crc {
            return Ok(None);
        }
        let int = |at: usize| body[at..at + 8].iter().fold(0, |n, b| n << 8 | u64::from(*b));
        let version = (int(4) & u64::from(u32::MAX)) as u32;
        if version != VERSION {
            return Err(version);
        }
        Ok(Some(Self { number: int(12), log: int(20), next_op: int(28) }))
    }
}

/// The file of a segment.
pub(super) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:016}.log"))
}

/// The files under the names of segments.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The segments of the log, ascending. A damaged header does not make it another's.
    pub(super) numbers: Vec<u64>,
    /// The number of the log; `None` when no header can be read.
    pub(super) log: Option<u64>,
    /// The highest number in use, by whatever.
    pub(super) last_number: u64,
    /// What is none of this log's segments, and why not. Never read, never changed.
    pub(super) strangers: Vec<(PathBuf, String)>,
}

/// Tells the segments of a log from what else may lie under such a name: copies of segments, those of
/// another log, directories. A log is what most headers say it is; of two, the one that goes on.
pub(super) fn survey(dir: &Path) -> Result<Listing, JournalError> {
    let mut listing = Listing::default();
    let mut found = Vec::new();
    let mut logs: BTreeMap<u64, (usize, u64)> = BTreeMap::new();
    for number in list(dir)? {
        let path = path(dir, number);
        listing.last_number = number;
        // Followed: a segment may be kept elsewhere.
        match std::fs::metadata(&path) {
            Ok(meta) if meta.is_file() => {}
            Ok(_) => {
                listing.strangers.push((path, "it is not a file".into()));
                continue;
            }
            // It went since the directory was read.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                listing.strangers.push((path, "it leads nowhere".into()));
                continue;
            }
            Err(e) => return Err(JournalError::io("look at", &path)(e)),
        }
        let header = header_of(&path)?;
        match header {
            Some(h) if h.number != number => {
                listing.strangers.push((path, format!("it is a copy of segment {}", h.number)));
                continue;
            }
            Some(h) => {
                let (count, newest) = logs.entry(h.log).or_default();
                (*count, *newest) = (*count + 1, number);
            }
            None => {}
        }
        found.push((number, header));
    }
    listing.log = logs.into_iter().max_by_key(|(_, weight)| *weight).map(|(log, _)| log);
    for (number, header) in found {
        match header {
            Some(h) if Some(h.log) != listing.log => {
                listing.strangers.push((path(dir, number), "it belongs to another journal".into()));
            }
            _ => listing.numbers.push(number),
        }
    }
    Ok(listing)
}

/// What a segment begins with.
pub(super) fn opening(header: Header, checkpoint: &Checkpoint) -> Result<Vec<u8>, TooLong> {
    let mut bytes = header.encode().to_vec();
    frame::push(&mut bytes, |out| record_v1::encode_checkpoint(checkpoint, out))?;
    Ok(bytes)
}

/// The header of a segment, `None` when it is damaged.
fn header_of(path: &Path) -> Result<Option<Header>, JournalError> {
    let mut bytes = Vec::with_capacity(HEADER);
    File::open(path)
        .and_then(|f| f.take(HEADER as u64).read_to_end(&mut bytes))
        .map_err(JournalError::io("read", path))?;
    let newer = |version| JournalError::Newer { path: path.to_owned(), version };
    Header::decode(&bytes).map_err(newer)
}

/// The lowest number that operations have which begin after a segment, as the next one says; `None` where there is
/// none that can be read.
pub(super) fn next_op_after(dir: &Path, number: u64) -> Result<Option<OpId>, JournalError> {
    for next in survey(dir)?.numbers.into_iter().filter(|n| *n > number) {
        if let Some(header) = header_of(&path(dir, next))? {
            return Ok(Some(OpId(header.next_op)));
        }
    }
    Ok(None)
}

/// The numbers of all files under the name of a segment, ascending.
pub(super) fn list(dir: &Path) -> Result<Vec<u64>, JournalError> {
    let failed = || JournalError::io("list", dir);
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed())? {
        numbers.extend(number_of(&entry.map_err(failed())?.file_name()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn number_of(name: &OsStr) -> Option<u64> {
    let digits = name.to_str()?.strip_suffix(".log")?;
    (digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_digit())).then_some(())?;
    digits.parse().ok()
}

/// A part of a segment that is not readable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    pub at: Position,
    /// Bytes skipped.
    pub bytes: u64,
    pub what: String,
}

/// A segment in memory.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    /// `None` when damaged.
    pub(super) header: Option<Header>,
    bytes: Vec<u8>,
}

/// How reading a segment ended.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) damage: Vec<Damage>,
    pub(super) records: u64,
    /// Where the bytes after the last readable frame begin; the segment's length when there are none.
    pub(super) end: u64,
    /// There are such bytes, and they are not what a write that was cut short leaves: fewer than the
    /// length field says, or zeros.
    pub(super) tail_is_strange: bool,
}

impl Segment {
    pub(super) fn read(dir: &Path, number: u64) -> Result<Self, JournalError> {
        let path = path(dir, number);
        let mut bytes = Vec::new();
        File::open(&path)
            .and_then(|f| f.take(MAX_BYTES).read_to_end(&mut bytes))
            .map_err(JournalError::io("read", &path))?;
        match Header::decode(&bytes) {
            Ok(header) => Ok(Self { number, header: header.filter(|h| h.number == number), bytes }),
            Err(version) => Err(JournalError::Newer { path, version }),
        }
    }

    /// Bytes in the file.
    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Visits every record from the offset on. What is not readable is skipped, up to the next
    /// frame that is.
    pub(super) fn scan(&self, from: u64, mut visit: impl FnMut(Position, Record)) -> Scan {
        let mut strange = Vec::new();
        let mut scan = self.scan_frames(from, |pos, payload| match record_v1::decode(payload) {
            Ok(record) => visit(self.at(pos), record),
            Err(e) => strange.push(self.damage(pos, frame_len(payload) as u64, e.to_string())),
        });
        scan.damage.extend(strange);
        scan
    }

    /// Checks every frame, without reading what is in it.
    pub(super) fn check(&self) -> Scan {
        self.scan_frames(0, |_, _| {})
    }

    fn scan_frames(&self, from: u64, mut visit: impl FnMut(usize, &[u8])) -> Scan {
        let mut scan = Scan::default();
        if self.header.is_none() {
            let bytes = (HEADER as u64).min(self.len());
            scan.damage.push(self.damage(0, bytes, "the header is damaged".into()));
        }
        let mut pos = usize::try_from(from).unwrap_or(usize::MAX).max(HEADER);
        while let Some(rest) = self.bytes.get(pos..).filter(|r| !r.is_empty()) {
            match frame::take(rest) {
                Ok(payload) => {
                    visit(pos, payload);
                    scan.records += 1;
                    pos += frame_len(payload);
                }
                Err(bad) => match frame::resync(rest) {
                    Some(skip) => {
                        let what = format!("bad frame ({bad:?})");
                        scan.damage.push(self.damage(pos, skip as u64, what));
                        pos += skip;
                    }
                    None => {
                        scan.tail_is_strange =
                            bad != frame::Bad::Short && rest.iter().any(|b| *b != 0);
                        break;
                    }
                },
            }
        }
        scan.end = (pos as u64).min(self.len());
        scan
    }

    /// The record at an offset.
    pub(super) fn record_at(&self, offset: u64) -> Option<Record> {
        let rest = self.bytes.get(usize::try_from(offset).ok()?..)?;
        record_v1::decode(frame::take(rest).ok()?).ok()
    }

    fn at(&self, pos: usize) -> Position {
        Position { segment: self.number, offset: pos as u64 }
    }

    pub(super) fn damage(&self, pos: usize, bytes: u64, what: String) -> Damage {
        Damage { at: self.at(pos), bytes, what }
    }
}

fn frame_len(payload: &[u8]) -> usize {
    frame::HEAD + payload.len()
}
