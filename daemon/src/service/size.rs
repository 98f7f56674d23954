//! Sizes for people.

/// `512 B`, `1.5 MB`: powers of 1,000, as `tidyctl` writes them.
pub(super) fn readable(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    let (mut n, mut unit) = (bytes as f64, None);
    for next in UNITS {
        if n < 999.95 {
            break;
        }
        n /= 1000.0;
        unit = Some(next);
    }
    unit.map_or_else(|| format!("{bytes} B"), |unit| format!("{n:.1} {unit}"))
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_951, "1.0 MB"),
            (10_000_000, "10.0 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(readable(bytes), text);
        }
    }
}
