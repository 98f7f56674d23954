//! The real backend: the `notify` crate.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RemoveKind, RenameMode};
use notify::{Config, ErrorKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::{Backend, Cookies, Hint, Sink, Slot, WatchError};

/// How many directories one watcher holds before another is started.
///
/// When a watched directory goes, notify 8 looks through all watches of its watcher, so that removing
/// n directories costs n times that; short tables keep it linear. Removing a tree of 8,000 directories
/// took 16.4 s with one table, 5.3 s with tables of 4,096, 2.2 s with 1,024 and 1.4 s with 512.
const PER_WATCHER: usize = 1_024;

/// How many watchers there may be: each is a thread and one of the user's inotify instances, of which
/// there are 128 by default.
#[cfg(target_os = "linux")]
const MAX_WATCHERS: usize = 32;

/// inotify on every directory on its own (Linux), FSEvents on whole roots (macOS).
pub struct NotifyBackend {
    watchers: Vec<OneWatcher>,
    /// [`PER_WATCHER`], but for tests.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "FSEvents needs one"))]
    per_watcher: usize,
    cookies: Arc<Cookies>,
    sink: Sink,
}

struct OneWatcher {
    inner: RecommendedWatcher,
    /// How many directories it holds; an estimate, because it drops removed ones by itself.
    count: usize,
    /// FSEvents watches these with all that is below.
    #[cfg(not(target_os = "linux"))]
    roots: Vec<PathBuf>,
}

impl std::fmt::Debug for NotifyBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NotifyBackend").field("watchers", &self.watchers.len()).finish()
    }
}

impl NotifyBackend {
    /// Watches only the cookies' directory yet. `sink` is called on notify's threads and must never block.
    ///
    /// # Errors
    /// When no watcher can be started, or the cookies' directory cannot be watched.
    pub fn new(cookies: Arc<Cookies>, sink: Sink) -> Result<Self, WatchError> {
        Self::with_room(PER_WATCHER, cookies, sink)
    }

    /// With so many directories in each watcher.
    pub(super) fn with_room(
        per_watcher: usize,
        cookies: Arc<Cookies>,
        sink: Sink,
    ) -> Result<Self, WatchError> {
        let mut backend = Self { watchers: Vec::new(), per_watcher, cookies, sink };
        backend.start_watcher()?;
        Ok(backend)
    }

    /// How many watchers (threads, inotify instances) are running.
    pub fn watchers(&self) -> usize {
        self.watchers.len()
    }

    fn start_watcher(&mut self) -> Result<(), WatchError> {
        let queue = self.watchers.len();
        let (cookies, sink) = (self.cookies.clone(), self.sink.clone());
        let handle = move |event| translate(event, &cookies, queue, &*sink);
        let config = Config::default().with_follow_symlinks(false);
        let mut inner = RecommendedWatcher::new(handle, config).map_err(watch_error)?;
        inner.watch(self.cookies.dir(), RecursiveMode::NonRecursive).map_err(watch_error)?;
        // Only now: what was asked for before the directory was watched does not come here. Until then
        // the queue is unknown to the cookies, and what it says of them is ignored.
        self.cookies.add_queue();
        self.watchers.push(OneWatcher {
            inner,
            count: 1,
            #[cfg(not(target_os = "linux"))]
            roots: Vec::new(),
        });
        Ok(())
    }
}

#[cfg(target_os = "linux")]
impl NotifyBackend {
    /// The emptiest watcher, or a new one when all are full.
    fn roomiest(&mut self) -> usize {
        let emptiest = |watchers: &[OneWatcher]| {
            let at = watchers.iter().enumerate().min_by_key(|(_, w)| w.count);
            at.map_or((0, 0), |(i, w)| (i, w.count))
        };
        let (at, count) = emptiest(&self.watchers);
        // Failing to start one more is no loss: the others hold more than they should.
        if count >= self.per_watcher
            && self.watchers.len() < MAX_WATCHERS
            && self.start_watcher().is_ok()
        {
            return self.watchers.len() - 1;
        }
        at
    }
}

#[cfg(target_os = "linux")]
impl Backend for NotifyBackend {
    fn watch(&mut self, dir: &Path, held: Option<Slot>) -> Result<Slot, WatchError> {
        let at = held.map_or_else(|| self.roomiest(), |slot| usize::from(slot.0));
        let Some(watcher) = self.watchers.get_mut(at) else {
            return Err(WatchError::Failed("no such watcher".to_owned()));
        };
        watcher.inner.watch(dir, RecursiveMode::NonRecursive).map_err(watch_error)?;
        watcher.count += usize::from(held.is_none());
        Ok(Slot(u16::try_from(at).unwrap_or_default()))
    }

    fn unwatch(&mut self, dir: &Path, held: Slot) {
        if let Some(watcher) = self.watchers.get_mut(usize::from(held.0)) {
            // The only error there is: it is not watched (any more).
            let _ = watcher.inner.unwatch(dir);
            watcher.count = watcher.count.saturating_sub(1);
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Backend for NotifyBackend {
    fn watch(&mut self, dir: &Path, _held: Option<Slot>) -> Result<Slot, WatchError> {
        let Some(watcher) = self.watchers.first_mut() else {
            return Err(WatchError::Failed("no watcher".to_owned()));
        };
        if !watcher.roots.iter().any(|root| dir.starts_with(root)) {
            watcher.inner.watch(dir, RecursiveMode::Recursive).map_err(watch_error)?;
            watcher.roots.push(dir.to_owned());
        }
        watcher.count += 1;
        Ok(Slot(0))
    }

    fn unwatch(&mut self, dir: &Path, _held: Slot) {
        if let Some(watcher) = self.watchers.first_mut()
            && let Some(at) = watcher.roots.iter().position(|root| root == dir)
        {
            let _ = watcher.inner.unwatch(dir);
            watcher.roots.remove(at);
        }
    }
}

fn watch_error(e: notify::Error) -> WatchError {
    match &e.kind {
        ErrorKind::MaxFilesWatch => WatchError::LimitReached,
        ErrorKind::PathNotFound => WatchError::Gone,
        ErrorKind::Io(io) => match io.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
            Some(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => WatchError::Gone,
            // EMFILE of inotify_init1(2): max_user_instances.
            Some(rustix::io::Errno::NOSPC | rustix::io::Errno::MFILE) => WatchError::LimitReached,
            _ => WatchError::Failed(io.to_string()),
        },
        _ => WatchError::Failed(e.to_string()),
    }
}

/// Turns one event into hints. What strangers do by reading (a `grep -r` is an event per file) ends here.
fn translate(
    event: notify::Result<notify::Event>,
    cookies: &Cookies,
    queue: usize,
    sink: &(dyn Fn(Hint) + Send + Sync),
) {
    let event = match event {
        Ok(event) => event,
        Err(e) => return sink(Hint::Error(e.to_string())),
    };
    if event.need_rescan() {
        sink(Hint::Overflow);
        if let Some(passed) = cookies.overflowed(queue) {
            sink(Hint::Cookie(passed));
        }
        return;
    }
    let may_be_gone = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
        EventKind::Access(_) | EventKind::Other => return,
        // Came as `From` and `To` already.
        EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => return,
        EventKind::Modify(ModifyKind::Name(RenameMode::To)) => false,
        EventKind::Modify(ModifyKind::Name(_)) => true,
        EventKind::Remove(kind) => kind != RemoveKind::File,
        EventKind::Create(_) | EventKind::Modify(_) | EventKind::Any => false,
    };
    for path in event.paths {
        if let Some(cookie) = cookies.parse(&path) {
            if event.kind.is_create()
                && let Some(passed) = cookie.and_then(|n| cookies.came(queue, n))
            {
                sink(Hint::Cookie(passed));
            }
            continue;
        }
        let dirty = parent_and_name(&path);
        if may_be_gone {
            sink(Hint::DirGone(path));
        }
        if let Some(dirty) = dirty {
            sink(dirty);
        }
    }
}

fn parent_and_name(path: &Path) -> Option<Hint> {
    let dir: PathBuf = path.parent()?.to_owned();
    Some(Hint::Dirty { dir, name: path.file_name().map(ToOwned::to_owned) })
}
