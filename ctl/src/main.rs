//! `tidyctl`: parse, run, turn the result into an exit code.

mod cli;
mod error;
mod given;
mod output;
mod render;
mod run;
mod verbs;

use clap::Parser;

fn main() -> std::process::ExitCode {
    run::run(cli::Cli::parse()).into()
}
