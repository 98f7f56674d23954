//! The search for copies, with the catalog as its memory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tidy_core::category::Category;
use tidy_core::duplicates;
use tidy_core::facts::{Digest, Identity};
use tidy_core::plan::Place;
use tidy_core::policy::{Duplicates, Keep};
use tidy_core::rules::LeaveReason;

use super::batch::{Candidate, Filing};
use super::gather::CopyFacts;
use super::party::Group;
use super::{Setup, record};
use crate::catalog::{CatalogError, Entry, Learnt, Outcome};
use crate::dedupe::{self, Finder, Finding, Head, Known, NewFile};

/// Files that copies are looked for of at a time: all that is kept of them meanwhile is kept for so many. Those of one size
/// are looked at together, however many they are.
const AT_ONCE: usize = if cfg!(test) { 3 } else { 131_072 };

impl Filing {
    /// Enters what is to be known about copies of each file that may have some.
    ///
    /// The result depends on the files alone, not on their order.
    pub(super) fn find_copies(&self, setup: &Setup, groups: &mut [Group]) {
        // With the size of each.
        let mut by_policy: BTreeMap<Option<usize>, Vec<(u64, usize)>> = BTreeMap::new();
        for (at, group) in groups.iter().enumerate().filter(|(_, g)| g.is_of_interest()) {
            let keep = group.main.root.duplicates.keep;
            let key = Keep::ALL.iter().position(|k| k.1 == keep);
            by_policy.entry(key).or_default().push((group.main.stat.id.size, at));
        }
        for mut files in by_policy.into_values() {
            files.sort_unstable();
            let mut rest = files.as_slice();
            while !rest.is_empty() {
                let (largest, _) = rest[AT_ONCE.min(rest.len()) - 1];
                let end = rest.partition_point(|(size, _)| *size <= largest);
                let (part, others) = rest.split_at(end);
                self.find_among(setup, groups, part);
                rest = others;
            }
        }
    }

    /// The same for some of them, which are of one policy, and all that there are of their sizes.
    fn find_among(&self, setup: &Setup, groups: &mut [Group], part: &[(u64, usize)]) {
        let Some(&(_, first)) = part.first() else { return };
        let root = groups[first].main.root.clone();
        let policy = &root.duplicates;
        let (mut places, mut new) = (Vec::new(), Vec::with_capacity(part.len()));
        for &(_, at) in part {
            let Candidate { stat, .. } = groups[at].main;
            if let Some(place) = groups[at].main.place() {
                new.push(NewFile { place, stat, head: None, digest: None });
                places.push(at);
            }
        }
        let (known, mut categories) = self.of_their_sizes(setup, policy, &mut new);
        let remembered = Remembered { setup, learnt: Mutex::default() };
        let finder = Finder::new(&remembered, policy.keep).counting(&self.tally.search);
        let findings = finder.find(&new, known);
        // Else it is computed again. That the catalog cannot be written is told by those who must write.
        let _ = self.keep_learnt(&remembered.learnt.into_inner().unwrap_or_default());
        for (index, (at, finding)) in places.into_iter().zip(findings).enumerate() {
            let Finding { copied, head, digest } = finding;
            let category = categories.remove(&index);
            let facts = CopyFacts { copied, head, digest, category };
            groups[at].copy = (!facts.say_nothing()).then(|| Box::new(facts));
        }
    }

    /// The files that are known of the sizes of the new ones, as far as they are in the scope of the policy. What is known of the
    /// new ones is entered with them, and the categories are returned, by their places.
    fn of_their_sizes(
        &self,
        setup: &Setup,
        policy: &Duplicates,
        new: &mut [NewFile],
    ) -> (Vec<dedupe::Candidate>, HashMap<usize, Category>) {
        let of_interest = new.iter().filter(|file| NewFile::may_have_copies(&file.stat));
        let sizes: HashSet<u64> = of_interest.map(|file| file.stat.id.size).collect();
        let index = new.iter().enumerate().map(|(index, file)| (file.place.path(), index));
        let index: HashMap<PathBuf, usize> = index.collect();
        let roots: Vec<_> = setup.roots.iter().map(|r| r.path.clone()).collect();
        let in_sight = |path: &Path, e: &Entry| {
            !is_out_of_sight(&e.outcome)
                && duplicates::in_scope(path, &policy.scope, &roots)
                && setup.is_in_sight(path)
        };
        let (mut known, mut categories) = (Vec::new(), HashMap::new());
        let asked = self.catalog.each_of_sizes(&sizes, |path, e| {
            if let Some(&index) = index.get(&path) {
                // What is known of the name may be of another file.
                if new[index].stat.id == e.id {
                    (new[index].head, new[index].digest) = (e.head, e.digest);
                    categories.extend(e.category.map(|category| (index, category)));
                }
            } else if in_sight(&path, &e) {
                // In a root, an entry without an outcome waits for its turn like the new file.
                let settled_in = e.outcome != Outcome::Known || setup.root_of(&path).is_none();
                let (id, head, digest) = (e.id, e.head, e.digest);
                known.push(dedupe::Candidate { path, id, head, digest, settled_in });
            }
        });
        if let Err(error) = asked {
            tracing::warn!(%error, "the catalog could not be read; copies may be missed");
        }
        (known, categories)
    }

    /// Enters what was read of known files, by directory. One that another batch has moved since is found by its identity.
    pub(super) fn keep_learnt(
        &self,
        learnt: &BTreeMap<PathBuf, Vec<Learnt>>,
    ) -> Result<(), CatalogError> {
        let mut moved: HashMap<Identity, &Learnt> = HashMap::new();
        for (dir, learnt) in learnt {
            let elsewhere = self.catalog.learn(dir, learnt)?.into_iter();
            // Without a time of birth it may be another file that has its number now.
            moved.extend(elsewhere.filter(|l| l.id.birth.is_some()).map(|l| (l.id, l)));
        }
        if moved.is_empty() {
            return Ok(());
        }
        let sizes = moved.keys().map(|id| id.size).collect();
        let mut found = Vec::new();
        self.catalog.each_of_sizes(&sizes, |path, entry| {
            found.extend(moved.get(&entry.id).map(|learnt| (path, *learnt)));
        })?;
        for (path, l) in found {
            self.catalog.set_digest(&path, l.id, l.head, l.digest)?;
        }
        Ok(())
    }
}

/// Where known files are, and what was learnt of them.
struct Remembered<'a> {
    setup: &'a Setup,
    /// By directory.
    learnt: Mutex<BTreeMap<PathBuf, Vec<Learnt>>>,
}

impl Known for Remembered<'_> {
    fn remember(&self, path: &Path, id: Identity, head: Head, digest: Option<Digest>) {
        if let Ok(mut learnt) = self.learnt.lock() {
            let of = learnt.entry(record::dir_of(path)).or_default();
            of.push(Learnt { name: record::name_of(path), id, head: Some(head), digest });
        }
    }

    fn open(&self, path: &Path, id: Identity) -> io::Result<File> {
        let place = match self.setup.areas().find(|a| path.starts_with(a)) {
            Some(area) => {
                let rel = path.strip_prefix(area).unwrap_or(path);
                Place::new(area.into(), rel.to_owned())
            }
            None => None,
        };
        let place = place.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        crate::inspect::open(&place, id).map_err(io::Error::other)
    }
}

/// A copy that people do not see, or want left alone, is no reason to put away the one they do see.
fn is_out_of_sight(outcome: &Outcome) -> bool {
    let hidden = |r: &LeaveReason| matches!(r, LeaveReason::Hidden | LeaveReason::Ignored);
    matches!(outcome, Outcome::Left { reason, .. } if hidden(reason))
}
