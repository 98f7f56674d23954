//! What is known, and what keys mean. Inputs in, effects out: no terminal, no socket, no clock.

use std::collections::VecDeque;

use jiff::Timestamp;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;
use tidy_protocol::{Event, JobInfo, OperationInfo, Status, WirePath};

use super::rate::Rate;
use super::view::{lines_of, rows_of};
use crate::render::path::{one_line, printable};
use crate::render::{Look, count, operation};

/// Operations that are remembered.
pub(super) const HISTORY: usize = 200;

/// Errors and warnings that are remembered.
const TROUBLES: usize = 50;

/// Looks at the status, one a second, for which an answer to a key is shown.
const SAID: u32 = 10;

/// Something that came: from the daemon, from a person, or the time.
#[derive(Debug)]
pub(super) enum Input {
    Key(KeyEvent),
    Event(Box<Event>),
    /// How things stand, and when that was.
    Status(Box<Status>, Timestamp),
    /// What was done before, newest first.
    Recent(Vec<OperationInfo>),
    /// The daemon is gone, and why.
    Lost(String),
    /// What a key led to.
    Said(String),
    Failed(String),
    Explained(String),
}

/// Something to be done outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    Pause,
    Resume,
    Explain(WirePath),
    /// Roll this operation back.
    PutBack(u64),
    Quit,
}

/// What the keys are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mode {
    Watching,
    /// Text over everything: help, or an explanation.
    Reading {
        title: &'static str,
        text: String,
        from: u16,
    },
    /// Is this operation to be put back?
    Asking(u64),
}

/// One line about something that went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) at: Timestamp,
    pub(super) text: String,
    pub(super) error: bool,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) look: Look,
    pub(super) colours: bool,
    pub(super) status: Option<Box<Status>>,
    /// Why nothing is heard, when nothing is.
    pub(super) lost: Option<String>,
    /// Newest first; directories made on the way are left out.
    pub(super) operations: VecDeque<OperationInfo>,
    /// The number of the one that keys are about; none: the newest, whichever that is.
    chosen: Option<u64>,
    /// Newest first.
    pub(super) troubles: VecDeque<Trouble>,
    pub(super) rate: Rate,
    /// Bytes of files read in a second, between the last two looks at the status.
    pub(super) read_rate: u64,
    /// How many there were at the last look, and when that was.
    read: Option<(u64, Timestamp)>,
    pub(super) job: Option<Box<JobInfo>>,
    pub(super) mode: Mode,
    /// What the last key led to, and whether it failed.
    pub(super) said: Option<(String, bool)>,
    /// For how many looks at the status it has been shown.
    said_for: u32,
    /// The screen as it was drawn last.
    pub(super) screen: Rect,
}

impl State {
    pub(super) fn new(look: Look, colours: bool) -> Self {
        Self {
            rate: Rate::new(look.now.as_second()),
            look,
            colours,
            status: None,
            read_rate: 0,
            read: None,
            lost: None,
            operations: VecDeque::new(),
            chosen: None,
            troubles: VecDeque::new(),
            job: None,
            mode: Mode::Watching,
            said: None,
            said_for: 0,
            screen: Rect::default(),
        }
    }

    /// The operation that keys are about, and where it stands in the list.
    pub(super) fn chosen(&self) -> Option<(usize, &OperationInfo)> {
        let index = self.chosen.and_then(|id| self.operations.iter().position(|o| o.id == id));
        let index = index.unwrap_or(0);
        self.operations.get(index).map(|o| (index, o))
    }

    /// Takes one input in.
    pub(super) fn handle(&mut self, input: Input) -> Vec<Effect> {
        match input {
            Input::Key(key) => return self.key(key),
            Input::Event(event) => self.event(*event),
            Input::Status(status, now) => {
                self.look.now = now;
                self.rate.tick(now.as_second());
                self.have_read(status.read_bytes, now);
                self.status = Some(status);
                self.lost = None;
                self.forget_what_was_said();
            }
            Input::Recent(operations) => {
                self.operations =
                    operations.into_iter().filter(|o| !operation::is_directory(&o.kind)).collect();
                self.operations.truncate(HISTORY);
            }
            Input::Lost(why) => self.lost = Some(why),
            Input::Said(text) => self.said = Some((text, false)),
            Input::Failed(text) => self.said = Some((text, true)),
            // A question that was asked meanwhile stays.
            Input::Explained(_) if matches!(self.mode, Mode::Asking(_)) => {}
            Input::Explained(text) => {
                self.said = None;
                let text = anstream::adapter::strip_str(&text).to_string();
                self.mode = Mode::Reading { title: "explain", text, from: 0 };
            }
        }
        Vec::new()
    }

    /// A daemon that was started anew begins to count anew.
    fn have_read(&mut self, bytes: u64, now: Timestamp) {
        let since = |then: Timestamp| u64::try_from(now.duration_since(then).as_millis()).ok();
        let rate = self.read.and_then(|(before, then)| {
            let read = bytes.saturating_sub(before);
            Some(u128::from(read) * 1_000 / u128::from(since(then).filter(|ms| *ms > 0)?))
        });
        self.read_rate = rate.and_then(|rate| u64::try_from(rate).ok()).unwrap_or_default();
        self.read = Some((bytes, now));
    }

    /// After a while the keys are shown again.
    fn forget_what_was_said(&mut self) {
        match &self.said {
            None => self.said_for = 0,
            Some(_) if self.said_for >= SAID => self.said = None,
            Some(_) => self.said_for += 1,
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::State(status) => (self.status, self.lost) = (Some(status), None),
            Event::Operation(op) => self.operation(*op),
            Event::Job(job) => self.job = Some(job),
            Event::Warning { path, text } => {
                let path = path.map(|p| format!("{}: ", self.look.path(&p.0))).unwrap_or_default();
                self.trouble(format!("{path}{}", printable(&text)), false);
            }
            Event::Lagged { missed } => {
                self.trouble(format!("missed: {}; see tidyctl log", count(missed, "event")), false);
            }
            Event::Stopping => self.lost = Some("tidyd is stopping".to_owned()),
            // The next status says so.
            Event::Paused { .. } | Event::Resumed { .. } | Event::Left(_) => {}
            Event::Reloaded => {
                self.said = Some(("the configuration was read again".to_owned(), false))
            }
            Event::Unknown => {}
        }
    }

    fn operation(&mut self, op: OperationInfo) {
        if operation::is_directory(&op.kind) {
            return;
        }
        if op.state == "done" {
            self.rate.add(op.size.unwrap_or(0));
        }
        if let Some(error) = &op.error {
            let path = self.look.maybe_path(op.src.as_ref());
            self.trouble(format!("{path}: {}", one_line(error)), true);
        }
        if let Some(undone) = op.inverse_of.filter(|_| op.undo && op.state == "done")
            && let Some(before) = self.operations.iter_mut().find(|o| o.id == undone)
        {
            before.undone_by = Some(op.id);
        }
        // What is told twice, around a new subscription, is one.
        if self.operations.iter().all(|o| o.id != op.id) {
            self.operations.push_front(op);
            self.operations.truncate(HISTORY);
        }
    }

    fn trouble(&mut self, text: String, error: bool) {
        self.troubles.push_front(Trouble { at: self.look.now, text, error });
        self.troubles.truncate(TROUBLES);
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return vec![Effect::Quit];
        }
        match std::mem::replace(&mut self.mode, Mode::Watching) {
            Mode::Watching => self.watching(key.code),
            Mode::Reading { title, text, from } => {
                self.reading(key.code, title, text, from);
                Vec::new()
            }
            Mode::Asking(id) => match key.code {
                KeyCode::Char('y' | 'Y') => {
                    self.said = Some(("putting it back …".to_owned(), false));
                    vec![Effect::PutBack(id)]
                }
                _ => {
                    self.said = Some(("nothing was done".to_owned(), false));
                    Vec::new()
                }
            },
        }
    }

    fn watching(&mut self, key: KeyCode) -> Vec<Effect> {
        match key {
            KeyCode::Char('q') => return vec![Effect::Quit],
            KeyCode::Char('p') => return vec![Effect::Pause],
            KeyCode::Char('r') => return vec![Effect::Resume],
            KeyCode::Char('?' | 'h') => {
                self.mode = Mode::Reading { title: "help", text: HELP.to_owned(), from: 0 };
            }
            KeyCode::Char('e') | KeyCode::Enter => {
                let path = self.chosen().and_then(|(_, o)| whereabouts(o));
                return path.map(Effect::Explain).into_iter().collect();
            }
            KeyCode::Char('u') => self.ask(),
            KeyCode::Down | KeyCode::Char('j') => self.choose(1),
            KeyCode::Up | KeyCode::Char('k') => self.choose(-1),
            KeyCode::PageDown => self.choose(10),
            KeyCode::PageUp => self.choose(-10),
            KeyCode::Home => self.chosen = None,
            KeyCode::End => self.choose(HISTORY as isize),
            _ => {}
        }
        Vec::new()
    }

    fn ask(&mut self) {
        let Some((_, op)) = self.chosen() else { return };
        let no = match () {
            () if op.undone_by.is_some() => "it is put back already",
            () if op.undo => "it is a rollback: tidyctl redo takes it back",
            () if op.kind == "run" => "what a command did cannot be put back",
            () if op.state != "done" => "nothing was done",
            () => {
                self.mode = Mode::Asking(op.id);
                return;
            }
        };
        self.said = Some((no.to_owned(), true));
    }

    fn choose(&mut self, by: isize) {
        let Some((now, _)) = self.chosen() else { return };
        let index = now.saturating_add_signed(by).min(self.operations.len() - 1);
        // At the top it stays with the newest.
        self.chosen = if index == 0 { None } else { self.operations.get(index).map(|o| o.id) };
        self.said = None;
    }

    fn reading(&mut self, key: KeyCode, title: &'static str, text: String, from: u16) {
        let (lines, rows) = (lines_of(&text, self.screen).len(), rows_of(self.screen));
        // The last line stays in sight, and those above it: but for long words, which take several.
        let last = u16::try_from(lines.saturating_sub(1)).unwrap_or(u16::MAX);
        let page = rows.saturating_sub(1).max(1);
        let from = from.min(last);
        let from = match key {
            KeyCode::Down | KeyCode::Char('j') => from.saturating_add(1).min(last),
            KeyCode::Up | KeyCode::Char('k') => from.saturating_sub(1),
            KeyCode::PageDown | KeyCode::Char(' ') => from.saturating_add(page).min(last),
            KeyCode::PageUp => from.saturating_sub(page),
            KeyCode::Home => 0,
            KeyCode::End => last.saturating_sub(page),
            // Anything else closes it.
            _ => return,
        };
        self.mode = Mode::Reading { title, text, from };
    }
}

/// Where the file of an operation is now, as far as that operation knows.
fn whereabouts(op: &OperationInfo) -> Option<WirePath> {
    let moved = op.state == "done" && op.undone_by.is_none() && op.kind != "trash";
    let (first, second) = if moved { (&op.dst, &op.src) } else { (&op.src, &op.dst) };
    first.clone().or_else(|| second.clone())
}

const HELP: &str = "\
up, down, k, j   choose an operation (the newest is followed)
PgUp, PgDn       ten at a time; Home goes back to the newest
e, Enter         why is this file where it is?
u                put this file back (asks first)
p                pause: nothing more is filed
r                resume
?, h             this text
q, Ctrl-C        quit

FOLDERS  the watched folders, what they do, what is pending there
FLOW     files that are not quiet yet (settling), wait for an
         unfinished download (held), are read, copied and moved
         (filing); directories that have to be read; below it the
         large files that are being hashed, compared or copied
DONE     what was done, newest first; the reason of the chosen
         one stands below";

#[cfg(test)]
mod tests;
