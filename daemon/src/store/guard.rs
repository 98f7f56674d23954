//! Catching a panic without printing it: sled 0.34.7 panics on some damaged files.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, PanicHookInfo, UnwindSafe};
use std::sync::{Arc, Mutex, PoisonError};

thread_local! {
    /// Set while this thread runs something whose panic is expected.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// The panic hook belongs to the process: one thread at a time exchanges it.
static HOOK: Mutex<()> = Mutex::new(());

/// Runs `work`; a panic becomes its message. Other threads' panics are still printed.
pub(super) fn catch<T>(work: impl FnOnce() -> T + UnwindSafe) -> Result<T, String> {
    if QUIET.get() {
        return panic::catch_unwind(work).map_err(|payload| message(payload.as_ref()));
    }
    let _one_at_a_time = HOOK.lock().unwrap_or_else(PoisonError::into_inner);
    let before: Arc<dyn Fn(&PanicHookInfo<'_>) + Send + Sync> = Arc::from(panic::take_hook());
    let fallback = Arc::clone(&before);
    panic::set_hook(Box::new(move |info| {
        if !QUIET.get() {
            fallback(info);
        }
    }));
    QUIET.set(true);
    let result = panic::catch_unwind(work);
    QUIET.set(false);
    panic::set_hook(Box::new(move |info| before(info)));
    result.map_err(|payload| message(payload.as_ref()))
}

fn message(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
