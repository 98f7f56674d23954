//! From the command line and the configuration file to a [`Setup`].

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tidy_config::{
    BACKUPS_DIR, BackupConfig, CategoryConfig, Config, ConfigErrors, Environment, FolderNames,
    JournalConfig, LimitsConfig, LogConfig, MetricsConfig, ReadOnly, RootProblem,
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
    pub(super) backup: Backups,
    pub(super) log: LogConfig,
    pub(super) limits: LimitsConfig,
    pub(super) metrics: MetricsConfig,
    pub(super) state: PathBuf,
    pub(super) socket: PathBuf,
    /// A second socket for looking, and the group it is for.
    pub(super) read_only: Option<(PathBuf, Option<u32>)>,
    /// Roots that cannot be used now, and why; those that are only missing may come.
    pub(super) problems: Vec<RootProblem>,
    /// Why the process is not to be confined, when it is not.
    pub(super) unconfined: Option<String>,
    pub(super) home: PathBuf,
}

/// When backups are made by themselves, where, and how long they stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Backups {
    pub(super) every: Option<Duration>,
    pub(super) keep: Duration,
    pub(super) dir: PathBuf,
}

impl Backups {
    fn new(config: &BackupConfig, env: &Environment) -> Self {
        let dir = config.dir.as_ref().map(|dir| env.expand(dir));
        let dir = dir.unwrap_or_else(|| env.state_dir().join(BACKUPS_DIR));
        Self { every: config.every, keep: config.keep, dir }
    }
}

/// What is needed to look after the state directory: no folder is looked at, and a configuration that is not good is in nobody's
/// way who does not need it.
pub(super) struct Places {
    pub(super) state: PathBuf,
    pub(super) socket: Option<PathBuf>,
    /// The configuration file, if there is one, and where it would be.
    pub(super) config: Option<PathBuf>,
    pub(super) config_place: PathBuf,
    pub(super) backup: Result<Backups, Fatal>,
}

/// As the command line and the configuration have them.
pub(super) fn places(options: &Options) -> Result<Places, Fatal> {
    let env = environment(options)?;
    let config_place = env.config_file();
    let config = (options.config.is_some() || config_place.exists()).then(|| config_place.clone());
    let backup = match &config {
        Some(path) => Config::load(path).map_err(bad).map(|c| Backups::new(c.backup(), &env)),
        None => Ok(Backups::new(&BackupConfig::default(), &env)),
    };
    let (state, socket) = (env.state_dir(), env.socket_path().ok());
    Ok(Places { state, socket, config, config_place, backup })
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
    let read_only = config.read_only().map(|r| look_socket(r, &env)).transpose()?;
    let resolved = config.resolve(&env).map_err(bad)?;
    resolved.check_fatal().map_err(bad)?;
    if resolved.roots.is_empty() {
        // Nothing is there to be organized: most likely a typing error.
        resolved.check().map_err(bad)?;
    }
    let roots: Vec<Arc<RootPolicy>> = resolved.roots.into_iter().map(Arc::new).collect();
    let scope = scope_outside(&roots);
    let kinds = categories(&resolved.categories);
    let setup = Setup::new(path, roots, scope, kinds, env.trash_dir())
        .with_notify(config.notify())
        .with_pause_on_battery(resolved.limits.pause_on_battery);
    let socket = env.socket_path().map_err(|e| {
        Fatal::new(Code::BadConfig, e.to_string(), "use --socket with a shorter path")
    })?;
    Ok(Configured {
        setup: Arc::new(setup),
        journal: resolved.journal,
        backup: Backups::new(&resolved.backup, &env),
        log: resolved.log,
        limits: resolved.limits,
        metrics: resolved.metrics,
        state: env.state_dir(),
        socket,
        read_only,
        problems: resolved.problems,
        unconfined,
        home: env.home,
    })
}

/// The categories of the configuration beside the built-in ones.
pub(super) fn categories(custom: &[CategoryConfig]) -> CategoryTable {
    let types = custom.iter().map(|c| (c.category.clone(), c.mime.clone(), c.ext.clone()));
    let names = custom.iter().filter_map(|c| Some((c.category.clone(), c.names()?)));
    CategoryTable::new(types).with_names(names)
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

/// Where the socket for looking is, and the number of its group. Before the process is confined: `/etc/group` is out of
/// reach then.
fn look_socket(read_only: &ReadOnly, env: &Environment) -> Result<(PathBuf, Option<u32>), Fatal> {
    // Once: a reload could not ask again, and does not change the socket.
    static GROUPS: OnceLock<String> = OnceLock::new();
    let group = match &read_only.group {
        None => None,
        Some(name) => {
            let groups =
                GROUPS.get_or_init(|| std::fs::read_to_string("/etc/group").unwrap_or_default());
            let found = name.parse().ok().or_else(|| group_number(groups, name));
            Some(found.ok_or_else(|| {
                let message = format!("read-only: there is no group `{}`", name.escape_debug());
                Fatal::new(Code::BadConfig, message, "`getent group` lists them; a number will do")
            })?)
        }
    };
    Ok((env.expand(&read_only.socket), group))
}

/// `NAME:PASSWORD:NUMBER:MEMBERS` (group(5)).
fn group_number(groups: &str, name: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let number = fields.next().filter(|n| *n == name).and(fields.nth(1))?;
        number.parse().ok()
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_by_its_whole_name() {
        let groups = "root:x:0:\nadm2:x:9:\nbad\nadm:x:4:syslog,a\n";
        assert_eq!(group_number(groups, "adm"), Some(4));
        assert_eq!(group_number(groups, "bad"), None);
        assert_eq!(group_number(groups, "x"), None);
    }
}
