//! The options of `tidyd store`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Looks after what tidyd keeps for itself: copies, checks, repairs.
///
/// `tidyctl store` is the same, for the state directory of the service that is running.
#[derive(Debug, Clone, Args)]
#[command(disable_help_subcommand = true)]
#[command(after_help = "Examples:\n  tidyd store verify\n  tidyd store backup --to /mnt/usb/tidyd")]
pub struct StoreOptions {
    #[command(subcommand)]
    pub verb: StoreVerb,

    /// The state directory, instead of $XDG_STATE_HOME/tidyd.
    #[arg(long, global = true, value_name = "DIR", env = "TIDYD_STATE")]
    pub state: Option<PathBuf>,

    /// The configuration, instead of $XDG_CONFIG_HOME/tidyd/config.toml.
    #[arg(long, global = true, value_name = "FILE", env = "TIDYD_CONFIG")]
    pub config: Option<PathBuf>,

    /// The socket of the running service, instead of $XDG_RUNTIME_DIR/tidyd/control.sock.
    #[arg(long, global = true, value_name = "PATH", env = "TIDYD_SOCKET")]
    pub socket: Option<PathBuf>,

    /// Print JSON (docs/json.md).
    #[arg(long, global = true)]
    pub json: bool,
}

/// What is done with it.
#[derive(Debug, Clone, Subcommand)]
pub enum StoreVerb {
    /// Copies the journal and the configuration into one directory, reads it back, and says where it is.
    ///
    /// Also while the service runs, which does the same by itself (`backup` in the configuration). Nothing is copied when
    /// nothing was done since the last one.
    #[command(
        after_help = "Examples:\n  tidyd store backup\n  tidyd store backup --to /mnt/usb/tidyd"
    )]
    Backup {
        /// Into this folder, instead of the configured one. It is made if the one it is in exists.
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
    /// Lists the backups, newest first.
    #[command(
        after_help = "Examples:\n  tidyd store list\n  tidyd store list --from /mnt/usb/tidyd"
    )]
    List {
        /// Of this folder, instead of the configured one.
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
    },
    /// Checks the journal, the index against it, the catalog against itself, and the backups; changes nothing. Exit code
    /// 1 when something has to be done.
    ///
    /// With the service it is asked for the index and the catalog, which only it can read then.
    #[command(after_help = "Examples:\n  tidyd store verify")]
    Verify {
        /// Only this backup.
        #[arg(value_name = "BACKUP")]
        backup: Option<PathBuf>,
    },
    /// Gives back the space that the index has taken and does not need. The service must be stopped.
    #[command(
        after_help = "Examples:\n  systemctl --user stop tidyd && tidyd store compact && systemctl --user start tidyd"
    )]
    Compact,
    /// Sets the index aside and builds it anew: from the journal now, from the folders at the next start. The service must be
    /// stopped.
    #[command(
        after_help = "Examples:\n  systemctl --user stop tidyd && tidyd store rebuild && systemctl --user start tidyd"
    )]
    Rebuild,
    /// Writes every operation on record as JSON, one a line, oldest first. Also while the service runs.
    #[command(after_help = "Examples:\n  tidyd store export > operations.jsonl")]
    Export {
        /// Into this file, which must not exist yet, instead of standard output.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Those of a backup, or of a state directory that was set aside.
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
    },
    /// Puts a backup in the place of the journal. The service must be stopped; what was there before is kept.
    #[command(
        after_help = "Examples:\n  systemctl --user stop tidyd && tidyd store restore && systemctl --user start tidyd"
    )]
    Restore {
        /// This one, instead of the newest that is good.
        #[arg(value_name = "BACKUP")]
        backup: Option<PathBuf>,
    },
}
