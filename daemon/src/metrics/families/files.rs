//! Files: what became of them, which are copies, which are known.

use prometheus_client::registry::Unit;
use tidy_core::category::Category;
use tidy_core::duplicates;

use crate::catalog::Tally;
use crate::journal::RuleCounter;
use crate::metrics::gathered::Gathered;
use crate::metrics::page::{Page, Value};

/// A file that nobody has looked into: no rule asked what it is.
const NOT_LOOKED_AT: &str = "not-looked-at";

fn word(category: Option<&Category>) -> &str {
    category.map_or(NOT_LOOKED_AT, Category::as_str)
}

pub(super) fn filed(g: &Gathered<'_>, page: &mut Page) {
    let files = g.filing.files();
    let rows = files.iter().map(|((became, category), n)| {
        (became.as_str(), word(category.as_ref()), Value::Counter(*n))
    });
    page.counter(
        "tidyd_files",
        "Files that were decided about, by what became of them and by category.",
    )
    .by_two(["outcome", "category"], rows);

    let all = || g.counters.rules.values();
    let files = all().map(|c| c.hits).fold(0, u64::saturating_add);
    let bytes = all().map(|c| c.bytes).fold(0, u64::saturating_add);
    page.counter(
        "tidyd_filed",
        "Files filed since the journal began, copies that were put aside included.",
    )
    .is(Value::Counter(files));
    page.counter("tidyd_filed", "Bytes of the files filed since the journal began.")
        .unit(Unit::Bytes)
        .is(Value::Counter(bytes));

    let of = |number: fn(&RuleCounter) -> u64| {
        g.rules.iter().map(move |rule| {
            let counter = g.counters.rules.get(rule.as_str());
            (rule, Value::Counter(counter.map_or(0, number)))
        })
    };
    page.counter(
        "tidyd_rule_files",
        "Files filed by each rule of the configuration since the journal began.",
    )
    .by("rule", of(|c| c.hits));
    page.counter("tidyd_rule", "Bytes of the files filed by each rule since the journal began.")
        .unit(Unit::Bytes)
        .by("rule", of(|c| c.bytes));
}

pub(super) fn copies(g: &Gathered<'_>, page: &mut Page) {
    let t = g.filing;
    page.counter("tidyd_duplicates_found", "Files that were found to be copies.")
        .is(Value::Counter(t.duplicates.get()));
    page.counter("tidyd_duplicates_found", "Bytes of the files that were found to be copies.")
        .unit(Unit::Bytes)
        .is(Value::Counter(t.duplicate_bytes.get()));
    let aside = g.counters.rules.get(duplicates::RULE).copied().unwrap_or_default();
    page.counter("tidyd_duplicates_put_aside", "Copies put aside since the journal began.")
        .is(Value::Counter(aside.hits));
    page.counter(
        "tidyd_duplicates_put_aside",
        "Bytes of the copies put aside since the journal began.",
    )
    .unit(Unit::Bytes)
    .is(Value::Counter(aside.bytes));
    page.counter(
        "tidyd_digest_cache_hits",
        "Files compared by what was remembered of their content.",
    )
    .is(Value::Counter(t.search.remembered.get()));
    page.counter(
        "tidyd_digest_cache_misses",
        "Files whose content had to be read to compare them.",
    )
    .is(Value::Counter(t.search.read.get()));
}

pub(super) fn known(g: &Gathered<'_>, page: &mut Page) {
    let stats = g.catalog.as_ref();
    let outcomes = |number: fn(&Tally) -> u64| {
        let all = stats.map(|s| [("known", s.known), ("left", s.left), ("filed", s.filed)]);
        all.into_iter().flatten().map(move |(word, t)| (word, Value::number(number(&t))))
    };
    page.gauge("tidyd_catalog_files", "Files that are known now, by what was decided of them.")
        .by("outcome", outcomes(|t| t.count));
    page.gauge(
        "tidyd_catalog",
        "Bytes of the files that are known now, by what was decided of them.",
    )
    .unit(Unit::Bytes)
    .by("outcome", outcomes(|t| t.bytes));
    page.gauge("tidyd_catalog_directories", "Directories that are known now.")
        .if_known(stats.map(|s| Value::number(s.directories)));
    let categories = |number: fn(&Tally) -> u64| {
        let all = stats.map(|s| s.categories.iter()).into_iter().flatten();
        all.map(move |(category, t)| (word(category.as_ref()), Value::number(number(t))))
    };
    page.gauge("tidyd_category_files", "Files that are known now, by category.")
        .by("category", categories(|t| t.count));
    page.gauge("tidyd_category", "Bytes of the files that are known now, by category.")
        .unit(Unit::Bytes)
        .by("category", categories(|t| t.bytes));
    let reasons = stats.map(|s| s.reasons.iter()).into_iter().flatten();
    page.gauge("tidyd_left_files", "Files that stay where they are, by reason.")
        .by("reason", reasons.map(|(reason, t)| (reason.code(), Value::number(t.count))));
}
