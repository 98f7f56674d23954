//! Metadata: what a file says of itself, beyond what it is.
//!
//! Readers put values in under the keys of this table; conditions and templates ask for them by the
//! same words. A text is one line, trimmed and bounded, whatever the file says.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::UnixNanos;
use crate::facts::Source;

/// The longest text kept, in characters.
const TEXT_MAX: usize = 500;

/// What a value can be asked for by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    Album,
    AlbumArtist,
    Artist,
    Author,
    Camera,
    Comment,
    Disc,
    Duration,
    Genre,
    Height,
    Lens,
    Pages,
    Software,
    Taken,
    Title,
    Track,
    Width,
    /// When a document was begun or a book published, not the file.
    Written,
    Year,
}

/// What kind of value a key has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    Text,
    Number,
    /// A date with a time.
    Moment,
    /// How long something plays.
    Length,
}

impl Key {
    /// Every key with its word in the configuration and the shape of its value.
    pub const ALL: &'static [(&'static str, Self, Shape)] = &[
        ("album", Self::Album, Shape::Text),
        ("album_artist", Self::AlbumArtist, Shape::Text),
        ("artist", Self::Artist, Shape::Text),
        ("author", Self::Author, Shape::Text),
        ("camera", Self::Camera, Shape::Text),
        ("comment", Self::Comment, Shape::Text),
        ("disc", Self::Disc, Shape::Number),
        ("duration", Self::Duration, Shape::Length),
        ("genre", Self::Genre, Shape::Text),
        ("height", Self::Height, Shape::Number),
        ("lens", Self::Lens, Shape::Text),
        ("pages", Self::Pages, Shape::Number),
        ("software", Self::Software, Shape::Text),
        ("taken", Self::Taken, Shape::Moment),
        ("title", Self::Title, Shape::Text),
        ("track", Self::Track, Shape::Number),
        ("width", Self::Width, Shape::Number),
        ("written", Self::Written, Shape::Moment),
        ("year", Self::Year, Shape::Number),
    ];

    /// The key of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(w, ..)| *w == word).map(|(_, key, _)| *key)
    }

    /// The word in the configuration and in JSON.
    pub fn word(self) -> &'static str {
        self.row().0
    }

    /// What kind of value it has.
    pub fn shape(self) -> Shape {
        self.row().2
    }

    fn row(self) -> &'static (&'static str, Self, Shape) {
        // The table has a row for every key, which a test checks.
        Self::ALL.iter().find(|(_, key, _)| *key == self).unwrap_or(&Self::ALL[0])
    }
}

/// A date with a time, as files have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// On the clock where it happened, in whatever zone that was (Exif).
    Local(DateTime),
    /// In the world (QuickTime, PDF with an offset).
    Instant(UnixNanos),
}

impl Moment {
    /// The instant; a local time is taken to be one in `tz`.
    pub fn instant(self, tz: &TimeZone) -> Option<UnixNanos> {
        match self {
            Self::Instant(at) => Some(at),
            Self::Local(at) => {
                let at = at.to_zoned(tz.clone()).ok()?.timestamp();
                let nanos = u32::try_from(at.subsec_nanosecond()).unwrap_or(0);
                Some(UnixNanos::from_parts(at.as_second(), nanos))
            }
        }
    }

    /// What a clock shows: the local time as it is, an instant on a clock in `tz`.
    pub fn on_clock(self, tz: &TimeZone) -> DateTime {
        match self {
            Self::Local(at) => at,
            Self::Instant(at) => at.timestamp().to_zoned(tz.clone()).datetime(),
        }
    }
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Number(u64),
    Moment(Moment),
    Length(Duration),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(n) => n.fmt(f),
            Self::Moment(Moment::Local(at)) => at.fmt(f),
            Self::Moment(Moment::Instant(at)) => at.timestamp().fmt(f),
            Self::Length(d) => {
                let s = d.as_secs();
                match (s / 3600, s / 60 % 60, s % 60) {
                    (0, 0, s) => write!(f, "{s}s"),
                    (0, m, s) => write!(f, "{m}m{s:02}s"),
                    (h, m, s) => write!(f, "{h}h{m:02}m{s:02}s"),
                }
            }
        }
    }
}

/// All that a file says of itself, each with where it came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata(BTreeMap<Key, (Value, Source)>);

impl Metadata {
    /// Adds a value. The first one for a key stays, and an empty text is none.
    pub fn put(&mut self, key: Key, value: Value, source: Source) {
        let value = match value {
            Value::Text(text) => Value::Text(one_line(&text)),
            other => other,
        };
        if value != Value::Text(String::new()) {
            self.0.entry(key).or_insert((value, source));
        }
    }

    /// Adds all of another; what is there already stays.
    pub fn add(&mut self, other: Self) {
        for (key, value) in other.0 {
            self.0.entry(key).or_insert(value);
        }
    }

    /// Adds a text, if there is one.
    pub fn put_text(&mut self, key: Key, text: Option<&str>, source: Source) {
        if let Some(text) = text {
            self.put(key, Value::Text(text.to_owned()), source);
        }
    }

    /// Adds a number, if there is one; zero stands for "unknown" in every format there is.
    pub fn put_number(&mut self, key: Key, number: Option<u64>, source: Source) {
        if let Some(number) = number.filter(|n| *n > 0) {
            self.put(key, Value::Number(number), source);
        }
    }

    /// The value with its source.
    pub fn get(&self, key: Key) -> Option<(&Value, Source)> {
        self.0.get(&key).map(|(value, source)| (value, *source))
    }

    /// All values, by key.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &Value, Source)> {
        self.0.iter().map(|(key, (value, source))| (*key, value, *source))
    }

    /// Whether the file says nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Control characters and runs of white space become one space; the ends are trimmed.
fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let mut line = String::new();
    for word in words.filter(|w| !w.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line.chars().take(TEXT_MAX).collect::<String>().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_row_of_its_own() {
        for (word, key, shape) in Key::ALL {
            assert_eq!((key.word(), key.shape()), (*word, *shape));
            assert_eq!(Key::from_word(word), Some(*key));
        }
        assert_eq!(Key::from_word("nothing"), None);
    }

    #[test]
    fn a_text_is_one_line_and_the_first_one_stays() {
        let mut m = Metadata::default();
        m.put_text(Key::Title, Some(" \u{0}\n "), Source::Tags);
        assert!(m.is_empty());
        m.put_text(Key::Title, Some(" two\r\n lines\u{0} "), Source::Tags);
        m.put_text(Key::Title, Some("another"), Source::Exif);
        assert_eq!(m.get(Key::Title), Some((&Value::Text("two lines".into()), Source::Tags)));
        m.put_text(Key::Album, Some(&"x y".repeat(10_000)), Source::Tags);
        let Some((Value::Text(album), _)) = m.get(Key::Album) else { panic!() };
        assert!(album.chars().count() <= TEXT_MAX);
        m.put_number(Key::Track, Some(0), Source::Tags);
        assert_eq!(m.get(Key::Track), None);
    }

    #[test]
    fn a_local_time_is_what_the_clock_showed() {
        let berlin = TimeZone::fixed(jiff::tz::offset(2));
        let at: DateTime = "2024-05-06T10:00:00".parse().unwrap();
        let local = Moment::Local(at);
        assert_eq!(local.on_clock(&berlin), at);
        assert_eq!(local.instant(&berlin), Some(UnixNanos::from_parts(1_714_982_400, 0)));
        let instant = Moment::Instant(UnixNanos::from_parts(1_714_982_400, 0));
        assert_eq!(instant.on_clock(&berlin), at);
    }

    #[test]
    fn lengths_read_like_lengths() {
        let shown = |s| Value::Length(Duration::from_secs(s)).to_string();
        assert_eq!([shown(5), shown(65), shown(3725)], ["5s", "1m05s", "1h02m05s"]);
    }
}
