//! tidyd: watch, scan, inspect, dedupe, act, journal, catalog, control, telemetry.
//!
//! One stage, one room; data flows one way. See `docs/architecture.md` for the map and for what each
//! room may not know.

pub mod act;
pub mod beneath;
pub mod care;
pub mod catalog;
pub mod census;
pub mod cli;
pub mod confine;
pub mod control;
pub mod coordinator;
pub mod dedupe;
pub mod describe;
pub mod filing;
pub mod habits;
pub mod inspect;
pub mod journal;
pub mod kindness;
pub mod metrics;
pub mod readers;
pub mod reading;
pub mod scan;
pub mod service;
pub mod store;
pub mod survey;
pub mod tally;
pub mod telemetry;
pub mod unpacked;
pub mod watch;
