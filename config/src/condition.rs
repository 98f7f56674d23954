//! `when` tables: from TOML to [`Condition`].

use jiff::tz::TimeZone;
use tidy_core::category::{BUILT_IN, Category};
use tidy_core::globset::{Glob, GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};
use tidy_core::ignore::UnitKind;
use tidy_core::metadata::{Key, Shape};
use tidy_core::name;
use tidy_core::regex::bytes::Regex;
use tidy_core::rules::{Condition, Range, Test, TimeOf};

use crate::error::did_you_mean;
use crate::quantity::{self, Quantity};
use crate::walk::{At, Keys, Table, Value, Walk};

/// Keys of a `when` table, for this version and for later ones.
pub(crate) const WHEN: Keys = Keys {
    known: &[
        "name",
        "regex",
        "path",
        "ext",
        "kind",
        "mime",
        "size",
        "age",
        "modified",
        "created",
        "accessed",
        "changed",
        "depth",
        "mismatch",
        "origin",
        "duplicate",
        "unit",
        "has",
        "text",
        "tag",
        "xattr",
        "any",
        "all",
        "none",
        "not",
    ],
    later: &[],
    metadata: true,
};

/// The time a key asks about.
pub(crate) const AGES: &[(&str, TimeOf)] = &[
    ("age", TimeOf::Modified),
    ("modified", TimeOf::Modified),
    ("created", TimeOf::Created),
    ("accessed", TimeOf::Accessed),
    ("changed", TimeOf::Changed),
];

/// Reads conditions; knows the names of the configured categories.
pub(crate) struct Conditions<'c> {
    pub(crate) categories: &'c [String],
    pub(crate) tz: &'c TimeZone,
}

impl Conditions<'_> {
    /// All members of the table must hold; an empty one matches every file.
    pub(crate) fn read(&self, walk: &mut Walk<'_>, table: &Table<'_, '_>) -> Condition {
        walk.check_keys(table, &WHEN);
        let members = table
            .entries()
            .into_iter()
            .filter_map(|(key, value)| self.member(walk, table, &key.value, value))
            .collect();
        Condition::All(members)
    }

    fn member(
        &self,
        walk: &mut Walk<'_>,
        table: &Table<'_, '_>,
        word: &str,
        value: &Value<'_>,
    ) -> Option<Condition> {
        let key = table.path(word);
        match word {
            "any" => Some(Condition::Any(self.group(walk, &key, value))),
            "all" => Some(Condition::All(self.group(walk, &key, value))),
            "none" => Some(Condition::None(self.group(walk, &key, value))),
            "not" => {
                let inner = walk.table(value, &key, "a table of conditions")?;
                if inner.entries().is_empty() {
                    walk.findings.add(value.span(), &key, "`not` of nothing never holds");
                }
                Some(Condition::None(vec![self.read(walk, &inner)]))
            }
            _ => self.test(walk, word, &key, value),
        }
    }

    /// The members of `any`, `all` or `none`.
    fn group(&self, walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Vec<Condition> {
        let tables = walk.tables(value, key);
        if value.get_ref().as_array().is_some_and(|a| a.is_empty()) {
            walk.findings.add(value.span(), key, "the list of conditions is empty");
        }
        for table in tables.iter().filter(|t| t.entries().is_empty()) {
            walk.findings.add(table.span.clone(), &table.key, "this condition is empty");
        }
        tables.iter().map(|table| self.read(walk, table)).collect()
    }

    fn test(
        &self,
        walk: &mut Walk<'_>,
        word: &str,
        key: &str,
        value: &Value<'_>,
    ) -> Option<Condition> {
        let of_list = |list: &[At<String>]| {
            let values: Vec<_> = list.iter().map(|v| v.value.as_str()).collect();
            format!("{word} = {}", values.join(" | "))
        };
        let test = match word {
            "mismatch" => Test::Mismatch(walk.boolean(value, key)?),
            "duplicate" => Test::Duplicate(walk.boolean(value, key)?),
            "unit" => {
                let list = walk.strings(value, key);
                let test = Test::Unit(units(walk, key, &list));
                return Some(Condition::Test(test, of_list(&list)));
            }
            "size" => Test::Size(comparison(walk, value, key, Quantity::Size)?),
            "depth" => Test::Depth(comparison(walk, value, key, Quantity::Count)?),
            "regex" => Test::NameRegex(regex(walk, value, key)?),
            _ if AGES.iter().any(|(known, _)| *known == word) => {
                let of = AGES.iter().find(|(known, _)| *known == word)?.1;
                Test::Age { of, range: comparison(walk, value, key, Quantity::Duration)? }
            }
            "name" | "path" | "ext" | "kind" | "mime" | "origin" => {
                let list = walk.strings(value, key);
                let test = self.of_strings(walk, word, key, &list)?;
                return Some(Condition::Test(test, of_list(&list)));
            }
            "text" => Test::Content(regex(walk, value, key)?),
            "tag" => {
                let list = walk.strings(value, key);
                let test = Test::Tag(globs_of(walk, key, &list, text_glob)?);
                return Some(Condition::Test(test, of_list(&list)));
            }
            "xattr" => {
                let table = walk.table(value, key, ATTRIBUTE_WANTED)?;
                let (name, values) = attribute(walk, &table);
                let (name, test) = match values {
                    None => (name?, None),
                    Some(list) => {
                        (name?, Some(globs_of(walk, &table.path("value"), &list, text_glob)?))
                    }
                };
                let test = Test::Attribute { name, value: test };
                return Some(Condition::Test(test, described(word, value)));
            }
            "has" => {
                let list = walk.strings(value, key);
                return Some(Condition::Test(Test::Has(has(walk, key, &list)), of_list(&list)));
            }
            // Anything else is reported by `check_keys`.
            _ => {
                let metadata = Key::from_word(word)?;
                if metadata.shape() == Shape::Text {
                    let list = walk.strings(value, key);
                    let test = Test::Text(metadata, globs_of(walk, key, &list, text_glob)?);
                    return Some(Condition::Test(test, of_list(&list)));
                }
                self.of_metadata(walk, metadata, key, value)?
            }
        };
        Some(Condition::Test(test, described(word, value)))
    }

    /// A comparison with a number, a length or the age of a moment.
    fn of_metadata(
        &self,
        walk: &mut Walk<'_>,
        of: Key,
        key: &str,
        value: &Value<'_>,
    ) -> Option<Test> {
        let quantity = match of.shape() {
            Shape::Length | Shape::Moment => Quantity::Duration,
            Shape::Number | Shape::Text => Quantity::Count,
        };
        let range = comparison(walk, value, key, quantity)?;
        Some(match of.shape() {
            Shape::Moment => Test::Past { of, range, tz: self.tz.clone() },
            _ => Test::Number(of, range),
        })
    }

    fn of_strings(
        &self,
        walk: &mut Walk<'_>,
        word: &str,
        key: &str,
        list: &[At<String>],
    ) -> Option<Test> {
        match word {
            "name" => {
                for bad in list.iter().filter(|g| g.value.contains('/')) {
                    let message = "a file name has no `/`";
                    let hint = "use `path` for the path below the watched folder";
                    walk.findings.add_with_hint(bad.span.clone(), key, message, hint);
                }
                Some(Test::Name(globs(walk, key, list)?))
            }
            "path" => {
                for bad in list.iter().filter(|g| g.value.starts_with(['/', '~'])) {
                    let message = "`path` is the path below the watched folder";
                    let hint = "leave out the folder: path = \"inbox/**\"";
                    walk.findings.add_with_hint(bad.span.clone(), key, message, hint);
                }
                Some(Test::Path(globs(walk, key, list)?))
            }
            "origin" => Some(Test::Origin(globs(walk, key, list)?)),
            "ext" => Some(Test::Extension(extensions(walk, key, list))),
            "kind" => Some(Test::Category(self.kinds(walk, key, list))),
            _ => media_types(walk, key, list).map(Test::MediaType),
        }
    }

    fn kinds(&self, walk: &mut Walk<'_>, key: &str, list: &[At<String>]) -> Vec<Category> {
        list.iter().filter_map(|word| self.kind(walk, key, word)).collect()
    }

    /// A category that exists.
    pub(crate) fn kind(
        &self,
        walk: &mut Walk<'_>,
        key: &str,
        word: &At<String>,
    ) -> Option<Category> {
        let built_in = BUILT_IN.iter().map(|(name, _)| *name);
        let known: Vec<&str> = built_in.chain(self.categories.iter().map(String::as_str)).collect();
        if known.contains(&word.value.as_str()) {
            return Some(Category::new(&word.value));
        }
        let near = did_you_mean(&word.value, known.iter().copied());
        let message = format!("unknown kind `{}`{near}", word.value.escape_debug());
        let hint = format!("known: {}", known.join(", "));
        walk.findings.add_with_hint(word.span.clone(), key, message, hint);
        None
    }
}

/// `size >= 2 GB`, `kind = image`.
fn described(word: &str, value: &Value<'_>) -> String {
    match value.get_ref().as_str() {
        Some(text) if text.trim_start().starts_with(['<', '>', '=']) => {
            format!("{word} {}", text.trim())
        }
        Some(text) => format!("{word} = {}", text.trim()),
        None => format!("{word} = {}", crate::walk::inline(value.get_ref())),
    }
}

fn comparison(walk: &mut Walk<'_>, value: &Value<'_>, key: &str, of: Quantity) -> Option<Range> {
    let text = match value.get_ref().as_integer() {
        Some(number) if of == Quantity::Count => number.as_str().to_owned(),
        _ => {
            let wanted = match of {
                Quantity::Size => "a string such as \">= 10 MB\"",
                Quantity::Duration => "a string such as \"> 30d\"",
                Quantity::Count => "a number or a string such as \"<= 2\"",
            };
            walk.string(value, key, wanted)?.value
        }
    };
    match quantity::range(&text, of) {
        Ok(range) => Some(range),
        Err(why) => {
            walk.findings.add(value.span(), key, why);
            None
        }
    }
}

fn regex(walk: &mut Walk<'_>, value: &Value<'_>, key: &str) -> Option<Regex> {
    let text = walk.string(value, key, "a regular expression in quotes")?;
    match Regex::new(&text.value) {
        Ok(regex) => Some(regex),
        Err(why) => {
            let why = why.to_string();
            // The crate's messages draw the expression; the last line says what is wrong.
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
            walk.findings.add(text.span, key, format!("bad regular expression: {why}"));
            None
        }
    }
}

/// What a file must say of itself.
fn has(walk: &mut Walk<'_>, key: &str, list: &[At<String>]) -> Vec<Key> {
    let mut keys = Vec::with_capacity(list.len());
    for word in list {
        match Key::from_word(&word.value) {
            Some(known) => keys.push(known),
            None => {
                let known = || Key::ALL.iter().map(|k| k.0);
                let near = did_you_mean(&word.value, known());
                let message = format!("files have no `{}`{near}", word.value.escape_debug());
                let hint = format!("known: {}", known().collect::<Vec<_>>().join(", "));
                walk.findings.add_with_hint(word.span.clone(), key, message, hint);
            }
        }
    }
    keys
}

/// Globs in which `*` stops at `/` and letters match in either case.
pub(crate) fn globs(walk: &mut Walk<'_>, key: &str, list: &[At<String>]) -> Option<GlobSet> {
    globs_of(walk, key, list, glob)
}

fn globs_of(
    walk: &mut Walk<'_>,
    key: &str,
    list: &[At<String>],
    glob: fn(&str) -> Result<Glob, String>,
) -> Option<GlobSet> {
    let mut set = GlobSetBuilder::new();
    let mut whole = true;
    for pattern in list {
        match glob(&pattern.value) {
            Ok(glob) => drop(set.add(glob)),
            Err(why) => {
                walk.findings.add(pattern.span.clone(), key, why);
                whole = false;
            }
        }
    }
    if !whole {
        return None;
    }
    match set.build() {
        Ok(set) => Some(set),
        Err(why) => {
            let span = list.first().map_or(0..0, |p| p.span.clone());
            walk.findings.add(span, key, format!("bad pattern: {}", why.kind()));
            None
        }
    }
}

pub(crate) fn glob(pattern: &str) -> Result<Glob, String> {
    built(pattern, true)
}

/// In a text `*` takes everything.
fn text_glob(pattern: &str) -> Result<Glob, String> {
    built(pattern, false)
}

fn built(pattern: &str, literal_separator: bool) -> Result<Glob, String> {
    if pattern.is_empty() {
        return Err("the pattern is empty, so nothing matches".to_owned());
    }
    let pattern = name::normalized(pattern.as_ref());
    let pattern = pattern.to_string_lossy();
    GlobBuilder::new(&pattern)
        .literal_separator(literal_separator)
        .case_insensitive(true)
        .build()
        .map_err(|why| format!("bad pattern: {}", why.kind()))
}

/// Extensions, lower case, without a dot.
pub(crate) fn extensions(walk: &mut Walk<'_>, key: &str, list: &[At<String>]) -> Vec<String> {
    let mut out = Vec::with_capacity(list.len());
    for ext in list {
        let word = ext.value.strip_prefix('.').unwrap_or(&ext.value).to_lowercase();
        // What a name of that extension is found to have is what a file will be compared by.
        if name::extension(format!("x.{word}").as_ref()).as_deref() == Some(&word)
            && !word.contains(['*', '?', '[', '{', '.', '/'])
        {
            out.push(word);
        } else {
            let message = format!("`{}` is not an extension", ext.value.escape_debug());
            let hint = "write it without a dot; use name = \"*.tar.gz\" for anything else";
            walk.findings.add_with_hint(ext.span.clone(), key, message, hint);
        }
    }
    out
}

/// Kinds of folders that are one thing; `any` stands for all.
fn units(walk: &mut Walk<'_>, key: &str, list: &[At<String>]) -> Vec<UnitKind> {
    let mut out = Vec::new();
    for word in list {
        let known = UnitKind::ALL.iter().filter(|(w, _)| *w == word.value || word.value == "any");
        let before = out.len();
        out.extend(known.map(|(_, kind)| *kind));
        if out.len() == before {
            let words = UnitKind::ALL.iter().map(|(w, _)| *w).chain(["any"]);
            let near = did_you_mean(&word.value, words);
            let message = format!("unknown unit `{}`{near}", word.value.escape_debug());
            let hint = "known: project, bundle, disc, any";
            walk.findings.add_with_hint(word.span.clone(), key, message, hint);
        }
    }
    out
}

/// What is asked of an extended attribute.
pub(crate) const ATTRIBUTE_WANTED: &str =
    "a table such as { name = \"user.comment\", value = \"*draft*\" }";

/// Its name, if it is one, and the values that were given.
pub(crate) fn attribute(
    walk: &mut Walk<'_>,
    table: &Table<'_, '_>,
) -> (Option<String>, Option<Vec<At<String>>>) {
    walk.check_keys(table, &Keys::of(&["name", "value"]));
    let values = table.get("value").map(|value| walk.strings(value, &table.path("value")));
    let key = table.path("name");
    let Some(value) = table.get("name") else {
        walk.findings.add(table.span.clone(), &key, "`name` is missing");
        return (None, values);
    };
    let name = walk.string(value, &key, "the attribute's name").filter(|name| {
        let is_of_user = name.value.starts_with("user.") && name.value.len() > "user.".len();
        if !is_of_user {
            let message = "only attributes of the user can be asked about";
            let hint = "their names begin with `user.`, as `getfattr -d FILE` shows them";
            walk.findings.add_with_hint(name.span.clone(), &key, message, hint);
        }
        is_of_user
    });
    (name.map(|name| name.value), values)
}

fn media_types(walk: &mut Walk<'_>, key: &str, list: &[At<String>]) -> Option<Vec<GlobMatcher>> {
    let mut out = Vec::with_capacity(list.len());
    for pattern in list {
        if !pattern.value.contains('/') {
            let message = format!("`{}` is not a media type", pattern.value.escape_debug());
            let hint = "such as \"image/*\" or \"application/pdf\"";
            walk.findings.add_with_hint(pattern.span.clone(), key, message, hint);
            continue;
        }
        match glob(&pattern.value.to_lowercase()) {
            Ok(glob) => out.push(glob.compile_matcher()),
            Err(why) => walk.findings.add(pattern.span.clone(), key, why),
        }
    }
    (out.len() == list.len()).then_some(out)
}
