//! coordinator: to be written.
