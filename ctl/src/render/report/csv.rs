//! The report as rows for a spreadsheet: RFC 4180, UTF-8, one table with the columns `section`, `name`, `detail`,
//! `files`, `bytes`, `time`.

use tidy_protocol::{ReportFile, ReportInfo, ReportSum};

use super::super::path::{one_line, shown};
use super::super::{Look, time};
use super::{age, deeds};

struct Rows<'l> {
    out: csv::Writer<Vec<u8>>,
    look: &'l Look,
}

impl Rows<'_> {
    fn row(
        &mut self,
        [section, name, detail]: [&str; 3],
        files: Option<u64>,
        bytes: Option<u64>,
        ns: Option<i64>,
    ) -> Result<(), csv::Error> {
        let number = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
        let time = ns.map(|ns| time::absolute(ns, &self.look.tz)).unwrap_or_default();
        self.out.write_record([
            section,
            &inert(name),
            &inert(detail),
            &number(files),
            &number(bytes),
            &time,
        ])
    }

    fn sum(&mut self, words: [&str; 3], sum: ReportSum) -> Result<(), csv::Error> {
        self.row(words, Some(sum.files), Some(sum.bytes), None)
    }

    fn files(&mut self, section: &str, files: &[ReportFile]) -> Result<(), csv::Error> {
        for f in files {
            let path = shown(f.path.as_path().as_os_str());
            let category = f.category.as_deref().unwrap_or_default();
            self.row([section, &path, category], Some(1), Some(f.bytes), Some(f.modified_ns))?;
        }
        Ok(())
    }
}

/// Spreadsheets run what begins like a formula (OWASP, "CSV injection"): such a text gets an apostrophe before it.
fn inert(text: &str) -> String {
    let text = one_line(text);
    if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text }
}

/// All rows, with a head.
pub(crate) fn csv(look: &Look, report: &ReportInfo) -> Result<Vec<u8>, csv::Error> {
    let mut rows = Rows { out: csv::Writer::from_writer(Vec::new()), look };
    rows.out.write_record(["section", "name", "detail", "files", "bytes", "time"])?;
    rows.row(["report", "made", ""], None, None, Some(report.made_ns))?;
    rows.row(["report", "since", ""], None, None, report.since_ns)?;
    rows.row(["report", "until", ""], None, None, Some(report.until_ns))?;
    for (what, sum) in deeds(report) {
        rows.sum(["done", what, ""], sum)?;
    }
    rows.row(["done", "failed", ""], Some(report.done.failed), None, None)?;
    for day in &report.days {
        let done = &day.done;
        let sums = [
            ("filed", done.filed),
            ("duplicates put aside", done.put_aside),
            ("put into the trash", done.trashed),
            ("put back", done.put_back),
            ("filed again", done.redone),
        ];
        for (what, sum) in sums.into_iter().filter(|(_, s)| s.files > 0) {
            rows.sum(["day", &day.day, what], sum)?;
        }
        if done.failed > 0 {
            rows.row(["day", &day.day, "failed"], Some(done.failed), None, None)?;
        }
        for filed in &day.categories {
            let words = ["day filed by category", &day.day, &filed.category];
            rows.row(words, Some(filed.files), Some(filed.bytes), None)?;
        }
    }
    for r in &report.rules {
        rows.row(["rule", &r.rule, ""], Some(r.files), Some(r.bytes), Some(r.last_ns))?;
        rows.row(["rule put back", &r.rule, ""], Some(r.put_back), None, None)?;
    }
    for e in &report.errors {
        let path = e.path.as_ref().map(|p| shown(p.as_path().as_os_str())).unwrap_or_default();
        rows.row(["error", &path, &e.error], None, None, Some(e.time_ns))?;
    }
    rows.sum(["known", "all", ""], report.files)?;
    for c in &report.categories {
        rows.row(["category", &c.category, ""], Some(c.files), Some(c.bytes), None)?;
        for a in &c.ages {
            let words = ["category by age", c.category.as_str(), age(a.below_days)];
            rows.row(words, Some(a.files), Some(a.bytes), None)?;
        }
    }
    let duplicates = &report.duplicates;
    rows.row(
        ["duplicates", "groups and wasted bytes", ""],
        Some(duplicates.groups),
        Some(duplicates.wasted),
        None,
    )?;
    for group in &duplicates.top {
        for path in &group.paths {
            let path = shown(path.as_path().as_os_str());
            rows.row(["duplicate", &path, &group.digest], Some(1), Some(group.size), None)?;
        }
    }
    rows.files("biggest", &report.biggest)?;
    rows.files("oldest", &report.oldest)?;
    rows.out.into_inner().map_err(|e| e.into_error().into())
}
