//! Opening what the state directory holds, in order: lock, store, journal, recovery, catalog.

use std::path::Path;

use tidy_protocol::ExitCode as Code;

use super::Fatal;
use crate::catalog::Catalog;
use crate::journal::{Journal, JournalOptions};
use crate::store::{StateDir, Store, StoreError, StoreOptions};

/// Everything that is open while the service runs.
pub(super) struct House {
    pub(super) catalog: Catalog,
    pub(super) journal: Journal,
    /// What a person should know about how opening went.
    pub(super) notes: Vec<String>,
    // Last, so that the lock is held until everything above is closed.
    pub(super) state: StateDir,
}

/// Opens the state directory and brings the journal to rest.
pub(super) fn open(state: &Path) -> Result<House, Fatal> {
    let state = StateDir::open(state).map_err(store_failed)?;
    let mut notes = Vec::new();
    let (store, report) =
        Store::open(&state.store(), StoreOptions::default()).map_err(store_failed)?;
    notes.extend(report.notes());
    let (journal, report) = Journal::open(&state.journal(), store.db(), JournalOptions::default())
        .map_err(|e| {
            Fatal::new(Code::Failed, format!("the journal cannot be opened: {e}"), e.hint())
        })?;
    notes.extend(report.notes());
    let recovery = journal.recover().map_err(|e| {
        Fatal::new(Code::Failed, format!("the journal cannot be recovered: {e}"), e.hint())
    })?;
    notes.extend(recovery.notes());
    let (catalog, report) = Catalog::open(&store).map_err(|e| {
        Fatal::new(Code::Failed, format!("the catalog cannot be opened: {e}"), "see `tidyctl doctor`")
    })?;
    notes.extend(report.notes());
    for note in &notes {
        tracing::warn!("{note}");
    }
    Ok(House { catalog, journal, notes, state })
}

fn store_failed(error: StoreError) -> Fatal {
    let code = if error.is_refusal() { Code::Refused } else { Code::Failed };
    let hint = error.hint();
    Fatal::new(code, error.to_string(), hint)
}
