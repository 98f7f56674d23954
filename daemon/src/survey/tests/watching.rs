//! The same with watches, kept by a backend that only writes down what it is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::{Ground, PLAIN};
use crate::coordinator::{RootState, Scanned, WalkStep};
use crate::survey::{Survey, Wanted};
use crate::watch::{Backend, Names, Tree, WatchError};

type OnWatch = Box<dyn FnMut(&Path) + Send>;

#[derive(Default)]
struct Seen {
    watched: Vec<PathBuf>,
    /// As `max_user_watches`.
    limit: Option<usize>,
    /// What happens when a directory is watched, before anything is read.
    on_watch: Option<OnWatch>,
}

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Seen>>);

impl Backend for Paper {
    fn watch(&mut self, dir: &Path) -> Result<(), WatchError> {
        let mut seen = self.0.lock().unwrap();
        if !seen.watched.iter().any(|d| d == dir) {
            if seen.limit.is_some_and(|l| seen.watched.len() >= l) {
                return Err(WatchError::LimitReached);
            }
            seen.watched.push(dir.to_owned());
        }
        if let Some(happens) = &mut seen.on_watch {
            happens(dir);
        }
        Ok(())
    }

    fn unwatch(&mut self, dir: &Path) {
        self.0.lock().unwrap().watched.retain(|d| d != dir);
    }
}

struct Watching<'a> {
    ground: &'a Ground,
    survey: Survey<Paper>,
    paper: Paper,
}

impl<'a> Watching<'a> {
    fn new(ground: &'a Ground) -> Self {
        let paper = Paper::default();
        let tree = Some(Tree::new(paper.clone()));
        let survey = Survey::new(ground.setup.clone(), ground.catalog().clone(), tree, Wanted::New);
        Self { ground, survey, paper }
    }

    fn walk(&mut self) -> Scanned {
        let (found, finished) =
            self.survey.walk(WalkStep::Start(self.ground.path("in")), self.ground.now);
        assert!(finished);
        found
    }

    fn look(&mut self, dir: &str, names: &[&str]) -> Scanned {
        let names = Names::Some(names.iter().map(Into::into).collect());
        self.survey.scan(vec![(self.ground.path(dir), names)], self.ground.now)
    }

    fn watched(&self) -> Vec<String> {
        let seen = self.paper.0.lock().unwrap();
        let rel = |p: &PathBuf| p.strip_prefix(&self.ground.base).unwrap().display().to_string();
        let mut watched: Vec<String> = seen.watched.iter().map(rel).collect();
        watched.sort();
        watched
    }
}

#[test]
fn a_directory_is_watched_before_it_is_read() {
    let ground = Ground::new(PLAIN);
    fs::create_dir(ground.path("in/sub")).unwrap();
    let mut me = Watching::new(&ground);
    // Whatever comes right after the watch is hinted at; what comes before it must be seen.
    me.paper.0.lock().unwrap().on_watch =
        Some(Box::new(|dir| fs::write(dir.join("just in time"), "x").unwrap()));
    assert_eq!(me.walk().sightings.len(), 2);
    assert_eq!(me.watched(), ["in", "in/sub"]);
}

#[test]
fn a_fresh_watch_means_the_whole_directory() {
    let ground = Ground::new(PLAIN);
    let mut me = Watching::new(&ground);
    me.walk();
    ground.put("in/new/a", "a");
    ground.put("in/new/b", "b");
    assert_eq!(me.look("in", &["new"]).new_dirs, [ground.path("in/new")]);
    assert_eq!(me.look("in/new", &["a"]).sightings.len(), 2);
    assert_eq!(me.look("in/new", &["a"]).sightings.len(), 1);
    assert!(me.look("in", &["new"]).new_dirs.is_empty(), "it is known now");
}

#[test]
fn what_is_not_entered_is_not_watched() {
    let ground = Ground::new("watch = [\"@/in\"]\nignore = [\"Keep/**\"]");
    for dir in ["plain/deep", "Keep/x", ".hidden", "node_modules/x", "x.app", "project/src"] {
        fs::create_dir_all(ground.path(Path::new("in").join(dir))).unwrap();
    }
    let mut me = Watching::new(&ground);
    me.walk();
    let plain = ["in", "in/plain", "in/plain/deep"];
    assert_eq!(me.watched(), [&plain[..], &["in/project", "in/project/src"]].concat());
    // What becomes a project gives up its watches, with everything below it.
    ground.put("in/project/.git", "gitdir: elsewhere");
    me.look("in/project", &[".git"]);
    assert_eq!(me.watched(), plain);
    me.look("in/project/src", &["x"]);
    me.look("in", &["project"]);
    assert_eq!(me.watched(), plain);
}

#[test]
fn gone_directories_give_up_their_watches() {
    let ground = Ground::new(PLAIN);
    fs::create_dir_all(ground.path("in/a/b")).unwrap();
    let mut me = Watching::new(&ground);
    me.walk();
    fs::remove_dir_all(ground.path("in/a")).unwrap();
    me.look("in", &["a"]);
    assert_eq!(me.watched(), ["in"]);
}

#[test]
fn a_limit_is_said_once_and_lifted_by_the_next_walk_with_room() {
    let ground = Ground::new(PLAIN);
    for dir in ["a", "b"] {
        ground.put(format!("in/{dir}/x"), dir);
    }
    let mut me = Watching::new(&ground);
    me.paper.0.lock().unwrap().limit = Some(2);
    let first = me.walk();
    assert!(first.unwatched);
    assert_eq!((first.problems.len(), first.sightings.len()), (1, 2), "all is read even so");
    let second = me.walk();
    assert_eq!((second.unwatched, second.problems.len()), (true, 0));
    me.paper.0.lock().unwrap().limit = None;
    assert!(!me.walk().unwatched);
    assert_eq!(me.watched(), ["in", "in/a", "in/b"]);
}

#[test]
fn a_missing_root_is_waited_for_in_its_nearest_parent() {
    let ground = Ground::with_dirs("watch = [\"@/x/y/root\"]", &["x/y/root"]);
    let mut me = Watching::new(&ground);
    let step = || WalkStep::Start(ground.path("x/y/root"));
    me.survey.walk(step(), ground.now);
    assert_eq!(me.watched(), ["x/y/root"]);
    fs::remove_dir_all(ground.path("x/y")).unwrap();
    let (found, finished) = me.survey.walk(step(), ground.now);
    assert_eq!((found.root_problem, finished), (Some(RootState::Missing), true));
    assert_eq!(me.watched(), ["x"]);
}

#[test]
fn distrust_renews_what_is_there_and_sweep_drops_the_rest() {
    let ground = Ground::new(PLAIN);
    fs::create_dir_all(ground.path("in/a")).unwrap();
    fs::create_dir_all(ground.path("in/b")).unwrap();
    let mut me = Watching::new(&ground);
    me.walk();
    me.survey.distrust();
    // Lost in the overflow.
    fs::remove_dir(ground.path("in/a")).unwrap();
    fs::create_dir(ground.path("in/c")).unwrap();
    me.walk();
    me.survey.sweep();
    assert_eq!(me.watched(), ["in", "in/b", "in/c"]);
    assert_eq!(me.survey.watched(), 3);
}
