//! What is told, read by a public parser, and what the formats ask of it.

use std::collections::{BTreeMap, BTreeSet};

use nom_openmetrics::{MetricDescriptor, parser};

/// One family.
#[derive(Debug, Default)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) help: String,
    unit: Option<String>,
}

/// One number.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Exposition {
    /// By name.
    pub(crate) families: BTreeMap<String, Family>,
    pub(crate) samples: Vec<Sample>,
}

impl Exposition {
    /// Of a text in the format of OpenMetrics.
    #[track_caller]
    pub(crate) fn of(text: &str) -> Self {
        let (rest, parsed) = parser::openmetrics(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_eq!(rest, "");
        Self::from(parsed)
    }

    /// Of a text in the older format of Prometheus.
    #[track_caller]
    pub(crate) fn of_prometheus(text: &str) -> Self {
        // The parser knows no remarks.
        let text: String = text.split_inclusive('\n').filter(|l| !is_remark(l)).collect();
        let (_, parsed) = parser::prometheus(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        Self::from(parsed)
    }

    fn from(parsed: Vec<nom_openmetrics::Family<'_>>) -> Self {
        let (mut families, mut samples) = (BTreeMap::<String, Family>::new(), Vec::new());
        for family in parsed {
            for descriptor in family.descriptors {
                let of = families.entry(descriptor.metric().to_owned()).or_default();
                match descriptor {
                    MetricDescriptor::Type { r#type, .. } => {
                        of.kind = r#type.to_string().to_lowercase();
                    }
                    MetricDescriptor::Help { help, .. } => of.help = help,
                    MetricDescriptor::Unit { unit, .. } => of.unit = Some(unit.to_owned()),
                }
            }
            samples.extend(family.samples.iter().map(|sample| Sample {
                name: sample.name().to_owned(),
                labels:
                    sample.labels().iter().map(|l| (l.name.to_owned(), l.value.clone())).collect(),
                value: sample.number(),
            }));
        }
        Self { families, samples }
    }

    /// The sum of the numbers with this name and these labels; `None`: there is none.
    pub(crate) fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let matches = |s: &&Sample| {
            s.name == name && labels.iter().all(|(k, v)| s.labels.get(*k).is_some_and(|l| l == v))
        };
        let mut found = self.samples.iter().filter(matches).map(|s| s.value).peekable();
        found.peek().is_some().then(|| found.sum())
    }

    /// The same, where there must be one.
    #[track_caller]
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.get(name, labels).unwrap_or_else(|| panic!("there is no {name} {labels:?}"))
    }

    /// The names that a query can have.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        let names = self.families.iter().flat_map(|(name, family)| {
            let endings: &[&str] = match family.kind.as_str() {
                "counter" => &["_total"],
                "histogram" => &["_bucket", "_count", "_sum"],
                _ => &[""],
            };
            endings.iter().map(move |ending| format!("{name}{ending}"))
        });
        names.collect()
    }

    /// Holds it against what OpenMetrics 1.0 asks for.
    #[track_caller]
    pub(crate) fn check(&self) {
        for (name, family) in &self.families {
            let kinds = ["counter", "gauge", "histogram"];
            assert!(kinds.contains(&family.kind.as_str()), "{name}: {family:?}");
            assert!(family.help.ends_with('.') && family.help.len() > 10, "{name}: {family:?}");
            let units = ["seconds", "bytes"];
            let ending = units.iter().find(|unit| name.ends_with(&format!("_{unit}")));
            assert_eq!(family.unit.as_deref(), ending.copied(), "the unit of {name}");
            assert!(!name.ends_with("_total"), "{name} is given its ending by the format");
        }
        let names = self.names();
        let mut seen = BTreeSet::new();
        for sample in &self.samples {
            assert!(names.contains(&sample.name), "{sample:?} belongs to no family");
            assert!(sample.value.is_finite() && sample.value >= 0.0, "{sample:?}");
            assert!(seen.insert((&sample.name, &sample.labels)), "{sample:?} comes twice");
        }
        for (name, _) in self.families.iter().filter(|(_, family)| family.kind == "histogram") {
            self.check_histogram(name);
        }
    }

    fn check_histogram(&self, name: &str) {
        let counts = self.samples.iter().filter(|s| s.name == format!("{name}_count"));
        for count in counts {
            let of_it = |s: &&Sample| {
                let mut labels = s.labels.clone();
                labels.remove("le");
                s.name == format!("{name}_bucket") && labels == count.labels
            };
            let buckets: Vec<_> = self.samples.iter().filter(of_it).collect();
            let bound = |s: &Sample| match s.labels["le"].as_str() {
                "+Inf" => f64::INFINITY,
                number => number.parse().unwrap(),
            };
            let ascending = buckets.windows(2).all(|w| bound(w[0]) < bound(w[1]));
            assert!(ascending, "the bounds of {name}");
            let cumulative = buckets.windows(2).all(|w| w[0].value <= w[1].value);
            assert!(cumulative, "each bucket of {name} holds those before it: {buckets:?}");
            let last = buckets.last().unwrap_or_else(|| panic!("{name} has no buckets"));
            assert_eq!((bound(last), last.value), (f64::INFINITY, count.value), "{name}");
            let sum = self
                .samples
                .iter()
                .find(|s| s.name == format!("{name}_sum") && s.labels == count.labels);
            assert!(sum.is_some_and(|sum| (sum.value > 0.0) == (count.value > 0.0)), "{name}");
        }
    }
}

fn is_remark(line: &str) -> bool {
    line.starts_with('#') && !line.starts_with("# HELP ") && !line.starts_with("# TYPE ")
}
