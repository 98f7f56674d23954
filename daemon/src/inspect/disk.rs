//! Disks and discs as files: partition tables and file systems, which have their marks further in.

use super::bytes::{Window, le16};
use super::table::RAW_DISK as RAW;

/// Marks of file systems and tables: offset and bytes.
const MARKS: &[(u64, &[u8], &str)] = &[
    (3, b"NTFS    ", RAW),
    (3, b"EXFAT   ", RAW),
    (512, b"EFI PART", RAW),
    (32_769, b"CD001", "application/x-iso9660-image"),
    (32_769, b"BEA01", "application/x-iso9660-image"),
    (0x10040, b"_BHRfS_M", RAW),
];

/// The media type, when it is a disk.
pub(super) fn look(w: &mut Window<'_>) -> Option<&'static str> {
    for (at, mark, media) in MARKS {
        if w.len() >= at + mark.len() as u64 && w.at(*at, mark.len()) == *mark {
            return Some(media);
        }
    }
    let head = w.head();
    let raw = boot_sector(head) || ext(head) || hfs_plus(head) || hfs(head);
    raw.then_some(RAW)
}

/// A sector that ends in 55 AA, with a FAT file system or a table of partitions in it.
fn boot_sector(head: &[u8]) -> bool {
    if head.get(510..512) != Some(&[0x55, 0xaa]) {
        return false;
    }
    let jumps = matches!(head, [0xeb, _, 0x90, ..] | [0xe9, ..]);
    let sector = le16(head, 11).unwrap_or(0);
    if jumps && matches!(sector, 512 | 1024 | 2048 | 4096) && matches!(head[16], 1 | 2) {
        return true;
    }
    let partitions = || head[446..510].chunks_exact(16);
    // Whether it is bootable, a type, and a length.
    let used = |p: &[u8]| p[4] != 0 && p[12..16] != [0; 4];
    let unused = |p: &[u8]| p.iter().all(|b| *b == 0);
    partitions().all(|p| matches!(p[0], 0 | 0x80) && (used(p) || unused(p)))
        && partitions().any(used)
}

/// The super block of ext2, ext3 and ext4 at 1024: mark, state, what to do on errors (`ext4.h`).
fn ext(head: &[u8]) -> bool {
    let field = |at: usize| le16(head, 1024 + at).unwrap_or(0);
    field(0x38) == 0xef53 && (0..=7).contains(&field(0x3a)) && (1..=3).contains(&field(0x3c))
}

/// The volume header at 1024: mark and version (Technical Note TN1150).
fn hfs_plus(head: &[u8]) -> bool {
    let mark = head.get(1024..1028);
    mark == Some(b"H+\0\x04") || mark == Some(b"HX\0\x05")
}

/// The master directory block at 1024: mark, a map of blocks behind it, and blocks of whole sectors (Inside
/// Macintosh: Files, 2-60).
fn hfs(head: &[u8]) -> bool {
    let Some(block) = head.get(1024..1024 + 162) else { return false };
    let number = |at: usize| u32::from(u16::from_be_bytes([block[at], block[at + 1]]));
    let size = (number(20) << 16) | number(22);
    let name = usize::from(block[36]);
    block.starts_with(b"BD")
        && number(14) == 3
        && number(18) > 0
        && size > 0
        && size.is_multiple_of(512)
        && (1..=27).contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(len: usize, parts: &[(usize, &[u8])]) -> Option<&'static str> {
        let mut bytes = vec![0; len];
        for (at, part) in parts {
            bytes[*at..at + part.len()].copy_from_slice(part);
        }
        let mut source = bytes.as_slice();
        look(&mut Window::open(&mut source, len as u64).unwrap())
    }

    #[test]
    fn disks_are_told_by_their_tables() {
        let end: (usize, &[u8]) = (510, b"\x55\xaa");
        let linux: (usize, &[u8]) = (446, b"\x80\x01\x01\0\x83\xfe\xff\xff\x3f\0\0\0\x00\x10\0\0");
        assert_eq!(of(4096, &[end, linux]), Some(RAW));
        assert_eq!(of(4096, &[end]), None);
        assert_eq!(of(4096, &[end, (446, &[7; 64])]), None);
        let fat: (usize, &[u8]) = (0, b"\xeb\x3c\x90mkfs.fat\0\x02\x04\x01\0\x02");
        assert_eq!(of(4096, &[end, fat]), Some(RAW));
        assert_eq!(of(4096, &[(1080, b"\x53\xef\x01\0\x01\0")]), Some(RAW));
        let mut block = [0; 162];
        block[..2].copy_from_slice(b"BD");
        (block[15], block[18], block[22], block[36]) = (3, 0x0b, 2, 8);
        assert_eq!(of(4096, &[(1024, &block)]), Some(RAW));
        assert_eq!(of(4096, &[(1024, b"BD, by the way, is a disc")]), None);
        assert_eq!(of(40_000, &[(32_769, b"CD001")]), Some("application/x-iso9660-image"));
        assert_eq!(of(600, &[]), None);
    }
}
