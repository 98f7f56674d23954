//! Directories that are one thing: projects, packages, discs. They are never entered.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use tidy_core::ignore;
use tidy_core::policy::RootPolicy;

use crate::beneath;

/// Whether a directory between the root and `rel` (a file) is one thing, or cannot be read and may be. The root itself
/// never is.
pub fn is_in_unit(root: &RootPolicy, rel: &Path) -> bool {
    Units::default().contain(root, rel).unwrap_or(true)
}

/// The same for many files of one moment: each directory is read once. By root, then by the path below it.
#[derive(Debug, Default)]
pub struct Units(HashMap<PathBuf, HashMap<PathBuf, bool>>);

impl Units {
    /// Whether a directory between the root and `rel` (a file) is one thing. Reads the names in each on the way.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn contain(&mut self, root: &RootPolicy, rel: &Path) -> io::Result<bool> {
        for dir in rel.ancestors().skip(1).filter(|d| !d.as_os_str().is_empty()) {
            let known = self.0.get(&*root.path).and_then(|below| below.get(dir));
            let is_unit = match known {
                Some(is_unit) => *is_unit,
                None => {
                    let names = names_of(&root.path, dir)?;
                    let names = names.iter().map(OsString::as_os_str);
                    let is_unit = ignore::unit_marker(names).is_some();
                    let below = self.0.entry(root.path.to_path_buf()).or_default();
                    below.insert(dir.to_owned(), is_unit);
                    is_unit
                }
            };
            if is_unit {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The names of files and directories in a directory, as a listing has them, without a look at any.
/// Of one that is gone by now there are none.
///
/// # Errors
/// Of opening or reading it; see [`Dir::open`](super::Dir::open).
pub fn names_of(root: &Path, dir: &Path) -> io::Result<Vec<OsString>> {
    let open = match beneath::open_dir(root, dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        open => open?,
    };
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(open)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        let kind = entry.file_type();
        // A file system that does not tell is believed to mean a file.
        let counts = kind.is_file() || kind.is_dir() || kind == rustix::fs::FileType::Unknown;
        if counts && name != "." && name != ".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}
