//! Finding duplicates: tidyd beside the finders that are installed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::report::Report;
use crate::run::{Call, forget_disk, is_there, size_on_disk};
use crate::tree::Shape;
use crate::{Common, made};

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
    /// With the disk's cache dropped before each run, too (root only).
    #[arg(long)]
    cold: bool,
}

/// Somebody who finds duplicates, or only looks.
struct Contestant {
    name: &'static str,
    call: Call,
    /// Its memory from one run to the next, and whether it is to have it.
    memory: Option<(PathBuf, bool)>,
}

pub(crate) fn run(options: &Options) -> io::Result<()> {
    let scratch = &options.common.scratch;
    let tree = made(scratch, &options.shape)?;
    let mut report = Report::new("duplicates", "yadf");
    report.note("tree", &options.shape);
    report.note("made", fs::read_to_string(scratch.join("tree.json")).unwrap_or_default());
    let mut contestants = contestants(&options.common, &tree);
    contestants.retain(|c| options.only.is_empty() || options.only.iter().any(|n| n == c.name));
    contestants.retain(|c| {
        let there = is_there(&c.call.program);
        if !there {
            eprintln!("{} is left out: {} is not on the PATH", c.name, c.call.program);
        }
        there
    });
    let conditions: &[&str] = if options.cold { &["warm", "cold"] } else { &["warm"] };
    for condition in conditions {
        // Once for nothing: it fills the cache of the disk, and the memories.
        for contestant in &contestants {
            contestant.run(scratch, "warm")?;
        }
        for round in 0..options.common.runs {
            // Each round begins with another one.
            for at in 0..contestants.len() {
                let contestant = &contestants[(at + round) % contestants.len()];
                let taken = contestant.run(scratch, condition)?;
                let command =
                    format!("{} {:?}", contestant.call.program, contestant.call.arguments);
                let row = report.row(contestant.name, condition, &command);
                row.runs.push(taken);
                row.store = contestant.memory.as_ref().map(|(dir, _)| size_on_disk(dir));
            }
        }
    }
    // In the order in which they are named, not in that of the first round.
    let place = |name: &str| contestants.iter().position(|c| c.name == name);
    report.rows.sort_by_key(|row| (row.condition != "warm", place(&row.name)));
    report.finish(options.common.json.as_deref())
}

impl Contestant {
    fn run(&self, scratch: &Path, condition: &str) -> io::Result<crate::run::Taken> {
        if let Some((memory, keep)) = &self.memory {
            if !keep && memory.exists() {
                fs::remove_dir_all(memory)?;
            }
            fs::create_dir_all(memory)?;
            private(memory)?;
        }
        if condition == "cold" && !forget_disk() {
            return Err(io::Error::other("only root may drop the cache: leave --cold out"));
        }
        self.call.run(&scratch.join(format!("answer-{}", self.name)))
    }
}

fn private(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
}

fn contestants(common: &Common, tree: &Path) -> Vec<Contestant> {
    let own = std::env::current_exe().unwrap_or_default();
    let own = own.to_string_lossy().into_owned();
    let (first, second) = (common.scratch.join("cache-first"), common.scratch.join("cache-second"));
    let plain = |name, call| Contestant { name, call, memory: None };
    let tidyd = common.tidyd();
    vec![
        plain("walk and stat", Call::new(&own, &[&"floor-walk", &tree])),
        plain("read all", Call::new(&own, &[&"floor-read", &tree])),
        plain("find", Call::new("find", &[&tree, &"-type", &"f", &"-printf", &"%s %i %T@ %p\\n"])),
        Contestant {
            name: "tidyd first",
            call: Call::new(&tidyd, &[&"scan", &"--json", &"--cache", &first.as_path(), &tree]),
            memory: Some((first.clone(), false)),
        },
        Contestant {
            name: "tidyd second",
            call: Call::new(&tidyd, &[&"scan", &"--json", &"--cache", &second.as_path(), &tree]),
            memory: Some((second.clone(), true)),
        },
        plain("tidyd fresh", Call::new(&tidyd, &[&"scan", &"--json", &"--fresh", &tree])),
        plain("yadf", Call::new("yadf", &[&"--format", &"json", &tree])),
        plain("yadf blake3", Call::new("yadf", &[&"--format", &"json", &"-a", &"blake3", &tree])),
        plain("fclones", Call::new("fclones", &[&"group", &"--hidden", &"-f", &"json", &tree])),
        plain("jdupes", Call::new("jdupes", &[&"-r", &"-q", &"-j", &tree])),
        plain("jdupes -Q", Call::new("jdupes", &[&"-r", &"-q", &"-Q", &"-j", &tree])),
        plain(
            "rmlint",
            Call::new("rmlint", &[&"--hidden", &"-T", &"df", &"-o", &"json:stdout", &tree]),
        ),
        plain(
            "rdfind",
            Call::new("rdfind", &[&"-dryrun", &"true", &"-makeresultsfile", &"false", &tree]),
        ),
    ]
}
