//! What reached the disks, in order, and the pictures a power cut could have left.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::random::Random;

/// What a disk writes whole or not at all. Today's disks say 4,096 of themselves, and file systems rely on it.
const SECTOR: usize = 4096;

/// One request that reached a disk.
#[derive(Debug)]
pub(super) enum Event {
    Write {
        image: usize,
        offset: u64,
        bytes: Vec<u8>,
    },
    /// All writes to the image before it are durable.
    Flush {
        image: usize,
    },
}

impl Event {
    fn image(&self) -> usize {
        match self {
            Self::Write { image, .. } | Self::Flush { image } => *image,
        }
    }
}

/// What becomes of the writes that no flush had covered when the power went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unflushed {
    /// None of them got through.
    Dropped,
    /// All of them did.
    Kept,
    /// Any sector may have got through, and any not.
    Torn,
}

/// A moment at which the power goes.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    /// How many requests the disks had answered.
    pub at: usize,
    pub unflushed: Unflushed,
    /// Decides which sectors a torn cut keeps.
    pub seed: u64,
}

/// Every write and flush that reached one or more images, in one order.
#[derive(Debug)]
pub struct History {
    pub(super) bases: Vec<PathBuf>,
    pub(super) events: Vec<Event>,
}

impl History {
    /// How many requests there are.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether nothing ever reached an image.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// How many flushes there are from `start` on.
    pub fn flushes(&self, start: usize) -> usize {
        self.events[start..].iter().filter(|e| matches!(e, Event::Flush { .. })).count()
    }

    /// Draws a cut from `start` on: every other one just before a flush, when most is at stake.
    ///
    /// # Panics
    /// Nothing happened from `start` on.
    pub fn draw(&self, start: usize, random: &mut Random) -> Cut {
        let span = u64::try_from(self.events.len() - start).expect("fits") + 1;
        let drawn = start + usize::try_from(random.below(span)).expect("below a length");
        let flush = |e: &Event| matches!(e, Event::Flush { .. });
        let next = self.events[drawn..].iter().position(flush).map_or(drawn, |n| drawn + n);
        let unflushed = match random.below(4) {
            0 => Unflushed::Dropped,
            1 => Unflushed::Kept,
            _ => Unflushed::Torn,
        };
        let at = if random.below(2) == 0 { next } else { drawn };
        Cut { at, unflushed, seed: random.number() }
    }

    /// Writes the images that `cut` could have left, `0`, `1` … in `directory`.
    ///
    /// # Panics
    /// They cannot be written.
    pub fn cut(&self, cut: Cut, directory: &Path) -> Vec<PathBuf> {
        let mut random = Random::from_seed(cut.seed);
        let before = &self.events[..cut.at];
        let image = |(number, base): (usize, &PathBuf)| {
            let path = directory.join(number.to_string());
            let _ = fs::remove_file(&path);
            copy_sparse(base, &path);
            let file = File::options().write(true).open(&path).expect("own file");
            let durable = before
                .iter()
                .rposition(|e| matches!(e, Event::Flush { image } if *image == number))
                .unwrap_or(0);
            for (at, event) in before.iter().enumerate().filter(|(_, e)| e.image() == number) {
                let Event::Write { offset, bytes, .. } = event else { continue };
                for (sector, bytes) in sectors(*offset, bytes) {
                    let kept = at < durable
                        || match cut.unflushed {
                            Unflushed::Dropped => false,
                            Unflushed::Kept => true,
                            Unflushed::Torn => random.below(2) == 0,
                        };
                    if kept {
                        file.write_all_at(bytes, sector).expect("own file");
                    }
                }
            }
            path
        };
        self.bases.iter().enumerate().map(image).collect()
    }
}

/// The parts of a write that a disk keeps or loses as a whole.
fn sectors(mut offset: u64, mut bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    std::iter::from_fn(move || {
        let into = usize::try_from(offset % SECTOR as u64).expect("below a sector");
        let (sector, rest) = bytes.split_at((SECTOR - into).min(bytes.len()));
        let at = offset;
        offset += sector.len() as u64;
        bytes = rest;
        (!sector.is_empty()).then_some((at, sector))
    })
}

/// `cp --sparse=always`.
pub(super) fn copy_sparse(from: &Path, to: &Path) {
    let mut cp = std::process::Command::new("cp");
    crate::run::Run::of(cp.arg("--sparse=always").arg(from).arg(to)).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: usize = 4 * SECTOR;

    fn history(dir: &Path) -> History {
        let base = dir.join("base");
        fs::write(&base, [0; LENGTH]).unwrap();
        let write = |offset: usize, byte: u8, length: usize| Event::Write {
            image: 0,
            offset: offset as u64,
            bytes: vec![byte; length],
        };
        let events = vec![
            write(0, 1, SECTOR),
            Event::Flush { image: 0 },
            write(0, 2, 2 * SECTOR),
            Event::Flush { image: 1 },
            write(SECTOR, 3, SECTOR),
        ];
        History { bases: vec![base], events }
    }

    fn picture(history: &History, at: usize, unflushed: Unflushed, seed: u64) -> [u8; 4] {
        let dir = tempfile::tempdir().unwrap();
        let images = history.cut(Cut { at, unflushed, seed }, dir.path());
        let bytes = fs::read(&images[0]).unwrap();
        assert_eq!(bytes.len(), LENGTH);
        std::array::from_fn(|n| bytes[n * SECTOR])
    }

    #[test]
    fn what_was_flushed_is_there_and_the_rest_as_the_cut_says() {
        let dir = tempfile::tempdir().unwrap();
        let history = history(dir.path());
        assert_eq!(picture(&history, 1, Unflushed::Dropped, 1), [0, 0, 0, 0]);
        assert_eq!(picture(&history, 2, Unflushed::Dropped, 1), [1, 0, 0, 0]);
        // The flush of the other image is none of this one.
        assert_eq!(picture(&history, 5, Unflushed::Dropped, 1), [1, 0, 0, 0]);
        assert_eq!(picture(&history, 5, Unflushed::Kept, 1), [2, 3, 0, 0]);
        let mut random = Random::from_seed(1);
        let torn: std::collections::BTreeSet<_> =
            (0..100).map(|_| picture(&history, 5, Unflushed::Torn, random.number())).collect();
        assert_eq!(torn.len(), 6, "1 or 2, then 0, 2 or 3: {torn:?}");
    }

    #[test]
    fn a_write_is_split_where_the_disk_splits_it() {
        let bytes = [7; 2 * SECTOR];
        let parts: Vec<_> = sectors(512, &bytes).map(|(at, b)| (at, b.len())).collect();
        assert_eq!(parts, [(512, SECTOR - 512), (4096, SECTOR), (8192, 512)]);
    }
}
