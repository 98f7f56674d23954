use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::plan::model::{Model, Node, link};
use crate::plan::tests::{decision, facts, handling, to};
use crate::plan::{Planned, Planner};
use crate::policy::Conflict;
use crate::requirement::Volume;
use crate::rules::Action;

fn file(m: &mut Model, path: &str, action: &Action, conflict: Conflict) -> Vec<Operation> {
    let before = m.clone();
    let mut p = Planner::new(&before, Trigger::Watch);
    p.file(
        &facts(&before, path),
        &decision(std::slice::from_ref(action)),
        handling(conflict),
        None,
    );
    m.apply(&p.finish())
}

/// Undoes `ops` (given oldest first); returns the outcome of every file.
pub(crate) fn undo(m: &mut Model, ops: &[Operation], trigger: Trigger) -> Vec<Undone> {
    let before = m.clone();
    let mut inverter = Inverter::new(&before, &before, trigger);
    let undoings: Vec<Undoing> = in_turn(ops).iter().map(|op| inverter.invert(op)).collect();
    let plan = inverter.take();
    // Taken from there in any other way it would leave its information behind, about nothing.
    for step in plan.steps.iter().filter(|s| s.kind.relocates()) {
        let trashed = step.src.as_ref().is_some_and(|src| src.path().starts_with("/trash"));
        assert!(!trashed || step.kind == StepKind::Restore, "{step:?}");
    }
    m.apply(&plan);
    undoings.into_iter().filter(|u| !u.directory).map(|u| u.outcome).collect()
}

fn in_turn(ops: &[Operation]) -> Vec<Operation> {
    let mut ops = ops.to_vec();
    ops.sort_by_key(|op| (turn(op), Reverse(op.id)));
    ops
}

fn moved() -> (Model, Vec<Operation>) {
    let mut m = Model::new();
    m.file("/r/x", 7, 7);
    let ops = file(&mut m, "/r/x", &Action::Move(to("d/e/")), Conflict::Rename);
    (m, ops)
}

#[test]
fn a_move_and_the_directories_made_for_it_are_taken_back() {
    let (mut m, ops) = moved();
    assert_eq!(undo(&mut m, &ops, Trigger::Rollback), [Undone::Restored]);
    assert!(m.nodes.contains_key(Path::new("/r/x")));
    assert!(!m.nodes.contains_key(Path::new("/r/d")));
}

#[test]
fn a_directory_goes_although_an_earlier_operation_used_it() {
    // Two batches run beside each other: the one with the higher numbers made the directory first.
    let mut m = Model::new();
    m.file("/r/x", 1, 1);
    m.file("/r/y", 1, 1);
    let mut ops = file(&mut m, "/r/x", &Action::Move(to("d/e/")), Conflict::Rename);
    ops.extend(file(&mut m, "/r/y", &Action::Move(to("d/e/")), Conflict::Rename));
    let (first, last) = (ops[0].id, ops[ops.len() - 1].id);
    ops.iter_mut().for_each(|op| op.id = OpId(first.0 + last.0 - op.id.0));
    assert_eq!(undo(&mut m, &ops, Trigger::Rollback), [Undone::Restored, Undone::Restored]);
    assert!(!m.nodes.contains_key(Path::new("/r/d")));
}

#[test]
fn a_directory_that_is_used_by_now_stays() {
    let (mut m, ops) = moved();
    m.file("/r/d/mine", 1, 1);
    undo(&mut m, &ops, Trigger::Rollback);
    assert!(m.nodes.contains_key(Path::new("/r/d/mine")));
    assert!(!m.nodes.contains_key(Path::new("/r/d/e")));
}

#[test]
fn outcomes() {
    // An occupied name is not touched.
    let (mut m, ops) = moved();
    m.file("/r/x", 1, 1);
    assert_eq!(undo(&mut m, &ops, Trigger::Rollback), [Undone::RestoredAs("/r/x (2)".into())]);

    // Edited: same file, other content.
    let (mut m, ops) = moved();
    let Some(Node::File(stat)) = m.nodes.get_mut(Path::new("/r/d/e/x")) else { panic!() };
    stat.id.size = 99;
    assert_eq!(undo(&mut m, &ops, Trigger::Rollback), [Undone::KeptEdited]);
    assert_eq!(m.files()[Path::new("/r/x")].id.size, 99);

    // Deleted, or replaced by another file of the same name.
    for put_another in [false, true] {
        let (mut m, ops) = moved();
        m.nodes.remove(Path::new("/r/d/e/x"));
        if put_another {
            m.file("/r/d/e/x", 7, 7);
        }
        let before = m.files();
        let [Undone::Missing(why)] = &undo(&mut m, &ops, Trigger::Rollback)[..] else { panic!() };
        assert_eq!(why.contains("another file stands there now"), put_another, "{why}");
        assert_eq!(m.files(), before);
    }

    // Trashed, and the trash emptied.
    let mut m = Model::new();
    m.file("/r/x", 1, 1);
    let ops = file(&mut m, "/r/x", &Action::Trash, Conflict::Rename);
    m.nodes.remove(Path::new("/trash/files/x"));
    assert_eq!(undo(&mut m, &ops, Trigger::Rollback), [Undone::Irrecoverable]);

    // The way back leads through something that is no directory.
    let mut m = Model::new();
    m.file("/r/sub/x", 1, 1);
    let ops = file(&mut m, "/r/sub/x", &Action::Move(to("d/")), Conflict::Rename);
    m.nodes.insert("/r/sub".into(), link("/elsewhere"));
    assert!(matches!(undo(&mut m, &ops, Trigger::Rollback)[..], [Undone::Error(_)]));
}

#[test]
fn a_file_that_was_moved_on_is_followed() {
    let (mut m, first) = moved();
    let on = file(&mut m, "/r/d/e/x", &Action::Move(to("far/")), Conflict::Rename);
    let last = file(&mut m, "/r/far/x", &Action::Trash, Conflict::Rename);
    assert_eq!((on.len(), last.len()), (2, 1));
    assert_eq!(undo(&mut m, &first, Trigger::Rollback), [Undone::Restored]);
    assert_eq!(m.files().keys().collect::<Vec<_>>(), [Path::new("/r/x")]);
}

/// Moved within the trash it would leave its information behind, about nothing.
#[test]
fn what_is_in_the_trash_already_is_not_trashed_again() {
    let mut m = Model::new();
    m.file("/r/x", 7, 7);
    let copied = file(&mut m, "/r/x", &Action::Copy(to("d/")), Conflict::Rename);
    file(&mut m, "/r/d/x", &Action::Trash, Conflict::Rename);
    let before = m.files();
    assert_eq!(undo(&mut m, &copied, Trigger::Rollback), [Undone::Restored]);
    assert_eq!(m.files(), before);
}

#[test]
fn another_file_that_had_the_name_later_is_not_followed() {
    let (mut m, first) = moved();
    m.nodes.remove(Path::new("/r/d/e/x"));
    m.file("/r/d/e/x", 7, 7);
    file(&mut m, "/r/d/e/x", &Action::Move(to("far/")), Conflict::Rename);
    let before = m.files();
    assert!(matches!(undo(&mut m, &first, Trigger::Rollback)[..], [Undone::Missing(_)]));
    assert_eq!(m.files(), before);
}

#[test]
fn a_file_that_is_further_back_already_stays_there() {
    let (mut m, first) = moved();
    let on = file(&mut m, "/r/d/e/x", &Action::Move(to("far/")), Conflict::Rename);
    // Only the older operation is undone, from where the newer one took the file.
    assert_eq!(undo(&mut m, &first, Trigger::Rollback), [Undone::Restored]);
    assert_eq!(undo(&mut m, &on, Trigger::Rollback), [Undone::Settled]);
    assert_eq!(m.files().keys().collect::<Vec<_>>(), [Path::new("/r/x")]);
}

#[test]
fn a_file_that_is_back_by_another_way_stays_under_its_name() {
    let (mut m, first) = moved();
    // The person had it moved back by another operation before undoing the first.
    let back = file(&mut m, "/r/d/e/x", &Action::Move(to("{stem}")), Conflict::Rename);
    assert_eq!(back.last().unwrap().step.dst.as_ref().unwrap().path(), Path::new("/r/x"));
    assert_eq!(undo(&mut m, &first, Trigger::Rollback), [Undone::Restored]);
    assert!(m.nodes.contains_key(Path::new("/r/x")));
    assert_eq!(m.files().len(), 1);
}

#[test]
fn parents_that_are_gone_are_made_again() {
    let mut m = Model::new();
    m.file("/r/sub/deep/x", 1, 1);
    let ops = file(&mut m, "/r/sub/deep/x", &Action::Move(to("d/")), Conflict::Rename);
    m.nodes.remove(Path::new("/r/sub/deep"));
    m.nodes.remove(Path::new("/r/sub"));
    assert_eq!(undo(&mut m, &ops, Trigger::Rollback), [Undone::Restored]);
    assert!(m.nodes.contains_key(Path::new("/r/sub/deep/x")));
}

#[test]
fn a_hard_link_goes_while_the_other_name_stands_and_to_the_trash_when_it_does_not() {
    let second_name = Action::HardLink(to("d/"));
    let mut m = Model::new();
    m.file("/r/x", 1, 1);
    let ops = file(&mut m, "/r/x", &second_name, Conflict::Rename);
    assert_eq!(undo(&mut m, &ops, Trigger::Rollback), [Undone::Restored]);
    assert_eq!(m.files().into_keys().collect::<Vec<_>>(), [Path::new("/r/x")]);
    let undone: Vec<_> = m.log.iter().filter(|o| o.step.undo).cloned().collect();
    assert_eq!(undo(&mut m, &undone, Trigger::Redo), [Undone::Restored]);
    assert_eq!(m.nodes.get(Path::new("/r/d/x")), m.nodes.get(Path::new("/r/x")));

    m.nodes.remove(Path::new("/r/x"));
    let redone = m.log.iter().rfind(|o| !o.step.kind.is_directory()).cloned().unwrap();
    assert_eq!(undo(&mut m, &[redone], Trigger::Rollback), [Undone::Restored]);
    assert!(m.nodes.contains_key(Path::new("/trash/files/x")), "{:?}", m.nodes);
}

/// A disk on which one place cannot be looked at.
struct Unseen<'m>(&'m Model, &'static str);

impl World for Unseen<'_> {
    fn lookup(&self, place: &Place) -> Lookup {
        match place.path() == Path::new(self.1) {
            true => Lookup::Unknown("an I/O error".into()),
            false => self.0.lookup(place),
        }
    }

    fn directory(&self, base: &Arc<Path>, rel: &Path) -> Option<Stat> {
        self.0.directory(base, rel)
    }

    fn volume(&self, place: &Place) -> Result<Volume, String> {
        self.0.volume(place)
    }

    fn trash_for(&self, src: &Place, dev: u64) -> Result<Arc<Path>, String> {
        self.0.trash_for(src, dev)
    }

    fn same_bytes(&self, a: (&Place, &Stat), b: (&Place, &Stat)) -> bool {
        self.0.same_bytes(a, b)
    }

    fn all_entries(&self, dir: &Place, test: &dyn Fn(&OsStr) -> bool) -> bool {
        self.0.all_entries(dir, test)
    }
}

#[test]
fn a_hard_link_stays_while_it_cannot_be_told_whether_the_other_name_stands() {
    let mut m = Model::new();
    m.file("/r/x", 1, 1);
    let ops = file(&mut m, "/r/x", &Action::HardLink(to("d/")), Conflict::Rename);
    let made = ops.iter().find(|op| op.step.kind == StepKind::HardLink).unwrap();
    let world = Unseen(&m, "/r/x");
    let mut inverter = Inverter::new(&world, &m, Trigger::Rollback);
    assert_eq!(inverter.invert(made).outcome, Undone::Error("an I/O error".into()));
    assert_eq!(inverter.take().steps, []);
}

#[test]
fn a_symbolic_link_goes_only_if_it_is_the_one_that_was_made() {
    let mut m = Model::new();
    m.file("/r/x", 1, 1);
    let ops = file(&mut m, "/r/x", &Action::Symlink(to("d/")), Conflict::Rename);
    let made = m.nodes.get(Path::new("/r/d/x")).cloned();
    let theirs = link("/r/x");
    m.nodes.insert("/r/d/x".into(), theirs.clone());
    let outcomes = undo(&mut m, &ops, Trigger::Rollback);
    assert!(matches!(outcomes.as_slice(), [Undone::Missing(_)]), "{outcomes:?}");
    assert_eq!(m.nodes.get(Path::new("/r/d/x")), Some(&theirs));

    m.nodes.insert("/r/d/x".into(), made.unwrap());
    assert_eq!(undo(&mut m, &ops, Trigger::Rollback), [Undone::Restored]);
    assert!(!m.nodes.contains_key(Path::new("/r/d/x")));
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => prop::sample::select(vec!["d/", "e/f/", "{parent|'top'}/", "{stem}-{size}"])
            .prop_map(|t| Action::Move(to(t))),
        1 => Just(Action::Copy(to("copies/"))),
        1 => Just(Action::Reflink(to("copies/"))),
        1 => Just(Action::HardLink(to("links/"))),
        1 => Just(Action::Symlink(to("links/"))),
        1 => Just(Action::Trash),
    ]
}

/// Without hard links: the model edits one name of a file at a time.
fn unlinked_action() -> impl Strategy<Value = Action> {
    action().prop_filter("a hard link", |a| !matches!(a, Action::HardLink(_)))
}

fn conflict() -> impl Strategy<Value = Conflict> {
    prop::sample::select(Conflict::ALL.iter().map(|c| c.1).collect::<Vec<_>>())
}

proptest! {
    /// Whatever was filed in however many batches: undoing everything gives the tree back, redoing
    /// gives the filed tree again, and on the way no step meets a taken name or another file (the
    /// model panics then). Nothing is ever lost.
    #[test]
    fn undo_restores_and_redo_repeats(
        files in prop::collection::btree_map("(a|b|d|e/f)/[xy]{1,2}|[xyz]", (0u64..3, 0i64..3), 1..10),
        batches in prop::collection::vec((prop::collection::vec((any::<prop::sample::Index>(), action()), 1..6), conflict()), 1..4),
    ) {
        let mut m = Model::new();
        for (path, (size, mtime)) in &files {
            m.file(&format!("/r/{path}"), *size, *mtime);
        }
        let before = m.nodes.clone();
        let contents = |m: &Model| m.files().len();
        let n = contents(&m);
        let mut ops = Vec::new();
        for (batch, conflict) in batches {
            let world = m.clone();
            let mut planner = Planner::new(&world, Trigger::Watch);
            let mut taken = std::collections::BTreeSet::new();
            let candidates: Vec<_> = world.files().into_keys().filter(|p| p.starts_with("/r")).collect();
            for (which, action) in batch {
                if candidates.is_empty() {
                    continue;
                }
                let path = which.get(&candidates);
                // One decision a file and batch, as the pipeline does it.
                if !taken.insert(path.clone()) {
                    continue;
                }
                let planned = planner.file(
                    &facts(&world, path.to_str().unwrap()), &decision(&[action]), handling(conflict), None);
                let _: Planned = planned;
            }
            ops.extend(m.apply(&planner.finish()));
        }
        let is_file = |k: StepKind| k.keeps_source() && k != StepKind::Symlink;
        let copies = ops.iter().filter(|o| is_file(o.step.kind)).count();
        prop_assert_eq!(contents(&m), n + copies, "files were lost or invented");
        let filed = m.nodes.clone();

        let undone = undo(&mut m, &ops, Trigger::Rollback);
        prop_assert!(undone.iter().all(|u| *u == Undone::Restored), "{:?}", undone);
        let back: std::collections::BTreeMap<_, _> = m.nodes.iter()
            .filter(|(p, _)| !p.starts_with("/trash")).map(|(p, n)| (p.clone(), n.clone())).collect();
        let expected: std::collections::BTreeMap<_, _> = before.into_iter()
            .filter(|(p, _)| !p.starts_with("/trash")).collect();
        prop_assert_eq!(back, expected);

        let undos: Vec<Operation> = m.log[ops.len()..].iter()
            .filter(|o| o.state == crate::operation::OpState::Done).cloned().collect();
        let redone = undo(&mut m, &undos, Trigger::Redo);
        prop_assert!(redone.iter().all(Undone::is_back), "{:?}", redone);
        let shape = |nodes: &std::collections::BTreeMap<PathBuf, Node>| -> Vec<PathBuf> {
            nodes.iter().filter(|(p, _)| !p.starts_with("/trash")).map(|(p, _)| p.clone()).collect()
        };
        prop_assert_eq!(shape(&m.nodes), shape(&filed));
    }
}

#[test]
fn a_file_that_was_taken_back_with_an_earlier_operation_is_settled() {
    let (mut m, first) = moved();
    let second = file(&mut m, "/r/d/e/x", &Action::Move(to("far/")), Conflict::Rename);
    assert_eq!(undo(&mut m, &first, Trigger::Rollback), [Undone::Restored]);
    let home = m.files();
    // The second is settled: the rollback of the first has taken it back, too.
    assert_eq!(undo(&mut m, &second, Trigger::Rollback), [Undone::Settled]);
    assert_eq!(m.files(), home);
    // A redo of that rollback puts it in effect again.
    let undone: Vec<Operation> =
        m.log.iter().filter(|o| o.step.inverse_of == Some(first[2].id)).cloned().collect();
    assert_eq!(undo(&mut m, &undone, Trigger::Redo), [Undone::Restored]);
    let in_effect = m.clone();
    assert_eq!(undo(&mut m, &second, Trigger::Rollback), [Undone::Restored]);
    assert!(m.nodes.contains_key(Path::new("/r/d/e/x")));
    // And a rollback of that redo settles it once more.
    let mut m = in_effect;
    let redone: Vec<Operation> =
        m.log.iter().filter(|o| o.step.inverse_of == Some(undone[0].id)).cloned().collect();
    assert_eq!(undo(&mut m, &redone, Trigger::Rollback), [Undone::Restored]);
    assert_eq!(undo(&mut m, &second, Trigger::Rollback), [Undone::Settled]);
}

#[test]
fn a_rollback_after_which_the_file_was_filed_anew_is_settled() {
    let (mut m, first) = moved();
    undo(&mut m, &first, Trigger::Rollback);
    let undone: Vec<Operation> = m.log.iter().filter(|o| o.step.undo).cloned().collect();
    file(&mut m, "/r/x", &Action::Move(to("other/")), Conflict::Rename);
    let anew = m.files();
    assert_eq!(undo(&mut m, &undone, Trigger::Redo), [Undone::Settled]);
    assert_eq!(m.files(), anew);
}

/// What a person does between our doings. Numbers pick among what is there.
#[derive(Debug, Clone)]
enum Act {
    File(Vec<(prop::sample::Index, Action)>, Conflict),
    Undo(Pick),
    Redo(Pick),
    Edit(prop::sample::Index),
    Delete(prop::sample::Index),
    /// Moved by hand to where nobody looks.
    Take(prop::sample::Index),
    /// Saved anew: another file under the same name.
    Replace(prop::sample::Index),
    Put(&'static str),
    Folder(&'static str),
}

#[derive(Debug, Clone)]
enum Pick {
    One(prop::sample::Index),
    Beneath(&'static str),
    Since(prop::sample::Index),
    Last,
}

const PLACES: [&str; 8] =
    ["/r/x", "/r/y", "/r/a/x", "/r/d/x", "/r/d/y", "/r/e/f/x", "/r/copies/x", "/r/x (2)"];

fn pick() -> impl Strategy<Value = Pick> {
    prop_oneof![
        any::<prop::sample::Index>().prop_map(Pick::One),
        prop::sample::select(vec!["/r/d", "/r/e", "/r/a", "/r/x"]).prop_map(Pick::Beneath),
        any::<prop::sample::Index>().prop_map(Pick::Since),
        Just(Pick::Last),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let batch = prop::collection::vec((any::<prop::sample::Index>(), unlinked_action()), 1..4);
    prop_oneof![
        6 => (batch, conflict()).prop_map(|(b, c)| Act::File(b, c)),
        5 => pick().prop_map(Act::Undo),
        3 => pick().prop_map(Act::Redo),
        1 => any::<prop::sample::Index>().prop_map(Act::Edit),
        1 => any::<prop::sample::Index>().prop_map(Act::Delete),
        1 => any::<prop::sample::Index>().prop_map(Act::Take),
        1 => any::<prop::sample::Index>().prop_map(Act::Replace),
        1 => prop::sample::select(PLACES.to_vec()).prop_map(Act::Put),
        1 => prop::sample::select(PLACES.to_vec()).prop_map(Act::Folder),
    ]
}

/// A model with what is needed to judge it.
struct House {
    m: Model,
    /// Where each file was when it came, by inode.
    homes: std::collections::BTreeMap<u64, PathBuf>,
    /// Files that a person deleted or took away, or that came back under another name.
    strayed: std::collections::BTreeSet<u64>,
    deleted: usize,
}

impl House {
    fn put(&mut self, path: &str) {
        let free = |p: &Path| !self.m.nodes.contains_key(p);
        let above = Path::new(path).ancestors().skip(1);
        let mut above = above.map(|d| self.m.nodes.get(d));
        if free(Path::new(path)) && above.all(|n| matches!(n, None | Some(Node::Dir))) {
            let stat = self.m.file(path, 5, 5);
            self.homes.insert(stat.id.ino, path.into());
        }
    }

    /// Files that are in nobody's trash or pocket.
    fn candidates(&self) -> Vec<PathBuf> {
        self.m.files().into_keys().filter(|p| p.starts_with("/r")).collect()
    }

    fn remove(&mut self, path: &PathBuf) -> u64 {
        let Some(Node::File(stat)) = self.m.nodes.remove(path) else { panic!("{path:?}") };
        self.strayed.insert(stat.id.ino);
        stat.id.ino
    }

    fn file(&mut self, batch: Vec<(prop::sample::Index, Action)>, conflict: Conflict) {
        let world = self.m.clone();
        let mut planner = Planner::new(&world, Trigger::Watch);
        let candidates = self.candidates();
        let mut taken = std::collections::BTreeSet::new();
        for (which, action) in batch.into_iter().filter(|_| !candidates.is_empty()) {
            let path = which.get(&candidates);
            if taken.insert(path) {
                let facts = facts(&world, path.to_str().unwrap());
                planner.file(&facts, &decision(&[action]), handling(conflict), None);
            }
        }
        self.m.apply(&planner.finish());
    }

    /// What is done, in that direction, and not inverted.
    fn in_effect(&self, undo: bool) -> Vec<Operation> {
        let done = |o: &&Operation| o.state == crate::operation::OpState::Done;
        let inverted: std::collections::BTreeSet<OpId> =
            self.m.log.iter().filter(done).filter_map(|o| o.step.inverse_of).collect();
        let here = self.m.log.iter().filter(done);
        here.filter(|o| o.step.undo == undo && !inverted.contains(&o.id)).cloned().collect()
    }

    fn invert(&mut self, pick: Option<Pick>, undo: bool) {
        let mut ops = self.in_effect(undo);
        if ops.is_empty() {
            return;
        }
        let one = |i: prop::sample::Index| i.get(&ops).id;
        let last = ops[ops.len() - 1].batch;
        let wanted: Box<dyn Fn(&Operation) -> bool> = match pick {
            None => Box::new(|_| true),
            Some(Pick::One(i)) => Box::new(move |o| o.id == one(i)),
            Some(Pick::Since(i)) => Box::new(move |o| o.id >= one(i)),
            Some(Pick::Last) => Box::new(move |o| o.batch == last),
            Some(Pick::Beneath(dir)) => Box::new(move |o| {
                let ends = [&o.step.src, &o.step.dst].into_iter().flatten();
                ends.map(Place::path).any(|p| p.starts_with(dir))
            }),
        };
        let picked: Vec<Operation> = ops.iter().filter(|o| wanted(o)).cloned().collect();
        drop(wanted);
        ops = in_turn(&picked);
        let before = self.m.clone();
        let trigger = if undo { Trigger::Redo } else { Trigger::Rollback };
        let mut inverter = Inverter::new(&before, &before, trigger);
        for op in &ops {
            if let Undone::RestoredAs(_) = inverter.invert(op).outcome {
                self.strayed.extend(op.landed.map(|id| id.ino));
            }
        }
        // Panics when a name is taken, or another file is meant.
        self.m.apply(&inverter.take());
    }

    fn act(&mut self, act: Act) {
        let files = self.candidates();
        match act {
            Act::File(batch, conflict) => self.file(batch, conflict),
            Act::Undo(pick) => self.invert(Some(pick), false),
            Act::Redo(pick) => self.invert(Some(pick), true),
            Act::Put(path) => self.put(path),
            Act::Folder(path) => {
                let parent = self.m.nodes.get(Path::new(path).parent().unwrap());
                if parent == Some(&Node::Dir) {
                    self.m.nodes.entry(path.into()).or_insert(Node::Dir);
                }
            }
            _ if files.is_empty() => {}
            Act::Edit(i) => {
                let Some(Node::File(stat)) = self.m.nodes.get_mut(i.get(&files)) else { panic!() };
                stat.id.size += 1;
            }
            Act::Delete(i) => {
                self.remove(i.get(&files));
                self.deleted += 1;
            }
            Act::Take(i) => {
                let Some(node) = self.m.nodes.get(i.get(&files)).cloned() else { panic!() };
                let ino = self.remove(i.get(&files));
                self.m.nodes.insert(format!("/pocket {ino}").into(), node);
            }
            Act::Replace(i) => {
                let path: &PathBuf = i.get(&files);
                self.remove(path);
                self.deleted += 1;
                self.put(path.to_str().unwrap());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 512 } else { 4096 }))]

    /// Whatever is filed, put back in any choice and order, redone, and done to the files meanwhile:
    /// nothing is replaced or lost, and a rollback of everything puts every file that nobody took
    /// away back to where it was when it came.
    #[test]
    fn whatever_happens_a_rollback_of_everything_is_the_tree_as_it_was(
        start in prop::sample::subsequence(PLACES.to_vec(), 1..6),
        acts in prop::collection::vec(act(), 1..14),
    ) {
        let mut house = House {
            m: Model::new(), homes: Default::default(), strayed: Default::default(), deleted: 0,
        };
        start.into_iter().for_each(|p| house.put(p));
        for act in acts {
            house.act(act);
            let is_copy = |o: &&Operation| matches!(o.step.kind, StepKind::Copy | StepKind::Reflink);
            let copies = house.m.log.iter().filter(is_copy).count();
            let there = house.m.files().len() + house.deleted;
            prop_assert_eq!(there, house.homes.len() + copies, "lost or invented");
        }
        house.invert(None, false);
        let at: std::collections::BTreeMap<u64, PathBuf> =
            house.m.files().into_iter().map(|(p, s)| (s.id.ino, p)).collect();
        for (ino, home) in house.homes.iter().filter(|(ino, _)| !house.strayed.contains(ino)) {
            let now = at.get(ino);
            let by_other = |other: &u64| Some(home) == at.get(other).filter(|_| other != ino);
            prop_assert!(
                now == Some(home) || house.strayed.iter().any(by_other)
                    || house.m.nodes.get(home) == Some(&Node::Dir),
                "{} is at {:?}, and came to {:?}", ino, now, home
            );
        }
    }
}
