//! Text that came from file names must not be able to forge a log line or a service-manager message.

use std::fmt::Write as _;

/// Whether `c` can break out of its line or change how the rest of it is shown: control characters, line and
/// paragraph separators, and the bidirectional overrides (Unicode TR 36, section 2.4).
pub(super) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Collects formatted text, escaping what [`is_unsafe`] names and stopping at a limit of bytes.
#[derive(Debug)]
pub(super) struct Bounded {
    text: String,
    limit: usize,
    cut: bool,
}

impl Bounded {
    /// `limit` is in bytes; one ellipsis may come on top.
    pub(super) fn new(limit: usize) -> Self {
        Self { text: String::new(), limit, cut: false }
    }

    pub(super) fn finish(mut self) -> String {
        if self.cut {
            self.text.push('…');
        }
        self.text
    }

    fn push(&mut self, piece: &str) -> std::fmt::Result {
        if self.text.len() + piece.len() > self.limit {
            self.cut = true;
            return Err(std::fmt::Error);
        }
        self.text.push_str(piece);
        Ok(())
    }
}

impl std::fmt::Write for Bounded {
    fn write_str(&mut self, s: &str) -> std::fmt::Result {
        if self.text.len() + s.len() <= self.limit && !s.chars().any(is_unsafe) {
            return self.push(s);
        }
        let mut encoded = [0; 4];
        for c in s.chars() {
            if is_unsafe(c) {
                for e in c.escape_default() {
                    self.push(e.encode_utf8(&mut encoded))?;
                }
            } else {
                self.push(c.encode_utf8(&mut encoded))?;
            }
        }
        Ok(())
    }
}

/// `value` as one line of at most `limit` bytes.
pub(super) fn one_line(value: impl std::fmt::Display, limit: usize) -> String {
    let mut out = Bounded::new(limit);
    // The only error is "the limit is reached", which `finish` marks.
    let _ = write!(out, "{value}");
    out.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_escapes_and_overrides_become_visible() {
        assert_eq!(
            one_line("a\nREADY=1\r\u{1b}[31m\u{202e}", 99),
            r"a\nREADY=1\r\u{1b}[31m\u{202e}"
        );
        assert_eq!(one_line("Ünïcode 文", 99), "Ünïcode 文");
    }

    #[test]
    fn long_text_is_cut_on_a_character_and_marked() {
        assert_eq!(one_line("文文文", 7), "文文…");
        assert_eq!(one_line("abc", 3), "abc");
    }
}
