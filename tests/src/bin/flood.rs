//! flood: a client that asks for the dearest things as fast as it is answered, on several connections, and reads everything.
//!
//! `flood SOCKET`: until its standard input ends. Prints a line as soon as it has been answered, and another one when it was told
//! `busy`.
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::Once;

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

fn flood(socket: &str, say: (&Once, &Once)) -> io::Result<()> {
    let broken = |e: &dyn std::fmt::Display| io::Error::other(e.to_string());
    let mut stream = UnixStream::connect(socket)?;
    let hello = Hello { protocol: PROTOCOL, version: "flood".into() };
    write_frame(&mut stream, &hello, MAX_REQUEST).map_err(|e| broken(&e))?;
    read_frame(&mut stream, MAX_REPLY).map_err(|e| broken(&e))?;
    let ask = |stream: &mut UnixStream, id: u64| {
        let call = encode(&Call::new(id, &request(id)).map_err(|e| broken(&e))?)
            .map_err(|e| broken(&e))?;
        stream.write_all(&u32::try_from(call.len()).unwrap_or(u32::MAX).to_be_bytes())?;
        stream.write_all(&call)
    };
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
    let Some(socket) = std::env::args().nth(1) else { return ExitCode::from(2) };
    for _ in 0..CONNECTIONS {
        let socket = socket.clone();
        std::thread::spawn(move || flood(&socket, (&SAY.0, &SAY.1)));
    }
    let _ = io::stdin().read_to_end(&mut Vec::new());
    ExitCode::SUCCESS
}
