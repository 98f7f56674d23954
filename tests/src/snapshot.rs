//! A tree at a moment, to compare with the same tree later.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// What is at a path, with its content.
#[derive(Clone, PartialEq, Eq)]
pub enum Kind {
    Directory,
    File {
        bytes: u64,
        digest: blake3::Hash,
    },
    Symlink(PathBuf),
    /// A socket, a fifo or a device.
    Special,
}

/// Everything about a path that moving it there and back must leave as it was.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    pub kind: Kind,
    /// Permission bits, with setuid, setgid and sticky.
    pub mode: u32,
    pub owner: (u32, u32),
    /// Nanoseconds since the epoch; `None` for directories, whose times say only that a name in them has changed.
    pub modified: Option<i128>,
    pub attributes: BTreeMap<OsString, Vec<u8>>,
}

/// Every path below a directory, relative to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub entries: BTreeMap<PathBuf, Entry>,
}

impl Snapshot {
    /// Reads the whole tree below `root`, following no symbolic link.
    ///
    /// # Panics
    /// Something cannot be read, or changes meanwhile.
    #[track_caller]
    pub fn take(root: &Path) -> Self {
        Self::without(root, &[])
    }

    /// The same without some directories, which may change meanwhile.
    ///
    /// # Panics
    /// As [`take`](Self::take).
    #[track_caller]
    pub fn without(root: &Path, left_out: &[&str]) -> Self {
        let mut entries = BTreeMap::new();
        let mut pending = vec![root.to_owned()];
        while let Some(directory) = pending.pop() {
            for found in fs::read_dir(&directory).unwrap_or_else(|e| panic!("{directory:?}: {e}")) {
                let path = found.expect("a directory entry").path();
                let relative = path.strip_prefix(root).expect("found below the root").to_owned();
                if left_out.iter().any(|dir| relative.starts_with(dir)) {
                    continue;
                }
                let entry = Entry::read(&path);
                if entry.kind == Kind::Directory {
                    pending.push(path);
                }
                entries.insert(relative, entry);
            }
        }
        Self { entries }
    }

    /// One line for each difference, by path; empty when the trees are the same.
    pub fn diff(&self, later: &Self) -> Vec<String> {
        let mut lines = BTreeMap::new();
        for (path, before) in &self.entries {
            match later.entries.get(path) {
                None => drop(lines.insert(path, format!("- {path:?}: {before:?}"))),
                Some(after) if after != before => {
                    lines.insert(path, format!("~ {path:?}: {}", before.changes(after)));
                }
                Some(_) => {}
            }
        }
        for (path, after) in &later.entries {
            if !self.entries.contains_key(path) {
                lines.insert(path, format!("+ {path:?}: {after:?}"));
            }
        }
        lines.into_values().collect()
    }

    /// Contents of regular files that are in `self` more often than in `later`: what has been lost, wherever the rest was
    /// moved. Empty files have nothing to lose and are not counted.
    pub fn lost_by(&self, later: &Self) -> Vec<PathBuf> {
        let mut there: BTreeMap<[u8; 32], usize> = BTreeMap::new();
        for (_, digest) in later.contents() {
            *there.entry(digest).or_default() += 1;
        }
        self.contents()
            .filter(|(_, digest)| match there.get_mut(digest) {
                Some(left) if *left > 0 => {
                    *left -= 1;
                    false
                }
                _ => true,
            })
            .map(|(path, _)| path.clone())
            .collect()
    }

    fn contents(&self) -> impl Iterator<Item = (&PathBuf, [u8; 32])> {
        self.entries.iter().filter_map(|(path, entry)| match &entry.kind {
            Kind::File { bytes: 1.., digest } => Some((path, *digest.as_bytes())),
            _ => None,
        })
    }
}

/// # Panics
/// The trees differ; the message lists how.
#[track_caller]
pub fn assert_same(before: &Snapshot, after: &Snapshot) {
    let differences = before.diff(after);
    assert!(differences.is_empty(), "the trees differ:\n{}", differences.join("\n"));
}

impl Entry {
    fn read(path: &Path) -> Self {
        let stat = fs::symlink_metadata(path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        let kind = Kind::read(path, &stat);
        let nanoseconds = i128::from(stat.mtime()) * 1_000_000_000 + i128::from(stat.mtime_nsec());
        Self {
            mode: stat.mode() & 0o7777,
            owner: (stat.uid(), stat.gid()),
            modified: (kind != Kind::Directory).then_some(nanoseconds),
            attributes: attributes(path),
            kind,
        }
    }

    /// Which parts differ, old and new.
    fn changes(&self, after: &Self) -> String {
        let mut parts = Vec::new();
        let mut compare = |name: &str, old: &dyn fmt::Debug, new: &dyn fmt::Debug| {
            let (old, new) = (format!("{old:?}"), format!("{new:?}"));
            if old != new {
                parts.push(format!("{name} {old} → {new}"));
            }
        };
        compare("is", &self.kind, &after.kind);
        compare("mode", &format_args!("{:04o}", self.mode), &format_args!("{:04o}", after.mode));
        compare("owner", &self.owner, &after.owner);
        compare("modified", &self.modified, &after.modified);
        compare("attributes", &self.attributes, &after.attributes);
        parts.join(", ")
    }
}

impl Kind {
    fn read(path: &Path, stat: &Metadata) -> Self {
        let kind = stat.file_type();
        if kind.is_dir() {
            Self::Directory
        } else if kind.is_symlink() {
            Self::Symlink(fs::read_link(path).unwrap_or_else(|e| panic!("{path:?}: {e}")))
        } else if kind.is_file() {
            let mut hasher = blake3::Hasher::new();
            let mut file = fs::File::open(path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
            std::io::copy(&mut file, &mut hasher).unwrap_or_else(|e| panic!("{path:?}: {e}"));
            Self::File { bytes: stat.len(), digest: hasher.finalize() }
        } else {
            debug_assert!(
                kind.is_socket()
                    || kind.is_fifo()
                    || kind.is_char_device()
                    || kind.is_block_device()
            );
            Self::Special
        }
    }
}

/// Extended attributes; none where the file system has none.
fn attributes(path: &Path) -> BTreeMap<OsString, Vec<u8>> {
    use rustix::fs::{lgetxattr, llistxattr};
    // Both sizes are what Linux allows at most (limits.h: XATTR_LIST_MAX, XATTR_SIZE_MAX).
    let mut names = vec![0; 64 * 1024];
    let Ok(length) = llistxattr(path, &mut names[..]) else { return BTreeMap::new() };
    names[..length]
        .split(|b| *b == 0)
        .filter(|name| !name.is_empty())
        .filter_map(|name| {
            let name = std::ffi::OsStr::from_bytes(name);
            let mut value = vec![0; 64 * 1024];
            let length = lgetxattr(path, name, &mut value[..]).ok()?;
            value.truncate(length);
            Some((name.to_owned(), value))
        })
        .collect()
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory => f.write_str("directory"),
            Self::File { bytes, digest } => {
                write!(f, "file of {bytes} bytes {}…", &digest.to_hex()[..12])
            }
            Self::Symlink(to) => write!(f, "symlink to {to:?}"),
            Self::Special => f.write_str("special"),
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, mode {:04o}", self.kind, self.mode)
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.entries).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    /// A tree, one change to it, and what a line of the difference must say.
    fn check(change: impl FnOnce(&Path), expected: &[&str]) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir(root.join("sub")).unwrap();
        fs::write(root.join("sub/file"), "content").unwrap();
        symlink("sub/file", root.join("link")).unwrap();
        let before = Snapshot::take(root);
        assert_same(&before, &Snapshot::take(root));
        change(root);
        let lines = before.diff(&Snapshot::take(root));
        assert_eq!(lines.len(), expected.len(), "{lines:#?}");
        for (line, expected) in lines.iter().zip(expected) {
            assert!(line.contains(expected), "{expected} in {lines:#?}");
        }
    }

    fn modify(path: &Path, content: &str, seconds: u64) {
        fs::write(path, content).unwrap();
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    }

    #[test]
    fn every_kind_of_change_is_seen() {
        check(|r| modify(&r.join("sub/file"), "cOntent", 1), &["~ \"sub/file\": is file of 7"]);
        check(|r| modify(&r.join("sub/file"), "content", 1), &["~ \"sub/file\": modified "]);
        let mode = fs::Permissions::from_mode(0o601);
        check(|r| fs::set_permissions(r.join("sub/file"), mode).unwrap(), &["→ 0601"]);
        let mode = fs::Permissions::from_mode(0o1700);
        check(|r| fs::set_permissions(r.join("sub"), mode).unwrap(), &["~ \"sub\": mode "]);
        check(
            |r| fs::rename(r.join("sub/file"), r.join("sub/filE")).unwrap(),
            &["+ \"sub/filE\"", "- \"sub/file\""],
        );
        check(
            |r| {
                fs::remove_file(r.join("link")).unwrap();
                symlink("elsewhere", r.join("link")).unwrap();
            },
            &["is symlink to \"sub/file\" → symlink to \"elsewhere\""],
        );
        check(|r| fs::create_dir(r.join("new")).unwrap(), &["+ \"new\": directory"]);
    }

    #[test]
    fn an_extended_attribute_is_part_of_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "x").unwrap();
        let before = Snapshot::take(dir.path());
        let flags = rustix::fs::XattrFlags::empty();
        if let Err(error) = rustix::fs::setxattr(&path, "user.origin", b"there", flags) {
            eprintln!("skipped, because the scratch directory has no user attributes: {error}");
            return;
        }
        let lines = before.diff(&Snapshot::take(dir.path()));
        assert!(lines.len() == 1 && lines[0].contains("user.origin"), "{lines:?}");
    }

    #[test]
    fn names_are_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let name = std::ffi::OsStr::from_bytes(b"\xff\n");
        if let Err(error) = fs::write(dir.path().join(name), "x") {
            eprintln!("skipped, because names must be UTF-8 here: {error}");
            return;
        }
        assert!(Snapshot::take(dir.path()).entries.contains_key(Path::new(name)));
    }

    #[test]
    fn lost_content_is_told_from_moved_content() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for (name, content) in [("a", "same"), ("b", "same"), ("c", "other"), ("empty", "")] {
            fs::write(root.join(name), content).unwrap();
        }
        let before = Snapshot::take(root);
        fs::create_dir(root.join("sub")).unwrap();
        fs::rename(root.join("c"), root.join("sub/moved")).unwrap();
        fs::remove_file(root.join("empty")).unwrap();
        assert_eq!(before.lost_by(&Snapshot::take(root)), Vec::<PathBuf>::new());
        fs::remove_file(root.join("a")).unwrap();
        assert_eq!(before.lost_by(&Snapshot::take(root)), [PathBuf::from("b")]);
    }
}
