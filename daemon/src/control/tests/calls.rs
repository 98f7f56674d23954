//! Calls and their answers.

use tidy_protocol::ClientError;

use super::*;

#[test]
fn calls_are_answered_and_errors_carried() {
    let server = Server::start();
    let mut client = server.client();
    assert!(matches!(client.call(&Request::Status), Ok(Response::Status(_))));
    assert!(matches!(client.call(&Request::Shutdown), Ok(Response::Done)));
    match client.call(&Request::Reload) {
        Err(ClientError::Daemon(error)) => {
            assert_eq!(error.code, ErrorCode::BadConfig);
            assert_eq!(error.hint.as_deref(), Some("fix it"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(server.stats.requests.get(), 3);
    assert_eq!(server.stats.errors.get(), 1);
    drop(client);
    server.finish();
}

#[test]
fn what_cannot_be_understood_is_refused_and_the_connection_goes_on() {
    let server = Server::start();
    let mut raw = server.raw();
    let null = || Call::new(1, &Request::Status).unwrap().params;
    let text = "x".to_owned().into();
    for (id, method, params, code) in [
        (1, "dance", null(), ErrorCode::UnknownMethod),
        (2, "job", text, ErrorCode::BadRequest),
        (0, "status", null(), ErrorCode::BadRequest),
        (u64::MAX, "", null(), ErrorCode::UnknownMethod),
    ] {
        raw.send(&encode(&Call { id, method: method.into(), params }).unwrap());
        let (answered, error) = raw.error();
        assert_eq!((answered, error.code), (id, code));
    }
    raw.call(9, &Request::Status);
    assert_eq!(raw.result().0, 9);
}

#[test]
fn a_long_call_does_not_hold_up_the_next() {
    let server = Server::start();
    let mut raw = server.raw();
    raw.call(1, &Request::Wait { timeout_ms: 0 });
    raw.call(2, &Request::Status);
    assert_eq!(raw.result().0, 2);
    server.fake.gate.add_permits(1);
    assert_eq!(raw.result().0, 1);
}

#[test]
fn calls_beyond_those_in_flight_are_told_to_come_back() {
    let server = Server::with(Limits { in_flight: 2, ..Limits::default() });
    let mut raw = server.raw();
    for id in 1..=3 {
        raw.call(id, &Request::Wait { timeout_ms: 0 });
    }
    let (id, error) = raw.error();
    assert_eq!((id, error.code), (3, ErrorCode::Busy));
    assert!(error.retry_after_ms.is_some_and(|ms| ms > 0));
    server.fake.gate.add_permits(2);
    let mut ended = [raw.result().0, raw.result().0];
    ended.sort_unstable();
    assert_eq!(ended, [1, 2]);
    // Whoever has read an answer finds its place free.
    for id in 4..200 {
        raw.call(id, &Request::Status);
        assert_eq!(raw.result().0, id);
    }
    assert_eq!(server.stats.over_in_flight.get(), 1);
}

#[test]
fn calls_beyond_those_in_flight_overall_are_told_to_come_back() {
    let server =
        Server::with(Limits { in_flight_overall: 2, few_in_flight: 1, ..Limits::default() });
    let (mut one, mut other) = (server.raw(), server.raw());
    one.call(1, &Request::Wait { timeout_ms: 0 });
    one.call(2, &Request::Wait { timeout_ms: 0 });
    eventually("both wait", || server.fake.waiting.load(Ordering::SeqCst) == 2);
    other.call(1, &Request::Status);
    let (id, error) = other.error();
    assert_eq!((id, error.code), (1, ErrorCode::Busy));
    server.fake.gate.add_permits(2);
    one.result();
    one.result();
    other.call(2, &Request::Status);
    assert_eq!(other.result().0, 2);
}

#[test]
fn a_panic_costs_one_answer() {
    let server = Server::start();
    let mut raw = server.raw();
    raw.call(1, &Request::Health);
    let (id, error) = raw.error();
    assert_eq!((id, error.code), (1, ErrorCode::Internal));
    raw.call(2, &Request::Status);
    assert_eq!(raw.result().0, 2);
    assert_eq!(server.stats.panics.get(), 1);
    server.finish();
}

#[test]
fn an_answer_too_long_to_send_becomes_an_error() {
    let server = Server::start();
    let mut raw = server.raw();
    raw.call(1, &Request::Categories);
    let (id, error) = raw.error();
    assert_eq!((id, error.code), (1, ErrorCode::Internal));
    raw.call(2, &Request::Status);
    assert_eq!(raw.result().0, 2);
}

#[test]
fn a_call_whose_client_hung_up_is_dropped() {
    let server = Server::start();
    let mut raw = server.raw();
    raw.call(1, &Request::Wait { timeout_ms: 0 });
    let waiting = || server.fake.waiting.load(Ordering::SeqCst);
    eventually("the call is in flight", || waiting() == 1);
    drop(raw);
    eventually("the call is dropped", || waiting() == 0);
}

#[test]
fn stopping_ends_calls_that_do_not_end_in_time() {
    let server = Server::with(Limits { grace: Duration::from_millis(20), ..Limits::default() });
    let mut raw = server.raw();
    raw.call(1, &Request::Wait { timeout_ms: 0 });
    eventually("it waits", || server.fake.waiting.load(Ordering::SeqCst) == 1);
    server.closing.cancel();
    let (id, error) = raw.error();
    assert_eq!((id, error.code), (1, ErrorCode::Stopping));
    assert!(raw.frame().is_none());
    assert!(matches!(Client::connect(&server.path, ""), Err(ClientError::NotRunning(_))));
    server.finish();
}

#[test]
fn stopping_lets_a_call_finish_that_is_about_to() {
    let server = Server::with(Limits { grace: PATIENCE, ..Limits::default() });
    let mut raw = server.raw();
    raw.call(1, &Request::Wait { timeout_ms: 0 });
    eventually("it waits", || server.fake.waiting.load(Ordering::SeqCst) == 1);
    server.closing.cancel();
    eventually("nobody listens", || !server.path.exists());
    server.fake.gate.add_permits(1);
    assert!(matches!(raw.result(), (1, Response::Wait(_))));
    server.finish();
}
