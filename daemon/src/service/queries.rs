//! Requests that only look things up.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tidy_core::UnixNanos;
use tidy_core::category::Category;
use tidy_core::facts::Digest;
use tidy_core::name;
use tidy_core::operation::{BatchId, OpId, OpState, Operation};
use tidy_core::plan::StepKind;
use tidy_core::policy::Others;
use tidy_protocol::{
    CategoryInfo, DuplicateGroup, Error, ErrorCode, LogQuery, OperationInfo, Page, Response,
    RuleInfo, Shown, WirePath,
};

use super::convert;
use super::error::failed;
use crate::catalog::DuplicateCursor;
use crate::filing::{Explained, Filing, Setup};
use crate::journal::LogFilter;

/// Items on a page when nothing is said, and at most.
const PAGE: u32 = 100;
const MAX_PAGE: u32 = 1_000;

pub(super) fn limit(asked: Option<u32>) -> usize {
    asked.unwrap_or(PAGE).clamp(1, MAX_PAGE) as usize
}

pub(super) fn bad(message: String, hint: &str) -> Error {
    Error::new(ErrorCode::BadRequest, message, hint)
}

pub(super) fn bad_cursor() -> Error {
    bad("the cursor is not one of ours".into(), "start again without a cursor")
}

fn number(cursor: Option<&str>) -> Result<Option<u64>, Error> {
    cursor.map(|c| c.parse().map_err(|_| bad_cursor())).transpose()
}

pub(super) fn bytes(cursor: Option<&str>) -> Result<Option<Vec<u8>>, Error> {
    cursor.map(|c| URL_SAFE_NO_PAD.decode(c).map_err(|_| bad_cursor())).transpose()
}

fn with_undone(filing: &Filing, op: &Operation) -> OperationInfo {
    let undone_by = filing.journal().inverted_by(op.id).ok().flatten();
    convert::operation(op, undone_by.map(|id| id.0))
}

/// The same with what the rules said.
fn with_rules(filing: &Filing, op: &Operation) -> OperationInfo {
    let considered = filing.journal().considered(op).unwrap_or_else(|error| {
        tracing::warn!(op = op.id.0, %error, "the journal could not be asked");
        None
    });
    let considered = considered.map(|c| convert::considered(op, &c));
    OperationInfo { considered, ..with_undone(filing, op) }
}

fn operations(filing: &Filing, ops: &[Operation]) -> Vec<OperationInfo> {
    ops.iter().map(|op| with_undone(filing, op)).collect()
}

pub(super) fn log(filing: &Filing, query: LogQuery) -> Result<Response, Error> {
    const STATES: [OpState; 6] = [
        OpState::Intended,
        OpState::Verified,
        OpState::Done,
        OpState::Aborted,
        OpState::Failed,
        OpState::Unknown,
    ];
    let filter = LogFilter {
        state: pick(query.state.as_deref(), &STATES, |s| s.as_str(), "state")?,
        kind: pick(query.kind.as_deref(), StepKind::ALL, |k| k.as_str(), "kind")?,
        rule: query.rule,
        path: query.path.map(|p| p.0),
        trigger: None,
        since: query.since_ns.map(UnixNanos),
        until: query.until_ns.map(UnixNanos),
    };
    let before = number(query.cursor.as_deref())?.map(OpId);
    let limit = limit(query.limit);
    let ops = filing.journal().log(&filter, before, limit).map_err(|e| failed(&e))?;
    let cursor = ops.last().filter(|_| ops.len() == limit).map(|o| o.id.to_string());
    Ok(Response::Log(Page { items: operations(filing, &ops), cursor, partial: false }))
}

/// The value with that word; an error that lists all of them for any other.
pub(super) fn pick<T: Copy>(
    word: Option<&str>,
    all: &[T],
    name: fn(&T) -> &'static str,
    what: &str,
) -> Result<Option<T>, Error> {
    let Some(word) = word else { return Ok(None) };
    match all.iter().find(|v| name(v) == word) {
        Some(v) => Ok(Some(*v)),
        None => {
            let words: Vec<_> = all.iter().map(name).collect();
            let hint = format!("use one of {}", words.join(", "));
            Err(bad(format!("there is no {what} `{}`", word.escape_debug()), &hint))
        }
    }
}

pub(super) fn batches(
    filing: &Filing,
    cursor: Option<&str>,
    asked: Option<u32>,
) -> Result<Response, Error> {
    let before = number(cursor)?.map(BatchId);
    let limit = limit(asked);
    let batches = filing.journal().batches(before, limit).map_err(|e| failed(&e))?;
    let cursor = batches.last().filter(|_| batches.len() == limit).map(|b| b.id.to_string());
    Ok(Response::Batches(Page {
        items: batches.iter().map(convert::batch).collect(),
        cursor,
        partial: false,
    }))
}

pub(super) fn show(
    filing: &Filing,
    operation: Option<OpId>,
    batch: Option<BatchId>,
    cursor: Option<&str>,
    asked: Option<u32>,
) -> Result<Response, Error> {
    let journal = filing.journal();
    let (after, limit) = (number(cursor)?.map(OpId), limit(asked));
    let page = match (operation, batch) {
        (Some(id), None) => journal.operation(id).map(|o| (o.into_iter().collect(), None)),
        (None, Some(id)) => journal.batch_page(id, after, limit),
        _ => return Err(bad("name one operation or one batch".into(), "")),
    };
    let (ops, next): (Vec<Operation>, _) = page.map_err(|e| failed(&e))?;
    let first = operation.or(batch.map(|b| OpId(b.0))).filter(|_| after.is_none());
    if let Some(asked) = first.filter(|_| ops.is_empty()) {
        return Err(not_on_record(filing, asked));
    }
    let cursor = next.map(|op| op.to_string());
    let operations = match operation {
        Some(_) => ops.iter().map(|op| with_rules(filing, op)).collect(),
        None => operations(filing, &ops),
    };
    Ok(Response::Show(Shown { operations, cursor }))
}

/// Nothing is known of what has this number: it is still to come, or was forgotten, or was lost.
pub(super) fn not_on_record(filing: &Filing, asked: OpId) -> Error {
    let (message, hint) = match filing.journal().extent() {
        Err(e) => return failed(&e),
        Ok(extent) if asked >= extent.end => {
            ("there is no such operation or batch".into(), SEE_LOG)
        }
        Ok(extent) if asked < extent.start => (
            format!(
                "{asked} is older than what the journal keeps: it can neither be told nor put back any more"
            ),
            "`journal.keep` and `journal.at_most` in the configuration say how much is kept",
        ),
        Ok(_) => (
            format!(
                "the journal has nothing on {asked}: nothing was done under that number, or its record was damaged"
            ),
            "`tidyctl status` says whether the journal was damaged",
        ),
    };
    Error::new(ErrorCode::NotFound, message, hint)
}

const SEE_LOG: &str = "`tidyctl log` shows what was done";

pub(super) fn digest(hex: &str) -> Result<Digest, Error> {
    let wrong =
        || bad("a digest has 64 hexadecimal digits".into(), "`tidyctl file FILE` shows one");
    let digits = hex.as_bytes();
    if digits.len() != 64 {
        return Err(wrong());
    }
    let mut out = [0; 32];
    for (byte, pair) in out.iter_mut().zip(digits.chunks(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
    }
    Ok(Digest(out))
}

pub(super) fn file(filing: &Filing, path: &Path) -> Result<Response, Error> {
    let entry = filing.catalog().entry(path).map_err(|e| failed(&e))?;
    let history = operations(filing, &filing.history(path));
    match entry {
        Some(entry) => Ok(Response::File(Box::new(convert::file(path, &entry, history)))),
        None => {
            let hint = match history.first().and_then(|o| o.dst.as_ref()) {
                Some(at) => {
                    format!(
                        "it was last seen on its way to {}",
                        name::shown(at.as_path().as_os_str())
                    )
                }
                None => "`tidyctl explain FILE` says what would be done with a file".into(),
            };
            let message = format!("{} is not known", name::shown(path.as_os_str()));
            Err(Error::new(ErrorCode::NotFound, message, hint))
        }
    }
}

/// Everything that is known of a path, and what was done with it.
pub(super) fn explain(
    filing: &Filing,
    setup: &Setup,
    path: &Path,
    as_path: Option<&Path>,
    now: UnixNanos,
) -> Result<(Explained, Vec<OperationInfo>), Error> {
    let explained = filing.explain(setup, path, as_path, now);
    let known = explained.stored.is_some() || !explained.history.is_empty();
    if explained.stat.is_none() && !known && as_path.is_none() {
        let shown = name::shown(path.as_os_str());
        let (message, hint) = if setup.areas().any(|area| area.starts_with(path)) {
            let message = format!("{shown} is a folder that tidyd looks into, or one above it");
            (message, "name a file in it; `tidyctl status` shows the folders")
        } else if let Err(error) = std::fs::symlink_metadata(path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            let message = format!("{shown} cannot be looked at: {error}");
            (message, "check the permissions of it and of the folders above it")
        } else if setup.is_known_area(path) {
            let message = format!("{shown} does not exist, and nothing is known of it");
            (message, "check the path; `--as NAME` says what would be done with a file of a name")
        } else {
            let message = format!(
                "{shown} is in no folder that tidyd looks into, and nothing is known of it"
            );
            (message, "`tidyctl status` shows the folders; watch its folder to have it filed")
        };
        return Err(Error::new(ErrorCode::NotFound, message, hint));
    }
    let history = explained.history.iter().map(|op| with_rules(filing, op)).collect();
    Ok((explained, history))
}

pub(super) fn duplicates(
    filing: &Filing,
    cursor: Option<&str>,
    asked: Option<u32>,
) -> Result<Response, Error> {
    let after = match bytes(cursor)? {
        Some(bytes) => Some(DuplicateCursor::from_bytes(&bytes).ok_or_else(bad_cursor)?),
        None => None,
    };
    let page = filing.catalog().duplicates(1, after, limit(asked)).map_err(|e| failed(&e))?;
    let group = |g: crate::catalog::DuplicateGroup| DuplicateGroup {
        digest: g.digest.to_string(),
        size: g.size,
        wasted: g.wasted,
        paths: g.paths.into_iter().map(WirePath).collect(),
    };
    let cursor = page.next.map(|c| URL_SAFE_NO_PAD.encode(c.to_bytes()));
    Ok(Response::Duplicates(Page {
        items: page.groups.into_iter().map(group).collect(),
        cursor,
        partial: false,
    }))
}

pub(super) fn categories(filing: &Filing) -> Result<Response, Error> {
    let stats = filing.catalog().stats().map_err(|e| failed(&e))?;
    let info = |(category, tally): (Option<Category>, crate::catalog::Tally)| CategoryInfo {
        category: category.map_or_else(|| "not looked at".into(), |c| c.to_string()),
        files: tally.count,
        bytes: tally.bytes,
    };
    let seen = stats.categories.into_iter().filter(|(_, t)| t.count > 0);
    Ok(Response::Categories(seen.map(info).collect()))
}

/// The names that operations of the configured rules have.
pub(super) fn configured_rules(setup: &Setup) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for root in &setup.roots {
        let rules = root.rules.rules.iter().map(|r| r.name.to_string());
        let puts_aside = root.duplicates.others != Others::Report;
        let aside = puts_aside.then(|| tidy_core::duplicates::RULE.to_owned());
        let defaults = root.rules.default.iter().map(|(c, _)| format!("default {c}"));
        for name in aside.into_iter().chain(rules).chain(defaults) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

pub(super) fn rules(filing: &Filing, setup: &Setup) -> Response {
    let counters = filing.journal().counters();
    let mut names = configured_rules(setup);
    let configured = names.len();
    names.extend(
        counters
            .rules
            .keys()
            .map(ToString::to_string)
            .filter(|n| !names.contains(n))
            .collect::<Vec<_>>(),
    );
    let info = |(i, name): (usize, String)| {
        let counter = counters.rules.get(name.as_str());
        RuleInfo {
            configured: i < configured,
            hits: counter.map_or(0, |c| c.hits),
            bytes: counter.map_or(0, |c| c.bytes),
            last_hit_ns: counter.map(|c| c.last_hit.0),
            rule: name,
        }
    };
    Response::Rules(names.into_iter().enumerate().map(info).collect())
}
