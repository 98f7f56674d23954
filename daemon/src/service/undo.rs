//! `rollback` and `redo`: what is asked for is looked at first, so that a slip of the hand is told from
//! something that has been done already.

use std::sync::Arc;

use tidy_core::UnixNanos;
use tidy_core::operation::{BatchId, OpId, OpState, Trigger};
use tidy_protocol::{Error, ErrorCode, Outcome, Response, Selector as WireSelector};

use super::convert;
use super::error::failed;
use super::handler::{Service, blocking};
use super::jobs::Asker;
use super::queries::{configured_rules, not_on_record};
use crate::filing::{Filing, Progress, Setup, UndoReport, Watcher};
use crate::journal::{Direction, JournalError, Selection, Selector};

impl Service {
    /// Inverts what is selected, as a job, or says what would come of it.
    pub(super) async fn undo(
        self: &Arc<Self>,
        selector: WireSelector,
        direction: Direction,
        dry_run: bool,
    ) -> Result<Response, Error> {
        // Before anything is selected: what another one is taking back is not to be taken back once more.
        let turn = match dry_run {
            true => None,
            false => Some(self.undoing.clone().try_lock_owned().map_err(|_| under_way())?),
        };
        let (me, setup, now) = (self.clone(), self.setup(), self.now());
        let selection = blocking(move || {
            let filing = me.filing();
            check(filing, &setup, &selector, direction, now)?;
            filing.journal().select(&domain(selector), direction).map_err(|e| failed(&e))
        })
        .await?;
        if dry_run || selection.is_empty() {
            let (me, asker) = (self.clone(), Asker::default());
            let gone = asker.gone();
            return blocking(move || {
                let watcher = Watcher { progress: &|_| {}, stop: &gone };
                let report = me
                    .filing()
                    .undo(&me.setup(), &selection, direction, true, watcher)
                    .map_err(|e| failed(&e))?;
                Ok(Response::Rollback(convert::undo(&report)))
            })
            .await;
        }
        self.start_job(direction.trigger().as_str(), move |me, job| {
            let _turn = turn;
            let progress = |p: Progress<'_>| me.job_progress(job, &p);
            let watcher = Watcher { progress: &progress, stop: &job.stop };
            let report = me.undo_now(&selection, direction, watcher)?;
            Ok((Outcome::Rollback(convert::undo(&report)), report.stopped))
        })
        .await
    }

    fn undo_now(
        &self,
        selection: &Selection,
        direction: Direction,
        watcher: Watcher<'_>,
    ) -> Result<UndoReport, JournalError> {
        let report = self.filing().undo(&self.setup(), selection, direction, false, watcher)?;
        self.tallies().undone(direction, &report);
        tracing::info!(
            batch = report.batch.map(|b| b.0),
            restored = report.restored(),
            not_restored = report.not_restored(),
            not_reached = report.not_reached,
            "{}",
            match direction {
                Direction::Back => "rolled back",
                Direction::Again => "redone",
            }
        );
        Ok(report)
    }
}

fn under_way() -> Error {
    let hint = "`tidyctl jobs` shows it; try again when it has ended";
    let error = Error::new(ErrorCode::Busy, "another rollback or redo is under way", hint);
    Error { retry_after_ms: Some(1_000), ..error }
}

fn domain(selector: WireSelector) -> Selector {
    match selector {
        WireSelector::Operation(id) => Selector::Operation(OpId(id)),
        WireSelector::Batch(id) => Selector::Batch(BatchId(id)),
        WireSelector::Rule(rule) => Selector::Rule(rule),
        WireSelector::Path(path) => Selector::Path(path.0),
        WireSelector::Since(ns) => Selector::Since(UnixNanos(ns)),
        WireSelector::To(ns) => Selector::To(UnixNanos(ns)),
        WireSelector::Last(n) => Selector::Last(n.max(1) as usize),
    }
}

/// Refuses what cannot be meant: what does not exist, and the wrong direction. What has been undone
/// already is fine: nothing is left to do.
fn check(
    filing: &Filing,
    setup: &Setup,
    selector: &WireSelector,
    direction: Direction,
    now: UnixNanos,
) -> Result<(), Error> {
    let bad = |message: String, hint: &str| Err(Error::new(ErrorCode::BadRequest, message, hint));
    let unknown = |message: String, hint: &str| Err(Error::new(ErrorCode::NotFound, message, hint));
    match selector {
        WireSelector::Operation(id) => {
            let op = filing.journal().operation(OpId(*id)).map_err(|e| failed(&e))?;
            let Some(op) = op else { return Err(not_on_record(filing, OpId(*id))) };
            match (op.state, direction) {
                (OpState::Intended | OpState::Verified, _) => bad(
                    format!("operation {id} has not ended yet"),
                    "try again in a moment; `tidyctl health` says whether something is wrong",
                ),
                (OpState::Aborted | OpState::Failed | OpState::Unknown, _) => bad(
                    format!("operation {id} was not done ({})", op.state.as_str()),
                    "there is nothing to take back",
                ),
                (OpState::Done, Direction::Back) if op.step.undo => bad(
                    format!("operation {id} is part of a rollback"),
                    &format!("take it back with: tidyctl redo {id}"),
                ),
                (OpState::Done, _) => Ok(()),
            }
        }
        WireSelector::Batch(id) => {
            let ops = filing.journal().batch_trigger(BatchId(*id)).map_err(|e| failed(&e))?;
            match (ops, direction) {
                (None, _) => Err(not_on_record(filing, OpId(*id))),
                (Some(Trigger::Rollback), Direction::Back) => bad(
                    format!("batch {id} is a rollback"),
                    &format!("take it back with: tidyctl redo batch:{id}"),
                ),
                (Some(_), _) => Ok(()),
            }
        }
        WireSelector::Rule(rule) => {
            let hit = filing.journal().counters().rules.contains_key(rule.as_str());
            if hit || configured_rules(setup).contains(rule) {
                return Ok(());
            }
            unknown(
                format!("there is no rule `{}`", rule.escape_debug()),
                "`tidyctl rules` lists them",
            )
        }
        WireSelector::Since(ns) | WireSelector::To(ns) if *ns > now.0 => {
            bad("that time is still to come".into(), "give a time in the past, such as 1h or 14:00")
        }
        WireSelector::To(_) if direction == Direction::Again => {
            bad("a redo goes to no time".into(), "use `tidyctl rollback --to`")
        }
        WireSelector::Path(path) if !path.as_path().is_absolute() => {
            bad("the path is not absolute".into(), "give the whole path")
        }
        WireSelector::Since(_)
        | WireSelector::To(_)
        | WireSelector::Path(_)
        | WireSelector::Last(_) => Ok(()),
    }
}
