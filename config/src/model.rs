//! A configuration that has been read and found to make sense, before the disk was looked at.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use tidy_core::breaker::Limits;
use tidy_core::category::Category;
use tidy_core::companions::Companions;
use tidy_core::facts::Attributes;
use tidy_core::globset::GlobSet;
use tidy_core::ignore::UnitKind;
use tidy_core::metadata::Metadata;
use tidy_core::policy::{Conflict, Keep};
use tidy_core::rules::{Condition, Notice, Range, Run};
use tidy_core::tags::Tags;
use tidy_core::template::{Base, Template, TemplateError};

use crate::backup::BackupConfig;
use crate::condition;
use crate::folders::Words;
use crate::limits::LimitsConfig;
use crate::log::LogConfig;
use crate::metrics::Metrics;
use crate::need::NeedConfig;
use crate::read_only::ReadOnly;
use crate::walk::At;

/// A configuration file: everything in it makes sense on its own. [`Config::resolve`] holds it against
/// the disk.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file's path, escaped for people, or a word for what is no file.
    pub(crate) origin: String,
    /// For the places of errors found later.
    pub(crate) text: String,
    /// In which times in templates and tests are local.
    pub(crate) tz: TimeZone,
    pub(crate) watch: Vec<At<Folder>>,
    /// `watch` is from the command line, so that overrides may be about folders that are not watched.
    pub(crate) watch_is_given: bool,
    pub(crate) ignore: Vec<String>,
    pub(crate) settle: Duration,
    pub(crate) conflict: Conflict,
    /// The process gives up what it does not need (Landlock).
    pub(crate) confine: bool,
    /// Folders that may be other people's, or writable by them, with what is in them.
    pub(crate) allow_shared: Vec<At<Folder>>,
    pub(crate) duplicates: DuplicatesConfig,
    pub(crate) journal: JournalConfig,
    pub(crate) backup: BackupConfig,
    pub(crate) breaker: Option<Limits>,
    pub(crate) limits: LimitsConfig,
    pub(crate) metrics: Metrics,
    pub(crate) log: LogConfig,
    pub(crate) companions: Companions,
    /// Rules may run commands.
    pub(crate) allow_run: bool,
    /// A second socket, for looking.
    pub(crate) read_only: Option<ReadOnly>,
    /// All that is filed is told on the desktop, where a rule does not say otherwise.
    pub(crate) notify: bool,
    pub(crate) overrides: Vec<Override>,
    pub(crate) categories: Vec<CategoryConfig>,
    pub(crate) rules: Vec<RuleConfig>,
    pub(crate) default: Vec<(Category, Destination)>,
    /// The built-in one stands in for a missing `[default]`.
    pub(crate) default_is_built_in: bool,
    /// What the built-in folders are called in; `None`: in the person's own language.
    pub(crate) language: Option<&'static Words>,
}

/// A directory as the person wrote it. Bytes, because it may come from the command line.
pub(crate) type Folder = PathBuf;

#[derive(Debug, Clone)]
pub(crate) struct DuplicatesConfig {
    pub(crate) scope: Vec<At<Folder>>,
    pub(crate) keep: Keep,
    pub(crate) others: OthersConfig,
    /// Nobody wrote `others`.
    pub(crate) others_is_built_in: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OthersConfig {
    Trash,
    Report,
    Folder(At<String>),
}

/// Where duplicates go when nothing is configured: out of the way, in sight, and easily put back.
pub(crate) const DUPLICATES_FOLDER: &str = "Duplicates/";

/// How long the journal remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalConfig {
    /// What was done longer ago may be forgotten.
    pub keep: Duration,
    /// Bytes on disk past which the oldest is forgotten earlier.
    pub at_most: u64,
}

impl Default for JournalConfig {
    /// A year, in a space that no year of a person's files fills: about two million operations.
    fn default() -> Self {
        Self { keep: Duration::from_secs(365 * 24 * 3600), at_most: 1_000_000_000 }
    }
}

/// The least that `journal.keep` and `journal.at_most` can be. Below, there would hardly be anything to undo.
pub(crate) const KEEP_AT_LEAST: Duration = Duration::from_secs(24 * 3600);
pub(crate) const JOURNAL_AT_LEAST: u64 = 64_000;

/// Whether what an archive was unpacked into is one thing, in the words of the configuration.
pub(crate) const UNPACKED: &[(&str, bool)] = &[("whole", true), ("files", false)];

/// One root that differs.
#[derive(Debug, Clone)]
pub(crate) struct Override {
    pub(crate) path: At<Folder>,
    pub(crate) recursive: Option<bool>,
    /// Whether what archives were unpacked into is one thing.
    pub(crate) whole_unpacked: Option<bool>,
    pub(crate) only: Option<Vec<String>>,
    pub(crate) settle: Option<Duration>,
    pub(crate) conflict: Option<Conflict>,
    /// `Some(None)`: there is none here.
    pub(crate) breaker: Option<Option<Limits>>,
    pub(crate) ignore: Vec<String>,
}

/// A category added or changed: what belongs to it besides what already does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CategoryConfig {
    pub category: Category,
    /// Media types, lower case.
    pub mime: Vec<String>,
    /// Extensions, lower case, without a dot.
    pub ext: Vec<String>,
    /// Patterns of names.
    pub name: Vec<String>,
}

impl CategoryConfig {
    /// The patterns of names as one, if there are any.
    pub fn names(&self) -> Option<GlobSet> {
        if self.name.is_empty() {
            return None;
        }
        // Each was tried when the file was read.
        let globs = self.name.iter().filter_map(|pattern| condition::glob(pattern).ok());
        GlobSet::new(globs).ok()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct RuleConfig {
    pub(crate) name: String,
    pub(crate) when: Condition,
    pub(crate) action: ActionConfig,
    pub(crate) conflict: Option<Conflict>,
    pub(crate) companions: Option<Companions>,
    pub(crate) need: Option<NeedConfig>,
    pub(crate) tags: Option<Tags>,
    pub(crate) run: Option<Run>,
    pub(crate) notice: Option<Notice>,
    pub(crate) go_on: bool,
    /// Its keys with their values as TOML on one line, in the order of the file; without tests.
    pub(crate) canonical: Vec<(String, String)>,
    pub(crate) tests: Vec<TestConfig>,
}

#[derive(Debug, Clone)]
pub(crate) enum ActionConfig {
    Move(Destination),
    Copy(Destination),
    Reflink(Destination),
    HardLink(Destination),
    Symlink(Destination),
    Rename(Template),
    Trash,
    Leave,
    /// Only what else the rule does: its tags.
    Stay,
}

impl ActionConfig {
    /// Where to, of an action that names a folder.
    pub(crate) fn destination(&self) -> Option<&Destination> {
        match self {
            Self::Move(to)
            | Self::Copy(to)
            | Self::Reflink(to)
            | Self::HardLink(to)
            | Self::Symlink(to) => Some(to),
            Self::Rename(_) | Self::Trash | Self::Leave | Self::Stay => None,
        }
    }
}

/// A destination whose template has been checked; its base needs the disk.
#[derive(Debug, Clone)]
pub(crate) struct Destination {
    pub(crate) at: At<String>,
    pub(crate) key: String,
}

/// The start of a destination's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// Below the watched folder.
    Root,
    /// `~/…`
    Home,
    /// `/…`
    Absolute,
}

impl Destination {
    /// The anchor, and the template text below it.
    pub(crate) fn anchored(text: &str) -> (Anchor, &str) {
        if let Some(rest) = text.strip_prefix("~/") {
            (Anchor::Home, rest.trim_start_matches('/'))
        } else if text.starts_with('/') {
            (Anchor::Absolute, text.trim_start_matches('/'))
        } else {
            (Anchor::Root, text)
        }
    }

    /// The template without looking at the disk: `~` and `/` stand for themselves.
    pub(crate) fn unresolved(&self, tz: &TimeZone) -> Result<Template, TemplateError> {
        unresolved(&self.at.value, tz)
    }
}

pub(crate) fn unresolved(text: &str, tz: &TimeZone) -> Result<Template, TemplateError> {
    let (anchor, rest) = Destination::anchored(text);
    let base = match anchor {
        Anchor::Root => Base::Root,
        Anchor::Home => Base::Dir(Path::new("~").into()),
        Anchor::Absolute => Base::Dir(Path::new("/").into()),
    };
    Template::parse(rest, base, tz)
}

/// `[[rule.test]]`
#[derive(Debug, Clone)]
pub(crate) struct TestConfig {
    pub(crate) given: Given,
    pub(crate) expect: String,
    /// The tags that the file has afterwards, where the test says.
    pub(crate) tags: Option<Vec<String>>,
    /// What the companions are called that go along, where the test says.
    pub(crate) along: Option<Vec<String>>,
    /// Of `expect`.
    pub(crate) line: usize,
}

/// The file a test is about.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    /// Below the watched folder.
    pub(crate) path: PathBuf,
    pub(crate) kind: Option<Category>,
    pub(crate) mime: Option<String>,
    /// Without a dot.
    pub(crate) true_ext: Option<String>,
    pub(crate) size: u64,
    pub(crate) times: Vec<(tidy_core::rules::TimeOf, GivenTime)>,
    pub(crate) origin: Option<String>,
    pub(crate) attributes: Attributes,
    /// Names of files in the same folder.
    pub(crate) beside: Vec<String>,
    pub(crate) mismatch: bool,
    pub(crate) duplicate: bool,
    pub(crate) unit: Option<UnitKind>,
    pub(crate) metadata: Metadata,
    pub(crate) text: Option<String>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum GivenTime {
    /// This long before now.
    Ago(Duration),
    At(tidy_core::UnixNanos),
}

/// Sanity limits of `settle`: a file that settles after a day would look forgotten.
pub(crate) const SETTLE: Range = Range { min: 0, max: 24 * 3600 * 1_000_000_000 };

/// How long a file must have been quiet when nothing is configured. Measured: an age by ctime of 2 s,
/// together with a read lease, got every kind of writer right.
pub(crate) const DEFAULT_SETTLE: Duration = Duration::from_secs(2);

/// The `[default]` that applies when a configuration has none; the same as in `default.toml`.
pub(crate) const BUILT_IN_DEFAULT: &[(&str, &str)] = &[
    ("image", "Pictures/"),
    ("video", "Videos/"),
    ("audio", "Music/"),
    ("document", "Documents/"),
    ("archive", "Archives/"),
    ("installer", "Installers/"),
    ("font", "Fonts/"),
];

pub(crate) fn built_in_default() -> Vec<(Category, Destination)> {
    BUILT_IN_DEFAULT
        .iter()
        .map(|(category, text)| {
            let at = At { value: (*text).to_owned(), span: 0..0 };
            (Category::new(category), Destination { at, key: "default".to_owned() })
        })
        .collect()
}

impl Default for DuplicatesConfig {
    fn default() -> Self {
        let folder = At { value: DUPLICATES_FOLDER.to_owned(), span: 0..0 };
        Self {
            scope: Vec::new(),
            keep: Keep::default(),
            others: OthersConfig::Folder(folder),
            others_is_built_in: true,
        }
    }
}
