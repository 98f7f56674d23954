//! One connection: hello, then calls until either end has had enough.

use std::sync::Arc;

use tidy_protocol::{Call, Error, ErrorCode, Hello, PROTOCOL, decode};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::clients::{Caller, Client, Role};
use super::limits::{Bucket, Limits, Slot};
use super::pool::Pool;
use super::seats::Seat;
use super::stats::Stats;
use super::wire::{self, Input, Outbox, ReadError};
use super::{FLUSH, Handler, Shared, answer, busy};

/// Why a connection ends.
enum End {
    /// The client hung up, was idle, or did not read.
    Gone,
    /// The client broke the protocol and is told so.
    Broken(Error),
    /// Somebody else got its place.
    Displaced,
    /// The daemon is stopping: calls in flight end first.
    Stopping,
}

/// Serves one connection to its end.
pub(super) async fn run<H: Handler>(
    stream: UnixStream,
    shared: Arc<Shared<H>>,
    client: Arc<Client>,
    seat: Seat,
    role: Role,
) {
    let (read, write) = stream.into_split();
    let (stats, large) = (shared.stats.clone(), client.answers.clone());
    let (outbox, writer) = wire::outbox(write, &shared.limits, stats, large);
    let mut input = Input::new(read);
    // Dropping the set aborts what is in flight.
    let mut calls = JoinSet::new();
    let served = async {
        match greet(&mut input, &outbox, &shared).await {
            Ok(()) => {
                let of = (&client, &seat, role);
                converse(&mut input, &outbox, &shared, of, &mut calls).await
            }
            Err(end) => end,
        }
    };
    let end = tokio::select! {
        end = served => end,
        () = seat.lost() => End::Displaced,
    };
    match end {
        End::Gone => {}
        End::Broken(error) => {
            tracing::debug!(%error, "closing a connection");
            let farewell = async {
                calls.shutdown().await;
                // Bounded by the writer, which gives up on a client that does not read.
                let _ = outbox.answer(0, Err(error), None).await;
                drop(outbox);
                let _ = writer.await;
                input.discard(shared.limits.linger).await;
            };
            tokio::select! {
                () = farewell => {}
                () = seat.lost() => {}
            }
        }
        End::Displaced => {
            tracing::debug!("closing a connection: others have fewer");
            calls.abort_all();
            // The place it had is taken already: nobody is waited for.
            let wait = shared.seats.next(Instant::now());
            let message = "too many connections: somebody with fewer needed this one";
            outbox.answer_at_once(Err(busy(message, wait)));
            drop(outbox);
            let _ = tokio::time::timeout(FLUSH, writer).await;
        }
        End::Stopping => {
            // Each call ends itself when the grace is over; `serve` ends those that cannot even say so.
            while calls.join_next().await.is_some() {}
            drop(outbox);
            let _ = writer.await;
        }
    }
}

/// Tells a connection that is not served why, and closes it.
pub(super) async fn turn_away(stream: UnixStream, limits: &Limits, error: Error) {
    let (read, write) = stream.into_split();
    let large = Arc::new(Semaphore::new(limits.client_answers_kib));
    let (outbox, writer) = wire::outbox(write, limits, Arc::<Stats>::default(), large);
    if outbox.answer(0, Err(error), None).await.is_ok() {
        drop(outbox);
        let _ = writer.await;
        Input::new(read).discard(limits.linger).await;
    }
}

/// Exchanges hellos.
async fn greet<H: Handler>(
    input: &mut Input,
    outbox: &Outbox,
    shared: &Shared<H>,
) -> Result<(), End> {
    outbox.hello().await.map_err(|_| End::Gone)?;
    let patience = shared.limits.hello;
    let hello = async {
        match input.ready().await {
            Ok(true) => Ok(input.frame(patience, &shared.frames).await),
            Ok(false) | Err(_) => Err(End::Gone),
        }
    };
    let frame = tokio::select! {
        biased;
        () = shared.closing.cancelled() => return Err(End::Stopping),
        frame = tokio::time::timeout(patience, hello) => frame,
    };
    let bad = |error| {
        shared.stats.bad_hellos.add();
        Err(End::Broken(error))
    };
    let frame = match frame {
        Ok(frame) => frame?,
        Err(_) => return bad(malformed(&format!("no hello within {patience:?}"))),
    };
    match frame.and_then(|frame| Ok(decode::<Hello>(&frame.bytes)?)) {
        Err(e) => bad(malformed(&format!("the hello: {e}"))),
        Ok(hello) if hello.protocol != PROTOCOL => bad(other_version(hello.protocol)),
        Ok(hello) => {
            tracing::trace!(version = %hello.version.escape_debug(), "a client connected");
            Ok(())
        }
    }
}

/// Reads calls and starts their answers.
async fn converse<H: Handler>(
    input: &mut Input,
    outbox: &Outbox,
    shared: &Arc<Shared<H>>,
    (client, seat, role): (&Arc<Client>, &Seat, Role),
    calls: &mut JoinSet<()>,
) -> End {
    let limits = &shared.limits;
    let slots = Pool::new(limits.in_flight);
    let mut bucket = Bucket::new(limits, Instant::now());
    let mut quiet_since = Instant::now();
    loop {
        // Both kinds of rest are awaited: for a frame to begin, and for the calls in flight to end.
        let idle = async {
            if calls.is_empty() {
                tokio::time::sleep_until(quiet_since + limits.idle).await;
                true
            } else {
                calls.join_next().await;
                false
            }
        };
        tokio::select! {
            biased;
            () = shared.closing.cancelled() => return End::Stopping,
            () = outbox.closed() => return End::Gone,
            ready = input.ready() => match ready {
                Ok(true) => {}
                Ok(false) | Err(_) => return End::Gone,
            },
            over = idle => {
                if over {
                    shared.stats.idle.add();
                    return End::Gone;
                }
                quiet_since = Instant::now();
                if calls.is_empty() {
                    seat.rests(quiet_since);
                }
                continue;
            }
        }
        let frame = tokio::select! {
            biased;
            () = shared.closing.cancelled() => return End::Stopping,
            () = outbox.closed() => return End::Gone,
            frame = input.frame(limits.frame, &shared.frames) => frame,
        };
        let call = frame.and_then(|frame| Ok((decode::<Call>(&frame.bytes)?, frame.place)));
        let (call, place) = match call {
            Ok(call) => call,
            Err(ReadError::Crowded) => {
                shared.stats.over_in_flight.add();
                // They have their room until they are answered.
                return End::Broken(busy("too many large frames at once", shared.calls.next()));
            }
            Err(e) => {
                shared.stats.malformed.add();
                return End::Broken(broken(&e));
            }
        };
        shared.stats.requests.add();
        quiet_since = Instant::now();
        let id = call.id;
        let allowed = bucket.take(quiet_since).map_err(|wait| ("too many requests", wait));
        let allowed = allowed.and_then(|()| shared.clients.count(client, quiet_since));
        let (refused, penalty) = match allowed {
            Err((what, wait)) => {
                shared.stats.over_rate.add();
                (busy(what, wait), Some(wait.min(limits.penalty)))
            }
            Ok(()) => match Slot::take(limits, &slots, &client.calls, &shared.calls, place) {
                Ok(slot) => {
                    // A client that always has the next call ready never lets the wait above reap them.
                    while calls.try_join_next().is_some() {}
                    let (shared, outbox) = (shared.clone(), outbox.clone());
                    let caller = Caller { client: client.clone(), role };
                    calls.spawn(answer::answer(shared, outbox, call, slot, caller));
                    seat.asked(quiet_since, true);
                    continue;
                }
                Err((what, wait)) => {
                    shared.stats.over_in_flight.add();
                    (busy(what, wait), None)
                }
            },
        };
        seat.asked(quiet_since, false);
        shared.stats.failed(refused.code);
        if outbox.answer(id, Err(refused), None).await.is_err() {
            return End::Gone;
        }
        if let Some(penalty) = penalty {
            tokio::select! {
                biased;
                () = shared.closing.cancelled() => return End::Stopping,
                () = outbox.closed() => return End::Gone,
                () = tokio::time::sleep(penalty) => {}
            }
        }
    }
}

fn broken(error: &ReadError) -> Error {
    malformed(&error.to_string())
}

fn malformed(message: &str) -> Error {
    Error::new(ErrorCode::Malformed, message, "see docs/protocol.md for what a frame holds")
}

fn other_version(theirs: u32) -> Error {
    let message = format!("this daemon speaks protocol {PROTOCOL}, the client speaks {theirs}");
    let hint =
        if theirs > PROTOCOL { "restart tidyd after its upgrade" } else { "upgrade the client" };
    Error::new(ErrorCode::Version, message, hint)
}
