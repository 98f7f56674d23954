//! What a file system takes as a name, and the nearest name it takes instead of one that it does not.
//!
//! In: a name as a rule wants it, and how the destination's file system names things (the daemon asks `statfs`). Out: a name
//! that keeps its extension, is cut between characters, and means the same to Linux and to Windows where both read the disk.
//!
//! What Windows refuses: Microsoft, "Naming Files, Paths, and Namespaces"; the length on vfat, exFAT and NTFS is counted in
//! UTF-16 units. `vfat(5)` in Linux refuses the same characters with `EINVAL`, and drops dots and spaces at the end.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::name;

/// How one file system names things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Naming {
    /// The longest name in bytes, at most [`name::NAME_MAX`]. A name of so many bytes has no more UTF-16 units.
    max: usize,
    /// Names are those of Windows, too.
    windows: bool,
}

impl Default for Naming {
    /// ext4, btrfs, xfs, tmpfs, APFS and most others: anything but `/` and NUL, 255 bytes.
    fn default() -> Self {
        Self { max: name::NAME_MAX, windows: false }
    }
}

impl Naming {
    /// FAT, exFAT, NTFS, and what servers share with Windows.
    pub const WINDOWS: Self = Self { max: name::NAME_MAX, windows: true };

    /// What every file system takes. eCryptfs has room for 143 bytes.
    pub const STRICTEST: Self = Self { max: 143, windows: true };

    /// The same with no more than `max` bytes (`f_namelen`); 255 is what a path may have anyway.
    pub fn at_most(self, max: usize) -> Self {
        Self { max: self.max.min(max.max(1)), ..self }
    }

    /// The longest name, in bytes.
    pub fn max(self) -> usize {
        self.max
    }

    /// Whether it takes the name as it is.
    pub fn takes(self, name: &OsStr) -> bool {
        name.len() <= self.max && !(self.windows && is_refused(name))
    }

    /// The name, or the nearest one that it takes.
    ///
    /// `:`, `|` and `\` become `-`, `"` becomes `'`, and `<`, `>`, `?`, `*`, control characters and what is not UTF-8
    /// become `_`; dots and spaces at the end go; the names of devices get a `_` (`CON_.txt`). What is too long loses the
    /// end of its stem.
    pub fn name(self, name: &OsStr) -> Cow<'_, OsStr> {
        if self.takes(name) {
            return Cow::Borrowed(name);
        }
        let mut out = if self.windows { for_windows(name) } else { name.to_owned() };
        if out.len() > self.max {
            out = name::fit(&out, self.max);
            if self.windows {
                // Where it was cut there may be a space.
                out = for_windows(&out);
            }
        }
        Cow::Owned(out)
    }

    /// The `n`th name to try when `name` is taken, as [`name::numbered`].
    pub fn numbered(self, name: &OsStr, n: u32) -> OsString {
        name::numbered_within(name, n, self.max)
    }
}

fn is_refused(name: &OsStr) -> bool {
    match name.to_str() {
        Some(text) => {
            text.chars().any(|c| replaced(c) != c) || text.ends_with(['.', ' ']) || is_device(text)
        }
        None => true,
    }
}

/// The name with everything gone that Windows refuses. No longer than before, but for a device's `_`.
fn for_windows(name: &OsStr) -> OsString {
    let mut out = String::with_capacity(name.len());
    for chunk in name.as_bytes().utf8_chunks() {
        out.extend(chunk.valid().chars().map(replaced));
        out.extend((!chunk.invalid().is_empty()).then_some('_'));
    }
    out.truncate(out.trim_end_matches(['.', ' ']).len());
    if is_device(&out) {
        let end = out.find('.').unwrap_or(out.len());
        out.insert(out[..end].trim_end_matches(' ').len(), '_');
    }
    if out.is_empty() { "_".into() } else { out.into() }
}

fn replaced(c: char) -> char {
    match c {
        ':' | '|' | '\\' | '/' => '-',
        '"' => '\'',
        '<' | '>' | '?' | '*' => '_',
        c if c.is_ascii_control() => '_',
        c => c,
    }
}

/// `CON`, `con.txt`, `COM1.tar.gz`: Windows opens the device, whatever follows the first dot.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end_matches(' ');
    let is = |device: &str| stem.eq_ignore_ascii_case(device);
    if ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"].into_iter().any(is) {
        return true;
    }
    let mut chars = stem.chars();
    let Some(digit) = chars.next_back() else { return false };
    let port = chars.as_str();
    let numbered = matches!(digit, '0'..='9' | '¹' | '²' | '³');
    numbered && (port.eq_ignore_ascii_case("COM") || port.eq_ignore_ascii_case("LPT"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn windows(name: &str) -> String {
        Naming::WINDOWS.name(OsStr::new(name)).to_str().unwrap().to_owned()
    }

    #[test]
    fn names_that_windows_takes() {
        let table = [
            ("plain.jpg", "plain.jpg"),
            ("What? Why: \"this\" <1|2>*.pdf", "What_ Why- 'this' _1-2__.pdf"),
            ("back\\slash", "back-slash"),
            ("Inc. ", "Inc"),
            ("a...", "a"),
            ("...", "_"),
            ("tab\there.txt", "tab_here.txt"),
            ("CON", "CON_"),
            ("con.txt", "con_.txt"),
            ("Aux .tar.gz", "Aux_ .tar.gz"),
            ("COM1.csv", "COM1_.csv"),
            ("lpt¹", "lpt¹_"),
            ("COM10.csv", "COM10.csv"),
            ("Consul.txt", "Consul.txt"),
            ("日本語: テスト.pdf", "日本語- テスト.pdf"),
        ];
        for (name, want) in table {
            assert_eq!(windows(name), want, "{name:?}");
        }
        let raw = OsStr::from_bytes(b"caf\xE9.txt");
        assert_eq!(Naming::WINDOWS.name(raw), OsStr::new("caf_.txt"));
        assert_eq!(Naming::default().name(raw), raw);
    }

    #[test]
    fn other_file_systems_take_what_is_there() {
        for name in ["What?: \"x\" <1>|*", "CON", "dot.", "a\nb"] {
            assert_eq!(Naming::default().name(OsStr::new(name)), OsStr::new(name));
        }
    }

    #[test]
    fn encrypted_folders_have_room_for_less() {
        let ecryptfs = Naming::default().at_most(143);
        let long = format!("{}.tar.gz", "ä".repeat(100));
        let short = ecryptfs.name(OsStr::new(&long)).into_owned();
        assert!(short.len() <= 143 && short.len() > 141, "{short:?}");
        assert!(short.to_str().unwrap().ends_with("ä.tar.gz"));
        let next = ecryptfs.numbered(&short, 2);
        assert!(next.len() <= 143 && next.to_str().unwrap().ends_with(" (2).tar.gz"), "{next:?}");
    }

    fn any_name() -> impl Strategy<Value = Vec<u8>> {
        let byte = any::<u8>().prop_filter("in a name", |b| !matches!(b, 0 | b'/'));
        let text = "[ -.0-~:?*äß日\u{1F600}]{1,120}".prop_map(String::into_bytes);
        let device = "(CON|nul|Com[0-9])[ .]{0,3}[a-z.]{0,6}".prop_map(String::into_bytes);
        prop_oneof![prop::collection::vec(byte, 1..=255), text, device]
    }

    proptest! {
        #[test]
        fn what_is_made_is_taken_and_keeps_its_extension(bytes in any_name(), max in 30usize..=255, windows: bool) {
            prop_assume!(!matches!(&*bytes, b"." | b".."));
            let name = OsStr::from_bytes(&bytes);
            let naming = Naming { max, windows };
            let made = naming.name(name).into_owned();
            prop_assert!(!made.is_empty() && naming.takes(&made), "{:?}", made);
            prop_assert!(made != OsStr::new(".") && made != OsStr::new(".."), "{:?}", made);
            prop_assert_eq!(naming.name(&made), made.as_os_str());
            if name.to_str().is_some() {
                prop_assert!(made.to_str().is_some(), "a character was split: {:?}", made);
            }
            // Only an extension that no file system refuses is one that can be kept.
            if let Some(ext) = name::extension(name).filter(|e| Naming::WINDOWS.takes(OsStr::new(e))) {
                let kept = name::extension(&made);
                prop_assert!(kept == Some(ext) || name::stem(name).as_bytes().iter().all(|b| matches!(b, b'.' | b' ')), "{:?}", made);
            }
        }

        #[test]
        fn names_for_the_strictest_are_taken_by_all(bytes in any_name()) {
            let made = Naming::STRICTEST.name(OsStr::from_bytes(&bytes)).into_owned();
            prop_assert!(Naming::WINDOWS.takes(&made) && Naming::default().takes(&made));
        }

        #[test]
        fn numbered_names_fit(bytes in any_name(), max in 60usize..=255, n in 2u32..10_000) {
            let naming = Naming { max, windows: true };
            let name = naming.name(OsStr::from_bytes(&bytes)).into_owned();
            let next = naming.numbered(&name, n);
            prop_assert!(naming.takes(&next), "{:?}", next);
            prop_assert_ne!(&next, &name);
        }
    }
}
