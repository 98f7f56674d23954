//! Weighing: words that are common in one language and rare elsewhere, and the shapes of lines.
//!
//! Each clue counts at most [`MAX_HITS`] times, so that one repeated word decides nothing. All
//! clues are looked for in one pass, from buckets by their first byte.

mod clues;
mod shapes;

use std::sync::LazyLock;

use super::super::table;
use clues::CLUES;

/// Hits of one clue that count.
const MAX_HITS: u8 = 3;
/// Below this a language is not named.
const ENOUGH: u32 = 6;

/// A word or sign, and how much it says.
pub(super) struct Clue {
    at: At,
    needle: &'static str,
    weight: u8,
}

/// Where a clue counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// First on its line, indentation aside.
    Line,
    /// Anywhere, but not inside a word.
    Any,
}

/// A clue with the place of its language in [`CLUES`].
type Indexed = (usize, &'static Clue);

static BUCKETS: LazyLock<Vec<Vec<Indexed>>> = LazyLock::new(|| {
    let mut buckets: Vec<Vec<Indexed>> = (0..256).map(|_| Vec::new()).collect();
    for (language, (_, clues)) in CLUES.iter().enumerate() {
        for clue in *clues {
            if let Some(first) = clue.needle.bytes().next() {
                buckets[usize::from(first)].push((language, clue));
            }
        }
    }
    buckets
});

/// A score that needs no second opinion.
const STRONG: u32 = 30;

/// The likeliest media type, if any is likely, and whether much speaks for it.
pub(super) fn look(text: &str, whole: bool) -> Option<(&'static str, bool)> {
    if shapes::is_front_matter(text) {
        return Some(("text/markdown", false));
    }
    let mut scores = words(text.as_bytes());
    let shapes = shapes::measure(text, whole);
    for (language, (media, _)) in CLUES.iter().enumerate() {
        scores[language] += shapes.support(media);
    }
    let (best, score) =
        scores.iter().copied().enumerate().max_by_key(|(i, s)| (*s, usize::MAX - i))?;
    let enough = match text.len() {
        ..200 => ENOUGH / 2,
        _ if shapes.is_prose() && is_program(CLUES[best].0) => 3 * ENOUGH,
        _ => ENOUGH,
    };
    let (by_words, _) = CLUES[best];
    match shapes.data() {
        Some((media, strength)) if strength > score => Some((media, strength >= STRONG)),
        _ if score >= enough => Some((by_words, score >= STRONG)),
        Some((media, strength)) => Some((media, strength >= STRONG)),
        None if shapes.is_code() => Some((by_words, false)),
        None => None,
    }
}

fn is_program(media: &str) -> bool {
    table::by_media(media).is_some_and(|t| t.category == "code")
}

fn words(bytes: &[u8]) -> Vec<u32> {
    let mut scores = vec![0u32; CLUES.len()];
    let mut hits: Vec<(&'static Clue, u8)> = Vec::new();
    let mut first_on_line = true;
    let mut before = b'\n';
    for (at, &byte) in bytes.iter().enumerate() {
        for (language, clue) in &BUCKETS[usize::from(byte)] {
            let placed = match clue.at {
                At::Line => first_on_line,
                At::Any => !(byte.is_ascii_alphanumeric() && before.is_ascii_alphanumeric()),
            };
            if !placed || !bytes[at..].starts_with(clue.needle.as_bytes()) {
                continue;
            }
            let count = count(&mut hits, clue);
            if count <= MAX_HITS {
                scores[*language] += u32::from(clue.weight);
            }
        }
        first_on_line = match byte {
            b'\n' | b'\r' => true,
            b' ' | b'\t' => first_on_line,
            _ => false,
        };
        before = byte;
    }
    scores
}

/// Counts one more hit of a clue; few clues are hit, so a list is enough.
fn count(hits: &mut Vec<(&'static Clue, u8)>, clue: &'static Clue) -> u8 {
    match hits.iter_mut().find(|(c, _)| std::ptr::eq(*c, clue)) {
        Some((_, n)) => {
            *n = n.saturating_add(1);
            *n
        }
        None => {
            hits.push((clue, 1));
            1
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_told_apart() {
        for (text, media) in [
            ("def f(self):\n    return self.x\n\nimport os\n", "text/x-python"),
            ("fn main() {\n    let mut x = 1;\n    println!(\"{x}\");\n}\n", "text/rust"),
            ("#include <stdio.h>\nint main(void) { return 0; }\n", "text/x-c"),
            ("package main\n\nimport (\n\t\"fmt\"\n)\nfunc main() { x := 1 }\n", "text/x-go"),
            ("CREATE TABLE a (id INT);\nINSERT INTO a VALUES (1);\n", "application/sql"),
            ("# Title\n\nSome [link](http://x).\n\n## More\n\n```\nx\n```\n", "text/markdown"),
            ("name: x\nversion: 1\nlist:\n  - a\n  - b\n", "application/yaml"),
            ("[package]\nname = \"x\"\nversion = \"1\"\n", "application/toml"),
            ("a,b,c\n1,2,3\n4,5,6\n7,8,9\n", "text/csv"),
        ] {
            assert_eq!(look(text, true).map(|(media, _)| media), Some(media), "{text}");
        }
        let prose = "It was a bright cold day in April, and the clocks were striking thirteen.\n";
        assert_eq!(look(prose, true), None);
    }

    #[test]
    fn every_language_is_in_the_table() {
        for (media, clues) in CLUES {
            assert!(table::by_media(media).is_some(), "{media}");
            assert!(clues.iter().all(|c| !c.needle.is_empty()), "{media}");
        }
    }
}
