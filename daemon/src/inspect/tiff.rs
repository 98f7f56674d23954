//! TIFF: a plain picture or a camera's raw file, told from the first directory (TIFF 6.0).

use super::bytes::Window;

/// Entries of the first directory looked at.
const MAX_ENTRIES: usize = 64;

/// Tags of TIFF 6.0 and DNG 1.6.
const NEW_SUBFILE_TYPE: u16 = 254;
const MAKE: u16 = 271;
const SUB_IFDS: u16 = 330;
const DNG_VERSION: u16 = 50706;

/// Beginnings of the maker's name, upper case, with the raw format of its cameras.
const MAKERS: &[(&str, &str)] = &[
    ("EPSON", "image/x-epson-erf"),
    ("HASSELBLAD", "image/x-raw"),
    ("KODAK", "image/x-kodak-dcr"),
    ("LEAF", "image/x-mamiya-mef"),
    ("LEICA", "image/x-leica-rwl"),
    ("MAMIYA", "image/x-mamiya-mef"),
    ("NIKON", "image/x-nikon-nef"),
    ("PENTAX", "image/x-pentax-pef"),
    ("PHASE ONE", "image/x-raw"),
    ("RICOH", "image/x-pentax-pef"),
    ("SAMSUNG", "image/x-samsung-srw"),
    ("SONY", "image/x-sony-arw"),
];

/// The media type of a file that begins like a TIFF.
pub(super) fn look(w: &mut Window<'_>) -> &'static str {
    match w.head().get(8..12) {
        Some(b"CR\x02\0") => return "image/x-canon-cr2",
        Some(b"IIII" | b"MMMM") => return "image/x-raw",
        _ => {}
    }
    raw(w).unwrap_or(super::table::TIFF)
}

fn raw(w: &mut Window<'_>) -> Option<&'static str> {
    let little = w.head().starts_with(b"II");
    let u16_at = |b: &[u8], at: usize| -> Option<u16> {
        let pair = *b.get(at..)?.first_chunk()?;
        Some(if little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) })
    };
    let u32_at = |b: &[u8], at: usize| -> Option<u32> {
        let four = *b.get(at..)?.first_chunk()?;
        Some(if little { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) })
    };
    let ifd = u64::from(u32_at(w.head(), 4)?);
    let entries = w.at(ifd, 2 + 12 * MAX_ENTRIES);
    let count = usize::from(u16_at(&entries, 0)?).min(MAX_ENTRIES);
    let entry =
        |tag: u16| (0..count).map(|i| 2 + 12 * i).find(|&at| u16_at(&entries, at) == Some(tag));
    if entry(DNG_VERSION).is_some() {
        return Some("image/x-adobe-dng");
    }
    // A raw file keeps its sensor data in sub-directories beside a preview; a picture saved by the
    // maker's software names the maker too, but has neither.
    let preview = entry(NEW_SUBFILE_TYPE).and_then(|at| u32_at(&entries, at + 8)) == Some(1);
    let layered = entry(SUB_IFDS).is_some();
    let make_at = entry(MAKE)?;
    let len = u32_at(&entries, make_at + 4)?.min(32) as usize;
    let make = w.at(u64::from(u32_at(&entries, make_at + 8)?), len);
    let make = String::from_utf8_lossy(&make).to_uppercase();
    let (_, media) = MAKERS.iter().find(|(m, _)| make.starts_with(m))?;
    (preview || layered).then_some(*media)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiff(tags: &[(u16, u32)], make: &str) -> Vec<u8> {
        let mut out = b"II*\0\x08\0\0\0".to_vec();
        out.extend((tags.len() as u16 + 1).to_le_bytes());
        let make_at = 8 + 2 + 12 * (tags.len() as u32 + 1) + 4;
        let mut push = |tag: u16, len: u32, value: u32| {
            out.extend(tag.to_le_bytes());
            out.extend(2u16.to_le_bytes());
            out.extend(len.to_le_bytes());
            out.extend(value.to_le_bytes());
        };
        push(MAKE, make.len() as u32, make_at);
        for (tag, value) in tags {
            push(*tag, 1, *value);
        }
        out.extend([0; 4]);
        out.extend(make.as_bytes());
        out
    }

    fn of(bytes: &[u8]) -> &'static str {
        let mut source = bytes;
        look(&mut Window::open(&mut source, bytes.len() as u64).unwrap())
    }

    #[test]
    fn a_raw_file_is_told_from_a_picture_by_the_same_maker() {
        let nikon = "NIKON CORPORATION";
        assert_eq!(of(&tiff(&[(NEW_SUBFILE_TYPE, 1)], nikon)), "image/x-nikon-nef");
        assert_eq!(of(&tiff(&[(NEW_SUBFILE_TYPE, 0)], nikon)), "image/tiff");
        assert_eq!(of(&tiff(&[(SUB_IFDS, 99)], "Acme")), "image/tiff");
        assert_eq!(of(&tiff(&[(DNG_VERSION, 1)], "Acme")), "image/x-adobe-dng");
        assert_eq!(of(b"II*\0\xff\xff\xff\xff"), "image/tiff");
        for (_, media) in MAKERS {
            assert!(super::super::table::by_media(media).is_some(), "{media}");
        }
    }
}
