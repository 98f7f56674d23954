//! From the trees on disk to what is kept of them in memory. What is damaged, or belongs to nothing, is dropped and reported.

use std::collections::{BTreeMap, BTreeSet};

use super::chunk::Chunk;
use super::codec::{PageKey, Stored, StoredOutcome};
use super::dirs::{DirId, Dirs, Row};
use super::sizes::SizeIndex;
use super::state::{State, first_name};
use super::totals::Totals;
use super::trees::{NEXT_DIR_KEY, Trees};
use super::words::Words;
use super::{CatalogError, CatalogReport};

/// A page's number and its entries.
type Numbered = (u16, Vec<Stored>);
/// Key of a page to be dropped, and the directory that must be scanned for it, if it belongs to one.
type BadPage = (sled::IVec, Option<DirId>);

impl State {
    /// Reads all pages. What is damaged or belongs to nothing is dropped from the trees and reported.
    pub(super) fn load(trees: Trees) -> Result<(Self, CatalogReport), CatalogError> {
        let store = trees.store.clone();
        store.run(|_| Self::load_trees(trees)).map_err(CatalogError::Store)
    }

    fn load_trees(trees: Trees) -> sled::Result<(Self, CatalogReport)> {
        let mut report = CatalogReport::default();
        let words = load_words(&trees)?;
        let (dirs, highest_row) = load_dirs(&trees, &mut report)?;
        let reserved = trees.meta.get(NEXT_DIR_KEY)?.as_deref().and_then(DirId::from_bytes);
        let mut state = Self {
            dirs,
            words,
            pages: BTreeMap::new(),
            sizes: SizeIndex::default(),
            totals: Totals::default(),
            revisits: BTreeSet::new(),
            next_dir: 0,
            reserved_dir: 0,
            writes: 0,
            trees,
        };
        let highest_page = state.load_pages(&mut report)?;
        state.sizes.finish();
        let seen = highest_row.max(highest_page).max(DirId::ROOT);
        state.next_dir = seen.0.saturating_add(1).max(reserved.map_or(0, |d| d.0));
        state.reserved_dir = state.next_dir;
        report.directories = state.dirs.len() as u64;
        report.files = state.sizes.len() as u64;
        Ok((state, report))
    }

    /// Returns the highest directory number met.
    fn load_pages(&mut self, report: &mut CatalogReport) -> sled::Result<DirId> {
        let mut highest = DirId(0);
        let mut bad: Vec<BadPage> = Vec::new();
        let mut current: Option<(DirId, Vec<Numbered>)> = None;
        let pages = self.trees.pages.clone();
        for item in &pages {
            let (raw, value) = item?;
            let Some(key) = PageKey::from_bytes(&raw) else {
                bad.push((raw, None));
                continue;
            };
            highest = highest.max(key.dir);
            if !self.dirs.contains(key.dir) {
                bad.push((raw, None));
                continue;
            }
            let Some(entries) = self.readable(key, &value) else {
                bad.push((raw, Some(key.dir)));
                continue;
            };
            let filed = entries.iter().filter_map(|e| match e.outcome {
                StoredOutcome::Filed { op } => Some(op),
                _ => None,
            });
            report.newest_operation = filed.chain([report.newest_operation]).max().unwrap_or(0);
            if let Some((dir, chunks)) = current.take_if(|(dir, _)| *dir != key.dir) {
                self.load_dir(dir, chunks, &mut bad);
            }
            current.get_or_insert_with(|| (key.dir, Vec::new())).1.push((key.chunk, entries));
        }
        if let Some((dir, chunks)) = current {
            self.load_dir(dir, chunks, &mut bad);
        }
        let mut damaged = BTreeSet::new();
        for (raw, dir) in bad {
            self.trees.pages.remove(raw)?;
            match dir {
                Some(dir) => damaged.extend(self.dirs.path(dir)),
                None => report.orphans += 1,
            }
        }
        report.damaged.extend(damaged);
        Ok(highest)
    }

    /// Takes the pages of one directory in. Pages that overlap are what a crash in the middle of a change
    /// leaves: then none of the directory's pages is trusted.
    fn load_dir(&mut self, dir: DirId, mut chunks: Vec<Numbered>, bad: &mut Vec<BadPage>) {
        if chunks.len() > 1 {
            // A page is empty only when it is the only one.
            chunks.sort_by(|a, b| first_name(&a.1).cmp(first_name(&b.1)));
            let overlap = chunks.windows(2).any(|w| match (w[0].1.last(), w[1].1.first()) {
                (Some(last), Some(first)) => last.name >= first.name,
                _ => true,
            });
            if overlap {
                let key = |chunk: &u16| PageKey { dir, chunk: *chunk }.to_bytes();
                bad.extend(chunks.iter().map(|(c, _)| (key(c)[..].into(), Some(dir))));
                return;
            }
        }
        let mut loaded = Vec::with_capacity(chunks.len());
        for (i, (id, entries)) in chunks.into_iter().enumerate() {
            let fence = if i == 0 { Box::default() } else { first_name(&entries).into() };
            let chunk = Chunk::new(id, fence, &entries);
            let key = PageKey { dir, chunk: id };
            for entry in &entries {
                self.sizes.push(entry.id.size, key);
                self.totals.add(entry);
            }
            self.revisits.extend(chunk.revisit.map(|at| (at, key)));
            loaded.push(chunk);
        }
        self.pages.insert(dir, loaded);
    }
}

fn load_words(trees: &Trees) -> sled::Result<Words> {
    let mut words = Words::default();
    for item in &trees.words {
        let (key, value) = item?;
        let id = key.as_ref().try_into().map(u32::from_be_bytes).ok();
        let text = std::str::from_utf8(&value).ok();
        let taken = id.zip(text).is_some_and(|(id, text)| words.insert(id, text));
        if !taken {
            trees.words.remove(key)?; // pages that refer to it are dropped as damaged
        }
    }
    Ok(words)
}

/// The tree of directories, and the highest number in it.
fn load_dirs(trees: &Trees, report: &mut CatalogReport) -> sled::Result<(Dirs, DirId)> {
    let mut rows = BTreeMap::new();
    for item in &trees.dirs {
        let (key, value) = item?;
        let row = DirId::from_bytes(&key).and_then(|id| Some((id, Row::decode(id, &value)?)));
        match row {
            Some((id, row)) => drop(rows.insert(id, row)),
            None => {
                trees.dirs.remove(key)?;
                report.orphans += 1;
            }
        }
    }
    let highest = rows.keys().next_back().copied().unwrap_or(DirId::ROOT);
    let (dirs, orphans) = Dirs::from_rows(rows);
    for id in &orphans {
        trees.dirs.remove(id.to_bytes())?;
    }
    report.orphans += orphans.len() as u64;
    Ok((dirs, highest))
}
