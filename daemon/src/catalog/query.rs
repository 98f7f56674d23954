//! Lists of files: filtered, in pages, without a copy of everything. In an order of their own: `ranked`.

use std::ffi::OsString;
use std::ops::{ControlFlow, RangeInclusive};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use tidy_core::UnixNanos;
use tidy_core::category::Category;
use tidy_core::facts::Digest;

use super::chunk::{self, Chunk};
use super::codec::{Stored, WordId};
use super::column;
use super::dirs::DirId;
use super::kinds::Kind;
use super::parts::{Part, in_parts, starts};
use super::pattern::Searcher;
use super::ranked::{Order, Rank};
use super::state::{Fault, State};
use super::{Catalog, CatalogError, Entry, Fuzzy, NamePattern, OutcomeKind};

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

    pub(super) fn dir(&self) -> DirId {
        self.dir
    }

    /// The name where it is, if that is in this directory.
    pub(super) fn name_in(&self, dir: DirId) -> Option<&[u8]> {
        self.name.as_deref().filter(|_| dir == self.dir).map(|name| name.as_bytes())
    }

    /// Whether it is not behind another.
    pub(super) fn is_at_or_before(&self, other: &Self) -> bool {
        (self.dir, &self.name) <= (other.dir, &other.name)
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

/// A part of a list, with what is to be known of the rest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct List {
    pub files: Vec<Found>,
    pub more: bool,
    /// So many names might be about what was asked for that only the shortest were compared.
    pub passed_over: bool,
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
        let List { files, more, .. } = self.list(filter, None, after, limit)?;
        let next = more.then(|| files.last().map(|f| f.at.clone())).flatten();
        Ok(FilePage { files: files.into_iter().map(|f| (f.path, f.entry)).collect(), next })
    }

    /// The same in an order, each with where a list goes on after it. A list of which only the
    /// names are about right is always in an order: the best first, unless another one is asked for.
    ///
    /// Every page of an ordered list goes through all that may be in it, with no more in memory than what is on the page.
    pub fn list(
        &self,
        filter: &Filter,
        order: Option<Order>,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<List, CatalogError> {
        let order = filter.order(order);
        let Some(wanted) = self.ask(|s| Ok(Wanted::new(filter, s)))? else {
            return Ok(List::default());
        };
        let mut list = match (order, after.map(|cursor| cursor.0)) {
            (Some(order), Some(At::Rank(of, rank))) if of == order => {
                self.ranked(&wanted, order, Some(&rank), limit)?
            }
            (Some(order), None) => self.ranked(&wanted, order, None, limit)?,
            (None, Some(At::Spot(spot))) => self.as_known(&wanted, spot, limit)?,
            (None, None) => self.as_known(&wanted, Spot::start(), limit)?,
            // Of a list in another order: nothing follows it in this one.
            _ => List::default(),
        };
        list.files.truncate(limit);
        Ok(list)
    }

    /// Whether the filter wants more files than so many. Most are told without being read.
    pub fn exceeds(&self, filter: &Filter, count: usize) -> Result<bool, CatalogError> {
        if filter.fuzzy.is_some() {
            return Ok(self.list(filter, None, None, count)?.more);
        }
        let Some(wanted) = self.ask(|s| Ok(Wanted::new(filter, s)))? else { return Ok(false) };
        let starts = self.ask(|s| Ok(starts(s, &Spot::start())))?;
        let all = AtomicUsize::new(0);
        in_parts(
            &starts,
            || (),
            |(), _, part| {
                let mut at = part.from.clone();
                while all.load(Ordering::Relaxed) <= count {
                    let part = Part { from: &at, ..part };
                    let (some, next) = self.ask(|s| count_some(s, &wanted, part))?;
                    all.fetch_add(some, Ordering::Relaxed);
                    match next {
                        Some(next) => at = next,
                        None => break,
                    }
                }
                Ok::<_, CatalogError>(())
            },
        )?;
        Ok(all.load(Ordering::Relaxed) > count)
    }

    /// In the order of the pages.
    fn as_known(
        &self,
        wanted: &Wanted<'_>,
        from: Spot,
        limit: usize,
    ) -> Result<List, CatalogError> {
        let room = limit.saturating_add(1);
        let list =
            |files: Vec<Found>| List { more: files.len() > limit, files, passed_over: false };
        // What is found at once is worth no thread.
        let (mut files, next) =
            self.ask(|s| some_files(s, wanted, Part { from: &from, to: None }, &from, room))?;
        let Some(next) = next else { return Ok(list(files)) };
        let starts = self.ask(|s| Ok(starts(s, &next)))?;
        // How many each part has found.
        let found: Vec<AtomicUsize> = starts.iter().map(|_| AtomicUsize::new(0)).collect();
        let room = room - files.len();
        let parts = in_parts(
            &starts,
            || (),
            |(), at, part| {
                let (mut files, mut from) = (Vec::new(), part.from.clone());
                // Once those before have enough, nothing of this one is wanted.
                let before =
                    || found[..at].iter().map(|f| f.load(Ordering::Relaxed)).sum::<usize>();
                while files.len() < room && before() < room {
                    let rest = Part { from: &from, ..part };
                    let left = room - files.len();
                    // Found apart from `files`, because a question may be asked twice.
                    let (some, next) = self.ask(|s| some_files(s, wanted, rest, &from, left))?;
                    files.extend(some);
                    found[at].store(files.len(), Ordering::Relaxed);
                    match next {
                        Some(next) => from = next,
                        None => break,
                    }
                }
                Ok::<_, CatalogError>(files)
            },
        )?;
        files.extend(parts.into_iter().flatten());
        Ok(list(files))
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
    names: Option<Searcher<'f>>,
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
            names: filter.name.as_ref().map(NamePattern::searcher),
            categories,
            dirs,
        })
    }

    /// The entries of a page that may answer, by what is in memory of it: bit by bit, in their order. Names, categories and
    /// outcomes are told by that alone.
    pub(super) fn in_page(&self, chunk: &Chunk) -> u64 {
        if self.filter.digest.is_some_and(|digest| !chunk.may_have_digest(digest)) {
            return 0;
        }
        // Where any kind will do, they need not be read.
        let found = match (self.filter.outcome, &self.categories) {
            (None, None) => column::first(chunk.len.into()),
            _ => chunk.kinds.of(|kind| self.is_kind(kind)),
        };
        let found = found & chunk.sizes.within(&self.sizes) & chunk.modified.within(&self.modified);
        match &self.names {
            Some(names) if found != 0 => names.among(&chunk.names, found),
            _ => found,
        }
    }

    /// Those of them that answer whatever stands in the page, unless they are to be like something.
    fn surely_in_page(&self, chunk: &Chunk) -> u64 {
        if self.filter.digest.is_some() {
            return 0;
        }
        chunk.sizes.surely_within(&self.sizes) & chunk.modified.surely_within(&self.modified)
    }

    fn is_kind(&self, (category, outcome): Kind) -> bool {
        self.filter.outcome.is_none_or(|wanted| wanted == outcome)
            && self.categories.as_ref().is_none_or(|c| c.contains(&category))
    }

    /// Whether an entry answers, of those that may.
    pub(super) fn is(&self, entry: &Stored) -> bool {
        self.sizes.contains(&entry.id.size)
            && self.modified.contains(&chunk::of_time(entry.id.mtime))
            && self.filter.digest.is_none_or(|d| entry.digest == Some(d))
    }
}

/// How many files of the next pages are wanted, and where to go on.
fn count_some(
    state: &State,
    wanted: &Wanted<'_>,
    part: Part<'_>,
) -> Result<(usize, Option<Spot>), Fault> {
    let mut count = 0;
    let next = part.some(state, wanted.dirs.as_deref(), |key, chunk| {
        let bits = wanted.in_page(chunk);
        let sure = if bits == 0 { 0 } else { bits & wanted.surely_in_page(chunk) };
        count += sure.count_ones() as usize;
        if bits != sure {
            let rest = state.read_bits(key, bits & !sure)?;
            count += rest.iter().filter(|entry| wanted.is(entry)).count();
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((count, next))
}

/// Up to `room` files of the next pages that come after `after`, and where to go on unless that was all or enough.
fn some_files(
    state: &State,
    wanted: &Wanted<'_>,
    part: Part<'_>,
    after: &Spot,
    room: usize,
) -> Result<(Vec<Found>, Option<Spot>), Fault> {
    let mut found = Vec::new();
    let next = part.some(state, wanted.dirs.as_deref(), |key, chunk| {
        let bits = wanted.in_page(chunk);
        if bits == 0 {
            return Ok(ControlFlow::Continue(()));
        }
        for entry in state.read_bits(key, bits)? {
            let is_here = after.precedes(key.dir, &entry.name) && part.has(key.dir, &entry.name);
            if !is_here || !wanted.is(&entry) {
                continue;
            }
            let Some(path) = state.path(key.dir, &entry.name) else { continue };
            let name = Some(OsString::from_vec(entry.name.to_vec()));
            let at = Cursor(At::Spot(Spot { dir: key.dir, name, given: true }));
            found.push(Found { path, entry: state.entry(entry), at });
            if found.len() >= room {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((found, next))
}
