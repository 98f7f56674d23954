//! The first bytes of what is compressed: enough to name what a single compressed file holds.
//!
//! A kilobyte is unpacked at most (of a tar file four), into a buffer of that size, by a library without unsafe code.

use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use super::text;

/// Bytes unpacked.
const UNPACKED: usize = 1024;
/// Bytes of what a caller has that are worth unpacking.
pub(super) const PACKED: usize = 1024;

/// The beginning of a raw deflate stream (RFC 1951), as far as it goes.
pub(super) fn inflate(deflated: &[u8]) -> Vec<u8> {
    inflate_to(&deflated[..deflated.len().min(PACKED)], UNPACKED)
}

fn inflate_to(packed: &[u8], most: usize) -> Vec<u8> {
    let mut out = vec![0; most];
    let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF | TINFL_FLAG_HAS_MORE_INPUT;
    let mut state = DecompressorOxide::default();
    let (_, _, written) = decompress(&mut state, packed, &mut out, 0, flags);
    out.truncate(written);
    out
}

/// The beginning of what a gzip file holds, at most so many bytes.
pub(super) fn gunzip(head: &[u8], most: usize) -> Option<Vec<u8>> {
    body(head).map(|deflated| inflate_to(deflated, most))
}

/// What a gzip file (RFC 1952) is when programs save their documents so; else a compressed file.
pub(super) fn gzip(head: &[u8]) -> &'static str {
    let begin = body(head).map(inflate).unwrap_or_default();
    let is = |magic: &[u8]| begin.starts_with(magic);
    if is(b"BLENDER") {
        return "application/x-blender";
    }
    if is(b"\x01\0\0\0") && begin.get(40..44) == Some(b" EMF") {
        return "image/emf";
    }
    if is(b"\xd7\xcd\xc6\x9a") {
        return "image/wmf";
    }
    let root = text::decode(&begin).and_then(|text| text::root(&text));
    match root {
        Some("image/svg+xml") => "image/svg+xml-compressed",
        Some(
            media @ ("application/x-gnumeric"
            | "application/x-dia-diagram"
            | "audio/x-ableton-live"
            | "application/x-abiword"),
        ) => media,
        _ => super::table::GZIP,
    }
}

/// Where the stream begins: behind the header and the parts that its flags announce.
fn body(head: &[u8]) -> Option<&[u8]> {
    let flags = *head.get(3)?;
    let mut rest = head.get(10..)?;
    if flags & 4 != 0 {
        let len = usize::from(super::bytes::le16(rest, 0)?);
        rest = rest.get(2 + len..)?;
    }
    for announced in [8, 16] {
        if flags & announced != 0 {
            let end = rest.iter().position(|b| *b == 0)?;
            rest = &rest[end + 1..];
        }
    }
    if flags & 2 != 0 { rest.get(2..) } else { Some(rest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stored block, as a deflate stream may have it.
    pub(in super::super) fn stored(text: &[u8]) -> Vec<u8> {
        let len = text.len() as u16;
        [&[1u8][..], &len.to_le_bytes(), &(!len).to_le_bytes(), text].concat()
    }

    fn packed(flags: u8, extra: &[u8], text: &[u8]) -> Vec<u8> {
        let head = [0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3];
        [&head[..], extra, &stored(text)].concat()
    }

    #[test]
    fn what_is_saved_compressed_is_named() {
        for (text, media) in [
            (b"<?xml version='1.0'?><svg xmlns='x'/>".as_slice(), "image/svg+xml-compressed"),
            (
                b"<?xml version='1.0'?><gnm:Workbook xmlns:gnm='http://www.gnumeric.org/v10.dtd'>",
                "application/x-gnumeric",
            ),
            (b"BLENDER-v279", "application/x-blender"),
            (b"a log\n", "application/gzip"),
            (b"", "application/gzip"),
        ] {
            assert_eq!(gzip(&packed(0, b"", text)), media);
            assert_eq!(gzip(&packed(8 | 4, b"\x02\0xyname\0", text)), media);
        }
        assert_eq!(gzip(b"\x1f\x8b\x08"), "application/gzip");
        assert_eq!(gzip(&[0x1f, 0x8b, 8, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff]), "application/gzip");
    }

    #[test]
    fn no_more_than_the_beginning_is_unpacked() {
        let long = stored(&[b'x'; 60_000]);
        assert!(inflate(&long).len() <= UNPACKED);
        assert!(inflate(&[0xff; 40]).is_empty());
    }
}
