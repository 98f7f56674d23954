//! The options of `rollback` and `redo`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use clap_complete::ArgValueCandidates;

use crate::complete;
use crate::given::{self, Target};

/// Put files back
///
/// Nothing is ever overwritten: an edited file is put back with its edits, a taken name gives way to a new one. A rollback
/// is an operation like any other: `tidyctl redo` takes it back. Exit code 3 when a file could not be put back, 0 when there
/// is nothing to put back.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("what").required(true).multiple(false)
        .args(["target", "last", "batch", "rule", "path", "since", "to"]),
    after_help = "\
Examples:
  tidyctl rollback --last              the last batch
  tidyctl rollback --last 3 --dry-run  what would be put back?
  tidyctl rollback 12                  one operation
  tidyctl rollback batch:3
  tidyctl rollback --rule photos
  tidyctl rollback --to 14:00          as it was at that time"
)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    pub(crate) chosen: Chosen,
    /// As it was then: also files again what was put back since
    #[arg(long, value_name = "TIME", value_parser = given::past)]
    pub(crate) to: Option<i64>,
    #[command(flatten)]
    pub(crate) how: How,
}

/// Take back a rollback
///
/// Without a choice, the newest rollback that still has something in effect. What was filed anew since it was put back is
/// passed over.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("what").multiple(false)
        .args(["target", "last", "batch", "rule", "path", "since"]),
    after_help = "\
Examples:
  tidyctl redo
  tidyctl redo --last 2 --dry-run
  tidyctl redo batch:12                a rollback, or a batch that was put back
  tidyctl redo 15                      one operation
  tidyctl redo --rule photos"
)]
pub(crate) struct RedoArgs {
    #[command(flatten)]
    pub(crate) chosen: Chosen,
    #[command(flatten)]
    pub(crate) how: How,
}

/// What is to be undone; at most one of them.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Chosen {
    /// An operation (12) or a batch (batch:3)
    #[arg(value_name = "ID|batch:ID", add = ArgValueCandidates::new(complete::targets))]
    pub(crate) target: Option<Target>,
    /// The newest batch, or the newest N
    #[arg(
        long, value_name = "N", num_args = 0..=1, default_missing_value = "1",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) last: Option<u32>,
    /// All of a batch
    #[arg(long, value_name = "ID", add = ArgValueCandidates::new(complete::batches))]
    pub(crate) batch: Option<u64>,
    /// Everything of this rule
    #[arg(long, value_name = "RULE", add = ArgValueCandidates::new(complete::rules))]
    pub(crate) rule: Option<String>,
    /// Everything from or to this path, or below it
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<PathBuf>,
    /// Everything since then: 1h, 14:00 (today), "2026-11-20 14:00"
    #[arg(long, value_name = "TIME", value_parser = given::past)]
    pub(crate) since: Option<i64>,
}

#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct How {
    /// Print what would be done, and change nothing
    #[arg(long, short = 'n')]
    pub(crate) dry_run: bool,
    /// Do not ask, however many files it is
    #[arg(long, short)]
    pub(crate) yes: bool,
}
