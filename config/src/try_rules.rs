//! `[[rule.test]]`: what the rules would do with a file that is only described.
//!
//! Every test runs against all rules and the defaults, so that a rule shadowed by an earlier one is
//! found. Nothing on disk is looked at: `~` stands for itself.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidy_core::UnixNanos;
use tidy_core::category::Category;
use tidy_core::facts::{Fact, Facts, FileType, Identity, Kind, Origin, Source, Stat};
use tidy_core::name;
use tidy_core::plan::Place;
use tidy_core::rules::{Act, Action, Decision, Need, Outcome, RuleSet, TimeOf, Verdict, decide};
use tidy_core::tags;

use crate::build;
use crate::model::{Config, Given, GivenTime};

/// The root that tests happen in; never shown.
const ROOT: &str = "/watched";

/// One test that did not come out as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestFailure {
    /// The rule the test stands under.
    pub rule: String,
    /// Line of `expect` in the file.
    pub line: usize,
    pub expected: String,
    /// What would happen instead: a path, `leave`, `trash`, or why it cannot be told.
    pub got: String,
    /// The rule that decided and its reason, or why none did.
    pub why: String,
}

impl fmt::Display for TestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, line, expected, got, why } = self;
        write!(f, "line {line}: test of rule `{rule}`: expected {expected}, got {got} ({why})")
    }
}

impl Config {
    /// Runs every rule test; ages are counted from now.
    pub fn run_tests(&self) -> Vec<TestFailure> {
        let now = jiff::Timestamp::now();
        let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
        self.run_tests_at(UnixNanos::from_parts(now.as_second(), nanos))
    }

    /// Runs every rule test as if it were `now`.
    pub fn run_tests_at(&self, now: UnixNanos) -> Vec<TestFailure> {
        // Every template was parsed when the file was read.
        let Some(built) = build::unresolved(self, &self.tz) else { return Vec::new() };
        let rules = built.for_root(self, None);
        let mut failures = Vec::new();
        for rule in &self.rules {
            for test in &rule.tests {
                let (got, tags, along, why) = outcome(&rules, self, &test.given, now);
                let lists =
                    [("the tags", &test.tags, tags), ("with companions", &test.along, along)];
                for (what, expected, found) in lists {
                    let Some(expected) = expected.as_ref().filter(|e| **e != found) else {
                        continue;
                    };
                    let listed = |list: &[String]| format!("{what} [{}]", list.join(", "));
                    failures.push(TestFailure {
                        rule: rule.name.clone(),
                        line: test.line,
                        expected: listed(expected),
                        got: listed(&found),
                        why: why.clone(),
                    });
                }
                if !same(&got, &test.expect) {
                    failures.push(TestFailure {
                        rule: rule.name.clone(),
                        line: test.line,
                        expected: test.expect.clone(),
                        got,
                        why,
                    });
                }
            }
        }
        failures
    }
}

fn same(got: &str, expected: &str) -> bool {
    got == expected || got == expected.strip_prefix("./").unwrap_or(expected)
}

/// What would happen, the tags that the file would have, what its companions would be called, and why.
fn outcome(
    rules: &RuleSet,
    config: &Config,
    given: &Given,
    now: UnixNanos,
) -> (String, Vec<String>, Vec<String>, String) {
    let nothing = |why: String| ("nothing".to_owned(), Vec::new(), Vec::new(), why);
    let facts = facts(given, now);
    let decision = match decide(rules, &facts, now) {
        Outcome::Decided(decision) => decision,
        // Everything else is given or absent.
        Outcome::Needs(Need::Kind) => {
            return nothing("the rules ask what it is; give it a `kind`".to_owned());
        }
        Outcome::Needs(need) => return nothing(format!("the rules ask for {need:?}")),
    };
    let tags = tags_after(&decision, &facts);
    let was = facts.file_name().to_owned();
    let (got, name) = effect(&decision, facts).unwrap_or_else(|why| (why, was.clone()));
    let along = along(&decision, config, &given.beside, (&was, &name));
    (got, tags, along, reason(&decision))
}

/// What the companions of a file are called when it has its new name; none go along with one that stays.
fn along(
    decision: &Decision,
    config: &Config,
    beside: &[String],
    (was, is): (&OsStr, &OsStr),
) -> Vec<String> {
    let Verdict::Act(acts) = &decision.verdict else { return Vec::new() };
    let of = |act: &Act| act.companions.clone().unwrap_or_else(|| config.companions.clone());
    let goes = |act: &&Act| act.action != Action::Stay;
    let Some(of) = acts.iter().filter(goes).map(of).reduce(|all, some| all.and(&some)) else {
        return Vec::new();
    };
    let tails = beside.iter().filter_map(|name| of.tail(was, name.as_ref()));
    tails.map(|tail| tail.of(is).to_string_lossy().into_owned()).collect()
}

fn reason(decision: &Decision) -> String {
    match &decision.verdict {
        Verdict::Leave(reason, None) => reason.text().to_owned(),
        Verdict::Leave(_, Some(rule)) => format!("rule `{rule}`: {}", decision.why(rule)),
        Verdict::Act(acts) => {
            let names: Vec<_> = acts.iter().map(|a| format!("`{}`", a.rule)).collect();
            let why: Vec<_> = acts.iter().map(|a| decision.why(&a.rule)).collect();
            format!("rule {}: {}", names.join(", then "), why.join("; "))
        }
    }
}

/// The last place the actions give the file, or its copy, and its name there.
fn effect(decision: &Decision, mut facts: Facts) -> Result<(String, OsString), String> {
    let acts = match &decision.verdict {
        Verdict::Leave(..) => return Ok(("leave".to_owned(), facts.file_name().to_owned())),
        Verdict::Act(acts) => acts,
    };
    let root: Arc<Path> = facts.root.clone();
    let (mut shown_at, mut name) = (String::new(), facts.file_name().to_owned());
    for act in acts {
        let action = &act.action;
        facts.captures = act.captures.clone();
        let place = match action {
            Action::Leave => return Ok(("leave".to_owned(), name)),
            Action::Stay => continue,
            Action::Trash => return Ok(("trash".to_owned(), name)),
            Action::Rename(t) => t.destination(&facts, true),
            Action::Move(t)
            | Action::Copy(t)
            | Action::Reflink(t)
            | Action::HardLink(t)
            | Action::Symlink(t) => t.destination(&facts, false),
        };
        let place = place.map_err(|why| why.to_string())?;
        shown_at = shown(&place, &root);
        name = place.file_name().to_owned();
        if action.relocates() {
            facts.path = place.path();
        }
    }
    Ok((if shown_at.is_empty() { "leave".to_owned() } else { shown_at }, name))
}

/// The tags that the file has in the end.
fn tags_after(decision: &Decision, facts: &Facts) -> Vec<String> {
    let mut facts = facts.clone();
    let mut value = facts.attributes.value().and_then(|all| all.get(tags::ATTRIBUTE).cloned());
    if let Verdict::Act(acts) = &decision.verdict {
        for act in acts {
            facts.captures = act.captures.clone();
            let more = act.tags.as_ref().map(|t| t.of(&facts)).unwrap_or_default();
            value = tags::added(value.as_deref(), &more);
        }
    }
    let value = value.unwrap_or_default();
    tags::in_value(&value).map(|tag| String::from_utf8_lossy(tag).into_owned()).collect()
}

fn shown(place: &Place, root: &Path) -> String {
    let path = place.path();
    name::shown(path.strip_prefix(root).unwrap_or(&path).as_os_str())
}

fn facts(given: &Given, now: UnixNanos) -> Facts {
    let time = |of: TimeOf| {
        let found = given.times.iter().rev().find(|(t, _)| *t == of).map(|(_, time)| *time);
        found.map(|time| match time {
            GivenTime::Ago(age) => now.minus(age),
            GivenTime::At(moment) => moment,
        })
    };
    let modified = time(TimeOf::Modified).unwrap_or(now);
    let stat = Stat {
        id: Identity { ino: 1, size: given.size, mtime: modified, birth: time(TimeOf::Created) },
        file_type: FileType::Regular,
        dev: 1,
        ctime: time(TimeOf::Changed).unwrap_or(now),
        atime: time(TimeOf::Accessed).unwrap_or(now),
        mode: 0o644,
        nlink: 1,
        uid: 0,
    };
    let root: Arc<Path> = Path::new(ROOT).into();
    let path = root.join(&given.path);
    if let Some(unit) = given.unit {
        return Facts::of_unit(path, root, stat, unit);
    }
    let mut facts = Facts::new(path, root, stat);
    if given.kind.is_some() || given.mime.is_some() || given.true_ext.is_some() {
        let media_type = given.mime.clone().unwrap_or_else(|| "unknown/unknown".into());
        let kind = Kind {
            media_type: Cow::Owned(media_type),
            category: given.kind.clone().unwrap_or_else(Category::unknown),
            mismatch: given.mismatch,
            true_ext: given.true_ext.clone().map(Cow::Owned),
        };
        facts.kind = Fact::Known(kind, Source::Given);
    }
    facts.origin = match &given.origin {
        // A bare host is as good as a URL here.
        Some(url) if url.contains("://") => origin(url.clone()),
        Some(host) => origin(format!("https://{host}/")),
        None => Fact::Absent,
    };
    facts.attributes = match given.attributes.is_empty() {
        true => Fact::Absent,
        false => Fact::Known(given.attributes.clone(), Source::Given),
    };
    facts.metadata = match given.metadata.is_empty() {
        true => Fact::Absent,
        false => Fact::Known(given.metadata.clone(), Source::Given),
    };
    facts.text = match &given.text {
        Some(text) => Fact::Known(text.as_str().into(), Source::Given),
        None => Fact::Absent,
    };
    facts.duplicate_of = if given.duplicate {
        Fact::Known(PathBuf::from("another file"), Source::Given)
    } else {
        Fact::Absent
    };
    facts
}

fn origin(url: String) -> Fact<Origin> {
    Fact::Known(Origin { url: Some(url), referrer: None }, Source::Given)
}
