//! `limits`: what tidyd may take of the machine for what nobody has asked it for.

use crate::quantity;
use crate::walk::{Keys, Table, Walk};

const LIMITS: Keys = Keys::of(&["read", "pause-on-battery"]);

/// Below, a single photo would take minutes.
const READ_AT_LEAST: u64 = 100_000;

/// What is done unasked, and how fast.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LimitsConfig {
    /// Bytes of files' contents that are read in a second; `None`: as many as can be.
    pub read: Option<u64>,
    /// What arrives waits while the machine runs on its battery.
    pub pause_on_battery: bool,
}

/// As the file has it; what is wrong is reported.
pub(crate) fn read(walk: &mut Walk<'_>, table: &Table<'_, '_>) -> LimitsConfig {
    let mut limits = LimitsConfig::default();
    let Some(value) = table.get("limits") else { return limits };
    let Some(table) = walk.table(value, "limits", "a table") else { return limits };
    walk.check_keys(&table, &LIMITS);
    if let Some(value) = table.get("read") {
        let key = table.path("read");
        if let Some(text) = walk.string(value, &key, "a string such as \"50 MB/s\"") {
            match rate(&text.value) {
                Ok(read) => limits.read = Some(read),
                Err(why) => walk.findings.add(text.span, &key, why),
            }
        }
    }
    if let Some(value) = table.get("pause-on-battery") {
        let key = table.path("pause-on-battery");
        limits.pause_on_battery = walk.boolean(value, &key).unwrap_or(limits.pause_on_battery);
    }
    limits
}

/// `50 MB/s`
fn rate(text: &str) -> Result<u64, String> {
    let size = text.trim().strip_suffix("/s").ok_or_else(|| {
        format!("`{}` is not a rate; write \"50 MB/s\", say", text.escape_debug())
    })?;
    match quantity::size(size)? {
        rate if rate < READ_AT_LEAST => {
            Err("`read` must be 100 kB/s at least; leave it out for no limit".to_owned())
        }
        rate => Ok(rate),
    }
}
