//! The pages of the catalog, divided among threads.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::chunk::{Chunk, home};
use super::codec::PageKey;
use super::dirs::DirId;
use super::query::Spot;
use super::state::{Fault, State};

/// Pages looked at between two moments in which others may write. In tests few, so that there are several.
pub(super) const PAGES_PER_LOCK: usize = if cfg!(test) { 2 } else { 512 };

/// Pages of one part. Threads take one part after another, so that none has much more to do than the others, and a part in
/// which there is nothing to be found need not be gone through again.
const PAGES_PER_PART: usize = if cfg!(test) { 3 } else { 128 };

/// Threads for one list, at most. Others ask, too.
const THREADS: usize = 4;

/// Parts that are worth a thread.
const PARTS_PER_THREAD: usize = if cfg!(test) { 1 } else { 16 };

/// Pages between two moments in which they may change. What is read of a page beyond them is another part's.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) from: &'a Spot,
    pub(super) to: Option<&'a Spot>,
}

impl Part<'_> {
    fn is_over(self, dir: DirId, name: &[u8]) -> bool {
        self.to.is_some_and(|to| to.is_reached_by(dir, name))
    }

    pub(super) fn has(self, dir: DirId, name: &[u8]) -> bool {
        self.from.is_reached_by(dir, name) && !self.is_over(dir, name)
    }

    /// Goes through some of its pages, in the directories given (sorted; `None`: all), until `each` breaks. Returns where to go
    /// on; `None`: that was all, or enough.
    pub(super) fn some(
        self,
        state: &State,
        dirs: Option<&[DirId]>,
        mut each: impl FnMut(PageKey, &Chunk) -> Result<ControlFlow<()>, Fault>,
    ) -> Result<Option<Spot>, Fault> {
        let mut looked_at = 0;
        for (&dir, chunks) in state.pages.range(self.from.dir()..) {
            if dirs.is_some_and(|d| d.binary_search(&dir).is_err()) {
                continue;
            }
            let first = self.from.name_in(dir).map_or(0, |name| home(chunks, name));
            for chunk in &chunks[first..] {
                if self.is_over(dir, &chunk.fence) {
                    return Ok(None);
                }
                looked_at += 1;
                if looked_at > PAGES_PER_LOCK {
                    return Ok(Some(Spot::before(dir, chunk)));
                }
                if each(PageKey { dir, chunk: chunk.id }, chunk)?.is_break() {
                    return Ok(None);
                }
            }
        }
        Ok(None)
    }
}

/// Where each part begins of what is from a place on; the first one there.
pub(super) fn starts(state: &State, from: &Spot) -> Vec<Spot> {
    let (mut others, mut pages) = (Vec::new(), 0);
    for (dir, chunks) in state.pages.range(from.dir()..) {
        let first = pages;
        pages += chunks.len();
        let next = first.next_multiple_of(PAGES_PER_PART).max(PAGES_PER_PART);
        for at in (next..pages).step_by(PAGES_PER_PART) {
            others.extend(chunks.get(at - first).map(|chunk| Spot::before(*dir, chunk)));
        }
    }
    // In the directory of the first one there may be pages before it.
    others.retain(|spot| !spot.is_at_or_before(from));
    others.insert(0, from.clone());
    others
}

/// Carries out `work` for every part, on several threads, each of which has one `own`, and returns what it found in each, in order.
/// Parts are begun in order.
pub(super) fn in_parts<S, T: Send, E: Send>(
    starts: &[Spot],
    own: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize, Part<'_>) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = (starts.len() / PARTS_PER_THREAD).clamp(1, cores.min(THREADS));
    let next = AtomicUsize::new(0);
    let some = || {
        let (mut own, mut found) = (own(), Vec::new());
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(from) = starts.get(at) else { return Ok(found) };
            let part = Part { from, to: starts.get(at + 1) };
            found.push((at, work(&mut own, at, part)?));
        }
    };
    let each: Vec<Result<Vec<(usize, T)>, E>> = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(some)).collect();
        let first = some();
        // A panic there is a panic here.
        let joined = others
            .into_iter()
            .map(|other| other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        std::iter::once(first).chain(joined).collect()
    });
    let each: Result<Vec<_>, E> = each.into_iter().collect();
    let mut found: Vec<(usize, T)> = each?.into_iter().flatten().collect();
    found.sort_unstable_by_key(|(at, _)| *at);
    Ok(found.into_iter().map(|(_, found)| found).collect())
}
