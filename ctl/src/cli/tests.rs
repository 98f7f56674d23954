//! The command line makes sense, and refuses what does not.

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use super::*;

fn refused(line: &str) -> ErrorKind {
    let words = std::iter::once("tidyctl").chain(line.split_whitespace());
    Cli::try_parse_from(words).expect_err(line).kind()
}

fn rollback(line: &str) -> RollbackArgs {
    let words = ["tidyctl", "rollback"].into_iter().chain(line.split_whitespace());
    match Cli::try_parse_from(words).expect(line).verb {
        Verb::Rollback(args) => args,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn a_rollback_needs_exactly_one_selector() {
    assert_eq!(refused("rollback"), ErrorKind::MissingRequiredArgument);
    assert_eq!(refused("rollback --dry-run"), ErrorKind::MissingRequiredArgument);
    for line in ["rollback 1 --last", "rollback --rule a --path b", "rollback --to 1h --since 2h"] {
        assert_eq!(refused(line), ErrorKind::ArgumentConflict, "{line}");
    }
    assert_eq!(refused("rollback --last 0"), ErrorKind::ValueValidation);
    assert_eq!(refused("rollback --since soon"), ErrorKind::ValueValidation);
}

#[test]
fn the_last_batch_needs_no_number() {
    assert_eq!(rollback("--last").chosen.last, Some(1));
    assert_eq!(rollback("--last 3").chosen.last, Some(3));
    assert_eq!(rollback("--last --dry-run").chosen.last, Some(1));
    assert_eq!(rollback("batch:3").chosen.last, None);
}

#[test]
fn global_options_stand_anywhere() {
    for line in ["--json status", "status --json"] {
        let words = std::iter::once("tidyctl").chain(line.split_whitespace());
        assert!(Cli::try_parse_from(words).expect(line).json, "{line}");
    }
}

/// Every verb, those below others with both words, but those that only list others.
fn verbs(command: &clap::Command, above: &str) -> Vec<String> {
    let all = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    all.flat_map(|verb| {
        let name = format!("{above} {}", verb.get_name()).trim_start().to_owned();
        if verb.has_subcommands() { verbs(verb, &name) } else { vec![name] }
    })
    .collect()
}

/// What else every verb must have is held against the programs themselves (`tests/tests/verbs.rs`).
#[test]
fn every_verb_is_used_in_the_guide() {
    let guide = include_str!("../../../docs/guide.md");
    let all = verbs(&Cli::command(), "");
    assert!(all.len() > 40, "{all:?}");
    let unused: Vec<_> = all.iter().filter(|v| !guide.contains(&format!("tidyctl {v}"))).collect();
    assert!(unused.is_empty(), "not in docs/guide.md: {unused:?}");
}
