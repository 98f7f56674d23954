//! Two charts in SVG: columns over time, and bars by category. Colours are classes, so that the page chooses them by
//! theme; every part says in a tooltip what it is, and beside every chart stands a table with the same numbers.

use jiff::ToSpan as _;
use jiff::civil::Date;
use maud::{Markup, html};
use tidy_protocol::{ReportCategory, ReportDay};

use super::super::path::one_line;
use super::super::size;

/// Categories with a colour of their own; all others share one.
pub(super) const SERIES: usize = 7;

/// Columns that fit side by side.
const COLUMNS: usize = 92;

/// What share one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grain {
    Day,
    Week,
    Month,
}

impl Grain {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The first day of the one that `day` is in.
    fn start(self, day: Date) -> Date {
        match self {
            Self::Day => day,
            Self::Week => {
                let back = i64::from(day.weekday().to_monday_zero_offset());
                day.saturating_sub(back.days())
            }
            Self::Month => day.first_of_month(),
        }
    }

    fn next(self, start: Date) -> Date {
        match self {
            Self::Day => start.saturating_add(1.day()),
            Self::Week => start.saturating_add(1.week()),
            Self::Month => start.saturating_add(1.month()),
        }
    }

    fn label(self, start: Date) -> String {
        match self {
            Self::Day => start.to_string(),
            Self::Week => format!("week of {start}"),
            Self::Month => start.strftime("%Y-%m").to_string(),
        }
    }
}

/// One column: its name, and the files of each series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) label: String,
    pub(super) files: [u64; SERIES + 1],
}

/// The columns of a chart, without gaps in time.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) grain: Grain,
    /// The names of the series with a colour, most files first.
    pub(super) series: Vec<String>,
    pub(super) columns: Vec<Column>,
}

impl Columns {
    /// `None`: nothing was filed.
    pub(super) fn new(days: &[ReportDay]) -> Option<Self> {
        let dated: Vec<(Date, &ReportDay)> = (days.iter())
            .filter(|d| d.categories.iter().any(|c| c.files > 0))
            .filter_map(|d| Some((d.day.parse().ok()?, d)))
            .collect();
        let first = dated.iter().map(|(d, _)| *d).min()?;
        let last = dated.iter().map(|(d, _)| *d).max()?;
        let span = last.since(first).map_or(0, |s| s.get_days()).unsigned_abs() as usize;
        let grain = match span {
            0..COLUMNS => Grain::Day,
            s if s / 7 < COLUMNS => Grain::Week,
            _ => Grain::Month,
        };
        let series = series(days);
        let mut columns = Vec::new();
        let mut start = grain.start(first);
        while start <= last && columns.len() <= 2 * COLUMNS {
            let end = grain.next(start);
            let mut files = [0; SERIES + 1];
            for (_, day) in dated.iter().filter(|(d, _)| (start..end).contains(d)) {
                for c in &day.categories {
                    let at = series.iter().position(|s| *s == c.category).unwrap_or(SERIES);
                    files[at] += c.files;
                }
            }
            columns.push(Column { label: grain.label(start), files });
            if end <= start {
                break;
            }
            start = end;
        }
        Some(Self { grain, series, columns })
    }

    /// The name of a series, the last one being all others.
    pub(super) fn name(&self, at: usize) -> &str {
        self.series.get(at).map_or("other", String::as_str)
    }

    /// Series that have any file.
    pub(super) fn used(&self) -> impl Iterator<Item = usize> {
        (0..=SERIES).filter(|s| self.columns.iter().any(|c| c.files[*s] > 0))
    }
}

fn series(days: &[ReportDay]) -> Vec<String> {
    let mut sums: Vec<(u64, &str)> = Vec::new();
    for c in days.iter().flat_map(|d| &d.categories) {
        match sums.iter_mut().find(|(_, name)| *name == c.category) {
            Some(sum) => sum.0 += c.files,
            None => sums.push((c.files, &c.category)),
        }
    }
    sums.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    sums.into_iter().take(SERIES).map(|(_, name)| name.to_owned()).collect()
}

/// What was filed, over time.
pub(super) fn filed(columns: &Columns) -> Markup {
    const WIDTH: f64 = 960.0;
    const HEIGHT: f64 = 220.0;
    const LEFT: f64 = 56.0;
    const BOTTOM: f64 = 24.0;
    let most = columns.columns.iter().map(|c| c.files.iter().sum::<u64>()).max().unwrap_or(0);
    let top = round_up(most);
    let plot = HEIGHT - BOTTOM - 8.0;
    let y = |files: u64| HEIGHT - BOTTOM - plot * files as f64 / top as f64;
    // A few begin at the left: what a telephone shows of it is not empty.
    let step = ((WIDTH - LEFT) / columns.columns.len().max(1) as f64).min(120.0);
    let bar = (step * 0.8).min(48.0);
    // A label needs some 90 units.
    let every = ((90.0 / step).ceil() as usize).max(1);
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(format!("Files filed by {}; the table below has the numbers", columns.grain.word())) {
            @for line in [0, top / 2, top] {
                line class="grid" x1=(LEFT) x2=(WIDTH) y1=(units(y(line))) y2=(units(y(line))) {}
                text class="axis" x=(LEFT - 8.0) y=(units(y(line) + 4.0)) text-anchor="end" { (line) }
            }
            @for (i, column) in columns.columns.iter().enumerate() {
                @let x = LEFT + step * i as f64 + (step - bar) / 2.0;
                @for (s, files) in column.files.iter().enumerate().filter(|(_, f)| **f > 0) {
                    @let below: u64 = column.files[..s].iter().sum();
                    rect class=(format!("s{s}")) x=(units(x)) width=(units(bar)) y=(units(y(below + files))) height=(units(y(below) - y(below + files))) {
                        title { (column.label) ": " (files) " " (one_line(columns.name(s))) }
                    }
                }
                @if i % every == 0 {
                    @let middle = x + bar / 2.0;
                    text class="axis" x=(units(middle.max(LEFT + 36.0))) y=(HEIGHT - 6.0) text-anchor="middle" { (column.label) }
                }
            }
        }
    }
}

/// Space by category, each bar divided by age.
pub(super) fn space(categories: &[ReportCategory]) -> Markup {
    const WIDTH: f64 = 960.0;
    const LEFT: f64 = 150.0;
    const RIGHT: f64 = 90.0;
    const ROW: f64 = 28.0;
    let most = categories.iter().map(|c| c.bytes).max().unwrap_or(0).max(1);
    let wide = |bytes: u64| (WIDTH - LEFT - RIGHT) * bytes as f64 / most as f64;
    let height = ROW * categories.len() as f64;
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-label="Space by category and age; the table below has the numbers" {
            @for (i, category) in categories.iter().enumerate() {
                @let y = ROW * i as f64;
                text class="axis" x=(LEFT - 8.0) y=(units(y + 18.0)) text-anchor="end" { (one_line(&category.category)) }
                @for (a, age) in category.ages.iter().enumerate().filter(|(_, a)| a.bytes > 0) {
                    @let before = category.ages[..a].iter().fold(0_u64, |sum, a| sum.saturating_add(a.bytes));
                    rect class=(format!("a{a}")) x=(units(LEFT + wide(before))) width=(units(wide(age.bytes))) y=(units(y + 5.0)) height="18" {
                        title { (one_line(&category.category)) ", " (super::age(age.below_days)) ": " (size::readable(age.bytes)) }
                    }
                }
                text class="axis" x=(units(LEFT + wide(category.bytes) + 6.0)) y=(units(y + 18.0)) { (size::readable(category.bytes)) }
            }
        }
    }
}

/// The next 2, 4, 6, 8, 10, 20, … so that the middle line of the grid is a whole number.
fn round_up(n: u64) -> u64 {
    let mut unit = 1_u64;
    loop {
        if let Some(step) =
            [2, 4, 6, 8, 10].into_iter().map(|k| unit.saturating_mul(k)).find(|s| *s >= n)
        {
            return step;
        }
        unit = unit.saturating_mul(10);
    }
}

/// A length with one decimal.
fn units(length: f64) -> String {
    format!("{length:.1}")
}
