//! What a shell offers behind a word: beside verbs and options also what the running daemon knows (operations, batches,
//! rules, folders, jobs). Without a daemon nothing is offered, and nothing is said.

use std::time::Duration;

use clap::builder::StyledStr;
use clap_complete::engine::CompletionCandidate as Candidate;
use tidy_config::Environment;
use tidy_protocol::{Client, LogQuery, OperationInfo, Patience, Request, Response, WirePath};

use crate::render::count;
use crate::render::operation::is_directory;
use crate::render::path::{one_line, shown};

/// Set by the completion scripts: the shell that asks.
pub(crate) const VARIABLE: &str = "TIDYCTL_COMPLETE";

/// Nobody waits longer for a suggestion.
const PATIENCE: Duration = Duration::from_millis(500);

/// Operations and batches that are offered.
const NEWEST: u32 = 50;

fn ask(request: &Request) -> Option<Response> {
    let socket = Environment::from_process().ok()?.socket_path().ok()?;
    let patience = Patience { hello: PATIENCE, answer: PATIENCE };
    Client::connect_with(&socket, env!("CARGO_PKG_VERSION"), patience).ok()?.call(request).ok()
}

fn candidate(value: impl Into<std::ffi::OsString>, help: String) -> Candidate {
    let help = Some(help).filter(|h| !h.is_empty()).map(|h| StyledStr::from(one_line(&h)));
    Candidate::new(value).help(help)
}

/// `12`, `batch:3`: what can be shown, put back or redone.
pub(crate) fn targets() -> Vec<Candidate> {
    let (mut all, mut batches) = (Vec::new(), Vec::new());
    let query = LogQuery { limit: Some(NEWEST), ..LogQuery::default() };
    if let Some(Response::Log(page)) = ask(&Request::Log(query)) {
        let files = page.items.iter().filter(|o| !is_directory(&o.kind));
        all.extend(files.map(|o| candidate(o.id.to_string(), described(o))));
    }
    let request = Request::Batches { cursor: None, limit: Some(NEWEST) };
    if let Some(Response::Batches(page)) = ask(&request) {
        batches = page.items;
    }
    let of =
        |b: &tidy_protocol::BatchInfo| format!("{}, {}", count(b.done, "file"), b.rules.join(", "));
    all.extend(batches.iter().map(|b| candidate(format!("batch:{}", b.id), of(b))));
    let numbered = all.into_iter().enumerate();
    numbered.map(|(n, c)| c.display_order(Some(n))).collect()
}

/// `3`: batches as `--batch` takes them.
pub(crate) fn batches() -> Vec<Candidate> {
    match ask(&Request::Batches { cursor: None, limit: Some(NEWEST) }) {
        Some(Response::Batches(page)) => {
            let of = page.items.iter().enumerate();
            of.map(|(n, b)| {
                let help = format!("{}, {}", count(b.done, "file"), b.rules.join(", "));
                candidate(b.id.to_string(), help).display_order(Some(n))
            })
            .collect()
        }
        _ => Vec::new(),
    }
}

fn described(o: &OperationInfo) -> String {
    let name = |p: &WirePath| p.0.file_name().map(shown).unwrap_or_default();
    let file = o.src.as_ref().or(o.dst.as_ref()).map(name).unwrap_or_default();
    format!("{} {file} ({})", o.kind, o.rule)
}

/// Names of rules that have done something, or could.
pub(crate) fn rules() -> Vec<Candidate> {
    match ask(&Request::Rules) {
        Some(Response::Rules(rules)) => {
            rules.into_iter().map(|r| candidate(r.rule, count(r.hits, "file"))).collect()
        }
        _ => Vec::new(),
    }
}

/// The watched folders.
pub(crate) fn roots() -> Vec<Candidate> {
    match ask(&Request::Status) {
        Some(Response::Status(status)) => {
            status.roots.into_iter().map(|r| candidate(r.path.0, r.state)).collect()
        }
        _ => Vec::new(),
    }
}

/// Jobs that can be cancelled.
pub(crate) fn jobs() -> Vec<Candidate> {
    match ask(&Request::Jobs) {
        Some(Response::Jobs(jobs)) => {
            let running = jobs.into_iter().filter(|j| j.ended_ns.is_none());
            running.map(|j| candidate(j.id.to_string(), j.kind)).collect()
        }
        _ => Vec::new(),
    }
}

/// Categories of known files.
pub(crate) fn categories() -> Vec<Candidate> {
    match ask(&Request::Categories) {
        Some(Response::Categories(all)) => {
            all.into_iter().map(|c| candidate(c.category, count(c.files, "file"))).collect()
        }
        _ => Vec::new(),
    }
}
