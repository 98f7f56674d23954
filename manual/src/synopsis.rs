//! How a command is called: what has a value says so, and what every command takes alike is told once.

use clap::{Arg, Command};
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use crate::heading;

pub(crate) fn write(page: &mut Roff, command: &Command) {
    heading(page, "SYNOPSIS");
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let shown = || command.get_arguments().filter(|a| !a.is_hide_set());
    let own = shown().filter(|a| !is_everywhere(a));
    let mut line = vec![bold(name)];
    let mut add = |part: Vec<Inline>| {
        line.push(roman(" "));
        line.extend(part);
    };
    // Positional arguments stand behind the others, in their own order.
    let (behind, options): (Vec<_>, Vec<_>) = own.partition(|a| a.is_positional());
    options.into_iter().for_each(|option| add(one(option)));
    if shown().any(is_everywhere) {
        add(vec![roman("["), italic("OPTION"), roman("]…")]);
    }
    behind.into_iter().for_each(|argument| add(one(argument)));
    let has_verbs = command.get_subcommands().any(|sub| !sub.is_hide_set());
    let verb = || vec![italic("COMMAND"), roman(" ["), italic("ARGUMENT"), roman("]…")];
    if has_verbs && command.is_subcommand_required_set() {
        add(verb());
    } else if has_verbs {
        page.text(std::mem::take(&mut line));
        page.control("br", []);
        line = vec![bold(name), roman(" ")];
        line.extend(verb());
    }
    page.text(line);
}

/// Options of every command, for which one word stands: those of the whole program, help and version.
fn is_everywhere(argument: &Arg) -> bool {
    argument.is_global_set() || ["help", "version"].contains(&argument.get_id().as_str())
}

fn one(argument: &Arg) -> Vec<Inline> {
    let mut parts = Vec::new();
    let names = argument.get_short().map(|c| format!("-{c}")).into_iter();
    let names = names.chain(argument.get_long().map(|long| format!("--{long}")));
    let names = names.collect::<Vec<_>>().join("|");
    if !names.is_empty() {
        parts.push(bold(names));
    }
    if argument.is_positional() || argument.get_action().takes_values() {
        let named = argument.get_value_names().unwrap_or_default();
        let named = named.iter().map(|name| name.as_str());
        let value = named.collect::<Vec<_>>().join(" ");
        let value = if value.is_empty() { argument.get_id().as_str() } else { &value };
        if !parts.is_empty() {
            parts.push(roman(" "));
        }
        parts.push(italic(value));
    }
    if !argument.is_required_set() {
        parts.insert(0, roman("["));
        parts.push(roman("]"));
    }
    // Given several times, or with several values.
    let many = matches!(argument.get_action(), clap::ArgAction::Append)
        || argument.get_num_args().is_some_and(|n| n.max_values() > 1);
    if many {
        parts.push(roman("…"));
    }
    parts
}
