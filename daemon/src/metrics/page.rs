//! Families of series, and the text they become. The format itself is the library's.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use crate::tally::Reading;

/// What one series has.
#[derive(Debug)]
pub(super) enum Value {
    Counter(u64),
    /// A sum of seconds.
    Seconds(f64),
    Gauge(f64),
    Histogram(Reading),
}

impl Value {
    /// A gauge of something that is counted. Beyond 2^53 it is rounded.
    pub(super) fn number(n: u64) -> Self {
        Self::Gauge(n as f64)
    }
}

/// Labels of one series.
pub(super) type Labels = Vec<(&'static str, String)>;

/// Everything of one name.
#[derive(Debug)]
pub(super) struct Family {
    /// Without its unit, and without `_total`.
    name: &'static str,
    help: &'static str,
    unit: Option<Unit>,
    kind: MetricType,
    rows: Vec<(Labels, Value)>,
}

/// All families, in order.
#[derive(Debug, Default)]
pub(super) struct Page(Vec<Family>);

/// A family to be filled, which completes it.
#[must_use]
pub(super) struct Filling<'p> {
    page: &'p mut Page,
    family: Family,
}

impl Page {
    fn family(&mut self, kind: MetricType, name: &'static str, help: &'static str) -> Filling<'_> {
        let family = Family { name, help, unit: None, kind, rows: Vec::new() };
        Filling { page: self, family }
    }

    pub(super) fn counter(&mut self, name: &'static str, help: &'static str) -> Filling<'_> {
        self.family(MetricType::Counter, name, help)
    }

    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str) -> Filling<'_> {
        self.family(MetricType::Gauge, name, help)
    }

    /// Of durations: its unit is the second.
    pub(super) fn histogram(&mut self, name: &'static str, help: &'static str) -> Filling<'_> {
        self.family(MetricType::Histogram, name, help).unit(Unit::Seconds)
    }

    /// The text format, to its end.
    pub(super) fn text(self) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut out = String::new();
        encode(&mut out, &registry).map(|()| out)
    }
}

impl Filling<'_> {
    /// Its name ends with the unit.
    pub(super) fn unit(mut self, unit: Unit) -> Self {
        self.family.unit = Some(unit);
        self
    }

    fn with(self, rows: impl Iterator<Item = (Labels, Value)>) {
        let Self { page, mut family } = self;
        family.rows.extend(rows);
        page.0.push(family);
    }

    /// The only series.
    pub(super) fn is(self, value: Value) {
        self.with(std::iter::once((Labels::new(), value)));
    }

    /// The only series, or none where the number is not known.
    pub(super) fn if_known(self, value: Option<Value>) {
        self.with(value.into_iter().map(|value| (Labels::new(), value)));
    }

    /// One series for each value of a label.
    pub(super) fn by<T: AsRef<str>>(
        self,
        label: &'static str,
        rows: impl IntoIterator<Item = (T, Value)>,
    ) {
        let rows = rows.into_iter();
        self.with(rows.map(|(value, number)| (vec![(label, cleaned(value.as_ref()))], number)));
    }

    /// One series for each pair of values of two labels.
    pub(super) fn by_two<A: AsRef<str>, B: AsRef<str>>(
        self,
        labels: [&'static str; 2],
        rows: impl IntoIterator<Item = (A, B, Value)>,
    ) {
        let [first, second] = labels;
        self.with(rows.into_iter().map(|(a, b, number)| {
            (vec![(first, cleaned(a.as_ref())), (second, cleaned(b.as_ref()))], number)
        }));
    }
}

/// A value of a label: names of rules and categories may have anything in them. What the format needs escaped, the library
/// escapes.
fn cleaned(value: &str) -> String {
    value.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}")
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for Family { name, help, unit, kind, rows } in &self.0 {
            let mut metric = encoder.encode_descriptor(name, help, unit.as_ref(), *kind)?;
            for (labels, value) in rows {
                if labels.is_empty() {
                    write(&mut metric, value)?;
                } else {
                    write(&mut metric.encode_family(labels)?, value)?;
                }
            }
        }
        Ok(())
    }
}

fn write(to: &mut MetricEncoder<'_>, value: &Value) -> fmt::Result {
    match value {
        Value::Counter(n) => to.encode_counter::<NoLabelSet, _, u64>(n, None),
        Value::Seconds(n) => to.encode_counter::<NoLabelSet, _, u64>(n, None),
        Value::Gauge(n) => to.encode_gauge(n),
        Value::Histogram(reading) => {
            let bounds = reading.bounds.iter().copied().chain([f64::INFINITY]);
            let buckets: Vec<_> = bounds.zip(reading.counts.iter().copied()).collect();
            to.encode_histogram::<NoLabelSet>(reading.sum, reading.count(), &buckets, None)
        }
    }
}
