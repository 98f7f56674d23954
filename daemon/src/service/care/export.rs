//! `store export`: every operation on record as JSON, one a line.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidy_core::operation::{OpId, OpState, Operation};
use tidy_core::plan::Consideration;
use tidy_core::rules::Considered;
use tidy_protocol::{ExitCode as Code, OperationInfo};

use super::{shown, there, unwritten};
use crate::journal::{self, JournalError, Outside};
use crate::service::configure::Places;
use crate::service::{Fatal, convert};
use crate::telemetry;

pub(super) fn export(
    places: &Places,
    output: Option<&Path>,
    from: Option<&Path>,
) -> Result<Code, Fatal> {
    if from.is_none() {
        there(places)?;
    }
    let dir = log_of(from.unwrap_or(&places.state));
    if !dir.is_dir() {
        let message = format!("there is no journal in {}", shown(from.unwrap_or(&places.state)));
        return Err(Fatal::new(Code::Failed, message, "name a state directory or a backup"));
    }
    let failed = |e: JournalError| Fatal::new(Code::Failed, e.to_string(), e.hint());
    let undone = undone(&dir).map_err(failed)?;
    let mut out: Box<dyn Write> = match output {
        None => Box::new(BufWriter::new(io::stdout().lock())),
        Some(path) => Box::new(BufWriter::new(create(path)?)),
    };
    let mut written = Ok(());
    let mut kept = Kept::default();
    let log = journal::read(&dir, &mut |op| {
        if written.is_ok() {
            let told = OperationInfo {
                considered: kept.considered(&op),
                ..convert::operation(&op, undone.get(&op.id.0).copied())
            };
            written = line(&mut out, &told);
        }
    });
    let log = log.map_err(failed)?;
    match written.and_then(|()| out.flush()) {
        // Whoever reads has seen enough.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(Code::Ok),
        other => other.map_err(|e| unwritten(&e))?,
    }
    Ok(summarize(&log))
}

/// A backup and a state directory have it in `journal`; else it is meant itself.
fn log_of(dir: &Path) -> PathBuf {
    let inside = dir.join(tidy_config::JOURNAL_DIR);
    if inside.is_dir() { inside } else { dir.to_owned() }
}

/// By which operation each was undone or redone last: that stands behind it in the log.
fn undone(dir: &Path) -> Result<BTreeMap<u64, u64>, JournalError> {
    let mut by = BTreeMap::new();
    journal::read(dir, &mut |op| {
        if let Some(of) = op.step.inverse_of.filter(|_| op.state == OpState::Done) {
            by.insert(of.0, op.id.0);
        }
    })?;
    Ok(by)
}

fn line(out: &mut dyn Write, told: &OperationInfo) -> io::Result<()> {
    serde_json::to_writer(&mut *out, told)?;
    out.write_all(b"\n")
}

/// What the rules said, of the last operations that others may point at: those of a write.
#[derive(Default)]
struct Kept(BTreeMap<OpId, Arc<Considered>>);

impl Kept {
    /// More than there are in one write.
    const MOST: usize = 4_096;

    fn considered(&mut self, op: &Operation) -> Option<tidy_protocol::Considered> {
        let considered = match op.step.considered.as_ref()? {
            Consideration::As(id) => self.0.get(id)?,
            Consideration::Here(considered) => {
                if self.0.len() == Self::MOST {
                    self.0.pop_first();
                }
                self.0.entry(op.id).insert_entry(considered.clone()).into_mut()
            }
        };
        Some(convert::considered(op, considered))
    }
}

fn create(path: &Path) -> Result<std::fs::File, Fatal> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path).map_err(|e| {
        let message = format!("{} cannot be made: {e}", shown(path));
        Fatal::new(Code::Failed, message, "name a file that does not exist yet")
    })
}

fn summarize(log: &Outside) -> Code {
    let bytes: u64 = log.damage.iter().map(|d| d.bytes).sum();
    if log.damage.is_empty() && log.missing.is_empty() {
        return Code::Ok;
    }
    let text = format!(
        "the journal is damaged: {bytes} bytes cannot be read, and {} are missing; what could be read was exported",
        super::count(log.missing.len() as u64, "stretch of segments")
    );
    telemetry::complain(&text, Some("`tidyctl store verify` says where"));
    Code::Partly
}
