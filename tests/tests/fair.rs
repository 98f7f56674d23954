//! Many programs flood the control socket with the dearest questions, or hold all of its connections: somebody else, who asks now
//! and then, is never refused and does not stand in their line.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};

use tidy_protocol::{Client, FileQuery, Request, Response};
use tidy_tests::{World, files};

/// Programs, more than can have all the calls in flight that they want.
const FLOODS: usize = 12;

/// One flood; it ends when it is dropped.
struct Flood {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Flood {
    /// Goes on once it was told that it asks too much.
    fn start(world: &World) -> Self {
        Self::start_with(world, &[])
    }

    fn start_with(world: &World, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flood"));
        command.arg(world.socket()).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        Self { stdin: child.stdin.take(), child }
    }

    fn has_said(&mut self, what: &str) {
        let said = BufReader::new(self.child.stdout.take().unwrap()).lines();
        assert!(said.map_while(Result::ok).any(|line| line == what), "it ended without {what}");
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

/// A number of the metrics.
fn metric(client: &mut Client, name: &str) -> u64 {
    let Ok(Response::Metrics(metrics)) = client.call(&Request::Metrics) else {
        panic!("no metrics")
    };
    let line = metrics.text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let number = line.and_then(|line| line.split(' ').next()?.parse::<f64>().ok());
    number.unwrap_or_else(|| panic!("no {name} in {}", metrics.text)) as u64
}

#[test]
fn who_asks_now_and_then_is_served_while_others_flood() {
    const WAITING: &str = "tidyd_requests_waiting{weight=\"query\"}";
    const ANSWERED: &str = "tidyd_request_seconds_count{method=\"files\"}";
    const REFUSED: &str = "tidyd_requests_refused_total{reason=\"busy\"}";
    let world = World::new();
    files::make(&world.downloads(), 2_000);
    let daemon = world.start();
    world.wait_long();
    let mut floods: Vec<Flood> = (0..FLOODS).map(|_| Flood::start(&world)).collect();
    floods.iter_mut().for_each(|flood| flood.has_said("busy"));

    let mut client = Client::connect(&world.socket(), "fair").unwrap();
    let refused = metric(&mut client, REFUSED);
    for _ in 0..20 {
        for request in [
            Request::Status,
            Request::Health,
            Request::Jobs,
            Request::Pause { root: None },
            Request::Resume { root: None },
        ] {
            let answer = client.call(&request);
            assert!(answer.is_ok(), "{request:?}: {answer:?}");
        }
    }
    let find = || Request::Files(FileQuery { name: Some("a".into()), ..FileQuery::default() });
    for _ in 0..5 {
        let (waiting, before) = (metric(&mut client, WAITING), metric(&mut client, ANSWERED));
        let answer = client.call(&find());
        assert!(matches!(answer, Ok(Response::Files(_))), "{answer:?}");
        let meanwhile = metric(&mut client, ANSWERED) - before;
        assert!(waiting > 100, "{waiting} wait: there is no flood");
        assert!(meanwhile < waiting / 2, "{meanwhile} of {waiting} came first");
    }
    // And what people do: a new program each time.
    for verb in [&["status"][..], &["files", "a"], &["log", "--limit", "3"]] {
        world.ctl(verb).ok();
    }
    assert!(metric(&mut client, REFUSED) > refused, "the others are still refused");
    drop(floods);
    assert_eq!(daemon.stop(), 0);
}

/// A thousand connections, half of them with a subscription, of one program and of a hundred. Each comes back for what it loses.
#[test]
fn all_connections_are_held_and_somebody_else_gets_one() {
    const CLOSED: &str = "tidyd_connections_closed_total{reason=\"displaced\"}";
    for (programs, each) in [(1, "1000"), (100, "10")] {
        let world = World::new();
        let daemon = world.start();
        // Of one that was there before, and has no more than others, nothing is taken.
        let mut before = Client::connect(&world.socket(), "fair").unwrap();
        let mut stream = before.stream(&Request::Subscribe).unwrap();
        let state = stream.next().unwrap().unwrap();
        assert!(matches!(state, tidy_protocol::Event::State(_)), "{state:?}");
        let mut holders: Vec<Flood> =
            (0..programs).map(|_| Flood::start_with(&world, &[each])).collect();
        holders.iter_mut().for_each(|flood| flood.has_said("tried"));
        for _ in 0..20 {
            let mut client = Client::connect(&world.socket(), "fair")
                .unwrap_or_else(|e| panic!("{programs} programs kept it out: {e:?}"));
            assert!(matches!(client.call(&Request::Status), Ok(Response::Status(_))));
        }
        for verb in [&["status"][..], &["log"], &["pause"], &["health"]] {
            world.ctl(verb).ok();
        }
        let paused = |event: &_| matches!(event, Ok(tidy_protocol::Event::Paused { .. }));
        assert!(stream.any(|event| paused(&event)), "it lost its connection");
        let mut client = Client::connect(&world.socket(), "fair").unwrap();
        assert!(programs == 1 || metric(&mut client, CLOSED) > 20, "there was no crowd");
        drop(holders);
        assert_eq!(daemon.stop(), 0);
    }
}
