//! journal: to be written.
