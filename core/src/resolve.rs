//! Resolving duplicates for a person: which copy of a group stays, and what stands in for the others.
//!
//! Pure: the caller says of every copy whether it may be touched, and looks at the disk through
//! [`World`](crate::plan::World). The steps are ordinary ones, so that one rollback puts everything back.

use std::cmp::{Ordering, Reverse};
use std::path::PathBuf;
use std::sync::Arc;

use globset::GlobMatcher;

use crate::UnixNanos;
use crate::facts::{Digest, Stat};
use crate::plan::Place;

/// Which copy stays, when nothing is preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Keeper {
    /// The one modified first.
    #[default]
    Oldest,
    /// The one modified last.
    Newest,
    /// The one with the shortest path.
    ShortestPath,
    /// The one in the root that the configuration names first; there the oldest.
    RootOrder,
}

impl Keeper {
    /// Every policy with its word on the command line.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("oldest", Self::Oldest),
        ("newest", Self::Newest),
        ("shortest-path", Self::ShortestPath),
        ("root-order", Self::RootOrder),
    ];
}

/// What becomes of the other copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replace {
    /// They go to the trash.
    Trash,
    /// They are moved into this folder: a root, and the path below it.
    Folder(Arc<std::path::Path>, PathBuf),
    /// They go to the trash, and the keeper gets their names.
    HardLink,
    /// They go to the trash, and copies that share the keeper's blocks get their names.
    Reflink,
    /// They go to the trash, and links to the keeper get their names.
    Symlink,
}

impl Replace {
    /// Every word on the command line.
    pub const WORDS: &'static [&'static str] =
        &["trash", "folder", "hardlink", "reflink", "symlink"];
}

/// One copy of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    pub place: Place,
    pub stat: Stat,
    /// Of its root, in the order of the configuration.
    pub root: usize,
    /// It is not to be touched; it may still be the one that stays.
    pub protected: bool,
    /// It lies where copies are put aside: any other one stays rather.
    pub aside: bool,
}

impl Copy {
    fn mtime(&self) -> UnixNanos {
        self.stat.id.mtime
    }

    fn length(&self) -> usize {
        self.place.path().as_os_str().len()
    }
}

/// What a person wants of a group.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    pub keeper: Keeper,
    /// Paths that stay before all others, the earlier the rather.
    pub prefer: Vec<GlobMatcher>,
}

impl Choice {
    /// The index of the copy that stays; `None` for an empty group.
    ///
    /// A protected one stays before all others, as it stays anyway. Total and deterministic: ties are
    /// broken by the shorter path, then by its bytes.
    pub fn stays(&self, copies: &[Copy]) -> Option<usize> {
        (0..copies.len()).min_by(|&a, &b| self.rank(&copies[a], &copies[b]))
    }

    fn rank(&self, a: &Copy, b: &Copy) -> Ordering {
        let preferred = |c: &Copy| {
            let path = c.place.path();
            self.prefer.iter().position(|p| p.is_match(&path)).unwrap_or(usize::MAX)
        };
        let by_policy = match self.keeper {
            Keeper::Oldest => a.mtime().cmp(&b.mtime()),
            Keeper::Newest => Reverse(a.mtime()).cmp(&Reverse(b.mtime())),
            Keeper::ShortestPath => Ordering::Equal,
            Keeper::RootOrder => a.root.cmp(&b.root).then(a.mtime().cmp(&b.mtime())),
        };
        (b.protected.cmp(&a.protected))
            .then_with(|| preferred(a).cmp(&preferred(b)))
            .then(a.aside.cmp(&b.aside))
            .then(by_policy)
            .then_with(|| a.length().cmp(&b.length()))
            .then_with(|| a.place.path().cmp(&b.place.path()))
    }
}

/// Copies with the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub digest: Digest,
    pub copies: Vec<Copy>,
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use globset::Glob;

    use super::*;
    use crate::facts::FileType;
    use crate::operation::Trigger;
    use crate::plan::model::{Model, Node};
    use crate::plan::{Planned, Planner, World};

    fn copy(path: &str, mtime: i64) -> Copy {
        let place = Place::new(Path::new("/").into(), path.trim_start_matches('/').into());
        let stat = crate::plan::model::stat(1, 10, mtime);
        Copy { place: place.unwrap(), stat, root: 0, protected: false, aside: false }
    }

    fn stays(copies: &[Copy], keeper: Keeper, prefer: &[&str]) -> usize {
        let prefer = prefer.iter().map(|p| Glob::new(p).unwrap().compile_matcher()).collect();
        Choice { keeper, prefer }.stays(copies).unwrap()
    }

    #[test]
    fn the_keeper_is_the_one_asked_for() {
        let mut copies = [copy("/r/long name", 5), copy("/r/b", 6), copy("/s/old", 1)];
        copies[2].root = 1;
        assert_eq!(stays(&copies, Keeper::Oldest, &[]), 2);
        assert_eq!(stays(&copies, Keeper::Newest, &[]), 1);
        assert_eq!(stays(&copies, Keeper::ShortestPath, &[]), 1);
        assert_eq!(stays(&copies, Keeper::RootOrder, &[]), 0);
        assert_eq!(stays(&copies, Keeper::Oldest, &["/x/**", "/r/b", "/r/**"]), 1);
        copies[2].aside = true;
        assert_eq!(stays(&copies, Keeper::Oldest, &[]), 0);
        assert_eq!(stays(&copies, Keeper::Oldest, &["/s/**"]), 2, "unless it is asked for");
        copies[0].protected = true;
        assert_eq!(stays(&copies, Keeper::Oldest, &["/r/b"]), 0, "what is protected stays anyway");
        assert_eq!(Choice::default().stays(&[]), None);
    }

    /// A model with three copies below `/r`, and the group.
    fn scene() -> (Model, Group) {
        let mut model = Model::new();
        let copies = ["/r/a", "/r/sub/b", "/r/c"].map(|path| {
            let stat = model.file(path, 10, 5);
            Copy { stat, ..copy(path, 5) }
        });
        (model, Group { digest: Digest([7; 32]), copies: copies.into() })
    }

    #[test]
    fn whatever_stands_in_for_the_copies_the_keeper_and_every_name_are_there() {
        let folder = Replace::Folder(Path::new("/r").into(), "aside".into());
        let all = [Replace::Trash, folder, Replace::HardLink, Replace::Reflink, Replace::Symlink];
        for replace in all {
            let (mut model, group) = scene();
            let keeper = &group.copies[0];
            let plan = {
                let mut planner = Planner::new(&model, Trigger::Organize);
                for other in &group.copies[1..] {
                    let planned = planner.resolve(other, keeper, group.digest, &replace);
                    assert!(matches!(planned, Planned::Steps(_)), "{planned:?}");
                }
                planner.finish()
            };
            // Both files are compared before a copy goes.
            let going = plan.steps.iter().filter(|s| s.kind.relocates());
            assert!(going.clone().count() == 2 && going.clone().all(|s| s.twin.is_some()));
            model.apply(&plan);
            assert!(matches!(model.lookup(&keeper.place), crate::plan::Lookup::File(_)));
            let links = matches!(replace, Replace::HardLink | Replace::Reflink | Replace::Symlink);
            for other in &group.copies[1..] {
                let there = model.nodes.get(&other.place.path());
                match &replace {
                    Replace::Symlink => assert!(matches!(there, Some(Node::Link(..)))),
                    _ => assert_eq!(there.is_some(), links, "{replace:?}"),
                }
            }
        }
    }

    #[test]
    fn two_copies_of_one_name_in_one_folder_both_fit() {
        let mut model = Model::new();
        let [a, b, c] = ["/r/x", "/r/one/x", "/r/two/x"].map(|path| {
            let stat = model.file(path, 10, 5);
            Copy { stat, ..copy(path, 5) }
        });
        let replace = Replace::Folder(Path::new("/r").into(), "aside".into());
        let mut planner = Planner::new(&model, Trigger::Organize);
        let to: Vec<_> = [b, c]
            .iter()
            .map(|other| match planner.resolve(other, &a, Digest([7; 32]), &replace) {
                Planned::Steps(place) => place.path(),
                left => panic!("{left:?}"),
            })
            .collect();
        assert_eq!(to, [Path::new("/r/aside/x"), Path::new("/r/aside/x (2)")]);
        let plan = planner.finish();
        model.apply(&plan);
    }

    #[test]
    fn no_link_reaches_another_file_system() {
        let (model, mut group) = scene();
        group.copies[1].stat.dev = 2;
        assert_eq!(group.copies[1].stat.file_type, FileType::Regular);
        let mut planner = Planner::new(&model, Trigger::Organize);
        let [keeper, other, _] = &group.copies[..] else { panic!() };
        for replace in [Replace::HardLink, Replace::Reflink] {
            let planned = planner.resolve(other, keeper, group.digest, &replace);
            assert!(matches!(planned, Planned::Left(..)), "{planned:?}");
        }
        assert!(planner.finish().steps.is_empty());
    }
}
