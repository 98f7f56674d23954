//! Conditions on the command line: `camera=X100*`, `pages>=3`, or as a rule has them.

/// One condition as a rule's `when` has it.
pub(crate) fn parse(text: &str) -> Result<String, String> {
    let wrong =
        || "not a condition; write KEY=VALUE or KEY>=VALUE, such as camera='X100*'".to_owned();
    let at = text.find(['=', '<', '>']).ok_or_else(wrong)?;
    let (key, rest) = text.split_at(at);
    let key = key.trim();
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if key.is_empty() || !key.chars().all(is_key) {
        return Err(wrong());
    }
    let value = match rest.strip_prefix('=') {
        // `pages>=3`: the comparison is part of the value.
        None => rest.trim(),
        Some(value) if is_toml(value.trim()) => return Ok(format!("{key} = {}", value.trim())),
        Some(value) => value.trim(),
    };
    if value.is_empty() {
        return Err(wrong());
    }
    Ok(format!("{key} = {}", quoted(value)))
}

/// All of the conditions as one.
pub(crate) fn all(conditions: &[String]) -> Option<String> {
    match conditions {
        [] => None,
        [one] => Some(one.clone()),
        // Each by itself, since a key may be there twice.
        several => Some(format!("all = [{{ {} }}]", several.join(" }, { "))),
    }
}

/// That the media type is one of these.
pub(crate) fn of_type(pattern: &str) -> String {
    format!("mime = {}", quoted(pattern))
}

/// Whether it is a value as the configuration has it: in quotes, a list, a table, or a word that is no text.
fn is_toml(value: &str) -> bool {
    value.starts_with(['"', '\'', '[', '{'])
        || ["true", "false"].contains(&value)
        || value.parse::<u64>().is_ok()
}

/// A text as TOML has it: its basic strings know all escapes of JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_becomes_what_a_rule_has() {
        for (text, toml) in [
            ("camera=X100*", r#"camera = "X100*""#),
            ("artist = Nina Simone", r#"artist = "Nina Simone""#),
            ("pages>=3", r#"pages = ">=3""#),
            ("year < 1970", r#"year = "< 1970""#),
            ("pages=>= 3", r#"pages = ">= 3""#),
            ("track=7", "track = 7"),
            ("mismatch=true", "mismatch = true"),
            (r#"kind = ["image", "video"], year = 7"#, r#"kind = ["image", "video"], year = 7"#),
            ("title=a \"b\" \\ c\n", r#"title = "a \"b\" \\ c""#),
            ("text=(?i)a=b", r#"text = "(?i)a=b""#),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(toml), "{text}");
        }
        for bad in ["", "camera", "=x", "camera=", "a b=c", "}=x"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn several_are_asked_together() {
        let of = |list: &[&str]| all(&list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["a = 1"]).as_deref(), Some("a = 1"));
        assert_eq!(of(&["a = 1", "a = 2"]).as_deref(), Some("all = [{ a = 1 }, { a = 2 }]"));
    }
}
