//! A service with nothing to do: how often does it wake, what time does it take, and how much memory does it keep, with
//! nothing known, with files that lie there, while others read those, and after a burst?

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;

use crate::Common;
use crate::house::{self, House, Service, on_disk};
use crate::report::Report;
use crate::run::Taken;
use crate::tree::{self, Shape};

/// Which runs.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// The burst.
    #[command(flatten)]
    shape: Shape,
    /// How long it is watched each time, in seconds.
    #[arg(long, default_value_t = 120, value_name = "N")]
    seconds: u64,
    /// How long it is left alone before, in seconds: what is done now and then has been done by then.
    #[arg(long, default_value_t = 40, value_name = "N")]
    rest: u64,
}

pub(crate) fn run(options: &Options) -> io::Result<()> {
    let common = &options.common;
    fs::create_dir_all(&common.scratch)?;
    let mut report = Report::new("with nothing to do", "idle");
    report.note("burst", &options.shape);
    for _ in 0..common.runs {
        let scratch = std::path::absolute(&common.scratch)?;
        let (inbox, sorted) = (scratch.join("inbox"), scratch.join("sorted"));
        house::emptied(&[&inbox, &sorted])?;
        let house = House::new(common, "house", &config(&inbox, &sorted))?;
        let service = house.start()?;
        watch(options, &house, &service, "idle", &mut report)?;
        let lying = inbox.join("lying");
        tree::make(&lying, &options.shape)?;
        service.wait()?;
        watch(options, &house, &service, "idle, files lie there", &mut report)?;
        others_read(options, &house, &service, &lying, &mut report)?;
        tree::make(&inbox.join("burst"), &options.shape)?;
        service.wait()?;
        watch(options, &house, &service, "idle, after the burst", &mut report)?;
        drop(service);
        let service = house.start()?;
        watch(options, &house, &service, "idle, started with that", &mut report)?;
    }
    report.finish(common.json.as_deref())
}

/// Only what comes into one folder is filed.
fn config(inbox: &Path, sorted: &Path) -> String {
    house::sorting(inbox, sorted, "500ms").replace("when = {}", "when = { path = \"burst/**\" }")
}

/// The same while another program reads every file below `dir` over and over, as a search or a backup does.
fn others_read(
    options: &Options,
    house: &House,
    service: &Service<'_>,
    dir: &Path,
    report: &mut Report,
) -> io::Result<()> {
    const NAME: &str = "others read them";
    let (stop, read) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                read.fetch_add(read_all(dir, &stop), Ordering::Relaxed);
            }
        });
        let watched = watch(options, house, service, NAME, report);
        stop.store(true, Ordering::Relaxed);
        watched
    })?;
    let seconds = (options.rest + options.seconds) as f64;
    let rate = read.load(Ordering::Relaxed) as f64 / seconds;
    report.row(NAME, "", "").more.insert("files read /s".into(), rate.round());
    Ok(())
}

/// Reads every file; returns how many.
fn read_all(dir: &Path, stop: &AtomicBool) -> u64 {
    let mut read = 0;
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        read += match entry.file_type() {
            Ok(kind) if kind.is_dir() => read_all(&entry.path(), stop),
            Ok(kind) if kind.is_file() => u64::from(fs::read(entry.path()).is_ok()),
            _ => 0,
        };
    }
    read
}

fn watch(
    options: &Options,
    house: &House,
    service: &Service<'_>,
    name: &str,
    report: &mut Report,
) -> io::Result<()> {
    let at_once = service.memory("VmRSS");
    std::thread::sleep(Duration::from_secs(options.rest));
    let (begin, cpu, before) = (Instant::now(), service.cpu(), service.switches()?);
    std::thread::sleep(Duration::from_secs(options.seconds));
    let wall_s = begin.elapsed().as_secs_f64();
    let after = service.switches()?;
    let row = report.row(name, "", "");
    let cpu_s = service.cpu() - cpu;
    let peak = service.memory("VmHWM");
    row.runs.push(Taken { wall_s, cpu_s, peak, ..Taken::default() });
    row.store = Some(on_disk(house));
    let per_minute = |n: u64| n as f64 / wall_s * 60.0;
    let mut all = 0;
    for (thread, count) in &after {
        let woken = count.saturating_sub(before.get(thread).copied().unwrap_or(0));
        all += woken;
        if woken > 0 {
            row.more.insert(format!("{} /min", thread.1), per_minute(woken).round());
        }
    }
    row.more.insert("wake-ups /min".into(), per_minute(all).round());
    row.more.insert("threads".into(), after.len() as f64);
    row.more.insert("RSS at once MB".into(), (at_once / 1_000_000) as f64);
    row.more.insert("RSS MB".into(), (service.memory("VmRSS") / 1_000_000) as f64);
    Ok(())
}
