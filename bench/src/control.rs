//! Very many clients: how long does an answer take, with nothing else to do, while very many files are filed, beside
//! subscribers that do not read, and beside programs that ask for the dearest searches as fast as they are answered?

use std::fs;
use std::io;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use tidy_protocol::{Client, ClientError, ErrorCode, FileQuery, Request};

use crate::Common;
use crate::house::{self, House, count};
use crate::random::Random;
use crate::report::{Report, rank};
use crate::tree::{self, Shape};

/// Which runs.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// What is filed meanwhile.
    #[command(flatten)]
    shape: Shape,
    /// How long each is measured, in seconds.
    #[arg(long, default_value_t = 10, value_name = "N")]
    seconds: u64,
    /// How often each client asks in a second.
    #[arg(long, default_value_t = 10.0, value_name = "N")]
    rate: f64,
    /// Programs that ask for the dearest searches meanwhile, on four connections each; 0: not measured.
    #[arg(long, default_value_t = 30, value_name = "N")]
    hostile: u64,
}

/// Clients that ask, and subscribers that do not read.
const CROWDS: [(u64, u64); 4] = [(1, 0), (100, 0), (1_000, 0), (100, 100)];

pub(crate) fn run(options: &Options) -> io::Result<()> {
    let common = &options.common;
    fs::create_dir_all(&common.scratch)?;
    let mut report = Report::new("status, asked by many", "1 client");
    report.note("filed meanwhile", &options.shape);
    report.note("asked a second by each", options.rate);
    for _ in 0..common.runs {
        let scratch = std::path::absolute(&common.scratch)?;
        let (inbox, sorted, aside) =
            (scratch.join("inbox"), scratch.join("sorted"), scratch.join("aside"));
        house::emptied(&[&inbox, &sorted, &aside])?;
        let config = house::sorting(&inbox, &sorted, "100ms");
        let house = House::new(common, "house", &config)?;
        let service = house.start()?;
        let socket = house.socket();
        for busy in ["idle", "filing"] {
            for (n, (clients, stuck)) in CROWDS.into_iter().enumerate() {
                let tree = aside.join(format!("tree {n}"));
                if busy == "filing" {
                    // Another one each time: what is there already would only be compared.
                    let seed = options.shape.seed + n as u64;
                    tree::make(&tree, &Shape { seed, ..options.shape.clone() })?;
                    fs::rename(&tree, inbox.join(format!("tree {n}")))?;
                }
                let (cpu, begin) = (service.cpu(), Instant::now());
                let crowd = ask(&socket, clients, stuck, &Request::Status, options);
                let left = count(&inbox);
                let name = match (clients, stuck) {
                    (1, _) => "1 client".to_owned(),
                    (n, 0) => format!("{n} clients"),
                    (n, stuck) => format!("{n} clients, {stuck} stuck"),
                };
                let row = report.row(&name, busy, "status");
                row.runs.push(service.taken_since(begin, cpu));
                row.more.extend(crowd.told());
                row.more.insert("RSS MB".to_owned(), (service.memory("VmRSS") / 1_000_000) as f64);
                if busy == "filing" {
                    row.more.insert("not yet filed".to_owned(), left as f64);
                    service.wait()?;
                }
            }
        }
        if options.hostile == 0 {
            continue;
        }
        // Each of these alone, then beside them.
        for busy in ["idle", "searching"] {
            let hostile = if busy == "idle" { 0 } else { options.hostile };
            let floods: Vec<Flood> =
                (0..hostile).map(|_| Flood::start(&socket)).collect::<io::Result<_>>()?;
            for (name, request) in [("status", Request::Status), ("search", search())] {
                let (cpu, begin) = (service.cpu(), Instant::now());
                let crowd = ask(&socket, 1, 0, &request, options);
                let row = report.row(&format!("1 client, {name}"), busy, name);
                row.runs.push(service.taken_since(begin, cpu));
                row.more.extend(crowd.told());
                row.more.insert("hostile".to_owned(), hostile as f64);
            }
            drop(floods);
        }
    }
    report.finish(common.json.as_deref())
}

/// A search as people make it.
fn search() -> Request {
    Request::Files(FileQuery { name: Some("a".to_owned()), ..FileQuery::default() })
}

/// A program that floods; it ends when this is dropped.
struct Flood {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Flood {
    fn start(socket: &Path) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("control-flood").arg(socket).stdin(Stdio::piped());
        let mut child = command.spawn()?;
        Ok(Self { stdin: child.stdin.take(), child })
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

/// Asks for searches that look at everything, on four connections, until standard input ends.
pub(crate) fn flood(socket: &Path) {
    let dear = |text: &str, reverse| {
        let (fuzzy, limit) = (Some(text.to_owned()), Some(1_000));
        Request::Files(FileQuery { fuzzy, limit, reverse, ..FileQuery::default() })
    };
    for _ in 0..4 {
        let (socket, asked) =
            (socket.to_owned(), [dear("e", true), dear("pictrue somwhere", false)]);
        std::thread::spawn(move || {
            loop {
                let Ok(mut client) = Client::connect(&socket, "bench") else {
                    std::thread::sleep(Duration::from_millis(100));
                    continue;
                };
                while asked.iter().all(|request| client.call(request).is_ok()) {}
            }
        });
    }
    let _ = io::stdin().read_to_end(&mut Vec::new());
}

/// What came of a crowd.
#[derive(Default)]
struct Crowd {
    /// Milliseconds, sorted.
    took: Vec<f64>,
    /// Told to come back later.
    refused: u64,
    failed: u64,
}

impl Crowd {
    fn told(&self) -> Vec<(String, f64)> {
        let ranks = [50, 95, 99, 100].map(|p| (format!("p{p} ms"), rank(&self.took, p)));
        let counts = [
            ("answers", self.took.len() as f64),
            ("busy", self.refused as f64),
            ("failed", self.failed as f64),
        ];
        ranks.into_iter().chain(counts.map(|(name, n)| (name.to_owned(), n))).collect()
    }
}

fn ask(socket: &Path, clients: u64, stuck: u64, request: &Request, options: &Options) -> Crowd {
    let took = Mutex::new(Vec::new());
    let (refused, failed, over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let until = Instant::now() + Duration::from_secs(options.seconds);
    std::thread::scope(|scope| {
        for _ in 0..stuck {
            scope.spawn(|| {
                // Held, and never read.
                let mut client = Client::connect(socket, "bench");
                let _stream = client.as_mut().map(|client| client.stream(&Request::Subscribe));
                while !over.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(50));
                }
            });
        }
        let (took, refused, failed) = (&took, &refused, &failed);
        let askers: Vec<_> = (0..clients)
            .map(|n| {
                scope.spawn(move || {
                    let mine = asker((socket, request), n, until, options.rate, refused, failed);
                    took.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(mine);
                })
            })
            .collect();
        askers.into_iter().for_each(|asker| drop(asker.join()));
        over.store(true, Ordering::Relaxed);
    });
    let mut took = took.into_inner().unwrap_or_default();
    took.sort_by(f64::total_cmp);
    Crowd { took, refused: refused.into_inner(), failed: failed.into_inner() }
}

/// One client; returns how long each answer took. Told to come back later, it does.
fn asker(
    (socket, request): (&Path, &Request),
    n: u64,
    until: Instant,
    rate: f64,
    refused: &AtomicU64,
    failed: &AtomicU64,
) -> Vec<f64> {
    let mut random = Random::new(n);
    let mut pause = |share: f64| {
        let spread = random.below(1_000) as f64 / 1_000.0;
        std::thread::sleep(Duration::from_secs_f64(share * spread / rate));
    };
    let mut took = Vec::new();
    pause(1.0);
    while Instant::now() < until {
        let mut client = match Client::connect(socket, "bench") {
            Ok(client) => client,
            Err(e) => {
                let count = if is_busy(&e) { refused } else { failed };
                count.fetch_add(1, Ordering::Relaxed);
                pause(2.0);
                continue;
            }
        };
        while Instant::now() < until {
            let begin = Instant::now();
            match client.call(request) {
                Ok(_) => took.push(begin.elapsed().as_secs_f64() * 1_000.0),
                Err(e) => {
                    let count = if is_busy(&e) { refused } else { failed };
                    count.fetch_add(1, Ordering::Relaxed);
                    break;
                }
            }
            pause(2.0);
        }
    }
    took
}

fn is_busy(e: &ClientError) -> bool {
    matches!(e, ClientError::Daemon(e) if e.code == ErrorCode::Busy)
}
