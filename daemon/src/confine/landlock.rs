//! The rules of the kernel: which rights where.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, NetPort,
    PathBeneath, PathFd, RestrictionStatus, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError, RulesetStatus,
};

use super::Reach;

/// The newest rights that are asked for; an older kernel enforces those that it knows.
const ASKED: ABI = ABI::V5;

/// Restricts the calling thread; returns the version of the kernel's interface.
///
/// # Errors
/// Why nothing is restricted, for people.
pub(super) fn restrict(reach: &Reach) -> Result<i32, String> {
    let status = enforce(reach).map_err(|e| why_not().unwrap_or(e.to_string()))?;
    match (status.ruleset, version(status.landlock)) {
        (RulesetStatus::NotEnforced, _) => Err("the kernel enforces nothing".to_owned()),
        (_, version) => version,
    }
}

fn version(status: LandlockStatus) -> Result<i32, String> {
    match status {
        LandlockStatus::NotImplemented => Err("this kernel has no Landlock".to_owned()),
        LandlockStatus::NotEnabled => {
            Err("Landlock is switched off in this kernel (boot parameter `lsm=`)".to_owned())
        }
        LandlockStatus::Available { effective_abi, kernel_abi } => {
            Ok(kernel_abi.unwrap_or(effective_abi as i32))
        }
    }
}

/// What the kernel lacks, when it refused what must be had. Asked like this it restricts nothing.
fn why_not() -> Option<String> {
    let asked = Ruleset::default().handle_access(AccessFs::Refer).and_then(Ruleset::create).ok()?;
    match version(asked.restrict_self().ok()?.landlock) {
        Err(why) => Some(why),
        Ok(abi) => Some(format!(
            "with this kernel's Landlock (ABI {abi}) files could not be moved between folders"
        )),
    }
}

/// What filing takes. No device, FIFO or socket is ever made, and nothing is run.
fn filing() -> BitFlags<AccessFs> {
    AccessFs::ReadFile
        | AccessFs::ReadDir
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::MakeSym
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer
}

fn enforce(reach: &Reach) -> Result<RestrictionStatus, RulesetError> {
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    let socket = AccessFs::ReadDir | AccessFs::MakeSock | AccessFs::RemoveFile;
    // Of what is there, only its beginning is looked at: is it ours?
    let replaced = reading | AccessFs::WriteFile | AccessFs::MakeReg | AccessFs::RemoveFile;
    let mut rules = Ruleset::default()
        // Without this right (ABI 1) nothing could be moved from one directory to another.
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::Refer)?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ASKED))?
        .handle_access(AccessNet::from_all(ASKED))?
        .create()?;
    for dir in &reach.folders {
        rules = allow(rules, dir, filing())?;
    }
    for dir in &reach.own {
        // The socket may lie in the state directory.
        rules = allow(rules, dir, filing() | AccessFs::MakeSock)?;
    }
    for dir in &reach.socket_dirs {
        rules = allow(rules, dir, socket)?;
    }
    for path in &reach.read {
        rules = allow(rules, path, reading)?;
    }
    for dir in &reach.replaced {
        rules = allow(rules, dir, replaced)?;
    }
    if let Some(port) = reach.listen {
        rules = rules.add_rule(NetPort::new(port, AccessNet::BindTcp))?;
    }
    rules.restrict_self()
}

/// Of a file only the rights that files have are granted. What cannot be found is not granted.
fn allow(
    rules: RulesetCreated,
    path: &Path,
    rights: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    let Ok(fd) = PathFd::new(path) else { return Ok(rules) };
    let rights = if path.is_dir() { rights } else { rights & AccessFs::from_file(ASKED) };
    rules.add_rule(PathBeneath::new(fd, rights))
}
