//! Facts for one file, read only as far as its decision asks, and the decision.

use tidy_core::UnixNanos;
use tidy_core::category::Category;
use tidy_core::facts::{Digest, Fact, Facts};
use tidy_core::ignore::{self, UnitKind};
use tidy_core::plan::{Place, Twin};
use tidy_core::policy::RootPolicy;
use tidy_core::rules::{
    self, Act, Action, Checked, Decision, Need, Outcome, RuleTrace, Truth, Verdict,
};
use tidy_core::template::Template;
use tidy_core::{duplicates, facts};

use super::party::After;
use super::{Candidate, Setup};
use crate::dedupe::Copied;
use crate::inspect;
use crate::readers::Readers;

/// What is known of one file's content: from an earlier look, and from the search for copies.
#[derive(Debug, Clone, Default)]
pub(super) struct CopyFacts {
    pub(super) copied: Copied,
    pub(super) head: Option<[u8; 16]>,
    pub(super) digest: Option<Digest>,
    /// The category, where an earlier look at the same content found it.
    pub(super) category: Option<Category>,
}

impl CopyFacts {
    fn duplicate_of(&self) -> Fact<std::path::PathBuf> {
        match &self.copied {
            Copied::No => Fact::Absent,
            Copied::Of(twin) => Fact::Known(twin.path.clone(), facts::Source::Digest),
            Copied::Untold(why) => Fact::Unreadable(why.clone()),
        }
    }

    /// Whether it is as good as not to have asked.
    pub(super) fn say_nothing(&self) -> bool {
        matches!(self.copied, Copied::No)
            && self.head.is_none()
            && self.digest.is_none()
            && self.category.is_none()
    }
}

/// One file with all that was needed to decide about it.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) facts: Facts,
    pub(super) decision: Decision,
    /// Set when the decision puts a duplicate aside.
    pub(super) twin: Option<Twin>,
    /// What was known about copies of it.
    pub(super) copy: Option<Box<CopyFacts>>,
}

impl Decided {
    /// No copy.
    pub(super) fn new(facts: Facts, decision: Decision) -> Self {
        Self { facts, decision, twin: None, copy: None }
    }
}

/// Decides about one candidate; `copy` is what the search for copies said, if it was part of it.
pub(super) fn decide(
    setup: &Setup,
    readers: &Readers,
    candidate: &Candidate,
    copy: Option<&CopyFacts>,
    now: UnixNanos,
) -> Decided {
    let root = &candidate.root;
    if candidate.is_directory() {
        return unit(candidate, now);
    }
    let mut facts = Facts::new(candidate.path(), root.path.clone(), candidate.stat);
    facts.duplicate_of = copy.map_or(Fact::Absent, CopyFacts::duplicate_of);
    facts.digest = match copy.and_then(|c| c.digest) {
        Some(d) => Fact::Known(d, facts::Source::Digest),
        None => Fact::Unread,
    };
    if let Some(decision) = duplicates::decide(&facts, &root.duplicates) {
        let twin = copy.and_then(|c| c.copied.twin().cloned());
        return Decided { twin, ..Decided::new(facts, decision) };
    }
    let place = candidate.place().ok_or(UNUSABLE);
    let place = place.as_ref().map_err(|e| *e);
    let decision = by_rules((setup, readers), root, place, &mut facts, now);
    Decided::new(facts, decision)
}

/// Decides about a directory that is one thing; any other is none of ours.
fn unit(candidate: &Candidate, now: UnixNanos) -> Decided {
    let root = &candidate.root;
    let (path, stat) = (candidate.path(), candidate.stat);
    let stays = |reason| {
        let facts = Facts::new(path.clone(), root.path.clone(), stat);
        Decided::new(facts, Decision::leave(reason))
    };
    let Ok(entries) = crate::scan::names_of(&root.path, &candidate.rel) else {
        return stays(rules::LeaveReason::Unreadable);
    };
    let entries = entries.iter().map(std::ffi::OsString::as_os_str);
    let told = candidate.unpacked.then_some(UnitKind::Unpacked);
    let Some(kind) = ignore::unit_kind(candidate.file_name(), entries).or(told) else {
        return stays(rules::LeaveReason::NotRegular);
    };
    let facts = Facts::of_unit(path, root.path.clone(), stat, kind);
    let decision = match rules::decide(&root.rules, &facts, now) {
        Outcome::Decided(decision) => decision,
        // Nothing of a directory is unread.
        Outcome::Needs(_) => Decision::leave(rules::LeaveReason::Unreadable),
    };
    Decided::new(facts, decision)
}

/// The decision about a companion that goes after its file.
pub(super) fn after(candidate: &Candidate, after: &After) -> Decided {
    let facts = Facts::new(candidate.path(), candidate.root.path.clone(), candidate.stat);
    let checked = Checked { test: "companion".into(), truth: Truth::True, seen: after.why() };
    let dir = after.dst.path();
    let action = Action::Move(Template::fixed_folder(dir.parent().unwrap_or(&dir)));
    let act = Act {
        rule: after.rule.clone(),
        action,
        tags: None,
        conflict: None,
        captures: facts::Captures::new(),
        companions: None,
        requirement: None,
    };
    let rule = RuleTrace { rule: after.rule.clone(), matched: Truth::True, checked: vec![checked] };
    let verdict = Verdict::Act(vec![act]);
    let decision = Decision { verdict, trace: vec![rule], revisit_at: None };
    Decided::new(facts, decision)
}

/// Why a file cannot be looked at.
const UNUSABLE: &str = "the path cannot be used";

/// Asks the rules of a root, reading what they need from the file at `place`, or failing with why it cannot
/// be read; each fact is read at most once.
pub(super) fn by_rules(
    with: (&Setup, &Readers),
    root: &RootPolicy,
    place: Result<&Place, &'static str>,
    facts: &mut Facts,
    now: UnixNanos,
) -> Decision {
    loop {
        match rules::decide(&root.rules, facts, now) {
            Outcome::Decided(decision) => return decision,
            Outcome::Needs(need) => read(with, place, facts, need),
        }
    }
}

/// Replaces one unread fact, whatever happens.
pub(super) fn read(
    (setup, readers): (&Setup, &Readers),
    place: Result<&Place, &str>,
    facts: &mut Facts,
    need: Need,
) {
    let file = match need {
        Need::Duplicate => {
            facts.duplicate_of = Fact::Absent;
            return;
        }
        Need::Kind | Need::Origin | Need::Attributes | Need::Metadata | Need::Text => place
            .map_err(ToOwned::to_owned)
            .and_then(|p| inspect::open(p, facts.stat.id).map_err(|e| e.to_string())),
    };
    match (need, file) {
        (Need::Kind, Ok(mut file)) => {
            let len = facts.stat.id.size;
            facts.kind = inspect::kind(&mut file, facts.file_name(), len, &setup.kinds);
        }
        (Need::Kind, Err(why)) => {
            facts.kind = inspect::from_name(facts.file_name(), Some(&why), &setup.kinds);
        }
        (Need::Metadata, Ok(mut file)) => {
            let kind = kind_of(setup, facts, &mut file);
            facts.metadata = kind
                .map_or(Fact::Absent, |kind| readers.metadata(&file, &kind, facts.stat.id.size));
        }
        (Need::Text, Ok(mut file)) => {
            let kind = kind_of(setup, facts, &mut file);
            facts.text =
                kind.map_or(Fact::Absent, |kind| readers.text(&file, &kind, facts.stat.id.size));
        }
        (Need::Metadata, Err(why)) => facts.metadata = Fact::Unreadable(why.as_str().into()),
        (Need::Text, Err(why)) => facts.text = Fact::Unreadable(why.as_str().into()),
        (Need::Attributes, Ok(file)) => facts.attributes = inspect::attributes(&file),
        (Need::Attributes, Err(why)) => facts.attributes = Fact::Unreadable(why.as_str().into()),
        (_, Ok(file)) => facts.origin = inspect::origin(&file),
        (_, Err(why)) => facts.origin = Fact::Unreadable(why.as_str().into()),
    }
}

/// What category a file is of, as far as that can be read.
pub(super) fn category(setup: &Setup, candidate: &Candidate) -> Option<Category> {
    let id = candidate.stat.id;
    let mut file = inspect::open(&candidate.place()?, id).ok()?;
    let kind = inspect::kind(&mut file, candidate.rel.file_name()?, id.size, &setup.kinds);
    kind.value().map(|kind| kind.category.clone())
}

/// What the file is, read first if nobody has.
fn kind_of(setup: &Setup, facts: &mut Facts, file: &mut std::fs::File) -> Option<facts::Kind> {
    if facts.kind.is_unread() {
        let len = facts.stat.id.size;
        facts.kind = inspect::kind(file, facts.file_name(), len, &setup.kinds);
    }
    facts.kind.value().cloned()
}

impl Candidate {
    /// The file's absolute path.
    pub fn path(&self) -> std::path::PathBuf {
        tidy_core::name::join(&self.root.path, &self.rel)
    }

    /// Whether it is a directory that moves as one.
    pub fn is_directory(&self) -> bool {
        self.stat.file_type == facts::FileType::Directory
    }

    /// The file's own name.
    pub fn file_name(&self) -> &std::ffi::OsStr {
        self.rel.file_name().unwrap_or_default()
    }

    /// By directory, and in it by name: what lies side by side comes one after the other.
    pub(super) fn order(&self) -> impl Ord + '_ {
        (&*self.root.path, self.rel.parent().map(std::path::Path::as_os_str), self.rel.file_name())
    }

    /// Whether both are files of one directory.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        !self.is_directory()
            && !other.is_directory()
            && self.rel.parent() == other.rel.parent()
            && self.root.path == other.root.path
    }

    /// The file beneath its root.
    pub fn place(&self) -> Option<Place> {
        Place::new(self.root.path.clone(), self.rel.clone())
    }
}
