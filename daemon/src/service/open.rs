//! Opening what the state directory holds, in order: lock, store, catalog, journal, recovery.

use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use tidy_config::JournalConfig;
use tidy_core::operation::OpId;
use tidy_protocol::ExitCode as Code;

use super::{Fatal, notes, retain, upgrade};
use crate::catalog::Catalog;
use crate::filing::{Filing, Mounted};
use crate::habits::Habits;
use crate::journal::{Journal, JournalError, JournalOptions};
use crate::readers::Readers;
use crate::store::{StateDir, Store, StoreError, StoreOptions, format};
use crate::unpacked::Unpacked;

/// Everything that is open while the service runs. Closed in the order of the fields: the lock last.
pub(super) struct House {
    pub(super) catalog: Catalog,
    pub(super) journal: Journal,
    pub(super) habits: Habits,
    pub(super) unpacked: Unpacked,
    mounted: Mounted,
    /// Held, and never closed: sled 0.34.7 syncs once more when its last handle goes, and panics
    /// when that fails. All is written by `Filing::flush` before; the process's end closes the files.
    pub(super) store: ManuallyDrop<Store>,
    /// What a person should know about how opening went.
    pub(super) notes: Vec<String>,
    pub(super) state: StateDir,
}

impl House {
    /// A handle on the way of files through it.
    pub(super) fn filing(&self, readers: Readers) -> Filing {
        let filing = Filing::new(self.catalog.clone(), self.journal.clone(), readers);
        filing.with_mounted(self.mounted.clone()).with_unpacked(self.unpacked.clone())
    }
}

/// Makes the state directory if need be, locks it, and brings it up to the present format. That of a newer program is left as
/// it is, and so is every one by a dry run. What a person should know about it comes along.
pub(super) fn state(path: &Path, dry_run: bool) -> Result<(StateDir, Vec<String>), Fatal> {
    let found = format::of(path).map_err(store_failed)?;
    let state = StateDir::open(path).map_err(store_failed)?;
    let notes = match dry_run {
        true => upgrade::leave_as_is(&state, found)?,
        false => upgrade::bring_up(&state, found)?,
    };
    Ok((state, notes))
}

/// Opens what the state directory holds and brings the journal to rest; a dry run leaves it as it is, since operations that
/// were cut off are of users' files.
pub(super) fn open(state: StateDir, journal: JournalConfig, dry_run: bool) -> Result<House, Fatal> {
    let (store, report) =
        Store::open(&state.store(), StoreOptions::default()).map_err(store_failed)?;
    let mut found = notes::store(&report);
    let (store, mut catalog, newest) = open_catalog(store, &mut found)?;
    // From here on, so that it is not closed either when a later step fails.
    let mut store = ManuallyDrop::new(store);
    let segment_bytes = retain::segment_bytes(journal);
    let options = JournalOptions::new(segment_bytes, newest);
    let (dir, first) = (state.journal(), options.clone());
    let opened = match store.run(|db| Ok(Journal::open(&dir, db, first))) {
        Ok(Err(JournalError::Projection(why))) => Err(why),
        Err(e) if e.is_damage() => Err(e.to_string()),
        Ok(other) => Ok(other),
        Err(e) => return Err(store_failed(e)),
    };
    let opened = match opened {
        Ok(opened) => opened,
        // What was opened so far lies in it too.
        Err(why) => {
            drop(catalog);
            let (new, report) =
                ManuallyDrop::into_inner(store).replace(why).map_err(store_failed)?;
            found.extend(notes::store(&report));
            let (new, its_catalog, _) = open_catalog(new, &mut found)?;
            (store, catalog) = (ManuallyDrop::new(new), its_catalog);
            Journal::open(&dir, store.db(), options)
        }
    };
    let (journal, report) = opened.map_err(|e| journal_failed("opened", &e))?;
    found.extend(notes::journal(&report));
    match dry_run {
        true => found.extend(notes::left_open(journal.left_open())),
        false => {
            let recovery = journal.recover().map_err(|e| journal_failed("recovered", &e))?;
            found.extend(notes::recovery(&recovery));
        }
    }
    for note in &found {
        tracing::warn!("{note}");
    }
    let habits = Habits::open(store.db(), journal.clone());
    let unpacked = Unpacked::open(store.db(), journal.clone());
    let mounted = Mounted::open(store.db());
    Ok(House { catalog, journal, habits, unpacked, mounted, store, notes: found, state })
}

/// Opens the catalog in a store, or in a new one when that is damaged. Returns the newest operation
/// that it knows of, too.
pub(super) fn open_catalog(
    store: Store,
    found: &mut Vec<String>,
) -> Result<(Store, Catalog, OpId), Fatal> {
    let opened = Catalog::open_or_replace(store).map_err(|e| {
        let hint = "restart tidyd; if that does not help, move the store away: it is built anew";
        Fatal::new(Code::Failed, format!("the catalog cannot be opened: {e}"), hint)
    })?;
    found.extend(opened.replaced.iter().flat_map(notes::store));
    found.extend(notes::catalog(&opened.report));
    Ok((opened.store, opened.catalog, OpId(opened.report.newest_operation)))
}

/// The private directory in which barriers for the watcher are made; empty.
pub(super) fn cookies_dir(state: &StateDir) -> Result<PathBuf, Fatal> {
    let dir = state.path().join("cookies");
    let made = std::fs::canonicalize(state.path()).and_then(|state| {
        let dir = state.join("cookies");
        match rustix::fs::mkdir(&dir, rustix::fs::Mode::RWXU) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(dir),
            Err(e) => Err(e.into()),
        }
    });
    made.map_err(|e| {
        let message = format!("{} cannot be made: {e}", dir.display());
        Fatal::new(Code::Failed, message, "check the state directory")
    })
}

pub(super) fn journal_failed(what: &str, error: &JournalError) -> Fatal {
    Fatal::new(Code::Failed, format!("the journal cannot be {what}: {error}"), error.hint())
}

pub(super) fn store_failed(error: StoreError) -> Fatal {
    let code = match error {
        StoreError::InUse { .. }
        | StoreError::NotOurs { .. }
        | StoreError::Exposed(_)
        | StoreError::Newer { .. }
        | StoreError::NotWritable { .. } => Code::Refused,
        _ => Code::Failed,
    };
    Fatal::new(code, error.to_string(), error.hint())
}
