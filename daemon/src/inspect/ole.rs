//! OLE compound files ([MS-CFB]): what the root storage holds.
//!
//! Only the root's direct children count: an e-mail with an attached spreadsheet has a `Workbook`
//! too, further down.

use tidy_core::facts::Source;

use super::bytes::{Window, le16, le32};
use super::combine::Guess;
use super::table::{OLE, known};

/// Directory sectors looked at.
const MAX_SECTORS: usize = 24;
/// Entries visited among the root's children.
const MAX_CHILDREN: usize = 256;
const ENTRY: usize = 128;
const NO_STREAM: u32 = u32::MAX;

/// A stream or storage in the root that settles the type, in order of trust.
const CHILDREN: &[(&str, &str)] = &[
    ("__properties_version1.0", "application/vnd.ms-outlook"),
    ("__nameid_version1.0", "application/vnd.ms-outlook"),
    ("WordDocument", "application/msword"),
    ("PowerPoint Document", "application/vnd.ms-powerpoint"),
    ("PP40", "application/vnd.ms-powerpoint"),
    ("Workbook", "application/vnd.ms-excel"),
    ("Book", "application/vnd.ms-excel"),
    ("VisioDocument", "application/vnd.visio"),
    ("Quill", "application/vnd.ms-publisher"),
    ("Props9", "application/vnd.ms-project"),
    ("Props12", "application/vnd.ms-project"),
    ("Props14", "application/vnd.ms-project"),
    ("HwpSummaryInformation", "application/x-hwp"),
    ("BodyText", "application/x-hwp"),
    ("MatOST", "application/vnd.ms-works"),
    ("SPELLING", "application/vnd.ms-works"),
    ("WksSSWorkBook", "application/x-ms-works-spreadsheet"),
    ("StarWriterDocument", "application/vnd.stardivision.writer"),
    ("StarCalcDocument", "application/vnd.stardivision.calc"),
    ("StarDrawDocument", "application/vnd.stardivision.impress"),
    ("StarDrawDocument3", "application/vnd.stardivision.impress"),
    ("NativeContent_MAIN", "application/x-quattropro"),
    ("PerfectOffice_MAIN", "application/vnd.wordperfect"),
    ("SwDocContentMgr", "model/x-sldprt"),
    ("SwDocMgrTempStorage", "model/x-sldprt"),
    ("RSeStorage", "model/x-ipt"),
    ("Revit", "application/x-rvt"),
    ("ClassData", "application/x-max"),
    ("Scene", "application/x-max"),
    (ENCRYPTED, OLE),
];

/// First four bytes of the root's class identifier, little-endian.
const CLASSES: &[(u32, &str)] = &[
    (0x0002_0810, "application/vnd.ms-excel"),
    (0x0002_0820, "application/vnd.ms-excel"),
    (0x0002_0900, "application/msword"),
    (0x0002_0906, "application/msword"),
    (0x0002_0d0b, "application/vnd.ms-outlook"),
    (0x0002_1201, "application/vnd.ms-publisher"),
    (0x0002_1a13, "application/vnd.visio"),
    (0x0002_1a14, "application/vnd.visio"),
    (0x000c_1082, "application/x-msi"),
    (0x000c_1084, "application/x-msi"),
    (0x000c_1086, "application/x-msi"),
    (0x0ea4_5ab2, "application/vnd.ms-works"),
    (0x2873_02c2, "application/vnd.ms-works"),
    (0x5661_6700, "image/vnd.fpx"),
    (0x6481_8d10, "application/vnd.ms-powerpoint"),
    (0x6481_8d11, "application/vnd.ms-powerpoint"),
    (0x74b7_8f3a, "application/vnd.ms-project"),
];

/// The stream an encrypted OOXML document is wrapped in ([MS-OFFCRYPTO] 2.3).
const ENCRYPTED: &str = "EncryptedPackage";

/// The media type, or the bare container's when the root holds nothing we know.
pub(super) fn look(w: &mut Window<'_>) -> Guess {
    let directory = directory(w).unwrap_or_default();
    let names = root_children(&directory);
    let guess = Guess::sure(known(by_root(&directory, &names)), Source::Content);
    // A text as likely as a table: nothing to hold against the extension, nor to tell without one.
    match names.iter().any(|n| n == ENCRYPTED) {
        true => guess.weaker().of_category("unknown"),
        false => guess,
    }
}

fn by_root(directory: &[u8], names: &[String]) -> &'static str {
    let child = CHILDREN.iter().find(|(name, _)| {
        // Names compare without case ([MS-CFB] 2.6.4); a control character marks system streams.
        let bare = |n: &str| n.trim_start_matches(char::is_control).eq_ignore_ascii_case(name);
        names.iter().any(|n| bare(n))
    });
    let class = le32(directory, 80).and_then(|id| CLASSES.iter().find(|(c, _)| *c == id));
    match (child, class) {
        (Some((_, media)), _) => media,
        (None, Some((_, media))) => media,
        (None, None) if names.iter().any(|n| is_installer_stream(n)) => "application/x-msi",
        (None, None) => OLE,
    }
}

/// Installer databases encode their stream names into U+3800 to U+4840.
fn is_installer_stream(name: &str) -> bool {
    name.chars().next().is_some_and(|c| ('\u{3800}'..='\u{4840}').contains(&c))
}

/// The directory's sectors, in order.
fn directory(w: &mut Window<'_>) -> Option<Vec<u8>> {
    let head = w.head().to_vec();
    let shift = u32::from(le16(&head, 30)?);
    if !(7..=16).contains(&shift) {
        return None;
    }
    let size = 1usize << shift;
    let offset = |sector: u32| (u64::from(sector) + 1) << shift;
    let mut sector = le32(&head, 48)?;
    let mut bytes = Vec::new();
    for _ in 0..MAX_SECTORS {
        if sector >= 0xffff_fffa {
            break;
        }
        bytes.extend(w.at(offset(sector), size.min(4096)));
        // The first 109 sectors of the allocation table are listed in the header; the rest of it
        // belongs to files of more than 6.8 MB, whose directory usually begins the chain anyway.
        let per_sector = (size / 4) as u32;
        let table = (sector / per_sector) as usize;
        if table >= 109 {
            break;
        }
        let table_sector = le32(&head, 76 + 4 * table)?;
        if table_sector >= 0xffff_fffa {
            break;
        }
        let at = offset(table_sector) + 4 * u64::from(sector % per_sector);
        let Some(next) = le32(&w.at(at, 4), 0) else { break };
        sector = next;
    }
    Some(bytes)
}

/// Names in the red-black tree that hangs from the root entry.
fn root_children(directory: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut waiting: Vec<u32> = le32(directory, 76).into_iter().collect();
    let mut visited = 0;
    while let Some(id) = waiting.pop() {
        visited += 1;
        if id == NO_STREAM || visited > MAX_CHILDREN {
            continue;
        }
        let at = (id as usize).saturating_mul(ENTRY);
        let Some(entry) = directory.get(at..at.saturating_add(ENTRY)) else { continue };
        names.push(entry_name(entry));
        waiting.extend(le32(entry, 68));
        waiting.extend(le32(entry, 72));
    }
    names
}

fn entry_name(entry: &[u8]) -> String {
    let len = usize::from(le16(entry, 64).unwrap_or(0)).clamp(2, 64) - 2;
    let units: Vec<u16> =
        entry[..len].chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]])).collect();
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, left: u32, right: u32, child: u32) -> Vec<u8> {
        let mut e = vec![0; ENTRY];
        let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        e[..units.len()].copy_from_slice(&units);
        e[64..66].copy_from_slice(&(units.len() as u16 + 2).to_le_bytes());
        for (at, n) in [(68, left), (72, right), (76, child)] {
            e[at..at + 4].copy_from_slice(&n.to_le_bytes());
        }
        e
    }

    fn compound(entries: &[Vec<u8>]) -> Vec<u8> {
        let mut file = vec![0; 512];
        file[..8].copy_from_slice(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1");
        file[30..32].copy_from_slice(&9u16.to_le_bytes());
        file[48..52].copy_from_slice(&1u32.to_le_bytes());
        file[76..80].copy_from_slice(&0u32.to_le_bytes());
        // Sector 0: the allocation table; sector 1 and following: the directory.
        let sectors = entries.len().div_ceil(4) as u32;
        let mut table = vec![0xff; 512];
        for s in 1..=sectors {
            let next = if s == sectors { 0xffff_fffe } else { s + 1 };
            table[4 * s as usize..][..4].copy_from_slice(&u32::to_le_bytes(next));
        }
        file.extend(table);
        file.extend(entries.concat());
        file.resize(512 * (2 + sectors as usize), 0);
        file
    }

    fn of(bytes: &[u8]) -> &'static str {
        let mut source = bytes;
        look(&mut Window::open(&mut source, bytes.len() as u64).unwrap()).ty.media
    }

    #[test]
    fn only_the_roots_own_children_count() {
        let none = NO_STREAM;
        let mail = compound(&[
            entry("Root Entry", none, none, 2),
            entry("Workbook", none, none, none),
            entry("__attach", none, 3, 1),
            entry("__substg", none, 4, none),
            entry("__properties_version1.0", none, none, none),
        ]);
        assert_eq!(of(&mail), "application/vnd.ms-outlook");
    }

    #[test]
    fn a_tree_that_loops_ends() {
        let looped = compound(&[entry("Root Entry", 0, 0, 1), entry("x", 1, 1, 1)]);
        assert_eq!(of(&looped), "application/x-ole-storage");
    }

    #[test]
    fn the_tables_name_known_types() {
        let named = CHILDREN.iter().map(|c| c.1).chain(CLASSES.iter().map(|c| c.1));
        for media in named {
            assert!(super::super::table::by_media(media).is_some(), "{media}");
        }
    }
}
