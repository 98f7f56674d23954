//! A list of strings in Apple's binary property list, as `kMDItemWhereFroms` holds it.
//!
//! Layout after `CFBinaryPList.c` (Apple, CF): objects, a table of their offsets, and a trailer of 32
//! bytes that says where that table is. Only a list of strings is read, and of it the first few; any
//! value is looked at without recursion, and no length is believed before it is held against the bytes.

/// Strings read of one list: two are in use.
const MAX_STRINGS: usize = 8;
const TRAILER: usize = 32;

/// The strings of the list; none where it is no such list.
pub(super) fn strings(value: &[u8]) -> Vec<String> {
    // A stream that Samba keeps in an attribute ends with a zero byte of its own.
    let whole = list(value);
    whole.or_else(|| list(value.strip_suffix(b"\0")?)).unwrap_or_default()
}

fn list(value: &[u8]) -> Option<Vec<String>> {
    if !value.starts_with(b"bplist0") {
        return None;
    }
    let trailer = value.get(value.len().checked_sub(TRAILER)?..)?;
    let table =
        Table { value, offset_size: usize::from(trailer[6]), start: number(&trailer[24..32])? };
    let ref_size = usize::from(trailer[7]);
    let (kind, count, at) = table.object(number(&trailer[16..24])?)?;
    if kind != 0xa || ref_size == 0 {
        return None;
    }
    let refs = value.get(at..at.checked_add(count.min(MAX_STRINGS).checked_mul(ref_size)?)?)?;
    Some(refs.chunks_exact(ref_size).filter_map(|r| table.string(number(r)?)).collect())
}

/// Where the objects are.
struct Table<'v> {
    value: &'v [u8],
    offset_size: usize,
    start: usize,
}

impl Table<'_> {
    /// An object's kind (the upper half of its first byte), its length, and where its content begins.
    fn object(&self, index: usize) -> Option<(u8, usize, usize)> {
        let entry = self.start.checked_add(index.checked_mul(self.offset_size)?)?;
        let at = number(self.value.get(entry..entry.checked_add(self.offset_size)?)?)?;
        let first = *self.value.get(at)?;
        let (kind, len) = (first >> 4, usize::from(first & 0xf));
        if len < 0xf {
            return Some((kind, len, at + 1));
        }
        // The length does not fit in half a byte: an integer of 1, 2, 4 or 8 bytes follows.
        let size = 1usize << (self.value.get(at + 1)? & 0x3);
        let len = number(self.value.get(at + 2..at + 2 + size)?)?;
        Some((kind, len, at + 2 + size))
    }

    fn string(&self, index: usize) -> Option<String> {
        let (kind, len, at) = self.object(index)?;
        let bytes = |n: usize| self.value.get(at..at.checked_add(n)?);
        match kind {
            // ASCII, and UTF-8 in newer systems.
            0x5 | 0x7 => Some(String::from_utf8_lossy(bytes(len)?).into_owned()),
            0x6 => {
                let units = bytes(len.checked_mul(2)?)?.chunks_exact(2);
                let units: Vec<u16> = units.map(|u| u16::from_be_bytes([u[0], u[1]])).collect();
                Some(String::from_utf16_lossy(&units))
            }
            _ => None,
        }
    }
}

/// A big-endian number of 1 to 8 bytes.
fn number(bytes: &[u8]) -> Option<usize> {
    if bytes.is_empty() || bytes.len() > 8 {
        return None;
    }
    usize::try_from(bytes.iter().fold(0u64, |n, b| (n << 8) | u64::from(*b))).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A list of these strings, as macOS writes it.
    pub(in super::super) fn written(strings: &[&str]) -> Vec<u8> {
        let mut out = b"bplist00".to_vec();
        let mut offsets = vec![out.len()];
        out.push(0xa0 | strings.len() as u8);
        out.extend((1..=strings.len()).map(|i| i as u8));
        for text in strings {
            offsets.push(out.len());
            let units: Vec<u8> = match text.is_ascii() {
                true => text.bytes().collect(),
                false => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            };
            let (kind, len) =
                if text.is_ascii() { (0x50, units.len()) } else { (0x60, units.len() / 2) };
            match len {
                0..15 => out.push(kind | len as u8),
                _ => out.extend([kind | 0xf, 0x11, (len >> 8) as u8, len as u8]),
            }
            out.extend(units);
        }
        let table = out.len();
        out.extend(offsets.iter().flat_map(|o| (*o as u16).to_be_bytes()));
        out.extend([0, 0, 0, 0, 0, 0, 2, 1]);
        for n in [offsets.len(), 0, table] {
            out.extend((n as u64).to_be_bytes());
        }
        out
    }

    #[test]
    fn the_strings_of_a_list_are_read() {
        let long = "https://example.org/".repeat(20);
        let list = ["", "short", long.as_str(), "https://example.org/größe"];
        assert_eq!(strings(&written(&list)), list);
        assert_eq!(strings(&[written(&list), vec![0]].concat()), list);
        assert_eq!(strings(&written(&["a"; 12])).len(), MAX_STRINGS);
        for nothing in [b"".as_slice(), b"bplist00", b"x", &written(&["a"])[..20]] {
            assert!(strings(nothing).is_empty());
        }
    }

    /// As `plutil` wrote it: a list of one address.
    #[test]
    fn a_list_of_another_writer_is_read() {
        let list = b"bplist00\xa1\x01_\x10\x14https://example.org/\x08\x0a\
                     \0\0\0\0\0\0\x01\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x21";
        assert_eq!(strings(list), ["https://example.org/"]);
    }

    proptest! {
        /// No bytes make it panic or give more than it may.
        #[test]
        fn damaged_lists_are_no_trouble(
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut list = written(&["https://example.org/a.pdf", "größe"]);
            for (at, value) in flips {
                let at = at.index(list.len());
                list[at] = value;
            }
            for part in [list.as_slice(), &list[..cut.index(list.len())]] {
                prop_assert!(strings(part).len() <= MAX_STRINGS);
            }
        }
    }
}
