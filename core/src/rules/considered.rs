//! What is kept with an operation of the rules that were asked about its file, so that it can be said later, whatever the
//! rules are by then, why it was this one and none before it.
//!
//! It is bounded, and made so that files of one sort have the same: what can be told from the operation itself (the
//! file's name and size) is only pointed at. Who writes many operations at once then writes it once.

use std::ffi::OsStr;

use crate::{count, name};

use super::{Checked, Decision, RuleName, RuleTrace, Truth};

/// The most that is kept of one decision, in bytes of text; the rules after that are counted.
const MAX_TEXT: usize = 1_024;

/// The most that is kept of the text of one test, and of one value, in characters.
const MAX_TEST: usize = 96;
const MAX_SEEN: usize = 64;

/// The rules that were asked until one decided, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Considered {
    pub rules: Vec<ConsideredRule>,
    /// So many more were asked, and are not listed.
    pub more: u64,
}

/// One of them. Of a rule that matched, the tests that hold stand in the reason of its own operation, and are not repeated.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConsideredRule {
    pub rule: RuleName,
    pub matched: Truth,
    pub checked: Vec<ConsideredTest>,
}

/// One test of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConsideredTest {
    pub test: String,
    pub truth: Truth,
    pub seen: Seen,
}

/// The value that was found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Seen {
    /// The name of the file.
    Name,
    /// Its size.
    Size,
    Text(String),
}

/// What an operation says of its file anyway.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// Its name before the operation.
    pub name: &'a OsStr,
    /// Bytes.
    pub size: u64,
}

impl About<'_> {
    fn shown(self, seen: &Seen) -> String {
        match seen {
            Seen::Name => shown_name(self.name),
            Seen::Size => count(self.size, "byte"),
            Seen::Text(text) => text.clone(),
        }
    }
}

impl Considered {
    /// What a decision is to be kept of, with an operation by `rule`; `None`: nothing that its reason does not say.
    pub fn of(decision: &Decision, rule: &RuleName, about: About<'_>) -> Option<Self> {
        let is_it = |t: &RuleTrace| t.matched == Truth::True && t.rule == *rule;
        let last = decision.trace.iter().position(is_it)?;
        let (name, size) = (about.shown(&Seen::Name), about.shown(&Seen::Size));
        let mut out = Self::default();
        let mut text = 0;
        for (i, trace) in decision.trace.iter().take(last + 1).enumerate() {
            let matched = trace.matched == Truth::True;
            let told = |c: &&Checked| !(matched && c.truth == Truth::True);
            let checked = trace.checked.iter().filter(told).map(|c| ConsideredTest {
                test: cut(&c.test, MAX_TEST),
                truth: c.truth,
                seen: match &c.seen {
                    seen if *seen == name => Seen::Name,
                    seen if *seen == size => Seen::Size,
                    seen => Seen::Text(cut(seen, MAX_SEEN)),
                },
            });
            let kept = ConsideredRule {
                rule: trace.rule.clone(),
                matched: trace.matched,
                checked: checked.collect(),
            };
            if i == last && kept.checked.is_empty() {
                break;
            }
            text += kept.text();
            if text > MAX_TEXT {
                out.more = (last - i) as u64;
                break;
            }
            out.rules.push(kept);
        }
        (out != Self::default()).then_some(out)
    }

    /// The same with the values spelled out.
    pub fn traces(&self, about: About<'_>) -> Vec<RuleTrace> {
        let checked = |c: &ConsideredTest| Checked {
            test: c.test.clone(),
            truth: c.truth,
            seen: about.shown(&c.seen),
        };
        let trace = |r: &ConsideredRule| RuleTrace {
            rule: r.rule.clone(),
            matched: r.matched,
            checked: r.checked.iter().map(checked).collect(),
        };
        self.rules.iter().map(trace).collect()
    }
}

impl ConsideredRule {
    fn text(&self) -> usize {
        let seen = |seen: &Seen| if let Seen::Text(text) = seen { text.len() } else { 0 };
        let test = |c: &ConsideredTest| c.test.len() + seen(&c.seen);
        self.rule.len() + self.checked.iter().map(test).sum::<usize>()
    }
}

/// As tests of names show it.
fn shown_name(name: &OsStr) -> String {
    name::shown(&name::normalized(name))
}

fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{LeaveReason, Verdict};

    fn trace(rule: &str, matched: Truth, checked: &[(&str, Truth, &str)]) -> RuleTrace {
        let checked = checked.iter().map(|(test, truth, seen)| Checked {
            test: (*test).to_owned(),
            truth: *truth,
            seen: (*seen).to_owned(),
        });
        RuleTrace { rule: rule.into(), matched, checked: checked.collect() }
    }

    fn decision(trace: Vec<RuleTrace>) -> Decision {
        // What is kept is told from the trace alone.
        let verdict = Verdict::Leave(LeaveReason::NoRule, None);
        Decision { verdict, trace, revisit_at: None }
    }

    fn about(name: &str) -> About<'_> {
        About { name: OsStr::new(name), size: 5 }
    }

    #[test]
    fn what_every_rule_said_comes_back_as_it_was() {
        use Truth::{False, True, Unknown};
        let before = [
            trace("a", False, &[("size > 1 B", True, "5 bytes"), ("name = *.gif", False, "x.jpg")]),
            trace("b", Unknown, &[("text = pay", Unknown, "it cannot be read")]),
        ];
        let own = trace("c", True, &[("ext = jpg", True, "jpg"), ("name = *k*", False, "x.jpg")]);
        let after = trace("d", False, &[]);
        let all = [before.to_vec(), vec![own, after]].concat();
        let kept = Considered::of(&decision(all), &"c".into(), about("x.jpg")).unwrap();
        let told = kept.traces(about("x.jpg"));
        // Its own test that holds stands in the reason.
        let own = trace("c", True, &[("name = *k*", False, "x.jpg")]);
        assert_eq!(told, [before.to_vec(), vec![own]].concat());
        assert_eq!(kept.more, 0);
    }

    #[test]
    fn files_of_one_sort_have_the_same() {
        let of = |name: &str, size: u64| {
            let size_seen = count(size, "byte");
            let checks =
                [("size > 9 kB", Truth::True, &*size_seen), ("name = a", Truth::False, name)];
            let trace = vec![trace("a", Truth::False, &checks), trace("b", Truth::True, &[])];
            Considered::of(&decision(trace), &"b".into(), About { name: OsStr::new(name), size })
        };
        assert_eq!(of("one.jpg", 10_000), of("tw\u{f6}.jpg", 20_000));
    }

    #[test]
    fn nothing_is_kept_where_the_reason_says_it_all() {
        let trace = vec![trace("a", Truth::True, &[("ext = jpg", Truth::True, "jpg")])];
        let of = |rule: &str| Considered::of(&decision(trace.clone()), &rule.into(), about("x"));
        assert_eq!((of("a"), of("asked for")), (None, None));
    }

    #[test]
    fn a_great_many_rules_are_counted_and_long_texts_cut() {
        let long = "\u{e9}".repeat(1_000);
        let rule = |i| trace(&format!("rule {i}"), Truth::False, &[(&long, Truth::False, &long)]);
        let mut all: Vec<_> = (0..500).map(rule).collect();
        all.push(trace("last", Truth::True, &[("x", Truth::False, "y")]));
        let kept = Considered::of(&decision(all), &"last".into(), about("x")).unwrap();
        assert!((1..20).contains(&kept.rules.len()), "{}", kept.rules.len());
        assert_eq!(kept.rules.len() as u64 + kept.more, 500);
        assert!(kept.rules.iter().map(ConsideredRule::text).sum::<usize>() <= MAX_TEXT);
        assert_eq!(kept.rules[0].checked[0].test.chars().count(), MAX_TEST + 1);
    }
}
