//! What the end-to-end tests do not see: names that nobody has, and what is not known.

use super::*;
use crate::{control, coordinator, filing, journal};

#[derive(Default)]
struct Tallies {
    coordinator: coordinator::Tally,
    filing: filing::Tally,
    journal: journal::Tally,
    control: control::Stats,
}

impl Tallies {
    fn gathered(&self) -> Gathered<'_> {
        Gathered {
            version: "1.2.3",
            process: Process::here(),
            health: Vec::new(),
            roots: Vec::new(),
            stopped: 0,
            pending: coordinator::Pending::default(),
            watches: 0,
            jobs: 0,
            rules: Vec::new(),
            counters: journal::Counters::default(),
            catalog: None,
            sizes: Sizes::default(),
            coordinator: &self.coordinator,
            filing: &self.filing,
            journal: &self.journal,
            control: &self.control,
            undone: Vec::new(),
            errors: Vec::new(),
        }
    }
}

#[test]
fn labels_may_have_anything_in_them() {
    let tallies = Tallies::default();
    let rules = vec!["a \"b\" \\ c\nd\re".to_owned()];
    let text = text(&Gathered { rules, ..tallies.gathered() }).unwrap();
    let line = "tidyd_rule_files_total{rule=\"a \\\"b\\\" \\\\ c\\nd\u{fffd}e\"} 0\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn a_check_that_comes_often_is_well_when_all_of_them_are() {
    let tallies = Tallies::default();
    let of = |name: &str, ok| (name.to_owned(), ok);
    let health = vec![of("root", true), of("root", false), of("root", true), of("space", true)];
    let text = text(&Gathered { health, ..tallies.gathered() }).unwrap();
    assert!(text.contains("tidyd_health_ok{check=\"root\"} 0.0\n"), "{text}");
    assert!(text.contains("tidyd_health_ok{check=\"space\"} 1.0\n"), "{text}");
    assert_eq!(text.matches("tidyd_health_ok{").count(), 2);
}

#[test]
fn what_is_not_known_is_declared_and_has_no_number() {
    let tallies = Tallies::default();
    let text = text(&tallies.gathered()).unwrap();
    for name in ["tidyd_store_size_bytes", "tidyd_catalog_files", "tidyd_undone_files"] {
        assert!(text.contains(&format!("# TYPE {name} ")), "{name}");
        assert!(!text.lines().any(|line| line.starts_with(name)), "{name}");
    }
    assert!(text.ends_with("# EOF\n"));
}
