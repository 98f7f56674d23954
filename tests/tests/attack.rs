//! The control socket under attack: whatever is sent, or not read, others are answered, memory stays bounded, and the
//! daemon lives.
#![expect(clippy::disallowed_methods, reason = "puts its own scratch files where tidyd finds them")]

#[path = "../../protocol/tests/examples/mod.rs"]
#[expect(dead_code, reason = "the protocol's own tests use the rest")]
mod examples;

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use tidy_protocol::{
    Body, Call, Client, ClientError, ErrorCode, FileQuery, Hello, LogQuery, MAX_REPLY, MAX_REQUEST,
    Message, PROTOCOL, Request, ResolveQuery, Response, Selector, WirePath, decode, encode,
    read_frame, write_frame,
};
use tidy_tests::{Binary, Daemon, Random, Run, World, assert_same, binary, eventually, files};

/// Only a defect takes it.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long others may be kept waiting under attack, on a machine that does ten other things: a thousand times the
/// budget of an idle one, and far below what a lock or a queue without a bound would take.
const ANSWERED: Duration = Duration::from_secs(10);

/// Memory that an attack may cost, in KiB: what the limits of `docs/protocol.md` add up to, and room for the allocator.
const GROWTH: u64 = 300 << 10;

fn connect(world: &World) -> UnixStream {
    let mut socket = UnixStream::connect(world.socket()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    let hello = Hello { protocol: PROTOCOL, version: "attack".into() };
    // One that is turned away at once may not want to hear it.
    let _ = write_frame(&mut socket, &hello, MAX_REQUEST);
    socket
}

/// Past both hellos.
fn greeted(world: &World) -> UnixStream {
    let mut socket = connect(world);
    let theirs: Hello = decode(&read_frame(&mut socket, MAX_REPLY).unwrap().unwrap()).unwrap();
    assert_eq!(theirs.protocol, PROTOCOL);
    socket
}

fn framed(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], body].concat()
}

fn call(id: u64, request: &Request) -> Vec<u8> {
    framed(&encode(&Call::new(id, request).unwrap()).unwrap())
}

/// Somebody else asks, as `tidyctl` does, and is answered in time.
#[track_caller]
fn others_are_answered(world: &World) {
    let start = Instant::now();
    world.ctl(["status"]).ok();
    assert!(start.elapsed() < ANSWERED, "{:?}", start.elapsed());
}

/// Resident memory in KiB, where it can be told.
fn memory(daemon: &Daemon) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid().as_raw_nonzero()));
    let status = status.ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[track_caller]
fn memory_stayed_bounded(daemon: &Daemon, before: Option<u64>) {
    let Some((before, after)) = before.zip(memory(daemon)) else { return };
    assert!(after < before + GROWTH, "from {before} KiB to {after} KiB");
}

/// The last error about the connection, with everything before it.
fn refusal(socket: &mut UnixStream) -> Option<tidy_protocol::Error> {
    loop {
        let frame = read_frame(socket, MAX_REPLY).ok()??;
        match decode::<Message>(&frame) {
            Ok(Message { id: 0, body: Body::Error(error) }) => return Some(error),
            _ => continue,
        }
    }
}

#[test]
fn frames_that_are_none_end_their_connection_and_nothing_else() {
    let world = World::new();
    let mut daemon = world.start();
    let before = memory(&daemon);
    let status = encode(&Call::new(1, &Request::Status).unwrap()).unwrap();
    let deep = |byte: u8| [vec![byte; 500_000], vec![0]].concat();
    let max = MAX_REQUEST as usize;
    let attacks: Vec<(&str, Vec<u8>)> = vec![
        ("announced too long", u32::MAX.to_be_bytes().to_vec()),
        ("too long", [&(MAX_REQUEST + 1).to_be_bytes()[..], &vec![0; max + 1]].concat()),
        ("trailing bytes", framed(&[&status[..], b"\0"].concat())),
        ("two items", framed(&[&status[..], &status].concat())),
        ("empty", framed(&[])),
        ("nested arrays", framed(&deep(0x81))),
        ("nested maps", framed(&[b"\xa1\x61p".repeat(100_000), vec![0]].concat())),
        ("nested tags", framed(&deep(0xc1))),
        ("nested indefinite arrays", framed(&deep(0x9f))),
        ("a huge string", framed(b"\x7b\x7f\xff\xff\xff\xff\xff\xff\xff")),
        ("a huge array", framed(b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff")),
        (
            "a million items",
            framed(
                &[
                    b"\xa3\x62id\x01\x66method\x66rescan\x66params\x9a\x00\x0f\x00\x00",
                    &vec![0; 983_040][..],
                ]
                .concat(),
            ),
        ),
        ("no CBOR", framed(&[0xff; 64])),
        ("not a call", framed(&encode(&"hello").unwrap())),
    ];
    for (name, bytes) in attacks {
        let mut socket = greeted(&world);
        // It may hang up before all is sent.
        let _ = socket.write_all(&bytes);
        let error = refusal(&mut socket).unwrap_or_else(|| panic!("{name}: not told"));
        assert_eq!(error.code, ErrorCode::Malformed, "{name}");
        assert!(daemon.is_running(), "{name}");
    }
    // Cut off anywhere, and hung up.
    let whole = call(1, &Request::Status);
    for len in 0..whole.len() {
        greeted(&world).write_all(&whole[..len]).unwrap();
    }
    others_are_answered(&world);
    memory_stayed_bounded(&daemon, before);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn noise_is_survived() {
    let world = World::new();
    let mut daemon = world.start();
    let mut random = Random::new();
    let calls: Vec<Vec<u8>> = [
        Request::Status,
        Request::Log(LogQuery::default()),
        Request::Explain { path: std::path::Path::new("/a").into(), as_path: None },
    ]
    .iter()
    .map(|r| encode(&Call::new(1, r).unwrap()).unwrap())
    .collect();
    for round in 0..300 {
        let mut socket = greeted(&world);
        // A call with a few bytes changed: it gets far deeper than noise alone.
        let mut body = calls[round % calls.len()].clone();
        for _ in 0..=random.number() % 3 {
            let at = usize::try_from(random.number()).unwrap() % body.len();
            body[at] = random.number().to_be_bytes()[0];
        }
        socket.write_all(&framed(&body)).unwrap();
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        let _ = socket.read_to_end(&mut Vec::new());
        assert!(daemon.is_running(), "{body:02x?}");
    }
    others_are_answered(&world);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn unknown_methods_are_answered_by_name() {
    let world = World::new();
    let daemon = world.start();
    let mut socket = greeted(&world);
    let null = || ciborium::Value::Null;
    for (id, method) in
        (1..).zip(["dance", "", "STATUS", "status\0", "../status", &"x".repeat(60_000)])
    {
        let call = Call { id, method: method.into(), params: null() };
        socket.write_all(&framed(&encode(&call).unwrap())).unwrap();
        let answer: Message =
            decode(&read_frame(&mut socket, MAX_REPLY).unwrap().unwrap()).unwrap();
        let Body::Error(error) = answer.body else { panic!("{method}: {answer:?}") };
        assert_eq!((answer.id, error.code), (id, ErrorCode::UnknownMethod));
    }
    assert_eq!(daemon.stop(), 0);
}

fn answer(socket: &mut UnixStream) -> Message {
    decode(&read_frame(socket, MAX_REPLY).unwrap().unwrap()).unwrap()
}

/// Only by its beginning would it be in a watched folder.
#[test]
fn paths_that_lead_out_are_refused_whoever_asks() {
    let world = World::new();
    world.configure("watch = [\"~/Downloads\"]\nsettle = \"10ms\"\nconfine = false\n");
    world.write("Other/a.pdf", files::Sample::Pdf.content(1));
    let daemon = world.start();
    world.wait();
    let before = world.snapshot();
    let mut client = Client::connect(&world.socket(), "attack").unwrap();
    let out = || WirePath(world.downloads().join("../Other"));
    let paths = || vec![out()];
    let which = |folder, under| ResolveQuery {
        action: "trash".into(),
        folder,
        under,
        ..ResolveQuery::default()
    };
    for request in [
        Request::Organize { paths: paths(), dry_run: false },
        Request::Rescan { paths: paths() },
        Request::Pause { root: Some(out()) },
        Request::Explain { path: out(), as_path: None },
        Request::Explain { path: WirePath("/a".into()), as_path: Some(out()) },
        Request::File { path: WirePath("Downloads/a.pdf".into()) },
        Request::Log(LogQuery { path: Some(out()), ..LogQuery::default() }),
        Request::Files(FileQuery { under: Some(out()), ..FileQuery::default() }),
        Request::Rollback { selector: Selector::Path(out()), dry_run: false },
        Request::Resolve { which: which(None, Some(out())), dry_run: false },
        Request::Resolve { which: which(Some(out()), None), dry_run: false },
    ] {
        match client.call(&request) {
            Err(ClientError::Daemon(error)) => {
                assert_eq!(error.code, ErrorCode::BadRequest, "{request:?}: {error:?}");
                assert!(error.hint.is_some(), "{request:?}");
            }
            other => panic!("{request:?}: {other:?}"),
        }
    }
    assert_same(&before, &world.snapshot());
    assert_eq!(daemon.stop(), 0);
}

/// A frame holds a million bytes: what is said in them a thousand times is not done as often.
#[test]
fn one_call_cannot_ask_for_the_work_of_thousands() {
    let world = World::new();
    let daemon = world.start();
    world.ctl(["pause"]).ok();
    for n in 0..300 {
        world.write(format!("Downloads/{n}/a.pdf"), files::Sample::Pdf.content(n));
    }
    let before = memory(&daemon);
    let mut socket = greeted(&world);
    let paths = vec![WirePath(world.downloads()); 8_000];
    socket.write_all(&call(1, &Request::Organize { paths, dry_run: true })).unwrap();
    let Body::Result(plan) = answer(&mut socket).body else { panic!("no plan") };
    let Response::Plan(plan) = plan.deserialized().unwrap() else { panic!("no plan") };
    let moved = plan.steps.iter().filter(|s| s.kind == "move").count();
    assert_eq!(moved + plan.left.len(), 300, "each file once");

    let long = |text: &str| text.repeat(900_000 / text.len());
    let which =
        |protect| ResolveQuery { action: "trash".into(), protect, ..ResolveQuery::default() };
    for (id, request) in (2..).zip([
        Request::Files(FileQuery { name: Some(long("[")), ..FileQuery::default() }),
        Request::Files(FileQuery { name: Some(long("*a")), ..FileQuery::default() }),
        Request::Files(FileQuery {
            sort: Some("size".into()),
            cursor: Some(long("_")),
            ..FileQuery::default()
        }),
        Request::Log(LogQuery { rule: Some(long("x")), ..LogQuery::default() }),
        Request::Rollback { selector: Selector::Rule(long("x")), dry_run: true },
        Request::Resolve { which: which(vec!["**".into(); 60_000]), dry_run: true },
    ]) {
        socket.write_all(&call(id, &request)).unwrap();
        let frame = read_frame(&mut socket, MAX_REPLY).unwrap().unwrap();
        assert!(frame.len() < 8_192, "what was asked is not told back");
        let Body::Error(error) = decode::<Message>(&frame).unwrap().body else { panic!("{id}") };
        assert_eq!(error.code, ErrorCode::BadRequest, "{id}: {error:?}");
    }
    memory_stayed_bounded(&daemon, before);
    assert_eq!(daemon.stop(), 0);
}

/// A byte now and then, on as many connections as one client gets: each costs a connection and nothing more.
#[test]
fn slow_clients_take_only_their_own_places() {
    let world = World::new();
    let daemon = world.start();
    let mut slow: Vec<UnixStream> = (0..224).map(|_| greeted(&world)).collect();
    let bytes = [&MAX_REQUEST.to_be_bytes()[..], &[0x9f; 60]].concat();
    for byte in bytes {
        for socket in &mut slow {
            let _ = socket.write_all(&[byte]);
        }
        if byte == 0 {
            others_are_answered(&world);
        }
    }
    others_are_answered(&world);
    // The places are given back when they go.
    drop(slow);
    eventually("room for this client again", || {
        Client::connect(&world.socket(), "attack").is_ok().then_some(())
    });
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_flood_from_one_client_is_told_when_to_go_on() {
    const CALLS: u64 = 12_000;
    let world = World::new();
    let daemon = world.start();
    let before = memory(&daemon);
    let mut socket = greeted(&world);
    let mut writer = socket.try_clone().unwrap();
    let flood = std::thread::spawn(move || {
        (1..=CALLS).all(|id| writer.write_all(&call(id, &Request::Status)).is_ok())
    });
    let (mut answered, mut busy) = (0, 0);
    for n in 0..CALLS {
        let answer: Message =
            decode(&read_frame(&mut socket, MAX_REPLY).unwrap().unwrap()).unwrap();
        match answer.body {
            Body::Result(_) => answered += 1,
            Body::Error(error) => {
                assert_eq!(error.code, ErrorCode::Busy);
                assert!(error.retry_after_ms.is_some_and(|ms| ms > 0));
                busy += 1;
            }
            Body::Event(event) => panic!("{event:?}"),
        }
        if n == CALLS / 2 {
            others_are_answered(&world);
        }
    }
    assert!(flood.join().unwrap());
    assert!(answered > 0 && busy > 0, "{answered} answered, {busy} refused");
    memory_stayed_bounded(&daemon, before);
    assert_eq!(daemon.stop(), 0);
}

/// Every one of 1,000 connections is served or told `busy` with a time; never just closed.
#[test]
fn a_thousand_connections_are_served_or_told_to_come_back() {
    let world = World::new();
    let daemon = world.start();
    let (mut served, mut busy) = (Vec::new(), 0);
    for n in 0..1_000 {
        match Client::connect(&world.socket(), "attack") {
            Ok(client) => served.push(client),
            Err(ClientError::Daemon(error)) if error.code == ErrorCode::Busy => {
                assert!(error.retry_after_ms.is_some_and(|ms| ms > 0));
                busy += 1;
            }
            Err(other) => panic!("connection {n}: {other:?}"),
        }
    }
    assert_eq!((served.len(), busy), (224, 776));
    // All at once, from many threads.
    let socket = world.socket();
    std::thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| match Client::connect(&socket, "attack") {
                Err(ClientError::Daemon(error)) => assert_eq!(error.code, ErrorCode::Busy),
                other => panic!("{other:?}"),
            });
        }
    });
    others_are_answered(&world);
    assert!(matches!(served[0].call(&Request::Status), Ok(Response::Status(_))));
    drop(served);
    eventually("room again", || Client::connect(&world.socket(), "attack").is_ok().then_some(()));
    assert_eq!(daemon.stop(), 0);
}

/// They subscribe, or ask for long lists, and read nothing of it.
#[test]
fn clients_that_never_read_cost_others_nothing() {
    let world = World::new();
    files::make(&world.downloads(), 600);
    let daemon = world.start();
    world.wait_long();
    let before = memory(&daemon);
    let list = LogQuery { limit: Some(1_000), ..LogQuery::default() };
    let mut deaf: Vec<UnixStream> = (0..100)
        .map(|n| {
            let mut socket = connect(&world);
            socket.set_nonblocking(true).unwrap();
            let calls = (1..=12).flat_map(|id| match n % 2 {
                0 => call(id, &Request::Subscribe),
                _ => call(id, &Request::Log(list.clone())),
            });
            let bytes: Vec<u8> = calls.collect();
            match socket.write_all(&bytes) {
                Err(e) if e.kind() != ErrorKind::WouldBlock => panic!("{e}"),
                _ => socket,
            }
        })
        .collect();
    others_are_answered(&world);
    // There is something to tell, again and again.
    for n in 0..5 {
        world.write(format!("Downloads/later {n}.pdf"), files::Sample::Pdf.content(1_000 + n));
        world.wait();
        others_are_answered(&world);
    }
    memory_stayed_bounded(&daemon, before);
    deaf.clear();
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn the_socket_for_looking_looks_and_touches_nothing() {
    let world = World::new();
    let look = world.socket().with_file_name("look.sock");
    world.configure(&format!(
        "watch = [\"~/Downloads\"]\nsettle = \"200ms\"\nread-only = {{ socket = \"{}\" }}\n",
        look.display()
    ));
    world.write("Downloads/a.pdf", files::Sample::Pdf.content(1));
    let daemon = world.start();
    world.wait();
    let at = |arguments: &[&str]| {
        let socket = ["--socket", look.to_str().expect("a plain path")];
        world.ctl([&socket[..], arguments].concat())
    };
    for verb in [
        &["status"][..],
        &["log"],
        &["files"],
        &["errors"],
        &["doctor"],
        &["organize", "--dry-run"],
        &["rollback", "--last", "--dry-run"],
        &["wait"],
    ] {
        let run = at(verb);
        assert_eq!(run.code, 0, "{verb:?}: {run:?}");
    }
    let before = world.snapshot();
    for verb in [
        &["organize"][..],
        &["rollback", "--last", "--yes"],
        &["pause"],
        &["resume"],
        &["reload"],
        &["rescan"],
        &["cancel", "1"],
    ] {
        let run = at(verb);
        assert_eq!(run.code, 5, "{verb:?}: {run:?}");
        assert!(run.stderr.contains("it can look, and change nothing"), "{run:?}");
    }
    // And by hand, everything that there is.
    let mut refused = std::collections::BTreeSet::new();
    let really = |request| match request {
        Request::Redo { selector, .. } => Request::Redo { selector, dry_run: false },
        Request::Resolve { which, .. } => Request::Resolve { which, dry_run: false },
        other => other,
    };
    let all = examples::requests().into_iter().map(|(name, request)| (name, really(request)));
    for (name, request) in all.filter(|(_, request)| request.changes()) {
        let mut client = Client::connect(&look, "attack").unwrap();
        match client.call(&request) {
            Err(ClientError::Daemon(e)) if e.code == ErrorCode::Refused => {}
            other => panic!("{name}: {request:?}: {other:?}"),
        }
        refused.insert(Call::new(1, &request).unwrap().method);
    }
    let changing = [
        "cancel", "organize", "pause", "redo", "reload", "rescan", "resolve", "resume", "rollback",
        "shutdown",
    ];
    assert!(refused.iter().map(String::as_str).eq(changing), "{refused:?}");
    assert_same(&before, &world.snapshot());
    assert_eq!(world.ctl_json(["status"])["state"], "running");
    assert_eq!(daemon.stop(), 0);
    assert!(!look.exists(), "it goes with the daemon");
}

/// Another user, who is in the group.
#[test]
fn the_socket_for_looking_is_for_its_group() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    const GROUP: u32 = 54_321;
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped, because only root can be two users");
        return;
    }
    let world = World::new();
    let look = world.socket().with_file_name("look.sock");
    world.configure(&format!(
        "watch = [\"~/Downloads\"]\nread-only = {{ socket = \"{}\", group = \"{GROUP}\" }}\n",
        look.display()
    ));
    let daemon = world.start();
    let dir = look.parent().expect("a directory");
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    let asks = |user: u32, group: u32, socket: &std::path::Path| {
        let mut command = world.command(binary(Binary::Tidyctl));
        command.arg("--socket").arg(socket).args(["status", "--json"]);
        command.env("HOME", "/").current_dir("/").uid(user).gid(group);
        command
    };
    if let Err(error) = asks(65_534, GROUP, &look).output() {
        eprintln!("skipped, because another user cannot run the programs: {error}");
        return;
    }
    assert_eq!(Run::of(&mut asks(65_534, GROUP, &look)).code, 0);
    assert_eq!(Run::of(&mut asks(65_534, 65_534, &look)).code, 5, "not in the group");
    assert_eq!(Run::of(&mut asks(65_534, GROUP, &world.socket())).code, 5, "not the other socket");
    assert_eq!(daemon.stop(), 0);
}
