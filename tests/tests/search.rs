//! `tidyctl files`: by name, about right, sorted, and by what only the files can tell.

use std::fs::File;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tidy_tests::files::Sample;
use tidy_tests::{Daemon, World, documents, path};

fn world() -> (World, Daemon) {
    let world = World::new();
    world.configure("watch = [\"~/Downloads\"]\nsettle = \"100ms\"\n[default]\n");
    let files: [(&str, Vec<u8>); 6] = [
        ("Annual Report 2025.pdf", Sample::Pdf.content(1)),
        ("invoice 7.pdf", documents::pdf("Nina Simone", "An invoice")),
        ("sub/Invoice 8.txt", b"invoice of the eighth month, to be paid at once\n".to_vec()),
        ("photo.jpg", Sample::Jpeg.content(2)),
        ("big.bin", vec![7; 70_000]),
        ("zero.py", b"print('hello')\n".to_vec()),
    ];
    for (age, (name, content)) in files.into_iter().enumerate() {
        let path = world.write(format!("Downloads/{name}"), content);
        let then = SystemTime::now() - Duration::from_secs(1_000 * (age as u64 + 1));
        File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
    }
    let daemon = world.start();
    world.wait();
    (world, daemon)
}

fn names(world: &World, arguments: &[&str]) -> Vec<String> {
    let answer = world.ctl_json([&["files"], arguments].concat());
    let files: Vec<Value> = answer.as_array().expect("a list").clone();
    let name = |f: &Value| path(&f["path"]).file_name().unwrap().to_str().unwrap().to_owned();
    files.iter().map(name).collect()
}

#[test]
fn a_name_that_is_about_right_finds_its_file() {
    let (world, daemon) = world();
    assert_eq!(names(&world, &["--fuzzy", "anual reprt"]), ["Annual Report 2025.pdf"]);
    let found = names(&world, &["-f", "invocie"]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(names(&world, &["--fuzzy", "invoice", "--min-size", "100"]), ["invoice 7.pdf"]);
    assert_eq!(names(&world, &["--fuzzy", "qqqq"]), Vec::<String>::new());
    // The alias of the verb, and what is said of an empty list.
    let run = world.ctl(["search", "--fuzzy", "qqqq"]);
    assert!(run.code == 0 && run.stderr.contains("no such files"), "{run:?}");
    let long = "x".repeat(200);
    for wrong in [&["--fuzzy", &long][..], &["--fuzzy", "  "], &["--sort", "score"], &["--reverse"]]
    {
        let run = world.ctl([&["files"], wrong].concat());
        assert!(run.code == 2 && run.stderr.contains("hint: "), "{wrong:?}: {run:?}");
    }
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn lists_are_sorted_as_they_are_asked_to_be() {
    let (world, daemon) = world();
    let by_name = [
        "Annual Report 2025.pdf",
        "big.bin",
        "invoice 7.pdf",
        "Invoice 8.txt",
        "photo.jpg",
        "zero.py",
    ];
    assert_eq!(names(&world, &["--sort", "name"]), by_name);
    let mut reversed = by_name;
    reversed.reverse();
    assert_eq!(names(&world, &["--sort", "name", "--reverse"]), reversed);
    assert_eq!(names(&world, &["--sort", "size", "--limit", "1"]), ["big.bin"]);
    assert_eq!(names(&world, &["--sort", "age", "--limit", "1"]), ["Annual Report 2025.pdf"]);
    assert_eq!(names(&world, &["--sort", "age", "-r", "--limit", "1"]), ["zero.py"]);
    assert_eq!(names(&world, &["--sort", "path"]).last().unwrap(), "zero.py");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn what_files_say_of_themselves_can_be_searched_for() {
    let (world, daemon) = world();
    assert_eq!(names(&world, &["--where", "author=Nina*"]), ["invoice 7.pdf"]);
    assert_eq!(names(&world, &["--metadata", "author=nina simone"]), ["invoice 7.pdf"]);
    assert_eq!(names(&world, &["--where", "author=Nobody"]), Vec::<String>::new());
    assert_eq!(names(&world, &["--type", "application/pdf", "--sort", "name"]).len(), 2);
    assert_eq!(names(&world, &["--type", "image/*"]), ["photo.jpg"]);
    assert_eq!(names(&world, &["--where", "text=(?i)eighth month"]), ["Invoice 8.txt"]);
    assert_eq!(
        names(&world, &["invoice", "--where", "ext=pdf", "--where", "pages>=1"]),
        ["invoice 7.pdf"]
    );
    // As a rule has it.
    let both = "kind = [\"image\", \"code\"], not = { name = \"*.py\" }";
    assert_eq!(names(&world, &["--where", both]), ["photo.jpg"]);
    // A page may have found nothing yet.
    assert_eq!(names(&world, &["--where", "mime=image/*", "--limit", "1"]), ["photo.jpg"]);
    for (wrong, word) in [
        ("colour=red", "unknown key"),
        ("kind=imgae", "did you mean `image`"),
        ("duplicate=true", "tidyctl duplicates"),
        ("size=large", "does not start with a number"),
    ] {
        let run = world.ctl(["files", "--where", wrong]);
        assert!(run.code == 2 && run.stderr.contains(word), "{wrong}: {run:?}");
    }
    let run = world.ctl(["files", "--where", "nonsense"]);
    assert!(run.code == 2 && run.stderr.contains("KEY=VALUE"), "{run:?}");
    assert_eq!(daemon.stop(), 0);
}
