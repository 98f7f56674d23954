//! The home as it is found: what a person sees there, without what tidyd keeps for itself.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::thing::{self, Thing};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    Symlink,
    Special,
}

/// One name.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) kind: Kind,
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) links: u64,
    pub(crate) size: u64,
}

/// Every name below `root`, the highest first. What goes while it is read is left out.
pub(crate) fn names(root: &Path) -> Vec<Found> {
    let mut found = Vec::new();
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        let mut here: Vec<Found> = entries.flatten().filter_map(|e| look(&e.path()).ok()).collect();
        // The order of a listing is the file system's business.
        here.sort_by(|a, b| a.path.cmp(&b.path));
        for entry in here {
            if is_own(root, &entry.path) {
                continue;
            }
            if entry.kind == Kind::Directory {
                pending.push(entry.path.clone());
            }
            found.push(entry);
        }
    }
    found
}

pub(crate) fn look(path: &Path) -> io::Result<Found> {
    let stat = fs::symlink_metadata(path)?;
    let kind = match stat.file_type() {
        t if t.is_file() => Kind::File,
        t if t.is_dir() => Kind::Directory,
        t if t.is_symlink() => Kind::Symlink,
        t => {
            debug_assert!(t.is_fifo() || t.is_socket());
            Kind::Special
        }
    };
    let path = path.to_owned();
    let (device, inode, links) = (stat.dev(), stat.ino(), stat.nlink());
    Ok(Found { path, kind, device, inode, links, size: stat.len() })
}

/// What tidyd keeps for itself below a home.
fn is_own(home: &Path, path: &Path) -> bool {
    [".config", ".local/state", ".cache"].iter().any(|own| path == home.join(own))
}

/// Every regular file below `home` once, whatever number of names it has, and what it is. The trash's notes about its
/// files are not a person's.
pub(crate) fn things(home: &Path, names: &[Found]) -> Vec<(PathBuf, Thing)> {
    let notes = home.join(".local/share/Trash/info");
    let mut seen = HashSet::new();
    names
        .iter()
        .filter(|f| f.kind == Kind::File && !f.path.starts_with(&notes))
        .filter(|f| seen.insert((f.device, f.inode)))
        .map(|f| {
            let thing = thing::open_regular(&f.path).and_then(|file| Thing::of(&file));
            (f.path.clone(), thing.unwrap_or_else(|e| panic!("{:?}: {e}", f.path)))
        })
        .collect()
}

/// Names of tidyd's own in the middle of its work.
pub(crate) fn is_leftover(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_bytes().starts_with(b".tidyd-"))
}

/// Names that make the directory they are in one thing.
pub(crate) const MARKERS: [&str; 3] = [".git", "Cargo.toml", "package.json"];

/// Whether a directory between one of `roots` and the file holds a marker, or is itself part of a project. The root may
/// hold what it likes.
pub(crate) fn in_project(roots: &[PathBuf], path: &Path) -> bool {
    let Some(root) = roots.iter().find(|root| path.starts_with(root)) else { return false };
    let above = path.ancestors().skip(1).take_while(|dir| *dir != root);
    let is_part = |dir: &Path| dir.ends_with(".git");
    let is_marked = |dir: &Path| MARKERS.iter().any(|m| dir.join(m).symlink_metadata().is_ok());
    above.into_iter().any(|dir| is_part(dir) || is_marked(dir))
}
