//! `explain`: why a file is where it is, why nothing is done with it yet, and what would be done with one that is not there.
#![expect(clippy::disallowed_methods, reason = "renames a scratch file of its own")]

use std::fs::{self, File};
use std::path::Path;

use serde_json::Value;
use tidy_tests::{Binary, World, binary, eventually};

fn world(rules: &str) -> World {
    let world = World::new();
    world.configure(&format!("watch = [\"~/Downloads\"]\nsettle = \"10ms\"\n{rules}"));
    world
}

fn explained(world: &World, file: &str) -> Value {
    world.ctl_json_at(&["explain"], &world.downloads().join(file))
}

fn told(world: &World, arguments: &[&str], file: &str) -> String {
    let line: Vec<_> = ["explain"].iter().chain(arguments).copied().collect();
    world.ctl_at(&line, &world.downloads().join(file)).ok()
}

fn waits(explained: &Value) -> Vec<&str> {
    let list = explained["waits_for"].as_array();
    list.into_iter().flatten().map(|w| w["what"].as_str().unwrap()).collect()
}

/// Text in one line, as it was before it was broken to fit.
fn unbroken(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn what_a_file_waits_for() {
    let world = world("ignore = [\"Keep/**\", \"*.iso\"]\n");
    world.write("Downloads/movie.mkv", "half");
    world.write("Downloads/movie.mkv.part", "a");
    world.write("Downloads/Keep/x.pdf", "x");
    let path = world.write("Downloads/written.jpg", "x");
    let writer = File::options().append(true).open(&path).unwrap();
    let _daemon = world.start();

    eventually("its folder has been read", || {
        (waits(&explained(&world, "movie.mkv")) == ["held"]).then_some(())
    });
    let held = explained(&world, "movie.mkv");
    assert!(held["waits_for"][0]["path"].as_str().unwrap().ends_with("movie.mkv.part"));
    let text = unbroken(&told(&world, &[], "movie.mkv"));
    assert!(text.contains("waits: the unfinished movie.mkv.part beside it"), "{text}");

    let written = explained(&world, "written.jpg");
    assert!(waits(&written).contains(&"written"), "{written:#}");
    let text = unbroken(&told(&world, &[], "written.jpg"));
    let by = format!("({})", std::process::id());
    assert!(text.contains("has it open for writing") && text.contains(&by), "{text}");
    drop(writer);
    world.wait();
    assert!(!path.exists(), "filed, once nobody writes any more");

    world.ctl(["pause"]).ok();
    assert_eq!(waits(&explained(&world, "movie.mkv")), ["paused", "held"]);
    world.ctl(["resume"]).ok();

    let ignored = &explained(&world, "Keep/x.pdf")["would"]["left"];
    assert_eq!(
        (&ignored["reason"], &ignored["detail"]),
        (&"ignored".into(), &"the pattern `Keep/**`".into())
    );
    let stranger = unbroken(&world.ctl_at(&["explain"], &world.config_file()).ok());
    assert!(stranger.contains("is in no folder that tidyd watches"), "{stranger}");
}

#[test]
fn a_companion_tells_of_itself_and_of_the_file_that_it_goes_with() {
    let disk = World::new();
    let disk = disk.home();
    let world = world(&format!(
        "[[rule]]\nname = \"films\"\nwhen = {{ ext = \"mkv\" }}\nmove = \"{0}/Films/\"\nneed = {{ mounted = \"{0}\" }}\n\
         [[rule]]\nname = \"strays\"\nwhen = {{ ext = [\"srt\", \"mp4\"] }}\nmove = \"~/Strays/\"\n",
        disk.display()
    ));
    let film = world.write("Downloads/film.mkv", "a film");
    world.write("Downloads/film.en.srt", "1\n00:00:01,000 --> 00:00:02,000\nHello.\n");
    let other = world.write("Downloads/other.mkv", "another");
    let daemon = world.start();
    world.wait();

    let e = explained(&world, "film.en.srt");
    assert_eq!(e["would"]["left"]["reason"], "companion", "{e:#}");
    assert_eq!(e["media_type"], "application/x-subrip", "{e:#}");
    assert_eq!(e["rules"], Value::Array(vec![]), "none is asked about it: {e:#}");
    let of = &e["companion_of"];
    assert_eq!(tidy_tests::path(&of["path"]), film, "{e:#}");
    assert_eq!(of["left"]["reason"], "destination-not-ready", "{e:#}");
    assert_eq!((&of["left"]["rule"], &of["rules"][0]["rule"]), (&"films".into(), &"films".into()));
    let away = format!("nothing is mounted at {}", disk.display());
    let text = unbroken(&told(&world, &[], "film.en.srt"));
    assert!(text.contains("film.mkv, which is left: its destination lacks"), "{text}");
    assert!(text.contains(&away) && text.contains("Rules for film.mkv, in order"), "{text}");
    assert!(explained(&world, "film.mkv").get("companion_of").is_none());

    // How many wait is told, whatever a run has seen of them.
    let waiting = |world: &World| world.ctl_json(["status"])["waiting"].clone();
    let all = waiting(&world);
    assert_eq!((&all[0]["files"], &all[0]["bytes"]), (&2.into(), &13.into()), "{all:#}");
    assert_eq!((&all[0]["rule"], &all[1]), (&"films".into(), &Value::Null), "{all:#}");
    let status = world.ctl(["status"]).ok();
    assert!(
        status.contains("2 files of rule `films` wait (") && status.contains(&away),
        "{status}"
    );
    fs::rename(&other, other.with_extension("mp4")).unwrap();
    world.wait();
    assert_eq!(waiting(&world)[0]["files"], 1);

    // What the film itself has to wait for, the companion waits for.
    let writer = File::options().append(true).open(&film).unwrap();
    let e = explained(&world, "film.en.srt");
    assert_eq!(e["companion_of"]["waits_for"][0]["what"], "written", "{e:#}");
    let text = unbroken(&told(&world, &[], "film.en.srt"));
    assert!(text.contains("which waits: a program has it open for writing"), "{text}");
    drop(writer);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_companion_would_go_where_its_file_goes() {
    let world =
        world("[[rule]]\nname = \"films\"\nwhen = { ext = \"mkv\" }\nmove = \"~/Films/\"\n");
    let daemon = world.start();
    world.ctl(["pause"]).ok();
    for file in ["film.mkv", "film.srt"] {
        world.write(Path::new("Downloads").join(file), file);
    }
    let to = |e: &Value| tidy_tests::path(&e["would"]["steps"][0]["dst"]);
    let e = explained(&world, "film.srt");
    assert_eq!(to(&e), world.home().join("Films/film.srt"), "{e:#}");
    assert_eq!(e["would"]["steps"].as_array().map(Vec::len), Some(1), "{e:#}");
    assert_eq!(e["companion_of"]["left"], Value::Null, "{e:#}");
    let text = unbroken(&told(&world, &[], "film.srt"));
    assert!(text.contains("Films/film.srt by rule films because goes with film.mkv"), "{text}");
    let e = explained(&world, "film.mkv");
    assert_eq!(to(&e), world.home().join("Films/film.mkv"), "{e:#}");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn what_would_be_done_under_another_name() {
    let world = world(
        "[[rule]]\nname = \"invoices\"\nwhen = { name = \"*invoice*\", none = [{ size = \"> 1 GB\" }] }\nmove = \"Bills/\"\n\
         [[rule]]\nname = \"scans\"\nwhen = { ext = \"pdf\" }\nmove = \"Scans/\"\n\
         [[rule]]\nname = \"old\"\nwhen = { ext = \"zip\", age = \"> 1d\" }\ntrash = true\n",
    );
    world.write("Downloads/code.py", "print('hello')\n");
    let _daemon = world.start();
    world.wait();
    let would = |e: &Value| e["would"]["steps"][0]["dst"].as_str().map(ToOwned::to_owned);

    // A file that is there: its own content and size, another name.
    let e =
        world.ctl_json_at(&["explain", "--as", "invoice 7.py"], &world.downloads().join("code.py"));
    assert!(would(&e).unwrap().ends_with("Downloads/Bills/invoice 7.py"), "{e:#}");
    assert_eq!(e["exists"], true);

    // A name alone: what it says is known, and the rest is neither true nor false.
    let e = world.ctl_json_at(&["explain", "--as", "b.pdf"], &world.downloads());
    assert!(would(&e).unwrap().ends_with("Downloads/Scans/b.pdf"), "{e:#}");
    let e = world
        .ctl_json_at(&["explain", "--as", "my invoice.bin"], &world.downloads().join("nothing"));
    assert_eq!((e["exists"].as_bool(), would(&e)), (Some(false), None), "{e:#}");
    let size = &e["rules"][0]["checks"][1];
    assert_eq!(size["truth"], "unknown", "nor is its negation true: {e:#}");
    assert!(size["seen"].as_str().unwrap().contains("no such file"));
    let e = world.ctl_json_at(&["explain", "--as", "a.zip"], &world.downloads());
    assert_eq!(e["rules"][2]["matched"], "unknown", "{e:#}");

    // A path that is not absolute begins where the file is, wherever `tidyctl` was called.
    let e =
        world.ctl_json_at(&["explain", "--as", "sub/b.pdf"], &world.downloads().join("code.py"));
    assert_eq!(tidy_tests::path(&e["as"]), world.downloads().join("sub/b.pdf"), "{e:#}");
    let e = world.ctl_json_at(&["explain", "--as", "../x.pdf"], &world.downloads());
    assert_eq!(tidy_tests::path(&e["as"]), world.home().join("x.pdf"), "{e:#}");
    for bad in ["..", "nowhere/../x.pdf"] {
        let run = world.ctl_at(&["explain", "--as", bad], &world.downloads());
        assert!(run.code == 2 && run.stderr.contains("hint: "), "{bad}: {run:?}");
    }

    // Elsewhere it would not be looked at.
    let elsewhere = world.home().join("elsewhere");
    let text = told(&world, &["--as", elsewhere.join("x.pdf").to_str().unwrap()], "code.py");
    assert!(unbroken(&text).contains("in no folder that tidyd watches"), "{text}");
    let unknown = world.ctl_at(&["explain"], &world.downloads().join("nothing"));
    assert_eq!(unknown.code, 1);
    assert!(unknown.stderr.contains("--as NAME"), "{}", unknown.stderr);
}

#[test]
fn a_file_with_the_name_of_a_folder_gets_the_right_reason() {
    let world = world("[[rule]]\nname = \"all\"\nwhen = { size = \"> 0 B\" }\nmove = \"Stuff/\"\n");
    world.write("Downloads/Stuff", "in the way");
    world.write("Downloads/a.txt", "a");
    let _daemon = world.start();
    world.wait();
    let left = |file: &str| explained(&world, file)["would"]["left"].clone();
    let stuff = left("Stuff");
    assert_eq!(stuff["reason"], "bad-destination", "{stuff:#}");
    assert!(stuff["detail"].as_str().unwrap().contains("give it another name"), "{stuff:#}");
    assert_eq!(stuff["rule"], "all");
    let other = left("a.txt");
    assert!(other["detail"].as_str().unwrap().ends_with("Stuff is not a directory"), "{other:#}");
}

#[test]
fn what_has_its_place_is_not_planned_again() {
    // Without what was done, the file would be renamed again and again.
    let world = world(
        "[[rule]]\nname = \"stamp\"\nwhen = { ext = \"txt\" }\nrename = \"new {stem}.{ext}\"\n",
    );
    world.write("Downloads/a.txt", "a");
    let _daemon = world.start();
    world.wait();
    let e = explained(&world, "new a.txt");
    assert_eq!(e["would"]["steps"], Value::Array(vec![]), "{e:#}");
    assert_eq!(e["would"]["left"]["reason"], "in-place", "{e:#}");
    assert_eq!(e["rules"][0]["matched"], "true", "the rules are held against it all the same");
    world.ctl(["rollback", "--last", "--yes"]).ok();
    let e = explained(&world, "a.txt");
    assert_eq!(e["would"]["left"]["reason"], "rolled-back", "{e:#}");
}

#[test]
fn a_dry_run_knows_what_its_earlier_steps_did() {
    let world = world(
        "duplicates = { others = \"report\" }\n\
         [[rule]]\nname = \"stamp\"\nwhen = { name = \"scan*\" }\nrename = \"paper {stem}.{ext}\"\nthen = \"continue\"\n\
         [[rule]]\nname = \"papers\"\nwhen = { name = \"paper *\" }\nmove = \"Papers/\"\n\
         [[rule]]\nname = \"texts\"\nwhen = { ext = \"txt\" }\nmove = \"Texts/\"\n",
    );
    let daemon = world.start();
    world.ctl(["pause"]).ok();
    for file in ["scan 1.pdf", "one/same.txt", "two/same.txt", "Texts/same.txt"] {
        world.write(Path::new("Downloads").join(file), format!("this is {file}"));
    }
    let plan = world.ctl_json(["organize", "--dry-run"]);
    let steps = plan["steps"].as_array().unwrap();
    let to = |rule: &str| -> Vec<_> {
        let of = steps.iter().filter(|s| s["rule"] == rule && s["kind"] == "move");
        of.map(|s| s["dst"].as_str().unwrap().rsplit("Downloads/").next().unwrap()).collect()
    };
    assert_eq!(to("papers"), ["Papers/paper scan 1.pdf"], "{plan:#}");
    assert_eq!(to("texts"), ["Texts/same (2).txt", "Texts/same (3).txt"], "{plan:#}");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn it_fits_on_a_narrow_terminal() {
    let many = (1..9).map(|i| format!("{{ name = \"*word{i}*\" }}")).collect::<Vec<_>>().join(", ");
    let world = world(&format!(
        "[[rule]]\nname = \"a rule with a rather long name that says what it is for\"\nwhen = {{ any = [{many}], size = \"> 0 B\" }}\nmove = \"There/\"\n",
    ));
    let name = "word1 and a good many other words so that nothing fits into one line any more.txt";
    world.write(format!("Downloads/{name}"), "x");
    let _daemon = world.start();
    world.wait();
    let ctl = binary(Binary::Tidyctl);
    for file in [format!("There/{name}"), name.to_owned()] {
        let path = world.downloads().join(file);
        let ask = format!("'{}' --color never explain '{}'", ctl.display(), path.display());
        // As wide as it says, or, where it does not say, as terminals are.
        for (before, width) in [("stty cols 60 rows 500;", 60), ("", 80)] {
            let line = format!("{before} {ask}");
            let shown = world.command("script").args(["-qec", &line, "/dev/null"]).output();
            let Ok(shown) = shown else {
                eprintln!("skipped, because there is no `script` to make a terminal with");
                return;
            };
            let text = String::from_utf8(shown.stdout).unwrap();
            // A path is not broken: it is there to be copied.
            assert!(text.contains(name), "{text}");
            let wide =
                text.lines().filter(|l| l.chars().count() > width && !l.contains("Downloads/"));
            assert_eq!(wide.collect::<Vec<_>>(), [""; 0], "{text}");
            let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(words.contains("a rule with a rather long name"), "{text}");
        }
    }
}

#[test]
fn what_is_there_is_not_said_to_be_missing() {
    let world = world("");
    let daemon = world.start();
    let asked = |path: &Path| {
        let run = world.ctl_at(&["explain"], path);
        assert_eq!(run.code, 1, "{run:?}");
        unbroken(&run.stderr)
    };
    assert!(asked(&world.downloads()).contains("is a folder that tidyd looks into"));
    assert!(asked(&world.home()).contains("is a folder that tidyd looks into, or one above it"));
    let outside = world.write("Other/a.pdf", "x");
    assert!(asked(&outside).contains("is in no folder that tidyd looks into"));
    assert!(asked(&world.downloads().join("none.pdf")).contains("does not exist"));
    assert_eq!(daemon.stop(), 0);
}

/// The rules of one filed file as they were, by name, with the last thing each said.
fn considered(told: &Value) -> Vec<(String, String, String)> {
    let rules = told["considered"]["rules"].as_array().unwrap_or_else(|| panic!("{told:#}"));
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let last = |r: &Value| {
        let check = r["checks"].as_array().unwrap().last().unwrap();
        format!("{} ({})", text(&check["test"]), text(&check["seen"]))
    };
    rules.iter().map(|r| (text(&r["rule"]), text(&r["matched"]), last(r))).collect()
}

#[test]
fn what_every_rule_said_is_kept_with_what_was_done() {
    let rules = |first: &str| {
        format!(
            "[[rule]]\nname = \"{first}\"\nwhen = {{ size = \"> 1 B\", name = \"IMG_*\" }}\nmove = \"Pictures/\"\n\
             [[rule]]\nname = \"pay\"\nwhen = {{ kind = \"document\", text = \"invoice\" }}\nmove = \"Pay/\"\n\
             [[rule]]\nname = \"texts\"\nwhen = {{ ext = \"txt\", not = {{ name = \"*keep*\" }} }}\nmove = \"Texts/\"\n"
        )
    };
    let world = world(&rules("first"));
    let names: Vec<_> = (1..6).map(|i| format!("note {i}.txt")).collect();
    for name in &names {
        world.write(format!("Downloads/{name}"), format!("this is {name}"));
    }
    let _daemon = world.start();
    world.wait();
    // The rules of today have nothing to do with it.
    world.configure(&format!("watch = [\"~/Downloads\"]\nsettle = \"10ms\"\n{}", rules("later")));
    world.ctl(["reload"]).ok();

    // One of them was written with all that was said, others point at it.
    for name in &names {
        let e = explained(&world, &format!("Texts/{name}"));
        let op = &e["history"][0];
        let seen = |test: &str| format!("{test} ({name})");
        let want = [
            ("first", "false", seen("name = IMG_*")),
            ("pay", "false", "text = invoice (not in its text)".to_owned()),
            ("texts", "true", seen("name = *keep*")),
        ];
        let want: Vec<_> = want.map(|(r, m, c)| (r.to_owned(), m.to_owned(), c)).into();
        assert_eq!(considered(op), want, "{e:#}");
        let size = &op["considered"]["rules"][0]["checks"][0]["seen"];
        assert_eq!(*size, format!("{} bytes", format!("this is {name}").len()));
        let shown = world.ctl_json(["show", &op["id"].to_string()]);
        assert_eq!(considered(&shown["operations"][0]), want, "{shown:#}");
    }
    let text = told(&world, &[], "Texts/note 5.txt");
    assert!(text.contains("  first: false\n") && text.contains("  texts: true\n"), "{text}");
    // Where it was, the same is said.
    assert!(told(&world, &[], "note 5.txt").contains("  pay: false\n"));
    let batch = world.ctl_json(["log"])[0]["batch"].to_string();
    let list = world.ctl_json(["show", &format!("batch:{batch}")]);
    assert!(list["operations"][0].get("considered").is_none(), "a list does without: {list:#}");
}
