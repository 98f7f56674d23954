//! Looking: everything that `doctor` judges, read once. Nothing is changed, and nothing is waited for long.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tidy_config::{Config, Environment, FolderNames, JOURNAL_DIR};
use tidy_protocol::{
    Client, ClientError, Health, Patience, ProblemInfo, Request, Response, Status,
};

use super::limits::{self, Inotify, Limit};
use crate::error::Failure;
use crate::run::Session;
use crate::verbs::errors::kept;
use crate::verbs::install::{self, manager::Found};

/// How long tidyd may take for an answer: one that hangs is a finding.
const PATIENCE: Duration = Duration::from_secs(10);

/// All there is to see.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) config: Configured,
    pub(super) daemon: Result<Running, ClientError>,
    pub(super) state: State,
    /// Free space where files are, one entry a file system.
    pub(super) spaces: Vec<(PathBuf, Space)>,
    pub(super) inotify: Inotify,
    pub(super) open_files: Option<Limit>,
    pub(super) service: Service,
    /// Newest first.
    pub(super) problems: Vec<ProblemInfo>,
}

/// The configuration file.
#[derive(Debug)]
pub(super) enum Configured {
    None(PathBuf),
    /// Why it is no good.
    Bad(PathBuf, String),
    Good {
        file: PathBuf,
        roots: Vec<PathBuf>,
        rules: usize,
        /// Folders that cannot be used: which, why, what to do.
        problems: Vec<(PathBuf, String, Option<String>)>,
    },
}

/// A daemon that answers.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) status: Status,
    /// `None` from one that does not say.
    pub(super) health: Option<Health>,
}

/// The state directory.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) path: PathBuf,
    pub(super) exists: bool,
    /// It belongs to whoever asks.
    pub(super) ours: bool,
    pub(super) mode: u32,
    pub(super) writable: bool,
    /// When the journal was written last, in nanoseconds since the epoch.
    pub(super) newest_ns: Option<i64>,
    /// Segments of the journal that were found to be damaged.
    pub(super) damaged: Vec<PathBuf>,
    /// Indexes that were set aside.
    pub(super) set_aside: Vec<PathBuf>,
}

/// Space on a file system.
#[derive(Debug, Clone, Copy)]
pub(super) struct Space {
    pub(super) device: u64,
    /// Bytes.
    pub(super) free: u64,
    pub(super) total: u64,
    /// `None` where files are not counted.
    pub(super) free_inodes: Option<u64>,
    pub(super) read_only: bool,
}

/// What the service manager knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Service {
    /// There is none to ask, with the reason.
    NoManager(String),
    NotInstalled,
    Found {
        service: Found,
        /// The program that it is to run is there.
        runnable: bool,
    },
}

impl Seen {
    pub(super) fn look(s: &Session) -> Result<Self, Failure> {
        let env = Environment::from_process()?;
        let daemon = ask(&s.socket()?);
        let status = daemon.as_ref().ok().map(|(r, _)| &r.status);
        let config = Configured::look(&env, status);
        let dir = status.map_or_else(|| env.state_dir(), |s| s.state_dir.0.clone());
        let mut places = vec![dir.clone()];
        match (status, &config) {
            (Some(status), _) => places.extend(status.roots.iter().map(|r| r.path.0.clone())),
            (None, Configured::Good { roots, .. }) => places.extend(roots.iter().cloned()),
            (None, _) => {}
        }
        let (daemon, told) = match daemon {
            Ok((running, problems)) => (Ok(running), problems),
            Err(error) => (Err(error), None),
        };
        Ok(Self {
            problems: told.unwrap_or_else(|| kept(&dir)),
            open_files: daemon.as_ref().ok().and_then(|r| limits::open_files(r.status.pid)),
            inotify: limits::inotify(),
            spaces: spaces(&places),
            service: service(&env),
            state: State::look(dir),
            config,
            daemon,
        })
    }
}

/// What the daemon says of itself; its problems where it is new enough to tell.
fn ask(socket: &Path) -> Result<(Running, Option<Vec<ProblemInfo>>), ClientError> {
    let patience = Patience { hello: PATIENCE, answer: PATIENCE };
    let mut client = Client::connect_with(socket, env!("CARGO_PKG_VERSION"), patience)?;
    let status = match client.call(&Request::Status)? {
        Response::Status(status) => *status,
        _ => return Err(ClientError::Closed),
    };
    let health = match client.call(&Request::Health) {
        Ok(Response::Health(health)) => Some(health),
        _ => None,
    };
    let problems = match client.call(&Request::Errors) {
        Ok(Response::Errors(problems)) => Some(problems),
        _ => None,
    };
    Ok((Running { status, health }, problems))
}

impl Configured {
    fn look(env: &Environment, status: Option<&Status>) -> Self {
        let file = match status {
            Some(Status { config: Some(file), .. }) => file.0.clone(),
            _ => env.config_file(),
        };
        if !file.exists() {
            return Self::None(file);
        }
        let resolved = Config::load(&file).and_then(|config| {
            let config = config.for_person(env, &FolderNames::of_person(env, None));
            Ok((config.rule_names().count(), config.resolve(env)?))
        });
        match resolved {
            Err(errors) => Self::Bad(file, errors.to_string()),
            Ok((rules, resolved)) => {
                let problems = resolved.problems.into_iter();
                Self::Good {
                    file,
                    rules,
                    roots: resolved.roots.iter().map(|r| r.path.to_path_buf()).collect(),
                    problems: problems.map(|p| (p.path, p.error.message, p.error.hint)).collect(),
                }
            }
        }
    }
}

impl State {
    fn look(path: PathBuf) -> Self {
        let Ok(found) = fs::metadata(&path) else { return Self { path, ..Self::default() } };
        let named = |dir: &Path, is: fn(&str) -> bool| -> Vec<PathBuf> {
            let entries = fs::read_dir(dir).into_iter().flatten().flatten();
            let mut paths: Vec<_> = entries
                .filter(|e| e.file_name().to_str().is_some_and(is))
                .map(|e| e.path())
                .collect();
            paths.sort();
            paths
        };
        let journal = path.join(JOURNAL_DIR);
        let segments = named(&journal, |name| !name.ends_with(".damaged"));
        let written = |p: &PathBuf| {
            let m = fs::metadata(p).ok()?;
            m.mtime().checked_mul(1_000_000_000)?.checked_add(m.mtime_nsec())
        };
        Self {
            exists: true,
            ours: found.uid() == rustix::process::geteuid().as_raw(),
            mode: found.mode() & 0o7777,
            writable: rustix::fs::access(&path, rustix::fs::Access::WRITE_OK).is_ok(),
            newest_ns: segments.iter().filter_map(written).max(),
            damaged: named(&journal, |name| name.ends_with(".damaged")),
            set_aside: named(&path, |name| name.contains(".corrupt-")),
            path,
        }
    }
}

/// The file systems that these places are on, each once.
fn spaces(places: &[PathBuf]) -> Vec<(PathBuf, Space)> {
    let mut all: Vec<(PathBuf, Space)> = Vec::new();
    for place in places {
        // What is not there yet will be made on the file system of what is.
        let there =
            place.ancestors().find_map(|dir| fs::metadata(dir).ok().map(|m| (dir, m.dev())));
        let Some((dir, device)) = there else { continue };
        let Ok(v) = rustix::fs::statvfs(dir) else { continue };
        let space = Space {
            device,
            free: v.f_bavail.saturating_mul(v.f_frsize),
            total: v.f_blocks.saturating_mul(v.f_frsize),
            free_inodes: (v.f_files > 0).then_some(v.f_favail),
            read_only: v.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY),
        };
        if !all.iter().any(|(_, s)| s.device == device) {
            all.push((place.clone(), space));
        }
    }
    all
}

/// What the service manager knows of tidyd.
fn service(env: &Environment) -> Service {
    match install::of_this_system(env).look() {
        Err(none) => Service::NoManager(none.why),
        Ok(None) => Service::NotInstalled,
        Ok(Some(service)) => {
            let runnable = service.program.as_ref().is_none_or(|program| program.is_file());
            Service::Found { service, runnable }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_on_one_file_system_are_one() {
        let dir = tempfile::tempdir().unwrap();
        let places = [dir.path().join("not/there"), dir.path().to_owned()];
        let found = spaces(&places);
        assert_eq!(found.len(), 1);
        assert!(found[0].1.total >= found[0].1.free && found[0].1.total > 0);
    }
}
