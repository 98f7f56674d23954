//! `top`: a screen that shows what tidyd does, as it does it.
//!
//! [`state`] is what is known and what keys mean: inputs in, effects out, no terminal and no socket. [`view`] draws it.
//! [`link`] are the threads that talk to the daemon; this file is the loop between them, and gives the terminal back
//! however it ends.

mod link;
mod rate;
mod state;
mod view;

use std::io::IsTerminal as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use anstream::ColorChoice;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event as TerminalEvent, KeyEventKind};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tidy_protocol::ExitCode;

use self::state::{Effect, Input, State};
use crate::error::Failure;
use crate::run::{Ended, Session};

/// Inputs that may wait for the loop. Past it, the threads wait: the daemon tells them what they missed.
const WAITING: usize = 1_024;

/// The shortest time between two drawings. What comes in between is drawn with the next.
const FRAME: Duration = Duration::from_millis(50);

/// What comes to the loop.
enum Message {
    Input(Input),
    /// The terminal has another size.
    Redraw,
    /// A signal asks to leave.
    Leave,
    /// The terminal is gone.
    Lost(std::io::Error),
}

/// Shows the screen until it is left.
pub(crate) fn top(s: &mut Session) -> Ended {
    if s.out.json {
        return Err(Failure::usage(
            "`top` is for people",
            "`tidyctl events --json` is for programs",
        ));
    }
    let dumb = std::env::var_os("TERM").is_none_or(|t| t.is_empty() || t == "dumb");
    if !std::io::stdout().is_terminal() || dumb {
        let hint = "run it in a terminal; `tidyctl events` and `tidyctl status` go anywhere";
        return Err(Failure::usage("`top` needs a terminal to draw on", hint));
    }
    // Says why at once, on a terminal that is as it was.
    drop(s.connect()?);
    let colours = anstream::AutoStream::choice(&std::io::stdout()) != ColorChoice::Never;
    let mut state = State::new(s.out.look.clone(), colours);

    let (messages, inbox) = sync_channel(WAITING);
    // Before the terminal is changed: from here on every end gives it back.
    let signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let mut terminal = ratatui::try_init()?;
    let _restore = Restore;
    listen(signals, messages.clone());
    read_keys(messages.clone());
    let effects = link::start(s.socket()?, s.out.look.clone(), &messages);
    show(&mut terminal, &mut state, &inbox, &effects)
}

/// Gives the terminal back. A panic does so by the hook that `try_init` sets.
struct Restore;

impl Drop for Restore {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

fn show(
    terminal: &mut DefaultTerminal,
    state: &mut State,
    inbox: &Receiver<Message>,
    effects: &SyncSender<Effect>,
) -> Ended {
    let mut drawn: Option<Instant> = None;
    loop {
        let wait = drawn.map_or(Duration::ZERO, |d| FRAME.saturating_sub(d.elapsed()));
        if wait.is_zero() {
            state.screen = terminal.draw(|frame| view::draw(frame, state))?.area;
            drawn = Some(Instant::now());
        }
        // Until there is something new; then all of it that is there, up to the next frame.
        let mut next = if wait.is_zero() {
            inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            inbox.recv_timeout(wait)
        };
        loop {
            match next {
                Ok(Message::Input(input)) => {
                    for effect in state.handle(input) {
                        if effect == Effect::Quit {
                            return Ok(ExitCode::Ok);
                        }
                        // Full when the daemon does not answer: the key is pressed again then.
                        let _ = effects.try_send(effect);
                    }
                }
                Ok(Message::Redraw) => terminal.autoresize()?,
                Ok(Message::Leave) => return Ok(ExitCode::Ok),
                Ok(Message::Lost(error)) => return Err(error.into()),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return Ok(ExitCode::Ok),
            }
            next = match inbox.try_recv() {
                Ok(message) => Ok(message),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
            };
        }
    }
}

/// Signals that ask to leave, one after the other.
fn listen(mut signals: Signals, messages: SyncSender<Message>) {
    std::thread::spawn(move || {
        for _ in signals.forever() {
            if messages.send(Message::Leave).is_err() {
                return;
            }
        }
    });
}

/// Keys and changes of size, until the terminal goes.
fn read_keys(messages: SyncSender<Message>) {
    std::thread::spawn(move || {
        loop {
            let message = match event::read() {
                Ok(TerminalEvent::Key(key)) if key.kind != KeyEventKind::Release => {
                    Message::Input(Input::Key(key))
                }
                Ok(TerminalEvent::Resize(..)) => Message::Redraw,
                Ok(_) => continue,
                Err(error) => Message::Lost(error),
            };
            let over = matches!(message, Message::Lost(_));
            if messages.send(message).is_err() || over {
                return;
            }
        }
    });
}
