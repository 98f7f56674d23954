//! Aligned columns, as wide as the terminal at most, and no word of them broken. Where there is no room for that, the rows are
//! blocks of lines. Piped, nothing is folded or cut.

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, CellAlignment, Color, ContentArrangement};
use owo_colors::OwoColorize;
use textwrap::core::display_width;

use super::Look;
use super::fold::folded;
use super::path::{one_line, shortened};

/// Blanks between two columns.
const GAP: usize = 2;

/// Columns that a path is given at least, before the table is none: less of it tells nothing.
const PATH: usize = 32;
/// The same of one of two paths, each on a line of its own.
const ROUTE: usize = 28;

/// A table as it is filled.
#[derive(Debug)]
pub(crate) struct Table {
    /// Columns of the terminal; `None`: as many as it takes.
    width: Option<usize>,
    head: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

/// One field, escaped.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: Content,
    right: bool,
    colour: Option<Color>,
}

#[derive(Debug, Clone)]
enum Content {
    /// Never folded.
    Whole(String),
    /// Folded between words.
    Words(String),
    /// Shortened in its middle.
    Path(String),
    /// Where from and where to: on two lines where there is no room on one.
    Route(String, String),
}

/// A table with this head.
pub(crate) fn table<const N: usize>(look: &Look, head: [&'static str; N]) -> Table {
    let width = look.width.filter(|_| look.terminal).map(usize::from);
    Table { width, head: head.into(), rows: Vec::new() }
}

/// A few words that belong together: a time, a name.
pub(crate) fn whole(text: impl Into<String>) -> Cell {
    Content::Whole(text.into()).into()
}

/// Text of any length.
pub(crate) fn words(text: impl Into<String>) -> Cell {
    Content::Words(text.into()).into()
}

/// A path, as the look shows it.
pub(crate) fn path(text: impl Into<String>) -> Cell {
    Content::Path(text.into()).into()
}

/// Two of them.
pub(crate) fn route(from: impl Into<String>, to: impl Into<String>) -> Cell {
    Content::Route(from.into(), to.into()).into()
}

/// A number, aligned to the right.
pub(crate) fn number(n: impl ToString) -> Cell {
    Cell { right: true, ..whole(n.to_string()) }
}

/// A word for a state, in the colour of how good it is.
pub(crate) fn state(word: &str) -> Cell {
    let colour = match word {
        "done" | "watching" | "running" | "filed" | "ok" | "true" => Some(Color::Green),
        "failed" | "unknown" | "missing" | "unreadable" | "false" => Some(Color::Red),
        "paused" | "scan-only" | "aborted" | "cancelled" | "intended" | "verified" | "pending" => {
            Some(Color::Yellow)
        }
        _ => None,
    };
    Cell { colour, ..whole(one_line(word)) }
}

impl From<Content> for Cell {
    fn from(text: Content) -> Self {
        Self { text, right: false, colour: None }
    }
}

impl Table {
    pub(crate) fn add_row(&mut self, row: impl IntoIterator<Item = Cell>) {
        self.rows.push(row.into_iter().collect());
    }

    /// With a line end; as blocks of lines where it does not fit.
    pub(crate) fn text(&self) -> String {
        self.fitting().unwrap_or_else(|| self.rows.iter().map(|row| self.block(row)).collect())
    }

    /// `None`: it does not fit.
    pub(crate) fn fitting(&self) -> Option<String> {
        let widths = self.widths()?;
        let mut table = comfy_table::Table::new();
        table.load_style(NOTHING).enforce_styling();
        // Padding that carries a style could not be trimmed.
        table.style_text_only();
        table.set_content_arrangement(ContentArrangement::Disabled);
        let head =
            self.head.iter().map(|h| comfy_table::Cell::new(h).add_attribute(Attribute::Bold));
        table.set_header(head);
        for column in table.column_iter_mut() {
            column.set_padding((0, GAP as u16)); // a few blanks
        }
        for row in &self.rows {
            table.add_row(row.iter().zip(&widths).map(|(cell, width)| cell.drawn(*width)));
        }
        Some(table.trim_fmt() + "\n")
    }

    /// What each column gets: as much as it takes, or a share of what there is.
    fn widths(&self) -> Option<Vec<usize>> {
        let of = |width: fn(&Content) -> usize| {
            let column = |(at, head): (usize, &&str)| {
                let cells = self.rows.iter().filter_map(|row| row.get(at));
                cells.map(|cell| width(&cell.text)).fold(head.len(), usize::max)
            };
            self.head.iter().enumerate().map(column).collect::<Vec<usize>>()
        };
        let most = of(Content::most);
        let Some(width) = self.width else { return Some(most) };
        let mut widths = of(Content::least);
        let gaps = GAP * self.head.len().saturating_sub(1);
        let mut left = width.checked_sub(gaps + widths.iter().sum::<usize>())?;
        loop {
            let wanting = widths.iter().zip(&most).filter(|(has, most)| has < most).count();
            if wanting == 0 || left == 0 {
                return Some(widths);
            }
            let share = (left / wanting).max(1);
            for (has, most) in widths.iter_mut().zip(&most) {
                let more = most.saturating_sub(*has).min(share).min(left);
                *has += more;
                left -= more;
            }
        }
    }

    /// A row as lines: what it is about, then everything else.
    fn block(&self, row: &[Cell]) -> String {
        let is_path = |cell: &Cell| matches!(cell.text, Content::Path(_) | Content::Route(..));
        let title = row.iter().position(is_path).unwrap_or_default();
        let mut lines = Vec::new();
        match row.get(title).map(|cell| &cell.text) {
            Some(Content::Route(from, to)) => {
                lines.push(from.bold().to_string());
                lines.push(format!("-> {to}"));
            }
            Some(text) => lines.push(text.line().bold().to_string()),
            None => {}
        }
        let others = self.head.iter().zip(row).enumerate().filter(|(at, _)| *at != title);
        let others = others.map(|(_, (head, cell))| (head.to_lowercase(), cell.text.line()));
        let others = others.filter(|(_, text)| !text.is_empty());
        let others: Vec<_> = others.map(|(head, text)| format!("{head} {text}")).collect();
        lines.push(format!("   {}", others.join(", ")));
        lines.join("\n") + "\n"
    }
}

impl Cell {
    fn drawn(&self, width: usize) -> comfy_table::Cell {
        let text = match &self.text {
            Content::Whole(text) => text.clone(),
            Content::Words(text) if display_width(text) > width => folded(text, width, ""),
            Content::Words(text) => text.clone(),
            Content::Path(path) => shortened(path, width),
            Content::Route(..) if self.text.most() <= width => self.text.line(),
            Content::Route(from, to) => {
                let to = shortened(to, width.saturating_sub(3));
                format!("{}\n-> {to}", shortened(from, width))
            }
        };
        let cell = comfy_table::Cell::new(text);
        let cell = if self.right { cell.set_alignment(CellAlignment::Right) } else { cell };
        match self.colour {
            Some(colour) => cell.fg(colour),
            None => cell,
        }
    }
}

impl Content {
    /// On one line.
    fn line(&self) -> String {
        match self {
            Self::Whole(text) | Self::Words(text) | Self::Path(text) => text.clone(),
            Self::Route(from, to) => format!("{from} -> {to}"),
        }
    }

    /// Columns that it takes on one line.
    fn most(&self) -> usize {
        match self {
            Self::Whole(text) | Self::Words(text) | Self::Path(text) => display_width(text),
            Self::Route(from, to) => display_width(from) + " -> ".len() + display_width(to),
        }
    }

    /// Columns that it must have.
    fn least(&self) -> usize {
        match self {
            Self::Whole(text) => display_width(text),
            Self::Words(text) => text.split(' ').map(display_width).max().unwrap_or_default(),
            Self::Path(_) => self.most().min(PATH),
            Self::Route(..) => self.most().min(ROUTE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{piped, plain, terminal};
    use super::*;

    const LONG: &str = "~/Downloads/Documents/2026/annual report of the association.pdf";

    fn sample(width: u16) -> String {
        let look = Look { width: Some(width), ..terminal() };
        let mut table = table(&look, ["ID", "STATE", "TIME", "PATH", "ERROR"]);
        table.add_row([
            number(7),
            state("failed"),
            whole("3 min ago"),
            path(LONG),
            words("there is no space left on the device"),
        ]);
        table.add_row([number(1234), state("done"), whole("just now"), path("~/y"), words("")]);
        plain(&table.text())
    }

    #[test]
    fn columns_share_what_there_is_and_no_word_is_broken() {
        insta::assert_snapshot!(sample(80), @r"
        ID    STATE   TIME       PATH                                      ERROR
           7  failed  3 min ago  ~/Downloads/D…ort of the association.pdf  there is no
                                                                           space left on
                                                                           the device
        1234  done    just now   ~/y
        ");
        insta::assert_snapshot!(sample(40), @r"
        ~/Downloads/Documents/2026/annual report of the association.pdf
           id 7, state failed, time 3 min ago, error there is no space left on the device
        ~/y
           id 1234, state done, time just now
        ");
        assert_eq!(sample(200).lines().count(), 3);
        assert!(sample(200).contains(LONG));
        for width in 1..200 {
            let text = sample(width);
            let words = text.split_whitespace().filter(|w| !w.contains('…'));
            let known = "ID STATE TIME PATH ERROR id state time error 7 failed 3 min ago 1234 done just now ~/y there is no \
                         space left on the device id 7, 1234, failed, done, ago, now,";
            let is_known = |word: &str| {
                known.split(' ').any(|k| k == word)
                    || LONG.split(' ').any(|part| part.contains(word))
            };
            assert_eq!(words.filter(|word| !is_known(word)).collect::<Vec<_>>(), [""; 0], "{text}");
            let is_table = text.starts_with("ID");
            let too_long = |line: &&str| is_table && display_width(line) > usize::from(width);
            assert_eq!(text.lines().find(too_long), None, "{width}");
        }
    }

    #[test]
    fn two_paths_are_on_two_lines_where_one_is_too_short() {
        let shown = |width| {
            let mut table = table(&Look { width: Some(width), ..terminal() }, ["ID", "FROM -> TO"]);
            table.add_row([number(7), route("~/Downloads/report 2026.pdf", LONG)]);
            plain(&table.text())
        };
        insta::assert_snapshot!(shown(120), @r"
        ID  FROM -> TO
         7  ~/Downloads/report 2026.pdf -> ~/Downloads/Documents/2026/annual report of the association.pdf
        ");
        insta::assert_snapshot!(shown(50), @r"
        ID  FROM -> TO
         7  ~/Downloads/report 2026.pdf
            -> ~/Downloads/Do…eport of the association.pdf
        ");
        insta::assert_snapshot!(shown(20), @r"
        ~/Downloads/report 2026.pdf
        -> ~/Downloads/Documents/2026/annual report of the association.pdf
           id 7
        ");
    }

    #[test]
    fn numbers_stand_right_and_a_pipe_gets_everything_in_one_line() {
        let mut table = table(&piped(), ["ID", "STATE", "PATH"]);
        table.add_row([number(7), state("done"), path("x".repeat(300))]);
        table.add_row([number(1234), state("failed"), path("y")]);
        let wide = plain(&table.text());
        let lines: Vec<_> = wide.lines().collect();
        assert!(lines[1].starts_with("   7  done"), "{wide}");
        assert!(lines[1].ends_with(&"x".repeat(300)));
        assert!(lines[2].starts_with("1234  failed"), "{wide}");
        assert!(lines.iter().all(|l| l.trim_end() == *l), "{wide:?}");
        assert_eq!(lines.len(), 3);
    }
}
