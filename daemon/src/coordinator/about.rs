//! What one file is waiting for.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::Coordinator;
use super::event::{Now, RootStatus};

/// How far a file has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Its folder, or one above it, is to be read first.
    ToBeRead,
    /// It must be quiet for a while; it is looked at again after so long.
    Settling(Duration),
    /// This unfinished file beside it has to go first.
    Held(OsString),
    /// It is settled and waits for mains power.
    ForPower,
    /// It is settled and waits for a batch.
    Ready,
    Filing,
}

/// What is known of a file that may be filed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// `None`: nothing is waited for.
    pub stage: Option<Stage>,
    /// The root it is in.
    pub root: Option<RootStatus>,
}

impl Coordinator {
    pub(super) fn about(&self, path: &Path, now: Now) -> About {
        let root = self.setup.root_of(path).map(|r| r.path.clone());
        let root = self.roots().into_iter().find(|r| Some(&*r.path) == root.as_deref());
        About { stage: self.stage(path, now), root }
    }

    fn stage(&self, path: &Path, now: Now) -> Option<Stage> {
        let (dir, name) = (path.parent()?, path.file_name()?);
        if self.filing.values().any(|files: &HashMap<_, _>| files.contains_key(path)) {
            return Some(Stage::Filing);
        }
        if self.ready.get(path).is_some() {
            return Some(if self.waits_for_power() { Stage::ForPower } else { Stage::Ready });
        }
        if let Some(due) = self.settler.due_of(path).filter(|_| self.settling.get(path).is_some()) {
            return Some(Stage::Settling(due.since(now.mono)));
        }
        if let Some(sibling) = self.held.get(dir).and_then(|names| names.get(name)) {
            return Some(Stage::Held(sibling.clone()));
        }
        let walked = self.walks.iter().chain(&self.walking).any(|w| dir.starts_with(w));
        (walked || self.dirty.is_marked(dir, name)).then_some(Stage::ToBeRead)
    }
}
