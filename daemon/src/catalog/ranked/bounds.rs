//! Which files still have a chance to be on a page of a list in an order: told by what is in memory, before any is read.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{Order, Rank, SortBy};
use crate::catalog::chunk::{Chunk, each_name};
use crate::catalog::column;

/// What comes after the last one given, and before the worst of those kept.
pub(super) struct Bounds<'a> {
    pub(super) order: Order,
    pub(super) after: Option<&'a Rank>,
    pub(super) worst: Option<&'a Rank>,
}

/// Whether all of a page comes after a file, by path.
pub(super) fn is_behind(dir: &Path, chunk: &Chunk, file: &Path) -> bool {
    match file.parent().map_or(Ordering::Greater, |above| dir.cmp(above)) {
        // Its names from the fence on.
        Ordering::Equal => OsStr::from_bytes(&chunk.fence) > file.file_name().unwrap_or_default(),
        _ => *dir > *file,
    }
}

/// Entries of a page that may be admitted, bit by bit in the order of their names. What they are sorted by is that of a bound
/// for some; then their paths decide.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Chances {
    all: u64,
    like_first: u64,
    like_last: u64,
}

impl Chances {
    pub(super) fn is_none(self) -> bool {
        self.all == 0
    }

    /// Each of them.
    pub(super) fn bits(self) -> u64 {
        self.all
    }

    /// Those that are among these, too.
    pub(super) fn only(self, bits: u64) -> Self {
        let (first, last) = (self.like_first & bits, self.like_last & bits);
        Self { all: self.all & bits, like_first: first, like_last: last }
    }

    /// Adds an entry by how its least and greatest possible value compare with the bounds.
    fn add(&mut self, at: usize, greatest_to_first: Ordering, least_to_last: Ordering) {
        if greatest_to_first == Ordering::Less || least_to_last == Ordering::Greater || at >= 64 {
            return;
        }
        self.all |= 1 << at;
        self.like_first |= u64::from(greatest_to_first == Ordering::Equal) << at;
        self.like_last |= u64::from(least_to_last == Ordering::Equal) << at;
    }
}

impl Bounds<'_> {
    pub(super) fn admits(&self, rank: &Rank) -> bool {
        self.after.is_none_or(|after| self.order.cmp(rank, after) == Ordering::Greater)
            && self.worst.is_none_or(|worst| self.order.cmp(rank, worst) == Ordering::Less)
    }

    /// The bounds in the order of the ranks, whichever way round the list is.
    fn ends(&self) -> (Option<&Rank>, Option<&Rank>) {
        if self.order.reverse { (self.worst, self.after) } else { (self.after, self.worst) }
    }

    /// No rank whose number is greater can be admitted.
    pub(super) fn greatest(&self) -> Option<u64> {
        self.ends().1.map(|last| last.number)
    }

    /// Those of some entries of a page that may be admitted. `scores` are the numbers of a list by score, by place.
    pub(super) fn among(&self, bits: u64, chunk: &Chunk, scores: &[(usize, u64)]) -> Chances {
        let (first, last) = self.ends();
        if first.is_none() && last.is_none() {
            return Chances { all: bits, ..Chances::default() };
        }
        let mut chances = Chances::default();
        let mut number = |at: usize, least: u64, greatest: u64| {
            let to_first = first.map_or(Ordering::Greater, |first| greatest.cmp(&first.number));
            let to_last = last.map_or(Ordering::Less, |last| least.cmp(&last.number));
            chances.add(at, to_first, to_last);
        };
        let picked = |at: usize| column::has(bits, at);
        match self.order.by {
            SortBy::Size | SortBy::Age => {
                let column =
                    if self.order.by == SortBy::Size { &chunk.sizes } else { &chunk.modified };
                // The bounds of the page tell of most pages that none of theirs can be admitted.
                let from = last.map_or(0, |last| u64::MAX - last.number);
                let to = first.map_or(u64::MAX, |first| u64::MAX - first.number);
                let bits = bits & column.within(&(from..=to));
                if bits == 0 {
                    return chances;
                }
                let picked = |at: usize| column::has(bits, at);
                for (at, (low, high)) in column.each().enumerate().filter(|(at, _)| picked(*at)) {
                    number(at, u64::MAX - high, u64::MAX - low);
                }
            }
            SortBy::Score => scores.iter().for_each(|(at, score)| number(*at, *score, *score)),
            SortBy::Name => {
                let names = each_name(&chunk.names).enumerate();
                for (at, name) in names.filter(|(at, _)| picked(*at)) {
                    let to_first = first.map_or(Ordering::Greater, |f| name.cmp(f.text.as_str()));
                    let to_last = last.map_or(Ordering::Less, |l| name.cmp(l.text.as_str()));
                    chances.add(at, to_first, to_last);
                }
            }
            SortBy::Path => {
                let like = |end: Option<&Rank>| if end.is_some() { bits } else { 0 };
                chances = Chances { all: bits, like_first: like(first), like_last: like(last) };
            }
        }
        chances
    }

    /// Those that are left when the directory is asked, too, where it can tell.
    pub(super) fn by_path(&self, chances: Chances, dir: &Path, chunk: &Chunk) -> u64 {
        let (first, last) = self.ends();
        let mut bits = chances.all;
        // All in a directory comes before what that directory comes before, unless it is in it.
        let before = |first: &Rank| *dir < *first.path && !first.path.starts_with(dir);
        if chances.like_first != 0 && first.is_some_and(before) {
            bits &= !chances.like_first;
        }
        let behind = |last: &Rank| is_behind(dir, chunk, &last.path);
        if chances.like_last & bits != 0 && last.is_some_and(behind) {
            bits &= !chances.like_last;
        }
        bits
    }
}
