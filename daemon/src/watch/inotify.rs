//! The real backend on Linux: inotify(7), one instance, one watch for each directory.
//!
//! Not through the `notify` crate, which has no choice of events: with it every file that anybody opens (a `grep -r`, a
//! backup, tidyd itself) wakes its thread, and a directory that goes costs a look at all others.

use std::collections::HashMap;
use std::ffi::{CStr, OsStr};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

use super::{Backend, Cookies, Hint, Sink, WatchError};

/// What may change where files are or what is known of them. Not `OPEN` and `ACCESS`: who reads is nobody's business. Not
/// `MODIFY`: a file is of interest when its writer lets it go, and a download would wake us thousands of times before.
const EVENTS: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF);

/// A directory, under this very name; nothing of files that have no name any more.
const HOW: WatchFlags =
    WatchFlags::ONLYDIR.union(WatchFlags::DONT_FOLLOW).union(WatchFlags::EXCL_UNLINK);

/// Bytes read at a time: some hundred events.
const BUFFER: usize = 32 << 10;

/// inotify on every directory on its own.
#[derive(Debug)]
pub struct SystemBackend {
    shared: Arc<Shared>,
    /// Written to when the thread is to end.
    end: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    inotify: OwnedFd,
    table: Mutex<Table>,
}

/// Which directory each watch is on.
#[derive(Debug, Default)]
struct Table {
    by_watch: HashMap<i32, Arc<Path>>,
    by_path: HashMap<Arc<Path>, i32>,
}

impl Table {
    fn forget(&mut self, watch: i32) -> Option<Arc<Path>> {
        let path = self.by_watch.remove(&watch)?;
        if self.by_path.get(&path) == Some(&watch) {
            self.by_path.remove(&path);
        }
        Some(path)
    }
}

impl Shared {
    /// Right at any moment, also when a thread panicked while it had it.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Events of the new watch are not read before it is in the table, since reading them takes the lock.
    fn add(&self, dir: &Path) -> Result<(), WatchError> {
        let mut table = self.table();
        let watch = inotify::add_watch(&self.inotify, dir, EVENTS | HOW).map_err(watch_error)?;
        let path: Arc<Path> = dir.into();
        // One directory has one watch, whatever its name was.
        table.forget(watch);
        table.by_watch.insert(watch, path.clone());
        if let Some(before) = table.by_path.insert(path, watch) {
            // Another directory had this name.
            table.by_watch.remove(&before);
            let _ = inotify::remove_watch(&self.inotify, before);
        }
        Ok(())
    }
}

impl SystemBackend {
    /// Watches only the cookies' directory yet. `sink` is called on a thread of its own and must never block.
    ///
    /// # Errors
    /// When there can be no more inotify instances, or the cookies' directory cannot be watched.
    pub fn new(cookies: Arc<Cookies>, sink: Sink) -> Result<Self, WatchError> {
        let inotify =
            inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(watch_error)?;
        let end = Arc::new(eventfd(0, EventfdFlags::CLOEXEC).map_err(watch_error)?);
        let shared = Arc::new(Shared { inotify, table: Mutex::default() });
        shared.add(cookies.dir())?;
        let queue = cookies.add_queue();
        let listener = Listener { shared: shared.clone(), end: end.clone(), cookies, queue, sink };
        let thread = std::thread::Builder::new().name("watch".into());
        let thread = thread.spawn(move || listener.listen());
        let thread = Some(thread.map_err(|e| WatchError::Failed(e.to_string()))?);
        Ok(Self { shared, end, thread })
    }
}

impl Drop for SystemBackend {
    fn drop(&mut self) {
        if rustix::io::write(&*self.end, &1_u64.to_ne_bytes()).is_ok()
            && let Some(thread) = self.thread.take()
        {
            // A panic there has been reported by its own hook.
            let _ = thread.join();
        }
    }
}

impl Backend for SystemBackend {
    fn watch(&mut self, dir: &Path) -> Result<(), WatchError> {
        self.shared.add(dir)
    }

    fn unwatch(&mut self, dir: &Path) {
        let mut table = self.shared.table();
        if let Some(watch) = table.by_path.get(dir).copied() {
            table.forget(watch);
            // The only error there is: the kernel has taken it away before.
            let _ = inotify::remove_watch(&self.shared.inotify, watch);
        }
    }
}

fn watch_error(e: Errno) -> WatchError {
    match e {
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP => WatchError::Gone,
        // EMFILE of inotify_init1(2): max_user_instances.
        Errno::NOSPC | Errno::MFILE => WatchError::LimitReached,
        e => WatchError::Failed(e.to_string()),
    }
}

/// The thread that reads what the kernel has to say.
struct Listener {
    shared: Arc<Shared>,
    end: Arc<OwnedFd>,
    cookies: Arc<Cookies>,
    queue: usize,
    sink: Sink,
}

impl Listener {
    fn listen(&self) {
        let mut buffer = vec![MaybeUninit::uninit(); BUFFER];
        let mut reader = Reader::new(&self.shared.inotify, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => self.event(event.wd(), event.events(), event.file_name()),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) if self.wait() => {}
                Err(Errno::AGAIN) => return,
                Err(e) => {
                    // Nothing is known to do this; who cannot hear has to look.
                    (self.sink)(Hint::Error(e.to_string()));
                    return;
                }
            }
        }
    }

    /// Until there is something to read; `false`: it is to end.
    fn wait(&self) -> bool {
        let mut fds = [
            PollFd::new(&self.shared.inotify, PollFlags::IN),
            PollFd::new(&*self.end, PollFlags::IN),
        ];
        loop {
            match poll(&mut fds, None) {
                Err(Errno::INTR) => {}
                Err(_) => return false,
                Ok(_) => return fds[1].revents().is_empty(),
            }
        }
    }

    fn event(&self, watch: i32, events: ReadFlags, name: Option<&CStr>) {
        if events.contains(ReadFlags::QUEUE_OVERFLOW) {
            (self.sink)(Hint::Overflow);
            if let Some(passed) = self.cookies.overflowed(self.queue) {
                (self.sink)(Hint::Cookie(passed));
            }
            return;
        }
        let dir = {
            let mut table = self.shared.table();
            match events.contains(ReadFlags::IGNORED) {
                // It is still there when nobody but the kernel took the watch away.
                true => table.forget(watch),
                false => table.by_watch.get(&watch).cloned(),
            }
        };
        // Of a watch that has been given up nothing is wanted any more.
        let Some(dir) = dir else { return };
        let name = name.map(|name| OsStr::from_bytes(name.to_bytes()));
        if *dir == *self.cookies.dir() {
            self.cookie(events, name);
            return;
        }
        let Some(name) = name else { return self.itself(&dir, events) };
        let leaves = ReadFlags::MOVED_FROM | ReadFlags::DELETE;
        if events.contains(ReadFlags::ISDIR) && events.intersects(leaves) {
            (self.sink)(Hint::DirGone(dir.join(name)));
        }
        (self.sink)(Hint::Dirty { dir: dir.to_path_buf(), name: Some(name.to_owned()) });
    }

    /// Something happened to a watched directory itself.
    fn itself(&self, dir: &Path, events: ReadFlags) {
        let ends =
            ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::UNMOUNT | ReadFlags::IGNORED;
        if events.intersects(ends) {
            (self.sink)(Hint::DirGone(dir.to_owned()));
        }
        if let (Some(parent), Some(name)) = (dir.parent(), dir.file_name()) {
            let (dir, name) = (parent.to_owned(), Some(name.to_owned()));
            (self.sink)(Hint::Dirty { dir, name });
        }
    }

    fn cookie(&self, events: ReadFlags, name: Option<&OsStr>) {
        let path = name.map(|name| self.cookies.dir().join(name));
        if let Some(path) = path.filter(|_| events.contains(ReadFlags::CREATE))
            && let Some(Some(number)) = self.cookies.parse(&path)
            && let Some(passed) = self.cookies.came(self.queue, number)
        {
            (self.sink)(Hint::Cookie(passed));
        }
    }
}
