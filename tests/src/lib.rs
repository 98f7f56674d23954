//! tidy-tests: a hermetic world for the real binaries.
//!
//! [`World::new`] makes a home of its own in a scratch directory; `tidyd` and `tidyctl` run in it with nothing of the
//! surrounding environment but `PATH`. [`Snapshot`] says whether a tree is what it was, [`files`] makes things to put
//! in order, [`Daemon`] is killed when it goes out of scope and shows what it said when the test has failed.
//!
//! Invariant: a scenario waits for a state ([`World::wait`], [`eventually`]), never for a length of time.
#![expect(
    clippy::disallowed_methods,
    reason = "a test harness writes, changes and removes its own scratch files"
)]

mod answer;
mod binaries;
mod daemon;
pub mod documents;
pub mod files;
#[cfg(target_os = "linux")]
pub mod image;
#[cfg(target_os = "linux")]
mod manager;
#[cfg(target_os = "linux")]
mod mounts;
pub mod random;
mod run;
mod snapshot;
#[cfg(target_os = "linux")]
mod system;
mod terminal;
pub mod trace;
mod world;

pub use answer::path;
pub use binaries::{Binary, binary};
pub use daemon::Daemon;
#[cfg(target_os = "linux")]
pub use manager::UserManager;
#[cfg(target_os = "linux")]
pub use mounts::Mounts;
pub use random::Random;
pub use run::{Run, eventually, works};
pub use snapshot::{Entry, Kind, Snapshot, assert_same};
#[cfg(target_os = "linux")]
pub use system::SystemManager;
pub use terminal::Terminal;
pub use world::{NOBODY, World};
