//! `need` of a rule: what must hold of its destination before a file goes there.

use std::path::{Path, PathBuf};

use tidy_core::requirement::Free;

use crate::model::ActionConfig;
use crate::quantity;
use crate::read::folder;
use crate::walk::{At, Keys, Table, Value, Walk};

const NEED: Keys = Keys::of(&["free", "mounted"]);
const EXAMPLE: &str = "need = { free = \"10%\", mounted = true }";

/// As the person wrote it.
#[derive(Debug, Clone)]
pub(crate) struct NeedConfig {
    pub(crate) free: Option<Free>,
    pub(crate) mounted: Option<MountedConfig>,
}

#[derive(Debug, Clone)]
pub(crate) enum MountedConfig {
    /// `true`
    Apart,
    At {
        folder: At<PathBuf>,
        key: String,
    },
}

/// What is wrong is reported.
pub(crate) fn read(
    walk: &mut Walk<'_>,
    table: &Table<'_, '_>,
    action: Option<&ActionConfig>,
) -> Option<NeedConfig> {
    let value = table.get("need")?;
    let key = table.path("need");
    let need = walk.table(value, &key, "a table")?;
    walk.check_keys(&need, &NEED);
    if action.is_some_and(|action| action.destination().is_none()) {
        let message = "`need` is about a destination, and this rule has none";
        let hint = "it goes with move, copy, reflink, hardlink or symlink";
        walk.findings.add_with_hint(value.span(), &key, message, hint);
        return None;
    }
    if need.entries().is_empty() {
        walk.findings.add_with_hint(value.span(), &key, "`need` asks for nothing", EXAMPLE);
    }
    let free = need.get("free").and_then(|v| free(walk, v, &need.path("free")));
    let mounted = need.get("mounted").and_then(|v| mounted(walk, v, &need.path("mounted")));
    Some(NeedConfig { free, mounted })
}

/// `"10%"` or `"20 GB"`
fn free(walk: &mut Walk<'_>, value: &Value<'_>, key: &str) -> Option<Free> {
    let text = walk.string(value, key, "a share or a size such as \"10%\" or \"20 GB\"")?;
    if text.value.trim_end().ends_with('%') {
        let percent = quantity::share(&text.value).filter(|percent| (1..100).contains(percent));
        if percent.is_none() {
            let message = format!("`{}` is not a share of a disk", text.value.escape_debug());
            walk.findings.add_with_hint(text.span, key, message, "\"1%\" to \"99%\", or a size");
        }
        return percent.map(Free::Percent);
    }
    match quantity::size(&text.value) {
        Ok(bytes) => Some(Free::Bytes(bytes)),
        Err(why) => {
            walk.findings.add_with_hint(text.span, key, why, "\"10%\" or \"20 GB\", say");
            None
        }
    }
}

/// `true`, or where the disk has to be mounted.
fn mounted(walk: &mut Walk<'_>, value: &Value<'_>, key: &str) -> Option<MountedConfig> {
    match value.get_ref().as_bool() {
        Some(true) => Some(MountedConfig::Apart),
        Some(false) => {
            let message =
                "this is true or the folder that the disk is mounted at; leave it out otherwise";
            walk.findings.add(value.span(), key, message);
            None
        }
        None => {
            let wanted = "true, or a folder such as \"/mnt/archive\"";
            let text = walk.string(value, key, wanted)?;
            let folder = folder(walk, key, &text)?;
            if folder.value == Path::new("/") {
                let message = "something is always mounted at `/`";
                let hint = "name the folder that the disk of the destination is mounted at";
                walk.findings.add_with_hint(folder.span, key, message, hint);
                return None;
            }
            Some(MountedConfig::At { folder, key: key.to_owned() })
        }
    }
}
