//! File names: stems, extensions, numbers, and what is safe to print or to create.
//!
//! Names are bytes. Where a function shortens one it cuts at a character boundary of valid UTF-8, and
//! anywhere in a name that is not; it shortens the stem and keeps the extension.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// The longest file name, in bytes, that every file system we meet accepts (`NAME_MAX`).
pub const NAME_MAX: usize = 255;

/// The longest extension, in characters: `sublime-workspace` has 17. What is longer is a sentence.
const EXTENSION_MAX: usize = 20;

/// Extensions that say how a file is packed, so that the one before says what it is (`.tar.gz`).
const PACKED: &[&str] = &["br", "bz2", "gz", "lz", "lz4", "lzma", "lzo", "xz", "z", "zst"];

/// The name in Unicode NFC, so that two spellings of one name compare equal (macOS writes NFD).
/// Names that are not UTF-8 stay as they are.
pub fn normalized(name: &OsStr) -> OsString {
    match name.to_str() {
        Some(text) if !is_nfc(text) => text.nfc().collect::<String>().into(),
        _ => name.to_owned(),
    }
}

/// The last extension, lower case, without its dot.
///
/// `None` for dotfiles (`.bashrc`), for a trailing dot, and where what follows the last dot is no
/// extension: longer than 20 characters, with white space or control characters, not UTF-8.
pub fn extension(name: &OsStr) -> Option<String> {
    let bytes = name.as_bytes();
    let dot = extension_dot(bytes)?;
    std::str::from_utf8(&bytes[dot + 1..]).ok().map(str::to_lowercase)
}

/// The name without its extension and the dot before it; the whole name where there is none.
pub fn stem(name: &OsStr) -> &OsStr {
    let bytes = name.as_bytes();
    OsStr::from_bytes(&bytes[..extension_dot(bytes).unwrap_or(bytes.len())])
}

/// The `n`th name to try when `name` is taken, at most [`NAME_MAX`] bytes: `photo (2).jpg`,
/// `backup (2).tar.gz`. `n` starts at 2, the name itself being the first.
///
/// A name that already ends in a number of up to three digits is counted on from there: the second
/// name for `photo (2).jpg` is `photo (3).jpg`. Longer numbers are years and the like and stay:
/// `Report (2024) (2).pdf`. For one name, different `n` always give different names.
pub fn numbered(name: &OsStr, n: u32) -> OsString {
    numbered_within(name, n, NAME_MAX)
}

/// The same in at most `max` bytes.
pub(crate) fn numbered_within(name: &OsStr, n: u32, max: usize) -> OsString {
    let bytes = name.as_bytes();
    let (stem, suffix) = bytes.split_at(suffix_start(bytes));
    let (stem, number) = match number_at_end(stem) {
        Some((rest, k)) => (rest, u64::from(k) + u64::from(n.saturating_sub(1))),
        None => (stem, u64::from(n)),
    };
    let number = format!(" ({number})");
    let room = max.saturating_sub(number.len() + suffix.len());
    OsString::from_vec([cut(stem, room), number.as_bytes(), suffix].concat())
}

/// `name` with `suffix` after it, `name` shortened so that both fit into [`NAME_MAX`] bytes.
pub fn with_suffix(name: &OsStr, suffix: &str) -> OsString {
    let mut out = fit(name, NAME_MAX.saturating_sub(suffix.len()));
    out.push(suffix);
    out
}

/// `name` in at most `max` bytes: the stem is shortened, the extension (`.tar.gz` too) stays. Where
/// not even the extension fits, the end of the name goes.
pub fn fit(name: &OsStr, max: usize) -> OsString {
    let bytes = name.as_bytes();
    if bytes.len() <= max {
        return name.to_owned();
    }
    let (stem, suffix) = bytes.split_at(suffix_start(bytes));
    let kept = cut(stem, max.saturating_sub(suffix.len()));
    if kept.is_empty() || suffix.len() > max {
        return OsStr::from_bytes(cut(bytes, max)).to_owned();
    }
    OsString::from_vec([kept, suffix].concat())
}

/// The name (or path) for people and terminals: control characters, line separators, bidirectional
/// overrides and backslashes are escaped, and bytes that are not UTF-8 appear as `\xNN`. Two
/// different names never look the same for what is escaped here.
pub fn shown(name: &OsStr) -> String {
    let mut out = String::with_capacity(name.len());
    for chunk in name.as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' | '\n' | '\r' | '\t' => out.extend(c.escape_default()),
                c if c.is_ascii_control() => push_byte(&mut out, c as u8),
                c if c.is_control() || is_deceptive(c) => out.extend(c.escape_unicode()),
                c => out.push(c),
            }
        }
        for b in chunk.invalid() {
            push_byte(&mut out, *b);
        }
    }
    out
}

/// `dir` and what is below it, as [`Path::join`] puts them together, in one piece of memory at once: of every file it is
/// asked very often.
pub fn join(dir: &Path, rel: &Path) -> PathBuf {
    let mut path = PathBuf::with_capacity(dir.as_os_str().len() + 1 + rel.as_os_str().len());
    path.push(dir);
    path.push(rel);
    path
}

/// The host of a URL with an authority (`https://user@example.org:8080/x` → `example.org`), as it is
/// written there; of an IPv6 address what is between the brackets.
pub fn host(url: &str) -> Option<&str> {
    let (scheme, rest) = url.trim().split_once("://")?;
    let scheme_char = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    if scheme.is_empty() || !scheme.bytes().all(scheme_char) {
        return None;
    }
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split_once(']')?.0,
        None => host.split(':').next().unwrap_or_default(),
    };
    let host = host.trim_end_matches('.');
    let plain = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c.is_control());
    plain.then_some(host)
}

/// A value as one component of a path: `AC/DC` becomes `AC-DC`.
///
/// `/` becomes `-`, NUL becomes `_`, other control characters and bidirectional overrides go, and so
/// do spaces at both ends and dots at the end (SMB and FAT drop those silently). What is then empty,
/// `.` and `..` among them, becomes `_`. Not shortened: see [`fit`].
pub fn safe_component(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.nfc() {
        match c {
            '/' => out.push('-'),
            '\0' => out.push('_'),
            c if c.is_control() || is_deceptive(c) => {}
            c => out.push(c),
        }
    }
    let kept = out.trim_start().trim_end_matches(|c: char| c == '.' || c.is_whitespace());
    if kept.is_empty() { "_".to_owned() } else { kept.to_owned() }
}

/// Bytes of an existing name as (part of) one component; only what no file system can hold goes.
pub(crate) fn plain_bytes(name: &[u8]) -> Cow<'_, [u8]> {
    if name.iter().any(|b| matches!(b, b'/' | 0)) {
        Cow::Owned(name.iter().map(|b| if matches!(b, b'/' | 0) { b'_' } else { *b }).collect())
    } else {
        Cow::Borrowed(name)
    }
}

/// Where the last extension's dot is.
fn extension_dot(name: &[u8]) -> Option<usize> {
    let dot = name.iter().rposition(|b| *b == b'.')?;
    let ext = std::str::from_utf8(&name[dot + 1..]).ok()?;
    let sane = !ext.is_empty()
        && ext.chars().count() <= EXTENSION_MAX
        && !ext.contains(|c: char| c.is_whitespace() || c.is_control() || is_deceptive(c));
    // A name that is nothing but dots before it is a dotfile's.
    (sane && name[..dot].iter().any(|b| *b != b'.')).then_some(dot)
}

/// Where the part that must survive numbering starts: the extension, or two of them for packed files.
fn suffix_start(name: &[u8]) -> usize {
    let Some(dot) = extension_dot(name) else { return name.len() };
    let packed = PACKED.iter().any(|p| name[dot + 1..].eq_ignore_ascii_case(p.as_bytes()));
    match extension_dot(&name[..dot]) {
        Some(first) if packed && is_short_word(&name[first + 1..dot]) => first,
        _ => dot,
    }
}

/// `tar`, `sql`, `json`, but not the `2` of `v1.2.gz`.
fn is_short_word(ext: &[u8]) -> bool {
    ext.len() <= 4
        && ext.iter().all(u8::is_ascii_alphanumeric)
        && ext.iter().any(u8::is_ascii_alphabetic)
}

/// `photo (12)` → `photo`, 12.
fn number_at_end(stem: &[u8]) -> Option<(&[u8], u32)> {
    let inner = stem.strip_suffix(b")")?;
    let open = inner.iter().rposition(|b| *b == b'(')?;
    let digits = &inner[open + 1..];
    let rest = inner[..open].strip_suffix(b" ").filter(|r| !r.is_empty())?;
    let counted = (1..=3).contains(&digits.len())
        && digits[0] != b'0'
        && digits.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    counted.then_some((rest, number))
}

/// The longest start of `bytes` within `max` that does not end inside a character.
fn cut(bytes: &[u8], max: usize) -> &[u8] {
    if bytes.len() <= max {
        return bytes;
    }
    let is_continuation = |b: u8| b & 0xC0 == 0x80;
    let back = (0..=max.min(3)).find(|back| !is_continuation(bytes[max - back])).unwrap_or(0);
    &bytes[..max - back]
}

/// Characters that change how their neighbours are shown, or break a line, and carry no text: the
/// bidirectional controls of Unicode UAX #9, the two separators, and what is not seen at all (joiners are seen in what they join).
fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

fn push_byte(out: &mut String, b: u8) {
    // Writing to a String does not fail.
    let _ = write!(out, "\\x{b:02x}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn os(s: &str) -> &OsStr {
        OsStr::new(s)
    }

    #[test]
    fn extensions_and_stems() {
        let table: &[(&str, Option<&str>, &str)] = &[
            ("a.JPG", Some("jpg"), "a"),
            ("backup.tar.gz", Some("gz"), "backup.tar"),
            (".bashrc", None, ".bashrc"),
            ("..x", None, "..x"),
            (".config.toml", Some("toml"), ".config"),
            ("noext", None, "noext"),
            ("dot.", None, "dot."),
            ("Mr. Smith writes", None, "Mr. Smith writes"),
            ("a.b\nc", None, "a.b\nc"),
            ("", None, ""),
            ("a.aaaaaaaaaaaaaaaaaaaaaaaaa", None, "a.aaaaaaaaaaaaaaaaaaaaaaaaa"),
        ];
        for (name, ext, want) in table {
            assert_eq!(extension(os(name)).as_deref(), *ext, "{name:?}");
            assert_eq!(stem(os(name)), os(want), "{name:?}");
        }
    }

    #[test]
    fn numbers_come_before_the_extension_and_are_counted_on() {
        let table = [
            ("photo.jpg", 2, "photo (2).jpg"),
            ("backup.tar.gz", 3, "backup (3).tar.gz"),
            ("dump.sql.zst", 2, "dump (2).sql.zst"),
            ("v1.2.gz", 2, "v1.2 (2).gz"),
            (".bashrc", 2, ".bashrc (2)"),
            ("photo (2).jpg", 2, "photo (3).jpg"),
            ("photo (1).jpg", 2, "photo (2).jpg"),
            ("photo (2).jpg", 4, "photo (5).jpg"),
            ("Report (2024).pdf", 2, "Report (2024) (2).pdf"),
            ("a (02).pdf", 2, "a (02) (2).pdf"),
            ("(2).pdf", 2, "(2) (2).pdf"),
        ];
        for (name, n, want) in table {
            assert_eq!(numbered(os(name), n), os(want));
        }
    }

    #[test]
    fn shortening_keeps_the_extension_and_whole_characters() {
        let long = format!("{}.tar.gz", "ä".repeat(200));
        let short = numbered(os(&long), 12);
        assert!(short.len() <= NAME_MAX && short.len() > NAME_MAX - 2);
        assert!(short.to_str().unwrap().ends_with("ä (12).tar.gz"));
        assert_eq!(fit(os("abcdef.jpg"), 6), os("ab.jpg"));
        assert_eq!(fit(os("abcdef.jpg"), 4), os("abcd"));
        assert_eq!(with_suffix(os(&long), ".trashinfo").len(), NAME_MAX);
        assert_eq!(with_suffix(os("a.b"), ".c"), os("a.b.c"));
    }

    #[test]
    fn both_spellings_of_a_name_are_one() {
        assert_eq!(normalized(os("e\u{301}")), os("\u{e9}"));
        let raw = OsStr::from_bytes(b"e\xCC\x81\xFF");
        assert_eq!(normalized(raw), raw);
    }

    #[test]
    fn what_is_shown_cannot_deceive() {
        let table: &[(&[u8], &str)] = &[
            (b"plain", "plain"),
            (b"a\nb\x1b[31m", "a\\nb\\x1b[31m"),
            ("a\u{200B}b".as_bytes(), "a\\u{200b}b"),
            ("gpj.\u{202E}exe".as_bytes(), "gpj.\\u{202e}exe"),
            (b"caf\xE9", "caf\\xe9"),
            (b"back\\slash", "back\\\\slash"),
            ("\u{85}".as_bytes(), "\\u{85}"),
            ("日本".as_bytes(), "日本"),
        ];
        for (name, want) in table {
            assert_eq!(shown(OsStr::from_bytes(name)), *want);
        }
    }

    #[test]
    fn hosts() {
        let table = [
            ("https://example.org/a?b", Some("example.org")),
            ("https://me:pw@Example.org:8080", Some("Example.org")),
            ("http://[::1]:80/", Some("::1")),
            ("https://example.org./", Some("example.org")),
            ("file:///etc/passwd", None),
            ("data:text/plain,x", None),
            ("about:blank", None),
            ("http://[::1", None),
            ("not a url://x", None),
            ("", None),
        ];
        for (url, want) in table {
            assert_eq!(host(url), want, "{url}");
        }
    }

    #[test]
    fn values_become_one_component() {
        let table = [
            ("AC/DC", "AC-DC"),
            ("..", "_"),
            (".", "_"),
            ("", "_"),
            ("  x  ", "x"),
            ("Inc.", "Inc"),
            ("a\0b\nc", "a_bc"),
            ("../../etc", "..-..-etc"),
            ("x . . ", "x"),
        ];
        for (value, want) in table {
            assert_eq!(safe_component(value), want, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn numbered_names_fit_and_keep_their_extension(
            bytes in prop::collection::vec(any::<u8>().prop_filter("in a name", |b| !matches!(b, 0 | b'/')), 1..=255),
            n in 2u32..20_000,
        ) {
            let name = OsStr::from_bytes(&bytes);
            let next = numbered(name, n);
            prop_assert!(next.len() <= NAME_MAX);
            prop_assert_eq!(extension(&next), extension(name));
            prop_assert_ne!(&next, &numbered(name, n + 1));
            prop_assert_ne!(next.as_os_str(), name);
        }

        #[test]
        fn fitted_names_fit(name in "\\PC{0,300}", max in 1usize..300) {
            let short = fit(os(&name), max);
            prop_assert!(short.len() <= max);
            prop_assert!(short.to_str().is_some());
        }

        #[test]
        fn a_safe_component_is_one_plain_component(value in any::<String>()) {
            let safe = safe_component(&value);
            prop_assert!(!safe.is_empty() && safe != "." && safe != "..");
            prop_assert!(!safe.contains(['/', '\0']) && !safe.ends_with(['.', ' ']));
            prop_assert_eq!(safe_component(&safe), safe);
        }

        #[test]
        fn what_is_shown_has_no_control_characters(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            prop_assert!(!shown(OsStr::from_bytes(&bytes)).contains(char::is_control));
        }

        #[test]
        fn any_text_may_be_asked_for_a_host(url in any::<String>()) {
            let _ = host(&url);
        }
    }
}
