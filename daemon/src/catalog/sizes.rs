//! Which pages hold a file of a given size: the first question when looking for copies.
//!
//! Eight bytes a file, in memory only, built from the pages at start. A file is one `u64`: 16 bits of the hash of its
//! size, then the page. Another 12 bits of the hash choose one of 4,096 sorted shards, so that with a million
//! files a change moves about 2 KiB and about 0.4 % of the pages named hold no such file.

use super::codec::PageKey;
use super::dirs::DirId;

const SHARD_BITS: u32 = 12;

#[derive(Debug)]
pub(super) struct SizeIndex {
    shards: Vec<Vec<u64>>,
}

impl Default for SizeIndex {
    fn default() -> Self {
        Self { shards: vec![Vec::new(); 1 << SHARD_BITS] }
    }
}

impl SizeIndex {
    /// Adds a file without keeping the order: [`SizeIndex::finish`] must follow.
    pub(super) fn push(&mut self, size: u64, page: PageKey) {
        let (shard, item) = item(size, page);
        self.shards[shard].push(item);
    }

    /// Restores the order after [`SizeIndex::push`].
    pub(super) fn finish(&mut self) {
        for shard in &mut self.shards {
            shard.sort_unstable();
            shard.shrink_to_fit();
        }
    }

    /// Adds a file.
    pub(super) fn insert(&mut self, size: u64, page: PageKey) {
        let (shard, item) = item(size, page);
        let shard = &mut self.shards[shard];
        let at = shard.partition_point(|&i| i < item);
        shard.insert(at, item);
    }

    /// Takes one file of that size in that page out.
    pub(super) fn remove(&mut self, size: u64, page: PageKey) {
        let (shard, item) = item(size, page);
        if let Ok(at) = self.shards[shard].binary_search(&item) {
            self.shards[shard].remove(at);
        }
    }

    /// The pages that may hold files of this size, each once, in order of their keys.
    pub(super) fn pages(&self, size: u64) -> Vec<PageKey> {
        let (shard, first) = item(size, PageKey { dir: DirId(0), chunk: 0 });
        let shard = &self.shards[shard];
        let from = shard.partition_point(|&i| i < first);
        let mut pages: Vec<PageKey> = shard[from..]
            .iter()
            .take_while(|&&i| i >> 48 == first >> 48)
            .map(|&i| page(i))
            .collect();
        pages.dedup();
        pages
    }

    /// Number of files.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(Vec::len).sum()
    }
}

fn item(size: u64, page: PageKey) -> (usize, u64) {
    // Fibonacci hashing: the high bits of the product depend on all bits of the size.
    let hash = size.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let shard = (hash >> (64 - SHARD_BITS)) as usize; // 12 bits
    let tail = (hash >> (48 - SHARD_BITS)) & 0xffff;
    (shard, tail << 48 | u64::from(page.dir.0) << 16 | u64::from(page.chunk))
}

fn page(item: u64) -> PageKey {
    // Truncation takes the fields apart again.
    PageKey { dir: DirId((item >> 16) as u32), chunk: item as u16 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_found_by_size_until_their_last_file_of_it_goes() {
        let key = |dir, chunk| PageKey { dir: DirId(dir), chunk };
        let mut index = SizeIndex::default();
        for p in [key(9, 1), key(u32::MAX, u16::MAX), key(9, 1)] {
            index.push(4096, p);
        }
        index.push(4097, key(9, 2));
        index.finish();
        index.insert(4096, key(2, 0));
        assert_eq!(index.pages(4096), [key(2, 0), key(9, 1), key(u32::MAX, u16::MAX)]);
        assert_eq!(index.pages(4097), [key(9, 2)]);
        assert_eq!(index.pages(1), []);
        index.remove(4096, key(9, 1));
        assert_eq!(index.pages(4096).len(), 3, "another file of that size is left in the page");
        index.remove(4096, key(9, 1));
        index.remove(4096, key(9, 1));
        assert_eq!(index.pages(4096), [key(2, 0), key(u32::MAX, u16::MAX)]);
        assert_eq!(index.len(), 3);
    }

    #[test]
    fn few_sizes_share_a_place() {
        let mut index = SizeIndex::default();
        for size in 0..200_000_u64 {
            index.push(size, PageKey { dir: DirId(size as u32), chunk: 0 });
        }
        index.finish();
        let named: usize = (0..1_000).map(|size| index.pages(size * 200).len()).sum();
        assert!(named < 1_020, "{named} pages for 1,000 files");
    }
}
