//! Why a file is where it is, or why it is not: what is stored, and what would be decided now.
//!
//! A file that is not there, or not under that name, can be asked about, too: what its name and place say is known then,
//! and the rest is not.

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidy_core::UnixNanos;
use tidy_core::breaker::Standing;
use tidy_core::facts::{self, Facts, FileType, Stat};
use tidy_core::operation::{Operation, Trigger};
use tidy_core::plan::{Place, Planned, Planner, Step};
use tidy_core::policy::RootPolicy;
use tidy_core::rules::{Decision, LeaveReason, Need};
use tidy_core::settle::{Probe, Siblings, Writers};

use super::batch::{Candidate, Filing, Left, decide_all, plan_party, stays_with};
use super::gather::{self, Decided};
use super::party::Party;
use super::{Setup, gate, record};
use crate::catalog::Entry;
use crate::journal::Put;
use crate::readers::Readers;
use crate::{beneath, scan, unpacked};

/// Everything there is to say about one path.
#[derive(Debug)]
pub struct Explained {
    pub path: PathBuf,
    /// The path it was asked about as, when that is another one.
    pub as_path: Option<PathBuf>,
    /// `None`: nothing is there (any more).
    pub stat: Option<Stat>,
    /// What the catalog keeps of it.
    pub stored: Option<Entry>,
    /// What was done with it, newest first.
    pub history: Vec<Operation>,
    /// Somebody has it open for writing.
    pub written: bool,
    /// An unfinished file beside it holds it back.
    pub held_by: Option<OsString>,
    /// The decision as it would be taken now; `None` outside the roots.
    pub decision: Option<(Facts, Decision)>,
    /// What the plan would make of it.
    pub planned: Option<Planned>,
    /// The steps of that plan.
    pub steps: Vec<Step>,
    /// The file that it goes with.
    pub main: Option<Main>,
}

/// A file that a companion goes with: what is decided about it is decided about both.
#[derive(Debug)]
pub struct Main {
    pub path: PathBuf,
    /// Somebody has it open for writing.
    pub written: bool,
    /// An unfinished file beside it holds it back.
    pub held_by: Option<OsString>,
    pub decision: Decision,
    pub planned: Planned,
}

/// The file asked about.
struct Asked<'a> {
    setup: &'a Setup,
    readers: &'a Readers,
    /// Under which path it is asked about, below which root.
    root: &'a Arc<RootPolicy>,
    path: &'a Path,
    rel: &'a Path,
    /// Where it really is, if it is anywhere.
    there: Option<(Place, Stat)>,
    /// It is asked about under its own path.
    as_it_is: bool,
    now: UnixNanos,
}

impl Filing {
    /// Operations that concern a path, newest first.
    pub fn history(&self, path: &Path) -> Vec<Operation> {
        self.journal.history(path).unwrap_or_else(|error| {
            tracing::warn!(path = %path.display(), %error, "the journal could not be asked");
            Vec::new()
        })
    }

    /// Explains one absolute path, or what would be done if that file were at `as_path`. Reads the file as far as its
    /// decision needs, changes nothing.
    pub fn explain(
        &self,
        setup: &Setup,
        path: &Path,
        as_path: Option<&Path>,
        now: UnixNanos,
    ) -> Explained {
        let as_path = as_path.filter(|other| *other != path);
        let there = stat_of(path);
        let mut explained = Explained {
            path: path.to_owned(),
            as_path: as_path.map(Path::to_owned),
            stat: there.as_ref().map(|(_, stat)| *stat),
            stored: record::known(&self.catalog, path),
            history: self.history(path),
            written: false,
            held_by: None,
            decision: None,
            planned: None,
            steps: Vec::new(),
            main: None,
        };
        if there.is_none() && as_path.is_none() {
            return explained;
        }
        let (as_it_is, path) = (as_path.is_none(), as_path.unwrap_or(path));
        let root = setup.root_of(path);
        let Some((root, rel)) = root.and_then(|r| Some((r, path.strip_prefix(&r.path).ok()?)))
        else {
            let looked_at = setup.is_known_area(path);
            explained.planned = looked_at.then_some(Planned::Left(LeaveReason::NotARoot, None));
            return explained;
        };
        let asked = Asked { setup, readers: &self.readers, root, path, rel, there, as_it_is, now };
        if asked.as_it_is {
            explained.written = asked.is_written();
            explained.held_by = asked.held_by();
        }
        self.decide(&asked, &mut explained);
        explained
    }

    /// What would be decided, and planned, as a batch would.
    fn decide(&self, asked: &Asked<'_>, explained: &mut Explained) {
        let setup = asked.setup;
        let mut beside = unpacked::Asked::default();
        let unpacked = self.unpacked_above(setup, asked.root, asked.rel, &mut beside, asked.now);
        let in_unit = scan::is_in_unit(asked.root, asked.rel) || !matches!(unpacked, Ok(None));
        let imagined = || Facts::imagined(asked.path.to_owned(), asked.root.path.clone());
        let stat = asked.there.as_ref().map_or_else(|| imagined().stat, |(_, stat)| *stat);
        if let Some(reason) = gate(setup, asked.root, asked.rel, &stat, in_unit) {
            let facts = Facts::new(asked.path.to_owned(), asked.root.path.clone(), stat);
            let detail = match (reason, &unpacked) {
                (LeaveReason::InUnit, Ok(Some(dir))) => self.unpacked_from(asked.root, dir),
                _ => detail(asked, reason),
            };
            explained.decision = Some((facts, Decision::leave(reason)));
            explained.planned = Some(Planned::Left(reason, detail));
            return;
        }
        let decided = match &asked.there {
            Some((_, stat)) if asked.as_it_is => {
                return self.decide_as_it_is(asked, *stat, explained);
            }
            Some((place, stat)) => {
                let mut facts = Facts::new(asked.path.to_owned(), asked.root.path.clone(), *stat);
                facts.duplicate_of = facts::Fact::Absent;
                by_rules(asked, Ok(place), facts)
            }
            None => by_rules(asked, Err(facts::NO_FILE), imagined()),
        };
        let disk = self.disk(setup);
        let mut planner = Planner::new(&disk, Trigger::Organize);
        let handling = asked.root.handling();
        let planned = planner.file(&decided.facts, &decided.decision, handling, None);
        explained.planned = Some(planned);
        explained.steps = planner.finish().steps;
        explained.decision = Some((decided.facts, decided.decision));
    }

    /// What a folder was unpacked from, for a person.
    fn unpacked_from(&self, root: &RootPolicy, dir: &Path) -> Option<String> {
        let open = scan::Dir::open(&root.path, dir).ok()??;
        let archive = self.unpacked.as_ref()?.archive_of(open.stat())?;
        let [dir, archive] = [dir.as_os_str(), &archive].map(tidy_core::name::shown);
        Some(format!("{archive} was unpacked into the folder {dir}"))
    }

    /// The same for a file as it is, with what goes along with it.
    fn decide_as_it_is(&self, asked: &Asked<'_>, stat: Stat, explained: &mut Explained) {
        let candidate = Candidate {
            root: asked.root.clone(),
            rel: asked.rel.to_owned(),
            stat,
            in_unit: false,
            unpacked: self.unpacked.as_ref().is_some_and(|u| u.knows(&stat)),
            standing: Standing::New,
        };
        let party = match self.party_of(asked.setup, candidate, asked.now) {
            Ok(party) => party,
            Err((left, main)) => {
                let facts = asked.own_facts(stat);
                explained.decision = Some((facts, Decision::leave(left.reason)));
                explained.planned = Some(Planned::Left(left.reason, left.detail));
                explained.main = main.map(|(rel, reason)| {
                    asked.main(&rel, Decision::leave(reason), Planned::Left(reason, None))
                });
                return;
            }
        };
        let mut parties = [party];
        self.without_copies_made(&mut parties);
        self.without_placed(&mut parties);
        let [party] = parties;
        let disk = self.disk(asked.setup);
        let mut planner = Planner::new(&disk, Trigger::Organize);
        let mut planned = plan_party(&mut planner, &party);
        let mut steps = planner.finish().steps;
        let Party { candidate, mut decided, members, .. } = party;
        if members.iter().any(|(_, member, _)| member.facts.path == asked.path) {
            let main = &decided.facts;
            let of_main = self.left_by_now(&main.path, &main.stat).unwrap_or(planned);
            steps.retain(|s| s.kind.is_directory() || s.expect == Some(stat.id));
            let last = steps.iter().rfind(|s| !s.kind.is_directory());
            planned = match (&of_main, last) {
                (Planned::Steps(place), Some(last)) => {
                    Planned::Steps(last.dst.as_ref().unwrap_or(place).clone())
                }
                _ => {
                    steps.clear();
                    let name = tidy_core::name::shown(main.file_name());
                    Planned::Left(LeaveReason::Companion, Some(name))
                }
            };
            explained.main = Some(asked.main(&candidate.rel, decided.decision, of_main));
            // No rule is asked about it.
            decided = Decided::new(asked.own_facts(stat), Decision::leave(LeaveReason::Companion));
        }
        // What a batch would not even ask about is not planned, though the rules have their say.
        (explained.planned, explained.steps) = match self.left_by_now(asked.path, &stat) {
            Some(left) => (Some(left), Vec::new()),
            None => (Some(planned), steps),
        };
        explained.decision = Some((decided.facts, decided.decision));
    }

    /// The file with what goes along, or the file that it goes along with; `Err`: it stays, perhaps with one that
    /// no rule is asked about, and why.
    fn party_of(
        &self,
        setup: &Setup,
        candidate: Candidate,
        now: UnixNanos,
    ) -> Result<Party, (Left, Option<(PathBuf, LeaveReason)>)> {
        let own = candidate.clone();
        let sorted = self.together(setup, vec![candidate], now);
        let mut groups = sorted.groups;
        for (candidate, name) in sorted.staying {
            let rel = candidate.rel.with_file_name(&name);
            let stays = || stays_with(&candidate, &name);
            let there = stat_of(&candidate.root.path.join(&rel));
            let (_, stat) = there.ok_or_else(|| (stays(), None))?;
            if let Some(reason) = gate(setup, &candidate.root, &rel, &stat, false) {
                return Err((stays(), Some((rel, reason))));
            }
            let main = Candidate { rel, stat, ..candidate.clone() };
            let mut both = vec![main, candidate];
            both.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
            groups = self.together(setup, both, now).groups;
        }
        self.find_copies(setup, &mut groups);
        let parties = decide_all(setup, &self.readers, groups, now);
        let has = |p: &Party| {
            let members = p.members.iter().map(|(c, _, _)| c);
            std::iter::once(&p.candidate).chain(members).any(|c| c.rel == own.rel)
        };
        let unread = || {
            let reason = LeaveReason::Unreadable;
            (Left { path: own.path(), reason, rule: None, detail: None }, None)
        };
        parties.into_iter().find(has).ok_or_else(unread)
    }

    /// What a batch does not ask rules about, because of what was done to the file before.
    fn left_by_now(&self, path: &Path, stat: &Stat) -> Option<Planned> {
        let left = |reason| Some(Planned::Left(reason, None));
        let past = match self.journal.past_of(path, stat.id) {
            Ok(past) => past,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "the journal could not be asked");
                return left(LeaveReason::Failed);
            }
        };
        match past.put {
            Some((Put::Filed, _)) => {
                let why = "tidyd put it here; it is filed again when it changes or when asked";
                Some(Planned::Left(LeaveReason::InPlace, Some(why.into())))
            }
            Some((Put::Back, _)) => left(LeaveReason::RolledBack),
            Some((Put::ByHand, op)) => {
                let why = format!("operation {op} had taken it from here");
                Some(Planned::Left(LeaveReason::PlacedByHand, Some(why)))
            }
            None if self.is_restless(path, &stat.id, past.last) => left(LeaveReason::Restless),
            None => None,
        }
    }
}

fn by_rules(asked: &Asked<'_>, place: Result<&Place, &'static str>, mut facts: Facts) -> Decided {
    let decision =
        gather::by_rules((asked.setup, asked.readers), asked.root, place, &mut facts, asked.now);
    Decided::new(facts, decision)
}

impl Asked<'_> {
    /// What is known of a file that no rule asks about.
    fn own_facts(&self, stat: Stat) -> Facts {
        let mut facts = Facts::new(self.path.to_owned(), self.root.path.clone(), stat);
        let place = self.there.as_ref().map(|(place, _)| place).ok_or(facts::NO_FILE);
        gather::read((self.setup, self.readers), place, &mut facts, Need::Kind);
        facts
    }

    /// The file beside it that it goes with.
    fn main(&self, rel: &Path, decision: Decision, planned: Planned) -> Main {
        let path = tidy_core::name::join(&self.root.path, rel);
        let there = stat_of(&path);
        let main = Asked { path: &path, rel, there, ..*self };
        let (written, held_by) = (main.is_written(), main.held_by());
        Main { written, held_by, decision, planned, path }
    }

    fn is_written(&self) -> bool {
        let regular = |stat: &Stat| stat.file_type == FileType::Regular;
        let place = self.there.as_ref().filter(|(_, stat)| regular(stat)).map(|(place, _)| place);
        place.is_some_and(|p| matches!(scan::probe(p), Probe::Seen(_, Writers::Someone)))
    }

    fn held_by(&self) -> Option<OsString> {
        let dir = self.rel.parent()?;
        // A directory that cannot be read holds nothing back.
        let names = scan::names_of(&self.root.path, dir).ok()?;
        let siblings = Siblings::new(names.iter().map(OsString::as_os_str));
        siblings.blocker(self.rel.file_name()?).map(ToOwned::to_owned)
    }
}

/// What is to be added to a reason that says only of what kind it is.
fn detail(asked: &Asked<'_>, reason: LeaveReason) -> Option<String> {
    let shown = |path: &Path| tidy_core::name::shown(path.as_os_str());
    match reason {
        LeaveReason::Ignored => {
            asked.root.ignore.pattern(asked.rel).map(|p| format!("the pattern `{p}`"))
        }
        LeaveReason::InDestination => {
            let above = asked.setup.destination_above(asked.root, asked.path);
            if let Some(dir) = above {
                return Some(shown(dir));
            }
            let dir = asked.setup.destination_in(asked.root, asked.path)?;
            Some(format!("rules file into {}, which would be made anew", shown(dir)))
        }
        _ => None,
    }
}

/// Where it is, and its `lstat`; symlinks in the directories above it are the caller's business.
fn stat_of(path: &Path) -> Option<(Place, Stat)> {
    let place = Place::new(path.parent()?.into(), path.file_name()?.into())?;
    let stat = {
        let (dir, name) = beneath::open_parent(&place).ok()?;
        beneath::stat_at(dir.as_fd(), name).ok()?
    };
    Some((place, stat))
}
