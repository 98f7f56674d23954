//! Groups of files with the same digest, as the catalog knows them.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::path::PathBuf;

use tidy_core::facts::{Digest, Identity};

use super::codec::PageKey;
use super::state::{Fault, State};
use super::{Catalog, CatalogError};

/// Files of the same content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuplicateGroup {
    pub digest: Digest,
    /// Size of each, in bytes.
    pub size: u64,
    /// Every path, hard links included, sorted.
    pub paths: Vec<PathBuf>,
    /// Bytes that would be free if one stayed. Names of one and the same file (equal inode, size and
    /// modification time; the device is not known) count once.
    pub wasted: u64,
}

/// Some groups, and what all of them come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuplicatePage {
    /// Most wasted bytes first.
    pub groups: Vec<DuplicateGroup>,
    /// Groups there are.
    pub total_groups: u64,
    /// Bytes wasted by all of them.
    pub total_wasted: u64,
    /// Where the next page begins; `None`: that was all.
    pub next: Option<DuplicateCursor>,
}

/// Where the list goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DuplicateCursor {
    wasted: Reverse<u64>,
    digest: u128,
    size: u64,
}

impl DuplicateCursor {
    /// For handing out: opaque to whoever gets it.
    pub fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&self.wasted.0.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.size.to_be_bytes());
        bytes[16..].copy_from_slice(&self.digest.to_be_bytes());
        bytes
    }

    /// From what [`DuplicateCursor::to_bytes`] gave.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (wasted, rest) = bytes.split_at_checked(8)?;
        let (size, digest) = rest.split_at_checked(8)?;
        Some(Self {
            wasted: Reverse(u64::from_be_bytes(wasted.try_into().ok()?)),
            size: u64::from_be_bytes(size.try_into().ok()?),
            digest: u128::from_be_bytes(digest.try_into().ok()?),
        })
    }
}

/// A file with a digest, as small as it can be remembered: all of them are, for a moment.
struct Copy {
    /// The first half of the digest. 128 bits of BLAKE3 do not collide by accident; the whole is compared later.
    digest: u128,
    size: u64,
    /// Tells hard links from copies.
    ino: u64,
    mtime: i64,
    page: PageKey,
}

/// Copies of one content, before their paths are looked up.
struct Group {
    position: DuplicateCursor,
    pages: Vec<PageKey>,
}

impl Catalog {
    /// Groups of at least two files with equal digests and at least `min_size` bytes, most wasted bytes first, from
    /// `after` on, at most `limit`.
    ///
    /// Reads all pages, in one go under the read lock (about half a second for a million files).
    pub fn duplicates(
        &self,
        min_size: u64,
        after: Option<DuplicateCursor>,
        limit: usize,
    ) -> Result<DuplicatePage, CatalogError> {
        self.ask(|s| {
            let mut groups = groups(copies(s, min_size)?);
            groups.sort_unstable_by_key(|g| g.position);
            let total_groups = groups.len() as u64;
            let total_wasted =
                groups.iter().fold(0_u64, |sum, g| sum.saturating_add(g.position.wasted.0));
            let from = after.map_or(0, |a| groups.partition_point(|g| g.position <= a));
            let rest = &groups[from..];
            let shown = &rest[..limit.min(rest.len())];
            let next =
                if shown.len() < rest.len() { shown.last().map(|g| g.position) } else { None };
            let groups =
                shown.iter().filter_map(|g| look_up(s, g).transpose()).collect::<Result<_, _>>()?;
            Ok(DuplicatePage { groups, total_groups, total_wasted, next })
        })
    }
}

fn copies(state: &State, min_size: u64) -> Result<Vec<Copy>, Fault> {
    let mut copies = Vec::new();
    let large = min_size..=u64::MAX;
    let all = state.pages.iter().flat_map(|(dir, chunks)| chunks.iter().map(move |c| (*dir, c)));
    for (dir, chunk) in all.filter(|(_, c)| c.has_digests() && c.may_have_size(&large)) {
        let page = PageKey { dir, chunk: chunk.id };
        for entry in state.read(page)?.into_iter().filter(|e| e.id.size >= min_size) {
            let Some(digest) = entry.digest else { continue };
            let (size, ino, mtime) = (entry.id.size, entry.id.ino, entry.id.mtime.0);
            copies.push(Copy { digest: half(digest), size, ino, mtime, page });
        }
    }
    Ok(copies)
}

fn half(digest: Digest) -> u128 {
    let (half, _) = digest.0.split_at(16);
    half.iter().fold(0, |n, b| n << 8 | u128::from(*b))
}

fn groups(mut copies: Vec<Copy>) -> Vec<Group> {
    copies.sort_unstable_by_key(|c| (c.digest, c.size, c.ino, c.mtime, c.page));
    let same = |a: &Copy, b: &Copy| (a.digest, a.size) == (b.digest, b.size);
    copies.chunk_by(same).filter_map(group).collect()
}

fn group(copies: &[Copy]) -> Option<Group> {
    let first = copies.first()?;
    let files = copies.chunk_by(|a, b| (a.ino, a.mtime) == (b.ino, b.mtime)).count() as u64;
    if files < 2 {
        return None;
    }
    let mut pages: Vec<PageKey> = copies.iter().map(|c| c.page).collect();
    pages.sort_unstable();
    pages.dedup();
    let wasted = Reverse(first.size.saturating_mul(files - 1));
    let position = DuplicateCursor { wasted, digest: first.digest, size: first.size };
    Some(Group { position, pages })
}

/// The paths of a group; `None` if fewer than two files share the whole digest after all.
fn look_up(state: &State, group: &Group) -> Result<Option<DuplicateGroup>, Fault> {
    let mut digest = None;
    let mut files: HashSet<Identity> = HashSet::new();
    let mut paths = Vec::new();
    for page in &group.pages {
        for entry in state.read(*page)? {
            let Some(own) = entry.digest else { continue };
            let in_group =
                half(own) == group.position.digest && entry.id.size == group.position.size;
            if in_group && own == *digest.get_or_insert(own) {
                files.insert(Identity { birth: None, ..entry.id });
                paths.extend(state.path(page.dir, &entry.name));
            }
        }
    }
    paths.sort();
    let wasted = group.position.size.saturating_mul((files.len() as u64).saturating_sub(1));
    Ok(digest.filter(|_| files.len() > 1).map(|digest| DuplicateGroup {
        digest,
        size: group.position.size,
        paths,
        wasted,
    }))
}
