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
