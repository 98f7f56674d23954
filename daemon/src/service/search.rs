//! `files`: which known files answer, in what order, page by page.
//!
//! What the catalog knows is asked first. A condition (`where`) is about what only the files can tell: those that answer to the
//! rest are opened for it, by the readers that rules use. So that one request neither takes long nor reads a whole disk, there
//! is an end to how many files are opened for a page, and a search for which more than [`OPENED`] would have to be is refused.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::tz::TimeZone;
use tidy_core::UnixNanos;
use tidy_core::category::Category;
use tidy_core::rules::Condition;
use tidy_protocol::{Error, FileQuery, Page, Response};

use super::convert;
use super::error::failed;
use super::queries::{bad, bad_cursor, bytes, digest, limit, pick};
use crate::catalog::{Cursor, Filter, Found, Fuzzy, List, NamePattern, Order, OutcomeKind, SortBy};
use crate::filing::{Filing, Setup};

/// Files that may have to be opened for one search.
const OPENED: usize = 20_000;

/// Files that are opened for one page at most, and how long that may take. A page may so be empty and not the last.
const PER_PAGE: usize = 1_000;
const TIME: Duration = Duration::from_secs(2);

/// Files between two looks at the clock.
const AT_ONCE: usize = 64;

pub(super) fn files(
    filing: &Filing,
    setup: &Setup,
    query: FileQuery,
    now: UnixNanos,
) -> Result<Response, Error> {
    let condition = query.condition.as_deref().map(|text| condition(setup, text)).transpose()?;
    let by = pick(query.sort.as_deref(), SortBy::ALL, |by| by.as_str(), "order")?;
    let reverse = query.reverse;
    let (wanted, after) = (limit(query.limit), bytes(query.cursor.as_deref())?);
    let filter = filter(query)?;
    if by == Some(SortBy::Score) && filter.fuzzy.is_none() {
        let message = "only a search for names that are about right has scores".into();
        return Err(bad(message, "sort by name, size, age or path, or search with `fuzzy`"));
    }
    let by = by.or(filter.fuzzy.is_some().then_some(SortBy::Score));
    let order = match by {
        Some(by) => Some(Order { by, reverse }),
        None if reverse => {
            return Err(bad(
                "only a sorted list has another way round".into(),
                "say what by: `sort`",
            ));
        }
        None => None,
    };
    let after = match after {
        Some(bytes) => Some(Cursor::from_bytes(&bytes, order).ok_or_else(bad_cursor)?),
        None => None,
    };
    let list =
        |after, limit| filing.catalog().list(&filter, order, after, limit).map_err(|e| failed(&e));
    let (files, next, partial) = match condition {
        None => {
            let List { files, more, passed_over } = list(after, wanted)?;
            let next = more.then(|| files.last().map(|f| f.at.clone())).flatten();
            (files, next, passed_over)
        }
        Some(condition) => {
            let exceeds = || filing.catalog().exceeds(&filter, OPENED).map_err(|e| failed(&e));
            if after.is_none() && exceeds()? {
                return Err(too_many());
            }
            let answers = |files: &[Found]| filing.answering(setup, files, &condition, now);
            let list = list(after, PER_PAGE)?;
            let passed_over = list.passed_over;
            let (files, next) = answering(list, wanted, answers);
            (files, next, passed_over)
        }
    };
    let items = files.iter().map(|f| convert::file(&f.path, &f.entry, Vec::new())).collect();
    let cursor = next.map(|c| URL_SAFE_NO_PAD.encode(c.to_bytes()));
    Ok(Response::Files(Page { items, cursor, partial }))
}

/// Those of the files that answer, as many as are wanted, and where to go on.
fn answering(
    List { files, more, .. }: List,
    wanted: usize,
    answers: impl Fn(&[Found]) -> Vec<bool>,
) -> (Vec<Found>, Option<Cursor>) {
    let begun = Instant::now();
    let (mut out, mut last) = (Vec::new(), None);
    let mut rest = files.into_iter().peekable();
    while rest.peek().is_some() && out.len() < wanted && (last.is_none() || begun.elapsed() < TIME)
    {
        let some: Vec<Found> = rest.by_ref().take(AT_ONCE).collect();
        let found = answers(&some);
        let mut some = some.into_iter().zip(found);
        for (file, answers) in some.by_ref() {
            last = Some(file.at.clone());
            out.extend(answers.then_some(file));
            if out.len() == wanted {
                break;
            }
        }
        if some.next().is_some() {
            return (out, last);
        }
    }
    let is_all = rest.peek().is_none() && !more;
    (out, last.filter(|_| !is_all))
}

fn filter(query: FileQuery) -> Result<Filter, Error> {
    const OUTCOMES: [OutcomeKind; 3] = [OutcomeKind::Known, OutcomeKind::Left, OutcomeKind::Filed];
    let fuzzy = query.fuzzy.as_deref().map(|text| Fuzzy::new(text.as_ref())).transpose();
    Ok(Filter {
        name: query.name.as_deref().map(|n| NamePattern::new(n.as_ref())),
        fuzzy: fuzzy.map_err(|e| bad(e.to_string(), "give a few words of the name"))?,
        category: query.category.as_deref().map(Category::new),
        min_size: query.min_size,
        max_size: query.max_size,
        since: query.modified_since_ns.map(UnixNanos),
        before: query.modified_until_ns.map(|ns| UnixNanos(ns.saturating_add(1))),
        under: query.under.map(|p| p.0),
        digest: query.digest.as_deref().map(digest).transpose()?,
        outcome: pick(query.outcome.as_deref(), &OUTCOMES, |o| o.as_str(), "outcome")?,
    })
}

fn condition(setup: &Setup, text: &str) -> Result<Condition, Error> {
    let categories: Vec<String> = setup.kinds.configured().map(ToString::to_string).collect();
    let read = tidy_config::condition(text, &categories, &TimeZone::system());
    let condition = read.map_err(|wrong| {
        let first = wrong.errors.first();
        let message = first.map_or_else(|| wrong.to_string(), |e| e.message.clone());
        let hint =
            first.and_then(|e| e.hint.as_deref()).unwrap_or("it is what `when` of a rule takes");
        bad(format!("in the condition: {message}"), hint)
    })?;
    if condition.asks_for_copies() {
        let message = "in the condition: a search does not compare files".into();
        return Err(bad(message, "`tidyctl duplicates` lists copies"));
    }
    Ok(condition)
}

fn too_many() -> Error {
    bad(
        format!("more than {OPENED} files would have to be opened to answer this"),
        "say more of them that is known without: part of the name, a category, a folder, size or age",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Catalog, Entry, Outcome};
    use crate::store::{Store, StoreOptions};
    use tidy_core::facts::Identity;

    fn known(count: u64) -> Vec<Found> {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(&dir.path().join("store"), StoreOptions::default()).unwrap();
        let (catalog, _) = Catalog::open(&store).unwrap();
        let entry = |ino| Entry {
            name: format!("{ino:04}").into(),
            id: Identity { ino, size: 1, mtime: UnixNanos(0), birth: None },
            category: None,
            outcome: Outcome::Known,
            revisit: None,
            head: None,
            digest: None,
        };
        catalog.put("/d".as_ref(), (0..count).map(entry).collect()).unwrap();
        let list = catalog.list(&Filter::default(), None, None, 10_000).unwrap();
        assert!(!list.more);
        list.files
    }

    fn list(files: &[Found], more: bool) -> List {
        List { files: files.to_vec(), more, passed_over: false }
    }

    fn numbers(files: &[Found]) -> Vec<u64> {
        files.iter().map(|f| f.entry.id.ino).collect()
    }

    #[test]
    fn a_page_ends_where_it_is_full_and_the_next_one_goes_on_there() {
        let all = known(200);
        let tenth = |files: &[Found]| files.iter().map(|f| f.entry.id.ino % 10 == 0).collect();
        let (page, next) = answering(list(&all, false), 7, tenth);
        assert_eq!(numbers(&page), [0, 10, 20, 30, 40, 50, 60]);
        assert_eq!(next, Some(all[60].at.clone()));
        // Full with the last one that was looked at.
        let (page, next) = answering(list(&all[..1], false), 1, tenth);
        assert_eq!((numbers(&page), next), (vec![0], None));
        let (page, next) = answering(list(&all[..1], true), 1, tenth);
        assert_eq!((numbers(&page), next), (vec![0], Some(all[0].at.clone())));
    }

    #[test]
    fn a_page_without_an_answer_is_not_the_end_where_there_is_more() {
        let all = known(200);
        let none = |files: &[Found]| vec![false; files.len()];
        assert_eq!(answering(list(&all, false), 5, none), (Vec::new(), None));
        assert_eq!(answering(list(&all, true), 5, none), (Vec::new(), Some(all[199].at.clone())));
        assert_eq!(answering(list(&[], false), 5, none), (Vec::new(), None));
    }
}
