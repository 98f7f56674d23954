//! Frames: a length and one CBOR item.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The largest frame a client may send, in bytes after the length.
pub const MAX_REQUEST: u32 = 1 << 20;

/// The largest frame the daemon sends. Lists are paged to stay far below it.
pub const MAX_REPLY: u32 = 16 << 20;

/// How deep CBOR may be nested.
pub const MAX_DEPTH: usize = 32;

/// What can be wrong with a frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("the connection ended in the middle of a frame")]
    Truncated,
    #[error("a frame of {len} bytes is over the limit of {limit}")]
    TooLong { len: u64, limit: u32 },
    #[error("not the CBOR that was expected: {0}")]
    Malformed(String),
    #[error("bytes follow the CBOR item in its frame")]
    Trailing,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// One item as CBOR.
pub fn encode<T: Serialize>(item: &T) -> Result<Vec<u8>, FrameError> {
    let mut bytes = Vec::new();
    ciborium::into_writer(item, &mut bytes).map_err(|e| FrameError::Malformed(e.to_string()))?;
    Ok(bytes)
}

/// One item from CBOR that fills the slice exactly.
pub fn decode<T: DeserializeOwned>(mut bytes: &[u8]) -> Result<T, FrameError> {
    let item = ciborium::de::from_reader_with_recursion_limit(&mut bytes, MAX_DEPTH)
        .map_err(|e| FrameError::Malformed(e.to_string()))?;
    // ciborium stops at the end of the item and says nothing of what follows.
    if bytes.is_empty() { Ok(item) } else { Err(FrameError::Trailing) }
}

/// Writes one frame with one call, so that writers on the same socket cannot interleave.
pub fn write_frame<T: Serialize>(
    out: &mut impl Write,
    item: &T,
    limit: u32,
) -> Result<(), FrameError> {
    out.write_all(&framed(item, limit)?)?;
    Ok(())
}

/// One item with its length in front.
pub(crate) fn framed<T: Serialize>(item: &T, limit: u32) -> Result<Vec<u8>, FrameError> {
    let body = encode(item)?;
    let len = body.len() as u64;
    let short = u32::try_from(len).ok().filter(|l| *l <= limit);
    let short = short.ok_or(FrameError::TooLong { len, limit })?;
    let mut frame = Vec::with_capacity(body.len() + 4);
    frame.extend_from_slice(&short.to_be_bytes());
    frame.extend_from_slice(&body);
    Ok(frame)
}

/// Reads the bytes of one frame; `None` at a clean end of the connection.
pub fn read_frame(input: &mut impl Read, limit: u32) -> Result<Option<Vec<u8>>, FrameError> {
    let mut len = [0; 4];
    let mut got = 0;
    while got < len.len() {
        match input.read(&mut len[got..]) {
            Ok(0) if got == 0 => return Ok(None),
            Ok(0) => return Err(FrameError::Truncated),
            Ok(n) => got += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
    let len = u32::from_be_bytes(len);
    if len > limit {
        return Err(FrameError::TooLong { len: len.into(), limit });
    }
    let mut body = vec![0; len as usize];
    match input.read_exact(&mut body) {
        Ok(()) => Ok(Some(body)),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(FrameError::Truncated),
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Call, Message};

    #[test]
    fn a_frame_is_read_whole_or_not_at_all() {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, &"hello", MAX_REQUEST).unwrap();
        assert_eq!(bytes, b"\x00\x00\x00\x06\x65hello");
        let body = read_frame(&mut &bytes[..], MAX_REQUEST).unwrap().unwrap();
        assert_eq!(decode::<String>(&body).unwrap(), "hello");
        assert!(read_frame(&mut &[][..], 9).unwrap().is_none());
        for cut in 1..bytes.len() {
            let cut = read_frame(&mut &bytes[..cut], MAX_REQUEST);
            assert!(matches!(cut, Err(FrameError::Truncated)));
        }
    }

    #[test]
    fn limits_are_checked_before_anything_is_read() {
        let huge = u32::MAX.to_be_bytes();
        let refused = read_frame(&mut &huge[..], MAX_REQUEST);
        assert!(matches!(refused, Err(FrameError::TooLong { .. })));
        assert!(matches!(framed(&"four", 3), Err(FrameError::TooLong { .. })));
    }

    #[test]
    fn trailing_bytes_and_deep_nesting_are_refused() {
        assert!(matches!(decode::<u8>(&[1, 1]), Err(FrameError::Trailing)));
        let deep = [vec![0x81; 10_000], vec![0x01]].concat();
        assert!(matches!(decode::<ciborium::Value>(&deep), Err(FrameError::Malformed(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode::<Call>(&bytes).map(|c| c.request());
            let _ = decode::<Message>(&bytes);
            let _ = read_frame(&mut &bytes[..], 1000);
        }
    }
}
