//! The gate: files that no rule is asked about, with the reason.

use std::path::Path;

use tidy_core::facts::{FileType, Stat};
use tidy_core::policy::RootPolicy;
use tidy_core::rules::LeaveReason;

use super::Setup;

/// Why the file is left before any rule is asked; `None` lets it through.
///
/// Only what its name, its place and its stat say; `in_unit` is what the scan found out about the
/// directories above it.
pub fn gate(
    setup: &Setup,
    root: &RootPolicy,
    rel: &Path,
    stat: &Stat,
    in_unit: bool,
) -> Option<LeaveReason> {
    if stat.file_type == FileType::Directory {
        return gate_of_unit(setup, root, rel, in_unit);
    }
    if stat.file_type != FileType::Regular {
        return Some(LeaveReason::NotRegular);
    }
    if let Some(reason) = root.ignore.reason(rel) {
        return Some(reason);
    }
    if in_unit {
        return Some(LeaveReason::InUnit);
    }
    if setup.in_destination(root, &root.path.join(rel)) {
        return Some(LeaveReason::InDestination);
    }
    (stat.nlink > 1).then_some(LeaveReason::HardLinked)
}

/// Whether the directory at `rel` is one that is one thing where an archive was unpacked into it: none that rules file into,
/// nor one that is watched itself, or has such a one in it.
pub fn may_be_unpacked(setup: &Setup, root: &RootPolicy, rel: &Path) -> bool {
    let path = root.path.join(rel);
    root.whole_unpacked
        && !setup.in_destination(root, &path)
        && setup.destination_in(root, &path).is_none()
        && !setup.roots.iter().any(|other| other.path.starts_with(&path))
}

/// The gate of a directory that is one thing, which a rule may move as a whole.
fn gate_of_unit(
    setup: &Setup,
    root: &RootPolicy,
    rel: &Path,
    in_unit: bool,
) -> Option<LeaveReason> {
    let mut above: Vec<&Path> = rel.ancestors().skip(1).collect();
    above.reverse();
    let reason = above.into_iter().find_map(|dir| root.ignore.dir(dir));
    let own = root.ignore.dir(rel).filter(|r| *r != LeaveReason::InUnit);
    let reason = reason.or(own).or(in_unit.then_some(LeaveReason::InUnit));
    let path = root.path.join(rel);
    // One that rules file into would be made anew as soon as it is gone.
    let filed = || setup.in_destination(root, &path) || setup.destination_in(root, &path).is_some();
    reason.or_else(|| filed().then_some(LeaveReason::InDestination))
}
