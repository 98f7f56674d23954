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
use std::sync::{Mutex, MutexGuard, PoisonError};

use bounds::{Bounds, Chances};

use super::chunk::{Chunk, fold, of_time};
use super::codec::{PageKey, Stored};
use super::column;
use super::compared::{Compared, Counted, Letters, divided};
use super::dirs::Paths;
use super::fuzzy::{Scorer, is_literal};
use super::parts::{Part, in_parts, starts};
use super::query::{At, Cursor, Found, List, Spot, Wanted};
use super::state::{Fault, State};
use super::{Catalog, CatalogError, Entry, Fuzzy};

/// Names that are compared letter by letter for one list. Comparing takes a hundred times as long as passing a name over, and
/// where more than these may be meant, nobody finds what he looks for.
const COMPARED: usize = if cfg!(test) { 700 } else { 1 << 15 };

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
    /// The first `limit` files after one, in order.
    pub(super) fn ranked(
        &self,
        wanted: &Wanted<'_>,
        order: Order,
        after: Option<&Rank>,
        limit: usize,
    ) -> Result<List, CatalogError> {
        let search = Search { wanted, order, after, room: limit.saturating_add(1) };
        let starts = self.ask(|s| Ok(starts(s, &Spot::start())))?;
        let mut passed_over = false;
        let mut best = if wanted.filter.fuzzy.is_some() && order.by == SortBy::Score {
            // What has the words as they were typed comes first: mostly there is enough of it, or little else.
            let count = starts.iter().map(|_| Some(Letters::count())).collect();
            let (mut first, counted) = self.best(&search, &starts, count)?;
            let is_whole = counted.iter().all(|counted| !counted.is_given_up())
                && counted.iter().map(|counted| counted.lengths.sum()).sum::<usize>() <= COMPARED;
            let is_literal = |placed: &Placed| is_literal(placed.rank.number);
            let is_full = first.iter().filter(|placed| is_literal(placed)).count() > limit;
            if !order.reverse && (is_whole || is_full) {
                first
            } else {
                let (compared, all) = divided(&counted, COMPARED);
                passed_over = !all;
                let others = compared.into_iter().map(|of| of.map(Letters::Only)).collect();
                let (best, _) = self.best(&search, &starts, others)?;
                first.retain(is_literal);
                first.extend(best);
                first
            }
        } else {
            // Of a list in another order few are compared.
            let all = starts.iter().map(|_| Some(Letters::Compare(Compared::ALL))).collect();
            self.best(&search, &starts, all)?.0
        };
        best.sort();
        let more = best.len() > limit;
        let found = best.into_iter().take(limit).map(|Placed { rank, entry, .. }| Found {
            path: rank.path.clone(),
            entry,
            at: Cursor(At::Rank(order, rank)),
        });
        Ok(List { files: found.collect(), more, passed_over })
    }

    /// The best of all parts for which there is something to be done, and what was counted in each of them.
    fn best(
        &self,
        search: &Search<'_>,
        starts: &[Spot],
        letters: Vec<Option<Letters>>,
    ) -> Result<(Vec<Placed>, Vec<Counted>), CatalogError> {
        let best = Best { room: search.room, heap: Mutex::default() };
        let scorer = || search.wanted.filter.fuzzy.as_ref().map(Fuzzy::scorer);
        let counted = in_parts(starts, scorer, |scorer, at, part| match &letters[at] {
            Some(letters) => self.best_of(search, part, scorer.as_mut(), letters, &best),
            None => Ok(Counted::default()),
        })?;
        Ok((best.heap.into_inner().unwrap_or_else(PoisonError::into_inner).into_vec(), counted))
    }

    /// Takes in the best of one part, and says what was counted in it.
    fn best_of(
        &self,
        search: &Search<'_>,
        part: Part<'_>,
        mut scorer: Option<&mut Scorer>,
        letters: &Letters,
        best: &Best,
    ) -> Result<Counted, CatalogError> {
        let (mut at, mut letters) = (part.from.clone(), letters.clone());
        loop {
            let part = Part { from: &at, ..part };
            let worst = best.worst();
            // Found apart, because a question may be asked twice.
            let (found, next, now) = self.ask(|s| {
                let mut now = letters.clone();
                let scoring = scorer.as_deref_mut().map(|scorer| (scorer, &mut now));
                let (found, next) = search.some(s, scoring, part, worst.as_ref())?;
                Ok((found, next, now))
            })?;
            letters = now;
            best.take_in(found);
            match next {
                Some(next) => at = next,
                None => return Ok(letters.counted()),
            }
        }
    }
}

/// The best that all threads have found so far.
struct Best {
    room: usize,
    heap: Mutex<BinaryHeap<Placed>>,
}

impl Best {
    /// What comes after this one is not among them.
    fn worst(&self) -> Option<Rank> {
        let heap = self.lock();
        heap.peek().filter(|_| heap.len() >= self.room).map(|placed| placed.rank.clone())
    }

    fn take_in(&self, found: BinaryHeap<Placed>) {
        if found.is_empty() {
            return;
        }
        let mut heap = self.lock();
        heap.extend(found);
        while heap.len() > self.room {
            heap.pop();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BinaryHeap<Placed>> {
        // Nothing under it can panic half-way.
        self.heap.lock().unwrap_or_else(PoisonError::into_inner)
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
        mut scoring: Option<(&mut Scorer, &mut Letters)>,
        part: Part<'_>,
        worst: Option<&Rank>,
    ) -> Result<(BinaryHeap<Placed>, Option<Spot>), Fault> {
        let mut best: BinaryHeap<Placed> = BinaryHeap::new();
        let mut paths = Paths::of(&state.dirs);
        let next = part.some(state, self.wanted.dirs.as_deref(), |key, chunk| {
            let bits = self.wanted.in_page(chunk);
            if bits == 0 {
                return Ok(ControlFlow::Continue(()));
            }
            let own = best.peek().filter(|_| best.len() >= self.room).map(|p| &p.rank);
            let bounds = Bounds { order: self.order, after: self.after, worst: own.or(worst) };
            if let Some((scorer, _)) = &scoring
                && self.is_behind(scorer, chunk, &bounds, || paths.path(key.dir))
            {
                return Ok(ControlFlow::Continue(()));
            }
            let (scores, chances) = self.chances(&mut scoring, chunk, bits, &bounds);
            if chances.is_none() {
                return Ok(ControlFlow::Continue(()));
            }
            let Some(dir) = paths.path(key.dir) else { return Ok(ControlFlow::Continue(())) };
            let bits = bounds.by_path(chances, dir, chunk);
            for placed in self.of_page(state, (key, bits), &scores, (dir, part), &bounds)? {
                best.push(placed);
                if best.len() > self.room {
                    best.pop();
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok((best, next))
    }

    /// Whether no name of a page can be among the best, since enough names have the words as they were typed: told by the
    /// shortest name there is in it, and by where the page is.
    fn is_behind<'p>(
        &self,
        scorer: &Scorer,
        chunk: &Chunk,
        bounds: &Bounds<'_>,
        dir: impl FnOnce() -> Option<&'p Path>,
    ) -> bool {
        let by_score = self.order.by == SortBy::Score && !self.order.reverse;
        let Some(worst) = bounds.worst.filter(|worst| by_score && is_literal(worst.number)) else {
            return false;
        };
        match scorer.least(chunk.shortest.into()).cmp(&worst.number) {
            Ordering::Less => false,
            Ordering::Equal => dir().is_some_and(|dir| bounds::is_behind(dir, chunk, &worst.path)),
            Ordering::Greater => true,
        }
    }

    /// Which of some entries of a page may be among the best, with their scores where they have any. Names are only given scores
    /// as far as that matters.
    fn chances(
        &self,
        scoring: &mut Option<(&mut Scorer, &mut Letters)>,
        chunk: &Chunk,
        bits: u64,
        bounds: &Bounds<'_>,
    ) -> (Vec<(usize, u64)>, Chances) {
        let Some((scorer, letters)) = scoring else {
            return (Vec::new(), bounds.among(bits, chunk, &[]));
        };
        if self.order.by == SortBy::Score {
            let mut scores = scorer.scores(chunk, bits, bounds.greatest(), letters);
            if self.order.reverse && matches!(letters, Letters::Count(_)) {
                // The others would come before what is looked for now.
                scores.retain(|(_, number)| is_literal(*number));
            }
            let chances = bounds.among(found(&scores), chunk, &scores);
            return (scores, chances);
        }
        let chances = bounds.among(bits, chunk, &[]);
        let scores = scorer.scores(chunk, chances.bits(), None, letters);
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
