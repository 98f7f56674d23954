//! The one folder at the top of an archive, where everything in it lies in one.
//!
//! Of ZIP files the list of members tells, of tar files, packed with gzip or not, the first member.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;

use tidy_core::ignore;

use super::bytes::Window;
use super::{compressed, zip};

/// Bytes of a gzip file that are unpacked: a tar file begins with headers that are no member's own (git's, say).
const UNPACKED: usize = 4 * 1024;

/// Headers of a tar file that are looked at.
const HEADERS: usize = 4;

/// Tar's unit.
const BLOCK: usize = 512;

/// The name of that folder; `None`: there is none, or the file is not one that it can be told of.
pub fn top_folder(mut file: &File) -> Option<OsString> {
    let len = file.metadata().ok()?.len();
    of_window(&mut Window::open(&mut file, len).ok()?)
}

fn of_window(w: &mut Window<'_>) -> Option<OsString> {
    match w.head() {
        head if head.starts_with(b"PK") => of_zip(&zip::names(w)),
        head if head.starts_with(b"\x1f\x8b") => {
            of_tar(&compressed::gunzip(head, UNPACKED).unwrap_or_default())
        }
        head => of_tar(head),
    }
}

fn of_zip(names: &[String]) -> Option<OsString> {
    // What macOS puts beside.
    let mut tops = names
        .iter()
        .filter(|name| !name.starts_with("__MACOSX/"))
        .map(|name| ignore::top_folder(OsStr::new(name)));
    let first = tops.next()??;
    tops.all(|top| top.as_ref() == Some(&first)).then_some(first)
}

/// The format is POSIX's (`pax`, "ustar Interchange Format").
fn of_tar(bytes: &[u8]) -> Option<OsString> {
    let mut at = 0;
    for _ in 0..HEADERS {
        let header = bytes.get(at..at + BLOCK)?;
        if !header[257..].starts_with(b"ustar") {
            return None;
        }
        // Extended headers, of all members and of the next one, and GNU's for long names.
        if matches!(header[156], b'g' | b'x' | b'L' | b'K') {
            let size = std::str::from_utf8(field(&header[124..136])).ok()?;
            let size = usize::from_str_radix(size.trim(), 8).ok()?;
            at = at.checked_add(BLOCK)?.checked_add(size.checked_next_multiple_of(BLOCK)?)?;
            continue;
        }
        let (name, prefix) = (field(&header[..100]), field(&header[345..500]));
        let whole = match prefix.is_empty() || !header[257..].starts_with(b"ustar\0") {
            true => name.to_vec(),
            false => [prefix, b"/", name].concat(),
        };
        // A folder's own entry need not end in a slash.
        let whole = if header[156] == b'5' { [&whole[..], b"/"].concat() } else { whole };
        match &whole[..] {
            b"./" | b".//" => at += BLOCK,
            whole => return ignore::top_folder(OsStr::from_bytes(whole)),
        }
    }
    None
}

fn field(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    &bytes[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn top(mut bytes: &[u8]) -> Option<String> {
        let len = bytes.len() as u64;
        let top = of_window(&mut Window::open(&mut bytes, len).unwrap())?;
        Some(top.to_string_lossy().into_owned())
    }

    /// A member of a tar file.
    fn member(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
        let mut header = vec![0; BLOCK];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[156] = kind;
        header[257..263].copy_from_slice(b"ustar\0");
        let padding = content.len().next_multiple_of(BLOCK) - content.len();
        [&header[..], content, &vec![0; padding]].concat()
    }

    proptest! {
        /// Whatever follows: an answer, never a panic.
        #[test]
        fn any_bytes_have_a_folder_or_none(
            begin in prop::sample::select(vec![&b""[..], b"PK\x03\x04", b"\x1f\x8b\x08\0"]),
            mut rest in prop::collection::vec(any::<u8>(), 0..2_000),
            end in prop::sample::select(vec![&b""[..], b"PK\x05\x06\0\0\0\0\x01\0\x01\0\x2e\0\0\0\0\0\0\0\0\0"]),
        ) {
            if let Some(magic) = rest.get_mut(257..262) {
                magic.copy_from_slice(b"ustar");
            }
            top(&[begin, &rest, end].concat());
        }
    }

    #[test]
    fn of_a_tar_file_the_first_member_tells() {
        let tar = |members: &[Vec<u8>]| members.concat();
        for (members, want) in [
            (vec![member("tool/bin/x", b'0', b"1")], Some("tool")),
            (vec![member("tool", b'5', b"")], Some("tool")),
            (vec![member("./", b'5', b""), member("./tool/x", b'0', b"")], Some("tool")),
            (
                vec![member("pax_global_header", b'g', &[7; 600]), member("t/", b'5', b"")],
                Some("t"),
            ),
            (vec![member("x.txt", b'0', b"1")], None),
            (vec![member("g", b'g', b"x"); HEADERS + 1], None),
            (vec![], None),
        ] {
            assert_eq!(top(&tar(&members)).as_deref(), want);
        }
        // A length that nothing can have, and a header that is cut off.
        let mut odd = member("x", b'x', b"");
        odd[124..135].copy_from_slice(b"77777777777");
        assert_eq!(top(&odd), None);
        assert_eq!(top(&member("tool/x", b'0', b"")[..300]), None);
    }
}
