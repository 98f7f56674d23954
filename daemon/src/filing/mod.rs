//! filing: the way of settled files through the house: gate, facts, decision, plan, journal, record.
//!
//! In: candidates (settled files of one root, or of an `organize` or `--once` run) and the [`Setup`]
//! of the current configuration. Out: a [`Report`] with every file filed or left and why; the catalog
//! already knows. A dry run stops after the plan. Rollback and redo take the second half of the same
//! way: their plans come from the journal instead of from rules.
//!
//! This room decides nothing by itself (core does) and touches no file (act does, through the
//! journal). It may be called from several threads at once: two batches that want the same name
//! meet at the NOREPLACE rename, and the loser is planned again.

mod abreast;
mod ahead;
mod batch;
mod copies;
mod course;
mod due;
mod end;
mod ended;
mod entrance;
mod explain;
mod gate;
mod gather;
mod in_flight;
mod made;
mod mounted;
mod naming;
mod party;
mod placed;
mod record;
mod resolve;
mod restless;
mod search;
mod setup;
mod tally;
#[cfg(test)]
pub(crate) mod tests;
mod under_way;
mod undo;
mod volume;
mod waiting;
mod world;

pub use batch::{Candidate, Filing, Left, Mode, Progress, Report, Watcher};
pub use due::Due;
pub use ended::{Ended, OfRule};
pub use explain::{Explained, Main};
pub use gate::{gate, may_be_unpacked};
pub use mounted::Mounted;
pub(crate) use mounted::mount_point;
pub use placed::Placed;
pub(crate) use record::{drop_vanished, entries_of, gate_entry, is_kept, is_retried};
pub use resolve::{Found, Wanted};
pub use setup::Setup;
pub use tally::{Became, Tally};
pub use undo::{UndoReport, UndoneOp};
pub use waiting::Waits;
pub use world::Disk;
