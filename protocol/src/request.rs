//! Requests: everything that can be asked of the daemon.

use serde::{Deserialize, Serialize};

use crate::WirePath;

/// A request. On the wire: `method` (the name in kebab case) and `params` (its fields).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", content = "params", rename_all = "kebab-case")]
pub enum Request {
    // Service
    Status,
    Health,
    /// What was counted and measured, as text for Prometheus and others.
    Metrics,
    /// The last problems, newest first.
    Errors,
    /// One root, or all.
    Pause {
        root: Option<WirePath>,
    },
    Resume {
        root: Option<WirePath>,
    },
    /// Read the configuration again; answers once it has taken effect.
    Reload,
    /// Look at these directories again; none: at everything.
    Rescan {
        #[serde(default)]
        paths: Vec<WirePath>,
    },
    Shutdown,
    /// Answers once everything that has arrived is settled and filed, or when the time is up.
    Wait {
        timeout_ms: u64,
    },

    // Operations
    /// File what is below these paths now, rolled-back files included. Answers with a job, or, for a dry run, the plan.
    Organize {
        #[serde(default)]
        paths: Vec<WirePath>,
        /// Has no default, here and below: a misspelt `dry_run` must not become the real thing.
        dry_run: bool,
    },
    Jobs,
    Job {
        id: u64,
    },
    /// Sends [`crate::Event::Job`] as it goes on; answers when it has ended.
    JobFollow {
        id: u64,
    },
    Cancel {
        id: u64,
    },
    /// Operations, newest first.
    Log(LogQuery),
    /// Batches, newest first.
    Batches {
        cursor: Option<String>,
        limit: Option<u32>,
    },
    /// One operation, or those of one batch in their order, page by page.
    Show {
        operation: Option<u64>,
        batch: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cursor: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    },
    /// Answers with a job, or, for a dry run, the report of what would be.
    Rollback {
        selector: Selector,
        dry_run: bool,
    },
    /// Takes back rollbacks.
    Redo {
        selector: Selector,
        dry_run: bool,
    },

    // Files
    Files(FileQuery),
    File {
        path: WirePath,
    },
    /// Why it is where it is, and what would be done with it now.
    Explain {
        path: WirePath,
        /// What would be done if it were here, whether or not there is a file at `path`; `None`: as it is.
        #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
        as_path: Option<WirePath>,
    },
    /// Groups of equal files, most wasted bytes first.
    Duplicates {
        cursor: Option<String>,
        limit: Option<u32>,
    },
    /// Puts something else in the place of copies. Answers with a job, or, for a dry run, the plan.
    Resolve {
        which: ResolveQuery,
        dry_run: bool,
    },
    Categories,
    Rules,
    /// Rules that would do what a person did by hand.
    Suggest,
    /// What was done in a time, and how things stand.
    Report {
        /// Nanoseconds since the epoch, inclusive.
        since_ns: Option<i64>,
        until_ns: Option<i64>,
    },

    // Store
    /// Checks the index against the journal, and the catalog against itself. Answers with what was found, as `health` does.
    StoreVerify,

    // Events
    /// Sends [`crate::Event`]s until the connection ends.
    Subscribe,
}

impl Request {
    /// Every method.
    pub const METHODS: &'static [&'static str] = &[
        "batches",
        "cancel",
        "categories",
        "duplicates",
        "errors",
        "explain",
        "file",
        "files",
        "health",
        "job",
        "job-follow",
        "jobs",
        "log",
        "metrics",
        "organize",
        "pause",
        "redo",
        "reload",
        "report",
        "rescan",
        "resolve",
        "resume",
        "rollback",
        "rules",
        "show",
        "shutdown",
        "status",
        "store-verify",
        "subscribe",
        "suggest",
        "wait",
    ];

    /// Whether it changes anything: files, what tidyd does, or whether it runs. What only looks may be asked on the socket for
    /// looking.
    pub fn changes(&self) -> bool {
        match self {
            Self::Pause { .. }
            | Self::Resume { .. }
            | Self::Reload
            | Self::Rescan { .. }
            | Self::Shutdown
            | Self::Cancel { .. } => true,
            Self::Organize { dry_run, .. }
            | Self::Rollback { dry_run, .. }
            | Self::Redo { dry_run, .. }
            | Self::Resolve { dry_run, .. } => !dry_run,
            Self::Status
            | Self::Health
            | Self::Metrics
            | Self::Errors
            | Self::Wait { .. }
            | Self::Jobs
            | Self::Job { .. }
            | Self::JobFollow { .. }
            | Self::Log(_)
            | Self::Batches { .. }
            | Self::Show { .. }
            | Self::Files(_)
            | Self::File { .. }
            | Self::Explain { .. }
            | Self::Duplicates { .. }
            | Self::Categories
            | Self::Rules
            | Self::Suggest
            | Self::Report { .. }
            | Self::StoreVerify
            | Self::Subscribe => false,
        }
    }

    /// Whether the answer is mostly waited for, and takes no work meanwhile.
    pub fn waits(&self) -> bool {
        matches!(self, Self::Wait { .. } | Self::JobFollow { .. } | Self::Subscribe)
    }

    /// What answering costs.
    pub fn weight(&self) -> Weight {
        match self {
            Self::Status
            | Self::Health
            | Self::Metrics
            | Self::Errors
            | Self::Pause { .. }
            | Self::Resume { .. }
            | Self::Reload
            | Self::Rescan { .. }
            | Self::Shutdown
            | Self::Wait { .. }
            | Self::Jobs
            | Self::Job { .. }
            | Self::JobFollow { .. }
            | Self::Cancel { .. }
            | Self::Categories
            | Self::Rules
            | Self::Subscribe => Weight::Light,
            Self::Files(query) if query.condition.is_some() => Weight::Long,
            Self::Log(_)
            | Self::Batches { .. }
            | Self::Show { .. }
            | Self::Files(_)
            | Self::File { .. }
            | Self::Duplicates { .. } => Weight::Query,
            Self::Organize { .. }
            | Self::Rollback { .. }
            | Self::Redo { .. }
            | Self::Resolve { .. }
            | Self::Explain { .. }
            | Self::Suggest
            | Self::Report { .. }
            | Self::StoreVerify => Weight::Long,
        }
    }

    /// The methods without parameters; whatever a newer client sends along is ignored.
    pub(crate) const BARE: &'static [&'static str] = &[
        "categories",
        "errors",
        "health",
        "jobs",
        "metrics",
        "reload",
        "rules",
        "shutdown",
        "status",
        "store-verify",
        "subscribe",
        "suggest",
    ];
}

/// What answering a request costs. Those of one weight wait for each other, and not for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Told from memory, or handed on.
    Light,
    /// A page of a list.
    Query,
    /// Goes through everything there is, or opens files.
    Long,
}

impl Weight {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Light, Self::Query, Self::Long];

    /// The word used in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Query => "query",
            Self::Long => "long",
        }
    }
}

/// Which operations to list. Empty: all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LogQuery {
    /// `done`, `failed`, `aborted`, `unknown`, `intended`, `verified`.
    pub state: Option<String>,
    pub rule: Option<String>,
    /// Source or destination is this path or lies below it.
    pub path: Option<WirePath>,
    /// `move`, `copy`, `reflink`, `hardlink`, `symlink`, `unlink`, `trash`, `restore`, `mkdir`, `rmdir`.
    pub kind: Option<String>,
    /// Nanoseconds since the epoch, inclusive.
    pub since_ns: Option<i64>,
    pub until_ns: Option<i64>,
    /// As a page gave it.
    pub cursor: Option<String>,
    pub limit: Option<u32>,
}

/// Which operations to undo, or which rollbacks to take back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selector {
    Operation(u64),
    Batch(u64),
    Rule(String),
    Path(WirePath),
    /// Everything since then, nanoseconds since the epoch.
    Since(i64),
    /// As it was then: what was filed since goes back, what was put back since is filed again.
    To(i64),
    /// The newest batches.
    Last(u32),
}

/// Which copies go, which one stays, and what becomes of the others.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ResolveQuery {
    /// `trash`, `folder`, `hardlink`, `reflink`, `symlink`.
    pub action: String,
    /// For `folder`: below a watched folder.
    #[serde(default)]
    pub folder: Option<WirePath>,
    /// `oldest` (the default), `newest`, `shortest-path`, `root-order`.
    #[serde(default)]
    pub keep: Option<String>,
    /// Patterns of absolute paths that stay before all others, the earlier the rather.
    #[serde(default)]
    pub prefer: Vec<String>,
    /// Patterns of absolute paths that never go.
    #[serde(default)]
    pub protect: Vec<String>,
    /// Only copies below this directory go; what stays may be anywhere.
    #[serde(default)]
    pub under: Option<WirePath>,
    /// 64 hexadecimal digits: this content only.
    #[serde(default)]
    pub digest: Option<String>,
    /// Bytes, inclusive.
    #[serde(default)]
    pub min_size: Option<u64>,
}

/// Which known files to list. Empty: all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FileQuery {
    /// Part of the name, or a glob when it holds `*`, `?` or `[`; case does not matter.
    pub name: Option<String>,
    /// Words that the name is about: their letters in order, with others between them; in longer words one or two may be wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuzzy: Option<String>,
    pub category: Option<String>,
    /// Bytes, inclusive.
    pub min_size: Option<u64>,
    pub max_size: Option<u64>,
    /// Last modification, nanoseconds since the epoch, inclusive.
    pub modified_since_ns: Option<i64>,
    pub modified_until_ns: Option<i64>,
    pub under: Option<WirePath>,
    /// 64 hexadecimal digits.
    pub digest: Option<String>,
    /// `filed`, `left`, `known`.
    pub outcome: Option<String>,
    /// What a rule's `when` may ask, as it stands between the braces: `artist = "Nina*", year = "< 1970"`. The files that answer
    /// to the rest are opened for it, so a page may have no items and still a cursor.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// `name`, `size` (largest first), `age` (last modified first), `path`, `score` (with `fuzzy`, and then the default). Without
    /// it the list is in no order that means anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sort: Option<String>,
    /// The other way round.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reverse: bool,
    pub cursor: Option<String>,
    pub limit: Option<u32>,
}
