//! inspect: what a file is, and where it came from.
//!
//! In: an open file (or any [`Bytes`]), its name and size. Out: [`Kind`] as a fact: media type,
//! category, whether name and content disagree, and the usual extension of what it is. Reads at
//! most [`MAX_READ`] bytes of a file, and most files' first [`HEAD`] only; every loop over content
//! is bounded and none recurses. Content is hostile: nothing here may panic or grow on it.
//!
//! May not know: rules, plans, the journal, the catalog. It changes nothing.
//!
//! The witnesses: [`table`] (what names say), [`signature`] with [`zip`], [`ole`], [`isobmff`],
//! [`tiff`], [`streams`] and [`listed`] (what bytes say), [`text`] (what text looks like).
//! [`combine`] states whom to believe.

mod attributes;
mod bytes;
mod category;
mod combine;
mod compressed;
#[cfg(test)]
mod corpus_test;
mod disk;
mod fields;
mod isobmff;
mod listed;
pub mod metadata;
mod ole;
mod open;
mod origin;
mod packed;
mod plausible;
mod signature;
mod streams;
mod table;
mod text;
mod tiff;
mod zip;

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use tidy_core::category::Category;
use tidy_core::facts::{Fact, Kind, Source};

pub use attributes::attributes;
pub use bytes::{Bytes, HEAD, MAX_READ};
pub use category::CategoryTable;
pub use open::{InspectError, is_placeholder, open, open_next};
pub use origin::{origin, where_froms, zone};
pub use packed::top_folder;

use bytes::Window;
use combine::{Answer, Content, Guess, combine};
use table::Type;

/// Longest extension that is looked up, bytes; a longer one is part of the name.
const MAX_EXT: usize = 16;

/// A kind, and what it cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    pub kind: Fact<Kind>,
    /// Bytes of content read.
    pub bytes_read: usize,
}

/// What a file is. Content that cannot be read leaves it to the name; where the name says nothing
/// either, the fact is [`Fact::Unreadable`].
pub fn kind(source: &mut impl Bytes, name: &OsStr, len: u64, extra: &CategoryTable) -> Fact<Kind> {
    look(source, name, len, extra).kind
}

/// [`kind`], with the number of bytes it took.
pub fn look(source: &mut impl Bytes, name: &OsStr, len: u64, extra: &CategoryTable) -> Looked {
    if len == 0 {
        return Looked { kind: from_name(name, None, extra), bytes_read: 0 };
    }
    let mut window = match Window::open(source, len) {
        Ok(window) => window,
        Err(e) => {
            return Looked { kind: from_name(name, Some(&e.to_string()), extra), bytes_read: 0 };
        }
    };
    let name = Name::of(name);
    let content = content(&mut window, &name.types());
    let kind = settle(&name, content, extra);
    Looked { kind: Fact::Known(kind.0, kind.1), bytes_read: window.bytes_read() }
}

/// What the name alone says: for empty files, and with `unread` (the reason) for those that cannot
/// or must not be read.
pub fn from_name(name: &OsStr, unread: Option<&str>, extra: &CategoryTable) -> Fact<Kind> {
    let name = Name::of(name);
    let known = !name.types().is_empty()
        || extra.by_ext(name.ext()).is_some()
        || extra.by_name(&name.whole, &Category::unknown()).is_some();
    match unread {
        Some(why) if !known => Fact::Unreadable(Arc::from(why)),
        _ => {
            let (kind, source) = settle(&name, Content::None, extra);
            Fact::Known(kind, source)
        }
    }
}

fn content(w: &mut Window<'_>, named: &[&Type]) -> Content {
    if w.head().is_empty() {
        return Content::None;
    }
    let decoded = text::decode(w.head());
    let guess: Option<Guess> = signature::look(w, decoded.is_some(), named);
    match (guess, decoded) {
        (Some(guess), _) => Content::Guessed(guess),
        (None, Some(decoded)) => {
            let named = matches!(named, [one] if one.form != table::Form::Binary);
            Content::Guessed(text::look(&decoded, w.is_whole(), named))
        }
        (None, None) => Content::Opaque,
    }
}

fn settle(name: &Name, content: Content, extra: &CategoryTable) -> (Kind, Source) {
    let answer = combine(&name.types(), content);
    let nothing = Answer {
        ty: table::known(table::OCTETS),
        source: Source::Content,
        category: None,
        mismatch: false,
    };
    let Answer { ty, source, category, mismatch } = answer.unwrap_or(nothing);
    let ext = name.ext().filter(|_| !mismatch);
    let category: Category = extra.of(ty, category, ext);
    let category = extra.by_name(&name.whole, &category).unwrap_or(category);
    let told = !matches!(content, Content::None | Content::Opaque);
    let kind = Kind {
        media_type: Cow::Borrowed(ty.media),
        category,
        mismatch,
        true_ext: ty.usual_ext().filter(|_| told).map(Cow::Borrowed),
    };
    (kind, source)
}

/// A file name as a witness.
struct Name {
    whole: String,
    ext: Option<String>,
}

impl Name {
    /// Anything that is not UTF-8 is in no table, so a lossy reading loses nothing.
    fn of(name: &OsStr) -> Self {
        let whole = name.to_string_lossy().to_lowercase();
        let ext = Path::new(&whole)
            .extension()
            .and_then(OsStr::to_str)
            .filter(|e| e.len() <= MAX_EXT)
            .map(str::to_owned);
        Self { whole, ext }
    }

    fn ext(&self) -> Option<&str> {
        self.ext.as_deref()
    }

    fn types(&self) -> Vec<&'static Type> {
        if let Some(ty) = table::by_name(&self.whole) {
            return vec![ty];
        }
        self.ext().map_or_else(Vec::new, |e| table::by_ext(e).to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io;

    fn known(name: &str, mut content: &[u8]) -> (String, String, bool, Source) {
        let len = content.len() as u64;
        let fact = kind(&mut content, OsStr::new(name), len, &CategoryTable::default());
        let Fact::Known(k, source) = fact else { panic!("{fact:?}") };
        (k.media_type.into_owned(), k.category.to_string(), k.mismatch, source)
    }

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01";

    #[test]
    fn name_and_content_together() {
        let of = |name: &str, content: &[u8]| {
            let (media, category, mismatch, source) = known(name, content);
            (media, category, mismatch, source)
        };
        let expect = |m: &str, c: &str, mismatch, s| (m.to_owned(), c.to_owned(), mismatch, s);
        assert_eq!(of("a.png", PNG), expect("image/png", "image", false, Source::Content));
        assert_eq!(of("a.PDF", PNG), expect("image/png", "image", true, Source::Content));
        assert_eq!(of("a", b"hello\n"), expect("text/plain", "document", false, Source::Content));
        assert_eq!(of("a.jpg", b""), expect("image/jpeg", "image", false, Source::Extension));
        let octets = "application/octet-stream";
        assert_eq!(of("a", b""), expect(octets, "unknown", false, Source::Content));
        assert_eq!(of("a", b"\0\x01\x02"), expect(octets, "unknown", false, Source::Content));
        let make = of("Makefile", b"x:\n");
        assert_eq!(make.0, "text/x-makefile");
        let docx = zip::tests::archive(&[("[Content_Types].xml", b"x"), ("word/a", b"x")]);
        assert!(of("a.docx", &docx).0.ends_with("wordprocessingml.document"));
    }

    #[test]
    fn true_ext_is_told_by_content_only() {
        let of = |name: &str, mut content: &[u8]| {
            let len = content.len() as u64;
            let fact = kind(&mut content, OsStr::new(name), len, &CategoryTable::default());
            fact.value().unwrap().true_ext.clone()
        };
        assert_eq!(of("a.pdf", PNG), Some("png".into()));
        assert_eq!(of("a.pdf", b""), None);
    }

    struct Broken;

    impl Bytes for Broken {
        fn read_at(&mut self, _: u64, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(5))
        }
    }

    #[test]
    fn unreadable_content_leaves_it_to_the_name() {
        let of = |name: &str, extra: &CategoryTable| kind(&mut Broken, OsStr::new(name), 9, extra);
        let none = CategoryTable::default();
        let fact = of("a.jpg", &none);
        assert!(
            matches!(fact, Fact::Known(ref k, Source::Extension) if k.category.as_str() == "image")
        );
        assert!(matches!(of("a.zzz", &none), Fact::Unreadable(_)));
        let zzz = CategoryTable::new([(Category::new("mine"), vec![], vec!["zzz".into()])]);
        assert!(matches!(of("a.zzz", &zzz), Fact::Known(k, _) if k.category.as_str() == "mine"));
    }

    #[test]
    fn odd_names_are_no_trouble() {
        use std::os::unix::ffi::OsStrExt;
        for name in [b"".as_slice(), b".", b"..", b"\xff\xfe.\xff", b"a\n.txt", b"a.", &[b'x'; 255]]
        {
            let mut content = PNG;
            let fact = kind(&mut content, OsStr::from_bytes(name), 30, &CategoryTable::default());
            assert_eq!(fact.value().unwrap().media_type, "image/png", "{name:?}");
        }
    }

    /// Beginnings that lead into every look-inside.
    const SEEDS: &[&[u8]] = &[
        b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\x05\0\0\0\x05\0\0\0\x08\0\0\0mimetypeabcde",
        b"PK\x05\x06\0\0\0\0\x01\0\x01\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x3e\0\x03\0\xfe\xff\x09\0",
        b"\0\0\0\x18ftypisom\0\0\0\0isommp42\0\0\0\x08moov",
        b"\x1a\x45\xdf\xa3\x80\x16\x54\xae\x6b\x83\x81\x02",
        b"ID3\x04\0\0\x7f\x7f\x7f\x7f\xff\xfb\x90",
        b"II*\0\x08\0\0\0\xff\xff\x0f\x01\x02\0\xff\xff\xff\xff\xff\xff\xff\xff",
        b"MM\0*\xff\xff\xff\xff",
        b"OggS\0\x02", b"RIFF", b"<?xml <!-- <!DOCTYPE [", b"#!/usr/bin/env", b"{\"a\"", b"\xff\xfe\0\xd8",
        b"From: a\nTo:", b"1\n00:00 -->", b"[a]\nb=1\n", b"a,b\n\"", b"%PDF-", b"\xff\xd8\xff", b"\0\0\0\x01moov",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// No content and no claimed length makes it panic or read past its bound.
        #[test]
        fn no_input_is_too_much(
            seed in prop::sample::select(SEEDS),
            noise in prop::collection::vec(any::<u8>(), 0..600),
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
            len in prop_oneof![Just(None), any::<u64>().prop_map(Some)],
            ext in prop::sample::select(vec!["", ".txt", ".docx", ".ts", ".xml", ".jpg", ".bin"]),
        ) {
            let mut bytes = [seed, &noise].concat();
            for (at, value) in flips {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            let len = len.unwrap_or(bytes.len() as u64);
            let mut source = bytes.as_slice();
            let name = format!("x{ext}");
            let looked = look(&mut source, OsStr::new(&name), len, &CategoryTable::default());
            prop_assert!(looked.bytes_read <= MAX_READ);
            prop_assert!(matches!(looked.kind, Fact::Known(..)));
        }
    }
}
