//! Lists of files: filtered, in pages, without a copy of everything. In an order of their own: `ranked`.

use std::ffi::OsString;
use std::ops::{ControlFlow, RangeInclusive};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use tidy_core::UnixNanos;
use tidy_core::category::Category;
use tidy_core::facts::Digest;

use super::chunk::{self, Chunk, home};
use super::codec::{PageKey, Stored, WordId};
use super::dirs::DirId;
use super::ranked::{Order, Rank};
use super::state::{Fault, State};
use super::{Catalog, CatalogError, Entry, Fuzzy, NamePattern, OutcomeKind};

/// Pages looked at between two moments in which others may write.
pub(super) const PAGES_PER_LOCK: usize = 512;

/// Which files are wanted: all that answer to every field that is set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub name: Option<NamePattern>,
    /// Its name is about this.
    pub fuzzy: Option<Fuzzy>,
    /// This category or one that is a part of it.
    pub category: Option<Category>,
    /// Smallest size, in bytes.
    pub min_size: Option<u64>,
    /// Largest size, in bytes.
    pub max_size: Option<u64>,
    /// Modified at this time or later.
    pub since: Option<UnixNanos>,
    /// Modified before this time.
    pub before: Option<UnixNanos>,
    /// In this directory or below it.
    pub under: Option<PathBuf>,
    pub digest: Option<Digest>,
    pub outcome: Option<OutcomeKind>,
}

impl Filter {
    /// The order that a list has when this one is asked for.
    pub fn order(&self, asked: Option<Order>) -> Option<Order> {
        asked.or(self.fuzzy.is_some().then_some(Order::BEST))
    }
}

/// Where a list goes on. Stays valid while files come and go: what is there all the time, and does not change what the list
/// is sorted by, comes once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub(super) At);

/// After what a list goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum At {
    Spot(Spot),
    Rank(Order, Rank),
}

impl Cursor {
    /// For handing out: opaque to whoever gets it.
    pub fn to_bytes(&self) -> Vec<u8> {
        match &self.0 {
            At::Spot(spot) => spot.to_bytes(),
            At::Rank(order, rank) => rank.to_bytes(*order),
        }
    }

    /// From what [`Cursor::to_bytes`] gave, for a list in this order; `None` for anything else. Any bytes are safe.
    pub fn from_bytes(bytes: &[u8], order: Option<Order>) -> Option<Self> {
        Some(Self(match order {
            None => At::Spot(Spot::from_bytes(bytes)?),
            Some(order) => At::Rank(order, Rank::from_bytes(bytes, order)?),
        }))
    }
}

/// A place in the order of the pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    dir: DirId,
    /// Where in the directory; `None`: before the first name.
    name: Option<OsString>,
    /// The file of that name has been given: go on after it. Always so in a cursor that is handed out.
    given: bool,
}

impl Spot {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.dir.to_bytes().to_vec();
        if let Some(name) = &self.name {
            bytes.extend_from_slice(name.as_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (dir, name) = bytes.split_at_checked(8)?;
        let name = (!name.is_empty()).then(|| OsString::from_vec(name.to_vec()));
        Some(Self { dir: DirId::from_bytes(dir)?, name, given: true })
    }

    /// Before everything.
    pub(super) fn start() -> Self {
        Self { dir: DirId(0), name: None, given: false }
    }

    /// Before a page.
    pub(super) fn before(dir: DirId, chunk: &Chunk) -> Self {
        let fence = OsString::from_vec(chunk.fence.to_vec());
        Self { dir, name: (!fence.is_empty()).then_some(fence), given: false }
    }

    /// Whether `name` in `dir` is there or behind.
    pub(super) fn is_reached_by(&self, dir: DirId, name: &[u8]) -> bool {
        let own = self.name.as_deref().map_or(&[][..], |name| name.as_bytes());
        (self.dir, own) <= (dir, name)
    }

    /// Whether the file `name` in `dir` is still to come.
    fn precedes(&self, dir: DirId, name: &[u8]) -> bool {
        match &self.name {
            Some(last) if dir == self.dir => {
                if self.given {
                    *last.as_bytes() < *name
                } else {
                    *last.as_bytes() <= *name
                }
            }
            _ => true,
        }
    }
}

/// One page of a list of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePage {
    /// By directory in the order in which they became known, then by name.
    pub files: Vec<(PathBuf, Entry)>,
    /// Where the next page begins; `None`: that was all.
    pub next: Option<Cursor>,
}

/// One file of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub path: PathBuf,
    pub entry: Entry,
    /// A list that ends here goes on from here.
    pub at: Cursor,
}

impl Catalog {
    /// Up to `limit` files that the filter wants, from `after` on.
    ///
    /// Names and bounds that are kept in memory rule most pages out, so a search by name takes milliseconds over a
    /// million files; a filter that only the entries can answer reads them all. Others may write
    /// meanwhile.
    pub fn files(
        &self,
        filter: &Filter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<FilePage, CatalogError> {
        let (files, more) = self.list(filter, None, after, limit)?;
        let next = more.then(|| files.last().map(|f| f.at.clone())).flatten();
        Ok(FilePage { files: files.into_iter().map(|f| (f.path, f.entry)).collect(), next })
    }

    /// The same in an order, each with where a list goes on after it; and whether there are more. A list of which only the
    /// names are about right is always in an order: the best first, unless another one is asked for.
    ///
    /// Every page of an ordered list goes through all that may be in it, with no more in memory than what is on the page.
    pub fn list(
        &self,
        filter: &Filter,
        order: Option<Order>,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<(Vec<Found>, bool), CatalogError> {
        let order = filter.order(order);
        let Some(wanted) = self.ask(|s| Ok(Wanted::new(filter, s)))? else {
            return Ok((Vec::new(), false));
        };
        let (mut files, more) = match (order, after.map(|cursor| cursor.0)) {
            (Some(order), Some(At::Rank(of, rank))) if of == order => {
                self.ranked(&wanted, order, Some(&rank), limit)?
            }
            (Some(order), None) => self.ranked(&wanted, order, None, limit)?,
            (None, Some(At::Spot(spot))) => self.as_known(&wanted, spot, limit)?,
            (None, None) => self.as_known(&wanted, Spot::start(), limit)?,
            // Of a list in another order: nothing follows it in this one.
            _ => (Vec::new(), false),
        };
        files.truncate(limit);
        Ok((files, more))
    }

    /// In the order of the pages; and whether there are more.
    fn as_known(
        &self,
        wanted: &Wanted<'_>,
        from: Spot,
        limit: usize,
    ) -> Result<(Vec<Found>, bool), CatalogError> {
        let (mut files, mut at) = (Vec::new(), from);
        loop {
            // Found apart from `files`, because a question may be asked twice.
            let room = limit.saturating_add(1) - files.len();
            let (found, next) = self.ask(|s| some_files(s, wanted, &at, room))?;
            files.extend(found);
            match next {
                _ if files.len() > limit => return Ok((files, true)),
                Some(next) => at = next,
                None => return Ok((files, false)),
            }
        }
    }
}

/// A filter in terms of what is stored.
pub(super) struct Wanted<'f> {
    pub(super) filter: &'f Filter,
    sizes: RangeInclusive<u64>,
    /// As [`chunk::of_time`] has them.
    modified: RangeInclusive<u64>,
    /// Categories that answer; `None`: any.
    categories: Option<Vec<WordId>>,
    category_bits: u64,
    /// Directories, sorted; `None`: all.
    pub(super) dirs: Option<Vec<DirId>>,
}

impl<'f> Wanted<'f> {
    /// `None`: nothing can answer.
    fn new(filter: &'f Filter, state: &State) -> Option<Self> {
        let categories = filter.category.as_ref().map(|c| state.words.categories_that_are(c));
        let dirs = match &filter.under {
            Some(under) => {
                let mut dirs = state.dirs.subtree(state.dirs.find(under)?);
                dirs.sort_unstable();
                Some(dirs)
            }
            None => None,
        };
        let before = filter.before.unwrap_or(UnixNanos(i64::MAX));
        let last =
            if filter.before.is_some() { UnixNanos(before.0.checked_sub(1)?) } else { before };
        Some(Self {
            filter,
            sizes: filter.min_size.unwrap_or(0)..=filter.max_size.unwrap_or(u64::MAX),
            modified: filter.since.map_or(0, chunk::of_time)..=chunk::of_time(last),
            category_bits: categories
                .as_ref()
                .map_or(u64::MAX, |c| c.iter().fold(0, |bits, w| bits | 1 << (w % 64))),
            categories,
            dirs,
        })
    }

    /// The entries of a page that may answer, by what is in memory of it: bit by bit, in their order.
    pub(super) fn in_page(&self, chunk: &Chunk) -> u64 {
        let filter = self.filter;
        let may = chunk.categories & self.category_bits != 0
            && filter.outcome.is_none_or(|kind| chunk.has_outcome(kind))
            && filter.digest.is_none_or(|digest| chunk.may_have_digest(digest));
        if !may {
            return 0;
        }
        let found = chunk.sizes.within(&self.sizes) & chunk.modified.within(&self.modified);
        let named = || filter.name.as_ref().is_none_or(|p| p.matches_any(&chunk.names));
        if found != 0 && named() { found } else { 0 }
    }

    pub(super) fn is(&self, entry: &Stored) -> bool {
        let name = || std::ffi::OsStr::from_bytes(&entry.name);
        self.sizes.contains(&entry.id.size)
            && self.modified.contains(&chunk::of_time(entry.id.mtime))
            && self.filter.outcome.is_none_or(|k| k == chunk::kind(entry.outcome))
            && self.categories.as_ref().is_none_or(|c| c.contains(&entry.category))
            && self.filter.digest.is_none_or(|d| entry.digest == Some(d))
            && self.filter.name.as_ref().is_none_or(|p| p.matches(name()))
    }
}

/// Up to `room` files from `at` on, and where to go on unless that was all or enough.
fn some_files(
    state: &State,
    wanted: &Wanted<'_>,
    at: &Spot,
    room: usize,
) -> Result<(Vec<Found>, Option<Spot>), Fault> {
    let mut found = Vec::new();
    let mut looked_at = 0;
    let stopped = each_page(state, wanted.dirs.as_deref(), at, |key, chunk| {
        looked_at += 1;
        if looked_at > PAGES_PER_LOCK {
            return Ok(ControlFlow::Break(Some(Spot::before(key.dir, chunk))));
        }
        let bits = wanted.in_page(chunk);
        if bits == 0 {
            return Ok(ControlFlow::Continue(()));
        }
        for entry in state.read_bits(key, bits)? {
            if !at.precedes(key.dir, &entry.name) || !wanted.is(&entry) {
                continue;
            }
            let Some(path) = state.path(key.dir, &entry.name) else { continue };
            let name = Some(OsString::from_vec(entry.name.to_vec()));
            let at = Cursor(At::Spot(Spot { dir: key.dir, name, given: true }));
            found.push(Found { path, entry: state.entry(entry), at });
            if found.len() >= room {
                return Ok(ControlFlow::Break(None));
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((found, stopped.flatten()))
}

/// Goes through the pages from a place on, until `each` breaks with a value.
pub(super) fn each_page<B>(
    state: &State,
    dirs: Option<&[DirId]>,
    from: &Spot,
    mut each: impl FnMut(PageKey, &Chunk) -> Result<ControlFlow<B>, Fault>,
) -> Result<Option<B>, Fault> {
    for (&dir, chunks) in state.pages.range(from.dir..) {
        if dirs.is_some_and(|d| d.binary_search(&dir).is_err()) {
            continue;
        }
        let first = match &from.name {
            Some(name) if dir == from.dir => home(chunks, name.as_bytes()),
            _ => 0,
        };
        for chunk in &chunks[first..] {
            if let ControlFlow::Break(b) = each(PageKey { dir, chunk: chunk.id }, chunk)? {
                return Ok(Some(b));
            }
        }
    }
    Ok(None)
}
