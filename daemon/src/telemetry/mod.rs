//! telemetry: what the service tells the outside about itself, and how it is told to stop.
//!
//! In: `tracing` events of every room, the service manager's environment, signals. Out: log lines (stderr or
//! journald), the recent errors that `tidyctl errors` shows, service-manager notifications, and
//! [`signals::ServiceSignal`]s. [`clock`] is the one place that reads the time.
//!
//! **Invariant:** nothing here may hold up the rooms that move files. A stalled journald, a full stderr pipe or a
//! service manager that does not read costs log lines (counted, and reported later), never time.
//!
//! May not know: roots, rules, operations, the journal. It sees their events only as text.

pub mod clock;
pub mod errors;
pub mod log;
pub mod notify;
pub mod signals;

mod about;
mod console;
mod kept;
mod sanitize;

pub use about::{About, about};
pub use console::{complain, note, say};
pub use log::{Guard as LogGuard, LogFormat, Redactor, init};
