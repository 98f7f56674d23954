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
use tidyd::catalog::{
    Catalog, Change, Cursor, Entry, Filter, Fuzzy, NamePattern, Order, Outcome, OutcomeKind, SortBy,
};
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
    /// Asks only what has this in its name.
    #[arg(long, default_value = "")]
    only: String,
    /// Asks so many times as often.
    #[arg(long, default_value_t = 1)]
    times: usize,
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
pub(crate) fn step(options: &StepOptions) -> io::Result<BTreeMap<String, f64>> {
    let mut said = BTreeMap::new();
    let begin = Instant::now();
    let (store, _) =
        Store::open(&options.store, StoreOptions::default()).map_err(io::Error::other)?;
    let (catalog, _) = Catalog::open(&store).map_err(io::Error::other)?;
    said.insert("open s".to_owned(), begin.elapsed().as_secs_f64());
    match options.step {
        Step::Fill => {
            for dir in 0..options.files / EACH {
                catalog.put(&place(dir), entries(dir, 0)).map_err(io::Error::other)?;
            }
            catalog.flush().map_err(io::Error::other)?;
        }
        Step::Open => ask(&catalog, options, &mut said)?,
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

/// What is measured of one kind of question: its name, how often it is asked, and the question.
type Asked<'a> = (&'static str, usize, Box<dyn FnMut(&mut Random) -> io::Result<()> + 'a>);

fn ask(
    catalog: &Catalog,
    options: &StepOptions,
    said: &mut BTreeMap<String, f64>,
) -> io::Result<()> {
    let files = options.files;
    let list = move |filter: &Filter, order: Option<Order>, after: Option<Cursor>| {
        catalog.list(filter, order, after, 100).map_err(io::Error::other)
    };
    let named =
        |text: &str| Filter { name: Some(NamePattern::new(text.as_ref())), ..Filter::default() };
    let fuzzy = |text: &str| {
        let fuzzy = Some(Fuzzy::new(text.as_ref()).map_err(io::Error::other)?);
        Ok::<_, io::Error>(Filter { fuzzy, ..Filter::default() })
    };
    // The floor: nothing else can tell which names have a word in them.
    let names: String = (0..files).map(|n| name(n) + "/").collect();
    let mut asked: Vec<Asked<'_>> = vec![
        (
            "floor: every name, for a word that none has",
            50,
            Box::new(|r| {
                let word = format!("{}_", r.below(files));
                let found = memchr::memmem::find(names.as_bytes(), word.as_bytes());
                found.map_or(Ok(()), |at| Err(io::Error::other(format!("{word} is at {at}"))))
            }),
        ),
        ("name", 50, Box::new(|r| list(&named(&r.below(files).to_string()), None, None).map(drop))),
        (
            "glob",
            50,
            Box::new(|r| list(&named(&format!("*{}.jp?", r.below(files))), None, None).map(drop)),
        ),
        ("glob by its end", 20, Box::new(|_| list(&named("*.t?t"), None, None).map(drop))),
        ("glob by its beginning", 20, Box::new(|_| list(&named("[a-c]*"), None, None).map(drop))),
        // Nothing in memory rules a page out.
        (
            "glob without a word",
            20,
            Box::new(|r| list(&named(&format!("*[x-z]*[{}]?", r.below(10))), None, None).map(drop)),
        ),
        (
            "fuzzy, few",
            20,
            Box::new(|r| {
                list(&fuzzy(&format!("picture {}", r.below(files)))?, None, None).map(drop)
            }),
        ),
        (
            "fuzzy, a slip",
            20,
            Box::new(|_| list(&fuzzy("pictrue somwhere")?, None, None).map(drop)),
        ),
        ("fuzzy, all", 20, Box::new(|_| list(&fuzzy("picture")?, None, None).map(drop))),
        ("fuzzy, none", 20, Box::new(|_| list(&fuzzy("invoice")?, None, None).map(drop))),
        (
            "one category by size",
            20,
            Box::new(|_| {
                let filter = Filter { category: Some(Category::new("audio")), ..Filter::default() };
                list(&filter, Some(Order { by: SortBy::Size, reverse: false }), None).map(drop)
            }),
        ),
        (
            "digest",
            20,
            Box::new(|r| {
                let filter =
                    Filter { digest: Some(Digest(digest(r.below(files)))), ..Filter::default() };
                list(&filter, None, None).map(drop)
            }),
        ),
        (
            "left",
            20,
            Box::new(|_| {
                let filter = Filter { outcome: Some(OutcomeKind::Left), ..Filter::default() };
                list(&filter, None, None).map(drop)
            }),
        ),
        (
            "more than 20,000?",
            20,
            Box::new(|_| {
                catalog.exceeds(&named("picture"), 20_000).map(drop).map_err(io::Error::other)
            }),
        ),
        ("statistics", 50, Box::new(|_| catalog.stats().map(drop).map_err(io::Error::other))),
        (
            "sizes of a batch",
            10,
            Box::new(|r| {
                let sizes: HashSet<u64> = (0..512).map(|_| size(r.below(files))).collect();
                catalog.each_of_sizes(&sizes, |_, _| ()).map_err(io::Error::other)
            }),
        ),
        (
            "duplicates",
            3,
            Box::new(|_| catalog.duplicates(1, None, 100).map(drop).map_err(io::Error::other)),
        ),
    ];
    for (by, first, inside) in [
        (SortBy::Name, "by name", "by name, a page inside"),
        (SortBy::Size, "by size", "by size, a page inside"),
        (SortBy::Age, "by age", "by age, a page inside"),
        (SortBy::Path, "by path", "by path, a page inside"),
    ] {
        let order = Some(Order { by, reverse: false });
        asked.push((first, 20, Box::new(move |_| list(&Filter::default(), order, None).map(drop))));
        asked.push((
            inside,
            20,
            Box::new(move |r| {
                list(&Filter::default(), order, Some(inside_of(by, r.below(files))?)).map(drop)
            }),
        ));
    }
    let mut random = Random::new(5);
    for (what, times, mut ask) in
        asked.into_iter().filter(|(what, ..)| what.contains(&options.only))
    {
        let times = times * options.times;
        let mut took = Vec::with_capacity(times);
        let (before, mut most) = (processor_ms(), 0.0_f64);
        for _ in 0..times {
            let (begin, processor) = (Instant::now(), processor_ms());
            ask(&mut random)?;
            took.push(begin.elapsed().as_secs_f64() * 1000.0);
            most = most.max(processor_ms() - processor);
        }
        said.insert(format!("{what} cpu ms"), (processor_ms() - before) / times as f64);
        said.insert(format!("{what} cpu most ms"), most);
        took.sort_by(f64::total_cmp);
        said.insert(format!("{what} p50 ms"), rank(&took, 50));
        said.insert(format!("{what} p99 ms"), rank(&took, 99));
    }
    Ok(())
}

/// Processor time of this process so far, on all threads: other work on the machine disturbs it less than the clock.
fn processor_ms() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1000.0 + time.tv_nsec as f64 / 1e6
}

/// The cursor after one file of the list in that order: made by hand, as the daemon would hand it out there.
fn inside_of(by: SortBy, n: u64) -> io::Result<Cursor> {
    let order = Order { by, reverse: false };
    let entry = entry(n, 0);
    let number = match by {
        SortBy::Size => u64::MAX - entry.id.size,
        SortBy::Age => u64::MAX - (entry.id.mtime.0.cast_unsigned() ^ (1 << 63)),
        SortBy::Name | SortBy::Path | SortBy::Score => 0,
    };
    let code = SortBy::ALL.iter().position(|one| *one == by).unwrap_or_default() as u8 + 1;
    let path = place(n / EACH).join(entry.name);
    let bytes = [&[code][..], &number.to_be_bytes(), path.as_os_str().as_encoded_bytes()].concat();
    Cursor::from_bytes(&bytes, Some(order)).ok_or_else(|| io::Error::other("not a cursor"))
}

fn place(dir: u64) -> PathBuf {
    Path::new("/home/somebody/files").join(format!("{:03}/{:03}", dir / 200, dir % 200))
}

/// Log-normal, as sizes are.
fn size(n: u64) -> u64 {
    (8_000.0 * (1.6 * Random::new(n).normal()).exp()) as u64 + 1
}

/// Every second one is a copy of the one before.
fn digest(n: u64) -> [u8; 32] {
    let mut digest = [0; 32];
    Random::new(n / 2).fill(&mut digest);
    digest
}

fn name(n: u64) -> String {
    format!("picture of somewhere {n:07}.jpg")
}

fn entries(dir: u64, round: u64) -> Vec<Entry> {
    (dir * EACH..(dir + 1) * EACH).map(|n| entry(n, round)).collect()
}

fn entry(n: u64, round: u64) -> Entry {
    const TEN_YEARS: u64 = 315_576_000_000_000_000;
    let kinds = ["image", "document", "audio", "archive"];
    let age = Random::new(n ^ 0x5eed).below(TEN_YEARS).cast_signed();
    let time = UnixNanos(1_700_000_000_000_000_000 - age + round.cast_signed());
    Entry {
        name: name(n).into(),
        id: Identity { ino: n + 12, size: size(n), mtime: time, birth: Some(time) },
        category: Some(Category::new(kinds[(n % 4) as usize])),
        outcome: Outcome::Filed { op: n },
        revisit: None,
        head: n.is_multiple_of(5).then_some([n as u8; 16]),
        digest: n.is_multiple_of(5).then_some(Digest(digest(n))),
    }
}
