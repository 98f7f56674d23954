#![expect(clippy::disallowed_methods, reason = "tests set up and change files like any program")]

mod copies;
mod crashes;
mod directories;
mod faults;
mod hostile;
mod links;
mod moves;
mod recovery;
mod tags;
mod trashing;
mod units;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tidy_core::UnixNanos;
use tidy_core::facts::{Digest, Identity, Stat};
use tidy_core::operation::{BatchId, OpId, OpState, Operation, Trigger};
use tidy_core::plan::{Place, Step, StepKind, Twin};
use tidy_core::rules::RuleName;

use super::testing::Lacks;
use super::{ActError, Checkpoint, Performed, Recovered, Unsynced};
use crate::beneath;

/// A directory with `in/` and `out/`, the out possibly on another device.
struct Ground {
    _dirs: Vec<TempDir>,
    from: Arc<Path>,
    to: Arc<Path>,
}

impl Ground {
    /// Both on one file system.
    fn one() -> Self {
        Self::within(tempfile::tempdir().unwrap())
    }

    /// In memory where that can be had: for tests that need thousands.
    fn quick() -> Self {
        Self::within(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap())
    }

    fn within(dir: TempDir) -> Self {
        let base = dir.path().canonicalize().unwrap();
        fs::create_dir(base.join("in")).unwrap();
        fs::create_dir(base.join("out")).unwrap();
        Self { _dirs: vec![dir], from: Arc::from(base.join("in")), to: Arc::from(base.join("out")) }
    }

    /// On two devices, where this machine has a second one at hand.
    fn two() -> Option<Self> {
        let first = tempfile::tempdir().unwrap();
        let shm = Path::new("/dev/shm");
        let second = tempfile::tempdir_in(shm).ok();
        let dev = |p: &Path| beneath::stat_path(p).unwrap().dev;
        match second {
            Some(second) if dev(second.path()) != dev(first.path()) => {
                let from = Arc::from(first.path().canonicalize().unwrap());
                let to = Arc::from(second.path().canonicalize().unwrap());
                Some(Self { _dirs: vec![first, second], from, to })
            }
            _ => {
                eprintln!("skipped, because {} is not another device", shm.display());
                None
            }
        }
    }

    fn src(&self, rel: impl AsRef<Path>) -> Place {
        Place::new(self.from.clone(), rel.as_ref().to_owned()).unwrap()
    }

    fn dst(&self, rel: impl AsRef<Path>) -> Place {
        Place::new(self.to.clone(), rel.as_ref().to_owned()).unwrap()
    }

    /// Every file below both directories, with its content.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        for base in [&self.from, &self.to] {
            list(base, &mut found);
        }
        found
    }

    /// Left-overs under names of ours.
    fn leftovers(&self) -> Vec<PathBuf> {
        let ours =
            |p: &PathBuf| p.file_name().is_some_and(|n| n.as_bytes().starts_with(b".tidyd-"));
        self.files().into_keys().filter(ours).collect()
    }
}

fn list(dir: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let kind = fs::symlink_metadata(&path).unwrap();
        if kind.is_dir() {
            list(&path, found);
        } else if kind.is_file() {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
}

fn stat(place: &Place) -> Stat {
    beneath::lstat_path(&place.path()).unwrap()
}

fn id(place: &Place) -> Identity {
    stat(place).id
}

fn text(place: &Place) -> String {
    String::from_utf8(fs::read(place.path()).unwrap()).unwrap()
}

fn exists(place: &Place) -> bool {
    fs::symlink_metadata(place.path()).is_ok()
}

/// Held while a file is open for writing, and exclusively while a process is started: until it calls
/// `exec` the new process has our descriptors, and a file of another test would look as if somebody
/// wrote to it.
static STARTING: std::sync::RwLock<()> = std::sync::RwLock::new(());

fn writing() -> std::sync::RwLockReadGuard<'static, ()> {
    STARTING.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn starting() -> std::sync::RwLockWriteGuard<'static, ()> {
    STARTING.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Writes a file and gives it an old, odd modification time.
fn put(place: &Place, content: &str) {
    fs::create_dir_all(place.path().parent().unwrap()).unwrap();
    write(place, content);
    age(place);
}

fn write(place: &Place, content: &str) {
    let _writing = writing();
    fs::write(place.path(), content).unwrap();
}

fn age(place: &Place) {
    let _writing = writing();
    let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_600_000_000, 123_456_789);
    fs::File::options().write(true).open(place.path()).unwrap().set_modified(time).unwrap();
}

fn step(kind: StepKind, src: Option<&Place>, dst: Option<&Place>) -> Operation {
    let expect = src.filter(|_| kind != StepKind::RemoveDir).map(id);
    Operation {
        id: OpId(7),
        batch: BatchId(7),
        trigger: Trigger::Watch,
        time: UnixNanos::from_parts(1_700_000_000, 0),
        step: Step {
            kind,
            src: src.cloned(),
            dst: dst.cloned(),
            expect,
            twin: None,
            follows: None,
            command: None,
            tags: None,
            digest: None,
            rule: RuleName::from("test"),
            why: "test".into(),
            considered: None,
            inverse_of: None,
            undo: false,
            further: false,
        },
        state: OpState::Intended,
        landed: None,
        error: None,
    }
}

fn moving(src: &Place, dst: &Place) -> Operation {
    step(StepKind::Move, Some(src), Some(dst))
}

/// Records what was made durable half-way.
#[derive(Default)]
struct Log {
    verified: Option<Operation>,
}

impl Checkpoint for Log {
    fn verified(&mut self, op: &Operation) -> Result<(), ActError> {
        self.verified = Some(op.clone());
        Ok(())
    }
}

fn perform(op: &Operation) -> Result<Performed, ActError> {
    let mut unsynced = Unsynced::default();
    let result = super::perform(op, &mut unsynced, &mut Log::default());
    unsynced.sync().unwrap();
    result
}

fn recover(op: &Operation) -> Result<Recovered, ActError> {
    let mut unsynced = Unsynced::default();
    let result = super::recover(op, &mut unsynced);
    unsynced.sync().unwrap();
    result
}

/// The operation must fail with this code, and the tree must be as it was.
#[track_caller]
fn refused(ground: &Ground, op: &Operation, code: &str) -> ActError {
    let before = ground.files();
    let e = perform(op).unwrap_err();
    assert_eq!(e.code(), code, "{e}");
    assert_eq!(ground.files(), before);
    e
}

fn digest_of(text: &str) -> Digest {
    Digest(blake3::hash(text.as_bytes()).into())
}
