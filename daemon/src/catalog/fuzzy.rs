//! Names that are about what a person types: its letters in their order, with others between them, and a slip in a longer word.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use frizbee::{CaseMatching, Config, Matcher, Pattern, PatternConfig, SortStrategy};
use memchr::memmem::Finder;

use super::chunk::{Chunk, each_name, fold};
use super::column::{bits, has};
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
        let config = Config::default().casing(CaseMatching::Ignore).sort(SortStrategy::IndexAsc);
        let pattern = |word: &String| {
            let of = PatternConfig::default().max_typos(Some(slips(word)));
            Pattern::new(word, of)
        };
        let patterns: Vec<Pattern> = self.words.iter().map(pattern).collect();
        let matcher = Matcher::from_patterns(&patterns, &config);
        Scorer { matcher, words: self.words.iter().map(|word| Word::new(word)).collect() }
    }
}

/// Which names are compared letter by letter, of those that have the letters for it: where very many do, the shortest, and
/// of those of one length the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Compared {
    /// In bytes.
    pub(super) shorter_than: usize,
    /// So many of that length itself.
    pub(super) of_that_length: usize,
}

impl Compared {
    pub(super) const ALL: Self = Self { shorter_than: usize::MAX, of_that_length: 0 };

    /// Whether the next name, of that length, is one of them.
    fn takes(&mut self, len: usize) -> bool {
        if len == self.shorter_than && self.of_that_length > 0 {
            self.of_that_length -= 1;
            return true;
        }
        len < self.shorter_than
    }

    /// Whether a name of that length or more may be one of them.
    fn takes_from(self, len: usize) -> bool {
        len < self.shorter_than || (len == self.shorter_than && self.of_that_length > 0)
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

/// Lengths of names, in bytes, that are told apart.
const LENGTHS: usize = 256;

/// How many names of each length may be about what is looked for, beside those that have the words as they were typed.
#[derive(Debug, Clone)]
pub(super) struct Lengths(Box<[usize; LENGTHS]>);

impl Default for Lengths {
    fn default() -> Self {
        Self(Box::new([0; LENGTHS]))
    }
}

impl Lengths {
    fn add(&mut self, len: usize) {
        self.0[len.min(LENGTHS - 1)] += 1;
    }

    pub(super) fn sum(&self) -> usize {
        self.0.iter().sum()
    }
}

/// The shortest `most` of the names counted in each part, as what each part has to compare; and whether those are all.
pub(super) fn divided(counts: &[Lengths], most: usize) -> (Vec<Compared>, bool) {
    let mut left = most;
    for len in 0..LENGTHS {
        let of_len: usize = counts.iter().map(|counts| counts.0[len]).sum();
        if of_len > left {
            let share = |counts: &Lengths| {
                let own = counts.0[len].min(left);
                left -= own;
                Compared { shorter_than: len, of_that_length: own }
            };
            return (counts.iter().map(share).collect(), false);
        }
        left -= of_len;
    }
    (vec![Compared::ALL; counts.len()], true)
}

/// What becomes of names that have the letters for it, but not the words as they were typed.
#[derive(Debug, Clone)]
pub(super) enum Letters {
    Compare(Compared),
    /// Compared alone: those that have the words as they were typed are known already.
    Only(Compared),
    Count(Lengths),
}

impl Letters {
    /// Whether the next name, of that length, is to be compared.
    fn take(&mut self, len: usize) -> bool {
        match self {
            Self::Compare(compared) | Self::Only(compared) => compared.takes(len),
            Self::Count(lengths) => {
                lengths.add(len);
                false
            }
        }
    }
}

/// A word of what is looked for.
#[derive(Debug)]
struct Word {
    finder: Finder<'static>,
    letters: u64,
    slips: u32,
}

impl Word {
    fn new(word: &str) -> Self {
        let finder = Finder::new(word).into_owned();
        Self { finder, letters: letters(word), slips: slips(word).into() }
    }
}

/// Says how well names answer.
#[derive(Debug)]
pub(super) struct Scorer {
    matcher: Matcher,
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
        if let Letters::Only(compared) = letters
            && !compared.takes_from(page.shortest.into())
        {
            return Vec::new();
        }
        let literal = asked & self.literal(&page.names);
        let are_known = matches!(letters, Letters::Only(_));
        let too_late = greatest.is_some_and(|most| of_score(LITERAL - 1, 0) > most);
        let like = if too_late { 0 } else { asked & self.like(page) };
        if literal | like == 0 {
            return Vec::new();
        }
        let mut scores = Vec::new();
        let (mut others, mut places) = (Vec::new(), Vec::new());
        for (at, name) in each_name(&page.names).enumerate() {
            if has(literal, at) {
                if !are_known && greatest.is_none_or(|most| self.least(name.len()) <= most) {
                    scores.push((at, of_score(self.as_typed(name), name.len())));
                }
            } else if has(like, at)
                && letters.take(name.len())
                && greatest.is_none_or(|most| of_score(LITERAL - 1, name.len()) <= most)
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
        let is_like = |has: u64| {
            self.words.iter().all(|word| (word.letters & !has).count_ones() <= word.slips)
        };
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

    fn scores(text: &str, names: &[&[u8]], compared: &mut Compared) -> Vec<(usize, u64)> {
        let mut scorer = Fuzzy::new(text.as_ref()).unwrap().scorer();
        let mut letters = Letters::Compare(*compared);
        let scores = scorer.scores(&page(names), u64::MAX, None, &mut letters);
        if let Letters::Compare(left) = letters {
            *compared = left;
        }
        scores
    }

    fn found(text: &str, names: &[&str]) -> Vec<String> {
        let bytes: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
        let mut scores = scores(text, &bytes, &mut Compared::ALL.clone());
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
        assert_eq!(scores("ab", &[b"a\xffb"], &mut Compared::ALL.clone()).len(), 1);
        // In Cyrillic, with one letter that is another one.
        assert_eq!(found("отчёт", &["годовой отчет.pdf", "фото.jpg"]), ["годовой отчет.pdf"]);
        // Nothing between two names.
        assert_eq!(found("b/c", &["ab", "cd"]), Vec::<String>::new());
    }

    #[test]
    fn where_too_many_are_like_it_the_shortest_are_compared() {
        let names: [&[u8]; 5] =
            [b"invoice 10", b"imvoice 22", b"imvoice 3", b"imvoice 44", b"imvoice 555"];
        let of = |shorter_than, of_that_length| {
            let mut compared = Compared { shorter_than, of_that_length };
            let scores = scores("invoice", &names, &mut compared);
            (scores.into_iter().map(|(at, _)| at).collect::<Vec<_>>(), compared.of_that_length)
        };
        // What has the word as it was typed is there in any case.
        assert_eq!(of(0, 0), (vec![0], 0));
        assert_eq!(of(10, 0), (vec![0, 2], 0));
        assert_eq!(of(10, 1), (vec![0, 1, 2], 0));
        assert_eq!(of(10, 9), (vec![0, 1, 2, 3], 7));
        assert_eq!(of(usize::MAX, 0), (vec![0, 1, 2, 3, 4], 0));

        let mut letters = Letters::Count(Lengths::default());
        let mut scorer = Fuzzy::new("invoice".as_ref()).unwrap().scorer();
        let counted = scorer.scores(&page(&names), u64::MAX, None, &mut letters).len();
        let Letters::Count(lengths) = letters else { panic!("{letters:?}") };
        assert_eq!((counted, lengths.sum()), (1, 4), "nothing is compared");
        let parts = [lengths.clone(), lengths];
        let shares = |most| {
            let (shares, all) = divided(&parts, most);
            let one = |c: Compared| (c.shorter_than, c.of_that_length);
            (shares.into_iter().map(one).collect::<Vec<_>>(), all)
        };
        assert_eq!(shares(8), (vec![(usize::MAX, 0), (usize::MAX, 0)], true));
        assert_eq!(shares(7), (vec![(11, 1), (11, 0)], false));
        assert_eq!(shares(5), (vec![(10, 2), (10, 1)], false));
        assert_eq!(shares(1), (vec![(9, 1), (9, 0)], false));
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
