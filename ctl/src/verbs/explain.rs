//! `explain`: why a file is where it is, and what would be done with it now.

use owo_colors::OwoColorize;
use tidy_protocol::{
    ExitCode, Explanation, OperationInfo, Request, RuleCheck, Stored, WirePath, Would,
};

use std::path::{Component, Path};

use super::{expect_answer, writers};
use crate::cli::ExplainArgs;
use crate::error::Failure;
use crate::given;
use crate::render::path::one_line;
use crate::render::{Look, operation};
use crate::run::{Ended, Session};

/// Asks and shows it.
pub(crate) fn explain(s: &mut Session, args: &ExplainArgs) -> Ended {
    let path = given::path(&args.file).map_err(Failure::from_cwd)?;
    let as_path = args.as_name.as_deref().map(|name| named(&path.0, name)).transpose()?;
    let e = expect_answer!(s.ask(&Request::Explain { path, as_path })?, Explain);
    let written = e.waits_for.iter().any(|w| w.what == "written");
    let writers = if written && !s.out.json { writers::of(&e.path.0) } else { Vec::new() };
    s.out.show(&*e, |look, e| text(look, e, &writers))?;
    Ok(ExitCode::Ok)
}

/// The path that is meant: what is not absolute begins in the file's folder (or in the folder, where that was given).
fn named(path: &Path, name: &Path) -> Result<WirePath, Failure> {
    let hint = "write a name, or a path: what is not absolute begins in the file's folder";
    if name.file_name().is_none() {
        return Err(Failure::usage("--as is not the name of a file", hint));
    }
    let is_dir = path.symlink_metadata().is_ok_and(|m| m.is_dir());
    let folder = if is_dir { path } else { path.parent().unwrap_or(path) };
    let at = given::path(&folder.join(name)).map_err(Failure::from_cwd)?;
    // Where a folder is not there, nobody knows what is above it.
    if at.0.components().any(|c| c == Component::ParentDir) {
        return Err(Failure::usage("--as goes up from a folder that is not there", hint));
    }
    Ok(at)
}

/// The whole answer as text.
pub(super) fn text(look: &Look, e: &Explanation, writers: &[String]) -> String {
    let asked = e.as_path.as_ref().unwrap_or(&e.path);
    let verdict = verdict(look, e);
    let mut out =
        wrapped(look, "", "  ", &format!("{} {verdict}", whole(look.path(&asked.0).bold())));
    for waits in &e.waits_for {
        let by = match writers {
            by if waits.what == "written" && !by.is_empty() => format!(": {}", by.join(", ")),
            _ => String::new(),
        };
        out.push_str(&wrapped(look, "  waits: ", "  ", &format!("{}{by}", one_line(&waits.text))));
    }
    let kind = [e.media_type.as_deref(), e.category.as_deref()];
    let kind: Vec<_> = kind.into_iter().flatten().map(one_line).collect();
    if !kind.is_empty() {
        out.push_str(&format!("  recognised as {}\n", kind.join(", ")));
    }
    if !e.history.is_empty() && e.as_path.is_none() {
        out.push_str("\nHistory, newest first\n");
        e.history.iter().for_each(|o| out.push_str(&past(look, o)));
    }
    if !e.rules.is_empty() {
        out.push_str("\nRules, in order\n");
        e.rules.iter().for_each(|rule| out.push_str(&rule_text(look, rule)));
    }
    out
}

/// A path that is not to be broken at its blanks, since it is there to be copied.
fn whole(path: impl std::fmt::Display) -> String {
    path.to_string().replace(' ', UNBROKEN)
}

/// Stands for a blank that is no place to break at. What is shown has no control characters of its own.
const UNBROKEN: &str = "\u{1}";

/// Lines of at most [`WIDTH`] columns, broken between words; what has no blank to break at stays whole. Colours count for
/// nothing. What is not for a terminal is not broken.
fn wrapped(look: &Look, first: &str, others: &str, text: &str) -> String {
    let room = if look.terminal { WIDTH } else { usize::MAX };
    let mut out = first.to_owned();
    let mut column = first.chars().count();
    for (i, word) in text.split(' ').enumerate() {
        let width = anstream::adapter::strip_str(word).to_string().chars().count();
        if i > 0 && column + 1 + width > room {
            out.push('\n');
            out.push_str(others);
            column = others.chars().count();
        } else if i > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(&word.replace(UNBROKEN, " "));
        column += width;
    }
    out.push('\n');
    out
}

/// Columns of a terminal that is as narrow as they come.
const WIDTH: usize = 80;

/// The whole answer in one sentence, after the path.
fn verdict(look: &Look, e: &Explanation) -> String {
    if e.as_path.is_some() {
        return match &e.would {
            Some(would) => would_text(look, would),
            None => "would not be looked at: it is in no folder that tidyd watches".into(),
        };
    }
    if !e.exists {
        return gone(look, e);
    }
    if let Some(filed) = filed_by(e) {
        return filed_text(look, filed);
    }
    if let Some(failed) = failed(e) {
        return failed_text(failed);
    }
    match &e.would {
        Some(would) => would_text(look, would),
        None => match &e.stored {
            Some(stored) => left_text(stored),
            None => {
                "is not known to tidyd: it is in no folder that tidyd watches or files into".into()
            }
        },
    }
}

/// The operation that put the file here and was not undone since.
fn filed_by(e: &Explanation) -> Option<&OperationInfo> {
    let here = |o: &&OperationInfo| o.dst.as_ref() == Some(&e.path) && o.state == "done";
    // What the catalog says of the file that is here now counts before what once happened at its path.
    if e.stored.as_ref().is_some_and(|s| s.outcome != "filed") {
        return None;
    }
    match e.stored.as_ref().and_then(|s| s.operation) {
        Some(id) => e.history.iter().find(|o| o.id == id && o.undone_by.is_none()),
        // The newest thing that happened at this path.
        None => e.history.first().filter(|o| here(o) && o.undone_by.is_none() && !o.undo),
    }
}

/// The operation that failed on the file as it is now, when it still would be tried.
fn failed(e: &Explanation) -> Option<&OperationInfo> {
    let stored = e.stored.as_ref().filter(|s| s.reason.as_deref() == Some("failed"));
    let would = e.would.as_ref().filter(|w| !w.steps.is_empty());
    stored.and(would)?;
    e.history.first().filter(|o| o.state == "failed" && o.src.as_ref() == Some(&e.path))
}

fn failed_text(o: &OperationInfo) -> String {
    let why = o.error.as_deref().map_or("it failed".into(), one_line);
    let rule = one_line(&o.rule);
    format!(
        "could not be filed by rule {rule}: {why}; it is tried again by itself, less and less often, and at once \
         with `tidyctl organize`"
    )
}

fn filed_text(look: &Look, o: &OperationInfo) -> String {
    if o.tags.is_some() {
        let (rule, when) = (one_line(&o.rule), look.moment(o.time_ns));
        let tags = operation::tags(o.tags.as_ref());
        return format!(
            "was left where it is, with the {tags}, by operation {} (rule {rule}, {when}) because {}",
            o.id,
            one_line(&o.why)
        );
    }
    let from =
        o.src.as_ref().map(|p| format!(" from {}", whole(look.path(&p.0)))).unwrap_or_default();
    let (rule, when) = (one_line(&o.rule), look.moment(o.time_ns));
    format!(
        "was filed by operation {} (rule {rule}, {when}){from} because {}",
        o.id,
        one_line(&o.why)
    )
}

fn would_text(look: &Look, would: &Would) -> String {
    let mut steps = would.steps.iter().filter(|s| !operation::is_directory(&s.kind));
    let tagged = would.steps.iter().rfind(|s| s.tags.is_some());
    // Tags are set on the way.
    if let Some(step) = steps.find(|s| s.tags.is_none()).or(tagged) {
        let to = step
            .dst
            .as_ref()
            .map(|p| format!(" to {}", whole(look.path(&p.0))))
            .unwrap_or_default();
        let what = match step.kind.as_str() {
            "move" => format!("moved{to}"),
            "copy" => format!("copied{to}"),
            "reflink" => format!("copied{to} (sharing its blocks)"),
            "hardlink" => format!("given another name (a hard link){to}"),
            "symlink" => format!("linked{to} (a symbolic link)"),
            "trash" => "put into the trash".to_owned(),
            "tag" => format!("left where it is, with the {}", operation::tags(step.tags.as_ref())),
            other => format!("filed ({}){to}", one_line(other)),
        };
        let with = match (tagged, &step.tags) {
            (Some(tagged), None) => {
                format!(" with the {}", operation::tags(tagged.tags.as_ref()))
            }
            _ => String::new(),
        };
        let (rule, why) = (one_line(&step.rule), one_line(&step.why));
        return format!("would be {what}{with} by rule {rule} because {why}");
    }
    match &would.left {
        Some(left) => {
            let detail =
                left.detail.as_ref().map(|d| format!(" ({})", one_line(d))).unwrap_or_default();
            let rule =
                left.rule.as_ref().map(|r| format!(" [rule {}]", one_line(r))).unwrap_or_default();
            format!("is left: {}{detail}{rule}", one_line(&left.text))
        }
        None => "is left: nothing is to be done with it".into(),
    }
}

fn left_text(stored: &Stored) -> String {
    match stored.text.as_ref().or(stored.reason.as_ref()) {
        Some(text) => format!("is left: {}", one_line(text)),
        None => format!("is {}", one_line(&stored.outcome)),
    }
}

/// For a path with no file: where it went, if it is known.
fn gone(look: &Look, e: &Explanation) -> String {
    let went = |o: &&OperationInfo| {
        o.src.as_ref() == Some(&e.path) && o.state == "done" && o.tags.is_none()
    };
    let went = e.history.iter().find(went);
    match went {
        Some(o) => {
            let to = o
                .dst
                .as_ref()
                .map(|p| format!(" to {}", whole(look.path(&p.0))))
                .unwrap_or_default();
            let (rule, when) = (one_line(&o.rule), look.moment(o.time_ns));
            format!("is not there: operation {} moved it{to} (rule {rule}, {when})", o.id)
        }
        None if e.history.is_empty() => "is not there, and nothing is known of it".into(),
        None => "is not there any more".into(),
    }
}

fn past(look: &Look, o: &OperationInfo) -> String {
    let from = look.maybe_path(o.src.as_ref());
    let to = match &o.tags {
        Some(_) => operation::tags(o.tags.as_ref()),
        None => look.maybe_path(o.dst.as_ref()),
    };
    let (kind, rule) = (one_line(&o.kind), one_line(&o.rule));
    let state = match (o.undone_by, o.state.as_str()) {
        (Some(by), _) => format!(", undone by operation {by}"),
        (None, "done") => String::new(),
        (None, other) => format!(", {}", one_line(other)),
    };
    let error = o.error.as_ref().map(|e| format!(": {}", one_line(e))).unwrap_or_default();
    let (id, batch, when) = (o.id, o.batch, look.moment(o.time_ns));
    let head =
        wrapped(look, "", "          ", &format!("  {id:>6}  {when}, batch {batch}{state}{error}"));
    let why = wrapped(look, "          ", "            ", &format!("{rule}: {}", one_line(&o.why)));
    format!("{head}          {kind} {from}\n            -> {to}\n{why}")
}

fn rule_text(look: &Look, rule: &RuleCheck) -> String {
    let mut out = format!("  {}: {}\n", one_line(&rule.rule).bold(), truth(&rule.matched, 0));
    for c in &rule.checks {
        let mut line = one_line(&c.test);
        if !c.seen.is_empty() {
            // What is unknown has a reason instead of a value.
            let it_is = if c.truth == "unknown" { "" } else { "it is " };
            line.push_str(&format!("  ({it_is}{})", one_line(&c.seen)));
        }
        let first = format!("      {} ", truth(&c.truth, 7));
        // Escape sequences have no width, so the line is broken without them.
        let lines = wrapped(look, &" ".repeat(14), &" ".repeat(14), &line);
        out.push_str(&first);
        out.push_str(&lines[14..]);
    }
    out
}

/// A truth in its colour, padded before it is coloured: escape sequences have no width.
fn truth(word: &str, width: usize) -> String {
    let padded = format!("{:<width$}", one_line(word));
    match word {
        "true" => padded.green().to_string(),
        "false" => padded.red().to_string(),
        _ => padded.yellow().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tidy_protocol::{Check, LeftFile, PlannedStep, WirePath};

    use super::*;
    use crate::render::testing::{before, plain, terminal};

    fn path(name: &str) -> WirePath {
        Path::new("/home/a").join(name).as_path().into()
    }

    fn moved(id: u64, from: &str, to: &str) -> OperationInfo {
        OperationInfo {
            id,
            batch: 3,
            trigger: "watch".into(),
            kind: "move".into(),
            state: "done".into(),
            time_ns: before(180),
            rule: "photos".into(),
            why: "it has a date".into(),
            src: Some(path(from)),
            dst: Some(path(to)),
            size: None,
            digest: None,
            tags: None,
            inverse_of: None,
            undo: false,
            undone_by: None,
            error: None,
        }
    }

    fn about(name: &str) -> Explanation {
        Explanation {
            path: path(name),
            exists: true,
            stored: None,
            history: vec![],
            would: None,
            media_type: None,
            category: None,
            rules: vec![],
            as_path: None,
            waits_for: vec![],
        }
    }

    fn first_line(e: &Explanation) -> String {
        // The verdict, whatever its width.
        format!(
            "{} {}",
            plain(&terminal().path(&e.path.0).to_string()),
            plain(&verdict(&terminal(), e))
        )
    }

    #[test]
    fn a_filed_file_names_the_operation_and_where_it_came_from() {
        let mut e = about("Pictures/x");
        e.history = vec![moved(12, "Downloads/x", "Pictures/x")];
        let want = "~/Pictures/x was filed by operation 12 (rule photos, 3 min ago) from ~/Downloads/x \
                    because it has a date";
        assert_eq!(first_line(&e), want);
        // A file of the same name that came later is not the one that was filed.
        e.stored = Some(Stored {
            outcome: "left".into(),
            reason: Some("no-rule".into()),
            text: Some("no rule takes it".into()),
            rule: None,
            operation: None,
        });
        assert_eq!(first_line(&e), "~/Pictures/x is left: no rule takes it");
        e.stored = None;
        e.history[0].undone_by = Some(13);
        assert!(first_line(&e).contains("not known"), "{}", first_line(&e));
    }

    #[test]
    fn what_would_be_done_comes_with_its_reason_and_every_condition() {
        let mut e = about("Downloads/x");
        let step = |kind: &str, dst| PlannedStep {
            kind: kind.into(),
            src: Some(path("Downloads/x")),
            dst,
            rule: "photos".into(),
            why: "it has a date".into(),
            size: None,
            tags: None,
        };
        let steps =
            vec![step("mkdir", Some(path("Pictures"))), step("move", Some(path("Pictures/x")))];
        e.would = Some(Would { steps, left: None });
        e.category = Some("image".into());
        e.rules = vec![RuleCheck {
            rule: "photos".into(),
            matched: "true".into(),
            checks: vec![Check {
                test: "kind = image".into(),
                truth: "true".into(),
                seen: "image\n".into(),
            }],
        }];
        insta::assert_snapshot!(plain(&text(&terminal(), &e, &[])), @r"
        ~/Downloads/x would be moved to ~/Pictures/x by rule photos because it has a
          date
          recognised as image

        Rules, in order
          photos: true
              true    kind = image  (it is image\n)
        ");
        e.would = Some(Would { steps: vec![step("trash", Some(path("Trash/x")))], left: None });
        let want = "~/Downloads/x would be put into the trash by rule photos because it has a date";
        assert_eq!(first_line(&e), want);
        let left = LeftFile {
            path: path("Downloads/x"),
            reason: "conflict".into(),
            text: "the name is taken".into(),
            rule: Some("photos".into()),
            detail: None,
        };
        e.would = Some(Would { steps: vec![], left: Some(left) });
        assert_eq!(first_line(&e), "~/Downloads/x is left: the name is taken [rule photos]");
    }

    #[test]
    fn a_path_with_no_file_says_where_it_went() {
        let mut e = about("Downloads/x");
        e.exists = false;
        assert_eq!(first_line(&e), "~/Downloads/x is not there, and nothing is known of it");
        e.history = vec![moved(12, "Downloads/x", "Pictures/x")];
        let want = "~/Downloads/x is not there: operation 12 moved it to ~/Pictures/x (rule photos, 3 min ago)";
        assert_eq!(first_line(&e), want);
    }
}
