//! Barriers in the stream of hints.
//!
//! A file made in a private, watched directory comes back through the same kernel queue as
//! everything else; when it has, all that happened before it has been hinted at (watchman and
//! git-fsmonitor do the same). The backend may have several queues: each watches the directory, and a
//! cookie has passed when it came out of all of them.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const PREFIX: &str = "cookie-";

/// Makes cookies, and knows which have come back.
#[derive(Debug)]
pub struct Cookies {
    dir: PathBuf,
    /// Number of the last cookie. Only read by the watchers' threads, which must not wait for a disk.
    last: AtomicU64,
    /// Held while a file is made, so that numbers come in order.
    making: Mutex<()>,
    queues: Mutex<Queues>,
}

#[derive(Debug, Default)]
struct Queues {
    /// Per queue, the last cookie that came out of it.
    seen: Vec<u64>,
    /// The last that has been reported.
    reported: u64,
}

impl Cookies {
    /// With a private, existing, empty directory of the daemon's own, absolute and without symlinks.
    pub fn new(dir: PathBuf) -> Arc<Self> {
        Arc::new(Self {
            dir,
            last: AtomicU64::new(0),
            making: Mutex::default(),
            queues: Mutex::default(),
        })
    }

    /// The directory that every queue must watch.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Asks for a barrier. [`Hint::Cookie`](super::Hint::Cookie) with this number, or a greater one, tells when it
    /// has been reached. Nothing comes while the directory is not watched.
    ///
    /// # Errors
    /// Of making the file.
    pub fn ask(&self) -> io::Result<u64> {
        let _in_order = lock(&self.making);
        // Counted even when making it fails: numbers are not used twice.
        let number = self.last.fetch_add(1, Ordering::SeqCst) + 1;
        let path = self.dir.join(format!("{PREFIX}{number}"));
        std::fs::File::create(&path)?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the daemon's own file, made one line above"
        )]
        std::fs::remove_file(&path)?;
        Ok(number)
    }

    /// A further queue watches the directory from now on; returns its number.
    pub(super) fn add_queue(&self) -> usize {
        // Cookies up to this one may have been made before the queue was there.
        let before = self.last.load(Ordering::SeqCst);
        let mut queues = lock(&self.queues);
        queues.seen.push(before);
        queues.seen.len() - 1
    }

    /// The cookie that an event at this path stands for; `Some(None)` for anything else in the directory.
    pub(super) fn parse(&self, path: &Path) -> Option<Option<u64>> {
        let name = path.strip_prefix(&self.dir).ok()?;
        let digits = name.as_os_str().as_bytes().strip_prefix(PREFIX.as_bytes());
        Some(digits.and_then(|d| OsStr::from_bytes(d).to_str()?.parse().ok()))
    }

    /// A cookie came out of a queue. Returns the last one that has passed all, when that is news.
    pub(super) fn came(&self, queue: usize, number: u64) -> Option<u64> {
        let mut queues = lock(&self.queues);
        let seen = queues.seen.get_mut(queue)?;
        *seen = number.max(*seen);
        let passed = queues.seen.iter().copied().min()?;
        (passed > queues.reported).then(|| {
            queues.reported = passed;
            passed
        })
    }

    /// A queue overflowed: cookies in it may be lost, but since everything will be read again from
    /// now on, all that have been asked for have passed it.
    pub(super) fn overflowed(&self, queue: usize) -> Option<u64> {
        let last = self.last.load(Ordering::SeqCst);
        self.came(queue, last)
    }
}

/// The numbers are right at any moment, also when a thread panicked while it had them.
fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_passes_when_every_queue_that_can_have_it_gave_it() {
        let t = tempfile::tempdir().unwrap();
        let c = Cookies::new(t.path().to_owned());
        let a = c.add_queue();
        assert_eq!(c.ask().unwrap(), 1);
        assert_eq!(c.came(a, 1), Some(1));
        assert_eq!(c.came(a, 1), None, "reported once");
        assert_eq!(c.ask().unwrap(), 2);
        // A queue that came later cannot hold cookie 2.
        let b = c.add_queue();
        assert_eq!(c.came(a, 2), Some(2));
        assert_eq!((c.ask().unwrap(), c.ask().unwrap()), (3, 4));
        assert_eq!(c.came(a, 4), None);
        assert_eq!(c.came(b, 3), Some(3));
        assert_eq!(c.overflowed(b), Some(4));
        assert_eq!(std::fs::read_dir(t.path()).unwrap().count(), 0, "no file stays");
    }

    #[test]
    fn only_cookies_are_cookies() {
        let c = Cookies::new("/s/c".into());
        assert_eq!(c.parse(Path::new("/s/c/cookie-17")), Some(Some(17)));
        for other in ["/s/c", "/s/c/x", "/s/c/cookie-", "/s/c/cookie-1x", "/s/c/cookie-1/2"] {
            assert_eq!(c.parse(Path::new(other)), Some(None), "{other}");
        }
        assert_eq!(c.parse(Path::new("/s/cookie-1")), None);
    }
}
