//! Which known files answer to a condition that only the files can tell: they are opened as for a rule.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use tidy_core::UnixNanos;
use tidy_core::facts::{Fact, Facts};
use tidy_core::plan::{Lookup, Place};
use tidy_core::rules::{Condition, Truth};

use super::{Filing, Setup, gather};
use crate::beneath;
use crate::catalog;

/// Threads that open files for one search, at most.
const THREADS: usize = 4;

impl Filing {
    /// For each of the files whether it answers: false also where that cannot be told, and of a file that is no longer the one
    /// that is known.
    pub fn answering(
        &self,
        setup: &Setup,
        files: &[catalog::Found],
        condition: &Condition,
        now: UnixNanos,
    ) -> Vec<bool> {
        let answers: Vec<AtomicBool> = files.iter().map(|_| AtomicBool::new(false)).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(file) = files.get(at) else { return };
                let answer = self.answers(setup, file, condition, now).unwrap_or(false);
                answers[at].store(answer, Ordering::Relaxed);
            }
        };
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads = cores.min(THREADS).min(files.len());
        thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
        answers.into_iter().map(AtomicBool::into_inner).collect()
    }

    /// `None`: it is not what is known any more.
    fn answers(
        &self,
        setup: &Setup,
        file: &catalog::Found,
        condition: &Condition,
        now: UnixNanos,
    ) -> Option<bool> {
        let place = place(setup, file)?;
        let Lookup::File(stat) = beneath::lookup(&place) else { return None };
        if stat.id != file.entry.id {
            return None;
        }
        let mut facts = Facts::new(file.path.clone(), place.base().clone(), stat);
        facts.duplicate_of = Fact::Absent;
        loop {
            match condition.holds(&facts, now) {
                Truth::Needs(need) => {
                    gather::read((setup, &self.readers), Ok(&place), &mut facts, need);
                }
                truth => return Some(truth == Truth::True),
            }
        }
    }
}

/// Where it is, beneath the folder that tidyd looks at; else beneath its own.
fn place(setup: &Setup, file: &catalog::Found) -> Option<Place> {
    let above = setup.areas().filter(|area| file.path.starts_with(area) && file.path != *area);
    let base = match above.max_by_key(|area| area.as_os_str().len()) {
        Some(area) => area,
        None => file.path.parent()?,
    };
    let rel: PathBuf = file.path.strip_prefix(base).ok()?.to_owned();
    Place::new(Arc::from(base), rel)
}
