//! The client against a daemon made of prepared frames.
#![expect(clippy::disallowed_methods, reason = "a socket needs a directory of its own")]

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use ciborium::Value;
use tidy_protocol::{
    Call, Client, ClientError, Error, ErrorCode, Event, ExitCode, Hello, JobInfo, JobState,
    MAX_REPLY, MAX_REQUEST, Message, PROTOCOL, Patience, Request, Response, decode, read_frame,
    write_frame,
};

/// A directory of this process alone.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("tidy-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A socket with somebody behind it for one connection.
struct Daemon {
    _place: Place,
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Daemon {
    fn new(serve: impl FnOnce(UnixStream) + Send + 'static) -> Self {
        let place = Place::new();
        let path = place.0.join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let task = std::thread::spawn(move || serve(listener.accept().unwrap().0));
        Self { _place: place, path, task }
    }

    fn connect(&self) -> Result<Client, ClientError> {
        Client::connect(&self.path, "test")
    }

    fn connect_with(&self, patience: Patience) -> Result<Client, ClientError> {
        Client::connect_with(&self.path, "test", patience)
    }

    fn end(self) {
        self.task.join().unwrap();
    }
}

fn send(to: &mut UnixStream, frame: &impl serde::Serialize) {
    write_frame(to, frame, MAX_REPLY).unwrap();
}

fn greet(peer: &mut UnixStream) {
    send(peer, &Hello { protocol: PROTOCOL, version: "9".into() });
    let hello = read_frame(peer, MAX_REQUEST).unwrap().unwrap();
    assert_eq!(decode::<Hello>(&hello).unwrap().protocol, PROTOCOL);
}

fn next_call(peer: &mut UnixStream) -> Call {
    decode(&read_frame(peer, MAX_REQUEST).unwrap().unwrap()).unwrap()
}

fn until_closed(peer: &mut UnixStream) {
    let _ = peer.read_to_end(&mut Vec::new());
}

#[test]
fn an_answer_is_found_between_what_belongs_to_others() {
    let daemon = Daemon::new(|mut peer| {
        greet(&mut peer);
        let call = next_call(&mut peer);
        assert_eq!(call.request().unwrap(), Request::Status);
        send(&mut peer, &Message::answer(call.id + 7, Ok(Response::Ended)));
        send(&mut peer, &Message::answer(call.id, Ok(Response::Done)));
        let call = next_call(&mut peer);
        let refused = Error::new(ErrorCode::NotFound, "no such job", "look");
        send(&mut peer, &Message::answer(call.id, Err(refused)));
        until_closed(&mut peer);
    });
    let mut client = daemon.connect().unwrap();
    assert_eq!(client.call(&Request::Status).unwrap(), Response::Done);
    let error = client.call(&Request::Job { id: 3 }).unwrap_err();
    assert!(matches!(&error, ClientError::Daemon(e) if e.code == ErrorCode::NotFound));
    assert_eq!(error.hint().as_deref(), Some("look"));
    drop(client);
    daemon.end();
}

#[test]
fn events_of_a_newer_daemon_are_skipped_and_damaged_ones_are_not() {
    let daemon = Daemon::new(|mut peer| {
        greet(&mut peer);
        let id = next_call(&mut peer).id;
        let event = |name: &str, data: Value| {
            let event = vec![("event".into(), name.into()), ("data".into(), data)];
            let event = ("event".into(), Value::Map(event));
            Value::Map(vec![("id".into(), id.into()), event])
        };
        send(&mut peer, &event("eclipse", 1.into()));
        send(&mut peer, &Message::event(id, &Event::Lagged { missed: 2 }));
        send(&mut peer, &event("lagged", "many".into()));
        until_closed(&mut peer);
    });
    let mut client = daemon.connect().unwrap();
    let mut stream = client.stream(&Request::Subscribe).unwrap();
    assert_eq!(stream.next().unwrap().unwrap(), Event::Lagged { missed: 2 });
    assert!(matches!(stream.next(), Some(Err(ClientError::Frame(_)))));
    assert!(stream.next().is_none());
    drop(client);
    daemon.end();
}

#[test]
fn a_stream_that_breaks_off_is_an_error_once_and_then_over() {
    let daemon = Daemon::new(|mut peer| {
        greet(&mut peer);
        let id = next_call(&mut peer).id;
        send(&mut peer, &Message::event(id, &Event::Reloaded));
    });
    let mut client = daemon.connect().unwrap();
    let mut stream = client.stream(&Request::Subscribe).unwrap();
    let heard: Vec<_> = stream.by_ref().take(10).collect();
    assert!(matches!(&heard[..], [Ok(Event::Reloaded), Err(ClientError::Closed)]), "{heard:?}");
    assert!(stream.answer().is_none());
    daemon.end();
}

#[test]
fn a_job_is_followed_to_its_answer() {
    let job = |state, done| JobInfo {
        id: 4,
        kind: "organize".into(),
        state,
        started_ns: 1,
        ended_ns: None,
        done,
        total: 2,
        batch: None,
        outcome: None,
        error: None,
    };
    let (first, last) = (job(JobState::Running, 1), job(JobState::Done, 2));
    let (event, answer) = (Event::Job(Box::new(first)), Response::Job(Box::new(last)));
    let (send_event, send_answer) = (event.clone(), answer.clone());
    let daemon = Daemon::new(move |mut peer| {
        greet(&mut peer);
        let id = next_call(&mut peer).id;
        send(&mut peer, &Message::event(id, &send_event));
        send(&mut peer, &Message::answer(id, Ok(send_answer)));
        until_closed(&mut peer);
    });
    let mut client = daemon.connect().unwrap();
    let mut stream = client.stream(&Request::JobFollow { id: 4 }).unwrap();
    assert_eq!(stream.next().unwrap().unwrap(), event);
    assert!(stream.next().is_none());
    assert_eq!(stream.answer(), Some(answer));
    drop(client);
    daemon.end();
}

#[test]
fn a_daemon_that_is_there_and_does_not_react_is_given_up() {
    let short = Duration::from_millis(50);
    let silent = Daemon::new(|mut peer| until_closed(&mut peer));
    let patience = Patience { hello: short, ..Patience::default() };
    let error = silent.connect_with(patience).unwrap_err();
    assert!(matches!(error, ClientError::Timeout), "{error:?}");
    assert!(error.hint().is_some());
    silent.end();

    let stuck = Daemon::new(|mut peer| {
        greet(&mut peer);
        until_closed(&mut peer);
    });
    let patience = Patience { answer: short, ..Patience::default() };
    let mut client = stuck.connect_with(patience).unwrap();
    assert!(matches!(client.call(&Request::Health), Err(ClientError::Timeout)));
    drop(client);
    stuck.end();
}

#[test]
fn a_daemon_that_hangs_up_says_why_also_after_the_hello() {
    let daemon = Daemon::new(|mut peer| {
        greet(&mut peer);
        let busy = Error::new(ErrorCode::Busy, "too much", "later");
        send(&mut peer, &Message::answer(0, Err(busy)));
    });
    let mut client = daemon.connect().unwrap();
    let Daemon { task, .. } = daemon;
    // The other end is closed now, so that writing fails.
    task.join().unwrap();
    let error = client.call(&Request::Status).unwrap_err();
    assert!(matches!(&error, ClientError::Daemon(e) if e.code == ErrorCode::Busy), "{error:?}");
    assert_eq!(error.exit_code(), ExitCode::Refused);
}

#[test]
fn refused_before_the_hello_and_by_another_version() {
    let full = Daemon::new(|mut peer| {
        let busy = Error::new(ErrorCode::Busy, "too many connections", "later");
        send(&mut peer, &Message::answer(0, Err(busy)));
        until_closed(&mut peer);
    });
    let error = full.connect().unwrap_err();
    assert!(matches!(&error, ClientError::Daemon(e) if e.code == ErrorCode::Busy), "{error:?}");
    full.end();

    let newer = Daemon::new(|mut peer| {
        send(&mut peer, &Hello { protocol: PROTOCOL + 1, version: "2.0.0".into() });
        until_closed(&mut peer);
    });
    let error = newer.connect().unwrap_err();
    assert!(matches!(error, ClientError::Version { theirs, .. } if theirs == PROTOCOL + 1));
    assert_eq!(error.hint().as_deref(), Some("upgrade tidyctl"));
    newer.end();

    let stranger = Daemon::new(|mut peer| {
        let _ = peer.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        until_closed(&mut peer);
    });
    assert!(matches!(stranger.connect(), Err(ClientError::Frame(_))));
    stranger.end();
}

#[test]
fn nobody_there_is_told_from_not_allowed() {
    let place = Place::new();
    let nowhere = place.0.join("none");
    let stale = place.0.join("stale");
    drop(UnixListener::bind(&stale).unwrap());
    for path in [&nowhere, &stale] {
        let error = Client::connect(path, "test").unwrap_err();
        let (ClientError::NotRunning(p) | ClientError::Stale(p)) = &error else {
            panic!("{error:?}")
        };
        assert_eq!((p, matches!(error, ClientError::Stale(_))), (path, path == &stale));
        assert_eq!(error.exit_code(), ExitCode::NotRunning);
        assert!(error.hint().unwrap().contains("systemctl --user start tidyd"));
    }
    let error = Client::connect(Path::new(&"x".repeat(300)), "test").unwrap_err();
    assert!(matches!(error, ClientError::Frame(_)), "{error:?}");
}
