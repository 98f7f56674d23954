//! What a person types to find a file by its name.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::chunk::fold;

/// A search for names, whatever their case. With `*`, `?` or `[` it is a glob for the whole name (`*`: any
/// characters, `?`: one, `[a-z]` and `[!a-z]`: one of, or none of; `\` takes the next one as it is), else a
/// part of the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern {
    kind: Kind,
    /// Text that every match contains: rules most pages out at once.
    literal: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Part,
    Glob(Vec<Token>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Char(char),
    One,
    Any,
    Class { not: bool, ranges: Vec<(char, char)> },
}

impl NamePattern {
    /// A glob or a part of the name, by what is in it.
    pub fn new(pattern: &OsStr) -> Self {
        let mut text = String::new();
        fold(pattern.as_bytes(), &mut text);
        if !text.contains(['*', '?', '[']) {
            return Self { kind: Kind::Part, literal: text };
        }
        let tokens = tokens(&text);
        let literal = longest_literal(&tokens);
        Self { kind: Kind::Glob(tokens), literal }
    }

    /// Whether a name answers.
    pub fn matches(&self, name: &OsStr) -> bool {
        let mut text = String::new();
        fold(name.as_bytes(), &mut text);
        self.matches_folded(&text)
    }

    /// Whether one of the names, folded and each followed by `/`, answers.
    pub(super) fn matches_any(&self, names: &str) -> bool {
        if !names.contains(&self.literal) {
            return false;
        }
        match &self.kind {
            Kind::Part => !self.literal.contains('/'),
            Kind::Glob(_) => names.split_terminator('/').any(|name| self.matches_folded(name)),
        }
    }

    fn matches_folded(&self, name: &str) -> bool {
        match &self.kind {
            Kind::Part => name.contains(&self.literal),
            Kind::Glob(tokens) => name.contains(&self.literal) && glob(tokens, name),
        }
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

fn longest_literal(tokens: &[Token]) -> String {
    let run = |run: &[Token]| {
        run.iter().filter_map(|t| if let Token::Char(c) = t { Some(*c) } else { None }).collect()
    };
    tokens
        .split(|t| !matches!(t, Token::Char(_)))
        .map(run)
        .max_by_key(String::len)
        .unwrap_or_default()
}

/// Greedy with one point of return, the last `*`: at most pattern times name steps.
fn glob(tokens: &[Token], name: &str) -> bool {
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
    use super::*;

    #[test]
    fn patterns_and_names() {
        let table: &[(&str, &str, bool)] = &[
            ("invoice", "My INVOICE 7.pdf", true),
            ("ÜBER", "drüber.txt", true),
            ("a/b", "a", false),
            ("*.jpg", "IMG.JPG", true),
            ("*.jpg", "IMG.JPG.txt", false),
            ("*a*b*c", "xxaxxbxxbxxc", true),
            ("*a*b*c", "xxaxxcxxb", false),
            ("?.txt", "ü.txt", true),
            ("?.txt", "ab.txt", false),
            ("img_[0-3]?.*", "IMG_29.png", true),
            ("img_[!0-3]?.*", "IMG_29.png", false),
            ("[]a]", "]", true),
            ("[abc", "[abc", true),
            (r"\*x*", "*xy", true),
            (r"\*x*", "axy", false),
            ("*", "anything", true),
            ("**", "", true),
        ];
        for (pattern, name, expected) in table {
            let pattern = NamePattern::new(pattern.as_ref());
            assert_eq!(pattern.matches(name.as_ref()), *expected, "{pattern:?} {name}");
            let mut folded = String::from("zz/");
            fold(name.as_bytes(), &mut folded);
            folded.push('/');
            let with_zz = *expected || pattern.matches("zz".as_ref());
            assert_eq!(pattern.matches_any(&folded), with_zz, "{pattern:?} {name} among others");
        }
        assert!(NamePattern::new(OsStr::from_bytes(b"a?c")).matches(OsStr::from_bytes(b"a\xffc")));
    }
}
