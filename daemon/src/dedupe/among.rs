//! Equal contents among very many files at once: what is known of none of them is read in as few passes as can be.
//!
//! Size, then head, then content, as everywhere in this room, each only among files that another one still equals. A
//! pass goes through its files in the order of inodes, which on a disk is nearly that of the data. Files that are not in
//! memory are announced to the kernel and come back to when others have been read. Large files that seem equal
//! are read side by side and compared, so that only one of them is hashed.

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};

use tidy_core::facts::Digest;

use super::DedupeError;
use super::ahead::{self, Wait};
use super::hash::{self, HEAD_LEN, Head, TAIL_FROM, WHOLE};

/// Files that are announced and not yet read, for each thread.
const IN_FLIGHT: usize = 32;
/// Files a thread takes at once.
const BATCH: usize = 32;
/// From this length on, files that seem equal are read side by side: before, opening costs more than hashing.
const TOGETHER_FROM: u64 = 256 * 1024;
/// Files read side by side, at most.
const TOGETHER_MAX: usize = 8;

/// A file that may have copies.
#[derive(Debug, Clone)]
pub struct Subject {
    pub size: u64,
    /// Device and inode: two names of one file are no copies.
    pub inode: (u64, u64),
    pub head: Option<Head>,
    pub digest: Option<Digest>,
}

/// Opens subjects for reading, by their place. Called from several threads.
pub type Open<'a> = &'a (dyn Fn(usize) -> io::Result<OwnedFd> + Sync);

/// What could not be read, by its place, and why.
pub type Unread = Vec<(usize, DedupeError)>;

/// Learns heads and digests as far as is needed to tell which subjects are equal: afterwards two of one size are copies
/// if and only if both have a digest and it is the same. Returns those that could not be read.
pub fn compare(subjects: &mut [Subject], open: Open<'_>, readers: NonZeroUsize) -> Unread {
    let mut unread = Unread::new();
    let mut leaders = leaders(subjects);
    keep_alike(subjects, &mut leaders, |s| s.size);

    let need = leaders.iter().copied().filter(|&at| subjects[at].head.is_none());
    for (at, result) in pass(subjects, need.collect(), open, readers, &FirstLook) {
        match result {
            Ok((head, digest)) => {
                subjects[at].head = Some(head);
                subjects[at].digest = subjects[at].digest.or(digest);
            }
            Err(e) => unread.push((at, e)),
        }
    }
    leaders.retain(|&at| subjects[at].head.is_some());
    keep_alike(subjects, &mut leaders, |s| (s.size, s.head));

    let (sets, mut single) = split(subjects, &leaders);
    for (at, result) in side_by_side(subjects, &sets, open, readers) {
        match result {
            Ok(digest) => subjects[at].digest = Some(digest),
            Err(()) => single.push(at),
        }
    }
    for (at, result) in pass(subjects, single, open, readers, &All) {
        match result {
            Ok(digest) => subjects[at].digest = Some(digest),
            Err(e) => unread.push((at, e)),
        }
    }
    share(subjects);
    unread
}

/// The order that puts names of one inode beside each other.
fn by_inode(subjects: &[Subject]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..subjects.len()).collect();
    order.sort_unstable_by_key(|&at| (subjects[at].size, subjects[at].inode, at));
    order
}

fn same_inode(subjects: &[Subject]) -> impl Fn(&usize, &usize) -> bool {
    |&a, &b| (subjects[a].size, subjects[a].inode) == (subjects[b].size, subjects[b].inode)
}

/// One name of each inode, with what is known of any.
fn leaders(subjects: &mut [Subject]) -> Vec<usize> {
    let order = by_inode(subjects);
    let mut leaders = Vec::with_capacity(order.len());
    let mut known = Vec::new();
    for names in order.chunk_by(same_inode(subjects)) {
        leaders.push(names[0]);
        if names.len() > 1 {
            let head = names.iter().find_map(|&at| subjects[at].head);
            let digest = names.iter().find_map(|&at| subjects[at].digest);
            known.push((names[0], head, digest));
        }
    }
    for (at, head, digest) in known {
        (subjects[at].head, subjects[at].digest) = (head, digest);
    }
    leaders
}

/// What one name has learnt is true of all names of its inode.
fn share(subjects: &mut [Subject]) {
    let order = by_inode(subjects);
    let mut learnt = Vec::new();
    for names in order.chunk_by(same_inode(subjects)).filter(|names| names.len() > 1) {
        let Subject { head, digest, .. } = subjects[names[0]];
        learnt.extend(names[1..].iter().map(|&at| (at, head, digest)));
    }
    for (at, head, digest) in learnt {
        (subjects[at].head, subjects[at].digest) = (head, digest);
    }
}

/// Drops those that no other equals in `key`, and puts equals beside each other.
fn keep_alike<K: Ord>(subjects: &[Subject], leaders: &mut Vec<usize>, key: fn(&Subject) -> K) {
    leaders.sort_unstable_by_key(|&at| (key(&subjects[at]), at));
    let alike = leaders.chunk_by(|&a, &b| key(&subjects[a]) == key(&subjects[b]));
    *leaders = alike.filter(|group| group.len() > 1).flatten().copied().collect();
}

/// Those without a digest: the large ones in sets to be read side by side, the others one by one.
fn split(subjects: &[Subject], leaders: &[usize]) -> (Vec<Vec<usize>>, Vec<usize>) {
    let (mut sets, mut single) = (Vec::new(), Vec::new());
    let alike = leaders.chunk_by(|&a, &b| {
        (subjects[a].size, subjects[a].head) == (subjects[b].size, subjects[b].head)
    });
    for group in alike {
        let mut missing: Vec<usize> =
            group.iter().copied().filter(|&at| subjects[at].digest.is_none()).collect();
        missing.sort_unstable_by_key(|&at| subjects[at].inode);
        if subjects[group[0]].size < TOGETHER_FROM {
            single.append(&mut missing);
            continue;
        }
        for set in missing.chunks(TOGETHER_MAX) {
            match set {
                [alone] => single.push(*alone),
                set => sets.push(set.to_vec()),
            }
        }
    }
    (sets, single)
}

/// Reads the files of each set side by side. `Err`: it is not equal to the first of its set, or cannot be read: it is
/// to be looked at alone.
fn side_by_side(
    subjects: &[Subject],
    sets: &[Vec<usize>],
    open: Open<'_>,
    readers: NonZeroUsize,
) -> Vec<(usize, Result<Digest, ()>)> {
    // The largest first, so that no thread begins a long one when the others have nothing left.
    let mut order: Vec<&Vec<usize>> = sets.iter().collect();
    order.sort_by_key(|set| std::cmp::Reverse(subjects[set[0]].size * set.len() as u64));
    each(readers, &order, 1, |sets, out| {
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for set in sets {
            let (first, others) = (set[0], &set[1..]);
            let read = open(first).map_err(DedupeError::from).and_then(|file| {
                let files: Vec<Option<OwnedFd>> = others.iter().map(|&at| open(at).ok()).collect();
                let len = subjects[first].size;
                hash::digest_and_equals(&file, &files, len, (&mut left, &mut right))
            });
            match read {
                Ok((digest, equal)) => {
                    out.push((first, Ok(digest)));
                    let equals = others.iter().zip(equal);
                    out.extend(equals.map(|(&at, equal)| (at, equal.then_some(digest).ok_or(()))));
                }
                Err(_) => out.extend(set.iter().map(|&at| (at, Err(())))),
            }
        }
    })
}

/// One way of reading a file.
trait Reading: Sync {
    type Learnt: Send;
    /// `None`: it is not in memory, and was not to be waited for.
    fn read(
        &self,
        size: u64,
        file: &OwnedFd,
        buf: &mut Vec<u8>,
        wait: Wait,
    ) -> Result<Option<Self::Learnt>, DedupeError>;
    /// Has the kernel begin with it.
    fn announce(&self, size: u64, file: &OwnedFd);
}

struct FirstLook;

impl Reading for FirstLook {
    type Learnt = (Head, Option<Digest>);

    fn read(
        &self,
        size: u64,
        file: &OwnedFd,
        buf: &mut Vec<u8>,
        wait: Wait,
    ) -> Result<Option<Self::Learnt>, DedupeError> {
        hash::first_look(file, size, buf, wait)
    }

    fn announce(&self, size: u64, file: &OwnedFd) {
        if size <= WHOLE as u64 {
            ahead::announce(file, 0, size);
            return;
        }
        ahead::announce(file, 0, HEAD_LEN as u64);
        if size >= TAIL_FROM {
            ahead::announce(file, size - HEAD_LEN as u64, HEAD_LEN as u64);
        }
    }
}

struct All;

impl Reading for All {
    type Learnt = Digest;

    fn read(
        &self,
        size: u64,
        file: &OwnedFd,
        buf: &mut Vec<u8>,
        wait: Wait,
    ) -> Result<Option<Digest>, DedupeError> {
        hash::digest_with(file, size, buf, wait)
    }

    fn announce(&self, size: u64, file: &OwnedFd) {
        ahead::announce(file, 0, size.min(ahead::WINDOW));
    }
}

/// One reading of each of these files.
fn pass<R: Reading>(
    subjects: &[Subject],
    mut files: Vec<usize>,
    open: Open<'_>,
    readers: NonZeroUsize,
    reading: &R,
) -> Vec<(usize, Result<R::Learnt, DedupeError>)> {
    files.sort_unstable_by_key(|&at| subjects[at].inode);
    each(readers, &files, BATCH, |files, out| {
        let mut buf = Vec::new();
        let mut in_flight: VecDeque<(usize, OwnedFd)> = VecDeque::new();
        let finish = |(at, file): (usize, OwnedFd), buf: &mut Vec<u8>| {
            let read = reading.read(subjects[at].size, &file, buf, Wait::Yes);
            (at, read.and_then(|read| read.ok_or(DedupeError::Changed)))
        };
        for &at in files {
            let size = subjects[at].size;
            let read = open(at).map_err(DedupeError::from).and_then(|file| {
                let read = reading.read(size, &file, &mut buf, Wait::No)?;
                Ok(read.ok_or(file))
            });
            match read {
                Ok(Ok(learnt)) => out.push((at, Ok(learnt))),
                Ok(Err(file)) => {
                    reading.announce(size, &file);
                    in_flight.push_back((at, file));
                }
                Err(e) => out.push((at, Err(e))),
            }
            if in_flight.len() >= IN_FLIGHT {
                out.extend(in_flight.pop_front().map(|oldest| finish(oldest, &mut buf)));
            }
        }
        out.extend(in_flight.into_iter().map(|left| finish(left, &mut buf)));
    })
}

/// `work` by several threads, each of which is given its items a batch at a time.
fn each<I: Sync, T: Send>(
    threads: NonZeroUsize,
    items: &[I],
    batch: usize,
    work: impl Fn(&mut dyn Iterator<Item = &I>, &mut Vec<T>) + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let batches = std::iter::from_fn(|| {
            let from = next.fetch_add(batch, Ordering::Relaxed);
            let rest = items.get(from..).filter(|rest| !rest.is_empty())?;
            Some(&rest[..batch.min(rest.len())])
        });
        let mut out = Vec::new();
        work(&mut batches.flatten(), &mut out);
        out
    };
    let threads = threads.get().min(items.len().div_ceil(batch));
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(worker)).collect();
        let mut out = worker();
        for other in others {
            match other.join() {
                Ok(mut more) => out.append(&mut more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        out
    })
}

#[cfg(test)]
mod tests;
