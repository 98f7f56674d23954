//! What must be there: every file that somebody made and has not overwritten or deleted since, whatever its name.
//!
//! Files are counted, not followed: the model knows how many files of the same bytes, mode, time and attributes there must
//! be, not where. It learns only from what the user's own system calls did to inodes.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::thing::Thing;

#[derive(Default)]
pub(crate) struct Model {
    /// Below zero when the user has deleted a copy that tidyd made since the last comparison.
    counts: HashMap<Thing, i64>,
    /// Where a content was seen first, for messages.
    origin: HashMap<blake3::Hash, String>,
    /// Calls of the user's that hit another file than the one that was looked at just before.
    unsure: i64,
}

/// What is different on the disk.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    pub(crate) lost: Vec<String>,
    pub(crate) surplus: Vec<String>,
}

impl Model {
    pub(crate) fn made(&mut self, thing: Thing, path: &Path) {
        self.origin.entry(thing.digest).or_insert_with(|| format!("{path:?}"));
        *self.counts.entry(thing).or_default() += 1;
    }

    pub(crate) fn gone(&mut self, thing: Thing) {
        *self.counts.entry(thing).or_default() -= 1;
    }

    pub(crate) fn changed(&mut self, from: Thing, to: Thing, path: &Path) {
        self.gone(from);
        self.made(to, path);
    }

    /// The user has hit a file without knowing which: one loss is not tidyd's.
    pub(crate) fn missed(&mut self) {
        self.unsure += 1;
    }

    /// Holds the model against the disk. `copies` are files that tidyd has made since the last time, on purpose; `may_double`
    /// are contents of files with several names, one of which may have been put back to another disk.
    ///
    /// # Errors
    /// Something is lost, changed or doubled.
    pub(crate) fn compare(
        &mut self,
        disk: &[(PathBuf, Thing)],
        copies: &RangeInclusive<usize>,
        may_double: &HashSet<blake3::Hash>,
    ) -> Result<(), Difference> {
        let mut there: HashMap<Thing, i64> = HashMap::new();
        let mut places: HashMap<Thing, &Path> = HashMap::new();
        for (path, thing) in disk {
            *there.entry(*thing).or_default() += 1;
            places.insert(*thing, path);
        }
        let (mut lost, mut surplus, mut doubled) = (0, 0, 0);
        let mut difference = Difference::default();
        for (thing, expected) in &self.counts {
            let found = there.get(thing).copied().unwrap_or(0);
            if found < *expected {
                lost += expected - found;
                let from = self.origin.get(&thing.digest).map_or("?", String::as_str);
                difference.lost.push(format!("{} × {thing}, made at {from}", expected - found));
            }
        }
        for (thing, found) in &there {
            let expected = self.counts.get(thing).copied().unwrap_or(0);
            if *found > expected && may_double.contains(&thing.digest) {
                doubled += found - expected;
            } else if *found > expected {
                surplus += found - expected;
                let place = places.get(thing).expect("found somewhere");
                difference.surplus.push(format!("{} × {thing}, at {place:?}", found - expected));
            }
        }
        // Deleted copies that are not on the disk any more.
        let deleted = |(t, n): (&Thing, &i64)| (*n < 0 && !there.contains_key(t)).then_some(-n);
        surplus += self.counts.iter().filter_map(deleted).sum::<i64>();

        let [least, most] = [copies.start(), copies.end()].map(|n| i64::try_from(*n).expect("few"));
        let explained =
            lost <= self.unsure && surplus + doubled + self.unsure >= least && surplus <= most;
        self.unsure = 0;
        self.counts = there;
        if explained { Ok(()) } else { Err(difference) }
    }
}
