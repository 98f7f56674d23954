//! flood: a client that asks for the dearest things as fast as it is answered, on several connections, and reads everything.
//!
//! `flood SOCKET`: until its standard input ends. Prints a line as soon as it has been answered, and another one when it was told
//! `busy`.
//!
//! `flood SOCKET N` only holds connections, as many as it gets of N, and comes back for those that it loses as soon as it is told it
//! may. Prints a line when it has asked for all of them.
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidy_protocol::{
    Body, Call, ErrorCode, FileQuery, Hello, MAX_REPLY, MAX_REQUEST, Message, PROTOCOL, Request,
    decode, encode, read_frame, write_frame,
};

/// Connections, and calls in flight on each.
const CONNECTIONS: usize = 4;
const CALLS: u64 = 20;

/// Searches that look at everything, and a report.
fn request(n: u64) -> Request {
    let fuzzy = |text: &str| FileQuery {
        fuzzy: Some(text.into()),
        limit: Some(1_000),
        ..FileQuery::default()
    };
    match (n % 16, n % 3) {
        (0, _) => Request::Report { since_ns: None, until_ns: None },
        (_, 0) => Request::Files(fuzzy("pictrue somwhere")),
        (_, 1) => Request::Files(FileQuery {
            name: Some("*[a-z]*[0-9]*?".into()),
            sort: Some("size".into()),
            ..FileQuery::default()
        }),
        _ => Request::Files(FileQuery { reverse: true, ..fuzzy("e") }),
    }
}

fn broken(e: &dyn std::fmt::Display) -> io::Error {
    io::Error::other(e.to_string())
}

fn connect(socket: &str) -> io::Result<UnixStream> {
    let mut stream = UnixStream::connect(socket)?;
    let hello = Hello { protocol: PROTOCOL, version: "flood".into() };
    write_frame(&mut stream, &hello, MAX_REQUEST).map_err(|e| broken(&e))?;
    Ok(stream)
}

fn ask(stream: &mut UnixStream, id: u64, request: &Request) -> io::Result<()> {
    let call = Call::new(id, request).map_err(|e| broken(&e))?;
    let call = encode(&call).map_err(|e| broken(&e))?;
    stream.write_all(&u32::try_from(call.len()).unwrap_or(u32::MAX).to_be_bytes())?;
    stream.write_all(&call)
}

/// Holds one connection until it is taken away; returns how long to stay away.
fn hold(socket: &str, subscribes: bool, mut tried: impl FnMut()) -> io::Result<Duration> {
    let mut stream = connect(socket)?;
    if subscribes {
        ask(&mut stream, 1, &Request::Subscribe)?;
    }
    while let Some(frame) = read_frame(&mut stream, MAX_REPLY).map_err(|e| broken(&e))? {
        tried();
        if let Ok(Message { id: 0, body: Body::Error(error) }) = decode(&frame) {
            return Ok(Duration::from_millis(error.retry_after_ms.unwrap_or_default()));
        }
    }
    Ok(Duration::ZERO)
}

fn flood(socket: &str, say: (&Once, &Once)) -> io::Result<()> {
    let mut stream = connect(socket)?;
    read_frame(&mut stream, MAX_REPLY).map_err(|e| broken(&e))?;
    let ask = |stream: &mut UnixStream, id: u64| ask(stream, id, &request(id));
    let mut last = CALLS;
    for id in 1..=last {
        ask(&mut stream, id)?;
    }
    while let Some(frame) = read_frame(&mut stream, MAX_REPLY).map_err(|e| broken(&e))? {
        let said = match decode::<Message>(&frame).map_err(|e| broken(&e))?.body {
            Body::Error(error) if error.code == ErrorCode::Busy => ("busy", say.1),
            Body::Error(error) => return Err(broken(&error)),
            Body::Result(_) | Body::Event(_) => ("answered", say.0),
        };
        // Whoever has heard enough need not listen on.
        said.1.call_once(|| drop(writeln!(io::stdout(), "{}", said.0)));
        last += 1;
        ask(&mut stream, last)?;
    }
    Ok(())
}

fn main() -> ExitCode {
    static SAY: (Once, Once) = (Once::new(), Once::new());
    static TRIED: AtomicUsize = AtomicUsize::new(0);
    let mut arguments = std::env::args().skip(1);
    let Some(socket) = arguments.next() else { return ExitCode::from(2) };
    let held = arguments.next().and_then(|n| n.parse().ok());
    for n in 0..held.unwrap_or(CONNECTIONS) {
        let socket = socket.clone();
        std::thread::spawn(move || {
            let Some(held) = held else { return drop(flood(&socket, (&SAY.0, &SAY.1))) };
            let first = Once::new();
            loop {
                let away = hold(&socket, n % 2 == 0, || {
                    first.call_once(|| {
                        if TRIED.fetch_add(1, Ordering::Relaxed) + 1 == held {
                            drop(writeln!(io::stdout(), "tried"));
                        }
                    });
                });
                std::thread::sleep(away.unwrap_or_default().max(Duration::from_millis(1)));
            }
        });
    }
    let _ = io::stdin().read_to_end(&mut Vec::new());
    ExitCode::SUCCESS
}
