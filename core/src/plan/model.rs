//! A file system in memory that takes plans at their word: every step's precondition is checked, and
//! nothing is ever replaced. What the tests of planning and rollback run on.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Lookup, Place, Plan, StepKind, Untold, World};
use crate::UnixNanos;
use crate::facts::{FileType, Identity, Stat};
use crate::naming::Naming;
use crate::operation::{BatchId, OpId, OpState, Operation};
use crate::requirement::Volume;
use crate::rollback::History;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    Dir,
    File(Stat),
    /// A symbolic link, with what is known of it and where it points.
    Link(Stat, PathBuf),
}

/// The disk and everything that was done to it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) nodes: BTreeMap<PathBuf, Node>,
    pub(crate) log: Vec<Operation>,
    /// What it takes as names.
    pub(crate) naming: Naming,
    next_ino: u64,
    /// Directories that are one thing.
    pub(crate) units: BTreeMap<PathBuf, Stat>,
    /// Pairs of files with the same bytes, by inode.
    pub(crate) same: Vec<(u64, u64)>,
    /// Tags by inode.
    pub(crate) tags: BTreeMap<u64, Vec<u8>>,
    /// Below these no file has tags.
    pub(crate) untagged: Vec<PathBuf>,
    /// File systems by the directory that they are mounted at.
    pub(crate) volumes: BTreeMap<PathBuf, Volume>,
}

pub(crate) const TRASH: &str = "/trash";

pub(crate) fn stat(ino: u64, size: u64, mtime: i64) -> Stat {
    let mtime = UnixNanos(mtime);
    let id = Identity { ino, size, mtime, birth: Some(UnixNanos(ino as i64)) };
    let (ctime, atime) = (mtime, mtime);
    Stat { id, file_type: FileType::Regular, dev: 1, ctime, atime, mode: 0o644, nlink: 1, uid: 0 }
}

/// A symbolic link that no plan made.
pub(crate) fn link(target: &str) -> Node {
    Node::Link(stat(1_000_000, 1, 1), target.into())
}

impl Model {
    pub(crate) fn new() -> Self {
        let mut me = Self { next_ino: 1, ..Self::default() };
        for dir in ["/", "/r", TRASH] {
            me.nodes.insert(dir.into(), Node::Dir);
        }
        me
    }

    /// Adds a file, and the directories above it.
    pub(crate) fn file(&mut self, path: &str, size: u64, mtime: i64) -> Stat {
        let stat = stat(self.next_ino, size, mtime);
        self.next_ino += 1;
        for dir in Path::new(path).ancestors().skip(1) {
            self.nodes.entry(dir.to_owned()).or_insert(Node::Dir);
        }
        self.nodes.insert(path.into(), Node::File(stat));
        stat
    }

    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Stat> {
        let file = |(p, n): (&PathBuf, &Node)| match n {
            Node::File(s) => Some((p.clone(), *s)),
            _ => None,
        };
        self.nodes.iter().filter_map(file).collect()
    }

    /// Carries out a plan; panics when a precondition does not hold. A directory that is not empty
    /// stays, as `rmdir` would leave it.
    pub(crate) fn apply(&mut self, plan: &Plan) -> Vec<Operation> {
        let batch = BatchId(self.log.len() as u64 + 1);
        let mut done = Vec::new();
        for step in &plan.steps {
            let id = OpId(self.log.len() as u64 + 1);
            let mut op = Operation {
                id,
                batch,
                trigger: plan.trigger,
                time: UnixNanos(id.0 as i64),
                step: step.clone(),
                state: OpState::Done,
                landed: None,
                error: None,
            };
            if step.kind == StepKind::RemoveDir {
                let dir = step.src.as_ref().unwrap().path();
                assert_eq!(self.nodes.get(&dir), Some(&Node::Dir), "{step:?}");
                if self.nodes.keys().any(|p| p.parent() == Some(&dir)) {
                    op.state = OpState::Aborted;
                } else {
                    self.nodes.remove(&dir);
                }
            } else {
                op.landed = self.arrive(step);
            }
            self.log.push(op.clone());
            done.push(op);
        }
        done
    }

    fn arrive(&mut self, step: &super::Step) -> Option<Identity> {
        if step.kind == StepKind::Unlink {
            self.unlink(step);
            return None;
        }
        if step.kind == StepKind::Run {
            return None;
        }
        if step.kind == StepKind::Tag {
            return self.tag(step);
        }
        if step.kind == StepKind::MoveDir {
            return self.move_dir(step);
        }
        let dst = step.dst.as_ref().unwrap().path();
        assert!(!self.nodes.contains_key(&dst), "{dst:?} would be replaced: {step:?}");
        if step.kind == StepKind::Trash {
            self.nodes.entry(Path::new(TRASH).join("files")).or_insert(Node::Dir);
        }
        assert_eq!(self.nodes.get(dst.parent().unwrap()), Some(&Node::Dir), "no parent: {step:?}");
        if step.kind == StepKind::MakeDir {
            self.nodes.insert(dst, Node::Dir);
            return None;
        }
        let src = step.src.as_ref().unwrap().path();
        let Some(Node::File(stat)) = self.nodes.get(&src).cloned() else {
            panic!("nothing to take at {src:?}: {step:?}")
        };
        assert_eq!(Some(stat.id), step.expect, "another file: {step:?}");
        if let Some(main) = &step.follows {
            let there = self.nodes.get(&main.path);
            assert!(matches!(there, Some(Node::File(s)) if s.id == main.id), "alone: {step:?}");
        }
        let mut landed = stat;
        if step.kind != StepKind::HardLink && step.kind.keeps_source() {
            landed.id.ino = self.next_ino;
            landed.id.birth = Some(UnixNanos(self.next_ino as i64));
            self.next_ino += 1;
        }
        if step.kind.relocates() {
            self.nodes.remove(&src);
        }
        let node = match step.kind {
            StepKind::Symlink => Node::Link(landed, src),
            _ => Node::File(landed),
        };
        self.nodes.insert(dst, node);
        Some(landed.id)
    }

    /// The file stays, and has other tags.
    fn tag(&mut self, step: &super::Step) -> Option<Identity> {
        let (src, tags) = (step.src.as_ref().unwrap().path(), step.tags.as_ref().unwrap());
        let Some(Node::File(stat)) = self.nodes.get(&src) else { panic!("no file: {step:?}") };
        assert_eq!(Some(stat.id), step.expect, "another file: {step:?}");
        assert_eq!(self.tags.get(&stat.id.ino), tags.before.as_ref(), "other tags: {step:?}");
        match &tags.after {
            Some(value) => self.tags.insert(stat.id.ino, value.clone()),
            None => self.tags.remove(&stat.id.ino),
        };
        Some(stat.id)
    }

    /// A directory moves with all that is in it.
    fn move_dir(&mut self, step: &super::Step) -> Option<Identity> {
        let [src, dst] = [&step.src, &step.dst].map(|p| p.as_ref().unwrap().path());
        assert!(!self.nodes.contains_key(&dst), "{dst:?} would be replaced: {step:?}");
        assert_eq!(self.nodes.get(dst.parent().unwrap()), Some(&Node::Dir), "no parent: {step:?}");
        let stat = self.units.remove(&src).unwrap();
        assert_eq!(Some(stat.id), step.expect, "another directory: {step:?}");
        self.units.insert(dst.clone(), stat);
        let inside = self.nodes.extract_if(.., |p, _| p.starts_with(&src)).collect::<Vec<_>>();
        for (path, node) in inside {
            let rest = path.strip_prefix(&src).unwrap();
            let path = if rest.as_os_str().is_empty() { dst.clone() } else { dst.join(rest) };
            self.nodes.insert(path, node);
        }
        Some(stat.id)
    }

    /// A link goes; what it is a name of must still be there.
    fn unlink(&mut self, step: &super::Step) {
        let link = step.src.as_ref().unwrap().path();
        let twin = step.twin.as_ref().unwrap();
        match self.nodes.remove(&link) {
            Some(Node::File(s)) => {
                assert_eq!(Some(s.id), step.expect, "another file: {step:?}");
                assert_eq!(self.nodes.get(&twin.path), Some(&Node::File(s)), "lost: {step:?}");
            }
            Some(Node::Link(s, target)) => {
                assert_eq!(Some(s.id), step.expect, "another link: {step:?}");
                assert_eq!(target, twin.path, "{step:?}");
            }
            other => panic!("{other:?} is no link: {step:?}"),
        }
    }
}

impl World for Model {
    fn lookup(&self, place: &Place) -> Lookup {
        let path = place.path();
        let between = path.ancestors().skip(1).take_while(|d| d.starts_with(place.base()));
        for dir in between {
            if matches!(self.nodes.get(dir), Some(Node::Link(..) | Node::File(_))) {
                return Lookup::Other;
            }
        }
        match self.nodes.get(&path) {
            None => Lookup::Absent,
            Some(Node::Dir) => Lookup::Directory,
            Some(Node::File(stat)) => Lookup::File(*stat),
            Some(Node::Link(stat, _)) => Lookup::Symlink(*stat),
        }
    }

    fn directory(&self, base: &Arc<Path>, rel: &Path) -> Option<Stat> {
        let path = base.join(rel);
        self.units.get(&path).copied()
    }

    fn volume(&self, place: &Place) -> Result<Volume, String> {
        let path = place.path();
        let at = path.ancestors().find_map(|dir| self.volumes.get(dir));
        at.cloned().ok_or_else(|| "nobody knows".into())
    }

    fn trash_for(&self, _src: &Place, _dev: u64) -> Result<Arc<Path>, String> {
        Ok(Path::new(TRASH).into())
    }

    fn same_bytes(&self, a: (&Place, &Stat), b: (&Place, &Stat)) -> bool {
        self.same.contains(&(a.1.id.ino, b.1.id.ino))
    }

    fn tags(&self, place: &Place, _id: Identity) -> Result<Option<Vec<u8>>, Untold> {
        self.takes_tags(place).map_err(Untold::Never)?;
        match self.nodes.get(&place.path()) {
            Some(Node::File(stat)) => Ok(self.tags.get(&stat.id.ino).cloned()),
            _ => Ok(None),
        }
    }

    fn takes_tags(&self, place: &Place) -> Result<(), String> {
        match self.untagged.iter().any(|dir| place.path().starts_with(dir)) {
            true => Err("no tags there".into()),
            false => Ok(()),
        }
    }

    fn naming(&self, _place: &Place) -> Naming {
        self.naming
    }

    fn all_entries(&self, dir: &Place, test: &dyn Fn(&OsStr) -> bool) -> bool {
        let dir = dir.path();
        let mut below = self.nodes.keys().filter(|p| p.parent() == Some(&dir));
        below.all(|p| p.file_name().is_some_and(test))
    }
}

impl History for Model {
    fn moved_on(&self, from: &Path, after: OpId, file: &Identity) -> Option<Operation> {
        let took = |o: &&Operation| {
            o.id > after
                && o.state == OpState::Done
                && o.step.kind.relocates()
                && o.step.src.as_ref().is_some_and(|s| s.path() == from)
                && o.step.expect.is_some_and(|id| id.same_object(file))
        };
        self.log.iter().find(took).cloned()
    }

    fn operation(&self, id: OpId) -> Option<Operation> {
        self.log.iter().find(|o| o.id == id).cloned()
    }
}
