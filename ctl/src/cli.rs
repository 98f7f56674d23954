//! The command line of `tidyctl`.

mod init;
mod service;
mod store;
mod undo;
mod verbs;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub(crate) use init::InitArgs;
pub(crate) use service::{InstallArgs, LogsArgs, ServiceArgs, ServiceVerb, UninstallArgs};
pub(crate) use store::StoreArgs;
pub(crate) use undo::{Chosen, How, RedoArgs, RollbackArgs};
pub(crate) use verbs::*;

/// Ask tidyd what it did, why, and put it back.
#[derive(Debug, Parser)]
#[command(
    name = "tidyctl",
    version,
    propagate_version = true,
    after_help = "\
Examples:
  tidyctl init                     make a configuration
  tidyctl service install          start at every login
  tidyctl organize --dry-run       what would be done now?
  tidyctl log --since 1h           what was done?
  tidyctl explain FILE             why is it where it is?
  tidyctl rollback --last          put back what was done last

Long answers are shown by $TIDYD_PAGER, else $PAGER, else less; an empty one shows them as they are.
Exit codes: 0 ok, 1 failed, 2 usage, 3 partly done, 4 tidyd is not running, 5 refused, 78 bad configuration."
)]
pub(crate) struct Cli {
    /// The control socket [default: $XDG_RUNTIME_DIR/tidyd/control.sock]
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        env = "TIDYD_SOCKET",
        hide_env_values = true,
        help_heading = "Global options"
    )]
    pub(crate) socket: Option<PathBuf>,

    /// Print JSON: lists as one array, streams as one object a line
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,

    /// Say nothing beside the answer
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub(crate) quiet: bool,

    /// When to use colours; NO_COLOR is honoured
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        help_heading = "Global options"
    )]
    pub(crate) color: Color,

    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Color {
    /// On a terminal
    #[default]
    Auto,
    Always,
    Never,
}

/// What can be asked.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Init(InitArgs),
    Status(StatusArgs),
    Log(LogArgs),
    Show(ShowArgs),
    #[command(visible_alias = "why")]
    Explain(ExplainArgs),
    Organize(OrganizeArgs),
    #[command(visible_alias = "undo")]
    Rollback(RollbackArgs),
    Redo(RedoArgs),
    #[command(visible_alias = "search")]
    Files(FilesArgs),
    File(FileArgs),
    #[command(visible_alias = "dupes")]
    Duplicates(DuplicatesArgs),
    Resolve(ResolveArgs),
    Categories(CategoriesArgs),
    Rules(RulesArgs),
    Suggest(SuggestArgs),
    Report(ReportArgs),
    Events(EventsArgs),
    Top(TopArgs),
    Pause(PauseArgs),
    Resume(ResumeArgs),
    Reload(ReloadArgs),
    Rescan(RescanArgs),
    Wait(WaitArgs),
    Jobs(JobsArgs),
    Cancel(CancelArgs),
    Health(HealthArgs),
    Metrics(MetricsArgs),
    Errors(ErrorsArgs),
    Doctor(DoctorArgs),
    Store(StoreArgs),
    Service(ServiceArgs),
    Config(ConfigArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

#[cfg(test)]
mod tests;
