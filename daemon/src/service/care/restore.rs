//! `store restore`: a backup in the place of the journal.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tidy_protocol::{ExitCode as Code, WirePath};

use super::backup::BackupInfo;
use super::{Out, count, failed, folder, held, moment, shown};
use crate::care::{self, Backup, Forgotten};
use crate::service::Fatal;
use crate::service::configure::Places;
use crate::telemetry::clock::{Clock as _, SystemClock};

#[derive(Debug, Serialize)]
struct RestoredInfo {
    backup: BackupInfo,
    aside: Option<WirePath>,
    /// Operations after the backup that are not on record any more; null: it cannot be told how many.
    forgotten: Option<u64>,
    first: Option<u64>,
    last: Option<u64>,
    /// `none`, `same`, `differs`, `restored`.
    config: &'static str,
}

pub(super) fn restore(out: &Out, places: &Places, which: Option<&Path>) -> Result<Code, Fatal> {
    let backup = match which {
        Some(path) => {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            Backup::open(&path).map_err(|e| failed(&e))?
        }
        None => newest_good(places)?,
    };
    // On a new machine there is none yet.
    let state = held(places, "restore")?;
    let restored =
        care::restore(state.path(), backup, SystemClock.wall()).map_err(|e| failed(&e))?;
    let config = configuration(&restored.backup, &places.config_place)?;
    let (forgotten, first, last) = match restored.forgotten {
        Forgotten::Nothing => (Some(0), None, None),
        Forgotten::Operations { count, first, last, .. } => {
            (Some(count), Some(first.0), Some(last.0))
        }
        Forgotten::Unknown => (None, None, None),
    };
    let answer = RestoredInfo {
        backup: BackupInfo::of(&restored.backup),
        aside: restored.aside.as_deref().map(WirePath::from),
        forgotten,
        first,
        last,
        config: config.word(),
    };
    out.show(&answer, || {
        let of = &restored.backup.manifest;
        let mut text = format!(
            "put back: the backup of {}, with everything up to operation {}\n",
            moment(of.made()),
            of.last_operation
        );
        text.push_str(&match &restored.forgotten {
            Forgotten::Nothing => "nothing was done after it\n".to_owned(),
            Forgotten::Operations { count: n, first, last, last_time } => format!(
                "not on record any more: {} after it ({first} to {last}, the last of {}). The files stay where they are, and \
                 cannot be put back\n",
                count(*n, "operation"),
                moment(*last_time)
            ),
            Forgotten::Unknown => format!(
                "not on record: whatever was done after {}; the journal that was there does not tell. The files stay where they are\n",
                moment(of.made())
            ),
        });
        if let Some(aside) = &restored.aside {
            text.push_str(&format!(
                "what was there before is kept in {}\n  tidyctl store export --from {}   lists what was on record in it\n",
                shown(aside),
                shown(aside)
            ));
        }
        text.push_str(&config.text());
        text.push_str("start tidyd: it reads the folders anew, and files nothing that is on record as put back");
        text
    })?;
    Ok(Code::Ok)
}

fn newest_good(places: &Places) -> Result<Backup, Fatal> {
    let dir = &folder(places)?.dir;
    let all = care::backups(dir).map_err(|e| failed(&e))?;
    all.into_iter().find(|b| b.check().is_ok()).ok_or_else(|| {
        let message = format!("there is no good backup in {}", shown(dir));
        Fatal::new(Code::Failed, message, "name one: tidyctl store restore BACKUP")
    })
}

/// What became of the configuration in the backup. One that is there is never replaced.
enum Configuration {
    None,
    Same,
    Differs { ours: PathBuf, kept: PathBuf },
    Restored(PathBuf),
}

fn configuration(backup: &Backup, ours: &Path) -> Result<Configuration, Fatal> {
    let Some(kept) = backup.config() else { return Ok(Configuration::None) };
    let unreadable = |e: io::Error| {
        let message = format!("{} cannot be read: {e}", shown(&kept));
        Fatal::new(
            Code::Failed,
            message,
            "the journal was put back; copy the configuration by hand",
        )
    };
    let text = fs::read(&kept).map_err(unreadable)?;
    match fs::read(ours) {
        Ok(own) if own == text => Ok(Configuration::Same),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            write(ours, &text).map_err(|e| {
                let message = format!("{} cannot be written: {e}", shown(ours));
                let hint = format!("the journal was put back; copy it by hand: {}", shown(&kept));
                Fatal::new(Code::Partly, message, hint)
            })?;
            Ok(Configuration::Restored(ours.to_owned()))
        }
        _ => Ok(Configuration::Differs { ours: ours.to_owned(), kept }),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a configuration where there is none, at a person's request"
)]
fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

impl Configuration {
    fn word(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Same => "same",
            Self::Differs { .. } => "differs",
            Self::Restored(_) => "restored",
        }
    }

    fn text(&self) -> String {
        match self {
            Self::None | Self::Same => String::new(),
            Self::Differs { ours, kept } => format!(
                "the configuration {} is another than that of the backup, and stays: see {}\n",
                shown(ours),
                shown(kept)
            ),
            Self::Restored(path) => format!("the configuration is back: {}\n", shown(path)),
        }
    }
}
