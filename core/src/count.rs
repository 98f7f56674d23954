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

#[cfg(test)]
mod tests {
    use super::*;

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
