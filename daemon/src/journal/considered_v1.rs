//! What rules said, as records of version 1 keep it. **Frozen**, as [`record_v1`](super::record_v1) is.
//!
//! Either the number of an earlier operation of the same write that has the same, or the rules: the name of each, whether it
//! matched, and its tests with what was found: a text, or a number for what the operation itself says (0 the name, 1 the
//! size), and for the text before (2).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidy_core::operation::OpId;
use tidy_core::plan::Consideration;
use tidy_core::rules::{Considered, ConsideredRule, ConsideredTest, Seen, Truth};

use super::record_v1::RecordError;

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum ConsiderationV1 {
    As(u64),
    /// The rules, and how many more there were.
    Here(Vec<RuleV1>, u64),
}

#[derive(Serialize, Deserialize)]
pub(super) struct RuleV1(Arc<str>, u8, Vec<TestV1>);

#[derive(Serialize, Deserialize)]
struct TestV1(String, u8, SeenV1);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum SeenV1 {
    Code(u8),
    Text(String),
}

/// The value of a test is that of the last one that spells it out: most rules ask for the kind of a file.
const AS_BEFORE: u8 = 2;

impl From<&Consideration> for ConsiderationV1 {
    fn from(c: &Consideration) -> Self {
        let considered = match c {
            Consideration::As(op) => return Self::As(op.0),
            Consideration::Here(considered) => considered,
        };
        let mut last = None;
        let mut seen = |seen: &Seen| match seen {
            Seen::Name => SeenV1::Code(0),
            Seen::Size => SeenV1::Code(1),
            Seen::Text(text) if last.as_ref() == Some(text) => SeenV1::Code(AS_BEFORE),
            Seen::Text(text) => SeenV1::Text(last.insert(text.clone()).clone()),
        };
        let mut test =
            |c: &ConsideredTest| TestV1(c.test.clone(), truth_code(c.truth), seen(&c.seen));
        let rule = |r: &ConsideredRule| {
            let tests = r.checked.iter().map(&mut test).collect();
            RuleV1(r.rule.clone(), truth_code(r.matched), tests)
        };
        Self::Here(considered.rules.iter().map(rule).collect(), considered.more)
    }
}

impl TryFrom<ConsiderationV1> for Consideration {
    type Error = RecordError;

    fn try_from(c: ConsiderationV1) -> Result<Self, RecordError> {
        let (rules, more) = match c {
            ConsiderationV1::As(op) => return Ok(Self::As(OpId(op))),
            ConsiderationV1::Here(rules, more) => (rules, more),
        };
        let mut last: Option<String> = None;
        let mut seen = |seen| {
            Ok(match seen {
                SeenV1::Code(0) => Seen::Name,
                SeenV1::Code(1) => Seen::Size,
                SeenV1::Code(code) => match last.clone().filter(|_| code == AS_BEFORE) {
                    Some(text) => Seen::Text(text),
                    None => return Err(RecordError::Code { field: "value", code }),
                },
                SeenV1::Text(text) => Seen::Text(last.insert(text).clone()),
            })
        };
        let mut test = |TestV1(test, code, value)| {
            Ok(ConsideredTest { test, truth: truth(code)?, seen: seen(value)? })
        };
        let rule = |RuleV1(rule, matched, tests): RuleV1| {
            let checked = tests.into_iter().map(&mut test).collect::<Result<_, _>>()?;
            Ok(ConsideredRule { rule, matched: truth(matched)?, checked })
        };
        let rules = rules.into_iter().map(rule).collect::<Result<_, _>>()?;
        Ok(Self::Here(Arc::new(Considered { rules, more })))
    }
}

fn truth_code(t: Truth) -> u8 {
    match t {
        Truth::False => 0,
        Truth::True => 1,
        Truth::Unknown | Truth::Needs(_) => 2,
    }
}

fn truth(code: u8) -> Result<Truth, RecordError> {
    Ok(match code {
        0 => Truth::False,
        1 => Truth::True,
        2 => Truth::Unknown,
        code => return Err(RecordError::Code { field: "truth", code }),
    })
}
