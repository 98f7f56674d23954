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
use crate::incoming::{self, Incoming};
use crate::{Call, Error, Event, ExitCode, Hello, PROTOCOL, Request, Response};

/// How long a client waits before it gives up on a daemon that is there and does not react.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For the hello. The daemon sends it before it looks at any disk.
    pub hello: Duration,
    /// For the answer to what needs no work on files ([`Request::Wait`]: on top of its own time). Work on
    /// files takes as long as it takes.
    pub answer: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { hello: Duration::from_secs(10), answer: Duration::from_secs(60) }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("tidyd is not running (nothing listens on {})", .0.display())]
    NotRunning(PathBuf),
    /// The socket is there, and nobody listens.
    #[error("tidyd is not running (it left its socket {} behind)", .0.display())]
    Stale(PathBuf),
    #[error("not allowed to use {}", .0.display())]
    Permission(PathBuf),
    #[error("tidyd speaks protocol {theirs} (version {version}), this client speaks {PROTOCOL}")]
    Version { theirs: u32, version: String },
    #[error("tidyd closed the connection without an answer")]
    Closed,
    #[error("tidyd runs, but does not answer")]
    Timeout,
    #[error("the connection to tidyd failed: {0}")]
    Frame(FrameError),
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
            Self::Stale(_) => Some(
                "it was killed, or crashed: `tidyctl errors` may say why; start it again with `systemctl --user \
                 start tidyd`, or in a terminal with `tidyd`"
                    .into(),
            ),
            Self::Permission(_) => {
                Some("the socket belongs to another user; run tidyctl as that user".into())
            }
            Self::Version { theirs, .. } if *theirs > PROTOCOL => Some("upgrade tidyctl".into()),
            Self::Version { .. } => Some("restart tidyd after its upgrade".into()),
            Self::Closed => {
                Some("it may be stopping, or have too many clients; try again in a moment".into())
            }
            Self::Timeout => Some("it may be stopped or very busy: see its log".into()),
            Self::Frame(FrameError::Io(_)) => None,
            Self::Frame(_) => {
                Some("is it tidyd that listens there? `--socket` and TIDYD_SOCKET say where".into())
            }
            Self::Daemon(e) => e.hint.clone(),
        }
    }

    /// The exit code of a command that ends with it.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::NotRunning(_) | Self::Stale(_) | Self::Closed => ExitCode::NotRunning,
            Self::Permission(_) => ExitCode::Refused,
            Self::Version { .. } | Self::Timeout | Self::Frame(_) => ExitCode::Failed,
            Self::Daemon(e) => e.exit_code(),
        }
    }
}

impl From<FrameError> for ClientError {
    fn from(error: FrameError) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, TimedOut, WouldBlock};
        match error {
            FrameError::Truncated => Self::Closed,
            FrameError::Io(e) if matches!(e.kind(), WouldBlock | TimedOut) => Self::Timeout,
            FrameError::Io(e) if matches!(e.kind(), BrokenPipe | ConnectionReset) => Self::Closed,
            other => Self::Frame(other),
        }
    }
}

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client {
    socket: UnixStream,
    next_id: u64,
    patience: Patience,
}

impl Client {
    /// Connects and exchanges hellos. `version` is this program's, for the daemon's log.
    pub fn connect(path: &Path, version: &str) -> Result<Self, ClientError> {
        Self::connect_with(path, version, Patience::default())
    }

    /// [`Client::connect`] with another patience.
    pub fn connect_with(
        path: &Path,
        version: &str,
        patience: Patience,
    ) -> Result<Self, ClientError> {
        let socket = UnixStream::connect(path).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => ClientError::NotRunning(path.to_owned()),
            io::ErrorKind::ConnectionRefused => ClientError::Stale(path.to_owned()),
            io::ErrorKind::PermissionDenied => ClientError::Permission(path.to_owned()),
            _ => ClientError::Frame(e.into()),
        })?;
        socket.set_read_timeout(Some(patience.hello)).map_err(FrameError::from)?;
        socket.set_write_timeout(Some(patience.answer)).map_err(FrameError::from)?;
        let mut client = Self { socket, next_id: 1, patience };
        let hello = Hello { protocol: PROTOCOL, version: version.to_owned() };
        client.send(&hello)?;
        let frame = client.receive()?;
        let theirs: Hello = match decode(&frame) {
            Ok(hello) => hello,
            // Refused before the hello (too many connections).
            Err(e) => match incoming::decode(&frame) {
                Ok((0, Incoming::Error(error))) => return Err(error.into()),
                _ => return Err(e.into()),
            },
        };
        if theirs.protocol != PROTOCOL {
            return Err(ClientError::Version { theirs: theirs.protocol, version: theirs.version });
        }
        Ok(client)
    }

    /// Asks and waits for the answer.
    ///
    /// After any error but [`ClientError::Daemon`] the connection is of no further use.
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
        let timeout = self.patience.with(request);
        self.socket.set_read_timeout(timeout).map_err(FrameError::from)?;
        self.send(&Call::new(id, request)?)?;
        Ok(Stream { client: self, id, answer: None, over: false })
    }

    /// Writes one frame. A daemon that hangs up says why first: that is read then.
    fn send(&mut self, frame: &impl serde::Serialize) -> Result<(), ClientError> {
        match write_frame(&mut self.socket, frame, MAX_REQUEST).map_err(ClientError::from) {
            Err(ClientError::Closed) => loop {
                match incoming::decode(&self.receive()?)? {
                    (0, Incoming::Error(why)) => return Err(why.into()),
                    _ => continue,
                }
            },
            sent => sent,
        }
    }

    fn receive(&mut self) -> Result<Vec<u8>, ClientError> {
        read_frame(&mut self.socket, MAX_REPLY)?.ok_or(ClientError::Closed)
    }
}

impl Patience {
    /// How long the next frame in answer to a request may take; `None`: as long as it takes.
    fn with(self, request: &Request) -> Option<Duration> {
        match request {
            Request::Wait { timeout_ms } => {
                Some(self.answer.saturating_add(Duration::from_millis(*timeout_ms)))
            }
            Request::Organize { .. }
            | Request::Rollback { .. }
            | Request::Redo { .. }
            | Request::Reload
            | Request::Explain { .. }
            | Request::Suggest
            | Request::StoreVerify
            | Request::JobFollow { .. }
            | Request::Subscribe => None,
            _ => Some(self.answer),
        }
    }
}

enum Step {
    Event(Event),
    Answer(Box<Response>),
}

/// Events on the way to an answer. Ends when the answer is there, and after an error.
#[derive(Debug)]
pub struct Stream<'c> {
    client: &'c mut Client,
    id: u64,
    answer: Option<Response>,
    over: bool,
}

impl Stream<'_> {
    /// The answer, after the last event.
    pub fn answer(self) -> Option<Response> {
        self.answer
    }

    fn step(&mut self) -> Result<Step, ClientError> {
        loop {
            let (id, incoming) = incoming::decode(&self.client.receive()?)?;
            if id != self.id && id != 0 {
                // The answer to a call that was given up.
                continue;
            }
            match incoming {
                Incoming::Error(error) => return Err(error.into()),
                Incoming::Result(response) => return Ok(Step::Answer(response)),
                Incoming::Event(event) => return Ok(Step::Event(*event)),
                Incoming::UnknownEvent => {}
            }
        }
    }
}

impl Iterator for Stream<'_> {
    type Item = Result<Event, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        match self.step() {
            Ok(Step::Event(event)) => Some(Ok(event)),
            Ok(Step::Answer(answer)) => {
                self.over = true;
                self.answer = Some(*answer);
                None
            }
            Err(e) => {
                self.over = true;
                Some(Err(e))
            }
        }
    }
}
