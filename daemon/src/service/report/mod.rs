//! The report: one pass over the journal and one over the catalog, added up.
//!
//! In: operations newest first, entries in any order. Out: a [`ReportInfo`]. What is kept of them is
//! bounded by the number of days, rules and categories, and by the length of the lists, but for a number for
//! each operation that was undone.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use tidy_core::UnixNanos;
use tidy_core::duplicates;
use tidy_core::operation::{BatchId, OpId, OpState, Operation, Trigger};
use tidy_core::plan::{Place, StepKind};
use tidy_protocol::{
    DuplicateGroup, Error, ReportAge, ReportCategory, ReportDay, ReportDone, ReportDuplicates,
    ReportError, ReportFile, ReportFiled, ReportInfo, ReportRule, ReportSum, Response, WirePath,
};

use super::error::failed;
use crate::catalog::{Entry, Filter};
use crate::filing::{Filing, Setup};
use crate::journal::LogFilter;

/// Days listed.
const DAYS: usize = 400;

/// Failed operations listed.
const ERRORS: usize = 50;

/// Biggest and oldest files, groups of duplicates, and paths of a group.
const TOP: usize = 20;

/// Operations, and files, looked at between two moments in which others may write.
const PAGE: usize = 2_000;

/// Files not changed for fewer days than this, youngest first; a last row has all others.
const AGES: [u32; 4] = [30, 90, 365, 1095];

/// A file that was filed and is neither there nor back any more.
const GONE: &str = "gone since";

/// A file that was filed where nothing is watched: nobody knows more of it.
const ELSEWHERE: &str = "outside the watched folders";

/// A file that nobody has looked into.
const UNSEEN: &str = "not looked at";

/// What time the report is of.
#[derive(Debug, Clone)]
pub(super) struct Period {
    pub(super) since: Option<UnixNanos>,
    pub(super) until: UnixNanos,
    /// Of the days.
    pub(super) tz: TimeZone,
}

/// Makes the report.
pub(super) fn report(
    filing: &Filing,
    setup: &Setup,
    period: Period,
    now: UnixNanos,
) -> Result<Response, Error> {
    let mut sums = Sums::new(period, now);
    let filter = LogFilter { since: sums.period.since, ..LogFilter::default() };
    let mut before = None;
    loop {
        let ops = filing.journal().log(&filter, before, PAGE).map_err(|e| failed(&e))?;
        before = ops.last().map(|op| op.id);
        ops.iter().for_each(|op| sums.operation(op));
        if ops.len() < PAGE {
            break;
        }
    }
    let mut after = None;
    loop {
        let page =
            filing.catalog().files(&Filter::default(), after, PAGE).map_err(|e| failed(&e))?;
        page.files.iter().for_each(|(path, entry)| sums.file(path, entry));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let page = filing.catalog().duplicates(1, None, TOP).map_err(|e| failed(&e))?;
    let group = |g: crate::catalog::DuplicateGroup| DuplicateGroup {
        digest: g.digest.to_string(),
        size: g.size,
        wasted: g.wasted,
        paths: g.paths.into_iter().take(TOP).map(WirePath).collect(),
    };
    let duplicates = ReportDuplicates {
        groups: page.total_groups,
        wasted: page.total_wasted,
        top: page.groups.into_iter().map(group).collect(),
    };
    let is_known = |path: &Path| setup.is_known_area(path);
    Ok(Response::Report(Box::new(sums.finish(duplicates, is_known))))
}

/// What an operation has done to a file, as a person counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Filed,
    PutAside,
    Trashed,
    PutBack,
    Redone,
}

/// `None`: nothing that is counted (a directory made or removed, one step of several).
fn deed(op: &Operation) -> Option<Deed> {
    if !op.step.is_counted() {
        return None;
    }
    Some(match op.trigger {
        Trigger::Rollback => Deed::PutBack,
        Trigger::Redo => Deed::Redone,
        Trigger::Watch | Trigger::Once | Trigger::Organize => match op.step.kind {
            // What stands in for a copy is part of putting it aside.
            kind if *op.step.rule == *duplicates::RULE => {
                return kind.relocates().then_some(Deed::PutAside);
            }
            StepKind::Trash => Deed::Trashed,
            _ => Deed::Filed,
        },
    })
}

fn add(sum: &mut ReportSum, bytes: u64) {
    sum.files += 1;
    sum.bytes = sum.bytes.saturating_add(bytes);
}

fn count(done: &mut ReportDone, deed: Deed, bytes: u64) {
    let sum = match deed {
        Deed::Filed => &mut done.filed,
        Deed::PutAside => &mut done.put_aside,
        Deed::Trashed => &mut done.trashed,
        Deed::PutBack => &mut done.put_back,
        Deed::Redone => &mut done.redone,
    };
    add(sum, bytes);
}

#[derive(Debug, Default)]
struct Day {
    done: ReportDone,
    by_category: HashMap<String, ReportSum>,
}

/// Sums being made.
struct Sums {
    period: Period,
    now: UnixNanos,
    done: ReportDone,
    days: BTreeMap<Date, Day>,
    rules: HashMap<String, ReportRule>,
    errors: Vec<ReportError>,
    /// Put back and not taken back again.
    undone: HashSet<OpId>,
    /// Where the filed files of each day are, to be found in the catalog.
    filed: HashMap<PathBuf, Vec<(Date, u64)>>,
    /// From where later operations of the same batch took files on, and where to: the operation that came first is counted. One
    /// for each file that is between two operations.
    further: HashMap<(BatchId, PathBuf), PathBuf>,
    files: ReportSum,
    categories: HashMap<String, ReportCategory>,
    biggest: BinaryHeap<Reverse<(u64, Listed)>>,
    oldest: BinaryHeap<(UnixNanos, Listed)>,
}

/// A file of a list; in order of its path where the list has no other.
type Listed = (PathBuf, u64, UnixNanos, Option<String>);

impl Sums {
    fn new(period: Period, now: UnixNanos) -> Self {
        Self {
            period,
            now,
            done: ReportDone::default(),
            days: BTreeMap::new(),
            rules: HashMap::new(),
            errors: Vec::new(),
            undone: HashSet::new(),
            filed: HashMap::new(),
            further: HashMap::new(),
            files: ReportSum::default(),
            categories: HashMap::new(),
            biggest: BinaryHeap::new(),
            oldest: BinaryHeap::new(),
        }
    }

    /// The next operation, newest first.
    fn operation(&mut self, op: &Operation) {
        // Also what was undone after the period counts as put back.
        if op.state == OpState::Done && !self.undone.contains(&op.id) {
            self.undone.extend(op.step.inverse_of);
        }
        if op.time > self.period.until {
            return;
        }
        match op.state {
            OpState::Done => self.did(op),
            OpState::Failed | OpState::Unknown => self.failed(op),
            // An aborted one was tried again, or planned anew.
            OpState::Aborted | OpState::Intended | OpState::Verified => {}
        }
    }

    fn day(&self, time: UnixNanos) -> Date {
        time.timestamp().to_zoned(self.period.tz.clone()).date()
    }

    fn did(&mut self, op: &Operation) {
        let Some(deed) = deed(op) else { return };
        let bytes = op.step.expect.map_or(0, |id| id.size);
        let day = self.day(op.time);
        if op.step.is_file() {
            count(&mut self.done, deed, bytes);
            count(&mut self.days.entry(day).or_default().done, deed, bytes);
        }
        if matches!(deed, Deed::PutBack | Deed::Redone) {
            return;
        }
        let back = self.undone.contains(&op.id);
        let rule = self.rules.entry(op.step.rule.to_string()).or_default();
        rule.files += 1;
        rule.bytes = rule.bytes.saturating_add(bytes);
        rule.last_ns = rule.last_ns.max(op.time.0);
        rule.put_back += u64::from(back);
        let marked = op.step.src.as_ref().filter(|_| op.step.kind == StepKind::Tag);
        let (src, dst) = (&op.step.src, op.step.dst.as_ref().or(marked));
        let to = dst.map(|dst| {
            let dst = dst.path();
            self.further.remove(&(op.batch, dst.clone())).unwrap_or(dst)
        });
        if op.step.further {
            self.further.extend(src.as_ref().zip(to).map(|(src, to)| ((op.batch, src.path()), to)));
            return;
        }
        let place = if back { src.as_ref().map(Place::path) } else { to };
        if let (Deed::Filed, Some(place)) = (deed, place) {
            self.filed.entry(place).or_default().push((day, bytes));
        }
    }

    fn failed(&mut self, op: &Operation) {
        self.done.failed += 1;
        self.days.entry(self.day(op.time)).or_default().done.failed += 1;
        if self.errors.len() < ERRORS {
            let place = op.step.src.as_ref().or(op.step.dst.as_ref());
            self.errors.push(ReportError {
                operation: op.id.0,
                time_ns: op.time.0,
                rule: op.step.rule.to_string(),
                path: place.map(|p| WirePath(p.path())),
                error: op.error.clone().unwrap_or_else(|| op.state.as_str().to_owned()),
            });
        }
    }

    /// A known file; after the operations.
    fn file(&mut self, path: &Path, entry: &Entry) {
        let (bytes, modified) = (entry.id.size, entry.id.mtime);
        let category = entry.category.as_ref().map(ToString::to_string);
        add(&mut self.files, bytes);
        let word = category.clone().unwrap_or_else(|| UNSEEN.to_owned());
        if let Some(filed) = self.filed.remove(path) {
            self.were_filed(&word, filed);
        }
        let age = self.age(modified);
        let row = self.categories.entry(word.clone()).or_insert_with(|| ReportCategory {
            category: word,
            ages: (AGES.iter().map(|days| Some(*days)).chain([None]))
                .map(|below_days| ReportAge { below_days, ..ReportAge::default() })
                .collect(),
            ..ReportCategory::default()
        });
        row.files += 1;
        row.bytes = row.bytes.saturating_add(bytes);
        if let Some(age) = row.ages.get_mut(age) {
            age.files += 1;
            age.bytes = age.bytes.saturating_add(bytes);
        }
        let listed = || (path.to_owned(), bytes, modified, category.clone());
        // A path is only kept where it may stay in the list.
        if self.biggest.len() < TOP || self.biggest.peek().is_some_and(|s| s.0.0 <= bytes) {
            keep(&mut self.biggest, Reverse((bytes, listed())));
        }
        if self.oldest.len() < TOP || self.oldest.peek().is_some_and(|y| y.0 >= modified) {
            keep(&mut self.oldest, (modified, listed()));
        }
    }

    /// Which row of [`AGES`].
    fn age(&self, modified: UnixNanos) -> usize {
        const DAY: i64 = 86_400_000_000_000;
        let days = self.now.0.saturating_sub(modified.0) / DAY;
        AGES.iter().position(|below| days < i64::from(*below)).unwrap_or(AGES.len())
    }

    fn were_filed(&mut self, category: &str, filed: Vec<(Date, u64)>) {
        for (day, bytes) in filed {
            let day = self.days.entry(day).or_default();
            add(day.by_category.entry(category.to_owned()).or_default(), bytes);
        }
    }

    /// `is_known` says of which places what lies there is known.
    fn finish(
        mut self,
        duplicates: ReportDuplicates,
        is_known: impl Fn(&Path) -> bool,
    ) -> ReportInfo {
        for (path, filed) in std::mem::take(&mut self.filed) {
            self.were_filed(if is_known(&path) { GONE } else { ELSEWHERE }, filed);
        }
        let skipped = self.days.len().saturating_sub(DAYS);
        let days = self.days.into_iter().skip(skipped).map(|(day, sums)| {
            let filed = |(category, sum): (String, ReportSum)| ReportFiled {
                category,
                files: sum.files,
                bytes: sum.bytes,
            };
            let mut categories: Vec<_> = sums.by_category.into_iter().map(filed).collect();
            categories.sort_by(|a, b| (b.files, &a.category).cmp(&(a.files, &b.category)));
            ReportDay { day: day.to_string(), done: sums.done, categories }
        });
        let mut rules: Vec<ReportRule> = (self.rules.into_iter())
            .map(|(rule, counted)| ReportRule { rule, ..counted })
            .collect();
        rules.sort_by(|a, b| (b.files, &a.rule).cmp(&(a.files, &b.rule)));
        let mut categories: Vec<_> = self.categories.into_values().collect();
        categories.sort_by(|a, b| (b.bytes, &a.category).cmp(&(a.bytes, &b.category)));
        let mut biggest: Vec<_> = self.biggest.into_iter().map(|Reverse((_, f))| f).collect();
        biggest.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
        let mut oldest: Vec<_> = self.oldest.into_iter().map(|(_, f)| f).collect();
        oldest.sort_by(|a, b| (a.2, &a.0).cmp(&(b.2, &b.0)));
        let listed = |files: Vec<Listed>| files.into_iter().map(listed).collect();
        ReportInfo {
            made_ns: self.now.0,
            since_ns: self.period.since.map(|t| t.0),
            until_ns: self.period.until.0,
            time_zone: time_zone(&self.period.tz, self.now),
            done: self.done,
            days: days.collect(),
            rules,
            errors: self.errors,
            files: self.files,
            categories,
            duplicates,
            biggest: listed(biggest),
            oldest: listed(oldest),
        }
    }
}

/// Adds to a list and drops what has no place in it any more.
fn keep<T: Ord>(heap: &mut BinaryHeap<T>, item: T) {
    heap.push(item);
    if heap.len() > TOP {
        heap.pop();
    }
}

fn listed((path, bytes, modified, category): Listed) -> ReportFile {
    ReportFile { path: WirePath(path), bytes, modified_ns: modified.0, category }
}

/// Its name, or the offset it has now.
fn time_zone(tz: &TimeZone, now: UnixNanos) -> String {
    if let Some(name) = tz.iana_name() {
        return name.to_owned();
    }
    tz.to_offset(now.timestamp()).to_string()
}

#[cfg(test)]
mod tests;
