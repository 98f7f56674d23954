//! `/metrics` and `/health` over HTTP.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use tidy_tests::files::Sample;
use tidy_tests::{Daemon, World, eventually};

use super::exposition::Exposition;
use super::{configured, metrics};

/// Any port that is free.
const LISTEN: &str = "[metrics]\nlisten = \"127.0.0.1:0\"";

/// The port that the log tells of.
#[track_caller]
pub(crate) fn port(daemon: &Daemon) -> u16 {
    eventually("the log to tell the port", || {
        let said = daemon.output();
        let rest = said.rsplit_once("http://127.0.0.1:")?.1;
        rest.split('/').next()?.parse().ok()
    })
}

/// An answer.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// What comes back until the other end closes. A reset ends it as well: whoever is turned away is not read to the end.
fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
    }
    String::from_utf8(bytes).unwrap()
}

#[track_caller]
fn said(port: u16, request: &str) -> Answer {
    let mut stream = connect(port);
    stream.write_all(request.as_bytes()).unwrap();
    let answer = rest(&mut stream);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Answer { status: status.unwrap(), head: head.to_lowercase(), body: body.to_owned() }
}

#[track_caller]
fn get(port: u16, path: &str) -> Answer {
    said(port, &format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"))
}

#[test]
fn metrics_and_health_are_served() {
    let world = configured(LISTEN);
    world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    let daemon = world.start();
    world.wait();
    let port = port(&daemon);
    let all = get(port, "/metrics");
    assert_eq!(all.status, 200, "{all:?}");
    let kind = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(all.head.contains(kind), "{all:?}");
    assert!(all.head.contains("cache-control: no-store") && all.head.contains("connection: close"));
    let told = Exposition::of(&all.body);
    told.check();
    assert_eq!(told.value("tidyd_filed_total", &[]), 1.0);
    assert_eq!(told.names(), metrics(&world).names(), "the same as on the socket");

    let head = said(port, "HEAD /metrics HTTP/1.1\r\nHost: [::1]\r\n\r\n");
    assert_eq!((head.status, head.body.as_str()), (200, ""), "{head:?}");
    assert!(head.head.contains(kind), "{head:?}");

    let health = get(port, "/health");
    assert_eq!(health.status, 200, "{health:?}");
    assert!(health.head.contains("content-type: application/json"), "{health:?}");
    let json: serde_json::Value = serde_json::from_str(&health.body).unwrap();
    assert_eq!(json, world.ctl_json(["health"]), "the same as on the socket");

    // A folder that is gone.
    std::fs::remove_dir_all(world.downloads()).unwrap();
    let bad = eventually("the folder to be missed", || {
        let health = get(port, "/health");
        (health.status != 200).then_some(health)
    });
    assert_eq!(bad.status, 503, "{bad:?}");
    let json: serde_json::Value = serde_json::from_str(&bad.body).unwrap();
    assert_eq!(json["ok"], false);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn what_is_no_question_for_it_is_refused() {
    let world = configured(LISTEN);
    let daemon = world.start();
    let port = port(&daemon);
    let long =
        format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(70_000));
    let many: String = (0..200).map(|n| format!("X-{n}: y\r\n")).collect();
    let many = format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{many}\r\n");
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        ("GET /metrics/../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        ("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx", 405),
        ("DELETE /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 405),
        // A name that somebody else has made lead here.
        ("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        ("GET /health HTTP/1.1\r\nHost: localhost.evil.example:80\r\n\r\n", 421),
        ("GET http://evil.example/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 421),
        ("GET /metrics HTTP/1.1\r\n\r\n", 400),
        ("GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400),
        ("nonsense\r\n\r\n", 400),
        (&long, 431),
        (&many, 431),
    ] {
        let answer = said(port, request);
        let start: String = request.chars().take(80).collect();
        assert_eq!(answer.status, status, "{start:?}: {answer:?}");
        assert!(!answer.body.contains("tidyd_"), "{start:?}");
        assert_eq!(answer.head.contains("allow: get, head"), status == 405, "{answer:?}");
    }
    // One answer for each connection, whatever else is asked on it.
    let twice = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(2);
    assert_eq!(said(port, &twice).body.matches("\"checks\"").count(), 1);
    assert_eq!(get(port, "/metrics").status, 200);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn who_is_slow_is_cut_off() {
    let world = configured(LISTEN);
    let daemon = world.start();
    let port = port(&daemon);
    let (mut silent, mut slow) = (connect(port), connect(port));
    slow.write_all(b"GET /metrics HTTP/1.1\r\nHost: local").unwrap();
    for stream in [&mut silent, &mut slow] {
        let answer = rest(stream);
        assert!(!answer.contains("200 OK"), "{answer}");
    }
    assert_eq!(get(port, "/metrics").status, 200);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_flood_of_connections_takes_no_more_than_its_share() {
    let world = configured(LISTEN);
    let daemon = world.start();
    let port = port(&daemon);
    let open = |world: &World| metrics(world).value("process_open_fds", &[]);
    let before = open(&world);
    let mut held: Vec<TcpStream> = (0..300).map(|_| connect(port)).collect();
    // The last ones have been dealt with when they are told to go.
    let last = held.last_mut().unwrap();
    assert!(rest(last).starts_with("HTTP/1.1 503 "), "it is full");
    assert!(open(&world) < before + 40.0, "{before}, and now {}", open(&world));
    world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    world.wait();
    assert!(world.downloads().join("Documents/a.pdf").exists(), "filing goes on");
    drop(held);
    eventually("the next one to be served", || (get(port, "/metrics").status == 200).then_some(()));
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_port_that_is_taken_is_told_and_stops_nothing() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap();
    let world = configured(&format!("[metrics]\nlisten = \"{address}\""));
    world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    let daemon = world.start();
    world.wait();
    assert!(world.downloads().join("Documents/a.pdf").exists());
    let status = world.ctl(["status"]).ok();
    assert!(status.contains(&address.to_string()) && status.contains("another port"), "{status}");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn nobody_listens_where_nobody_asked_for_it() {
    let world = configured("");
    let daemon = world.start();
    // The sockets of this process alone: others of the machine are in the same tables.
    let own = format!("/proc/{}/fd", daemon.pid().as_raw_nonzero());
    let inodes: Vec<String> = std::fs::read_dir(own)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|fd| {
            let to = std::fs::read_link(fd.path()).ok()?.to_string_lossy().into_owned();
            Some(to.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    assert!(!inodes.is_empty(), "its control socket, at least");
    for table in ["/proc/net/tcp", "/proc/net/tcp6", "/proc/net/udp"] {
        let table = std::fs::read_to_string(table).unwrap_or_default();
        let of_ours = |line: &&str| {
            line.split_whitespace().nth(9).is_some_and(|i| inodes.iter().any(|own| own == i))
        };
        assert_eq!(table.lines().find(of_ours), None);
    }
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_client_that_goes_away_harms_nobody() {
    let world = configured(LISTEN);
    let daemon = world.start();
    let port = port(&daemon);
    for _ in 0..50 {
        let mut stream = connect(port);
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let _ = stream.shutdown(Shutdown::Both);
    }
    eventually("the next one to be served", || (get(port, "/metrics").status == 200).then_some(()));
    assert_eq!(metrics(&world).get("tidyd_errors_total", &[("room", "panic")]), None);
    assert_eq!(daemon.stop(), 0);
}
