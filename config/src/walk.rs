//! Walking the parsed TOML by hand: serde's untagged and flattened types lose the spans, and stop at
//! the first error.

use std::fmt::Write as _;
use std::ops::Range;

use tidy_core::metadata;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Findings, did_you_mean};

pub(crate) type Value<'i> = Spanned<DeValue<'i>>;

/// A value with its place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    /// In bytes of the file.
    pub(crate) span: Range<usize>,
}

/// The text and what has been found wrong with it.
pub(crate) struct Walk<'t> {
    pub(crate) text: &'t str,
    pub(crate) findings: Findings,
}

/// A table whose keys have been checked.
#[derive(Clone)]
pub(crate) struct Table<'a, 'i> {
    table: &'a DeTable<'i>,
    /// Dotted; empty at the top.
    pub(crate) key: String,
    pub(crate) span: Range<usize>,
}

/// The keys a table may have.
pub(crate) struct Keys {
    pub(crate) known: &'static [&'static str],
    /// Keys that later versions will know.
    pub(crate) later: &'static [&'static str],
    /// Whether it also has those of [`metadata::Key`].
    pub(crate) metadata: bool,
}

impl Keys {
    /// Just these.
    pub(crate) const fn of(known: &'static [&'static str]) -> Self {
        Self { known, later: &[], metadata: false }
    }

    fn words(&self) -> impl Iterator<Item = &'static str> {
        let metadata = if self.metadata { metadata::Key::ALL } else { &[] };
        self.known.iter().copied().chain(metadata.iter().map(|(word, ..)| *word))
    }
}

impl<'a, 'i> Table<'a, 'i> {
    pub(crate) fn top(table: &'a Spanned<DeTable<'i>>) -> Self {
        Self { table: table.get_ref(), key: String::new(), span: 0..0 }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'a Value<'i>> {
        self.table.get(key)
    }

    pub(crate) fn path(&self, key: &str) -> String {
        if self.key.is_empty() { key.to_owned() } else { format!("{}.{key}", self.key) }
    }

    /// The entries in the order of the file (the parser's map is sorted by key).
    pub(crate) fn entries(&self) -> Vec<(At<String>, &'a Value<'i>)> {
        let mut entries: Vec<_> = self
            .table
            .iter()
            .map(|(k, v)| (At { value: k.get_ref().to_string(), span: k.span() }, v))
            .collect();
        entries.sort_by_key(|(k, _)| k.span.start);
        entries
    }
}

impl<'t> Walk<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, findings: Findings::default() }
    }

    /// Reports the keys that `keys` does not have.
    pub(crate) fn check_keys(&mut self, table: &Table<'_, '_>, keys: &Keys) {
        for (key, _) in table.entries() {
            let word = key.value.as_str();
            if keys.words().any(|known| known == word) {
                continue;
            }
            let path = table.path(word);
            if keys.later.contains(&word) {
                let message = format!("`{word}` comes with a later version");
                let hint = "take it out for now; everything else works without it";
                self.findings.add_with_hint(key.span, &path, message, hint);
            } else {
                let near = did_you_mean(word, keys.words());
                let message = format!("unknown key `{}`{near}", word.escape_debug());
                let hint = format!("known here: {}", keys.words().collect::<Vec<_>>().join(", "));
                self.findings.add_with_hint(key.span, &path, message, hint);
            }
        }
    }

    /// Reports a value of the wrong type.
    pub(crate) fn wrong_type(&mut self, value: &Value<'_>, key: &str, wanted: &str) {
        let word = key.rsplit('.').next().unwrap_or(key);
        let message = format!("`{word}` must be {wanted}, not {}", type_of(value.get_ref()));
        self.findings.add(value.span(), key, message);
    }

    pub(crate) fn string(
        &mut self,
        value: &Value<'_>,
        key: &str,
        wanted: &str,
    ) -> Option<At<String>> {
        match value.get_ref().as_str() {
            Some(s) => Some(At { value: s.to_owned(), span: value.span() }),
            None => {
                self.wrong_type(value, key, wanted);
                None
            }
        }
    }

    pub(crate) fn boolean(&mut self, value: &Value<'_>, key: &str) -> Option<bool> {
        let found = value.get_ref().as_bool();
        if found.is_none() {
            self.wrong_type(value, key, "true or false");
        }
        found
    }

    pub(crate) fn table<'a, 'i>(
        &mut self,
        value: &'a Value<'i>,
        key: &str,
        wanted: &str,
    ) -> Option<Table<'a, 'i>> {
        match value.get_ref().as_table() {
            Some(table) => Some(Table { table, key: key.to_owned(), span: value.span() }),
            None => {
                self.wrong_type(value, key, wanted);
                None
            }
        }
    }

    /// A list of tables, such as `[[rule]]`.
    pub(crate) fn tables<'a, 'i>(&mut self, value: &'a Value<'i>, key: &str) -> Vec<Table<'a, 'i>> {
        let Some(array) = value.get_ref().as_array() else {
            let wanted = match key {
                "rule" | "watch-override" => format!("a list of tables (write [[{key}]])"),
                _ => "a list of tables".to_owned(),
            };
            self.wrong_type(value, key, &wanted);
            return Vec::new();
        };
        array
            .iter()
            .enumerate()
            .filter_map(|(i, v)| self.table(v, &format!("{key}[{}]", i + 1), "a table"))
            .collect()
    }

    /// One string or a list of strings; not an empty list.
    pub(crate) fn strings(&mut self, value: &Value<'_>, key: &str) -> Vec<At<String>> {
        match value.get_ref() {
            DeValue::String(s) => vec![At { value: s.to_string(), span: value.span() }],
            DeValue::Array(_) => {
                let list = self.list(value, key);
                if value.get_ref().as_array().is_some_and(|a| a.is_empty()) {
                    self.findings.add(value.span(), key, "the list is empty, so nothing matches");
                }
                list
            }
            _ => {
                self.wrong_type(value, key, "a string or a list of strings");
                Vec::new()
            }
        }
    }

    /// A list of strings, which may be empty.
    pub(crate) fn list(&mut self, value: &Value<'_>, key: &str) -> Vec<At<String>> {
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(value, key, "a list of strings");
            return Vec::new();
        };
        array
            .iter()
            .enumerate()
            .filter_map(|(i, v)| self.string(v, &format!("{key}[{}]", i + 1), "a string"))
            .collect()
    }

    /// One of a table of words.
    pub(crate) fn word<T: Copy>(
        &mut self,
        value: &Value<'_>,
        key: &str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let found = self.string(value, key, "a string")?;
        if let Some((_, t)) = words.iter().find(|(w, _)| *w == found.value) {
            return Some(*t);
        }
        let near = did_you_mean(&found.value, words.iter().map(|(w, _)| *w));
        let list: Vec<_> = words.iter().map(|(w, _)| format!("\"{w}\"")).collect();
        let message = format!("\"{}\" is not possible here{near}", found.value.escape_debug());
        self.findings.add_with_hint(
            found.span,
            key,
            message,
            format!("one of {}", list.join(", ")),
        );
        None
    }

    /// The place of a part of a string's value, when the file has it without escapes; else the whole.
    pub(crate) fn inside(&self, string: &At<String>, part: Range<usize>) -> Range<usize> {
        let raw = self.text.get(string.span.clone()).unwrap_or_default();
        let quotes = if raw.starts_with("\"\"\"") || raw.starts_with("'''") { 3 } else { 1 };
        let plain = raw.get(quotes..).is_some_and(|r| r.starts_with(&string.value));
        if plain && part.end <= string.value.len() {
            let start = string.span.start + quotes;
            start + part.start..start + part.end
        } else {
            string.span.clone()
        }
    }
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The value as TOML on one line, keys in the order of the file: the same for the same meaning,
/// whatever its layout and quoting. `config show` prints it and fingerprints are taken of it.
pub(crate) fn inline(value: &DeValue<'_>) -> String {
    let mut out = String::new();
    write_inline(&mut out, value);
    out
}

fn write_inline(out: &mut String, value: &DeValue<'_>) {
    match value {
        DeValue::String(s) => out.push_str(&quoted(s)),
        // Writing to a String does not fail.
        DeValue::Integer(n) => drop(write!(out, "{n}")),
        DeValue::Float(n) => drop(write!(out, "{n}")),
        DeValue::Boolean(b) => drop(write!(out, "{b}")),
        DeValue::Datetime(d) => drop(write!(out, "{d}")),
        DeValue::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                write_inline(out, item.get_ref());
            }
            out.push(']');
        }
        DeValue::Table(table) => {
            let table = Table { table, key: String::new(), span: 0..0 };
            out.push_str("{ ");
            for (i, (key, item)) in table.entries().into_iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                out.push_str(&bare_or_quoted(&key.value));
                out.push_str(" = ");
                write_inline(out, item.get_ref());
            }
            out.push_str(" }");
        }
    }
}

/// A TOML string.
pub(crate) fn quoted(s: &str) -> String {
    toml::Value::String(s.to_owned()).to_string()
}

/// A TOML key.
pub(crate) fn bare_or_quoted(key: &str) -> String {
    let bare = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if !key.is_empty() && key.bytes().all(bare) { key.to_owned() } else { quoted(key) }
}
