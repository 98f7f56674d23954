//! A document of ours as a manual page: headings, paragraphs, tables, lists, code.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use tidy_manual::roff::{Inline, Roff, bold, italic, roman};
use tidy_manual::verbatim;

/// Writes a document below a section of the page: its title is left out, second-level headings are sections, deeper ones
/// subsections. Of a link the text stays.
pub(crate) fn write(page: &mut Roff, document: &str) {
    let mut writer = Writer::new(page);
    for event in Parser::new_ext(document, Options::ENABLE_TABLES) {
        writer.event(event);
    }
}

struct Writer<'a> {
    page: &'a mut Roff,
    /// What has come since the last break.
    line: Vec<Inline>,
    emphasis: Option<fn(String) -> Inline>,
    code: Option<String>,
    /// Of the table: the heads of its columns, and the cells of this row.
    heads: Vec<String>,
    cells: Vec<Vec<Inline>>,
    in_item: bool,
}

impl<'a> Writer<'a> {
    fn new(page: &'a mut Roff) -> Self {
        let (line, heads, cells) = (Vec::new(), Vec::new(), Vec::new());
        Self { page, line, emphasis: None, code: None, heads, cells, in_item: false }
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => match &mut self.code {
                Some(code) => code.push_str(&text),
                None => self.line.push(self.emphasis.unwrap_or(roman)(text.into_string())),
            },
            Event::Code(text) => self.line.push(bold(text.into_string())),
            Event::SoftBreak | Event::HardBreak => self.line.push(roman(" ")),
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::Emphasis => self.emphasis = Some(italic),
            Tag::Strong => self.emphasis = Some(bold),
            Tag::CodeBlock(_) => self.code = Some(String::new()),
            Tag::Item => {
                self.in_item = true;
                self.page.control("IP", ["\\(bu", "2"]);
            }
            Tag::Paragraph if !self.in_item => {
                self.page.control("PP", []);
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Emphasis | TagEnd::Strong => self.emphasis = None,
            TagEnd::Paragraph => self.flush(),
            TagEnd::Item => {
                self.flush();
                self.in_item = false;
            }
            TagEnd::Heading(level) => self.heading(level),
            TagEnd::CodeBlock => {
                if let Some(code) = self.code.take() {
                    verbatim(self.page, &code);
                }
            }
            TagEnd::TableCell => self.cells.push(std::mem::take(&mut self.line)),
            TagEnd::TableHead => {
                let cells = std::mem::take(&mut self.cells);
                self.heads = cells.iter().map(|cell| plain(cell)).collect();
            }
            TagEnd::TableRow => self.row(),
            _ => {}
        }
    }

    fn flush(&mut self) {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.page.text(line);
        }
    }

    fn heading(&mut self, level: HeadingLevel) {
        let text = plain(&std::mem::take(&mut self.line));
        match level {
            HeadingLevel::H1 => {}
            HeadingLevel::H2 => {
                self.page.control("SH", [text.to_uppercase().as_str()]);
            }
            _ => {
                self.page.control("SS", [text.as_str()]);
            }
        }
    }

    /// The first cell with the others below it, each with the head of its column.
    fn row(&mut self) {
        let mut cells = std::mem::take(&mut self.cells).into_iter();
        self.page.control("TP", []);
        self.page.text(cells.next().unwrap_or_default());
        let mut first = true;
        for (cell, head) in cells.zip(self.heads.iter().skip(1)) {
            if cell.is_empty() {
                continue;
            }
            if !first {
                self.page.control("br", []);
            }
            first = false;
            let mut line = Vec::new();
            if !head.is_empty() {
                line.push(roman(format!("{head}: ")));
            }
            line.extend(cell);
            self.page.text(line);
        }
        if first {
            // A term needs something below it.
            self.page.control("br", []);
        }
    }
}

fn plain(line: &[Inline]) -> String {
    let text = line.iter().map(|part| match part {
        Inline::Roman(text) | Inline::Italic(text) | Inline::Bold(text) => text.as_str(),
        Inline::LineBreak => " ",
    });
    text.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(document: &str) -> String {
        let mut page = Roff::new();
        write(&mut page, document);
        page.to_roff()
    }

    #[test]
    fn sections_paragraphs_and_code_keep_their_order() {
        let text = page(
            "# Title\n\nOne `two`\n*three* [four](x.md).\n\n## five\n\n```toml\na = 1\n\n.b\n```\n\n### six\n",
        );
        let expected = ".PP\nOne \\fBtwo\\fR \\fIthree\\fR four.\n.SH FIVE\n.PP\n.RS 4\n.nf\na = 1\n\u{a0}\n\\&.b\n.fi\n.RE\n.SS six\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_row_is_a_term_with_what_the_heads_say() {
        let text = page("| key | type | |\n|---|---|---|\n| `a` | text | does it |\n| `b` | | |\n");
        assert_eq!(text, ".TP\n\\fBa\\fR\ntype: text\n.br\ndoes it\n.TP\n\\fBb\\fR\n.br\n");
    }

    #[test]
    fn a_list_has_a_mark_before_each_item() {
        assert_eq!(page("- a\n- `b` c\n"), ".IP \\(bu 2\na\n.IP \\(bu 2\n\\fBb\\fR c\n");
    }
}
