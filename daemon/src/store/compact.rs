//! A store without what sled has not given back: copied into a new one, which takes its place.

use std::fs;
use std::io;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};

use super::open::{attempt, remove_matching};
use super::{Store, StoreError, StoreOptions, guard};

/// Items between two moments at which sled may let go of what was overwritten.
const PAUSE: u64 = 1_000;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// Bytes on disk.
    pub before: u64,
    pub after: u64,
    pub items: u64,
}

/// What all trees hold, in short.
#[derive(Debug, PartialEq, Eq)]
struct Sum {
    items: u64,
    digest: blake3::Hash,
}

impl Store {
    /// Opens the database as it is: what cannot be opened is an error, and stays where it is.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] among others.
    pub fn open_as_it_is(dir: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        // Sled takes these for damage.
        remove_matching(dir, |name| name.ends_with(".generating"))?;
        attempt(dir, options)
    }

    /// Closes it; sled syncs once more then, and panics when that fails.
    pub fn close(self) -> Result<(), StoreError> {
        let dir = self.dir.clone();
        let closed = guard::catch(AssertUnwindSafe(|| drop(self)));
        closed.map_err(|detail| super::open::classify_panic(&dir, detail))
    }

    /// Copies the database in `dir`, which nobody has open, into a new one, holds that against it, and puts it in its place.
    ///
    /// # Errors
    /// It is as it was.
    pub fn compact(dir: &Path, options: StoreOptions) -> Result<Compacted, StoreError> {
        let new = beside(dir, "new");
        remove_left_over(&new)?;
        let old = Self::open_as_it_is(dir, options)?;
        let before = old.size_on_disk()?;
        let made = copy(&old, &new, options);
        old.close()?;
        let (items, after) = match made {
            Ok(made) => made,
            Err(error) => {
                // What is left of it only takes space, and the next one begins with removing it.
                let _ = remove_left_over(&new);
                return Err(error);
            }
        };
        exchange(&new, dir).map_err(|e| StoreError::io(dir, e))?;
        sync_parent(dir)?;
        // Under the name of the new one the old one lies now.
        remove_left_over(&new)?;
        Ok(Compacted { before, after, items })
    }
}

/// Fills the new one, and reads it again as the next start will.
fn copy(old: &Store, new: &Path, options: StoreOptions) -> Result<(u64, u64), StoreError> {
    let want = sum(old)?;
    let made = attempt(new, options)?;
    let filled = old.run(|from| {
        for name in from.tree_names() {
            let (from, to) = (from.open_tree(&name)?, made.db().open_tree(&name)?);
            for (n, item) in (0_u64..).zip(from.iter()) {
                let (key, value) = item?;
                to.insert(key, value)?;
                if n % PAUSE == 0 {
                    crossbeam_epoch::pin().flush();
                }
            }
        }
        Ok(())
    });
    filled.and_then(|()| made.barrier())?;
    made.close()?;
    let again = attempt(new, options)?;
    let found = sum(&again)?;
    let after = again.size_on_disk()?;
    again.close()?;
    if found != want {
        let detail = "the copy is not what was copied".to_owned();
        return Err(StoreError::Damaged { path: new.to_owned(), detail });
    }
    Ok((found.items, after))
}

fn sum(store: &Store) -> Result<Sum, StoreError> {
    store.run(|db| {
        let (mut items, mut hasher) = (0, blake3::Hasher::new());
        let mut put = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_be_bytes());
            hasher.update(bytes);
        };
        let mut names = db.tree_names();
        names.sort();
        for name in names {
            put(&name);
            for item in db.open_tree(&name)?.iter() {
                let (key, value) = item?;
                put(&key);
                put(&value);
                items += 1;
            }
        }
        Ok(Sum { items, digest: hasher.finalize() })
    })
}

/// `STORE.new`
fn beside(dir: &Path, extension: &str) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(extension);
    dir.with_file_name(name)
}

/// What a compaction that was cut off has left: a copy.
fn remove_left_over(new: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(StoreError::io(new, e)),
        _ => Ok(()),
    }
}

/// Both names at once where the file system can, so that there is a store at any moment. Where it cannot, and it is cut off in
/// between, the next start builds a new one.
fn exchange(new: &Path, old: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        if renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE).is_ok() {
            return Ok(());
        }
    }
    let aside = beside(old, "old");
    fs::rename(old, &aside)?;
    fs::rename(new, old).inspect_err(|_| {
        // Back to where it was; else the next start builds a new one.
        let _ = fs::rename(&aside, old);
    })?;
    fs::rename(&aside, new)
}

fn sync_parent(dir: &Path) -> Result<(), StoreError> {
    let parent = dir.parent().unwrap_or(dir);
    fs::File::open(parent).and_then(|d| d.sync_all()).map_err(|e| StoreError::io(parent, e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn small() -> StoreOptions {
        StoreOptions { cache_bytes: 4 << 20, flush_every: Duration::from_millis(1_000) }
    }

    #[test]
    fn a_compacted_store_holds_the_same_in_less() {
        let t = tempfile::tempdir().unwrap();
        let dir = t.path().join("store");
        let store = attempt(&dir, small()).unwrap();
        for name in ["one", "two"] {
            let tree = store.db().open_tree(name).unwrap();
            for i in 0..10_000_u32 {
                tree.insert(i.to_be_bytes(), vec![i as u8; 2_000]).unwrap();
            }
            store.barrier().unwrap();
            // What is taken out leaves its room behind.
            for i in 300..10_000_u32 {
                tree.remove(i.to_be_bytes()).unwrap();
            }
            store.barrier().unwrap();
        }
        let want = sum(&store).unwrap();
        store.close().unwrap();
        fs::create_dir(t.path().join("store.new")).unwrap();
        fs::write(t.path().join("store.new/half"), "of an earlier one").unwrap();

        let done = Store::compact(&dir, small()).unwrap();
        assert!(done.after < done.before && done.items >= 600, "{done:?}");
        let names: Vec<_> =
            fs::read_dir(t.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["store"]);
        assert_eq!(sum(&Store::open_as_it_is(&dir, small()).unwrap()).unwrap(), want);
    }

    #[test]
    fn what_cannot_be_read_is_not_compacted_and_stays() {
        let t = tempfile::tempdir().unwrap();
        let dir = t.path().join("store");
        attempt(&dir, small()).unwrap().close().unwrap();
        fs::remove_file(dir.join("db")).unwrap();
        fs::create_dir(dir.join("db")).unwrap();
        assert!(Store::compact(&dir, small()).unwrap_err().is_damage());
        assert!(dir.join("db").is_dir());
        assert!(!t.path().join("store.new").exists());
    }
}
