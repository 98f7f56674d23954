//! Formats that begin with no signature worth the name, but with fields that must fit each other and the file's length.

use super::bytes::{be32, le16, le32};

/// The media type, where the fields agree.
pub(super) fn look(head: &[u8], len: u64) -> Option<&'static str> {
    if dbase(head, len) {
        return Some("application/vnd.dbf");
    }
    if stl(head, len) {
        return Some("model/stl");
    }
    if marc(head, len) {
        return Some("application/marc");
    }
    if torrent(head) {
        return Some("application/x-bittorrent");
    }
    if bitmap(head, len) || of_os2(head) {
        return Some("image/bmp");
    }
    if window_dump(head) {
        return Some("image/x-xwindowdump");
    }
    if wireless_bitmap(head, len) {
        return Some("image/vnd.wap.wbmp");
    }
    // The tag that says "what follows is CBOR", made to be no text and no other format (RFC 8949, 3.4.6).
    if head.starts_with(&[0xd9, 0xd9, 0xf7]) {
        return Some("application/cbor");
    }
    der(head, len).or_else(|| openpgp(head, len).then_some("application/x-gpg"))
}

/// A table of dBASE, FoxPro or Visual FoxPro: a version, a date, fields, and as many records as the file has room for.
fn dbase(head: &[u8], len: u64) -> bool {
    const VERSIONS: &[u8] = b"\x02\x03\x04\x05\x30\x31\x32\x43\x63\x83\x8b\x8e\xcb\xf5\xfb";
    const TYPES: &[u8] = b"0+@BCDFGILMNOPQTVWY";
    let [version, _, month, day, ..] = *head else { return false };
    let (Some(records), Some(begin), Some(size)) = (le32(head, 4), le16(head, 8), le16(head, 10))
    else {
        return false;
    };
    let stated = u64::from(begin) + u64::from(records) * u64::from(size);
    let named = head.get(32).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_' || *b >= 0x80);
    VERSIONS.contains(&version)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && begin >= 65
        && size >= 2
        && named
        && head.get(43).is_some_and(|kind| TYPES.contains(kind))
        // An end mark may follow, and what old programs left of a sector.
        && (stated..=stated + 512).contains(&len)
}

/// A binary model: 80 bytes of anything, the number of triangles, and 50 bytes for each.
fn stl(head: &[u8], len: u64) -> bool {
    le32(head, 80).is_some_and(|n| n > 0 && 84 + 50 * u64::from(n) == len)
}

/// A dictionary whose first key is one of metainfo files (BEP 3, 5, 12, 19, 52): a length before each text.
fn torrent(head: &[u8]) -> bool {
    const KEYS: [&[u8]; 13] = [
        b"announce",
        b"announce-list",
        b"azureus_properties",
        b"comment",
        b"created by",
        b"creation date",
        b"encoding",
        b"httpseeds",
        b"info",
        b"nodes",
        b"piece layers",
        b"publisher",
        b"url-list",
    ];
    KEYS.iter().any(|key| {
        let begin = format!("d{}:", key.len());
        head.strip_prefix(begin.as_bytes()).is_some_and(|rest| rest.starts_with(key))
    })
}

/// A picture as it stands in memory and in the clipboard, without the header of a file (BITMAPINFOHEADER).
fn bitmap(head: &[u8], len: u64) -> bool {
    let (Some(40), Some(width), Some(height)) = (le32(head, 0), le32(head, 4), le32(head, 8))
    else {
        return false;
    };
    // A height below zero: the first line comes first.
    let height = height.cast_signed().unsigned_abs();
    let depth = le16(head, 14).unwrap_or(0);
    let packing = le32(head, 16).unwrap_or(u32::MAX);
    let line = (u64::from(width) * u64::from(depth)).div_ceil(32) * 4;
    (1..=0xffff).contains(&width)
        && (1..=0xffff).contains(&height)
        && le16(head, 12) == Some(1)
        && matches!(depth, 1 | 4 | 8 | 16 | 24 | 32)
        && matches!(packing, 0..=3)
        && (matches!(packing, 1 | 2) || len >= 40 + line * u64::from(height))
}

/// Icons and pointers of OS/2, and arrays of them or of pictures: their header is of 12, 40 or 64 bytes and has one plane.
fn of_os2(head: &[u8]) -> bool {
    const SORTS: [&[u8]; 5] = [b"BM", b"CI", b"CP", b"IC", b"PT"];
    let one = |bytes: &[u8], sorts: &[&[u8]]| {
        let header = match (le32(bytes, 14), le16(bytes, 22), le16(bytes, 26)) {
            (Some(12), planes, _) => planes == Some(1),
            (Some(40 | 64), _, planes) => planes == Some(1),
            _ => false,
        };
        header && sorts.iter().any(|sort| bytes.starts_with(sort))
    };
    let array = || head.get(14..).is_some_and(|first| one(first, &SORTS));
    (head.starts_with(b"BA") && array()) || one(head, &SORTS[1..])
}

/// What xwd(1) writes: version 7, one of three formats, a depth, and sides (XWDFile.h).
fn window_dump(head: &[u8]) -> bool {
    let field = |n: usize| be32(head, 4 * n).unwrap_or(0);
    (100..=4096).contains(&field(0))
        && field(1) == 7
        && field(2) <= 2
        && (1..=32).contains(&field(3))
        && (1..=0xffff).contains(&field(4))
        && (1..=0xffff).contains(&field(5))
        && be32(head, 96).is_some()
}

/// Type 0, no extension headers, two sides, and a bit for each point (WAP-237, 6).
fn wireless_bitmap(head: &[u8], len: u64) -> bool {
    let [0, 0, ref rest @ ..] = *head else { return false };
    let side = |bytes: &[u8]| match *bytes {
        [small @ 1..=0x7f, ..] => Some((u64::from(small), 1)),
        [high @ 0x81..=0x8f, low @ 0..=0x7f, ..] => {
            Some((u64::from(high & 0x7f) << 7 | u64::from(low), 2))
        }
        _ => None,
    };
    let Some((width, taken)) = side(rest) else { return false };
    let Some((height, more)) = side(&rest[taken..]) else { return false };
    // In fewer bytes anything fits.
    len >= 32 && len == 2 + taken as u64 + more as u64 + width.div_ceil(8) * height
}

/// The leader of a library's record (ISO 2709, and the values that MARC 21 fixes in it).
fn marc(head: &[u8], len: u64) -> bool {
    let number = |range: std::ops::Range<usize>| -> Option<u64> {
        let digits = head.get(range)?;
        let text = digits.iter().all(u8::is_ascii_digit).then_some(digits)?;
        std::str::from_utf8(text).ok()?.parse().ok()
    };
    let (Some(record), Some(body)) = (number(0..5), number(12..17)) else { return false };
    head.get(10..12) == Some(b"22")
        && head.get(20..24) == Some(b"4500")
        && (25..=len).contains(&record)
        && (25..record).contains(&body)
}

/// Keys and messages as a sequence that is as long as the file (X.690, 8.1), or of no stated length.
fn der(head: &[u8], len: u64) -> Option<&'static str> {
    // 1.2.840.113549.1.7 and .9.16: contents of messages (RFC 5652).
    const MESSAGES: [&[u8]; 2] = [
        b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07",
        b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01",
    ];
    let [0x30, first, second, third, ..] = *head else { return None };
    let (at, body) = match first {
        0x80 => (2, None),
        ..0x80 => (2, Some(u64::from(first))),
        0x81 => (3, Some(u64::from(second))),
        0x82 => (4, Some(u64::from(u16::from_be_bytes([second, third])))),
        0x83 => (5, Some(u64::from(be32(head, 1)? & 0x00ff_ffff))),
        _ => return None,
    };
    let stated = body.map(|body| body + at as u64);
    if stated.is_some_and(|stated| !(stated..=stated + 2).contains(&len)) {
        return None;
    }
    let inner = head.get(at..)?;
    if MESSAGES.iter().any(|oid| inner.starts_with(oid)) {
        return Some("application/pkcs7-mime");
    }
    stated?;
    match *inner {
        // PKCS #8 and #1: version 0, then an algorithm or a modulus (RFC 5208, 5; RFC 8017, A.1.2).
        [2, 1, 0, 0x30, algorithm, 6, ..] if algorithm < 0x40 => Some("application/pkcs8"),
        [2, 1, 0, 2, 0x41 | 0x81 | 0x82, ..] => Some("application/pkcs8"),
        // A key on a curve: version 1, the key, then the curve or the end (RFC 5915, 3).
        [2, 1, 1, 4, size @ 20..=66, ..] => {
            let next = inner.get(5 + usize::from(size));
            next.is_none_or(|next| matches!(next, 0xa0 | 0xa1)).then_some("application/pkcs8")
        }
        _ => None,
    }
}

/// A message or key in packets (RFC 4880, 4.2 and 5): the first one makes sense, and another follows where it ends.
fn openpgp(head: &[u8], len: u64) -> bool {
    let [tag, a, b, ..] = *head else { return false };
    // The old form, with one or two bytes of length.
    if tag & 0xc2 != 0x80 {
        return false;
    }
    let (at, size) = match tag & 1 {
        0 => (2, usize::from(a)),
        _ => (3, usize::from(u16::from_be_bytes([a, b]))),
    };
    let known = |algorithm: &u8| matches!(algorithm, 1..=3 | 16..=20 | 22 | 25 | 27);
    let Some(body) = head.get(at..) else { return false };
    let sensible = match ((tag >> 2) & 0xf, body) {
        // A session key for the holder of a key, or for who knows a word.
        (1, [3, _, _, _, _, _, _, _, _, algorithm, ..]) => known(algorithm),
        (3, [4, 1..=13, 0 | 1 | 3, 1..=11, ..]) => true,
        // A secret or a public key.
        (5 | 6, [4, _, _, _, _, algorithm, ..]) => known(algorithm),
        (5 | 6, [3, _, _, _, _, _, _, algorithm, ..]) => known(algorithm),
        // What is signed comes next, and the signature behind it.
        (4, [3, 0 | 1, 1..=11, algorithm, ..]) => size == 13 && known(algorithm),
        _ => false,
    };
    let end = at + size;
    let follows = head.get(end).map_or(len > end as u64, |next| next & 0x80 != 0);
    sensible && size >= 4 && follows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(head: &[u8]) -> Option<&'static str> {
        look(head, head.len() as u64)
    }

    #[test]
    fn fields_that_fit_name_the_format() {
        let mut table = vec![3, 95, 7, 26, 2, 0, 0, 0, 65, 0, 11, 0];
        table.resize(65 + 2 * 11 + 1, b' ');
        table[32..43].copy_from_slice(b"NAME\0\0\0\0\0\0\0");
        table[43] = b'C';
        assert_eq!(of(&table), Some("application/vnd.dbf"));
        assert_eq!(look(&table, 4000), None, "it is not as long as it says");

        let mut model = vec![b' '; 84 + 2 * 50];
        model[80..84].copy_from_slice(&2u32.to_le_bytes());
        assert_eq!(of(&model), Some("model/stl"));
        assert_eq!(of(&model[..183]), None);

        let mut record = b"00060nam a2200037 a 4500".to_vec();
        record.resize(60, 0x1e);
        assert_eq!(of(&record), Some("application/marc"));
        record[10] = b'3';
        assert_eq!(of(&record), None);
        assert_eq!(of(b"\xd9\xd9\xf7\xa1\x61a\x01"), Some("application/cbor"));
    }

    #[test]
    fn pictures_without_a_signature_have_sides_that_fit() {
        let mut memory = vec![0; 40 + 8 * 3];
        memory[0] = 40;
        (memory[4], memory[8], memory[12], memory[14]) = (2, 3, 1, 24);
        assert_eq!(of(&memory), Some("image/bmp"));
        assert_eq!(of(&memory[..63]), None, "too short for its sides");
        let mut array =
            b"BA\x28\0\0\0\0\0\0\0\0\0\0\0CI\x1a\0\0\0\0\0\0\0\xf0\0\0\0\x0c\0\0\0".to_vec();
        array.extend(b"\x20\0\x40\0\x01\0\x01\0");
        assert_eq!(of(&array), Some("image/bmp"));
        assert_eq!(of(&array[14..]), Some("image/bmp"));
        assert_eq!(of(b"BA is a degree, and CI another word of the trade"), None);
        let mut dump = vec![0; 120];
        (dump[3], dump[7], dump[11], dump[15], dump[19], dump[23]) = (110, 7, 2, 24, 70, 46);
        assert_eq!(of(&dump), Some("image/x-xwindowdump"));
        dump[15] = 33;
        assert_eq!(of(&dump), None);
        let mut small = vec![0, 0, 17, 11];
        small.resize(4 + 3 * 11, 0xff);
        assert_eq!(of(&small), Some("image/vnd.wap.wbmp"));
        small.push(0);
        assert_eq!(of(&small), None);
    }

    #[test]
    fn a_torrent_is_told_by_its_first_key() {
        assert_eq!(
            of(b"d10:created by10:libtorrent4:infod4:name1:aee"),
            Some("application/x-bittorrent")
        );
        assert_eq!(of(b"d4:infod6:lengthi1eee"), Some("application/x-bittorrent"));
        for other in [b"d5:infod".as_slice(), b"d4:in", b"d11:file-format", b"d4: info", b"d"] {
            assert_eq!(of(other), None);
        }
    }

    #[test]
    fn keys_are_as_long_as_they_say() {
        let sequence = |body: &[u8]| [&[0x30, body.len() as u8][..], body].concat();
        let curve = [&[2, 1, 1, 4, 32][..], &[7; 32], &[0xa0, 0]].concat();
        assert_eq!(of(&sequence(&curve)), Some("application/pkcs8"));
        // What SNMP sends begins the same (RFC 1901).
        assert_eq!(of(&sequence(b"\x02\x01\x01\x04\x06public\xa0\x19")), None);
        assert_eq!(of(b"\x30\x03\x02\x01\x00"), None);
        let message = b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80";
        assert_eq!(of(message), Some("application/pkcs7-mime"));
    }

    #[test]
    fn another_packet_follows_the_first() {
        let mut session = vec![0x85, 0, 20, 3, 1, 2, 3, 4, 5, 6, 7, 8, 1];
        session.resize(23, 9);
        assert_eq!(of(&session), None);
        session.push(0xd2);
        assert_eq!(of(&session), Some("application/x-gpg"));
        session[23] = 0x20;
        assert_eq!(of(&session), None);
        assert_eq!(of(b"\x85\x01"), None);
    }

    #[test]
    fn nothing_is_too_short_or_too_long() {
        for first in 0..=255u8 {
            for len in 0..100 {
                let _ = look(&vec![first; len], u64::MAX);
            }
        }
    }

    #[test]
    fn every_type_is_in_the_table() {
        for media in [
            "application/vnd.dbf",
            "model/stl",
            "application/marc",
            "application/cbor",
            "application/pkcs7-mime",
            "application/pkcs8",
            "application/x-gpg",
            "application/x-bittorrent",
            "image/bmp",
            "image/x-xwindowdump",
            "image/vnd.wap.wbmp",
        ] {
            assert!(super::super::table::by_media(media).is_some(), "{media}");
        }
    }
}
