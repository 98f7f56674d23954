//! Measures the room on a corpus of real files, where one is at hand.
//!
//! `$TIDYD_CORPUS`, else `shared/corpus` beside the repository: a `manifest.tsv` of path, size,
//! extension, category and media types, and the files it names.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::{CategoryTable, kind};

struct Entry {
    path: PathBuf,
    ext: String,
    category: String,
}

fn corpus() -> Option<Vec<Entry>> {
    let root = std::env::var_os("TIDYD_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus"),
        PathBuf::from,
    );
    let manifest = fs::read_to_string(root.join("manifest.tsv")).ok()?;
    let entries = manifest.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [path, _, ext, category, ..] = fields.as_slice() else { return None };
        let path = root.join(path);
        Some(Entry { path, ext: (*ext).into(), category: (*category).into() })
    });
    Some(entries.collect())
}

/// Percent of files whose category is right when they bear the name that `named` gives.
#[expect(clippy::print_stderr, reason = "what a measurement is for")]
fn right(entries: &[Entry], label: &str, named: impl Fn(&Entry) -> String) -> f64 {
    let table = CategoryTable::default();
    let mut right = 0usize;
    for entry in entries {
        let mut file = File::open(&entry.path).unwrap();
        let len = file.metadata().unwrap().len();
        let name = named(entry);
        let fact = kind(&mut file, OsStr::new(&name), len, &table);
        let kind = fact.value().unwrap();
        if entry.category == "other" || kind.category.as_str() == entry.category {
            right += 1;
        } else if std::env::var_os("TIDYD_CORPUS_MISSES").is_some() {
            let path = entry.path.display();
            eprintln!(
                "{label}\t{}\t{}\t{}\t{path}",
                entry.category, kind.category, kind.media_type
            );
        }
    }
    let percent = 100.0 * right as f64 / entries.len() as f64;
    eprintln!("{label}: {right} of {} = {percent:.1} %", entries.len());
    percent
}

/// Floors one point under what was measured when they were last raised.
#[test]
#[expect(clippy::print_stderr, reason = "says why it was skipped")]
fn most_files_get_the_right_category() {
    let Some(entries) = corpus() else {
        eprintln!("skipped, because the corpus is not here");
        return;
    };
    assert!(right(&entries, "true extension", |e| format!("x.{}", e.ext)) >= 98.7);
    assert!(right(&entries, "no extension", |_| "x".into()) >= 97.0);
    assert!(right(&entries, "says nothing (.bin)", |_| "x.bin".into()) >= 97.0);
    assert!(right(&entries, "lying (.jpg)", |_| "x.jpg".into()) >= 97.0);
}
