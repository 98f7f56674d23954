//! Which of a program's source, data and prose a text is, where no word or sign settles it.
//!
//! A linear model over [`features`]: one weight for each feature and category, learnt from files whose names
//! say what they are (`docs/kinds.md` says which, and how). It answers only when it is sure; what it cannot
//! tell is left where it is.

mod features;

use features::{FEATURES, features};

/// The categories it tells apart, in the order of the weights.
const CATEGORIES: [&str; 3] = ["code", "data", "document"];

/// One byte for each feature and category, in units of [`UNIT`]. `tests/measure/text_model.rs` writes it.
static WEIGHTS: &[u8; FEATURES * CATEGORIES.len()] = include_bytes!("weights.bin");

/// Bytes below which a text is not weighed: it was taught none so short.
const TOO_SHORT: usize = 32;

/// What a weight of 1 stands for.
const UNIT: f32 = 1.0 / 8.0;

/// How likely each category is; the three add up to 1.
pub(super) fn likelihoods(text: &str) -> [f32; 3] {
    let mut scores = [0f32; 3];
    for (feature, amount) in features(text) {
        let at = usize::from(feature) * CATEGORIES.len();
        for (score, weight) in scores.iter_mut().zip(&WEIGHTS[at..]) {
            *score += amount * f32::from(weight.cast_signed()) * UNIT;
        }
    }
    let most = scores.iter().copied().fold(f32::MIN, f32::max);
    let powers = scores.map(|s| (s - most).exp());
    let sum: f32 = powers.iter().sum();
    powers.map(|p| p / sum)
}

/// The likeliest category, and how likely it is; `None` of a text that is too short to tell.
pub(super) fn likeliest(text: &str) -> Option<(&'static str, f32)> {
    if text.trim().len() < TOO_SHORT {
        return None;
    }
    let likely = likelihoods(text);
    let best = (0..3).max_by(|a, b| likely[*a].total_cmp(&likely[*b])).unwrap_or(0);
    Some((CATEGORIES[best], likely[best]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_data_and_prose_are_told_apart() {
        for (text, category) in [
            (
                "int f(int a) {\n    if (a > 3) {\n        return g(a);\n    }\n    return 0;\n}\n",
                "code",
            ),
            ("proc greet {name} {\n    set x [lindex $name 0]\n    return $x\n}\n", "code"),
            (
                "10:00:01 INFO  worker-1 started\n10:00:02 WARN  worker-2 retry in 3000 ms\n\
              10:00:05 INFO  worker-2 started\n10:00:06 INFO  2 of 2 up\n",
                "data",
            ),
            (
                "It was a bright cold day in April, and the clocks were striking thirteen.\n\
              He went in quickly, though not quickly enough to keep the dust out.\n",
                "document",
            ),
            ("Die Sonne schien, da sie keine andere Wahl hatte, auf nichts Neues.\n", "document"),
        ] {
            let (told, likely) = likeliest(text).unwrap();
            assert_eq!(told, category, "{likely} {text}");
        }
    }

    #[test]
    fn likelihoods_add_up() {
        assert_eq!(likeliest("hello\n"), None);
        for text in ["", "x", "\u{1F600}", "a\tb\n", &"(".repeat(9000)] {
            let sum: f32 = likelihoods(text).iter().sum();
            assert!((sum - 1.0).abs() < 1e-4, "{text}");
        }
    }
}
