//! How a directory's pages change: which are written, which go, which stay.
//!
//! The pages of a directory are the leaves of a one-level B-tree: each holds the names between its fence and
//! the next. A change touches the pages its names belong into, whatever the size of the directory;
//! a page that outgrows [`PAGE_MAX`] is split, one that runs low joins the page before it.

use std::iter::Peekable;
use std::vec::IntoIter;

use super::chunk::Chunk;
use super::codec::{PAGE_MAX, Stored};

/// A page with fewer entries than this joins the one before it, if both fit into [`JOINED_MAX`].
const LOW: usize = PAGE_MAX / 4;
/// Leaves room for growth in a page that two were joined into.
const JOINED_MAX: usize = PAGE_MAX * 3 / 4;

/// What is to become of a directory's entries. Sorted by name, without doubles.
pub(super) enum Edits {
    /// These are all the entries there are.
    Replace(Vec<Stored>),
    /// These names change, the others stay.
    Each(Vec<Edit>),
}

/// A name, and what it becomes: `Some` is put there, `None` removes it.
pub(super) type Edit = (Box<[u8]>, Option<Stored>);

/// A page in its place.
#[derive(Debug)]
pub(super) enum Slot {
    /// The page with this index stays as it is.
    Keep(usize),
    /// To be written.
    Write { id: u16, old: Vec<Stored>, new: Vec<Stored> },
}

/// The new pages of a directory in order, and the pages that go.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) slots: Vec<Slot>,
    pub(super) removed: Vec<(u16, Vec<Stored>)>,
}

/// Why there is no layout.
#[derive(Debug)]
pub(super) enum RewriteError<E> {
    Load(E),
    /// More pages than a directory can have.
    TooMany,
}

/// A page on its way through the steps below.
enum Piece {
    Kept(usize),
    Changed { id: Option<u16>, old: Vec<Stored>, new: Vec<Stored> },
}

/// Lays the edits out over the pages; `load` reads the page with that index.
pub(super) fn layout<E>(
    chunks: &[Chunk],
    edits: Edits,
    mut load: impl FnMut(usize) -> Result<Vec<Stored>, E>,
) -> Result<Layout, RewriteError<E>> {
    let pieces = edit(chunks, edits, &mut load).map_err(RewriteError::Load)?;
    let mut layout = Layout::default();
    let joined =
        join(chunks, pieces, &mut load, &mut layout.removed).map_err(RewriteError::Load)?;
    let mut fresh = FreshIds::new(chunks);
    for piece in joined {
        match piece {
            Piece::Kept(i) => layout.slots.push(Slot::Keep(i)),
            Piece::Changed { id, old, new } => {
                split(id, old, new, &mut fresh, &mut layout.slots).ok_or(RewriteError::TooMany)?;
            }
        }
    }
    Ok(layout)
}

/// Applies the edits page by page.
fn edit<E>(
    chunks: &[Chunk],
    edits: Edits,
    load: &mut impl FnMut(usize) -> Result<Vec<Stored>, E>,
) -> Result<Vec<Piece>, E> {
    if chunks.is_empty() {
        let new = match edits {
            Edits::Replace(entries) => entries,
            Edits::Each(changes) => changes.into_iter().filter_map(|(_, put)| put).collect(),
        };
        return Ok(vec![Piece::Changed { id: None, old: Vec::new(), new }]);
    }
    let mut pieces = Vec::with_capacity(chunks.len());
    let mut edits = match edits {
        Edits::Replace(entries) => Remaining::Replace(entries.into_iter().peekable()),
        Edits::Each(changes) => Remaining::Each(changes.into_iter().peekable()),
    };
    for (i, chunk) in chunks.iter().enumerate() {
        let end = chunks.get(i + 1).map(|c| &*c.fence);
        let within = |name: &[u8]| end.is_none_or(|end| name < end);
        let (old, new) = match &mut edits {
            Remaining::Replace(entries) => {
                let old = load(i)?;
                let new = std::iter::from_fn(|| entries.next_if(|e| within(&e.name)));
                let new = new.map(|e| match old.binary_search_by(|was| was.name.cmp(&e.name)) {
                    Ok(at) => keeping(&old[at], e),
                    Err(_) => e,
                });
                let new = new.collect();
                (old, new)
            }
            Remaining::Each(changes) => {
                let mine: Vec<_> =
                    std::iter::from_fn(|| changes.next_if(|(name, _)| within(name))).collect();
                if mine.is_empty() {
                    pieces.push(Piece::Kept(i));
                    continue;
                }
                let old = load(i)?;
                let new = merged(&old, mine);
                (old, new)
            }
        };
        pieces.push(match old == new {
            true => Piece::Kept(i),
            false => Piece::Changed { id: Some(chunk.id), old, new },
        });
    }
    Ok(pieces)
}

enum Remaining {
    Replace(Peekable<IntoIter<Stored>>),
    Each(Peekable<IntoIter<Edit>>),
}

fn merged(old: &[Stored], changes: Vec<Edit>) -> Vec<Stored> {
    let mut new = Vec::with_capacity(old.len() + changes.len());
    let mut old = old.iter().peekable();
    for (name, put) in changes {
        while let Some(before) = old.next_if(|e| e.name < name) {
            new.push(before.clone());
        }
        let was = old.next_if(|e| e.name == name);
        new.extend(put.map(|put| match was {
            Some(was) => keeping(was, put),
            None => put,
        }));
    }
    new.extend(old.cloned());
    new
}

/// What was read of a file's content is true of the file for as long as it is the same: whoever writes its entry without
/// knowing, because somebody else has just read it, does not take that away.
fn keeping(was: &Stored, mut new: Stored) -> Stored {
    if was.id == new.id {
        new.head = new.head.or(was.head);
        new.digest = new.digest.or(was.digest);
    }
    new
}

/// Joins pages that have run low with the one before; a directory keeps at least one page.
fn join<E>(
    chunks: &[Chunk],
    pieces: Vec<Piece>,
    load: &mut impl FnMut(usize) -> Result<Vec<Stored>, E>,
    removed: &mut Vec<(u16, Vec<Stored>)>,
) -> Result<Vec<Piece>, E> {
    let mut out: Vec<Piece> = Vec::with_capacity(pieces.len());
    let mut emptied = Vec::new();
    for piece in pieces {
        let Piece::Changed { id: Some(id), old, new } = piece else {
            out.push(piece);
            continue;
        };
        if new.is_empty() {
            emptied.push((id, old));
            continue;
        }
        let room = match out.last() {
            Some(Piece::Kept(i)) => usize::from(chunks[*i].len) + new.len() <= JOINED_MAX,
            Some(Piece::Changed { new: before, .. }) => before.len() + new.len() <= JOINED_MAX,
            None => false,
        };
        if new.len() >= LOW || !room {
            out.push(Piece::Changed { id: Some(id), old, new });
            continue;
        }
        if let Some(Piece::Kept(i)) = out.last() {
            let (i, before) = (*i, load(*i)?);
            out.pop();
            out.push(Piece::Changed { id: Some(chunks[i].id), old: before.clone(), new: before });
        }
        if let Some(Piece::Changed { new: before, .. }) = out.last_mut() {
            before.extend(new);
            removed.push((id, old));
        }
    }
    if out.is_empty()
        && let Some((id, old)) = emptied.pop()
    {
        out.push(Piece::Changed { id: Some(id), old, new: Vec::new() });
    }
    removed.append(&mut emptied);
    Ok(out)
}

fn split(
    id: Option<u16>,
    old: Vec<Stored>,
    mut new: Vec<Stored>,
    fresh: &mut FreshIds,
    slots: &mut Vec<Slot>,
) -> Option<()> {
    let parts = new.len().div_ceil(PAGE_MAX).max(1);
    let each = new.len().div_ceil(parts).max(1);
    let mut rest = new.split_off(each.min(new.len()));
    let id = match id {
        Some(id) => id,
        None => fresh.take()?,
    };
    slots.push(Slot::Write { id, old, new });
    while !rest.is_empty() {
        let further = rest.split_off(each.min(rest.len()));
        slots.push(Slot::Write { id: fresh.take()?, old: Vec::new(), new: rest });
        rest = further;
    }
    Some(())
}

/// Page numbers that the directory does not use.
struct FreshIds {
    used: Vec<u16>,
    next: u32,
}

impl FreshIds {
    fn new(chunks: &[Chunk]) -> Self {
        let mut used: Vec<u16> = chunks.iter().map(|c| c.id).collect();
        used.sort_unstable();
        Self { used, next: 0 }
    }

    fn take(&mut self) -> Option<u16> {
        loop {
            let id = u16::try_from(self.next).ok()?;
            self.next += 1;
            if self.used.binary_search(&id).is_err() {
                return Some(id);
            }
        }
    }
}
