//! Where a command writes: text for people or JSON for programs to stdout, errors and remarks to stderr.

use std::fs::OpenOptions;
use std::io::{self, BufRead as _, BufWriter, IsTerminal, Write};
use std::path::Path;

use anstream::AutoStream;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use owo_colors::OwoColorize;
use serde::Serialize;

use crate::error::Failure;
use crate::pager;
use crate::render::Look;
use crate::render::fold::fold;

/// The output of one command.
pub(crate) struct Output {
    out: BufWriter<AutoStream<io::Stdout>>,
    pub(crate) look: Look,
    pub(crate) json: bool,
    pub(crate) quiet: bool,
}

impl Output {
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        let look = Look {
            terminal,
            width: size().map(|(columns, _)| columns).filter(|_| terminal),
            height: size().map(|(_, rows)| rows).filter(|rows| terminal && *rows > 0),
            home: std::env::home_dir().filter(|h| h.is_absolute()),
            now: Timestamp::now(),
            tz: TimeZone::system(),
        };
        Self { out: BufWriter::new(anstream::stdout()), look, json, quiet }
    }

    /// Text as it is; it ends its own lines.
    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    /// One line.
    pub(crate) fn line(&mut self, line: impl AsRef<str>) -> io::Result<()> {
        let line = self.look.fold(line.as_ref());
        writeln!(self.out, "{line}")
    }

    /// One JSON value on a line.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, value)?;
        self.out.write_all(b"\n")
    }

    /// Text that may be long: where a person sits before a terminal that it does not fit on, in their pager.
    pub(crate) fn long(&mut self, text: &str) -> io::Result<()> {
        let text = &self.look.fold(text);
        let rows = usize::from(self.look.height.unwrap_or(u16::MAX));
        if self.look.terminal && text.lines().count() >= rows {
            self.flush()?;
            let colours = AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
            let plain = || anstream::adapter::strip_str(text).to_string();
            if pager::show(&if colours { text.to_owned() } else { plain() })? {
                return Ok(());
            }
        }
        self.text(text)
    }

    /// `value` as JSON, or what `human` makes of it.
    pub(crate) fn show<T: Serialize>(
        &mut self,
        value: &T,
        human: impl FnOnce(&Look, &T) -> String,
    ) -> Result<(), Failure> {
        if self.json {
            self.json(value)?;
        } else {
            let text = human(&self.look, value);
            self.long(&text)?;
        }
        Ok(())
    }

    /// A remark for people, on stderr: not part of the answer.
    pub(crate) fn remark(&mut self, text: &str) -> Result<(), Failure> {
        if !self.quiet && !self.json {
            self.flush()?;
            note(text);
        }
        Ok(())
    }

    /// Whether somebody is there who could be asked.
    pub(crate) fn can_ask(&self) -> bool {
        !self.json && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks on stderr; anything but a yes is a no.
    pub(crate) fn confirm(&mut self, question: &str) -> Result<bool, Failure> {
        self.flush()?;
        let mut err = anstream::stderr().lock();
        write!(err, "{question} [y/N] ").and_then(|()| err.flush())?;
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
    }

    /// A JSON array that is written as its items come, by itself or as the only member of an object.
    pub(crate) fn array(&mut self, key: Option<&str>) -> Array<'_> {
        let begin = key.map(|key| format!("{{{}:", serde_json::Value::from(key)));
        let end = if key.is_some() { "]}\n" } else { "]\n" };
        Array { out: self, begin: begin.unwrap_or_default() + "[", empty: true, end }
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A JSON array being written. A failure in the middle leaves it open: what was cut off does not parse.
pub(crate) struct Array<'o> {
    out: &'o mut Output,
    begin: String,
    empty: bool,
    end: &'static str,
}

impl Array<'_> {
    pub(crate) fn push(&mut self, item: &impl Serialize) -> io::Result<()> {
        let before = if self.empty { self.begin.as_bytes() } else { b",\n" };
        self.empty = false;
        self.out.out.write_all(before)?;
        serde_json::to_writer(&mut self.out.out, item)?;
        Ok(())
    }

    pub(crate) fn end(self) -> io::Result<()> {
        if self.empty {
            self.out.out.write_all(self.begin.as_bytes())?;
        }
        self.out.out.write_all(self.end.as_bytes())
    }
}

/// Writes a file at a person's request: never replaces one, nor writes through a symlink.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// `error: …` and `hint: …`. Nothing can be done where stderr is closed.
pub(crate) fn complain(failure: &Failure) {
    note(&format!("{} {failure}", "error:".red().bold()));
    if let Some(hint) = failure.hint() {
        note(&format!("{} {hint}", "hint:".cyan().bold()));
    }
}

/// Columns and rows of the terminal. One that nobody has given a size says 0 (as `script` does without a terminal of its own):
/// nothing is folded for that.
fn size() -> Option<(u16, u16)> {
    ratatui::crossterm::terminal::size().ok().filter(|(columns, _)| *columns > 0)
}

/// A line on stderr.
pub(crate) fn note(text: &str) {
    let width = io::stderr().is_terminal().then(size).flatten();
    let folded = width.map(|(columns, _)| fold(text, columns));
    let _ = writeln!(anstream::stderr().lock(), "{}", folded.as_deref().unwrap_or(text));
}
