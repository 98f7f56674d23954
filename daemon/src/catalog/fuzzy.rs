//! Names that are about what a person types: its letters in their order, with others between them, and a slip in a longer word.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use frizbee::{CaseMatching, Config, Matcher, Pattern, PatternConfig, SortStrategy};
use memchr::memmem::Finder;

use super::chunk::{Chunk, each_name, fold};
use super::column::{bits, has};
use super::compared::Letters;
use super::letters::letters;
use super::pattern::hits;

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
        Scorer { words: self.words.iter().map(|word| Word::new(word)).collect() }
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

/// A word of what is looked for.
#[derive(Debug)]
struct Word {
    finder: Finder<'static>,
    letters: u64,
    /// Those of them that are in it more often than letters may be missing.
    needed: u64,
    slips: u32,
    matcher: Matcher,
}

impl Word {
    fn new(word: &str) -> Self {
        let config = Config::default().casing(CaseMatching::Ignore).sort(SortStrategy::IndexAsc);
        let slips = slips(word);
        let pattern = Pattern::new(word, PatternConfig::default().max_typos(Some(slips)));
        let each = || word.chars().map(|c| letters(c.encode_utf8(&mut [0; 4])));
        let times = |letter| each().filter(|one| *one == letter).count();
        let needed = each().filter(|letter| times(*letter) > usize::from(slips));
        Self {
            finder: Finder::new(word).into_owned(),
            letters: letters(word),
            needed: needed.fold(0, |all, one| all | one),
            slips: slips.into(),
            matcher: Matcher::from_patterns(&[pattern], &config),
        }
    }

    /// Whether a name has enough of its letters, whatever their order.
    fn may_be_in(&self, letters: u64) -> bool {
        let lacks = self.letters & !letters;
        lacks & self.needed == 0 && lacks.count_ones() <= self.slips
    }
}

/// What a name is worth for its letters; `None`: one of the words is not in it. That one is tried first on the next name, since mostly
/// one is rare.
fn by_letters(words: &mut [Word], name: &str) -> Option<u16> {
    let mut sum: u16 = 0;
    for at in 0..words.len() {
        let Some(found) = words[at].matcher.match_one(name, 0) else {
            words.swap(0, at);
            return None;
        };
        sum = sum.saturating_add(found.score);
    }
    Some(sum.min(LITERAL - 1))
}

/// Says how well names answer.
#[derive(Debug)]
pub(super) struct Scorer {
    words: Vec<Word>,
}

impl Scorer {
    /// Those of some names that answer: by their place, ascending, with a number, which is less for the better one: of two that
    /// answer as well, for the shorter name. `asked` says which entries of the page are asked about. Those whose number would be
    /// above `greatest` may be left out, which spares most of the work: letters are only compared where the words as they were
    /// typed are found too seldom.
    pub(super) fn scores(
        &mut self,
        page: &Chunk,
        asked: u64,
        greatest: Option<u64>,
        letters: &mut Letters,
    ) -> Vec<(usize, u64)> {
        if letters.is_done_with(page.shortest.into()) {
            return Vec::new();
        }
        let literal = asked & self.literal(&page.names);
        let are_known = letters.knows_others();
        let too_late = greatest.is_some_and(|most| of_score(LITERAL - 1, 0) > most);
        let like = if too_late { 0 } else { asked & self.like(page) };
        if literal | like == 0 {
            return Vec::new();
        }
        let mut scores = Vec::new();
        for (at, name) in each_name(&page.names).enumerate() {
            if has(literal, at) {
                if !are_known && greatest.is_none_or(|most| self.least(name.len()) <= most) {
                    scores.push((at, of_score(self.as_typed(name), name.len())));
                }
            } else if has(like, at)
                && greatest.is_none_or(|most| of_score(LITERAL - 1, name.len()) <= most)
                && let Some(score) = letters.take(name.len(), || by_letters(&mut self.words, name))
            {
                scores.push((at, of_score(score, name.len())));
            }
        }
        scores
    }

    /// Those of the names that have every word as it was typed.
    fn literal(&self, names: &str) -> u64 {
        // Of several words one is rare, mostly: nothing is counted where it is not.
        if self.words.iter().any(|word| word.finder.find(names.as_bytes()).is_none()) {
            return 0;
        }
        let mut found = u64::MAX;
        for word in &self.words {
            // No name has a `/`.
            let none = found == 0 || word.finder.needle().contains(&b'/');
            found = if none { 0 } else { found & hits(&word.finder, names) };
        }
        found
    }

    /// Those of the names that may be like the words: they have the letters for it.
    fn like(&self, page: &Chunk) -> u64 {
        let is_like = |has: u64| self.words.iter().all(|word| word.may_be_in(has));
        bits(page.letters.iter().map(|letters| is_like(*letters)))
    }

    /// The least number that a name of that length, or a longer one, can have.
    pub(super) fn least(&self, len: usize) -> u64 {
        let most = LITERAL + AT_START * self.words.len() as u16; // a few words at most
        of_score(most, len)
    }

    /// What a name is worth that has every word as it was typed.
    fn as_typed(&self, name: &str) -> u16 {
        self.words.iter().fold(LITERAL, |score, word| {
            let at = word.finder.find(name.as_bytes()).unwrap_or_default();
            let before = name.get(..at).and_then(|before| before.chars().next_back());
            let bonus = match before {
                None => AT_START,
                Some(before) if !before.is_alphanumeric() => AT_WORD,
                Some(_) => 0,
            };
            score + bonus // a few words at most
        })
    }
}

/// Whether a number is that of a name that has the words as they were typed.
pub(super) fn is_literal(number: u64) -> bool {
    number <= of_score(LITERAL, usize::MAX)
}

/// The better, the less; of two that are as good, the shorter name.
fn of_score(score: u16, len: usize) -> u64 {
    u64::from(u16::MAX - score) << 16 | (len as u64).min(0xffff)
}

#[cfg(test)]
mod tests {
    use tidy_core::UnixNanos;
    use tidy_core::facts::Identity;

    use super::*;
    use crate::catalog::codec::{Stored, StoredOutcome};
    use crate::catalog::compared::{Compared, Counted, divided};

    fn page(names: &[&[u8]]) -> Chunk {
        let entry = |name: &&[u8]| Stored {
            name: (*name).into(),
            id: Identity { ino: 1, size: 1, mtime: UnixNanos(0), birth: None },
            category: 0,
            outcome: StoredOutcome::Known,
            revisit: None,
            head: None,
            digest: None,
        };
        Chunk::new(0, Box::default(), &names.iter().map(entry).collect::<Vec<_>>())
    }

    fn scores(text: &str, names: &[&[u8]], compared: Compared) -> Vec<(usize, u64)> {
        let mut scorer = Fuzzy::new(text.as_ref()).unwrap().scorer();
        scorer.scores(&page(names), u64::MAX, None, &mut Letters::Compare(compared))
    }

    fn found(text: &str, names: &[&str]) -> Vec<String> {
        let bytes: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
        let mut scores = scores(text, &bytes, Compared::ALL);
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
    fn what_lacks_a_letter_that_is_in_the_word_twice_is_not_compared() {
        let names = ["10010.jpg", "1.jpg", "0.jpg", "banana.txt", "nnnn.txt"];
        assert_eq!(found("100100", &names), ["10010.jpg"]);
        assert_eq!(found("banena", &names), ["banana.txt"]);
        let word = Word::new("banana");
        assert!(word.may_be_in(letters("anb")) && word.may_be_in(letters("an")));
        assert!(!word.may_be_in(letters("ab")) && !word.may_be_in(letters("bn")));
    }

    #[test]
    fn letters_beyond_ascii_and_bytes_that_are_none() {
        assert_eq!(found("ÜBER", &["drüber.txt", "uber.txt"])[0], "drüber.txt");
        assert_eq!(scores("ab", &[b"a\xffb"], Compared::ALL).len(), 1);
        // In Cyrillic, with one letter that is another one.
        assert_eq!(found("отчёт", &["годовой отчет.pdf", "фото.jpg"]), ["годовой отчет.pdf"]);
        // Nothing between two names.
        assert_eq!(found("b/c", &["ab", "cd"]), Vec::<String>::new());
    }

    #[test]
    fn where_most_names_answer_they_are_only_counted() {
        let names: Vec<String> = (0..64).map(|n| format!("imvoice {n:02}")).collect();
        let names: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
        let mut letters = Letters::count();
        let mut scorer = Fuzzy::new("invoice".as_ref()).unwrap().scorer();
        let mut found = || scorer.scores(&page(&names), u64::MAX, None, &mut letters).len();
        assert_eq!((found(), found(), found()), (64, 0, 0));
        let counted = letters.counted();
        assert_eq!((counted.lengths.sum(), counted.is_given_up()), (192, true));
    }

    #[test]
    fn where_too_many_are_like_it_the_shortest_are_compared() {
        let names: [&[u8]; 5] =
            [b"invoice 10", b"imvoice 22", b"imvoice 3", b"imvoice 44", b"imvoice 555"];
        let of = |shorter_than, of_that_length| {
            let scores = scores("invoice", &names, Compared { shorter_than, of_that_length });
            scores.into_iter().map(|(at, _)| at).collect::<Vec<_>>()
        };
        // What has the word as it was typed is there in any case.
        assert_eq!(of(0, 0), [0]);
        assert_eq!(of(10, 0), [0, 2]);
        assert_eq!(of(10, 1), [0, 1, 2]);
        assert_eq!(of(10, 9), [0, 1, 2, 3]);
        assert_eq!(of(usize::MAX, 0), [0, 1, 2, 3, 4]);

        let mut letters = Letters::count();
        let mut scorer = Fuzzy::new("invoice".as_ref()).unwrap().scorer();
        let counted = scorer.scores(&page(&names), u64::MAX, None, &mut letters).len();
        let of_one = letters.counted();
        assert_eq!((counted, of_one.lengths.sum(), of_one.is_given_up()), (5, 4, false));
        let parts = [of_one.clone(), Counted::default(), of_one];
        let shares = |most| {
            let (shares, all) = divided(&parts, most);
            let one = |c: Compared| (c.shorter_than, c.of_that_length);
            (shares.into_iter().map(|share| share.map(one)).collect::<Vec<_>>(), all)
        };
        let each = |one, other| vec![Some(one), None, Some(other)];
        assert_eq!(shares(8), (each((usize::MAX, 0), (usize::MAX, 0)), true));
        assert_eq!(shares(7), (each((11, 1), (11, 0)), false));
        assert_eq!(shares(5), (each((10, 2), (10, 1)), false));
        assert_eq!(shares(1), (vec![Some((9, 1)), None, None], false));
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
