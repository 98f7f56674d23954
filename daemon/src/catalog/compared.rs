//! Which names a fuzzy search compares letter by letter, where very many may be meant: the shortest.

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

/// Lengths of names, in bytes, that are told apart.
const LENGTHS: usize = 256;

/// How many names of each length may be about what is looked for, beside those that have the words as they were typed.
#[derive(Debug, Clone, Default)]
pub(super) struct Lengths(Option<Box<[u32; LENGTHS]>>);

impl Lengths {
    fn add(&mut self, len: usize) {
        self.0.get_or_insert_with(|| Box::new([0; LENGTHS]))[len.min(LENGTHS - 1)] += 1;
    }

    fn of(&self, len: usize) -> usize {
        self.0.as_ref().map_or(0, |counts| counts[len] as usize)
    }

    pub(super) fn sum(&self) -> usize {
        (0..LENGTHS).map(|len| self.of(len)).sum()
    }

    /// The least that there is one of.
    fn shortest(&self) -> Option<usize> {
        self.0.as_ref()?.iter().position(|count| *count > 0)
    }
}

/// The shortest `most` of the names counted in each part, as what each part has to compare, if anything; and whether those are all.
pub(super) fn divided(counts: &[Counted], most: usize) -> (Vec<Option<Compared>>, bool) {
    let mut left = most;
    for len in 0..LENGTHS {
        let of_len: usize = counts.iter().map(|counts| counts.lengths.of(len)).sum();
        if of_len > left {
            let share = |Counted { lengths, .. }: &Counted| {
                let own = lengths.of(len).min(left);
                left -= own;
                let is_any = own > 0 || lengths.shortest().is_some_and(|shortest| shortest < len);
                is_any.then_some(Compared { shorter_than: len, of_that_length: own })
            };
            return (counts.iter().map(share).collect(), false);
        }
        left -= of_len;
    }
    let all = |counts: &Counted| counts.lengths.shortest().map(|_| Compared::ALL);
    (counts.iter().map(all).collect(), true)
}

/// What becomes of names of one part that have the letters for it, but not the words as they were typed.
#[derive(Debug, Clone)]
pub(super) enum Letters {
    Compare(Compared),
    /// Compared alone: those that have the words as they were typed are known already.
    Only(Compared),
    /// Counted; and given scores as long as that is fast. So a second look is of use only where it was not.
    Count(Counted),
}

impl Letters {
    pub(super) fn count() -> Self {
        Self::Count(Counted::default())
    }

    pub(super) fn counted(self) -> Counted {
        match self {
            Self::Count(counted) => counted,
            Self::Compare(_) | Self::Only(_) => Counted::default(),
        }
    }

    /// The score of the next name, which has that length, and the letters for it, if it is to be compared and answers.
    pub(super) fn take(&mut self, len: usize, score: impl FnOnce() -> Option<u16>) -> Option<u16> {
        match self {
            Self::Compare(compared) | Self::Only(compared) => {
                let score = compared.takes_from(len).then(score)??;
                compared.takes(len).then_some(score)
            }
            Self::Count(counted) => counted.take(len, score),
        }
    }

    /// Whether those that have the words as they were typed are known.
    pub(super) fn knows_others(&self) -> bool {
        matches!(self, Self::Only(_))
    }

    /// Whether no name of that length or more is to be looked at.
    pub(super) fn is_done_with(&self, len: usize) -> bool {
        matches!(self, Self::Only(compared) if !compared.takes_from(len))
    }
}

/// Names that were counted in one part. Each is given its score as long as that rules most out, which is fast; then few are
/// counted that are not meant.
#[derive(Debug, Clone, Default)]
pub(super) struct Counted {
    pub(super) lengths: Lengths,
    tried: u32,
    passed: u32,
}

/// So many names of a part are tried before it is given up.
const TRIED: u32 = 64;
/// It is where more than one in so many answers.
const ONE_IN: u32 = 4;

impl Counted {
    fn take(&mut self, len: usize, score: impl FnOnce() -> Option<u16>) -> Option<u16> {
        if self.is_given_up() {
            self.lengths.add(len);
            return None;
        }
        let score = score();
        self.tried += 1;
        if score.is_some() {
            self.passed += 1;
            self.lengths.add(len);
        }
        score
    }

    /// Whether some were not given their scores.
    pub(super) fn is_given_up(&self) -> bool {
        self.tried >= TRIED && self.passed * ONE_IN > self.tried
    }
}
