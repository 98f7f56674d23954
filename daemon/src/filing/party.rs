//! Parties: which of the files at hand, and of those beside them, go together.
//!
//! A file with companions (`IMG_1.CR2`, `IMG_1.xmp`) is decided about alone; they go where it goes. A
//! companion whose file is there and not at hand stays with it; one whose file was filed from here
//! lately goes after it, where that is sure; any other is a file like all.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tidy_core::UnixNanos;
use tidy_core::companions::{Companions, Pairs, Tail};
use tidy_core::operation::{OpId, OpState};
use tidy_core::plan::{Lookup, Place, StepKind, Twin};
use tidy_core::policy::RootPolicy;
use tidy_core::rules::{RuleName, Verdict};
use tidy_core::settle::{Probe, Writers};

use super::batch::{Candidate, Filing};
use super::gather::{CopyFacts, Decided};
use super::{Setup, gate, gather};
use crate::{beneath, scan};

/// A file that was filed longer ago is not followed.
const LATELY: Duration = Duration::from_secs(24 * 3600);

/// Operations of one directory that are looked through for it.
const LOOKED_THROUGH: usize = 4_096;

/// A listing is used again for so many times as long as it took to read: in a large directory one
/// for many batches, in a small one never.
const WORTH: u32 = 20;

/// Listings that are kept.
const KEPT: usize = 64;

/// A file may have been moved on by this many later operations before we stop following.
const MAX_HOPS: usize = 16;

/// What is to be decided about, and what goes along.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) main: Candidate,
    pub(super) members: Vec<(Candidate, Tail)>,
    /// It is a companion that goes after its file.
    pub(super) after: Option<Box<After>>,
    /// What is known about copies of it.
    pub(super) copy: Option<Box<CopyFacts>>,
}

impl Group {
    pub(super) fn alone(main: Candidate) -> Self {
        Self { main, members: Vec::new(), after: None, copy: None }
    }

    /// The one that stays, if it is a copy.
    pub(super) fn twin(&self) -> Option<&Twin> {
        self.copy.as_ref()?.copied.twin()
    }

    /// Whether there may be copies of it.
    pub(super) fn is_of_interest(&self) -> bool {
        self.after.is_none() && !self.main.is_directory()
    }

    pub(super) fn len(&self) -> usize {
        1 + self.members.len()
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = PathBuf> {
        let members = self.members.iter().map(|(member, _)| member.path());
        std::iter::once(self.main.path()).chain(members)
    }
}

/// Where a companion goes whose file was filed before.
#[derive(Debug, Clone)]
pub(super) struct After {
    pub(super) dst: Place,
    pub(super) main: Twin,
    pub(super) rule: RuleName,
    pub(super) op: OpId,
}

impl After {
    /// The reason in one line.
    pub(super) fn why(&self) -> String {
        let name = self.main.path.file_name().unwrap_or_default();
        format!("goes with {}, filed by operation {}", tidy_core::name::shown(name), self.op)
    }
}

/// One group, decided.
#[derive(Debug)]
pub(super) struct Party {
    pub(super) candidate: Candidate,
    pub(super) decided: Decided,
    pub(super) members: Vec<(Candidate, Decided, Tail)>,
    pub(super) after: Option<Box<After>>,
}

impl Party {
    /// Its files.
    pub(super) fn len(&self) -> usize {
        1 + self.members.len()
    }
}

/// Candidates in groups.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    pub(super) groups: Vec<Group>,
    /// Companions that stay with a file which is not at hand, and its name.
    pub(super) staying: Vec<(Candidate, OsString)>,
}

impl Filing {
    /// Puts together what belongs together, with companions that lie beside and are at rest. The candidates are
    /// [in order](Candidate::order).
    pub(super) fn together(
        &self,
        setup: &Setup,
        candidates: Vec<Candidate>,
        now: UnixNanos,
    ) -> Sorted {
        let groups = Vec::with_capacity(candidates.len());
        let mut out = Sorted { groups, staying: Vec::new() };
        let mut wide: HashMap<PathBuf, Companions> = HashMap::new();
        let mut candidates = candidates.into_iter().peekable();
        while let Some(first) = candidates.next() {
            if first.is_directory() {
                out.groups.push(Group::alone(first));
                continue;
            }
            let root = first.root.clone();
            let mut files = vec![first];
            while let Some(next) = candidates.next_if(|c| c.is_beside(&files[0])) {
                files.push(next);
            }
            let of = wide.entry(root.path.to_path_buf()).or_insert_with(|| root.all_companions());
            let concerned = |c: &Candidate| {
                let name = name_of(&c.rel);
                of.may_be(name) || of.may_have(name)
            };
            if of.is_none() || !files.iter().any(concerned) {
                out.groups.extend(files.into_iter().map(Group::alone));
                continue;
            }
            let dir = super::record::dir_of(&files[0].path());
            self.sort_dir(setup, &root, of, &dir, files, now, &mut out);
        }
        out
    }

    #[expect(clippy::too_many_arguments, reason = "one directory's state, passed down once")]
    fn sort_dir(
        &self,
        setup: &Setup,
        root: &Arc<RootPolicy>,
        of: &Companions,
        dir: &Path,
        files: Vec<Candidate>,
        now: UnixNanos,
        out: &mut Sorted,
    ) {
        let rel = dir.strip_prefix(&root.path).unwrap_or(Path::new("")).to_owned();
        let pairs = self.nearby.pairs(root, &rel, of, &files);
        let mut files: BTreeMap<OsString, Candidate> =
            files.into_iter().map(|c| (name_of(&c.rel).to_owned(), c)).collect();
        let is_file = |name: &OsStr| {
            let place = Place::new(root.path.clone(), rel.join(name));
            place.is_some_and(|p| matches!(beneath::lookup(&p), Lookup::File(_)))
        };
        let mut mains = Vec::new();
        let mut filed = None;
        for name in files.keys() {
            match pairs.main_of(name) {
                Some(pair) if files.contains_key(&pair.main) => {}
                Some(pair) if is_file(&pair.main) => mains.push((name.clone(), Some(&pair.main))),
                _ => mains.push((name.clone(), None)),
            }
        }
        for (name, stays_with) in mains {
            let Some(main) = files.remove(&name) else { continue };
            if let Some(with) = stays_with {
                // A rule's own companions are known only when the rule has been found.
                let stays = root.companions.tail(with, &name).is_some()
                    || self.would_take_along(setup, &main, with, now);
                match stays {
                    true => out.staying.push((main, with.clone())),
                    false => out.groups.push(Group::alone(main)),
                }
                continue;
            }
            let mut group = Group::alone(main);
            for (name, tail) in pairs.of(&name) {
                let at_hand = files.remove(name);
                let member = at_hand.or_else(|| at_rest(setup, &group.main, rel.join(name), now));
                group.members.extend(member.map(|m| (m, tail.clone())));
            }
            if group.members.is_empty() && of.may_be(&name) {
                let filed = filed.get_or_insert_with(|| self.filed_lately(dir, now));
                group.after = self.after(of, &name, filed).map(Box::new);
            }
            out.groups.push(group);
        }
        // Whatever the listing said, nobody is forgotten.
        out.groups.extend(files.into_values().map(Group::alone));
    }

    /// Whether the rule for the file `main` beside it, which is not at hand, takes the companion along: then it waits for that,
    /// whatever other rules say of it.
    fn would_take_along(
        &self,
        setup: &Setup,
        companion: &Candidate,
        main: &OsStr,
        now: UnixNanos,
    ) -> bool {
        let rel = companion.rel.with_file_name(main);
        let Some(place) = Place::new(companion.root.path.clone(), rel.clone()) else {
            return false;
        };
        let Lookup::File(stat) = beneath::lookup(&place) else { return false };
        if gate(setup, &companion.root, &rel, &stat, companion.in_unit).is_some() {
            return false;
        }
        let candidate = Candidate { rel, stat, ..companion.clone() };
        let decided = gather::decide(setup, &self.readers, &candidate, None, now);
        let own = name_of(&companion.rel);
        going_along(&companion.root, &decided).tail(main, own).is_some()
    }

    /// What was filed from a directory lately, by the name it had there.
    fn filed_lately(&self, dir: &Path, now: UnixNanos) -> Filed {
        let since = now.minus(LATELY);
        let ops = self.journal.taken_from(dir, since, LOOKED_THROUGH).unwrap_or_else(|error| {
            tracing::warn!(%error, "the journal could not be asked");
            Vec::new()
        });
        let mut filed = Filed::default();
        for op in ops {
            let step = &op.step;
            let is_filing = step.kind == StepKind::Move && !step.undo && op.state == OpState::Done;
            if let (true, Some(src), Some(dst), Some(id)) =
                (is_filing, &step.src, &step.dst, op.landed)
            {
                let was = filed.entry(src.file_name().to_owned()).or_default();
                was.push((op.id, dst.clone(), id, step.rule.clone()));
            }
        }
        filed
    }

    /// Where the companion's file is, if it is sure which one that is.
    fn after(&self, of: &Companions, name: &OsStr, filed: &Filed) -> Option<After> {
        let names = filed.keys().map(OsString::as_os_str).chain([name]);
        let pairs = Pairs::new(of, names.collect::<Vec<_>>());
        let pair = pairs.main_of(name)?;
        let [(op, dst, id, rule)] = filed.get(&pair.main)?.as_slice() else { return None };
        let (mut dst, mut id, mut after) = (dst.clone(), *id, *op);
        for _ in 0..MAX_HOPS {
            if let Lookup::File(stat) = beneath::lookup(&dst) {
                let main = Twin { path: dst.path(), id: stat.id };
                let to = dst.with_file_name(&pair.tail.of(dst.file_name()));
                let found = After { dst: to, main, rule: rule.clone(), op: *op };
                return stat.id.same_object(&id).then_some(found);
            }
            let next = self.journal.moved_on(&dst.path(), after, &id).ok()??;
            if next.step.undo || next.step.kind != StepKind::Move {
                return None;
            }
            (dst, id, after) = (next.step.dst?, next.landed.unwrap_or(id), next.id);
        }
        None
    }
}

type Filed = BTreeMap<OsString, Vec<(OpId, Place, tidy_core::facts::Identity, RuleName)>>;

/// The companion beside a file, if it may be touched and nobody is at it.
fn at_rest(setup: &Setup, main: &Candidate, rel: PathBuf, now: UnixNanos) -> Option<Candidate> {
    let root = &main.root;
    let place = Place::new(root.path.clone(), rel.clone())?;
    let Lookup::File(stat) = beneath::lookup(&place) else { return None };
    let quiet = now.since(stat.ctime) >= root.settle
        && !matches!(scan::probe(&place), Probe::Seen(_, Writers::Someone) | Probe::Failed);
    if !quiet || gate(setup, root, &rel, &stat, false).is_some() {
        return None;
    }
    Some(Candidate {
        root: root.clone(),
        rel,
        stat,
        in_unit: false,
        unpacked: false,
        standing: main.standing,
    })
}

/// Decides what goes along with a file that has been decided about; the others are given back.
pub(super) fn accompany(
    group: Group,
    decided: Decided,
    wide: &Companions,
) -> (Party, Vec<Candidate>) {
    let Group { main, members, after, copy: _ } = group;
    let of = going_along(&main.root, &decided);
    let name = name_of(&main.rel).to_owned();
    let goes = |c: &Candidate| of == *wide || of.tail(&name, name_of(&c.rel)).is_some();
    let (along, own): (Vec<_>, Vec<_>) = members.into_iter().partition(|(c, _)| goes(c));
    let along = along.into_iter().map(|(c, tail)| {
        let facts = tidy_core::facts::Facts::new(c.path(), c.root.path.clone(), c.stat);
        let decided = Decided::new(facts, decided.decision.clone());
        (c, decided, tail)
    });
    let party = Party { candidate: main, members: along.collect(), decided, after };
    (party, own.into_iter().map(|(c, _)| c).collect())
}

/// The companions that the decision takes along.
fn going_along(root: &RootPolicy, decided: &Decided) -> Companions {
    let Verdict::Act(acts) = &decided.decision.verdict else { return root.companions.clone() };
    let each = acts.iter().map(|a| a.companions.clone().unwrap_or_else(|| root.companions.clone()));
    each.reduce(|all, some| all.and(&some)).unwrap_or_default()
}

fn name_of(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}

/// What belongs together in the directories that were listed last.
#[derive(Debug, Default)]
pub(super) struct Nearby(Mutex<HashMap<PathBuf, Listed>>);

#[derive(Debug)]
struct Listed {
    of: Companions,
    pairs: Arc<Pairs>,
    until: Instant,
}

impl Nearby {
    fn pairs(
        &self,
        root: &RootPolicy,
        rel: &Path,
        of: &Companions,
        files: &[Candidate],
    ) -> Arc<Pairs> {
        let dir = root.path.join(rel);
        let begin = Instant::now();
        let mut kept = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        kept.retain(|_, listed| listed.until > begin);
        if let Some(listed) = kept.get(&dir).filter(|l| l.of == *of) {
            return listed.pairs.clone();
        }
        drop(kept);
        let names = scan::names_of(&root.path, rel).unwrap_or_else(|error| {
            tracing::warn!(dir = %dir.display(), %error, "companions are looked for among new files only");
            files.iter().map(|c| name_of(&c.rel).to_owned()).collect()
        });
        let pairs = Arc::new(Pairs::new(of, names.iter().map(OsString::as_os_str)));
        let until = begin + begin.elapsed() * WORTH;
        let mut kept = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.insert(dir, Listed { of: of.clone(), pairs: pairs.clone(), until });
        }
        pairs
    }
}
