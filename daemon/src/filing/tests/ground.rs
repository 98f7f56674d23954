//! Real ground for the tests of filing and survey: a temp tree, a configuration, catalog and journal.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tidy_config::{Config, Environment};
use tidy_core::UnixNanos;
use tidy_core::facts::FileType;
use tidy_core::operation::{Operation, Trigger};

use crate::beneath;
use crate::catalog::{Catalog, Entry, Filter, OutcomeKind};
use crate::coordinator::{Scanned, WalkStep};
use crate::filing::{Candidate, Filing, Mode, Progress, Report, Setup, UndoReport, Watcher};
use crate::inspect::CategoryTable;
use crate::journal::{Direction, Journal, JournalOptions, Selector};
use crate::readers::Readers;
use crate::store::{Store, StoreOptions};
use crate::survey::{Survey, Wanted};
use crate::unpacked::Unpacked;
use crate::watch::{Names, SystemBackend, Tree};

/// One folder `in` is watched, and nothing else is configured.
pub(crate) const PLAIN: &str = r#"watch = ["@/in"]"#;

/// What a run has told.
#[derive(Debug)]
pub(crate) struct Ran {
    report: Report,
    /// That have ended, in order.
    pub(crate) operations: Vec<Operation>,
}

impl Deref for Ran {
    type Target = Report;

    fn deref(&self) -> &Report {
        &self.report
    }
}

pub(crate) struct Ground {
    _temp: TempDir,
    pub(crate) base: PathBuf,
    pub(crate) setup: Arc<Setup>,
    pub(crate) filing: Filing,
    pub(crate) now: UnixNanos,
}

impl Ground {
    /// A home with the directory `in`, and a configuration in which `@` stands for that home.
    pub(crate) fn new(config: &str) -> Self {
        Self::with_dirs(config, &[])
    }

    /// The same with more directories than `in`.
    pub(crate) fn with_dirs(config: &str, dirs: &[&str]) -> Self {
        let temp = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let base = temp.path().canonicalize().unwrap();
        for dir in ["in", "state"].iter().chain(dirs) {
            fs::create_dir_all(base.join(dir)).unwrap();
        }
        let (store, _) = Store::open(&base.join("state/store"), StoreOptions::default()).unwrap();
        let (catalog, _) = Catalog::open(&store).unwrap();
        let (journal, _) =
            Journal::open(&base.join("state/journal"), store.db(), JournalOptions::default())
                .unwrap();
        let setup = setup(&base, config);
        let now = UnixNanos::from_parts(1_900_000_000, 0);
        let unpacked = Unpacked::open(store.db(), journal.clone());
        Self {
            _temp: temp,
            base,
            setup,
            filing: Filing::new(catalog, journal, Readers::here()).with_unpacked(unpacked),
            now,
        }
    }

    /// Another configuration from now on.
    pub(crate) fn configure(&mut self, config: &str) {
        self.setup = setup(&self.base, config);
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        self.filing.catalog()
    }

    pub(crate) fn path(&self, rel: impl AsRef<Path>) -> PathBuf {
        self.base.join(rel)
    }

    /// Writes a file, with the directories above it.
    pub(crate) fn put(&self, rel: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(rel);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn remove(&self, rel: &str) {
        fs::remove_file(self.path(rel)).unwrap();
    }

    // --- survey

    pub(crate) fn survey(&self) -> Survey<SystemBackend> {
        self.survey_of(Wanted::New)
    }

    pub(crate) fn survey_of(&self, wanted: Wanted) -> Survey<SystemBackend> {
        let none: Option<Tree<SystemBackend>> = None;
        Survey::new(self.setup.clone(), self.catalog().clone(), none, wanted)
            .with_unpacked(self.filing.unpacked())
    }

    /// One walk of every area, all steps together.
    pub(crate) fn walk(&self) -> Scanned {
        let mut survey = self.survey();
        let mut all = Scanned::default();
        for area in self.setup.areas() {
            walk_through(&mut survey, area.to_owned(), self.now, &mut all);
        }
        all
    }

    /// A look at some names of a directory.
    pub(crate) fn look(&self, dir: &str, names: &[&str]) -> Scanned {
        let names = Names::Some(names.iter().map(Into::into).collect());
        self.survey().scan(vec![(self.path(dir), names)], self.now)
    }

    /// What a walk finds undecided and free.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let free = self.walk().sightings.into_iter().filter(|s| s.held_by.is_none());
        free.map(|s| s.candidate).collect()
    }

    // --- filing

    pub(crate) fn run(&self, candidates: Vec<Candidate>) -> Ran {
        self.run_as(candidates, MODE)
    }

    pub(crate) fn run_as(&self, candidates: Vec<Candidate>, mode: Mode) -> Ran {
        self.run_watched(candidates, mode, &|_| {})
    }

    /// `at` is told of all progress.
    pub(crate) fn run_watched(
        &self,
        candidates: Vec<Candidate>,
        mode: Mode,
        at: &(dyn Fn(Progress<'_>) + Sync),
    ) -> Ran {
        let operations = Mutex::new(Vec::new());
        let progress = |p: Progress<'_>| {
            if let Progress::Operation(op) = &p {
                operations.lock().unwrap().push(Operation::clone(op));
            }
            at(p);
        };
        let watcher = Watcher { progress: &progress, stop: &AtomicBool::new(false) };
        let report = self.filing.run(&self.setup, candidates, mode, self.now, watcher).unwrap();
        Ran { report, operations: operations.into_inner().unwrap() }
    }

    /// A walk, and everything it found filed.
    pub(crate) fn tidy(&self) -> Ran {
        self.run(self.candidates())
    }

    pub(crate) fn undo(&self, selector: &Selector) -> UndoReport {
        self.invert(selector, Direction::Back)
    }

    pub(crate) fn redo(&self) -> UndoReport {
        self.invert(&Selector::Last(1), Direction::Again)
    }

    pub(crate) fn invert(&self, selector: &Selector, direction: Direction) -> UndoReport {
        let selection = self.filing.journal().select(selector, direction).unwrap();
        let watcher = Watcher { progress: &|_| {}, stop: &AtomicBool::new(false) };
        let dry = self.filing.undo(&self.setup, &selection, direction, true, watcher).unwrap();
        let done = self.filing.undo(&self.setup, &selection, direction, false, watcher).unwrap();
        let told = |report: &UndoReport| -> Vec<_> {
            report.files().map(|f| (f.op, f.path.clone(), f.outcome.clone())).collect()
        };
        assert_eq!(told(&dry), told(&done), "a dry run tells what is done");
        assert_eq!(dry.folders, done.folders, "{selection:?}");
        done
    }

    pub(crate) fn later(&mut self, d: Duration) {
        self.now = self.now.plus(d);
    }

    // --- what is there

    /// Every regular file below `rel` with its content, relative to the home.
    pub(crate) fn files(&self, rel: &str) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        list(&self.path(rel), &mut |path| {
            let content = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
            let rel = path.strip_prefix(&self.base).unwrap();
            found.insert(rel.to_string_lossy().into_owned(), content);
        });
        found
    }

    pub(crate) fn names(&self, rel: &str) -> Vec<String> {
        self.files(rel).into_keys().collect()
    }

    pub(crate) fn entry(&self, rel: &str) -> Option<Entry> {
        self.catalog().entry(&self.path(rel)).unwrap()
    }

    pub(crate) fn outcome(&self, rel: &str) -> Option<OutcomeKind> {
        self.entry(rel).map(|e| e.outcome.kind())
    }

    pub(crate) fn known(&self) -> BTreeMap<PathBuf, Entry> {
        let page = self.catalog().files(&Filter::default(), None, 1_000_000).unwrap();
        page.files.into_iter().collect()
    }

    /// The catalog is the disk: every entry speaks of the file that is there, and every file that
    /// has a right to an entry has one.
    pub(crate) fn check(&self) {
        self.check_entries();
        let known = self.known();
        let mut there = BTreeSet::new();
        for area in self.setup.areas() {
            list(area, &mut |path| there.extend([path.to_owned()]));
        }
        let missing: Vec<_> = there.iter().filter(|p| !known.contains_key(*p)).collect();
        assert!(missing.is_empty(), "not in the catalog: {missing:?}");
    }

    /// Only the first half.
    pub(crate) fn check_entries(&self) {
        for (path, entry) in self.known() {
            match beneath::lstat_path(&path) {
                Ok(stat) => {
                    assert_eq!(stat.file_type, FileType::Regular, "{path:?}");
                    assert_eq!(stat.id, entry.id, "{path:?}: {:?}", entry.outcome);
                }
                Err(e) => panic!("{path:?} is in the catalog as {:?}: {e}", entry.outcome),
            }
        }
        assert!(self.catalog().verify().unwrap().is_good());
    }
}

pub(crate) const MODE: Mode = Mode { trigger: Trigger::Watch, dry_run: false, asked: false };

fn setup(base: &Path, config: &str) -> Arc<Setup> {
    let env = Environment::of_home(base);
    let text = config.replace('@', base.to_str().unwrap());
    let config = Config::parse(&text, "test").unwrap_or_else(|e| panic!("{e}"));
    let resolved = config.resolve(&env).unwrap_or_else(|e| panic!("{e}"));
    assert!(resolved.problems.is_empty(), "{:?}", resolved.problems);
    let roots: Vec<Arc<_>> = resolved.roots.into_iter().map(Arc::new).collect();
    let outside = |s: &&PathBuf| !roots.iter().any(|r| s.starts_with(&r.path));
    let scope = roots[0].duplicates.scope.iter().filter(outside).cloned().collect();
    Arc::new(Setup::new(None, roots, scope, CategoryTable::new([]), env.trash_dir()))
}

/// Walks one subtree; returns the number of steps.
pub(crate) fn walk_through(
    survey: &mut Survey<SystemBackend>,
    dir: PathBuf,
    now: UnixNanos,
    all: &mut Scanned,
) -> usize {
    let mut step = WalkStep::Start(dir);
    for n in 1.. {
        let (mut found, finished) = survey.walk(step, now);
        all.sightings.append(&mut found.sightings);
        all.vanished.append(&mut found.vanished);
        all.problems.append(&mut found.problems);
        all.read.append(&mut found.read);
        all.lying += found.lying;
        all.root_problem = all.root_problem.or(found.root_problem);
        let earlier = all.revisit_at.into_iter().chain(found.revisit_at).min();
        all.revisit_at = earlier;
        if finished {
            return n;
        }
        step = WalkStep::Continue;
    }
    unreachable!("steps are counted without end")
}

fn list(dir: &Path, each: &mut dyn FnMut(&Path)) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let kind = fs::symlink_metadata(&path).unwrap();
        if kind.is_dir() {
            list(&path, each);
        } else if kind.is_file() {
            each(&path);
        }
    }
}
