//! Names of files that are unfinished, or that belong to a program or a system.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Endings, in lower case; compared without regard to ASCII case.
const ENDINGS: &[&str] = &[
    // browsers: Chromium, Firefox, Safari, Opera
    ".crdownload",
    ".part",
    ".partial",
    ".download",
    ".opdownload",
    // download managers: FDM, aria2, uTorrent, qBittorrent, BitTorrent, BitComet, eMule, WinSCP,
    // Thunder, yt-dlp
    ".fdmdownload",
    ".aria2",
    ".!ut",
    ".!qb",
    ".!bt",
    ".bc!",
    ".bts",
    ".part.met",
    ".filepart",
    ".td",
    ".xltd",
    ".ytdl",
    // anybody's
    ".tmp",
    ".temp",
    // editors' backups
    "~",
    // in the cloud: not downloaded yet. Moved out of the folder its client keeps, the name would be all
    // that is left of the file
    ".icloud",
    ".nextcloud",
    ".owncloud",
    ".opencloud",
    ".kdrive",
];

/// Beginnings, exact.
const BEGINNINGS: &[&str] = &[
    ".goutputstream-", // GLib, while saving
    ".~lock.",         // LibreOffice
    "~$",              // Microsoft Office
    ".#",              // Emacs locks
    "~syncthing~",
    ".nfs",         // removed, but still open on NFS
    ".fuse_hidden", // removed, but still open on FUSE
    "._",           // AppleDouble
];

/// Whole names, in lower case; compared without regard to ASCII case.
const NAMES: &[&str] = &[
    ".ds_store",
    ".directory",
    "desktop.ini",
    "thumbs.db",
    "ehthumbs.db",
    "icon\r", // a folder's icon on macOS
];

/// Directories that belong to a system or a tool, in lower case.
const DIRECTORIES: &[&str] = &[
    "@eadir",                    // Synology
    "#recycle",                  // Synology
    "@recycle",                  // QNAP
    ".stfolder",                 // Syncthing
    ".stversions",               // Syncthing
    ".trashes",                  // macOS
    ".spotlight-v100",           // macOS
    ".fseventsd",                // macOS
    ".temporaryitems",           // macOS
    ".documentrevisions-v100",   // macOS
    "__macosx",                  // macOS archives
    "$recycle.bin",              // Windows
    "system volume information", // Windows
    "lost+found",                // fsck
    ".rsync-partial",
];

/// Whether a file of this name is unfinished or belongs to a program, so that it is never filed.
pub fn is_unfinished(name: &OsStr) -> bool {
    let name = name.as_bytes();
    ENDINGS.iter().any(|e| ends_with(name, e))
        || BEGINNINGS.iter().any(|b| name.starts_with(b.as_bytes()))
        || NAMES.iter().any(|n| name.eq_ignore_ascii_case(n.as_bytes()))
        || is_chromium_unconfirmed(name)
        || is_yt_dlp_fragment(name)
        || is_between(name, ".getxfer.", ".mega")
        || is_between(name, ".syncthing.", ".tmp")
        || is_between(name, "#", "#")
        || is_vim_swap(name)
        || is_rsync_temporary(name)
}

/// Whether the name begins with a dot.
pub fn is_hidden(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b".")
}

/// Whether a directory of this name belongs to a system or a tool, or is an unfinished download.
pub(super) fn is_never_entered(name: &OsStr) -> bool {
    let name = name.as_bytes();
    DIRECTORIES.iter().any(|d| name.eq_ignore_ascii_case(d.as_bytes()))
        // `.Trash`, `.Trash-1000`, `.Trashes`
        || name.starts_with(b".Trash")
        // Safari
        || ends_with(name, ".download")
        || is_backup(name)
}

/// Whether tidyd gives such a name to a backup of its journal: `tidyd-20261121T200000Z`, perhaps with a number behind it.
pub fn is_backup(name: &[u8]) -> bool {
    let Some(name) = name.strip_prefix(b"tidyd-") else { return false };
    let Some((time, number)) = name.split_at_checked(16) else { return false };
    let shape = |(at, byte): (usize, &u8)| match at {
        8 => *byte == b'T',
        15 => *byte == b'Z',
        _ => byte.is_ascii_digit(),
    };
    let numbered = match number {
        [] => true,
        [b'-', digits @ ..] => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    numbered && time.iter().enumerate().all(shape)
}

fn ends_with(name: &[u8], ending: &str) -> bool {
    name.len() > ending.len()
        && name[name.len() - ending.len()..].eq_ignore_ascii_case(ending.as_bytes())
}

/// `Unconfirmed 123456` with or without an extension; not an invoice that is called so.
fn is_chromium_unconfirmed(name: &[u8]) -> bool {
    name.strip_prefix(b"Unconfirmed ").is_some_and(|rest| {
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        digits > 0 && matches!(rest.get(digits), None | Some(b'.'))
    })
}

/// `name.part-Frag12`, `name.part-Frag12.part`.
fn is_yt_dlp_fragment(name: &[u8]) -> bool {
    name.windows(b".part-Frag".len()).any(|w| w == b".part-Frag")
}

fn is_between(name: &[u8], beginning: &str, ending: &str) -> bool {
    name.len() > beginning.len() + ending.len()
        && name.starts_with(beginning.as_bytes())
        && name.ends_with(ending.as_bytes())
}

/// `.name.swp`, `.swo` … `.saa`: what vim counts down through, which is `.*.s??` with letters `a-w`
/// in the middle (`:help swap-file`).
fn is_vim_swap(name: &[u8]) -> bool {
    matches!(name, [b'.', .., b'.', b's', b'v' | b'w', b'a'..=b'z'])
}

/// `.name.XXXXXX` with six characters of `mkstemp(3)`: what rsync writes to before it renames.
fn is_rsync_temporary(name: &[u8]) -> bool {
    let Some(stem) = name.strip_prefix(b".") else { return false };
    match stem.len().checked_sub(7) {
        Some(dot) if dot > 0 && stem[dot] == b'.' => {
            stem[dot + 1..].iter().all(u8::is_ascii_alphanumeric)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_names() {
        let yes = [
            "a.crdownload",
            "Unconfirmed 123456.crdownload",
            "Unconfirmed 123456",
            "a.zip.part",
            "A.ZIP.PART",
            "a.partial",
            "a.download",
            "a.opdownload",
            "a.fdmdownload",
            "a.aria2",
            "a.!ut",
            "a.!qB",
            "a.!bt",
            "a.bc!",
            "a.bts",
            "001.part.met",
            "a.filepart",
            "a.tmp",
            "a.temp",
            "a.td",
            "a.xltd",
            "a.ytdl",
            "v.mp4.part-Frag7",
            "v.mp4.part-Frag7.part",
            ".getxfer.123.4.mega",
            ".goutputstream-ABC123",
            ".~lock.a.odt#",
            "~$report.docx",
            "a.txt~",
            ".a.txt.swp",
            ".a.txt.swo",
            ".#a.txt",
            "#a.txt#",
            ".syncthing.a.txt.tmp",
            "~syncthing~a.txt.tmp",
            ".nfs00000000012",
            ".fuse_hidden0001",
            ".photo.jpg.Ab3xY9",
            "a.icloud",
            "a.jpg.nextcloud",
            "a.jpg.owncloud",
            "._a.jpg",
            ".DS_Store",
            "Desktop.ini",
            "Thumbs.db",
            "Icon\r",
            ".tidyd-17.part",
        ];
        for name in yes {
            assert!(is_unfinished(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn backups_of_our_own() {
        for (name, ours) in [
            ("tidyd-20261121T200000Z", true),
            ("tidyd-20261121T200000Z-2", true),
            ("tidyd-20261121T200000Z-", false),
            ("tidyd-20261121T200000Z-old", false),
            ("tidyd-20261121T200000Zx", false),
            ("tidyd-20261121T20000", false),
            ("tidyd-ü0261121T200000Z", false),
            ("before-format-1", false),
            ("keep tidyd-20261121T200000Z", false),
        ] {
            assert_eq!(is_backup(name.as_bytes()), ours, "{name}");
            assert_eq!(is_never_entered(OsStr::new(name)), ours, "{name}");
        }
    }

    #[test]
    fn finished_names() {
        let no = [
            "a.zip",
            "Unconfirmed invoice.pdf",
            "Unconfirmed 12 people.txt",
            "department.doc",
            "part",
            "tmp",
            "a.part1.rar",
            "notes#1.txt",
            "#1 song.mp3",
            "##",
            "~",
            "a~b.txt",
            "photo.jpg.Ab3xY9",
            "song.swf",
            ".swp",
            "attempt",
            "Ünïcode.pdf",
        ];
        for name in no {
            assert!(!is_unfinished(OsStr::new(name)), "{name}");
        }
    }
}
