//! `docs/metrics.md`, the sample alerts and the sample dashboard, held against a running service.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tidy_tests::{Run, works};

use super::exposition::{Exposition, Family};
use super::{busy, metrics};

const DOCUMENT: &str = include_str!("../../../docs/metrics.md");
const ALERTS: &str = include_str!("../../../docs/alerts.yml");
const DASHBOARD: &str = include_str!("../../../docs/grafana.json");

/// All there is, after something has happened of what has labels.
fn told() -> Exposition {
    let world = busy();
    let daemon = world.start();
    world.wait();
    world.ctl(["rollback", "--last"]).ok();
    assert_eq!(world.ctl(["show", "4711"]).code, 1);
    let told = metrics(&world);
    assert_eq!(daemon.stop(), 0);
    told
}

/// A family as the table has it.
fn row(told: &Exposition, name: &str, family: &Family) -> String {
    let ending = if family.kind == "counter" { "_total" } else { "" };
    let own = told.samples.iter().filter(|s| s.name.starts_with(name));
    let of_it = own.filter(|s| {
        let rest = &s.name[name.len()..];
        matches!(rest, "" | "_total" | "_bucket" | "_count" | "_sum")
    });
    let labels: BTreeSet<&str> =
        of_it.flat_map(|s| s.labels.keys()).map(String::as_str).filter(|l| *l != "le").collect();
    let labels = labels.iter().map(|l| format!("`{l}`")).collect::<Vec<_>>().join(", ");
    format!("| `{name}{ending}` | {} | {labels} | {} |", family.kind, family.help)
}

#[test]
fn every_series_is_in_the_document_as_it_is() {
    let told = told();
    let rows: Vec<String> = told.families.iter().map(|(name, f)| row(&told, name, f)).collect();
    let documented: BTreeSet<&str> = DOCUMENT
        .lines()
        .filter(|l| l.starts_with("| `tidyd_") || l.starts_with("| `process_"))
        .collect();
    // A label shows only when there is a series with it.
    let without_labels = |row: &str| {
        let mut cells: Vec<&str> = row.split('|').collect();
        cells[3] = "";
        cells.join("|")
    };
    let known: BTreeSet<String> = documented.iter().map(|row| without_labels(row)).collect();
    let missing: Vec<&String> = rows
        .iter()
        .filter(|row| {
            let labels = row.split('|').nth(3).unwrap_or_default().trim();
            let whole = documented.contains(row.as_str());
            !(whole || (labels.is_empty() && known.contains(&without_labels(row))))
        })
        .collect();
    assert!(missing.is_empty(), "docs/metrics.md lacks\n{missing:#?}");
    let real: BTreeSet<String> = rows.iter().map(|row| without_labels(row)).collect();
    let gone: Vec<&String> = known.difference(&real).collect();
    assert!(gone.is_empty(), "docs/metrics.md has what there is not:\n{gone:#?}");
}

/// The names of series of ours in a query.
fn names(query: &str) -> BTreeSet<&str> {
    let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    words.filter(|word| word.starts_with("tidyd_") || word.starts_with("process_")).collect()
}

/// Every query of a dashboard.
fn queries<'d>(value: &'d Value, found: &mut Vec<&'d str>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if let ("expr" | "query", Some(text)) = (key.as_str(), value.as_str()) {
                    found.push(text);
                }
                queries(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| queries(item, found)),
        _ => {}
    }
}

#[test]
fn alerts_and_the_dashboard_ask_for_what_there_is() {
    let told = told();
    let known = told.names();
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut asked = Vec::new();
    queries(&dashboard, &mut asked);
    assert!(asked.len() >= 25, "{asked:?}");
    let uncommented = ALERTS.lines().filter(|line| !line.trim_start().starts_with('#'));
    asked.extend(uncommented);
    let used: BTreeSet<&str> = asked.iter().flat_map(|query| names(query)).collect();
    assert!(used.len() >= 25, "{used:?}");
    let unknown: Vec<_> = used.iter().filter(|name| !known.contains(**name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    // Labels that are asked for exist, too.
    let labels: BTreeSet<&str> =
        told.samples.iter().flat_map(|s| s.labels.keys()).map(String::as_str).collect();
    for label in ["check", "state", "outcome", "category", "rule", "stage", "reason", "code"] {
        assert!(labels.contains(label), "{label}");
    }
}

/// Prometheus' own checker, where it is installed.
#[test]
fn prometheus_has_nothing_to_say_against_the_alerts() {
    if !works(&["promtool", "--version"]) {
        return;
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/alerts.yml");
    Run::of(Command::new("promtool").args(["check", "rules"]).arg(file)).ok();
}
