//! The effective configuration as TOML: what was written and what applies without being written.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use tidy_core::breaker::Limits;
use tidy_core::companions::Companions;
use tidy_core::policy::{Conflict, Keep};

use crate::backup;
use crate::folders::Words;
use crate::limits::LimitsConfig;
use crate::metrics;
use crate::model::{CategoryConfig, Config, OthersConfig, Override, UNPACKED};
use crate::read_only;
use crate::walk::{bare_or_quoted, quoted};

impl Config {
    /// The effective configuration; reading it again gives the same one.
    pub fn show(&self) -> String {
        let mut out = Page::default();
        out.key("watch", list(self.watch.iter().map(|w| path(&w.value))));
        out.key("ignore", list(self.ignore.iter().map(|g| quoted(g))));
        out.key("settle", duration(self.settle));
        out.key("conflict", quoted(conflict(self.conflict)));
        out.key("language", quoted(self.language.map_or("auto", Words::code)));
        out.key("confine", self.confine.to_string());
        out.key("allow-shared", list(self.allow_shared.iter().map(|s| path(&s.value))));
        out.key("breaker", breaker(self.breaker));
        out.key("backup", backup::shown(&self.backup, path, duration));
        if self.log.redact {
            out.key("log", "{ redact = true }".to_owned());
        }
        out.key("companions", companions(&self.companions));
        out.key("allow-run", self.allow_run.to_string());
        if let Some(socket) = &self.read_only {
            out.key("read-only", read_only::shown(socket, path));
        }
        out.key("notify", self.notify.to_string());
        out.table("[duplicates]");
        out.key("scope", list(self.duplicates.scope.iter().map(|s| path(&s.value))));
        out.key("keep", quoted(keep(self.duplicates.keep)));
        out.key("others", others(&self.duplicates.others));
        out.table("[journal]");
        out.key("keep", duration(self.journal.keep));
        out.key("at_most", quoted(&format!("{} B", self.journal.at_most)));
        if self.limits != LimitsConfig::default() {
            out.table("[limits]");
            if let Some(read) = self.limits.read {
                out.key("read", quoted(&format!("{read} B/s")));
            }
            if self.limits.pause_on_battery {
                out.key("pause-on-battery", true.to_string());
            }
        }
        let lines = metrics::shown(&self.metrics, path, duration);
        if !lines.is_empty() {
            out.table("[metrics]");
        }
        for (key, value) in lines {
            out.key(key, value);
        }
        for with in &self.overrides {
            show_override(&mut out, with);
        }
        for category in &self.categories {
            show_category(&mut out, category);
        }
        for rule in &self.rules {
            out.table("[[rule]]");
            for (key, value) in &rule.canonical {
                out.key(key, value.clone());
            }
        }
        out.table(if self.default_is_built_in { "[default] # built in" } else { "[default]" });
        for (category, destination) in &self.default {
            out.key(category.as_str(), quoted(&destination.at.value));
        }
        out.0
    }
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn table(&mut self, head: &str) {
        // Writing to a String does not fail.
        let _ = writeln!(self.0, "\n{head}");
    }

    /// Empty lists are left out: they say nothing, and some keys refuse them.
    fn key(&mut self, key: &str, value: String) {
        if value != "[]" {
            let _ = writeln!(self.0, "{} = {value}", bare_or_quoted(key));
        }
    }
}

fn companions(of: &Companions) -> String {
    if of.listed.is_empty() {
        return of.known.to_string();
    }
    list(of.listed.iter().map(|ext| quoted(ext)))
}

fn show_override(out: &mut Page, with: &Override) {
    out.table("[[watch-override]]");
    out.key("path", path(&with.path.value));
    if let Some(recursive) = with.recursive {
        out.key("recursive", recursive.to_string());
    }
    if let Some(whole) = with.whole_unpacked {
        let word = UNPACKED.iter().find(|(_, is)| *is == whole).map_or("", |(word, _)| word);
        out.key("unpacked", quoted(word));
    }
    if let Some(only) = &with.only {
        // Here an empty list does say something: no rule applies.
        let list = list(only.iter().map(|name| quoted(name)));
        let _ = writeln!(out.0, "only = {list}");
    }
    if let Some(settle) = with.settle {
        out.key("settle", duration(settle));
    }
    if let Some(policy) = with.conflict {
        out.key("conflict", quoted(conflict(policy)));
    }
    if let Some(limits) = with.breaker {
        out.key("breaker", breaker(limits));
    }
    out.key("ignore", list(with.ignore.iter().map(|g| quoted(g))));
}

fn show_category(out: &mut Page, category: &CategoryConfig) {
    out.table(&format!("[category.{}]", category.category));
    out.key("mime", list(category.mime.iter().map(|m| quoted(m))));
    out.key("ext", list(category.ext.iter().map(|e| quoted(e))));
    out.key("name", list(category.name.iter().map(|n| quoted(n))));
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

/// A path that is not UTF-8 (from the command line) cannot be written in TOML; it is shown lossily.
fn path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

fn duration(d: Duration) -> String {
    match d.subsec_nanos() {
        0 => quoted(&format!("{}s", d.as_secs())),
        _ => quoted(&format!("{}ms", d.as_millis())),
    }
}

fn conflict(wanted: Conflict) -> &'static str {
    Conflict::ALL.iter().find(|(_, c)| *c == wanted).map_or("rename", |(word, _)| word)
}

fn keep(wanted: Keep) -> &'static str {
    Keep::ALL.iter().find(|(_, k)| *k == wanted).map_or("oldest", |(word, _)| word)
}

fn breaker(limits: Option<Limits>) -> String {
    let Some(Limits { share, at_least, first, operations }) = limits else {
        return "false".to_owned();
    };
    let counts = format!("at-least = {at_least}, first = {first}, operations = {operations}");
    format!("{{ share = \"{share}%\", {counts} }}")
}

fn others(others: &OthersConfig) -> String {
    match others {
        OthersConfig::Trash => quoted("trash"),
        OthersConfig::Report => quoted("report"),
        OthersConfig::Folder(at) => format!("{{ folder = {} }}", quoted(&at.value)),
    }
}
