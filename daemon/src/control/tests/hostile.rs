//! Clients that break the rules, and what it costs the others: nothing.

use std::net::Shutdown;

use tidy_protocol::ClientError;

use super::*;

#[test]
fn a_broken_frame_is_told_and_ends_the_connection() {
    let status = encode(&Call::new(1, &Request::Status).unwrap()).unwrap();
    let len = |n: usize| u32::try_from(n).unwrap().to_be_bytes().to_vec();
    let framed = |body: Vec<u8>| [len(body.len()), body].concat();
    let limit = MAX_REQUEST as usize;
    for (name, bytes) in [
        ("announced too long", u32::MAX.to_be_bytes().to_vec()),
        ("too long, all of it", [len(limit + 1), vec![0; limit + 1]].concat()),
        ("cut in its length", vec![0, 0]),
        ("cut in its body", [len(100), status.clone()].concat()),
        ("empty", len(0)),
        ("bytes behind the item", framed([&status[..], b"\0"].concat())),
        ("no CBOR", framed(vec![0xff; 9])),
        ("no call", framed(encode(&7).unwrap())),
        ("nested too deep", framed([vec![0x81; 10_000], vec![1]].concat())),
        ("announces a huge string", framed(vec![0x7b, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0])),
    ] {
        let server = Server::start();
        let mut raw = server.raw();
        // One that is in flight does not keep the connection open.
        raw.call(1, &Request::Wait { timeout_ms: 0 });
        raw.0.write_all(&bytes).unwrap();
        if name.starts_with("cut") {
            raw.0.shutdown(Shutdown::Write).unwrap();
        }
        let (id, error) = raw.error();
        assert_eq!((id, error.code), (0, ErrorCode::Malformed), "{name}");
        raw.assert_hung_up();
        assert_eq!(server.stats.malformed.get(), 1, "{name}");
        server.assert_alive();
    }
}

#[test]
fn a_frame_that_does_not_go_on_ends_the_connection() {
    let server = Server::with(Limits { frame: Duration::from_millis(50), ..Limits::default() });
    let mut raw = server.raw();
    raw.0.write_all(&[0, 0]).unwrap();
    assert_eq!(raw.error().1.code, ErrorCode::Malformed);
    raw.assert_hung_up();
    server.assert_alive();
}

#[test]
fn a_silent_client_is_not_waited_for() {
    let server = Server::with(Limits { hello: Duration::from_millis(50), ..Limits::default() });
    let mut raw = server.silent();
    assert_eq!(raw.error().1.code, ErrorCode::Malformed);
    raw.assert_hung_up();
    assert_eq!(server.stats.bad_hellos.get(), 1);
}

#[test]
fn another_version_is_refused_with_what_to_upgrade() {
    let server = Server::start();
    for (protocol, hint) in [(PROTOCOL - 1, "client"), (PROTOCOL + 1, "tidyd")] {
        let mut raw = server.silent();
        write_frame(&mut raw.0, &Hello { protocol, version: "x".into() }, MAX_REQUEST).unwrap();
        let (id, error) = raw.error();
        assert_eq!((id, error.code), (0, ErrorCode::Version));
        assert!(error.hint.unwrap().contains(hint));
        raw.assert_hung_up();
    }
}

#[test]
fn connections_over_the_cap_are_told_and_closed() {
    for limits in [
        Limits { client_connections: 256, connections: 256, ..Limits::default() },
        // More than are turned away at leisure: they are told as well.
        Limits { client_connections: 256, connections: 256, farewells: 0, ..Limits::default() },
        // One client leaves something for the others.
        Limits { connections: 400, client_connections: 256, ..Limits::default() },
    ] {
        let server = Server::with(limits);
        fill(&server);
    }
}

fn fill(server: &Server) {
    let mut open = Vec::new();
    let mut busy = 0;
    for _ in 0..300 {
        match Client::connect(&server.path, "test") {
            Ok(client) => open.push(client),
            Err(ClientError::Daemon(error)) => {
                assert_eq!(error.code, ErrorCode::Busy);
                assert!(error.retry_after_ms.is_some());
                busy += 1;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!((open.len(), busy), (256, 44));
    assert!(matches!(open[255].call(&Request::Status), Ok(Response::Status(_))));
    drop(open);
    eventually("there is room again", || Client::connect(&server.path, "test").is_ok());
}

#[test]
fn a_flood_is_told_when_to_go_on() {
    let penalty = Duration::from_millis(1);
    let server = Server::with(Limits { rate: 1, burst: 5, penalty, ..Limits::default() });
    let mut raw = server.raw();
    for id in 1..=50 {
        raw.call(id, &Request::Status);
    }
    let mut answered = 0;
    let mut refused = 0;
    for _ in 0..50 {
        match raw.message().body {
            Body::Result(_) => answered += 1,
            Body::Error(error) => {
                assert_eq!(error.code, ErrorCode::Busy);
                assert!((1..=1000).contains(&error.retry_after_ms.unwrap()));
                refused += 1;
            }
            Body::Event(event) => panic!("{event:?}"),
        }
    }
    assert!(answered >= 5, "{answered}");
    assert!(refused >= 1);
    server.assert_alive();
}

/// Sends call after call and reads nothing.
#[test]
fn a_client_that_never_reads_is_cut_off() {
    let server = Server::with(Limits { write: Duration::from_millis(100), ..Limits::default() });
    let mut raw = server.raw();
    let call = encode(&Call::new(1, &Request::Status).unwrap()).unwrap();
    let frame = [&u32::try_from(call.len()).unwrap().to_be_bytes()[..], &call].concat();
    raw.0.set_write_timeout(Some(PATIENCE)).unwrap();
    let error = std::iter::repeat_with(|| raw.0.write_all(&frame)).find_map(Result::err).unwrap();
    assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "never cut off");
    assert_eq!(server.stats.unread.get(), 1);
    server.assert_alive();
}

#[test]
fn a_connection_nobody_uses_is_closed_but_not_one_that_waits() {
    let server = Server::with(Limits { idle: Duration::from_millis(50), ..Limits::default() });
    let mut raw = server.raw();
    raw.call(1, &Request::Wait { timeout_ms: 300 });
    assert_eq!(raw.result().0, 1);
    assert_eq!(server.stats.idle.get(), 0);
    assert!(raw.frame().is_none());
    assert_eq!(server.stats.idle.get(), 1);
}

#[test]
fn only_our_user_and_root_may_ask() {
    for (peer, ours, may) in
        [(1000, 1000, true), (0, 1000, true), (1001, 1000, false), (1, 0, false)]
    {
        assert_eq!(super::super::may_ask(peer, ours, Role::Control), may, "{peer} {ours}");
        assert!(super::super::may_ask(peer, ours, Role::Look), "the socket's permissions say who");
    }
}

/// The limits count over all connections of this process, and over all processes.
#[test]
fn a_flood_over_many_connections_is_one_flood() {
    let slow = Limits { penalty: Duration::from_millis(1), few_a_second: 0, ..Limits::default() };
    for limits in [Limits { client_rate: 1, ..slow.clone() }, Limits { overall_rate: 1, ..slow }] {
        let server = Server::with(limits);
        let mut clients: Vec<Raw> = (0..10).map(|_| server.raw()).collect();
        let mut refused = 0;
        for id in 1..=10 {
            for raw in &mut clients {
                raw.call(id, &Request::Status);
                if let Body::Error(error) = raw.message().body {
                    assert_eq!(error.code, ErrorCode::Busy);
                    assert!((1..=1000).contains(&error.retry_after_ms.unwrap()));
                    refused += 1;
                }
            }
        }
        assert!(refused > 0, "100 calls went through, at one a second");
        assert_eq!(server.stats.over_rate.get(), refused);
    }
}

/// Whoever has few connections, calls in flight and calls a second gets them whatever the others have.
#[test]
fn who_has_little_is_served_when_everything_is_taken() {
    let limits = Limits {
        connections: 2,
        in_flight_overall: 0,
        few_in_flight: 2,
        overall_rate: 1,
        few_a_second: 1_000,
        ..Limits::default()
    };
    let server = Server::with(limits);
    let (mut one, mut other) = (server.raw(), server.client());
    match Client::connect(&server.path, "test") {
        Err(ClientError::Daemon(error)) => assert_eq!(error.code, ErrorCode::Busy),
        other => panic!("a third connection: {other:?}"),
    }
    one.call(1, &Request::Wait { timeout_ms: 0 });
    eventually("it waits", || server.fake.waiting.load(Ordering::SeqCst) == 1);
    for _ in 0..30 {
        assert!(matches!(other.call(&Request::Status), Ok(Response::Status(_))));
    }
    one.call(2, &Request::Wait { timeout_ms: 0 });
    eventually("both wait", || server.fake.waiting.load(Ordering::SeqCst) == 2);
    assert!(other.call(&Request::Status).is_err(), "a third call in flight");
    assert_eq!((server.stats.over_cap.get(), server.stats.over_in_flight.get()), (1, 1));
}

/// What is over the limit is read slowly: being told costs the daemon less than asking costs the client.
#[test]
fn a_client_that_asks_too_often_is_not_read_for_a_while() {
    let penalty = Duration::from_millis(50);
    let server = Server::with(Limits { rate: 1, burst: 1, penalty, ..Limits::default() });
    let mut raw = server.raw();
    let start = Instant::now();
    for id in 1..=5 {
        raw.call(id, &Request::Status);
    }
    (1..=5).for_each(|_| drop(raw.message()));
    assert!(start.elapsed() >= 3 * penalty, "{:?}", start.elapsed());
}

#[test]
fn one_client_cannot_take_all_places_for_calls() {
    let server = Server::with(Limits { client_in_flight: 3, ..Limits::default() });
    let (mut one, mut other) = (server.raw(), server.raw());
    for id in 1..=3 {
        one.call(id, &Request::Wait { timeout_ms: 0 });
    }
    eventually("they wait", || server.fake.waiting.load(Ordering::SeqCst) == 3);
    other.call(1, &Request::Status);
    assert_eq!(other.error().1.code, ErrorCode::Busy);
    server.fake.gate.add_permits(3);
    (1..=3).for_each(|_| drop(one.result()));
    other.call(2, &Request::Status);
    assert_eq!(other.result().0, 2);
}

/// More large frames than there is room for: each waits for its place, and one that waits too long is told.
#[test]
fn large_frames_that_do_not_arrive_take_no_more_than_their_room() {
    let limits = Limits { frames_kib: 1_024, frame: Duration::from_secs(2), ..Limits::default() };
    let server = Server::with(limits);
    let mut first = server.raw();
    first.0.write_all(&MAX_REQUEST.to_be_bytes()).unwrap();
    first.0.write_all(&[0; 100]).unwrap();
    let mut second = server.raw();
    second.0.write_all(&MAX_REQUEST.to_be_bytes()).unwrap();
    // Whichever came first has the room, and is too slow.
    let codes = [first.error().1.code, second.error().1.code];
    assert!(codes.contains(&ErrorCode::Malformed) && codes.contains(&ErrorCode::Busy), "{codes:?}");
    server.assert_alive();
}

#[test]
fn on_the_socket_for_looking_nothing_can_be_changed() {
    let server = Server::open(Limits::default(), Role::Look);
    let mut raw = server.raw();
    let organize = |dry_run| Request::Organize { paths: Vec::new(), dry_run };
    for (id, request) in (1..).zip([
        Request::Pause { root: None },
        Request::Reload,
        Request::Shutdown,
        Request::Cancel { id: 1 },
        organize(false),
    ]) {
        raw.call(id, &request);
        let (answered, error) = raw.error();
        assert_eq!((answered, error.code), (id, ErrorCode::Refused), "{request:?}");
        assert!(error.hint.is_some());
    }
    for (id, request) in (10..).zip([Request::Status, organize(true), Request::Jobs]) {
        raw.call(id, &request);
        assert_eq!(raw.result().0, id, "{request:?}");
    }
    assert_eq!(server.stats.only_looking.get(), 5);
    assert!(!server.closing.is_cancelled());
}
