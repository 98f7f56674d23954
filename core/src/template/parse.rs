//! From text to pieces; everything that can be wrong with a template is found here.

use std::ops::Range;

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use super::{Alternative, Field, Format, Piece, Problem, TIMES, TemplateError};
use crate::metadata::{Key, Shape};
use crate::name;

/// strftime directives that tell seconds: two files seldom share one.
const TELL_SECONDS: &[char] = &['S', 'T', 's', 'c', 'r', 'X', 'f', 'N', '+'];

/// A checked template, before it has a base.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) pieces: Vec<Piece>,
    pub(super) keeps_name: bool,
}

fn error<T>(problem: Problem, span: Range<usize>) -> Result<T, TemplateError> {
    Err(TemplateError::Text { problem, span })
}

/// Parses and checks `text`.
pub(super) fn parse(text: &str, tz: &TimeZone) -> Result<Parsed, TemplateError> {
    if text.trim().is_empty() {
        return error(Problem::Empty, 0..text.len());
    }
    if let Some((at, c)) = text.char_indices().find(|(_, c)| c.is_control()) {
        return error(Problem::ControlCharacter, at..at + c.len_utf8());
    }
    if text.starts_with(['/', '~']) && (text.starts_with('/') || tilde_prefix(text)) {
        return error(Problem::Absolute, 0..1);
    }
    let mut parser = Parser { text, at: 0, pieces: Vec::new(), run: String::new(), tz };
    parser.all()?;
    let pieces = parser.pieces;
    refuse_dots(&pieces, text)?;
    if pieces.iter().all(|p| matches!(p, Piece::Separator)) {
        return error(Problem::Empty, 0..text.len());
    }
    let keeps_name = match pieces.as_slice() {
        [.., Piece::Separator] => true,
        // One more folder, if there is a value for it.
        [.., Piece::Separator, Piece::Value(alternatives)] => {
            alternatives.iter().all(|a| ends_in_separator(a) || *a == Alternative::Nothing)
        }
        _ => false,
    };
    Ok(Parsed { pieces, keeps_name })
}

/// `~` or `~user` as the first component: for the configuration to expand, never a name.
fn tilde_prefix(text: &str) -> bool {
    text == "~" || text.starts_with("~/")
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    pieces: Vec<Piece>,
    /// Text since the last separator or value.
    run: String,
    tz: &'a TimeZone,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn all(&mut self) -> Result<(), TemplateError> {
        while let Some(c) = self.rest().chars().next() {
            if self.rest().starts_with("{{") || self.rest().starts_with("}}") {
                self.run.push(c);
                self.at += 2;
            } else if c == '{' {
                self.end_run();
                let value = self.value()?;
                self.pieces.push(value);
            } else if c == '}' {
                return error(Problem::Unopened, self.at..self.at + 1);
            } else {
                if c == '/' {
                    self.end_run();
                    if !matches!(self.pieces.last(), Some(Piece::Separator)) {
                        self.pieces.push(Piece::Separator);
                    }
                } else {
                    self.run.push(c);
                }
                self.at += c.len_utf8();
            }
        }
        self.end_run();
        Ok(())
    }

    fn end_run(&mut self) {
        if !self.run.is_empty() {
            self.pieces.push(Piece::Text(std::mem::take(&mut self.run)));
        }
    }

    /// From `{` to `}`.
    fn value(&mut self) -> Result<Piece, TemplateError> {
        let open = self.at;
        self.at += 1;
        let mut alternatives = Vec::new();
        loop {
            let alternative = if self.rest().starts_with('\'') {
                vec![self.literal()?]
            } else {
                self.field(open)?
            };
            alternatives.extend(alternative);
            match self.rest().chars().next() {
                Some('|') => self.at += 1,
                Some('}') => {
                    self.at += 1;
                    return Ok(Piece::Value(alternatives));
                }
                Some(c) => {
                    // Only after a closing quote: a field runs up to `|` or `}`.
                    let span = self.at..self.at + c.len_utf8();
                    return error(Problem::UnclosedQuote, span);
                }
                None => return error(Problem::Unclosed, open..open + 1),
            }
        }
    }

    /// A text in quotes.
    fn literal(&mut self) -> Result<Alternative, TemplateError> {
        let open = self.at;
        let inside = &self.text[open + 1..];
        let Some(end) = inside.find('\'') else {
            return error(Problem::UnclosedQuote, open..self.text.len());
        };
        self.at = open + 1 + end + 1;
        let span = open..self.at;
        let parts: Vec<String> =
            inside[..end].split('/').filter(|p| !p.is_empty()).map(str::to_owned).collect();
        if parts.is_empty() {
            return error(Problem::NoPlaceholder, span);
        }
        if parts.iter().any(|p| p == "." || p == "..") {
            return error(Problem::Dots, span);
        }
        Ok(Alternative::Literal(parts))
    }

    /// A placeholder with or without a format, and [`Alternative::Nothing`] behind it after a `?`.
    fn field(&mut self, open: usize) -> Result<Vec<Alternative>, TemplateError> {
        let start = self.at;
        let Some(len) = self.rest().find(['|', '}']) else {
            return error(Problem::Unclosed, open..open + 1);
        };
        self.at += len;
        let span = start..self.at;
        let (word, format) = match self.text[span.clone()].split_once(':') {
            Some((word, format)) => (word, Some((format, start + word.len() + 1..self.at))),
            None => (&self.text[span.clone()], None),
        };
        let name = word.trim();
        let (name, optional) = match name.strip_suffix('?') {
            Some(name) => (name.trim_end(), true),
            None => (name, false),
        };
        let name_span = start..start + word.len();
        let mut alternatives = vec![self.placeholder(name, name_span, format, span)?];
        alternatives.extend(optional.then_some(Alternative::Nothing));
        Ok(alternatives)
    }

    fn placeholder(
        &self,
        name: &str,
        name_span: Range<usize>,
        format: Option<(&str, Range<usize>)>,
        span: Range<usize>,
    ) -> Result<Alternative, TemplateError> {
        if let Some((_, of)) = TIMES.iter().find(|(known, _)| *known == name) {
            let (format, span) = format.unwrap_or(("%Y-%m-%d", span));
            return Ok(Alternative::Time(*of, self.formats(format, span)?));
        }
        if let Some(key) = Key::from_word(name) {
            if key.shape() == Shape::Moment {
                let (format, span) = format.unwrap_or(("%Y-%m-%d", span));
                return Ok(Alternative::Moment(key, self.formats(format, span)?));
            }
            let wanted = if key.shape() == Shape::Number { 'd' } else { 's' };
            let format = format.map(|(f, span)| around(f, wanted, span)).transpose()?;
            return Ok(Alternative::Meta(key, format));
        }
        if ["name.", "text."].iter().any(|p| name.starts_with(p)) {
            let format = format.map(|(f, span)| around(f, 's', span)).transpose()?;
            return Ok(Alternative::Capture(name.to_owned(), format));
        }
        match (Field::ALL.iter().find(|(known, _)| *known == name), format) {
            (Some((_, field)), None) => Ok(Alternative::Field(*field)),
            (Some((known, _)), Some((_, span))) => error(Problem::TakesNoFormat(known), span),
            (None, _) => error(unknown(name), name_span),
        }
    }

    /// A strftime format, taken apart at its separators and tried.
    fn formats(&self, format: &str, span: Range<usize>) -> Result<Vec<String>, TemplateError> {
        let bad = |why: String| {
            let format = format.to_owned();
            error(Problem::BadFormat { format, why }, span.clone())
        };
        let parts: Vec<String> =
            format.split('/').filter(|p| !p.is_empty()).map(str::to_owned).collect();
        if parts.is_empty() {
            return bad("it is empty".into());
        }
        if parts.iter().any(|p| p == "." || p == "..") {
            return error(Problem::Dots, span);
        }
        let sample = Timestamp::UNIX_EPOCH.to_zoned(self.tz.clone());
        for part in &parts {
            if let Err(why) = strtime::format(part, &sample) {
                return bad(why.to_string());
            }
        }
        Ok(parts)
    }
}

/// A format with one `%d` (or `%03d`) or `%s`, taken apart at it.
fn around(format: &str, wanted: char, span: Range<usize>) -> Result<Format, TemplateError> {
    let bad = |why: &str| {
        let (format, why) = (format.to_owned(), why.to_owned());
        error(Problem::BadFormat { format, why }, span.clone())
    };
    let example = if wanted == 'd' { "it needs one %d or %02d" } else { "it needs one %s" };
    let Some((before, rest)) = format.split_once('%') else { return bad(example) };
    let Some(at) = rest.find(wanted) else { return bad(example) };
    let (digits, after) = (&rest[..at], &rest[at + 1..]);
    if after.contains('%') || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return bad(example);
    }
    let digits = match digits {
        "" => 0,
        d if wanted == 'd' && d.len() <= 2 && d.starts_with('0') => d.parse().unwrap_or(0),
        _ => return bad(example),
    };
    if [before, after].iter().any(|t| t.split('/').any(|p| p == "." || p == "..")) {
        return error(Problem::Dots, span);
    }
    Ok(Format { before: before.to_owned(), after: after.to_owned(), digits })
}

fn ends_in_separator(alternative: &Alternative) -> bool {
    match alternative {
        Alternative::Meta(_, Some(format)) | Alternative::Capture(_, Some(format)) => {
            format.after.ends_with('/')
        }
        _ => false,
    }
}

/// The best that can be said of a placeholder nobody knows.
fn unknown(name: &str) -> Problem {
    if name.is_empty() {
        return Problem::NoPlaceholder;
    }
    let fields = Field::ALL.iter().map(|(n, _)| *n);
    let known = fields.chain(TIMES.iter().map(|(n, _)| *n)).chain(Key::ALL.iter().map(|k| k.0));
    let nearest = known
        .map(|known| (strsim::damerau_levenshtein(known, &name.to_lowercase()), known))
        .filter(|(distance, known)| *distance <= 2 && *distance < known.len())
        .min()
        .map(|(_, known)| known);
    Problem::Unknown { name: name.to_owned(), nearest }
}

/// A component that is nothing but `.` or `..`. What values could add to it is neutralised when it is
/// rendered.
fn refuse_dots(pieces: &[Piece], text: &str) -> Result<(), TemplateError> {
    for component in pieces.split(|p| matches!(p, Piece::Separator)) {
        let dots = matches!(component, [Piece::Text(t)] if t == "." || t == "..");
        if dots {
            let mut start = 0;
            for part in text.split('/') {
                if part == "." || part == ".." {
                    return error(Problem::Dots, start..start + part.len());
                }
                start += part.len() + 1;
            }
            return error(Problem::Dots, 0..text.len());
        }
    }
    Ok(())
}

impl Parsed {
    /// The pieces of the new name.
    fn name_pieces(&self) -> &[Piece] {
        self.pieces.rsplit(|p| matches!(p, Piece::Separator)).next().unwrap_or(&[])
    }

    /// Refuses a new name that is the same for many files.
    pub(super) fn refuse_collapse(&self, text: &str) -> Result<(), TemplateError> {
        // Behind a value that brings separators of its own only its last part is in the name, but
        // what tells files apart never has any, so asking each value is enough.
        let varies = self.name_pieces().iter().any(|piece| match piece {
            Piece::Value(alternatives) => alternatives.iter().all(varies),
            _ => false,
        });
        if varies {
            return Ok(());
        }
        let start = name_start(text);
        error(Problem::Collapses(text[start..].to_owned()), start..text.len())
    }

    /// Refuses separators.
    pub(super) fn refuse_directories(&self, text: &str) -> Result<(), TemplateError> {
        let separates = |piece: &Piece| match piece {
            Piece::Separator => true,
            Piece::Text(_) => false,
            Piece::Value(alternatives) => alternatives.iter().any(|a| match a {
                Alternative::Time(_, parts)
                | Alternative::Moment(_, parts)
                | Alternative::Literal(parts) => parts.len() > 1,
                Alternative::Meta(_, Some(f)) | Alternative::Capture(_, Some(f)) => {
                    f.before.contains('/') || f.after.contains('/')
                }
                _ => false,
            }),
        };
        if self.pieces.iter().any(separates) {
            let at = text.find('/').unwrap_or(0);
            return error(Problem::NotAName, at..at + 1);
        }
        Ok(())
    }

    /// Whether the new name says what its extension is.
    pub(super) fn has_extension(&self) -> bool {
        let pieces = self.name_pieces();
        let from_value = pieces.iter().any(|piece| match piece {
            Piece::Value(alternatives) => alternatives.iter().any(|a| {
                matches!(a, Alternative::Field(Field::Name | Field::Ext | Field::TrueExt))
            }),
            _ => false,
        });
        let from_text = match pieces.last() {
            Some(Piece::Text(text)) => name::extension(format!("x{text}").as_ref()).is_some(),
            _ => false,
        };
        from_value || from_text
    }
}

/// Where the last component of the text starts: after the last `/` outside of braces.
fn name_start(text: &str) -> usize {
    let mut depth = 0usize;
    let mut start = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            '/' if depth == 0 => start = at + 1,
            _ => {}
        }
    }
    start
}

fn varies(alternative: &Alternative) -> bool {
    match alternative {
        Alternative::Field(field) => matches!(field, Field::Name | Field::Stem),
        Alternative::Time(_, parts) | Alternative::Moment(_, parts) => {
            parts.last().is_some_and(|p| tells_seconds(p))
        }
        Alternative::Meta(key, _) => matches!(key, Key::Title | Key::Track),
        Alternative::Capture(..) => true,
        Alternative::Literal(_) | Alternative::Nothing => false,
    }
}

/// Whether the format has a directive that tells seconds. Flags and widths stand between the `%` and
/// the directive's letter.
fn tells_seconds(format: &str) -> bool {
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            continue;
        }
        let directive =
            chars.find(|c| !(c.is_ascii_digit() || matches!(c, '-' | '_' | '^' | '#' | '.' | ':')));
        if directive.is_some_and(|d| TELL_SECONDS.contains(&d)) {
            return true;
        }
    }
    false
}
