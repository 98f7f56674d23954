//! Drawing. What does not fit is left out, the least needed first; nothing here changes what is known.

use jiff::Timestamp;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize as _};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Sparkline, Wrap};
use tidy_protocol::{OperationInfo, ReadingInfo, Status};

use super::state::{Mode, State, Trouble};
use crate::render::fold::fold;
use crate::render::path::{one_line, shown};
use crate::render::reason::UNBROKEN;
use crate::render::{count, size, time};

/// Folders that are shown; the others are counted.
const FOLDERS: usize = 4;

/// Lines for what went wrong.
const TROUBLES: usize = 3;

/// Files that are being read, and are shown.
const READING: usize = 3;

/// Lines at the foot, for what does not fit on one.
const FOOT: usize = 3;

/// Columns of what a file is read for.
const READ: usize = 12;

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State) {
    let area = frame.area();
    let paint = Paint { colours: state.colours };
    let folders = state.status.as_ref().map_or(0, |s| s.roots.len()).min(FOLDERS + 1) as u16;
    let troubles = state.troubles.len().min(TROUBLES) as u16;
    // From the most needed to the least; each gets its lines only when those before have theirs.
    let mut left = area.height;
    let mut take = |wanted: u16, keep: u16| {
        let got = if left >= wanted + keep { wanted } else { 0 };
        left -= got;
        got
    };
    let foot = footer(state, area.width, paint);
    let (head, first) = (take(1, 0), take(1, 0));
    let more = take((foot.len().min(FOOT) as u16).saturating_sub(1), 6);
    let flow = take(2, 4);
    let why = take(1, 4);
    let read = state.status.as_ref().map_or(0, |s| s.reading.len()).min(READING) as u16;
    let read = take(read, 5);
    let troubles = if troubles > 0 { take(troubles + 1, 5) } else { 0 };
    let folders = if folders > 0 { take(folders + 1, 5) } else { 0 };
    let rows = Layout::vertical(
        [head, folders, flow, read]
            .map(Constraint::Length)
            .into_iter()
            .chain([Constraint::Fill(1)])
            .chain([why, troubles, first + more].map(Constraint::Length)),
    );
    let [head, folders, flow, read, done, why, troubles, feet] = rows.areas(area);

    frame.render_widget(Paragraph::new(header(state, area.width, paint)), head);
    if let Some(status) = &state.status {
        draw_folders(frame, folders, state, status, paint);
        draw_flow(frame, flow, state, status, paint);
        draw_reading(frame, read, state, status, paint);
    }
    draw_done(frame, done, state, paint);
    frame.render_widget(Paragraph::new(reason(state, paint)), why);
    draw_troubles(frame, troubles, state, paint);
    frame.render_widget(Paragraph::new(foot), feet);
    if let Mode::Reading { title, text, from } = &state.mode {
        draw_text(frame, area, title, text, *from);
    }
}

/// Colours, where they are wanted; weight everywhere.
#[derive(Debug, Clone, Copy)]
struct Paint {
    colours: bool,
}

impl Paint {
    fn color(self, color: Color) -> Style {
        if self.colours { Style::new().fg(color) } else { Style::new() }
    }

    fn good(self) -> Style {
        self.color(Color::Green)
    }

    fn careful(self) -> Style {
        self.color(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    fn bad(self) -> Style {
        self.color(Color::Red).add_modifier(Modifier::BOLD)
    }

    fn quiet(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }
}

/// The first that fits, else the last: from the most that could be told to the least.
fn fitting(width: u16, all: impl IntoIterator<Item = String>) -> String {
    let mut last = String::new();
    for text in all {
        last = text;
        if width_of(&last) <= usize::from(width) {
            break;
        }
    }
    last
}

fn header(state: &State, width: u16, paint: Paint) -> Line<'static> {
    let Some(status) = &state.status else {
        let text = state.lost.clone().unwrap_or_else(|| "connecting …".to_owned());
        return Line::from(vec!["tidyd ".bold(), Span::styled(text, paint.careful())]);
    };
    let mut spans = vec![Span::raw("tidyd ").bold(), Span::raw(one_line(&status.version)).bold()];
    match &state.lost {
        Some(why) => {
            let used: usize = spans.iter().map(Span::width).sum();
            let room = width.saturating_sub(used as u16);
            let all = [format!("  {why}; waiting for it"), "  gone; waiting for it".to_owned()];
            spans.push(Span::styled(fitting(room, all), paint.bad()));
        }
        None => {
            let style = if status.state == "running" { paint.good() } else { paint.careful() };
            spans.push(Span::raw("  "));
            spans.push(Span::styled(one_line(&status.state), style));
            let t = status.totals;
            let copies = count(t.duplicates, "copy");
            let failed = format!("{} failed", t.failed);
            let used: usize = spans.iter().map(Span::width).sum();
            let room = width.saturating_sub((used + failed.len()) as u16);
            // What failed is told before all else.
            let sum = fitting(
                room,
                [
                    format!(
                        "  up {}  {} filed, {copies} put aside, {} left, ",
                        time::span(status.uptime_ms / 1_000),
                        t.filed,
                        t.left
                    ),
                    format!("  {} filed, {copies} put aside, {} left, ", t.filed, t.left),
                    format!("  {} filed, {} left, ", t.filed, t.left),
                    format!("  {} filed, ", t.filed),
                    "  ".to_owned(),
                ],
            );
            spans.push(Span::raw(sum));
            spans.push(if t.failed > 0 {
                Span::styled(failed, paint.bad())
            } else {
                Span::raw(failed)
            });
        }
    }
    Line::from(spans)
}

fn draw_folders(frame: &mut Frame<'_>, area: Rect, state: &State, status: &Status, paint: Paint) {
    if area.is_empty() {
        return;
    }
    let mut lines = vec![Line::from("FOLDERS".bold())];
    let width = usize::from(area.width);
    for root in status.roots.iter().take(FOLDERS) {
        let style = match root.state.as_str() {
            "watching" | "scanning" => paint.good(),
            "missing" | "unreadable" => paint.bad(),
            _ => paint.careful(),
        };
        let word = if root.stopped.is_some() { "stopped" } else { root.state.as_str() };
        let pending =
            if root.pending > 0 { format!("  {} pending", root.pending) } else { String::new() };
        let room = width.saturating_sub(12 + pending.chars().count());
        lines.push(Line::from(vec![
            Span::styled(format!("{:<12}", one_line(word)), style),
            Span::raw(tail(&state.look.path(&root.path.0), room)),
            Span::raw(pending),
        ]));
    }
    let more = status.roots.len().saturating_sub(FOLDERS);
    if more > 0 {
        lines.push(Line::styled(
            format!("and {}", count(more as u64, "more folder")),
            paint.quiet(),
        ));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn draw_flow(frame: &mut Frame<'_>, area: Rect, state: &State, status: &Status, paint: Paint) {
    if area.is_empty() {
        return;
    }
    let [words, graph] = Layout::vertical([Constraint::Length(1); 2]).areas(area);
    let p = status.pending;
    let part = |n: u64, what: &str| {
        let style = if n > 0 { Style::new().add_modifier(Modifier::BOLD) } else { paint.quiet() };
        Span::styled(format!("{n} {what}"), style)
    };
    let gap = || Span::raw("  ");
    let all = [
        (p.settling, "settling"),
        (p.held, "held"),
        (p.in_flight, "filing"),
        (p.dirty, "to be read"),
    ];
    // Where there is no room for all, those of which there are none need not be told.
    let narrow = area.width < 54;
    let told: Vec<_> = all.into_iter().filter(|(n, _)| !narrow || *n > 0).collect();
    let mut line = vec!["FLOW".bold()];
    for (n, what) in &told {
        line.extend([gap(), part(*n, what)]);
    }
    if told.is_empty() {
        line.extend([gap(), Span::styled("nothing pending", paint.quiet())]);
    }
    if let Some(job) = state.job.as_ref().filter(|_| status.jobs_running > 0) {
        let of = if job.total > 0 { format!("/{}", job.total) } else { String::new() };
        line.push(Span::raw(format!(
            "  job {} ({}) {}{of}",
            job.id,
            one_line(&job.kind),
            job.done
        )));
    }
    frame.render_widget(Paragraph::new(Line::from(line)), words);
    let (files, bytes) = state.rate.now();
    let rate = format!("{files:>6.1} files/s {:>9}/s  ", size::readable(bytes));
    let [text, bars] =
        Layout::horizontal([Constraint::Length(rate.chars().count() as u16), Constraint::Fill(1)])
            .areas(graph);
    frame.render_widget(Paragraph::new(rate), text);
    let seconds = state.rate.files();
    let shown = seconds.len().saturating_sub(usize::from(bars.width));
    frame.render_widget(Sparkline::default().data(&seconds[shown..]).style(paint.good()), bars);
}

/// What is being hashed, compared and copied, and how far that is. The rate is that of all together.
fn draw_reading(frame: &mut Frame<'_>, area: Rect, state: &State, status: &Status, paint: Paint) {
    let width = usize::from(area.width);
    let more = status.reading.len().saturating_sub(usize::from(area.height));
    let line = |(row, r): (usize, &ReadingInfo)| {
        let percent = u128::from(r.done.min(r.size)) * 100 / u128::from(r.size.max(1));
        let mut how = format!("{percent:>4} % of {:>8}", size::readable(r.size));
        if row == 0 {
            how.push_str(&format!("  {:>9}/s", size::readable(state.read_rate)));
        } else if row + 1 == usize::from(area.height) && more > 0 {
            how.push_str(&format!("  and {more} more"));
        }
        let room = width.saturating_sub(READ + width_of(&how) + 1);
        let path = tail(&state.look.path(&r.path.0), room);
        let gap = " ".repeat(room.saturating_sub(width_of(&path)) + 1);
        Line::from(vec![
            Span::styled(format!("{:<READ$}", one_line(&r.purpose)), paint.good()),
            Span::raw(path),
            Span::raw(gap),
            Span::styled(how, paint.quiet()),
        ])
    };
    let shown = status.reading.iter().enumerate().take(usize::from(area.height));
    frame.render_widget(Paragraph::new(shown.map(line).collect::<Vec<_>>()), area);
}

fn draw_done(frame: &mut Frame<'_>, area: Rect, state: &State, paint: Paint) {
    if area.height < 2 {
        return;
    }
    let columns = Columns::of(usize::from(area.width));
    let mut lines = vec![Line::from(columns.title()).bold()];
    let rows = usize::from(area.height) - 1;
    let chosen = state.chosen().map_or(0, |(index, _)| index);
    // The chosen one stays in sight.
    let first = chosen.saturating_sub(rows.saturating_sub(1));
    for (index, op) in state.operations.iter().enumerate().skip(first).take(rows) {
        let line = operation(state, op, columns, paint);
        let is_chosen = index == chosen;
        lines.push(if is_chosen { line.patch_style(Modifier::REVERSED) } else { line });
    }
    if state.operations.is_empty() {
        lines.push(Line::styled("nothing was done yet", paint.quiet()));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

/// What of an operation has a place on its line: of a narrow one the name of the file gets most.
#[derive(Debug, Clone, Copy)]
struct Columns {
    width: usize,
    /// Of the time of day and of what was done; 0: neither is told.
    time: usize,
    what: usize,
    /// Where it went is told: whole, or by the last folder alone.
    place: Option<Place>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Whole,
    Last,
}

impl Columns {
    fn of(width: usize) -> Self {
        let (time, what, place) = match width {
            80.. => (8, 9, Some(Place::Whole)),
            60.. => (8, 9, Some(Place::Last)),
            46.. => (8, 0, Some(Place::Last)),
            30.. => (5, 0, None),
            _ => (0, 0, None),
        };
        Self { width, time, what, place }
    }

    fn title(self) -> String {
        match (self.time, self.what, self.place) {
            (0, ..) => "DONE".to_owned(),
            (time, 0, None) => format!("{:<time$}  FILE", "DONE"),
            (time, 0, _) => format!("{:<time$}  FILE -> WHERE", "DONE"),
            (time, what, _) => format!("{:<time$}  {:<what$} FILE -> WHERE", "DONE", "WHAT"),
        }
    }
}

/// One line about one operation, as wide as the screen.
fn operation(state: &State, op: &OperationInfo, columns: Columns, paint: Paint) -> Line<'static> {
    let (word, style) = match op.state.as_str() {
        _ if op.undone_by.is_some() => ("undone".to_owned(), paint.quiet()),
        "done" if op.undo => (one_line(&op.kind), paint.careful()),
        "done" => (one_line(&op.kind), Style::new()),
        other => (one_line(other), paint.bad()),
    };
    // Without a column of its own, what is not simply done is told before the name.
    let is_plain = op.state == "done" && op.undone_by.is_none();
    let word = match columns.what {
        0 if is_plain => String::new(),
        0 => format!("{word} "),
        width => format!("{word:<width$.width$} "),
    };
    let time = match columns.time {
        0 => String::new(),
        width => format!("{:<width$.width$}  ", clock(state, op.time_ns)),
    };
    let name =
        op.src.as_ref().or(op.dst.as_ref()).map(|p| p.0.file_name().unwrap_or_default().to_owned());
    let name = name.map(|n| shown(&n)).unwrap_or_default();
    let to = op.dst.as_ref().filter(|_| op.src.is_some()).and_then(|d| d.0.parent());
    let to = to.zip(columns.place).map(|(dir, place)| match (place, dir.file_name()) {
        (Place::Last, Some(last)) => shown(last),
        _ => state.look.path(dir),
    });
    let to = to.unwrap_or_default();
    let arrow = if to.is_empty() { "" } else { " -> " };
    let room = columns.width.saturating_sub(time.len() + width_of(&word));
    let both = room.saturating_sub(arrow.len());
    // Each gets half where both are long.
    let name = tail(&name, both.saturating_sub(width_of(&to).min(both / 2)));
    let to = tail(&to, both.saturating_sub(width_of(&name)));
    let to = format!("{arrow}{to}");
    let rest = room.saturating_sub(width_of(&name) + width_of(&to));
    Line::from(vec![
        Span::styled(time, paint.quiet()),
        Span::styled(word, style),
        Span::raw(name),
        Span::styled(to, paint.quiet()),
        Span::raw(" ".repeat(rest)),
    ])
}

/// The time of day today, else the day.
fn clock(state: &State, ns: i64) -> String {
    let Ok(then) = Timestamp::from_nanosecond(i128::from(ns)) else { return String::new() };
    let then = then.to_zoned(state.look.tz.clone());
    let today = then.date() == state.look.now.to_zoned(state.look.tz.clone()).date();
    then.strftime(if today { "%H:%M:%S" } else { "%d %b" }).to_string()
}

/// Why the chosen one was done.
fn reason(state: &State, paint: Paint) -> Line<'static> {
    let Some((_, op)) = state.chosen() else { return Line::default() };
    let why = match &op.error {
        Some(error) => Span::styled(one_line(error), paint.bad()),
        None => Span::raw(one_line(&op.why)),
    };
    Line::from(vec![Span::raw(format!("{}  {}: ", op.id, one_line(&op.rule))).bold(), why])
}

fn draw_troubles(frame: &mut Frame<'_>, area: Rect, state: &State, paint: Paint) {
    if area.is_empty() {
        return;
    }
    let mut lines = vec![Line::from("TROUBLE".bold())];
    lines.extend(state.troubles.iter().take(TROUBLES).map(|Trouble { at, text, error }| {
        let style = if *error { paint.bad() } else { paint.careful() };
        let at = at.to_zoned(state.look.tz.clone()).strftime("%H:%M:%S").to_string();
        Line::from(vec![
            Span::styled(format!("{at}  "), paint.quiet()),
            Span::styled(one_line(text), style),
        ])
    }));
    frame.render_widget(Paragraph::new(lines), area);
}

/// The keys, from all of them to those that nobody gets out without.
const KEYS: [&str; 4] = [
    "p pause  r resume  e explain  u put back  ? help  q quit",
    "p pause  e explain  ? help  q quit",
    "? help  q quit",
    "q quit",
];

/// The lines at the foot: a question, what was said last, or the keys.
fn footer(state: &State, width: u16, paint: Paint) -> Vec<Line<'static>> {
    let lines = |text: &str, style: Style| {
        let folded = fold(text, width);
        folded.lines().map(|line| Line::styled(line.to_owned(), style)).collect()
    };
    if let Mode::Asking(id) = state.mode {
        let op = state.operations.iter().find(|o| o.id == id);
        let name =
            op.and_then(|o| o.src.as_ref()).map(|p| state.look.path(&p.0)).unwrap_or_default();
        let (before, after) = ("put back ", "? [y/N] ");
        let room = usize::from(width).saturating_sub(before.len() + after.len());
        let question = format!("{before}{}{after}", tail(&name, room));
        return vec![Line::styled(question, paint.careful().add_modifier(Modifier::REVERSED))];
    }
    match &state.said {
        Some((text, failed)) => {
            lines(&one_line(text), if *failed { paint.bad() } else { paint.good() })
        }
        None => {
            let keys = fitting(width, KEYS.map(str::to_owned));
            vec![Line::styled(keys, paint.quiet())]
        }
    }
}

/// Whether there is room for a frame around a text.
fn is_framed(area: Rect) -> bool {
    area.height >= 6 && area.width >= 20
}

/// The lines of a text that is read on a screen of that size.
pub(super) fn lines_of(text: &str, area: Rect) -> Vec<String> {
    let width = if is_framed(area) { area.width - 2 } else { area.width };
    fold(text, width.max(1)).replace(UNBROKEN, " ").lines().map(str::to_owned).collect()
}

/// How many of them are seen at a time.
pub(super) fn rows_of(area: Rect) -> u16 {
    if is_framed(area) { area.height - 2 } else { area.height }
}

/// A text over everything, with a frame where there is room for one.
fn draw_text(frame: &mut Frame<'_>, area: Rect, title: &str, text: &str, from: u16) {
    frame.render_widget(Clear, area);
    let lines: Vec<Line<'_>> =
        lines_of(text, area).into_iter().skip(usize::from(from)).map(Line::from).collect();
    // What has no blank to be folded at.
    let paragraph = Paragraph::new(lines).wrap(Wrap { trim: false });
    if !is_framed(area) {
        frame.render_widget(paragraph, area);
        return;
    }
    let bottom = fitting(
        area.width.saturating_sub(2),
        [" up, down: more   any other key: back ", " any other key: back ", ""].map(str::to_owned),
    );
    let block = Block::bordered().title(format!(" {title} ")).title_bottom(bottom);
    frame.render_widget(paragraph.block(block), area);
}

/// Columns that a text takes.
fn width_of(text: &str) -> usize {
    Span::raw(text).width()
}

/// The end of a text that is too long: of a path the end says most.
fn tail(text: &str, room: usize) -> String {
    if width_of(text) <= room {
        return text.to_owned();
    }
    // No character is wider than two columns, and few take none.
    let skip = text.chars().count().saturating_sub(room);
    let mut rest: &str = text.char_indices().nth(skip).map_or("", |(at, _)| &text[at..]);
    while width_of(rest) + 1 > room {
        let mut chars = rest.chars();
        if chars.next().is_none() {
            return String::new();
        }
        rest = chars.as_str();
    }
    format!("…{rest}")
}

#[cfg(test)]
mod tests;
