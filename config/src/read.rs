//! From the text of a file to [`Config`], collecting every error on the way.

use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use tidy_core::breaker::Limits;
use tidy_core::category::Category;
use tidy_core::ignore::Ignore;
use tidy_core::policy::{Conflict, Keep};
use toml::de::{DeTable, DeValue};

use crate::backup;
use crate::breaker;
use crate::companions;
use crate::condition::{self, Conditions};
use crate::error::{ConfigErrors, did_you_mean};
use crate::folders::{self, Words};
use crate::limits;
use crate::log;
use crate::metrics;
use crate::model::{
    CategoryConfig, Config, DEFAULT_SETTLE, DUPLICATES_FOLDER, Destination, DuplicatesConfig,
    JOURNAL_AT_LEAST, JournalConfig, KEEP_AT_LEAST, OthersConfig, Override, RuleConfig, SETTLE,
    UNPACKED, built_in_default, unresolved,
};
use crate::quantity;
use crate::read_only;
use crate::rule::RuleReader;
use crate::walk::{At, Keys, Table, Value, Walk};

const TOP: Keys = Keys {
    known: &[
        "watch",
        "ignore",
        "settle",
        "conflict",
        "language",
        "confine",
        "allow-shared",
        "duplicates",
        "journal",
        "backup",
        "breaker",
        "limits",
        "metrics",
        "log",
        "companions",
        "allow-run",
        "read-only",
        "notify",
        "watch-override",
        "category",
        "rule",
        "default",
    ],
    later: &["hook", "hooks", "report", "report-mail", "retention", "schedule"],
    metadata: false,
};

const DUPLICATES: Keys =
    Keys { known: &["scope", "keep", "others"], later: &["min_size"], metadata: false };

const JOURNAL: Keys = Keys::of(&["keep", "at_most"]);

const OVERRIDE: Keys = Keys {
    known: &["path", "recursive", "unpacked", "only", "settle", "conflict", "breaker", "ignore"],
    later: &[],
    metadata: false,
};

const CATEGORY: Keys = Keys { known: &["mime", "ext", "name"], later: &["magic"], metadata: false };

/// In `only`: the `[default]` destinations.
pub(crate) const DEFAULT: &str = "default";

/// Reads and checks `text`. The built-in `[default]` applies when the file has none.
pub(crate) fn read(text: &str, origin: &str, tz: TimeZone) -> Result<Config, ConfigErrors> {
    let mut walk = Walk::new(text);
    let (document, syntax) = DeTable::parse_recoverable(text);
    let mut last_line = None;
    for error in &syntax {
        // One slip makes the parser complain about all that follows on its line.
        let line = error.span().map(|s| text.bytes().take(s.start).filter(|b| *b == b'\n').count());
        if line.is_none() || line != last_line {
            walk.findings.push(error.span(), "", sentence(error.message()), None);
        }
        last_line = line;
    }
    if !syntax.is_empty() {
        // What was recovered would only give errors that follow from these.
        return Err(ConfigErrors {
            origin: origin.to_owned(),
            errors: walk.findings.located(text),
        });
    }
    let top = Table::top(&document);
    walk.check_keys(&top, &TOP);
    let config = Reader { walk: &mut walk, top, tz }.config(origin);
    if walk.findings.is_empty() {
        Ok(config)
    } else {
        Err(ConfigErrors { origin: origin.to_owned(), errors: walk.findings.located(text) })
    }
}

/// The parser's messages are phrases of several lines.
fn sentence(message: &str) -> String {
    message.lines().map(str::trim).collect::<Vec<_>>().join("; ")
}

struct Reader<'w, 't, 'a, 'i> {
    walk: &'w mut Walk<'t>,
    top: Table<'a, 'i>,
    tz: TimeZone,
}

impl Reader<'_, '_, '_, '_> {
    fn config(mut self, origin: &str) -> Config {
        let categories = self.categories();
        let names: Vec<String> = categories.iter().map(|c| c.category.to_string()).collect();
        let tz = self.tz.clone();
        let conditions = Conditions { categories: &names, tz: &tz };
        let (rules, rule_names) = self.rules(&conditions);
        let default = self.default(&conditions);
        let watch = self.folders("watch");
        let top = self.top.clone();
        let breaker = breaker::read(self.walk, &top, Limits::default());
        let breaker = breaker.unwrap_or(Some(Limits::default()));
        Config {
            origin: origin.to_owned(),
            text: self.walk.text.to_owned(),
            watch,
            watch_is_given: false,
            ignore: self.ignore(&self.top.clone()),
            settle: self.settle(&self.top.clone()).unwrap_or(DEFAULT_SETTLE),
            conflict: self.conflict(&self.top.clone()).unwrap_or_default(),
            confine: self.confine(),
            allow_shared: self.allow_shared(),
            duplicates: self.duplicates(),
            journal: self.journal(),
            backup: backup::read(self.walk, &top),
            breaker,
            limits: limits::read(self.walk, &top),
            metrics: metrics::read(self.walk, &top),
            log: log::read(self.walk, &top),
            companions: companions::read(self.walk, &top).unwrap_or_default(),
            allow_run: self.may_run(),
            read_only: read_only::read(self.walk, &top),
            notify: self.notify(),
            overrides: self.overrides(&rule_names, breaker.unwrap_or_default()),
            categories,
            rules,
            language: self.language(),
            default_is_built_in: default.is_none(),
            default: default.unwrap_or_else(built_in_default),
            tz: self.tz,
        }
    }

    fn folders(&mut self, key: &str) -> Vec<At<PathBuf>> {
        let Some(value) = self.top.get(key) else { return Vec::new() };
        let list = self.walk.strings(value, key);
        list.iter().filter_map(|text| folder(self.walk, key, text)).collect()
    }

    fn ignore(&mut self, table: &Table<'_, '_>) -> Vec<String> {
        let Some(value) = table.get("ignore") else { return Vec::new() };
        let key = table.path("ignore");
        let list = self.walk.list(value, &key);
        for glob in &list {
            let bad = match Ignore::new(std::slice::from_ref(&glob.value)) {
                Ok(_) if glob.value.is_empty() => "the pattern is empty".to_owned(),
                Ok(_) if glob.value.starts_with('~') && glob.value.contains('/') => {
                    "patterns are below the watched folder; leave out the folder".to_owned()
                }
                Ok(_) => continue,
                Err(why) => format!("bad pattern: {}", why.kind()),
            };
            self.walk.findings.add(glob.span.clone(), &key, bad);
        }
        list.into_iter().map(|g| g.value).collect()
    }

    fn settle(&mut self, table: &Table<'_, '_>) -> Option<Duration> {
        self.quantity(table, "settle", "2s", |text| match quantity::duration(text)? {
            d if SETTLE.contains(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)) => Ok(d),
            _ => Err("`settle` can be one day at most".to_owned()),
        })
    }

    fn conflict(&mut self, table: &Table<'_, '_>) -> Option<Conflict> {
        let value = table.get("conflict")?;
        self.walk.word(value, &table.path("conflict"), Conflict::ALL)
    }

    fn allow_shared(&mut self) -> Vec<At<PathBuf>> {
        let none = |value: &Value<'_>| value.get_ref().as_array().is_some_and(|a| a.is_empty());
        if self.top.get("allow-shared").is_some_and(none) {
            return Vec::new();
        }
        self.folders("allow-shared")
    }

    fn language(&mut self) -> Option<&'static Words> {
        let value = self.top.get("language")?;
        let all = folders::languages().map(|(code, words)| (code, Some(words)));
        let all: Vec<_> = std::iter::once(("auto", None)).chain(all).collect();
        self.walk.word(value, "language", &all)?
    }

    /// What is said already is not said twice.
    fn notify_of_all(&self) -> bool {
        self.top.get("notify").and_then(|v| v.get_ref().as_bool()).unwrap_or(false)
    }

    fn may_run(&mut self) -> bool {
        let value = self.top.get("allow-run");
        value.and_then(|v| self.walk.boolean(v, "allow-run")).unwrap_or(false)
    }

    fn notify(&mut self) -> bool {
        let value = self.top.get("notify");
        value.and_then(|v| self.walk.boolean(v, "notify")).unwrap_or(false)
    }

    fn confine(&mut self) -> bool {
        let value = self.top.get("confine");
        value.and_then(|value| self.walk.boolean(value, "confine")).unwrap_or(true)
    }

    fn duplicates(&mut self) -> DuplicatesConfig {
        let mut out = DuplicatesConfig::default();
        let Some(value) = self.top.get("duplicates") else { return out };
        let Some(table) = self.walk.table(value, "duplicates", "a table") else { return out };
        self.walk.check_keys(&table, &DUPLICATES);
        if let Some(value) = table.get("scope") {
            let key = table.path("scope");
            let list = self.walk.strings(value, &key);
            out.scope = list.iter().filter_map(|t| folder(self.walk, &key, t)).collect();
        }
        if let Some(value) = table.get("keep") {
            out.keep = self.walk.word(value, &table.path("keep"), Keep::ALL).unwrap_or_default();
        }
        if let Some(value) = table.get("others")
            && let Some(others) = self.others(value, &table.path("others"))
        {
            out.others = others;
            out.others_is_built_in = false;
        }
        out
    }

    fn journal(&mut self) -> JournalConfig {
        let mut out = JournalConfig::default();
        let Some(value) = self.top.get("journal") else { return out };
        let Some(table) = self.walk.table(value, "journal", "a table") else { return out };
        self.walk.check_keys(&table, &JOURNAL);
        let bad = "`keep` must be one day at least";
        if let Some(keep) = self.quantity(&table, "keep", "365d", |text| {
            quantity::duration(text)
                .and_then(|d| (d >= KEEP_AT_LEAST).then_some(d).ok_or(bad.into()))
        }) {
            out.keep = keep;
        }
        let bad = "`at_most` must be 64 kB at least";
        if let Some(at_most) = self.quantity(&table, "at_most", "1 GB", |text| {
            quantity::size(text)
                .and_then(|n| (n >= JOURNAL_AT_LEAST).then_some(n).ok_or(bad.into()))
        }) {
            out.at_most = at_most;
        }
        out
    }

    /// A quantity written as a string.
    fn quantity<T>(
        &mut self,
        table: &Table<'_, '_>,
        key: &str,
        example: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let value = table.get(key)?;
        let key = table.path(key);
        let text = self.walk.string(value, &key, &format!("a string such as \"{example}\""))?;
        parse(&text.value).map_err(|why| self.walk.findings.add(text.span, &key, why)).ok()
    }

    fn others(&mut self, value: &Value<'_>, key: &str) -> Option<OthersConfig> {
        if let DeValue::Table(_) = value.get_ref() {
            let table = self.walk.table(value, key, "a table")?;
            self.walk.check_keys(&table, &Keys::of(&["folder"]));
            let key = table.path("folder");
            let Some(value) = table.get("folder") else {
                let hint = "others = { folder = \"Duplicates/\" }";
                self.walk.findings.add_with_hint(table.span, &key, "`folder` is missing", hint);
                return None;
            };
            let text = self.walk.string(value, &key, "a folder")?;
            self.fixed_folder(&key, &text)?;
            return Some(OthersConfig::Folder(text));
        }
        let text = self.walk.string(value, key, "\"trash\", \"folder\" or \"report\"")?;
        match text.value.as_str() {
            "trash" => Some(OthersConfig::Trash),
            "report" => Some(OthersConfig::Report),
            "folder" => {
                let value = DUPLICATES_FOLDER.to_owned();
                Some(OthersConfig::Folder(At { value, span: text.span }))
            }
            later @ ("hardlink" | "reflink") => {
                let message = format!("others = \"{later}\" comes with a later version");
                let hint = "use \"trash\", \"folder\" or \"report\"";
                self.walk.findings.add_with_hint(text.span, key, message, hint);
                None
            }
            other => {
                let near = did_you_mean(other, ["trash", "folder", "report"]);
                let message = format!("\"{}\" is not possible here{near}", other.escape_debug());
                let hint = "one of \"trash\", \"folder\", \"report\", { folder = \"…/\" }";
                self.walk.findings.add_with_hint(text.span, key, message, hint);
                None
            }
        }
    }

    /// A folder without placeholders.
    fn fixed_folder(&mut self, key: &str, text: &At<String>) -> Option<()> {
        let plain = !text.value.contains(['{', '}']);
        // A folder needs no trailing slash here, where nothing else is possible.
        let as_directory = format!("{}/", text.value.trim_end_matches('/'));
        let bad = match unresolved(&as_directory, &self.tz) {
            _ if !plain => "this folder cannot have placeholders".to_owned(),
            Ok(_) if as_directory != "/" => return Some(()),
            Ok(_) => "this cannot be the whole disk".to_owned(),
            Err(why) => why.to_string(),
        };
        self.walk.findings.add(text.span.clone(), key, bad);
        None
    }

    fn overrides(&mut self, rules: &[String], limits: Limits) -> Vec<Override> {
        let Some(value) = self.top.get("watch-override") else { return Vec::new() };
        let tables = self.walk.tables(value, "watch-override");
        tables.iter().filter_map(|t| self.watch_override(t, rules, limits)).collect()
    }

    fn watch_override(
        &mut self,
        table: &Table<'_, '_>,
        rules: &[String],
        limits: Limits,
    ) -> Option<Override> {
        self.walk.check_keys(table, &OVERRIDE);
        let only = table.get("only").map(|value| self.only(value, &table.path("only"), rules));
        let recursive = table
            .get("recursive")
            .and_then(|value| self.walk.boolean(value, &table.path("recursive")));
        let whole_unpacked = table
            .get("unpacked")
            .and_then(|value| self.walk.word(value, &table.path("unpacked"), UNPACKED));
        let settle = self.settle(table);
        let conflict = self.conflict(table);
        let breaker = breaker::read(self.walk, table, limits);
        let ignore = self.ignore(table);
        let key = table.path("path");
        let Some(value) = table.get("path") else {
            let hint = "say which watched folder it is about: path = \"~/Desktop\"";
            self.walk.findings.add_with_hint(table.span.clone(), &key, "`path` is missing", hint);
            return None;
        };
        let text = self.walk.string(value, &key, "a folder")?;
        let path = folder(self.walk, &key, &text)?;
        Some(Override { path, recursive, whole_unpacked, only, settle, conflict, breaker, ignore })
    }

    fn only(&mut self, value: &Value<'_>, key: &str, rules: &[String]) -> Vec<String> {
        let list = self.walk.list(value, key);
        for word in &list {
            if word.value != DEFAULT && !rules.contains(&word.value) {
                let near = did_you_mean(&word.value, rules.iter().map(String::as_str));
                let message = format!("there is no rule `{}`{near}", word.value.escape_debug());
                self.walk.findings.add(word.span.clone(), key, message);
            }
        }
        list.into_iter().map(|w| w.value).collect()
    }

    fn categories(&mut self) -> Vec<CategoryConfig> {
        let Some(value) = self.top.get("category") else { return Vec::new() };
        let wanted = "a table of categories, such as [category.papers]";
        let Some(all) = self.walk.table(value, "category", wanted) else { return Vec::new() };
        let mut out: Vec<CategoryConfig> = Vec::new();
        for (name, value) in all.entries() {
            let key = all.path(&name.value);
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if name.value.is_empty() || name.value.len() > 64 || !name.value.chars().all(plain) {
                let message = "a category's name is made of lower-case letters, digits and `-`";
                self.walk.findings.add(name.span.clone(), &key, message);
            }
            let Some(table) = self.walk.table(value, &key, "a table") else { continue };
            self.walk.check_keys(&table, &CATEGORY);
            let category = self.category(&table, &name, &out);
            out.push(category);
        }
        out
    }

    fn category(
        &mut self,
        table: &Table<'_, '_>,
        name: &At<String>,
        others: &[CategoryConfig],
    ) -> CategoryConfig {
        let mut mime = Vec::new();
        let mut ext = Vec::new();
        if let Some(value) = table.get("mime") {
            let key = table.path("mime");
            for text in self.walk.strings(value, &key) {
                let (a, b) = text.value.split_once('/').unwrap_or_default();
                if a.is_empty() || b.is_empty() || text.value.contains(['*', '?', '[', '{', ' ']) {
                    let message = format!("`{}` is not a media type", text.value.escape_debug());
                    let hint = "such as \"image/vnd.djvu\"";
                    self.walk.findings.add_with_hint(text.span, &key, message, hint);
                } else {
                    mime.push(text.value.to_ascii_lowercase());
                }
            }
        }
        if let Some(value) = table.get("ext") {
            let key = table.path("ext");
            let list = self.walk.strings(value, &key);
            ext = condition::extensions(self.walk, &key, &list);
        }
        let mut names = Vec::new();
        if let Some(value) = table.get("name") {
            let key = table.path("name");
            let list = self.walk.strings(value, &key);
            for bad in list.iter().filter(|g| g.value.contains('/')) {
                self.walk.findings.add(bad.span.clone(), &key, "a file name has no `/`");
            }
            condition::globs(self.walk, &key, &list);
            names = list.into_iter().map(|pattern| pattern.value).collect();
        }
        for taken in others {
            let shared = ext.iter().find(|e| taken.ext.contains(e));
            if let Some(word) = shared.or(mime.iter().find(|m| taken.mime.contains(m))) {
                let message = format!("`{word}` is in category `{}` already", taken.category);
                self.walk.findings.add(name.span.clone(), &table.key, message);
            }
        }
        CategoryConfig { category: Category::new(&name.value), mime, ext, name: names }
    }

    /// The rules that could be read, and the names of all.
    fn rules(&mut self, conditions: &Conditions<'_>) -> (Vec<RuleConfig>, Vec<String>) {
        let Some(value) = self.top.get("rule") else { return (Vec::new(), Vec::new()) };
        let tables = self.walk.tables(value, "rule");
        let (may_run, notify) = (self.may_run(), self.notify_of_all());
        let mut reader = RuleReader {
            walk: self.walk,
            conditions,
            tz: &self.tz,
            may_run,
            notify,
            names: Vec::with_capacity(tables.len()),
        };
        let rules = tables.iter().filter_map(|table| reader.rule(table)).collect();
        (rules, reader.names)
    }

    /// `None` when the file has no `[default]`.
    fn default(&mut self, conditions: &Conditions<'_>) -> Option<Vec<(Category, Destination)>> {
        let value = self.top.get(DEFAULT)?;
        let table = self.walk.table(value, DEFAULT, "a table of folders by category")?;
        let mut out = Vec::new();
        for (name, value) in table.entries() {
            let key = table.path(&name.value);
            let category = conditions.kind(self.walk, &key, &name);
            let text = self.walk.string(value, &key, "a folder such as \"Pictures/\"");
            let (Some(category), Some(text)) = (category, text) else { continue };
            if text.value == "leave" {
                continue;
            }
            if let Some(destination) = destination(self.walk, &self.tz, &key, text) {
                out.push((category, destination));
            }
        }
        Some(out)
    }
}

/// A destination whose template is good.
pub(crate) fn destination(
    walk: &mut Walk<'_>,
    tz: &TimeZone,
    key: &str,
    at: At<String>,
) -> Option<Destination> {
    let (_, rest) = Destination::anchored(&at.value);
    let skipped = at.value.len() - rest.len();
    match unresolved(&at.value, tz) {
        // Straight into the home directory or `/`: almost certainly not meant.
        Ok(_) if rest.is_empty() => {
            let message = format!("`{}` cannot be a destination", at.value);
            walk.findings.add(at.span, key, message);
            None
        }
        Ok(_) => Some(Destination { at, key: key.to_owned() }),
        Err(why) => {
            let inner = why.span();
            let span = walk.inside(&at, inner.start + skipped..inner.end + skipped);
            walk.findings.add(span, key, why.to_string());
            None
        }
    }
}

/// A folder that will be watched or searched: absolute or below the home directory.
pub(crate) fn folder(walk: &mut Walk<'_>, key: &str, text: &At<String>) -> Option<At<PathBuf>> {
    let path = &text.value;
    let bad = if path.contains('\0') {
        "a path cannot contain NUL"
    } else if path.starts_with('~') && path != "~" && !path.starts_with("~/") {
        "only `~/` is expanded, not other people's home directories"
    } else if !path.starts_with(['/', '~']) {
        "the folder must be absolute or start with `~/`"
    } else {
        return Some(At { value: PathBuf::from(path), span: text.span.clone() });
    };
    walk.findings.add(text.span.clone(), key, bad);
    None
}
