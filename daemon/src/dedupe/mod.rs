//! dedupe: to be written.
