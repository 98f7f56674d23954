use tidy_protocol::{
    DuplicateGroup, ReportAge, ReportCategory, ReportDay, ReportDone, ReportDuplicates,
    ReportError, ReportFiled, ReportRule, WirePath,
};

use super::chart::{Columns, Grain, SERIES};
use super::*;
use crate::render::testing::{before, plain, terminal};

/// A name that would like to be markup, a formula, a line break and text from right to left.
const HOSTILE: &str = "/h/<script>alert(1)</script>\"'&\n=cmd\u{202e}gpj.exe";

fn sum(files: u64, bytes: u64) -> ReportSum {
    ReportSum { files, bytes }
}

fn day(day: &str, categories: &[(&str, u64)]) -> ReportDay {
    let filed = |(category, files): &(&str, u64)| ReportFiled {
        category: (*category).to_owned(),
        files: *files,
        bytes: files * 10,
    };
    ReportDay {
        day: day.to_owned(),
        done: ReportDone { filed: sum(1, 10), ..ReportDone::default() },
        categories: categories.iter().map(filed).collect(),
    }
}

fn sample() -> ReportInfo {
    let path: WirePath = std::path::Path::new(HOSTILE).into();
    let age = |below_days, files, bytes| ReportAge { below_days, files, bytes };
    ReportInfo {
        made_ns: before(0),
        since_ns: Some(before(7 * 86_400)),
        until_ns: before(0),
        time_zone: "Europe/Berlin".into(),
        done: ReportDone {
            filed: sum(3, 30),
            put_aside: sum(1, 4_096),
            failed: 2,
            ..ReportDone::default()
        },
        days: vec![day("2026-11-18", &[("image", 2)]), day("2026-11-20", &[("<b>", 1)])],
        rules: vec![ReportRule {
            rule: "=HYPERLINK(\"http://x\")".into(),
            files: 3,
            bytes: 30,
            last_ns: before(60),
            put_back: 1,
        }],
        errors: vec![ReportError {
            operation: 9,
            time_ns: before(60),
            rule: "r".into(),
            path: Some(path.clone()),
            error: "no <i>space</i>".into(),
        }],
        files: sum(12, 1_000_000),
        categories: vec![ReportCategory {
            category: "image".into(),
            files: 12,
            bytes: 1_000_000,
            ages: vec![age(Some(30), 10, 900_000), age(None, 2, 100_000)],
        }],
        duplicates: ReportDuplicates {
            groups: 1,
            wasted: 4_096,
            top: vec![DuplicateGroup {
                digest: "00".repeat(32),
                size: 4_096,
                wasted: 4_096,
                paths: vec![path.clone(), std::path::Path::new("/h/b").into()],
            }],
        },
        biggest: vec![ReportFile { path, bytes: 500_000, modified_ns: before(60), category: None }],
        oldest: Vec::new(),
    }
}

#[test]
fn the_terminal_shows_sums_and_lists_on_eighty_columns() {
    let text = plain(&text(&terminal(), &sample()));
    for part in [
        "filed                 3 files (30 B)",
        "failed                2",
        "1 group of duplicates",
        "Rules",
        "Failed",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    // Lists without rows are not shown.
    assert!(!text.contains("Longest unchanged"));
    assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
    assert!(!text.contains('\u{202e}') && text.contains("\\u{202e}"));
}

#[test]
fn the_page_holds_nothing_but_itself_and_no_name_is_markup() {
    let page = html(&terminal(), &sample());
    for wrong in
        ["<script", "<b>", "<i>space", "http://x\"", "\u{202e}", "src=", "href=", "url(", "@import"]
    {
        assert!(!page.contains(wrong), "{wrong}");
    }
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;"));
    assert!(page.contains("default-src 'none'"));
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("@media print"));
    // Charts have words and tables beside them.
    assert_eq!(page.matches("<svg").count(), page.matches("role=\"img\" aria-label=").count());
    assert_eq!(page.matches("<svg").count(), page.matches("<details>").count());
}

#[test]
fn a_page_of_nothing_says_so() {
    let page = html(&terminal(), &ReportInfo::default());
    for words in
        ["Nothing was filed", "No rule did anything", "Nothing failed", "No files are known"]
    {
        assert!(page.contains(words), "{words}");
    }
    assert!(!page.contains("NaN") && !page.contains("inf"));
}

#[test]
fn rows_for_a_spreadsheet_can_be_read_back_and_are_no_formulas() {
    let bytes = csv(&terminal(), &sample()).unwrap();
    let mut reader = ::csv::Reader::from_reader(bytes.as_slice());
    let rows: Vec<Vec<String>> =
        reader.records().map(|r| r.unwrap().iter().map(str::to_owned).collect()).collect();
    let find = |section: &str, name: &str| {
        let found = rows.iter().find(|r| r[0] == section && r[1].contains(name));
        found.unwrap_or_else(|| panic!("{section} {name} in {rows:#?}")).clone()
    };
    assert_eq!(find("done", "filed")[3..5], ["3", "30"]);
    assert_eq!(find("done", "failed")[3], "2");
    assert_eq!(find("category", "image")[4], "1000000");
    assert_eq!(find("rule", "HYPERLINK")[1], "'=HYPERLINK(\"http://x\")");
    assert_eq!(find("error", "script")[2], "no <i>space</i>");
    for cell in rows.iter().flatten() {
        assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell}");
        assert!(!cell.contains(['\n', '\u{202e}']), "{cell}");
    }
}

#[test]
fn columns_have_no_gaps_and_hold_every_file() {
    let filed = |days: &[(&str, u64)]| {
        let days: Vec<_> = days.iter().map(|(d, n)| day(d, &[("image", *n)])).collect();
        Columns::new(&days).unwrap()
    };
    let few = filed(&[("2026-11-18", 2), ("2026-11-20", 1)]);
    assert_eq!(few.grain, Grain::Day);
    let labels: Vec<_> = few.columns.iter().map(|c| (c.label.as_str(), c.files[0])).collect();
    assert_eq!(labels, [("2026-11-18", 2), ("2026-11-19", 0), ("2026-11-20", 1)]);

    // A Sunday and the Monday after it are two weeks.
    let weeks = filed(&[("2026-03-01", 1), ("2026-03-02", 2), ("2026-11-20", 4)]);
    assert_eq!(weeks.grain, Grain::Week);
    assert_eq!(weeks.columns[0].label, "week of 2026-02-23");
    assert_eq!((weeks.columns[0].files[0], weeks.columns[1].files[0]), (1, 2));

    let months = filed(&[("2022-01-31", 1), ("2022-02-01", 2), ("2026-11-20", 4)]);
    assert_eq!(months.grain, Grain::Month);
    assert_eq!(months.columns.len(), 59);
    for columns in [weeks, months] {
        assert_eq!(columns.columns.iter().map(|c| c.files[0]).sum::<u64>(), 7);
    }
    assert!(Columns::new(&[]).is_none());
}

#[test]
fn categories_beyond_the_colours_share_one() {
    let names: Vec<String> = (0..20).map(|n| format!("c{n:02}")).collect();
    let of: Vec<_> = names.iter().map(|n| (n.as_str(), 1)).collect();
    let columns = Columns::new(&[day("2026-11-20", &of)]).unwrap();
    assert_eq!(columns.series.len(), SERIES);
    assert_eq!(columns.columns[0].files[SERIES], 13);
    assert_eq!(columns.name(SERIES), "other");
    assert_eq!(columns.used().count(), SERIES + 1);
}
