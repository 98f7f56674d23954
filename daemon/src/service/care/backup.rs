//! `store backup`, `store list`, and the check of one backup.

use std::path::{Path, PathBuf};

use serde::Serialize;
use tidy_core::bytes;
use tidy_protocol::{ExitCode as Code, WirePath};

use super::{Out, count, failed, folder, moment, shown, there};
use crate::care::{self, Backup, Made, Sources};
use crate::service::Fatal;
use crate::service::configure::Places;
use crate::telemetry;
use crate::telemetry::clock::{Clock as _, SystemClock};

/// A backup, as it is told (docs/json.md).
#[derive(Debug, Serialize)]
pub(super) struct BackupInfo {
    path: WirePath,
    made_ns: i64,
    version: String,
    last_operation: u64,
    files: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct BackedUp {
    new: bool,
    backup: Option<BackupInfo>,
    /// Bytes that no earlier backup had.
    copied: u64,
    removed: Vec<WirePath>,
}

impl BackupInfo {
    pub(super) fn of(backup: &Backup) -> Self {
        let of = &backup.manifest;
        Self {
            path: backup.path.as_path().into(),
            made_ns: of.made_ns,
            version: of.tidyd.clone(),
            last_operation: of.last_operation,
            files: of.files.len() as u64,
            bytes: of.bytes(),
        }
    }
}

pub(super) fn backup(out: &Out, places: &Places, to: Option<&Path>) -> Result<Code, Fatal> {
    there(places)?;
    let (into, keep): (PathBuf, _) = match to {
        Some(to) => (std::path::absolute(to).unwrap_or_else(|_| to.to_owned()), None),
        None => folder(places).map(|configured| (configured.dir.clone(), Some(configured.keep)))?,
    };
    let now = SystemClock.wall();
    let what = Sources { state: &places.state, config: places.config.as_deref() };
    let made = care::make(&what, &into, now).map_err(|e| failed(&e))?;
    let (new, copied, backup) = match made {
        Made::New { backup, copied } => (true, copied, Some(backup)),
        Made::Unchanged(backup) => (false, 0, Some(backup)),
        Made::Nothing => (false, 0, None),
    };
    let mut removed = Vec::new();
    if let (Some(keep), Some(backup)) = (keep, &backup) {
        let journal = &backup.manifest.journal;
        let gone = care::retain(&into, journal, keep, now).map_err(|e| failed(&e))?;
        for (path, error) in &gone.failed {
            let text = format!("the old backup {} could not be removed: {error}", shown(path));
            telemetry::complain(&text, Some(error.hint()));
        }
        removed = gone.removed;
    }
    let answer = BackedUp {
        new,
        backup: backup.as_ref().map(BackupInfo::of),
        copied,
        removed: removed.iter().map(|p| p.as_path().into()).collect(),
    };
    out.show(&answer, || match &backup {
        None => {
            "nothing to back up yet: tidyd has done nothing, and there is no configuration".into()
        }
        Some(backup) => {
            let mut text = match new {
                true => format!(
                    "backed up: {}\n  {}, {} ({} of it new), up to operation {}",
                    shown(&backup.path),
                    count(backup.manifest.files.len() as u64, "file"),
                    bytes(backup.manifest.bytes()),
                    bytes(copied),
                    backup.manifest.last_operation
                ),
                false => format!(
                    "nothing has changed since the backup of {}: {}",
                    moment(backup.manifest.made()),
                    shown(&backup.path)
                ),
            };
            if !removed.is_empty() {
                let old = count(removed.len() as u64, "backup");
                text.push_str(&format!("\n  {old} older than `backup.keep` removed"));
            }
            text
        }
    })?;
    Ok(Code::Ok)
}

pub(super) fn list(out: &Out, places: &Places, from: Option<&Path>) -> Result<Code, Fatal> {
    let dir = match from {
        Some(from) => from.to_owned(),
        None => folder(places)?.dir.clone(),
    };
    let all = care::backups(&dir).map_err(|e| failed(&e))?;
    let infos: Vec<BackupInfo> = all.iter().map(BackupInfo::of).collect();
    out.show(&infos, || {
        if all.is_empty() {
            return format!("there is no backup in {}", shown(&dir));
        }
        let line = |b: &Backup| {
            let (last, size) = (b.manifest.last_operation, bytes(b.manifest.bytes()));
            format!(
                "{}  up to operation {last:<8}  {size:>9}  {}\n",
                moment(b.manifest.made()),
                shown(&b.path)
            )
        };
        all.iter().map(line).collect()
    })?;
    Ok(Code::Ok)
}

pub(super) fn verify(out: &Out, path: &Path) -> Result<Code, Fatal> {
    let backup = Backup::open(path).map_err(|e| failed(&e))?;
    let found = match backup.check() {
        Ok(()) => super::check::Finding::good("backup", good(&backup)),
        Err(e) => super::check::Finding::bad("backup", e.to_string(), e.hint()),
    };
    super::check::tell(out, vec![found])
}

pub(super) fn good(backup: &Backup) -> String {
    let of = &backup.manifest;
    let files = count(of.files.len() as u64, "file");
    format!("{}: {files} as they were on {}", shown(&backup.path), moment(of.made()))
}
