//! Which operations have an end in which directory, in memory, for directories that are asked about.
//!
//! The projection keeps the ends of 256 operations in a directory as one value, since sled's cost is per value. To
//! find one name all values of its directory are read: a hundred thousand files filed from one directory, each asked about
//! once, would be ten billion ends. So a directory that is asked about is read once, and what comes to it is added.

use std::collections::HashMap;
use std::sync::Mutex;

use super::projection::ProjectionError;
use super::writer::lock;

/// Ends that are kept, of 8 bytes each. When there are more, the directories go that were asked about longest ago.
const KEPT: usize = 1 << 21;

/// Ends of a directory that were added since it was sorted; more are sorted in.
const ADDED: usize = 4_096;

/// An end: the hash of the name and the operation's number, 32 bits each.
fn packed(hash: u32, op: u64) -> Option<u64> {
    u32::try_from(op).ok().map(|op| u64::from(hash) << 32 | u64::from(op))
}

/// The ends of one directory.
#[derive(Debug, Default)]
struct Dir {
    sorted: Vec<u64>,
    /// In the order they came: the hashes of a few thousand names are compared in a microsecond or two.
    added: Vec<u64>,
    /// When it was asked about last, by count.
    asked: u64,
}

impl Dir {
    fn len(&self) -> usize {
        self.sorted.len() + self.added.len()
    }

    fn sort_in(&mut self) {
        self.sorted.append(&mut self.added);
        // Finds the long sorted run, and merges the rest into it.
        self.sorted.sort();
        self.sorted.dedup();
    }

    /// Operations from `first` on with an end of this hash, ascending.
    fn find(&self, hash: u32, first: u64) -> Vec<u64> {
        let low = |end: &u64| end & u64::from(u32::MAX);
        let of = |end: &u64| end >> 32 == u64::from(hash);
        let from = self.sorted.partition_point(|end| *end < u64::from(hash) << 32);
        let sorted = self.sorted[from..].iter().take_while(|end| of(end));
        let all = sorted.chain(self.added.iter().filter(|end| of(end)));
        let mut found: Vec<u64> = all.map(low).filter(|op| *op >= first).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// The directories that were asked about.
#[derive(Debug, Default)]
pub(super) struct Ends(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    dirs: HashMap<Box<[u8]>, Dir>,
    len: usize,
    asked: u64,
}

impl Ends {
    /// Operations from `first` on with an end in this directory whose name has this hash, ascending. `read` gives all ends of
    /// the directory, as they are in the projection; it is not asked again while they are kept.
    pub(super) fn find(
        &self,
        dir: &[u8],
        hash: u32,
        first: u64,
        read: impl FnOnce() -> Result<Vec<(u32, u64)>, ProjectionError>,
    ) -> Result<Vec<u64>, ProjectionError> {
        // Held while it is read: what is put in meanwhile waits, and is added after.
        let mut known = lock(&self.0);
        known.asked += 1;
        let asked = known.asked;
        if let Some(dir) = known.dirs.get_mut(dir) {
            dir.asked = asked;
            return Ok(dir.find(hash, first));
        }
        let ends = read()?;
        let Some(sorted) = ends.iter().map(|(hash, op)| packed(*hash, *op)).collect() else {
            // Numbers past 32 bits are looked for as they are.
            let of = ends.iter().filter(|(h, op)| *h == hash && *op >= first);
            let mut found: Vec<u64> = of.map(|(_, op)| *op).collect();
            found.sort_unstable();
            found.dedup();
            return Ok(found);
        };
        let mut of = Dir { sorted, added: Vec::new(), asked };
        of.sort_in();
        let found = of.find(hash, first);
        known.len += of.len();
        known.dirs.insert(dir.into(), of);
        known.shrink();
        Ok(found)
    }

    /// Operations that have been put into the projection with an end in this directory: hashes and numbers.
    pub(super) fn add(&self, dir: &[u8], ends: impl Iterator<Item = (u32, u64)>) {
        let mut known = lock(&self.0);
        let Some(of) = known.dirs.get_mut(dir) else { return };
        let before = of.len();
        let mut fits = true;
        for (hash, op) in ends {
            match packed(hash, op) {
                Some(end) => of.added.push(end),
                None => fits = false,
            }
        }
        if of.added.len() > ADDED {
            of.sort_in();
        }
        let after = of.len();
        known.len = known.len + after - before;
        if !fits {
            known.drop_dir(dir);
        }
        known.shrink();
    }

    /// Forgets all of it.
    pub(super) fn clear(&self) {
        *lock(&self.0) = Known::default();
    }
}

impl Known {
    fn drop_dir(&mut self, dir: &[u8]) {
        if let Some(gone) = self.dirs.remove(dir) {
            self.len -= gone.len();
        }
    }

    fn shrink(&mut self) {
        while self.len > KEPT {
            let oldest = self.dirs.iter().min_by_key(|(_, of)| of.asked);
            let Some(oldest) = oldest.map(|(dir, _)| dir.clone()) else { break };
            self.drop_dir(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> Result<Vec<(u32, u64)>, ProjectionError> {
        panic!("the directory is known")
    }

    #[test]
    fn a_directory_is_read_once_and_what_is_put_in_later_is_found() {
        let ends = Ends::default();
        let there = || Ok(vec![(7, 12), (7, 3), (8, 4), (7, 3)]);
        assert_eq!(ends.find(b"/d", 7, 0, there).unwrap(), [3, 12]);
        assert_eq!(ends.find(b"/d", 7, 4, none).unwrap(), [12]);
        // Of a directory nobody asked about nothing is kept.
        ends.add(b"/other", [(7, 20)].into_iter());
        assert_eq!(ends.find(b"/other", 7, 0, || Ok(Vec::new())).unwrap(), [] as [u64; 0]);
        ends.add(b"/d", [(7, 20), (7, 12), (9, 21)].into_iter());
        assert_eq!(ends.find(b"/d", 7, 0, none).unwrap(), [3, 12, 20]);
        ends.add(b"/d", (100..100 + 2 * ADDED as u64).map(|op| (op as u32 % 10, op)));
        let found = ends.find(b"/d", 9, 0, none).unwrap();
        assert_eq!(found.len(), 1 + 2 * ADDED / 10);
        assert!(found.is_sorted());
        ends.clear();
        assert_eq!(ends.find(b"/d", 7, 0, || Ok(Vec::new())).unwrap(), [] as [u64; 0]);
    }

    #[test]
    fn it_holds_so_much_and_no_more() {
        let ends = Ends::default();
        let many = |op: u64| Ok((op..op + KEPT as u64 / 2).map(|op| (1, op)).collect());
        for (dir, op) in [(b"/a", 0), (b"/b", 0)] {
            ends.find(dir, 2, 0, || many(op)).unwrap();
        }
        ends.find(b"/a", 2, 0, none).unwrap();
        ends.find(b"/c", 2, 0, || Ok(vec![(2, 5)])).unwrap();
        assert!(lock(&ends.0).len <= KEPT);
        // The one asked about longest ago went.
        ends.find(b"/a", 2, 0, none).unwrap();
        assert_eq!(ends.find(b"/b", 2, 0, || Ok(vec![(2, 9)])).unwrap(), [9]);
    }

    #[test]
    fn numbers_that_do_not_fit_are_found_all_the_same() {
        let ends = Ends::default();
        let high = u64::from(u32::MAX) + 5;
        let there = || Ok(vec![(7, high), (7, 3), (8, high)]);
        assert_eq!(ends.find(b"/d", 7, 0, there).unwrap(), [3, high]);
        assert_eq!(ends.find(b"/e", 7, 0, || Ok(vec![(7, 3)])).unwrap(), [3]);
        ends.add(b"/e", [(7, high)].into_iter());
        assert_eq!(ends.find(b"/e", 7, 0, there).unwrap(), [3, high], "it is read again");
    }
}
