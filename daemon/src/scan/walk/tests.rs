//! On real directories.
#![expect(clippy::disallowed_methods, reason = "tests make their own files")]

use std::fs;

use super::*;

fn tempdir() -> (tempfile::TempDir, PathBuf) {
    let t = tempfile::tempdir().unwrap();
    let path = t.path().canonicalize().unwrap();
    (t, path)
}

fn walked(root: &Path, threads: usize) -> Forest {
    walk(&[root.to_owned()], &HashSet::new(), NonZeroUsize::new(threads).unwrap())
}

/// Paths of all files, relative, sorted.
fn files(forest: &Forest, root: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for (number, dir) in (0..).zip(&forest.dirs) {
        let path = forest.path(number);
        all.extend(dir.files.iter().map(|f| path.join(dir.name_of(f))));
    }
    let mut all: Vec<_> = all.iter().map(|p| p.strip_prefix(root).unwrap().to_owned()).collect();
    all.sort();
    all
}

#[test]
fn every_file_is_met_once_by_any_number_of_threads() {
    let (_t, root) = tempdir();
    let mut made = Vec::new();
    for n in 0..400 {
        let dir = PathBuf::from(format!("{}/{}/{}", n % 3, n % 7, n % 11));
        fs::create_dir_all(root.join(&dir)).unwrap();
        let file = dir.join(format!("file {n}"));
        fs::write(root.join(&file), "x").unwrap();
        made.push(file);
    }
    std::os::unix::fs::symlink("1", root.join("link")).unwrap();
    made.sort();
    for threads in [1, 2, 8] {
        let forest = walked(&root, threads);
        assert_eq!(files(&forest, &root), made, "{threads}");
        assert!(forest.problems.is_empty());
        assert!(
            forest.dirs.iter().all(|d| d.complete && d.files.is_sorted_by_key(|f| d.name_of(f)))
        );
        let above = forest.dirs.iter().enumerate().filter_map(|(n, d)| Some((d.parent?, n)));
        assert!(above.into_iter().all(|(parent, n)| (parent as usize) < n));
    }
}

#[test]
fn deeper_than_a_path_can_be_long_and_wider_than_descriptors_are_held() {
    let (_t, root) = tempdir();
    // At each step of the way down a second directory waits, so that every one stays open that can.
    let mut at = rustix::fs::open(&root, READ, rustix::fs::Mode::empty()).unwrap();
    let name = "n".repeat(50);
    let mode = rustix::fs::Mode::RWXU;
    for _ in 0..HELD_MAX + 44 {
        rustix::fs::mkdirat(&at, "a", mode).unwrap();
        rustix::fs::mkdirat(&at, &*name, mode).unwrap();
        at = rustix::fs::openat(&at, &*name, READ, rustix::fs::Mode::empty()).unwrap();
    }
    let forest = walked(&root, 1);
    // A path can have 4,096 bytes; what is deeper is reached, or it is said that it is not.
    let met = forest.dirs.len() + forest.problems.len();
    assert!(forest.dirs.len() > 2 * (4096 / (name.len() + 1)), "{}", forest.dirs.len());
    assert!(met <= 2 * (HELD_MAX + 44) + 1);
    assert!(forest.problems.is_empty() || forest.dirs.len() >= HELD_MAX);
}

#[test]
fn a_file_is_opened_beneath_its_own_base() {
    let (_t, root) = tempdir();
    for name in ["one/a/f", "two/b/c/g"] {
        fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
        fs::write(root.join(name), name).unwrap();
    }
    let bases = [root.join("one"), root.join("two")];
    let forest = walk(&bases, &HashSet::new(), NonZeroUsize::MIN);
    for (number, dir) in (0..).zip(&forest.dirs) {
        for file in &dir.files {
            let (base, rel) = forest.beneath(number);
            let fd = beneath::open_at(base, &rel.join(dir.name_of(file)), OFlags::RDONLY).unwrap();
            let content = std::io::read_to_string(fs::File::from(fd)).unwrap();
            assert_eq!(root.join(content), forest.path(number).join(dir.name_of(file)));
        }
    }
}
