//! What a thread is at, for the case that it panics.
//!
//! A span for every file would cost more than most of what is done with one; this costs a name.

use std::cell::RefCell;
use std::path::PathBuf;

use tidy_core::name;

thread_local! {
    static AT: RefCell<Option<PathBuf>> = const { RefCell::new(None) };
}

/// For as long as it lives.
#[must_use = "dropping it forgets the file"]
pub struct About(());

/// This thread is at a file from now on.
pub fn about(path: PathBuf) -> About {
    AT.replace(Some(path));
    About(())
}

impl Drop for About {
    fn drop(&mut self) {
        AT.take();
    }
}

/// The file that this thread is at, for people.
pub(super) fn at() -> Option<String> {
    // Whoever panics may be in the middle of saying where it is.
    let at =
        AT.try_with(|at| Some(at.try_borrow().ok()?.as_ref().map(|p| name::shown(p.as_os_str()))));
    at.ok().flatten().flatten()
}
