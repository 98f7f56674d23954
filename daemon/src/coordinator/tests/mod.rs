//! The machine without a runtime: a small house that plays the shell, with a clock of its own.

mod breaker;
mod house;
mod pacing;
mod power;
mod random;
mod tables;
