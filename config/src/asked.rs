//! Conditions that somebody asks about, outside of the file: what `when` says, in a search.

use jiff::tz::TimeZone;
use tidy_core::rules::Condition;
use toml::de::DeTable;

use crate::condition::Conditions;
use crate::error::ConfigErrors;
use crate::walk::{Keys, Table, Walk};

/// Longest text taken, in bytes.
const MAX: usize = 4096;

/// Reads what stands between the braces of `when = { … }`. `categories` are those that the configuration adds.
///
/// # Errors
/// Everything that is wrong with it.
pub fn condition(
    text: &str,
    categories: &[String],
    tz: &TimeZone,
) -> Result<Condition, ConfigErrors> {
    let origin = "the condition".to_owned();
    if text.len() > MAX {
        let message = format!("it is longer than {MAX} bytes");
        return Err(ConfigErrors::whole(&origin, message, None));
    }
    let text = format!("when = {{ {text} }}");
    let mut walk = Walk::new(&text);
    let (document, syntax) = DeTable::parse_recoverable(&text);
    if let Some(error) = syntax.first() {
        let message: Vec<&str> = error.message().lines().map(str::trim).collect();
        let hint = "such as: artist = \"Nina*\", year = \">= 1960\"".to_owned();
        walk.findings.push(error.span(), "", message.join("; "), Some(hint));
        return Err(ConfigErrors { origin, errors: walk.findings.located(&text) });
    }
    let top = Table::top(&document);
    walk.check_keys(&top, &Keys::of(&["when"]));
    let table =
        top.get("when").and_then(|value| walk.table(value, "when", "a table of conditions"));
    let condition = table.map(|table| Conditions { categories, tz }.read(&mut walk, &table));
    match condition {
        Some(condition) if walk.findings.is_empty() => Ok(condition),
        _ => Err(ConfigErrors { origin, errors: walk.findings.located(&text) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Condition, String> {
        condition(text, &["papers".to_owned()], &TimeZone::UTC).map_err(|e| e.to_string())
    }

    #[test]
    fn what_a_rule_may_ask_can_be_asked() {
        for good in [
            "artist = \"Nina*\"",
            "kind = [\"image\", \"papers\"], camera = \"X100*\"",
            "any = [{ pages = \">= 3\" }, { text = 'invoice' }], not = { mime = \"image/*\" }",
            "",
        ] {
            assert!(read(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn what_cannot_be_asked_is_told_with_its_place() {
        let wrong = read("kind = \"imgae\"").unwrap_err();
        assert!(wrong.contains("did you mean `image`?"), "{wrong}");
        for bad in [
            "artist = Nina",
            "colour = \"red\"",
            "size = \"large\"",
            // Nothing stands beside the table, and nothing after it.
            "} \n watch = [\"/\"] #",
            "}, other = { a = 1",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(read(&"x".repeat(MAX + 1)).unwrap_err().contains("longer"));
    }
}
