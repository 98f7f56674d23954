//! Stored records, version 1. **Frozen**: these types and their field names are bytes on people's disks.
//!
//! A change of format is a new module beside this one with a higher version in the segment header,
//! and a migration that reads this one; the golden bytes at the end keep it readable. Enumerations
//! are numbers, paths are byte strings, absent fields are left out, keys have one letter.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidy_core::UnixNanos;
use tidy_core::facts::{Digest, Identity};
use tidy_core::operation::{BatchId, OpId, OpState, Operation, Trigger};
use tidy_core::plan::{Command, Consideration, Place, Retag, Step, StepKind, Twin};

use super::considered_v1::ConsiderationV1;
use super::record::{Checkpoint, OpenAt, Position, Record, RuleCounter, StateChange};

/// Why stored bytes are not a record, though their checksum matches.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum RecordError {
    #[error("not a record of version 1: {0}")]
    Cbor(String),
    #[error("{field} has no meaning {code}")]
    Code { field: &'static str, code: u8 },
    #[error("{0} bytes follow the record")]
    Trailing(usize),
    #[error("a stored path is not beneath its base")]
    Path,
    #[error("a stored digest has {0} bytes")]
    Digest(usize),
}

/// The payload of one frame.
#[derive(Serialize, Deserialize)]
enum RecordV1 {
    #[serde(rename = "i")]
    Intent(Box<IntentV1>),
    #[serde(rename = "s")]
    State(StateV1),
    #[serde(rename = "c")]
    Checkpoint(CheckpointV1),
}

/// A whole operation before it is touched.
#[derive(Serialize, Deserialize)]
pub(super) struct IntentV1 {
    #[serde(rename = "o")]
    op: u64,
    #[serde(rename = "b")]
    batch: u64,
    #[serde(rename = "g")]
    trigger: u8,
    /// Nanoseconds since 1970, UTC.
    #[serde(rename = "t")]
    time: i64,
    #[serde(rename = "k")]
    kind: u8,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    src: Option<PlaceV1>,
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    dst: Option<PlaceV1>,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    expect: Option<IdentityV1>,
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    twin: Option<TwinV1>,
    /// Of a companion: the file it goes with, where that is by then. Not in the oldest records.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    follows: Option<TwinV1>,
    /// Arguments and time limit in milliseconds of a command. Not in the oldest records.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    command: Option<CommandV1>,
    /// What a file's tags were and are to be. Not in the oldest records.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    tags: Option<RetagV1>,
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none", with = "serde_bytes")]
    digest: Option<Vec<u8>>,
    #[serde(rename = "r")]
    rule: Arc<str>,
    #[serde(rename = "y", default, skip_serializing_if = "String::is_empty")]
    why: String,
    /// What the rules before said. Not in the oldest records.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    considered: Option<ConsiderationV1>,
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    inverse_of: Option<u64>,
    #[serde(rename = "u", default, skip_serializing_if = "is_false")]
    undo: bool,
    /// An earlier operation of the batch is counted for the file. Not in the oldest records.
    #[serde(rename = "z", default, skip_serializing_if = "is_false")]
    further: bool,
}

/// What became of an operation.
#[derive(Serialize, Deserialize)]
pub(super) struct StateV1 {
    #[serde(rename = "o")]
    op: u64,
    #[serde(rename = "n")]
    state: u8,
    #[serde(rename = "t")]
    time: i64,
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    landed: Option<IdentityV1>,
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none", with = "serde_bytes")]
    digest: Option<Vec<u8>>,
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What the log amounts to where a segment begins.
#[derive(Serialize, Deserialize)]
struct CheckpointV1 {
    #[serde(rename = "n")]
    next_op: u64,
    /// Operation, segment and offset of its intent, whether `verified` was reached.
    #[serde(rename = "o")]
    open: Vec<(u64, u64, u64, bool)>,
    /// Rule, hits, bytes, time of the last hit.
    #[serde(rename = "r")]
    rules: Vec<(Arc<str>, u64, u64, i64)>,
    /// Operations that ended done, aborted, failed, unknown.
    #[serde(rename = "e")]
    ended: [u64; 4],
    /// Hits of files that another rule was credited for as well. Not in the oldest records.
    #[serde(rename = "z", default, skip_serializing_if = "is_zero")]
    further: u64,
}

/// Base and path beneath it.
#[derive(Serialize, Deserialize)]
struct PlaceV1(#[serde(with = "serde_bytes")] Vec<u8>, #[serde(with = "serde_bytes")] Vec<u8>);

/// Inode, size in bytes, mtime and birth time in nanoseconds since 1970.
#[derive(Serialize, Deserialize)]
struct IdentityV1(u64, u64, i64, Option<i64>);

#[derive(Serialize, Deserialize)]
struct CommandV1(Vec<serde_bytes::ByteBuf>, u64);

/// Values before and after, whether the file goes on, whether people count it.
#[derive(Serialize, Deserialize)]
struct RetagV1(Option<serde_bytes::ByteBuf>, Option<serde_bytes::ByteBuf>, bool, bool);

#[derive(Serialize, Deserialize)]
struct TwinV1(#[serde(with = "serde_bytes")] Vec<u8>, IdentityV1);

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_false(b: &bool) -> bool {
    !*b
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Appends the payload of an intent.
pub(super) fn encode_intent(op: &Operation, out: &mut Vec<u8>) {
    encode(&RecordV1::Intent(Box::new(op.into())), out);
}

/// Appends the payload of a change of state.
pub(super) fn encode_state(change: &StateChange, out: &mut Vec<u8>) {
    encode(&RecordV1::State(change.into()), out);
}

/// Appends the payload of a checkpoint.
pub(super) fn encode_checkpoint(checkpoint: &Checkpoint, out: &mut Vec<u8>) {
    encode(&RecordV1::Checkpoint(checkpoint.into()), out);
}

fn encode(value: &impl Serialize, out: &mut Vec<u8>) {
    // Writing to a Vec cannot fail, and these types hold nothing that CBOR cannot say.
    ciborium::into_writer(value, out).expect("plain data is always CBOR");
}

/// Reads one payload.
pub(super) fn decode(payload: &[u8]) -> Result<Record, RecordError> {
    Ok(match from_cbor(payload)? {
        RecordV1::Intent(i) => Record::Intent(Box::new((*i).try_into()?)),
        RecordV1::State(s) => Record::State(s.try_into()?),
        RecordV1::Checkpoint(c) => Record::Checkpoint(c.into()),
    })
}

/// Deepest nesting of a record: record, map, twin, identity, and some to spare.
const DEPTH: usize = 16;

fn from_cbor<T: for<'de> Deserialize<'de>>(mut bytes: &[u8]) -> Result<T, RecordError> {
    let value = ciborium::de::from_reader_with_recursion_limit(&mut bytes, DEPTH)
        .map_err(|e| RecordError::Cbor(e.to_string()))?;
    if bytes.is_empty() { Ok(value) } else { Err(RecordError::Trailing(bytes.len())) }
}

/// Operations as the projection keeps them: the intent and what became of it.
#[derive(Serialize, Deserialize)]
struct StoredV1(IntentV1, StateV1);

/// A page of operations.
pub(super) fn encode_page<'a>(ops: impl Iterator<Item = &'a Operation>, out: &mut Vec<u8>) {
    let stored: Vec<_> = ops.map(|op| StoredV1(op.into(), (&StateChange::of(op)).into())).collect();
    encode(&stored, out);
}

/// Reads a page of operations.
pub(super) fn decode_page(bytes: &[u8]) -> Result<Vec<Operation>, RecordError> {
    let stored: Vec<StoredV1> = from_cbor(bytes)?;
    stored
        .into_iter()
        .map(|StoredV1(intent, state)| {
            let mut op = Operation::try_from(intent)?;
            StateChange::try_from(state)?.replay_on(&mut op);
            Ok(op)
        })
        .collect()
}

impl From<&Operation> for IntentV1 {
    fn from(op: &Operation) -> Self {
        let step = &op.step;
        Self {
            op: op.id.0,
            batch: op.batch.0,
            trigger: trigger_code(op.trigger),
            time: op.time.0,
            kind: kind_code(step.kind),
            src: step.src.as_ref().map(PlaceV1::from),
            dst: step.dst.as_ref().map(PlaceV1::from),
            expect: step.expect.map(IdentityV1::from),
            twin: step.twin.as_ref().map(|t| TwinV1(bytes(&t.path), t.id.into())),
            follows: step.follows.as_ref().map(|t| TwinV1(bytes(&t.path), t.id.into())),
            command: step.command.as_ref().map(CommandV1::from),
            tags: step.tags.as_ref().map(RetagV1::from),
            digest: step.digest.map(|d| d.0.to_vec()),
            rule: step.rule.clone(),
            why: step.why.clone(),
            considered: step.considered.as_ref().map(ConsiderationV1::from),
            inverse_of: step.inverse_of.map(|o| o.0),
            undo: step.undo,
            further: step.further,
        }
    }
}

impl TryFrom<IntentV1> for Operation {
    type Error = RecordError;

    fn try_from(i: IntentV1) -> Result<Self, RecordError> {
        Ok(Self {
            id: OpId(i.op),
            batch: BatchId(i.batch),
            trigger: trigger(i.trigger)?,
            time: UnixNanos(i.time),
            step: Step {
                kind: kind(i.kind)?,
                src: i.src.map(Place::try_from).transpose()?,
                dst: i.dst.map(Place::try_from).transpose()?,
                expect: i.expect.map(Identity::from),
                twin: i.twin.map(|t| Twin { path: path(t.0), id: t.1.into() }),
                follows: i.follows.map(|t| Twin { path: path(t.0), id: t.1.into() }),
                command: i.command.map(Command::from),
                tags: i.tags.map(Retag::from),
                digest: i.digest.map(digest).transpose()?,
                rule: i.rule,
                why: i.why,
                considered: i.considered.map(Consideration::try_from).transpose()?,
                inverse_of: i.inverse_of.map(OpId),
                undo: i.undo,
                further: i.further,
            },
            state: OpState::Intended,
            landed: None,
            error: None,
        })
    }
}

impl From<&StateChange> for StateV1 {
    fn from(s: &StateChange) -> Self {
        Self {
            op: s.op.0,
            state: state_code(s.state),
            time: s.time.0,
            landed: s.landed.map(IdentityV1::from),
            digest: s.digest.map(|d| d.0.to_vec()),
            error: s.error.clone(),
        }
    }
}

impl TryFrom<StateV1> for StateChange {
    type Error = RecordError;

    fn try_from(s: StateV1) -> Result<Self, RecordError> {
        Ok(Self {
            op: OpId(s.op),
            state: state(s.state)?,
            time: UnixNanos(s.time),
            landed: s.landed.map(Identity::from),
            digest: s.digest.map(digest).transpose()?,
            error: s.error,
        })
    }
}

impl From<&Checkpoint> for CheckpointV1 {
    fn from(c: &Checkpoint) -> Self {
        Self {
            next_op: c.next_op,
            open: c.open.iter().map(|o| (o.op.0, o.at.segment, o.at.offset, o.verified)).collect(),
            rules: c
                .rules
                .iter()
                .map(|(name, r)| (name.clone(), r.hits, r.bytes, r.last_hit.0))
                .collect(),
            ended: c.ended,
            further: c.further,
        }
    }
}

impl From<CheckpointV1> for Checkpoint {
    fn from(c: CheckpointV1) -> Self {
        let open = |(op, segment, offset, verified)| OpenAt {
            op: OpId(op),
            at: Position { segment, offset },
            verified,
        };
        let rule =
            |(name, hits, bytes, t)| (name, RuleCounter { hits, bytes, last_hit: UnixNanos(t) });
        Self {
            next_op: c.next_op,
            open: c.open.into_iter().map(open).collect(),
            rules: c.rules.into_iter().map(rule).collect(),
            ended: c.ended,
            further: c.further,
        }
    }
}

impl From<&Command> for CommandV1 {
    fn from(c: &Command) -> Self {
        let argv = c.argv.iter().map(|a| a.as_bytes().to_vec().into()).collect();
        Self(argv, u64::try_from(c.limit.as_millis()).unwrap_or(u64::MAX))
    }
}

impl From<CommandV1> for Command {
    fn from(c: CommandV1) -> Self {
        let argv = c.0.into_iter().map(|a| OsString::from_vec(a.into_vec())).collect();
        Self { argv, limit: Duration::from_millis(c.1) }
    }
}

impl From<&Retag> for RetagV1 {
    fn from(t: &Retag) -> Self {
        let value = |v: &Option<Vec<u8>>| v.clone().map(Into::into);
        Self(value(&t.before), value(&t.after), t.along, t.counted)
    }
}

impl From<RetagV1> for Retag {
    fn from(t: RetagV1) -> Self {
        let value = |v: Option<serde_bytes::ByteBuf>| v.map(serde_bytes::ByteBuf::into_vec);
        Self { before: value(t.0), after: value(t.1), along: t.2, counted: t.3 }
    }
}

impl From<&Place> for PlaceV1 {
    fn from(p: &Place) -> Self {
        Self(bytes(p.base()), bytes(p.rel()))
    }
}

impl TryFrom<PlaceV1> for Place {
    type Error = RecordError;

    fn try_from(p: PlaceV1) -> Result<Self, RecordError> {
        Self::new(Arc::from(path(p.0)), path(p.1)).ok_or(RecordError::Path)
    }
}

impl From<Identity> for IdentityV1 {
    fn from(i: Identity) -> Self {
        Self(i.ino, i.size, i.mtime.0, i.birth.map(|b| b.0))
    }
}

impl From<IdentityV1> for Identity {
    fn from(i: IdentityV1) -> Self {
        Self { ino: i.0, size: i.1, mtime: UnixNanos(i.2), birth: i.3.map(UnixNanos) }
    }
}

fn bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_bytes().to_vec()
}

fn path(bytes: Vec<u8>) -> PathBuf {
    OsString::from_vec(bytes).into()
}

fn digest(bytes: Vec<u8>) -> Result<Digest, RecordError> {
    let len = bytes.len();
    bytes.try_into().map(Digest).map_err(|_| RecordError::Digest(len))
}

fn trigger_code(t: Trigger) -> u8 {
    match t {
        Trigger::Watch => 1,
        Trigger::Once => 2,
        Trigger::Organize => 3,
        Trigger::Rollback => 4,
        Trigger::Redo => 5,
    }
}

fn trigger(code: u8) -> Result<Trigger, RecordError> {
    Ok(match code {
        1 => Trigger::Watch,
        2 => Trigger::Once,
        3 => Trigger::Organize,
        4 => Trigger::Rollback,
        5 => Trigger::Redo,
        code => return Err(RecordError::Code { field: "trigger", code }),
    })
}

fn kind_code(k: StepKind) -> u8 {
    match k {
        StepKind::Move => 1,
        StepKind::Copy => 2,
        StepKind::Trash => 3,
        StepKind::Restore => 4,
        StepKind::MakeDir => 5,
        StepKind::RemoveDir => 6,
        StepKind::Reflink => 7,
        StepKind::HardLink => 8,
        StepKind::Symlink => 9,
        StepKind::Unlink => 10,
        StepKind::MoveDir => 11,
        StepKind::Run => 12,
        StepKind::Tag => 13,
    }
}

fn kind(code: u8) -> Result<StepKind, RecordError> {
    Ok(match code {
        1 => StepKind::Move,
        2 => StepKind::Copy,
        3 => StepKind::Trash,
        4 => StepKind::Restore,
        5 => StepKind::MakeDir,
        6 => StepKind::RemoveDir,
        7 => StepKind::Reflink,
        8 => StepKind::HardLink,
        9 => StepKind::Symlink,
        10 => StepKind::Unlink,
        11 => StepKind::MoveDir,
        12 => StepKind::Run,
        13 => StepKind::Tag,
        code => return Err(RecordError::Code { field: "kind", code }),
    })
}

/// Also the key of the projection's index by state.
pub(super) fn state_code(s: OpState) -> u8 {
    match s {
        OpState::Intended => 1,
        OpState::Verified => 2,
        OpState::Done => 3,
        OpState::Aborted => 4,
        OpState::Failed => 5,
        OpState::Unknown => 6,
    }
}

fn state(code: u8) -> Result<OpState, RecordError> {
    Ok(match code {
        1 => OpState::Intended,
        2 => OpState::Verified,
        3 => OpState::Done,
        4 => OpState::Aborted,
        5 => OpState::Failed,
        6 => OpState::Unknown,
        code => return Err(RecordError::Code { field: "state", code }),
    })
}
