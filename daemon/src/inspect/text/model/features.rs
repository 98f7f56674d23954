//! What a text is made of, as numbers: words, signs, and how they stand beside each other.
//!
//! No dependencies and no allocation per word: the trainer (`tests/measure/text_model.rs`) compiles this very
//! file, so that the weights and the program mean the same numbers.

/// Features are told apart by this many bits of a hash.
const BITS: u32 = 15;
/// Number of features.
pub(crate) const FEATURES: usize = 1 << BITS;
/// Bytes of a text that are looked at.
const MAX_BYTES: usize = 4096;
/// Bytes of a word that count.
const MAX_WORD: usize = 16;

/// A piece of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Piece<'t> {
    bytes: &'t [u8],
    shape: u8,
    /// White space stands before it.
    apart: bool,
}

/// The features of the text and how much of each there is, in order; the whole has length 1.
pub(crate) fn features(text: &str) -> Vec<(u16, f32)> {
    let bytes = &text.as_bytes()[..text.len().min(MAX_BYTES)];
    let mut found: Vec<u16> = Vec::with_capacity(bytes.len());
    for line in bytes.split(|b| *b == b'\n') {
        of_line(line, &mut found);
    }
    // How much there is to go by.
    found.push(hash(7, &[bytes.len().max(1).ilog2() as u8]));
    found.sort_unstable();
    let mut counted: Vec<(u16, f32)> = Vec::with_capacity(found.len());
    for run in found.chunk_by(|a, b| a == b) {
        // The tenth of a kind says less than the first.
        counted.push((run[0], 1.0 + (run.len() as f32).ln()));
    }
    let length = counted.iter().map(|(_, n)| n * n).sum::<f32>().sqrt().max(1.0);
    for (_, n) in &mut counted {
        *n /= length;
    }
    counted
}

fn of_line(line: &[u8], found: &mut Vec<u16>) {
    let indent = line.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    let tabbed = u8::from(line.first() == Some(&b'\t'));
    let mut rest = line[indent..].trim_ascii_end();
    if rest.is_empty() {
        found.push(hash(0, b""));
        return;
    }
    let (mut words, mut signs, mut numbers) = (0u8, 0u8, 0u8);
    let mut before = Piece { bytes: b"", shape: b'^', apart: false };
    let mut earlier = b'^';
    while let Some((piece, after)) = next(rest) {
        rest = after;
        match piece.shape {
            b'0' => numbers = numbers.saturating_add(1),
            b'a'..=b'z' => words = words.saturating_add(1),
            _ => signs = signs.saturating_add(1),
        }
        found.push(hash(1, piece.bytes));
        let gap = u8::from(piece.apart);
        found.push(hash(3, &[before.shape, gap, piece.shape]));
        found.push(hash(4, &[earlier, before.shape, gap, piece.shape]));
        if before.shape == b'^' {
            found.push(hash(2, piece.bytes));
            found.push(hash(8, &[tabbed, indent.min(9) as u8, piece.shape]));
        } else {
            found.push(pair(before.bytes, piece.bytes));
        }
        earlier = before.shape;
        before = piece;
    }
    found.push(hash(5, &[earlier, before.shape]));
    found.push(hash(6, &[words.min(9), signs.min(6), numbers.min(3)]));
}

/// The next piece of a line, and what follows it.
fn next(line: &[u8]) -> Option<(Piece<'_>, &[u8])> {
    let gap = line.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    let line = &line[gap..];
    let first = *line.first()?;
    let (len, shape) = if is_letter(first) {
        let len = line.iter().take_while(|b| is_letter(**b) || b.is_ascii_digit()).count();
        (len, shape_of(&line[..len]))
    } else if first.is_ascii_digit() {
        (line.iter().take_while(|b| b.is_ascii_digit()).count(), b'0')
    } else {
        (1, first)
    };
    let bytes = if shape == b'0' { b"0".as_slice() } else { &line[..len.min(MAX_WORD)] };
    Some((Piece { bytes, shape, apart: gap > 0 }, &line[len..]))
}

/// Letters of any script.
fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

/// How a word is written: in another script or with accents, in capitals, in small letters, …
fn shape_of(word: &[u8]) -> u8 {
    let upper = word.iter().filter(|b| b.is_ascii_uppercase()).count();
    if word.iter().any(|b| *b >= 0x80) {
        b'x'
    } else if word.contains(&b'_') {
        b's'
    } else if word.iter().any(u8::is_ascii_digit) {
        b'd'
    } else if upper == 0 {
        if word.len() == 1 { b'i' } else { b'w' }
    } else if upper == word.len() {
        b'u'
    } else if upper == 1 && word[0].is_ascii_uppercase() {
        b't'
    } else {
        b'c'
    }
}

/// FNV-1a, folded.
fn hash(sort: u8, bytes: &[u8]) -> u16 {
    fold(bytes.iter().fold(step(0x811c_9dc5, sort), |h, b| step(h, *b)))
}

fn pair(first: &[u8], second: &[u8]) -> u16 {
    let begun = first.iter().fold(step(0x811c_9dc5, 9), |h, b| step(h, *b));
    fold(second.iter().fold(step(begun, 0), |h, b| step(h, *b)))
}

fn step(hash: u32, byte: u8) -> u32 {
    (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
}

fn fold(hash: u32) -> u16 {
    ((hash ^ (hash >> BITS)) & (FEATURES as u32 - 1)) as u16
}
