//! A walk over a whole tree, in a fixed order.

use std::ffi::OsString;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use tidy_core::ignore::{Ignore, unit_marker};

use super::{Listing, read_dir};

/// What a walk comes across.
#[derive(Debug)]
pub enum Visit {
    /// A directory that was read.
    Directory {
        /// Below the root; empty for the root itself.
        rel: PathBuf,
        listing: Listing,
        /// The name that makes it one unit; what is below is then not walked.
        unit: Option<&'static str>,
    },
    /// A directory that could not be read (the root also when it is not there); the walk goes on
    /// beside it.
    Unreadable { rel: PathBuf, error: io::Error },
}

/// Walks the tree below `root`, depth first, in the order of name bytes, as far as `ignore` and unit
/// markers let it; only the root itself unless `recursive`. Directories that vanish on the way are passed
/// over. `visit` ends the walk with [`ControlFlow::Break`].
///
/// One directory is open at a time. What it remembers is the names of the directories still to come:
/// the sub-directories along one path.
pub fn walk(
    root: &Path,
    ignore: &Ignore,
    recursive: bool,
    visit: &mut dyn FnMut(Visit) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut at = PathBuf::new();
    let mut to_come: Vec<std::vec::IntoIter<OsString>> = Vec::new();
    loop {
        let subdirs = enter(root, &at, ignore, recursive, visit)?;
        to_come.push(subdirs.into_iter());
        // The next sibling of the deepest level that has one; `at` has one component per level.
        loop {
            let Some(level) = to_come.last_mut() else { return ControlFlow::Continue(()) };
            if let Some(name) = level.next() {
                at.push(name);
                break;
            }
            to_come.pop();
            at.pop();
        }
    }
}

/// Visits one directory; the sub-directories to enter.
fn enter(
    root: &Path,
    rel: &Path,
    ignore: &Ignore,
    recursive: bool,
    visit: &mut dyn FnMut(Visit) -> ControlFlow<()>,
) -> ControlFlow<(), Vec<OsString>> {
    let listing = match read_dir(root, rel) {
        Ok(Some(listing)) => listing,
        // A root that is not there is worth saying: it may be on a disk that is not mounted.
        Ok(None) if rel.as_os_str().is_empty() => {
            let error = io::ErrorKind::NotFound.into();
            visit(Visit::Unreadable { rel: PathBuf::new(), error })?;
            return ControlFlow::Continue(Vec::new());
        }
        Ok(None) => return ControlFlow::Continue(Vec::new()),
        Err(error) => {
            visit(Visit::Unreadable { rel: rel.to_owned(), error })?;
            return ControlFlow::Continue(Vec::new());
        }
    };
    let is_root = rel.as_os_str().is_empty();
    let unit = if is_root { None } else { unit_marker(listing.names()) };
    let mut subdirs = Vec::new();
    if recursive && unit.is_none() {
        let entered = listing.subdirs.iter().filter(|name| ignore.enter(&rel.join(name)));
        subdirs.extend(entered.cloned());
    }
    visit(Visit::Directory { rel: rel.to_owned(), listing, unit })?;
    ControlFlow::Continue(subdirs)
}
