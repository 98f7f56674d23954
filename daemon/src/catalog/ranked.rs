//! Lists of files in an order: the first so many of all that answer, by what is known of them.
//!
//! Every page of such a list goes through the pages of the catalog, by several threads, and keeps what it has room for: the
//! best so far. What is in memory of a page of the catalog tells whether one of its files can be among them, so that few
//! are read. A list goes on after the last file that was given, wherever that is by then.

mod bounds;

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::ffi::OsStr;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::thread;

use bounds::{Bounds, Chances};

use super::chunk::{Chunk, fold, of_time};
use super::codec::{PageKey, Stored};
use super::column;
use super::dirs::DirId;
use super::fuzzy::Scorer;
use super::query::{At, Cursor, Found, PAGES_PER_LOCK, Spot, Wanted, each_page};
use super::state::{Fault, State};
use super::{Catalog, CatalogError, Entry};

/// Threads for one list, at most. Others ask, too.
const THREADS: usize = 4;

/// Pages that are worth a thread. In tests few, so that there are several.
const PAGES_PER_THREAD: usize = if cfg!(test) { 3 } else { 2_048 };

/// What a list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortBy {
    /// Names, whatever their case.
    Name,
    /// The largest first.
    Size,
    /// The one that was modified last first.
    Age,
    Path,
    /// How well the name answers: the best first.
    Score,
}

impl SortBy {
    /// Every one, with its number in cursors.
    pub const ALL: &'static [Self] = &[Self::Name, Self::Size, Self::Age, Self::Path, Self::Score];

    /// The word used in queries.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Size => "size",
            Self::Age => "age",
            Self::Path => "path",
            Self::Score => "score",
        }
    }
}

/// The order of a list. Files of the same rank are in the order of their paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    pub by: SortBy,
    /// The other way round, paths included.
    pub reverse: bool,
}

impl Order {
    /// What is meant by a search for names that are about right.
    pub(super) const BEST: Self = Self { by: SortBy::Score, reverse: false };

    /// Distinguishes the cursors of lists in different orders, and is never 0.
    fn code(self) -> u8 {
        1 + self.by as u8 + if self.reverse { 0x80 } else { 0 }
    }

    fn cmp<T: Ord + ?Sized>(self, a: &T, b: &T) -> Ordering {
        if self.reverse { b.cmp(a) } else { a.cmp(b) }
    }
}

/// Where a file stands in a list: what it is sorted by, then its path. What is less comes first, unless the order is reversed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    number: u64,
    /// Of a list by names: the name, folded.
    text: String,
    path: PathBuf,
}

impl Rank {
    pub(super) fn to_bytes(&self, order: Order) -> Vec<u8> {
        let mut bytes = vec![order.code()];
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes.extend_from_slice(self.path.as_os_str().as_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8], order: Order) -> Option<Self> {
        let (code, rest) = bytes.split_first()?;
        let (number, path) = rest.split_first_chunk::<8>()?;
        let path = PathBuf::from(OsStr::from_bytes(path));
        if *code != order.code() || !path.is_absolute() {
            return None;
        }
        let text = match order.by {
            SortBy::Name => folded(path.file_name()?.as_bytes()),
            _ => String::new(),
        };
        Some(Self { number: u64::from_be_bytes(*number), text, path })
    }
}

/// A file by its rank; the last one of the list is the greatest, so that a heap gives it up first.
struct Placed {
    order: Order,
    rank: Rank,
    entry: Entry,
}

impl Ord for Placed {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order.cmp(&self.rank, &other.rank)
    }
}

impl PartialOrd for Placed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Placed {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Placed {}

impl Catalog {
    /// The first `limit` files after one, in order; and whether there are more.
    pub(super) fn ranked(
        &self,
        wanted: &Wanted<'_>,
        order: Order,
        after: Option<&Rank>,
        limit: usize,
    ) -> Result<(Vec<Found>, bool), CatalogError> {
        let room = limit.saturating_add(1);
        let starts = self.ask(|s| Ok(starts(s)))?;
        let part = |at: usize| {
            let search = Search { wanted, order, after, room };
            self.best_of(&search, starts[at].clone(), starts.get(at + 1))
        };
        let mut parts = Vec::with_capacity(starts.len());
        thread::scope(|scope| {
            let part = &part;
            let others: Vec<_> =
                (1..starts.len()).map(|at| scope.spawn(move || part(at))).collect();
            parts.push(part(0));
            let joined = others.into_iter().map(thread::ScopedJoinHandle::join);
            // A panic there is a panic here.
            parts.extend(joined.map(|p| p.unwrap_or_else(|p| std::panic::resume_unwind(p))));
        });
        let mut all: Vec<Placed> = Vec::new();
        for part in parts {
            all.extend(part?);
        }
        all.sort();
        let more = all.len() > limit;
        let found = all.into_iter().take(limit).map(|Placed { rank, entry, .. }| Found {
            path: rank.path.clone(),
            entry,
            at: Cursor(At::Rank(order, rank)),
        });
        Ok((found.collect(), more))
    }

    /// The best of the pages from one place to another.
    fn best_of(
        &self,
        search: &Search<'_>,
        from: Spot,
        to: Option<&Spot>,
    ) -> Result<BinaryHeap<Placed>, CatalogError> {
        let mut scorer = search.wanted.filter.fuzzy.as_ref().map(super::Fuzzy::scorer);
        let mut best: BinaryHeap<Placed> = BinaryHeap::new();
        let mut at = from;
        loop {
            let worst = best.peek().filter(|_| best.len() >= search.room).map(|p| &p.rank);
            // Found apart, because a question may be asked twice.
            let part = Part { from: &at, to };
            let (found, next) = self.ask(|s| search.some(s, &mut scorer, part, worst))?;
            best.extend(found);
            while best.len() > search.room {
                best.pop();
            }
            match next {
                Some(next) => at = next,
                None => return Ok(best),
            }
        }
    }
}

/// Where each thread begins.
fn starts(state: &State) -> Vec<Spot> {
    let pages: usize = state.pages.values().map(Vec::len).sum();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = (pages / PAGES_PER_THREAD).clamp(1, cores.min(THREADS));
    let each = pages.div_ceil(threads).max(1);
    let mut starts = vec![Spot::start()];
    let all = state.pages.iter().flat_map(|(dir, chunks)| chunks.iter().map(move |c| (*dir, c)));
    starts.extend(all.step_by(each).skip(1).map(|(dir, chunk)| Spot::before(dir, chunk)));
    starts
}

/// Pages between two moments in which they may change. What is read of a page beyond them is another part's.
#[derive(Clone, Copy)]
struct Part<'a> {
    from: &'a Spot,
    to: Option<&'a Spot>,
}

impl Part<'_> {
    fn is_over(self, dir: DirId, name: &[u8]) -> bool {
        self.to.is_some_and(|to| to.is_reached_by(dir, name))
    }

    fn has(self, dir: DirId, name: &[u8]) -> bool {
        self.from.is_reached_by(dir, name) && !self.is_over(dir, name)
    }
}

/// What one thread looks for.
struct Search<'a> {
    wanted: &'a Wanted<'a>,
    order: Order,
    after: Option<&'a Rank>,
    room: usize,
}

impl Search<'_> {
    /// The best of the next pages, and where to go on.
    fn some(
        &self,
        state: &State,
        scorer: &mut Option<Scorer>,
        part: Part<'_>,
        worst: Option<&Rank>,
    ) -> Result<(BinaryHeap<Placed>, Option<Spot>), Fault> {
        let mut best: BinaryHeap<Placed> = BinaryHeap::new();
        let mut looked_at = 0;
        let mut above: Option<(DirId, PathBuf)> = None;
        let stopped = each_page(state, self.wanted.dirs.as_deref(), part.from, |key, chunk| {
            if part.is_over(key.dir, &chunk.fence) {
                return Ok(ControlFlow::Break(None));
            }
            looked_at += 1;
            if looked_at > PAGES_PER_LOCK {
                return Ok(ControlFlow::Break(Some(Spot::before(key.dir, chunk))));
            }
            let bits = self.wanted.in_page(chunk);
            if bits == 0 {
                return Ok(ControlFlow::Continue(()));
            }
            let own = best.peek().filter(|_| best.len() >= self.room).map(|p| &p.rank);
            let bounds = Bounds { order: self.order, after: self.after, worst: own.or(worst) };
            let (scores, chances) = self.chances(scorer, chunk, bits, &bounds);
            if chances.is_none() {
                return Ok(ControlFlow::Continue(()));
            }
            if above.as_ref().is_none_or(|(dir, _)| *dir != key.dir) {
                above = state.dirs.path(key.dir).map(|path| (key.dir, path));
            }
            let Some((_, dir)) = &above else { return Ok(ControlFlow::Continue(())) };
            let bits = bounds.by_path(chances, dir, chunk);
            for placed in self.of_page(state, (key, bits), &scores, (dir, part), &bounds)? {
                best.push(placed);
                if best.len() > self.room {
                    best.pop();
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok((best, stopped.flatten()))
    }

    /// Which of some entries of a page may be among the best, with their scores where they have any. Names are only given scores
    /// as far as that matters.
    fn chances(
        &self,
        scorer: &mut Option<Scorer>,
        chunk: &Chunk,
        bits: u64,
        bounds: &Bounds<'_>,
    ) -> (Vec<(usize, u64)>, Chances) {
        let Some(scorer) = scorer else { return (Vec::new(), bounds.among(bits, chunk, &[])) };
        if self.order.by == SortBy::Score {
            let scores = scorer.scores(&chunk.names, bits, bounds.greatest());
            let chances = bounds.among(found(&scores), chunk, &scores);
            return (scores, chances);
        }
        let chances = bounds.among(bits, chunk, &[]);
        let scores = scorer.scores(&chunk.names, chances.bits(), None);
        let chances = chances.only(found(&scores));
        (scores, chances)
    }

    /// The files of one page that may be among the best, out of those entries.
    fn of_page(
        &self,
        state: &State,
        (key, bits): (PageKey, u64),
        scores: &[(usize, u64)],
        (dir, part): (&Path, Part<'_>),
        bounds: &Bounds<'_>,
    ) -> Result<Vec<Placed>, Fault> {
        if bits == 0 {
            return Ok(Vec::new());
        }
        let mut out = Vec::new();
        let places = (0..64).filter(|at| column::has(bits, *at));
        for (at, entry) in places.zip(state.read_bits(key, bits)?) {
            if !part.has(key.dir, &entry.name) || !self.wanted.is(&entry) {
                continue;
            }
            let score = scores.binary_search_by_key(&at, |(at, _)| *at).map_or(0, |n| scores[n].1);
            let number = number(self.order.by, &entry, score);
            let text = match self.order.by {
                SortBy::Name => folded(&entry.name),
                _ => String::new(),
            };
            let path = dir.join(OsStr::from_bytes(&entry.name));
            let rank = Rank { number, text, path };
            if bounds.admits(&rank) {
                out.push(Placed { order: self.order, rank, entry: state.entry(entry) });
            }
        }
        Ok(out)
    }
}

/// The entries that have a score.
fn found(scores: &[(usize, u64)]) -> u64 {
    scores.iter().fold(0, |bits, (at, _)| bits | 1 << at)
}

/// What the first number of a rank is: what is less comes first.
fn number(by: SortBy, entry: &Stored, score: u64) -> u64 {
    match by {
        SortBy::Name | SortBy::Path => 0,
        SortBy::Size => u64::MAX - entry.id.size,
        SortBy::Age => u64::MAX - of_time(entry.id.mtime),
        SortBy::Score => score,
    }
}

fn folded(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    fold(name, &mut text);
    text
}

#[cfg(test)]
mod tests;
