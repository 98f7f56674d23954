//! The trees on disk together with all that is kept of them in memory.
//!
//! **Invariant:** every change goes to sled first and into memory only when sled took it. Both happen under
//! the catalog's one write lock, so a reader sees all of a change or nothing. (When sled refuses a change of more than
//! 100 pages half-way, the pages already written are seen at the next start; sled takes no further writes
//! after such an error anyway.)

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use tidy_core::UnixNanos;

use super::CatalogError;
use super::chunk::{self, Chunk};
use super::codec::{self, PageKey, Stored, StoredOutcome, WordId};
use super::column;
use super::dirs::{DirId, Dirs, Row, names};
use super::entry::{Entry, Outcome};
use super::rewrite::{self, Edits, Layout, RewriteError, Slot};
use super::sizes::SizeIndex;
use super::totals::Totals;
use super::trees::{NEXT_DIR_KEY, Trees, apply};
use super::words::Words;

/// Directory numbers reserved at once, so that a new directory seldom costs a second write.
const DIRS_RESERVED: u32 = 1024;
/// Pages written between two nudges to sled's memory reclamation.
const WRITES_PER_COLLECT: usize = 256;

/// Why a question could not be answered.
#[derive(Debug)]
pub(super) enum Fault {
    /// A page cannot be read: the memory must be loaded again, which drops it.
    Damaged,
    Error(CatalogError),
}

impl From<CatalogError> for Fault {
    fn from(e: CatalogError) -> Self {
        Self::Error(e)
    }
}

/// Everything behind the lock.
#[derive(Debug)]
pub(super) struct State {
    pub(super) trees: Trees,
    pub(super) dirs: Dirs,
    pub(super) words: Words,
    /// The pages of every directory that has been seen, in the order of their names; at least one each.
    pub(super) pages: BTreeMap<DirId, Vec<Chunk>>,
    pub(super) sizes: SizeIndex,
    pub(super) totals: Totals,
    /// Every page with something to be looked at again, by its earliest time.
    pub(super) revisits: BTreeSet<(UnixNanos, PageKey)>,
    pub(super) next_dir: u32,
    pub(super) reserved_dir: u32,
    pub(super) writes: usize,
}

impl State {
    pub(super) fn readable(&self, key: PageKey, value: &[u8]) -> Option<Vec<Stored>> {
        let entries = codec::decode(key, value).ok()?;
        entries.iter().all(|e| self.has_words(e)).then_some(entries)
    }

    fn has_words(&self, e: &Stored) -> bool {
        let rule = match e.outcome {
            StoredOutcome::Left { rule, .. } => rule,
            _ => 0,
        };
        self.words.knows(e.category) && self.words.knows(rule)
    }

    /// Whether there is such a page: it may have gone since somebody heard of it.
    pub(super) fn has(&self, key: PageKey) -> bool {
        self.pages.get(&key.dir).is_some_and(|chunks| chunks.iter().any(|c| c.id == key.chunk))
    }

    /// One page's entries.
    pub(super) fn read(&self, key: PageKey) -> Result<Vec<Stored>, Fault> {
        let value = self.trees.pages.get(key.to_bytes()).map_err(|e| self.trees.error(e))?;
        value.and_then(|v| self.readable(key, &v)).ok_or(Fault::Damaged)
    }

    /// One page's entries that have one of these sizes. The others are passed over, which is several times as fast as
    /// taking them in.
    pub(super) fn read_sized(
        &self,
        key: PageKey,
        sizes: &HashSet<u64>,
    ) -> Result<Vec<Stored>, Fault> {
        self.read_some(key, &|_, _, size| sizes.contains(&size))
    }

    /// One page's entries whose bits are set, by their place.
    pub(super) fn read_bits(&self, key: PageKey, bits: u64) -> Result<Vec<Stored>, Fault> {
        self.read_some(key, &|at, _, _| column::has(bits, at))
    }

    fn read_some(&self, key: PageKey, wanted: codec::Wanted<'_>) -> Result<Vec<Stored>, Fault> {
        let value = self.trees.pages.get(key.to_bytes()).map_err(|e| self.trees.error(e))?;
        let entries = value.and_then(|v| codec::decode_some(key, &v, wanted).ok());
        entries.filter(|entries| entries.iter().all(|e| self.has_words(e))).ok_or(Fault::Damaged)
    }

    /// All entries of a directory, sorted by name; `None` when it has never been seen.
    pub(super) fn read_dir(&self, dir: DirId) -> Result<Option<Vec<Entry>>, Fault> {
        let Some(chunks) = self.pages.get(&dir) else { return Ok(None) };
        let mut entries = Vec::with_capacity(chunks.iter().map(|c| usize::from(c.len)).sum());
        for chunk in chunks {
            let page = self.read(PageKey { dir, chunk: chunk.id })?;
            entries.extend(page.into_iter().map(|e| self.entry(e)));
        }
        Ok(Some(entries))
    }

    /// One entry as it is stored.
    pub(super) fn find(&self, path: &Path) -> Result<Option<Stored>, Fault> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(None) };
        let Some(dir) = self.dirs.find(parent) else { return Ok(None) };
        Ok(self.find_each(dir, &[name.as_bytes()])?.pop())
    }

    /// The entries of a directory with these names, which must be sorted. Each page is read once.
    pub(super) fn find_each(&self, dir: DirId, names: &[&[u8]]) -> Result<Vec<Stored>, Fault> {
        let Some(chunks) = self.pages.get(&dir) else { return Ok(Vec::new()) };
        let (mut found, mut rest) = (Vec::new(), names);
        while let Some(first) = rest.first() {
            let at = chunk::home(chunks, first);
            let end = chunks.get(at + 1).map(|c| &*c.fence);
            let here = rest.partition_point(|name| end.is_none_or(|end| *name < end)).max(1);
            let (here, further) = rest.split_at(here);
            let key = PageKey { dir, chunk: chunks[at].id };
            found.extend(self.read_some(key, &|_, name, _| here.binary_search(&name).is_ok())?);
            rest = further;
        }
        Ok(found)
    }

    /// A stored entry with its names back. Numbers without a name do not pass [`State::readable`].
    pub(super) fn entry(&self, stored: Stored) -> Entry {
        Entry {
            name: std::ffi::OsString::from_vec(stored.name.into_vec()),
            id: stored.id,
            category: self.words.category(stored.category).cloned(),
            outcome: match stored.outcome {
                StoredOutcome::Known => Outcome::Known,
                StoredOutcome::Filed { op } => Outcome::Filed { op },
                StoredOutcome::Left { reason, rule, fingerprint } => {
                    Outcome::Left { reason, rule: self.words.rule(rule).cloned(), fingerprint }
                }
            },
            revisit: stored.revisit,
            head: stored.head,
            digest: stored.digest,
        }
    }

    /// An entry as it is stored; gives new names their numbers.
    pub(super) fn stored(&mut self, entry: Entry) -> Result<Stored, CatalogError> {
        let category = match &entry.category {
            Some(category) => self.word(category.as_str())?,
            None => 0,
        };
        let outcome = match entry.outcome {
            Outcome::Known => StoredOutcome::Known,
            Outcome::Filed { op } => StoredOutcome::Filed { op },
            Outcome::Left { reason, rule, fingerprint } => {
                let rule = rule.map_or(Ok(0), |rule| self.word(&rule))?;
                StoredOutcome::Left { reason, rule, fingerprint }
            }
        };
        Ok(Stored {
            name: entry.name.into_vec().into(),
            id: entry.id,
            category,
            outcome,
            revisit: entry.revisit,
            head: entry.head,
            digest: entry.digest,
        })
    }

    fn word(&mut self, text: &str) -> Result<WordId, CatalogError> {
        if let Some(id) = self.words.find(text) {
            return Ok(id);
        }
        let id = self.words.next_id().ok_or(CatalogError::Exhausted("names"))?;
        self.trees
            .words
            .insert(id.to_be_bytes(), text.as_bytes())
            .map_err(|e| self.trees.error(e))?;
        self.words.insert(id, text);
        Ok(id)
    }

    /// The number of a directory, which is made known, with those on the way to it, when it is not.
    pub(super) fn make_dir(&mut self, path: &Path) -> Result<DirId, CatalogError> {
        let all = names(path).ok_or_else(|| CatalogError::BadPath(path.to_owned()))?;
        let (mut at, missing) = self.dirs.find_nearest(&all);
        for name in missing {
            at = self.make_child(at, name)?;
        }
        Ok(at)
    }

    fn make_child(&mut self, parent: DirId, name: &OsStr) -> Result<DirId, CatalogError> {
        if self.next_dir >= self.reserved_dir {
            let reserve = self.next_dir.checked_add(DIRS_RESERVED);
            let reserve = reserve.ok_or(CatalogError::Exhausted("directories"))?;
            self.trees
                .meta
                .insert(NEXT_DIR_KEY, &DirId(reserve).to_bytes())
                .map_err(|e| self.trees.error(e))?;
            self.reserved_dir = reserve;
        }
        let id = DirId(self.next_dir);
        let row = Row { parent, name: name.to_owned() };
        self.put_row(id, &row)?;
        self.next_dir += 1;
        self.dirs.insert(id, row);
        Ok(id)
    }

    pub(super) fn put_row(&self, id: DirId, row: &Row) -> Result<(), CatalogError> {
        self.trees
            .dirs
            .insert(id.to_bytes(), row.encode(id))
            .map(drop)
            .map_err(|e| self.trees.error(e))
    }

    /// Changes the entries of a directory.
    pub(super) fn rewrite(&mut self, dir: DirId, edits: Edits) -> Result<(), Fault> {
        let chunks = self.pages.get(&dir).map_or(&[][..], Vec::as_slice);
        let load = |i: usize| self.read(PageKey { dir, chunk: chunks[i].id });
        let layout = rewrite::layout(chunks, edits, load).map_err(|e| match e {
            RewriteError::Load(fault) => fault,
            RewriteError::TooMany => {
                Fault::Error(CatalogError::TooManyFiles(self.dirs.path(dir).unwrap_or_default()))
            }
        })?;
        self.write(dir, &layout)?;
        self.remember(dir, layout);
        Ok(())
    }

    fn write(&mut self, dir: DirId, layout: &Layout) -> Result<(), CatalogError> {
        let mut writes: Vec<(PageKey, Option<Vec<u8>>)> = Vec::new();
        for slot in &layout.slots {
            if let Slot::Write { id, new, .. } = slot {
                let key = PageKey { dir, chunk: *id };
                writes.push((key, Some(codec::encode(key, new))));
            }
        }
        writes.extend(layout.removed.iter().map(|(id, _)| (PageKey { dir, chunk: *id }, None)));
        self.writes += writes.len();
        let result = apply(&self.trees.pages, writes);
        if self.writes >= WRITES_PER_COLLECT {
            self.writes = 0;
            crossbeam_epoch::pin().flush();
        }
        result.map_err(|e| self.trees.error(e))
    }

    /// Brings the memory up to what has been written.
    fn remember(&mut self, dir: DirId, layout: Layout) {
        let mut before: Vec<Option<Chunk>> =
            self.pages.remove(&dir).unwrap_or_default().into_iter().map(Some).collect();
        for chunk in before.iter().flatten() {
            if let Some(at) = chunk.revisit {
                self.revisits.remove(&(at, PageKey { dir, chunk: chunk.id }));
            }
        }
        for (id, old) in &layout.removed {
            self.exchange(PageKey { dir, chunk: *id }, old, &[]);
        }
        let mut chunks: Vec<Chunk> = Vec::with_capacity(layout.slots.len());
        for slot in layout.slots {
            let mut chunk = match slot {
                Slot::Keep(i) => match before.get_mut(i).and_then(Option::take) {
                    Some(chunk) => chunk,
                    None => continue, // `layout` keeps only pages there are, each once
                },
                Slot::Write { id, old, new } => {
                    self.exchange(PageKey { dir, chunk: id }, &old, &new);
                    Chunk::new(id, first_name(&new).into(), &new)
                }
            };
            if chunks.is_empty() {
                chunk.fence = Box::default();
            }
            chunks.push(chunk);
        }
        for chunk in &chunks {
            self.revisits.extend(chunk.revisit.map(|at| (at, PageKey { dir, chunk: chunk.id })));
        }
        self.pages.insert(dir, chunks);
    }

    /// Counts the entries of one page anew; those that did not change cost a comparison.
    fn exchange(&mut self, key: PageKey, old: &[Stored], new: &[Stored]) {
        let mut new = new.iter().peekable();
        for was in old {
            while let Some(added) = new.next_if(|n| n.name < was.name) {
                self.sizes.insert(added.id.size, key);
                self.totals.add(added);
            }
            let is = new.next_if(|n| n.name == was.name);
            if is.is_none_or(|is| is.id.size != was.id.size) {
                self.sizes.remove(was.id.size, key);
                if let Some(is) = is {
                    self.sizes.insert(is.id.size, key);
                }
            }
            self.totals.subtract(was);
            if let Some(is) = is {
                self.totals.add(is);
            }
        }
        for added in new {
            self.sizes.insert(added.id.size, key);
            self.totals.add(added);
        }
    }

    /// Forgets a directory and all below it, and directories on the way that are then known for nothing.
    pub(super) fn forget(&mut self, dir: DirId) -> Result<(), Fault> {
        let above = self.dirs.parent(dir);
        // Children first: whatever part of this a crash leaves undone, nothing is left without a parent.
        for id in self.dirs.subtree(dir).into_iter().rev() {
            self.forget_one(id)?;
        }
        self.prune(above)
    }

    /// Forgets directories without entries and without known directories below, from `at` upwards.
    pub(super) fn prune(&mut self, mut at: Option<DirId>) -> Result<(), Fault> {
        while let Some(id) = at {
            let needed = self.pages.contains_key(&id) || self.dirs.has_children(id);
            if needed || id == DirId::ROOT {
                break;
            }
            at = self.dirs.parent(id);
            self.forget_one(id)?;
        }
        Ok(())
    }

    fn forget_one(&mut self, id: DirId) -> Result<(), Fault> {
        if let Some(chunks) = self.pages.get(&id) {
            let keys: Vec<PageKey> =
                chunks.iter().map(|c| PageKey { dir: id, chunk: c.id }).collect();
            let mut removed = Vec::with_capacity(keys.len());
            for key in &keys {
                removed.push((key.chunk, self.read(*key)?));
            }
            let writes = keys.into_iter().map(|key| (key, None)).collect();
            apply(&self.trees.pages, writes).map_err(|e| self.trees.error(e))?;
            self.remember(id, Layout { slots: Vec::new(), removed });
            self.pages.remove(&id);
        }
        if id != DirId::ROOT {
            self.trees.dirs.remove(id.to_bytes()).map_err(|e| self.trees.error(e))?;
            self.dirs.remove(id);
        }
        Ok(())
    }

    /// Path of the file `name` in a directory.
    pub(super) fn path(&self, dir: DirId, name: &[u8]) -> Option<PathBuf> {
        self.dirs.path(dir).map(|d| d.join(OsStr::from_bytes(name)))
    }
}

pub(super) fn first_name(entries: &[Stored]) -> &[u8] {
    entries.first().map_or(&[], |e| &e.name)
}
