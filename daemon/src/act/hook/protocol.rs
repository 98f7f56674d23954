//! What is said between us and the helper: frames of a length (u32, big-endian) and CBOR.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// Longest frame in bytes: arguments, and what a command said.
const MAX: usize = 1024 * 1024;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) id: u64,
    pub(super) argv: Vec<ByteBuf>,
    pub(super) dir: ByteBuf,
    /// All there is.
    pub(super) env: Vec<(String, ByteBuf)>,
    pub(super) limit_ms: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ended {
    pub(super) id: u64,
    /// Why it is no success.
    pub(super) failure: Option<String>,
    /// The end of what it wrote to both outputs, bounded.
    pub(super) output: ByteBuf,
}

pub(super) fn write_frame(to: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut frame = vec![0; 4];
    ciborium::into_writer(value, &mut frame).map_err(io::Error::other)?;
    let len = frame.len() - 4;
    if len > MAX {
        return Err(io::Error::other("it is too long"));
    }
    let prefix = u32::try_from(len).map_err(io::Error::other)?.to_be_bytes();
    frame[..4].copy_from_slice(&prefix);
    to.write_all(&frame)?;
    to.flush()
}

/// `None` at the end.
pub(super) fn read_frame<T: for<'de> Deserialize<'de>>(
    from: &mut impl Read,
) -> io::Result<Option<T>> {
    let mut len = [0; 4];
    match from.read_exact(&mut len) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let len = u32::from_be_bytes(len) as usize;
    if len > MAX {
        return Err(io::Error::other("it is too long"));
    }
    let mut frame = vec![0; len];
    from.read_exact(&mut frame)?;
    ciborium::from_reader(frame.as_slice()).map(Some).map_err(io::Error::other)
}
