//! What came of the points of a sweep.

use std::any::Any;
use std::collections::BTreeMap;

use crate::points::Point;

/// What came of the points so far.
#[derive(Default)]
pub(crate) struct Tally {
    /// By stage, scope and call: how often each outcome.
    rows: BTreeMap<String, BTreeMap<&'static str, usize>>,
    failures: Vec<String>,
}

impl Tally {
    pub(crate) fn enter(
        &mut self,
        point: &Point,
        outcome: Result<Option<&'static str>, Box<dyn Any + Send>>,
    ) {
        let outcome = match outcome {
            Ok(outcome) => outcome.unwrap_or("not reached"),
            Err(panic) => {
                let said = panic.downcast_ref::<String>().map(String::as_str);
                let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
                eprintln!("that was {}", point.name());
                self.failures.push(format!("{}: {}", point.name(), said.unwrap_or("?")));
                "FAILED"
            }
        };
        let row = format!("{}, {}: {}", point.stage.name(), point.scope.name(), point.call);
        *self.rows.entry(row).or_default().entry(outcome).or_default() += 1;
    }

    /// Prints the table, and panics when there was a failure.
    pub(crate) fn done(self, what: &str) {
        let mut sum: BTreeMap<&str, usize> = BTreeMap::new();
        for (row, outcomes) in &self.rows {
            eprintln!("{row:32} {}", line(outcomes));
            outcomes.iter().for_each(|(o, n)| *sum.entry(o).or_default() += n);
        }
        let reached: usize = sum.iter().filter(|(o, _)| **o != "not reached").map(|(_, n)| n).sum();
        eprintln!("{reached} {what}: {}", line(&sum));
        assert!(reached > 0, "no {what} at all");
        self.quietly();
    }

    /// Panics when there was a failure.
    pub(crate) fn quietly(self) {
        let count = self.failures.len();
        assert!(count == 0, "{count} points:\n{}", self.failures.join("\n"));
    }
}

fn line(outcomes: &BTreeMap<&str, usize>) -> String {
    let parts: Vec<_> = outcomes.iter().map(|(o, n)| format!("{o} {n}")).collect();
    parts.join(", ")
}
