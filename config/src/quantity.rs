//! Sizes, durations and comparisons as people write them. Strict: what does not parse is an error,
//! because a size that silently matches everything moves everything.

use std::time::Duration;

use tidy_core::rules::Range;

/// Bytes by unit; decimal and binary ones as IEC 80000-13 has them.
const SIZES: &[(&str, u64)] = &[
    ("b", 1),
    ("kb", 1000),
    ("mb", 1000 * 1000),
    ("gb", 1000 * 1000 * 1000),
    ("tb", 1000 * 1000 * 1000 * 1000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 24 * 3600 * SECOND;

/// Nanoseconds by unit. A month is 30 days and a year 365.
const DURATIONS: &[(&str, u64)] = &[
    ("ms", 1_000_000),
    ("s", SECOND),
    ("sec", SECOND),
    ("second", SECOND),
    ("seconds", SECOND),
    ("m", 60 * SECOND),
    ("min", 60 * SECOND),
    ("minute", 60 * SECOND),
    ("minutes", 60 * SECOND),
    ("h", 3600 * SECOND),
    ("hour", 3600 * SECOND),
    ("hours", 3600 * SECOND),
    ("d", DAY),
    ("day", DAY),
    ("days", DAY),
    ("w", 7 * DAY),
    ("week", 7 * DAY),
    ("weeks", 7 * DAY),
    ("month", 30 * DAY),
    ("months", 30 * DAY),
    ("y", 365 * DAY),
    ("year", 365 * DAY),
    ("years", 365 * DAY),
];

/// Why a text is no quantity: a sentence.
type Why = String;

/// What numbers stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantity {
    /// Bytes.
    Size,
    /// Nanoseconds.
    Duration,
    /// A plain number.
    Count,
}

impl Quantity {
    fn example(self) -> &'static str {
        match self {
            Self::Size => "10 MB",
            Self::Duration => "30d",
            Self::Count => "2",
        }
    }

    /// One number with its unit.
    fn parse(self, text: &str) -> Result<u64, Why> {
        match self {
            Self::Size => size(text),
            Self::Duration => nanos(text),
            Self::Count => {
                let digits = text.trim();
                let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
                digits
                    .parse()
                    .ok()
                    .filter(|_| plain)
                    .ok_or_else(|| format!("`{}` is not a whole number", digits.escape_debug()))
            }
        }
    }
}

/// A size such as `10 MB` or `1.5 GiB`, in bytes. The unit is required, except after `0`.
///
/// # Errors
/// Why it is none, as a sentence.
pub fn size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    if text == "0" {
        return Ok(0);
    }
    let (number, unit) = split_unit(text)?;
    if unit.is_empty() {
        return Err(format!("`{number}` needs a unit: B, kB, MB, GB, TB, KiB, MiB, GiB or TiB"));
    }
    let factor = lookup(SIZES, unit).ok_or_else(|| match unit.to_ascii_lowercase().as_str() {
        "k" | "m" | "g" | "t" => format!("`{unit}` is not a unit; write {0}B or {0}iB", unit),
        _ => format!("unknown unit `{}` of size", unit.escape_debug()),
    })?;
    scaled(number, factor)
}

/// A share such as `50%`: a whole number of percent, up to a hundred.
pub(crate) fn share(text: &str) -> Option<u8> {
    let digits = text.trim().strip_suffix('%')?.trim_end();
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|n| plain && *n <= 100)
}

/// A duration such as `2s` or `1h 30m`.
pub(crate) fn duration(text: &str) -> Result<Duration, Why> {
    nanos(text).map(Duration::from_nanos)
}

fn nanos(text: &str) -> Result<u64, Why> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("the duration is empty".into());
    }
    let mut total = 0u64;
    while !rest.is_empty() {
        let next = rest.find(|c: char| c.is_alphabetic()).and_then(|unit| {
            let after = rest[unit..].find(|c: char| !c.is_alphabetic())?;
            Some(unit + after)
        });
        let (part, tail) = rest.split_at(next.unwrap_or(rest.len()));
        let (number, unit) = split_unit(part.trim())?;
        if unit.is_empty() {
            return Err(format!("`{number}` needs a unit: s, m, h, d, w, months or years"));
        }
        let factor = lookup(DURATIONS, unit)
            .ok_or_else(|| format!("unknown unit `{}` of time", unit.escape_debug()))?;
        total = scaled(number, factor)?.checked_add(total).ok_or("the duration is too long")?;
        rest = tail.trim_start();
    }
    Ok(total)
}

fn lookup(units: &[(&str, u64)], unit: &str) -> Option<u64> {
    units.iter().find(|(u, _)| u.eq_ignore_ascii_case(unit)).map(|(_, factor)| *factor)
}

/// `1.5 GB` → `1.5`, `GB`.
fn split_unit(text: &str) -> Result<(&str, &str), Why> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    if number.is_empty() {
        return Err(format!("`{}` does not start with a number", text.escape_debug()));
    }
    Ok((number, unit.trim()))
}

/// `number × factor`, exactly; fractions of the smallest unit are cut off.
fn scaled(number: &str, factor: u64) -> Result<u64, Why> {
    let bad = || format!("`{number}` is not a number");
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || whole.len() > 19 || fraction.len() > 9 {
        return Err(bad());
    }
    let whole: u128 = whole.parse().map_err(|_| bad())?;
    let places = fraction.len() as u32;
    let fraction: u128 = fraction.parse().map_err(|_| bad())?;
    let factor = u128::from(factor);
    let value = whole * factor + fraction * factor / 10u128.pow(places);
    u64::try_from(value).map_err(|_| format!("`{number}` is too large"))
}

/// A comparison: `>= 2 GB`, `< 10 MB`, `= 0 B`, `10MB..1GB` (both ends included), `1GB..`.
pub(crate) fn range(text: &str, of: Quantity) -> Result<Range, Why> {
    let text = text.trim();
    let nothing = || "nothing can match this".to_owned();
    if let Some((low, high)) = text.split_once("..") {
        let end = |t: &str, open: u64| if t.trim().is_empty() { Ok(open) } else { of.parse(t) };
        if low.trim().is_empty() && high.trim().is_empty() {
            return Err(format!("a range needs an end: `{0}..` or `..{0}`", of.example()));
        }
        let range = Range { min: end(low, 0)?, max: end(high, u64::MAX)? };
        return if range.min <= range.max { Ok(range) } else { Err(nothing()) };
    }
    let operators = [">=", "<=", "==", ">", "<", "="];
    let Some(operator) = operators.into_iter().find(|o| text.starts_with(o)) else {
        let value = of.parse(text)?;
        return if of == Quantity::Count {
            Ok(Range { min: value, max: value })
        } else {
            Err(format!("say how to compare: `>= {text}`, `< {text}` or a range `{text}..`"))
        };
    };
    let value = of.parse(&text[operator.len()..])?;
    Ok(match operator {
        ">=" => Range { min: value, max: u64::MAX },
        ">" => Range { min: value.checked_add(1).ok_or_else(nothing)?, max: u64::MAX },
        "<=" => Range { min: 0, max: value },
        "<" => Range { min: 0, max: value.checked_sub(1).ok_or_else(nothing)? },
        _ => Range { min: value, max: value },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes() {
        let table = [
            ("10 MB", Ok(10_000_000)),
            ("10MB", Ok(10_000_000)),
            ("1.5 GiB", Ok(1_610_612_736)),
            ("0", Ok(0)),
            ("7b", Ok(7)),
            ("2", Err("needs a unit")),
            ("2 M", Err("write MB or MiB")),
            ("2 XB", Err("unknown unit `XB`")),
            ("MB", Err("does not start with a number")),
            ("", Err("does not start with a number")),
            ("-1 MB", Err("does not start with a number")),
            ("1.2.3 MB", Err("not a number")),
            ("1. MB", Err("not a number")),
            ("99999999 TB", Err("too large")),
            ("10 MB B", Err("unknown unit")),
        ];
        for (text, want) in table {
            match (size(text), want) {
                (Ok(got), Ok(want)) => assert_eq!(got, want, "{text}"),
                (Err(got), Err(want)) => assert!(got.contains(want), "{text}: {got}"),
                (got, _) => panic!("{text}: {got:?}"),
            }
        }
    }

    #[test]
    fn durations() {
        let table = [
            ("2s", 2_000),
            ("500ms", 500),
            ("1h 30m", 5_400_000),
            ("1h30m", 5_400_000),
            ("1.5 days", 129_600_000),
            ("1 week", 604_800_000),
        ];
        for (text, ms) in table {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "2", "s", "2 parsecs", "1h 30", "1h,30m", "9999999 years"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn comparisons() {
        let max = u64::MAX;
        let table = [
            (">= 2 kB", 2000, max),
            ("> 2kB", 2001, max),
            ("<= 2kB", 0, 2000),
            ("< 2kB", 0, 1999),
            ("= 0 B", 0, 0),
            ("1kB..2kB", 1000, 2000),
            ("1kB..", 1000, max),
            ("..1.5kB", 0, 1500),
        ];
        for (text, min, max) in table {
            assert_eq!(range(text, Quantity::Size), Ok(Range { min, max }), "{text}");
        }
        for text in ["2kB", "< 0 B", "2kB..1kB", "..", "", ">", "=> 1 kB", "> 1 kB < 2 kB"] {
            assert!(range(text, Quantity::Size).is_err(), "{text}");
        }
        assert_eq!(range("2", Quantity::Count), Ok(Range { min: 2, max: 2 }));
        assert!(range("+2", Quantity::Count).is_err());
        assert_eq!(range("> 30d", Quantity::Duration).unwrap().min, 30 * DAY + 1);
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_a_range_that_something_matches(text in "[0-9a-zA-Z.<>= ]{0,16}|\\PC{0,8}") {
            for of in [Quantity::Size, Quantity::Duration, Quantity::Count] {
                if let Ok(range) = range(&text, of) {
                    prop_assert!(range.min <= range.max);
                }
            }
        }
    }
}
