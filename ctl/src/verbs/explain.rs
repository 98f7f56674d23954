//! `explain`: why a file is where it is, and what would be done with it now.

use owo_colors::OwoColorize;
use tidy_protocol::{
    CompanionOf, ExitCode, Explanation, LeftFile, OperationInfo, Request, Stored, WirePath, Would,
};

use std::path::{Component, Path};

use super::{expect_answer, writers};
use crate::cli::ExplainArgs;
use crate::error::Failure;
use crate::given;
use crate::render::path::one_line;
use crate::render::reason::{considered, rule_text, whole, wrapped};
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
    out.extend(e.companion_of.iter().map(|of| goes_with(look, of)));
    let kind = [e.media_type.as_deref(), e.category.as_deref()];
    let kind: Vec<_> = kind.into_iter().flatten().map(one_line).collect();
    if !kind.is_empty() {
        out.push_str(&format!("  recognised as {}\n", kind.join(", ")));
    }
    if !e.history.is_empty() && e.as_path.is_none() {
        out.push_str("\nHistory, newest first\n");
        e.history.iter().for_each(|o| out.push_str(&past(look, o)));
    }
    let then = decided_by(e).and_then(|o| Some((o, o.considered.as_ref()?)));
    if let Some((o, then)) = then {
        out.push_str(&format!("\nRules for operation {}, in order\n", o.id));
        out.push_str(&considered(look, then, &o.rule));
    }
    if !e.rules.is_empty() {
        out.push_str(if then.is_some() {
            "\nRules now, in order\n"
        } else {
            "\nRules, in order\n"
        });
        e.rules.iter().for_each(|rule| out.push_str(&rule_text(look, rule)));
    }
    if let Some(of) = e.companion_of.as_ref().filter(|of| !of.rules.is_empty()) {
        let name = of.path.0.file_name().unwrap_or_default().to_string_lossy();
        out.push_str(&format!("\nRules for {}, in order\n", one_line(&name)));
        of.rules.iter().for_each(|rule| out.push_str(&rule_text(look, rule)));
    }
    out
}

/// The file that is decided about, and what it waits for.
fn goes_with(look: &Look, of: &CompanionOf) -> String {
    let waits = of.waits_for.iter().map(|w| format!("waits: {}", one_line(&w.text)));
    let stays = of.left.iter().map(|left| format!("is left: {}", why_left(left)));
    let also: Vec<_> = waits.chain(stays).collect();
    let also = match also.is_empty() {
        true => String::new(),
        false => format!(", which {}", also.join(", and ")),
    };
    wrapped(look, "  goes with ", "  ", &format!("{}{also}", whole(look.path(&of.path.0))))
}

/// The reason with what is to be added to it.
fn why_left(left: &LeftFile) -> String {
    let detail = left.detail.as_ref().map(|d| format!(" ({})", one_line(d))).unwrap_or_default();
    let rule = left.rule.as_ref().map(|r| format!(" [rule {}]", one_line(r))).unwrap_or_default();
    format!("{}{detail}{rule}", one_line(&left.text))
}

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

/// The operation that the first line tells of.
fn decided_by(e: &Explanation) -> Option<&OperationInfo> {
    match (&e.as_path, e.exists) {
        (Some(_), _) => None,
        (None, true) => filed_by(e),
        (None, false) => went(e),
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
        Some(left) => format!("is left: {}", why_left(left)),
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
    match went(e) {
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

/// The operation that took the file away.
fn went(e: &Explanation) -> Option<&OperationInfo> {
    let went = |o: &&OperationInfo| {
        o.src.as_ref() == Some(&e.path) && o.state == "done" && o.tags.is_none()
    };
    e.history.iter().find(went)
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tidy_protocol::{Check, Considered, PlannedStep, RuleCheck, WaitsFor};

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
            considered: None,
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
            companion_of: None,
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
    fn a_companion_tells_whose_it_is_and_what_that_waits_for() {
        let mut e = about("Downloads/x.xmp");
        let left = |file: &str, reason: &str, text: &str| LeftFile {
            path: path(file),
            reason: reason.into(),
            text: text.into(),
            rule: None,
            detail: None,
        };
        let stays = left("Downloads/x.xmp", "companion", "it belongs to another file");
        e.would = Some(Would { steps: vec![], left: Some(stays) });
        e.media_type = Some("application/rdf+xml".into());
        let waits = left("Downloads/x.jpg", "destination-not-ready", "its destination is away");
        let checks =
            vec![Check { test: "ext = jpg".into(), truth: "true".into(), seen: "jpg".into() }];
        let rule = RuleCheck { rule: "photos".into(), matched: "true".into(), checks };
        e.companion_of = Some(CompanionOf {
            path: path("Downloads/x.jpg"),
            left: Some(LeftFile { rule: Some("photos".into()), ..waits }),
            waits_for: vec![],
            rules: vec![rule],
        });
        insta::assert_snapshot!(plain(&text(&terminal(), &e, &[])), @r"
        ~/Downloads/x.xmp is left: it belongs to another file
          goes with ~/Downloads/x.jpg, which is left: its destination is away [rule
          photos]
          recognised as application/rdf+xml

        Rules for x.jpg, in order
          photos: true
              true    ext = jpg  (it is jpg)
        ");
        let of = e.companion_of.as_mut().unwrap();
        of.left = None;
        let shown = |of: &CompanionOf| plain(&goes_with(&terminal(), of));
        assert_eq!(shown(of), "  goes with ~/Downloads/x.jpg\n");
        let text = "a program has it open".to_owned();
        of.waits_for = vec![WaitsFor { what: "written".into(), text, path: None, after_ms: None }];
        assert_eq!(
            shown(of),
            "  goes with ~/Downloads/x.jpg, which waits: a program has it open\n"
        );
    }

    #[test]
    fn what_the_rules_said_when_it_was_filed_is_told_afterwards() {
        let mut e = about("Pictures/x");
        let check = |truth: &str| Check {
            test: "kind = document".into(),
            truth: truth.into(),
            seen: "image".into(),
        };
        let rules = vec![RuleCheck {
            rule: "papers".into(),
            matched: "false".into(),
            checks: vec![check("false")],
        }];
        let considered = Some(Considered { rules, more: 2 });
        e.history = vec![OperationInfo { considered, ..moved(12, "Downloads/x", "Pictures/x") }];
        let told = plain(&text(&terminal(), &e, &[]));
        let (_, told) = told.split_once("\nRules").unwrap();
        insta::assert_snapshot!(told, @r"
         for operation 12, in order
          papers: false
              false   kind = document  (it is image)
          2 more rules that came before it, and did not take it alone
          photos: true
        ");
        // Also of a file that is asked about where it was.
        (e.path, e.exists) = (path("Downloads/x"), false);
        assert!(plain(&text(&terminal(), &e, &[])).contains("Rules for operation 12"));
        // What is not told of is not explained.
        e.history[0].undone_by = Some(13);
        (e.path, e.exists) = (path("Pictures/x"), true);
        assert!(!plain(&text(&terminal(), &e, &[])).contains("Rules"));
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
