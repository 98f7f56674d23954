//! `init`.

use std::path::PathBuf;

use clap::Args;

/// Make a configuration to start with, see what it would do, and start the service
///
/// Writes a complete, commented configuration that watches your Downloads folder; never overwrites one. Then it shows what
/// would be done to the files that lie there, which changes none of them, and on a terminal offers to start the service. On
/// a pipe it asks nothing and starts nothing, unless told to.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl init
  tidyctl init --watch ~/Downloads --watch ~/Scans
  tidyctl init --yes                     start the service, too
  tidyctl init --yes --no-start          nothing but the configuration and what it would do
  tidyctl init --print > my.toml")]
pub(crate) struct InitArgs {
    /// Write it to standard output instead, and do nothing else
    #[arg(long, conflicts_with_all = ["yes", "no_start", "no_preview"])]
    pub(crate) print: bool,
    /// Keep this folder in order (repeatable) [default: your Downloads folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) watch: Vec<PathBuf>,
    /// Ask nothing, and start the service
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Leave the service alone
    #[arg(long)]
    pub(crate) no_start: bool,
    /// Do not look at what would be done
    #[arg(long)]
    pub(crate) no_preview: bool,
    /// Refused where there is a configuration already: it says what to do instead
    #[arg(long, hide = true)]
    pub(crate) force: bool,
}
