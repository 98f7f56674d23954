//! Aligned columns, as wide as the terminal at most. Piped, nothing is wrapped or cut.

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table};

use super::Look;

/// A table with this head.
pub(crate) fn table<const N: usize>(look: &Look, head: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).enforce_styling();
    // Padding that carries a style could not be trimmed.
    table.style_text_only();
    match look.width.filter(|_| look.terminal) {
        Some(width) => {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    table.set_header(head.map(|h| Cell::new(h).add_attribute(Attribute::Bold)));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// The text of a table, with a line end.
pub(crate) fn text(table: &Table) -> String {
    let mut out = table.trim_fmt();
    out.push('\n');
    out
}

/// A number, aligned to the right.
pub(crate) fn number(n: impl ToString) -> Cell {
    Cell::new(n.to_string()).set_alignment(CellAlignment::Right)
}

/// A word for a state, in the colour of how good it is.
pub(crate) fn state(word: &str) -> Cell {
    let cell = Cell::new(super::path::one_line(word));
    match word {
        "done" | "watching" | "running" | "filed" | "ok" | "true" => cell.fg(Color::Green),
        "failed" | "unknown" | "missing" | "unreadable" | "false" => cell.fg(Color::Red),
        "paused" | "scan-only" | "aborted" | "cancelled" | "intended" | "verified" | "pending" => {
            cell.fg(Color::Yellow)
        }
        _ => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{piped, plain, terminal};
    use super::*;

    fn sample(look: &Look) -> String {
        let mut table = table(look, ["ID", "STATE", "PATH"]);
        table.add_row([number(7), state("done"), Cell::new("x".repeat(100))]);
        table.add_row([number(1234), state("failed"), Cell::new("y")]);
        plain(&text(&table))
    }

    #[test]
    fn a_terminal_wraps_and_a_pipe_does_not() {
        let narrow = sample(&terminal());
        assert!(narrow.lines().all(|l| l.chars().count() <= 80), "{narrow}");
        assert_eq!(narrow.matches('x').count(), 100, "nothing is cut");
        let wide = sample(&piped());
        assert_eq!(wide.lines().count(), 3, "{wide}");
        assert!(wide.contains(&"x".repeat(100)));
    }

    #[test]
    fn numbers_stand_right_and_no_line_has_blanks_at_its_end() {
        let wide = sample(&piped());
        let lines: Vec<_> = wide.lines().collect();
        assert!(lines[1].starts_with("   7  done"), "{wide}");
        assert!(lines[2].starts_with("1234  failed"), "{wide}");
        assert!(lines.iter().all(|l| l.trim_end() == *l), "{wide:?}");
    }
}
