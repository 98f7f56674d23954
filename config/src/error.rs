//! Errors of a configuration, each with its place in the file and what to do about it.

use std::fmt;
use std::ops::Range;

/// Errors listed for one file; what is past them is counted.
const MAX_LISTED: usize = 50;

/// The longest line shown under an error, in characters.
const MAX_LINE: usize = 160;

/// One error with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Line, from 1; 0 when the error is about the file as a whole.
    pub line: usize,
    /// Column in characters, from 1; 0 like `line`.
    pub column: usize,
    /// The key, dotted (`rule[2].when.size`); empty at the top.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The line with the place marked below it.
    snippet: Option<Snippet>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Snippet {
    line: String,
    /// In characters of `line`.
    start: usize,
    len: usize,
}

/// Everything that is wrong with one configuration. Never empty when returned as an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors {
    /// The file's path, escaped for people, or a word for what is no file.
    pub origin: String,
    pub errors: Vec<ConfigError>,
}

impl ConfigErrors {
    /// One error about the file as a whole.
    pub(crate) fn whole(origin: &str, message: String, hint: Option<String>) -> Self {
        let error =
            ConfigError { line: 0, column: 0, key: String::new(), message, hint, snippet: None };
        Self { origin: origin.to_owned(), errors: vec![error] }
    }
}

impl ConfigError {
    /// The place of `span` (in bytes) in `text`.
    pub(crate) fn locate(found: Found, text: &str) -> Self {
        let Found { span, key, message, hint } = found;
        let Some(span) = span else {
            return Self { line: 0, column: 0, key, message, hint, snippet: None };
        };
        let start = floor_boundary(text, span.start);
        let end = floor_boundary(text, span.end).max(start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let column = text[line_start..start].chars().count();
        let marked = text[start..end.min(line_end)].chars().count().max(1);
        Self {
            line: text[..line_start].matches('\n').count() + 1,
            column: column + 1,
            key,
            message,
            hint,
            snippet: Some(Snippet::new(&text[line_start..line_end], column, marked)),
        }
    }
}

impl Snippet {
    /// The line, shortened around the place, with tabs and control characters made spaces so that
    /// one character is one column.
    fn new(line: &str, start: usize, len: usize) -> Self {
        let skipped = start.saturating_sub(MAX_LINE / 2);
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let line: String = line.chars().skip(skipped).take(MAX_LINE).map(plain).collect();
        let start = start - skipped;
        let room = line.chars().count().saturating_sub(start).max(1);
        Self { line: line.trim_end().to_owned(), start, len: len.min(room) }
    }
}

fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.errors.iter().take(MAX_LISTED).enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            if error.line == 0 {
                write!(f, "{}: {}", self.origin, error.message)?;
            } else {
                write!(f, "{}:{}:{}: {}", self.origin, error.line, error.column, error.message)?;
            }
            write!(f, "{}", Detail(error))?;
        }
        match self.errors.len().saturating_sub(MAX_LISTED) {
            0 => Ok(()),
            more => write!(f, "\nand {}", tidy_core::count(more as u64, "more error")),
        }
    }
}

/// The lines below the message.
struct Detail<'a>(&'a ConfigError);

impl fmt::Display for Detail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ConfigError { line, key, hint, snippet, .. } = self.0;
        let number = if *line == 0 { String::new() } else { line.to_string() };
        let width = number.len();
        if let Some(Snippet { line, start, len }) = snippet {
            write!(f, "\n{number:width$} | {line}")?;
            write!(f, "\n{:width$} | {:start$}{}", "", "", "^".repeat(*len))?;
        }
        if !key.is_empty() {
            write!(f, "\n{:width$} = key: {}", "", key.escape_debug())?;
        }
        if let Some(hint) = hint {
            write!(f, "\n{:width$} = hint: {hint}", "")?;
        }
        Ok(())
    }
}

/// An error before its line is known.
#[derive(Debug)]
pub(crate) struct Found {
    /// In bytes; `None` when it is about the whole.
    pub(crate) span: Option<Range<usize>>,
    pub(crate) key: String,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// Everything found so far.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    found: Vec<Found>,
}

impl Findings {
    pub(crate) fn add(&mut self, span: Range<usize>, key: &str, message: impl Into<String>) {
        self.push(Some(span), key, message.into(), None);
    }

    pub(crate) fn add_with_hint(
        &mut self,
        span: Range<usize>,
        key: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(Some(span), key, message.into(), Some(hint.into()));
    }

    pub(crate) fn push(
        &mut self,
        span: Option<Range<usize>>,
        key: &str,
        message: String,
        hint: Option<String>,
    ) {
        self.found.push(Found { span, key: key.to_owned(), message, hint });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// In the order of the file.
    pub(crate) fn located(mut self, text: &str) -> Vec<ConfigError> {
        self.found.sort_by_key(|f| f.span.as_ref().map_or(usize::MAX, |s| s.start));
        self.found.into_iter().map(|f| ConfigError::locate(f, text)).collect()
    }
}

/// The nearest of `known` to a word somebody may have mistyped.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word = word.to_lowercase();
    // A third of the letters may be wrong, two at least: `nmae`, `imgae`, `pictures`.
    known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(k, &word), k))
        .filter(|(distance, k)| *distance <= (k.len() / 3).max(2) && *distance < k.len())
        .min()
        .map(|(_, k)| k)
}

/// `; did you mean …?`, or nothing.
pub(crate) fn did_you_mean<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    nearest(word, known).map(|k| format!("; did you mean `{k}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, span: Range<usize>) -> String {
        let mut findings = Findings::default();
        findings.add(span, "a\u{1b}", "wrong");
        ConfigErrors { origin: "c".into(), errors: findings.located(text) }.to_string()
    }

    #[test]
    fn columns_count_characters_and_control_characters_are_not_printed() {
        let text = "x = 1\n\té = \"\u{1b}ü!\"\r\n";
        let at = text.find('!').unwrap();
        insta::assert_snapshot!(shown(text, at..at + 1), @r#"
        c:2:9: wrong
        2 |  é = " ü!"
          |         ^
          = key: a\u{1b}
        "#);
    }

    #[test]
    fn of_a_long_line_only_the_place_is_shown() {
        let text = format!("{}HERE{}", "x".repeat(5000), "y".repeat(5000));
        let shown = shown(&text, 5000..5004);
        assert!(shown.lines().all(|line| line.chars().count() < MAX_LINE + 20), "{shown}");
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines[1].find("HERE"), lines[2].find("^^^^"));
    }

    #[test]
    fn places_outside_of_the_text_do_no_harm() {
        for (start, end) in [(0, 0), (1, 2), (2, 1), (5, 900), (900, 901)] {
            assert!(shown("aéb\nc", start..end).starts_with("c:"));
        }
    }

    #[test]
    fn the_nearest_word_is_near() {
        let known = ["image", "video", "disk-image"];
        assert_eq!(nearest("images", known), Some("image"));
        assert_eq!(nearest("imgae", known), Some("image"));
        assert_eq!(nearest("disk image", known), Some("disk-image"));
        assert_eq!(nearest("spreadsheet", known), None);
    }
}
