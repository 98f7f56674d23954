//! `companions`: `true`, `false`, or a list of extensions; at the top and in a rule.

use tidy_core::companions::Companions;
use toml::de::DeValue;

use crate::condition;
use crate::walk::{Table, Walk};

/// `None` when there is no such key, or it makes no sense.
pub(crate) fn read(walk: &mut Walk<'_>, table: &Table<'_, '_>) -> Option<Companions> {
    let value = table.get("companions")?;
    let key = table.path("companions");
    match value.get_ref() {
        DeValue::Boolean(true) => Some(Companions::default()),
        DeValue::Boolean(false) => Some(Companions::none()),
        DeValue::Array(_) => {
            let list = walk.strings(value, &key);
            let listed = condition::extensions(walk, &key, &list);
            Some(Companions { known: false, listed })
        }
        _ => {
            let message = "this must be true, false or a list of extensions";
            let hint = "such as companions = [\"xmp\", \"aae\"]";
            walk.findings.add_with_hint(value.span(), &key, message, hint);
            None
        }
    }
}
