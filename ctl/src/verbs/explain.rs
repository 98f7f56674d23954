//! `explain`: why a file is where it is, and what would be done with it now.

use owo_colors::OwoColorize;
use tidy_protocol::{ExitCode, Explanation, OperationInfo, Request, RuleCheck, Stored, Would};

use super::expect_answer;
use crate::cli::ExplainArgs;
use crate::error::Failure;
use crate::given;
use crate::render::path::one_line;
use crate::render::{Look, operation};
use crate::run::{Ended, Session};

/// Asks and shows it.
pub(crate) fn explain(s: &mut Session, args: &ExplainArgs) -> Ended {
    let path = given::path(&args.file).map_err(Failure::from_cwd)?;
    let explanation = expect_answer!(s.ask(&Request::Explain { path })?, Explain);
    s.out.show(&*explanation, text)?;
    Ok(ExitCode::Ok)
}

fn text(look: &Look, e: &Explanation) -> String {
    let mut out = format!("{} {}\n", look.path(&e.path.0).bold(), verdict(look, e));
    let kind = [e.media_type.as_deref(), e.category.as_deref()];
    let kind: Vec<_> = kind.into_iter().flatten().map(one_line).collect();
    if !kind.is_empty() {
        out.push_str(&format!("  recognised as {}\n", kind.join(", ")));
    }
    if !e.history.is_empty() {
        out.push_str("\nHistory, newest first\n");
        e.history.iter().for_each(|o| out.push_str(&past(look, o)));
    }
    if !e.rules.is_empty() {
        out.push_str("\nRules, in order\n");
        e.rules.iter().for_each(|rule| out.push_str(&rule_text(rule)));
    }
    out
}

/// The whole answer in one sentence, after the path.
fn verdict(look: &Look, e: &Explanation) -> String {
    if !e.exists {
        return gone(look, e);
    }
    if let Some(filed) = filed_by(e) {
        return filed_text(look, filed);
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
    let id = e.stored.as_ref().filter(|s| s.outcome == "filed").and_then(|s| s.operation);
    match id {
        Some(id) => e.history.iter().find(|o| o.id == id && o.undone_by.is_none()),
        // The newest thing that happened at this path.
        None => e.history.first().filter(|o| here(o) && o.undone_by.is_none() && !o.undo),
    }
}

fn filed_text(look: &Look, o: &OperationInfo) -> String {
    let from = o.src.as_ref().map(|p| format!(" from {}", look.path(&p.0))).unwrap_or_default();
    let (rule, when) = (one_line(&o.rule), look.moment(o.time_ns));
    format!(
        "was filed by operation {} (rule {rule}, {when}){from} because {}",
        o.id,
        one_line(&o.why)
    )
}

fn would_text(look: &Look, would: &Would) -> String {
    let step = would.steps.iter().find(|s| !operation::is_directory(&s.kind));
    if let Some(step) = step {
        let to = step.dst.as_ref().map(|p| format!(" to {}", look.path(&p.0))).unwrap_or_default();
        let what = match step.kind.as_str() {
            "move" => format!("moved{to}"),
            "copy" => format!("copied{to}"),
            "trash" => "put into the trash".to_owned(),
            other => format!("filed ({}){to}", one_line(other)),
        };
        let (rule, why) = (one_line(&step.rule), one_line(&step.why));
        return format!("would be {what} by rule {rule} because {why}");
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
    let went = e.history.iter().find(|o| o.src.as_ref() == Some(&e.path) && o.state == "done");
    match went {
        Some(o) => {
            let to = o.dst.as_ref().map(|p| format!(" to {}", look.path(&p.0))).unwrap_or_default();
            let (rule, when) = (one_line(&o.rule), look.moment(o.time_ns));
            format!("is not there: operation {} moved it{to} (rule {rule}, {when})", o.id)
        }
        None if e.history.is_empty() => "is not there, and nothing is known of it".into(),
        None => "is not there any more".into(),
    }
}

fn past(look: &Look, o: &OperationInfo) -> String {
    let (from, to) = (look.maybe_path(o.src.as_ref()), look.maybe_path(o.dst.as_ref()));
    let (kind, rule) = (one_line(&o.kind), one_line(&o.rule));
    let state = match (o.undone_by, o.state.as_str()) {
        (Some(by), _) => format!(", undone by operation {by}"),
        (None, "done") => String::new(),
        (None, other) => format!(", {}", one_line(other)),
    };
    let error = o.error.as_ref().map(|e| format!(": {}", one_line(e))).unwrap_or_default();
    let (id, batch, when) = (o.id, o.batch, look.moment(o.time_ns));
    format!(
        "  {id:>6}  {when}, batch {batch}{state}{error}\n          {kind} {from}\n            -> {to}\n          {rule}: {}\n",
        one_line(&o.why)
    )
}

fn rule_text(rule: &RuleCheck) -> String {
    let mut out = format!("  {}: {}\n", one_line(&rule.rule).bold(), truth(&rule.matched));
    for c in &rule.checks {
        out.push_str(&format!("      {:<7} {}", truth(&c.truth), one_line(&c.test)));
        if !c.seen.is_empty() {
            out.push_str(&format!("  (it is {})", one_line(&c.seen)));
        }
        out.push('\n');
    }
    out
}

fn truth(word: &str) -> String {
    match word {
        "true" => word.green().to_string(),
        "false" => word.red().to_string(),
        _ => one_line(word).yellow().to_string(),
    }
}
