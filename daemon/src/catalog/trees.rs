//! The trees on disk, and how pages are written into them.

use super::CatalogError;
use super::codec::PageKey;
use crate::store::Store;

/// Version of the trees as a whole; anything else is dropped and built anew. In 1 the head of a long file was that of its
/// beginning alone.
const FORMAT: &[u8] = b"2";
const FORMAT_KEY: &[u8] = b"format";
/// Directory numbers below this (u64 BE) may have been given out.
pub(super) const NEXT_DIR_KEY: &[u8] = b"next-dir";
/// One batch pins an epoch of sled's memory reclamation: larger ones were measured to reach 15 GB.
const BATCH_MAX: usize = 100;

/// The catalog's trees.
#[derive(Debug, Clone)]
pub(super) struct Trees {
    pub(super) store: Store,
    pub(super) pages: sled::Tree,
    pub(super) dirs: sled::Tree,
    pub(super) words: sled::Tree,
    pub(super) meta: sled::Tree,
}

impl Trees {
    /// Opens the trees, empties them when they are of a format that is not ours, and says so.
    pub(super) fn open(store: &Store) -> Result<(Self, bool), CatalogError> {
        let opened = store.run(|db| {
            let trees = Self {
                store: store.clone(),
                pages: db.open_tree("catalog/pages")?,
                dirs: db.open_tree("catalog/dirs")?,
                words: db.open_tree("catalog/words")?,
                meta: db.open_tree("catalog/meta")?,
            };
            let format = trees.meta.get(FORMAT_KEY)?;
            let foreign = format.as_deref().is_some_and(|f| f != FORMAT);
            if foreign {
                for tree in [&trees.pages, &trees.dirs, &trees.words, &trees.meta] {
                    tree.clear()?;
                }
            }
            if format.as_deref() != Some(FORMAT) {
                trees.meta.insert(FORMAT_KEY, FORMAT)?;
            }
            Ok((trees, foreign))
        })?;
        Ok(opened)
    }

    pub(super) fn error(&self, e: sled::Error) -> CatalogError {
        CatalogError::Store(self.store.error(e))
    }
}

/// Writes (`Some`) and removes pages: one as it is, several in batches.
pub(super) fn apply(
    tree: &sled::Tree,
    mut writes: Vec<(PageKey, Option<Vec<u8>>)>,
) -> sled::Result<()> {
    if writes.len() == 1
        && let Some((key, value)) = writes.pop()
    {
        return match value {
            Some(value) => tree.insert(key.to_bytes(), value).map(drop),
            None => tree.remove(key.to_bytes()).map(drop),
        };
    }
    for part in writes.chunks_mut(BATCH_MAX) {
        let mut batch = sled::Batch::default();
        for (key, value) in part {
            match value.take() {
                Some(value) => batch.insert(&key.to_bytes()[..], value),
                None => batch.remove(&key.to_bytes()[..]),
            }
        }
        tree.apply_batch(batch)?;
    }
    Ok(())
}
