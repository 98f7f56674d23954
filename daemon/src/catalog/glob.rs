//! Globs for whole names: `*` any characters, `?` one, `[a-z]` and `[!a-z]` one of, or none of; `\` takes the next one as it is.

/// A pattern, folded as the names are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob {
    tokens: Vec<Token>,
    cut: Cut,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Char(char),
    One,
    Any,
    Class { not: bool, ranges: Vec<(char, char)> },
}

/// The same for names of ASCII alone, a set of bytes for each character: what is before the first `*`, between two, and after the
/// last. So most names are told by their ends.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cut {
    head: Box<[Set]>,
    middle: Vec<Box<[Set]>>,
    /// `None`: there is no `*`.
    tail: Option<Box<[Set]>>,
}

impl Glob {
    pub(super) fn new(text: &str) -> Self {
        let tokens = tokens(text);
        let cut = Cut::new(&tokens);
        Self { tokens, cut }
    }

    /// The longest text that every match contains.
    pub(super) fn literal(&self) -> String {
        let run = |run: &[Token]| {
            run.iter()
                .filter_map(|t| if let Token::Char(c) = t { Some(*c) } else { None })
                .collect()
        };
        self.tokens
            .split(|t| !matches!(t, Token::Char(_)))
            .map(run)
            .max_by_key(String::len)
            .unwrap_or_default()
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        if name.is_ascii() {
            self.matches_ascii(name.as_bytes())
        } else {
            slowly(&self.tokens, name)
        }
    }

    /// The same where it is known that the name is of ASCII alone.
    pub(super) fn matches_ascii(&self, name: &[u8]) -> bool {
        self.cut.matches(name)
    }
}

impl Cut {
    fn new(tokens: &[Token]) -> Self {
        let sets = |part: &[Token]| part.iter().map(Set::of).collect::<Box<[Set]>>();
        let mut parts: Vec<Box<[Set]>> = tokens.split(|t| *t == Token::Any).map(sets).collect();
        let tail = if parts.len() > 1 { parts.pop() } else { None };
        let mut parts = parts.into_iter();
        Self { head: parts.next().unwrap_or_default(), middle: parts.collect(), tail }
    }

    /// What is between two `*` is taken where it is found first: that leaves most for the rest.
    fn matches(&self, name: &[u8]) -> bool {
        let Some(tail) = &self.tail else {
            return name.len() == self.head.len() && fits(&self.head, name);
        };
        let Some(between) = name.len().checked_sub(self.head.len() + tail.len()) else {
            return false;
        };
        let (start, rest) = name.split_at(self.head.len());
        let (mut rest, end) = rest.split_at(between);
        fits(tail, end)
            && fits(&self.head, start)
            && self.middle.iter().all(|part| {
                let mut windows = rest.windows(part.len().max(1));
                let found = windows.position(|window| fits(part, window));
                rest = found.map_or(&[], |at| &rest[at + part.len()..]);
                found.is_some()
            })
    }
}

fn fits(sets: &[Set], bytes: &[u8]) -> bool {
    sets.iter().zip(bytes).all(|(set, byte)| set.has(*byte))
}

/// Some of the characters of ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Set([u64; 2]);

impl Set {
    fn of(token: &Token) -> Self {
        let mut set = [0; 2];
        for byte in 0..128_u8 {
            if takes(token, char::from(byte)) {
                set[usize::from(byte >> 6)] |= 1 << (byte & 63);
            }
        }
        Self(set)
    }

    fn has(self, byte: u8) -> bool {
        self.0.get(usize::from(byte >> 6)).is_some_and(|half| half >> (byte & 63) & 1 == 1)
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        tokens.push(match c {
            '*' if tokens.last() == Some(&Token::Any) => continue,
            '*' => Token::Any,
            '?' => Token::One,
            '\\' => Token::Char(rest.next().unwrap_or('\\')),
            '[' => match class(rest.as_str()) {
                Some((class, after)) => {
                    rest = after.chars();
                    class
                }
                None => Token::Char('['),
            },
            c => Token::Char(c),
        });
    }
    tokens
}

/// Characters of a class, at most: no name has so many.
const CLASS_MAX: usize = 1_024;

/// The class that begins after `[`, and what follows its `]`. A `]` right at the start is one of its characters.
fn class(text: &str) -> Option<(Token, &str)> {
    let (not, body) = match text.strip_prefix(['!', '^']) {
        Some(body) => (true, body),
        None => (false, text),
    };
    let skip = body.chars().next()?.len_utf8();
    // Not looked for without an end: there may be as many beginnings as characters.
    let end = body.char_indices().take(CLASS_MAX).find(|(at, c)| *at >= skip && *c == ']')?.0;
    let chars: Vec<char> = body[..end].chars().collect();
    let mut ranges = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        if i + 2 < chars.len() && chars[i + 1] == '-' {
            ranges.push((chars[i], chars[i + 2]));
            i += 3;
        } else {
            ranges.push((chars[i], chars[i]));
            i += 1;
        }
    }
    Some((Token::Class { not, ranges }, &body[end + 1..]))
}

/// For any name. Greedy with one point of return, the last `*`: at most pattern times name steps.
fn slowly(tokens: &[Token], name: &str) -> bool {
    let (mut t, mut rest) = (0, name.chars());
    let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        if tokens.get(t) == Some(&Token::Any) {
            t += 1;
            retry = Some((t, rest.clone()));
            continue;
        }
        let mut after = rest.clone();
        match (tokens.get(t), after.next()) {
            (None, None) => return true,
            (Some(token), Some(c)) if takes(token, c) => {
                t += 1;
                rest = after;
            }
            // Nothing is left for what remains of the pattern, whatever the `*` takes.
            (Some(_), None) => return false,
            _ => match &mut retry {
                Some((token, from)) => {
                    if from.next().is_none() {
                        return false;
                    }
                    (t, rest) = (*token, from.clone());
                }
                None => return false,
            },
        }
    }
}

fn takes(token: &Token, c: char) -> bool {
    match token {
        Token::Char(own) => *own == c,
        Token::One => true,
        Token::Any => false,
        Token::Class { not, ranges } => ranges.iter().any(|(a, b)| (*a..=*b).contains(&c)) != *not,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What is told by the ends and the first place is what trying everything tells.
        #[test]
        fn names_of_ascii_are_told_as_all_others_are(
            pattern in r"[ab*?\[\]!\-]{0,10}",
            names in prop::collection::vec("[abc]{0,8}", 1..20),
        ) {
            let glob = Glob::new(&pattern);
            for name in names {
                prop_assert_eq!(
                    glob.matches_ascii(name.as_bytes()),
                    slowly(&glob.tokens, &name),
                    "{} {}", pattern, name
                );
                prop_assert!(!glob.matches(&name) || name.contains(&glob.literal()));
            }
        }
    }
}
