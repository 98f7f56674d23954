//! dedupe: which of the files that have just arrived are copies of another.
//!
//! In: a batch of new files with their stats, and what is known of other files of their sizes ([`Known`] opens those).
//! Out: for each new file one [`Finding`].
//! Or, for a whole tree at once ([`compare`]): files with what is known of each in, and out the same with
//! the digests that were missing. Only as much is read as is needed: the size decides first, then the head's digest, then the whole
//! content's, and each only among files that another one still equals.
//!
//! A digest says "equal" to within 2^-128; `act` compares byte for byte with [`equal`] before it
//! puts anything aside.
//!
//! May not know: rules, plans, the journal, how the catalog stores anything. It changes nothing, and
//! no file's error ends a batch.

mod ahead;
mod among;
mod hash;
mod member;
mod pool;
mod tally;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidy_core::duplicates::{Copy, keeper};
use tidy_core::facts::{Digest, FileType, Identity, Stat};
use tidy_core::plan::{Place, Twin};
use tidy_core::policy::Keep;

pub use among::{Open, Subject, Unread, compare};
pub use hash::{HEAD_LEN, Head, TAIL_FROM, digest, equal};
pub use tally::Tally;

use member::{Files, Member, Origin};

use crate::beneath::Looker;

/// Why a file's content could not be told.
#[derive(Debug, thiserror::Error)]
pub enum DedupeError {
    /// It was written while it was read, or is not the file that was seen.
    #[error("the file has changed while it was read")]
    Changed,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<DedupeError> for io::Error {
    fn from(e: DedupeError) -> Self {
        match e {
            DedupeError::Io(e) => e,
            changed @ DedupeError::Changed => Self::other(changed),
        }
    }
}

/// A file in the batch.
#[derive(Debug, Clone)]
pub struct NewFile {
    pub place: Place,
    pub stat: Stat,
    /// Digests of the head and of the content of this very identity, where they are known.
    pub head: Option<Head>,
    pub digest: Option<Digest>,
}

/// A file known from before.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub path: PathBuf,
    pub id: Identity,
    pub head: Option<Head>,
    pub digest: Option<Digest>,
    /// It has been filed or left before (see [`Copy::settled_in`]); not so while it waits its turn.
    pub settled_in: bool,
}

/// The files that are known. `open` is called from several threads, the rest from one.
pub trait Known: Sync {
    /// Keeps what was computed for a known file, for the next time.
    fn remember(&self, path: &Path, id: Identity, head: Head, digest: Option<Digest>);
    /// Opens a known file for reading. Its identity is checked here, not there.
    fn open(&self, path: &Path, id: Identity) -> io::Result<File>;
}

/// Whether a file is a copy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Copied {
    /// It is the only one, or the one that stays.
    #[default]
    No,
    /// Of this one, the keeper, which stays.
    Of(Box<Twin>),
    /// It could not be told, and why.
    Untold(Arc<str>),
}

impl Copied {
    /// The keeper, when the file is a copy.
    pub fn twin(&self) -> Option<&Twin> {
        match self {
            Self::Of(twin) => Some(twin),
            Self::No | Self::Untold(_) => None,
        }
    }
}

/// What was found for one new file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Finding {
    pub copied: Copied,
    /// Digests of the head and of the content, where they are known or had to be taken.
    pub head: Option<Head>,
    pub digest: Option<Digest>,
}

/// Files that are read before what was learnt is entered: what was read of them is kept beside what was known.
const AT_ONCE: usize = 4_096;

/// Finds copies.
pub struct Finder<'a> {
    known: &'a dyn Known,
    keep: Keep,
    readers: NonZeroUsize,
    tally: Option<&'a Tally>,
}

impl<'a> Finder<'a> {
    /// With as many readers as there are processors.
    pub fn new(known: &'a dyn Known, keep: Keep) -> Self {
        let readers = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { known, keep, readers, tally: None }
    }

    /// With another number of reader threads. The result does not depend on it.
    #[must_use]
    pub fn readers(self, readers: NonZeroUsize) -> Self {
        Self { readers, ..self }
    }

    /// Counting what is read.
    #[must_use]
    pub fn counting(self, tally: &'a Tally) -> Self {
        Self { tally: Some(tally), ..self }
    }

    /// Finds the copies among the new files, and between them and the known ones, which are others. One finding for each new
    /// file, in their order.
    pub fn find(&self, new: &[NewFile], known: Vec<Candidate>) -> Vec<Finding> {
        let as_known =
            |file: &NewFile| Finding { copied: Copied::No, head: file.head, digest: file.digest };
        let mut findings: Vec<Finding> = new.iter().map(as_known).collect();
        let mut members = members(new, known);
        if let Some(tally) = self.tally {
            let remembered = members.iter().filter(|m| !m.needs_head()).count();
            tally.remembered.add_many(remembered as u64);
        }

        self.read(&mut members, Member::needs_head, Member::read_head);
        drop_lonely(&mut members, &mut findings, |m| m.head);
        self.read(&mut members, Member::needs_check, Member::check);
        drop_lonely(&mut members, &mut findings, |m| m.head);
        self.read(&mut members, Member::needs_digest, Member::read_digest);
        drop_lonely(&mut members, &mut findings, |m| m.digest);

        self.group(&members, &mut findings);
        findings
    }

    /// Carries out one reading for all members that need it, and keeps what was learnt. One reading
    /// serves all names of an inode.
    fn read(
        &self,
        members: &mut [Member],
        needs: fn(&Member) -> bool,
        read: fn(&mut Member, &Files<'_>) -> Result<(), DedupeError>,
    ) {
        let mut first: HashMap<(u64, Identity), usize> = HashMap::new();
        let mut work = Vec::new();
        let mut shared = Vec::new();
        for (at, member) in members.iter().enumerate().filter(|(_, m)| needs(m)) {
            // The whole identity: of two names of one inode, one may have been seen before an edit.
            let file = member.inode().map(|(dev, _)| (dev, member.id));
            match file.and_then(|f| first.get(&f)) {
                Some(&other) => shared.push((at, other)),
                None => {
                    first.extend(file.map(|f| (f, at)));
                    work.push((member.id.ino, at));
                }
            }
        }
        // In the order of inodes, which on a disk is nearly that of the data.
        work.sort_unstable();
        let reading = self.tally.map(|tally| tally.reading.hold(work.len() as u64));
        let files = Files { known: self.known, looker: Looker::default() };
        for part in work.chunks(AT_ONCE) {
            let done = pool::map(self.readers, part, |&(_, at)| {
                let mut member = members[at].clone();
                let result = read(&mut member, &files);
                if let Some(reading) = &reading {
                    reading.let_one_go();
                }
                member.failed = result.err().map(|e| Arc::from(e.to_string()));
                (at, member)
            });
            for (at, member) in done {
                let learnt = (member.head, member.digest) != (members[at].head, members[at].digest);
                if let Some(tally) = self.tally.filter(|_| learnt) {
                    tally.read.add();
                }
                let known = member.origin == Origin::Known;
                if let (true, Some(head), None) = (learnt && known, member.head, &member.failed) {
                    self.known.remember(&member.path, member.id, head, member.digest);
                }
                members[at] = member;
            }
        }
        for (at, other) in shared {
            members[at] = members[other].clone_for(&members[at]);
        }
    }

    /// Groups what is left by digest, and chooses each group's keeper.
    fn group(&self, members: &[Member], findings: &mut [Finding]) {
        let mut by_digest: BTreeMap<(u64, Digest), Vec<&Member>> = BTreeMap::new();
        for member in members {
            if let Some(digest) = member.digest {
                by_digest.entry((member.id.size, digest)).or_default().push(member);
            }
        }
        for (_, mut group) in by_digest {
            group.sort_by(|a, b| a.path.cmp(&b.path));
            let copies: Vec<Copy> = group.iter().map(|m| m.copy()).collect();
            let Some(chosen) = keeper(&copies, self.keep) else { continue };
            for member in &group {
                let Origin::New(index) = member.origin else { continue };
                let finding = &mut findings[index];
                (finding.head, finding.digest) = (member.head, member.digest);
                // Another name of the keeper's own inode is no copy.
                if member.inode() != group[chosen].inode() {
                    let Member { path, id, .. } = group[chosen];
                    finding.copied = Copied::Of(Box::new(Twin { path: path.clone(), id: *id }));
                }
            }
        }
    }
}

/// New and known files of one size, where there are at least two.
fn members(new: &[NewFile], known: Vec<Candidate>) -> Vec<Member> {
    let of_interest = |f: &&NewFile| NewFile::may_have_copies(&f.stat);
    let mut of_size: HashMap<u64, usize> = HashMap::new();
    let sizes = new.iter().filter(of_interest).map(|file| file.stat.id.size);
    for size in sizes.chain(known.iter().map(|known| known.id.size)) {
        *of_size.entry(size).or_default() += 1;
    }
    // Most files are the only ones of their size: of those nothing more is kept.
    let files = new.iter().enumerate().filter(|(_, file)| of_interest(file));
    let files = files.filter(|(_, file)| of_size[&file.stat.id.size] > 1);
    let files = files.map(|(index, file)| Member::new(index, file));
    let mut members: Vec<Member> = known.into_iter().map(Member::known).chain(files).collect();
    // Which name of an inode is read must not depend on the order of the batch.
    members.sort_by(|a, b| (a.id.size, &a.path).cmp(&(b.id.size, &b.path)));
    keep_runs(&mut members, |m| m.id.size, several);
    members
}

impl NewFile {
    /// Whether there is a point in looking for copies of it: none is found of empty files, nor of what is no regular file.
    pub fn may_have_copies(stat: &Stat) -> bool {
        stat.id.size > 0 && stat.file_type == FileType::Regular
    }
}

/// Whether there is a new file, and beside it another inode. The inode of a known file that was not
/// opened yet is not known; it counts as another.
fn several(group: &[Member]) -> bool {
    let any_new = group.iter().any(|m| matches!(m.origin, Origin::New(_)));
    let first = group.first().map(Member::inode);
    any_new && group.iter().any(|m| m.inode().is_none() || Some(m.inode()) != first)
}

/// Drops the members that failed (known ones silently: they have vanished or changed; new ones with
/// their reason), and those that no other equals in `by`.
fn drop_lonely<K: Ord>(
    members: &mut Vec<Member>,
    findings: &mut [Finding],
    by: fn(&Member) -> Option<K>,
) {
    members.retain(|member| {
        if let (Some(why), Origin::New(index)) = (&member.failed, member.origin) {
            findings[index].copied = Copied::Untold(why.clone());
        }
        member.failed.is_none()
    });
    // Those that are equal stay in the order of their paths.
    members.sort_by_cached_key(|member| (member.id.size, by(member)));
    keep_runs(
        members,
        |member| (member.id.size, by(member)),
        |group| {
            let stays = several(group);
            if !stays {
                remember_digests(group, findings);
            }
            stays
        },
    );
}

/// Keeps those runs of members that are equal in `by` which `wanted` says.
fn keep_runs<K: PartialEq>(
    members: &mut Vec<Member>,
    by: impl Fn(&Member) -> K,
    mut wanted: impl FnMut(&[Member]) -> bool,
) {
    let mut stay = Vec::with_capacity(members.len());
    for run in members.chunk_by(|a, b| by(a) == by(b)) {
        stay.resize(stay.len() + run.len(), wanted(run));
    }
    let mut stay = stay.into_iter();
    members.retain(|_| stay.next().unwrap_or(false));
    members.shrink_to_fit();
}

/// A digest that was taken is worth telling, though it turned out that no other file has it.
fn remember_digests(group: &[Member], findings: &mut [Finding]) {
    for member in group {
        if let Origin::New(index) = member.origin {
            let finding = &mut findings[index];
            (finding.head, finding.digest) = (member.head, member.digest);
        }
    }
}
