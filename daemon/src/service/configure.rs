//! From the command line and the configuration file to a [`Setup`].

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tidy_config::{
    Config, ConfigErrors, Environment, FolderNames, JournalConfig, LimitsConfig, RootProblem,
};
use tidy_core::policy::RootPolicy;
use tidy_protocol::ExitCode as Code;

use super::Fatal;
use crate::cli::Options;
use crate::filing::Setup;
use crate::inspect::CategoryTable;
use crate::telemetry;

/// A configuration ready for work, and the places the service uses.
#[derive(Debug)]
pub(super) struct Configured {
    pub(super) setup: Arc<Setup>,
    pub(super) journal: JournalConfig,
    pub(super) limits: LimitsConfig,
    pub(super) state: PathBuf,
    pub(super) socket: PathBuf,
    /// Roots that cannot be used now, and why; those that are only missing may come.
    pub(super) problems: Vec<RootProblem>,
    /// Why the process is not to be confined, when it is not.
    pub(super) unconfined: Option<String>,
    pub(super) home: PathBuf,
}

/// Reads the configuration and looks at the folders it names. Changes nothing.
pub(super) fn load(options: &Options) -> Result<Configured, Fatal> {
    let env = environment(options)?;
    let (config, path) = read(options, &env)?;
    let unconfined = match (options.no_confine, config.confine()) {
        (true, _) => Some("--no-confine".to_owned()),
        (false, false) => Some("the configuration says `confine = false`".to_owned()),
        (false, true) => None,
    };
    let resolved = config.resolve(&env).map_err(bad)?;
    resolved.check_fatal().map_err(bad)?;
    if resolved.roots.is_empty() {
        // Nothing is there to be organized: most likely a typing error.
        resolved.check().map_err(bad)?;
    }
    let roots: Vec<Arc<RootPolicy>> = resolved.roots.into_iter().map(Arc::new).collect();
    let custom = resolved.categories.into_iter().map(|c| (c.category, c.mime, c.ext));
    let scope = scope_outside(&roots);
    let setup = Setup::new(path, roots, scope, CategoryTable::new(custom), env.trash_dir());
    let socket = env.socket_path().map_err(|e| {
        Fatal::new(Code::BadConfig, e.to_string(), "use --socket with a shorter path")
    })?;
    Ok(Configured {
        setup: Arc::new(setup),
        journal: resolved.journal,
        limits: resolved.limits,
        state: env.state_dir(),
        socket,
        problems: resolved.problems,
        unconfined,
        home: env.home,
    })
}

/// `--check`: everything that is wrong, or a line that says what was found to be right.
pub(super) fn check(options: &Options) -> Result<Code, Fatal> {
    let env = environment(options)?;
    let (config, path) = read(options, &env)?;
    let resolved = config.resolve(&env).map_err(bad)?;
    resolved.check().map_err(bad)?;
    env.socket_path().map_err(|e| {
        Fatal::new(Code::BadConfig, e.to_string(), "use --socket with a shorter path")
    })?;
    let failures = config.run_tests();
    if let Some(first) = failures.first() {
        let message =
            format!("{} of {} rule tests fail: {first}", failures.len(), config.test_count());
        return Err(Fatal::new(
            Code::BadConfig,
            message,
            "`tidyctl config check` lists all of them",
        ));
    }
    let origin = path.map_or("the built-in configuration".into(), |p| p.display().to_string());
    telemetry::say(&format!(
        "{origin}: {}, {} and {}, all good",
        count(resolved.roots.len(), "folder"),
        count(config.rule_names().count(), "rule"),
        count(config.test_count(), "rule test")
    ));
    Ok(Code::Ok)
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// The process's environment with the command line's overrides.
fn environment(options: &Options) -> Result<Environment, Fatal> {
    let mut env = Environment::from_process()
        .map_err(|e| Fatal::new(Code::BadConfig, e.to_string(), "set HOME"))?;
    let absolute = |p: &Path| std::path::absolute(p).unwrap_or_else(|_| p.to_owned());
    for (option, place) in [
        (&options.config, &mut env.config),
        (&options.state, &mut env.state),
        (&options.socket, &mut env.socket),
    ] {
        if let Some(path) = option {
            *place = Some(absolute(path));
        }
    }
    Ok(env)
}

/// The configuration file, if there is one, or one was named.
pub(super) fn file_of(options: &Options) -> Result<Option<PathBuf>, Fatal> {
    let path = environment(options)?.config_file();
    Ok((options.config.is_some() || path.exists()).then_some(path))
}

/// The configuration, and the file it came from.
fn read(options: &Options, env: &Environment) -> Result<(Config, Option<PathBuf>), Fatal> {
    // Once: a reload could not read the files again that they are from (the process is confined), and must not rename
    // folders behind a person's back.
    static NAMES: OnceLock<FolderNames> = OnceLock::new();
    let names = NAMES.get_or_init(|| FolderNames::of_person(env, None));
    if !options.watch.is_empty() {
        return Ok((Config::built_in(options.watch.clone()).for_person(env, names), None));
    }
    let path = env.config_file();
    if options.config.is_none() && !path.exists() {
        return Err(Fatal::new(
            Code::BadConfig,
            format!("there is no configuration at {}", path.display()),
            "make one with `tidyctl init`, or try `tidyd --watch ~/Downloads --once --dry-run`",
        ));
    }
    Config::load(&path).map(|config| (config.for_person(env, names), Some(path))).map_err(bad)
}

pub(super) fn bad(errors: ConfigErrors) -> Fatal {
    let message = errors.to_string();
    Fatal::new(Code::BadConfig, message, "nothing was changed; `tidyd --check` checks again")
}

/// A root that cannot be used now, in one line.
pub(super) fn described(problem: &RootProblem) -> String {
    format!("{}: {}", problem.given.display(), problem.error.message)
}

/// The duplicates' scope as far as it is not watched anyway.
fn scope_outside(roots: &[Arc<RootPolicy>]) -> Vec<PathBuf> {
    let mut scope: Vec<PathBuf> = roots
        .iter()
        .flat_map(|r| r.duplicates.scope.iter())
        .filter(|s| !roots.iter().any(|r| s.starts_with(&r.path)))
        .cloned()
        .collect();
    scope.sort();
    // Sorted, so that a directory comes before those beneath it.
    scope.dedup_by(|inner, outer| inner.starts_with(outer));
    scope
}
