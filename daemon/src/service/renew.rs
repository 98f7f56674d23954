//! A new process, where another one can do what this one cannot any more: once there is room for the index again, and when a
//! folder that it was confined to was made again.
//!
//! After a failed write sled takes nothing more until it is opened again (0.34.7). Files are filed all the same, but what
//! was done cannot be listed nor put back. So where a service manager is at hand to start it again, the service ends as
//! soon as the index fits on the disk.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use rustix::io::Errno;

use super::health;
use crate::journal::Journal;

/// Between two looks at the disk.
const EVERY: Duration = Duration::from_secs(10);

/// As long as a process has to be up before another one takes its place to reach a folder: service managers give up on
/// one that ends too often (systemd, as our unit has it: five times in five minutes).
const UP: Duration = Duration::from_secs(2 * 60);

/// Less than this is taken for full, in bytes.
const LEAST: u64 = 4 << 20;

pub(super) struct Renew {
    store: sled::Db,
    state: PathBuf,
    /// When the disk was looked at last, on the clock that never goes back.
    looked: Option<Duration>,
    /// The file system said that it has too little, where room cannot be tried.
    was_full: bool,
}

impl Renew {
    pub(super) fn new(store: sled::Db, state: PathBuf) -> Self {
        Self { store, state, looked: None, was_full: false }
    }

    /// When to look again, if there is anything to look for.
    pub(super) fn interval(journal: &Journal) -> Option<Duration> {
        journal.wants_room().then_some(EVERY)
    }

    /// Whether a new process would have what this one has not; the log says so then.
    pub(super) fn is_due(&mut self, journal: &Journal, now: Duration) -> bool {
        let due = journal.wants_room() && self.has_room(now);
        if due {
            tracing::error!(
                "there is room again for the journal's index, which only another process can write: tidyd ends, to be \
                 started again"
            );
        }
        due
    }

    /// Looks every while; `false` in between.
    fn has_room(&mut self, now: Duration) -> bool {
        if self.looked.is_some_and(|looked| now.saturating_sub(looked) < EVERY) {
            return false;
        }
        self.looked = Some(now);
        let wanted = self.store.size_on_disk().unwrap_or(0).max(LEAST);
        match reserve(&self.state, wanted) {
            Ok(()) => true,
            Err(e) if is_unsupported(&e) => {
                // What it says of itself does not show a quota: then nothing tells when another process could do better.
                let Some(free) = health::free(&self.state) else { return false };
                self.was_full |= free < wanted;
                free >= wanted && self.was_full
            }
            Err(_) => false,
        }
    }
}

/// Whether another process is to take this one's place because of a folder that it may not reach; the log says so then.
pub(super) fn is_to_reach(astray: bool, up: Duration) -> bool {
    let due = astray && up >= UP;
    if due {
        tracing::error!(
            "a folder was made again, or mounted again, which only another process can reach: tidyd ends, to be started again"
        );
    }
    due
}

/// Whether that many bytes can be had, by the disk and by the quota: they are taken, for a file without a name, and given back.
#[cfg(target_os = "linux")]
fn reserve(dir: &std::path::Path, bytes: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, Mode, OFlags};
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = std::fs::File::from(rustix::fs::open(dir, flags, Mode::RUSR | Mode::WUSR)?);
    Ok(rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes)?)
}

#[cfg(not(target_os = "linux"))]
fn reserve(_: &std::path::Path, _: u64) -> io::Result<()> {
    Err(Errno::OPNOTSUPP.into())
}

/// The file system has no files without a name, or takes no room in advance.
fn is_unsupported(error: &io::Error) -> bool {
    let cannot = [Errno::OPNOTSUPP, Errno::NOSYS, Errno::ISDIR, Errno::INVAL, Errno::ACCESS];
    Errno::from_io_error(error).is_some_and(|errno| cannot.contains(&errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_reached_by_another_process_and_not_too_often() {
        assert!(is_to_reach(true, UP) && !is_to_reach(true, UP / 2) && !is_to_reach(false, UP));
    }

    #[test]
    fn room_is_looked_for_every_while() {
        let dir = tempfile::tempdir().unwrap();
        let store = sled::Config::new().temporary(true).open().unwrap();
        let mut renew = Renew::new(store, dir.path().to_owned());
        let at = |s| Duration::from_secs(s);
        assert!(renew.has_room(at(1)), "at once, on a disk that has room now");
        assert!(!renew.has_room(at(9)), "too early");
        assert!(renew.has_room(at(11)));
        assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none(), "nothing is left");
    }
}
