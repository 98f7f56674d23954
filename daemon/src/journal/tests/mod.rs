//! The journal on real files, with hands that move nothing but names in a map.

#![expect(clippy::disallowed_methods, reason = "the tests damage files of their own")]

mod answers;
mod crash;
mod damage;
mod golden;
mod running;
mod writing;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use tempfile::TempDir;
use tidy_core::UnixNanos;
use tidy_core::facts::Identity;
use tidy_core::operation::{OpEvent, OpId, Operation, Trigger};
use tidy_core::plan::{Place, Plan, Step, StepKind};

use super::hands::{Hands, Refused, Verify};
use super::writer::lock;
use super::*;
use crate::act::{Performed, Recovered};

pub(super) fn identity(ino: u64) -> Identity {
    Identity { ino, size: 100 + ino, mtime: UnixNanos(1_700_000_000_000_000_000), birth: None }
}

pub(super) fn place(rel: &str) -> Place {
    Place::new(Arc::from(Path::new("/home/u")), rel.into()).unwrap()
}

pub(super) fn move_step(src: &str, dst: &str, ino: u64) -> Step {
    Step {
        kind: StepKind::Move,
        src: Some(place(src)),
        dst: Some(place(dst)),
        expect: Some(identity(ino)),
        twin: None,
        follows: None,
        command: None,
        tags: None,
        digest: None,
        rule: "photos".into(),
        why: "kind is image".into(),
        considered: None,
        inverse_of: None,
        undo: false,
        further: false,
    }
}

/// The step that undoes an operation, or redoes an undone one.
pub(super) fn inverse(op: &Operation) -> Step {
    Step {
        src: op.step.dst.clone(),
        dst: op.step.src.clone(),
        inverse_of: Some(op.id),
        undo: !op.step.undo,
        further: false,
        ..op.step.clone()
    }
}

pub(super) fn plan(trigger: Trigger, steps: Vec<Step>) -> Plan {
    Plan { trigger, steps }
}

/// How far something came that could neither go on nor be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    /// The file is still where it was.
    First,
    /// It is at its destination.
    Second,
    /// It is at neither.
    Gone,
}

/// Files by path, and what is to go wrong.
#[derive(Debug, Default)]
pub(super) struct FakeHands {
    pub(super) files: Mutex<BTreeMap<PathBuf, Identity>>,
    /// What happens instead, by the number of the file.
    pub(super) refuse: HashMap<u64, OpEvent>,
    /// What ends half-way, by the number of the file, and how far it has come by then.
    pub(super) half_way: HashMap<u64, Half>,
    /// Pass through `verified` first.
    pub(super) verify: bool,
    pub(super) sync_fails: bool,
    pub(super) recovery_fails: bool,
}

impl FakeHands {
    pub(super) fn with_files(names: impl IntoIterator<Item = (String, u64)>) -> Self {
        let files = names.into_iter().map(|(n, ino)| (place(&n).path(), identity(ino))).collect();
        Self { files: Mutex::new(files), ..Self::default() }
    }

    fn at(&self, place: Option<&Place>) -> Option<Identity> {
        lock(&self.files).get(&place?.path()).copied()
    }
}

impl Hands for FakeHands {
    type Unsynced = ();

    fn unsynced(&self) {}

    fn perform(
        &self,
        op: &Operation,
        (): &mut (),
        verify: Verify<'_>,
    ) -> Result<Performed, Refused> {
        let refused = |event| Refused { event: Some(event), message: "as told".into() };
        let expect = op.step.expect.unwrap();
        if let Some(event) = self.refuse.get(&expect.ino) {
            return Err(refused(*event));
        }
        let (src, dst) = (op.step.src.as_ref(), op.step.dst.as_ref());
        if self.at(src) != Some(expect) || self.at(dst).is_some() {
            return Err(refused(OpEvent::Aborted));
        }
        let unsettled = || Err(Refused { event: None, message: "half-way".into() });
        if self.half_way.get(&expect.ino) == Some(&Half::First) {
            return unsettled();
        }
        if self.verify {
            let failed = |message| Refused { event: Some(OpEvent::Failed), message };
            verify(op).map_err(failed)?;
        }
        let mut files = lock(&self.files);
        files.remove(&src.unwrap().path());
        let landed = if self.crosses(&op.step) { identity(expect.ino + 100) } else { expect };
        files.insert(dst.unwrap().path(), landed);
        match self.half_way.get(&expect.ino) {
            Some(Half::Second) => return unsettled(),
            Some(Half::Gone) => {
                files.remove(&dst.unwrap().path());
                return unsettled();
            }
            _ => {}
        }
        Ok(Performed { landed: Some(landed), digest: None })
    }

    fn recover(&self, op: &Operation, (): &mut ()) -> Result<Recovered, String> {
        if self.recovery_fails {
            return Err("EACCES".into());
        }
        Ok(if self.at(op.step.src.as_ref()) == op.step.expect {
            Recovered::Aborted("it had not begun".into())
        } else if self.at(op.step.dst.as_ref()) == op.step.expect {
            Recovered::Done(Performed { landed: op.step.expect, digest: None })
        } else {
            Recovered::Lost("neither end".into())
        })
    }

    fn sync(&self, (): &mut ()) -> Result<(), String> {
        if self.sync_fails { Err("EIO".into()) } else { Ok(()) }
    }

    /// What is below `disk` is on another one.
    fn crosses(&self, step: &Step) -> bool {
        let [from, to] =
            [&step.src, &step.dst].map(|p| p.as_ref().unwrap().rel().starts_with("disk"));
        from != to
    }
}

/// A directory for the log, a store for the projection, and a clock that ticks a second per look.
pub(super) struct Home {
    pub(super) dir: TempDir,
    pub(super) db: sled::Db,
    pub(super) options: JournalOptions,
}

impl Home {
    pub(super) fn new() -> Self {
        let now = AtomicI64::new(1_700_000_000);
        let tick = move || UnixNanos::from_parts(now.fetch_add(1, Ordering::Relaxed), 0);
        Self {
            dir: tempfile::tempdir().unwrap(),
            db: sled::Config::new().temporary(true).open().unwrap(),
            options: JournalOptions { clock: Clock::new(tick), ..JournalOptions::default() },
        }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.dir.path().join("journal")
    }

    pub(super) fn open(&self) -> (Journal, OpenReport) {
        Journal::open(&self.path(), &self.db, self.options.clone()).unwrap()
    }

    pub(super) fn segment(&self, number: u64) -> PathBuf {
        segment::path(&self.path(), number)
    }
}

pub(super) fn ids(ops: &[Operation]) -> Vec<u64> {
    ops.iter().map(|op| op.id.0).collect()
}

/// Everything, oldest first.
pub(super) fn all(journal: &Journal) -> Vec<Operation> {
    let mut ops = journal.log(&LogFilter::default(), None, usize::MAX).unwrap();
    ops.reverse();
    assert!(ops.is_sorted_by(|a, b| a.id < b.id), "newest first, each once");
    ops
}

pub(super) fn quiet(_: &Operation) {}

/// Files `f<n>` for each number, and a plan that moves each to `d/f<n>`.
pub(super) fn moves(numbers: std::ops::Range<u64>) -> (FakeHands, Plan) {
    let hands = FakeHands::with_files(numbers.clone().map(|n| (format!("in/f{n}"), n)));
    let steps = numbers.map(|n| move_step(&format!("in/f{n}"), &format!("d/f{n}"), n)).collect();
    (hands, plan(Trigger::Watch, steps))
}

/// So many moves, in small plans, so that segments end in between.
pub(crate) fn work(journal: &Journal, files: u64) {
    let first = journal.extent().unwrap().end.0;
    for from in (first..first + files).step_by(4) {
        let (hands, plan) = moves(from..(from + 4).min(first + files));
        journal.run_with(&hands, None, &plan, &quiet).unwrap();
    }
    journal.sync().unwrap();
}

pub(super) fn op(id: u64) -> OpId {
    OpId(id)
}
