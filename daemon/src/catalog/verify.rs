//! Checking the catalog against itself.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::codec::PageKey;
use super::state::{Fault, State};
use super::totals::Totals;
use super::{Catalog, CatalogError};

/// What [`Catalog::verify`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// Directories that have been seen.
    pub directories: u64,
    pub pages: u64,
    pub files: u64,
    /// Directories with a page that is damaged, missing or out of order.
    pub damaged: Vec<PathBuf>,
    /// The counters, the size index and the revisit times in memory are what the pages say.
    pub counts_agree: bool,
}

impl VerifyReport {
    /// Nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.damaged.is_empty() && self.counts_agree
    }
}

impl Catalog {
    /// Reads and checks every page, and compares what is kept in memory with them. Changes nothing. Others
    /// can read but not write meanwhile (about half a second for a million files).
    pub fn verify(&self) -> Result<VerifyReport, CatalogError> {
        self.ask(verify)
    }
}

fn verify(state: &State) -> Result<VerifyReport, Fault> {
    let mut totals = Totals::default();
    let mut revisits = BTreeSet::new();
    let mut damaged = BTreeSet::new();
    let (mut pages, mut files) = (0_u64, 0_u64);
    for (&dir, chunks) in &state.pages {
        let mut last_name: Option<Box<[u8]>> = None;
        for chunk in chunks {
            pages += 1;
            let key = PageKey { dir, chunk: chunk.id };
            let entries = match state.read(key) {
                Ok(entries) => entries,
                Err(Fault::Damaged) => {
                    damaged.extend(state.dirs.path(dir));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let first = entries.first().map(|e| &e.name);
            let ordered = last_name.as_ref().is_none_or(|last| first > Some(last));
            let complete = entries.len() == usize::from(chunk.len);
            if !ordered || !complete {
                damaged.extend(state.dirs.path(dir));
            }
            entries.iter().for_each(|e| totals.add(e));
            files += entries.len() as u64;
            revisits.extend(entries.iter().filter_map(|e| e.revisit).min().map(|at| (at, key)));
            last_name = entries.into_iter().next_back().map(|e| e.name);
        }
    }
    let counts_agree = totals.agrees(&state.totals)
        && state.sizes.len() as u64 == files
        && revisits == state.revisits;
    let directories = state.pages.len() as u64;
    Ok(VerifyReport {
        directories,
        pages,
        files,
        damaged: damaged.into_iter().collect(),
        counts_agree,
    })
}
