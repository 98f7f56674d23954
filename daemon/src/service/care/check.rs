//! `store verify`: the log, the index against it, the catalog against itself, the backups.

use serde::Serialize;
use tidy_protocol::{Client, ExitCode as Code, Health, HealthCheck, Request, Response};

use super::{Out, backup, count, folder, moment, shown, there};
use crate::care;
use crate::catalog::{Catalog, VerifyReport};
use crate::filing::Filing;
use crate::journal::{self, IndexCheck, Outside};
use crate::service::configure::Places;
use crate::service::error::Hinted as _;
use crate::service::{Fatal, open};
use crate::store::{StateDir, Store, StoreError, StoreOptions, format};

const REBUILD: &str = "stop tidyd, then `tidyctl store rebuild`: nothing is lost by it";

/// One thing that was looked at; as `tidyctl doctor` has it (docs/json.md).
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    name: String,
    /// `ok`, `warning`, `bad`.
    level: &'static str,
    detail: String,
    fix: Option<String>,
}

#[derive(Debug, Serialize)]
struct Diagnosis {
    ok: bool,
    findings: Vec<Finding>,
}

impl Finding {
    pub(super) fn good(name: &str, detail: impl Into<String>) -> Self {
        Self { name: name.into(), level: "ok", detail: detail.into(), fix: None }
    }

    fn warning(name: &str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        let (name, detail, fix) = (name.into(), detail.into(), Some(fix.into()));
        Self { name, level: "warning", detail, fix }
    }

    pub(super) fn bad(name: &str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { level: "bad", ..Self::warning(name, detail, fix) }
    }

    fn of(check: HealthCheck) -> Self {
        match check.ok {
            true => Self::good(&check.name, check.detail),
            false => Self::bad(&check.name, check.detail, check.hint.unwrap_or_default()),
        }
    }
}

pub(super) fn verify(out: &Out, places: &Places) -> Result<Code, Fatal> {
    there(places)?;
    let known = format::of(&places.state).map_err(open::store_failed)?;
    let mut found = vec![match known {
        format::Format::Is(n) if n < format::FORMAT => {
            let detail = format!("{} is of an earlier version (format {n})", shown(&places.state));
            Finding::warning("state", detail, "the next start of tidyd brings it up")
        }
        _ => Finding::good("state", format!("{} is of this version", shown(&places.state))),
    }];
    if care::is_unfinished(&places.state) {
        let detail = "a `store restore` was cut off in the middle";
        found.push(Finding::bad("state", detail, "start tidyd: it finishes it"));
    }
    match journal::look(&places.state.join(tidy_config::JOURNAL_DIR)) {
        Ok(log) => log_findings(&log, &mut found),
        Err(e) => found.push(Finding::bad("journal", e.to_string(), e.hint())),
    }
    match StateDir::open(&places.state) {
        Ok(state) => found.extend(index_of(&state)?.into_iter().map(Finding::of)),
        Err(StoreError::InUse { .. }) => found.extend(ask(places)),
        Err(e) => return Err(open::store_failed(e)),
    }
    backups(places, &mut found);
    tell(out, found)
}

/// Shows them; the exit code says whether something has to be done.
pub(super) fn tell(out: &Out, findings: Vec<Finding>) -> Result<Code, Fatal> {
    let ok = findings.iter().all(|f| f.level != "bad");
    let diagnosis = Diagnosis { ok, findings };
    out.show(&diagnosis, || {
        let line = |f: &Finding| {
            let level = if f.level == "bad" { "BAD" } else { f.level };
            let fix = f.fix.as_ref().map(|fix| format!("                     fix: {fix}\n"));
            format!("{level:<7}  {:<10}  {}\n{}", f.name, f.detail, fix.unwrap_or_default())
        };
        diagnosis.findings.iter().map(line).collect()
    })?;
    Ok(if ok { Code::Ok } else { Code::Failed })
}

fn log_findings(log: &Outside, found: &mut Vec<Finding>) {
    let restore = "check the disk; `tidyctl store list` shows the backups, and `tidyctl store restore` puts one back";
    for damage in &log.damage {
        let detail = format!(
            "{} of segment {} cannot be read, from byte {} on: {}",
            count(damage.bytes, "byte"),
            damage.at.segment,
            damage.at.offset,
            damage.what
        );
        found.push(Finding::bad("journal", detail, restore));
    }
    for gone in &log.missing {
        let detail = format!("segments {} to {} are missing", gone.start(), gone.end());
        found.push(Finding::bad("journal", detail, restore));
    }
    for (path, why) in &log.strangers {
        let detail = format!("{} is no part of it: {why}", shown(path));
        found.push(Finding::warning("journal", detail, "move it away; tidyd leaves it alone"));
    }
    if log.damage.is_empty() && log.missing.is_empty() {
        let (segments, records) =
            (count(log.segments.len() as u64, "segment"), count(log.records, "record"));
        let last =
            log.last.map(|(id, at)| format!(", the last operation is {id} of {}", moment(at)));
        let open = match log.open {
            0 => String::new(),
            n => format!(", {n} not ended"),
        };
        let detail = format!("{segments}, {records}{}{open}", last.unwrap_or_default());
        found.push(Finding::good("journal", detail));
    }
}

/// Of a state directory that nobody else has open.
fn index_of(state: &StateDir) -> Result<Vec<HealthCheck>, Fatal> {
    if !state.store().exists() {
        let detail = "there is none: the next start builds it".to_owned();
        return Ok(vec![HealthCheck { name: "index".into(), ok: true, detail, hint: None }]);
    }
    let store = match Store::open_as_it_is(&state.store(), StoreOptions::default()) {
        Ok(store) => store,
        Err(e) if e.is_damage() => {
            let hint = format!("the next start sets it aside and builds it anew; or: {REBUILD}");
            let (name, detail) = ("index".into(), e.to_string());
            return Ok(vec![HealthCheck { name, ok: false, detail, hint: Some(hint) }]);
        }
        Err(e) => return Err(open::store_failed(e)),
    };
    let index = store.run(|db| Ok(journal::check_index(&state.journal(), db)));
    let index = match index {
        Ok(index) => index.map_err(|e| (e.to_string(), e.hint())),
        Err(e) => Err((e.to_string(), e.hint())),
    };
    let catalog = Catalog::open(&store).and_then(|(catalog, report)| {
        let mut found = catalog.verify()?;
        found.damaged.extend(report.damaged);
        Ok(found)
    });
    let checks = vec![
        index.map_or_else(|(why, hint)| bad("index", why, hint), |index| index_check(&index)),
        catalog.map_or_else(|e| bad("catalog", e.to_string(), e.hint()), |c| catalog_check(&c)),
    ];
    // Not closed: sled syncs once more then, and panics when that fails.
    std::mem::forget(store);
    Ok(checks)
}

/// What the running service finds.
pub(crate) fn checks(filing: &Filing) -> Health {
    let index = filing.journal().check_index();
    let catalog = filing.catalog().verify();
    let checks = vec![
        index.map_or_else(|e| bad("index", e.to_string(), e.hint()), |index| index_check(&index)),
        catalog.map_or_else(|e| bad("catalog", e.to_string(), e.hint()), |c| catalog_check(&c)),
    ];
    Health { ok: checks.iter().all(|c| c.ok), checks }
}

fn bad(name: &str, detail: String, hint: &str) -> HealthCheck {
    HealthCheck { name: name.into(), ok: false, detail, hint: Some(hint.into()) }
}

fn index_check(index: &IndexCheck) -> HealthCheck {
    if !index.is_good() {
        let examples: Vec<String> = index.examples.iter().map(ToString::to_string).collect();
        let unreadable = index.unreadable.as_ref().map(|why| format!(" ({why})"));
        let detail = format!(
            "it says something else than the journal of {}, {} among them{}",
            count(index.wrong, "operation"),
            examples.join(", "),
            unreadable.unwrap_or_default()
        );
        return bad("index", detail, REBUILD);
    }
    let detail = match &index.behind {
        Some(behind) => behind.clone(),
        None => format!("{} as in the journal", count(index.operations, "operation")),
    };
    HealthCheck { name: "index".into(), ok: true, detail, hint: None }
}

fn catalog_check(report: &VerifyReport) -> HealthCheck {
    let (files, dirs) = (count(report.files, "file"), count(report.directories, "folder"));
    if report.is_good() {
        let detail = format!("{files} in {dirs}, {}", count(report.pages, "page"));
        return HealthCheck { name: "catalog".into(), ok: true, detail, hint: None };
    }
    let detail = match report.damaged.len() as u64 {
        0 => "its counters are not what its pages say".to_owned(),
        n => format!("{} with pages that are damaged", count(n, "folder")),
    };
    bad("catalog", detail, "`tidyctl rescan` reads the folders anew; a restart counts anew")
}

fn ask(places: &Places) -> Vec<Finding> {
    let answer = || {
        let socket = places.socket.as_ref().ok_or("its socket is not known")?;
        let mut client =
            Client::connect(socket, env!("CARGO_PKG_VERSION")).map_err(|e| e.to_string())?;
        match client.call(&Request::StoreVerify).map_err(|e| e.to_string())? {
            Response::Health(health) => Ok::<_, String>(health.checks),
            _ => Err("it answered something else".into()),
        }
    };
    match answer() {
        Ok(checks) => checks.into_iter().map(Finding::of).collect(),
        Err(why) => {
            let detail =
                format!("only the running tidyd can read it, and it could not be asked: {why}");
            vec![Finding::warning("index", detail, "name its socket with --socket, or stop it")]
        }
    }
}

/// Every backup in the configured folder.
fn backups(places: &Places, found: &mut Vec<Finding>) {
    let dir = match folder(places) {
        Ok(configured) => &configured.dir,
        Err(e) => {
            let hint = e.hint.unwrap_or_default();
            return found.push(Finding::warning("backup", e.message, hint));
        }
    };
    let all = match care::backups(dir) {
        Ok(all) => all,
        Err(e) => return found.push(Finding::warning("backup", e.to_string(), e.hint())),
    };
    if all.is_empty() {
        let detail = format!("there is none in {}", shown(dir));
        found.push(Finding::warning("backup", detail, "tidyctl store backup"));
    }
    for one in &all {
        found.push(match one.check() {
            Ok(()) => Finding::good("backup", backup::good(one)),
            Err(e) => {
                let fix =
                    "check the disk; `tidyctl store backup` makes a new one, then remove this one";
                Finding::bad("backup", e.to_string(), fix)
            }
        });
    }
}
