//! A synchronous client: a Unix socket, one call at a time, no runtime.
//!
//! ```no_run
//! use tidy_protocol::{Client, Request, Response};
//! # fn main() -> Result<(), tidy_protocol::ClientError> {
//! let mut client = Client::connect("/run/user/1000/tidyd/control.sock".as_ref(), "0.1.0")?;
//! if let Response::Status(status) = client.call(&Request::Status)? {
//!     println!("{} files known", status.files_known);
//! }
//! # Ok(())
//! # }
//! ```

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::frame::{FrameError, MAX_REPLY, MAX_REQUEST, decode, read_frame, write_frame};
use crate::{
    Body, Call, Error, ErrorCode, Event, ExitCode, Hello, Message, PROTOCOL, Request, Response,
};

/// How long the daemon may take to say hello. It does so before it looks at any disk.
const HELLO_PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("tidyd is not running (nothing listens on {})", .0.display())]
    NotRunning(PathBuf),
    #[error("not allowed to use {}", .0.display())]
    Permission(PathBuf),
    #[error("tidyd speaks protocol {theirs} (version {version}), this client speaks {PROTOCOL}")]
    Version { theirs: u32, version: String },
    #[error("tidyd closed the connection without an answer")]
    Closed,
    #[error("the connection to tidyd failed: {0}")]
    Frame(#[from] FrameError),
    /// The daemon answered with an error.
    #[error(transparent)]
    Daemon(#[from] Error),
}

impl ClientError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotRunning(_) => Some(
                "start it with `systemctl --user start tidyd`, or in a terminal with `tidyd`"
                    .into(),
            ),
            Self::Permission(_) => {
                Some("the socket belongs to another user; run tidyctl as that user".into())
            }
            Self::Version { theirs, .. } if *theirs > PROTOCOL => Some("upgrade tidyctl".into()),
            Self::Version { .. } => Some("restart tidyd after its upgrade".into()),
            Self::Closed => Some("it may be stopping; `tidyctl status` tells".into()),
            Self::Frame(_) => None,
            Self::Daemon(e) => e.hint.clone(),
        }
    }

    /// The exit code of a command that ends with it.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::NotRunning(_) | Self::Closed => ExitCode::NotRunning,
            Self::Permission(_) => ExitCode::Refused,
            Self::Version { .. } | Self::Frame(_) => ExitCode::Failed,
            Self::Daemon(e) => e.exit_code(),
        }
    }
}

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client {
    socket: UnixStream,
    next_id: u64,
}

impl Client {
    /// Connects and exchanges hellos. `version` is this program's, for the daemon's log.
    pub fn connect(path: &Path, version: &str) -> Result<Self, ClientError> {
        let mut socket = UnixStream::connect(path).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                ClientError::NotRunning(path.to_owned())
            }
            io::ErrorKind::PermissionDenied => ClientError::Permission(path.to_owned()),
            _ => ClientError::Frame(e.into()),
        })?;
        let hello = Hello { protocol: PROTOCOL, version: version.to_owned() };
        write_frame(&mut socket, &hello, MAX_REQUEST)?;
        socket.set_read_timeout(Some(HELLO_PATIENCE)).map_err(FrameError::from)?;
        let frame = read_frame(&mut socket, MAX_REPLY)?.ok_or(ClientError::Closed)?;
        let theirs: Hello = match decode(&frame) {
            Ok(hello) => hello,
            // Refused before the hello (too many connections).
            Err(e) => match decode::<Message>(&frame).map(|m| m.body) {
                Ok(Body::Error(error)) => return Err(error.into()),
                _ => return Err(e.into()),
            },
        };
        if theirs.protocol != PROTOCOL {
            return Err(ClientError::Version { theirs: theirs.protocol, version: theirs.version });
        }
        // Answers may take as long as the work takes.
        socket.set_read_timeout(None).map_err(FrameError::from)?;
        Ok(Self { socket, next_id: 1 })
    }

    /// Asks and waits for the answer.
    pub fn call(&mut self, request: &Request) -> Result<Response, ClientError> {
        let mut stream = self.stream(request)?;
        loop {
            if let Step::Answer(response) = stream.step()? {
                return Ok(*response);
            }
        }
    }

    /// Asks for something that sends events on the way (`subscribe`, `job-follow`).
    pub fn stream(&mut self, request: &Request) -> Result<Stream<'_>, ClientError> {
        let id = self.next_id;
        self.next_id += 1;
        let call = Call::new(id, request)?;
        write_frame(&mut self.socket, &call, MAX_REQUEST)?;
        Ok(Stream { client: self, id, answer: None })
    }
}

enum Step {
    Event(Event),
    Answer(Box<Response>),
}

/// Events on the way to an answer. Ends when the answer is there.
#[derive(Debug)]
pub struct Stream<'c> {
    client: &'c mut Client,
    id: u64,
    answer: Option<Response>,
}

impl Stream<'_> {
    /// The answer, after the last event.
    pub fn answer(self) -> Option<Response> {
        self.answer
    }

    fn step(&mut self) -> Result<Step, ClientError> {
        loop {
            let frame =
                read_frame(&mut self.client.socket, MAX_REPLY)?.ok_or(ClientError::Closed)?;
            let message: Message = decode(&frame)?;
            if message.id != self.id && message.id != 0 {
                // The answer to a call that was given up.
                continue;
            }
            match message.body {
                Body::Error(error) => return Err(error.into()),
                Body::Result(value) => {
                    let answer = value.deserialized().map_err(|e| {
                        let hint = "tidyd is newer than this client: upgrade it";
                        Error::new(ErrorCode::Malformed, format!("unknown answer: {e}"), hint)
                    })?;
                    return Ok(Step::Answer(Box::new(answer)));
                }
                // Events of a newer daemon are skipped.
                Body::Event(value) => {
                    if let Ok(event) = value.deserialized() {
                        return Ok(Step::Event(event));
                    }
                }
            }
        }
    }
}

impl Iterator for Stream<'_> {
    type Item = Result<Event, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.answer.is_some() {
            return None;
        }
        match self.step() {
            Ok(Step::Event(event)) => Some(Ok(event)),
            Ok(Step::Answer(answer)) => {
                self.answer = Some(*answer);
                None
            }
            Err(e) => Some(Err(e)),
        }
    }
}
