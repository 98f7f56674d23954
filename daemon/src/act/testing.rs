//! What tests can make happen inside `act`, per thread: something at a crash point, and file systems
//! that lack a call.

use std::cell::{Cell, RefCell};

use rustix::io::Errno;

use super::entry::Entry;

type Hook = Box<dyn FnMut(&'static str)>;

const LACKS_NOTHING: Lacks = Lacks { no_replace: false, links: false, common_device: false };

thread_local! {
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
    static LACKS: Cell<Lacks> = const { Cell::new(LACKS_NOTHING) };
    static BROKEN: Cell<bool> = const { Cell::new(false) };
}

/// What the file systems of a test cannot do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Lacks {
    /// `RENAME_NOREPLACE`: NFS and most FUSE file systems.
    pub(super) no_replace: bool,
    /// Links.
    pub(super) links: bool,
    /// A device for both directories: renames work only within one.
    pub(super) common_device: bool,
}

/// Runs `hook` at every crash point while `body` runs.
pub(crate) fn at_points<T>(
    hook: impl FnMut(&'static str) + 'static,
    body: impl FnOnce() -> T,
) -> T {
    struct Off;
    impl Drop for Off {
        fn drop(&mut self) {
            HOOK.set(None);
        }
    }
    HOOK.set(Some(Box::new(hook)));
    let _off = Off;
    body()
}

/// Runs `body` on a file system that lacks something.
pub(super) fn lacking<T>(lacks: Lacks, body: impl FnOnce() -> T) -> T {
    struct Off;
    impl Drop for Off {
        fn drop(&mut self) {
            LACKS.set(LACKS_NOTHING);
        }
    }
    LACKS.set(lacks);
    let _off = Off;
    body()
}

pub(super) fn reached(name: &'static str) {
    // Taken out while it runs: it may call what has crash points itself.
    let hook = HOOK.take();
    if let Some(mut hook) = hook {
        hook(name);
        HOOK.set(Some(hook));
    }
}

/// Whether the disk answers anything from now on.
pub(crate) fn set_broken(broken: bool) {
    BROKEN.set(broken);
}

pub(super) fn disk() -> Result<(), Errno> {
    if BROKEN.get() { Err(Errno::IO) } else { Ok(()) }
}

pub(super) fn refuse_rename(from: Entry<'_>, to: Entry<'_>) -> Result<(), Errno> {
    disk()?;
    let lacks = LACKS.get();
    if lacks.common_device && from.dir.path() != to.dir.path() {
        Err(Errno::XDEV)
    } else if lacks.no_replace {
        Err(Errno::INVAL)
    } else {
        Ok(())
    }
}

pub(super) fn refuse_link() -> Result<(), Errno> {
    if LACKS.get().links { Err(Errno::PERM) } else { Ok(()) }
}
