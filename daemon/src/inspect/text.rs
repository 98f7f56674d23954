//! Text: whether the head is text at all, and in what language.
//!
//! First what is certain (a shebang, an XML root, a mail's headers), then [`score`], which weighs
//! words and line shapes. Only the head is looked at.

mod marked;
mod model;
mod score;
mod structure;
mod xml;

use tidy_core::facts::Source;

use super::combine::Guess;
use super::table::{PLAIN, known};

/// The head as text, if it is text: UTF-8 (perhaps cut inside a character), UTF-16, or an 8-bit
/// encoding without control characters.
pub(super) fn decode(head: &[u8]) -> Option<String> {
    if head.is_empty() {
        return None;
    }
    match head {
        [0xef, 0xbb, 0xbf, rest @ ..] => return utf8(rest).or_else(|| eight_bit(rest)),
        [0xff, 0xfe, rest @ ..] => return utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => return utf16(rest, u16::from_be_bytes),
        _ => {}
    }
    if head.contains(&0) {
        // UTF-16 without a mark: mostly Latin text has every other byte zero.
        let zeros = |from: usize| head.iter().skip(from).step_by(2).filter(|b| **b == 0).count();
        let most = head.len() * 2 / 5;
        return match (zeros(0), zeros(1)) {
            (0, odd) if odd > most => utf16(head, u16::from_le_bytes),
            (even, 0) if even > most => utf16(head, u16::from_be_bytes),
            _ => None,
        };
    }
    utf8(head).or_else(|| eight_bit(head))
}

fn utf8(bytes: &[u8]) -> Option<String> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // Cut inside a character by the end of the head, not by an error.
        Err(e) if e.error_len().is_none() => std::str::from_utf8(&bytes[..e.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    is_printable(text.chars()).then(|| text.to_owned())
}

fn eight_bit(bytes: &[u8]) -> Option<String> {
    let text: String = bytes.iter().map(|b| char::from(*b)).collect();
    let letters = bytes.iter().filter(|b| b.is_ascii_graphic() || **b == b' ').count();
    // Compressed data has no control character only when it is a few bytes long.
    let plausible = letters * 4 >= bytes.len() || bytes.len() >= 64;
    (plausible && !bytes.iter().any(|b| is_control(char::from(*b)))).then_some(text)
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|c| unit([c[0], c[1]])).collect();
    let cut = units.len() - usize::from(units.last().is_some_and(|u| (0xd800..0xdc00).contains(u)));
    let text = String::from_utf16(&units[..cut]).ok()?;
    is_printable(text.chars()).then_some(text)
}

fn is_control(c: char) -> bool {
    c < ' ' && !matches!(c, '\t' | '\n' | '\r' | '\x0c' | '\x1b' | '\x08') || c == '\x7f'
}

/// A stray control character does happen in text (a form feed misread, an escape), two in a hundred do not.
fn is_printable(chars: impl Iterator<Item = char>) -> bool {
    let (mut all, mut odd) = (0usize, 0usize);
    for c in chars {
        all += 1;
        odd += usize::from(is_control(c) && c != '\u{1a}');
    }
    all > 0 && odd * 50 <= all
}

/// What the text is. `whole` says that nothing was cut off; `named` that the extension says it is
/// text of one kind, which no weighing would outweigh.
pub(super) fn look(text: &str, whole: bool, named: bool) -> Guess {
    let sure = shebang(text).or_else(|| structure::look(text, whole)).or_else(|| xml::look(text));
    if let Some(media) = sure {
        return Guess::sure(known(media), Source::Content).of_text();
    }
    let weighed = |ty| Guess::sure(ty, Source::Content).weaker().of_text();
    let plain = weighed(known(PLAIN));
    if named {
        return plain;
    }
    let by_words = score::look(text, whole).map(|(media, strong)| (known(media), strong));
    // A program's first comment is prose, and often all that the head holds.
    if text.trim_start().starts_with("/*") && by_words.is_none_or(|(ty, _)| ty.category != "data") {
        let code = by_words.filter(|(ty, _)| ty.category == "code");
        return code.map_or(plain.of_category("code"), |(ty, _)| weighed(ty));
    }
    let Some((category, likely)) = model::likeliest(text) else {
        return by_words.map_or(plain, |(ty, _)| weighed(ty));
    };
    match by_words {
        Some((ty, _)) if ty.category == category || likely < DOUBT => weighed(ty),
        Some((ty, true)) if likely < CERTAIN => weighed(ty),
        Some(_) if likely < CERTAIN => plain.of_category("unknown"),
        // A program in whose first page no word of any language stands is rare; notes are not.
        None if category == "code" && likely < CERTAIN => plain,
        None if category == "data" && likely < LIKELY => plain.of_category("unknown"),
        None if likely < DOUBT => plain.of_category("unknown"),
        _ => plain.of_category(category),
    }
}

// How sure the model is, from what point on it counts: against the words of a language, without any words, and
// at all. Of files like those it learnt from, but not among them, 95.0 in a hundred were told rightly so, and 3.0
// wrongly (`docs/kinds.md`).
const CERTAIN: f32 = 0.9;
const LIKELY: f32 = 0.7;
const DOUBT: f32 = 0.5;

/// The type that the root element of a text names.
pub(super) fn root(text: &str) -> Option<&'static str> {
    xml::look(text)
}

/// Interpreters by the beginning of their name, with the script's type.
const INTERPRETERS: &[(&str, &str)] = &[
    ("python", "text/x-python"),
    ("perl", "application/x-perl"),
    ("ruby", "application/x-ruby"),
    ("node", "text/javascript"),
    ("deno", "application/typescript"),
    ("bun", "text/javascript"),
    ("php", "application/x-php"),
    ("lua", "text/x-lua"),
    ("tclsh", "text/x-tcl"),
    ("wish", "text/x-tcl"),
    ("awk", "text/x-awk"),
    ("gawk", "text/x-awk"),
    ("sed", "text/x-sed"),
    ("make", "text/x-makefile"),
    ("rscript", "text/x-r"),
    ("julia", "text/x-julia"),
    ("pwsh", "application/x-powershell"),
    ("escript", "text/x-erlang"),
    ("groovy", "text/x-groovy"),
    ("swift", "text/x-swift"),
    ("runhaskell", "text/x-haskell"),
];

/// `#!/usr/bin/env -S python3 -u`: any interpreter makes it a script.
fn shebang(text: &str) -> Option<&'static str> {
    let line = text.strip_prefix("#!")?.lines().next()?;
    if line.starts_with("AMR") || line.starts_with('[') {
        return None;
    }
    let mut words = line.split_whitespace();
    let first = words.next()?.rsplit('/').next()?;
    let name = if first == "env" {
        words.find(|w| !w.starts_with('-') && !w.contains('='))?
    } else {
        first
    };
    let name = name.rsplit('/').next()?.to_ascii_lowercase();
    let named = INTERPRETERS.iter().find(|(i, _)| name.starts_with(i));
    Some(named.map_or("text/x-shellscript", |(_, media)| media))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_bytes() {
        for text in [
            b"plain\n".as_slice(),
            "größe".as_bytes(),
            b"caf\xe9 au lait\n",
            b"\xff\xfeh\0i\0",
            b"h\0i\0 \0t\0h\0e\0r\0e\0",
            &"ä".repeat(3000).as_bytes()[..4095],
        ] {
            assert!(decode(text).is_some(), "{text:?}");
        }
        for bytes in
            [b"".as_slice(), b"\0\x01\x02\x03", b"\x01\x02abc\x03\x04", b"\x89\xfe\x90\xa0"]
        {
            assert!(decode(bytes).is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn an_interpreter_names_the_language() {
        assert_eq!(shebang("#!/usr/bin/env -S python3 -u\n"), Some("text/x-python"));
        assert_eq!(shebang("#! /bin/sh\n"), Some("text/x-shellscript"));
        assert_eq!(shebang("#![no_std]\n"), None);
        assert_eq!(shebang("#!\n"), None);
        for (_, media) in INTERPRETERS {
            known(media);
        }
    }
}
