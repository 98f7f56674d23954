//! The one folder at the top of an archive, where everything in it lies in one.
//!
//! Of ZIP files the list of members tells, of tar files, packed with gzip or not, the first member. Names are bytes, as they
//! are in an archive and in a folder; where it has them in several forms, the one that programs unpack under counts.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;

use tidy_core::ignore;

use super::bytes::Window;
use super::{compressed, zip};

/// Bytes of a gzip file that are unpacked: a tar file begins with headers that are no member's own (git's, say).
const UNPACKED: usize = 4 * 1024;

/// Headers of a tar file that are looked at.
const HEADERS: usize = 6;

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

fn of_zip(names: &[Vec<u8>]) -> Option<OsString> {
    // What macOS puts beside.
    let mut tops = names
        .iter()
        .filter(|name| !name.starts_with(b"__MACOSX/"))
        .map(|name| ignore::top_folder(OsStr::from_bytes(name)));
    let first = tops.next()??;
    tops.all(|top| top.as_ref() == Some(&first)).then_some(first)
}

/// The format is POSIX's (`pax`, "ustar Interchange Format" and "pax Extended Header"), with GNU's long names.
fn of_tar(bytes: &[u8]) -> Option<OsString> {
    let mut at = 0;
    // The next member's, where the field in its own header has no room for it, or not the letters.
    let mut given: Option<&[u8]> = None;
    for _ in 0..HEADERS {
        let header = bytes.get(at..at + BLOCK)?;
        if !header[257..].starts_with(b"ustar") {
            return None;
        }
        at += BLOCK;
        // Extended headers, of all members and of the next one, and GNU's for long names.
        if matches!(header[156], b'g' | b'x' | b'L' | b'K') {
            let size = std::str::from_utf8(field(&header[124..136])).ok()?;
            let size = usize::from_str_radix(size.trim(), 8).ok()?;
            let content = bytes.get(at..at.checked_add(size)?)?;
            given = match header[156] {
                b'x' => pax_path(content).or(given),
                b'L' => Some(field(content)),
                _ => given,
            };
            at = at.checked_add(size.checked_next_multiple_of(BLOCK)?)?;
            continue;
        }
        let whole = given.take().map_or_else(|| own_name(header), Cow::Borrowed);
        // A folder's own entry need not end in a slash.
        let whole = if header[156] == b'5' { [&whole[..], b"/"].concat() } else { whole.into() };
        match &whole[..] {
            b"./" | b".//" => {}
            whole => return ignore::top_folder(OsStr::from_bytes(whole)),
        }
    }
    None
}

/// What a member's header calls it.
fn own_name(header: &[u8]) -> Cow<'_, [u8]> {
    let (name, prefix) = (field(&header[..100]), field(&header[345..500]));
    match prefix.is_empty() || !header[257..].starts_with(b"ustar\0") {
        true => name.into(),
        false => [prefix, b"/", name].concat().into(),
    }
}

/// The path among the records of an extended header; each is `LENGTH KEY=VALUE` and a line's end.
fn pax_path(records: &[u8]) -> Option<&[u8]> {
    let mut rest = records;
    let mut path = None;
    while let Some(blank) = rest.iter().position(|b| *b == b' ') {
        let len: usize = std::str::from_utf8(&rest[..blank]).ok()?.parse().ok()?;
        let record = rest.get(blank + 1..len)?.strip_suffix(b"\n")?;
        path = record.strip_prefix(b"path=").or(path);
        rest = &rest[len..];
    }
    path
}

fn field(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    &bytes[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn top(mut bytes: &[u8]) -> Option<Vec<u8>> {
        let len = bytes.len() as u64;
        let top = of_window(&mut Window::open(&mut bytes, len).unwrap())?;
        Some(top.into_encoded_bytes())
    }

    /// A member of a tar file.
    fn member(name: impl AsRef<[u8]>, kind: u8, content: &[u8]) -> Vec<u8> {
        let mut header = vec![0; BLOCK];
        header[..name.as_ref().len()].copy_from_slice(name.as_ref());
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
            assert_eq!(top(&tar(&members)).as_deref(), want.map(str::as_bytes));
        }
        // A length that nothing can have, and a header that is cut off.
        let mut odd = member("x", b'x', b"");
        odd[124..135].copy_from_slice(b"77777777777");
        assert_eq!(top(&odd), None);
        assert_eq!(top(&member("tool/x", b'0', b"")[..300]), None);
    }

    #[test]
    fn names_are_bytes_and_the_longer_form_of_one_counts() {
        // As they are in the archives of systems that do not write UTF-8.
        let latin = b"M\xfcll/x".as_slice();
        assert_eq!(top(&member(latin, b'0', b"")).unwrap(), b"M\xfcll");
        let zip = super::super::zip::tests::archive_of(&[(latin, b"1"), (b"M\xfcll/y", b"2")]);
        assert_eq!(top(&zip).unwrap(), b"M\xfcll");
        let other = super::super::zip::tests::archive_of(&[(latin, b"1"), (b"M\xe4ll/y", b"2")]);
        assert_eq!(top(&other), None, "two folders, though neither is UTF-8");

        // As Python and others write it: the header has what ASCII has of it.
        let long = "d".repeat(120);
        for (kind, content, name) in [
            (b'x', b"18 mtime=1.000000\n15 path=M\xfcll/x\n".to_vec(), b"M\xfcll".to_vec()),
            (b'x', "16 path=M\u{fc}ll/x\n".into(), "M\u{fc}ll".into()),
            (b'L', format!("{long}/x\0").into(), long.into()),
        ] {
            let tar = [member("header", kind, &content), member("M?ll/x", b'0', b"")].concat();
            assert_eq!(top(&tar).unwrap(), name);
            let folder = [member("header", kind, &content), member("M?ll/x", b'5', b"")].concat();
            assert_eq!(top(&folder).unwrap(), name);
        }
        // Records that end nowhere, are shorter than themselves, or are none.
        for odd in
            ["99 path=a/b\n", "0 path=a/b\n", "3 path=a/b\n", " path=a/b\n", "11 path=a/b", "x"]
        {
            let tar = [member("h", b'x', odd.as_bytes()), member("t/x", b'0', b"")].concat();
            assert_eq!(top(&tar).unwrap(), b"t", "{odd}");
        }
    }
}
