//! Where to look: a bounded set of dirty directories. Pure.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How much a [`DirtySet`] remembers before it answers more coarsely.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Names of one directory; past that all of it is dirty.
    pub names_per_dir: usize,
    /// Names in all; past that a directory with a further name is dirty as a whole.
    pub names: usize,
    /// Directories; past that the whole tree of a root is dirty.
    pub dirs: usize,
}

impl Default for Limits {
    /// A burst of 100,000 files in one directory is one entry; about 20 MB when everything is full.
    fn default() -> Self {
        Self { names_per_dir: 128, names: 8_192, dirs: 65_536 }
    }
}

/// What is dirty in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// These entries, in order of their bytes.
    Some(Vec<OsString>),
    /// Its whole listing.
    All,
    /// The directory, which is a root, and everything below it.
    Tree,
}

#[derive(Debug)]
enum Marked {
    Some(BTreeSet<OsString>),
    All,
    Tree,
}

/// The directories to look at, in the order in which they were first marked.
///
/// Marking never fails and never blocks; whatever does not fit makes the answer coarser, so that
/// nothing marked is ever left out.
#[derive(Debug, Default)]
pub struct DirtySet {
    limits: Limits,
    roots: Vec<Arc<Path>>,
    dirs: HashMap<Arc<Path>, Marked>,
    order: VecDeque<Arc<Path>>,
    /// How many names there are in `dirs`.
    names: usize,
    /// How many roots are marked [`Marked::Tree`].
    trees: usize,
}

impl DirtySet {
    /// Empty, with no roots.
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// The roots, absolute. Marks outside all of them are dropped, now and later.
    pub fn set_roots(&mut self, roots: impl IntoIterator<Item = Arc<Path>>) {
        self.roots = roots.into_iter().collect();
        let kept: Vec<_> =
            self.order.iter().filter(|d| self.root_of(d).is_some()).cloned().collect();
        let gone: Vec<_> =
            self.order.iter().filter(|d| self.root_of(d).is_none()).cloned().collect();
        for dir in gone {
            self.remove(&dir);
        }
        self.order = kept.into();
    }

    /// Nothing is dirty.
    pub fn is_empty(&self) -> bool {
        self.dirs.is_empty()
    }

    /// How many directories are dirty.
    pub fn len(&self) -> usize {
        self.dirs.len()
    }

    /// Whether an entry of a directory is to be looked at.
    pub fn is_marked(&self, dir: &Path, name: &OsStr) -> bool {
        let root = self.root_of(dir).and_then(|root| self.dirs.get(&root));
        let here = self.dirs.get(dir);
        matches!(root, Some(Marked::Tree))
            || here.is_some_and(|marked| match marked {
                Marked::Some(names) => names.contains(name),
                Marked::All | Marked::Tree => true,
            })
    }

    /// Marks an entry of a directory, or all of the directory. An entry that is itself a root makes
    /// that root dirty: it may have gone or come back.
    pub fn mark(&mut self, dir: &Path, name: Option<&OsStr>) {
        let Some(root) = self.root_of(dir) else {
            let root = name.map(|n| dir.join(n)).and_then(|p| self.root_of(&p));
            if let Some(root) = root {
                self.mark(&root, None);
            }
            return;
        };
        if self.trees > 0 && matches!(self.dirs.get(&root), Some(Marked::Tree)) {
            return;
        }
        let is_full = self.dirs.len() >= self.limits.dirs;
        match self.dirs.get_mut(dir) {
            Some(Marked::All | Marked::Tree) => {}
            Some(Marked::Some(names)) => match name {
                Some(name) if names.contains(name) => {}
                Some(name)
                    if names.len() < self.limits.names_per_dir
                        && self.names < self.limits.names =>
                {
                    names.insert(name.to_owned());
                    self.names += 1;
                }
                _ => self.set(dir, Marked::All),
            },
            None if is_full => self.mark_all(&root),
            None => {
                let fits = self.limits.names_per_dir > 0 && self.names < self.limits.names;
                let marked = match name.filter(|_| fits) {
                    Some(name) => Marked::Some(BTreeSet::from([name.to_owned()])),
                    None => Marked::All,
                };
                self.set(dir, marked);
            }
        }
    }

    /// Marks a root with everything below it; single directories below it are then no longer needed.
    pub fn mark_all(&mut self, root: &Path) {
        if matches!(self.dirs.get(root), Some(Marked::Tree)) {
            return;
        }
        let below: Vec<_> = self
            .order
            .iter()
            .filter(|d| self.root_of(d).as_deref() == Some(root))
            .cloned()
            .collect();
        if !below.is_empty() {
            for dir in &below {
                self.remove(dir);
            }
            self.order.retain(|d| self.dirs.contains_key(d));
        }
        if self.root_of(root).as_deref() == Some(root) {
            self.set(root, Marked::Tree);
        }
    }

    /// Takes at most `max` directories, longest dirty first. What happens to them from now on marks
    /// them again.
    pub fn take(&mut self, max: usize) -> Vec<(PathBuf, Names)> {
        let mut out = Vec::new();
        while out.len() < max
            && let Some(dir) = self.order.pop_front()
        {
            if let Some(marked) = self.remove(&dir) {
                let names = match marked {
                    Marked::Some(names) => Names::Some(names.into_iter().collect()),
                    Marked::All => Names::All,
                    Marked::Tree => Names::Tree,
                };
                out.push((dir.to_path_buf(), names));
            }
        }
        out
    }

    /// The innermost root that `path` is in or is.
    fn root_of(&self, path: &Path) -> Option<Arc<Path>> {
        let within = self.roots.iter().filter(|r| path.starts_with(r));
        within.max_by_key(|r| r.as_os_str().len()).cloned()
    }

    /// Sets the mark of a directory, which keeps its place in the order if it has one.
    fn set(&mut self, dir: &Path, marked: Marked) {
        let key = match self.dirs.get_key_value(dir) {
            Some((key, _)) => key.clone(),
            None => {
                let key: Arc<Path> = dir.into();
                self.order.push_back(key.clone());
                key
            }
        };
        self.count_out(&key);
        match &marked {
            Marked::Some(names) => self.names += names.len(),
            Marked::Tree => self.trees += 1,
            Marked::All => {}
        }
        self.dirs.insert(key, marked);
    }

    /// Takes a directory out of the table, not out of the order.
    fn remove(&mut self, dir: &Path) -> Option<Marked> {
        self.count_out(dir);
        self.dirs.remove(dir)
    }

    fn count_out(&mut self, dir: &Path) {
        match self.dirs.get(dir) {
            Some(Marked::Some(names)) => self.names -= names.len(),
            Some(Marked::Tree) => self.trees -= 1,
            Some(Marked::All) | None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(limits: Limits, roots: &[&str]) -> DirtySet {
        let mut s = DirtySet::new(limits);
        s.set_roots(roots.iter().map(|r| Arc::from(Path::new(r))));
        s
    }

    fn mark(s: &mut DirtySet, dir: &str, name: &str) {
        s.mark(Path::new(dir), (!name.is_empty()).then_some(OsStr::new(name)));
    }

    fn names(n: &[&str]) -> Names {
        Names::Some(n.iter().map(OsString::from).collect())
    }

    #[test]
    fn names_are_collected_by_directory_in_order() {
        let mut s = set(Limits::default(), &["/r"]);
        for (dir, name) in [("/r/b", "2"), ("/r/a", "1"), ("/r/b", "1"), ("/r/b", "2"), ("/r", "")]
        {
            mark(&mut s, dir, name);
        }
        assert_eq!(
            s.take(2),
            [("/r/b".into(), names(&["1", "2"])), ("/r/a".into(), names(&["1"]))]
        );
        mark(&mut s, "/r/b", "3");
        assert_eq!(s.take(9), [("/r".into(), Names::All), ("/r/b".into(), names(&["3"]))]);
        assert!(s.is_empty() && s.take(1).is_empty());
    }

    #[test]
    fn past_each_limit_the_answer_is_coarser() {
        let mut s = set(Limits { names_per_dir: 2, names: 3, dirs: 3 }, &["/r", "/q"]);
        for name in ["1", "2", "3"] {
            mark(&mut s, "/r/a", name);
        }
        // `a` is whole now and its names do not count any more.
        for (dir, name) in [("/r/b", "1"), ("/r/b", "2"), ("/q/c", "1"), ("/q/c", "2")] {
            mark(&mut s, dir, name);
        }
        mark(&mut s, "/r/d", "x");
        assert_eq!(s.take(9), [("/q/c".into(), Names::All), ("/r".into(), Names::Tree)]);
    }

    #[test]
    fn a_whole_tree_covers_what_is_below_until_it_is_taken() {
        let mut s = set(Limits::default(), &["/r", "/r/inner"]);
        mark(&mut s, "/r/a", "1");
        mark(&mut s, "/r/inner/a", "1");
        s.mark_all(Path::new("/r"));
        mark(&mut s, "/r/b", "1");
        assert_eq!(s.take(9), [("/r/inner/a".into(), names(&["1"])), ("/r".into(), Names::Tree)]);
        mark(&mut s, "/r/b", "1");
        assert_eq!(s.len(), 1);
        s.mark_all(Path::new("/r"));
        s.mark_all(Path::new("/r/inner"));
        let all = [("/r".into(), Names::Tree), ("/r/inner".into(), Names::Tree)];
        assert_eq!(s.take(9), all);
    }

    #[test]
    fn marks_outside_the_roots_are_dropped_but_a_root_as_an_entry_is_dirty() {
        let mut s = set(Limits::default(), &["/x/r"]);
        mark(&mut s, "/x", "other");
        mark(&mut s, "/y", "");
        s.mark_all(Path::new("/y"));
        assert!(s.is_empty());
        mark(&mut s, "/x", "r");
        mark(&mut s, "/x/r/a", "1");
        s.set_roots([Arc::from(Path::new("/x/r/a"))]);
        assert_eq!(s.take(9), [("/x/r/a".into(), names(&["1"]))]);
    }

    proptest! {
        /// Nothing marked is ever left out, and no bound is passed, whatever is marked and taken.
        #[test]
        fn every_mark_is_answered(
            ops in prop::collection::vec((0usize..3, 0usize..6, 0usize..6, 0u8..10), 0..120)
        ) {
            let limits = Limits { names_per_dir: 3, names: 6, dirs: 4 };
            let mut s = set(limits, &["/0", "/1", "/0/d0"]);
            // What a reader has yet to look at, by (dir, name).
            let mut owed: BTreeSet<(PathBuf, OsString)> = BTreeSet::new();
            let settle = |owed: &mut BTreeSet<(PathBuf, OsString)>, taken: Vec<(PathBuf, Names)>| {
                for (dir, what) in taken {
                    owed.retain(|(d, n)| match &what {
                        Names::Some(names) => *d != dir || !names.contains(n),
                        Names::All => *d != dir,
                        Names::Tree => {
                            // An inner root is its own tree.
                            let inner = Path::new("/0/d0");
                            !d.starts_with(&dir) || (d.starts_with(inner) && dir != inner)
                        }
                    });
                }
            };
            for (root, dir, name, op) in ops {
                let path = PathBuf::from(format!("/{root}/d{dir}"));
                match op {
                    0 => { let t = s.take(2); settle(&mut owed, t); }
                    1 => s.mark_all(Path::new(&format!("/{root}"))),
                    _ => {
                        let name = OsString::from(name.to_string());
                        s.mark(&path, Some(&name));
                        if root < 2 {
                            owed.insert((path, name));
                        }
                    }
                }
                prop_assert!(s.len() <= limits.dirs + 3, "at most the roots beyond the limit");
                prop_assert!(s.names <= limits.names);
                prop_assert_eq!(s.order.len(), s.dirs.len());
            }
            let rest = s.take(usize::MAX);
            settle(&mut owed, rest);
            prop_assert!(owed.is_empty(), "{:?}", owed);
            prop_assert!(s.is_empty() && s.names == 0 && s.trees == 0);
        }
    }
}
