//! Conditions: three-valued, because "could not be read" must never become true by negation.

use std::fmt;
use std::time::Duration;

use globset::{GlobMatcher, GlobSet};
use regex::bytes::Regex;

use crate::UnixNanos;
use crate::category::Category;
use crate::facts::{Fact, Facts, Kind, Stat};
use crate::name;

use super::Checked;

/// A fact that has to be read before a condition can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Need {
    /// Media type and category.
    Kind,
    /// Download origin.
    Origin,
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
    /// It is a byte-for-byte copy of a known file (`true`) or not (`false`).
    Duplicate(bool),
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
            Self::Category(list) => on_kind(facts, |k| {
                (
                    list.iter().any(|c| k.category.is(c)),
                    format!("{} ({})", k.category, k.media_type),
                )
            }),
            Self::MediaType(globs) => on_kind(facts, |k| {
                (globs.iter().any(|g| g.is_match(&*k.media_type)), k.media_type.to_string())
            }),
            Self::Mismatch(want) => on_kind(facts, |k| {
                (k.mismatch == *want, if k.mismatch { "mismatch" } else { "no mismatch" }.into())
            }),
            Self::Size(range) => {
                let size = facts.stat.id.size;
                (Truth::of(range.contains(size)), format!("{size} bytes"))
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
            Self::Duplicate(want) => match &facts.duplicate_of {
                Fact::Unread => (Truth::Needs(Need::Duplicate), String::new()),
                Fact::Absent => (Truth::of(!want), "the only copy".into()),
                Fact::Unreadable(why) => (Truth::Unknown, why.to_string()),
                Fact::Known(p, _) => {
                    (Truth::of(*want), format!("a copy of {}", name::shown(p.as_os_str())))
                }
            },
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
