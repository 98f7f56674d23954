//! Conditions: three-valued, because "could not be read" must never become true by negation.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use globset::{GlobMatcher, GlobSet};
use jiff::tz::TimeZone;
use regex::bytes::Regex;

use crate::category::Category;
use crate::facts::{self, Attributes, Captures, Fact, Facts, Kind, Source, Stat};
use crate::ignore::UnitKind;
use crate::metadata::{Key, Metadata, Value};
use crate::name;
use crate::parts::{self, Told};
use crate::tags;
use crate::{UnixNanos, count};

use super::Checked;

/// A fact that has to be read before a condition can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Need {
    /// Media type and category.
    Kind,
    /// Download origin.
    Origin,
    /// Extended attributes, tags among them.
    Attributes,
    /// What the file says of itself.
    Metadata,
    /// The beginning of its text.
    Text,
    /// Whether it is a copy of a known file.
    Duplicate,
}

/// Kleene's third value is [`Truth::Unknown`]; [`Truth::Needs`] means nobody has looked yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Truth {
    True,
    False,
    Unknown,
    Needs(Need),
}

impl Truth {
    fn of(b: bool) -> Self {
        if b { Self::True } else { Self::False }
    }

    fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            other => other,
        }
    }
}

/// Which time an age is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeOf {
    /// Last modification of the content.
    Modified,
    /// Creation, or the last modification where the file system does not tell.
    Created,
    /// Last read, as far as the file system keeps it (`relatime` does so once a day).
    Accessed,
    /// Arrival or last change of name, place or mode (ctime).
    Changed,
}

impl TimeOf {
    /// The time itself.
    pub fn of(self, stat: &Stat) -> UnixNanos {
        match self {
            Self::Modified => stat.id.mtime,
            Self::Created => stat.id.birth.unwrap_or(stat.id.mtime),
            Self::Accessed => stat.atime,
            Self::Changed => stat.ctime,
        }
    }
}

/// A half-open or closed interval over whole numbers; both ends inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Range {
    pub min: u64,
    pub max: u64,
}

impl Range {
    /// Whether `v` lies in it.
    pub fn contains(self, v: u64) -> bool {
        (self.min..=self.max).contains(&v)
    }
}

/// One thing asked of one file.
#[derive(Debug, Clone)]
pub enum Test {
    /// The file name matches any of the globs (compared in Unicode NFC).
    Name(GlobSet),
    /// The file name matches the regular expression.
    NameRegex(Regex),
    /// The path below the root matches any of the globs (compared in Unicode NFC).
    Path(GlobSet),
    /// The extension, lower case, without a dot, is one of these.
    Extension(Vec<String>),
    /// The category is one of these or a part of one.
    Category(Vec<Category>),
    /// The media type matches any of the globs (`image/*`).
    MediaType(Vec<GlobMatcher>),
    /// Size in bytes.
    Size(Range),
    /// Age in nanoseconds, counted from a time of the file to now.
    Age { of: TimeOf, range: Range },
    /// How many directories lie between the root and the file; 0 directly in the root.
    Depth(Range),
    /// Content and extension disagree (`true`) or not (`false`).
    Mismatch(bool),
    /// The host of the download's URL or referrer matches the glob.
    Origin(GlobSet),
    /// One of its tags matches any of the globs.
    Tag(GlobSet),
    /// It has the extended attribute, with a value that matches any of the globs.
    Attribute { name: String, value: Option<GlobSet> },
    /// It is a byte-for-byte copy of a known file (`true`) or not (`false`).
    Duplicate(bool),
    /// The file says each of these of itself.
    Has(Vec<Key>),
    /// A text it says of itself matches any of the globs.
    Text(Key, GlobSet),
    /// A number it says of itself; lengths in nanoseconds.
    Number(Key, Range),
    /// Age in nanoseconds of a moment it says of itself; local times are taken to be in the zone.
    Past { of: Key, range: Range, tz: TimeZone },
    /// The beginning of its text matches the regular expression.
    Content(Regex),
    /// It is a directory that is one of these things. A rule that asks is about such directories only.
    Unit(Vec<UnitKind>),
}

/// A tree of tests. Every test carries its text as the configuration has it, for explanations.
#[derive(Debug, Clone)]
pub enum Condition {
    /// Every one holds; true when empty.
    All(Vec<Condition>),
    /// At least one holds; false when empty.
    Any(Vec<Condition>),
    /// None holds; true when empty.
    None(Vec<Condition>),
    /// One test with its text (`size >= 2 GB`).
    Test(Test, String),
}

/// What one evaluation found besides the answer.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) checked: Vec<Checked>,
    /// The earliest moment at which an age test gives another answer.
    pub(super) flips_at: Option<UnixNanos>,
}

impl Condition {
    /// Evaluates as far as needed to know: later members of an `all` are not looked at once one is
    /// false, so that nothing is read for them.
    pub(super) fn evaluate(&self, facts: &Facts, now: UnixNanos, found: &mut Findings) -> Truth {
        match self {
            Self::All(of) => fold(of, facts, now, found, Truth::True),
            Self::Any(of) => fold(of, facts, now, found, Truth::False),
            Self::None(of) => fold(of, facts, now, found, Truth::False).not(),
            Self::Test(test, text) => {
                let (truth, seen) = test.check(facts, now, found);
                if !matches!(truth, Truth::Needs(_)) {
                    found.checked.push(Checked { test: text.clone(), truth, seen });
                }
                truth
            }
        }
    }
}

impl Condition {
    /// What it says of one file, as far as that is read.
    pub fn holds(&self, facts: &Facts, now: UnixNanos) -> Truth {
        self.evaluate(facts, now, &mut Findings::default())
    }

    /// Whether it is about other files with the same bytes.
    pub fn asks_for_copies(&self) -> bool {
        match self {
            Self::All(of) | Self::Any(of) | Self::None(of) => of.iter().any(Self::asks_for_copies),
            Self::Test(test, _) => matches!(test, Test::Duplicate(_)),
        }
    }

    /// Whether it can hold for a directory that is one thing: only if it asks for one.
    pub fn asks_for_units(&self) -> bool {
        match self {
            Self::All(of) | Self::Any(of) => of.iter().any(Self::asks_for_units),
            Self::None(_) => false,
            Self::Test(test, _) => matches!(test, Test::Unit(_)),
        }
    }

    /// Whether it is about where a file is: whoever puts one there may mean it.
    pub fn asks_for_place(&self) -> bool {
        match self {
            Self::All(of) | Self::Any(of) => of.iter().any(Self::asks_for_place),
            Self::None(_) => false,
            Self::Test(test, _) => matches!(test, Test::Path(_) | Test::Depth(_)),
        }
    }

    /// What the expressions captured that made it true; those under `none` capture nothing.
    pub fn captures(&self, facts: &Facts) -> Captures {
        let mut captures = Captures::new();
        self.capture(facts, &mut captures);
        captures
    }

    fn capture(&self, facts: &Facts, into: &mut Captures) {
        match self {
            Self::All(of) | Self::Any(of) => of.iter().for_each(|c| c.capture(facts, into)),
            Self::None(_) => {}
            Self::Test(test, _) => test.capture(facts, into),
        }
    }

    /// The names under which its expressions can capture something.
    pub fn capture_names(&self) -> Vec<String> {
        match self {
            Self::All(of) | Self::Any(of) => of.iter().flat_map(Self::capture_names).collect(),
            Self::None(_) => Vec::new(),
            Self::Test(Test::NameRegex(re), _) => names_of("name", re),
            Self::Test(Test::Content(re), _) => names_of("text", re),
            Self::Test(..) => Vec::new(),
        }
    }
}

fn names_of(prefix: &str, regex: &Regex) -> Vec<String> {
    regex.capture_names().flatten().map(|group| format!("{prefix}.{group}")).collect()
}

/// `all` starts from True and stops at False; `any` starts from False and stops at True.
///
/// A missing fact is asked for only when no member that is already known settles the answer: cheap
/// tests first, whatever the order in which the configuration wrote them.
fn fold(
    of: &[Condition],
    facts: &Facts,
    now: UnixNanos,
    found: &mut Findings,
    start: Truth,
) -> Truth {
    let mut result = start;
    for c in of {
        match c.evaluate(facts, now, found) {
            t if t == start => {}
            t @ (Truth::True | Truth::False) => return t,
            Truth::Unknown if !matches!(result, Truth::Needs(_)) => result = Truth::Unknown,
            Truth::Unknown => {}
            t @ Truth::Needs(_) if !matches!(result, Truth::Needs(_)) => result = t,
            Truth::Needs(_) => {}
        }
    }
    result
}

impl Test {
    fn check(&self, facts: &Facts, now: UnixNanos, found: &mut Findings) -> (Truth, String) {
        match self {
            Self::Name(globs) => {
                let name = name::normalized(facts.file_name());
                (Truth::of(globs.is_match(&name)), name::shown(&name))
            }
            Self::NameRegex(re) => {
                let name = name::normalized(facts.file_name());
                (Truth::of(re.is_match(name.as_encoded_bytes())), name::shown(&name))
            }
            Self::Path(globs) => {
                let rel = name::normalized(facts.relative().as_os_str());
                (Truth::of(globs.is_match(&rel)), name::shown(rel.as_os_str()))
            }
            Self::Extension(list) => {
                let ext = name::extension(facts.file_name()).unwrap_or_default();
                (Truth::of(list.contains(&ext)), or_none(ext))
            }
            Self::Category(list) => match &facts.kind {
                Fact::Known(kind, source) => of_category(facts, kind, *source, list),
                _ => on_kind(facts, |_| (false, String::new())),
            },
            Self::MediaType(globs) => on_kind(facts, |k| {
                (globs.iter().any(|g| g.is_match(&*k.media_type)), k.media_type.to_string())
            }),
            Self::Mismatch(want) => on_kind(facts, |k| {
                (k.mismatch == *want, if k.mismatch { "mismatch" } else { "no mismatch" }.into())
            }),
            Self::Size(_) | Self::Age { .. } if facts.imagined => {
                (Truth::Unknown, facts::NO_FILE.into())
            }
            Self::Unit(kinds) => match facts.unit {
                None => (Truth::False, "a file".into()),
                Some(kind) => (Truth::of(kinds.contains(&kind)), kind.as_str().to_owned()),
            },
            Self::Size(_) if facts.unit.is_some() => (Truth::Unknown, "a folder".into()),
            Self::Size(range) => {
                let size = facts.stat.id.size;
                (Truth::of(range.contains(size)), count(size, "byte"))
            }
            Self::Age { of, range } => {
                let then = of.of(&facts.stat);
                let age = now.since(then);
                let inside = range.contains(age.as_nanos().try_into().unwrap_or(u64::MAX));
                note_flip(found, then, *range, now);
                (Truth::of(inside), Age(age).to_string())
            }
            Self::Depth(range) => {
                let depth = facts.relative().components().count().saturating_sub(1);
                (Truth::of(range.contains(depth as u64)), depth.to_string())
            }
            Self::Origin(globs) => match &facts.origin {
                Fact::Unread => (Truth::Needs(Need::Origin), String::new()),
                Fact::Absent => (Truth::False, "none".into()),
                Fact::Unreadable(why) => (Truth::Unknown, why.to_string()),
                Fact::Known(o, _) => {
                    let hosts = [&o.url, &o.referrer].map(|u| u.as_deref().and_then(name::host));
                    let hit = hosts.iter().flatten().any(|h| globs.is_match(h));
                    let seen = hosts.into_iter().flatten().collect::<Vec<_>>().join(", ");
                    (Truth::of(hit), or_none(seen))
                }
            },
            Self::Tag(globs) => on_attributes(facts, |all| {
                let value = all.get(tags::ATTRIBUTE).map(Vec::as_slice);
                let mut each = tags::in_value(value.unwrap_or_default());
                let normalized = |tag: &[u8]| name::normalized(OsStr::from_bytes(tag));
                (each.any(|tag| globs.is_match(normalized(tag))), tags::shown(value))
            }),
            Self::Attribute { name, value } => on_attributes(facts, |all| match all.get(name) {
                None => (false, "none".into()),
                Some(found) => {
                    let found = OsStr::from_bytes(found);
                    let hit = value.as_ref().is_none_or(|v| v.is_match(name::normalized(found)));
                    (hit, excerpt(name::shown(found).as_bytes()))
                }
            }),
            Self::Duplicate(want) => match &facts.duplicate_of {
                Fact::Unread => (Truth::Needs(Need::Duplicate), String::new()),
                Fact::Absent => (Truth::of(!want), "the only copy".into()),
                Fact::Unreadable(why) => (Truth::Unknown, why.to_string()),
                Fact::Known(p, _) => {
                    (Truth::of(*want), format!("a copy of {}", name::shown(p.as_os_str())))
                }
            },
            Self::Has(keys) => on_metadata(facts, |m| {
                let missing = keys.iter().find(|k| m.get(**k).is_none());
                let seen = missing.map_or_else(|| "it has".into(), |k| format!("no {}", k.word()));
                (Truth::of(missing.is_none()), seen)
            }),
            Self::Text(key, globs) => on_value(facts, *key, |value| {
                let text = name::normalized(value.to_string().as_ref());
                globs.is_match(&text)
            }),
            Self::Number(key, range) => on_value(facts, *key, |value| match value {
                Value::Number(n) => range.contains(*n),
                Value::Length(d) => range.contains(d.as_nanos().try_into().unwrap_or(u64::MAX)),
                _ => false,
            }),
            Self::Past { of, range, tz } => {
                let then = facts.metadata.value().and_then(|m| match m.get(*of)? {
                    (Value::Moment(moment), _) => moment.instant(tz),
                    _ => None,
                });
                if let Some(then) = then {
                    note_flip(found, then, *range, now);
                }
                let age = then.map(|then| now.since(then).as_nanos());
                let inside = |age: u128| range.contains(age.try_into().unwrap_or(u64::MAX));
                on_value(facts, *of, |_| age.is_some_and(inside))
            }
            Self::Content(regex) => match &facts.text {
                Fact::Unread => (Truth::Needs(Need::Text), String::new()),
                Fact::Absent => (Truth::False, "it has no text".into()),
                Fact::Unreadable(why) => (Truth::Unknown, why.to_string()),
                Fact::Known(text, _) => match regex.find(text.as_bytes()) {
                    Some(hit) => (Truth::True, excerpt(hit.as_bytes())),
                    None => (Truth::False, "not in its text".into()),
                },
            },
        }
    }

    /// What its expression captures, under `name.` or `text.`.
    fn capture(&self, facts: &Facts, into: &mut Captures) {
        let (prefix, regex, text) = match self {
            Self::NameRegex(re) => ("name", re, name::normalized(facts.file_name())),
            Self::Content(re) => match facts.text.value() {
                Some(text) => ("text", re, std::ffi::OsString::from(&**text)),
                None => return,
            },
            _ => return,
        };
        let Some(found) = regex.captures(text.as_encoded_bytes()) else { return };
        for group in regex.capture_names().flatten() {
            if let Some(part) = found.name(group) {
                let part = String::from_utf8_lossy(part.as_bytes()).into_owned();
                into.entry(format!("{prefix}.{group}")).or_insert(part);
            }
        }
    }
}

/// What matched, short enough for one line.
fn excerpt(bytes: &[u8]) -> String {
    const MAX: usize = 80;
    let text = String::from_utf8_lossy(bytes);
    let line: Vec<&str> = text.split_whitespace().collect();
    let line = line.join(" ");
    match line.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn on_metadata(facts: &Facts, f: impl FnOnce(&Metadata) -> (Truth, String)) -> (Truth, String) {
    match &facts.metadata {
        Fact::Unread => (Truth::Needs(Need::Metadata), String::new()),
        Fact::Absent => (Truth::False, "without metadata".into()),
        Fact::Unreadable(why) => (Truth::Unknown, why.to_string()),
        Fact::Known(m, _) => f(m),
    }
}

fn on_value(facts: &Facts, key: Key, test: impl FnOnce(&Value) -> bool) -> (Truth, String) {
    on_metadata(facts, |m| match m.get(key) {
        Some((value, source)) => {
            (Truth::of(test(value)), format!("{value}, by {}", source.as_str()))
        }
        None => (Truth::False, "none".into()),
    })
}

fn on_attributes(facts: &Facts, f: impl FnOnce(&Attributes) -> (bool, String)) -> (Truth, String) {
    match &facts.attributes {
        Fact::Unread => (Truth::Needs(Need::Attributes), String::new()),
        Fact::Absent => (Truth::False, "none".into()),
        Fact::Unreadable(why) => (Truth::Unknown, why.to_string()),
        Fact::Known(all, _) => {
            let (hit, seen) = f(all);
            (Truth::of(hit), seen)
        }
    }
}

fn on_kind(facts: &Facts, f: impl FnOnce(&Kind) -> (bool, String)) -> (Truth, String) {
    match &facts.kind {
        Fact::Unread => (Truth::Needs(Need::Kind), String::new()),
        Fact::Absent => (Truth::False, "unknown".into()),
        Fact::Unreadable(why) => (Truth::Unknown, why.to_string()),
        Fact::Known(kind, source) => {
            let (hit, seen) = f(kind);
            (Truth::of(hit), format!("{seen}, by {}", source.as_str()))
        }
    }
}

/// Whether it is one of the categories, or such a part of its own as one of them is.
fn of_category(facts: &Facts, kind: &Kind, source: Source, list: &[Category]) -> (Truth, String) {
    let by = source.as_str();
    let seen = format!("{} ({}), by {by}", kind.category, kind.media_type);
    if list.iter().any(|c| kind.category.is(c)) {
        return (Truth::True, seen);
    }
    let (mut truth, mut why) = (Truth::False, seen);
    for part in list {
        match parts::told(part, kind, facts.file_name(), &facts.metadata) {
            Some(Told::Yes) => {
                return (Truth::True, format!("{part} ({}), by {by}", kind.media_type));
            }
            Some(Told::Ask) => truth = Truth::Needs(Need::Metadata),
            Some(Told::Unknown(reason)) if truth == Truth::False => {
                (truth, why) = (Truth::Unknown, reason.to_string());
            }
            _ => {}
        }
    }
    (truth, why)
}

fn or_none(s: String) -> String {
    if s.is_empty() { "none".into() } else { s }
}

/// Records when an age enters or leaves its range, if that lies ahead.
fn note_flip(found: &mut Findings, then: UnixNanos, range: Range, now: UnixNanos) {
    let edges = [Some(range.min), range.max.checked_add(1)];
    for edge in edges.into_iter().flatten() {
        let at = then.plus(Duration::from_nanos(edge));
        if at > now && at.0 != i64::MAX {
            found.flips_at = Some(found.flips_at.map_or(at, |f| f.min(at)));
        }
    }
}

/// An age as people say it: the two largest units.
struct Age(Duration);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.0.as_secs();
        match s {
            0..60 => write!(f, "{s}s old"),
            60..3600 => write!(f, "{}m {}s old", s / 60, s % 60),
            3600..86_400 => write!(f, "{}h {}m old", s / 3600, s / 60 % 60),
            _ => write!(f, "{}d {}h old", s / 86_400, s / 3600 % 24),
        }
    }
}
