//! `service` and what it can be told.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Run tidyd as a service of your own: install it, look at it, remove it
///
/// With systemd or launchd, for you alone and without root: it starts when you log in, and anew after a crash.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl service install
  tidyctl service status
  tidyctl service logs -f
  tidyctl service uninstall")]
pub(crate) struct ServiceArgs {
    #[command(subcommand)]
    pub(crate) verb: ServiceVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceVerb {
    Install(InstallArgs),
    Uninstall(UninstallArgs),
    /// Whether it is installed, starts at login, and runs; exit code 4 when tidyd does not run
    #[command(after_help = "\
Examples:
  tidyctl service status
  tidyctl service status --json | jq .active")]
    Status,
    Logs(LogsArgs),
}

/// Install and start it; again after an upgrade that moved the programs
///
/// Writes a unit for systemd or an agent for launchd with the paths of these programs, and nothing where a package has
/// brought one: that is enabled. What you changed by hand is not replaced. Places that are set in the environment
/// (TIDYD_CONFIG, TIDYD_STATE, TIDYD_SOCKET, XDG_…_HOME) are written into it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl service install
  tidyctl service install --program ~/bin/tidyd")]
pub(crate) struct InstallArgs {
    /// The tidyd to run [default: the one beside this tidyctl, else of PATH]
    #[arg(long, value_name = "FILE")]
    pub(crate) program: Option<PathBuf>,
    /// Let it start at the next login, not now
    #[arg(long)]
    pub(crate) no_start: bool,
    /// Replace one that was changed by hand; it is kept beside, with `.old` at its end
    #[arg(long)]
    pub(crate) force: bool,
}

/// Stop it, and remove what `install` wrote
///
/// Configuration, state and your files stay, and it says where. With --purge configuration and state go, too: after that
/// nothing that was done can be put back. Your files stay in any case.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl service uninstall
  tidyctl service uninstall --purge")]
pub(crate) struct UninstallArgs {
    /// Remove configuration and state, too
    #[arg(long)]
    pub(crate) purge: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Remove a unit or agent that was changed by hand, too
    #[arg(long)]
    pub(crate) force: bool,
}

/// What it said
///
/// From the journal of systemd, or the agent's log file. With --json one object a line.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl service logs
  tidyctl service logs -f
  tidyctl service logs -n 1000 --json | jq -r .message")]
pub(crate) struct LogsArgs {
    /// Go on with what comes, until Ctrl-C
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// The last so many lines
    #[arg(long, short = 'n', value_name = "N", default_value_t = 100)]
    pub(crate) lines: u32,
}
