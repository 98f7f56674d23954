//! On real trees, against the naive answer.
#![expect(clippy::disallowed_methods, reason = "tests make, move and remove their own files")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::time::Duration;

use tidy_core::rules::LeaveReason;

use super::*;
use crate::catalog::{Change, Entry, Outcome};
use crate::store::{Store, StoreOptions};
use crate::telemetry::clock::{Clock, SystemClock};

struct Ground {
    dir: tempfile::TempDir,
    _store: tempfile::TempDir,
    catalog: Catalog,
}

impl Ground {
    fn new() -> Self {
        let (dir, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (opened, _) =
            Store::open(&store.path().join("store"), StoreOptions::default()).unwrap();
        let (catalog, _) = Catalog::open(&opened).unwrap();
        Self { dir, _store: store, catalog }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), content).unwrap();
    }

    /// As seen some time later, so that what was read is remembered.
    fn options(&self) -> Options {
        let now = SystemClock.wall().plus(Duration::from_secs(60));
        Options { min_size: 1, leave_out: HashSet::new(), now }
    }

    fn census(&self) -> Census {
        self.take(&self.options())
    }

    fn take(&self, options: &Options) -> Census {
        let open = || Ok::<_, Infallible>(Some(self.catalog.clone()));
        let census = take(&[self.root()], options, open).unwrap();
        assert!(census.forgotten.is_none());
        census
    }

    /// Names, relative, of each group.
    fn names(&self, census: &Census) -> Vec<Vec<String>> {
        let root = self.root();
        let name = |p: &PathBuf| p.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        let mut all: Vec<Vec<String>> =
            census.groups.iter().map(|g| g.paths.iter().map(name).collect()).collect();
        all.sort();
        all
    }
}

/// Every file with every other one, byte by byte.
fn naive(root: &Path) -> Vec<Vec<PathBuf>> {
    fn collect(dir: &Path, out: &mut BTreeMap<Vec<u8>, Vec<PathBuf>>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            if meta.is_dir() {
                collect(&path, out);
            } else if meta.is_file() && meta.len() > 0 {
                out.entry(fs::read(&path).unwrap()).or_default().push(path);
            }
        }
    }
    let mut by_content = BTreeMap::new();
    collect(root, &mut by_content);
    let mut groups: Vec<Vec<PathBuf>> = by_content.into_values().filter(|g| g.len() > 1).collect();
    groups.iter_mut().for_each(|g| g.sort());
    groups.sort();
    groups
}

fn mixed(g: &Ground) {
    for (n, name) in ["a", "b/a", "b/c/d/e", ".hidden", "b/.h/x"].into_iter().enumerate() {
        g.write(name, format!("content {}", n % 2).as_bytes());
    }
    let mut long = vec![7; 300_000];
    g.write("long/1", &long);
    g.write("long/2", &long);
    long[150_000] = 8;
    g.write("long/middle", &long);
    g.write("empty/1", b"");
    g.write("empty/2", b"");
    std::os::unix::fs::symlink("a", g.path("link")).unwrap();
    std::os::unix::fs::symlink("b", g.path("directory")).unwrap();
}

#[test]
fn copies_are_found_as_a_naive_comparison_finds_them() {
    let g = Ground::new();
    mixed(&g);
    let census = g.census();
    let mut groups: Vec<Vec<PathBuf>> = census.groups.iter().map(|g| g.paths.clone()).collect();
    groups.sort();
    assert_eq!(groups, naive(&g.root()));
    assert_eq!(groups.len(), 3);
    assert_eq!((census.files, census.directories), (10, 7));
    assert_eq!(census.groups[0].wasted, 300_000);
    assert!(census.problems.is_empty(), "{:?}", census.problems);
    // Without a catalog the same.
    let fresh = take(&[g.root()], &g.options(), || Ok::<_, Infallible>(None)).unwrap();
    assert_eq!(fresh.groups, census.groups);
}

#[test]
fn what_was_read_is_not_read_again_wherever_it_is_by_then() {
    let g = Ground::new();
    mixed(&g);
    let first = g.census();
    assert!(first.read > 0);
    let second = g.census();
    assert_eq!((second.groups.clone(), second.read), (first.groups, 0));

    fs::rename(g.path("b"), g.path("moved")).unwrap();
    fs::rename(g.path("long/1"), g.path("elsewhere")).unwrap();
    let third = g.census();
    assert_eq!(third.read, 0);
    assert_eq!(third.groups.len(), second.groups.len());
    assert!(g.names(&third).concat().contains(&"moved/c/d/e".to_owned()));
    assert_eq!(g.catalog.page(&g.path("b")).unwrap(), None, "the old place is forgotten");
    assert!(g.catalog.entry(&g.path("long/1")).unwrap().is_none());

    // One that was written since is read, and it alone.
    g.write("a", b"content 1");
    let fourth = g.census();
    assert_eq!(fourth.read, 1);
    assert_ne!(g.names(&fourth), g.names(&third));
}

#[test]
fn what_was_written_just_now_is_compared_and_not_remembered() {
    let g = Ground::new();
    g.write("a", b"same");
    g.write("b", b"same");
    let now = Options { now: SystemClock.wall(), ..g.options() };
    assert_eq!(g.take(&now).groups.len(), 1);
    let entry = g.catalog.entry(&g.path("a")).unwrap().unwrap();
    assert_eq!((entry.head, entry.digest), (None, None));
    assert_eq!(g.census().read, 2);
    assert_eq!(g.census().read, 0);
}

#[test]
fn decisions_stay_as_they_are() {
    let g = Ground::new();
    g.write("a", b"same");
    g.write("b", b"same");
    g.census();
    let reason = LeaveReason::Hidden;
    let outcome = Outcome::Left { reason, rule: None, fingerprint: 7 };
    let before = g.catalog.entry(&g.path("a")).unwrap().unwrap();
    let decided = Entry { outcome: outcome.clone(), head: None, digest: None, ..before };
    g.catalog.update(&g.root(), vec![Change::Put(decided)]).unwrap();
    assert_eq!(g.census().read, 0, "what was read of it stays known");
    let after = g.catalog.entry(&g.path("a")).unwrap().unwrap();
    assert_eq!(after.outcome, outcome);
    assert!(after.digest.is_some());
}

#[test]
fn names_of_one_file_are_no_copies_and_waste_nothing() {
    let g = Ground::new();
    g.write("a", b"same");
    fs::hard_link(g.path("a"), g.path("b")).unwrap();
    assert_eq!(g.census().groups, []);
    g.write("c", b"same");
    let census = g.census();
    assert_eq!(g.names(&census), [["a", "b", "c"]]);
    assert_eq!(census.groups[0].wasted, 4);
}

#[test]
fn what_cannot_be_entered_is_told_and_the_rest_is_compared() {
    let g = Ground::new();
    mixed(&g);
    let none = g.path("none");
    let options = g.options();
    let bases = [none.clone(), g.root()];
    let census = take(&bases, &options, || Ok::<_, Infallible>(None)).unwrap();
    assert_eq!(census.problems.iter().map(|(p, _)| p).collect::<Vec<_>>(), [&none]);
    assert_eq!(census.groups.len(), 3);
    // What is left out is not even mentioned.
    let stat = beneath::stat_path(&g.path("b")).unwrap();
    let options = Options { leave_out: HashSet::from([(stat.dev, stat.id.ino)]), ..options };
    let census = g.take(&options);
    assert!(g.names(&census).concat().iter().all(|name| !name.starts_with("b/")));
    assert!(census.problems.is_empty());
}

#[test]
fn directories_are_resolved_and_none_is_beneath_another() {
    let g = Ground::new();
    mixed(&g);
    let resolved =
        bases(&[g.path("b/c"), g.path("directory"), g.path("long"), g.path("b")]).unwrap();
    assert_eq!(resolved, [g.path("b"), g.path("long")]);
    for (bad, kind) in [("none", io::ErrorKind::NotFound), ("a", io::ErrorKind::NotADirectory)] {
        let (path, e) = bases(&[g.path(bad)]).unwrap_err();
        assert_eq!((path, e.kind()), (g.path(bad), kind));
    }
}
