//! Very many operations: organize a tree, put it back, beside bare renames of the same files.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Instant;

use clap::Args;

use crate::house::{House, count, on_disk};
use crate::report::Report;
use crate::run::{Call, Taken};
use crate::tree::Shape;
use crate::{Common, made};

/// Which runs.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    shape: Shape,
}

pub(crate) fn run(options: &Options) -> io::Result<()> {
    let (common, files) = (&options.common, options.shape.files);
    let tree = made(&common.scratch, &options.shape)?;
    let mut report = Report::new("organize and roll back", "bare renames");
    report.note("tree", &options.shape);
    let (tree, scratch) = (fs::canonicalize(tree)?, fs::canonicalize(&common.scratch)?);
    let sorted = scratch.join("sorted");
    let config = format!(
        "watch = [{tree:?}]\nbreaker = false\nsettle = \"200ms\"\n\
         duplicates = {{ others = {{ folder = {copies:?} }} }}\n\
         [[rule]]\nname = \"all\"\nwhen = {{}}\nmove = {to:?}\n[default]\n",
        copies = sorted.join("copies"),
        to = sorted.join("{ext}/")
    );
    for _ in 0..common.runs {
        bare(common, &tree, files, &mut report)?;
        let house = House::new(common, "house", &config)?;
        // Its destinations are made anew, but for the one above them: it is what tidyd may write to.
        fs::create_dir_all(&sorted)?;
        let before = count(&tree);
        let once = house.tidyd(&["--once"]);
        let taken = once.run(&house.answer())?;
        let left = count(&tree);
        let row = report.row("tidyd --once", "", "tidyd --once");
        row.runs.push(taken);
        row.store = Some(on_disk(&house));
        let filed = before - left;
        row.more.insert("files/s".into(), (filed as f64 / taken.wall_s).round());
        row.more.insert("left".into(), left as f64);

        let begin = Instant::now();
        let service = house.start()?;
        let row = report.row("start", "", "tidyd, until it waits");
        let up = begin.elapsed().as_secs_f64();
        row.runs.push(Taken { wall_s: up, cpu_s: service.cpu(), ..Taken::default() });
        row.more.insert("RSS MB".into(), (service.memory("VmRSS") / 1_000_000) as f64);
        let cpu = service.cpu();
        let mut taken = house.ctl(&["rollback", "--batch", "1", "--yes"]).run(&house.answer())?;
        taken.cpu_s = service.cpu() - cpu;
        taken.peak = service.memory("VmHWM");
        let row = report.row("rollback", "", "tidyctl rollback --batch 1");
        row.runs.push(taken);
        row.store = Some(on_disk(&house));
        row.more.insert("missing".into(), before.abs_diff(count(&tree)) as f64);
        drop(service);
        if sorted.exists() {
            fs::remove_dir_all(&sorted)?;
        }
    }
    report.finish(common.json.as_deref())
}

/// Every file there and back, in one process, with the folders synced as often as tidyd does.
fn bare(common: &Common, tree: &Path, files: u64, report: &mut Report) -> io::Result<()> {
    let own = std::env::current_exe()?;
    let to = common.scratch.join("bare");
    for (name, sync) in [("bare renames", 0), ("renames and syncs", 512)] {
        let sync_option = format!("--sync={sync}");
        let arguments: [&dyn crate::run::AsArgument; 4] =
            [&"floor-rename", &tree, &to.as_path(), &sync_option.as_str()];
        let taken = Call::new(&own.to_string_lossy(), &arguments)
            .run(&common.scratch.join("answer-bare"))?;
        // It puts them back itself, and says how long the way there took.
        let there = fs::read_to_string(common.scratch.join("answer-bare"))?;
        let wall_s = there.trim().parse().map_err(io::Error::other)?;
        let row = report.row(name, "", "bench floor-rename");
        row.runs.push(Taken { wall_s, ..taken });
        row.more.insert("files/s".into(), (files as f64 / wall_s).round());
    }
    Ok(())
}
