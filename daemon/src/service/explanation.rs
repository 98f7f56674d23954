//! What there is to say about one file, as clients get it.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use tidy_core::facts::Fact;
use tidy_core::name;
use tidy_core::plan::Planned;
use tidy_core::rules::{Decision, LeaveReason, Verdict};
use tidy_protocol::{
    CompanionOf, Explanation, LeftFile, OperationInfo, RuleCheck, WaitsFor, WirePath, Would,
};

use super::{convert, stops};
use crate::coordinator::{About, RootState, Stage};
use crate::filing::{Explained, Main};

/// Everything about one path; `history` is what was done with it, `main` about the file that it goes with.
pub(super) fn of(
    explained: &Explained,
    about: &About,
    main: Option<&About>,
    history: Vec<OperationInfo>,
) -> Explanation {
    let decision = explained.decision.as_ref();
    let kind = decision.and_then(|(facts, _)| match &facts.kind {
        Fact::Known(kind, _) => Some(kind),
        _ => None,
    });
    let asked = explained.as_path.as_ref().unwrap_or(&explained.path);
    let would = explained.planned.as_ref().map(|planned| Would {
        steps: explained
            .steps
            .iter()
            .filter(|s| !s.kind.is_directory())
            .map(convert::step)
            .collect(),
        left: left(asked, planned, decision.map(|(_, d)| d)),
    });
    let companion_of = explained.main.as_ref().map(|of| CompanionOf {
        path: of.path.as_path().into(),
        left: left(&of.path, &of.planned, Some(&of.decision)),
        waits_for: main.map(|about| main_waits_for(of, about)).unwrap_or_default(),
        rules: checks(&of.decision),
    });
    Explanation {
        path: explained.path.as_path().into(),
        exists: explained.stat.is_some(),
        stored: explained.stored.as_ref().map(convert::stored),
        history,
        would,
        media_type: kind.map(|k| k.media_type.to_string()),
        category: kind.map(|k| k.category.to_string()),
        rules: decision.map(|(_, d)| checks(d)).unwrap_or_default(),
        as_path: explained.as_path.as_deref().map(WirePath::from),
        waits_for: waits_for(explained, about),
        companion_of,
    }
}

fn checks(decision: &Decision) -> Vec<RuleCheck> {
    decision.trace.iter().map(convert::rule_check).collect()
}

/// Why a file stays, if it does.
fn left(path: &Path, planned: &Planned, decision: Option<&Decision>) -> Option<LeftFile> {
    match planned {
        Planned::Steps(_) => None,
        Planned::Left(reason, detail) => {
            let rule = decision.and_then(|d| rule_of(d, *reason));
            Some(convert::left_file(path, *reason, rule, detail.clone()))
        }
    }
}

/// The rule because of which the file is left.
fn rule_of(decision: &Decision, reason: LeaveReason) -> Option<&str> {
    use LeaveReason::{BadDestination, Conflict, DestinationNotReady, InPlace, Rule};
    match &decision.verdict {
        Verdict::Act(acts)
            if matches!(reason, BadDestination | Conflict | DestinationNotReady | InPlace) =>
        {
            acts.first().map(|a| &*a.rule)
        }
        Verdict::Leave(_, rule) if reason == Rule => rule.as_deref(),
        _ => None,
    }
}

/// What has to happen first: what stops its whole folder before what is about the file alone.
fn waits_for(explained: &Explained, about: &About) -> Vec<WaitsFor> {
    let mut out = Vec::new();
    if explained.stat.is_none() || explained.as_path.is_some() {
        return out;
    }
    let mut add = |what: &str, text: String| out.push(waiting(what, text));
    if let Some(root) = &about.root {
        let folder = name::shown(root.path.as_os_str());
        match (root.state, &root.trip) {
            (_, Some(trip)) => {
                let why = stops::text(trip.why);
                add(
                    "stopped",
                    format!("tidyd stopped {folder}, because {why}; `tidyctl resume` goes on"),
                );
            }
            (RootState::Paused, None) => {
                add("paused", format!("{folder} is paused; `tidyctl resume` goes on"));
            }
            (RootState::Missing, None) => add("missing", format!("{folder} is not there")),
            (RootState::Unreadable, None) => {
                add("unreadable", format!("{folder} cannot be read; `tidyctl status` says more"));
            }
            _ => {}
        }
    }
    let (path, held_by) = (&explained.path, explained.held_by.as_deref());
    out.extend(of_itself(path, explained.written, held_by, about.stage.as_ref()));
    out
}

/// What the file has to wait for that another one goes with.
fn main_waits_for(main: &Main, about: &About) -> Vec<WaitsFor> {
    of_itself(&main.path, main.written, main.held_by.as_deref(), about.stage.as_ref())
}

/// What is about the file alone.
fn of_itself(
    path: &Path,
    written: bool,
    held_by: Option<&OsStr>,
    stage: Option<&Stage>,
) -> Vec<WaitsFor> {
    let mut out = Vec::new();
    let mut add = |what: &str, text: String| out.push(waiting(what, text));
    if written {
        add("written", "a program has it open for writing".into());
    }
    match stage {
        _ if held_by.is_some() => {}
        Some(Stage::Settling(after)) if !written => {
            let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            let text =
                format!("it must be quiet for a while; it is looked at again {}", when(*after));
            add("settling", text);
            if let Some(last) = out.last_mut() {
                last.after_ms = Some(after_ms);
            }
        }
        Some(Stage::ToBeRead) => add("scan", "its folder is to be read first".into()),
        Some(Stage::ForPower) => add(
            "power",
            "the machine runs on its battery; it is filed when that is plugged in again".into(),
        ),
        Some(Stage::Ready) => add("ready", "it is settled, and its turn comes next".into()),
        Some(Stage::Filing) => add("filing", "it is being filed now".into()),
        Some(Stage::Settling(_) | Stage::Held(_)) | None => {}
    }
    if let Some(sibling) = held_by {
        let path = path.with_file_name(sibling);
        let sibling = name::shown(sibling);
        out.push(WaitsFor {
            what: "held".into(),
            text: format!("the unfinished {sibling} beside it must be finished or go"),
            path: Some(path.as_path().into()),
            after_ms: None,
        });
    }
    out
}

fn waiting(what: &str, text: String) -> WaitsFor {
    WaitsFor { what: what.into(), text, path: None, after_ms: None }
}

fn when(after: Duration) -> String {
    match after.as_millis() {
        0 => "now".to_owned(),
        ms if ms < 10_000 => format!("in {}.{} s", ms / 1000, ms % 1000 / 100),
        ms => format!("in {} s", ms / 1000),
    }
}
