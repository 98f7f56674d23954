//! Everything that is told, as it stands when somebody asks.

use super::process::Process;
use crate::catalog::Stats;
use crate::journal::Counters;
use crate::{control, coordinator, filing, journal};

/// What the service puts together. Numbers that survive a restart are the journal's and the catalog's own.
#[derive(Debug)]
pub struct Gathered<'g> {
    pub version: &'static str,
    pub process: &'g Process,
    /// What `tidyctl health` looks at, and whether it is well; a name may come more than once.
    pub health: Vec<(String, bool)>,
    /// The states of the roots: one word for each.
    pub roots: Vec<&'static str>,
    /// How many of them tidyd has stopped by itself.
    pub stopped: u64,
    pub pending: coordinator::Pending,
    pub watches: u64,
    pub jobs: u64,
    /// The rules of the configuration, by the names that operations have.
    pub rules: Vec<String>,
    pub counters: Counters,
    /// `None`: it could not be read.
    pub catalog: Option<Stats>,
    pub sizes: Sizes,
    pub coordinator: &'g coordinator::Tally,
    pub filing: &'g filing::Tally,
    pub journal: &'g journal::Tally,
    pub control: &'g control::Stats,
    /// Files of rollbacks and redos: which of the two, how each ended, how many.
    pub undone: Vec<(&'static str, &'static str, u64)>,
    /// Errors in the log, by room.
    pub errors: Vec<(String, u64)>,
}

/// What lies in the state directory; `None`: it could not be looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Bytes.
    pub journal: Option<u64>,
    /// Files of the journal.
    pub segments: Option<u64>,
    /// Bytes.
    pub store: Option<u64>,
    /// Bytes that are free on its file system.
    pub free: Option<u64>,
}
