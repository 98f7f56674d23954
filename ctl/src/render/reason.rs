//! Lines that hold a reason: broken where a terminal ends, and rules with what each of their conditions said.

use owo_colors::OwoColorize;
use tidy_protocol::{Considered, RuleCheck};

use super::fold::folded;
use super::path::one_line;
use super::{Look, count};

/// A path that is not to be broken at its blanks, since it is there to be copied. [`Look::fold`] makes them blanks again.
pub(crate) fn whole(path: impl std::fmt::Display) -> String {
    path.to_string().replace(' ', UNBROKEN)
}

/// Stands for a blank that is no place to break at. What is shown has no control characters of its own.
pub(super) const UNBROKEN: &str = "\u{1}";

/// A text that begins with `first`, further lines of it with `others`. What is not for a terminal is one line.
pub(crate) fn wrapped(look: &Look, first: &str, others: &str, text: &str) -> String {
    let text = format!("{first}{text}\n");
    if !look.terminal {
        return text;
    }
    let width = look.width.map_or(WIDTH, |width| usize::from(width).min(WIDTH));
    folded(text.trim_end_matches('\n'), width, others) + "\n"
}

/// Lines that are longer are hard to read.
const WIDTH: usize = 80;

/// What was kept of the rules that were asked until `by` decided.
pub(crate) fn considered(look: &Look, considered: &Considered, by: &str) -> String {
    let mut out: String = considered.rules.iter().map(|r| rule_text(look, r)).collect();
    if considered.more > 0 {
        let more = count(considered.more, "more rule");
        out.push_str(&format!("  {more} that came before it, and did not take it alone\n"));
    }
    // What of it held stands in the reason.
    if considered.rules.last().is_none_or(|r| r.rule != by) {
        out.push_str(&format!("  {}: {}\n", one_line(by).bold(), truth("true", 0)));
    }
    out
}

/// One rule with what each of its conditions said.
pub(crate) fn rule_text(look: &Look, rule: &RuleCheck) -> String {
    let mut out = format!("  {}: {}\n", one_line(&rule.rule).bold(), truth(&rule.matched, 0));
    for c in &rule.checks {
        let mut line = one_line(&c.test);
        if !c.seen.is_empty() {
            // What is unknown has a reason instead of a value.
            let it_is = if c.truth == "unknown" { "" } else { "it is " };
            line.push_str(&format!("  ({it_is}{})", one_line(&c.seen)));
        }
        let first = format!("      {} ", truth(&c.truth, 7));
        out.push_str(&wrapped(look, &first, &" ".repeat(14), &line));
    }
    out
}

/// A truth in its colour, padded before it is coloured: escape sequences have no width.
fn truth(word: &str, width: usize) -> String {
    let padded = format!("{:<width$}", one_line(word));
    match word {
        "true" => padded.green().to_string(),
        "false" => padded.red().to_string(),
        _ => padded.yellow().to_string(),
    }
}
