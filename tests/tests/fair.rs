//! Many programs flood the control socket with the dearest questions: somebody else, who asks now and then, is never refused and
//! does not stand in their line.

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
        let mut command = Command::new(env!("CARGO_BIN_EXE_flood"));
        command.arg(world.socket()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        Self { stdin: child.stdin.take(), child }
    }

    fn was_refused(&mut self) {
        let said = BufReader::new(self.child.stdout.take().unwrap()).lines();
        let busy = said.map_while(Result::ok).any(|line| line == "busy");
        assert!(busy, "it ended without having been refused");
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
    floods.iter_mut().for_each(Flood::was_refused);

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
