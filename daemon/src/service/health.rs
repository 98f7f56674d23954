//! Whether the service can do its work: what `tidyctl health` says, and what is served as `/health`.

use std::io;
use std::path::Path;

use tidy_core::name;
use tidy_protocol::{Health, HealthCheck, RootInfo, Status};

use super::handler::Service;
use super::reach;
use crate::act::hook;
use crate::beneath;
use crate::journal::JournalError;

/// Free space below which the state directory's file system is complained about.
const LOW_SPACE: u64 = 64 << 20;

/// What to do about a folder that cannot be looked into.
const UNREADABLE: &str = "make the folder, mount its disk, or give tidyd permission";

/// What was looked at so far.
#[derive(Default)]
struct Checks(Vec<HealthCheck>);

impl Checks {
    fn add(&mut self, name: &str, ok: bool, detail: String, hint: &str) {
        let hint = (!ok).then(|| hint.to_owned());
        self.0.push(HealthCheck { name: name.into(), ok, detail, hint });
    }

    /// What is well unless there is something to be said.
    fn trouble(&mut self, name: &str, trouble: Option<String>, well: &str, hint: &str) {
        let ok = trouble.is_none();
        self.add(name, ok, trouble.unwrap_or_else(|| well.to_owned()), hint);
    }
}

/// Looks at everything. Blocks on the disk.
pub(super) fn of(service: &Service, status: &Status) -> Health {
    let mut checks = Checks::default();
    records(service, status, &mut checks);
    for root in &status.roots {
        folder(service, root, &mut checks);
    }
    for lost in reach::lost(&service.setup(), service.confinement()).iter().filter(|l| !l.root) {
        checks.add("destination", false, lost.text(), lost.hint());
    }
    helpers(service, &mut checks);
    let free = free(status.state_dir.as_path());
    checks.add(
        "space",
        free.is_none_or(|f| f >= LOW_SPACE),
        free.map_or_else(
            || "not known".into(),
            |f| format!("{} free for the journal", tidy_core::bytes(f)),
        ),
        "free some space: the journal must be writable before a file may be moved",
    );
    let Checks(checks) = checks;
    Health { ok: checks.iter().all(|c| c.ok), checks }
}

/// Bytes that are free where a directory is.
pub(super) fn free(dir: &Path) -> Option<u64> {
    let free = rustix::fs::statvfs(dir).ok()?;
    Some(free.f_bavail.saturating_mul(free.f_frsize))
}

/// The journal, its index and the catalog.
fn records(service: &Service, status: &Status, checks: &mut Checks) {
    let (journal, catalog) = (service.filing().journal(), service.filing().catalog());
    let trouble = journal.trouble();
    let hint = match &trouble {
        Some(trouble) if !trouble.no_space => {
            "check the disk of the state directory; nothing is filed until the journal can be written"
        }
        _ => {
            "free space on the file system of the state directory; nothing is filed until it can be written"
        }
    };
    checks.trouble("journal", trouble.map(|t| t.to_string()), "written", hint);
    checks.add(
        "operations",
        status.open_operations == 0 || status.pending.in_flight > 0 || status.jobs_running > 0,
        format!("{} not ended", status.open_operations),
        "`tidyctl log --state intended` lists them; a restart settles them",
    );
    let index = journal.batches(None, 1).err();
    let hint = index.as_ref().map_or("", JournalError::hint);
    checks.trouble("index", index.as_ref().map(ToString::to_string), "readable", hint);
    let stats = catalog.stats();
    checks.add(
        "catalog",
        stats.is_ok(),
        stats.map_or_else(|e| e.to_string(), |s| format!("{} files", s.files.count)),
        "restart tidyd: it is set aside and built anew",
    );
}

/// One watched folder.
fn folder(service: &Service, root: &RootInfo, checks: &mut Checks) {
    let path = name::shown(root.path.as_path().as_os_str());
    if let Some(stopped) = &root.stopped {
        let detail = format!("{path} is stopped, because {}", stopped.text);
        checks.add(
            "root",
            false,
            detail,
            "`tidyctl status` shows what to do; `tidyctl resume` goes on",
        );
    } else if is_another(service, root.path.as_path()) {
        // Whatever the watch has made of it.
        let detail = format!("{path} is not the folder that was there when tidyd started");
        checks.add(
            "root",
            false,
            detail,
            "restart tidyd: it is confined to the folder that was there",
        );
    } else if matches!(root.state.as_str(), "missing" | "unreadable") {
        checks.add("root", false, format!("{path} is {}", root.state), UNREADABLE);
    } else if let Some(error) = cannot_be_listed(root.path.as_path()) {
        // Nothing tells of permissions that are taken away, nor of a server that is gone; a walk may be an hour off.
        checks.add("root", false, format!("{path} cannot be read: {error}"), UNREADABLE);
    } else {
        checks.add("root", true, format!("{path} is {}", root.state), "");
    }
}

/// Why it cannot be listed at this moment. A folder that is not there is another matter.
fn cannot_be_listed(root: &Path) -> Option<io::Error> {
    let error = beneath::open_dir(root, Path::new("")).err()?;
    (error.kind() != io::ErrorKind::NotFound).then_some(error)
}

/// Whether there is a folder, and the process may not touch it.
fn is_another(service: &Service, root: &Path) -> bool {
    beneath::stat_path(root).is_ok() && !service.confinement().may_write(root)
}

/// The processes that do for us what we may not.
fn helpers(service: &Service, checks: &mut Checks) {
    let gone = service.filing().readers().is_gone();
    checks.trouble(
        "readers",
        gone.then(|| "the process that reads what files say of themselves has ended".to_owned()),
        "there",
        "restart tidyd; until then rules that ask for it find nothing in documents, pictures and music",
    );
    let setup = service.setup();
    if setup.runs_commands() || setup.notifies() {
        let none = "tidyd was started without the process that runs commands".to_owned();
        let trouble = if hook::is_started() { hook::trouble() } else { Some(none) };
        let hint = "restart tidyd; until then no command of a rule is run, and nothing is told on the desktop";
        checks.trouble("commands", trouble, "can be run", hint);
    }
}
