//! What there is to say about one file, as clients get it.

use std::time::Duration;

use tidy_core::facts::Fact;
use tidy_core::name;
use tidy_core::plan::Planned;
use tidy_core::rules::{Decision, LeaveReason, Verdict};
use tidy_protocol::{Explanation, OperationInfo, WaitsFor, WirePath, Would};

use super::{convert, stops};
use crate::coordinator::{About, RootState, Stage};
use crate::filing::Explained;

/// Everything about one path; `history` is what was done with it.
pub(super) fn of(explained: &Explained, about: &About, history: Vec<OperationInfo>) -> Explanation {
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
        left: match planned {
            Planned::Steps(_) => None,
            Planned::Left(reason, detail) => {
                let rule = decision.and_then(|(_, d)| rule_of(d, *reason));
                Some(convert::left_file(asked, *reason, rule, detail.clone()))
            }
        },
    });
    Explanation {
        path: explained.path.as_path().into(),
        exists: explained.stat.is_some(),
        stored: explained.stored.as_ref().map(convert::stored),
        history,
        would,
        media_type: kind.map(|k| k.media_type.to_string()),
        category: kind.map(|k| k.category.to_string()),
        rules: decision
            .map(|(_, d)| d.trace.iter().map(convert::rule_check).collect())
            .unwrap_or_default(),
        as_path: explained.as_path.as_deref().map(WirePath::from),
        waits_for: waits_for(explained, about),
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
    let mut add = |what: &str, text: String| {
        out.push(WaitsFor { what: what.into(), text, path: None, after_ms: None });
    };
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
    if explained.written {
        add("written", "a program has it open for writing".into());
    }
    match &about.stage {
        _ if explained.held_by.is_some() => {}
        Some(Stage::Settling(after)) if !explained.written => {
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
    if let Some(sibling) = &explained.held_by {
        let path = explained.path.with_file_name(sibling);
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

fn when(after: Duration) -> String {
    match after.as_millis() {
        0 => "now".to_owned(),
        ms if ms < 10_000 => format!("in {}.{} s", ms / 1000, ms % 1000 / 100),
        ms => format!("in {} s", ms / 1000),
    }
}
