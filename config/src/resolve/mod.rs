//! Holding a configuration against the machine: home directory, folders, file systems.
//!
//! In: a [`Config`] and an [`Environment`]. Out: policies with absolute, symlink-free paths. What is
//! wrong with one root is reported beside the others, so that a daemon can start with those it has
//! and wait for a disk; what is wrong with the rules is an error of the whole.

mod destination;
mod roots;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidy_core::ignore::Ignore;
use tidy_core::policy::{Duplicates, Others, RootPolicy};

use crate::backup::BackupConfig;
use crate::build;
use crate::error::{ConfigError, ConfigErrors, Findings, Found};
use crate::limits::LimitsConfig;
use crate::locations::Environment;
use crate::log::LogConfig;
use crate::metrics::MetricsConfig;
use crate::model::{CategoryConfig, Config, JournalConfig, OthersConfig, Override};
use crate::sharing::{Exposed, Sharing};
use roots::Candidate;

/// A configuration ready for work on this machine.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The usable roots, none beneath another recursive one.
    pub roots: Vec<RootPolicy>,
    /// The roots that cannot be used, with the reason.
    pub problems: Vec<RootProblem>,
    /// Additions to the table of categories, in the order of the file.
    pub categories: Vec<CategoryConfig>,
    /// How long the journal remembers.
    pub journal: JournalConfig,
    /// When copies are made of what the service keeps for itself.
    pub backup: BackupConfig,
    /// What may be taken for what nobody has asked for.
    pub limits: LimitsConfig,
    /// Where what is counted can be read.
    pub metrics: MetricsConfig,
    pub log: LogConfig,
    origin: String,
}

/// Why a root cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootProblem {
    /// As the person wrote it.
    pub given: PathBuf,
    /// With `~` expanded.
    pub path: PathBuf,
    /// It is not there, but may come: a running daemon waits for it. Anything else is fatal until the
    /// configuration is changed.
    pub missing: bool,
    pub error: ConfigError,
}

impl Resolved {
    /// The problems of roots as errors: for `--check` and for a first start.
    pub fn check(&self) -> Result<(), ConfigErrors> {
        self.errors(|_| true)
    }

    /// The problems that waiting does not cure.
    pub fn check_fatal(&self) -> Result<(), ConfigErrors> {
        self.errors(|problem| !problem.missing)
    }

    fn errors(&self, wanted: impl Fn(&RootProblem) -> bool) -> Result<(), ConfigErrors> {
        let problems = self.problems.iter().filter(|p| wanted(p));
        let errors: Vec<_> = problems.map(|p| p.error.clone()).collect();
        if errors.is_empty() {
            Ok(())
        } else {
            Err(ConfigErrors { origin: self.origin.clone(), errors })
        }
    }
}

impl Config {
    /// Looks at the disk and makes the policies.
    ///
    /// # Errors
    /// Nothing to watch, destinations that cannot be used, overrides of folders that are not watched.
    pub fn resolve(&self, env: &Environment) -> Result<Resolved, ConfigErrors> {
        if self.watch.is_empty() {
            let hint = "add watch = [\"~/Downloads\"], or start with --watch DIR";
            return Err(ConfigErrors::whole(
                &self.origin,
                "there is nothing to watch".to_owned(),
                Some(hint.to_owned()),
            ));
        }
        let allowed = self.allow_shared.iter().map(|dir| env.expand(&dir.value));
        let sharing =
            Sharing::new(allowed.map(|dir| roots::resolved_as_far_as_it_exists(&dir)).collect());
        let own = roots::Own::of(env);
        let mut resolver =
            Resolver { config: self, env, findings: Findings::default(), own, sharing };
        let resolved = resolver.all();
        let findings = resolver.findings;
        match resolved {
            Some(resolved) if findings.is_empty() => Ok(resolved),
            _ => Err(ConfigErrors {
                origin: self.origin.clone(),
                errors: findings.located(&self.text),
            }),
        }
    }
}

struct Resolver<'c> {
    config: &'c Config,
    env: &'c Environment,
    findings: Findings,
    own: roots::Own,
    sharing: Sharing,
}

impl Resolver<'_> {
    fn all(&mut self) -> Option<Resolved> {
        let config = self.config;
        if let Err(Exposed { message, hint }) = self.sharing.above(self.own.state()) {
            let message = format!("the state directory is not safe: {message}");
            self.findings.push(None, "", message, Some(hint));
        }
        let built = build::build(config, self);
        let duplicates = self.duplicates();
        let (candidates, problems) = self.roots();
        let metrics = self.metrics(candidates.iter().map(|c| c.path.as_path()));
        let (built, duplicates) = (built?, Arc::new(duplicates?));
        let mut roots = Vec::with_capacity(candidates.len());
        for Candidate { given, path, with, .. } in candidates {
            let only = with.and_then(|o| o.only.as_deref());
            roots.push(RootPolicy {
                path: path.into(),
                given,
                recursive: recursive(with),
                whole_unpacked: with.and_then(|o| o.whole_unpacked).unwrap_or(true),
                settle: with.and_then(|o| o.settle).unwrap_or(config.settle),
                conflict: with.and_then(|o| o.conflict).unwrap_or(config.conflict),
                rules: Arc::new(built.for_root(config, only)),
                ignore: Arc::new(self.ignore(with)?),
                duplicates: duplicates.clone(),
                companions: config.companions.clone(),
                breaker: with.and_then(|o| o.breaker).unwrap_or(config.breaker),
            });
        }
        Some(Resolved {
            roots,
            problems: self.located(problems),
            categories: config.categories.clone(),
            journal: config.journal,
            backup: config.backup.clone(),
            limits: config.limits,
            metrics,
            log: config.log,
            origin: config.origin.clone(),
        })
    }

    fn ignore(&mut self, with: Option<&Override>) -> Option<Ignore> {
        let own = with.map_or(&[][..], |o| &o.ignore);
        let globs: Vec<String> = self.config.ignore.iter().chain(own).cloned().collect();
        match Ignore::new(&globs) {
            Ok(ignore) => Some(ignore),
            // Each was tried when the file was read.
            Err(why) => {
                self.findings.push(None, "ignore", format!("bad pattern: {why}"), None);
                None
            }
        }
    }

    /// The file of metrics is our own, and would be filed where files are filed.
    fn metrics<'p>(&mut self, mut roots: impl Iterator<Item = &'p Path>) -> MetricsConfig {
        let config = &self.config.metrics;
        let textfile = config.textfile.as_ref().map(|file| {
            let path = roots::resolved_as_far_as_it_exists(&self.env.expand(&file.value));
            let root = roots.find(|root| path.starts_with(root)).map(|_| "a watched folder");
            if let Some(what) = root.or(self.own.holding(&path)) {
                let message = format!("the file lies in {what}");
                let hint = "choose a folder that is there for it, such as /var/lib/node_exporter";
                self.findings.add_with_hint(file.span.clone(), "metrics.textfile", message, hint);
            }
            path
        });
        MetricsConfig { textfile, every: config.every, listen: config.listen }
    }

    fn duplicates(&mut self) -> Option<Duplicates> {
        let config = &self.config.duplicates;
        let others = match &config.others {
            OthersConfig::Trash => Others::Trash,
            OthersConfig::Report => Others::Report,
            OthersConfig::Folder(at) => Others::Folder(self.duplicates_folder(at)?),
        };
        let mut scope: Vec<PathBuf> = Vec::new();
        for dir in &config.scope {
            // A directory that is not there yet holds no copies; it is looked for again later.
            let path = roots::resolved_as_far_as_it_exists(&self.env.expand(&dir.value));
            if path.parent().is_none() {
                let message = "the whole disk cannot be searched for copies";
                self.findings.add(dir.span.clone(), "duplicates.scope", message);
            } else if !scope.contains(&path) {
                scope.push(path);
            }
        }
        Some(Duplicates { scope, keep: config.keep, others })
    }

    fn located(&self, problems: Vec<roots::Problem>) -> Vec<RootProblem> {
        problems
            .into_iter()
            .map(|p| {
                // Folders from the command line have no place in the file.
                let span = (!self.config.watch_is_given).then_some(p.span);
                let found =
                    Found { span, key: "watch".to_owned(), message: p.message, hint: p.hint };
                let error = ConfigError::locate(found, &self.config.text);
                RootProblem { given: p.given, path: p.path, missing: p.missing, error }
            })
            .collect()
    }
}

/// Directories below a root are filed too unless an override says otherwise.
fn recursive(with: Option<&Override>) -> bool {
    with.and_then(|o| o.recursive).unwrap_or(true)
}
