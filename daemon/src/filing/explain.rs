//! Why a file is where it is, or why it is not: what is stored, and what would be decided now.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use tidy_core::UnixNanos;
use tidy_core::breaker::Standing;
use tidy_core::facts::{Facts, Stat};
use tidy_core::operation::{Operation, Trigger};
use tidy_core::plan::{Place, Planned, Planner, Step};
use tidy_core::rules::{Decision, LeaveReason};

use super::batch::{Candidate, Filing};
use super::{Disk, Setup, gate, gather, record};
use crate::catalog::Entry;
use crate::{beneath, scan};

/// Everything there is to say about one path.
#[derive(Debug)]
pub struct Explained {
    pub path: PathBuf,
    /// `None`: nothing is there (any more).
    pub stat: Option<Stat>,
    /// What the catalog keeps of it.
    pub stored: Option<Entry>,
    /// What was done with it, newest first.
    pub history: Vec<Operation>,
    /// The decision as it would be taken now; `None` outside the roots or where no file is.
    pub decision: Option<(Facts, Decision)>,
    /// What the plan would make of it.
    pub planned: Option<Planned>,
    /// The steps of that plan.
    pub steps: Vec<Step>,
}

impl Filing {
    /// Operations that concern a path, newest first.
    pub fn history(&self, path: &Path) -> Vec<Operation> {
        self.journal.history(path).unwrap_or_else(|error| {
            tracing::warn!(path = %path.display(), %error, "the journal could not be asked");
            Vec::new()
        })
    }

    /// Explains one absolute path. Reads the file as far as its decision needs, changes nothing.
    pub fn explain(&self, setup: &Setup, path: &Path, now: UnixNanos) -> Explained {
        let mut explained = Explained {
            path: path.to_owned(),
            stat: stat_of(path),
            stored: record::known(&self.catalog, path),
            history: self.history(path),
            decision: None,
            planned: None,
            steps: Vec::new(),
        };
        let Some(stat) = explained.stat else { return explained };
        let Some((root, rel)) = setup.root_of(path).and_then(|root| {
            let rel = path.strip_prefix(&root.path).ok()?;
            Some((root.clone(), rel.to_owned()))
        }) else {
            explained.planned = Some(Planned::Left(LeaveReason::NotARoot, None));
            return explained;
        };
        let in_unit = scan::is_in_unit(&root, &rel);
        let candidate = Candidate { root, rel, stat, in_unit, standing: Standing::New };
        let reason = gate(setup, &candidate.root, &candidate.rel, &stat, in_unit)
            .or_else(|| self.left_by_its_past(path, &stat));
        if let Some(reason) = reason {
            let facts = Facts::new(path.to_owned(), candidate.root.path.clone(), stat);
            explained.decision = Some((facts, Decision::leave(reason)));
            explained.planned = Some(Planned::Left(reason, None));
            return explained;
        }
        let copies = self.find_copies(setup, std::slice::from_ref(&candidate));
        let decided = gather::decide(setup, &candidate, copies.get(path), now);
        let disk = Disk::new(setup.home_trash.clone());
        let mut planner = Planner::new(&disk, Trigger::Organize);
        let (facts, decision) = (decided.facts, decided.decision);
        let planned = planner.file(&facts, &decision, candidate.root.conflict, decided.twin);
        explained.planned = Some(planned);
        explained.steps = planner.finish().steps;
        explained.decision = Some((facts, decision));
        explained
    }
}

/// `lstat` of an absolute path; symlinks in the directories above it are the caller's business.
fn stat_of(path: &Path) -> Option<Stat> {
    let place = Place::new(path.parent()?.into(), path.file_name()?.into())?;
    let (dir, name) = beneath::open_parent(&place).ok()?;
    beneath::stat_at(dir.as_fd(), name).ok()
}
