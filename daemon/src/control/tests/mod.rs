//! The room on real sockets, from the other end: the synchronous client, and raw frames.
#![expect(clippy::disallowed_methods, reason = "tests make their own files")]

mod calls;
mod hostile;
mod place;
mod streams;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidy_protocol::{
    Body, Call, CategoryInfo, Client, Error, ErrorCode, Event, Hello, JobInfo, JobState, MAX_REPLY,
    MAX_REQUEST, Message, PROTOCOL, Pending, Request, Response, Status, WaitInfo, decode, encode,
    read_frame, write_frame,
};
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, broadcast, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Handler, Limits, Role, Room, Stats, bind};

/// Long enough for any machine; only a defect takes it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A daemon that does what the test wants.
struct Fake {
    events: broadcast::Sender<Event>,
    jobs: std::sync::Mutex<Option<watch::Sender<JobInfo>>>,
    /// `wait` ends when there is a permit.
    gate: Semaphore,
    /// `wait`s that have not ended.
    waiting: AtomicU64,
}

struct Waiting<'a>(&'a AtomicU64);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Handler for Fake {
    async fn handle(&self, request: Request) -> Result<Response, Error> {
        match request {
            Request::Status => Ok(Response::Status(Box::default())),
            Request::Wait { timeout_ms } => {
                self.waiting.fetch_add(1, Ordering::SeqCst);
                let _waiting = Waiting(&self.waiting);
                if timeout_ms == 0 {
                    self.gate.acquire().await.unwrap().forget();
                } else {
                    tokio::time::sleep(Duration::from_millis(timeout_ms)).await;
                }
                Ok(Response::Wait(WaitInfo {
                    drained: true,
                    pending: Pending::default(),
                    stopped: Vec::new(),
                    trouble: None,
                }))
            }
            Request::Health => {
                tokio::task::yield_now().await;
                panic!("a defect made for the test")
            }
            Request::Categories => {
                let category = "x".repeat(MAX_REPLY as usize + 1);
                Ok(Response::Categories(vec![CategoryInfo { category, files: 0, bytes: 0 }]))
            }
            Request::Reload => Err(Error::new(ErrorCode::BadConfig, "line 3", "fix it")),
            _ => Ok(Response::Done),
        }
    }

    async fn subscribe(&self) -> (Event, broadcast::Receiver<Event>) {
        let events = self.events.subscribe();
        (Event::State(Box::new(Status { pid: 7, ..Status::default() })), events)
    }

    fn follow(&self, job: u64) -> Option<watch::Receiver<JobInfo>> {
        let jobs = self.jobs.lock().unwrap();
        jobs.as_ref().map(watch::Sender::subscribe).filter(|j| j.borrow().id == job)
    }
}

/// The room at work in a directory of its own.
struct Server {
    runtime: Runtime,
    fake: Arc<Fake>,
    stats: Arc<Stats>,
    closing: CancellationToken,
    task: JoinHandle<()>,
    path: PathBuf,
    _dir: TempDir,
}

impl Server {
    fn start() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        Self::open(limits, Role::Control)
    }

    fn open(limits: Limits, role: Role) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        let fake = Arc::new(Fake {
            events: broadcast::channel(8).0,
            jobs: std::sync::Mutex::default(),
            gate: Semaphore::new(0),
            waiting: AtomicU64::new(0),
        });
        let runtime = runtime();
        let stats = Arc::new(Stats::default());
        let closing = CancellationToken::new();
        let task = {
            let _inside = runtime.enter();
            let listener = bind(&path).unwrap();
            let room = Room::new(fake.clone(), closing.clone(), limits, stats.clone());
            runtime.spawn(room.serve(listener, role))
        };
        Self { runtime, fake, stats, closing, task, path, _dir: dir }
    }

    fn client(&self) -> Client {
        Client::connect(&self.path, "test").unwrap()
    }

    /// A connection past its hellos.
    fn raw(&self) -> Raw {
        let mut raw = self.silent();
        let hello = Hello { protocol: PROTOCOL, version: "test".into() };
        write_frame(&mut raw.0, &hello, MAX_REQUEST).unwrap();
        raw
    }

    /// A connection that has read the daemon's hello and said none.
    fn silent(&self) -> Raw {
        let socket = UnixStream::connect(&self.path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut raw = Raw(socket);
        let theirs: Hello = decode(&raw.frame().unwrap()).unwrap();
        assert_eq!(theirs.protocol, PROTOCOL);
        raw
    }

    /// It still answers somebody new.
    fn assert_alive(&self) {
        assert!(matches!(self.client().call(&Request::Status), Ok(Response::Status(_))));
    }

    /// Waits for the end after `closing`.
    fn finish(self) {
        self.closing.cancel();
        let ended =
            self.runtime.block_on(async { tokio::time::timeout(PATIENCE, self.task).await });
        ended.expect("it ends").unwrap();
        assert!(!self.path.exists(), "the socket is removed");
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A client that says what it likes.
struct Raw(UnixStream);

impl Raw {
    fn call(&mut self, id: u64, request: &Request) {
        write_frame(&mut self.0, &Call::new(id, request).unwrap(), MAX_REQUEST).unwrap();
    }

    /// The next frame; `None` when the daemon has hung up.
    fn frame(&mut self) -> Option<Vec<u8>> {
        read_frame(&mut self.0, MAX_REPLY).unwrap()
    }

    fn message(&mut self) -> Message {
        decode(&self.frame().expect("an answer")).unwrap()
    }

    fn error(&mut self) -> (u64, Error) {
        match self.message() {
            Message { id, body: Body::Error(error) } => (id, error),
            other => panic!("{other:?}"),
        }
    }

    fn event(&mut self) -> Event {
        match self.message().body {
            Body::Event(event) => event.deserialized().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn result(&mut self) -> (u64, Response) {
        match self.message() {
            Message { id, body: Body::Result(value) } => (id, value.deserialized().unwrap()),
            other => panic!("{other:?}"),
        }
    }

    fn assert_hung_up(&mut self) {
        assert!(matches!(self.0.read(&mut [0]), Ok(0) | Err(_)), "more bytes came");
    }

    /// A length and these bytes.
    fn send(&mut self, body: &[u8]) {
        let len = u32::try_from(body.len()).unwrap();
        let frame = [&len.to_be_bytes()[..], body].concat();
        self.0.write_all(&frame).unwrap();
    }
}

/// Waits for something that happens on another thread.
fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn job(state: JobState, done: u64) -> JobInfo {
    JobInfo {
        id: 3,
        kind: "organize".into(),
        state,
        started_ns: 0,
        ended_ns: None,
        done,
        total: 9,
        batch: None,
        outcome: None,
        error: None,
    }
}
