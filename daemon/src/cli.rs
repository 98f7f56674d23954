//! The command line of `tidyd`.

mod store;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use store::{StoreOptions, StoreVerb};

use crate::telemetry::LogFormat;

/// Keeps folders in order: watches them, files what arrives, and can put everything back.
///
/// Runs in the foreground, as systemd and launchd want it. Talk to it with `tidyctl`.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "tidyd",
    version,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    subcommand_help_heading = "Without the service",
    after_help = "Examples:\n  \
                  tidyd --watch ~/Downloads --once --dry-run   what would be done? changes nothing\n  \
                  tidyd --watch ~/Downloads                    do it, until Ctrl-C\n  \
                  tidyctl rollback --last                      put the last batch back"
)]
pub struct Options {
    /// Read this configuration instead of $XDG_CONFIG_HOME/tidyd/config.toml.
    #[arg(long, value_name = "FILE", env = "TIDYD_CONFIG")]
    pub config: Option<PathBuf>,

    /// Keep the journal and the catalog here instead of in $XDG_STATE_HOME/tidyd.
    #[arg(long, value_name = "DIR", env = "TIDYD_STATE")]
    pub state: Option<PathBuf>,

    /// Listen here instead of on $XDG_RUNTIME_DIR/tidyd/control.sock.
    #[arg(long, value_name = "PATH", env = "TIDYD_SOCKET")]
    pub socket: Option<PathBuf>,

    /// Watch this folder with the built-in rules instead of reading a configuration (repeatable).
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    pub watch: Vec<PathBuf>,

    /// Organize what is there now, and exit.
    #[arg(long)]
    pub once: bool,

    /// With --once: print what would be done, and change nothing.
    #[arg(long, requires = "once")]
    pub dry_run: bool,

    /// With --dry-run: print it as JSON, as `tidyctl organize --dry-run --json` does.
    #[arg(long, requires = "dry_run")]
    pub json: bool,

    /// Check the configuration and the folders it names, and exit.
    #[arg(long, conflicts_with = "once")]
    pub check: bool,

    /// Do not give up access to what is outside of the configured folders (Landlock).
    #[arg(long)]
    pub no_confine: bool,

    /// How to write log lines.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub log_format: LogFormat,

    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What it does beside being a service.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    Scan(ScanOptions),
    Inspect(InspectOptions),
    Store(StoreOptions),
    /// Reads metadata for the process that started this one.
    #[command(name = crate::readers::HOST, hide = true)]
    ReadMetadata,
}

/// Lists the files that have the same content, and changes none.
///
/// Hidden files count; symlinks are not followed; further names of one file (hard links) are no copies, and empty files
/// neither. What was read is remembered in a cache of its own, so the next scan reads only what is new. Neither a
/// configuration nor the service is needed, and a running service is not disturbed: what is scanned is not watched by that.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  \
                  tidyd scan ~/Pictures /mnt/nas\n  \
                  tidyd scan ~/Pictures --json | jq '.[0].paths'\n\n\
                  Exit code: 0, or 3 when something could not be read (the rest is listed all the same).")]
pub struct ScanOptions {
    /// Look at everything below these directories.
    #[arg(required = true, value_name = "DIR")]
    pub dirs: Vec<PathBuf>,

    /// One JSON array of {digest, size, wasted, paths}: sizes in bytes, most wasted first.
    #[arg(long)]
    pub json: bool,

    /// Read everything anew, and remember nothing.
    #[arg(long, conflicts_with = "cache")]
    pub fresh: bool,

    /// Leave out files smaller than this: 4096, 10MB, 1.5GiB.
    #[arg(long, value_name = "SIZE", default_value = "1", value_parser = bytes)]
    pub min_size: u64,

    /// Remember in this directory instead of $XDG_CACHE_HOME/tidyd. It may be removed at any time.
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
}

/// Says what files are, and what they say of themselves; changes nothing.
///
/// Neither the service nor a configuration is needed; the categories of the configuration count, if there is one.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  \
                  tidyd inspect ~/Downloads/IMG_1.jpg\n  \
                  find ~/Downloads -type f -print0 | tidyd inspect --json -0 -\n\n\
                  Exit code: 0, or 3 when some of the files could not be read, 1 when none could.")]
pub struct InspectOptions {
    /// Files to look at; `-` reads their names from standard input, one a line.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// One JSON object a line.
    #[arg(long)]
    pub json: bool,

    /// Names on standard input end in a NUL byte instead of a line break (`find -print0`).
    #[arg(short = '0', long)]
    pub null: bool,

    /// Only what the files are, not what they say of themselves.
    #[arg(long)]
    pub no_metadata: bool,

    /// Take the categories of this configuration instead of $XDG_CONFIG_HOME/tidyd/config.toml.
    #[arg(long, value_name = "FILE", env = "TIDYD_CONFIG")]
    pub config: Option<PathBuf>,
}

/// A size as the configuration has it, or a plain number of bytes.
fn bytes(text: &str) -> Result<u64, String> {
    match text.trim().parse() {
        Ok(bytes) => Ok(bytes),
        Err(_) => tidy_config::size(text),
    }
}
