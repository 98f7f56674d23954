//! What the process has to reach with this configuration, and what it had to reach with earlier ones.
//!
//! A rollback may concern a folder that has been taken out of the configuration since. So the
//! folders of every configuration that ran are remembered in the state directory (`folders`), and
//! stay within reach until that file is removed.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use tidy_core::name;
use tidy_core::plan::Place;
use tidy_core::policy::{Conflict, Others, RootPolicy};
use tidy_core::requirement::Mounted;
use tidy_core::rules::{Action, Rule};
use tidy_core::template::Template;

use super::configure::{Backups, Configured};
use super::{Fatal, power};
use crate::act::trash;
use crate::beneath;
use crate::confine::{Confinement, Reach};
use crate::filing::{self, Setup};
use crate::store::StateDir;

/// Folders remembered at most; the oldest are forgotten first.
const REMEMBERED: usize = 256;

/// Where the system keeps its time zones (tzfile(5), and what others than glibc use).
const TIME_ZONES: [&str; 5] = [
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/usr/lib/zoneinfo",
    "/usr/share/lib/zoneinfo",
    "/etc/zoneinfo",
];

/// Gives up what this configuration does not need. Must be called before the first thread starts.
/// Returns what a person should know about it, too.
pub(super) fn confine(
    configured: &Configured,
    state: &StateDir,
    dry_run: bool,
) -> (Confinement, Vec<String>) {
    if let Some(why) = &configured.unconfined {
        return (Confinement::Off(why.clone()), Vec::new());
    }
    let mut folders = folders(configured);
    folders.extend(awaited(configured));
    let mut notes = too_wide(configured, &folders);
    let look = configured.read_only.as_ref().map(|(socket, _)| socket);
    let sockets = [Some(&configured.socket), look].into_iter().flatten().map(PathBuf::as_path);
    let mut reach = Reach {
        folders,
        own: own(configured, state),
        socket_dirs: sockets.filter_map(Path::parent).map(socket_dir).collect(),
        read: read_only(configured),
        replaced: configured
            .metrics
            .textfile
            .iter()
            .filter_map(|f| f.parent())
            .map(Path::to_owned)
            .collect(),
        listen: configured.metrics.listen.map(|address| address.port()),
    };
    let trashes = trashes(configured, &reach.folders, dry_run);
    reach.folders.extend(trashes);
    let file = state.path().join("folders");
    let known = remembered(&file).unwrap_or_else(|error| {
        notes.push(format!("{} cannot be read: {error}", file.display()));
        Vec::new()
    });
    let all = with_own(configured, &reach.folders, known);
    // What is not remembered is out of reach for the next process, so a single error is not the end.
    let told = || remember(&file, &all).or_else(|_| remember(&file, &all));
    if !dry_run && let Err(error) = told() {
        notes.push(format!("{} cannot be written: {error}", file.display()));
    }
    reach.folders.extend(all);
    // Not remembered: more than the disks of this configuration may be mounted there.
    reach.folders.extend(mountable(configured));
    (crate::confine::confine(&reach), notes)
}

/// What this configuration needs that the process has given up.
pub(super) fn check(configured: &Configured, confinement: &Confinement) -> Result<(), Fatal> {
    let folders = folders(configured);
    let backups = configured.backup.every.map(|_| &configured.backup.dir).into_iter();
    let lacking: Vec<String> = folders
        .iter()
        .filter(|dir| !confinement.may_write(dir))
        .chain(configured.setup.scope.iter().filter(|dir| !confinement.may_read(dir)))
        .chain(backups.filter(|dir| !confinement.may_write(dir)))
        .map(|dir| name::shown(dir.as_os_str()))
        .collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let message = format!(
        "tidyd is confined to the folders it started with, and cannot reach {}",
        lacking.join(", ")
    );
    let hint = "restart tidyd (`systemctl --user restart tidyd`) to put this configuration in force; until then the old one stays";
    Err(Fatal::new(tidy_protocol::ExitCode::Refused, message, hint))
}

/// A folder that files are taken from or filed into, and that the process cannot reach any more: what was there when it
/// started was removed, or unmounted. The kernel knows folders, not names, so one that is made again is another one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) path: PathBuf,
    /// There is one of that name, which another process could reach.
    pub(super) there: bool,
    /// It is watched.
    pub(super) root: bool,
}

impl Lost {
    /// What has happened, for people.
    pub(super) fn text(&self) -> String {
        let path = name::shown(self.path.as_os_str());
        match self.there {
            true => format!("{path} is not the folder that was there when tidyd started"),
            false => format!(
                "{path}, which files are filed into, was there when tidyd started, and has gone"
            ),
        }
    }

    /// What to do about it.
    pub(super) fn hint(&self) -> &'static str {
        match self.there {
            true => "tidyd is confined to that one: restart tidyd",
            false => {
                "tidyd is confined to that one: make the folder, or mount its disk, and restart tidyd"
            }
        }
    }
}

/// The folders that are out of reach. Watched ones that are not there are another matter.
pub(super) fn lost(setup: &Setup, confinement: &Confinement) -> Vec<Lost> {
    let roots = || setup.roots.iter().map(|root| root.path.to_path_buf());
    let mut into: Vec<PathBuf> = setup.roots.iter().flat_map(|root| bases(root)).collect();
    into.sort();
    into.dedup();
    into.retain(|dir| roots().all(|root| root != *dir));
    let all = roots().map(|path| (path, true)).chain(into.into_iter().map(|path| (path, false)));
    all.filter(|(path, _)| !confinement.may_write(path))
        .map(|(path, root)| Lost { there: beneath::stat_path(&path).is_ok(), path, root })
        .filter(|lost| lost.there || !lost.root)
        .collect()
}

/// The directories that confine what is filed from a root, when that is not the root itself.
fn bases(root: &RootPolicy) -> impl Iterator<Item = PathBuf> {
    let aside = match &root.duplicates.others {
        Others::Folder(dir) if dir.is_absolute() => Some(dir.clone()),
        _ => None,
    };
    templates(root).filter_map(Template::base_dir).map(Path::to_owned).chain(aside)
}

/// The state directory, and where the backups go, if that is somewhere else. It has to exist to be allowed, so it is made, as
/// far as the folder is there that it is in: an empty mount point is not filled.
fn own(configured: &Configured, state: &StateDir) -> Vec<PathBuf> {
    let mut own = vec![state.path().to_owned()];
    let Backups { every, dir, .. } = &configured.backup;
    if every.is_some() && !dir.starts_with(state.path()) {
        // What is wrong with it is said when the first backup is to be made.
        let _ = rustix::fs::mkdir(dir, rustix::fs::Mode::RWXU);
        own.push(dir.clone());
    }
    own
}

/// The folders files are taken from and filed into, as far as they are there.
fn folders(configured: &Configured) -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = Vec::new();
    for root in &configured.setup.roots {
        dirs.push(root.path.to_path_buf());
        dirs.extend(templates(root).filter_map(Template::base_dir).map(Path::to_owned));
        if let Others::Folder(dir) = &root.duplicates.others
            && dir.is_absolute()
        {
            dirs.extend(nearest(dir));
        }
    }
    dirs.sort();
    dirs.dedup();
    dirs
}

/// A root that is not there will be made, or mounted, below what is there; what lies directly below
/// `/` is not worth opening the whole machine for.
fn awaited(configured: &Configured) -> impl Iterator<Item = PathBuf> {
    let nearest = configured.problems.iter().filter_map(|p| nearest(&p.path));
    nearest.filter(|dir| dir.parent().is_some())
}

/// The folders in which the disks are mounted that rules wait for: what is mounted later, or anew, is out of reach unless the
/// folder above it is within. Neither `/` nor a folder with the home directory is worth that: such a disk takes a restart.
fn mountable(configured: &Configured) -> impl Iterator<Item = PathBuf> {
    let of_root = |root| move |rule| mounted_at(root, rule);
    let roots = configured.setup.roots.iter();
    let mounts = roots.flat_map(move |root| root.rules.rules.iter().filter_map(of_root(root)));
    let above = mounts.filter_map(|at| nearest(at.parent()?));
    above.filter(|dir| dir.parent().is_some() && !configured.home.starts_with(dir))
}

/// Where the disk is, or probably will be, mounted that a rule waits for.
fn mounted_at(root: &RootPolicy, rule: &Rule) -> Option<PathBuf> {
    match rule.requirement.as_ref()?.mounted.as_ref()? {
        Mounted::At(at) => Some(at.to_path_buf()),
        Mounted::Apart(home) => {
            let to = rule.action.template()?.fixed_dir(&root.path)?;
            let mount = filing::mount_point(&to).filter(|mount| !home.starts_with(mount));
            mount.or_else(|| nearest(&to))
        }
    }
}

/// What a person can do when more is within reach than need be.
fn too_wide(configured: &Configured, folders: &[PathBuf]) -> Vec<String> {
    let wide = folders.iter().filter(|dir| configured.home.starts_with(dir));
    let note = |dir: &PathBuf| {
        format!(
            "tidyd can write everywhere in {}, because a folder in it that is watched or filed into does not exist: make that folder and restart tidyd",
            name::shown(dir.as_os_str())
        )
    };
    wide.map(note).collect()
}

fn templates(root: &RootPolicy) -> impl Iterator<Item = &Template> {
    let to_folder = |a: &&Action| !matches!(a, Action::Rename(_));
    let actions = root.rules.rules.iter().map(|r| &r.action);
    let rules = actions.filter(to_folder).filter_map(Action::template);
    rules.chain(root.rules.default.iter().map(|(_, to)| to))
}

/// The nearest directory that exists, symlinks resolved.
fn nearest(path: &Path) -> Option<PathBuf> {
    path.ancestors().find_map(|dir| std::fs::canonicalize(dir).ok())
}

/// What is only read: other copies, the configuration (an editor may replace the file, so its
/// directory), time zones, what is mounted, and how the machine is powered.
fn read_only(configured: &Configured) -> Vec<PathBuf> {
    let mut read = configured.setup.scope.clone();
    if let Some(config) = &configured.setup.config_path {
        let real = std::fs::canonicalize(config).ok();
        let dirs = [Some(config.as_path()), real.as_deref()].into_iter().flatten();
        read.extend(dirs.filter_map(Path::parent).map(Path::to_owned));
    }
    read.extend(TIME_ZONES.map(PathBuf::from));
    read.extend(std::env::var_os("TZDIR").map(PathBuf::from));
    read.push("/proc/self/mountinfo".into());
    read.extend(power::REACHED.map(PathBuf::from));
    read
}

/// The directory of the socket, made as the control room would make it: it has to exist to be
/// allowed. What is wrong with it is said when the socket is bound.
fn socket_dir(dir: &Path) -> PathBuf {
    // EEXIST is what is expected.
    let _ = rustix::fs::mkdir(dir, rustix::fs::Mode::RWXU);
    dir.to_owned()
}

/// The trash directories of the file systems the folders are on. One that is not there is made, since
/// later it could be made only by somebody who may write beside it: a person's own one always, for
/// any rollback may need it, those of other disks when this configuration can put files there.
fn trashes(configured: &Configured, folders: &[PathBuf], dry_run: bool) -> Vec<PathBuf> {
    let home_trash = &configured.setup.home_trash;
    let mut found: Vec<PathBuf> = Vec::new();
    for dir in folders {
        let in_it = Place::new(dir.as_path().into(), PathBuf::from("file"));
        let Some(file) = in_it else { continue };
        let Ok(stat) = beneath::stat_path(dir) else { continue };
        // Without one, trashing fails when it is tried, and says why.
        let Ok(trash) = trash::directory_for(&file, stat.dev, home_trash) else { continue };
        if !found.contains(&trash) {
            found.push(trash);
        }
    }
    found.retain(|trash| {
        let wanted = trash == home_trash || may_trash(configured);
        let ready = if wanted && !dry_run { trash::prepare(trash) } else { Ok(()) };
        ready.is_ok() && trash.is_dir()
    });
    found
}

/// Whether anything in this configuration puts files into the trash; undoing a copy does.
fn may_trash(configured: &Configured) -> bool {
    let replaces = |c: Conflict| match c {
        Conflict::KeepNewer | Conflict::KeepLarger | Conflict::ReplaceToTrash => true,
        Conflict::Rename | Conflict::Skip => false,
    };
    configured.setup.roots.iter().any(|root| {
        replaces(root.conflict)
            || root.duplicates.others == Others::Trash
            || root.rules.rules.iter().any(|rule| {
                matches!(rule.action, Action::Trash)
                    || rule.action.keeps_file()
                    || rule.conflict.is_some_and(replaces)
            })
    })
}

/// The folders to be remembered: those of this configuration before those of earlier ones. A folder
/// that stood in for a destination that was not there yet is among them: a rollback removes what was
/// made in it, and who makes it again makes another one, which the kernel does not know.
fn with_own(configured: &Configured, reach: &[PathBuf], known: Vec<PathBuf>) -> Vec<PathBuf> {
    let fixed = configured
        .setup
        .roots
        .iter()
        .flat_map(|root| templates(root).filter_map(|to| to.static_dir(&root.path)));
    let mut all: Vec<PathBuf> = Vec::new();
    for dir in reach.iter().cloned().chain(fixed).chain(known) {
        if !all.contains(&dir) {
            all.push(dir);
        }
    }
    all.truncate(REMEMBERED);
    all
}

/// Paths, each ended by a NUL byte.
fn remembered(file: &Path) -> io::Result<Vec<PathBuf>> {
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let paths = bytes.split(|b| *b == 0).map(|p| Path::new(OsStr::from_bytes(p)));
    Ok(paths.filter(|p| p.is_absolute()).map(Path::to_owned).collect())
}

#[expect(clippy::disallowed_methods, reason = "the daemon's own file in its state directory")]
fn remember(file: &Path, folders: &[PathBuf]) -> io::Result<()> {
    let mut bytes = Vec::new();
    for folder in folders {
        bytes.extend_from_slice(folder.as_os_str().as_bytes());
        bytes.push(0);
    }
    if std::fs::read(file).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let new = file.with_extension("new");
    let written = std::fs::File::create(&new)
        .and_then(|mut f| io::Write::write_all(&mut f, &bytes).and_then(|()| f.sync_all()));
    written.and_then(|()| std::fs::rename(&new, file))
}
