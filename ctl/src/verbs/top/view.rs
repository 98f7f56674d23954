//! Drawing. What does not fit is left out, the least needed first; nothing here changes what is known.

use jiff::Timestamp;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize as _};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Sparkline, Wrap};
use tidy_protocol::{OperationInfo, ReadingInfo, Status};

use super::state::{Mode, State, Trouble};
use crate::render::path::one_line;
use crate::render::{count, size, time};

/// Folders that are shown; the others are counted.
const FOLDERS: usize = 4;

/// Lines for what went wrong.
const TROUBLES: usize = 3;

/// Files that are being read, and are shown.
const READING: usize = 3;

/// Columns of the time of day and of what was done.
const TIME: usize = 8;
const WHAT: usize = 9;

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
    let (head, foot) = (take(1, 0), take(1, 0));
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
            .chain([why, troubles, foot].map(Constraint::Length)),
    );
    let [head, folders, flow, read, done, why, troubles, foot] = rows.areas(area);

    frame.render_widget(Paragraph::new(header(state, paint)), head);
    if let Some(status) = &state.status {
        draw_folders(frame, folders, state, status, paint);
        draw_flow(frame, flow, state, status, paint);
        draw_reading(frame, read, state, status, paint);
    }
    draw_done(frame, done, state, paint);
    frame.render_widget(Paragraph::new(reason(state, paint)), why);
    draw_troubles(frame, troubles, state, paint);
    frame.render_widget(Paragraph::new(footer(state, area.width, paint)), foot);
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

fn header(state: &State, paint: Paint) -> Line<'static> {
    let Some(status) = &state.status else {
        let text = state.lost.clone().unwrap_or_else(|| "connecting …".to_owned());
        return Line::from(vec!["tidyd ".bold(), Span::styled(text, paint.careful())]);
    };
    let mut spans = vec![Span::raw("tidyd ").bold(), Span::raw(one_line(&status.version)).bold()];
    match &state.lost {
        Some(why) => spans.push(Span::styled(format!("  {why}; waiting for it"), paint.bad())),
        None => {
            let style = if status.state == "running" { paint.good() } else { paint.careful() };
            spans.push(Span::raw("  "));
            spans.push(Span::styled(one_line(&status.state), style));
            let t = status.totals;
            spans.push(Span::raw(format!(
                "  up {}  {} filed, {} put aside, {} left",
                time::span(status.uptime_ms / 1_000),
                t.filed,
                count(t.duplicates, "copy"),
                t.left
            )));
            let failed = format!(", {} failed", t.failed);
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
    let mut line = vec![
        "FLOW  ".bold(),
        part(p.settling, "settling"),
        gap(),
        part(p.held, "held"),
        gap(),
        part(p.in_flight, "filing"),
        gap(),
        part(p.dirty, "to be read"),
    ];
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
    let width = usize::from(area.width);
    let mut lines = vec![
        Line::from(format!("{:<TIME$}  {:<WHAT$} {}", "DONE", "WHAT", "FILE -> WHERE")).bold(),
    ];
    let rows = usize::from(area.height) - 1;
    let chosen = state.chosen().map_or(0, |(index, _)| index);
    // The chosen one stays in sight.
    let first = chosen.saturating_sub(rows.saturating_sub(1));
    for (index, op) in state.operations.iter().enumerate().skip(first).take(rows) {
        let line = operation(state, op, width, paint);
        let is_chosen = index == chosen;
        lines.push(if is_chosen { line.patch_style(Modifier::REVERSED) } else { line });
    }
    if state.operations.is_empty() {
        lines.push(Line::styled("nothing was done yet", paint.quiet()));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

/// One line about one operation, as wide as the screen.
fn operation(state: &State, op: &OperationInfo, width: usize, paint: Paint) -> Line<'static> {
    let (word, style) = match op.state.as_str() {
        _ if op.undone_by.is_some() => ("undone".to_owned(), paint.quiet()),
        "done" if op.undo => (one_line(&op.kind), paint.careful()),
        "done" => (one_line(&op.kind), Style::new()),
        other => (one_line(other), paint.bad()),
    };
    let name =
        op.src.as_ref().or(op.dst.as_ref()).map(|p| p.0.file_name().unwrap_or_default().to_owned());
    let name = name.map(|n| crate::render::path::shown(&n)).unwrap_or_default();
    let to = op.dst.as_ref().filter(|_| op.src.is_some()).and_then(|d| d.0.parent());
    let to = to.map(|dir| state.look.path(dir)).unwrap_or_default();
    let arrow = if to.is_empty() { "" } else { " -> " };
    let room = width.saturating_sub(TIME + 2 + WHAT + 1);
    let both = room.saturating_sub(arrow.len());
    // Each gets half where both are long.
    let name = tail(&name, both.saturating_sub(width_of(&to).min(both / 2)));
    let to = tail(&to, both.saturating_sub(width_of(&name)));
    let to = format!("{arrow}{to}");
    let rest = room.saturating_sub(width_of(&name) + width_of(&to));
    Line::from(vec![
        Span::styled(format!("{:<TIME$}  ", clock(state, op.time_ns)), paint.quiet()),
        Span::styled(format!("{word:<WHAT$.WHAT$} "), style),
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

const KEYS: &str = "p pause  r resume  e explain  u put back  ? help  q quit";

fn footer(state: &State, width: u16, paint: Paint) -> Line<'static> {
    if let Mode::Asking(id) = state.mode {
        let op = state.operations.iter().find(|o| o.id == id);
        let name =
            op.and_then(|o| o.src.as_ref()).map(|p| state.look.path(&p.0)).unwrap_or_default();
        let (before, after) = ("put back ", "? [y/N] ");
        let room = usize::from(width).saturating_sub(before.len() + after.len());
        let question = format!("{before}{}{after}", tail(&name, room));
        return Line::styled(question, paint.careful().add_modifier(Modifier::REVERSED));
    }
    match &state.said {
        Some((text, failed)) => {
            Line::styled(one_line(text), if *failed { paint.bad() } else { paint.good() })
        }
        None => Line::styled(KEYS, paint.quiet()),
    }
}

/// A text over everything, with a frame where there is room for one.
fn draw_text(frame: &mut Frame<'_>, area: Rect, title: &str, text: &str, from: u16) {
    frame.render_widget(Clear, area);
    let lines: Vec<Line<'_>> = text.lines().map(Line::from).collect();
    let paragraph = Paragraph::new(lines).wrap(Wrap { trim: false }).scroll((from, 0));
    if area.height < 6 || area.width < 20 {
        frame.render_widget(paragraph, area);
        return;
    }
    let bottom = " up, down: more   any other key: back ";
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
