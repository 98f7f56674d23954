//! Frames on a tokio socket: the reading end, and the queue in front of the writing end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tidy_protocol::{
    Error, ErrorCode, Event, FrameError, Hello, MAX_REPLY, MAX_REQUEST, MessageRef, PROTOCOL,
    Response, write_frame,
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;

use super::limits::{Limits, Slot};
use super::stats::Stats;

/// How much is allocated for a frame before any of it is there.
const FIRST_READ: usize = 64 << 10;

/// How much of what a refused client still sends is thrown away: its largest frame, and one more.
const DISCARD: u64 = 2 * MAX_REQUEST as u64;

/// Why there is no frame.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("a frame did not arrive within {0:?}")]
    Stalled(Duration),
    #[error("too many large frames at once")]
    Crowded,
}

/// A frame that has arrived.
pub(super) struct Arrived {
    pub(super) bytes: Vec<u8>,
    /// Its place among the large ones.
    pub(super) place: Option<OwnedSemaphorePermit>,
}

/// A place for so many bytes beyond what is always given, in KiB; none for less.
async fn place(
    places: &Arc<Semaphore>,
    bytes: usize,
) -> Result<Option<OwnedSemaphorePermit>, AcquireError> {
    if bytes <= FIRST_READ {
        return Ok(None);
    }
    let kib = u32::try_from(bytes.div_ceil(1 << 10)).unwrap_or(u32::MAX);
    places.clone().acquire_many_owned(kib).await.map(Some)
}

/// The reading end.
pub(super) struct Input(BufReader<OwnedReadHalf>);

impl Input {
    pub(super) fn new(half: OwnedReadHalf) -> Self {
        Self(BufReader::new(half))
    }

    /// Waits for the first byte of a frame; `false` when the client has hung up. Nothing is lost when the
    /// future is dropped.
    pub(super) async fn ready(&mut self) -> io::Result<bool> {
        Ok(!self.0.fill_buf().await?.is_empty())
    }

    /// Reads the frame that begins here. A large one takes its place among `large` first.
    pub(super) async fn frame(
        &mut self,
        patience: Duration,
        large: &Arc<Semaphore>,
    ) -> Result<Arrived, ReadError> {
        match tokio::time::timeout(patience, self.read(patience, large)).await {
            Ok(frame) => frame,
            Err(_) => Err(ReadError::Stalled(patience)),
        }
    }

    async fn read(
        &mut self,
        patience: Duration,
        large: &Arc<Semaphore>,
    ) -> Result<Arrived, ReadError> {
        let len = self.0.read_u32().await.map_err(cut_short)?;
        if len > MAX_REQUEST {
            return Err(FrameError::TooLong { len: len.into(), limit: MAX_REQUEST }.into());
        }
        // Half of the time: so it is told from a client that is slow.
        let place = match tokio::time::timeout(patience / 2, place(large, len as usize)).await {
            Ok(Ok(place)) => place,
            Ok(Err(_)) | Err(_) => return Err(ReadError::Crowded),
        };
        // Grows with what arrives, not with what was announced.
        let mut body = Vec::with_capacity((len as usize).min(FIRST_READ));
        (&mut self.0).take(len.into()).read_to_end(&mut body).await.map_err(FrameError::from)?;
        if body.len() < len as usize {
            return Err(FrameError::Truncated.into());
        }
        Ok(Arrived { bytes: body, place })
    }

    /// Throws away what still comes, so that the client can finish writing and read what it was told:
    /// closing a socket with unread bytes in it resets the connection.
    pub(super) async fn discard(self, patience: Duration) {
        let mut rest = self.0.take(DISCARD);
        let mut nowhere = tokio::io::sink();
        let _ = tokio::time::timeout(patience, tokio::io::copy(&mut rest, &mut nowhere)).await;
    }
}

fn cut_short(error: io::Error) -> FrameError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => FrameError::Truncated,
        _ => error.into(),
    }
}

/// The connection is gone; there is nobody to tell.
#[derive(Debug)]
pub(super) struct Gone;

struct Outgoing {
    frame: Vec<u8>,
    /// The place of the call it answers.
    slot: Option<Slot>,
    /// The place of the frame, where it is large; given back when it is written.
    _place: Option<OwnedSemaphorePermit>,
}

/// The queue in front of the writing end.
#[derive(Clone)]
pub(super) struct Outbox {
    queue: mpsc::Sender<Outgoing>,
    /// The places of the client's large answers.
    large: Arc<Semaphore>,
}

/// The writing end; ends when every [`Outbox`] is dropped and the queue is written, or when the client does
/// not read.
pub(super) type Writer = AbortOnDropHandle<()>;

/// Starts the writing end.
pub(super) fn outbox(
    half: OwnedWriteHalf,
    limits: &Limits,
    stats: Arc<Stats>,
    large: Arc<Semaphore>,
) -> (Outbox, Writer) {
    let (sender, queue) = mpsc::channel(limits.queued);
    let writer = tokio::spawn(write(half, queue, limits.write, stats));
    (Outbox { queue: sender, large }, AbortOnDropHandle::new(writer))
}

async fn write(
    mut half: OwnedWriteHalf,
    mut queue: mpsc::Receiver<Outgoing>,
    patience: Duration,
    stats: Arc<Stats>,
) {
    while let Some(Outgoing { frame, slot, _place }) = queue.recv().await {
        // Given back before the client can have read the answer: one that asks again at once finds it free.
        drop(slot);
        match tokio::time::timeout(patience, half.write_all(&frame)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_) => {
                stats.unread.add();
                tracing::debug!("cut off a client that does not read");
                return;
            }
        }
    }
}

impl Outbox {
    /// Our hello.
    pub(super) async fn hello(&self) -> Result<(), Gone> {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let mut frame = Vec::new();
        write_frame(&mut frame, &Hello { protocol: PROTOCOL, version }, MAX_REPLY)
            .map_err(|_| Gone)?;
        self.push(frame, None).await
    }

    /// The answer to call `id` (0: about the connection). `slot` is given back once it is being written.
    pub(super) async fn answer(
        &self,
        id: u64,
        result: Result<Response, Error>,
        slot: Option<Slot>,
    ) -> Result<(), Gone> {
        // What it was made of is as large again: gone before there is waiting.
        let frame = framed(id, &MessageRef::answer(id, &result));
        drop(result);
        self.push(frame, slot).await
    }

    /// The same about the connection, where there is room for it: nothing is waited for.
    pub(super) fn answer_at_once(&self, result: Result<Response, Error>) {
        let frame = framed(0, &MessageRef::answer(0, &result));
        let _ = self.queue.try_send(Outgoing { frame, slot: None, _place: None });
    }

    /// Something on the way to the answer.
    pub(super) async fn event(&self, id: u64, event: &Event) -> Result<(), Gone> {
        self.push(framed(id, &MessageRef::event(id, event)), None).await
    }

    /// Waits until the writing end is gone.
    pub(super) async fn closed(&self) {
        self.queue.closed().await;
    }

    async fn push(&self, frame: Vec<u8>, slot: Option<Slot>) -> Result<(), Gone> {
        let place = tokio::select! {
            place = place(&self.large, frame.len()) => place.map_err(|_| Gone)?,
            () = self.closed() => return Err(Gone),
        };
        self.queue.send(Outgoing { frame, slot, _place: place }).await.map_err(|_| Gone)
    }
}

/// Writes an error about the connection into a socket that nothing was written to yet. It fits into the socket's own
/// buffer, so there is nothing to wait for; a client that is gone does not matter.
pub(super) fn write_at_once(stream: UnixStream, error: Error) {
    // Outside of the runtime, which does not know yet that it can be written.
    if let Ok(mut socket) = stream.into_std() {
        let _ = io::Write::write(&mut socket, &framed(0, &MessageRef::answer(0, &Err(error))));
    }
}

/// A message as a frame; one that is too long becomes an error.
fn framed(id: u64, message: &MessageRef<'_>) -> Vec<u8> {
    let mut frame = Vec::new();
    if let Err(error) = write_frame(&mut frame, message, MAX_REPLY) {
        tracing::error!(%error, "cannot send an answer");
        let hint = "ask for less at a time (`limit`), and please report this";
        let error = Error::new(ErrorCode::Internal, format!("the answer: {error}"), hint);
        frame.clear();
        // A few hundred bytes of text always fit.
        let _ = write_frame(&mut frame, &MessageRef::answer(id, &Err(error)), MAX_REPLY);
    }
    frame
}
