//! Where the watcher puts what it hears. Marking never blocks and never grows: past its bounds the
//! dirty set forgets names, then directories, and says "all of it" instead.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::watch::{DirtySet, Hint, Names};

/// Vanished directories remembered one by one; past this everything is scanned.
const MAX_GONE: usize = 4096;

#[derive(Default)]
struct Heard {
    dirty: DirtySet,
    gone: Vec<PathBuf>,
    overflow: bool,
    error: Option<String>,
    cookie: Option<u64>,
}

/// Between the watcher's thread and the coordinator's loop.
#[derive(Default)]
pub(super) struct Hints {
    heard: Mutex<Heard>,
    ready: tokio::sync::Notify,
}

impl Hints {
    /// Takes note of a hint; called on the watcher's thread.
    pub(super) fn note(&self, hint: Hint) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        match hint {
            Hint::Dirty { dir, name } => {
                heard.dirty.mark(&dir, name.as_deref());
            }
            Hint::DirGone(_) if heard.gone.len() >= MAX_GONE => heard.overflow = true,
            Hint::DirGone(dir) => heard.gone.push(dir),
            Hint::Overflow => heard.overflow = true,
            Hint::Error(why) => heard.error = Some(why),
            Hint::Cookie(n) => heard.cookie = heard.cookie.max(Some(n)),
        }
        self.ready.notify_one();
    }

    /// The areas that are watched. Marks outside them are dropped, but for those that concern the areas
    /// themselves.
    pub(super) fn set_areas<'a>(&self, areas: impl Iterator<Item = &'a std::path::Path>) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.dirty.set_roots(areas.map(std::sync::Arc::from));
    }

    /// Returns once there is something to take.
    pub(super) async fn ready(&self) {
        self.ready.notified().await;
    }

    /// Everything heard so far; a cookie comes last, because it vouches for what was before it.
    pub(super) fn take(&self) -> Vec<Hint> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        // The set itself stays: it knows the roots.
        let dirty = heard.dirty.take(usize::MAX);
        let gone = std::mem::take(&mut heard.gone);
        let overflow = std::mem::take(&mut heard.overflow);
        let (error, cookie) = (heard.error.take(), heard.cookie.take());
        drop(heard);
        let mut out: Vec<Hint> = gone.into_iter().map(Hint::DirGone).collect();
        if overflow {
            out.push(Hint::Overflow);
        } else {
            for (dir, names) in dirty {
                match names {
                    Names::All => out.push(Hint::Dirty { dir, name: None }),
                    Names::Tree => out.push(Hint::Overflow),
                    Names::Some(list) => out.extend(
                        list.into_iter().map(|n| Hint::Dirty { dir: dir.clone(), name: Some(n) }),
                    ),
                }
            }
        }
        out.extend(error.map(Hint::Error));
        out.extend(cookie.map(Hint::Cookie));
        out
    }
}
