//! The words of a file name.

use unicode_normalization::UnicodeNormalization;

/// The words of a name, its extension aside, in lower case and in order: runs of letters of a script of three at least, or of
/// two where there are no cases (東京). Numbers tell one file from the next, so they are none.
pub fn words(name: &str) -> Vec<String> {
    let stem = crate::name::stem(name.as_ref()).to_string_lossy();
    let folded = folded(&stem);
    let runs = folded.split(|c: char| !c.is_alphabetic());
    runs.filter(|run| run.chars().count() >= shortest(run)).map(ToOwned::to_owned).collect()
}

/// Whether the words stand in the name in this order, as `*one*two*` has it.
pub(super) fn stand_in(words: &[String], name: &str) -> bool {
    let folded = folded(name);
    let mut rest = folded.as_str();
    words.iter().all(|word| match rest.find(word.as_str()) {
        Some(at) => {
            rest = &rest[at + word.len()..];
            true
        }
        None => false,
    })
}

fn folded(name: &str) -> String {
    name.nfc().collect::<String>().to_lowercase()
}

fn shortest(run: &str) -> usize {
    if run.chars().any(|c| c.is_lowercase()) { 3 } else { 2 }
}
