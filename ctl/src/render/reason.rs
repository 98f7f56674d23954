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

/// Stands for a blank that is no place to break at, and is as wide as one. In what is shown it is escaped ([`super::path`]).
pub(crate) const UNBROKEN: &str = "\u{e000}";

/// A text that begins with `first`, further lines of it with `others`. What is not for a terminal is one line; one that does not say
/// how wide it is, is as wide as most.
pub(crate) fn wrapped(look: &Look, first: &str, others: &str, text: &str) -> String {
    let text = format!("{first}{text}\n");
    let width = look.width.map_or(WIDTH, |width| usize::from(width).min(WIDTH));
    match look.terminal {
        true => folded(text.trim_end(), width, others) + "\n",
        false => text,
    }
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

#[cfg(test)]
mod tests {
    use super::super::testing::{piped, terminal};
    use super::*;

    #[test]
    fn a_path_stays_whole_and_takes_the_room_of_its_blanks() {
        let path = whole("/home/a/a name with many blanks in it.pdf");
        let look = Look { width: Some(50), ..terminal() };
        let text = look.fold(&wrapped(&look, "  ", "    ", &format!("{path} is left: it is new")));
        assert_eq!(text, "  /home/a/a name with many blanks in it.pdf is\n    left: it is new\n");
        assert!(text.lines().all(|line| line.len() <= 50));
        let one = "  /home/a/a name with many blanks in it.pdf is left: it is new\n";
        let text = wrapped(&piped(), "  ", "    ", &format!("{path} is left: it is new"));
        assert_eq!(piped().fold(&text), one);
        let unsized_ = Look { width: None, ..terminal() };
        let long = wrapped(&unsized_, "  ", "    ", &"word ".repeat(30));
        assert!(long.lines().all(|line| line.len() <= WIDTH), "{long}");
    }
}
