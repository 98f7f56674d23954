//! `store compact` and `store rebuild`: the index in less space, and a new one.

use serde::Serialize;
use tidy_config::JournalConfig;
use tidy_core::bytes;
use tidy_core::operation::OpId;
use tidy_protocol::{ExitCode as Code, WirePath};

use super::{Out, alone, count, shown};
use crate::catalog::Catalog;
use crate::journal::{Journal, JournalOptions, ProjectionStart};
use crate::service::configure::Places;
use crate::service::{Fatal, open, retain};
use crate::store::{StateDir, Store, StoreOptions};

#[derive(Debug, Serialize)]
struct Compacted {
    before: u64,
    after: u64,
    items: u64,
}

#[derive(Debug, Serialize)]
struct Rebuilt {
    aside: Option<WirePath>,
    operations: u64,
}

pub(super) fn compact(out: &Out, places: &Places) -> Result<Code, Fatal> {
    let state = alone(places, "compact")?;
    if !state.store().exists() {
        let answer = Compacted { before: 0, after: 0, items: 0 };
        out.show(&answer, || "there is no index: the next start builds it".into())?;
        return Ok(Code::Ok);
    }
    let done = Store::compact(&state.store(), StoreOptions::default()).map_err(|e| {
        let damaged = e.is_damage();
        let fatal = open::store_failed(e);
        match damaged {
            true => {
                Fatal { hint: Some("`tidyctl store rebuild` builds a new one".into()), ..fatal }
            }
            false => fatal,
        }
    })?;
    let answer = Compacted { before: done.before, after: done.after, items: done.items };
    out.show(&answer, || {
        let items = count(done.items, "item");
        format!(
            "{} instead of {}: {items}, all as they were",
            bytes(done.after),
            bytes(done.before)
        )
    })?;
    Ok(Code::Ok)
}

pub(super) fn rebuild(out: &Out, places: &Places) -> Result<Code, Fatal> {
    let state = alone(places, "rebuild")?;
    let newest = newest_known(&state);
    let aside = match state.store().symlink_metadata() {
        Ok(_) => Some(Store::set_aside(&state.store()).map_err(open::store_failed)?),
        Err(_) => None,
    };
    let rebuilt = build(&state, newest).or_else(|fatal| {
        let Some(aside) = &aside else { return Err(fatal) };
        // The one that there was is better than none, and half a new one only takes space.
        Store::put_back(aside, &state.store()).map_err(open::store_failed)?;
        Err(fatal)
    })?;
    let answer = Rebuilt { aside: aside.as_deref().map(WirePath::from), operations: rebuilt };
    out.show(&answer, || {
        let mut text = format!(
            "the index was built anew: {} of the journal are in it; the folders are read at the next start",
            count(rebuilt, "operation")
        );
        if let Some(aside) = &aside {
            text.push_str(&format!("\nthe old one is kept as {}; remove it when all is well", shown(aside)));
        }
        text
    })?;
    Ok(Code::Ok)
}

/// A new one where there is none. Returns how many operations are in it.
fn build(state: &StateDir, newest: OpId) -> Result<u64, Fatal> {
    let (store, _) =
        Store::open(&state.store(), StoreOptions::default()).map_err(open::store_failed)?;
    let options = JournalOptions::new(retain::segment_bytes(JournalConfig::default()), newest);
    let built = match Journal::open(&state.journal(), store.db(), options) {
        Ok((_, report)) => match report.projection {
            ProjectionStart::CaughtUp(n) | ProjectionStart::Rebuilt(_, n) => Ok(n),
        },
        Err(e) => Err(open::journal_failed("opened", &e)),
    };
    let durable = store.barrier().map_err(open::store_failed);
    // Not closed: sled syncs once more then, and panics when that fails.
    std::mem::forget(store);
    built.and_then(|n| durable.map(|()| n))
}

/// The newest operation that the index knows: no number is used twice, whatever became of the log.
fn newest_known(state: &StateDir) -> OpId {
    let look = || {
        let store = Store::open_as_it_is(&state.store(), StoreOptions::default()).ok()?;
        let newest = Catalog::open(&store).ok().map(|(_, report)| report.newest_operation);
        store.close().ok()?;
        newest
    };
    OpId(if state.store().exists() { look().unwrap_or_default() } else { 0 })
}
