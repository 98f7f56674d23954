//! On real files.
#![expect(clippy::disallowed_methods, reason = "tests make their own files")]

use std::fs;
use std::os::fd::AsFd;
use std::sync::Mutex;

use proptest::prelude::*;

use super::*;
use crate::beneath;

struct Tree {
    dir: tempfile::TempDir,
    /// Files as the catalog would know them.
    known: Vec<Candidate>,
    remembered: Mutex<Vec<(PathBuf, Head, Option<Digest>)>>,
    opened: Mutex<Vec<PathBuf>>,
    /// Written to when a known file is opened, to play a writer who comes in between.
    disturb: Option<PathBuf>,
}

impl Known for Tree {
    fn remember(&self, path: &Path, _: Identity, head: Head, digest: Option<Digest>) {
        self.remembered.lock().unwrap().push((path.to_owned(), head, digest));
    }

    fn open(&self, path: &Path, _: Identity) -> io::Result<File> {
        self.opened.lock().unwrap().push(path.to_owned());
        let file = File::open(path)?;
        if let Some(victim) = &self.disturb {
            fs::write(victim, "disturbed, and of another length than before")?;
        }
        Ok(file)
    }
}

impl Tree {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            known: Vec::new(),
            remembered: Mutex::default(),
            opened: Mutex::default(),
            disturb: None,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.path(name), content).unwrap();
    }

    /// A file as a scan would hand it over.
    fn new_file(&self, name: &str) -> NewFile {
        let base = self.dir.path().canonicalize().unwrap();
        let place = Place::new(Arc::from(base.as_path()), name.into()).unwrap();
        let (dir, file) = beneath::open_parent(&place).unwrap();
        let stat = beneath::stat_at(dir.as_fd(), file).unwrap();
        drop(dir);
        NewFile { place, stat, head: None, digest: None }
    }

    fn know(&mut self, name: &str) -> Identity {
        let file = self.new_file(name);
        let id = file.stat.id;
        let path = file.place.path();
        self.known.push(Candidate { path, id, head: None, digest: None, settled_in: true });
        id
    }

    /// For each name, the name of its keeper; `!` for an unreadable one.
    fn find(&self, names: &[&str]) -> Vec<Option<String>> {
        let new: Vec<NewFile> = names.iter().map(|n| self.new_file(n)).collect();
        self.keepers(&new)
    }

    fn keepers(&self, new: &[NewFile]) -> Vec<Option<String>> {
        let found = Finder::new(self, Keep::ShortestPath).find(new, self.known.clone());
        let name = |p: &Path| p.file_name().unwrap().to_str().unwrap().to_owned();
        found
            .iter()
            .map(|f| match &f.copied {
                Copied::Of(twin) => {
                    assert!(f.digest.is_some());
                    Some(name(&twin.path))
                }
                Copied::Untold(_) => Some("!".into()),
                Copied::No => None,
            })
            .collect()
    }
}

fn some(name: &str) -> Option<String> {
    Some(name.into())
}

#[test]
fn only_equal_bytes_are_copies() {
    let t = Tree::new();
    let mut long = vec![1u8; 10_000];
    t.write("a", &long);
    t.write("a2", &long);
    t.write("a22", &long);
    long[9_999] = 2;
    t.write("tail", &long);
    long[0] = 2;
    t.write("head", &long);
    t.write("short", b"x");
    t.write("empty", b"");
    t.write("empty2", b"");
    let found = t.find(&["a22", "a", "tail", "a2", "head", "short", "empty", "empty2"]);
    assert_eq!(found, [some("a"), None, None, some("a"), None, None, None, None]);
}

#[test]
fn what_no_other_file_equals_in_size_is_not_read() {
    let t = Tree::new();
    t.write("a", b"12345");
    t.write("b", b"123456");
    assert_eq!(t.find(&["a", "b"]), [None, None]);
    assert!(t.remembered.lock().unwrap().is_empty());
}

#[test]
fn names_of_one_inode_are_no_copies_of_each_other() {
    let mut t = Tree::new();
    t.write("a", b"same");
    fs::hard_link(t.path("a"), t.path("link")).unwrap();
    assert_eq!(t.find(&["a", "link"]), [None, None]);
    t.write("other", b"same");
    assert_eq!(t.find(&["a", "link", "other"]), [None, None, some("a")]);
    t.know("a");
    // The known name of the same inode is no copy either.
    assert_eq!(t.find(&["link"]), [None]);
    assert_eq!(t.find(&["other", "link"]), [some("a"), None]);
}

#[test]
fn what_has_its_place_stays_and_known_copies_are_checked() {
    let mut t = Tree::new();
    t.write("filed with a long name", b"same");
    t.write("new", b"same");
    t.know("filed with a long name");
    assert_eq!(t.find(&["new"]), [some("filed with a long name")]);

    // Edited since: another identity, so nothing is known of it.
    t.write("filed with a long name", b"edit");
    assert_eq!(t.find(&["new"]), [None]);
    fs::remove_file(t.path("filed with a long name")).unwrap();
    assert_eq!(t.find(&["new"]), [None]);
}

#[test]
fn what_is_known_is_not_read_again() {
    let mut t = Tree::new();
    let (same, other) = (vec![1u8; 9_000], vec![2u8; 9_000]);
    t.write("new", &same);
    t.write("known", &same);
    t.write("unlike", &other);
    t.know("known");
    t.know("unlike");
    for c in &mut t.known {
        let file = File::open(&c.path).unwrap();
        let look = hash::first_look(&file, c.id.size, &mut Vec::new(), ahead::Wait::Yes);
        c.head = look.unwrap().map(|(head, _)| head);
    }
    // A digest that is wrong on purpose would be seen if it were computed instead of believed.
    t.known[0].digest = Some(Digest([9; 32]));
    let mut new = t.new_file("new");
    (new.head, new.digest) = (t.known[0].head, Some(Digest([9; 32])));
    let found = Finder::new(&t, Keep::ShortestPath).find(&[new.clone()], t.known.clone());
    assert_eq!((found[0].head, found[0].digest), (new.head, new.digest));
    assert_eq!(t.keepers(&[new]), [some("known")]);
    // A different head is enough not to open the file at all.
    assert_eq!(*t.opened.lock().unwrap(), [t.path("known"), t.path("known")], "once a search");
}

#[test]
fn a_file_that_changes_meanwhile_is_left_out() {
    let mut t = Tree::new();
    t.write("a", b"same");
    t.write("known", b"same");
    t.know("known");
    let stale = t.new_file("a");
    t.write("a", b"longer now");
    assert_eq!(t.keepers(&[stale]), [some("!")]);

    // Written between opening and the end of reading.
    t.write("a", b"same");
    t.disturb = Some(t.path("known"));
    assert_eq!(t.find(&["a"]), [None]);
}

#[test]
fn one_that_cannot_be_read_does_not_disturb_the_others() {
    let t = Tree::new();
    for name in ["a", "b", "gone"] {
        t.write(name, b"same");
    }
    let new = ["gone", "b", "a"].map(|n| t.new_file(n));
    fs::remove_file(t.path("gone")).unwrap();
    assert_eq!(t.keepers(&new), [some("!"), some("a"), None]);
}

/// A small tree: contents by file, hard links among them, and which of them are known already.
#[derive(Debug, Clone)]
struct Plan {
    files: Vec<(u8, bool, bool)>,
}

fn plan() -> impl Strategy<Value = Plan> {
    let file = (0u8..6, prop::bool::weighted(0.2), prop::bool::weighted(0.3));
    prop::collection::vec(file, 1..14).prop_map(|files| Plan { files })
}

/// Six contents of two sizes; some differ in the tail only.
fn content(which: u8) -> Vec<u8> {
    let mut bytes = vec![0; if which < 4 { 5_000 } else { 40 }];
    let at = if which.is_multiple_of(2) { 0 } else { bytes.len() - 1 };
    bytes[at] = which;
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn keepers_are_those_of_a_brute_force_comparison(plan in plan()) {
        let mut t = Tree::new();
        let mut names: Vec<(String, bool)> = Vec::new();
        for (i, (which, link, known)) in plan.files.iter().enumerate() {
            let name = format!("f{i:02}");
            if *link && i > 0 {
                fs::hard_link(t.path(&names[i - 1].0), t.path(&name)).unwrap();
            } else {
                t.write(&name, &content(*which));
            }
            names.push((name, *known));
        }
        for (name, known) in &names {
            if *known {
                t.know(name);
            }
        }
        let new: Vec<NewFile> =
            names.iter().filter(|(_, k)| !k).map(|(n, _)| t.new_file(n)).collect();
        let finder = Finder::new(&t, Keep::ShortestPath);
        let found = finder.find(&new, t.known.clone());

        // The same for the other order, and for other numbers of threads.
        let mut turned: Vec<NewFile> = new.clone();
        turned.reverse();
        let finder = Finder::new(&t, Keep::ShortestPath).readers(NonZeroUsize::MIN);
        let again = finder.find(&turned, t.known.iter().rev().cloned().collect());
        for (a, b) in found.iter().zip(again.iter().rev()) {
            prop_assert_eq!(a, b);
        }

        // Whether two names are copies: other inodes, same bytes.
        let ino = |name: &str| t.new_file(name).stat.id.ino;
        let bytes = |name: &str| fs::read(t.path(name)).unwrap();
        for (file, finding) in new.iter().zip(&found) {
            let name = file.place.file_name().to_str().unwrap();
            let equal = names.iter().filter(|(n, _)| bytes(n) == bytes(name));
            // Those that have their place first, then by name: the paths are of one length.
            let keeper = equal.min_by_key(|(n, known)| (!known, n.clone()));
            let keeper = keeper.filter(|(n, _)| ino(n) != ino(name)).map(|(n, _)| t.path(n));
            prop_assert!(!matches!(finding.copied, Copied::Untold(_)), "{}", name);
            let twin = finding.copied.twin();
            prop_assert_eq!(twin.map(|t| &t.path), keeper.as_ref(), "{}", name);
            prop_assert_eq!(twin.map(|t| t.id.ino), keeper.map(|k| ino(k.file_name().unwrap().to_str().unwrap())));
        }
    }
}
