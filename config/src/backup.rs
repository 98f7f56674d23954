//! `backup`: copies of the journal and of the configuration, which the service makes by itself.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::Config;
use crate::quantity;
use crate::read::folder;
use crate::walk::{Keys, Table, Value, Walk};

const KEYS: Keys = Keys::of(&["every", "keep", "dir"]);

/// The least that `every` and `keep` can be: more often nobody needs them, and what goes sooner is none.
const EVERY_AT_LEAST: Duration = Duration::from_secs(3600);
const KEEP_AT_LEAST: Duration = Duration::from_secs(24 * 3600);

/// When copies are made, where, and how long they stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupConfig {
    /// `None`: not by itself.
    pub every: Option<Duration>,
    /// Older ones go, but never the last good one.
    pub keep: Duration,
    /// Absolute or below `~`; `None`: in the state directory.
    pub dir: Option<PathBuf>,
}

impl Default for BackupConfig {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 3600);
        Self { every: Some(day), keep: 30 * day, dir: None }
    }
}

impl Config {
    /// When copies are made of what the service keeps for itself.
    pub fn backup(&self) -> &BackupConfig {
        &self.backup
    }
}

/// As the file has it; what is wrong is reported.
pub(crate) fn read(walk: &mut Walk<'_>, top: &Table<'_, '_>) -> BackupConfig {
    let mut out = BackupConfig::default();
    let Some(value) = top.get("backup") else { return out };
    if let Some(on) = value.get_ref().as_bool() {
        out.every = out.every.filter(|_| on);
        return out;
    }
    let Some(table) = walk.table(value, "backup", "a table, or false") else { return out };
    walk.check_keys(&table, &KEYS);
    if let Some(value) = table.get("every") {
        let least = (EVERY_AT_LEAST, "`every` must be one hour at least");
        out.every = duration(walk, value, &table.path("every"), least).or(out.every);
    }
    if let Some(value) = table.get("keep") {
        let least = (KEEP_AT_LEAST, "`keep` must be one day at least");
        out.keep = duration(walk, value, &table.path("keep"), least).unwrap_or(out.keep);
    }
    if let Some(value) = table.get("dir") {
        let key = table.path("dir");
        let text = walk.string(value, &key, "a folder such as \"/mnt/backup/tidyd\"");
        out.dir = text.and_then(|text| folder(walk, &key, &text)).map(|at| at.value);
    }
    out
}

fn duration(
    walk: &mut Walk<'_>,
    value: &Value<'_>,
    key: &str,
    (least, bad): (Duration, &str),
) -> Option<Duration> {
    let text = walk.string(value, key, "a string such as \"1d\"")?;
    let read = quantity::duration(&text.value);
    let read = read.and_then(|d| (d >= least).then_some(d).ok_or(bad.to_owned()));
    read.map_err(|why| walk.findings.add(text.span, key, why)).ok()
}

/// As it is written in a file; `path` quotes a path, `time` a duration.
pub(crate) fn shown(
    backup: &BackupConfig,
    path: impl Fn(&Path) -> String,
    time: impl Fn(Duration) -> String,
) -> String {
    let Some(every) = backup.every else { return "false".to_owned() };
    let dir = backup.dir.as_ref().map(|dir| format!(", dir = {}", path(dir)));
    format!(
        "{{ every = {}, keep = {}{} }}",
        time(every),
        time(backup.keep),
        dir.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::config;

    #[test]
    fn backups_are_made_daily_unless_it_is_said_otherwise() {
        assert_eq!(config("").unwrap().backup(), &BackupConfig::default());
        assert_eq!(config("backup = true").unwrap().backup(), &BackupConfig::default());
        assert_eq!(config("backup = false").unwrap().backup().every, None);
        let text = "backup = { every = \"12h\", keep = \"90d\", dir = \"~/b\" }";
        let hours = |n: u64| Duration::from_secs(n * 3600);
        let want =
            BackupConfig { every: Some(hours(12)), keep: hours(90 * 24), dir: Some("~/b".into()) };
        assert_eq!(config(text).unwrap().backup(), &want);
        for text in ["backup = false", "", text] {
            let read = config(text).unwrap();
            let again = Config::parse(&read.show(), "shown").unwrap();
            assert_eq!(again.backup(), read.backup(), "{}", read.show());
        }
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        for (line, what) in [
            ("backup = \"daily\"", "a table, or false"),
            ("backup = { evry = \"1d\" }", "did you mean `every`"),
            ("backup = { every = \"1m\" }", "one hour at least"),
            ("backup = { keep = \"1h\" }", "one day at least"),
            ("backup = { dir = \"b\" }", "must be absolute"),
        ] {
            let error = config(line).unwrap_err();
            assert!(error.contains(what), "{line}: {error}");
        }
    }
}
