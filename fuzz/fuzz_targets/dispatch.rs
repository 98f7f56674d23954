//! Any bytes on the control socket, through the whole dispatch of the daemon's control room: hello, frames, calls,
//! limits, answers. The room lives on, and what it answers are frames of the protocol.
//!
//! The handler behind it answers without a disk: what it is asked is what a client could get through.
#![no_main]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use tidy_protocol::{
    Call, Error, Event, Hello, JobInfo, MAX_REPLY, MAX_REQUEST, Message, PROTOCOL, Request,
    Response, decode, encode, read_frame, write_frame,
};
use tidyd::control::{Handler, Limits, Role, Room, bind};
use tokio::runtime::Runtime;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

struct Nothing;

impl Handler for Nothing {
    async fn handle(&self, request: Request) -> Result<Response, Error> {
        // A request that was understood can be said again.
        let again = encode(&Call::new(1, &request).expect("a request becomes a call"));
        assert!(again.is_ok_and(|bytes| !bytes.is_empty()));
        Ok(Response::Done)
    }

    async fn subscribe(&self) -> (Event, broadcast::Receiver<Event>) {
        (Event::State(Box::default()), broadcast::channel(1).1)
    }

    fn follow(&self, _: u64) -> Option<watch::Receiver<JobInfo>> {
        None
    }
}

struct Open {
    path: PathBuf,
    _runtime: Runtime,
    _dir: tempfile::TempDir,
}

static ROOM: LazyLock<Open> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a scratch directory");
    let path = dir.path().join("s");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let limits = Limits {
        client_rate: u32::MAX,
        overall_rate: u32::MAX,
        linger: Duration::from_millis(1),
        ..Limits::default()
    };
    let room = Room::new(Arc::new(Nothing), CancellationToken::new(), limits, Arc::default());
    {
        let _inside = runtime.enter();
        let listener = bind(&path).expect("a socket");
        runtime.spawn(room.serve(listener, Role::Control));
    }
    Open { path, _runtime: runtime, _dir: dir }
});

fuzz_target!(|input: (bool, Vec<Vec<u8>>)| {
    let (greets, frames) = input;
    let mut socket = UnixStream::connect(&ROOM.path).expect("the room lives");
    socket.set_read_timeout(Some(Duration::from_secs(60))).expect("own socket");
    if greets {
        let hello = Hello { protocol: PROTOCOL, version: "fuzz".into() };
        let _ = write_frame(&mut socket, &hello, MAX_REQUEST);
    }
    for (n, body) in frames.iter().enumerate() {
        // The last may be cut, or no frame at all.
        let len = if n % 4 == 3 { u32::MAX } else { body.len() as u32 };
        let _ = socket.write_all(&len.to_be_bytes()).and_then(|()| socket.write_all(body));
    }
    let _ = socket.shutdown(std::net::Shutdown::Write);
    let mut first = true;
    // A reset after a refusal is no answer, and no defect.
    while let Ok(Some(frame)) = read_frame(&mut socket, MAX_REPLY) {
        let understood = decode::<Message>(&frame).is_ok() || (first && decode::<Hello>(&frame).is_ok());
        assert!(understood, "{frame:02x?}");
        first = false;
    }
    let _ = socket.read(&mut [0]);
});
