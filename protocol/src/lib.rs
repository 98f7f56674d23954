//! tidy-protocol: what both ends of the tidyd control socket share.
//!
//! # Frames
//! A frame is a length (u32, big-endian, of what follows) and one CBOR item (RFC 8949) that fills it
//! exactly. A client's frame holds at most [`MAX_REQUEST`] bytes, the daemon's at most [`MAX_REPLY`];
//! the limit is checked before a byte is allocated. CBOR is nested at most [`MAX_DEPTH`] deep, and the
//! parameters of a call are at most [`MAX_ITEMS`] items.
//!
//! # Order
//! Both ends send a [`Hello`] first. After that the client sends [`Call`]s, each with an `id` of its
//! choice; every call is answered by exactly one [`Message`] with `result` or `error` and that `id`, in
//! any order. `subscribe` and `job-follow` send `event` messages with their `id` before their answer. An end of
//! file before the answer is an error, never an empty answer.
//!
//! # Compatibility
//! [`PROTOCOL`] grows when an old client could misunderstand a new daemon; both ends then refuse each
//! other with [`ErrorCode::Version`] and say which one to upgrade. Within a version only optional fields,
//! methods and events are added: receivers ignore fields and skip events they do not know, and an
//! unknown method is answered with [`ErrorCode::UnknownMethod`]. So calls and events are decoded in two stages:
//! the envelope, then what is in it.
//!
//! Wire types are a set of their own: neither the daemon's domain types nor its stored records.

/// How a warning ends that a reload left because what has changed takes a restart.
pub const TAKES_A_RESTART: &str = ": restart tidyd to put that in force";

mod bounded;
mod client;
mod envelope;
mod error;
mod event;
mod exit;
mod frame;
mod incoming;
mod path;
mod report;
mod request;
mod response;
pub mod textfile;

pub use bounded::MAX_ITEMS;
pub use client::{Client, ClientError, Patience, Stream};
pub use envelope::{Body, Call, Hello, Message, MessageRef};
pub use error::{Error, ErrorCode};
pub use event::Event;
pub use exit::ExitCode;
pub use frame::{
    FrameError, MAX_DEPTH, MAX_REPLY, MAX_REQUEST, decode, encode, read_frame, write_frame,
};
pub use path::WirePath;
pub use report::{
    ReportAge, ReportCategory, ReportDay, ReportDone, ReportDuplicates, ReportError, ReportFile,
    ReportFiled, ReportInfo, ReportRule, ReportSum,
};
pub use request::{FileQuery, LogQuery, Request, ResolveQuery, Selector, Weight};
pub use response::{
    Applied, BatchInfo, CategoryInfo, Check, CompanionOf, Considered, DuplicateGroup, Explanation,
    FileInfo, HandMoved, Health, HealthCheck, JobInfo, JobState, LeftFile, Metrics, OperationInfo,
    Outcome, Page, Pending, Plan, PlannedStep, ProblemContext, ProblemInfo, ReadingInfo, Response,
    RollbackReport, RootInfo, RuleCheck, RuleInfo, Shown, Status, StopInfo, Stored, Suggestion,
    TagChange, Totals, UndoneFile, WaitInfo, WaitingFiles, WaitsFor, Would,
};

/// Version of the protocol.
pub const PROTOCOL: u32 = 1;
