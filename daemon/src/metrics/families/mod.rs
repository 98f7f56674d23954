//! Which series there are: names, help and units, in the order in which they are told.
//!
//! Names follow the conventions of Prometheus: base units, `_total` for what only grows. Families that have no series
//! yet are told all the same, so that a reader knows of them.

mod clients;
mod files;
mod journal;
mod service;

use super::gathered::Gathered;
use super::page::Page;

/// All families.
pub(super) fn all(g: &Gathered<'_>, page: &mut Page) {
    service::state(g, page);
    service::work(g, page);
    files::filed(g, page);
    files::copies(g, page);
    files::known(g, page);
    journal::operations(g, page);
    journal::disk(g, page);
    clients::socket(g, page);
    service::process(g, page);
}
