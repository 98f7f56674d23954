//! Rules whose destination lacks what they need: what the last runs found, for `status` and the log.
//!
//! Nothing is decided by it, and nothing is lost with it: a restart looks at the files anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tidy_core::name;
use tidy_core::rules::RuleName;

use super::Setup;

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

    /// One sentence for each rule of which files wait.
    pub(super) fn told(&self, setup: &Setup) -> Vec<String> {
        let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_setup = |name: &RuleName| {
            let mut all = setup.roots.iter().flat_map(|root| &root.rules.rules);
            all.any(|rule| rule.name == *name && rule.requirement.is_some())
        };
        rules.retain(|rule, left| {
            left.files.retain(|file| file.symlink_metadata().is_ok());
            of_setup(rule) && !left.files.is_empty()
        });
        let told = rules.iter().map(|(rule, left)| {
            let last = left.files.first().map(|file| name::shown(file.as_os_str()));
            format!(
                "files of rule `{rule}` wait, {} among them: {}",
                last.unwrap_or_default(),
                left.why
            )
        });
        told.collect()
    }
}
