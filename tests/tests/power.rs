//! Power cuts: whatever a disk holds when the power goes, nothing that was safe before tidyd started is lost, nothing
//! is doubled, tidyd knows what it had said it did, and everything can still be put back.
//!
//! tidyd works on file systems in disk images whose every write and flush is recorded (see [`tidy_tests::image`]). From
//! the record come the pictures that a power cut could have left: what was flushed, with none, all or any part of what
//! was not. Each is mounted, tidyd is started on it, and all is checked.
//!
//! `TIDYD_TEST_POWER=40 cargo test -p tidy-tests --test power -- --nocapture` makes 40 cuts for each file system and
//! layout, instead of a few. Choices come from a seed, which is printed; what the disks were doing at that moment does
//! not repeat itself, so with `TIDYD_TEST_KEEP=DIR` the images of a cut that fails are left there.
#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "puts its own scratch files where tidyd finds them")]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tidy_tests::files::Sample;
use tidy_tests::image::{Cut, FileSystem, History, Mounted, Recorder, Unflushed, in_private};
use tidy_tests::{Kind, Random, Snapshot, World, assert_same, path};

/// How many cuts for each file system and layout; a few without it.
const CUTS: &str = "TIDYD_TEST_POWER";

/// Where the images of a failing cut are to be left.
const KEEP: &str = "TIDYD_TEST_KEEP";

/// Cuts made from one recording.
const PER_RECORDING: u32 = 10;

/// Files in the Downloads folder.
const FILES: u32 = 60;

const CONFIG: &str = r#"
watch = ["~/Downloads"]
settle = "10ms"
duplicates = { keep = "oldest", others = "trash" }

[[rule]]
name = "kept twice"
when = { ext = "mp3" }
copy = "~/Copies/"

[[rule]]
name = "away"
when = { ext = ["zip", "pdf"] }
move = "~/Archive/{ext}/"
"#;

/// What is on which disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    One,
    /// The state directory is on a second disk.
    StateApart,
    /// A folder that files are moved to is on a second disk.
    ArchiveApart,
}

impl Layout {
    const ALL: [Self; 3] = [Self::One, Self::StateApart, Self::ArchiveApart];

    /// Where in the home the second disk is mounted.
    fn second(self) -> Option<&'static str> {
        match self {
            Self::One => None,
            Self::StateApart => Some(".local/state"),
            Self::ArchiveApart => Some("Archive"),
        }
    }
}

#[test]
fn nothing_is_lost_on_ext4() {
    nothing_is_lost("nothing_is_lost_on_ext4", FileSystem::Ext4, 3);
}

#[test]
fn nothing_is_lost_on_btrfs() {
    nothing_is_lost("nothing_is_lost_on_btrfs", FileSystem::Btrfs, 2);
}

#[test]
fn nothing_is_lost_on_xfs() {
    nothing_is_lost("nothing_is_lost_on_xfs", FileSystem::Xfs, 2);
}

fn nothing_is_lost(test: &str, system: FileSystem, few: u32) {
    if !in_private(test) || !system.is_usable() {
        return;
    }
    let mut random = Random::new();
    let (layouts, cuts) = match std::env::var(CUTS) {
        Ok(cuts) => (Layout::ALL.to_vec(), cuts.parse().expect("a number")),
        Err(_) => (vec![Layout::ALL[random.below(3) as usize]], few),
    };
    for layout in layouts {
        let mut told = Tally::default();
        while told.cuts < cuts {
            let lab = Lab::new(system, layout);
            let Some(recording) = lab.record(random.number()) else { return };
            for _ in 0..PER_RECORDING.min(cuts - told.cuts) {
                let cut = recording.history.draw(recording.start, &mut random);
                lab.check(&recording, cut, &mut told);
            }
        }
        eprintln!("power: {} {layout:?}: {told:?}", system.name());
    }
}

/// What was tried.
#[derive(Debug, Default)]
struct Tally {
    cuts: u32,
    dropped: u32,
    kept: u32,
    torn: u32,
    /// Operations that had been said to be done, over all cuts.
    acknowledged: usize,
    /// Operations that the cut had left open and the start settled, over all cuts.
    recovered: usize,
    /// Segments that were kept aside because a part of them could not be read.
    damaged: usize,
}

/// A place for images and their mounts.
struct Lab {
    system: FileSystem,
    layout: Layout,
    scratch: tempfile::TempDir,
    /// Where the first disk is mounted.
    at: PathBuf,
}

/// Disks that are mounted, the second below the first.
struct Disks {
    second: Option<Mounted>,
    first: Mounted,
}

impl Disks {
    fn sync(&self) {
        self.second.iter().chain([&self.first]).for_each(Mounted::sync);
    }

    fn unmount(self) {
        drop(self.second);
        drop(self.first);
    }
}

/// What the disks saw while tidyd worked.
struct Recording {
    history: History,
    world: World,
    /// From here on all of `before` is on the disks.
    start: usize,
    before: Snapshot,
    /// Operations that were said to be done, and when at the latest.
    acknowledged: Vec<(usize, BTreeSet<u64>)>,
}

impl Lab {
    fn new(system: FileSystem, layout: Layout) -> Self {
        // In memory, where that can be.
        let shm = tempfile::tempdir_in("/dev/shm");
        let scratch = shm.or_else(|_| tempfile::tempdir()).expect("a scratch directory");
        let at = scratch.path().join("disk");
        fs::create_dir(&at).expect("own directory");
        Self { system, layout, scratch, at }
    }

    /// Lets tidyd file, put back and file again, and takes down what reaches the disks; `None` without FUSE.
    fn record(&self, seed: u64) -> Option<Recording> {
        let count = if self.layout.second().is_some() { 2 } else { 1 };
        let bases: Vec<_> = (0..count)
            .map(|number| {
                let base = self.scratch.path().join(format!("base-{number}"));
                assert!(self.system.make(&base), "an image was made before");
                base
            })
            .collect();
        let recorder = match Recorder::start(bases, self.scratch.path()) {
            Ok(recorder) => recorder,
            Err(e) => {
                eprintln!("skipped, because FUSE does not work here: {e}");
                return None;
            }
        };
        let first = Mounted::new(&recorder.image(0), &self.at).expect("a new file system");
        let world = World::new_in(&self.at);
        let second = self.layout.second().map(|place| {
            let place = world.home().join(place);
            fs::create_dir_all(&place).expect("own directory");
            Mounted::new(&recorder.image(1), &place).expect("a new file system")
        });
        let disks = Disks { second, first };
        world.configure(CONFIG);
        fill(&world, seed);
        disks.sync();

        let start = recorder.position();
        let before = world.snapshot();
        let mut acknowledged = Vec::new();
        let mut look = || {
            let done = ids(&world.log(&["--state", "done"]));
            acknowledged.push((recorder.position(), done));
        };
        let daemon = world.start();
        for work in [&[][..], &["rollback", "--since", "1d", "--yes"], &["redo", "--yes"]] {
            std::thread::scope(|scope| {
                let working = scope.spawn(|| {
                    if !work.is_empty() {
                        world.ctl(work).ok();
                    }
                    world.wait();
                });
                while !working.is_finished() {
                    look();
                }
            });
            look();
        }
        daemon.kill();
        disks.unmount();
        Some(Recording { history: recorder.finish(), world, start, before, acknowledged })
    }

    fn mount(&self, world: &World, images: &[PathBuf]) -> Disks {
        let mount = |image: &Path, at: &Path| {
            Mounted::new(image, at).unwrap_or_else(|e| panic!("after the cut: {e}"))
        };
        let first = mount(&images[0], &self.at);
        let second = self.layout.second().map(|place| mount(&images[1], &world.home().join(place)));
        Disks { second, first }
    }

    /// Starts tidyd on what a cut has left, and checks everything that it promises.
    fn check(&self, recording: &Recording, cut: Cut, told: &mut Tally) {
        let _on_failure = Shown { recording, cut };
        let Recording { world, before, .. } = recording;
        let images = recording.history.cut(cut, self.scratch.path());
        let disks = self.mount(world, &images);
        assert_eq!(before.lost_by(&world.snapshot()), NOTHING, "lost by the cut");

        let daemon = world.start();
        world.wait();
        let filed = world.snapshot();
        nothing_lost_or_doubled(before, &filed);
        no_left_overs(&filed);
        let log = world.log(&[]);
        all_settled(&log);
        all_where_the_log_says(&log, world);
        let done = ids(&log);
        for (_, known) in recording.acknowledged.iter().filter(|(when, _)| *when <= cut.at) {
            let forgotten: Vec<_> = known.difference(&done).collect();
            assert!(forgotten.is_empty(), "said to be done, and not known any more: {forgotten:?}");
        }
        let known = recording.acknowledged.iter().filter(|(when, _)| *when <= cut.at);
        told.acknowledged += known.map(|(_, known)| known.len()).max().unwrap_or(0);

        let back = world.ctl(["rollback", "--since", "1d", "--yes"]);
        assert!(back.code == 0 || back.stderr.contains("nothing in effect"), "{back:?}");
        world.wait();
        all_settled(&world.log(&[]));
        let after = world.snapshot();
        nothing_lost_or_doubled(before, &after);
        no_left_overs(&after);
        assert_same(&outside_of_trash(before), &outside_of_trash(&after));

        told.count(cut, &daemon.output(), world);
        assert_eq!(daemon.stop(), 0);
        disks.unmount();
    }
}

const NOTHING: Vec<PathBuf> = Vec::new();

impl Tally {
    fn count(&mut self, cut: Cut, output: &str, world: &World) {
        self.cuts += 1;
        match cut.unflushed {
            Unflushed::Dropped => self.dropped += 1,
            Unflushed::Kept => self.kept += 1,
            Unflushed::Torn => self.torn += 1,
        }
        const SETTLED: &str = "operations that were cut off have been settled";
        let settled = output.lines().rev().find(|line| line.contains(SETTLED));
        let counts = settled.into_iter().flat_map(str::split_whitespace);
        self.recovered += counts
            .filter_map(|word| word.strip_prefix("finished=").or(word.strip_prefix("taken_back=")))
            .map(|count| count.parse::<usize>().expect("a number"))
            .sum::<usize>();
        let journal = fs::read_dir(world.state().join("journal")).expect("the journal");
        let aside =
            journal.flatten().filter(|e| e.path().extension().is_some_and(|e| e == "damaged"));
        self.damaged += aside.count();
    }
}

/// Says what a failing cut was, and keeps its images if it is to.
struct Shown<'a> {
    recording: &'a Recording,
    cut: Cut,
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        eprintln!("at {:?} of {} requests", self.cut, self.recording.history.len());
        if let Some(keep) = std::env::var_os(KEEP) {
            fs::create_dir_all(&keep).expect("a directory for the images");
            eprintln!("kept: {:?}", self.recording.history.cut(self.cut, Path::new(&keep)));
        }
    }
}

/// Files of all kinds, large and small, with equal names and copies among them, with modes, times and attributes.
fn fill(world: &World, seed: u64) {
    let number = |n: u32| (seed % 1000) as u32 * 1000 + n;
    for n in 0..FILES {
        // Every tenth has the bytes of the one before it.
        let of = n - u32::from(n % 10 == 9);
        let sample = Sample::ALL[of as usize % Sample::ALL.len()];
        let mut content = sample.content(number(of));
        if of % 7 == 0 {
            content.resize(content.len() + 50_000 + n as usize, b'\n');
        }
        let name = format!("Downloads/{}/{:02}.{}", n / 10, n % 25, sample.extension());
        let path = world.write(name, content);
        let mode = if n % 3 == 0 { 0o600 } else { 0o640 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("own file");
        let file = File::options().write(true).open(&path).expect("own file");
        if n % 4 == 0 {
            let flags = rustix::fs::XattrFlags::empty();
            rustix::fs::fsetxattr(&file, "user.note", b"kept", flags).expect("attributes");
        }
        let age = Duration::from_secs(1000 + u64::from(n));
        file.set_modified(SystemTime::now() - age).expect("own file");
    }
}

fn ids(log: &[Value]) -> BTreeSet<u64> {
    let done = log.iter().filter(|op| op["state"] == "done");
    done.map(|op| op["id"].as_u64().expect("a number")).collect()
}

/// The same contents, as often; twice where a rule makes copies.
#[track_caller]
fn nothing_lost_or_doubled(before: &Snapshot, after: &Snapshot) {
    assert_eq!(before.lost_by(after), NOTHING, "lost");
    let mut after = after.clone();
    after.entries.retain(|path, _| !path.starts_with(".local/share/Trash/info"));
    let mut twice = before.clone();
    for (path, entry) in &before.entries {
        if path.extension().is_some_and(|e| e == "mp3") {
            twice.entries.insert(Path::new("second").join(path), entry.clone());
        }
    }
    assert_eq!(after.lost_by(&twice), NOTHING, "doubled");
}

#[track_caller]
fn no_left_overs(tree: &Snapshot) {
    for (path, entry) in &tree.entries {
        let name = path.file_name().expect("a name").to_string_lossy();
        assert!(!name.starts_with(".tidyd-"), "left over: {path:?}");
        assert!(!matches!(entry.kind, Kind::File { bytes: 0, .. }), "empty: {path:?}");
    }
}

#[track_caller]
fn all_settled(log: &[Value]) {
    for op in log {
        let state = op["state"].as_str().expect("a word");
        assert!(["done", "aborted", "failed"].contains(&state), "not settled: {op}");
    }
}

/// Follows the log from its beginning: whatever was put somewhere and not taken away later is there.
#[track_caller]
fn all_where_the_log_says(log: &[Value], world: &World) {
    let mut there = BTreeSet::new();
    let mut done: Vec<_> = log.iter().filter(|op| op["state"] == "done").collect();
    done.sort_by_key(|op| op["id"].as_u64());
    for op in done {
        if op["kind"] != "copy" && !op["src"].is_null() {
            there.remove(&path(&op["src"]));
        }
        if !op["dst"].is_null() {
            there.insert(path(&op["dst"]));
        }
    }
    assert!(there.iter().all(|path| path.starts_with(world.home())));
    let missing: Vec<_> = there.iter().filter(|p| fs::symlink_metadata(p).is_err()).collect();
    assert!(missing.is_empty(), "not where the log says: {missing:?}");
}

fn outside_of_trash(tree: &Snapshot) -> Snapshot {
    let mut tree = tree.clone();
    let in_trash = |path: &Path| {
        path.starts_with(".local/share/Trash")
            || path.iter().any(|part| part.to_string_lossy().starts_with(".Trash-"))
    };
    tree.entries.retain(|path, _| !in_trash(path));
    tree
}
