//! Two plans at a time, where neither can notice the other.
//!
//! A plan that was made while another one is carried out is the one that would have been made after it, unless the
//! disk was asked about something that the other one changes. So it is watched what is asked.

use std::cell::Cell;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidy_core::facts::{Identity, Stat};
use tidy_core::naming::Naming;
use tidy_core::operation::{OpId, Operation};
use tidy_core::plan::{Lookup, Place, Plan, StepKind, Untold, World};
use tidy_core::requirement::Volume;
use tidy_core::rollback::History;

/// What a plan changes, and what has to stay as it is for its steps.
#[derive(Debug, Default)]
pub(super) struct Touched {
    files: HashSet<PathBuf>,
    /// Directories that it makes.
    made: HashSet<PathBuf>,
    relied_on: HashSet<PathBuf>,
    /// It does more than can be told by the names in it.
    more: bool,
}

impl Touched {
    pub(super) fn of(plan: &Plan) -> Self {
        let mut touched = Self::default();
        for step in &plan.steps {
            let [src, dst] = [&step.src, &step.dst].map(|p| p.as_ref().map(Place::path));
            match step.kind {
                StepKind::MakeDir => touched.made.extend(dst),
                StepKind::Move | StepKind::Trash => {
                    touched.files.extend(src.into_iter().chain(dst))
                }
                // What a copy is made of keeps its place, and yet it is read, or gets another count of links.
                StepKind::Copy
                | StepKind::Reflink
                | StepKind::HardLink
                | StepKind::Symlink
                | StepKind::Tag => touched.files.extend(src.into_iter().chain(dst)),
                StepKind::MoveDir
                | StepKind::RemoveDir
                | StepKind::Unlink
                | StepKind::Restore
                | StepKind::Run => touched.more = true,
            }
            let relied_on = [&step.twin, &step.follows].into_iter().flatten();
            touched.relied_on.extend(relied_on.map(|twin| twin.path.clone()));
        }
        touched
    }

    /// Whether the steps of both may be taken at once, in any order.
    pub(super) fn is_apart_from(&self, other: &Self) -> bool {
        let apart = |changed: &HashSet<PathBuf>, of: &Self| {
            changed.is_disjoint(&of.files) && changed.is_disjoint(&of.relied_on)
        };
        // Both may find that a directory is to be made: the second finds it there.
        !self.more && !other.more && apart(&self.files, other) && apart(&other.files, self)
    }
}

/// The disk, while plans are carried out on it.
pub(super) struct Watched<'d> {
    disk: &'d dyn World,
    under_way: Vec<&'d Touched>,
    was_asked: Cell<bool>,
}

impl<'d> Watched<'d> {
    pub(super) fn new(disk: &'d dyn World, under_way: impl Iterator<Item = &'d Touched>) -> Self {
        Self { disk, under_way: under_way.collect(), was_asked: Cell::new(false) }
    }

    /// Whether an answer may be another one when the plans under way have been carried out.
    pub(super) fn was_asked(&self) -> bool {
        self.was_asked.get()
    }

    fn note(&self, asked: bool) {
        if asked {
            self.was_asked.set(true);
        }
    }

    fn is_changed(&self, path: &Path) -> bool {
        self.under_way.iter().any(|plan| plan.files.contains(path))
    }
}

impl World for Watched<'_> {
    fn lookup(&self, place: &Place) -> Lookup {
        let there = self.disk.lookup(place);
        if !self.under_way.is_empty() {
            let path = place.path();
            // A directory that is there stays.
            let made = there != Lookup::Directory
                && self.under_way.iter().any(|plan| plan.made.contains(&path));
            self.note(made || self.is_changed(&path));
        }
        there
    }

    fn directory(&self, base: &Arc<Path>, rel: &Path) -> Option<Stat> {
        self.disk.directory(base, rel)
    }

    fn trash_for(&self, src: &Place, dev: u64) -> Result<Arc<Path>, String> {
        self.disk.trash_for(src, dev)
    }

    fn same_bytes(&self, a: (&Place, &Stat), b: (&Place, &Stat)) -> bool {
        self.note([a, b].iter().any(|(place, _)| self.is_changed(&place.path())));
        self.disk.same_bytes(a, b)
    }

    fn naming(&self, place: &Place) -> Naming {
        self.disk.naming(place)
    }

    fn tags(&self, place: &Place, id: Identity) -> Result<Option<Vec<u8>>, Untold> {
        self.note(self.is_changed(&place.path()));
        self.disk.tags(place, id)
    }

    fn takes_tags(&self, place: &Place) -> Result<(), String> {
        self.disk.takes_tags(place)
    }

    fn volume(&self, place: &Place) -> Result<Volume, String> {
        // What is under way may take of what is free.
        self.note(!self.under_way.is_empty());
        self.disk.volume(place)
    }

    fn all_entries(&self, dir: &Place, test: &dyn Fn(&OsStr) -> bool) -> bool {
        self.note(!self.under_way.is_empty());
        self.disk.all_entries(dir, test)
    }
}

/// The journal, while the operations of plans under way come into it.
pub(super) struct WatchedPast<'w> {
    past: &'w dyn History,
    watched: &'w Watched<'w>,
}

impl<'w> WatchedPast<'w> {
    /// What is asked is noted with what is asked of the disk.
    pub(super) fn new(past: &'w dyn History, watched: &'w Watched<'w>) -> Self {
        Self { past, watched }
    }
}

impl History for WatchedPast<'_> {
    fn moved_on(&self, from: &Path, after: OpId, file: &Identity) -> Option<Operation> {
        self.watched.note(self.watched.is_changed(from));
        self.past.moved_on(from, after, file)
    }

    fn operation(&self, id: OpId) -> Option<Operation> {
        // It has ended: numbers come from operations that have.
        self.past.operation(id)
    }
}

#[cfg(test)]
mod tests {
    use tidy_core::operation::Trigger;
    use tidy_core::plan::{Step, Twin};
    use tidy_core::rules::RuleName;

    use super::*;

    fn place(rel: &str) -> Place {
        Place::new(Path::new("/home").into(), rel.into()).unwrap()
    }

    fn step(kind: StepKind, src: Option<&str>, dst: Option<&str>) -> Step {
        Step {
            kind,
            src: src.map(place),
            dst: dst.map(place),
            expect: None,
            twin: None,
            follows: None,
            tags: None,
            command: None,
            considered: None,
            digest: None,
            rule: RuleName::from("a"),
            why: String::new(),
            inverse_of: None,
            undo: false,
            further: false,
        }
    }

    fn touched(steps: Vec<Step>) -> Touched {
        Touched::of(&Plan { trigger: Trigger::Watch, steps })
    }

    fn moving(from: &str, to: &str) -> Step {
        step(StepKind::Move, Some(from), Some(to))
    }

    #[test]
    fn plans_are_apart_when_no_file_is_in_both() {
        let one = touched(vec![step(StepKind::MakeDir, None, Some("d")), moving("a", "d/a")]);
        let apart = |steps: Vec<Step>| {
            let other = touched(steps);
            assert_eq!(one.is_apart_from(&other), other.is_apart_from(&one));
            one.is_apart_from(&other)
        };
        assert!(apart(vec![step(StepKind::MakeDir, None, Some("d")), moving("b", "d/b")]));
        assert!(!apart(vec![moving("b", "a")]), "into the place that becomes free");
        assert!(!apart(vec![moving("d/a", "c")]), "on from where it went");
        assert!(!apart(vec![step(StepKind::Copy, Some("a"), Some("c"))]));
        let id = tidy_core::facts::Identity {
            ino: 1,
            size: 1,
            mtime: tidy_core::UnixNanos(0),
            birth: None,
        };
        let twin = |path: &str| Some(Twin { path: place(path).path(), id });
        assert!(!apart(vec![Step { twin: twin("a"), ..moving("b", "c") }]));
        assert!(!apart(vec![Step { follows: twin("d/a"), ..moving("b", "d/b") }]));
        assert!(apart(vec![Step { twin: twin("e"), ..moving("b", "c") }]));
        assert!(
            !apart(vec![step(StepKind::MoveDir, Some("x"), Some("y"))]),
            "more than its name says"
        );
    }

    struct Nothing(Lookup);

    impl World for Nothing {
        fn lookup(&self, _: &Place) -> Lookup {
            self.0.clone()
        }

        fn directory(&self, _: &Arc<Path>, _: &Path) -> Option<Stat> {
            None
        }

        fn volume(&self, _: &Place) -> Result<Volume, String> {
            Err("there is none".into())
        }

        fn trash_for(&self, _: &Place, _: u64) -> Result<Arc<Path>, String> {
            Err("there is none".into())
        }

        fn same_bytes(&self, _: (&Place, &Stat), _: (&Place, &Stat)) -> bool {
            false
        }

        fn all_entries(&self, _: &Place, _: &dyn Fn(&OsStr) -> bool) -> bool {
            true
        }
    }

    #[test]
    fn it_is_noticed_what_may_have_another_answer_soon() {
        let under_way = touched(vec![step(StepKind::MakeDir, None, Some("d")), moving("a", "d/a")]);
        let asked = |there: Lookup, ask: &dyn Fn(&dyn World)| {
            let disk = Nothing(there);
            let world = Watched::new(&disk, std::iter::once(&under_way));
            ask(&world);
            world.was_asked()
        };
        let lookup =
            |there, rel: &'static str| asked(there, &|w: &dyn World| drop(w.lookup(&place(rel))));
        assert!(lookup(Lookup::Absent, "a") && lookup(Lookup::Absent, "d/a"));
        assert!(lookup(Lookup::Absent, "d"), "it will be made");
        assert!(!lookup(Lookup::Directory, "d"), "it has been made");
        assert!(!lookup(Lookup::Absent, "b") && !lookup(Lookup::Absent, "d/b"));
        let all = |w: &dyn World| assert!(w.all_entries(&place("c"), &|_| true));
        assert!(asked(Lookup::Absent, &all));
        assert!(asked(Lookup::Absent, &|w: &dyn World| drop(w.volume(&place("c")))));
    }

    struct NoPast;

    impl History for NoPast {
        fn moved_on(&self, _: &Path, _: OpId, _: &Identity) -> Option<Operation> {
            None
        }

        fn operation(&self, _: OpId) -> Option<Operation> {
            None
        }
    }

    #[test]
    fn it_is_noticed_where_the_journal_may_soon_know_more() {
        let under_way = touched(vec![moving("a", "d/a")]);
        let asked = |rel: &str| {
            let disk = Nothing(Lookup::Absent);
            let world = Watched::new(&disk, std::iter::once(&under_way));
            let file = Identity { ino: 1, size: 1, mtime: tidy_core::UnixNanos(0), birth: None };
            let past = WatchedPast::new(&NoPast, &world);
            past.moved_on(&place(rel).path(), OpId(1), &file);
            world.was_asked()
        };
        assert!(asked("a") && asked("d/a"));
        assert!(!asked("b"));
    }
}
