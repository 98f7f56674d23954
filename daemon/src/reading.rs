//! reading: which files are being read from beginning to end right now, and how far that is, for whoever looks on.
//!
//! In: the threads that read say what they begin ([`begin`]) and how much they have read ([`have_read`]). Out: what is being
//! read ([`now`]), and how much was since the start ([`total`]). Small files are over before anybody could look: they count
//! in the total only.
//!
//! May not know: files beyond their names, rules, plans, who asks. Nothing waits for it, and it decides nothing.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The shortest file worth telling of: about a millisecond's work.
const WORTH: u64 = 1 << 20;

/// What is being read, in the order in which it was begun. As many as threads that read.
static NOW: Mutex<Vec<Arc<Begun>>> = Mutex::new(Vec::new());

static TOTAL: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// What this thread is at; the last one is the one that goes on.
    static HERE: RefCell<Vec<Arc<Begun>>> = const { RefCell::new(Vec::new()) };
}

/// What a file is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Whether it is a copy of another.
    Hash,
    /// Whether it has the same bytes as another, before one of them goes.
    Compare,
    /// For a copy of it.
    Copy,
    /// Whether the copy is right.
    Verify,
}

impl Purpose {
    /// The word used on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hash => "hashing",
            Self::Compare => "comparing",
            Self::Copy => "copying",
            Self::Verify => "verifying",
        }
    }
}

#[derive(Debug)]
struct Begun {
    path: PathBuf,
    purpose: Purpose,
    size: u64,
    done: AtomicU64,
}

/// One file that is being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pub path: PathBuf,
    pub purpose: Purpose,
    /// Bytes read so far, of how many.
    pub done: u64,
    pub size: u64,
}

/// As long as it is kept, what the thread reads is this file.
#[derive(Debug)]
pub struct Guard(Option<Arc<Begun>>);

/// The calling thread begins to read a file of so many bytes.
pub fn begin(path: &Path, size: u64, purpose: Purpose) -> Guard {
    if size < WORTH {
        return Guard(None);
    }
    let begun = Arc::new(Begun { path: path.to_owned(), purpose, size, done: AtomicU64::new(0) });
    HERE.with_borrow_mut(|here| here.push(begun.clone()));
    NOW.lock().unwrap_or_else(PoisonError::into_inner).push(begun.clone());
    Guard(Some(begun))
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(begun) = &self.0 else { return };
        let others = |b: &Arc<Begun>| !Arc::ptr_eq(b, begun);
        HERE.with_borrow_mut(|here| here.retain(others));
        NOW.lock().unwrap_or_else(PoisonError::into_inner).retain(others);
    }
}

/// The calling thread has read so many bytes of what it has begun.
pub fn have_read(bytes: usize) {
    TOTAL.fetch_add(bytes as u64, Ordering::Relaxed);
    HERE.with_borrow(|here| {
        if let Some(begun) = here.last() {
            begun.done.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    });
}

/// What is being read, the longest begun first; so many at most.
pub fn now(limit: usize) -> Vec<Reading> {
    let now = NOW.lock().unwrap_or_else(PoisonError::into_inner);
    let reading = |b: &Arc<Begun>| Reading {
        path: b.path.clone(),
        purpose: b.purpose,
        // Of two files that are compared both are read.
        done: b.done.load(Ordering::Relaxed).min(b.size),
        size: b.size,
    };
    now.iter().take(limit).map(reading).collect()
}

/// Bytes of files' content that were read since the process began.
pub fn total() -> u64 {
    TOTAL.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> Option<Reading> {
        now(1_000).into_iter().find(|r| r.path == Path::new(path))
    }

    #[test]
    fn what_a_thread_reads_is_told_as_long_as_it_reads_it() {
        let before = total();
        let outer = begin(Path::new("/reading/outer"), 10 * WORTH, Purpose::Copy);
        have_read(7);
        let inner = begin(Path::new("/reading/inner"), 2 * WORTH, Purpose::Verify);
        have_read(5);
        std::thread::spawn(|| have_read(100)).join().unwrap();
        let seen = of("/reading/inner").unwrap();
        assert_eq!((seen.done, seen.size, seen.purpose), (5, 2 * WORTH, Purpose::Verify));
        drop(inner);
        have_read(1);
        assert_eq!(of("/reading/outer").unwrap().done, 8);
        assert_eq!(of("/reading/inner"), None);
        drop(outer);
        assert_eq!(of("/reading/outer"), None);
        assert!(total() >= before + 113);
    }

    #[test]
    fn small_files_are_not_told_and_nothing_is_read_beyond_its_end() {
        let small = begin(Path::new("/reading/small"), WORTH - 1, Purpose::Hash);
        assert_eq!(of("/reading/small"), None);
        drop(small);
        let both = begin(Path::new("/reading/both"), WORTH, Purpose::Compare);
        have_read(3 * WORTH as usize);
        assert_eq!(of("/reading/both").unwrap().done, WORTH);
        drop(both);
    }
}
