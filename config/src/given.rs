//! `[[rule.test]]`: files that are only described.

use std::path::{Component, PathBuf};

use jiff::civil::DateTime;
use tidy_core::UnixNanos;
use tidy_core::facts::{Attributes, Source};
use tidy_core::ignore::UnitKind;
use tidy_core::metadata::{Key, Metadata, Moment, Shape, Value as Known};
use tidy_core::tags;
use toml::de::DeValue;

use crate::condition::{self, AGES, ATTRIBUTE_WANTED};
use crate::model::{Given, GivenTime, TestConfig};
use crate::quantity;
use crate::rule::RuleReader;
use crate::walk::{At, Keys, Table, Value, Walk};

const TEST: Keys = Keys::of(&["given", "expect", "tags", "along"]);

const GIVEN: Keys = Keys {
    known: &[
        "name",
        "path",
        "kind",
        "mime",
        "size",
        "age",
        "modified",
        "created",
        "accessed",
        "changed",
        "origin",
        "mismatch",
        "duplicate",
        "unit",
        "text",
        "tag",
        "xattr",
        "true_ext",
        "beside",
    ],
    later: &[],
    metadata: true,
};

impl RuleReader<'_, '_> {
    pub(crate) fn tests(&mut self, table: &Table<'_, '_>) -> Vec<TestConfig> {
        let Some(value) = table.get("test") else { return Vec::new() };
        let tables = self.walk.tables(value, &table.path("test"));
        tables.iter().filter_map(|t| self.test(t)).collect()
    }

    fn test(&mut self, table: &Table<'_, '_>) -> Option<TestConfig> {
        self.walk.check_keys(table, &TEST);
        let given = self.required(table, "given");
        let given = given.and_then(|v| self.walk.table(v, &table.path("given"), "a table"));
        let given = given.and_then(|t| self.given(&t));
        let expect = self.required(table, "expect")?;
        let wanted = "a path, \"leave\" or \"trash\"";
        let expect = self.walk.string(expect, &table.path("expect"), wanted)?;
        let line =
            self.walk.text.get(..expect.span.start).map_or(0, |t| t.matches('\n').count()) + 1;
        let [tags, along] = ["tags", "along"].map(|word| {
            let list = self.walk.list(table.get(word)?, &table.path(word));
            Some(list.into_iter().map(|t| t.value).collect())
        });
        Some(TestConfig { given: given?, expect: expect.value, tags, along, line })
    }

    fn required<'a, 'i>(&mut self, table: &Table<'a, 'i>, word: &str) -> Option<&'a Value<'i>> {
        let value = table.get(word);
        if value.is_none() {
            let message = format!("`{word}` is missing");
            self.walk.findings.add(table.span.clone(), &table.path(word), message);
        }
        value
    }

    fn given(&mut self, table: &Table<'_, '_>) -> Option<Given> {
        self.walk.check_keys(table, &GIVEN);
        let text = |walk: &mut Walk<'_>, word: &str| {
            let value = table.get(word)?;
            walk.string(value, &table.path(word), "a string")
        };
        let flag = |walk: &mut Walk<'_>, word: &str| {
            table.get(word).and_then(|v| walk.boolean(v, &table.path(word))).unwrap_or(false)
        };
        let path = self.given_path(table);
        let kind = text(self.walk, "kind");
        let kind = kind.and_then(|k| self.conditions.kind(self.walk, &table.path("kind"), &k));
        let size = text(self.walk, "size").map(|t| self.size(&t, &table.path("size")));
        let times =
            AGES.iter().filter_map(|(word, of)| Some((*of, self.time(table, word)?))).collect();
        let metadata = self.given_metadata(table);
        let attributes = self.given_attributes(table);
        let beside = table.get("beside").map(|v| self.walk.list(v, &table.path("beside")));
        Some(Given {
            beside: beside.into_iter().flatten().map(|name| name.value).collect(),
            attributes,
            path: path?,
            metadata,
            text: text(self.walk, "text").map(|t| t.value),
            kind,
            mime: text(self.walk, "mime").map(|t| t.value.to_lowercase()),
            true_ext: text(self.walk, "true_ext").map(|t| t.value),
            size: size.unwrap_or(0),
            times,
            origin: text(self.walk, "origin").map(|t| t.value),
            mismatch: flag(self.walk, "mismatch"),
            duplicate: flag(self.walk, "duplicate"),
            unit: table
                .get("unit")
                .and_then(|v| self.walk.word(v, &table.path("unit"), UnitKind::ALL)),
        })
    }

    fn given_metadata(&mut self, table: &Table<'_, '_>) -> Metadata {
        let mut given = Metadata::default();
        for (word, key, shape) in Key::ALL {
            let Some(value) = table.get(word) else { continue };
            let path = table.path(word);
            let value = match shape {
                Shape::Text => {
                    self.walk.string(value, &path, "a string").map(|t| Known::Text(t.value))
                }
                Shape::Number => self.count(value, &path).map(Known::Number),
                Shape::Length => self.length(value, &path).map(Known::Length),
                Shape::Moment => self.moment(value, &path).map(|m| Known::Moment(Moment::Local(m))),
            };
            if let Some(value) = value {
                given.put(*key, value, Source::Given);
            }
        }
        given
    }

    fn given_attributes(&mut self, table: &Table<'_, '_>) -> Attributes {
        let mut given = Attributes::new();
        if let Some(value) = table.get("xattr") {
            let key = table.path("xattr");
            if let Some(attribute) = self.walk.table(value, &key, ATTRIBUTE_WANTED) {
                let (name, value) = condition::attribute(self.walk, &attribute);
                let value = value.and_then(|list| list.into_iter().next()).map(|v| v.value);
                given.extend(name.map(|name| (name, value.unwrap_or_default().into_bytes())));
            }
        }
        if let Some(value) = table.get("tag") {
            let list = self.walk.strings(value, &table.path("tag"));
            let list: Vec<_> = list.into_iter().map(|tag| tag.value).collect();
            given.insert(tags::ATTRIBUTE.to_owned(), list.join(",").into_bytes());
        }
        given
    }

    fn count(&mut self, value: &Value<'_>, key: &str) -> Option<u64> {
        let number = value.get_ref().as_integer().and_then(|n| n.as_str().parse().ok());
        if number.is_none() {
            self.walk.findings.add(value.span(), key, "this must be a whole number");
        }
        number
    }

    pub(crate) fn length(&mut self, value: &Value<'_>, key: &str) -> Option<std::time::Duration> {
        let text = self.walk.string(value, key, "a length such as \"3m\"")?;
        quantity::duration(&text.value)
            .map_err(|why| self.walk.findings.add(text.span, key, why))
            .ok()
    }

    fn moment(&mut self, value: &Value<'_>, key: &str) -> Option<DateTime> {
        let wanted = "a date and time such as \"2024-05-06T10:00:00\"";
        let text = match value.get_ref() {
            DeValue::Datetime(moment) => moment.to_string(),
            _ => self.walk.string(value, key, wanted)?.value,
        };
        let moment = text.parse().ok();
        if moment.is_none() {
            self.walk.findings.add(value.span(), key, format!("this must be {wanted}"));
        }
        moment
    }

    /// From `path` or `name`: below the watched folder.
    fn given_path(&mut self, table: &Table<'_, '_>) -> Option<PathBuf> {
        let word = if table.get("path").is_some() { "path" } else { "name" };
        let value = self.required(table, word)?;
        let text = self.walk.string(value, &table.path(word), "a string")?;
        let path = PathBuf::from(&text.value);
        let plain = path.components().all(|c| matches!(c, Component::Normal(_)))
            && !text.value.is_empty()
            && !text.value.contains('\0')
            && (word == "path" || !text.value.contains('/'));
        if !plain {
            let message = format!("`{word}` must be the file's {word} below the watched folder");
            self.walk.findings.add(text.span, &table.path(word), message);
            return None;
        }
        Some(path)
    }

    fn size(&mut self, text: &At<String>, key: &str) -> u64 {
        quantity::size(&text.value).unwrap_or_else(|why| {
            self.walk.findings.add(text.span.clone(), key, why);
            0
        })
    }

    /// An age (`"3d"`) or a moment (`"2024-05-06T10:00:00"`, quoted or not).
    fn time(&mut self, table: &Table<'_, '_>, word: &str) -> Option<GivenTime> {
        let value = table.get(word)?;
        let key = table.path(word);
        let text = match value.get_ref() {
            DeValue::Datetime(moment) => moment.to_string(),
            _ => self.walk.string(value, &key, "an age such as \"3d\" or a date and time")?.value,
        };
        if let Ok(age) = quantity::duration(&text) {
            return Some(GivenTime::Ago(age));
        }
        let moment = text.parse::<jiff::Timestamp>().or_else(|_| {
            let local: DateTime = text.parse()?;
            local.to_zoned(self.tz.clone()).map(|z| z.timestamp())
        });
        match moment {
            Ok(moment) => Some(GivenTime::At(UnixNanos::from_parts(
                moment.as_second(),
                u32::try_from(moment.subsec_nanosecond()).unwrap_or(0),
            ))),
            Err(_) => {
                let message = format!("`{}` is no age and no date and time", text.escape_debug());
                let hint = "such as \"3d\" or \"2024-05-06T10:00:00\"";
                self.walk.findings.add_with_hint(value.span(), &key, message, hint);
                None
            }
        }
    }
}
