//! A listing against what was known of the directory.

use std::ffi::{OsStr, OsString};

use tidy_core::facts::Identity;

use super::{Found, Listing};

/// What is different.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Diff<'a> {
    /// Names that were not known.
    pub fresh: Vec<&'a Found>,
    /// Known names that stand for another file, or for one that was written to.
    pub changed: Vec<&'a Found>,
    /// Known names that stand for no regular file any more.
    pub vanished: Vec<OsString>,
}

impl Diff<'_> {
    /// Nothing is different.
    pub fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.changed.is_empty() && self.vanished.is_empty()
    }
}

/// Compares a listing with the known entries of its directory, in any order. A name that could not be
/// looked at is neither changed nor vanished, and a listing that is not complete has nothing vanish.
pub fn diff<'a, N: AsRef<OsStr>>(
    listing: &'a Listing,
    known: impl IntoIterator<Item = (N, Identity)>,
) -> Diff<'a> {
    let mut out = Diff::default();
    let mut is_known = vec![false; listing.files.len()];
    for (name, id) in known {
        let name = name.as_ref();
        match listing.files.binary_search_by(|f| f.name.as_os_str().cmp(name)) {
            Ok(at) => {
                is_known[at] = true;
                if listing.files[at].stat.id != id {
                    out.changed.push(&listing.files[at]);
                }
            }
            Err(_) if !listing.is_complete() => {}
            Err(_) if listing.unreadable.iter().any(|(n, _)| n == name) => {}
            Err(_) => out.vanished.push(name.to_owned()),
        }
    }
    out.fresh = listing.files.iter().zip(is_known).filter(|(_, k)| !k).map(|(f, _)| f).collect();
    out
}
