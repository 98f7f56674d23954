//! Policies: what a configuration says beyond its rules.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::breaker::Limits;
use crate::companions::Companions;
use crate::ignore::Ignore;
use crate::rules::RuleSet;

/// What to do when the destination name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Conflict {
    /// File it under the next free numbered name.
    #[default]
    Rename,
    /// Leave it where it is and say so.
    Skip,
    /// The file modified last gets the name; an older one there goes to the trash.
    KeepNewer,
    /// The larger file gets the name; a smaller one there goes to the trash.
    KeepLarger,
    /// What is there goes to the trash.
    ReplaceToTrash,
}

impl Conflict {
    /// Every policy with its name in the configuration.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("rename", Self::Rename),
        ("skip", Self::Skip),
        ("keep-newer", Self::KeepNewer),
        ("keep-larger", Self::KeepLarger),
        ("replace-to-trash", Self::ReplaceToTrash),
    ];
}

/// Which copy of a duplicate group stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Keep {
    /// The one modified first.
    #[default]
    Oldest,
    /// The one modified last.
    Newest,
    /// The one with the shortest path.
    ShortestPath,
}

impl Keep {
    /// Every policy with its name in the configuration.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("oldest", Self::Oldest),
        ("newest", Self::Newest),
        ("shortest-path", Self::ShortestPath),
    ];
}

/// What happens to the copies that are not the keeper.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Others {
    /// They go to the trash.
    Trash,
    /// They are moved into this folder: absolute, or relative to the root they were found under.
    Folder(PathBuf),
    /// They are only listed by `tidyctl duplicates`, and filed like any other file.
    Report,
}

/// How duplicates are found and put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicates {
    /// Directories whose files count as copies, absolute. Empty: the roots themselves.
    pub scope: Vec<PathBuf>,
    pub keep: Keep,
    pub others: Others,
}

/// One root with everything that decides about the files in it.
#[derive(Debug, Clone)]
pub struct RootPolicy {
    /// Absolute, with every symlink resolved.
    pub path: Arc<Path>,
    /// As the person wrote it, for messages.
    pub given: PathBuf,
    /// Whether directories below it are filed too.
    pub recursive: bool,
    /// Whether what an archive was unpacked into is one thing.
    pub whole_unpacked: bool,
    /// How long a file must have been quiet.
    pub settle: Duration,
    pub conflict: Conflict,
    pub rules: Arc<RuleSet>,
    pub ignore: Arc<Ignore>,
    pub duplicates: Arc<Duplicates>,
    /// Which files travel with another one, where the rule does not say.
    pub companions: Companions,
    /// What may be done in a minute without a person being asked; `None`: anything.
    pub breaker: Option<Limits>,
}

impl RootPolicy {
    /// What becomes of files whose names are taken.
    pub fn handling(&self) -> crate::plan::Handling<'_> {
        crate::plan::Handling { conflict: self.conflict, others: &self.duplicates.others }
    }

    /// Every kind of companion that this or a rule of its names.
    pub fn all_companions(&self) -> Companions {
        let of_rules = self.rules.rules.iter().filter_map(|r| r.companions.as_ref());
        of_rules.fold(self.companions.clone(), |all, some| all.and(some))
    }
}
