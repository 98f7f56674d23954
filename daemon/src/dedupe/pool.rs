//! A few threads that read.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::kindness::Kind;

/// Work below this is done by one thread: starting others costs more.
const WORTH_A_THREAD: usize = 16;

/// `f` of every item, by at most `threads` threads, in no particular order. Items are begun in order.
pub(super) fn map<T: Sync, R: Send>(
    threads: NonZeroUsize,
    items: &[T],
    f: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let threads = threads.get().min(items.len().div_ceil(WORTH_A_THREAD));
    if threads <= 1 {
        return items.iter().map(f).collect();
    }
    let next = AtomicUsize::new(0);
    let kind = Kind::here();
    let worker = || {
        kind.enter();
        let mut done = Vec::new();
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push(f(item));
        }
        done
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (1..threads).map(|_| scope.spawn(worker)).collect();
        let mut done = worker();
        for w in workers {
            match w.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_done_once_by_any_number_of_threads() {
        let items: Vec<usize> = (0..1000).collect();
        for threads in [1, 2, 7] {
            let mut done = map(NonZeroUsize::new(threads).unwrap(), &items, |i| *i);
            done.sort_unstable();
            assert_eq!(done, items);
        }
    }
}
