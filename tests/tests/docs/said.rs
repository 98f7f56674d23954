//! Whether what a program said is what the document shows.

/// Stands for any text.
const ANYTHING: &str = "…";

/// Whether the lines of `said` are those of `shown`, apart from numbers, blanks and what `…` stands for. The first line that is
/// shown and not there, otherwise.
pub(crate) fn agrees(shown: &[String], said: &str) -> Result<(), String> {
    let mut said = said.lines().filter(|line| !line.trim().is_empty());
    let mut gap = false;
    for pattern in shown {
        if pattern.trim() == ANYTHING {
            gap = true;
            continue;
        }
        let found = match gap {
            true => said.any(|line| matches(pattern, line)),
            false => said.next().is_some_and(|line| matches(pattern, line)),
        };
        if !found {
            return Err(pattern.clone());
        }
        gap = false;
    }
    match said.next() {
        Some(more) if !gap => Err(format!("(nothing more, but it said: {more})")),
        _ => Ok(()),
    }
}

fn matches(pattern: &str, line: &str) -> bool {
    let (pattern, line) = (shape(pattern), shape(line));
    let mut parts = pattern.split(ANYTHING).map(str::trim);
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

/// Every number is 0, and blanks are one blank.
fn shape(line: &str) -> String {
    let mut shape = String::new();
    for c in line.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        let c = if c.is_ascii_digit() { '0' } else { c };
        if c != '0' || !shape.ends_with('0') {
            shape.push(c);
        }
    }
    shape
}

#[test]
fn numbers_blanks_and_what_is_left_out_may_differ_and_nothing_else() {
    let agree = |shown: &str, said: &str| {
        agrees(&shown.lines().map(str::to_owned).collect::<Vec<_>>(), said).is_ok()
    };
    assert!(agree("a 12  b", "a 3 b\n"));
    assert!(agree("a … c", "a b c\n"));
    assert!(agree("…\nb 1\n…", "x\ny\nb 22\nz\n"));
    assert!(agree("a…", "a: b\n"));
    assert!(agree("a", "\na\n\n"));
    for (shown, said) in [
        ("a", "b"),
        ("a", "a\nb"),
        ("a\nb", "a"),
        ("a b", "ab"),
        ("…\na", "b"),
        ("a … c", "a b d"),
        ("a 1", "a one"),
    ] {
        assert!(!agree(shown, said), "{shown:?} is not {said:?}");
    }
}
