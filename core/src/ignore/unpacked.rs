//! Folders that an archive was unpacked into, as far as names tell.

use std::ffi::{OsStr, OsString};

use crate::name;

/// Extensions of archives: what holds files and folders.
const ARCHIVES: &[&str] = &[
    "7z", "ace", "alz", "arc", "arj", "cab", "cpio", "lha", "lzh", "rar", "sit", "sitx", "tar",
    "taz", "tbz", "tbz2", "tgz", "tlz", "txz", "tzst", "xar", "zip", "zoo",
];

/// Extensions of what is packed, and by itself is one file: an archive only where another says so (`.tar.gz`).
const PACKED: &[&str] = &["br", "bz2", "gz", "lz", "lz4", "lzma", "lzo", "xz", "z", "zst"];

/// The name of the folder that the archive of this name is unpacked into, if that is what the name says it is, in the form in
/// which names are compared.
fn stem(archive: &OsStr) -> Option<String> {
    let name = folded(archive);
    let (stem, ext) = name.rsplit_once('.')?;
    let stem = match ext {
        ext if PACKED.contains(&ext) => stem.strip_suffix(".tar").or(stem.strip_suffix(".cpio"))?,
        "rar" => match stem.rsplit_once(".part") {
            Some((stem, n)) if is_number(n) => stem,
            _ => stem,
        },
        // The first volume of several.
        "001" => {
            let (stem, ext) = stem.rsplit_once('.')?;
            ARCHIVES.contains(&ext).then_some(stem)?
        }
        ext => ARCHIVES.contains(&ext).then_some(stem)?,
    };
    (!stem.is_empty()).then(|| uncounted(stem).to_owned())
}

/// Whether its name says that it is an archive.
pub fn is_archive(name: &OsStr) -> bool {
    stem(name).is_some()
}

/// Whether a folder has the name that the archive is unpacked under: its own without the extensions, whatever the case, and
/// whatever numbers browsers and file managers have put behind either.
pub fn is_unpacked_from(folder: &OsStr, archive: &OsStr) -> bool {
    let Some(stem) = stem(archive) else { return false };
    let folder = folded(folder);
    let plain = uncounted(&folder);
    // A second copy is `name 2` on macOS.
    let numbered = plain.rsplit_once(' ').filter(|(_, n)| is_number(n) && n.len() <= 2);
    plain == stem || folder == stem || numbered.is_some_and(|(plain, _)| plain == stem)
}

/// What is not UTF-8 is read as Latin-1, in which every byte is a letter of its own.
fn folded(name: &OsStr) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    match name::normalized(name).into_string() {
        Ok(text) => text.to_lowercase(),
        Err(name) => {
            name.as_bytes().iter().map(|b| char::from(*b)).collect::<String>().to_lowercase()
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit())
}

/// Without ` (2)` at its end.
fn uncounted(stem: &str) -> &str {
    let counted = stem.strip_suffix(')').and_then(|s| s.rsplit_once('('));
    match counted {
        Some((plain, n)) if is_number(n) && !plain.trim_end().is_empty() => plain.trim_end(),
        _ => stem,
    }
}

/// The folder at the top of a member's path; `None` where it lies in none, or the path is not one to be unpacked.
pub fn top_folder(member: &OsStr) -> Option<OsString> {
    use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
    let mut bytes = member.as_bytes();
    while let Some(rest) = bytes.strip_prefix(b"./") {
        bytes = rest;
    }
    let end = bytes.iter().position(|b| *b == b'/')?;
    let top = &bytes[..end];
    let is_name = !matches!(top, b"" | b"." | b"..") && !top.contains(&0);
    is_name.then(|| OsString::from_vec(top.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(folder: &str, archive: &str) -> bool {
        is_unpacked_from(OsStr::new(folder), OsStr::new(archive))
    }

    #[test]
    fn a_folder_called_like_an_archive_was_unpacked_from_it() {
        for (folder, archive) in [
            ("foo", "foo.zip"),
            ("foo", "FOO.Zip"),
            ("foo-1.2", "foo-1.2.tar.gz"),
            ("foo", "foo.tgz"),
            ("foo", "foo.tar.xz"),
            ("foo.tar", "foo.tar.7z"),
            ("foo", "foo.part1.rar"),
            ("foo", "foo.7z.001"),
            ("foo", "foo (1).zip"),
            ("foo (1)", "foo (1).zip"),
            ("foo (2)", "foo.zip"),
            ("foo 2", "foo.zip"),
            ("Cafe\u{301}", "Caf\u{e9}.rar"),
        ] {
            assert!(unpacked(folder, archive), "{folder} {archive}");
        }
        for (folder, archive) in [
            ("foo", "bar.zip"),
            ("foo", "foo"),
            // What comes of it is a file.
            ("foo", "foo.gz"),
            ("foo", "foo.pdf"),
            ("foo", "foo.epub"),
            ("foo", ".zip"),
            ("", ".zip"),
            ("foo", "foo.txt.001"),
            ("foo", "foobar.zip"),
            ("foo 2026", "foo.zip"),
            ("(1)", "x (1).zip"),
        ] {
            assert!(!unpacked(folder, archive), "{folder} {archive}");
        }
    }

    #[test]
    fn names_that_are_not_utf8_are_told_apart() {
        use std::os::unix::ffi::OsStrExt as _;
        let unpacked = |folder, archive| {
            is_unpacked_from(OsStr::from_bytes(folder), OsStr::from_bytes(archive))
        };
        assert!(unpacked(b"M\xfcll", b"M\xfcll.zip"));
        assert!(unpacked(b"M\xfcll (1)", b"M\xfcll.tar.gz"));
        assert!(!unpacked(b"M\xe4ll", b"M\xfcll.zip"));
        assert!(!unpacked("M\u{fffd}ll".as_bytes(), b"M\xfcll.zip"));
    }

    #[test]
    fn the_folder_at_the_top_of_a_path() {
        for (member, top) in [
            ("tool/bin/x", Some("tool")),
            ("tool/", Some("tool")),
            ("./tool/x", Some("tool")),
            ("tool", None),
            ("./x", None),
            ("../x/y", None),
            ("/etc/passwd", None),
            ("", None),
        ] {
            assert_eq!(top_folder(OsStr::new(member)).as_deref(), top.map(OsStr::new), "{member}");
        }
    }
}
