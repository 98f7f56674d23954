//! `tidyctl`: parse, run, turn the result into an exit code.

mod cli;
mod complete;
mod condition;
mod error;
mod given;
mod output;
mod pager;
mod program;
mod render;
mod run;
mod verbs;

use clap::Parser as _;

fn main() -> std::process::ExitCode {
    complete::answer();
    run::run(cli::Cli::parse()).into()
}
