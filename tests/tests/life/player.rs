//! One life: a home, the daemon in it, what must be there, and what has been done so far.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Child;

use tempfile::TempDir;
use tidy_tests::{Daemon, World};

use super::configs::{self, Config};
use super::disk::{self, Found};
use super::model::Model;
use super::random::Random;
use super::{service, user};

/// Most lives are lived between these many things done at once without looking whether all is well.
const QUIET: usize = 9;

pub(crate) struct Life {
    pub(crate) seed: u64,
    /// Whether the catalog may never be late.
    pub(crate) strict: bool,
    /// `None` while it is down. Goes before the world, where it has its output.
    pub(crate) daemon: Option<Daemon>,
    pub(crate) world: World,
    /// A directory on another file system, where there is one.
    pub(crate) away: Option<TempDir>,
    pub(crate) model: Model,
    pub(crate) config: &'static Config,
    pub(crate) paused: bool,
    /// Files somebody is still writing.
    pub(crate) writers: Vec<Writer>,
    /// A program of ours that is still running beside what the user does.
    pub(crate) asked: Option<(String, Child)>,
    /// Names that must stay where they are, with their inodes: hard-linked and special files, projects.
    pub(crate) fixed: BTreeMap<PathBuf, u64>,
    /// Names that the user has made, taken or removed.
    pub(crate) hands: HashSet<PathBuf>,
    /// What was a project may be none any more. tidyd does not watch the inside of projects, and finds that out when it
    /// looks through everything.
    pub(crate) project_ended: bool,
    /// Files that have had several names: what is written under one of them is not noticed under another.
    pub(crate) linked: HashSet<u64>,
    /// Copies by rule that are accounted for: that are on record, and those that may have been made and are not.
    pub(crate) copies: (usize, usize),
    pub(crate) contents: u32,
    pub(crate) kills: u32,
    pub(crate) counts: Counts,
    step: u32,
    script: Vec<String>,
}

/// A file that is open for writing.
pub(crate) struct Writer {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
    /// It was open before it had a name that anybody knew.
    pub(crate) from_birth: bool,
}

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) steps: u64,
    /// Comparisons with the model.
    pub(crate) checks: u64,
    pub(crate) operations: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self) {
        self.steps += other.steps;
        self.checks += other.checks;
        self.operations += other.operations;
    }
}

impl Life {
    pub(crate) fn new(seed: u64, strict: bool) -> Self {
        let world = World::new();
        let config = &configs::ALL[0];
        let away = tempfile::tempdir_in("/dev/shm").ok().filter(|dir| is_elsewhere(dir.path()));
        world.configure(&config.text(away.as_ref().map(TempDir::path)));
        std::fs::create_dir(world.home().join("Inbox")).expect("own directory");
        Self {
            seed,
            strict,
            daemon: Some(world.start()),
            world,
            away,
            hands: HashSet::new(),
            model: Model::default(),
            config,
            paused: false,
            writers: Vec::new(),
            asked: None,
            fixed: BTreeMap::new(),
            project_ended: false,
            linked: HashSet::new(),
            copies: (0, 0),
            contents: 0,
            kills: 0,
            counts: Counts::default(),
            step: 0,
            script: Vec::new(),
        }
    }

    /// Lives for so many steps, and ends well.
    pub(crate) fn live(&mut self, steps: u32) {
        for _ in 0..steps {
            self.step += 1;
            self.counts.steps += 1;
            let mut random = Random::of_step(self.seed, self.step);
            if random.below(QUIET) == 0 {
                self.note(format_args!("all is quiet"));
                self.quiet();
                continue;
            }
            if random.percent(78) {
                user::act(self, &mut random);
            } else {
                service::act(self, &mut random);
            }
            self.writers_stand();
        }
        self.finish();
    }

    /// Writes a line of the script that is printed when something is wrong.
    pub(crate) fn note(&mut self, line: fmt::Arguments<'_>) {
        self.script.push(format!("{:4} {line}", self.step));
    }

    /// What came of the last line.
    pub(crate) fn result(&mut self, result: fmt::Arguments<'_>) {
        if let Some(last) = self.script.last_mut() {
            last.push_str(&format!(" → {result}"));
        }
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.world.home()
    }

    pub(crate) fn roots(&self) -> Vec<PathBuf> {
        self.config.roots.iter().map(|root| self.home().join(root)).collect()
    }

    /// Ends the life with the script so far.
    #[track_caller]
    pub(crate) fn fail(&self, what: impl fmt::Display) -> ! {
        panic!("step {} of TIDY_TEST_SEED={}: {what}", self.step, self.seed);
    }

    /// The user has a hand in what has this name, and in what is below it.
    pub(crate) fn touched(&mut self, path: &Path) {
        let marks = disk::MARKERS.iter().any(|m| path.ends_with(m));
        let around = if marks { path.parent().unwrap_or(path) } else { path };
        self.project_ended |= marks;
        self.fixed.retain(|p, _| !p.starts_with(around));
        self.hands.insert(path.to_owned());
    }

    /// Every name that is not tidyd's own.
    pub(crate) fn names(&self) -> Vec<Found> {
        let mut names = disk::names(&self.home());
        names.extend(self.away.iter().flat_map(|away| disk::names(away.path())));
        let trashed =
            self.trashed_away().into_iter().filter_map(|(file, _)| disk::look(&file).ok());
        names.extend(trashed);
        names
    }

    /// What was trashed on the other file system, each with its note. That trash lies at the top of it, and is not ours
    /// alone.
    fn trashed_away(&self) -> Vec<(PathBuf, PathBuf)> {
        let Some(away) = &self.away else { return Vec::new() };
        let top = away.path().parent().expect("not the root");
        let trash = top.join(format!(".Trash-{}", rustix::process::getuid().as_raw()));
        let name = away.path().file_name().expect("a name").to_string_lossy();
        let ours = format!("Path={name}/");
        let notes = std::fs::read_dir(trash.join("info")).into_iter().flatten().flatten();
        notes
            .map(|note| note.path())
            .filter(|note| std::fs::read_to_string(note).is_ok_and(|text| text.contains(&ours)))
            .map(|note| (trash.join("files").join(note.file_stem().unwrap_or_default()), note))
            .collect()
    }

    /// Changes to another configuration, in the file.
    pub(crate) fn configure(&mut self, config: &'static Config) {
        self.config = config;
        self.world.configure(&config.text(self.away.as_ref().map(TempDir::path)));
    }

    /// Whether somebody has this file, or one below, open for writing.
    pub(crate) fn is_busy(&self, path: &Path) -> bool {
        self.writers.iter().any(|w| w.path.starts_with(path))
    }
}

/// Whether it lies on another file system than the homes do.
fn is_elsewhere(directory: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let device = |path: &Path| path.metadata().map(|m| m.dev());
    let elsewhere = matches!(
        (device(directory), device(&std::env::temp_dir())), (Ok(one), Ok(other)) if one != other
    );
    if !elsewhere {
        eprintln!("moves to another file system are skipped, because {directory:?} is not on one");
    }
    elsewhere
}

impl Drop for Life {
    fn drop(&mut self) {
        for (file, note) in self.trashed_away() {
            let _ = std::fs::remove_file(file);
            let _ = std::fs::remove_file(note);
        }
        if let Some((_, child)) = &mut self.asked {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!(
                "---- TIDY_TEST_SEED={} under {:?} ----\n{}\n---- end ----",
                self.seed,
                self.home(),
                self.script.join("\n")
            );
        }
    }
}
