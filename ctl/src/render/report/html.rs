//! The report as one page: no script, no network, nothing beside it; for light and dark screens, for paper, and for
//! those who do not see the charts.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use tidy_protocol::{ReportFile, ReportInfo};

use super::super::path::{one_line, shown};
use super::super::{Look, size, time};
use super::chart::{self, Columns};
use super::{age, deeds, period};

/// Rows of the charts' bars by category.
const BARS: usize = 16;

const STYLE: &str = include_str!("style.css");

/// The page. Every text from outside is escaped twice: what could deceive a reader as on a terminal, what could be
/// markup by the templates.
pub(crate) fn html(look: &Look, report: &ReportInfo) -> String {
    let columns = Columns::new(&report.days);
    let bars = &report.categories[..report.categories.len().min(BARS)];
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="robots" content="noindex";
                title { "tidyd: " (period(look, report)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "What tidyd did" }
                    p { (period(look, report)) " · days in " (one_line(&report.time_zone)) }
                }
                main {
                    (sums(report))
                    section aria-labelledby="filed" {
                        h2 #filed { "Filed" @if let Some(c) = &columns { " by " (c.grain.word()) } }
                        @match &columns {
                            Some(columns) => (over_time(columns)),
                            None => p.none { "Nothing was filed in this time." },
                        }
                    }
                    section aria-labelledby="rules" {
                        h2 #rules { "Rules" }
                        (rules(look, report))
                    }
                    section aria-labelledby="failed" {
                        h2 #failed { "What failed" }
                        (errors(look, report))
                    }
                    section aria-labelledby="space" {
                        h2 #space { "Space by category and age" }
                        @if bars.is_empty() {
                            p.none { "No files are known." }
                        } @else {
                            figure { (chart::space(bars)) (ages_legend(report)) }
                            (categories(report))
                        }
                    }
                    section aria-labelledby="duplicates" {
                        h2 #duplicates { "Duplicates" }
                        (duplicates(report))
                    }
                    section aria-labelledby="biggest" {
                        h2 #biggest { "Biggest files" }
                        (files(look, &report.biggest))
                    }
                    section aria-labelledby="oldest" {
                        h2 #oldest { "Longest unchanged" }
                        (files(look, &report.oldest))
                    }
                }
                footer { "Made by tidyctl on " (time::absolute(report.made_ns, &look.tz)) "." }
            }
        }
    }
    .into_string()
}

fn sums(report: &ReportInfo) -> Markup {
    html! {
        dl.sums {
            @for (what, sum) in deeds(report) {
                div { dt { (what) } dd { strong { (sum.files) } " " (size::readable(sum.bytes)) } }
            }
            div.bad[report.done.failed > 0] { dt { "failed" } dd { strong { (report.done.failed) } } }
            div { dt { "files known" } dd { strong { (report.files.files) } " " (size::readable(report.files.bytes)) } }
            div { dt { "space to be won" } dd { strong { (size::readable(report.duplicates.wasted)) } } }
        }
    }
}

fn over_time(columns: &Columns) -> Markup {
    let used: Vec<usize> = columns.used().collect();
    html! {
        figure {
            (chart::filed(columns))
            figcaption {
                @for s in &used {
                    span.key { i class=(format!("s{s}")) {} (one_line(columns.name(*s))) }
                }
            }
        }
        details {
            summary { "The numbers" }
            table {
                thead { tr {
                    th scope="col" { (columns.grain.word()) }
                    @for s in &used { th.n scope="col" { (one_line(columns.name(*s))) } }
                    th.n scope="col" { "all" }
                } }
                tbody {
                    @for column in columns.columns.iter().rev() {
                        tr {
                            th scope="row" { (column.label) }
                            @for s in &used { td.n { (column.files[*s]) } }
                            td.n { (column.files.iter().sum::<u64>()) }
                        }
                    }
                }
            }
        }
    }
}

fn rules(look: &Look, report: &ReportInfo) -> Markup {
    html! {
        @if report.rules.is_empty() {
            p.none { "No rule did anything in this time." }
        } @else {
            table {
                thead { tr {
                    th scope="col" { "rule" } th.n scope="col" { "files" } th.n scope="col" { "size" }
                    th.n scope="col" { "put back since" } th scope="col" { "last" }
                } }
                tbody {
                    @for r in &report.rules {
                        tr {
                            th scope="row" { (one_line(&r.rule)) }
                            td.n { (r.files) } td.n { (size::readable(r.bytes)) }
                            td.n { (r.put_back) } td.time { (time::for_since(r.last_ns, &look.tz)) }
                        }
                    }
                }
            }
        }
    }
}

// Of tables with paths those come first: on a telephone the rest is seen by pushing it aside.

fn errors(look: &Look, report: &ReportInfo) -> Markup {
    html! {
        @if report.errors.is_empty() {
            p.none { "Nothing failed in this time." }
        } @else {
            @if report.done.failed > report.errors.len() as u64 {
                p { "The newest " (report.errors.len()) " of " (report.done.failed) "." }
            }
            table {
                thead { tr {
                    th scope="col" { "file" } th scope="col" { "error" } th scope="col" { "time" }
                } }
                tbody {
                    @for e in &report.errors {
                        tr {
                            td.path { @if let Some(p) = &e.path { (shown(p.as_path().as_os_str())) } }
                            td { (one_line(&e.error)) }
                            td.time { (time::for_since(e.time_ns, &look.tz)) }
                        }
                    }
                }
            }
        }
    }
}

fn ages_legend(report: &ReportInfo) -> Markup {
    let ages = report.categories.first().map(|c| c.ages.as_slice()).unwrap_or_default();
    html! {
        figcaption {
            @for (i, a) in ages.iter().enumerate() {
                span.key { i class=(format!("a{i}")) {} (age(a.below_days)) }
            }
        }
    }
}

fn categories(report: &ReportInfo) -> Markup {
    let ages = report.categories.first().map(|c| c.ages.as_slice()).unwrap_or_default();
    html! {
        details {
            summary { "The numbers" }
            table {
                thead { tr {
                    th scope="col" { "category" } th.n scope="col" { "files" } th.n scope="col" { "size" }
                    @for a in ages { th.n scope="col" { (age(a.below_days)) } }
                } }
                tbody {
                    @for c in &report.categories {
                        tr {
                            th scope="row" { (one_line(&c.category)) }
                            td.n { (c.files) } td.n { (size::readable(c.bytes)) }
                            @for a in &c.ages { td.n { (size::readable(a.bytes)) } }
                        }
                    }
                }
            }
        }
    }
}

fn duplicates(report: &ReportInfo) -> Markup {
    let found = &report.duplicates;
    html! {
        @if found.top.is_empty() {
            p.none { "No two known files have the same bytes." }
        } @else {
            p {
                (found.groups) @if found.groups == 1 { " group" } @else { " groups" }
                " of files with the same bytes; one copy of each would leave "
                strong { (size::readable(found.wasted)) } " free."
            }
            table {
                thead { tr {
                    th scope="col" { "files" } th.n scope="col" { "each" } th.n scope="col" { "to be won" }
                } }
                tbody {
                    @for group in &found.top {
                        tr {
                            td.path {
                                @for path in &group.paths {
                                    div { (shown(path.as_path().as_os_str())) }
                                }
                            }
                            td.n { (size::readable(group.size)) }
                            td.n { (size::readable(group.wasted)) }
                        }
                    }
                }
            }
        }
    }
}

fn files(look: &Look, files: &[ReportFile]) -> Markup {
    html! {
        @if files.is_empty() {
            p.none { "No files are known." }
        } @else {
            table {
                thead { tr {
                    th scope="col" { "file" } th.n scope="col" { "size" }
                    th scope="col" { "modified" } th scope="col" { "category" }
                } }
                tbody {
                    @for f in files {
                        tr {
                            td.path { (shown(f.path.as_path().as_os_str())) }
                            td.n { (size::readable(f.bytes)) }
                            td.time { (time::for_since(f.modified_ns, &look.tz)) }
                            td { (one_line(f.category.as_deref().unwrap_or_default())) }
                        }
                    }
                }
            }
        }
    }
}
