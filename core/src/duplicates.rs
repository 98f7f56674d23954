//! Duplicates: which copy stays, and what that means for the others.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::UnixNanos;
use crate::facts::{Captures, Fact, Facts};
use crate::name;
use crate::policy::{Duplicates, Keep, Others};
use crate::rules::{Act, Action, Checked, Decision, RuleName, RuleTrace, Truth, Verdict};
use crate::template::Template;

/// The name under which putting a duplicate aside appears in the journal.
pub const RULE: &str = "duplicates";

/// One copy in a group of equal files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    pub path: PathBuf,
    pub mtime: UnixNanos,
    /// It has been filed or left before: it wins over files that have just arrived, so that a newly
    /// arrived copy never displaces what has its place.
    pub settled_in: bool,
}

/// The index of the copy that stays. `None` for an empty group.
///
/// Total and deterministic: ties are broken by the shorter path, then by its bytes.
pub fn keeper(copies: &[Copy], keep: Keep) -> Option<usize> {
    (0..copies.len()).min_by(|&a, &b| rank(&copies[a], &copies[b], keep))
}

fn rank(a: &Copy, b: &Copy, keep: Keep) -> Ordering {
    let by_policy = match keep {
        Keep::Oldest => a.mtime.cmp(&b.mtime),
        Keep::Newest => b.mtime.cmp(&a.mtime),
        Keep::ShortestPath => Ordering::Equal,
    };
    let length = |c: &Copy| c.path.as_os_str().len();
    b.settled_in
        .cmp(&a.settled_in)
        .then(by_policy)
        .then(length(a).cmp(&length(b)))
        .then_with(|| a.path.cmp(&b.path))
}

/// The decision that puts a copy aside; `None` when the file is no copy, or copies are only reported.
pub fn decide(facts: &Facts, policy: &Duplicates) -> Option<Decision> {
    let Fact::Known(keeper, source) = &facts.duplicate_of else { return None };
    let rule: RuleName = RULE.into();
    let action = match &policy.others {
        Others::Report => return None,
        Others::Trash => Action::Trash,
        Others::Folder(dir) => Action::Move(folder(dir)),
    };
    let checked = Checked {
        test: "duplicate".into(),
        truth: Truth::True,
        seen: format!("same bytes as {}, by {}", name::shown(keeper.as_os_str()), source.as_str()),
    };
    let trace = RuleTrace { rule: rule.clone(), matched: Truth::True, checked: vec![checked] };
    let captures = Captures::new();
    let act = Act {
        rule,
        action,
        tags: None,
        conflict: None,
        captures,
        companions: None,
        requirement: None,
    };
    Some(Decision { verdict: Verdict::Act(vec![act]), trace: vec![trace], revisit_at: None })
}

pub(crate) fn folder(dir: &Path) -> Template {
    Template::fixed_folder(dir)
}

/// Whether `path` lies below one of the directories.
pub fn in_scope(path: &Path, scope: &[PathBuf], roots: &[Arc<Path>]) -> bool {
    if scope.is_empty() {
        roots.iter().any(|r| path.starts_with(r))
    } else {
        scope.iter().any(|s| path.starts_with(s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn copy(path: &str, mtime: i64, settled_in: bool) -> Copy {
        Copy { path: path.into(), mtime: UnixNanos(mtime), settled_in }
    }

    #[test]
    fn the_policy_chooses_and_what_has_its_place_stays() {
        let group =
            [copy("/r/long name", 5, false), copy("/r/b", 5, false), copy("/r/c", 1, false)];
        assert_eq!(keeper(&group, Keep::Oldest), Some(2));
        assert_eq!(keeper(&group, Keep::Newest), Some(1));
        assert_eq!(keeper(&group, Keep::ShortestPath), Some(1));
        let with_filed = [copy("/r/new", 1, false), copy("/r/filed", 9, true)];
        assert_eq!(keeper(&with_filed, Keep::Oldest), Some(1));
        assert_eq!(keeper(&[], Keep::Oldest), None);
    }

    proptest! {
        /// The same copies in another order have the same keeper.
        #[test]
        fn the_order_of_the_copies_does_not_matter(
            mtimes in prop::collection::vec((0i64..4, any::<bool>()), 1..8),
            keep in prop::sample::select(Keep::ALL.iter().map(|k| k.1).collect::<Vec<_>>()),
        ) {
            let group: Vec<Copy> = mtimes.iter().enumerate()
                .map(|(i, (t, s))| copy(&format!("/r/{i}"), *t, *s)).collect();
            let kept = &group[keeper(&group, keep).unwrap()];
            let mut turned = group.clone();
            turned.reverse();
            prop_assert_eq!(kept, &turned[keeper(&turned, keep).unwrap()]);
        }
    }
}
