//! The real backend where there is no inotify: the `notify` crate, FSEvents on whole roots (macOS).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RemoveKind, RenameMode};
use notify::{Config, ErrorKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::{Backend, Cookies, Hint, Sink, WatchError};

/// FSEvents on whole roots.
pub struct SystemBackend {
    inner: RecommendedWatcher,
    /// These are watched with all that is below.
    roots: Vec<PathBuf>,
}

impl std::fmt::Debug for SystemBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SystemBackend").field("roots", &self.roots).finish()
    }
}

impl SystemBackend {
    /// Watches only the cookies' directory yet. `sink` is called on notify's threads and must never block.
    ///
    /// # Errors
    /// When no watcher can be started, or the cookies' directory cannot be watched.
    pub fn new(cookies: Arc<Cookies>, sink: Sink) -> Result<Self, WatchError> {
        // The queue of this watcher; what it says before the directory is watched was not asked for.
        let queue = cookies.add_queue();
        let heard = cookies.clone();
        let handle = move |event| translate(event, &heard, queue, &*sink);
        let config = Config::default().with_follow_symlinks(false);
        let mut inner = RecommendedWatcher::new(handle, config).map_err(watch_error)?;
        inner.watch(cookies.dir(), RecursiveMode::NonRecursive).map_err(watch_error)?;
        Ok(Self { inner, roots: Vec::new() })
    }
}

impl Backend for SystemBackend {
    fn watch(&mut self, dir: &Path) -> Result<(), WatchError> {
        if !self.roots.iter().any(|root| dir.starts_with(root)) {
            self.inner.watch(dir, RecursiveMode::Recursive).map_err(watch_error)?;
            self.roots.push(dir.to_owned());
        }
        Ok(())
    }

    fn unwatch(&mut self, dir: &Path) {
        if let Some(at) = self.roots.iter().position(|root| root == dir) {
            // The only error there is: it is not watched (any more).
            let _ = self.inner.unwatch(dir);
            self.roots.remove(at);
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
