//! Events: what a subscriber hears.

use serde::{Deserialize, Serialize};

use crate::{JobInfo, LeftFile, OperationInfo, Status, WirePath};

/// Something that happened. A subscription starts with [`Event::State`]; after [`Event::Lagged`] the full state
/// is sent again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", content = "data", rename_all = "kebab-case")]
pub enum Event {
    /// How everything stands.
    State(Box<Status>),
    /// An operation ended.
    Operation(Box<OperationInfo>),
    /// A file was looked at and left.
    Left(LeftFile),
    /// A job went on, or ended.
    Job(Box<JobInfo>),
    Warning {
        path: Option<WirePath>,
        text: String,
    },
    Paused {
        roots: Vec<WirePath>,
    },
    Resumed {
        roots: Vec<WirePath>,
    },
    Reloaded,
    /// This many events were not sent, because they were not read fast enough.
    Lagged {
        missed: u64,
    },
    /// The daemon is stopping; nothing follows.
    Stopping,
    /// An event of a newer daemon.
    #[serde(skip)]
    Unknown,
}

impl Event {
    /// Every event this version knows.
    pub const NAMES: &'static [&'static str] = &[
        "job",
        "lagged",
        "left",
        "operation",
        "paused",
        "reloaded",
        "resumed",
        "state",
        "stopping",
        "warning",
    ];
}
