//! Paths and foreign text, made safe to print.
//!
//! The same escaping as the daemon's log: two different names never look the same for what is escaped here.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use textwrap::core::display_width;

/// A name or path: control characters, line separators, bidirectional controls and backslashes are escaped, bytes that
/// are not UTF-8 appear as `\xNN`.
pub(crate) fn shown(name: &OsStr) -> String {
    let mut out = String::with_capacity(name.len());
    for chunk in name.as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                c => push_visible(&mut out, c),
            }
        }
        for b in chunk.invalid() {
            push_byte(&mut out, *b);
        }
    }
    out
}

/// A path with `~` for the home directory. A name that itself starts with `~` cannot be mistaken for it: paths are
/// absolute.
pub(crate) fn below_home(path: &Path, home: &Path) -> String {
    match path.strip_prefix(home) {
        Ok(_) if home.parent().is_none() => shown(path.as_os_str()),
        Ok(rest) if rest.as_os_str().is_empty() => "~".to_owned(),
        Ok(rest) => format!("~/{}", shown(rest.as_os_str())),
        Err(_) => shown(path.as_os_str()),
    }
}

/// A path that is shown in so many columns: shortened in its middle, so that its beginning and most of its name are left.
pub(crate) fn shortened(shown: &str, width: usize) -> String {
    if display_width(shown) <= width {
        return shown.to_owned();
    }
    let room = width.saturating_sub(1);
    let tail = taken(shown.chars().rev(), room - room / 3);
    let tail: String = tail.chars().rev().collect();
    let head = taken(shown.chars(), room.saturating_sub(display_width(&tail)));
    format!("{head}…{tail}")
}

/// As many of the characters as so many columns hold.
fn taken(chars: impl Iterator<Item = char>, columns: usize) -> String {
    let mut left = columns;
    let fits = |c: &char| {
        let width = display_width(c.encode_utf8(&mut [0; 4]));
        let fits = width <= left;
        left = left.saturating_sub(width);
        fits
    };
    chars.take_while(fits).collect()
}

/// Text of the daemon, in one line. Names in it are escaped already, so backslashes stay.
pub(crate) fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| push_visible(&mut out, c));
    out
}

/// Text of the daemon that may have several lines.
pub(crate) fn printable(text: &str) -> String {
    text.split('\n').map(one_line).collect::<Vec<_>>().join("\n")
}

fn push_visible(out: &mut String, c: char) {
    match c {
        '\n' | '\r' | '\t' => out.extend(c.escape_default()),
        c if c.is_ascii_control() => push_byte(out, c as u8),
        c if c.is_control() || is_deceptive(c) => out.extend(c.escape_unicode()),
        c => out.push(c),
    }
}

/// Characters that change how their neighbours are shown, or break a line, and carry no text: the bidirectional
/// controls of Unicode UAX #9, the two separators, and what is not seen at all (joiners are seen in what they join). And the
/// character for private use that stands for a blank here ([`super::reason::UNBROKEN`]).
fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{E000}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

fn push_byte(out: &mut String, b: u8) {
    // Writing to a String does not fail.
    let _ = write!(out, "\\x{b:02x}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_cannot_steer_a_terminal() {
        let table: &[(&[u8], &str)] = &[
            (b"plain name.txt", "plain name.txt"),
            ("Größe – 名前.txt".as_bytes(), "Größe – 名前.txt"),
            (b"a\nb\tc\r", "a\\nb\\tc\\r"),
            (b"\x1b[31mred\x07", "\\x1b[31mred\\x07"),
            (b"\xff\xfe.bin", "\\xff\\xfe.bin"),
            (b"a\\xff", "a\\\\xff"),
            ("exe\u{202E}gpj".as_bytes(), "exe\\u{202e}gpj"),
            ("a\u{200b}b\u{feff}\u{ad}".as_bytes(), "a\\u{200b}b\\u{feff}\\u{ad}"),
            // A joiner is seen in what it joins.
            ("\u{1f468}\u{200d}\u{1f4bb}".as_bytes(), "\u{1f468}\u{200d}\u{1f4bb}"),
            ("\u{85}\u{9b}31m".as_bytes(), "\\u{85}\\u{9b}31m"),
            (b"\x7f", "\\x7f"),
            ("\u{e000}".as_bytes(), "\\u{e000}"),
        ];
        for (name, want) in table {
            assert_eq!(&shown(OsStr::from_bytes(name)), want);
        }
    }

    #[test]
    fn a_long_path_is_shortened_in_its_middle() {
        let path = "~/Downloads/Documents/2026/annual report.pdf";
        assert_eq!(shortened(path, 44), path);
        assert_eq!(shortened(path, 25), "~/Downlo…nnual report.pdf");
        assert_eq!(shortened("~/写真/写真写真写真写真.jpg", 15), "~/写…真写真.jpg");
        for width in 0..50 {
            let short = shortened(path, width);
            assert!(display_width(&short) <= width.max(1), "{short}");
        }
    }

    #[test]
    fn no_two_of_these_names_look_the_same() {
        let names: [&[u8]; 6] = [b"\xff", b"\\xff", b"\\\\xff", b"\n", b"\\n", "\u{ff}".as_bytes()];
        let mut seen: Vec<_> = names.iter().map(|n| shown(OsStr::from_bytes(n))).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), names.len());
    }

    #[test]
    fn only_whole_components_are_the_home_directory() {
        let table = [
            ("/home/a/x", "~/x"),
            ("/home/a", "~"),
            ("/home/ab/x", "/home/ab/x"),
            ("/home/a/~", "~/~"),
        ];
        for (path, want) in table {
            assert_eq!(below_home(Path::new(path), Path::new("/home/a")), want);
        }
        assert_eq!(below_home(Path::new("/x"), Path::new("/")), "/x");
    }

    #[test]
    fn text_of_the_daemon_keeps_its_lines_and_backslashes() {
        assert_eq!(printable("a\\n\nb\x1b[0m"), "a\\n\nb\\x1b[0m");
        assert_eq!(one_line("a\nb"), "a\\nb");
    }
}
