//! What a person types to find a file by its name.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use memchr::memmem::Finder;

use super::chunk::{each_name, fold};
use super::column::has;
use super::glob::Glob;

/// A search for names, whatever their case. With `*`, `?` or `[` it is a glob for the whole name ([`Glob`]), else a part of
/// the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern {
    /// `None`: a part of the name.
    glob: Option<Glob>,
    /// Text that every match contains.
    literal: String,
}

impl NamePattern {
    /// A glob or a part of the name, by what is in it.
    pub fn new(pattern: &OsStr) -> Self {
        let mut text = String::new();
        fold(pattern.as_bytes(), &mut text);
        if !text.contains(['*', '?', '[']) {
            return Self { glob: None, literal: text };
        }
        let glob = Glob::new(&text);
        Self { literal: glob.literal(), glob: Some(glob) }
    }

    /// Whether a name answers.
    pub fn matches(&self, name: &OsStr) -> bool {
        let mut text = String::new();
        fold(name.as_bytes(), &mut text);
        text.push('/');
        self.searcher().among(&text, 1) == 1
    }

    /// To be made once for very many names.
    pub(super) fn searcher(&self) -> Searcher<'_> {
        Searcher { pattern: self, finder: Finder::new(&self.literal) }
    }
}

/// Looks through names for a pattern.
#[derive(Debug)]
pub(super) struct Searcher<'p> {
    pattern: &'p NamePattern,
    finder: Finder<'p>,
}

impl Searcher<'_> {
    /// Those of some names that answer: bit by bit, in their order. `names` are folded and each followed by `/`; `bits` says
    /// which of them are asked about.
    pub(super) fn among(&self, names: &str, bits: u64) -> u64 {
        let literal = &self.pattern.literal;
        if literal.contains('/') {
            return 0;
        }
        let bits = if literal.is_empty() { bits } else { bits & hits(&self.finder, names) };
        let Some(glob) = self.pattern.glob.as_ref().filter(|_| bits != 0) else { return bits };
        let is_ascii = names.is_ascii();
        let asked = each_name(names).enumerate().filter(|(at, _)| has(bits, *at));
        let found = asked.filter(|(_, name)| match is_ascii {
            true => glob.matches_ascii(name.as_bytes()),
            false => glob.matches(name),
        });
        found.fold(0, |found, (at, _)| found | 1 << at)
    }
}

/// The names that contain a text without `/`, which is not empty: bit by bit, in their order.
pub(super) fn hits(finder: &Finder<'_>, names: &str) -> u64 {
    let names = names.as_bytes();
    let (mut found, mut at, mut from) = (0, 0, 0);
    for hit in finder.find_iter(names) {
        at += memchr::memchr_iter(b'/', &names[from..hit]).count();
        from = hit;
        if at < 64 {
            found |= 1 << at;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_and_names() {
        let table: &[(&str, &str, bool)] = &[
            ("invoice", "My INVOICE 7.pdf", true),
            ("ÜBER", "drüber.txt", true),
            ("a/b", "a", false),
            ("*.jpg", "IMG.JPG", true),
            ("*.jpg", "IMG.JPG.txt", false),
            ("*a*b*c", "xxaxxbxxbxxc", true),
            ("*a*b*c", "xxaxxcxxb", false),
            ("?.txt", "ü.txt", true),
            ("?.txt", "ab.txt", false),
            ("img_[0-3]?.*", "IMG_29.png", true),
            ("img_[!0-3]?.*", "IMG_29.png", false),
            ("[]a]", "]", true),
            ("[abc", "[abc", true),
            (r"\*x*", "*xy", true),
            (r"\*x*", "axy", false),
            ("*", "anything", true),
            ("**", "", true),
        ];
        for (pattern, name, expected) in table {
            let pattern = NamePattern::new(pattern.as_ref());
            assert_eq!(pattern.matches(name.as_ref()), *expected, "{pattern:?} {name}");
            let mut folded = String::from("zz/");
            fold(name.as_bytes(), &mut folded);
            folded.push_str("/zz/");
            let zz = if pattern.matches("zz".as_ref()) { 0b101 } else { 0 };
            let among = pattern.searcher().among(&folded, u64::MAX);
            assert_eq!(among, zz | u64::from(*expected) << 1, "{pattern:?} {name} among others");
            assert_eq!(pattern.searcher().among(&folded, 0b100), zz & 0b100, "{pattern:?}");
        }
        assert!(NamePattern::new(OsStr::from_bytes(b"a?c")).matches(OsStr::from_bytes(b"a\xffc")));
    }
}
