//! Any text as a configuration: refused with places that exist, or accepted and usable.
#![no_main]

use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use tidy_config::Config;
use tidy_core::UnixNanos;

fuzz_target!(|text: &str| {
    match Config::parse_in(text, "fuzz", TimeZone::UTC) {
        Ok(config) => {
            // What is shown as "in force" must itself be a configuration.
            let shown = config.show();
            assert!(Config::parse_in(&shown, "shown", TimeZone::UTC).is_ok(), "{shown}");
            let _ = config.run_tests_at(UnixNanos(1_715_038_215_000_000_000));
        }
        Err(refused) => {
            assert!(!refused.errors.is_empty());
            let lines = text.split('\n').count();
            assert!(refused.errors.iter().all(|e| e.line <= lines));
            assert!(!refused.to_string().is_empty());
        }
    }
});
