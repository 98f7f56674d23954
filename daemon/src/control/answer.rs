//! One call: its answer, whatever becomes of the handler.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tidy_protocol::{Call, Error, ErrorCode, Event, JobState, Request, Response};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::clients::{Caller, Role};
use super::limits::Slot;
use super::wire::{Gone, Outbox};
use super::{Handler, Shared};

/// Answers `call`. Holds `slot` until the answer is on its way.
pub(super) async fn answer<H: Handler>(
    shared: Arc<Shared<H>>,
    outbox: Outbox,
    call: Call,
    slot: Slot,
    caller: Caller,
) {
    let id = call.id;
    let result = tokio::select! {
        biased;
        result = catch(work(&shared, &outbox, &call, &caller)) => result.unwrap_or_else(|panic| {
            shared.stats.panics.add();
            Err(defect(&panic))
        }),
        () = out_of_time(&shared) => Err(stopping()),
    };
    if let Err(error) = &result {
        shared.stats.failed(error.code);
        if error.code == ErrorCode::Internal {
            tracing::error!(method = %call.method.escape_debug(), %error, "a call failed");
        }
    }
    let _ = outbox.answer(id, result, Some(slot)).await;
}

async fn work<H: Handler>(
    shared: &Shared<H>,
    outbox: &Outbox,
    call: &Call,
    caller: &Caller,
) -> Result<Response, Error> {
    if call.id == 0 {
        let hint = "number calls from 1";
        return Err(Error::new(ErrorCode::BadRequest, "id 0 is kept for the connection", hint));
    }
    let request = call.request()?;
    if caller.role == Role::Look && request.changes() {
        shared.stats.only_looking.add();
        let message =
            format!("`{}` is not for this socket: it can look, and change nothing", call.method);
        return Err(Error::new(ErrorCode::Refused, message, "use the control socket of tidyd"));
    }
    match request {
        Request::Subscribe => subscribe(shared, outbox, call.id).await,
        Request::JobFollow { id } => follow(shared, outbox, call.id, id).await,
        request if request.waits() => shared.handler.handle(request).await,
        request => {
            let asked = Instant::now();
            let (weight, stats) = (request.weight(), &shared.stats);
            let line = &stats.waiting[weight as usize];
            let turn = shared.lanes.of(weight).enter(caller.client.number, line).await;
            let result = turn.during(shared.handler.handle(request)).await;
            shared.stats.latencies.observe(&call.method, asked.elapsed());
            result
        }
    }
}

/// Sends the state, then events, until the daemon stops.
async fn subscribe<H: Handler>(
    shared: &Shared<H>,
    outbox: &Outbox,
    id: u64,
) -> Result<Response, Error> {
    let (state, mut events) = shared.handler.subscribe().await;
    outbox.event(id, &state).await.map_err(hung_up)?;
    loop {
        let event = tokio::select! {
            biased;
            () = shared.closing.cancelled() => break,
            event = events.recv() => event,
        };
        match event {
            Ok(event) => outbox.event(id, &event).await.map_err(hung_up)?,
            Err(RecvError::Lagged(missed)) => {
                shared.stats.lags.add();
                // What is still queued is older than the state that is sent now: it counts as missed.
                let missed = missed.saturating_add(events.len() as u64);
                let (state, fresh) = shared.handler.subscribe().await;
                events = fresh;
                outbox.event(id, &Event::Lagged { missed }).await.map_err(hung_up)?;
                outbox.event(id, &state).await.map_err(hung_up)?;
            }
            Err(RecvError::Closed) => break,
        }
    }
    outbox.event(id, &Event::Stopping).await.map_err(hung_up)?;
    Ok(Response::Ended)
}

/// Sends how far a job is, until it has ended.
async fn follow<H: Handler>(
    shared: &Shared<H>,
    outbox: &Outbox,
    id: u64,
    job: u64,
) -> Result<Response, Error> {
    let mut progress = shared.handler.follow(job).ok_or_else(|| {
        let hint = "`jobs` lists those that are known";
        Error::new(ErrorCode::NotFound, format!("there is no job {job}"), hint)
    })?;
    let mut sent = None;
    loop {
        let info = progress.borrow_and_update().clone();
        if info.state != JobState::Running {
            return Ok(Response::Job(Box::new(info)));
        }
        if sent.as_ref() != Some(&info) {
            let event = Event::Job(Box::new(info.clone()));
            outbox.event(id, &event).await.map_err(hung_up)?;
            sent = Some(info);
            // People cannot read faster; only the end is worth telling sooner.
            let ended = progress.wait_for(|job| job.state != JobState::Running);
            if tokio::time::timeout(shared.limits.progress, ended).await.is_err() {
                continue;
            }
        } else if progress.changed().await.is_ok() {
            continue;
        }
        // Ended, or its task is gone.
        let last = progress.borrow().clone();
        if last.state == JobState::Running {
            let message = format!("job {job} is gone without an end");
            return Err(Error::new(ErrorCode::Internal, message, "please report this"));
        }
        return Ok(Response::Job(Box::new(last)));
    }
}

async fn out_of_time<H>(shared: &Shared<H>) {
    shared.closing.cancelled().await;
    tokio::time::sleep(shared.limits.grace).await;
}

fn stopping() -> Error {
    Error::new(ErrorCode::Stopping, "tidyd is stopping", "ask again once it runs")
}

/// Never seen by anybody: there is no connection to send it to.
fn hung_up(_: Gone) -> Error {
    Error::new(ErrorCode::Failed, "the client hung up", "")
}

/// Runs `work` and catches its panic. It is not polled again after one.
async fn catch<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        // What the panic left half-done stays behind in the future, which is dropped next; what handlers
        // share is behind locks of theirs.
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(panic) => Poll::Ready(Err(text(&*panic))),
        }
    })
    .await
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}

fn defect(panic: &str) -> Error {
    let message = format!("a defect of tidyd: {panic}");
    Error::new(ErrorCode::Internal, message, "please report this, with the daemon's log")
}
