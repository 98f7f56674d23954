//! `[[rule]]` and `[[rule.test]]`.

use std::path::{Component, PathBuf};
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use tidy_core::UnixNanos;
use tidy_core::facts::{Attributes, Source};
use tidy_core::ignore::UnitKind;
use tidy_core::metadata::{Key, Metadata, Moment, Shape, Value as Known};
use tidy_core::policy::Conflict;
use tidy_core::rules::{Condition, Run};
use tidy_core::tags::{self, Tags};
use tidy_core::template::Template;
use toml::de::DeValue;

use crate::companions;
use crate::condition::{self, AGES, ATTRIBUTE_WANTED, Conditions};
use crate::model::{ActionConfig, Given, GivenTime, RuleConfig, TestConfig};
use crate::quantity;
use crate::read::{DEFAULT, destination};
use crate::walk::{At, Keys, Table, Value, Walk, inline};

const RULE: Keys = Keys {
    known: &[
        "name",
        "when",
        "move",
        "copy",
        "reflink",
        "hardlink",
        "symlink",
        "rename",
        "trash",
        "leave",
        "conflict",
        "companions",
        "tag",
        "run",
        "run-limit",
        "then",
        "test",
    ],
    later: &["need", "notify", "extract"],
    metadata: false,
};

const ACTIONS: [&str; 8] =
    ["move", "copy", "reflink", "hardlink", "symlink", "rename", "trash", "leave"];

const TEST: Keys = Keys::of(&["given", "expect", "tags"]);

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
    ],
    later: &[],
    metadata: true,
};

/// A rule's name goes into the journal and is printed on one line.
const NAME_MAX: usize = 200;

/// How long a command may take, unless its rule says otherwise, and at most.
const RUN_LIMIT: Duration = Duration::from_secs(60);
const RUN_LIMIT_MAX: Duration = Duration::from_secs(3600);

pub(crate) struct RuleReader<'r, 't> {
    pub(crate) walk: &'r mut Walk<'t>,
    pub(crate) conditions: &'r Conditions<'r>,
    pub(crate) tz: &'r TimeZone,
    /// `allow-run`.
    pub(crate) may_run: bool,
    /// Names so far, of rules with errors too.
    pub(crate) names: Vec<String>,
}

impl RuleReader<'_, '_> {
    /// `None` when it is not usable; the reason is among the findings.
    pub(crate) fn rule(&mut self, table: &Table<'_, '_>) -> Option<RuleConfig> {
        self.walk.check_keys(table, &RULE);
        let name = self.name(table);
        let when = self.when(table);
        let tags = self.tags(table);
        let action = self.action(table, tags.is_some());
        let conflict = table
            .get("conflict")
            .and_then(|v| self.walk.word(v, &table.path("conflict"), Conflict::ALL));
        if let (Some(action), Some(when)) = (&action, &when) {
            self.of_units(table, action, when);
            self.captures(table, action, tags.as_ref(), when);
        }
        if let (Some(action), Some(_)) = (&action, &tags) {
            self.may_tag(table, action, when.as_ref());
        }
        let companions = companions::read(self.walk, table);
        let run = self.run(table, action.as_ref());
        let go_on = self.then(table, action.as_ref());
        let tests = self.tests(table);
        let canonical = table
            .entries()
            .into_iter()
            .filter(|(key, _)| key.value != "test")
            .map(|(key, value)| (key.value, inline(value.get_ref())))
            .collect();
        Some(RuleConfig {
            name: name?,
            when: when?,
            action: action?,
            conflict,
            companions,
            tags,
            run,
            go_on,
            canonical,
            tests,
        })
    }

    fn name(&mut self, table: &Table<'_, '_>) -> Option<String> {
        let key = table.path("name");
        let Some(value) = table.get("name") else {
            let hint = "the name appears in the log and in `tidyctl explain`";
            let message = "this rule has no `name`";
            self.walk.findings.add_with_hint(table.span.clone(), &key, message, hint);
            return None;
        };
        let name = self.walk.string(value, &key, "a string")?;
        let reserved = [DEFAULT, tidy_core::duplicates::RULE].contains(&name.value.as_str())
            || name.value.starts_with("default ");
        let bad = if name.value.trim().is_empty() {
            "the name is empty".to_owned()
        } else if name.value.len() > NAME_MAX || name.value.contains(char::is_control) {
            format!("a name is one line of at most {NAME_MAX} bytes")
        } else if reserved {
            format!("the name `{}` is taken by tidyd itself", name.value)
        } else if self.names.contains(&name.value) {
            format!("there is a rule `{}` already", name.value)
        } else {
            self.names.push(name.value.clone());
            return Some(name.value);
        };
        self.walk.findings.add(name.span, &key, bad);
        None
    }

    fn when(&mut self, table: &Table<'_, '_>) -> Option<Condition> {
        let key = table.path("when");
        let Some(value) = table.get("when") else {
            let hint = "write when = {} if it is for every file";
            let message = "this rule has no `when`";
            self.walk.findings.add_with_hint(table.span.clone(), &key, message, hint);
            return None;
        };
        let when = self.walk.table(value, &key, "a table of conditions")?;
        Some(self.conditions.read(self.walk, &when))
    }

    fn action(&mut self, table: &Table<'_, '_>, has_tags: bool) -> Option<ActionConfig> {
        let mut given: Vec<_> =
            table.entries().into_iter().filter(|(k, _)| ACTIONS.contains(&&*k.value)).collect();
        let Some((word, value)) = given.pop() else {
            if has_tags || table.get("tag").is_some() {
                return Some(ActionConfig::Stay);
            }
            let message = "this rule does nothing";
            let hint = format!("give it one of: {}, tag", ACTIONS.join(", "));
            self.walk.findings.add_with_hint(table.span.clone(), &table.key, message, hint);
            return None;
        };
        let key = table.path(&word.value);
        if let Some((first, _)) = given.first() {
            let message =
                format!("this rule has two actions, `{}` and `{}`", first.value, word.value);
            let hint = "make two rules of it, the first with then = \"continue\"";
            self.walk.findings.add_with_hint(word.span, &key, message, hint);
            return None;
        }
        match word.value.as_str() {
            "trash" => self.yes(value, &key).then_some(ActionConfig::Trash),
            "leave" => self.yes(value, &key).then_some(ActionConfig::Leave),
            "rename" => self.rename(value, &key),
            action => {
                let text = self.walk.string(value, &key, "a destination")?;
                let to = destination(self.walk, self.tz, &key, text)?;
                Some(match action {
                    "copy" => ActionConfig::Copy(to),
                    "reflink" => ActionConfig::Reflink(to),
                    "hardlink" => ActionConfig::HardLink(to),
                    "symlink" => ActionConfig::Symlink(to),
                    _ => ActionConfig::Move(to),
                })
            }
        }
    }

    fn yes(&mut self, value: &Value<'_>, key: &str) -> bool {
        let given = self.walk.boolean(value, key);
        if given == Some(false) {
            let message = "this can only be true; leave it out otherwise";
            self.walk.findings.add(value.span(), key, message);
        }
        given == Some(true)
    }

    fn rename(&mut self, value: &Value<'_>, key: &str) -> Option<ActionConfig> {
        let text = self.walk.string(value, key, "a new name")?;
        match Template::parse_name(&text.value, self.tz) {
            Ok(template) => Some(ActionConfig::Rename(template)),
            Err(why) => {
                let span = self.walk.inside(&text, why.span());
                self.walk.findings.add(span, key, why.to_string());
                None
            }
        }
    }

    /// What can be done with a folder as a whole.
    fn of_units(&mut self, table: &Table<'_, '_>, action: &ActionConfig, when: &Condition) {
        let possible =
            matches!(action, ActionConfig::Move(_) | ActionConfig::Rename(_) | ActionConfig::Leave);
        if when.asks_for_units() && !possible {
            let message = "a folder that is one thing can only be moved, renamed or left";
            let hint = "use `move`, `rename` or `leave` in a rule with `unit`";
            self.walk.findings.add_with_hint(table.span.clone(), &table.key, message, hint);
        }
    }

    /// A template may name only what the rule's own expressions capture.
    fn captures(
        &mut self,
        table: &Table<'_, '_>,
        action: &ActionConfig,
        tags: Option<&Tags>,
        when: &Condition,
    ) {
        let template = match action {
            ActionConfig::Rename(template) => Some(template.clone()),
            other => other.destination().and_then(|to| to.unresolved(self.tz).ok()),
        };
        let names = when.capture_names();
        let templates = template.iter().chain(tags.into_iter().flat_map(Tags::templates));
        let captures = templates.flat_map(Template::captures);
        for capture in captures.filter(|c| !names.iter().any(|n| n == c)) {
            let message = format!("nothing in this rule captures `{capture}`");
            let group = capture.split_once('.').map_or(capture, |(_, group)| group);
            let key = if capture.starts_with("text.") { "text" } else { "regex" };
            let hint = format!("`when` needs {key} = '… (?P<{group}>…) …'");
            self.walk.findings.add_with_hint(table.span.clone(), &table.key, message, hint);
        }
    }

    /// What the file is marked with.
    fn tags(&mut self, table: &Table<'_, '_>) -> Option<Tags> {
        let value = table.get("tag")?;
        let key = table.path("tag");
        let mut templates = Vec::new();
        for text in self.walk.strings(value, &key) {
            let plain = !text.value.contains('{');
            if plain && (text.value.contains(',') || tags::word(&text.value).is_none()) {
                let message = "a tag is a word or some words, without a comma";
                let hint = "several tags are a list: tag = [\"invoice\", \"{modified:%Y}\"]";
                self.walk.findings.add_with_hint(text.span, &key, message, hint);
                continue;
            }
            match Template::parse_text(&text.value, self.tz) {
                Ok(template) => templates.push(template),
                Err(why) => {
                    let span = self.walk.inside(&text, why.span());
                    self.walk.findings.add(span, &key, why.to_string());
                }
            }
        }
        (!templates.is_empty()).then(|| Tags::new(templates))
    }

    /// What tags go with.
    fn may_tag(&mut self, table: &Table<'_, '_>, action: &ActionConfig, when: Option<&Condition>) {
        let key = table.path("tag");
        let span = table.get("tag").map_or_else(|| table.span.clone(), |v| v.span());
        if when.is_some_and(Condition::asks_for_units) {
            let message = "a folder that is one thing gets no tags";
            self.walk.findings.add(span, &key, message);
            return;
        }
        let hint = match action {
            ActionConfig::Move(_) | ActionConfig::Rename(_) | ActionConfig::Stay => return,
            ActionConfig::Leave => {
                "leave out `leave`: a rule that only has `tag` leaves the file where it is"
            }
            ActionConfig::Trash => "leave one of them out",
            _ => "make two rules of it, the one with `tag` first and with then = \"continue\"",
        };
        let message = "`tag` goes with `move` or `rename`, or stands alone";
        self.walk.findings.add_with_hint(span, &key, message, hint);
    }

    /// What is run afterwards; only where the whole configuration allows it.
    fn run(&mut self, table: &Table<'_, '_>, action: Option<&ActionConfig>) -> Option<Run> {
        let limit = table.get("run-limit").and_then(|v| self.length(v, &table.path("run-limit")));
        let limit = limit.unwrap_or(RUN_LIMIT);
        let value = table.get("run")?;
        let key = table.path("run");
        if limit.is_zero() || limit > RUN_LIMIT_MAX {
            let message = "`run-limit` is between one second and one hour";
            self.walk.findings.add(value.span(), &table.path("run-limit"), message);
        }
        if !value.get_ref().is_array() {
            let message =
                "`run` is a program with its arguments, each by itself: there is no shell";
            let hint = "such as run = [\"ocrmypdf\", \"{path}\", \"{path}\"]";
            self.walk.findings.add_with_hint(value.span(), &key, message, hint);
            return None;
        }
        if !self.may_run {
            let message = "commands run only where the configuration allows them";
            let hint = "write allow-run = true at the top of the file";
            self.walk.findings.add_with_hint(value.span(), &key, message, hint);
        }
        if matches!(action, Some(ActionConfig::Leave)) {
            let message = "nothing is run for files that are left";
            self.walk.findings.add(value.span(), &key, message);
        }
        let argv = self.walk.list(value, &key).into_iter().map(|a| a.value).collect();
        Run::new(argv, limit)
            .map_err(|why| self.walk.findings.add(value.span(), &key, why.to_string()))
            .ok()
    }

    fn then(&mut self, table: &Table<'_, '_>, action: Option<&ActionConfig>) -> bool {
        let Some(value) = table.get("then") else { return false };
        let key = table.path("then");
        let go_on = self.walk.word(value, &key, &[("continue", true), ("stop", false)]);
        let bad = match action {
            Some(ActionConfig::Trash | ActionConfig::Leave) => {
                Some("nothing can follow `trash` or `leave`")
            }
            Some(ActionConfig::Symlink(_)) => {
                Some("nothing can follow `symlink`: it would point to where the file was")
            }
            _ => None,
        };
        if let (Some(true), Some(message)) = (go_on, bad) {
            self.walk.findings.add(value.span(), &key, message);
        }
        go_on.unwrap_or(false)
    }

    fn tests(&mut self, table: &Table<'_, '_>) -> Vec<TestConfig> {
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
        let tags = table.get("tags").map(|value| {
            self.walk.list(value, &table.path("tags")).into_iter().map(|t| t.value).collect()
        });
        Some(TestConfig { given: given?, expect: expect.value, tags, line })
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
        Some(Given {
            attributes,
            path: path?,
            metadata,
            text: text(self.walk, "text").map(|t| t.value),
            kind,
            mime: text(self.walk, "mime").map(|t| t.value.to_lowercase()),
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

    fn length(&mut self, value: &Value<'_>, key: &str) -> Option<std::time::Duration> {
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
