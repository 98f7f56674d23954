//! Containers of sound and film whose header does not say which: EBML, ASF, Ogg, and MPEG audio
//! behind an ID3 tag.

use super::bytes::{Window, contains};
use super::plausible::mpeg_frame;
use super::table::{ASF, MKV};

/// Matroska and WebM (RFC 8794, RFC 9559): the document type, then the kinds of the tracks.
pub(super) fn ebml(w: &mut Window<'_>) -> &'static str {
    let head = w.head();
    let preamble = &head[..head.len().min(64)];
    if contains(preamble, b"webm") {
        return "video/webm";
    }
    // TrackType is element 0x83, one byte long: 1 video, 2 audio, 0x11 subtitles.
    let body = w.at(0, 32 * 1024);
    let tracks = body.windows(4).position(|b| b == b"\x16\x54\xAE\x6B");
    let tracks = tracks.map_or(&[][..], |at| &body[at..body.len().min(at + 8192)]);
    let has = |kind: u8| contains(tracks, &[0x83, 0x81, kind]);
    match (has(1), has(2), has(0x11)) {
        (false, true, _) => "audio/matroska",
        (false, false, true) => "application/x-matroska-subtitles",
        _ => MKV,
    }
}

/// ASF: the stream properties objects hold the GUID of their media.
pub(super) fn asf(w: &mut Window<'_>) -> &'static str {
    const AUDIO: &[u8] = b"\x40\x9E\x69\xF8\x4D\x5B\xCF\x11\xA8\xFD\x00\x80\x5F\x5C\x44\x2B";
    const VIDEO: &[u8] = b"\xC0\xEF\x19\xBC\x4D\x5B\xCF\x11\xA8\xFD\x00\x80\x5F\x5C\x44\x2B";
    let body = w.at(0, 24 * 1024);
    match (contains(&body, VIDEO), contains(&body, AUDIO)) {
        (true, _) => "video/x-ms-wmv",
        (false, true) => "audio/x-ms-wma",
        (false, false) => ASF,
    }
}

/// Ogg (RFC 3533): the first pages begin the streams, one each.
pub(super) fn ogg(head: &[u8]) -> &'static str {
    const STREAMS: &[(&[u8], &str)] = &[
        (b"\x80theora", "video/ogg"),
        (b"\x01video\0", "video/ogg"),
        (b"BBCD\0", "video/ogg"),
        (b"OpusHead", "audio/opus"),
        (b"Speex   ", "audio/speex"),
        (b"\x01vorbis", "audio/ogg"),
        (b"\x7FFLAC", "audio/ogg"),
    ];
    let begin = &head[..head.len().min(1024)];
    // Streams of other kinds are sound, but for ones nobody makes any more.
    STREAMS.iter().find(|(magic, _)| contains(begin, magic)).map_or("audio/ogg", |(_, media)| media)
}

/// What stands behind an ID3v2 tag (id3.org, ID3v2.4 section 3.1), which many formats carry.
pub(super) fn behind_id3(w: &mut Window<'_>) -> &'static str {
    const MP3: &str = "audio/mpeg";
    let Some(size) = w.head().get(6..10) else { return MP3 };
    // Four bytes of seven bits each.
    let size = size.iter().fold(0u64, |n, b| (n << 7) | u64::from(b & 0x7f));
    let next = w.at(10 + size, 16);
    match next.as_slice() {
        [b'f', b'L', b'a', b'C', ..] => "audio/flac",
        [b'M', b'A', b'C', b' ', ..] => "audio/ape",
        [b'M', b'P', b'+' | b'C', ..] => "audio/x-musepack",
        [b'T', b'T', b'A', b'1' | b'2', ..] => "audio/x-tta",
        [b'w', b'v', b'p', b'k', ..] => "audio/wavpack",
        [b'F', b'O', b'R', b'M', ..] => "audio/aiff",
        bytes => mpeg_frame(bytes).map_or(MP3, |(media, _)| media),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_id3_tag_precedes_decides() {
        let of = |after: &[u8]| {
            let bytes = [b"ID3\x03\0\0\0\0\0\x02xx", after].concat();
            let mut source = bytes.as_slice();
            behind_id3(&mut Window::open(&mut source, bytes.len() as u64).unwrap())
        };
        assert_eq!(of(b"fLaC"), "audio/flac");
        assert_eq!(of(b"\xff\xfb\x90\0"), "audio/mpeg");
        assert_eq!(of(b"\xff\xf1\x50\x80\x02\x1f\xfc"), "audio/aac");
        assert_eq!(of(b""), "audio/mpeg");
    }

    #[test]
    fn the_tracks_of_a_matroska_file_decide() {
        let of = |tracks: &[u8]| {
            let begin = b"\x1A\x45\xDF\xA3\x80\x42\x82\x88matroska\x16\x54\xAE\x6B";
            let bytes = [begin, tracks].concat();
            let mut source = bytes.as_slice();
            ebml(&mut Window::open(&mut source, bytes.len() as u64).unwrap())
        };
        assert_eq!(of(b"\x83\x81\x02"), "audio/matroska");
        assert_eq!(of(b"\x83\x81\x01\x83\x81\x02"), "video/matroska");
        assert_eq!(of(b"\x83\x81\x11"), "application/x-matroska-subtitles");
    }
}
