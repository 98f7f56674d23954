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

use clap::{CommandFactory as _, Parser as _};

fn main() -> std::process::ExitCode {
    // A shell asks what could come next: answered, and ended.
    clap_complete::CompleteEnv::with_factory(cli::Cli::command).var(complete::VARIABLE).complete();
    run::run(cli::Cli::parse()).into()
}
