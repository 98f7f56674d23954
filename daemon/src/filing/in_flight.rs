//! Files that batches have under their hands, so that two beside each other do not get in each other's way.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The files of all batches under way, each with the number of its batch. A clone is the same memory.
#[derive(Debug, Default, Clone)]
pub(super) struct InFlight(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    files: HashMap<PathBuf, u64>,
    last: u64,
}

/// One batch's files, until it is dropped.
pub(super) struct Turn {
    all: InFlight,
    number: u64,
    files: Vec<PathBuf>,
}

impl InFlight {
    pub(super) fn enter(&self, files: impl Iterator<Item = PathBuf>) -> Turn {
        let files: Vec<PathBuf> = files.collect();
        let mut table = self.lock();
        table.last += 1;
        let number = table.last;
        table.files.extend(files.iter().map(|path| (path.clone(), number)));
        drop(table);
        Turn { all: self.clone(), number, files }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Whether the file is one of another batch.
    pub(super) fn is_of_another(&self, path: &Path) -> bool {
        self.all.lock().files.get(path).is_some_and(|number| *number != self.number)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut table = self.all.lock();
        for path in &self.files {
            if table.files.get(path) == Some(&self.number) {
                table.files.remove(path);
            }
        }
    }
}
