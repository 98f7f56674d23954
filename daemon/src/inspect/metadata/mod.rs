//! What a file says of itself: when a picture was taken, who plays, who wrote it.
//!
//! In: an open file and what kind it is. Out: [`Metadata`] as a fact, or the beginning of its text.
//! Asked for only when a rule or a template needs it. Each reader sees the file through [`Limited`]:
//! so many bytes, so much time, then an error. What it makes of a damaged file is an error, never a
//! panic, and an error is [`Fact::Unreadable`], which no condition takes for an answer.

mod limited;
mod pictures;
mod recordings;

use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tidy_core::category::Category;
use tidy_core::facts::{Fact, Kind, Source};
use tidy_core::metadata::Metadata;

pub use limited::Limited;

/// What went wrong in a reader, for people.
type Why = String;

/// Whether a reader knows a media type.
type Knows = fn(&str) -> bool;

/// Reads one format into the metadata. Nothing found is `Ok`.
type Reader = fn(Limited<'_>, &mut Metadata) -> Result<(), Why>;

/// Which readers know a media type. What an earlier one found stays.
const READERS: &[(Knows, Reader)] = &[
    (pictures::knows, pictures::exif),
    (pictures::knows, pictures::other),
    (pictures::knows, pictures::size),
    (recordings::knows_tags, recordings::tags),
    (recordings::knows_films, recordings::film),
];

/// What the file says of itself. [`Fact::Absent`] when its format has no reader, or it says nothing.
pub fn metadata(file: &File, kind: &Kind, len: u64) -> Fact<Metadata> {
    let mut found = Metadata::default();
    let mut error = None;
    for (_, reader) in READERS.iter().filter(|(knows, _)| knows(&kind.media_type)) {
        // The crates behind the readers are not ours; a panic in one is one more damaged file.
        let read = catch_unwind(AssertUnwindSafe(|| {
            let mut part = Metadata::default();
            reader(Limited::new(file, len), &mut part).map(|()| part)
        }));
        match read.unwrap_or_else(|_| Err("its reader failed on it".into())) {
            Ok(part) => found.add(part),
            Err(why) => error = error.or(Some(why)),
        }
    }
    match error {
        // One reader may have failed where another did not.
        _ if !found.is_empty() => Fact::Known(found, Source::Content),
        Some(why) => Fact::Unreadable(Arc::from(why)),
        None => Fact::Absent,
    }
}

/// Bytes of a text file that are looked at.
const TEXT: u64 = 64 * 1024;

/// The beginning of a text file. Documents that have text and are no text files are
/// [`Fact::Unreadable`]: no condition may take that for an answer.
pub fn text(file: &File, kind: &Kind, len: u64) -> Fact<Arc<str>> {
    let media_type: &str = &kind.media_type;
    if !media_type.starts_with("text/") {
        let document = Category::new("document");
        return match kind.category.is(&document) {
            true => Fact::Unreadable(Arc::from("the text of such documents is not read")),
            false => Fact::Absent,
        };
    }
    let mut head = Vec::new();
    match Limited::new(file, len).take(TEXT).read_to_end(&mut head) {
        Ok(_) => {}
        Err(e) => return Fact::Unreadable(Arc::from(e.to_string())),
    }
    match super::text::decode(&head) {
        Some(text) => Fact::Known(Arc::from(text), Source::Content),
        None => Fact::Absent,
    }
}

#[cfg(test)]
mod testing {
    use std::os::unix::fs::FileExt;

    use tidy_core::metadata::Key;

    use super::*;

    pub(super) fn read(media_type: &'static str, content: &[u8]) -> Fact<Metadata> {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(content, 0).unwrap();
        let kind = Kind {
            media_type: media_type.into(),
            category: Category::unknown(),
            mismatch: false,
            true_ext: None,
        };
        metadata(&file, &kind, content.len() as u64)
    }

    fn text_of(media_type: &'static str, category: &str, content: &[u8]) -> Fact<Arc<str>> {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(content, 0).unwrap();
        let category = Category::new(category);
        let kind =
            Kind { media_type: media_type.into(), category, mismatch: false, true_ext: None };
        super::text(&file, &kind, content.len() as u64)
    }

    #[test]
    fn text_is_read_of_text_files_and_unknown_of_other_documents() {
        let of = |m, c, content: &[u8]| text_of(m, c, content);
        let known = of("text/plain", "document", b"Invoice no. 4711");
        assert_eq!(known, Fact::Known("Invoice no. 4711".into(), Source::Content));
        let long = of("text/plain", "document", "long ".repeat(100_000).as_bytes());
        assert!(long.value().is_some_and(|t| t.len() <= TEXT as usize));
        assert!(matches!(of("application/pdf", "document", b"%PDF-1.4"), Fact::Unreadable(_)));
        assert_eq!(of("image/png", "image", b"x"), Fact::Absent);
    }

    pub(super) fn of(media_type: &'static str, content: &[u8]) -> Metadata {
        match read(media_type, content) {
            Fact::Known(found, _) => found,
            Fact::Absent => Metadata::default(),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn text(m: &Metadata, key: Key) -> String {
        m.get(key).map(|(value, _)| value.to_string()).unwrap_or_default()
    }
}
