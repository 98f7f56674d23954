//! A table for people, and the same as JSON.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

use crate::run::Taken;

/// Everything that was measured in one go.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) what: &'static str,
    /// Of the tree and the machine, for whoever reads it later.
    pub(crate) about: BTreeMap<String, Value>,
    /// Whose time is 1.0.
    pub(crate) beside: String,
    pub(crate) rows: Vec<Row>,
}

/// One program under one condition.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// `warm` or `cold`, or what else sets it apart from others of that name.
    pub(crate) condition: String,
    pub(crate) command: String,
    pub(crate) runs: Vec<Taken>,
    /// Bytes of its cache or index on disk afterwards, if it keeps one.
    pub(crate) store: Option<u64>,
    /// Anything else, by name: counts, latencies.
    pub(crate) more: BTreeMap<String, f64>,
}

impl Report {
    pub(crate) fn new(what: &'static str, beside: &str) -> Self {
        let mut about = BTreeMap::new();
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        about.insert("processors".to_owned(), json!(processors));
        about.insert("kernel".to_owned(), json!(read("/proc/sys/kernel/osrelease").trim()));
        about.insert("load_before".to_owned(), json!(read("/proc/loadavg").trim()));
        Self { what, about, beside: beside.to_owned(), rows: Vec::new() }
    }

    pub(crate) fn note(&mut self, name: &str, value: impl Serialize) {
        let value = serde_json::to_value(value).unwrap_or(Value::Null);
        self.about.insert(name.to_owned(), value);
    }

    /// A row's runs, to be added to.
    pub(crate) fn row(&mut self, name: &str, condition: &str, command: &str) -> &mut Row {
        let at = self.rows.iter().position(|r| r.name == name && r.condition == condition);
        let at = at.unwrap_or_else(|| {
            self.rows.push(Row {
                name: name.to_owned(),
                condition: condition.to_owned(),
                command: command.to_owned(),
                runs: Vec::new(),
                store: None,
                more: BTreeMap::new(),
            });
            self.rows.len() - 1
        });
        &mut self.rows[at]
    }

    /// Prints the table, and writes the JSON if it is wanted.
    pub(crate) fn finish(mut self, to: Option<&Path>) -> io::Result<()> {
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        self.note("load_after", load.trim());
        let table = self.table();
        io::stdout().lock().write_all(table.as_bytes())?;
        let Some(to) = to else { return Ok(()) };
        let rows: Vec<Value> = self.rows.iter().map(|r| self.json(r)).collect();
        let all =
            json!({ "what": self.what, "about": self.about, "beside": self.beside, "rows": rows });
        fs::write(to, format!("{all:#}\n"))
    }

    fn json(&self, row: &Row) -> Value {
        let walls = row.walls();
        json!({
            "name": row.name, "condition": row.condition, "command": row.command,
            "wall_s": { "p50": rank(&walls, 50), "p95": rank(&walls, 95), "p99": rank(&walls, 99), "min": rank(&walls, 0) },
            "cpu_s": row.median(|t| t.cpu_s), "peak_bytes": row.most(|t| t.peak),
            "ratio": self.ratio(row), "store_bytes": row.store, "more": row.more, "runs": row.runs,
        })
    }

    /// The median of the ratios of runs that were made one after the other, which a busy machine disturbs less than a
    /// ratio of medians.
    fn ratio(&self, row: &Row) -> Option<f64> {
        let same = |r: &&Row| r.name == self.beside && r.condition == row.condition;
        let beside = self
            .rows
            .iter()
            .find(same)
            .or_else(|| self.rows.iter().find(|r| r.name == self.beside))?;
        let pairs = row.runs.iter().zip(&beside.runs);
        let mut ratios: Vec<f64> = pairs.map(|(a, b)| a.wall_s / b.wall_s).collect();
        ratios.sort_by(f64::total_cmp);
        (!ratios.is_empty()).then(|| rank(&ratios, 50))
    }

    fn table(&self) -> String {
        let mut lines = vec![
            vec![
                "", "", "wall s", "p95", "ratio", "cpu s", "peak MB", "read MB", "disk MB",
                "store MB", "",
            ]
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>(),
        ];
        for row in &self.rows {
            let walls = row.walls();
            let mb = |bytes: u64| format!("{:.0}", bytes as f64 / 1e6);
            let more: Vec<String> =
                row.more.iter().map(|(k, v)| format!("{k} {}", short(*v))).collect();
            lines.push(vec![
                row.name.clone(),
                row.condition.clone(),
                format!("{:.2}", rank(&walls, 50)),
                format!("{:.2}", rank(&walls, 95)),
                self.ratio(row).map_or_else(String::new, |r| format!("{r:.2}")),
                format!("{:.2}", row.median(|t| t.cpu_s)),
                mb(row.most(|t| t.peak)),
                mb(row.most(|t| t.read)),
                mb(row.most(|t| t.disk_read)),
                row.store.map_or_else(String::new, mb),
                more.join(", "),
            ]);
        }
        let about = self.about.iter().map(|(k, v)| format!("{k}: {v}\n")).collect::<String>();
        format!("{}, beside {}\n{about}\n{}", self.what, self.beside, aligned(&lines))
    }
}

impl Row {
    fn walls(&self) -> Vec<f64> {
        let mut walls: Vec<f64> = self.runs.iter().map(|r| r.wall_s).collect();
        walls.sort_by(f64::total_cmp);
        walls
    }

    fn median(&self, of: impl Fn(&Taken) -> f64) -> f64 {
        let mut all: Vec<f64> = self.runs.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        rank(&all, 50)
    }

    fn most(&self, of: impl Fn(&Taken) -> u64) -> u64 {
        self.runs.iter().map(of).max().unwrap_or(0)
    }
}

/// The nearest rank of sorted values; 0 when there are none.
pub(crate) fn rank(sorted: &[f64], percent: usize) -> f64 {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or(0.0)
}

fn short(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value}") } else { format!("{value:.3}") }
}

fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |c: usize| lines.iter().filter_map(|l| l.get(c)).map(String::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for line in lines {
        let mut text = String::new();
        for (c, (cell, width)) in line.iter().zip(&widths).enumerate() {
            // Names to the left, numbers to the right, remarks to the left.
            match c {
                0 | 1 | 10 => text.push_str(&format!("{cell:<width$}  ")),
                _ => text.push_str(&format!("{cell:>width$}  ")),
            }
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_values_that_were_measured() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!([0, 50, 95, 99, 100].map(|p| rank(&values, p)), [1.0, 50.0, 95.0, 99.0, 100.0]);
        assert_eq!(rank(&[3.0], 99), 3.0);
        assert_eq!(rank(&[], 50), 0.0);
    }

    #[test]
    fn ratios_are_taken_run_by_run() {
        let mut report = Report::new("test", "b");
        let taken = |wall_s| Taken { wall_s, ..Taken::default() };
        report.row("a", "warm", "").runs = [1.0, 20.0, 3.0].map(taken).to_vec();
        report.row("b", "warm", "").runs = [2.0, 40.0, 3.0].map(taken).to_vec();
        assert_eq!(report.ratio(&report.rows[0]), Some(0.5));
        assert!(report.table().contains("0.50"));
    }
}
