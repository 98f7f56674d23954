//! Names that are about what a person types: its letters in their order, with others between them, and a slip in a longer word.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use frizbee::{CaseMatching, Config, Matcher, Pattern, PatternConfig, SortStrategy};

use super::chunk::fold;
use super::column::has;

/// Longest text, in bytes as it is compared. The matcher panics past 10,000, and needs memory for every byte.
const TEXT_MAX: usize = 128;

/// Words in it, at most.
const WORDS_MAX: usize = 8;

/// What a name is worth that has the words as they were typed: more than any other is for its letters.
const LITERAL: u16 = 1 << 14;

/// What it is worth more for each word that begins the name, or is at the beginning of a word of it.
const AT_START: u16 = 3;
const AT_WORD: u16 = 2;

/// What a name is to be about: every word of it, whatever their order and case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fuzzy {
    words: Vec<String>,
}

/// Why a text cannot be looked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FuzzyError {
    #[error("there is nothing to look for")]
    Empty,
    #[error("the text to look for is too long: at most {WORDS_MAX} words and {TEXT_MAX} bytes")]
    TooLong,
}

impl Fuzzy {
    /// From what a person types; words are divided by blanks.
    ///
    /// # Errors
    /// There is no word in it, or it is too long.
    pub fn new(text: &OsStr) -> Result<Self, FuzzyError> {
        if text.len() > TEXT_MAX {
            return Err(FuzzyError::TooLong);
        }
        let mut folded = String::new();
        fold(text.as_bytes(), &mut folded);
        let words: Vec<String> = folded.split_whitespace().map(str::to_owned).collect();
        match words.len() {
            0 => Err(FuzzyError::Empty),
            1..=WORDS_MAX if folded.len() <= TEXT_MAX => Ok(Self { words }),
            _ => Err(FuzzyError::TooLong),
        }
    }

    /// For one thread.
    pub(super) fn scorer(&self) -> Scorer {
        let config = Config::default().casing(CaseMatching::Ignore).sort(SortStrategy::IndexAsc);
        let pattern = |word: &String| {
            let of = PatternConfig::default().max_typos(Some(slips(word)));
            Pattern::new(word, of)
        };
        let patterns: Vec<Pattern> = self.words.iter().map(pattern).collect();
        let matcher = Matcher::from_patterns(&patterns, &config);
        Scorer { matcher, words: self.words.clone() }
    }
}

/// Letters of a word that a name may lack: in a short one every letter counts.
fn slips(word: &str) -> u16 {
    match word.chars().count() {
        0..=4 => 0,
        5..=8 => 1,
        _ => 2,
    }
}

/// Says how well names answer.
#[derive(Debug)]
pub(super) struct Scorer {
    matcher: Matcher,
    words: Vec<String>,
}

impl Scorer {
    /// Those of some names that answer: by their place, ascending, with a number, which is less for the better one: of two that
    /// answer as well, for the shorter name. `names` are folded and each followed by `/`; `bits` says which of them are asked
    /// about. Those whose number would be above `greatest` may be left out, which spares most of the work: letters are only
    /// compared where the words as they were typed are found too seldom.
    pub(super) fn scores(
        &mut self,
        names: &str,
        bits: u64,
        greatest: Option<u64>,
    ) -> Vec<(usize, u64)> {
        let mut scores = Vec::new();
        let (mut others, mut places) = (Vec::new(), Vec::new());
        for (at, name) in names.split_terminator('/').enumerate().filter(|(at, _)| has(bits, *at)) {
            if let Some(score) = self.literal(name) {
                scores.push((at, of_score(score, name.len())));
            } else if greatest.is_none_or(|greatest| of_score(LITERAL - 1, name.len()) <= greatest)
            {
                others.push(name);
                places.push(at);
            }
        }
        if !others.is_empty() {
            let found = self.matcher.match_list(&others);
            let number = |m: frizbee::Match| {
                let at = m.index as usize;
                Some((*places.get(at)?, of_score(m.score.min(LITERAL - 1), others.get(at)?.len())))
            };
            scores.extend(found.into_iter().filter_map(number));
            scores.sort_unstable_by_key(|(at, _)| *at);
        }
        scores
    }

    /// What a name is worth that has every word as it was typed.
    fn literal(&self, name: &str) -> Option<u16> {
        self.words.iter().try_fold(LITERAL, |score, word| {
            let at = name.find(word.as_str())?;
            let before = name[..at].chars().next_back();
            let bonus = match before {
                None => AT_START,
                Some(before) if !before.is_alphanumeric() => AT_WORD,
                Some(_) => 0,
            };
            Some(score + bonus) // a few words at most
        })
    }
}

/// The better, the less; of two that are as good, the shorter name.
fn of_score(score: u16, len: usize) -> u64 {
    u64::from(u16::MAX - score) << 16 | (len as u64).min(0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, names: &[&str]) -> Vec<String> {
        let mut all = String::new();
        for name in names {
            fold(name.as_bytes(), &mut all);
            all.push('/');
        }
        let mut scores = Fuzzy::new(text.as_ref()).unwrap().scorer().scores(&all, u64::MAX, None);
        scores.sort_by_key(|(_, number)| *number);
        scores.into_iter().map(|(at, _)| names[at].to_owned()).collect()
    }

    #[test]
    fn letters_in_order_with_others_between_and_the_closest_first() {
        let names = ["Annual Report 2025.pdf", "raport.txt", "photo.jpg", "repo-art.png"];
        assert_eq!(found("report", &names)[0], "Annual Report 2025.pdf");
        assert!(!found("report", &names).contains(&"photo.jpg".to_owned()));
        assert_eq!(found("anrep25", &names), ["Annual Report 2025.pdf"]);
        assert_eq!(found("REPORT annual", &names), ["Annual Report 2025.pdf"]);
    }

    #[test]
    fn a_slip_in_a_long_word_is_forgiven_and_in_a_short_one_not() {
        let names = ["invoice 7.pdf", "cat.jpg"];
        for slip in ["invocie", "invoicce", "imvoice", "nvoice"] {
            assert_eq!(found(slip, &names), ["invoice 7.pdf"], "{slip}");
        }
        assert_eq!(found("cot", &names), Vec::<String>::new());
        assert_eq!(found("ct", &names), ["cat.jpg"]);
    }

    #[test]
    fn letters_beyond_ascii_and_bytes_that_are_none() {
        assert_eq!(found("ÜBER", &["drüber.txt", "uber.txt"])[0], "drüber.txt");
        let mut all = String::new();
        fold(b"a\xffb", &mut all);
        let scores = Fuzzy::new("ab".as_ref()).unwrap().scorer().scores(&(all + "/"), 1, None);
        assert_eq!(scores.len(), 1);
    }

    #[test]
    fn what_cannot_be_looked_for_is_refused() {
        let new = |text: &str| Fuzzy::new(text.as_ref()).map(drop);
        assert_eq!(new("  \t"), Err(FuzzyError::Empty));
        assert_eq!(new(&"x".repeat(TEXT_MAX + 1)), Err(FuzzyError::TooLong));
        assert_eq!(new(&"x ".repeat(WORDS_MAX + 1)), Err(FuzzyError::TooLong));
        // In lower case it is longer: İ becomes two characters.
        assert_eq!(new(&"İ".repeat(TEXT_MAX / 2)), Err(FuzzyError::TooLong));
        assert_eq!(new(&"x".repeat(TEXT_MAX)), Ok(()));
    }
}
