//! `tidyd inspect`: what files are, told without the service; and the processes that read them.
#![expect(clippy::disallowed_methods, reason = "puts its own scratch files where tidyd finds them")]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};

use serde_json::{Value, json};
use tidy_tests::files::Sample;
use tidy_tests::{Binary, World, assert_same, binary, documents};

fn lines(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn inspect(world: &World, arguments: &[&str], files: &[&Path]) -> tidy_tests::Run {
    let names = files.iter().map(|f| f.to_str().expect("a plain name"));
    let all: Vec<&str> = ["inspect"].iter().chain(arguments).copied().chain(names).collect();
    world.tidyd(&all)
}

#[test]
fn it_tells_what_files_are_in_the_order_of_their_names_and_changes_nothing() {
    let world = World::new();
    let photo = world.write("a.jpg", Sample::Jpeg.content(1));
    let lies = world.write("b.txt", Sample::Png.content(1));
    let letter = world.write("c.docx", documents::docx("Ada", "Dear Charles"));
    let odd = world.home().join(OsStr::from_bytes(b"d\xff.pdf"));
    fs::write(&odd, documents::pdf("Ada", "text")).unwrap();
    let before = world.snapshot();

    let run = inspect(&world, &["--json"], &[&photo, &lies, &letter]);
    let told = lines(&run.stdout);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let category = |line: &Value| line["category"].as_str().unwrap().to_owned();
    assert_eq!(told.iter().map(category).collect::<Vec<_>>(), ["image", "image", "document"]);
    assert_eq!(told[0]["path"], json!(photo));
    assert_eq!((&told[0]["mismatch"], &told[1]["mismatch"]), (&json!(false), &json!(true)));
    assert_eq!(told[1]["true_ext"], "png");
    let author = json!({ "value": "Ada", "source": "document" });
    assert_eq!(told[2]["metadata"]["author"], author);
    assert_eq!(told[2]["metadata"]["pages"]["value"], 3);
    assert!(told.iter().all(|line| line["bytes_read"].as_u64().is_some_and(|n| n > 0)));

    let none = inspect(&world, &["--json", "--no-metadata"], &[&letter]);
    assert_eq!(lines(&none.stdout)[0]["metadata"], json!({}));

    // What cannot be told is said, and the rest is told all the same.
    let mut command = world.command(binary(Binary::Tidyd));
    let run = tidy_tests::Run::of(command.args(["inspect", "--json", "nowhere"]).arg(&odd));
    assert_eq!(run.code, 3);
    assert!(run.stderr.contains("error: nowhere: No such file"), "{}", run.stderr);
    let told = lines(&run.stdout);
    assert!(told[0]["path"]["base64"].is_string(), "{told:?}");
    assert_eq!(told[0]["metadata"]["author"], author);
    assert_eq!(inspect(&world, &[], &[Path::new("nowhere"), &world.home()]).code, 1);

    let shown = inspect(&world, &[], &[&letter]).ok();
    let expected = [
        "/c.docx\n",
        "  is           application/vnd.openxmlformats",
        "  author       Ada  [document]\n",
    ];
    assert!(expected.iter().all(|part| shown.contains(part)), "{shown}");
    assert_same(&before, &world.snapshot());
    assert!(!world.state().exists(), "no state was made");
}

#[test]
fn the_categories_of_the_configuration_count() {
    let world = World::new();
    let drawing = world.write("a.png", Sample::Png.content(1));
    world.configure("watch = [\"~/Nowhere\"]\n[category.drawings]\nmime = [\"image/png\"]\n");
    let told = lines(&inspect(&world, &["--json"], &[&drawing]).ok());
    assert_eq!(told[0]["category"], "drawings");
    world.configure("wach = []\n");
    let run = inspect(&world, &["--json"], &[&drawing]);
    assert_eq!(run.code, 78);
    assert!(run.stderr.contains("did you mean `watch`"), "{}", run.stderr);
}

/// One that is asked name by name, and answers so.
struct Asked {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Asked {
    fn new(world: &World) -> Self {
        let mut command = world.command(binary(Binary::Tidyd));
        command.args(["inspect", "--json", "-0", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, answers }
    }

    fn ask(&mut self, path: &Path) -> Value {
        let input = self.child.stdin.as_mut().unwrap();
        input.write_all(&[path.as_os_str().as_bytes(), b"\0"].concat()).unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).expect("an answer")
    }

    /// The processes below it that read files: the host, and its workers.
    fn below(&self) -> (Vec<u32>, Vec<u32>) {
        let hosts = children(self.child.id());
        let workers = hosts.iter().flat_map(|host| children(*host)).collect();
        (hosts, workers)
    }

    fn end(mut self) -> i32 {
        drop(self.child.stdin.take());
        self.child.wait().unwrap().code().unwrap()
    }
}

/// Children of a process; none where there is no such file, or that process is gone.
fn children(pid: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|n| n.parse().ok()).collect()
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn a_reader_that_is_lost_is_replaced_and_without_any_the_rest_is_told() {
    let world = World::new();
    let letter = world.write("a.pdf", documents::pdf("Ada", "text"));
    let mut asked = Asked::new(&world);
    assert_eq!(asked.ask(&letter)["metadata"]["author"]["value"], "Ada");
    let (hosts, workers) = asked.below();
    if workers.is_empty() {
        eprintln!("skipped, because this system does not say which processes it started");
        return;
    }
    workers.into_iter().for_each(kill);
    assert_eq!(asked.ask(&letter)["metadata"]["author"]["value"], "Ada");
    let (_, workers) = asked.below();
    assert!(!workers.is_empty(), "a new one has read it");
    hosts.into_iter().chain(workers).for_each(kill);
    let told = asked.ask(&letter);
    assert_eq!(told["category"], "document");
    assert!(told["problem"].as_str().is_some_and(|why| why.contains("is gone")), "{told}");
    assert_eq!(asked.end(), 0);
}

/// What was made to exhaust whoever reads it, with the media type it is to be taken for.
fn hostile(world: &World) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let bomb = format!("<t>{}</t>", "a".repeat(100 << 20));
    let word = ("[Content_Types].xml", "<Types/>");
    let parts = [word, ("docProps/core.xml", bomb.as_str()), ("word/document.xml", bomb.as_str())];
    files.push(world.write("bomb.docx", documents::package(&parts)));
    let deep = "<a>".repeat(2 << 20);
    let parts = [word, ("docProps/core.xml", deep.as_str()), ("word/document.xml", deep.as_str())];
    files.push(world.write("deep.docx", documents::package(&parts)));
    let laughs: String = (0..60)
        .map(|n| format!("<!ENTITY l{} \"{}\">", n + 1, format!("&l{n};").repeat(10)))
        .collect();
    let book = format!(
        "<!DOCTYPE x [<!ENTITY l0 \"ha\">{laughs}]><FictionBook><description><title-info>\
         <book-title>&l60;</book-title></title-info></description></FictionBook>"
    );
    files.push(world.write("laughs.fb2", book));

    let nested =
        format!("%PDF-1.4\n1 0 obj {}\nendobj\ntrailer <</Root 1 0 R>>\n", "[<</A".repeat(1 << 20));
    files.push(world.write("nested.pdf", nested));
    let circle = "%PDF-1.4\n1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj\n2 0 obj <</Type/Pages/Kids[2 0 R 2 0 R \
        2 0 R]/Count 9999999>> endobj\n3 0 obj <</Author 3 0 R/Title 3 0 R>> endobj\ntrailer <</Root 1 0 R/Info 3 0 R>>\n";
    files.push(world.write("circle.pdf", circle));
    let sparse = world.write("sparse.pdf", "%PDF-1.7\n");
    let file = File::options().write(true).open(&sparse).unwrap();
    file.set_len(1 << 30).unwrap();
    file.write_all_at(b"\nstartxref\n9\n%%EOF\n", (1 << 30) - 19).unwrap();
    files.push(sparse);
    // Just small enough to be read.
    let large = world.write("large.pdf", "%PDF-1.7\n");
    File::options().write(true).open(&large).unwrap().set_len(250 << 20).unwrap();
    files.push(large);
    let mut tiff = b"II*\0\x08\0\0\0\xff\xff".to_vec();
    tiff.extend(
        std::iter::repeat_n([0x0e, 1, 2, 0, 0xff, 0xff, 0xff, 0x7f, 8, 0, 0, 0], 0xffff).flatten(),
    );
    files.push(world.write("ifd.tif", tiff));
    files
}

/// Memory of its own that a worker may have, in kilobytes, and what a program has anyway.
const MEMORY: u64 = (256 + 64) * 1024;

#[test]
fn nothing_that_is_made_to_exhaust_its_reader_does_more_than_leave_facts_unknown() {
    let world = World::new();
    let letter = world.write("a.docx", documents::docx("Ada", "text"));
    let mut asked = Asked::new(&world);
    for file in hostile(&world) {
        let told = asked.ask(&file);
        assert!(told["media_type"].is_string(), "{told}");
        for worker in asked.below().1 {
            let status = fs::read_to_string(format!("/proc/{worker}/status")).unwrap_or_default();
            let peak = status.lines().find_map(|l| l.strip_prefix("VmData:"));
            let peak = peak.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
            assert!(peak.is_none_or(|kb| kb < MEMORY), "{file:?}: {peak:?} kB");
        }
        // And the next file is read as if nothing had been.
        assert_eq!(asked.ask(&letter)["metadata"]["author"]["value"], "Ada", "after {file:?}");
    }
    let sparse = asked.ask(&world.home().join("sparse.pdf"));
    assert!(sparse["problem"].as_str().is_some_and(|why| why.contains("too large")), "{sparse}");
    assert_eq!(asked.end(), 0);
}

/// The service, confined: documents by author and by what stands in them, and what cannot be read goes its way by category.
#[test]
fn documents_are_filed_by_their_authors_and_texts() {
    let world = World::new();
    world.configure(
        "watch = [\"~/Downloads\"]\nsettle = \"100ms\"\n\
         [[rule]]\nname = \"invoices\"\nwhen = { mime = \"application/pdf\", text = '(?i)invoice no\\. (?P<no>\\d+)' }\n\
         move = \"~/Invoices/{author|'?'}/{text.no}.{ext}\"\n\
         [[rule]]\nname = \"by Ada\"\nwhen = { author = \"ada*\", pages = \"2..9\" }\n\
         move = \"~/Ada/{written:%Y}/{title} ({pages}).{ext}\"\n",
    );
    world.write("Downloads/a.pdf", documents::pdf("Charles", "Invoice no. 4711 is due"));
    world.write("Downloads/b.docx", documents::docx("Ada Lovelace", "Dear Charles"));
    world.write("Downloads/c.docx", documents::docx("Charles", "Dear Ada"));
    world.write(
        "Downloads/d.docx",
        documents::package(&[("[Content_Types].xml", ""), ("word/x", "")]),
    );
    world.write("Downloads/e.pdf", "%PDF-1.4\nand nothing else");
    let daemon = world.start();
    world.wait();
    let home = world.home();
    for filed in [
        "Invoices/Charles/4711.pdf",
        "Ada/2024/About Ada Lovelace (3).docx",
        "Downloads/Documents/c.docx",
        "Downloads/Documents/d.docx",
        "Downloads/Documents/e.pdf",
    ] {
        assert!(home.join(filed).exists(), "{filed}: {:#?}", world.log(&[]));
    }
    let said = world.ctl_at(&["explain"], &home.join("Downloads/Documents/e.pdf")).stdout;
    assert!(!said.is_empty());
    world.ctl(["rollback", "--since", "1h", "--yes"]).ok();
    assert!(world.downloads().join("a.pdf").exists());
    assert_eq!(daemon.stop(), 0);
}

/// Parts of a category that take metadata to tell: photos and screenshots among pictures, music among recordings.
#[test]
fn photos_screenshots_and_music_have_lines_of_their_own() {
    let world = World::new();
    world.configure(
        "watch = [\"~/Downloads\"]\nsettle = \"100ms\"\n[default]\nimage = \"Pictures/\"\nscreenshot = \"Screens/\"\n\
         photo = \"Photos/\"\n",
    );
    world.write("Downloads/a.jpg", Sample::Jpeg.content(1));
    world.write("Downloads/Bildschirmfoto vom 2024-05-06.png", Sample::Png.content(1));
    world.write("Downloads/b.jpg", with_exif_date());
    let daemon = world.start();
    world.wait();
    for filed in ["Pictures/a.jpg", "Screens/Bildschirmfoto vom 2024-05-06.png", "Photos/b.jpg"] {
        assert!(world.downloads().join(filed).exists(), "{filed}: {:#?}", world.log(&[]));
    }
    daemon.kill();
}

/// A JPEG whose Exif says when it was taken and nothing else.
fn with_exif_date() -> Vec<u8> {
    let date = b"2024:05:06 10:00:00\0";
    let mut tiff = b"II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x1a\0\0\0\0\0\0\0".to_vec();
    tiff.extend(b"\x01\0\x03\x90\x02\0\x14\0\0\0\x2c\0\0\0\0\0\0\0");
    tiff.extend(date);
    let body = [b"Exif\0\0".as_slice(), &tiff].concat();
    let len = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
    let jpeg = Sample::Jpeg.content(2);
    [&jpeg[..2], b"\xff\xe1", &len, &body, &jpeg[2..]].concat()
}
