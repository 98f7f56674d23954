//! ISO base media files (ISO/IEC 14496-12): MP4, QuickTime, HEIC, AVIF and their kin.
//!
//! The brand names many of them; for the general ones the tracks' handlers say whether there is a
//! picture in it or only sound.

use super::bytes::{Window, be32, contains};

/// Top-level boxes stepped over.
const MAX_BOXES: usize = 24;
/// Bytes of `moov` looked at for handlers.
const MAX_MOOV: usize = 64 * 1024;

/// Brands that settle it, whether major or compatible, in order of trust.
const BRANDS: &[(&[u8; 4], &str)] = &[
    (b"crx ", "image/x-canon-cr3"),
    (b"avif", "image/avif"),
    (b"avis", "image/avif"),
    (b"heic", "image/heic"),
    (b"heix", "image/heic"),
    (b"hevc", "image/heic"),
    (b"hevx", "image/heic"),
    (b"heim", "image/heic"),
    (b"heis", "image/heic"),
];

/// Brands that settle it when they are the major one.
const MAJOR: &[(&[u8], &str)] = &[
    (b"mif1", "image/heif"),
    (b"msf1", "image/heif"),
    (b"jp2 ", "image/jp2"),
    (b"jpx ", "image/jpx"),
    (b"jpm ", "image/jpm"),
    (b"jph ", "image/jph"),
    (b"mjp2", "video/mj2"),
    (b"jxl ", "image/jxl"),
    (b"M4A", "audio/mp4"),
    (b"M4P", "audio/mp4"),
    (b"M4B", "audio/x-m4b"),
    (b"F4A", "audio/mp4"),
    (b"F4B", "audio/x-m4b"),
    (b"aax ", "audio/mp4"),
    (b"M4V", "video/x-m4v"),
    (b"F4V", "video/x-f4v"),
    (b"f4v", "video/x-f4v"),
    (b"braw", "video/x-braw"),
    (b"qt  ", "video/quicktime"),
    (b"mqt ", "video/quicktime"),
    (b"3g2", "video/3gpp2"),
    (b"3gp", "video/3gpp"),
    (b"3gs", "video/3gpp"),
    (b"3ge", "video/3gpp"),
    (b"3gg", "video/3gpp"),
];

/// Boxes a QuickTime file from before brands may begin with.
const OLD: &[&[u8; 4]] = &[b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"];

/// The media type; `None` when this is no such file.
pub(super) fn look(w: &mut Window<'_>) -> Option<&'static str> {
    let head = w.head();
    let kind: &[u8; 4] = head.get(4..8)?.first_chunk()?;
    if kind == b"jP  " {
        return Some(by_brands(head.get(12..)?).unwrap_or("image/jp2"));
    }
    if kind != b"ftyp" {
        let plausible = be32(head, 0)? == 1 || be32(head, 0)? >= 8;
        let old = OLD.contains(&kind) && plausible;
        return (old && plausible_box(w)).then_some("video/quicktime");
    }
    let brand = by_brands(head);
    let general = matches!(brand, None | Some("video/quicktime" | "video/3gpp" | "video/3gpp2"));
    if !general {
        return brand;
    }
    match (handlers(w), brand) {
        (Some(Handlers { video: false, sound: true }), None) => Some("audio/mp4"),
        (_, brand) => Some(brand.unwrap_or("video/mp4")),
    }
}

/// The first box ends where another plausible one, or the file, does.
fn plausible_box(w: &mut Window<'_>) -> bool {
    let Some(size) = be32(w.head(), 0).map(u64::from) else { return false };
    let end = if size == 1 { return true } else { size };
    end == w.len()
        || w.at(end, 8).get(4..8).is_some_and(|k| k.iter().all(|b| (0x20..0x7f).contains(b)))
}

/// From an `ftyp` box on.
fn by_brands(from: &[u8]) -> Option<&'static str> {
    let size = (be32(from, 0)? as usize).clamp(16, 256);
    let major = from.get(8..12)?;
    let compatible = from.get(16..size.min(from.len())).unwrap_or(&[]);
    let named = |brand: &[u8]| major == brand || compatible.chunks_exact(4).any(|c| c == brand);
    let by_major = MAJOR.iter().find(|(b, _)| major.starts_with(b)).map(|(_, media)| *media);
    // A film may list `heic` among its brands; a still picture's major brand is not a film's.
    let still = BRANDS.iter().find(|(b, _)| named(*b)).map(|(_, media)| *media);
    match by_major {
        Some(media) if !media.ends_with("heif") => Some(media),
        by_major => still.or(by_major),
    }
}

struct Handlers {
    video: bool,
    sound: bool,
}

fn handlers(w: &mut Window<'_>) -> Option<Handlers> {
    let moov = moov(w)?;
    let has = |kind: &[u8]| {
        // A handler box: `hdlr`, version and flags, predefined, then the handler's type.
        moov.windows(16).any(|b| b.starts_with(b"hdlr") && &b[12..16] == kind)
    };
    let (video, sound) = (has(b"vide"), has(b"soun"));
    let cover = contains(&moov, b"pict");
    (video || sound || cover).then_some(Handlers { video: video || cover, sound })
}

/// The beginning of the `moov` box, wherever it is.
fn moov(w: &mut Window<'_>) -> Option<Vec<u8>> {
    let mut at = 0u64;
    for _ in 0..MAX_BOXES {
        let header = w.at(at, 16);
        let (size, kind) = (be32(&header, 0)?, header.get(4..8)?);
        let size = match size {
            0 => w.len().saturating_sub(at),
            1 => (u64::from(be32(&header, 8)?) << 32) | u64::from(be32(&header, 12)?),
            n => u64::from(n),
        };
        if kind == b"moov" {
            return Some(w.at(at, usize::try_from(size).unwrap_or(MAX_MOOV).min(MAX_MOOV)));
        }
        at = at.checked_add(size.max(8))?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        [&(body.len() as u32 + 8).to_be_bytes(), kind, body].concat()
    }

    fn of(bytes: &[u8]) -> Option<&'static str> {
        let mut source = bytes;
        look(&mut Window::open(&mut source, bytes.len() as u64).unwrap())
    }

    fn film(brand: &[u8; 4], handlers: &[&[u8; 4]]) -> Vec<u8> {
        let ftyp = boxed(b"ftyp", &[brand.as_slice(), &[0; 4], brand].concat());
        let tracks: Vec<u8> = handlers
            .iter()
            .flat_map(|h| boxed(b"trak", &boxed(b"hdlr", &[&[0; 8], h.as_slice()].concat())))
            .collect();
        [ftyp, boxed(b"mdat", &[0; 20_000]), boxed(b"moov", &tracks)].concat()
    }

    #[test]
    fn the_tracks_decide_where_the_brand_is_general() {
        assert_eq!(of(&film(b"isom", &[b"soun", b"vide"])), Some("video/mp4"));
        assert_eq!(of(&film(b"isom", &[b"soun"])), Some("audio/mp4"));
        assert_eq!(of(&film(b"M4A ", &[])), Some("audio/mp4"));
        assert_eq!(of(&film(b"avif", &[])), Some("image/avif"));
        assert_eq!(of(&film(b"zzzz", &[])), Some("video/mp4"));
        assert_eq!(of(b"free"), None);
    }

    #[test]
    fn the_tables_name_known_types() {
        let named = BRANDS.iter().map(|b| b.1).chain(MAJOR.iter().map(|b| b.1));
        for media in named {
            assert!(super::super::table::by_media(media).is_some(), "{media}");
        }
    }
}
