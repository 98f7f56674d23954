//! A state directory of an earlier version, or one that was left in the middle of something, brought up to this one.

use tidy_core::name;
use tidy_protocol::ExitCode as Code;

use super::Fatal;
use super::open::store_failed;
use crate::care::{self, CareError, Made, Sources};
use crate::store::StateDir;
use crate::store::format::{FORMAT, Format};
use crate::telemetry::clock::{Clock as _, SystemClock};

type Step = fn(&StateDir) -> Result<(), Fatal>;

/// Steps from one format to the next: what the step at index n changes in a directory of format n; `None`: nothing but the number,
/// so that this program reads the older one as it is. A step may be cut off, and is then done again.
const STEPS: [Option<Step>; FORMAT as usize] = [
    // 0 to 1: there is a file `format`; segments, records and small files are the same.
    None,
];

/// Finishes what was cut off, and takes the steps that lead to the present format; a copy is made before. Returns what a person
/// should know.
pub(super) fn bring_up(state: &StateDir, found: Format) -> Result<Vec<String>, Fatal> {
    let mut notes = Vec::new();
    if let Some(aside) = care::finish(state.path()).map_err(|e| failed("finished", &e))? {
        let aside = name::shown(aside.as_os_str());
        notes.push(format!(
            "a `store restore` that was cut off has been finished; what was there before is kept in {aside}"
        ));
    }
    match found {
        // On a full disk nothing is filed, and the next start does it.
        Format::New => drop(state.set_format()),
        Format::Is(FORMAT) => {}
        Format::Is(older) => {
            let kept = keep(state, older)?;
            for step in STEPS[older as usize..].iter().flatten() {
                step(state)?;
            }
            state.set_format().map_err(store_failed)?;
            let kept = kept.map(|path| format!("; a copy of what it was is kept as {path}"));
            notes.push(format!(
                "the state directory was of an earlier version (format {older}) and has been brought up to this one (format {FORMAT}){}",
                kept.unwrap_or_default()
            ));
        }
    }
    Ok(notes)
}

/// The same for a dry run, which changes nothing: what cannot be read as it is, is refused.
pub(super) fn leave_as_is(state: &StateDir, found: Format) -> Result<Vec<String>, Fatal> {
    let refused = |message: &str| {
        let message = format!("{}: {message}", name::shown(state.path().as_os_str()));
        let hint =
            "a dry run changes nothing: start tidyd, or run it without --dry-run, and that is done";
        Err(Fatal::new(Code::Refused, message, hint))
    };
    if care::is_unfinished(state.path()) {
        return refused("a `store restore` was cut off, and is to be finished first");
    }
    match found {
        // It is this process that has made it, and it is of its format.
        Format::New => drop(state.set_format()),
        Format::Is(older) if STEPS[older as usize..].iter().any(Option::is_some) => {
            return refused("it is of an earlier version, and is to be brought up first");
        }
        Format::Is(_) => {}
    }
    Ok(Vec::new())
}

/// A copy of what is precious, under a name that no schedule removes.
fn keep(state: &StateDir, older: u32) -> Result<Option<String>, Fatal> {
    let what = Sources { state: state.path(), config: None };
    let into = state.path().join(tidy_config::BACKUPS_DIR);
    let name = format!("before-format-{}", older + 1);
    let made = care::make_as(&what, &into, SystemClock.wall(), &name);
    match made.map_err(|e| failed("copied before it is brought up to this version", &e))? {
        Made::New { backup, .. } | Made::Unchanged(backup) => {
            Ok(Some(name::shown(backup.path.as_os_str())))
        }
        Made::Nothing => Ok(None),
    }
}

fn failed(what: &str, error: &CareError) -> Fatal {
    let message = format!("the state directory could not be {what}: {error}");
    Fatal::new(Code::Failed, message, error.hint())
}
