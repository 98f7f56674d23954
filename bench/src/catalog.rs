//! The catalog by itself: filling, opening, searching, and its size after many rounds of change. Each step is a process of
//! its own, so that memory and opening are those of a fresh one.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueEnum};
use tidy_core::UnixNanos;
use tidy_core::category::Category;
use tidy_core::facts::{Digest, Identity};
use tidyd::catalog::{Catalog, Change, Entry, Filter, Fuzzy, NamePattern, Order, Outcome, SortBy};
use tidyd::store::{Store, StoreOptions};

use crate::Common;
use crate::random::Random;
use crate::report::{Report, rank};
use crate::run::{Call, size_on_disk};

/// Which runs.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// Files in the catalog.
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    files: u64,
    /// Rounds in each of which a tenth of the directories is written anew.
    #[arg(long, default_value_t = 20, value_name = "N")]
    rounds: u64,
}

/// One step, as a process of its own.
#[derive(Debug, Args)]
pub(crate) struct StepOptions {
    store: PathBuf,
    #[arg(value_enum)]
    step: Step,
    /// Files in the catalog; for `change`, the round is given too.
    files: u64,
    #[arg(default_value_t = 0)]
    round: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Step {
    Fill,
    Open,
    Change,
}

/// Files in a directory.
const EACH: u64 = 25;

pub(crate) fn run(options: &Options) -> io::Result<()> {
    let common = &options.common;
    fs::create_dir_all(&common.scratch)?;
    let mut report = Report::new("the catalog", "fill");
    report.note("files", options.files);
    let own = std::env::current_exe()?.to_string_lossy().into_owned();
    let answer = common.scratch.join("answer-catalog");
    for _ in 0..common.runs {
        let store = common.scratch.join("catalog");
        if store.exists() {
            fs::remove_dir_all(&store)?;
        }
        let step = |report: &mut Report, name: &str, what: &str, round: u64| -> io::Result<()> {
            let (files, round) = (options.files.to_string(), round.to_string());
            let arguments: [&dyn crate::run::AsArgument; 5] =
                [&"catalog-step", &store.as_path(), &what, &files.as_str(), &round.as_str()];
            let taken = Call::new(&own, &arguments).run(&answer)?;
            let said: BTreeMap<String, f64> =
                serde_json::from_str(&fs::read_to_string(&answer)?).map_err(io::Error::other)?;
            let row = report.row(name, "", what);
            row.runs.push(taken);
            row.more = said;
            row.store = Some(size_on_disk(&store));
            Ok(())
        };
        step(&mut report, "fill", "fill", 0)?;
        step(&mut report, "open and ask", "open", 0)?;
        for round in 1..=options.rounds {
            step(&mut report, &format!("change, round {round:02}"), "change", round)?;
        }
        step(&mut report, "open after changes", "open", 0)?;
    }
    report.finish(common.json.as_deref())
}

/// Carries one step out; returns what it measured, by name.
pub(crate) fn step(options: &StepOptions) -> io::Result<BTreeMap<&'static str, f64>> {
    let mut said = BTreeMap::new();
    let begin = Instant::now();
    let (store, _) =
        Store::open(&options.store, StoreOptions::default()).map_err(io::Error::other)?;
    let (catalog, _) = Catalog::open(&store).map_err(io::Error::other)?;
    said.insert("open s", begin.elapsed().as_secs_f64());
    match options.step {
        Step::Fill => {
            for dir in 0..options.files / EACH {
                catalog.put(&place(dir), entries(dir, 0)).map_err(io::Error::other)?;
            }
            catalog.flush().map_err(io::Error::other)?;
        }
        Step::Open => ask(&catalog, options.files, &mut said)?,
        Step::Change => {
            let mut random = Random::new(options.round);
            let dirs = options.files / EACH;
            for _ in 0..dirs / 10 {
                let dir = random.below(dirs);
                let changes = entries(dir, options.round).into_iter().map(Change::Put).collect();
                catalog.update(&place(dir), changes).map_err(io::Error::other)?;
            }
            catalog.flush().map_err(io::Error::other)?;
        }
    }
    // Closing it would sync once more.
    std::mem::forget((store, catalog));
    Ok(said)
}

fn ask(catalog: &Catalog, files: u64, said: &mut BTreeMap<&'static str, f64>) -> io::Result<()> {
    let mut random = Random::new(5);
    let mut timed = |names: [&'static str; 2],
                     times: usize,
                     ask: &mut dyn FnMut(&mut Random) -> io::Result<()>| {
        let mut took = Vec::with_capacity(times);
        for _ in 0..times {
            let begin = Instant::now();
            ask(&mut random)?;
            took.push(begin.elapsed().as_secs_f64() * 1000.0);
        }
        took.sort_by(f64::total_cmp);
        said.insert(names[0], rank(&took, 50));
        said.insert(names[1], rank(&took, 99));
        Ok::<_, io::Error>(())
    };
    timed(["search p50 ms", "search p99 ms"], 50, &mut |random| {
        let text = format!("{}", random.below(files));
        let filter = Filter { name: Some(NamePattern::new(text.as_ref())), ..Filter::default() };
        catalog.files(&filter, None, 100).map(drop).map_err(io::Error::other)
    })?;
    timed(["fuzzy search p50 ms", "fuzzy search p99 ms"], 20, &mut |random| {
        let text = format!("file {}", random.below(files));
        let fuzzy = Some(Fuzzy::new(text.as_ref()).map_err(io::Error::other)?);
        let filter = Filter { fuzzy, ..Filter::default() };
        catalog.list(&filter, None, None, 100).map(drop).map_err(io::Error::other)
    })?;
    timed(["largest 100 p50 ms", "largest 100 p99 ms"], 20, &mut |_| {
        let order = Some(Order { by: SortBy::Size, reverse: false });
        catalog.list(&Filter::default(), order, None, 100).map(drop).map_err(io::Error::other)
    })?;
    timed(["first 100 by name p50 ms", "first 100 by name p99 ms"], 20, &mut |_| {
        let order = Some(Order { by: SortBy::Name, reverse: false });
        catalog.list(&Filter::default(), order, None, 100).map(drop).map_err(io::Error::other)
    })?;
    timed(["statistics p50 ms", "statistics p99 ms"], 50, &mut |_| {
        catalog.stats().map(drop).map_err(io::Error::other)
    })?;
    timed(["sizes of a batch p50 ms", "sizes of a batch p99 ms"], 10, &mut |random| {
        let sizes: HashSet<u64> = (0..512).map(|_| size(random.below(files))).collect();
        catalog.each_of_sizes(&sizes, |_, _| ()).map_err(io::Error::other)
    })?;
    timed(["duplicates p50 ms", "duplicates p99 ms"], 3, &mut |_| {
        catalog.duplicates(1, None, 100).map(drop).map_err(io::Error::other)
    })
}

fn place(dir: u64) -> PathBuf {
    Path::new("/home/somebody/files").join(format!("{:03}/{:03}", dir / 200, dir % 200))
}

/// Log-normal, as sizes are.
fn size(n: u64) -> u64 {
    (8_000.0 * (1.6 * Random::new(n).normal()).exp()) as u64 + 1
}

fn entries(dir: u64, round: u64) -> Vec<Entry> {
    let kinds = ["image", "document", "audio", "archive"];
    let entry = |n: u64| {
        let time = UnixNanos(1_700_000_000_000_000_000 + (n as i64) * 1_000_003 + round as i64);
        let mut digest = [0; 32];
        Random::new(n / 2).fill(&mut digest);
        Entry {
            name: format!("picture of somewhere {n:07}.jpg").into(),
            id: Identity { ino: n + 12, size: size(n), mtime: time, birth: Some(time) },
            category: Some(Category::new(kinds[(n % 4) as usize])),
            outcome: Outcome::Filed { op: n },
            revisit: None,
            head: n.is_multiple_of(5).then_some([n as u8; 16]),
            digest: n.is_multiple_of(5).then_some(Digest(digest)),
        }
    };
    (dir * EACH..(dir + 1) * EACH).map(entry).collect()
}
