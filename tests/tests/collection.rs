//! A folder of real files of every kind, most with no extension or a wrong one, and no configuration at all: they land
//! where somebody else's labels say, none is lost, and all come back.
//!
//! `$TIDYD_CORPUS` names such a collection: a directory with a `manifest.tsv` whose first line has the columns `path`, `ext`
//! and `category`. `tests/measure/once.py` does the same with any table of labels, against file(1).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tidy_tests::{Kind, World, assert_same};

struct Labelled {
    path: PathBuf,
    ext: String,
    category: String,
}

fn collection() -> Option<Vec<Labelled>> {
    let root = PathBuf::from(std::env::var_os("TIDYD_CORPUS")?);
    let manifest = fs::read_to_string(root.join("manifest.tsv")).ok()?;
    let mut lines = manifest.lines().map(|l| l.split('\t').collect::<Vec<_>>());
    let head = lines.next()?;
    let column = |name: &str| head.iter().position(|h| *h == name);
    let (path, ext, category) = (column("path")?, column("ext")?, column("category")?);
    let row = |line: Vec<&str>| {
        Some(Labelled {
            path: root.join(line.get(path)?),
            ext: (*line.get(ext)?).into(),
            category: (*line.get(category)?).into(),
        })
    };
    // What belongs to no category of ours lands rightly anywhere.
    Some(lines.filter_map(row).filter(|l| l.category != "other").collect())
}

/// Where `[default]` files a category; `None`: it stays.
fn folder(category: &str) -> Option<&'static str> {
    Some(match category {
        "image" => "Pictures",
        "video" => "Videos",
        "audio" => "Music",
        "document" | "ebook" | "presentation" | "spreadsheet" => "Documents",
        "archive" => "Archives",
        "installer" => "Installers",
        "font" => "Fonts",
        _ => return None,
    })
}

#[test]
fn a_collection_lands_where_its_labels_say_and_comes_back() {
    let Some(files) = collection() else {
        eprintln!("skipped, because TIDYD_CORPUS names no collection of files with a manifest.tsv");
        return;
    };
    let world = World::new();
    let mut expected: BTreeMap<Vec<u8>, Option<&str>> = BTreeMap::new();
    for (n, file) in files.iter().enumerate() {
        let content = fs::read(&file.path).unwrap();
        // What is there twice is put aside as a copy, whatever it is.
        if content.is_empty() || expected.insert(content.clone(), folder(&file.category)).is_some()
        {
            continue;
        }
        let name = match n % 3 {
            0 => format!("file {n:04}.{}", file.ext),
            1 => format!("file {n:04}"),
            _ if file.category == "image" => format!("file {n:04}.pdf"),
            _ => format!("file {n:04}.jpg"),
        };
        world.write(Path::new("Downloads").join(format!("{:02}", n / 100)).join(name), content);
    }
    let before = world.snapshot();

    let downloads = world.downloads();
    let watch = downloads.to_str().expect("a scratch directory");
    world.tidyd(&["--watch", watch, "--once"]).ok();
    let after = world.snapshot();
    assert_eq!(before.lost_by(&after), Vec::<PathBuf>::new());

    let (mut right, mut wrong) = (0, 0);
    for (path, entry) in &after.entries {
        let Ok(below) = path.strip_prefix("Downloads") else { continue };
        if !matches!(entry.kind, Kind::File { .. }) {
            continue;
        }
        let first = below.components().next().and_then(|c| c.as_os_str().to_str()).unwrap_or("");
        let found = Some(first).filter(|f| !f.bytes().all(|b| b.is_ascii_digit()));
        let content = fs::read(world.home().join(path)).unwrap();
        let place = expected.get(&content).copied().flatten();
        right += usize::from(found == place);
        wrong += usize::from(found.is_some() && found != place);
    }
    let of = |n: usize| 100.0 * n as f64 / expected.len() as f64;
    eprintln!("{:.1} % in the right place, {:.1} % in a wrong folder", of(right), of(wrong));
    assert!(of(right) >= 97.0 && of(wrong) <= 2.0, "{:.1} {:.1}", of(right), of(wrong));

    let daemon = world.start_with(&["--watch", watch]);
    world.wait_long();
    world.ctl(["rollback", "--last", "--yes"]).ok();
    assert_same(&before, &world.snapshot());
    assert_eq!(daemon.stop(), 0);
}
