//! Points at which a test can end the process, to see what recovery makes of it.
//!
//! `TIDYD_CRASH_AT=<name>:<n>` aborts the process when the point `<name>` is reached for the `n`-th
//! time (from 1). Without it a point costs one load. A point named `….before-…` stands in front of a
//! system call that changes something, the others behind one.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Environment variable that arms one point.
pub const CRASH_VARIABLE: &str = "TIDYD_CRASH_AT";

/// Every point there is. The names are stable.
pub const CRASH_POINTS: &[&str] = &[
    "aside.before-rename",
    "aside.renamed",
    "aside.before-put-back",
    "aside.put-back",
    "aside.unlinked",
    "copy.before-create",
    "copy.created",
    "copy.written",
    "copy.attributed",
    "copy.synced",
    "copy.before-verified",
    "copy.verified",
    "copy.before-rename",
    "copy.renamed",
    "copy.directory-synced",
    "copy.before-discard",
    "copy.discarded",
    "dir.before-make",
    "dir.made",
    "dir.before-remove",
    "dir.removed",
    "link.before-hard",
    "link.before-symbolic",
    "link.made",
    "move.before-rename",
    "move.renamed",
    "move.before-put-back",
    "move.put-back",
    "rename.before-link",
    "rename.linked",
    "rename.case-aside",
    "sync.before",
    "sync.after",
    "tag.before-set",
    "tag.set",
    "unit.before-rename",
    "unit.renamed",
    "trash.before-directories",
    "trash.directories",
    "trash.before-info",
    "trash.info-created",
    "trash.info-written",
    "trash.before-info-removal",
    "trash.info-removed",
];

struct Armed {
    name: String,
    left: AtomicU32,
}

impl Armed {
    fn from_environment() -> Option<Self> {
        let value = std::env::var(CRASH_VARIABLE).ok()?;
        let (name, n) = value.rsplit_once(':').unwrap_or((&value, "1"));
        let known = CRASH_POINTS.contains(&name);
        match n.parse() {
            Ok(n) if known => Some(Self { name: name.to_owned(), left: AtomicU32::new(n) }),
            _ => {
                tracing::warn!(%value, "{CRASH_VARIABLE} names no crash point and is ignored");
                None
            }
        }
    }
}

/// Ends the process here if a test asked for it.
pub fn crash_point(name: &'static str) {
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    debug_assert!(CRASH_POINTS.contains(&name), "{name} is not in the table");
    #[cfg(test)]
    super::testing::reached(name);
    let Some(armed) = ARMED.get_or_init(Armed::from_environment) else { return };
    if armed.name == name && armed.left.fetch_sub(1, Ordering::Relaxed) == 1 {
        std::process::abort();
    }
}
