//! Any bytes as the attributes in which systems keep where a file came from.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidyd::inspect::{where_froms, zone};

fuzz_target!(|bytes: &[u8]| {
    for origin in [where_froms(bytes), zone(bytes)].into_iter().flatten() {
        assert!(origin.url.is_some() || origin.referrer.is_some());
        for address in [origin.url, origin.referrer].into_iter().flatten() {
            assert!(address.contains("://"));
        }
    }
});
