//! Signatures of two or three bytes: whether what follows them is what their format would have there.
//!
//! One file in some hundred begins by chance with two bytes that stand for something, so that they are believed
//! only when the fields behind them make sense as well.

use file_format::FileFormat;

use super::bytes::{le16, le32};

/// Whether the header makes sense; `None` where there is nothing to go by but the signature.
pub(super) fn holds(format: FileFormat, head: &[u8], len: u64) -> Option<bool> {
    let whether = match format {
        FileFormat::AdvancedAudioCoding
        | FileFormat::Mpeg12AudioLayer2
        | FileFormat::Mpeg12AudioLayer3 => mpeg_frames(head).is_some(),
        // Any zlib stream begins so; a disk image has a trailer, which is looked for elsewhere.
        FileFormat::AppleDiskImage => false,
        FileFormat::ArchivedByRobertJung => le16(head, 2).is_some_and(|n| (30..=2600).contains(&n)),
        FileFormat::AudioCodec3 => ac3(head),
        FileFormat::AutodeskAnimator | FileFormat::AutodeskAnimatorPro => flic(head),
        FileFormat::CommonObjectFileFormat => coff(head, len),
        FileFormat::Cpio => cpio(head),
        FileFormat::DerCertificate => der(head, len),
        FileFormat::PictureExchange => pcx(head),
        FileFormat::SiliconGraphicsImage => {
            matches!(head, [1, 0xda, 0 | 1, 1 | 2, 0, 1..=3, ..])
        }
        // Bits for the longest code, and two that are always 0 (compress(1)).
        FileFormat::UnixCompress if head.get(1) == Some(&0x9d) => {
            head.get(2).is_some_and(|b| (9..=16).contains(&(b & 0x1f)) && b & 0x60 == 0)
        }
        FileFormat::WindowsCursor | FileFormat::WindowsIcon => icon(head, len),
        FileFormat::WindowsMetafile if head.first() != Some(&0xd7) => {
            matches!(head, [1 | 2, 0, 9, 0, 0, 1 | 3, ..])
        }
        _ => return None,
    };
    Some(whether)
}

/// The media type of MPEG audio (ISO/IEC 11172-3, 2.4.1.3) or AAC in ADTS (ISO/IEC 14496-3) when a second frame
/// begins where the first one ends, or the file ends in the first.
pub(super) fn mpeg_frames(head: &[u8]) -> Option<&'static str> {
    let (media, len) = mpeg_frame(head)?;
    match head.get(len..) {
        Some(rest) if rest.len() >= 4 => {
            mpeg_frame(rest).filter(|(m, _)| *m == media).map(|_| media)
        }
        _ => Some(media),
    }
}

/// A frame header's media type, and the frame's length in bytes.
pub(super) fn mpeg_frame(bytes: &[u8]) -> Option<(&'static str, usize)> {
    let [0xff, second, third, fourth, ..] = *bytes else { return None };
    if second & 0xe0 != 0xe0 || (second >> 3) & 3 == 1 {
        return None;
    }
    let layer = (second >> 1) & 3;
    if layer == 0 {
        return adts(bytes);
    }
    let (rate, frequency) = (usize::from(third >> 4), usize::from((third >> 2) & 3));
    // Neither the free nor the forbidden bit rate, nor the reserved sampling rate, nor that emphasis.
    if rate == 0 || rate == 15 || frequency == 3 || fourth & 3 == 2 {
        return None;
    }
    let old = (second >> 3) & 3 != 3;
    let hertz = [44_100, 48_000, 32_000][frequency]
        / match (second >> 3) & 3 {
            3 => 1,
            2 => 2,
            _ => 4,
        };
    let padding = usize::from((third >> 1) & 1);
    Some(match (layer, old) {
        (3, _) => {
            let kilobits = if old { SECOND_I[rate] } else { 32 * rate };
            ("audio/mp2", (12_000 * kilobits / hertz + padding) * 4)
        }
        (2, false) => ("audio/mp2", 144_000 * FIRST_II[rate] / hertz + padding),
        (2, true) => ("audio/mp2", 144_000 * SECOND_II[rate] / hertz + padding),
        (_, false) => ("audio/mpeg", 144_000 * FIRST_III[rate] / hertz + padding),
        (_, true) => ("audio/mpeg", 72_000 * SECOND_II[rate] / hertz + padding),
    })
}

/// Kilobits a second by version and layer; the first layer of version 1 has 32 for each step.
const FIRST_II: [usize; 15] = [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384];
const FIRST_III: [usize; 15] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const SECOND_I: [usize; 15] = [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256];
const SECOND_II: [usize; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];

fn adts(bytes: &[u8]) -> Option<(&'static str, usize)> {
    let [0xff, second, third, a, b, c, ..] = *bytes else { return None };
    let known_rate = (third >> 2) & 0xf < 13;
    let len = (usize::from(a & 3) << 11) | (usize::from(b) << 3) | usize::from(c >> 5);
    (second & 0xf6 == 0xf0 && known_rate && len >= 7).then_some(("audio/aac", len))
}

/// A version of the interpreter before the line's end (`Lib/importlib/_bootstrap_external.py`), and no text.
pub(super) fn python_code(head: &[u8]) -> bool {
    let version = le16(head, 0).is_some_and(
        |v| matches!(v, 3000..=3999 | 20121 | 50428 | 50823 | 60202 | 60717 | 62000..=62300),
    );
    version && head.len() >= 16 && head.get(4..).is_some_and(|rest| rest.contains(&0))
}

/// ATSC A/52, 5.4.1: a sampling rate and a frame size that exist, and a bit stream of a known sort.
fn ac3(head: &[u8]) -> bool {
    let [0x0b, 0x77, _, _, sizes, stream, ..] = *head else { return false };
    let ac3 = sizes >> 6 != 3 && sizes & 0x3f < 38 && stream >> 3 <= 10;
    // Enhanced AC-3 has other fields there, but says in the same bits which it is.
    ac3 || (11..=16).contains(&(stream >> 3))
}

/// The size of the file, then the signature, then frames and a picture of a size.
fn flic(head: &[u8]) -> bool {
    let sides = le16(head, 8).zip(le16(head, 10));
    le16(head, 6).is_some_and(|frames| frames <= 4000)
        && sides.is_some_and(|(w, h)| (1..=4096).contains(&w) && (1..=4096).contains(&h))
        && le16(head, 12).is_some_and(|depth| matches!(depth, 0 | 8 | 15 | 16 | 24 | 32))
}

/// Sections, and a table of symbols within the file (PE/COFF specification, 3.3).
fn coff(head: &[u8], len: u64) -> bool {
    let sections = le16(head, 2).unwrap_or(0);
    let symbols = le32(head, 8).map_or(u64::MAX, u64::from);
    head.first() != Some(&0)
        && (1..2000).contains(&sections)
        && symbols < len
        && le16(head, 16).is_some_and(|optional| optional <= 256)
}

/// Old binary headers have the length of the name, with its zero, at 20.
fn cpio(head: &[u8]) -> bool {
    let name = le16(head, 20).unwrap_or(0);
    match head {
        [b'0', b'7', b'0', b'7', b'0', b'1' | b'2' | b'7', ..] => true,
        [0xc7, 0x71, ..] => (2..=4096).contains(&name),
        [0x71, 0xc7, ..] => (2..=4096).contains(&name.swap_bytes()),
        _ => false,
    }
}

/// A sequence as long as the file (X.690, 8.1), perhaps with a line's end behind it.
fn der(head: &[u8], len: u64) -> bool {
    let [0x30, 0x82, a, b, inner, ..] = *head else { return false };
    let stated = u64::from(u16::from_be_bytes([a, b])) + 4;
    (stated..=stated + 2).contains(&len) && matches!(inner, 2 | 6 | 0x30)
}

/// A version, an encoding, and as many bits a pixel as there are.
fn pcx(head: &[u8]) -> bool {
    let corners = |at| le16(head, at).unwrap_or(0);
    matches!(head, [10, 0 | 2..=5, 0 | 1, 1 | 2 | 4 | 8, ..])
        && head.len() >= 128
        && head[64] == 0
        && corners(8) >= corners(4)
        && corners(10) >= corners(6)
}

/// The first picture lies behind the directory and within the file.
fn icon(head: &[u8], len: u64) -> bool {
    let count = le16(head, 4).map_or(0, u64::from);
    let (size, at) = (le32(head, 14).unwrap_or(0), le32(head, 18).map_or(0, u64::from));
    (1..=256).contains(&count)
        && head.get(9).is_some_and(|reserved| matches!(reserved, 0 | 0xff))
        && size > 0
        && at >= 6 + 16 * count
        && at < len.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(header: [u8; 4], len: usize) -> Vec<u8> {
        let mut frame = header.to_vec();
        frame.resize(len, 0);
        [frame.clone(), frame].concat()
    }

    #[test]
    fn a_frame_is_followed_by_another() {
        // MPEG-1, layer III, 128 kbit/s, 44.1 kHz: 417 bytes.
        assert_eq!(mpeg_frames(&frames([0xff, 0xfb, 0x90, 0], 417)), Some("audio/mpeg"));
        assert_eq!(mpeg_frames(&frames([0xff, 0xfb, 0x90, 0], 400)), None);
        // Layer II, 192 kbit/s, 48 kHz: 576 bytes.
        assert_eq!(mpeg_frames(&frames([0xff, 0xfd, 0xa4, 0], 576)), Some("audio/mp2"));
        let adts = [0xff, 0xf1, 0x50, 0x80, 0x02, 0x1f, 0xfc];
        assert_eq!(mpeg_frames(&[&adts[..], &[0; 9], &adts, &[0; 9]].concat()), Some("audio/aac"));
        // A text in UTF-16 begins like a frame of layer I.
        let text: Vec<u8> = "\u{feff}hello, world, how are you?\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(mpeg_frames(&text.repeat(40)), None);
    }

    #[test]
    fn fields_behind_a_short_signature_decide() {
        let of = |format, head: &[u8]| holds(format, head, head.len() as u64);
        let icon =
            [&[0, 0, 1, 0, 1, 0, 16, 16, 0, 0, 1, 0, 32, 0, 4, 0, 0, 0, 22, 0, 0, 0][..], &[0; 4]]
                .concat();
        assert_eq!(of(FileFormat::WindowsIcon, &icon), Some(true));
        assert_eq!(of(FileFormat::WindowsIcon, &[0, 0, 1, 0, 0, 0, 0, 0]), Some(false));
        assert_eq!(of(FileFormat::DerCertificate, &[0x30, 0x82, 0, 3, 0x30, 1, 0]), Some(true));
        assert_eq!(of(FileFormat::DerCertificate, &[0x30, 0x82, 9, 9, 0x30, 1, 0]), Some(false));
        assert_eq!(of(FileFormat::CommonObjectFileFormat, &[0, 2, 7, 7]), Some(false));
        assert_eq!(of(FileFormat::UnixCompress, &[0x1f, 0x9d, 0x90, 1]), Some(true));
        assert_eq!(of(FileFormat::AppleDiskImage, &[0x78, 1, 0x73]), Some(false));
        assert_eq!(of(FileFormat::Bzip, b"BZ0"), None);
        for format in [FileFormat::PictureExchange, FileFormat::Cpio, FileFormat::AudioCodec3] {
            assert_eq!(of(format, b""), Some(false));
        }
    }
}
