//! Operations: steps that the journal has numbered, and the states they go through.

use std::fmt;

use crate::UnixNanos;
use crate::facts::Identity;
use crate::plan::Step;

/// Number of an operation: monotonic, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId(pub u64);

/// Number of a batch: that of its first operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(pub u64);

impl fmt::Display for OpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What set a batch off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// Files arrived in a watched root.
    Watch,
    /// `tidyd --once`.
    Once,
    /// `tidyctl organize`.
    Organize,
    /// `tidyctl rollback`.
    Rollback,
    /// `tidyctl redo`.
    Redo,
}

impl Trigger {
    /// The word used in JSON and in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Watch => "watch",
            Self::Once => "once",
            Self::Organize => "organize",
            Self::Rollback => "rollback",
            Self::Redo => "redo",
        }
    }
}

/// Where an operation stands.
///
/// ```text
/// Intended ─┬─▶ Verified ─┬─▶ Done        (across devices the copy is verified first)
///           ├─▶ Done      ├─▶ Aborted
///           ├─▶ Aborted   ├─▶ Failed
///           ├─▶ Failed    └─▶ Unknown
///           └─▶ Unknown
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OpState {
    /// The intent is durable; nothing has been touched, or it is being done right now.
    Intended,
    /// Across devices: the copy is complete and compared; the source still stands.
    Verified,
    /// It happened, and both directories are durable.
    Done,
    /// It did not happen and nothing was changed: the precondition no longer held.
    Aborted,
    /// It did not happen because of an error; nothing was changed.
    Failed,
    /// After a crash, neither source nor destination answers to the record. Nothing was touched.
    Unknown,
}

/// What can happen to an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OpEvent {
    Verified,
    Done,
    Aborted,
    Failed,
    /// Recovery found neither end.
    Lost,
}

/// An event that the state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("operation state {state:?} does not allow {event:?}")]
pub struct Illegal {
    pub state: OpState,
    pub event: OpEvent,
}

impl OpState {
    /// The only way to another state.
    pub fn next(self, event: OpEvent) -> Result<Self, Illegal> {
        match (self, event) {
            (Self::Intended, OpEvent::Verified) => Ok(Self::Verified),
            (Self::Intended | Self::Verified, OpEvent::Done) => Ok(Self::Done),
            (Self::Intended | Self::Verified, OpEvent::Aborted) => Ok(Self::Aborted),
            (Self::Intended | Self::Verified, OpEvent::Failed) => Ok(Self::Failed),
            (Self::Intended | Self::Verified, OpEvent::Lost) => Ok(Self::Unknown),
            (state, event) => Err(Illegal { state, event }),
        }
    }

    /// Nothing more will happen to it.
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Intended | Self::Verified)
    }

    /// The word used in JSON and in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Verified => "verified",
            Self::Done => "done",
            Self::Aborted => "aborted",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// One journaled step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    pub id: OpId,
    pub batch: BatchId,
    pub trigger: Trigger,
    /// When the intent was written.
    pub time: UnixNanos,
    pub step: Step,
    pub state: OpState,
    /// Identity of the file at its destination, once done. Differs from the source's only after a copy.
    pub landed: Option<Identity>,
    /// Why it was aborted, failed or unknown.
    pub error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event() -> impl Strategy<Value = OpEvent> {
        prop_oneof![
            Just(OpEvent::Verified),
            Just(OpEvent::Done),
            Just(OpEvent::Aborted),
            Just(OpEvent::Failed),
            Just(OpEvent::Lost),
        ]
    }

    proptest! {
        /// Whatever arrives in whatever order, an operation ends at most once and never leaves its end.
        #[test]
        fn a_terminal_state_is_final(events in prop::collection::vec(event(), 0..12)) {
            let mut state = OpState::Intended;
            let mut ends = 0;
            for e in events {
                let before = state;
                match state.next(e) {
                    Ok(after) => {
                        prop_assert!(!before.is_terminal());
                        ends += u32::from(after.is_terminal());
                        state = after;
                    }
                    Err(illegal) => prop_assert_eq!(illegal.state, before),
                }
            }
            prop_assert!(ends <= 1);
            prop_assert_eq!(ends == 1, state.is_terminal());
        }
    }
}
