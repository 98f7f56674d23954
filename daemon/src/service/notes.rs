//! What opening found, in sentences for people. Nothing is said of what is as it should be.

use tidy_core::operation::Operation;
use tidy_core::plan::{Place, StepKind};
use tidy_core::{count, name};

use crate::catalog::CatalogReport;
use crate::journal::{OpenReport, ProjectionStart, RecoveryReport};
use crate::store::{Opened, StoreReport};

pub(super) fn store(report: &StoreReport) -> Vec<String> {
    match &report.opened {
        Opened::Created | Opened::Existing => Vec::new(),
        Opened::Cleaned { why } => {
            vec![format!("the store's snapshots were damaged and have been removed ({why})")]
        }
        Opened::SetAside { aside, why } => vec![format!(
            "the store was damaged ({why}); it is kept as {} and built anew from the folders and the journal: nothing is lost",
            aside.display()
        )],
    }
}

pub(super) fn catalog(report: &CatalogReport) -> Vec<String> {
    let mut notes = Vec::new();
    if report.reset {
        notes.push("the catalog is of another version; the folders are scanned anew".to_owned());
    }
    if !report.damaged.is_empty() {
        let n = report.damaged.len();
        notes
            .push(format!("{n} pages of the catalog were damaged; their folders are scanned anew"));
    }
    notes
}

pub(super) fn journal(report: &OpenReport) -> Vec<String> {
    let mut notes = Vec::new();
    match report.cut {
        // What every kill leaves: not worth a person's attention.
        Some(cut) if !cut.strange => {
            tracing::info!("the journal ended in the middle of a record, which has been cut off");
        }
        Some(cut) => notes.push(format!(
            "the end of the journal is damaged and was cut off ({}); a copy of segment {} is kept as *.damaged",
            count(cut.bytes, "byte"),
            cut.at.segment
        )),
        None => {}
    }
    for damage in &report.damage {
        notes.push(format!(
            "segment {} of the journal is damaged ({}: {}); a copy is kept as *.damaged, and all other records are used. What cannot be read cannot be put back",
            damage.at.segment,
            count(damage.bytes, "byte"),
            damage.what
        ));
    }
    for gone in &report.missing {
        notes.push(format!(
            "of the journal's segments {} to {} are missing: what they told can be put back only as long as the index has it",
            gone.start(),
            gone.end()
        ));
    }
    for (path, why) in &report.strangers {
        let path = name::shown(path.as_os_str());
        notes.push(format!("{path} is not a part of the journal and is left alone: {why}"));
    }
    for op in &report.unreadable {
        notes.push(format!(
            "operation {op} had not ended, and the record of what it was to do is damaged: it cannot be settled; look for files named .tidyd-{op}.*"
        ));
    }
    if let Some(lost) = &report.lost {
        notes.push(format!(
            "the end of the journal has gone: what was done as operations {} to {} can neither be listed nor put back",
            lost.start(),
            lost.end()
        ));
    }
    if let ProjectionStart::Rebuilt(why, operations) = &report.projection
        && *operations > 0
    {
        // Nothing is lost and nothing is to be done; a store that was damaged is told of by itself.
        tracing::info!(%why, operations, "the journal's index was built anew from the log");
    }
    notes
}

pub(super) fn recovery(report: &RecoveryReport) -> Vec<String> {
    let settled = report.done.len() + report.aborted.len();
    if settled > 0 {
        tracing::info!(
            finished = report.done.len(),
            taken_back = report.aborted.len(),
            "operations that were cut off have been settled"
        );
    }
    let unknown = report.unknown.iter().map(|op| {
        let what = match op.step.kind {
            StepKind::Run => "its command was ended with tidyd; how far it came is not known, and it is not run again",
            _ => "its file is neither where it was nor where it should be; nothing was touched",
        };
        format!("operation {} ({}) was cut off: {what}", op.id, subject(op))
    });
    let open = report.still_open.iter().map(|(op, why)| {
        format!("operation {} ({}) could not be settled yet: {why}", op.id, subject(op))
    });
    unknown.chain(open).collect()
}

/// Of a dry run, which settles none.
pub(super) fn left_open(operations: usize) -> Option<String> {
    let one = (operations == 1).then_some("was cut off: it is");
    (operations > 0).then(|| {
        format!(
            "{} {} settled when tidyd is started, or run without --dry-run; nothing is done about it now",
            count(operations as u64, "operation"),
            one.unwrap_or("were cut off: they are")
        )
    })
}

fn subject(op: &Operation) -> String {
    op.step.subject().map(Place::path).map(|p| name::shown(p.as_os_str())).unwrap_or_default()
}
