//! The verbs and their options.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use clap_complete::{ArgValueCandidates, Shell};

use crate::complete;
use crate::condition;
use crate::given::{self, Target};
use crate::render::size;

/// How everything stands: folders, what is pending, totals, the last batch
///
/// Exit code 4 when tidyd is not running.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl status
  tidyctl status --json | jq .pending")]
pub(crate) struct StatusArgs {}

/// What was done, newest first
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl log --since 1h
  tidyctl log --rule photos --limit 10
  tidyctl log --path ~/Downloads --state failed
  tidyctl log --batches
  tidyctl log --json > audit.json")]
pub(crate) struct LogArgs {
    /// Done by this rule
    #[arg(long, value_name = "RULE", add = ArgValueCandidates::new(complete::rules))]
    pub(crate) rule: Option<String>,
    /// From or to this path, or below it
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<PathBuf>,
    /// In this state
    #[arg(long, value_parser = ["done", "failed", "aborted", "unknown", "intended", "verified"])]
    pub(crate) state: Option<String>,
    /// Of this kind
    #[arg(long, value_parser = ["move", "move-folder", "copy", "reflink", "hardlink", "symlink", "unlink", "trash", "restore", "mkdir", "rmdir", "tag", "run"])]
    pub(crate) kind: Option<String>,
    /// Since then: 1h, 14:00, 2026-11-20, "2026-11-20 14:00"
    #[arg(long, value_name = "TIME", value_parser = given::moment)]
    pub(crate) since: Option<i64>,
    /// Until then
    #[arg(long, value_name = "TIME", value_parser = given::moment)]
    pub(crate) until: Option<i64>,
    /// At most so many [default: 50, all with --json]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// Directories made and removed on the way, too
    #[arg(long)]
    pub(crate) all: bool,
    /// One line a batch
    #[arg(long, conflicts_with_all = ["rule", "path", "state", "kind", "since", "until", "all"])]
    pub(crate) batches: bool,
}

/// Everything about one operation, or about all of a batch
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl show 12
  tidyctl show batch:3
  tidyctl show batch:3 --limit 1000")]
pub(crate) struct ShowArgs {
    /// An operation (12) or a batch (batch:3)
    #[arg(value_name = "ID|batch:ID", add = ArgValueCandidates::new(complete::targets))]
    pub(crate) target: Target,
    /// Of a batch: at most so many operations [default: 50, all with --json]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
}

/// Why a file is where it is, and what would be done with it now
///
/// The first line is the verdict; then what it waits for, its history, and every rule with each condition and the value
/// found. With `--as` the rules are asked about another name; what only a file can tell is unknown when there is none.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl explain ~/Downloads/IMG_1.jpg
  tidyctl explain ~/Downloads/scan.pdf --as \"invoice 17.pdf\"
  tidyctl explain ~/Downloads --as new.iso")]
pub(crate) struct ExplainArgs {
    /// The file; with --as it need not be there, or may be a folder
    pub(crate) file: PathBuf,
    /// What would be done if it had this name, or lay there; what is not absolute begins in its folder
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) as_name: Option<PathBuf>,
}

/// File what is there now
///
/// Files that were rolled back are filed again. On a terminal the progress is shown; stopping tidyctl with Ctrl-C leaves
/// the job running. Exit code 3 when some files could not be filed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl organize --dry-run
  tidyctl organize ~/Downloads")]
pub(crate) struct OrganizeArgs {
    /// Only what is below these paths
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Print what would be done, and change nothing
    #[arg(long, short = 'n')]
    pub(crate) dry_run: bool,
}

/// Known files, by name, category, size, age, place, or what they say of themselves
///
/// What tidyd knows of its files is asked, so the answer is there at once. Only `--type` and `--where` open the files that answer
/// to the rest: at most 20,000 of them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl files '*.pdf'
  tidyctl files --fuzzy 'anual reprt'
  tidyctl files invoice --since 30d
  tidyctl files --category video --min-size 1GB --sort size
  tidyctl files --outcome left --under ~/Downloads --sort age --reverse
  tidyctl files --category audio --where artist='Nina*' --where 'year<1970'
  tidyctl files --under ~/Pictures --type image/heic --json")]
pub(crate) struct FilesArgs {
    /// Part of the name, or a pattern with *, ? or [; case does not matter
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// NAME is about right: its letters in order, others between them, a slip in longer words; the best first
    #[arg(long, short, requires = "name")]
    pub(crate) fuzzy: bool,
    #[arg(long, add = ArgValueCandidates::new(complete::categories))]
    pub(crate) category: Option<String>,
    /// 4096, 10MB, 1.5GiB
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    pub(crate) min_size: Option<u64>,
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    pub(crate) max_size: Option<u64>,
    /// Modified since then: 30d, 2026-11-20
    #[arg(long, value_name = "TIME", value_parser = given::moment)]
    pub(crate) since: Option<i64>,
    /// Modified until then
    #[arg(long, value_name = "TIME", value_parser = given::moment)]
    pub(crate) until: Option<i64>,
    /// Below this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) under: Option<PathBuf>,
    /// With this BLAKE3 digest, in hexadecimal
    #[arg(long, value_name = "HEX")]
    pub(crate) digest: Option<String>,
    /// What became of it
    #[arg(long, value_parser = ["filed", "left", "known"])]
    pub(crate) outcome: Option<String>,
    /// Of this media type, by the content: image/png, 'audio/*'
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) media_type: Option<String>,
    /// What a rule's `when` may ask, of the content too: camera='X100*', 'pages>=3', 'text=(?i)invoice' (repeatable)
    #[arg(long = "where", visible_alias = "metadata", value_name = "KEY=VALUE", value_parser = condition::parse)]
    pub(crate) conditions: Vec<String>,
    /// Sort by name, size (largest first), age (last modified first), path or score (with --fuzzy)
    #[arg(long, value_name = "BY", value_parser = ["name", "size", "age", "path", "score"])]
    pub(crate) sort: Option<String>,
    /// The other way round
    #[arg(long, short)]
    pub(crate) reverse: bool,
    /// At most so many [default: 50, all with --json]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
}

/// What is known of one file, with its history
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl file ~/Pictures/IMG_1.jpg")]
pub(crate) struct FileArgs {
    pub(crate) file: PathBuf,
}

/// Files with the same bytes, most wasted space first
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl duplicates --limit 10")]
pub(crate) struct DuplicatesArgs {
    /// At most so many groups [default: 50, all with --json]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
}

/// Keep one of each group of equal files, and put the others away
///
/// Both files are compared byte for byte before one goes. Nothing is deleted: what goes is in the trash, or in the folder you
/// name, and `tidyctl rollback` brings all of it back. Files outside the watched folders, with several names (hard links) or
/// in a project stay.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl resolve trash --dry-run                          what would go?
  tidyctl resolve trash --keep newest --under ~/Downloads
  tidyctl resolve hardlink --prefer '/home/*/Pictures' --min-size 10MB
  tidyctl resolve folder --folder ~/Downloads/Duplicates
  tidyctl resolve trash --digest HEX --protect '**/*.raw'")]
pub(crate) struct ResolveArgs {
    /// What becomes of the others: the trash, a folder, or the trash and a link to the one that stays in their place
    #[arg(value_name = "ACTION", value_parser = ["trash", "folder", "hardlink", "reflink", "symlink"])]
    pub(crate) action: String,
    /// For `folder`: where to, below a watched folder
    #[arg(long, value_name = "DIR", required_if_eq("action", "folder"))]
    pub(crate) folder: Option<PathBuf>,
    /// Which one stays
    #[arg(long, value_parser = ["oldest", "newest", "shortest-path", "root-order"], default_value = "oldest")]
    pub(crate) keep: String,
    /// What matches stays before all others: an absolute path or pattern (repeatable, the first is the strongest)
    #[arg(long, value_name = "PATTERN")]
    pub(crate) prefer: Vec<String>,
    /// What matches never goes (repeatable)
    #[arg(long, value_name = "PATTERN")]
    pub(crate) protect: Vec<String>,
    /// Only copies below this folder go
    #[arg(long, value_name = "DIR")]
    pub(crate) under: Option<PathBuf>,
    /// Only files with this BLAKE3 digest, as `tidyctl duplicates --json` shows it
    #[arg(long, value_name = "HEX")]
    pub(crate) digest: Option<String>,
    /// Only files of at least this size: 4096, 10MB
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    pub(crate) min_size: Option<u64>,
    /// Print what would be done, and change nothing
    #[arg(long, short = 'n')]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// Files and bytes of each category
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl categories")]
pub(crate) struct CategoriesArgs {}

/// What each rule has done
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl rules")]
pub(crate) struct RulesArgs {}

/// Rules that would do what was done by hand
///
/// When files were moved by hand to the same folder three times or more, a rule that would have done it; and rules whose
/// work was undone at least every other time. Nothing is changed: copy what you want into the configuration. With --json a
/// list.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl suggest")]
pub(crate) struct SuggestArgs {}

/// What was done, and how things stand: for a terminal, a browser, a spreadsheet or a program
///
/// Days with what was filed, rules, failures, space by category and age, duplicates, the biggest and oldest files. All forms
/// have the same numbers.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl report --since 7d
  tidyctl report --html --output report.html
  tidyctl report --csv --since 2026-01-01 --output year.csv
  tidyctl report --json | jq .duplicates.wasted")]
pub(crate) struct ReportArgs {
    /// One page for a browser, with charts; it needs nothing but itself
    #[arg(long, conflicts_with_all = ["csv", "json"])]
    pub(crate) html: bool,
    /// Rows for a spreadsheet: section, name, detail, files, bytes, time
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
    /// What was done since then: 7d, 14:00 (today), 2026-11-20 [default: everything]
    #[arg(long, value_name = "TIME", value_parser = given::past)]
    pub(crate) since: Option<i64>,
    /// What was done until then [default: now]
    #[arg(long, value_name = "TIME", value_parser = given::past)]
    pub(crate) until: Option<i64>,
    /// Write it into this file, which must not exist yet
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// What happens, as it happens, until Ctrl-C
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl events
  tidyctl events --json | jq -c 'select(.event == \"operation\") | .data.dst'")]
pub(crate) struct EventsArgs {}

/// A screen that shows what tidyd does, as it does it
///
/// Folders and their state, what is settling and being filed, how fast, the last operations with their reason, and what went
/// wrong. Keys: p pause, r resume, e explain, u put back (asks first), ? help, q quit. For programs there is `tidyctl events`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl top
  NO_COLOR=1 tidyctl top")]
pub(crate) struct TopArgs {}

/// Stop filing, in one watched folder or everywhere, until `resume`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl pause
  tidyctl pause ~/Downloads")]
pub(crate) struct PauseArgs {
    /// The watched folder [default: all]
    #[arg(value_name = "ROOT", add = ArgValueCandidates::new(complete::roots))]
    pub(crate) root: Option<PathBuf>,
}

/// Go on filing after `pause`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl resume
  tidyctl resume ~/Downloads")]
pub(crate) struct ResumeArgs {
    /// The watched folder [default: all]
    #[arg(value_name = "ROOT", add = ArgValueCandidates::new(complete::roots))]
    pub(crate) root: Option<PathBuf>,
}

/// Read the configuration again
///
/// Returns once it has taken effect. A wrong configuration changes nothing: exit code 78.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl config check && tidyctl reload")]
pub(crate) struct ReloadArgs {}

/// Look at folders again
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl rescan
  tidyctl rescan ~/Downloads && tidyctl wait")]
pub(crate) struct RescanArgs {
    /// These directories [default: everything that is watched]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

/// Wait until everything that has arrived is settled and filed
///
/// Exit code 1 with what is pending when the time is up before; 6 when nothing can be filed since the journal cannot be written.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl wait --timeout 5m && tidyctl log")]
pub(crate) struct WaitArgs {
    /// How long at most: 90s, 5m
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = given::duration)]
    pub(crate) timeout: Duration,
}

/// Long work: running, and ended of late
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl jobs
  tidyctl jobs --follow 3")]
pub(crate) struct JobsArgs {
    /// Follow this one to its end, with its progress
    #[arg(long, value_name = "JOB", add = ArgValueCandidates::new(complete::jobs))]
    pub(crate) follow: Option<u64>,
}

/// Stop a job after the file it is at; what it has done stays done
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl jobs
  tidyctl cancel 3")]
pub(crate) struct CancelArgs {
    /// As `tidyctl jobs` lists it
    #[arg(value_name = "JOB", add = ArgValueCandidates::new(complete::jobs))]
    pub(crate) id: u64,
}

/// Whether tidyd can do its work
///
/// Looks at the journal, the index, the catalog, every watched folder, helper processes and free space. Exit code 0: all is
/// well; 1: something is not, each with what to do; 4: tidyd is not running. For supervisors and containers.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl health || journalctl --user -u tidyd
  tidyctl health --json | jq '.checks[] | select(.ok | not)'")]
pub(crate) struct HealthArgs {}

/// What was counted and measured, as text for Prometheus and others (OpenMetrics)
///
/// Files by outcome and category, bytes, copies, operations, rollbacks, what waits, how long things took, sizes, watches,
/// requests, errors, memory. docs/metrics.md lists all series. Prometheus can also read them over HTTP, or from a file that
/// tidyd keeps: see `metrics` in the configuration.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl metrics | grep tidyd_files_total
  tidyctl metrics --textfile /var/lib/node_exporter/tidyd.prom")]
pub(crate) struct MetricsArgs {
    /// Write them once into this file, for the textfile collector of node_exporter
    #[arg(long, value_name = "FILE")]
    pub(crate) textfile: Option<PathBuf>,
}

/// What went wrong, newest first: the last 100 errors and panics, with what they were about
///
/// They outlive the service: without it they are read from the state directory.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl errors
  tidyctl errors --limit 5
  tidyctl errors --json | jq -r '.[].message'")]
pub(crate) struct ErrorsArgs {
    /// At most so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
}

/// What is wrong, or will be, and how to mend it
///
/// Looks at the configuration and its folders, the service, its limits, space, clock, journal and index, and at what went
/// wrong of late. Works with and without the service; changes nothing. Exit code 1 when something has to be done.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl doctor
  tidyctl doctor --json | jq '.findings[] | select(.level != \"ok\")'")]
pub(crate) struct DoctorArgs {}

/// Check, show or find the configuration
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl config check
  tidyctl config show
  $EDITOR \"$(tidyctl config path)\"")]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) verb: ConfigVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Check a configuration and run its rule tests; exit code 78 when something is wrong
    #[command(after_help = "\
Examples:
  tidyctl config check
  tidyctl config check my.toml && cp my.toml ~/.config/tidyd/config.toml && tidyctl reload")]
    Check {
        /// This file [default: the one that tidyd reads]
        file: Option<PathBuf>,
    },
    /// Print what applies, with what is not written out
    Show {
        /// This file [default: the one that tidyd reads]
        file: Option<PathBuf>,
    },
    /// Print where the configuration is
    Path,
}

/// Print a completion script for a shell
///
/// It completes verbs and options, and asks the running tidyd for operations, batches, rules, folders and jobs.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl completions bash > ~/.local/share/bash-completion/completions/tidyctl
  tidyctl completions zsh > ~/.zfunc/_tidyctl
  tidyctl completions fish > ~/.config/fish/completions/tidyctl.fish")]
pub(crate) struct CompletionsArgs {
    pub(crate) shell: Shell,
}

/// Print the manual page, or write all of them into a directory
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidyctl man | man -l -
  tidyctl man ~/.local/share/man/man1")]
pub(crate) struct ManArgs {
    /// An existing directory; pages of the same name in it are replaced
    #[arg(value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}
