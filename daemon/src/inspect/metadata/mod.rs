//! What a file says of itself: when a picture was taken, who plays, who wrote it.
//!
//! In: an open file and what kind it is. Out: [`Metadata`] as a fact, or the beginning of its text.
//! Asked for only when a rule or a template needs it. Each reader sees the file through [`Limited`]:
//! so many bytes, so much time, then an error. What it makes of a damaged file is an error, never a
//! panic, and an error is [`Fact::Unreadable`], which no condition takes for an answer.
//!
//! Memory and time that a crate takes for a file made to exhaust them, and a stack that overflows,
//! cannot be bounded from within. So the service never calls [`metadata`] and [`text`] itself: it asks
//! the room `readers`, which calls them in a process of their own.

mod books;
mod limited;
#[cfg(test)]
mod mutated;
mod office;
mod package;
mod pdf;
mod pictures;
mod png;
mod recordings;
mod xml;

use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tidy_core::UnixNanos;
use tidy_core::category::Category;
use tidy_core::facts::{Fact, Kind, Source};
use tidy_core::metadata::{Key, Metadata, Moment, Value};

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
    (png::knows, png::texts),
    (recordings::knows_tags, recordings::tags),
    (recordings::knows_films, recordings::film),
    (pdf::knows, pdf::about),
    (office::is_ooxml, office::ooxml),
    (office::is_odf, office::odf),
    (office::is_flat, office::flat),
    (books::is_epub, books::epub),
    (books::is_fb2, books::fb2),
    (books::is_mobi, books::mobi),
];

/// Reads the text of one format.
type TextReader = fn(Limited<'_>) -> Result<String, Why>;

/// The formats whose text is read, besides text itself.
const TEXTS: &[(Knows, TextReader)] = &[
    (pdf::knows, pdf::text),
    (office::is_ooxml, office::ooxml_text),
    (office::is_odf, office::odf_text),
    (office::is_flat, office::flat_text),
    (books::is_epub, books::epub_text),
    (books::is_fb2, books::fb2_text),
];

/// Whether any reader knows files of that type.
pub fn has_metadata(media_type: &str) -> bool {
    READERS.iter().any(|(knows, _)| knows(media_type))
}

/// Whether the text of such files is read by a reader; that of text files needs none.
pub fn has_text(media_type: &str) -> bool {
    TEXTS.iter().any(|(knows, _)| knows(media_type))
}

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
        // One reader may have failed where another did not; how large a picture is says nothing of the rest.
        Some(why) if found.iter().all(|(key, ..)| matches!(key, Key::Width | Key::Height)) => {
            Fact::Unreadable(Arc::from(why))
        }
        _ if !found.is_empty() => Fact::Known(found, Source::Content),
        Some(why) => Fact::Unreadable(Arc::from(why)),
        None => Fact::Absent,
    }
}

/// Bytes of a text that are looked at.
const TEXT_BYTES: usize = 64 * 1024;

/// The beginning of a file's text. Documents that have one which is not read are
/// [`Fact::Unreadable`]: no condition may take that for an answer.
pub fn text(file: &File, kind: &Kind, len: u64) -> Fact<Arc<str>> {
    let media_type: &str = &kind.media_type;
    if let Some((_, reader)) = TEXTS.iter().find(|(knows, _)| knows(media_type)) {
        let read = catch_unwind(|| reader(Limited::new(file, len)));
        return match read.unwrap_or_else(|_| Err("its reader failed on it".into())) {
            Ok(text) => Fact::Known(Arc::from(text), Source::Content),
            Err(why) => Fact::Unreadable(Arc::from(why)),
        };
    }
    if !media_type.starts_with("text/") {
        let document = Category::new("document");
        return match kind.category.is(&document) {
            true => Fact::Unreadable(Arc::from("the text of such documents is not read")),
            false => Fact::Absent,
        };
    }
    let mut head = Vec::new();
    match Limited::new(file, len).take(TEXT_BYTES as u64).read_to_end(&mut head) {
        Ok(_) => {}
        Err(e) => return Fact::Unreadable(Arc::from(e.to_string())),
    }
    match super::text::decode(&head) {
        Some(text) => Fact::Known(Arc::from(text), Source::Content),
        None => Fact::Absent,
    }
}

/// Adds a date, with or without a time and a zone, in ISO 8601 or as far as it goes (`2024-05`, `2024`).
fn put_moment(key: Key, text: Option<&str>, into: &mut Metadata) {
    if let Some(moment) = text.and_then(|t| moment(t.trim())) {
        into.put(key, Value::Moment(moment), Source::Document);
    }
}

/// Programs write the year 101, or none, for "not known".
fn is_set(clock: &jiff::civil::DateTime) -> bool {
    (1000..=2200).contains(&clock.year())
}

fn moment(text: &str) -> Option<Moment> {
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        let nanos = u32::try_from(at.subsec_nanosecond()).unwrap_or(0);
        let clock = at.to_zoned(jiff::tz::TimeZone::UTC).datetime();
        let at = Moment::Instant(UnixNanos::from_parts(at.as_second(), nanos));
        return Some(at).filter(|_| is_set(&clock));
    }
    // A day without a time is its beginning, a month or a year its first day.
    let on_a_day = |day: String| day.parse::<jiff::civil::Date>().ok().map(|d| d.at(0, 0, 0, 0));
    let clock = text.parse::<jiff::civil::DateTime>().ok().or_else(|| match text.len() {
        4 => on_a_day(format!("{text}-01-01")),
        7 => on_a_day(format!("{text}-01")),
        _ => None,
    })?;
    let clock = clock.with().subsec_nanosecond(0).build().unwrap_or(clock);
    Some(Moment::Local(clock)).filter(|_| is_set(&clock))
}

#[cfg(test)]
mod testing {
    use std::os::unix::fs::FileExt;

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

    fn text_fact(media_type: &'static str, category: &str, content: &[u8]) -> Fact<Arc<str>> {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(content, 0).unwrap();
        let category = Category::new(category);
        let kind =
            Kind { media_type: media_type.into(), category, mismatch: false, true_ext: None };
        super::text(&file, &kind, content.len() as u64)
    }

    pub(super) fn text_of(media_type: &'static str, content: &[u8]) -> String {
        match text_fact(media_type, "document", content) {
            Fact::Known(text, _) => text.to_string(),
            other => panic!("{other:?}"),
        }
    }

    /// A ZIP of these parts.
    pub(super) fn zipped(parts: &[(&str, &str)]) -> Vec<u8> {
        packed(parts, zip::CompressionMethod::Deflated)
    }

    pub(super) fn packed(parts: &[(&str, &str)], how: zip::CompressionMethod) -> Vec<u8> {
        use std::io::Write as _;
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, content) in parts {
            let options = zip::write::SimpleFileOptions::default().compression_method(how);
            zip.start_file(*name, options).unwrap();
            zip.write_all(content.as_bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn text_is_read_of_text_files_and_unknown_of_other_documents() {
        let of = |m, c, content: &[u8]| text_fact(m, c, content);
        let known = of("text/plain", "document", b"Invoice no. 4711");
        assert_eq!(known, Fact::Known("Invoice no. 4711".into(), Source::Content));
        let long = of("text/plain", "document", "long ".repeat(100_000).as_bytes());
        assert!(long.value().is_some_and(|t| t.len() <= TEXT_BYTES));
        assert!(matches!(of("application/msword", "document", b"x"), Fact::Unreadable(_)));
        assert_eq!(of("image/png", "image", b"x"), Fact::Absent);
    }

    #[test]
    fn dates_are_taken_as_far_as_they_go() {
        let shown = |text| moment(text).map(|m| Value::Moment(m).to_string());
        for (text, expected) in [
            ("2024-05-06T10:00:00Z", Some("2024-05-06T10:00:00Z")),
            ("2024-05-06T10:00:00+02:00", Some("2024-05-06T08:00:00Z")),
            ("2024-05-06T10:00:00.25", Some("2024-05-06T10:00:00")),
            ("2024-05-06", Some("2024-05-06T00:00:00")),
            ("2024-05", Some("2024-05-01T00:00:00")),
            ("1815", Some("1815-01-01T00:00:00")),
            ("0101-01-01T00:00:00Z", None),
            ("soon", None),
        ] {
            assert_eq!(shown(text).as_deref(), expected, "{text}");
        }
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
