//! control: the socket through which people and programs talk to the daemon.
//!
//! In come connections from our own user (or root); out go the answers of a [`Handler`] and the events it
//! broadcasts. The room knows frames, limits and time; it does not know what any request means beyond
//! `subscribe` and `job-follow`, which it drives itself, and it touches no file but its socket.
//!
//! One task accepts; each connection has a task that reads, a task that writes, and a task per call in flight.
//! Everything between them is bounded by [`Limits`]: a client that sends too much is told `busy`, one that
//! does not read is cut off, and a handler that panics costs its caller an `internal` error and nobody else
//! anything. The wire itself is described in `docs/protocol.md`.
//!
//! **Invariant:** no byte a client sends, and no byte it fails to read, can panic the daemon, hold up another
//! client, or make memory grow past the product of the limits.

mod answer;
mod clients;
mod connection;
mod lanes;
mod limits;
mod listener;
mod pool;
mod seats;
mod stats;
#[cfg(test)]
mod tests;
mod wire;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tidy_protocol::{Error, ErrorCode, Event, JobInfo, Request, Response};
use tokio::sync::{Semaphore, broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use clients::Clients;
pub use clients::Role;
use lanes::Lanes;
pub use lanes::{Places, Turn};
pub use limits::Limits;
pub use listener::{ControlError, Listener, bind, bind_for_group, check_fd, from_fd};
use pool::Pool;
use seats::Seats;
pub use stats::{Codes, Latencies, Stats};

/// What answers.
///
/// Futures are dropped half-way when the client hangs up or the daemon stops: work that must go on is handed
/// to somebody else before the first `await` it could be lost at. What goes on for nobody keeps [`Turn::current`] until it is over:
/// or whoever asks and hangs up again and again had as much of it done at a time as he likes.
pub trait Handler: Send + Sync + 'static {
    /// Answers anything but `subscribe` and `job-follow`.
    fn handle(&self, request: Request) -> impl Future<Output = Result<Response, Error>> + Send;

    /// What a subscription starts with ([`Event::State`]), taken together with the receiver so that nothing
    /// falls in between. Asked again when a subscriber has lagged.
    fn subscribe(&self) -> impl Future<Output = (Event, broadcast::Receiver<Event>)> + Send;

    /// Progress of a job; `None` when there is no such job. The job has ended when its state is not
    /// [`tidy_protocol::JobState::Running`].
    fn follow(&self, job: u64) -> Option<watch::Receiver<JobInfo>>;
}

/// How long to wait after `accept` failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long connections may take to flush their last frames after the grace for calls is over.
const FLUSH: Duration = Duration::from_millis(40);

/// What all connections share, on whichever socket they come in.
struct Shared<H> {
    handler: Arc<H>,
    limits: Limits,
    stats: Arc<Stats>,
    closing: CancellationToken,
    /// Places for connections.
    seats: Arc<Seats>,
    /// Places for those that are only told to come back.
    farewells: Arc<Semaphore>,
    /// Places for calls, overall.
    calls: Arc<Pool>,
    /// Places for calls that are being worked on.
    lanes: Lanes,
    /// KiB of large frames.
    frames: Arc<Semaphore>,
    clients: Clients,
}

/// The room: one handler and its limits, for any number of sockets.
pub struct Room<H>(Arc<Shared<H>>);

impl<H: Handler> Room<H> {
    /// Open until `closing`.
    pub fn new(
        handler: Arc<H>,
        closing: CancellationToken,
        limits: Limits,
        stats: Arc<Stats>,
    ) -> Self {
        Self(Arc::new(Shared {
            seats: Seats::new(&limits, Instant::now()),
            farewells: Arc::new(Semaphore::new(limits.farewells)),
            calls: Pool::new(limits.in_flight_overall),
            lanes: Lanes::new(&limits),
            frames: Arc::new(Semaphore::new(limits.frames_kib)),
            clients: Clients::new(&limits),
            handler,
            limits,
            stats,
            closing,
        }))
    }

    /// Serves one socket; after `closing` removes it, gives calls in flight [`Limits::grace`], and ends.
    pub fn serve(
        &self,
        listener: Listener,
        role: Role,
    ) -> impl Future<Output = ()> + Send + use<H> {
        serve(listener, self.0.clone(), role)
    }
}

async fn serve<H: Handler>(listener: Listener, shared: Arc<Shared<H>>, role: Role) {
    let mut tasks = JoinSet::new();
    loop {
        let stream = tokio::select! {
            biased;
            () = shared.closing.cancelled() => break,
            Some(_) = tasks.join_next() => continue,
            accepted = listener.accept() => match accepted {
                Ok(stream) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    let _ = tokio::time::timeout(ACCEPT_PAUSE, shared.closing.cancelled()).await;
                    continue;
                }
            },
        };
        shared.stats.connections.add();
        let peer = match stream.peer_cred() {
            Ok(peer) => peer,
            Err(error) => {
                tracing::warn!(%error, "refused a connection of unknown origin");
                shared.stats.strangers.add();
                continue;
            }
        };
        let client = shared.clients.of(peer);
        let refused = if !may_ask(peer.uid(), rustix::process::geteuid().as_raw(), role) {
            tracing::warn!(uid = peer.uid(), "refused another user");
            shared.stats.strangers.add();
            let hint = "run it as the user the daemon runs as";
            Error::new(ErrorCode::Refused, "this daemon serves another user", hint)
        } else if let Some(own) = client.seats.take() {
            match shared.seats.take((peer.uid(), client.number), Instant::now()) {
                Ok((seat, other_left)) => {
                    if other_left {
                        shared.stats.displaced.add();
                    }
                    let (shared, stats) = (shared.clone(), shared.stats.clone());
                    tasks.spawn(async move {
                        let _open = stats.open.hold(1);
                        connection::run(stream, shared, client, seat, role).await;
                        drop(own);
                    });
                    continue;
                }
                Err(wait) => {
                    own.unused();
                    shared.stats.over_cap.add();
                    busy("too many connections", wait)
                }
            }
        } else {
            shared.stats.over_client.add();
            busy("too many connections of this program", client.seats.next())
        };
        // Some are given the time to finish what they are saying. The others are told as well, without waiting for them.
        if let Ok(farewell) = shared.farewells.clone().try_acquire_owned() {
            let limits = shared.limits.clone();
            tasks.spawn(async move {
                connection::turn_away(stream, &limits, refused).await;
                drop(farewell);
            });
        } else {
            wire::write_at_once(stream, refused);
        }
    }
    drop(listener); // removes the socket file
    let patience = shared.limits.grace + FLUSH;
    let all = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(patience, all).await.is_err() {
        tracing::debug!("cutting off connections that do not read");
    }
}

/// Our own user and root may; on a socket for a group, whoever the file system lets in.
fn may_ask(peer: u32, ours: u32, role: Role) -> bool {
    peer == ours || peer == 0 || role == Role::Look
}

/// A limit was reached.
fn busy(message: &str, retry_after: Duration) -> Error {
    let millis = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX).max(1);
    let error = Error::new(ErrorCode::Busy, message, "try again a little later");
    Error { retry_after_ms: Some(millis), ..error }
}
