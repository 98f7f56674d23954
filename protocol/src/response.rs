//! Responses. Times are nanoseconds since the Unix epoch, UTC; sizes are bytes; digests are BLAKE3 in
//! hexadecimal; words in kebab case come from closed sets that only grow.

use serde::{Deserialize, Serialize};

use crate::{ReportInfo, WirePath};

/// The answer to a request; which one belongs to which stands beside each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "data", rename_all = "kebab-case")]
pub enum Response {
    /// Done, and nothing to tell (`reload`, `shutdown`, `cancel`).
    Done,
    /// `status`
    Status(Box<Status>),
    /// `health`
    Health(Health),
    /// `metrics`
    Metrics(Metrics),
    /// `errors`, newest first
    Errors(Vec<ProblemInfo>),
    /// The directories concerned (`pause`, `resume`, `rescan`).
    Roots(Vec<WirePath>),
    /// `wait`
    Wait(WaitInfo),
    /// A dry run of `organize`.
    Plan(Plan),
    /// A job that has begun (`organize`, `rollback`, `redo`), or `job`, `job-follow`.
    Job(Box<JobInfo>),
    /// `jobs`
    Jobs(Vec<JobInfo>),
    /// `log`
    Log(Page<OperationInfo>),
    /// `batches`
    Batches(Page<BatchInfo>),
    /// `show`
    Show(Shown),
    /// A dry run of `rollback` or `redo`.
    Rollback(RollbackReport),
    /// `files`
    Files(Page<FileInfo>),
    /// `file`
    File(Box<FileInfo>),
    /// `explain`
    Explain(Box<Explanation>),
    /// `duplicates`
    Duplicates(Page<DuplicateGroup>),
    /// `categories`
    Categories(Vec<CategoryInfo>),
    /// `rules`
    Rules(Vec<RuleInfo>),
    /// `report`
    Report(Box<ReportInfo>),
    /// `suggest`, what was done most often first
    Suggestions(Vec<Suggestion>),
    /// `subscribe`, when it ends by the daemon's will.
    Ended,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Where to go on; `None` at the end.
    pub cursor: Option<String>,
    /// The list is not all that may be meant: see `files.fuzzy`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

/// How everything stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Status {
    pub version: String,
    pub pid: u32,
    pub uptime_ms: u64,
    /// `running`, `paused` (every root is), `stopping`.
    pub state: String,
    pub config: Option<WirePath>,
    pub state_dir: WirePath,
    pub roots: Vec<RootInfo>,
    pub pending: Pending,
    pub totals: Totals,
    pub last_batch: Option<BatchInfo>,
    /// Directories being watched.
    pub watched_dirs: u64,
    /// Files in the catalog.
    pub files_known: u64,
    /// Operations in the journal that have not ended.
    pub open_operations: u64,
    pub jobs_running: u64,
    /// Files that stay for now, since their destination lacks what a rule needs there: one entry a rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<WaitingFiles>,
    /// Large files that are being read from beginning to end, at most 16, the longest begun first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reading: Vec<ReadingInfo>,
    /// Bytes of files' content that were read to hash, compare and copy them since tidyd was started.
    #[serde(default)]
    pub read_bytes: u64,
    /// What tidyd can reach, in a sentence: "confined to 3 folders (Landlock ABI 6)", or "not
    /// confined: " and why. Empty from a daemon that does not know.
    #[serde(default)]
    pub confinement: String,
    /// The folders it is confined to; empty when it is not.
    #[serde(default)]
    pub confined_to: Vec<WirePath>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// Files of one rule that wait for a disk, or for room on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingFiles {
    pub rule: String,
    pub files: u64,
    /// Sum of their sizes.
    pub bytes: u64,
    /// How many, and what for, as a sentence; it is among the warnings, too.
    pub text: String,
    /// One of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<WirePath>,
}

/// A file that is being read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadingInfo {
    pub path: WirePath,
    /// `hashing` (is it a copy of another?), `comparing`, `copying`, `verifying` (the copy).
    pub purpose: String,
    /// Bytes.
    pub done: u64,
    pub size: u64,
}

/// One root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootInfo {
    pub path: WirePath,
    /// As the configuration has it.
    pub given: WirePath,
    /// `scanning`, `watching`, `scan-only`, `paused`, `missing`, `unreadable`.
    pub state: String,
    /// Files that are settling or being filed.
    pub pending: u64,
    /// Set when tidyd paused it by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<StopInfo>,
}

/// Why a root was stopped: too much would have been done to it unasked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StopInfo {
    /// `share`, `first`, `rate`, `unknown`.
    pub reason: String,
    /// The same as a sentence, to follow "because".
    pub text: String,
    pub time_ns: i64,
    /// Files that would have been acted on; with `rate`, that were.
    pub files: u64,
    /// How many are allowed.
    pub limit: u64,
    /// The rules are others now: after `resume` they are held against the limit anew.
    pub rules_changed: bool,
}

/// What is known and not dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pending {
    /// Directories to be read.
    pub dirty: u64,
    /// Files that are not quiet yet.
    pub settling: u64,
    /// Files held back by an unfinished download beside them.
    pub held: u64,
    /// Files being filed.
    pub in_flight: u64,
}

/// Counts over everything in the journal and the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Files filed by a rule, copies put aside included, whether or not undone since.
    pub filed: u64,
    /// Copies put aside.
    pub duplicates: u64,
    /// Operations that failed.
    pub failed: u64,
    /// Files that are left where they are.
    pub left: u64,
}

/// Whether it can do its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    pub ok: bool,
    pub checks: Vec<HealthCheck>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    pub name: String,
    pub ok: bool,
    pub detail: String,
    pub hint: Option<String>,
}

/// What was counted and measured.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Metrics {
    /// OpenMetrics 1.0, with `# EOF` at its end.
    pub text: String,
}

/// Something that went wrong: an error in the log, or a panic.
///
/// `errors` in the state directory holds the same as JSON, one a line, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProblemInfo {
    pub time_ns: i64,
    /// The module that reported it.
    pub source: String,
    pub message: String,
    /// What it was about (`batch`, `rule`, `path`, …), the outermost first.
    pub context: Vec<ProblemContext>,
}

/// One fact about a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemContext {
    pub name: String,
    pub value: String,
}

/// The end of a wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitInfo {
    /// Everything that had arrived is settled and filed.
    pub drained: bool,
    pub pending: Pending,
    /// Roots that tidyd paused by itself: what lies there is not filed, and not waited for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stopped: Vec<WirePath>,
    /// Why nothing can be filed, so that it was of no use to wait on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// What would be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub steps: Vec<PlannedStep>,
    pub left: Vec<LeftFile>,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// `move`, `copy`, `reflink`, `hardlink`, `symlink`, `unlink`, `trash`, `restore`, `mkdir`, `rmdir`,
    /// `tag`.
    pub kind: String,
    pub src: Option<WirePath>,
    pub dst: Option<WirePath>,
    pub rule: String,
    pub why: String,
    pub size: Option<u64>,
    /// Set for `tag`.
    #[serde(default)]
    pub tags: Option<TagChange>,
}

/// What happens to a file's tags.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TagChange {
    pub before: Vec<String>,
    pub after: Vec<String>,
}

/// A file that stays where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftFile {
    pub path: WirePath,
    /// The reason as a word (`no-rule`, `conflict`, …).
    pub reason: String,
    /// The same as a sentence.
    pub text: String,
    pub rule: Option<String>,
    pub detail: Option<String>,
}

/// Long work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobInfo {
    pub id: u64,
    /// `organize`, `rollback`, `redo`.
    pub kind: String,
    pub state: JobState,
    pub started_ns: i64,
    pub ended_ns: Option<i64>,
    /// Files dealt with, of how many (0: not known yet).
    pub done: u64,
    pub total: u64,
    /// The batch it writes.
    pub batch: Option<u64>,
    /// Set when it has ended well, or was cancelled.
    pub outcome: Option<Outcome>,
    /// Set when it failed.
    pub error: Option<String>,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    Running,
    Done,
    Cancelled,
    Failed,
}

/// What a job did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Organize(Applied),
    Rollback(RollbackReport),
}

/// What an `organize` did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Applied {
    pub batch: Option<u64>,
    pub filed: u64,
    pub left: u64,
    /// Files that could not be filed (at most 1,000 are listed).
    pub failed: Vec<LeftFile>,
    pub failed_count: u64,
}

/// One operation of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OperationInfo {
    pub id: u64,
    pub batch: u64,
    /// `watch`, `once`, `organize`, `rollback`, `redo`.
    pub trigger: String,
    pub kind: String,
    /// `intended`, `verified`, `done`, `aborted`, `failed`, `unknown`.
    pub state: String,
    pub time_ns: i64,
    pub rule: String,
    pub why: String,
    pub src: Option<WirePath>,
    pub dst: Option<WirePath>,
    pub size: Option<u64>,
    pub digest: Option<String>,
    /// Set for `tag`.
    #[serde(default)]
    pub tags: Option<TagChange>,
    /// The operation it undoes or redoes.
    pub inverse_of: Option<u64>,
    pub undo: bool,
    /// The operation that undid it, if any.
    pub undone_by: Option<u64>,
    pub error: Option<String>,
    /// The rules that were asked until this one decided; told by `show` of one operation and by `explain`, as far as it is on
    /// record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub considered: Option<Considered>,
}

/// What the rules said when a file was filed. The conditions that held of the rule that filed it stand in `why`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Considered {
    /// In order.
    pub rules: Vec<RuleCheck>,
    /// So many more were asked, and were not kept.
    pub more: u64,
}

/// One batch, summed up.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BatchInfo {
    pub id: u64,
    pub trigger: String,
    pub time_ns: i64,
    /// Files (directories made on the way are not counted).
    pub done: u64,
    pub failed: u64,
    pub bytes: u64,
    pub rules: Vec<String>,
}

/// One operation, or a batch with its operations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    pub operations: Vec<OperationInfo>,
    /// Where a batch goes on; `None`: that was all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// What a rollback or redo did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RollbackReport {
    pub batch: Option<u64>,
    /// Every file concerned (at most 10,000 are listed; those not restored come first).
    pub files: Vec<UndoneFile>,
    pub restored: u64,
    pub not_restored: u64,
    /// Files that were not looked at before it was cancelled. The same request goes on with them.
    #[serde(default)]
    pub not_reached: u64,
    /// Folders that went because they are empty, or were made again.
    #[serde(default)]
    pub folders: u64,
    /// It was cancelled before its end.
    pub stopped: bool,
    /// Commands that rules ran about these files: what they did stays.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub commands: u64,
}

/// One file of a rollback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoneFile {
    pub operation: u64,
    /// Where it was before; of a copy, where the copy was.
    pub path: WirePath,
    /// `restored`, `restored-as`, `kept-edited`, `missing`, `occupied`, `tags-changed`, `irrecoverable`,
    /// `error`.
    pub outcome: String,
    /// Set for `restored-as`.
    pub restored_as: Option<WirePath>,
    /// Why it is not back.
    pub detail: Option<String>,
}

/// A known file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileInfo {
    pub path: WirePath,
    pub size: u64,
    pub modified_ns: i64,
    pub category: Option<String>,
    pub digest: Option<String>,
    pub stored: Stored,
    /// Operations that concern it, newest first; only in answer to `file`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<OperationInfo>,
}

/// What became of a known file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// `filed`, `left`, `known` (only looked at for copies, or not decided yet).
    pub outcome: String,
    /// The reason for `left`, as a word and as a sentence.
    pub reason: Option<String>,
    pub text: Option<String>,
    pub rule: Option<String>,
    /// The operation that filed it.
    pub operation: Option<u64>,
}

/// Everything there is to say about one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    pub path: WirePath,
    pub exists: bool,
    /// What is kept of it from when it was decided.
    pub stored: Option<Stored>,
    pub history: Vec<OperationInfo>,
    /// What would be done with it now; `None` where no file is.
    pub would: Option<Would>,
    pub media_type: Option<String>,
    pub category: Option<String>,
    /// The rules looked at, in order.
    pub rules: Vec<RuleCheck>,
    /// The path it was asked about as: `would`, the kind and the rules are about that one.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub as_path: Option<WirePath>,
    /// What has to happen before anything is done with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<WaitsFor>,
    /// It goes where this file goes; `rules` is empty then, since none is asked about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub companion_of: Option<CompanionOf>,
}

/// The file that a companion goes with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompanionOf {
    pub path: WirePath,
    /// Why that file stays; `None`: it would be filed.
    pub left: Option<LeftFile>,
    /// What has to happen before anything is done with either.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<WaitsFor>,
    /// The rules held against that file, in order.
    pub rules: Vec<RuleCheck>,
}

/// Something that a file waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitsFor {
    /// `stopped`, `paused`, `missing`, `unreadable` (its folder is), `written` (it is open for writing), `held` (an unfinished
    /// file beside it), `settling`, `scan` (its folder is to be read), `ready` (its batch is next), `filing`.
    pub what: String,
    /// The same as a sentence.
    pub text: String,
    /// With `held`: the unfinished file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<WirePath>,
    /// With `settling`: milliseconds until it is looked at again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
}

/// What would be done with a file now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Would {
    /// Empty: it would be left.
    pub steps: Vec<PlannedStep>,
    pub left: Option<LeftFile>,
}

/// One rule held against a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleCheck {
    pub rule: String,
    /// `true`, `false`, `unknown`.
    pub matched: String,
    pub checks: Vec<Check>,
}

/// One condition of a rule held against a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// As the configuration has it.
    pub test: String,
    /// `true`, `false`, `unknown`.
    pub truth: String,
    /// The value found.
    pub seen: String,
}

/// A rule that a person may want. Nothing is done with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestion {
    /// `rule` (files were moved by hand), `wrong-rule` (what a rule did was undone or moved on).
    pub kind: String,
    /// The same as a sentence.
    pub text: String,
    /// A rule with a test, for the configuration, before the others: it has been held against all that is known, and would
    /// have done what the person did. Only a `wrong-rule` may have none.
    pub toml: Option<String>,
    /// With `wrong-rule`: which one.
    pub rule: Option<String>,
    /// With `rule`: the folder.
    pub to: Option<WirePath>,
    /// The folder is out of tidyd's reach until it is restarted with the rule.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restart: bool,
    /// How often, and with `wrong-rule` of how many times.
    pub times: u64,
    pub of: Option<u64>,
    /// The first and the last time.
    pub since_ns: i64,
    pub last_ns: i64,
    /// At most 20, the newest first.
    pub files: Vec<HandMoved>,
}

/// A file that was moved by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandMoved {
    /// Where a rule could have taken it.
    pub from: WirePath,
    /// `None`: it was put back there.
    pub to: Option<WirePath>,
    pub time_ns: i64,
}

/// Equal files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuplicateGroup {
    pub digest: String,
    /// Bytes of each.
    pub size: u64,
    /// Bytes that one copy less each would free.
    pub wasted: u64,
    pub paths: Vec<WirePath>,
}

/// Files of one category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CategoryInfo {
    pub category: String,
    pub files: u64,
    pub bytes: u64,
}

/// What one rule has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleInfo {
    pub rule: String,
    /// It is in the configuration now.
    pub configured: bool,
    pub hits: u64,
    pub bytes: u64,
    pub last_hit_ns: Option<i64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}
