//! What the process takes of the machine, under the names that all programs have for it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{Dir, Mode, OFlags};
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// Where to look. Opened before the process is confined: later it may open nothing of `/proc` (proc(5)).
#[derive(Debug)]
pub struct Process {
    status: Option<File>,
    /// The directory of open files; read by one at a time, since it has one position.
    fds: Option<Mutex<Dir>>,
    watches: Option<File>,
    /// Seconds since the epoch.
    started: f64,
}

/// What was seen. `None`: this system does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Seen {
    /// Seconds since the epoch.
    pub(super) started: f64,
    /// Seconds.
    pub(super) cpu: f64,
    pub(super) open_fds: Option<u64>,
    pub(super) max_fds: Option<u64>,
    /// Bytes.
    pub(super) virtual_memory: Option<u64>,
    pub(super) resident_memory: Option<u64>,
    /// Directories that one user may watch (inotify(7)).
    pub(super) max_watches: Option<u64>,
}

impl Process {
    /// This process. To be called at its start, before anything is given up: what cannot be opened then is never told.
    pub fn here() -> &'static Self {
        static HERE: OnceLock<Process> = OnceLock::new();
        HERE.get_or_init(Self::open)
    }

    fn open() -> Self {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fds = rustix::fs::open("/proc/self/fd", flags, Mode::empty()).and_then(Dir::new);
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            status: File::open("/proc/self/status").ok(),
            fds: fds.ok().map(Mutex::new),
            watches: File::open("/proc/sys/fs/inotify/max_user_watches").ok(),
            started: since.unwrap_or_default().as_secs_f64(),
        }
    }

    pub(super) fn look(&self) -> Seen {
        let status = self.status.as_ref().and_then(|file| content(file).ok()).unwrap_or_default();
        let kib = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field))?;
            line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
        };
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        Seen {
            started: self.started,
            cpu: cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9,
            open_fds: self.fds.as_ref().and_then(count),
            max_fds: getrlimit(Resource::Nofile).current,
            virtual_memory: kib("VmSize:"),
            resident_memory: kib("VmRSS:"),
            max_watches: self.watches.as_ref().and_then(|f| content(f).ok()?.trim().parse().ok()),
        }
    }
}

/// From its beginning; a few KiB.
fn content(file: &File) -> io::Result<String> {
    let mut bytes = vec![0; 8 << 10];
    let n = file.read_at(&mut bytes, 0)?;
    bytes.truncate(n);
    String::from_utf8(bytes).map_err(io::Error::other)
}

/// Entries of a directory, without itself and the one above it.
fn count(dir: &Mutex<Dir>) -> Option<u64> {
    let mut dir = dir.lock().unwrap_or_else(PoisonError::into_inner);
    dir.rewind();
    let mut n = 0;
    for entry in &mut *dir {
        let entry = entry.ok()?;
        n += u64::from(!matches!(entry.file_name().to_bytes(), b"." | b".."));
    }
    Some(n)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn open_files_are_counted_each_time_anew() {
        let process = Process::open();
        let before = process.look();
        let held: Vec<File> = (0..50).map(|_| File::open("/dev/null").unwrap()).collect();
        let during = process.look();
        // Other tests of this process open and close files meanwhile.
        assert!(during.open_fds > before.open_fds.map(|n| n + 20), "{before:?} {during:?}");
        assert!(during.open_fds <= during.max_fds);
        assert!(during.resident_memory > Some(1 << 20), "{during:?}");
        assert!(during.resident_memory < during.virtual_memory);
        assert!(during.cpu >= before.cpu && during.max_watches.is_some());
        drop(held);
    }
}
