//! `tidyd`: parse, run, turn the result into an exit code.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    tidyd::kindness::be_thrifty();
    if std::env::args_os().nth(1).is_some_and(|a| a == tidyd::act::hook::HELPER) {
        tidyd::act::hook::serve();
        return ExitCode::SUCCESS;
    }
    tidyd::service::run(tidyd::cli::Options::parse())
}
