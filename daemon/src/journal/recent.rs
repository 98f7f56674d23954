//! Pages of operations that were read last, taken apart: neighbours are asked about one after the other, and taking a page
//! apart costs a hundred times as much as finding it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tidy_core::operation::Operation;

use super::projection::ProjectionError;
use super::writer::lock;

/// Pages that are kept, of 16 operations each: half a megabyte or so.
const KEPT: usize = 64;

/// The key of a page in the projection.
type Key = [u8; 8];

/// A page, taken apart.
pub(super) type Page = Arc<[Operation]>;

#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// With when each was asked for last, by count.
    pages: HashMap<Key, (Page, u64)>,
    asked: u64,
    /// How often a page was changed.
    changes: u64,
}

impl Recent {
    /// The page, as `read` has it if it is not kept.
    pub(super) fn page(
        &self,
        key: Key,
        read: impl FnOnce() -> Result<Vec<Operation>, ProjectionError>,
    ) -> Result<Page, ProjectionError> {
        let changes = {
            let mut known = lock(&self.0);
            known.asked += 1;
            let asked = known.asked;
            if let Some((page, last)) = known.pages.get_mut(&key) {
                *last = asked;
                return Ok(page.clone());
            }
            known.changes
        };
        let page: Page = read()?.into();
        let mut known = lock(&self.0);
        // What was read while a page was changed may be what it was before.
        if known.changes == changes {
            let asked = known.asked;
            known.pages.insert(key, (page.clone(), asked));
            if known.pages.len() > KEPT {
                let oldest = known.pages.iter().min_by_key(|(_, (_, last))| *last);
                if let Some(oldest) = oldest.map(|(key, _)| *key) {
                    known.pages.remove(&oldest);
                }
            }
        }
        Ok(page)
    }

    /// Must be called after a page has been changed in the projection.
    pub(super) fn changed(&self, key: Key) {
        let mut known = lock(&self.0);
        known.changes += 1;
        known.pages.remove(&key);
    }

    /// The same when any may have been.
    pub(super) fn clear(&self) {
        let mut known = lock(&self.0);
        known.changes += 1;
        known.pages = HashMap::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u64) -> Key {
        n.to_be_bytes()
    }

    fn none() -> Result<Vec<Operation>, ProjectionError> {
        panic!("the page is kept")
    }

    #[test]
    fn a_page_is_read_once_until_it_changes_and_the_oldest_goes() {
        let recent = Recent::default();
        recent.page(key(1), || Ok(Vec::new())).unwrap();
        recent.page(key(1), none).unwrap();
        recent.changed(key(1));
        let mut read = false;
        recent
            .page(key(1), || {
                Ok({
                    read = true;
                    Vec::new()
                })
            })
            .unwrap();
        assert!(read);
        for n in 2..2 + KEPT as u64 {
            recent.page(key(1), none).unwrap();
            recent.page(key(n), || Ok(Vec::new())).unwrap();
        }
        recent.page(key(1), none).unwrap();
        read = false;
        recent
            .page(key(2), || {
                Ok({
                    read = true;
                    Vec::new()
                })
            })
            .unwrap();
        assert!(read, "the one asked for longest ago went");
        recent.clear();
        assert!(recent.page(key(1), || Err(ProjectionError::Damaged("x"))).is_err());
    }

    #[test]
    fn what_was_read_while_it_was_changed_is_not_kept() {
        let recent = Recent::default();
        recent
            .page(key(1), || {
                recent.changed(key(1));
                Ok(Vec::new())
            })
            .unwrap();
        let mut again = false;
        recent
            .page(key(1), || {
                Ok({
                    again = true;
                    Vec::new()
                })
            })
            .unwrap();
        assert!(again);
    }
}
