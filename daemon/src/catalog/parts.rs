//! The pages of the catalog, divided among threads.

use std::ops::ControlFlow;
use std::thread;

use super::chunk::{Chunk, home};
use super::codec::PageKey;
use super::dirs::DirId;
use super::query::Spot;
use super::state::{Fault, State};

/// Pages looked at between two moments in which others may write. In tests few, so that there are several.
pub(super) const PAGES_PER_LOCK: usize = if cfg!(test) { 2 } else { 512 };

/// Threads for one list, at most. Others ask, too.
const THREADS: usize = 4;

/// Pages that are worth a thread.
const PAGES_PER_THREAD: usize = if cfg!(test) { 3 } else { 2_048 };

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

/// Where each thread begins that takes a part of what is from a place on; the first one there.
pub(super) fn starts(state: &State, from: &Spot) -> Vec<Spot> {
    let dirs = || state.pages.range(from.dir()..);
    let pages: usize = dirs().map(|(_, chunks)| chunks.len()).sum();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = (pages / PAGES_PER_THREAD).clamp(1, cores.min(THREADS));
    let each = pages.div_ceil(threads).max(1);
    let all = dirs().flat_map(|(dir, chunks)| chunks.iter().map(move |c| (*dir, c)));
    let others = all.step_by(each).skip(1).map(|(dir, chunk)| Spot::before(dir, chunk));
    // In the directory of the first one there may be pages before it.
    let others = others.filter(|spot| !spot.is_at_or_before(from));
    std::iter::once(from.clone()).chain(others).collect()
}

/// Carries out `work` for every part, each on a thread of its own, and returns what they found, in order.
pub(super) fn in_parts<T: Send, E: Send>(
    starts: &[Spot],
    work: impl Fn(usize, Part<'_>) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let part = |at: usize| work(at, Part { from: &starts[at], to: starts.get(at + 1) });
    let found: Vec<Result<T, E>> = thread::scope(|scope| {
        let part = &part;
        let others: Vec<_> = (1..starts.len()).map(|at| scope.spawn(move || part(at))).collect();
        let first = part(0);
        // A panic there is a panic here.
        let joined = others
            .into_iter()
            .map(|other| other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        std::iter::once(first).chain(joined).collect()
    });
    found.into_iter().collect()
}
