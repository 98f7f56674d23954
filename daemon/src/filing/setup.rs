//! Everything the current configuration says, resolved against the disk. Replaced as a whole on reload.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use tidy_core::ignore::Ignore;
use tidy_core::policy::{Others, RootPolicy};
use tidy_core::requirement::Mounted;
use tidy_core::rules::{Action, Notice};

use crate::inspect::CategoryTable;

/// Outside the roots the configuration ignores nothing.
static NOTHING_IGNORED: LazyLock<Ignore> = LazyLock::new(Ignore::default);

/// One generation of the configuration.
#[derive(Debug)]
pub struct Setup {
    /// Where it was read from; `None` for `--watch` without a file.
    pub config_path: Option<PathBuf>,
    pub roots: Vec<Arc<RootPolicy>>,
    /// Directories outside the roots whose files count as known copies; absolute, resolved.
    pub scope: Vec<PathBuf>,
    pub kinds: CategoryTable,
    /// The user's own trash directory.
    pub home_trash: PathBuf,
    /// All that is filed is told on the desktop, where a rule does not say otherwise.
    notify: bool,
    /// What arrives waits while the machine runs on its battery.
    pause_on_battery: bool,
    /// For each root, the directories inside it that rules file things into.
    destinations: Vec<Vec<PathBuf>>,
    /// Folders of which rules need something before they file into them.
    awaited: Vec<PathBuf>,
}

impl Setup {
    /// Computes what can be told from the policies alone.
    pub fn new(
        config_path: Option<PathBuf>,
        roots: Vec<Arc<RootPolicy>>,
        scope: Vec<PathBuf>,
        kinds: CategoryTable,
        home_trash: PathBuf,
    ) -> Self {
        let destinations = roots.iter().map(|r| destinations_inside(r)).collect();
        let awaited = roots.iter().flat_map(|r| awaited(r)).collect();
        let (notify, pause_on_battery) = (false, false);
        Self {
            config_path,
            roots,
            scope,
            kinds,
            home_trash,
            notify,
            pause_on_battery,
            destinations,
            awaited,
        }
    }

    /// The same, where what arrives waits while the machine runs on its battery, or does not.
    pub fn with_pause_on_battery(self, pause_on_battery: bool) -> Self {
        Self { pause_on_battery, ..self }
    }

    /// Whether what arrives waits while the machine runs on its battery.
    pub fn pauses_on_battery(&self) -> bool {
        self.pause_on_battery
    }

    /// The same, telling of all that is filed.
    pub fn with_notify(self, notify: bool) -> Self {
        Self { notify, ..self }
    }

    /// The root that `path` lies beneath: the innermost, since there may be one inside another that
    /// is not recursive.
    pub fn root_of(&self, path: &Path) -> Option<&Arc<RootPolicy>> {
        let above = self.roots.iter().filter(|r| path.starts_with(&r.path) && path != &*r.path);
        above.max_by_key(|r| r.path.as_os_str().len())
    }

    /// The root with exactly this path.
    pub fn root(&self, path: &Path) -> Option<&Arc<RootPolicy>> {
        self.roots.iter().find(|r| *r.path == *path)
    }

    /// Whether the files below `path` are kept in the catalog.
    pub fn is_known_area(&self, path: &Path) -> bool {
        self.roots.iter().any(|r| path.starts_with(&r.path))
            || self.scope.iter().any(|s| path.starts_with(s))
    }

    /// Whether a person sees the file at `path`, which lies in a known area.
    ///
    /// A copy that is not seen (in a trash, say, which somebody may empty) is no reason to put away the one that is,
    /// whoever entered it into the catalog.
    pub fn is_in_sight(&self, path: &Path) -> bool {
        if let Some(root) = self.root_of(path) {
            return path.strip_prefix(&root.path).is_ok_and(|rel| root.ignore.is_in_sight(rel));
        }
        let area = self.scope.iter().filter_map(|area| path.strip_prefix(area).ok());
        let shortest = area.min_by_key(|rel| rel.as_os_str().len());
        shortest.is_some_and(|rel| NOTHING_IGNORED.is_in_sight(rel))
    }

    /// Whether `path` lies in a folder of its root that rules file things into.
    pub fn in_destination(&self, root: &RootPolicy, path: &Path) -> bool {
        self.destination_above(root, path).is_some()
    }

    /// The folder that rules file things into, if `path` lies in one of its root.
    pub fn destination_above(&self, root: &RootPolicy, path: &Path) -> Option<&Path> {
        let at = self.roots.iter().position(|r| *r.path == *root.path)?;
        // A file that has the name of such a folder is not in it.
        let inside = |d: &&PathBuf| path != *d && path.starts_with(d);
        self.destinations[at].iter().find(inside).map(PathBuf::as_path)
    }

    /// A folder that rules file things into, if it is `path` or lies in it.
    pub fn destination_in(&self, root: &RootPolicy, path: &Path) -> Option<&Path> {
        let at = self.roots.iter().position(|r| *r.path == *root.path)?;
        self.destinations[at].iter().find(|d| d.starts_with(path)).map(PathBuf::as_path)
    }

    /// Whether any rule runs a command.
    pub fn runs_commands(&self) -> bool {
        self.roots.iter().any(|r| r.rules.rules.iter().any(|rule| rule.run.is_some()))
    }

    /// What is told on the desktop of files that were filed by a rule, or by `[default]` or as duplicates.
    pub fn notice(&self, rule: &str) -> Option<Notice> {
        let mut rules = self.roots.iter().flat_map(|r| &r.rules.rules);
        match rules.find(|r| *r.name == *rule) {
            Some(rule) => rule.notice.clone(),
            None => self.notify.then(Notice::default),
        }
    }

    /// Whether files that could not be filed are told, too.
    pub fn notifies_of_failures(&self) -> bool {
        self.notify
    }

    /// Whether anything is ever told on the desktop.
    pub fn notifies(&self) -> bool {
        let rules = self.roots.iter().flat_map(|r| &r.rules.rules);
        self.notify || rules.into_iter().any(|rule| rule.notice.is_some())
    }

    /// Whether files may wait for what is mounted, or is not any more, at one of these places.
    pub fn awaits_any(&self, mounts: &[PathBuf]) -> bool {
        let concerns = |dir: &PathBuf, at: &PathBuf| dir.starts_with(at) || at.starts_with(dir);
        self.awaited.iter().any(|dir| mounts.iter().any(|at| concerns(dir, at)))
    }

    /// Every directory to be watched and scanned: roots first, then the scope outside them.
    pub fn areas(&self) -> impl Iterator<Item = &Path> {
        self.roots.iter().map(|r| &*r.path).chain(self.scope.iter().map(PathBuf::as_path))
    }
}

/// The folders of which rules need something, as far as their names are fixed.
fn awaited(root: &RootPolicy) -> impl Iterator<Item = PathBuf> {
    root.rules.rules.iter().filter_map(|rule| {
        let requirement = rule.requirement.as_ref()?;
        match &requirement.mounted {
            Some(Mounted::At(at)) => Some(at.to_path_buf()),
            _ => rule.action.template()?.fixed_dir(&root.path),
        }
    })
}

/// The folders that files of any kind are put into by rules, as far as their names are fixed.
fn destinations_inside(root: &RootPolicy) -> Vec<PathBuf> {
    let to_folder = |a: &&Action| !matches!(a, Action::Rename(_));
    let actions = root.rules.rules.iter().map(|r| &r.action);
    let rules = actions.filter(to_folder).filter_map(Action::template);
    let defaults = root.rules.default.iter().map(|(_, t)| t);
    let mut dirs: Vec<PathBuf> = rules
        .chain(defaults)
        .filter_map(|t| t.static_dir(&root.path))
        .filter(|d| d.starts_with(&root.path) && *d != *root.path)
        .collect();
    if let Others::Folder(folder) = &root.duplicates.others {
        let dir = root.path.join(folder);
        if dir.starts_with(&root.path) && *dir != *root.path {
            dirs.push(dir);
        }
    }
    dirs.sort();
    dirs.dedup();
    dirs
}
