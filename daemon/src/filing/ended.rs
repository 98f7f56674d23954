//! What a run has done so far, as far as somebody asks for it when it is over. A run of a million files does not keep a
//! million operations: they are in the journal.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use tidy_core::name;
use tidy_core::operation::{OpState, Operation, Trigger};
use tidy_core::plan::{self, Place};
use tidy_core::rules::RuleName;

/// Operations that are kept whole, for the log.
const KEPT: usize = 50;

/// What the operations of a run have done.
#[derive(Debug, Default)]
pub struct Ended {
    /// Files that were filed, as people count them.
    pub files: usize,
    /// Files that were moved, and those of them that were put back.
    pub moved: usize,
    pub put_back: usize,
    /// Whether some could not be settled.
    pub open: bool,
    /// The first ones that went through, without those on directories.
    pub first: Vec<Operation>,
    /// What rules have done by themselves.
    pub unasked: BTreeMap<RuleName, OfRule>,
    /// The files of a run that nobody has asked for, by where they were.
    pub(super) touched: HashSet<PathBuf>,
    any_unasked: bool,
}

/// What one rule has done.
#[derive(Debug, Clone)]
pub struct OfRule {
    pub count: usize,
    /// The first file, by the name it had.
    pub name: String,
    /// Where they are; `None`: in several folders.
    pub folder: Option<PathBuf>,
}

impl Ended {
    /// Takes in the operations of one chunk. All of one file are in the same.
    pub(super) fn add(&mut self, ops: impl IntoIterator<Item = Operation>) {
        let ops: Vec<Operation> = ops.into_iter().collect();
        let done = || ops.iter().filter(|op| op.state == OpState::Done);
        self.open |= ops.iter().any(|op| !op.state.is_terminal());
        self.files += plan::files(done().map(|op| &op.step));
        let moved = || done().filter(|op| op.step.kind.relocates());
        self.moved += moved().count();
        self.put_back += moved().filter(|op| op.step.undo).count();
        for op in ops.iter().filter(|op| op.trigger == Trigger::Watch) {
            self.any_unasked = true;
            self.add_unasked(op);
        }
        let files = ops.into_iter().filter(|op| op.state == OpState::Done);
        let files = files.filter(|op| !op.step.kind.is_directory());
        self.first.extend(files.take(KEPT.saturating_sub(self.first.len())));
    }

    /// Whether any of it was done without being asked for.
    pub fn any_unasked(&self) -> bool {
        self.any_unasked
    }

    fn add_unasked(&mut self, op: &Operation) {
        let step = &op.step;
        if op.state != OpState::Aborted && !step.kind.is_directory() {
            self.touched.extend(step.src.as_ref().map(Place::path));
        }
        let told = op.state == OpState::Done && step.is_file() && !step.undo;
        let at = step.dst.as_ref().or(step.src.as_ref()).map(Place::path);
        let Some(at) = at.filter(|_| told) else { return };
        let folder = at.parent().map(Path::to_owned);
        let name =
            || step.src.as_ref().map_or_else(String::new, |src| name::shown(src.file_name()));
        let of = self.unasked.entry(step.rule.clone());
        let of = of.or_insert_with(|| OfRule { count: 0, name: name(), folder: folder.clone() });
        of.count += 1;
        of.folder = of.folder.take().filter(|known| Some(known) == folder.as_ref());
    }
}

impl OfRule {
    /// The same with what came later.
    pub fn and(&mut self, later: &Self) {
        self.count += later.count;
        self.folder = self.folder.take().filter(|folder| Some(folder) == later.folder.as_ref());
    }
}
