//! Where a [`Config`] comes from: a file, a text, or the command line.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use rustix::fs::{Mode, OFlags};
use tidy_core::breaker::Limits;
use tidy_core::companions::Companions;
use tidy_core::name;
use tidy_core::policy::Conflict;

use crate::backup::BackupConfig;
use crate::error::{ConfigErrors, Findings};
use crate::limits::LimitsConfig;
use crate::log::LogConfig;
use crate::metrics::Metrics;
use crate::model::{
    CategoryConfig, Config, DEFAULT_SETTLE, DuplicatesConfig, JournalConfig, built_in_default,
};
use crate::read;
use crate::sharing::{Exposed, Sharing};
use crate::walk::At;

/// The largest configuration file, in bytes. Real ones have a few KiB; past this it is the wrong file.
const MAX_BYTES: u64 = 1024 * 1024;

/// A complete, commented configuration for a person with a Downloads folder: what `tidyctl init`
/// writes.
pub const DEFAULT_TOML: &str = include_str!("../default.toml");

/// Opens a regular file. Anything else could be waited for without an end (a pipe), or do things when it is opened (a device).
fn open(path: &Path) -> io::Result<File> {
    let check = |of: std::fs::Metadata| match (of.is_file(), of.is_dir()) {
        (true, _) => Ok(()),
        (_, true) => Err(io::Error::new(ErrorKind::IsADirectory, "it is a folder, not a file")),
        _ => Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file")),
    };
    check(std::fs::metadata(path)?)?;
    // What it was may be something else by now.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    check(file.metadata()?)?;
    Ok(file)
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// The file cannot be read, or everything that is wrong in it.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        let origin = name::shown(path.as_os_str());
        let failed = |message: String, hint: Option<&str>| {
            ConfigErrors::whole(&origin, message, hint.map(str::to_owned))
        };
        let mut bytes = Vec::new();
        let read = open(path).and_then(|mut file| {
            let exposed = Sharing::new(Vec::new()).file(path, &file.metadata()?);
            file.by_ref().take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
            Ok(exposed)
        });
        let exposed = read.map_err(|why| {
            let hint = match why.kind() {
                ErrorKind::NotFound => Some("`tidyctl init` makes one"),
                ErrorKind::InvalidInput | ErrorKind::IsADirectory => {
                    Some("the configuration is a text file; `tidyctl init --print` shows one")
                }
                _ => None,
            };
            failed(why.to_string(), hint)
        })?;
        if let Err(Exposed { message, hint }) = exposed {
            let message = format!("this configuration is not to be trusted: {message}");
            return Err(failed(message, Some(&hint)));
        }
        if bytes.len() as u64 > MAX_BYTES {
            let hint = "a configuration has a few KiB: this must be another file";
            return Err(failed(format!("the file is larger than {MAX_BYTES} bytes"), Some(hint)));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Self::parse(&text, &origin),
            Err(why) => {
                let start = why.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(why.as_bytes());
                let mut findings = Findings::default();
                findings.add(start..start + 1, "", "this is not UTF-8, which TOML must be");
                Err(ConfigErrors { origin, errors: findings.located(&text) })
            }
        }
    }

    /// Checks a text; `origin` names it in errors. Times are local in the system's time zone.
    pub fn parse(text: &str, origin: &str) -> Result<Self, ConfigErrors> {
        Self::parse_in(text, origin, TimeZone::system())
    }

    /// As [`Config::parse`], with a time zone.
    pub fn parse_in(text: &str, origin: &str, tz: TimeZone) -> Result<Self, ConfigErrors> {
        read::read(text, origin, tz)
    }

    /// What applies to these folders without a file: the built-in `[default]` and no rules. Relative
    /// folders are taken from the working directory.
    pub fn built_in(watch: Vec<PathBuf>) -> Self {
        let mut config = Self {
            origin: "command line".to_owned(),
            text: String::new(),
            tz: TimeZone::system(),
            watch: Vec::new(),
            watch_is_given: true,
            ignore: Vec::new(),
            settle: DEFAULT_SETTLE,
            conflict: Conflict::default(),
            confine: true,
            allow_shared: Vec::new(),
            companions: Companions::default(),
            allow_run: false,
            read_only: None,
            notify: false,
            breaker: Some(Limits::default()),
            limits: LimitsConfig::default(),
            metrics: Metrics::default(),
            duplicates: DuplicatesConfig::default(),
            journal: JournalConfig::default(),
            backup: BackupConfig::default(),
            log: LogConfig::default(),
            overrides: Vec::new(),
            categories: Vec::new(),
            rules: Vec::new(),
            default: built_in_default(),
            default_is_built_in: true,
            language: None,
        };
        config.set_watch(watch);
        config
    }

    /// Watches these folders instead of those in the file (`--watch`). Overrides of folders that are
    /// then not watched do nothing.
    pub fn set_watch(&mut self, watch: Vec<PathBuf>) {
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        self.watch =
            watch.into_iter().map(|path| At { value: absolute(path), span: 0..0 }).collect();
        self.watch_is_given = true;
    }

    /// Additions to the table of categories, in the order of the file.
    pub fn categories(&self) -> &[CategoryConfig] {
        &self.categories
    }

    /// Whether the daemon is to give up what it does not need (`confine`).
    pub fn confine(&self) -> bool {
        self.confine
    }

    /// Whether all that is filed is told on the desktop (`notify`).
    pub fn notify(&self) -> bool {
        self.notify
    }

    /// The names of the rules, in order.
    pub fn rule_names(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|r| r.name.as_str())
    }

    /// Number of `[[rule.test]]`s.
    pub fn test_count(&self) -> usize {
        self.rules.iter().map(|r| r.tests.len()).sum()
    }
}
