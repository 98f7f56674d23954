//! Numbers of things, as people say them.

/// `1 file`, `2 files`, `3 copies`: `one` is the word for one of them, of which the last letters tell how several are called.
pub fn count(n: u64, one: &str) -> String {
    if n == 1 {
        return format!("1 {one}");
    }
    // `entry`, `copy`, `directory`; but `day`, `key`.
    let vowel = |c: char| matches!(c, 'a' | 'e' | 'i' | 'o' | 'u');
    match one.strip_suffix('y') {
        Some(stem) if !stem.ends_with(vowel) => format!("{n} {stem}ies"),
        _ => format!("{n} {one}s"),
    }
}

/// `1 file was`, `2 files were`.
pub fn were(n: u64, one: &str) -> String {
    format!("{} {}", count(n, one), if n == 1 { "was" } else { "were" })
}

/// `512 B`, `1.5 MB`: powers of 1,000, as `tidyctl` writes them.
pub fn bytes(bytes: u64) -> String {
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
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (size, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_951, "1.0 MB"),
            (10_000_000, "10.0 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(bytes(size), text);
        }
    }

    #[test]
    fn one_is_one_and_none_is_several() {
        for (n, one, text) in [
            (0, "file", "0 files"),
            (1, "file", "1 file"),
            (2, "more file", "2 more files"),
            (1, "copy", "1 copy"),
            (3, "copy", "3 copies"),
            (7, "directory", "7 directories"),
            (7, "day", "7 days"),
        ] {
            assert_eq!(count(n, one), text);
        }
        assert_eq!(
            (were(1, "file"), were(2, "copy")),
            ("1 file was".into(), "2 copies were".into())
        );
    }
}
