//! tidy-core: what tidyd knows and decides, without touching the world.
//!
//! Facts come in, decisions and plans go out. Nothing here reads a file, a clock or the
//! environment: time is an argument ([`UnixNanos`]), the disk is the [`plan::World`] trait, and a
//! fact that has not been read yet is a value ([`facts::Fact::Unread`]) that makes a decision answer
//! "I need this first" ([`rules::Outcome::Needs`]).
//!
//! ```text
//! Change ─▶ settle ─▶ Facts ─▶ rules::decide ─▶ plan::Planner ─▶ (journal, act) ─▶ rollback ─▶ Plan …
//! ```
//!
//! **Invariant:** this crate depends on nothing that can do I/O, and uses `std::path` only as a
//! container of bytes.

pub mod breaker;
pub mod category;
pub mod companions;
mod count;
pub mod duplicates;
pub mod facts;
pub mod ignore;
pub mod metadata;
pub mod name;
pub mod naming;
pub mod operation;
pub mod parts;
pub mod plan;
pub mod policy;
pub mod requirement;
pub mod resolve;
pub mod rollback;
pub mod rules;
pub mod settle;
pub mod suggest;
pub mod tags;
pub mod template;

mod time;

pub use count::{bytes, count, were};
pub use time::UnixNanos;

// They are part of the public types (`rules::Test`), so whoever builds those needs these very versions.
pub use {globset, regex};
