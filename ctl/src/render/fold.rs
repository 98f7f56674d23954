//! Lines that are longer than the terminal, folded between words and not within them.

use textwrap::core::display_width;
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

/// Text for a terminal of so many columns. What follows in a line begins where the text of it does: behind its mark and its
/// label. Words stay whole, however long, so that a path can be copied.
pub(crate) fn fold(text: &str, width: u16) -> String {
    let width = usize::from(width);
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (body, end) = line.strip_suffix('\n').map_or((line, ""), |body| (body, "\n"));
        if display_width(body) <= width {
            out.push_str(line);
            continue;
        }
        out.push_str(&folded(body, width, &" ".repeat(indent(body, width))));
        out.push_str(end);
    }
    out
}

/// One line as several, of which all but the first begin with `indent`. Colours take no room.
pub(super) fn folded(line: &str, width: usize, indent: &str) -> String {
    let options = Options::new(width)
        .wrap_algorithm(WrapAlgorithm::FirstFit)
        .subsequent_indent(indent)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(line, options).join("\n")
}

/// Where the text of a line begins: behind the last gap of two blanks or more in its first third, else a little further in
/// than the line.
fn indent(line: &str, width: usize) -> usize {
    let plain = anstream::adapter::strip_str(line).to_string();
    let own = plain.chars().take_while(|c| *c == ' ').count();
    let start = plain.char_indices().nth(width / 3).map_or(plain.len(), |(at, _)| at);
    let behind = plain[..start].rfind("  ").map(|at| at + 2).filter(|at| *at > own);
    // A gap may go on beyond the first third, and a line be nothing but one.
    let text = behind.filter(|at| !plain[*at..].starts_with(' '));
    text.map_or((own + 2).min(width / 2), |at| display_width(&plain[..at]))
}

#[cfg(test)]
mod tests {
    use super::super::testing::plain;
    use super::*;

    #[test]
    fn lines_are_folded_between_words_and_begin_where_their_text_does() {
        let text = "short\n  last      5 files, just now; put back with: tidyctl rollback batch:92\n\
                    ok    service      systemd runs no services for you here\n\
                    ~/Downloads/x is left: no rule matches it, and its category has no folder\n";
        assert_eq!(
            fold(text, 40),
            "short\n  last      5 files, just now; put back\n            with: tidyctl rollback\n            batch:92\n\
             ok    service      systemd runs no\n      services for you here\n\
             ~/Downloads/x is left: no rule matches\n  it, and its category has no folder\n"
        );
        assert_eq!(fold(text, 200), text);
        let wide = "ok    service      systemd runs no services for you here, it says so itself\n";
        assert_eq!(
            fold(wide, 66),
            "ok    service      systemd runs no services for you here, it says\n                   so itself\n"
        );
    }

    #[test]
    fn words_stay_whole_and_colours_take_no_room() {
        let path = format!("  from      /{}\n", "x".repeat(100));
        assert_eq!(fold(&path, 60).matches(&"x".repeat(100)).count(), 1);
        let coloured = format!("\x1b[31m{}\x1b[0m\n", "ab ".repeat(13).trim_end());
        assert_eq!(fold(&coloured, 38), coloured);
        assert!(plain(&fold(&coloured, 20)).lines().all(|line| line.len() <= 20));
        for width in [1, 2, 3, 10] {
            assert_eq!(plain(&fold(&coloured, width)).matches("ab").count(), 13, "{width}");
        }
    }
}
