//! Signatures from public databases, asked where our own and those of `file-format` say nothing.
//!
//! `signatures.tsv` holds them, and `tests/measure/signatures.py` writes it from the signatures of file(1) and
//! PRONOM (`docs/kinds.md`): media type, tests that must all hold, and who has it. Only what begins in the head is there, so
//! that nothing more is read. Of several that hold, the one that says most wins; where two say as much and mean
//! different categories, none does.

use std::sync::LazyLock;

use super::table::{self, Type};

static TABLE: &str = include_str!("signatures.tsv");

/// Bytes at a place, or anywhere between two places.
struct Test {
    first: usize,
    last: usize,
    bytes: Vec<u8>,
    /// Which bits count; all of them, where it is empty.
    mask: Vec<u8>,
}

struct Listed {
    ty: &'static Type,
    tests: Vec<Test>,
    /// Bytes that count.
    weight: usize,
}

#[derive(Default)]
struct Index {
    listed: Vec<Listed>,
    /// Those with a byte that must stand at an offset: both, and the place in `listed`. Sorted.
    anchored: Vec<(usize, u8, usize)>,
    /// The offsets in `anchored`.
    offsets: Vec<usize>,
    /// Those with none.
    floating: Vec<usize>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index =
        Index { listed: TABLE.lines().filter_map(listed).collect(), ..Index::default() };
    for (at, listed) in index.listed.iter().enumerate() {
        match listed.anchor() {
            Some((offset, byte)) => index.anchored.push((offset, byte, at)),
            None => index.floating.push(at),
        }
    }
    index.anchored.sort_unstable();
    index.offsets = index.anchored.iter().map(|(offset, ..)| *offset).collect();
    index.offsets.dedup();
    index
});

/// The type whose signature stands in the head, and how many bytes say so.
pub(super) fn look(head: &[u8]) -> Option<(&'static Type, usize)> {
    let index = &*INDEX;
    let anchored = index.offsets.iter().flat_map(|offset| {
        let key = head.get(*offset).map(|byte| (*offset, *byte));
        let from = index.anchored.partition_point(|(o, b, _)| Some((*o, *b)) < key);
        let all = index.anchored[from..].iter();
        all.take_while(move |(o, b, _)| Some((*o, *b)) == key).map(|(.., at)| at)
    });
    let mut best: Option<&Listed> = None;
    let mut disputed = false;
    for at in anchored.chain(&index.floating) {
        let listed = &index.listed[*at];
        let weight = best.map_or(0, |b| b.weight);
        if listed.weight < weight || !listed.tests.iter().all(|test| test.holds(head)) {
            continue;
        }
        let rival = best.filter(|b| b.weight == listed.weight);
        disputed = rival.is_some_and(|b| disputed || b.ty.category != listed.ty.category);
        best = Some(listed);
    }
    best.filter(|_| !disputed).map(|listed| (listed.ty, listed.weight))
}

impl Listed {
    /// A byte that must be there whole, and where; rather one that is rare.
    fn anchor(&self) -> Option<(usize, u8)> {
        let placed = self.tests.iter().filter(|t| t.first == t.last);
        let mut whole = placed.flat_map(|test| {
            let counts = |at: &usize| test.mask.get(*at).is_none_or(|bits| *bits == 0xff);
            (0..test.bytes.len()).filter(counts).map(|at| (test.first + at, test.bytes[at]))
        });
        let first = whole.next()?;
        let rare = |byte: u8| !matches!(byte, 0 | b' ' | 0xff);
        Some(if rare(first.1) {
            first
        } else {
            whole.find(|(_, byte)| rare(*byte)).unwrap_or(first)
        })
    }
}

impl Test {
    fn holds(&self, head: &[u8]) -> bool {
        let end = self.last.saturating_add(self.bytes.len()).min(head.len());
        let Some(range) = head.get(self.first..end) else { return false };
        range.windows(self.bytes.len()).any(|window| self.is(window))
    }

    fn is(&self, window: &[u8]) -> bool {
        if self.mask.is_empty() {
            return window == self.bytes;
        }
        let masked = window.iter().zip(&self.mask).map(|(byte, bits)| byte & bits);
        masked.eq(self.bytes.iter().copied())
    }
}

/// A line of the table; a test holds that all can be read.
fn listed(line: &str) -> Option<Listed> {
    let mut columns = line.split('\t');
    let ty = table::by_media(columns.next()?)?;
    let tests: Vec<Test> = columns.next()?.split(' ').map(test).collect::<Option<_>>()?;
    let counted = |t: &Test| t.bytes.len() - t.mask.iter().filter(|bits| **bits == 0).count();
    let weight = tests.iter().map(counted).sum();
    Some(Listed { ty, tests, weight })
}

fn test(text: &str) -> Option<Test> {
    let (place, what) = text.split_once(':')?;
    let (first, last) = place.split_once('-').unwrap_or((place, place));
    let (bytes, mask) = what.split_once('/').unwrap_or((what, ""));
    let (bytes, mask) = (hex(bytes)?, hex(mask)?);
    let fits = !bytes.is_empty() && (mask.is_empty() || mask.len() == bytes.len());
    let test = Test { first: first.parse().ok()?, last: last.parse().ok()?, bytes, mask };
    (fits && test.first <= test.last).then_some(test)
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |d: u8| char::from(d).to_digit(16).and_then(|n| u8::try_from(n).ok());
    let pair = |p: &[u8]| Some((digit(*p.first()?)? << 4) | digit(*p.get(1)?)?);
    text.as_bytes().chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::super::bytes::HEAD;
    use super::*;

    #[test]
    fn every_line_can_be_read() {
        let lines: Vec<&str> = TABLE.lines().collect();
        assert!(lines.is_sorted(), "it is not what the script writes");
        for line in &lines {
            let listed = listed(line).unwrap_or_else(|| panic!("{line}"));
            assert!(listed.weight >= 4, "{line}: too short to be believed");
            for test in &listed.tests {
                assert!(test.first + test.bytes.len() <= HEAD, "{line}: beyond what is read");
                let kept = test.is(&test.bytes);
                assert!(kept, "{line}: the mask leaves nothing that could match");
            }
            let sources = line.split('\t').nth(2).unwrap_or("");
            assert!(sources.split(' ').all(|s| ["file", "pronom"].contains(&s)), "{line}");
        }
        assert_eq!(INDEX.listed.len(), lines.len());
    }

    /// Each signature finds itself in a head that has its bytes and nothing else, or gives way to one that says more.
    #[test]
    fn every_signature_is_found() {
        for wanted in &INDEX.listed {
            let mut head = vec![0x55; HEAD];
            for test in &wanted.tests {
                head[test.first..test.first + test.bytes.len()].copy_from_slice(&test.bytes);
            }
            // Two tests may want different bytes in one place, of which the ranges of one leave another choice.
            if !wanted.tests.iter().all(|t| t.holds(&head)) {
                continue;
            }
            match look(&head) {
                Some((ty, weight)) => assert!(ty == wanted.ty || weight >= wanted.weight),
                None => assert!(disputed(&head, wanted), "{} is not found", wanted.ty.media),
            }
        }
    }

    fn disputed(head: &[u8], wanted: &Listed) -> bool {
        let holds =
            |l: &&Listed| l.weight >= wanted.weight && l.tests.iter().all(|t| t.holds(head));
        INDEX.listed.iter().filter(holds).any(|l| l.ty.category != wanted.ty.category)
    }

    #[test]
    fn what_says_nothing_is_not_named() {
        assert!(look(&[]).is_none());
        assert!(look(&[0; HEAD]).is_none());
        assert!(look(&[0xff; HEAD]).is_none());
        let counting: Vec<u8> = (0..=255).collect();
        assert!(look(&counting).is_none());
    }

    #[test]
    fn tests_are_read_as_they_are_written() {
        let placed = test("4:4142").unwrap();
        assert!(placed.holds(b"xxxxABxx") && !placed.holds(b"xxxABxxx") && !placed.holds(b"xxxxA"));
        let ranged = test("1-3:4142").unwrap();
        assert!(ranged.holds(b"xxxAB") && !ranged.holds(b"ABxxx") && !ranged.holds(b"xxxxABx"));
        let masked = test("0:4140/dff0").unwrap();
        assert!(masked.holds(b"aO") && !masked.holds(b"bO") && !masked.holds(b"aP"));
        for bad in ["", "0", "x:41", "2-1:41", "0:4", "0:", "0:41/4141", "0:zz"] {
            assert!(test(bad).is_none(), "{bad}");
        }
    }
}
