//! Plans: steps, each with a precondition and an undo.
//!
//! Filing, putting duplicates aside, trashing by age and rolling back all end here: a [`Plan`] is the
//! only thing the journal accepts, and a dry run is a plan that is printed. The planner looks at the
//! disk through [`World`] and remembers what its own earlier steps will have done, so that the
//! second of two equal names already gets its number in the plan.

mod claim;
#[cfg(test)]
pub(crate) mod model;
#[cfg(test)]
mod party_tests;
mod planner;
mod requiring;
#[cfg(test)]
mod requiring_tests;
mod resolving;
mod tagging;
#[cfg(test)]
pub(crate) mod tests;
mod trash;
mod unit;
#[cfg(test)]
mod unit_tests;

pub(crate) use planner::Because;
pub use planner::{Handling, Member, Planned, Planner};

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::duplicates;
use crate::facts::{Digest, Identity, Stat};
use crate::name;
use crate::naming::Naming;
use crate::operation::{OpId, Trigger};
use crate::requirement::Volume;
use crate::rules::{Considered, RuleName};

/// A path together with the directory it must stay beneath.
///
/// `base` is a directory the configuration named (a root, a destination, the trash), absolute, its
/// symlinks resolved when the configuration was read. Below it no symlink is ever followed.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    base: Arc<Path>,
    rel: PathBuf,
}

impl Place {
    /// `None` unless `rel` is made of plain names only (no `..`, no `.`, not absolute, not empty).
    pub fn new(base: Arc<Path>, rel: PathBuf) -> Option<Self> {
        let plain = !rel.as_os_str().is_empty()
            && rel.components().all(|c| matches!(c, Component::Normal(_)));
        plain.then_some(Self { base, rel })
    }

    /// The directory that confines it.
    pub fn base(&self) -> &Arc<Path> {
        &self.base
    }

    /// The path below the base.
    pub fn rel(&self) -> &Path {
        &self.rel
    }

    /// The whole path.
    pub fn path(&self) -> PathBuf {
        name::join(&self.base, &self.rel)
    }

    /// The last component.
    pub fn file_name(&self) -> &std::ffi::OsStr {
        self.rel.file_name().unwrap_or_default()
    }

    /// The directory it lies in, unless that is the base itself.
    pub fn parent(&self) -> Option<Self> {
        let up = self.rel.parent().filter(|p| !p.as_os_str().is_empty())?;
        Some(Self { base: self.base.clone(), rel: up.to_owned() })
    }

    /// The same directory, another name.
    pub fn with_file_name(&self, name: &std::ffi::OsStr) -> Self {
        Self { base: self.base.clone(), rel: self.rel.with_file_name(name) }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}//{}", self.base.display(), self.rel.display())
    }
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepKind {
    /// `src` becomes `dst`.
    Move,
    /// The same for a directory with all that is in it.
    MoveDir,
    /// `dst` becomes a copy of `src`.
    Copy,
    /// The same, by sharing the blocks of `src`; where the file system cannot, nothing is made.
    Reflink,
    /// `dst` becomes another name of the file at `src`.
    HardLink,
    /// `dst` becomes a symbolic link to `src`.
    Symlink,
    /// `src`, a name that a link made, goes. Its content stays at the twin.
    Unlink,
    /// `src` becomes `dst` below a trash directory (`files/NAME`), with its `info/NAME.trashinfo`.
    Trash,
    /// `src` below a trash directory becomes `dst`, and its information file goes.
    Restore,
    /// `dst` becomes an empty directory.
    MakeDir,
    /// `src`, an empty directory, goes.
    RemoveDir,
    /// `src` gets other tags; it stays.
    Tag,
    /// A command of the rule's is run about `src`. What it does is not ours to undo.
    Run,
}

impl StepKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::Move,
        Self::MoveDir,
        Self::Copy,
        Self::Reflink,
        Self::HardLink,
        Self::Symlink,
        Self::Unlink,
        Self::Trash,
        Self::Restore,
        Self::MakeDir,
        Self::RemoveDir,
        Self::Tag,
        Self::Run,
    ];

    /// The word used in JSON and in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Move => "move",
            Self::MoveDir => "move-folder",
            Self::Copy => "copy",
            Self::Reflink => "reflink",
            Self::HardLink => "hardlink",
            Self::Symlink => "symlink",
            Self::Unlink => "unlink",
            Self::Trash => "trash",
            Self::Restore => "restore",
            Self::MakeDir => "mkdir",
            Self::RemoveDir => "rmdir",
            Self::Tag => "tag",
            Self::Run => "run",
        }
    }

    /// Whether it is about a directory, made or removed along with files. People count files.
    pub fn is_directory(self) -> bool {
        matches!(self, Self::MakeDir | Self::RemoveDir)
    }

    /// Whether it makes something of `src` and leaves `src` where it is.
    pub fn keeps_source(self) -> bool {
        matches!(self, Self::Copy | Self::Reflink | Self::HardLink | Self::Symlink)
    }

    /// Whether nothing is at `src` afterwards.
    pub fn takes_away(self) -> bool {
        self.relocates() || matches!(self, Self::Unlink | Self::RemoveDir)
    }

    /// Whether the file of `src` is at `dst` afterwards, and no longer at `src`.
    pub fn relocates(self) -> bool {
        matches!(self, Self::Move | Self::MoveDir | Self::Trash | Self::Restore)
    }
}

/// One thing to do, with what must hold before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub kind: StepKind,
    /// `None` for [`StepKind::MakeDir`].
    pub src: Option<Place>,
    /// `None` for [`StepKind::RemoveDir`], [`StepKind::Unlink`] and [`StepKind::Tag`]. Must be free: nothing is ever replaced.
    pub dst: Option<Place>,
    /// What must be at `src`, exactly. `None` only for directories that are made or removed.
    pub expect: Option<Identity>,
    /// A file that must have the same bytes as `src` when the step is taken; for
    /// [`StepKind::Unlink`] the file that `src` is another name of, or points to.
    pub twin: Option<Twin>,
    /// For a companion: where the file it belongs to is by then. Unless that is there, the companion stays.
    pub follows: Option<Twin>,
    /// What [`StepKind::Tag`] changes.
    pub tags: Option<Retag>,
    /// What [`StepKind::Run`] runs.
    pub command: Option<Command>,
    /// Digest of the content, where one was taken.
    pub digest: Option<Digest>,
    pub rule: RuleName,
    /// The reason in one line, for `log`, `show` and `explain`.
    pub why: String,
    /// What the rules said that were asked until this one decided.
    pub considered: Option<Consideration>,
    /// The operation that this one undoes or redoes.
    pub inverse_of: Option<OpId>,
    /// Whether it undoes (a rollback); `false` for a redo.
    pub undo: bool,
    /// It takes a file on that an earlier step of the same batch is about: people count that one.
    pub further: bool,
}

/// What is kept of the rules behind a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consideration {
    Here(Arc<Considered>),
    /// The same as of an earlier operation that was written together with this one.
    As(OpId),
}

/// The value of the attribute that holds a file's tags ([`crate::tags::ATTRIBUTE`]), as it must be before and will be after.
/// `None`: there is no such attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retag {
    pub before: Option<Vec<u8>>,
    pub after: Option<Vec<u8>>,
    /// A later step of the same plan takes the file further.
    pub along: bool,
    /// Whether people count it: not when its rule does something else with the file, too.
    pub counted: bool,
}

/// A program with its arguments, started without a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    pub argv: Vec<OsString>,
    /// After this it is ended, with all it has started.
    pub limit: Duration,
}

/// The keeper of a duplicate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twin {
    pub path: PathBuf,
    pub id: Identity,
}

impl Step {
    /// Whether people count it as something done to a file: directories are made, tags are set, and links put in the place of
    /// copies, along with files that go somewhere.
    pub fn is_counted(&self) -> bool {
        !self.kind.is_directory()
            && !self.is_stand_in()
            && self.tags.as_ref().is_none_or(|t| t.counted)
    }

    /// Whether people count a file for it.
    pub fn is_file(&self) -> bool {
        self.is_counted() && !self.further
    }

    /// Whether it makes or takes away what stands in for a copy that was put aside by another step: a link to the file that
    /// stays, or (undone and made again) one that shares its blocks.
    pub fn is_stand_in(&self) -> bool {
        *self.rule == *duplicates::RULE
            && match self.kind {
                StepKind::HardLink | StepKind::Reflink | StepKind::Symlink | StepKind::Unlink => {
                    true
                }
                StepKind::Trash => self.undo,
                StepKind::Restore => !self.undo,
                _ => false,
            }
    }

    /// Whether it only marks a file that another step takes further.
    pub fn is_along(&self) -> bool {
        self.tags.as_ref().is_some_and(|t| t.along)
    }

    /// The path a person would name first: the source, or the directory being made.
    pub fn subject(&self) -> Option<&Place> {
        self.src.as_ref().or(self.dst.as_ref())
    }
}

/// Where the files of one batch are by then, step by step.
#[derive(Debug, Default)]
struct Ways(HashSet<PathBuf>);

impl Ways {
    /// Whether a counted step takes a file on that an earlier one was about.
    fn goes_on(&mut self, step: &Step) -> bool {
        let stays = step.kind == StepKind::Tag;
        let src = step.src.as_ref().filter(|_| stays || step.kind.relocates()).map(Place::path);
        let goes_on = src.as_ref().is_some_and(|src| self.0.remove(src));
        self.0.extend(step.dst.as_ref().map(Place::path).or(src.filter(|_| stays)));
        goes_on
    }
}

/// How many files steps of one batch are about, as people count them: one that a later step takes further is one.
pub fn files<'s>(steps: impl IntoIterator<Item = &'s Step>) -> usize {
    let mut ways = Ways::default();
    let counted = steps.into_iter().filter(|step| step.is_counted());
    counted.filter(|step| !ways.goes_on(step)).count()
}

/// Marks the steps of one file, and what goes with it, that take it [further](Step::further).
fn mark_further(steps: &mut [Step]) {
    let mut ways = Ways::default();
    for step in steps.iter_mut().filter(|step| step.is_counted()) {
        step.further = ways.goes_on(step);
    }
}

/// Steps in the order in which they must be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub trigger: Trigger,
    pub steps: Vec<Step>,
}

/// What is at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// Nothing (`ENOENT`, and only that).
    Absent,
    File(Stat),
    Directory,
    /// A symbolic link; the size is that of its target's name.
    Symlink(Stat),
    /// Something special; also when a component on the way is not a directory.
    Other,
    /// It could not be told; why.
    Unknown(String),
}

/// Why the tags of a file cannot be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untold {
    /// It can have none: its file system keeps no such thing.
    Never(String),
    /// Another attempt may succeed.
    Now(String),
}

/// The disk, as far as planning needs it.
pub trait World {
    /// What is at the place; below its base no symlink is followed.
    fn lookup(&self, place: &Place) -> Lookup;

    /// The directory at `rel` below `base`, if there is one.
    fn directory(&self, base: &Arc<Path>, rel: &Path) -> Option<Stat>;

    /// The file system that the place is on, or will be; `Err` says why that cannot be told.
    fn volume(&self, place: &Place) -> Result<Volume, String>;

    /// The trash directory for a file on device `dev`: on the same file system, so that trashing is a
    /// rename. `Err` says why there is none.
    fn trash_for(&self, src: &Place, dev: u64) -> Result<Arc<Path>, String>;

    /// Whether the two files have the same bytes, now; `false`, too, when that cannot be told.
    fn same_bytes(&self, a: (&Place, &Stat), b: (&Place, &Stat)) -> bool;

    /// What the file system at the place takes as names. Asked only about names that some file system refuses.
    fn naming(&self, _place: &Place) -> Naming {
        Naming::default()
    }

    /// The value of the attribute that holds the tags of a file. A file that is not there has none.
    fn tags(&self, _place: &Place, _id: Identity) -> Result<Option<Vec<u8>>, Untold> {
        Err(Untold::Never("nothing is known of tags here".into()))
    }

    /// Whether a file that goes to the place can have tags there; `Err` says why not.
    fn takes_tags(&self, _place: &Place) -> Result<(), String> {
        Ok(())
    }

    /// Whether `test` holds for the name of every entry of a directory; `false`, too, when it cannot
    /// be read.
    fn all_entries(&self, dir: &Place, test: &dyn Fn(&OsStr) -> bool) -> bool;
}
