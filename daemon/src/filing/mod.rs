//! filing: to be written.
