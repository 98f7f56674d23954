//! Why a file is where it is, or why it is not: what is stored, and what would be decided now.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use tidy_core::UnixNanos;
use tidy_core::breaker::Standing;
use tidy_core::facts::{Facts, Stat};
use tidy_core::operation::{Operation, Trigger};
use tidy_core::plan::{Place, Planned, Planner, Step};
use tidy_core::rules::{Decision, LeaveReason};

use super::batch::{Candidate, Filing, Left, decide_all, plan_party, stays_with};
use super::party::Party;
use super::{Disk, Setup, gate, record};
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
        let root = candidate.root.path.clone();
        let party = match self.party_of(setup, candidate, now) {
            Ok(party) => party,
            Err(left) => {
                let facts = Facts::new(path.to_owned(), root, stat);
                explained.decision = Some((facts, Decision::leave(left.reason)));
                explained.planned = Some(Planned::Left(left.reason, left.detail));
                return explained;
            }
        };
        let disk = Disk::new(setup.home_trash.clone());
        let mut planner = Planner::new(&disk, Trigger::Organize);
        let planned = plan_party(&mut planner, &party);
        explained.steps = planner.finish().steps;
        let Party { decided, members, .. } = party;
        let main = tidy_core::name::shown(decided.facts.file_name());
        let own = members.into_iter().map(|(_, d, _)| d).find(|d| d.facts.path == path);
        let (decided, planned) = match own {
            None => (decided, planned),
            Some(own) => {
                let id = own.facts.stat.id;
                let last = explained.steps.iter().rfind(|s| s.expect == Some(id));
                let planned = match last.and_then(|s| s.dst.clone()) {
                    Some(place) => Planned::Steps(place),
                    None => Planned::Left(LeaveReason::Companion, Some(main)),
                };
                (own, planned)
            }
        };
        explained.planned = Some(planned);
        explained.decision = Some((decided.facts, decided.decision));
        explained
    }

    /// The file with what goes along, or the file that it goes along with; `Err`: it stays with one that
    /// no rule is asked about.
    fn party_of(&self, setup: &Setup, candidate: Candidate, now: UnixNanos) -> Result<Party, Left> {
        let own = candidate.clone();
        let sorted = self.together(setup, vec![candidate], now);
        let mut groups = sorted.groups;
        for (candidate, name) in sorted.staying {
            let rel = candidate.rel.with_file_name(&name);
            let stays = || stays_with(&candidate, &name);
            let stat = stat_of(&candidate.root.path.join(&rel)).ok_or_else(stays)?;
            if gate(setup, &candidate.root, &rel, &stat, false).is_some() {
                return Err(stays());
            }
            let main = Candidate { rel, stat, ..candidate.clone() };
            groups = self.together(setup, vec![main, candidate], now).groups;
        }
        let mains: Vec<_> = groups.iter().map(|g| g.main.clone()).collect();
        let copies = self.find_copies(setup, &mains);
        let parties = decide_all(setup, groups, &copies, now);
        let has = |p: &Party| {
            let members = p.members.iter().map(|(c, _, _)| c);
            std::iter::once(&p.candidate).chain(members).any(|c| c.rel == own.rel)
        };
        let unread = || {
            let reason = LeaveReason::Unreadable;
            Left { path: own.path(), reason, rule: None, detail: None }
        };
        parties.into_iter().find(has).ok_or_else(unread)
    }
}

/// `lstat` of an absolute path; symlinks in the directories above it are the caller's business.
fn stat_of(path: &Path) -> Option<Stat> {
    let place = Place::new(path.parent()?.into(), path.file_name()?.into())?;
    let (dir, name) = beneath::open_parent(&place).ok()?;
    beneath::stat_at(dir.as_fd(), name).ok()
}
