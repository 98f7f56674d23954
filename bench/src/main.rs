//! bench: tidyd beside its peers and bare system calls, on trees of its own making. See `bench/README.md`.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "makes, moves and removes its own scratch files; its answers go to standard output"
)]

mod burst;
mod catalog;
mod control;
mod floor;
mod house;
mod idle;
mod organize;
mod random;
mod report;
mod run;
mod scan;
mod tree;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Measures tidyd, as ratios to peers and to bare system calls in one run.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Finding duplicates: first and second scan, beside the finders on the PATH.
    Scan(scan::Options),
    /// Very many operations: organize a tree and put it back, beside bare renames.
    Organize(organize::Options),
    /// Very many files that arrive at once: is any missed?
    Burst(burst::Options),
    /// With nothing to do: wake-ups, processor time and memory, before and after a burst.
    Idle(idle::Options),
    /// Very many clients: how long an answer takes, also while very many files are filed.
    Control(control::Options),
    /// A client of that which asks for the dearest searches.
    #[command(hide = true)]
    ControlFlood { socket: PathBuf },
    /// The catalog by itself: filling, opening, searching, its size after many changes.
    Catalog(catalog::Options),
    /// One step of that.
    #[command(hide = true)]
    CatalogStep(catalog::StepOptions),
    /// Makes a tree and says what is in it.
    Tree {
        dir: PathBuf,
        #[command(flatten)]
        shape: tree::Shape,
    },
    /// The floor: reads all directories and looks at every file.
    FloorWalk { dir: PathBuf },
    /// The floor: reads every byte.
    FloorRead { dir: PathBuf },
    /// The floor: moves every file there and back; prints how many seconds the way there took.
    FloorRename {
        from: PathBuf,
        to: PathBuf,
        /// Sync the folders concerned every so many files.
        #[arg(long, default_value_t = 0)]
        sync: u64,
    },
}

/// What all measurements share.
#[derive(Debug, Clone, Args)]
struct Common {
    /// Work in this directory, which is made, and kept: the tree in it is used again if its shape is the same.
    #[arg(long, value_name = "DIR")]
    scratch: PathBuf,
    /// How often each is measured, after once for nothing.
    #[arg(long, default_value_t = 5, value_name = "N")]
    runs: usize,
    /// Write everything that was measured into this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where `tidyd` and `tidyctl` are; otherwise beside this program.
    #[arg(long, value_name = "DIR")]
    bin: Option<PathBuf>,
}

impl Common {
    fn program(&self, name: &str) -> String {
        let own = std::env::current_exe().ok().and_then(|p| p.parent().map(Path::to_owned));
        let dir = self.bin.clone().or(own).unwrap_or_default();
        dir.join(name).to_string_lossy().into_owned()
    }

    fn tidyd(&self) -> String {
        self.program("tidyd")
    }
}

/// The tree of that shape in the scratch directory. Made by a process of its own: memory that this one has had would
/// count as that of everybody it starts.
fn made(scratch: &Path, shape: &tree::Shape) -> io::Result<PathBuf> {
    let (tree, note, done) =
        (scratch.join("tree"), scratch.join("shape.json"), scratch.join("tree.json"));
    let wanted = serde_json::to_string(shape).map_err(io::Error::other)?;
    if fs::read_to_string(&note).is_ok_and(|there| there == wanted) && tree.exists() {
        return Ok(tree);
    }
    if tree.exists() {
        fs::remove_dir_all(&tree)?;
    }
    fs::create_dir_all(scratch)?;
    eprintln!("making {} files in {} …", shape.files, tree.display());
    let own = std::env::current_exe()?;
    let call = run::Call::new(
        &own.to_string_lossy(),
        &[
            &"tree",
            &tree.as_path(),
            &format!("--files={}", shape.files).as_str(),
            &format!("--seed={}", shape.seed).as_str(),
            &format!("--median={}", shape.median).as_str(),
            &format!("--sigma={}", shape.sigma).as_str(),
            &format!("--largest={}", shape.largest).as_str(),
            &format!("--copies={}", shape.copies).as_str(),
            &format!("--same-size={}", shape.same_size).as_str(),
            &format!("--same-start={}", shape.same_start).as_str(),
            &format!("--links={}", shape.links).as_str(),
            &format!("--per-directory={}", shape.per_directory).as_str(),
            &format!("--depth={}", shape.depth).as_str(),
        ],
    );
    call.run(&done)?;
    fs::write(note, wanted)?;
    Ok(tree)
}

fn run(options: &Options) -> io::Result<()> {
    match &options.what {
        What::Scan(options) => scan::run(options)?,
        What::Organize(options) => organize::run(options)?,
        What::Burst(options) => burst::run(options)?,
        What::Idle(options) => idle::run(options)?,
        What::Control(options) => control::run(options)?,
        What::ControlFlood { socket } => control::flood(socket),
        What::Catalog(options) => catalog::run(options)?,
        What::CatalogStep(options) => {
            let said = catalog::step(options)?;
            println!("{}", serde_json::to_string(&said).map_err(io::Error::other)?);
        }
        What::Tree { dir, shape } => {
            let made = tree::make(dir, shape)?;
            println!("{}", serde_json::to_string(&made).map_err(io::Error::other)?);
        }
        What::FloorWalk { dir } => println!("{}", floor::walk(dir)?),
        What::FloorRead { dir } => println!("{}", floor::read(dir)?),
        What::FloorRename { from, to, sync } => println!("{}", floor::rename(from, to, *sync)?),
    }
    Ok(())
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
