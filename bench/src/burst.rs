//! Very many files that arrive while tidyd watches: is any missed, and how long until all are filed?

use std::fs;
use std::io;
use std::path::Path;
use std::time::Instant;

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};

use crate::Common;
use crate::house::{self, House, count, on_disk};
use crate::report::Report;
use crate::run::Taken;
use crate::tree::{self, Shape};

/// Which runs.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    shape: Shape,
    /// Only these, by their names in the table (repeatable).
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
}

/// What happens below the watched folder; then all that is there must have been filed.
type Scene = fn(&Options, &Path, u32) -> io::Result<()>;

const SCENES: [(&str, Scene); 5] = [
    ("one directory", one_directory),
    ("deep copy", deep_copy),
    ("many folders", many_folders),
    ("overflow", overflow),
    ("made and removed", made_and_removed),
];

pub(crate) fn run(options: &Options) -> io::Result<()> {
    let common = &options.common;
    fs::create_dir_all(&common.scratch)?;
    let mut report = Report::new("files that arrive", "one directory");
    report.note("tree", &options.shape);
    for _ in 0..common.runs {
        for (name, scene) in SCENES {
            if options.only.is_empty() || options.only.iter().any(|n| n == name) {
                measure(options, name, scene, &mut report)?;
            }
        }
    }
    report.finish(common.json.as_deref())
}

fn measure(options: &Options, name: &str, scene: Scene, report: &mut Report) -> io::Result<()> {
    let scratch = std::path::absolute(&options.common.scratch)?;
    let (inbox, sorted) = (scratch.join("inbox"), scratch.join("sorted"));
    house::emptied(&[&inbox, &sorted])?;
    let config = house::sorting(&inbox, &sorted, "500ms");
    let house = House::new(&options.common, "house", &config)?;
    let service = house.start()?;
    let (idle, begin) = (service.memory("VmRSS"), Instant::now());
    scene(options, &inbox, service.pid())?;
    let made = begin.elapsed().as_secs_f64();
    service.wait()?;
    let wall_s = begin.elapsed().as_secs_f64();
    let row = report.row(name, "", "");
    row.runs.push(Taken {
        wall_s,
        cpu_s: service.cpu(),
        peak: service.memory("VmHWM"),
        ..Taken::default()
    });
    row.store = Some(on_disk(&house));
    let mut more = |name: &str, value: f64| {
        row.more.insert(name.to_owned(), value);
    };
    more("missed", count(&inbox) as f64);
    more("filed", count(&sorted) as f64);
    more("making them s", made);
    more("RSS before MB", (idle / 1_000_000) as f64);
    more("RSS after MB", (service.memory("VmRSS") / 1_000_000) as f64);
    Ok(())
}

fn one_directory(options: &Options, inbox: &Path, _: u32) -> io::Result<()> {
    let shape =
        Shape { per_directory: options.shape.files, depth: 1, links: 0.0, ..options.shape.clone() };
    tree::make(&inbox.join("burst"), &shape).map(drop)
}

/// As `cp -r` makes it: directories and what is in them as fast as can be.
fn deep_copy(options: &Options, inbox: &Path, _: u32) -> io::Result<()> {
    let shape = Shape { per_directory: 4, depth: 6, links: 0.0, ..options.shape.clone() };
    tree::make(&inbox.join("copy"), &shape).map(drop)
}

/// A directory for every two files, each of which has to be watched.
fn many_folders(options: &Options, inbox: &Path, _: u32) -> io::Result<()> {
    let shape = Shape { per_directory: 2, depth: 8, links: 0.0, ..options.shape.clone() };
    tree::make(&inbox.join("folders"), &shape).map(drop)
}

/// The kernel's queue overflows while nobody reads it.
fn overflow(options: &Options, inbox: &Path, pid: u32) -> io::Result<()> {
    let pid = Pid::from_raw(pid.cast_signed()).ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir(inbox.join("there before"))?;
    kill_process(pid, Signal::STOP)?;
    let made = one_directory(options, inbox, 0);
    kill_process(pid, Signal::CONT)?;
    made
}

/// Trees that vanish while they are still being looked at, and one that stays.
fn made_and_removed(options: &Options, inbox: &Path, pid: u32) -> io::Result<()> {
    let shape = Shape { files: options.shape.files / 4, ..options.shape.clone() };
    for n in 0..3 {
        let at = inbox.join(format!("gone {n}"));
        tree::make(&at, &Shape { links: 0.0, depth: 4, ..shape.clone() })?;
        fs::remove_dir_all(at)?;
    }
    deep_copy(&Options { shape, common: options.common.clone(), only: Vec::new() }, inbox, pid)
}
