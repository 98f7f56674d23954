//! The report: what was done in a time, and how things stand at its end.

use serde::{Deserialize, Serialize};

use crate::{DuplicateGroup, WirePath};

/// What was done in a time, and what lies where now. Made in one go by the daemon, so that everybody
/// who shows it shows the same numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReportInfo {
    pub made_ns: i64,
    /// Nanoseconds since the epoch, inclusive; `None`: from the beginning of the journal.
    pub since_ns: Option<i64>,
    /// Nanoseconds since the epoch, inclusive.
    pub until_ns: i64,
    /// In which the days are counted: a name of the IANA database, or an offset.
    pub time_zone: String,
    pub done: ReportDone,
    /// Days on which something was done, oldest first; the newest 400 when there are more.
    pub days: Vec<ReportDay>,
    /// By rule what it did in the time, most files first.
    pub rules: Vec<ReportRule>,
    /// Operations that failed in the time, newest first; the newest 50.
    pub errors: Vec<ReportError>,
    /// All known files as they lie now.
    pub files: ReportSum,
    /// The same by category, most bytes first.
    pub categories: Vec<ReportCategory>,
    pub duplicates: ReportDuplicates,
    /// The 20 biggest known files, biggest first.
    pub biggest: Vec<ReportFile>,
    /// The 20 known files that were not changed for the longest time, oldest first.
    pub oldest: Vec<ReportFile>,
}

/// How many files, and their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReportSum {
    pub files: u64,
    pub bytes: u64,
}

/// What was done to files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReportDone {
    /// Moved, renamed, copied or linked by a rule or a default.
    pub filed: ReportSum,
    /// Duplicates put aside.
    pub put_aside: ReportSum,
    /// Put into the trash by a rule.
    pub trashed: ReportSum,
    /// By rollbacks, those taken back again included.
    pub put_back: ReportSum,
    /// Filed again by taking a rollback back.
    pub redone: ReportSum,
    /// Operations that failed, or of which it is not known how they ended.
    pub failed: u64,
}

/// What was done on one day.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReportDay {
    /// As in `2026-11-21`.
    pub day: String,
    pub done: ReportDone,
    /// What was filed, by category, most files first. Files that are neither there nor back are counted
    /// as `gone since`, those that were filed where nothing is watched as `outside the watched folders`.
    pub categories: Vec<ReportFiled>,
}

/// Files of one category that were filed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReportFiled {
    pub category: String,
    pub files: u64,
    pub bytes: u64,
}

/// What one rule did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReportRule {
    pub rule: String,
    pub files: u64,
    pub bytes: u64,
    pub last_ns: i64,
    /// How many of them were put back since.
    pub put_back: u64,
}

/// An operation that failed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReportError {
    pub operation: u64,
    pub time_ns: i64,
    pub rule: String,
    pub path: Option<WirePath>,
    pub error: String,
}

/// Files of one category.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReportCategory {
    /// `not looked at` where nobody has.
    pub category: String,
    pub files: u64,
    pub bytes: u64,
    /// The same by age, youngest first.
    pub ages: Vec<ReportAge>,
}

/// Files that were last changed so long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReportAge {
    /// Less than so many days; `None`: longer ago than all others.
    pub below_days: Option<u32>,
    pub files: u64,
    pub bytes: u64,
}

/// Files with the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReportDuplicates {
    pub groups: u64,
    /// Bytes that would be free with one copy less of each but one.
    pub wasted: u64,
    /// The 20 groups that waste most; at most 20 paths of each.
    pub top: Vec<DuplicateGroup>,
}

/// A known file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReportFile {
    pub path: WirePath,
    pub bytes: u64,
    pub modified_ns: i64,
    pub category: Option<String>,
}
