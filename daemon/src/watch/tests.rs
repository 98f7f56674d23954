//! The real backend on real directories, through a small reader loop, ended by cookies.
#![expect(clippy::disallowed_methods, reason = "tests make and remove their own files")]

use super::*;
use crate::scan;
use std::collections::BTreeSet;
use std::fs;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// A daemon that does nothing but look: dirty set, watch tree, the files it has seen.
struct Reader {
    root: PathBuf,
    hints: Receiver<Hint>,
    tree: Tree<SystemBackend>,
    cookies: Arc<Cookies>,
    dirty: DirtySet,
    /// Files seen, below the root.
    files: BTreeSet<PathBuf>,
    /// Hints that came, cookies apart.
    hinted: Vec<Hint>,
    _temp: tempfile::TempDir,
}

impl Reader {
    fn new() -> Self {
        let (send, hints): (Sender<Hint>, _) = channel();
        Self::start(hints, Arc::new(move |hint| drop(send.send(hint))))
    }

    fn start(hints: Receiver<Hint>, sink: Sink) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let base = temp.path().canonicalize().unwrap();
        let (root, state) = (base.join("root"), base.join("cookies"));
        fs::create_dir(&root).unwrap();
        fs::create_dir(&state).unwrap();
        let cookies = Cookies::new(state);
        let backend = SystemBackend::new(cookies.clone(), sink).unwrap();
        let mut dirty = DirtySet::new(Limits::default());
        dirty.set_roots([Arc::from(root.as_path())]);
        dirty.mark_all(&root);
        let mut reader = Self {
            root,
            hints,
            tree: Tree::new(backend),
            cookies,
            dirty,
            files: BTreeSet::new(),
            hinted: Vec::new(),
            _temp: temp,
        };
        reader.settle();
        reader
    }

    /// Works until nothing is dirty and a barrier asked for after that has come without any news.
    fn settle(&mut self) {
        loop {
            self.work();
            let cookie = self.cookies.ask().unwrap();
            loop {
                let hint = self.hints.recv_timeout(Duration::from_secs(60)).expect("the barrier");
                if matches!(hint, Hint::Cookie(n) if n >= cookie) {
                    break;
                }
                self.take(hint);
            }
            if self.dirty.is_empty() {
                // Costs a look at each entry; a daemon does it only after an overflow.
                self.tree.sweep();
                return;
            }
        }
    }

    /// Looks wherever it is dirty, taking in hints between.
    fn work(&mut self) {
        while !self.dirty.is_empty() {
            for (dir, names) in self.dirty.take(16) {
                self.look(&dir, names);
            }
            while let Ok(hint) = self.hints.try_recv() {
                self.take(hint);
            }
        }
    }

    fn take(&mut self, hint: Hint) {
        match &hint {
            Hint::Dirty { dir, name } => self.dirty.mark(dir, name.as_deref()),
            Hint::DirGone(dir) => {
                self.tree.forget_subtree(dir);
            }
            Hint::Overflow => {
                self.tree.distrust();
                self.dirty.mark_all(&self.root);
            }
            Hint::Error(e) => panic!("{e}"),
            Hint::Cookie(_) => return,
        }
        self.hinted.push(hint);
    }

    fn look(&mut self, dir: &Path, names: Names) {
        let rel = dir.strip_prefix(&self.root).unwrap().to_owned();
        let Some(open) = scan::Dir::open(&self.root, &rel).unwrap() else {
            self.forget_files(&rel);
            return;
        };
        let ensured = self.tree.ensure(dir, open.stat().dev, open.stat().id.ino);
        assert!(!matches!(ensured, Ensured::Unwatched(WatchError::LimitReached)));
        let names = if ensured == Ensured::Fresh { Names::All } else { names };
        let (listing, gone) = match names {
            Names::Some(names) => {
                let seen = open.look(names);
                (seen.seen, seen.gone)
            }
            Names::All | Names::Tree => {
                let listing = open.read().unwrap();
                // What is below a sub-directory that is still there is that directory's business.
                for file in self.files_in(&rel) {
                    let below = file.strip_prefix(&rel).unwrap();
                    let first = below.components().next().unwrap().as_os_str();
                    if below.as_os_str() == first || !listing.subdirs.iter().any(|d| d == first) {
                        self.files.remove(&file);
                    }
                }
                (listing, Vec::new())
            }
        };
        for name in gone {
            self.forget_files(&rel.join(name));
        }
        self.files.extend(listing.files.iter().map(|f| rel.join(&f.name)));
        for sub in &listing.subdirs {
            let sub = rel.join(sub);
            let path = self.root.join(&sub);
            let open = scan::Dir::open(&self.root, &sub).unwrap();
            let Some(open) = open else { continue };
            if self.tree.ensure(&path, open.stat().dev, open.stat().id.ino) != Ensured::Known {
                self.dirty.mark(&path, None);
            }
        }
    }

    fn forget_files(&mut self, rel: &Path) {
        for file in self.files_in(rel) {
            self.files.remove(&file);
        }
    }

    /// The files seen at or below a path.
    fn files_in(&self, rel: &Path) -> Vec<PathBuf> {
        let from = (std::ops::Bound::Included(rel), std::ops::Bound::Unbounded);
        let below = self.files.range::<Path, _>(from);
        below.take_while(|f| f.starts_with(rel)).cloned().collect()
    }

    /// What is there, as anybody else would see it.
    fn truth(&self) -> BTreeSet<PathBuf> {
        let mut out = BTreeSet::new();
        let mut dirs = vec![self.root.clone()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let entry = entry.unwrap();
                match entry.file_type().unwrap().is_dir() {
                    true => dirs.push(entry.path()),
                    false => {
                        let path = entry.path();
                        out.insert(path.strip_prefix(&self.root).unwrap().to_owned());
                    }
                }
            }
        }
        out
    }

    /// All that is there has been seen, and nothing else.
    fn check(&mut self) {
        self.settle();
        let truth = self.truth();
        let missed: Vec<_> = truth.difference(&self.files).collect();
        assert!(missed.is_empty(), "missed {} of {}: {missed:?}", missed.len(), truth.len());
    }

    fn write(&self, rel: &str) {
        fs::write(self.root.join(rel), rel).unwrap();
    }
}

/// Does it while the reader reads, on another thread; then checks.
fn meanwhile(reader: &mut Reader, act: impl FnOnce(PathBuf) + Send + 'static) {
    let root = reader.root.clone();
    let thread = std::thread::spawn(move || act(root));
    while !thread.is_finished() {
        // The time-out only bounds how late the end of the thread is noticed.
        if let Ok(hint) = reader.hints.recv_timeout(Duration::from_millis(1)) {
            reader.take(hint);
        }
        reader.work();
    }
    thread.join().unwrap();
    reader.check();
}

#[test]
fn a_file_in_directories_made_a_moment_before_is_never_missed() {
    let mut reader = Reader::new();
    for i in 0..30 {
        meanwhile(&mut reader, move |root| {
            let dir = root.join(format!("{i}/b/c"));
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("f"), "x").unwrap();
        });
    }
    assert_eq!(reader.files.len(), 30);
}

fn copy_tree(root: &Path, dirs: usize) {
    for i in 0..dirs {
        let dir = root.join(format!("{}/{}/{}", i / 100, i / 10 % 10, i % 10));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("f0"), "x").unwrap();
    }
}

#[test]
fn a_copied_tree_is_seen_whole_and_a_removed_one_is_forgotten() {
    const COPIES: usize = 30;
    let mut reader = Reader::new();
    for i in 0..COPIES {
        meanwhile(&mut reader, move |root| copy_tree(&root.join(format!("copy{i}")), 300));
        assert_eq!(reader.files.len(), (i + 1) * 300);
    }
    meanwhile(&mut reader, |root| {
        (0..COPIES).for_each(|i| fs::remove_dir_all(root.join(format!("copy{i}"))).unwrap());
    });
    assert_eq!((reader.files.len(), reader.tree.len()), (0, 1), "only the root is watched");
}

#[test]
fn a_directory_renamed_within_the_tree_stays_watched() {
    let mut reader = Reader::new();
    fs::create_dir_all(reader.root.join("0/sub/deep")).unwrap();
    fs::create_dir(reader.root.join("other")).unwrap();
    for i in 0..30 {
        meanwhile(&mut reader, move |root| {
            let to = root.join(if i % 2 == 0 {
                format!("other/{}", i + 1)
            } else {
                (i + 1).to_string()
            });
            let from = root.join(if i % 2 == 0 { i.to_string() } else { format!("other/{i}") });
            fs::rename(from, &to).unwrap();
            fs::write(to.join(format!("sub/deep/at-once-{i}")), "x").unwrap();
        });
        let at = if i % 2 == 0 { format!("other/{}", i + 1) } else { (i + 1).to_string() };
        reader.write(&format!("{at}/sub/deep/later-{i}"));
        reader.write(&format!("{at}/sub/later-{i}"));
        reader.check();
    }
    assert_eq!(reader.files.len(), 90);
    assert_eq!(reader.tree.len(), 5);
}

#[test]
fn a_directory_moved_out_and_back_or_replaced_by_another_is_watched_again() {
    let mut reader = Reader::new();
    fs::create_dir_all(reader.root.join("d/sub")).unwrap();
    reader.check();
    let outside = reader.root.with_file_name("outside");
    for i in 0..30 {
        fs::rename(reader.root.join("d"), &outside).unwrap();
        if i % 3 == 1 {
            reader.check();
            assert!(reader.files.is_empty());
            assert_eq!(reader.tree.len(), 1);
        }
        fs::write(outside.join(format!("sub/outside-{i}")), "x").unwrap();
        fs::rename(&outside, reader.root.join("d")).unwrap();
        if i % 3 == 2 {
            // The same name and, on many file systems, the same inode number.
            fs::remove_dir_all(reader.root.join("d")).unwrap();
            fs::create_dir_all(reader.root.join("d/sub")).unwrap();
        }
        if i % 2 == 0 {
            reader.check();
        }
        reader.write(&format!("d/sub/inside-{i}"));
        reader.check();
    }
}

#[test]
fn directories_that_swap_names_or_replace_each_other_stay_watched() {
    let mut reader = Reader::new();
    for d in ["a/x", "b/y"] {
        fs::create_dir_all(reader.root.join(d)).unwrap();
    }
    reader.check();
    for i in 0..30 {
        let root = reader.root.clone();
        rustix::fs::renameat_with(
            rustix::fs::CWD,
            root.join("a"),
            rustix::fs::CWD,
            root.join("b"),
            rustix::fs::RenameFlags::EXCHANGE,
        )
        .unwrap();
        let (x, y) = if i % 2 == 0 { ("b/x", "a/y") } else { ("a/x", "b/y") };
        reader.write(&format!("{x}/{i}"));
        if i % 3 == 0 {
            reader.check();
        }
        reader.write(&format!("{y}/{i}"));
        // An empty directory gives way to another by a plain rename.
        fs::create_dir_all(root.join(format!("new{i}"))).unwrap();
        fs::create_dir_all(root.join("empty")).unwrap();
        reader.check();
        fs::rename(reader.root.join(format!("new{i}")), reader.root.join("empty")).unwrap();
        reader.write(&format!("empty/{i}"));
        reader.check();
        fs::remove_file(reader.root.join(format!("empty/{i}"))).unwrap();
    }
}

#[test]
fn reading_wakes_nobody_and_writing_does() {
    let mut reader = Reader::new();
    copy_tree(&reader.root.join("t"), 20);
    reader.check();
    reader.hinted.clear();
    for file in reader.truth() {
        fs::read(reader.root.join(file)).unwrap();
    }
    reader.settle();
    assert_eq!(reader.hinted, []);
    let path = reader.root.join("t/0/0/0/f0");
    fs::OpenOptions::new().append(true).open(&path).unwrap();
    reader.settle();
    let dirty = Hint::Dirty { dir: path.parent().unwrap().to_owned(), name: Some("f0".into()) };
    assert_eq!(reader.hinted, std::slice::from_ref(&dirty), "closed after writing");
    reader.hinted.clear();
    // As a download is written: nobody wants to hear of it before its end.
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    for _ in 0..100 {
        std::io::Write::write_all(&mut file, b"more").unwrap();
    }
    reader.settle();
    assert_eq!(reader.hinted, []);
    drop(file);
    reader.settle();
    assert_eq!(reader.hinted, [dirty]);
}

#[test]
fn odd_names_come_through() {
    use std::os::unix::ffi::OsStrExt;
    let mut reader = Reader::new();
    let odd = std::ffi::OsStr::from_bytes(b"\xff\n\x1b[2J");
    let long = "n".repeat(255);
    fs::create_dir(reader.root.join(odd)).unwrap();
    fs::write(reader.root.join(odd).join(&long), "x").unwrap();
    reader.check();
    fs::write(reader.root.join(odd).join(odd), "x").unwrap();
    reader.check();
    assert_eq!(reader.files.len(), 2);
}

#[test]
fn the_roots_own_end_is_hinted_at() {
    let mut reader = Reader::new();
    reader.write("f");
    reader.check();
    let moved = reader.root.with_file_name("moved");
    fs::rename(&reader.root, &moved).unwrap();
    reader.settle();
    assert!(reader.hinted.contains(&Hint::DirGone(reader.root.clone())));
    assert!(reader.files.is_empty() && reader.tree.is_empty());
}

/// More events than the kernel's queue holds, while the reader's thread is held up.
#[test]
fn an_overflow_is_told_and_nothing_is_missed_after_it() {
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    if limit > 100_000 {
        eprintln!("skipped, because {limit} events would have to be made");
        return;
    }
    let gate = Arc::new(std::sync::RwLock::new(()));
    let (send, hints): (Sender<Hint>, _) = channel();
    let inner = gate.clone();
    let sink: Sink = Arc::new(move |hint| {
        drop(inner.read().unwrap());
        drop(send.send(hint));
    });
    let mut reader = Reader::start(hints, sink);
    fs::create_dir_all(reader.root.join("moved/sub")).unwrap();
    fs::create_dir_all(reader.root.join("gone/sub")).unwrap();
    reader.check();
    let held_up = gate.write().unwrap();
    // An event each, of the close; equal ones that follow each other would be merged.
    for i in 0..limit + 1_000 {
        let path = reader.root.join(if i % 2 == 0 { "f" } else { "g" });
        drop(fs::OpenOptions::new().create(true).append(true).open(path).unwrap());
    }
    // After the queue is full nothing of this is hinted at.
    fs::rename(reader.root.join("moved"), reader.root.join("here")).unwrap();
    fs::remove_dir_all(reader.root.join("gone")).unwrap();
    fs::create_dir_all(reader.root.join("gone/sub")).unwrap();
    reader.write("here/sub/unhinted");
    drop(held_up);
    reader.check();
    assert!(reader.hinted.contains(&Hint::Overflow));
    for file in ["here/sub/after", "gone/sub/after", "here/after"] {
        reader.write(file);
    }
    reader.check();
    assert_eq!(reader.tree.len(), 5);
}
