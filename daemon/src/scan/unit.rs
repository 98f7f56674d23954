//! Directories that are one thing: projects, packages, discs. They are never entered.

use std::path::Path;

use tidy_core::ignore;
use tidy_core::policy::RootPolicy;

use super::read_dir;

/// Whether a directory between the root and `rel` (a file) is one thing. The root itself never is.
///
/// Reads the listing of each directory on the way; one that cannot be read counts as ordinary.
pub fn is_in_unit(root: &RootPolicy, rel: &Path) -> bool {
    let dirs = rel.ancestors().skip(1).filter(|d| !d.as_os_str().is_empty());
    dirs.into_iter().any(|dir| is_unit(&root.path, dir))
}

/// Whether the directory itself is one.
pub fn is_unit(root: &Path, dir: &Path) -> bool {
    let listing = read_dir(root, dir).ok().flatten();
    listing.is_some_and(|l| ignore::unit_marker(l.names()).is_some())
}
