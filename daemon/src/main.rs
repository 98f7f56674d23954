//! `tidyd`: parse, run, turn the result into an exit code.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    tidyd::service::run(tidyd::cli::Options::parse())
}
