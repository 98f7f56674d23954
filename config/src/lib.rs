//! The configuration of tidyd: one TOML file.
//!
//! In: the text of a file ([`Config::load`], [`Config::parse`]), then the machine it is for
//! ([`Config::resolve`]). Out: [`tidy_core`] policies and rules, or every error at once, each with
//! file, line, column, the line itself and what to do about it.
//!
//! Two steps, because they fail for different people: a file that makes no sense is wrong everywhere;
//! a folder that is missing may be a disk that is not plugged in.
//!
//! May not know: the daemon. Changes nothing on disk.

mod asked;
mod backup;
mod breaker;
mod build;
mod companions;
mod condition;
mod error;
mod folders;
mod given;
mod limits;
mod load;
mod locations;
mod log;
mod metrics;
mod model;
mod need;
mod quantity;
mod read;
mod read_only;
mod resolve;
mod rule;
mod sharing;
mod show;
#[cfg(test)]
mod testing;
mod try_rules;
mod walk;

pub use asked::condition;
pub use backup::BackupConfig;
pub use error::{ConfigError, ConfigErrors};
pub use folders::FolderNames;
pub use limits::LimitsConfig;
pub use load::DEFAULT_TOML;
pub use locations::{
    BACKUPS_DIR, ERRORS_FILE, Environment, JOURNAL_DIR, LOCK_FILE, LocationError, SOCKET_PATH_MAX,
    STORE_DIR, is_own_entry,
};
pub use log::LogConfig;
pub use metrics::MetricsConfig;
pub use model::{CategoryConfig, Config, JournalConfig};
pub use quantity::size;
pub use read_only::ReadOnly;
pub use resolve::{Resolved, RootProblem};
/// As all of tidyd counts.
pub use tidy_core::count;
pub use try_rules::TestFailure;
