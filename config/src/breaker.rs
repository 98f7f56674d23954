//! `breaker`: how much tidyd does by itself in a minute before a person is asked.

use tidy_core::breaker::Limits;
use toml::de::DeValue;

use crate::quantity;
use crate::walk::{Keys, Table, Value, Walk};

const BREAKER: Keys = Keys::of(&["share", "at-least", "first", "operations"]);

/// `false` switches it off, `true` on; keys that a table leaves out are those of `base`. `None`: it is not
/// there, or wrong and reported.
pub(crate) fn read(
    walk: &mut Walk<'_>,
    table: &Table<'_, '_>,
    base: Limits,
) -> Option<Option<Limits>> {
    let value = table.get("breaker")?;
    let key = table.path("breaker");
    if let Some(on) = value.get_ref().as_bool() {
        return Some(on.then_some(base));
    }
    let table = walk.table(value, &key, "a table, or false")?;
    walk.check_keys(&table, &BREAKER);
    let mut limits = base;
    if let Some(value) = table.get("share")
        && let Some(share) = share(walk, value, &table.path("share"))
    {
        limits.share = share;
    }
    for (name, limit) in [
        ("at-least", &mut limits.at_least),
        ("first", &mut limits.first),
        ("operations", &mut limits.operations),
    ] {
        if let Some(value) = table.get(name)
            && let Some(n) = number(walk, value, &table.path(name))
        {
            *limit = n;
        }
    }
    Some(Some(limits))
}

/// `"50%"`
fn share(walk: &mut Walk<'_>, value: &Value<'_>, key: &str) -> Option<u8> {
    let text = walk.string(value, key, "a share such as \"50%\"")?;
    let share = quantity::share(&text.value);
    if share.is_none() {
        let message = format!("`{}` is not a share", text.value.escape_debug());
        walk.findings.add_with_hint(text.span, key, message, "\"0%\" to \"100%\"");
    }
    share
}

/// How many files; not none, for then nothing would ever be filed.
fn number(walk: &mut Walk<'_>, value: &Value<'_>, key: &str) -> Option<u64> {
    let DeValue::Integer(n) = value.get_ref() else {
        walk.wrong_type(value, key, "a number of files");
        return None;
    };
    let n = u64::from_str_radix(n.as_str(), n.radix()).ok().filter(|n| *n > 0);
    if n.is_none() {
        let hint = "`breaker = false` switches it off";
        walk.findings.add_with_hint(value.span(), key, "this must be 1 or more", hint);
    }
    n
}
