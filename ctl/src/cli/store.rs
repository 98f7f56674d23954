//! The options of `store`. What they mean is `tidyd store`'s business; here they are listed for help and completion.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Look after what tidyd keeps for itself: copies, checks, repairs
///
/// The journal is what can be put back; the index is built from it and from the folders. A backup holds the journal and the
/// configuration. Exit code 5 when tidyd has to be stopped first.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl store backup --to /mnt/usb/tidyd
  tidyctl store list
  tidyctl store verify
  tidyctl store export > operations.jsonl
  systemctl --user stop tidyd && tidyctl store restore && systemctl --user start tidyd")]
pub(crate) struct StoreArgs {
    #[command(subcommand)]
    pub(crate) verb: StoreVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreVerb {
    /// Copy the journal and the configuration into one directory, read it back, and say where it is
    ///
    /// The service does the same by itself (`backup` in the configuration). Nothing is copied when nothing was done since.
    #[command(
        after_help = "Examples:\n  tidyctl store backup\n  tidyctl store backup --to /mnt/usb/tidyd"
    )]
    Backup {
        /// Into this folder, instead of the configured one
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
    /// The backups, newest first
    #[command(
        after_help = "Examples:\n  tidyctl store list\n  tidyctl store list --from /mnt/usb/tidyd"
    )]
    List {
        /// Of this folder, instead of the configured one
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
    },
    /// Check journal, index, catalog and backups; exit code 1 when something has to be done
    #[command(after_help = "Examples:\n  tidyctl store verify")]
    Verify {
        /// Only this backup
        #[arg(value_name = "BACKUP")]
        backup: Option<PathBuf>,
    },
    /// Give back the space that the index has taken and does not need; tidyd must be stopped
    #[command(
        after_help = "Examples:\n  systemctl --user stop tidyd && tidyctl store compact && systemctl --user start tidyd"
    )]
    Compact,
    /// Set the index aside and build it anew from the journal and the folders; tidyd must be stopped
    #[command(
        after_help = "Examples:\n  systemctl --user stop tidyd && tidyctl store rebuild && systemctl --user start tidyd"
    )]
    Rebuild,
    /// Every operation on record as JSON, one a line, oldest first
    #[command(after_help = "Examples:\n  tidyctl store export > operations.jsonl")]
    Export {
        /// Into this file, which must not exist yet
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Those of a backup, or of what was set aside
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
    },
    /// Put a backup in the place of the journal; tidyd must be stopped. What was there before is kept
    ///
    /// It says which operations came after the backup: these are not on record any more. A configuration is put back only
    /// where there is none.
    #[command(
        after_help = "Examples:\n  systemctl --user stop tidyd && tidyctl store restore && systemctl --user start tidyd"
    )]
    Restore {
        /// This one, instead of the newest that is good
        #[arg(value_name = "BACKUP")]
        backup: Option<PathBuf>,
    },
}

impl StoreVerb {
    /// The same for `tidyd store`.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut out: Vec<OsString> = vec![self.word().into()];
        let mut option = |name: &str, value: &Option<PathBuf>| {
            if let Some(value) = value {
                // One argument, whatever it begins with.
                let mut argument = OsString::from(name);
                argument.push("=");
                argument.push(value);
                out.push(argument);
            }
        };
        match self {
            Self::Backup { to } => option("--to", to),
            Self::List { from } => option("--from", from),
            Self::Export { output, from } => {
                option("--output", output);
                option("--from", from);
            }
            Self::Verify { backup } | Self::Restore { backup } => {
                if let Some(backup) = backup {
                    out.extend(["--".into(), backup.into()]);
                }
            }
            Self::Compact | Self::Rebuild => {}
        }
        out
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Backup { .. } => "backup",
            Self::List { .. } => "list",
            Self::Verify { .. } => "verify",
            Self::Compact => "compact",
            Self::Rebuild => "rebuild",
            Self::Export { .. } => "export",
            Self::Restore { .. } => "restore",
        }
    }
}
