//! The search for copies, with the catalog as its memory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tidy_core::duplicates;
use tidy_core::facts::{Digest, Identity};
use tidy_core::plan::Place;
use tidy_core::policy::{Duplicates, Keep};
use tidy_core::rules::LeaveReason;

use super::batch::{Candidate, Filing};
use super::gather::CopyFacts;
use super::{Setup, record};
use crate::catalog::{Catalog, CatalogError, Entry, Learnt, Outcome};
use crate::dedupe::{self, Finder, Head, Known, NewFile};

impl Filing {
    /// What is to be known about copies, for each candidate that may be one.
    ///
    /// The result depends on the files alone, not on their order.
    pub(super) fn find_copies(
        &self,
        setup: &Setup,
        candidates: &[&Candidate],
    ) -> HashMap<PathBuf, CopyFacts> {
        let mut by_policy: BTreeMap<u8, (&Duplicates, Vec<&Candidate>)> = BTreeMap::new();
        for c in candidates {
            let policy = &c.root.duplicates;
            let key = Keep::ALL.iter().position(|k| k.1 == policy.keep).unwrap_or(0) as u8;
            by_policy.entry(key).or_insert_with(|| (policy, Vec::new())).1.push(c);
        }
        let mut out = HashMap::new();
        for (policy, files) in by_policy.into_values() {
            self.find_among(setup, policy, &files, &mut out);
        }
        out
    }

    fn find_among(
        &self,
        setup: &Setup,
        policy: &Duplicates,
        candidates: &[&Candidate],
        out: &mut HashMap<PathBuf, CopyFacts>,
    ) {
        let mut before: HashMap<PathBuf, Entry> = HashMap::new();
        let mut new = Vec::with_capacity(candidates.len());
        // Asked now: once the files have moved, a scan may have dropped the entries.
        let mut entries = record::known_of(&self.catalog, candidates.iter().map(|c| c.path()));
        for c in candidates {
            if let Some(place) = c.place() {
                let path = c.path();
                let entry = entries.remove(&path).filter(|e| e.id == c.stat.id);
                let digest = entry.as_ref().and_then(|e| e.digest);
                new.push(NewFile { place, stat: c.stat, settled_in: false, digest });
                before.extend(entry.map(|entry| (path, entry)));
            }
        }
        let known = Remembered {
            catalog: &self.catalog,
            setup,
            policy,
            new: new.iter().map(|file| file.place.path()).collect(),
            heads: Mutex::default(),
            learnt: Mutex::default(),
        };
        let findings = Finder::new(&known, policy.keep).counting(&self.tally.search).find(&new);
        // Else it is computed again. That the catalog cannot be written is told by those who must write.
        let _ = self.keep_learnt(&known.learnt.into_inner().unwrap_or_default());
        let mut heads = known.heads.into_inner().unwrap_or_default();
        for (file, finding) in new.into_iter().zip(findings.files) {
            let path = file.place.path();
            let before = before.remove(&path);
            let facts = CopyFacts {
                duplicate_of: finding.duplicate_of,
                twin: finding.keeper,
                head: heads.remove(&path).or_else(|| before.as_ref().and_then(|e| e.head)),
                digest: finding.digest.or_else(|| before.as_ref().and_then(|e| e.digest)),
                category: before.and_then(|e| e.category),
            };
            if !facts.say_nothing() {
                out.insert(path, facts);
            }
        }
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

/// The catalog, as far as it is in the scope of one policy.
struct Remembered<'a> {
    catalog: &'a Catalog,
    setup: &'a Setup,
    policy: &'a Duplicates,
    /// The files being looked at: what is learnt of them is written with what becomes of them.
    new: HashSet<PathBuf>,
    /// Heads computed in this search; files that are about to move take theirs along.
    heads: Mutex<HashMap<PathBuf, Head>>,
    /// What was read of others, by directory.
    learnt: Mutex<BTreeMap<PathBuf, Vec<Learnt>>>,
}

impl Known for Remembered<'_> {
    fn each_of_sizes(&self, sizes: &HashSet<u64>, each: &mut dyn FnMut(dedupe::Candidate)) {
        let roots: Vec<_> = self.setup.roots.iter().map(|r| r.path.clone()).collect();
        let in_sight = |path: &Path, e: &Entry| {
            !is_out_of_sight(&e.outcome)
                && duplicates::in_scope(path, &self.policy.scope, &roots)
                && self.setup.is_in_sight(path)
        };
        let asked = self.catalog.each_of_sizes(sizes, |path, e| {
            if in_sight(&path, &e) {
                // In a root, an entry without an outcome waits for its turn like the new file.
                let settled_in = e.outcome != Outcome::Known || self.setup.root_of(&path).is_none();
                let (id, head, digest) = (e.id, e.head, e.digest);
                each(dedupe::Candidate { path, id, head, digest, settled_in });
            }
        });
        if let Err(error) = asked {
            tracing::warn!(%error, "the catalog could not be read; copies may be missed");
        }
    }

    fn remember(&self, path: &Path, id: Identity, head: Head, digest: Option<Digest>) {
        if self.new.contains(path) {
            if let Ok(mut heads) = self.heads.lock() {
                heads.insert(path.to_owned(), head);
            }
        } else if let Ok(mut learnt) = self.learnt.lock() {
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
