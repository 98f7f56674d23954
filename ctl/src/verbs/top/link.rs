//! The threads that talk to the daemon. When it goes, they wait for the next one.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use jiff::Timestamp;
use tidy_protocol::{
    Client, ClientError, JobState, LogQuery, Outcome, Request, Response, RollbackReport, Selector,
    WirePath,
};

use super::Message;
use super::state::{Effect, HISTORY, Input};
use crate::error::Failure;
use crate::render::Look;
use crate::render::path::one_line;
use crate::verbs::{explain, job};

/// Between two questions how things stand, and between two attempts to connect.
const PAUSE: Duration = Duration::from_secs(1);

/// What people asked for that waits for an answer.
const ASKED: usize = 4;

/// Starts them. What people ask for goes into the returned end.
pub(super) fn start(socket: PathBuf, look: Look, to: &SyncSender<Message>) -> SyncSender<Effect> {
    let (sender, effects) = sync_channel(ASKED);
    let (at, inputs) = (socket.clone(), to.clone());
    std::thread::spawn(move || forever(&inputs, || follow(&at, &inputs)));
    let (at, inputs) = (socket.clone(), to.clone());
    std::thread::spawn(move || forever(&inputs, || poll(&at, &inputs)));
    let inputs = to.clone();
    std::thread::spawn(move || obey(&socket, &look, &effects, &inputs));
    sender
}

/// The screen is gone.
struct Over;

/// Runs `session` again and again. What ends it is told, and not waited long for.
fn forever(to: &SyncSender<Message>, session: impl Fn() -> Result<Over, ClientError>) {
    while let Err(error) = session() {
        if tell(to, Input::Lost(one_line(&error.to_string()))).is_err() {
            return;
        }
        std::thread::sleep(PAUSE);
    }
}

fn tell(to: &SyncSender<Message>, input: Input) -> Result<(), Over> {
    to.send(Message::Input(input)).map_err(|_| Over)
}

fn connect(socket: &Path) -> Result<Client, ClientError> {
    Client::connect(socket, env!("CARGO_PKG_VERSION"))
}

/// What was done of late, then what happens.
fn follow(socket: &Path, to: &SyncSender<Message>) -> Result<Over, ClientError> {
    let mut client = connect(socket)?;
    let query = LogQuery { limit: Some(HISTORY as u32), ..LogQuery::default() };
    if let Response::Log(page) = client.call(&Request::Log(query))?
        && tell(to, Input::Recent(page.items)).is_err()
    {
        return Ok(Over);
    }
    for event in client.stream(&Request::Subscribe)? {
        if tell(to, Input::Event(Box::new(event?))).is_err() {
            return Ok(Over);
        }
    }
    Err(ClientError::Closed)
}

/// How things stand, once a second: events do not tell what is pending.
fn poll(socket: &Path, to: &SyncSender<Message>) -> Result<Over, ClientError> {
    let mut client = connect(socket)?;
    loop {
        if let Response::Status(status) = client.call(&Request::Status)?
            && tell(to, Input::Status(status, Timestamp::now())).is_err()
        {
            return Ok(Over);
        }
        std::thread::sleep(PAUSE);
    }
}

/// Does what people ask for, one after the other.
fn obey(socket: &Path, look: &Look, effects: &Receiver<Effect>, to: &SyncSender<Message>) {
    while let Ok(effect) = effects.recv() {
        // Not as of when the screen was opened; and whoever draws a text knows how wide the screen is by then.
        let look = Look { now: Timestamp::now(), width: None, ..look.clone() };
        let answer =
            connect(socket).map_err(Failure::from).and_then(|mut c| act(&mut c, &look, effect));
        let input = answer.unwrap_or_else(|failure| Input::Failed(one_line(&failure.to_string())));
        if tell(to, input).is_err() {
            return;
        }
    }
}

fn act(client: &mut Client, look: &Look, effect: Effect) -> Result<Input, Failure> {
    let roots = |client: &mut Client, request, done: &str| match client.call(&request)? {
        Response::Roots(roots) => {
            let roots: Vec<String> = roots.iter().map(|r: &WirePath| look.path(&r.0)).collect();
            Ok(Input::Said(format!("{done}: {}", roots.join(", "))))
        }
        _ => Err(Failure::Unexpected),
    };
    match effect {
        Effect::Pause => roots(client, Request::Pause { root: None }, "paused"),
        Effect::Resume => roots(client, Request::Resume { root: None }, "resumed"),
        Effect::Explain(path) => match client.call(&Request::Explain { path, as_path: None })? {
            Response::Explain(e) => Ok(Input::Explained(explain::text(look, &e, &[]))),
            _ => Err(Failure::Unexpected),
        },
        Effect::PutBack(id) => put_back(client, id),
        // The loop does it itself.
        Effect::Quit => Err(Failure::Unexpected),
    }
}

fn put_back(client: &mut Client, id: u64) -> Result<Input, Failure> {
    let request = Request::Rollback { selector: Selector::Operation(id), dry_run: false };
    let job = match client.call(&request)? {
        Response::Rollback(report) => return Ok(Input::Said(outcome(&report))),
        Response::Job(job) => job,
        _ => return Err(Failure::Unexpected),
    };
    let ended = if job.state == JobState::Running {
        let mut stream = client.stream(&Request::JobFollow { id: job.id })?;
        for event in stream.by_ref() {
            event?;
        }
        match stream.answer() {
            Some(Response::Job(ended)) => ended,
            _ => return Err(Failure::Unexpected),
        }
    } else {
        job
    };
    job::check(&ended)?;
    match &ended.outcome {
        Some(Outcome::Rollback(report)) => Ok(Input::Said(outcome(report))),
        _ => Err(Failure::Unexpected),
    }
}

/// What a rollback of one operation came to.
fn outcome(report: &RollbackReport) -> String {
    match report.files.first() {
        _ if report.restored > 0 => "put back; take it back with: tidyctl redo".to_owned(),
        Some(file) => {
            let why = file.detail.as_deref().unwrap_or(&file.outcome);
            format!("not put back: {}", one_line(why))
        }
        None => "there is nothing to put back".to_owned(),
    }
}
