//! `[[rule]]`.

use std::time::Duration;

use jiff::tz::TimeZone;
use tidy_core::policy::Conflict;
use tidy_core::rules::{Condition, Notice, Run};
use tidy_core::tags::{self, Tags};
use tidy_core::template::Template;

use crate::companions;
use crate::condition::Conditions;
use crate::model::{ActionConfig, RuleConfig};
use crate::need;
use crate::read::{DEFAULT, destination};
use crate::walk::{Keys, Table, Value, Walk, inline};

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
        "need",
        "tag",
        "run",
        "run-limit",
        "notify",
        "then",
        "test",
    ],
    later: &["extract"],
    metadata: false,
};

const ACTIONS: [&str; 8] =
    ["move", "copy", "reflink", "hardlink", "symlink", "rename", "trash", "leave"];

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
    /// `notify` of the whole configuration.
    pub(crate) notify: bool,
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
        let need = need::read(self.walk, table, action.as_ref());
        let run = self.run(table, action.as_ref());
        let notice = self.notice(table, action.as_ref());
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
            need,
            tags,
            run,
            notice,
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

    /// What is told on the desktop.
    fn notice(&mut self, table: &Table<'_, '_>, action: Option<&ActionConfig>) -> Option<Notice> {
        let default = || self.notify.then(Notice::default);
        let Some(value) = table.get("notify") else { return default() };
        let key = table.path("notify");
        let notice = match value.get_ref().as_bool() {
            Some(wanted) => wanted.then(Notice::default),
            None => {
                let wanted = "true, false or a text such as \"{files} in {folder}\"";
                let text = self.walk.string(value, &key, wanted)?;
                Notice::new(text.value)
                    .map_err(|why| self.walk.findings.add(text.span, &key, why.to_string()))
                    .ok()
            }
        };
        if notice.is_some() && matches!(action, Some(ActionConfig::Leave)) {
            let message = "nothing is told of files that are left";
            self.walk.findings.add(value.span(), &key, message);
        }
        notice
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
}
