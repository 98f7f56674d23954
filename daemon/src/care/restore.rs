//! Putting a backup back.
//!
//! ```text
//! STATE/restore.part/    being made ready: a copy of the backup's log, read back, synced
//!        │ rename       from here on it counts, and every start goes on with it
//! STATE/restore.ready/   ├─ STATE/store    → STATE/before-restore-….aside/store
//!                        ├─ STATE/journal  → STATE/before-restore-….aside/journal
//!                        └─ restore.ready/journal → STATE/journal
//! ```
//! Each step is a rename that looks first at what there is, so it can be repeated from any point.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tidy_core::UnixNanos;
use tidy_core::operation::OpId;

use super::files;
use super::manifest::{Backup, SMALL, TIME_FORMAT};
use super::{CareError, Result};
use crate::journal::{self, Outside};

const PART: &str = "restore.part";
const READY: &str = "restore.ready";
const PLAN: &str = "plan.json";
const JOURNAL: &str = tidy_config::JOURNAL_DIR;
const STORE: &str = tidy_config::STORE_DIR;

/// Numbers left free when it cannot be told how many were given out since the backup: more operations than anybody has done
/// between two.
const LEAP: u64 = 1_000_000;

/// What was on record and is not any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forgotten {
    Nothing,
    /// So many, the numbers of the first and the last, and when that was begun.
    Operations {
        count: u64,
        first: OpId,
        last: OpId,
        last_time: UnixNanos,
    },
    /// The log that was there could not be read to its end: whatever was done since the backup.
    Unknown,
}

/// What came of it.
#[derive(Debug)]
pub struct Restored {
    pub backup: Backup,
    /// Where what was there before is kept; `None` when there was nothing.
    pub aside: Option<PathBuf>,
    pub forgotten: Forgotten,
}

/// What is to be done with `restore.ready`, version 1. **Frozen** for as long as a restore takes.
#[derive(Debug, Serialize, Deserialize)]
struct PlanV1 {
    v: u8,
    /// The name of the directory for what was there.
    aside: String,
}

/// Puts a backup in the place of what is in the state directory, which this process holds.
///
/// # Errors
/// Nothing has changed, or, once it counts, the next start goes on with it.
pub fn restore(state: &Path, backup: Backup, now: UnixNanos) -> Result<Restored> {
    finish(state)?;
    backup.check()?;
    let (forgotten, known) = forgotten(state, &backup)?;
    let part = state.join(PART);
    files::remove_staged(&part)?;
    let plan = PlanV1 { v: 1, aside: free_name(state, now) };
    if let Err(error) = stage(&part, &backup, known, &plan) {
        // On a full disk it is what there is to free.
        let _ = files::remove_staged(&part);
        return Err(error);
    }
    let had = [JOURNAL, STORE].iter().any(|n| state.join(n).symlink_metadata().is_ok());
    files::rename(&part, &state.join(READY))?;
    files::sync_dir(state)?;
    finish(state)?;
    let after = journal::look(&state.join(JOURNAL))?;
    if after.last.map_or(0, |(id, _)| id.0) != backup.manifest.last_operation {
        let why = "its log is not whole in its place".to_owned();
        return Err(CareError::Damaged { path: backup.path, why });
    }
    let aside = had.then(|| state.join(plan.aside));
    Ok(Restored { backup, aside, forgotten })
}

/// For what was there: a name that no earlier restore of this second has taken.
fn free_name(state: &Path, now: UnixNanos) -> String {
    let time = now.timestamp().strftime(TIME_FORMAT);
    let mut names = std::iter::once(format!("before-restore-{time}.aside"))
        .chain((2_u32..).map(|n| format!("before-restore-{time}-{n}.aside")));
    let free = |name: &String| state.join(name).symlink_metadata().is_err();
    names.find(free).unwrap_or_default() // there is always another number
}

/// Makes all of it ready in a new directory, and durable.
fn stage(part: &Path, backup: &Backup, known: Option<OpId>, plan: &PlanV1) -> Result<()> {
    files::make_dir(part)?;
    files::make_dir(&part.join(JOURNAL))?;
    for file in &backup.manifest.files {
        let (from, name) = (backup.path.join(&file.path), file.path.as_str());
        let to = match name.split_once('/') {
            Some(("journal", "lock")) => continue,
            Some(("journal", _)) => part.join(name),
            Some(("state", small)) => part.join(small),
            _ => continue,
        };
        files::copy(&from, &to, file.bytes)?;
        if files::digest(&to, u64::MAX)? != (file.bytes, file.blake3.clone()) {
            let why = format!("{name} could not be read back as it was written");
            return Err(CareError::Damaged { path: backup.path.clone(), why });
        }
    }
    if let Some(known) = known {
        journal::go_on_above(&part.join(JOURNAL), known)?;
    }
    let text = serde_json::to_vec(plan)
        .map_err(|e| CareError::io("write", part)(std::io::Error::other(e)))?;
    files::write(&part.join(PLAN), &text)?;
    files::sync_dir(&part.join(JOURNAL))?;
    files::sync_dir(part)
}

/// Whether one was cut off and is to be gone on with.
pub fn is_unfinished(state: &Path) -> bool {
    state.join(READY).join(PLAN).symlink_metadata().is_ok()
}

/// Goes on with a restore that was cut off; returns where what was there before is kept. To be called by whoever holds the state
/// directory, before anything in it is opened.
///
/// # Errors
/// It is still to be gone on with: nothing may be opened.
pub fn finish(state: &Path) -> Result<Option<PathBuf>> {
    let ready = state.join(READY);
    let Some(text) = files::small(&ready.join(PLAN), 4_096)? else {
        // The plan goes last.
        if ready.symlink_metadata().is_ok() {
            files::remove_staged(&ready)?;
        }
        return Ok(None);
    };
    let plan: PlanV1 = serde_json::from_slice(&text).map_err(|_| CareError::NotABackup {
        path: ready.clone(),
        why: "its plan is damaged; move it away to go on without it".to_owned(),
    })?;
    let aside = state.join(&plan.aside);
    let is = |path: &Path| path.symlink_metadata().is_ok();
    if is(&ready.join(JOURNAL)) {
        files::make_dir(&aside)?;
        for name in SMALL.iter().filter(|n| is(&ready.join(n)) && !is(&state.join(n))) {
            files::rename(&ready.join(name), &state.join(name))?;
        }
        for name in [STORE, JOURNAL].iter().filter(|n| is(&state.join(n))) {
            files::rename(&state.join(name), &aside.join(name))?;
        }
        files::sync_dir(&aside)?;
        files::sync_dir(state)?;
        files::rename(&ready.join(JOURNAL), &state.join(JOURNAL))?;
        files::sync_dir(&ready)?;
        files::sync_dir(state)?;
    }
    files::remove_staged(&ready)?;
    files::sync_dir(state)?;
    Ok(Some(aside))
}

/// What is on record after the backup, and the number above which the restored log has to go on, if it has to.
fn forgotten(state: &Path, backup: &Backup) -> Result<(Forgotten, Option<OpId>)> {
    let end = OpId(backup.manifest.last_operation);
    let mut since: Option<(u64, OpId, OpId, UnixNanos)> = None;
    let seen = journal::read(&state.join(JOURNAL), &mut |op| {
        if op.id > end {
            let (count, first, last, time) = since.unwrap_or((0, op.id, op.id, op.time));
            since = Some((count + 1, first.min(op.id), last.max(op.id), time.max(op.time)));
        }
    });
    let unknown = |next: Option<OpId>| {
        let above = next.unwrap_or(end).max(end).0.saturating_add(LEAP);
        (Forgotten::Unknown, Some(OpId(above)))
    };
    let log: Outside = match seen {
        Ok(log) => log,
        // It is to be replaced because it cannot be read.
        Err(_) => return Ok(unknown(None)),
    };
    let same = log.log.map(super::manifest::log_name).as_deref() == Some(&*backup.manifest.journal);
    if !same || !log.is_whole() {
        return Ok(unknown(log.next));
    }
    Ok(match since {
        None if log.last.map(|(id, _)| id) < Some(end) && end > OpId(0) => unknown(log.next),
        None => (Forgotten::Nothing, None),
        Some((count, first, last, last_time)) => {
            let known = log.next.map_or(last, |next| OpId(next.0.saturating_sub(1)));
            (Forgotten::Operations { count, first, last, last_time }, Some(known.max(last)))
        }
    })
}
