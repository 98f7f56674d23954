//! metrics: what was counted and measured, for the tools that administrators already have.
//!
//! In: the tallies that the rooms keep, and what the journal and the catalog know anyway ([`Gathered`], put together by the
//! service when somebody asks). Out: text in the OpenMetrics format ([`text`]), and, where the configuration asks for it,
//! the same over HTTP on the machine itself ([`http`]). What each series means is told by its help, and all of them are
//! listed in `docs/metrics.md`, which a test holds against a running service.
//!
//! **Invariant:** no label has the name or the path of a file: labels are words of the program, categories and rules of the
//! configuration. So the number of series does not grow with what is filed.
//!
//! May not know: the service, files, what a rule is. The rooms that count know nothing of this one.

mod families;
mod gathered;
pub mod http;
mod page;
mod process;

pub use gathered::{Gathered, Sizes};
pub use process::Process;

use std::fmt;

/// The content type of [`text`], as the specification of OpenMetrics 1.0 has it.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All of it in the text format, with `# EOF` at its end.
///
/// # Errors
/// A number that the format cannot hold.
pub fn text(gathered: &Gathered<'_>) -> Result<String, fmt::Error> {
    let mut page = page::Page::default();
    families::all(gathered, &mut page);
    page.text()
}

#[cfg(test)]
mod tests;
