//! The report in its forms: text for a terminal, a page for a browser, rows for a spreadsheet. (JSON is the answer of
//! the daemon as it is.) All are made of the same [`ReportInfo`], and none computes a number of its own but for the
//! sums of days that share a column of the chart.

mod chart;
mod csv;
mod html;
#[cfg(test)]
mod tests;

pub(crate) use csv::csv;
pub(crate) use html::html;

use owo_colors::OwoColorize;
use tidy_protocol::{ReportFile, ReportInfo, ReportSum};

use super::path::one_line;
use super::{Look, count, size, table, time};

/// Rows of each list on a terminal.
const ROWS: usize = 5;

/// What was done, by name; the same words in all forms.
pub(super) fn deeds(report: &ReportInfo) -> [(&'static str, ReportSum); 5] {
    let done = &report.done;
    [
        ("filed", done.filed),
        ("duplicates put aside", done.put_aside),
        ("put into the trash", done.trashed),
        ("put back", done.put_back),
        ("filed again", done.redone),
    ]
}

/// The name of a row of ages.
pub(super) fn age(below_days: Option<u32>) -> &'static str {
    match below_days {
        Some(30) => "under 30 days",
        Some(90) => "30 to 90 days",
        Some(365) => "90 days to a year",
        Some(1095) => "1 to 3 years",
        Some(_) => "other",
        None => "over 3 years",
    }
}

/// From when to when, in words.
pub(super) fn period(look: &Look, report: &ReportInfo) -> String {
    let until = time::for_since(report.until_ns, &look.tz);
    match report.since_ns {
        Some(since) => format!("{} to {until}", time::for_since(since, &look.tz)),
        None => format!("everything up to {until}"),
    }
}

/// For a terminal: the sums, and the first rows of each list.
pub(crate) fn text(look: &Look, report: &ReportInfo) -> String {
    let mut out = format!("{}\n", period(look, report).bold());
    for (what, sum) in deeds(report) {
        if sum.files > 0 || what == "filed" {
            out += &format!("  {what:<21} {}\n", files(sum));
        }
    }
    if report.done.failed > 0 {
        out += &format!("  {:<21} {}\n", "failed", report.done.failed.red());
    }
    out += &format!("  {:<21} {}\n", "known now", files(report.files));
    if report.duplicates.groups > 0 {
        out += &format!(
            "  {:<21} {} in {} of duplicates\n",
            "space to be won",
            size::readable(report.duplicates.wasted),
            count(report.duplicates.groups, "group"),
        );
    }
    let mut section = |title: &str, table: table::Table, rows: usize| {
        if rows > 0 {
            out += &format!("\n{}\n{}", title.bold(), table.text());
        }
    };

    let mut days = table::table(look, ["DAY", "FILED", "SIZE", "ASIDE", "BACK", "FAILED"]);
    for day in report.days.iter().rev().take(ROWS) {
        let d = &day.done;
        days.add_row([
            table::whole(one_line(&day.day)),
            table::number(d.filed.files),
            table::number(size::readable(d.filed.bytes)),
            table::number(d.put_aside.files),
            table::number(d.put_back.files),
            table::number(d.failed),
        ]);
    }
    section("Days, newest first", days, report.days.len());

    let mut rules = table::table(look, ["RULE", "FILES", "SIZE", "PUT BACK", "LAST"]);
    for r in report.rules.iter().take(ROWS) {
        rules.add_row([
            table::whole(one_line(&r.rule)),
            table::number(r.files),
            table::number(size::readable(r.bytes)),
            table::number(r.put_back),
            table::whole(look.moment(r.last_ns)),
        ]);
    }
    section("Rules", rules, report.rules.len());

    let mut categories = table::table(look, ["CATEGORY", "FILES", "SIZE", "OVER A YEAR"]);
    for c in report.categories.iter().take(ROWS) {
        let old = c.ages.iter().filter(|a| a.below_days.is_none_or(|d| d > 365));
        categories.add_row([
            table::whole(one_line(&c.category)),
            table::number(c.files),
            table::number(size::readable(c.bytes)),
            table::number(size::readable(old.fold(0, |sum, a| a.bytes.saturating_add(sum)))),
        ]);
    }
    section("Space by category", categories, report.categories.len());

    let mut errors = table::table(look, ["ID", "TIME", "PATH", "ERROR"]);
    for e in report.errors.iter().take(ROWS) {
        errors.add_row([
            table::number(e.operation),
            table::whole(look.moment(e.time_ns)),
            table::path(look.maybe_path(e.path.as_ref())),
            table::words(one_line(&e.error)),
        ]);
    }
    section("Failed", errors, report.errors.len());
    section("Biggest files", file_table(look, &report.biggest), report.biggest.len());
    section("Longest unchanged", file_table(look, &report.oldest), report.oldest.len());
    out
}

fn file_table(look: &Look, files: &[ReportFile]) -> table::Table {
    let mut table = table::table(look, ["SIZE", "MODIFIED", "PATH"]);
    for f in files.iter().take(ROWS) {
        table.add_row([
            table::number(size::readable(f.bytes)),
            table::whole(look.moment(f.modified_ns)),
            table::path(look.path(f.path.as_path())),
        ]);
    }
    table
}

fn files(sum: ReportSum) -> String {
    format!("{} ({})", count(sum.files, "file"), size::readable(sum.bytes))
}
