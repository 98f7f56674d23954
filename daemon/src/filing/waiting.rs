//! Rules whose destination lacks what they need: what the last runs found, for `status` and the log. How many files wait, the
//! index counts.
//!
//! Nothing is decided by it, and nothing is lost with it: a restart looks at the files anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tidy_core::name;
use tidy_core::rules::RuleName;

use super::Setup;
use crate::catalog::Tally;

/// So many of a rule's files are remembered: as long as one of them is there, files wait.
const FILES: usize = 16;

#[derive(Debug, Clone, Default)]
pub(super) struct Waiting(Arc<Mutex<BTreeMap<RuleName, Left>>>);

#[derive(Debug)]
struct Left {
    why: String,
    files: Vec<PathBuf>,
}

impl Waiting {
    /// A file stays for now.
    pub(super) fn left(&self, rule: &RuleName, why: &str, file: &Path) {
        let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !rules.contains_key(rule) {
            tracing::info!(%rule, "files are left for now: {why}");
        }
        let new = || Left { why: String::new(), files: Vec::new() };
        let left = rules.entry(rule.clone()).or_insert_with(new);
        why.clone_into(&mut left.why);
        if !left.files.iter().any(|known| known == file) {
            left.files.truncate(FILES - 1);
            left.files.insert(0, file.to_owned());
        }
    }

    /// A file of the rule was filed.
    pub(super) fn filed(&self, rule: &RuleName) {
        let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rules.remove(rule).is_some() {
            tracing::info!(%rule, "files are filed again that were left for a while");
        }
    }

    /// What waits for each rule, with what the index counts.
    pub(super) fn told(&self, setup: &Setup, counted: &[(RuleName, Tally)]) -> Vec<Waits> {
        let of_setup = |name: &RuleName| {
            let mut all = setup.roots.iter().flat_map(|root| &root.rules.rules);
            all.any(|rule| rule.name == *name && rule.requirement.is_some())
        };
        let counted = counted.iter().filter(|(rule, _)| of_setup(rule));
        let counted: BTreeMap<&RuleName, Tally> = counted.map(|(rule, t)| (rule, *t)).collect();
        let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rules.retain(|rule, left| {
            left.files.retain(|file| file.symlink_metadata().is_ok());
            of_setup(rule) && (counted.contains_key(rule) || !left.files.is_empty())
        });
        let all: BTreeSet<&RuleName> = rules.keys().chain(counted.keys().copied()).collect();
        let told = all.into_iter().map(|rule| {
            let (left, tally) = (rules.get(rule), counted.get(rule).copied().unwrap_or_default());
            // Folders that go as one are not in the index.
            let seen = left.map_or(0, |left| left.files.len() as u64);
            Waits {
                rule: rule.clone(),
                files: tally.count.max(seen),
                bytes: tally.bytes,
                why: left.map(|left| left.why.clone()),
                file: left.and_then(|left| left.files.first().cloned()),
            }
        });
        told.collect()
    }
}

/// Files of one rule that wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waits {
    pub rule: RuleName,
    pub files: u64,
    /// Sum of their sizes.
    pub bytes: u64,
    /// What the last of them lacked; `None`: they have not been looked at since the start.
    pub why: Option<String>,
    /// One of them.
    pub file: Option<PathBuf>,
}

impl Waits {
    /// The same as a sentence.
    pub fn text(&self) -> String {
        let wait = if self.files == 1 { "waits" } else { "wait" };
        let among = match &self.file {
            Some(file) if self.files == 1 => format!(" ({})", name::shown(file.as_os_str())),
            Some(file) => format!(" ({} among them)", name::shown(file.as_os_str())),
            None => String::new(),
        };
        let why = self.why.as_deref().unwrap_or("its destination lacked what the rule needs there");
        let files = tidy_core::count(self.files, "file");
        format!("{files} of rule `{}` {wait}{among}: {why}", self.rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_has_the_number_and_one_of_them() {
        let waits = |files, why: Option<&str>, file: Option<&str>| {
            let (why, file) = (why.map(str::to_owned), file.map(PathBuf::from));
            Waits { rule: "films".into(), files, bytes: 0, why, file }.text()
        };
        let away = Some("nothing is mounted at /nas");
        assert_eq!(
            waits(1, away, Some("/d/a")),
            "1 file of rule `films` waits (/d/a): nothing is mounted at /nas"
        );
        assert_eq!(
            waits(7, away, Some("/d/a\n")),
            "7 files of rule `films` wait (/d/a\\n among them): nothing is mounted at /nas"
        );
        assert_eq!(
            waits(2, None, None),
            "2 files of rule `films` wait: its destination lacked what the rule needs there"
        );
    }
}
